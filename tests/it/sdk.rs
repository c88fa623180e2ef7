//! The vendor's own client libraries against the real process, as they come from their registries.
//!
//! The programs are in `tests/it/sdk/`; each prints one line per test and ends with `N passed, N failed`. They are
//! ignored by a plain `cargo test`, because they need an installation: `.ci/sdk-python`, `.ci/sdk-js` and
//! `.ci/sdk-rust` make it in a per-user cache, and a test whose installation is missing fails and says so. Nothing
//! is skipped silently.

use std::path::Path;
use std::process::Command;

use crate::client::ACCOUNT;
use crate::coverage::clients;
use crate::encryption::is_on_disk;
use crate::node::Node;
use crate::token;

/// One kind of client and how its programs are started.
enum Kit {
    Python,
    JavaScript,
    Rust,
}

impl Kit {
    /// What the installation script leaves in `target`, and what is in it when it is whole.
    fn installation(&self) -> (&'static str, &'static str) {
        match self {
            Self::Python => ("sdk-python", "bin/python"),
            Self::JavaScript => ("sdk-js", "node_modules"),
            Self::Rust => ("sdk-rust", "debug/linarite-sdk-suite"),
        }
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let (name, marker) = self.installation();
        let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("target").join(name);
        let marker = home.join(marker);
        assert!(marker.exists(), "{} is missing; run .ci/{name} first", marker.display());
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/sdk");
        let mut command = match self {
            Self::Python => {
                let mut command = Command::new(marker);
                command.arg(sources.join("python").join(program)).env("PYTHONDONTWRITEBYTECODE", "1");
                command
            }
            Self::JavaScript => {
                let mut command = Command::new("node");
                // The installation is reached through a link; module files are compared by their real place.
                let home = home.canonicalize().expect("the link of the cache leads somewhere");
                command.arg(sources.join("js").join(program)).env("LINARITE_SDK_JS", home);
                command
            }
            Self::Rust => {
                let mut command = Command::new(marker);
                command.arg(program);
                command
            }
        };
        command.args(arguments);
        command
    }

    /// Runs one program against a node; its own report is shown when it fails.
    fn run(&self, node: &Node, program: &str, arguments: &[&str]) {
        self.run_as(node, node.connection_string(), program, arguments);
    }

    /// As [`Kit::run`], with another account's connection string. The node's local authority, if it has one, is
    /// trusted.
    fn run_as(&self, node: &Node, connection_string: &str, program: &str, arguments: &[&str]) {
        self.report(&mut self.command(program, arguments), node, connection_string, program, arguments);
    }

    /// Runs a command that is made already.
    fn report(
        &self,
        command: &mut Command,
        node: &Node,
        connection_string: &str,
        program: &str,
        arguments: &[&str],
    ) {
        command.env("LINARITE_TOKENS", token::of_all_roles());
        let authority = node.folder().join("server/ca.pem");
        if authority.exists() {
            command.env("REQUESTS_CA_BUNDLE", &authority).env("NODE_EXTRA_CA_CERTS", &authority);
        }
        let logged = node.log(0).len();
        let output = command.env("LINARITE_CONNECTION_STRING", connection_string).output();
        let output = output.unwrap_or_else(|error| panic!("{program} does not start: {error}"));
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}\n{text}\n{errors}");
        let last = text.lines().last().unwrap_or_default();
        assert!(last.ends_with(" passed, 0 failed") && !last.starts_with("0 "), "{program} says {last:?}");
        eprintln!("sdk: {program} {arguments:?}: {last}");
        let suite = [self.name(), program].into_iter().chain(arguments.first().copied());
        clients::check(node, logged, &suite.collect::<Vec<_>>().join(" "));
    }

    /// How it is called in the list of what clients cover; a Rust program is named by its first argument.
    fn name(&self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::Rust => "rust",
        }
    }
}

fn run(kit: &Kit, program: &str) {
    let node = Node::start();
    kit.run(&node, program, &[]);
}

#[test]
#[ignore = "needs .ci/sdk-python"]
fn python_moves_a_tree_of_files() {
    run(&Kit::Python, "tree.py");
}

