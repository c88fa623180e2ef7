//! Every operation the binary knows has a fixture, and every fixture an operation.
//!
//! The binary prints its tables (`linarite operations`), so nothing is listed twice. An operation without a fixture
//! must stand in `fixtures/coverage/exceptions.txt`; that list is a ratchet: a line that is no longer needed fails
//! the test, and so does a number of lines other than [`EXCEPTIONS`], which may only be lowered.

pub(crate) mod clients;

use std::collections::BTreeSet;
use std::path::Path;

use crate::client::Service;
use crate::node;
use crate::wire::fixture::Fixture;
use crate::wire::{cases, operations, root};

/// How many operations are without a fixture. Lower it with the list; never raise it.
const EXCEPTIONS: usize = 0;

/// `PutBlockList` as a folder: `put_block_list`.
pub(crate) fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

/// `service/folder` of every row the binary prints below their header.
pub(crate) fn rows() -> BTreeSet<String> {
    let text = node::output(&["operations"]);
    let mut rows = BTreeSet::new();
    for line in text.lines().skip(1).filter(|line| !line.is_empty()) {
        let mut columns = line.split('\t');
        let (Some(service), Some(name)) = (columns.next(), columns.next()) else {
            panic!("not service, tab, name: {line:?}");
        };
        rows.insert(format!("{service}/{}", snake_case(name)));
    }
    assert!(!rows.is_empty(), "the binary knows no operation");
    rows
}

/// `service/folder` of every operation with at least one case.
fn fixtures() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for service in Service::ALL {
        for folder in operations(service) {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            assert!(!cases(&folder).is_empty(), "{} has no case", folder.display());
            found.insert(format!("{}/{name}", service.name()));
        }
    }
    found
}

fn exceptions() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/coverage/exceptions.txt");
    let text = std::fs::read_to_string(&path).expect("the list of exceptions is there, even if it is empty");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

#[test]
fn every_operation_has_a_fixture() {
    let (rows, fixtures, exceptions) = (rows(), fixtures(), exceptions());
    let missing: Vec<_> = rows.difference(&fixtures).filter(|row| !exceptions.contains(*row)).collect();
    assert!(missing.is_empty(), "no case in fixtures/wire for {missing:?}");
    let stale: Vec<_> = fixtures.difference(&rows).collect();
    assert!(stale.is_empty(), "fixtures of operations that the binary does not know: {stale:?}");
}

#[test]
fn the_list_of_exceptions_only_shrinks() {
    let (rows, fixtures, exceptions) = (rows(), fixtures(), exceptions());
    assert_eq!(exceptions.len(), EXCEPTIONS, "{exceptions:?}");
    for exception in &exceptions {
        assert!(rows.contains(exception), "{exception} is no operation");
        assert!(!fixtures.contains(exception), "{exception} has fixtures now; take it off the list");
    }
}

#[test]
fn every_operation_shows_how_it_refuses() {
    for service in Service::ALL {
        for folder in operations(service) {
            let refuses = cases(&folder).iter().any(|path| {
                let text = std::fs::read_to_string(path).expect("a readable fixture");
                let fixture =
                    Fixture::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                fixture.exchanges.iter().any(|exchange| exchange.expectation.status >= 400)
            });
            let name = folder.strip_prefix(root()).unwrap_or(&folder).display();
            assert!(refuses, "{name} has no case that is refused");
        }
    }
}

#[test]
fn logged_names_become_folders() {
    assert_eq!(snake_case("PutBlockList"), "put_block_list");
    assert_eq!(snake_case("EntityGroupTransaction"), "entity_group_transaction");
}
