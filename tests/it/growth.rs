//! A queue that fills, and that many messages pass through, driven by the load generator: here for correctness,
//! with few messages; `./dev grow-queue` does the same for speed, with millions.
//!
//! The generator checks each answer and counts the queue between the conditions, so its exit code says that no
//! message was lost or given twice. It belongs to another package, so it is built here first.

use std::path::Path;
use std::process::Command;

use crate::node::Node;

/// The generator beside the server's binary, built in the same profile.
fn generator() -> std::path::PathBuf {
    let server = Path::new(env!("CARGO_BIN_EXE_linarite"));
    let folder = server.parent().expect("a binary lies in a folder");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--locked", "--quiet", "--package", "linarite-bench"]);
    if folder.ends_with("release") {
        build.arg("--release");
    }
    let status = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo starts");
    assert!(status.success(), "the generator does not build");
    folder.join("linarite-bench")
}

#[test]
#[ignore = "builds the load generator"]
fn a_queue_that_is_filled_and_worn_loses_nothing() {
    let mut node = Node::start();
    let mut bench = Command::new(generator());
    bench.args(["--connection-string", node.connection_string(), "--count", "200", "--json"]);
    bench.args(["--waiting", "500", "--passed", "2000", "--process", &node.process_id().to_string()]);
    let output = bench.arg("queue-cycle@1,queue-cycle@16").output().expect("the generator starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.matches("\"operations\": 200,").count(), 6, "two orders in three conditions:\n{text}");
    assert!(node.stop().success());
}