#[test]
#[ignore = "needs .ci/sdk-python"]
fn python_does_every_blob_operation() {
    run(&Kit::Python, "blobs.py");
}

#[test]
#[ignore = "needs .ci/sdk-python"]
fn python_appends_and_writes_pages() {
    run(&Kit::Python, "pages_and_appends.py");
}

#[test]
#[ignore = "needs .ci/sdk-python"]
fn python_protects_blobs() {
    run(&Kit::Python, "protect.py");
}

#[test]
#[ignore = "needs .ci/sdk-python"]
fn python_reads_versions_and_brings_containers_back() {
    let node = Node::start();
    node.succeeds(&["account", "set", ACCOUNT, "--versioning", "on", "--container-retention", "7"]);
    Kit::Python.run(&node, "versions.py", &[]);
}

#[test]
#[ignore = "needs .ci/sdk-js"]
fn javascript_appends_and_writes_pages() {
    run(&Kit::JavaScript, "pages_and_appends.mjs");
}

/// Customers' keys need TLS, and what they encrypt is searched for on the disk.
fn encrypt(kit: &Kit, program: &str) {
    let mut node = Node::start_with(&["--tls"]);
    node.succeeds(&["scope", "create", ACCOUNT, "sdk-scope"]);
    kit.run(&node, program, &["write"]);
    node.kill();
    assert!(is_on_disk(node.folder(), b"a marker without a key"));
    assert!(!is_on_disk(node.folder(), b"a marker under a key"));
    // The key, as it is and as it was sent.
    assert!(!is_on_disk(node.folder(), &[0xC7; 32]));
    assert!(!is_on_disk(node.folder(), b"x8fHx8fHx8fHx8fH"));
    assert_eq!(node.logged("x8fHx8fHx8fHx8fH"), 0);
    node.restart();
    kit.run(&node, program, &["check"]);
}

#[test]
#[ignore = "needs .ci/sdk-python"]
fn python_encrypts_with_its_own_keys() {
    encrypt(&Kit::Python, "encryption.py");
}

#[test]
#[ignore = "needs .ci/sdk-js"]
fn javascript_encrypts_with_its_own_keys() {
    encrypt(&Kit::JavaScript, "encryption.mjs");
}

#[test]
#[ignore = "needs .ci/sdk-js"]
fn javascript_protects_blobs() {
    run(&Kit::JavaScript, "protect.mjs");
}

#[test]
#[ignore = "needs .ci/sdk-python"]
fn python_queries_blobs() {
    run(&Kit::Python, "query_contents.py");
}

/// Copies from a second server, which is on this machine as well.
fn run_with_another(kit: &Kit, program: &str) {
    let other = Node::start();
    let node = Node::start_with(&["--copy-from-private"]);
    let mut command = kit.command(program, &[]);
    command.env("LINARITE_OTHER_CONNECTION_STRING", other.connection_string());
    kit.report(&mut command, &node, node.connection_string(), program, &[]);
}

#[test]
#[ignore = "needs .ci/sdk-python"]
fn python_copies_from_everywhere() {
    run_with_another(&Kit::Python, "copies.py");
}

#[test]
#[ignore = "needs .ci/sdk-js"]
fn javascript_copies_from_everywhere() {
    run_with_another(&Kit::JavaScript, "copies.mjs");
}

#[test]
#[ignore = "needs .ci/sdk-python"]
fn python_tags_finds_lists_and_deletes_in_batches() {
    run(&Kit::Python, "tags_and_lists.py");
}

#[test]
#[ignore = "needs .ci/sdk-js"]
fn javascript_tags_finds_lists_and_deletes_in_batches() {
    run(&Kit::JavaScript, "tags_and_lists.mjs");
}

#[test]
#[ignore = "needs .ci/sdk-python"]
fn python_does_every_queue_operation() {
    run(&Kit::Python, "queues.py");
}

#[test]
#[ignore = "needs .ci/sdk-python"]
fn python_does_every_queue_operation_without_waiting() {
    run(&Kit::Python, "queues_aio.py");
}

#[test]
#[ignore = "needs .ci/sdk-python"]
fn celery_runs_a_thousand_tasks_through_queues() {
    run(&Kit::Python, "celery_tasks.py");
}

