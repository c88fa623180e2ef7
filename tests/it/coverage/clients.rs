//! Every operation the binary knows is called, with success, by some client library's suite.
//!
//! The suites need an installation and minutes, and run in any order, so nobody can look back on all of them. What they
//! cover is therefore written down: `fixtures/coverage/clients.txt` names, for each operation, one suite that calls it.
//! A test holds the list against the binary's operations, and each suite, when it runs, is held to what the list says
//! of it, by the server's own log: a suite that no longer reaches an operation fails.
//!
//! An operation that no suite calls must stand in `clients_exceptions.txt`, a ratchet like the one of wire fixtures.
//! What a suite was seen to call is left in the build folder. So the failure of a missing line says which to add, and
//! `LINARITE_OVERWRITE=1` adds them instead of failing; the difference is then for a human to judge.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::coverage::{rows, snake_case};
use crate::node::Node;

/// How many operations no client calls. Lower it with the list; never raise it.
const EXCEPTIONS: usize = 0;

/// How long the log may lag behind the last answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The lines of a list, without comments.
fn lines(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/coverage").join(name);
    let text = std::fs::read_to_string(&path).expect("the list is there, even if it is empty");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// Each operation of the list and the suite that calls it.
fn claims() -> BTreeMap<String, String> {
    let mut claims = BTreeMap::new();
    for line in lines("clients.txt") {
        let (operation, suite) = line.split_once(' ').unwrap_or_else(|| panic!("no suite in {line:?}"));
        let earlier = claims.insert(operation.to_owned(), suite.trim().to_owned());
        assert!(earlier.is_none(), "{operation} is on the list twice");
    }
    claims
}

/// Where what suites were seen to call is left.
fn sightings() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients")
}

/// The operation of a line of the server's log, if the request succeeded.
fn succeeded(line: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let status = line.get("status")?.as_u64()?;
    let named = (line.get("service")?.as_str()?, line.get("operation")?.as_str()?);
    (200..300).contains(&status).then(|| format!("{}/{}", named.0, snake_case(named.1)))
}

/// Holds `suite` to the list: everything that it is to call stands in the node's log after the first `from` lines.
pub(crate) fn check(node: &Node, from: usize, suite: &str) {
    let claims = claims();
    let claimed: BTreeSet<&String> =
        claims.iter().filter(|(_, by)| *by == suite).map(|(operation, _)| operation).collect();
    let since = Instant::now();
    loop {
        let seen: BTreeSet<String> = node.log(from).iter().filter_map(|line| succeeded(line)).collect();
        let missing: Vec<_> = claimed.iter().filter(|operation| !seen.contains(**operation)).collect();
        if missing.is_empty() {
            let lines: Vec<_> = seen.iter().map(|operation| format!("{operation} {suite}")).collect();
            let text = lines.join("\n") + "\n";
            std::fs::create_dir_all(sightings()).expect("the build folder can be written");
            let file = sightings().join(suite.replace(' ', "-"));
            std::fs::write(file, text).expect("the build folder can be written");
            return;
        }
        assert!(since.elapsed() < PATIENCE, "{suite} does not call what the list says: {missing:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Lines that would name a suite for `operation`, from what was seen in earlier runs.
fn hints(operation: &str) -> Vec<String> {
    let files = std::fs::read_dir(sightings()).into_iter().flatten().flatten();
    let texts = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
    let begin = format!("{operation} ");
    texts.filter_map(|text| text.lines().find(|line| line.starts_with(&begin)).map(str::to_owned)).collect()
}

/// Adds lines to the list and sorts it behind its comments.
fn add<'a>(found: impl Iterator<Item = &'a String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/coverage/clients.txt");
    let text = std::fs::read_to_string(&path).expect("the list is there");
    let all = text.lines().map(str::to_owned).chain(found.cloned());
    let (mut comments, mut lines): (Vec<String>, Vec<String>) = all.partition(|line| line.starts_with('#'));
    lines.sort_unstable();
    comments.append(&mut lines);
    std::fs::write(&path, comments.join("\n") + "\n").expect("the list can be written");
}

#[test]
fn every_operation_is_called_by_a_client() {
    let (rows, claims, exceptions) = (rows(), claims(), lines("clients_exceptions.txt"));
    let missing = rows.iter().filter(|row| !claims.contains_key(*row) && !exceptions.contains(row));
    let missing: Vec<_> = missing.map(|row| (row, hints(row))).collect();
    if std::env::var_os("LINARITE_OVERWRITE").is_some() {
        return add(missing.iter().filter_map(|(_, hints)| hints.first()));
    }
    assert!(
        missing.is_empty(),
        "fixtures/coverage/clients.txt names no suite for these; beside each, lines that runs so far suggest: {missing:#?}"
    );
    let stale: Vec<_> = claims.keys().filter(|operation| !rows.contains(*operation)).collect();
    assert!(stale.is_empty(), "suites of operations that the binary does not know: {stale:?}");
}

#[test]
fn the_list_of_what_no_client_calls_only_shrinks() {
    let (rows, claims, exceptions) = (rows(), claims(), lines("clients_exceptions.txt"));
    assert_eq!(exceptions.len(), EXCEPTIONS, "{exceptions:?}");
    for exception in &exceptions {
        assert!(rows.contains(exception), "{exception} is no operation");
        assert!(!claims.contains_key(exception), "a client calls {exception} now; take it off the list");
    }
}

#[test]
fn only_what_succeeded_counts_as_called() {
    let line = |status: u16| format!(r#"{{"service":"blob","operation":"PutBlockList","status":{status}}}"#);
    assert_eq!(succeeded(&line(201)), Some("blob/put_block_list".to_owned()));
    assert_eq!(succeeded(&line(304)), None);
    assert_eq!(succeeded(&line(404)), None);
    assert_eq!(succeeded("no request"), None);
}
