//! Programs that people point at Azure Storage, as their distribution packs them, with nothing changed but the address.
//!
//! A tool finds what a suite of single calls does not: it mixes operations as its authors found them to work on the
//! service, and believes the answers (names, times, hashes, what is left) without asking whether they can be right. So
//! a tool is not only run: what it tells of the store is compared with the folder that it was told to copy.
//!
//! Here are only tools that are quick and in wide use; README says which others were tried by hand.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::client::ACCOUNT;
use crate::node::Node;

/// How many small files the tree has.
const FILES: usize = 1_200;
/// Bytes of the one file that goes up in blocks, and not in a whole number of them.
const LARGE_BYTES: usize = 9_000_001;

/// `rclone`, set up with one remote, `lin:`, and a folder to copy from.
struct Rclone {
    folder: TempDir,
}

impl Rclone {
    /// Knows `node` by a signature in the address, which all versions of rclone take the same way.
    fn new(node: &Node) -> Self {
        let folder =
            tempfile::Builder::new().prefix("linarite-rclone-").tempdir().expect("a temporary folder");
        let signature = node.succeeds(&[
            "account",
            "sas",
            ACCOUNT,
            "--services",
            "b",
            "--types",
            "sco",
            "--permissions",
            "rwdlac",
            "--expires-in",
            "1h",
        ]);
        let remote =
            format!("[lin]\ntype = azureblob\nsas_url = http://{}?{signature}\n", node.endpoint("blob"));
        fs::write(folder.path().join("rclone.conf"), remote).expect("the folder can be written");
        Self { folder }
    }

    fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    /// Runs it in the folder, with `input`; it must succeed, and what it prints is given.
    #[track_caller]
    fn with_input(&self, arguments: &[&str], input: &[u8]) -> String {
        let mut command = Command::new("rclone");
        command.args(["--config", "rclone.conf", "--retries", "1", "--low-level-retries", "1"]);
        command.args(["--transfers", "8", "--azureblob-chunk-size", "4M"]).args(arguments);
        command.current_dir(self.folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("rclone is installed, as `./dev test` does it");
        // Who reads no input closes it.
        let _ = child.stdin.take().expect("its input was piped").write_all(input);
        let output = child.wait_with_output().expect("a child can be waited for");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "rclone {arguments:?}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        self.with_input(arguments, &[])
    }

    /// The names of all files, of the folder `tree` or of a remote one.
    #[track_caller]
    fn names(&self, place: &str) -> BTreeSet<String> {
        self.run(&["lsf", "--recursive", "--files-only", place]).lines().map(str::to_owned).collect()
    }

    /// Both places have the same files with the same content, as rclone finds by hash and by reading all of it.
    #[track_caller]
    fn assert_same(&self, here: &str, there: &str) {
        self.run(&["check", here, there]);
        self.run(&["check", "--download", here, there]);
        assert_eq!(self.names(here), self.names(there));
    }
}

/// A tree of folders whose files have names that have to be escaped in addresses and in XML, and sizes from nothing up.
fn grow(tree: &Path) {
    for number in 0..FILES {
        let folder = tree.join(format!("d{}/e{}", number % 17, number % 5));
        fs::create_dir_all(&folder).expect("a folder can be made");
        let name = match number % 10 {
            0 => format!("ü {number} + & % # ?.txt"),
            1 => format!("<{number}>'~.txt"),
            _ => format!("f{number}.bin"),
        };
        fs::write(folder.join(name), content(number)).expect("a file can be written");
    }
    let large: Vec<u8> = (0..LARGE_BYTES).map(|at| at.to_le_bytes()[at % 3]).collect();
    fs::write(tree.join("large.bin"), large).expect("a file can be written");
}

/// The content of a small file: nothing, or some thousand bytes.
fn content(number: usize) -> Vec<u8> {
    number.to_string().into_bytes().repeat(number % 7 * 200)
}

#[test]
#[ignore = "needs rclone"]
fn rclone_keeps_a_tree_and_its_copy_as_they_are_here() {
    let node = Node::start();
    let rclone = Rclone::new(&node);
    let tree = rclone.tree();
    grow(&tree);
    rclone.run(&["copy", "tree", "lin:tree"]);
    assert_eq!(rclone.names("lin:tree").len(), FILES + 1);
    rclone.assert_same("tree", "lin:tree");
    let blocks = node.logged("\"operation\":\"PutBlock\"");
    assert!(blocks > LARGE_BYTES >> 22, "the large file goes up in blocks: {blocks}");

    fs::remove_dir_all(tree.join("d3")).expect("the folder is there");
    fs::write(tree.join("d4/new"), "0123456789").expect("a file can be written");
    fs::write(tree.join("large.bin"), "small now").expect("a file can be written");
    rclone.run(&["sync", "tree", "lin:tree"]);
    rclone.assert_same("tree", "lin:tree");

    rclone.run(&["copy", "lin:tree", "lin:twin"]);
    rclone.assert_same("tree", "lin:twin");
    let copies = node.logged("\"operation\":\"CopyBlob\"");
    assert_eq!(copies, rclone.names("tree").len(), "copies are the server's work");
    // Nothing has changed since, so nothing goes up: times and hashes come back as they were given.
    let puts = node.logged("\"operation\":\"PutBlockList\"");
    rclone.run(&["sync", "tree", "lin:tree"]);
    assert_eq!(node.logged("\"operation\":\"PutBlockList\""), puts);
}

#[test]
#[ignore = "needs rclone"]
fn rclone_reads_parts_writes_streams_moves_and_changes_tiers() {
    let node = Node::start();
    let rclone = Rclone::new(&node);
    let large: Vec<u8> = vec![b'x'; LARGE_BYTES];
    rclone.with_input(&["rcat", "lin:box/a stream"], &large);
    rclone.with_input(&["rcat", "lin:box/dir/short"], b"0123456789");
    assert_eq!(rclone.run(&["cat", "--offset", "2", "--count", "3", "lin:box/dir/short"]), "234");
    assert_eq!(rclone.run(&["cat", "--offset", "8999999", "lin:box/a stream"]), "xx");
    assert!(rclone.run(&["size", "lin:box"]).contains("9000011 Byte"));
    assert!(
        rclone.run(&["hashsum", "md5", "lin:box/dir/short"]).starts_with("781e5e245d69b566979b86e28d23f2c7")
    );

    rclone.run(&["moveto", "lin:box/dir/short", "lin:other/moved"]);
    assert_eq!(rclone.names("lin:box"), BTreeSet::from(["a stream".to_owned()]));
    rclone.run(&["settier", "Cool", "lin:other/moved"]);
    assert!(rclone.run(&["lsjson", "lin:other"]).contains("\"Tier\":\"Cool\""));
    assert_eq!(rclone.run(&["lsf", "lin:"]), "box/\nother/\n");
    rclone.run(&["delete", "lin:box"]);
    rclone.run(&["rmdir", "lin:box"]);
    rclone.run(&["purge", "lin:other"]);
    assert_eq!(rclone.run(&["lsf", "lin:"]), "");
}