#[test]
#[ignore = "needs .ci/sdk-python"]
fn adlfs_and_delta_lake_find_files_and_tables() {
    run(&Kit::Python, "lakes.py");
}

#[test]
#[ignore = "needs .ci/sdk-python"]
fn python_does_every_table_operation() {
    run(&Kit::Python, "tables.py");
}

#[test]
#[ignore = "needs .ci/sdk-python"]
fn python_signs_in_with_a_token_over_tls() {
    let node = token_node();
    Kit::Python.run(&node, "tokens.py", &[]);
}

#[test]
#[ignore = "needs .ci/sdk-js"]
fn javascript_signs_in_with_a_token_over_tls() {
    let node = token_node();
    Kit::JavaScript.run(&node, "tokens.mjs", &[]);
}

/// A node with TLS of its local authority, which believes the tests' issuer and takes tokens over nothing else.
fn token_node() -> Node {
    let node = Node::start_with(&[&["--tls"], &token::issuer_arguments()[..]].concat());
    token::assign_all(&node);
    node
}

#[test]
#[ignore = "needs .ci/sdk-python"]
fn python_gets_in_with_signatures() {
    run(&Kit::Python, "access.py");
}

#[test]
#[ignore = "needs .ci/sdk-python"]
fn python_does_what_the_services_share() {
    run(&Kit::Python, "services.py");
}

#[test]
#[ignore = "needs .ci/sdk-js"]
fn javascript_does_what_the_services_share() {
    run(&Kit::JavaScript, "services.mjs");
}

#[test]
#[ignore = "needs .ci/sdk-python"]
fn python_does_every_table_operation_asynchronously() {
    run(&Kit::Python, "tables_async.py");
}

#[test]
#[ignore = "needs .ci/sdk-js"]
fn javascript_moves_a_tree_of_files() {
    run(&Kit::JavaScript, "tree.mjs");
}

#[test]
#[ignore = "needs .ci/sdk-js"]
fn javascript_does_every_blob_operation() {
    run(&Kit::JavaScript, "blobs.mjs");
}

#[test]
#[ignore = "needs .ci/sdk-js"]
fn the_older_javascript_client_moves_blobs() {
    run(&Kit::JavaScript, "blobs_older.mjs");
}

#[test]
#[ignore = "needs .ci/sdk-js"]
fn javascript_does_every_queue_operation() {
    run(&Kit::JavaScript, "queues.mjs");
}

#[test]
#[ignore = "needs .ci/sdk-js"]
fn the_older_javascript_client_does_every_queue_operation() {
    run(&Kit::JavaScript, "queues_older.mjs");
}

#[test]
#[ignore = "needs .ci/sdk-js"]
fn javascript_does_every_table_operation() {
    run(&Kit::JavaScript, "tables.mjs");
}

#[test]
#[ignore = "needs .ci/sdk-js"]
fn older_javascript_does_every_table_operation() {
    run(&Kit::JavaScript, "tables_older.mjs");
}

#[test]
#[ignore = "needs .ci/sdk-python"]
fn python_sees_what_an_account_does_by_itself() {
    let node = Node::start();
    let account = crate::client::ACCOUNT;
    node.succeeds(&["account", "set", account, "--versioning", "on", "--last-access", "on"]);
    Kit::Python.run(&node, "behaviour.py", &["before"]);
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/sdk/lifecycle.json");
    node.succeeds(&["account", "lifecycle", account, rules.to_str().expect("a path of text")]);
    Kit::Python.run(&node, "behaviour.py", &["after"]);
}

#[test]
#[ignore = "needs .ci/sdk-python"]
fn python_reads_the_change_feed() {
    let mut node = Node::start();
    node.succeeds(&["account", "set", ACCOUNT, "--change-feed", "on", "--change-feed-retention", "30"]);
    Kit::Python.run(&node, "change_feed.py", &["plain"]);
    node.kill();
    node.restart();
    Kit::Python.run(&node, "change_feed.py", &["kept"]);
    node.succeeds(&["account", "set", ACCOUNT, "--versioning", "on"]);
    Kit::Python.run(&node, "change_feed.py", &["versioned"]);
}

