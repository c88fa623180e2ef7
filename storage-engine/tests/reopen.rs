//! A large store on a real folder, opened again after its process was killed, and again after it was closed.
//!
//! The process that is killed is this test's own program, run once more with a folder to fill: within one
//! process the folder stays locked until the store is dropped, and dropping closes it. How long opening takes
//! is printed and not judged, for that depends on the machine.
#![expect(clippy::unwrap_used, reason = "tests, with functions beside them")]

use bytes::Bytes;
use futures_executor::block_on;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;
use storage_engine::Engine;
use storage_engine::blob::{
    BlobAddress, BlobEntry, Conditions, ListBlobs, NewBlob, NewContainer, Protection, Which,
};
use storage_engine::clock::{SystemClock, SystemEntropy};
use storage_engine::config::EngineConfig;
use storage_engine::meta::Durability;
use storage_engine::name::{AccountName, BlobName, ContainerName};

const BLOBS: usize = 200_000;
const THREADS: usize = 16;
/// Every so many blobs one has its content read.
const READ_EVERY: usize = 37;
const FOLDER: &str = "LINARITE_REOPEN_FOLDER";
const LOADED: &str = "all is loaded";

fn open(folder: &Path) -> Engine {
    let config = EngineConfig {
        disks: vec![folder.to_path_buf()],
        durability: Durability::Os,
        ..EngineConfig::default()
    };
    let begun = Instant::now();
    let engine = Engine::open(&config, Arc::new(SystemClock), Arc::new(SystemEntropy)).unwrap();
    println!("opened in {:?}", begun.elapsed());
    engine
}

fn account() -> AccountName {
    AccountName::parse("account").unwrap()
}

fn container() -> ContainerName {
    ContainerName::parse("container").unwrap()
}

fn name(number: usize) -> String {
    format!("folder {:02}/blob {number:06}", number / 5000)
}

fn at(number: usize) -> BlobAddress {
    BlobAddress { account: account(), container: container(), blob: BlobName::parse(&name(number)).unwrap() }
}

/// Small ones ride in the records; now and then one is in chunks.
fn body(number: usize) -> Bytes {
    let len = if number.is_multiple_of(1000) { 20_000 + number / 1000 } else { number % 300 };
    number.to_le_bytes().into_iter().cycle().take(len).collect()
}

fn load(engine: &Engine) {
    let blobs = engine.blobs();
    block_on(blobs.create_container(&account(), &container(), NewContainer::default())).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for number in (thread..BLOBS).step_by(THREADS) {
                    let mut upload = blobs.upload();
                    block_on(upload.write(body(number))).unwrap();
                    let content = block_on(upload.finish()).unwrap();
                    let (new, any) = (NewBlob::default(), Conditions::default());
                    block_on(blobs.put_block_blob(&at(number), new, content, any, Protection::default()))
                        .unwrap();
                }
            });
        }
    });
}

fn check(engine: &Engine) {
    let (mut number, mut after) = (0, None);
    loop {
        let list = ListBlobs { limit: 5000, after, ..ListBlobs::default() };
        let page = block_on(engine.blobs().list(&account(), &container(), list)).unwrap();
        for entry in page.entries {
            let BlobEntry::Blob(found, properties) = entry else { panic!("{entry:?} was never written") };
            assert_eq!(found.as_str(), name(number));
            assert_eq!(properties.length, u64::try_from(body(number).len()).unwrap());
            number += 1;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(number, BLOBS);
    for number in (0..BLOBS).step_by(READ_EVERY).chain((0..BLOBS).step_by(1000)) {
        let mut read =
            block_on(engine.blobs().read(&at(number), Which::Base, None, Conditions::default())).unwrap();
        let mut content = Vec::new();
        while let Some(piece) = block_on(read.reader.next()).unwrap() {
            content.extend_from_slice(&piece);
        }
        assert!(content == body(number), "{}", name(number));
    }
}

/// Runs the test below in another process, which fills `folder` and is killed when it has.
fn load_and_kill(folder: &Path) {
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_large_store_is_whole_after_a_kill_and_after_closing", "--nocapture"])
        .env(FOLDER, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(other.stdout.take().unwrap()).lines();
    let loaded = lines.map_while(Result::ok).any(|line| line.contains(LOADED));
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(loaded, "the other process has failed");
}

#[test]
fn a_large_store_is_whole_after_a_kill_and_after_closing() {
    if let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) {
        let engine = open(&folder);
        load(&engine);
        println!("{LOADED}");
        // Waits to be killed; ends as well if the one that would do it is gone.
        std::io::stdin().read_line(&mut String::new()).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    load_and_kill(folder.path());
    let engine = open(folder.path());
    check(&engine);
    engine.close().unwrap();
    drop(engine);
    let engine = open(folder.path());
    check(&engine);
}
