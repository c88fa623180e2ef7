//! The tables of operations and of errors, held against each other and against the source tree.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use api::blob::operations::OPERATIONS as BLOB;
use api::error::ErrorCode;
use api::operation::{Row, overlaps};
use api::queue::operations::OPERATIONS as QUEUE;
use api::table::operations::OPERATIONS as TABLE;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A row without its service.
struct Fact {
    name: &'static str,
    method: &'static str,
    status: u16,
    implementation: &'static str,
}

fn facts() -> Vec<Fact> {
    fn of<S: Sync + 'static>(table: &[Row<S>]) -> impl Iterator<Item = Fact> {
        table.iter().map(|row| Fact {
            name: row.name,
            method: row.method,
            status: row.status,
            implementation: row.implementation(),
        })
    }
    of(BLOB).chain(of(QUEUE)).chain(of(TABLE)).collect()
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// `PutBlockList` as `put_block_list`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

#[test]
fn no_request_means_two_rows() {
    assert_eq!(overlaps(BLOB), []);
    assert_eq!(overlaps(QUEUE), []);
    assert_eq!(overlaps(TABLE), []);
    assert!(!BLOB.is_empty());
}

#[test]
fn every_row_is_implemented_in_the_file_of_its_types_name() {
    for fact in facts() {
        // One type may stand for several operations, told apart by what it is given.
        let implementation = fact.implementation.split('<').next().unwrap_or_default();
        let path: Vec<&str> = implementation.split("::").collect();
        let [_, modules @ .., operation] = path.as_slice() else { panic!("{}", fact.implementation) };
        let file = source().join(modules.join("/")).with_extension("rs");
        assert!(file.is_file(), "{}: {} is missing", fact.name, file.display());
        assert_eq!(modules.last(), Some(&snake_case(operation).as_str()), "{}", fact.name);
    }
}

#[test]
fn every_operation_of_the_source_has_a_row() {
    let named: BTreeSet<String> = facts()
        .iter()
        .filter_map(|fact| fact.implementation.split('<').next()?.rsplit("::").next())
        .map(str::to_owned)
        .collect();
    let mut files = Vec::new();
    rust_files(&source(), &mut files);
    for file in files {
        for line in std::fs::read_to_string(&file).unwrap().lines() {
            if let Some((_, operation)) =
                line.split_once(" Operation for ").filter(|_| line.starts_with("impl"))
            {
                let operation = operation.split(['<', ' ']).next().unwrap_or_default();
                assert!(named.contains(operation), "{operation} in {} has no row", file.display());
            }
        }
    }
}

#[test]
fn rows_have_verbs_and_statuses_of_success() {
    for Fact { name, method, status, .. } in facts() {
        let known = ["GET", "HEAD", "PUT", "POST", "DELETE", "MERGE", "PATCH", "OPTIONS"];
        assert!(known.contains(&method), "{name}: {method}");
        assert!((200..300).contains(&status), "{name}: {status}");
        assert!(name.chars().all(|character| character.is_ascii_alphanumeric()), "{name}");
    }
}

#[test]
fn a_wire_code_stands_for_two_errors_only_where_the_protocol_has_it_so() {
    let mut by_wire: BTreeMap<&str, Vec<ErrorCode>> = BTreeMap::new();
    for code in ErrorCode::ALL {
        assert!(code.status() == 304 || (400..600).contains(&code.status()), "{code:?}");
        assert!(!code.message().is_empty(), "{code:?}");
        by_wire.entry(code.wire()).or_default().push(*code);
    }
    let repeated: Vec<&str> =
        by_wire.iter().filter(|(_, codes)| codes.len() > 1).map(|(wire, _)| *wire).collect();
    let known =
        ["CannotVerifyCopySource", "ConditionNotMet", "InvalidAuthenticationInfo", "ResourceNotFound"];
    assert_eq!(repeated, known);
}