#[test]
#[ignore = "needs .ci/sdk-js"]
fn javascript_gets_in_with_signatures() {
    run(&Kit::JavaScript, "access.mjs");
}

#[test]
#[ignore = "needs .ci/sdk-rust"]
fn the_object_store_crate_finds_what_it_takes_azure_for() {
    let node = Node::start();
    Kit::Rust.run(&node, "conformance", &["conformance"]);
}

#[test]
#[ignore = "needs .ci/sdk-python, .ci/sdk-js and .ci/sdk-rust"]
fn every_client_reads_what_every_other_wrote() {
    let mut node = Node::start();
    Kit::Python.run(&node, "handover.py", &["write", "handover"]);
    Kit::JavaScript.run(&node, "handover.mjs", &["write", "handover"]);
    Kit::Rust.run(&node, "write", &["handover"]);
    node.stop();
    node.restart();
    for writer in ["python", "javascript", "objectstore", "azurerust"] {
        Kit::Python.run(&node, "handover.py", &["check", "handover", writer]);
        Kit::JavaScript.run(&node, "handover.mjs", &["check", "handover", writer]);
        Kit::Rust.run(&node, "check", &["handover", writer]);
    }
}

/// A node with TLS, whose connection strings say so.
fn secure_node() -> Node {
    let node = Node::start_with(&["--tls"]);
    assert!(node.connection_string().contains("BlobEndpoint=https://"), "{}", node.connection_string());
    node
}

#[test]
#[ignore = "needs .ci/sdk-python"]
fn python_does_every_queue_and_table_operation_over_https() {
    let node = secure_node();
    Kit::Python.run(&node, "queues.py", &[]);
    Kit::Python.run(&node, "tables.py", &[]);
}

#[test]
#[ignore = "needs .ci/sdk-python and .ci/sdk-js"]
fn python_and_javascript_read_what_the_other_wrote_over_https() {
    let mut node = secure_node();
    Kit::Python.run(&node, "handover.py", &["write", "handover"]);
    Kit::JavaScript.run(&node, "handover.mjs", &["write", "handover"]);
    node.stop();
    node.restart();
    Kit::Python.run(&node, "handover.py", &["check", "handover", "javascript"]);
    Kit::JavaScript.run(&node, "handover.mjs", &["check", "handover", "python"]);
    Kit::JavaScript.run(&node, "queues.mjs", &[]);
    Kit::JavaScript.run(&node, "tables.mjs", &[]);
}

#[test]
#[ignore = "needs .ci/sdk-python and .ci/sdk-js"]
fn an_account_of_the_command_line_is_one_to_the_clients_until_its_key_is_replaced() {
    let mut node = secure_node();
    node.succeeds(&["account", "create", "mine"]);
    let string = |node: &Node, key: &str| {
        node.succeeds(&["account", "connection-string", "mine", "--key", key]).trim().to_owned()
    };
    let (first, second) = (string(&node, "1"), string(&node, "2"));
    Kit::Python.run_as(&node, &first, "handover.py", &["write", "handover"]);
    Kit::JavaScript.run_as(&node, &second, "handover.mjs", &["check", "handover", "python"]);
    let terms = ["--services", "tb", "--types", "oc", "--permissions", "lwr", "--start", "2026-01-01"];
    let more = ["--ip", "10.0.0.1-10.0.0.9", "--https-only", "--expires-in", "2h"];
    let sas = node.succeeds(&[&["account", "sas", "mine"][..], &terms, &more].concat());
    Kit::Python.run_as(&node, &first, "accounts.py", &["sas", sas.trim()]);

    node.succeeds(&["account", "rotate", "mine", "--key", "1"]);
    Kit::Python.run_as(&node, &first, "accounts.py", &["refused", "handover"]);
    Kit::Python.run_as(&node, &second, "handover.py", &["check", "handover", "python"]);
    node.kill();
    node.restart();
    let (new, second) = (string(&node, "1"), string(&node, "2"));
    for valid in [&new, &second] {
        Kit::Python.run_as(&node, valid, "handover.py", &["check", "handover", "python"]);
    }
    node.succeeds(&["account", "delete", "mine", "--with-content"]);
    Kit::Python.run_as(&node, &second, "accounts.py", &["refused", "handover"]);
}
