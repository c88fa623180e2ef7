//! What is deleted gives its space back: a store on a real folder is filled with blobs of every kind and emptied again,
//! and in time the folder is as small as it was.
//!
//! What is measured are blocks that the file system has given out, because segments and volumes are files with holes.
//!
//! The log of records is looked at by itself. While the store is open it is as long as what was written lately, up to a
//! bound that has nothing to do with what the store holds, and its files are kept to be overwritten; when the store is
//! opened again that goes too. So everything else is measured as it runs, and all of it after opening it again. This is
//! done twice, because nothing may grow with how often it is done. The background is waited for, and how long it takes
//! is not judged.
#![expect(clippy::unwrap_used, reason = "tests, with functions beside them")]

use bytes::Bytes;
use futures_executor::block_on;
use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use storage_engine::Engine;
use storage_engine::blob::{
    AppendConditions, BlobAddress, BlobEntry, BlockChoice, Conditions, DeleteSnapshots, Include, ListBlobs,
    NewBlob, NewContainer, Protection, SequenceConditions, Which,
};
use storage_engine::chunk::Staged;
use storage_engine::clock::{SystemClock, SystemEntropy};
use storage_engine::config::EngineConfig;
use storage_engine::name::{AccountName, BlobName, BlockId, ContainerName};

const MIB: usize = 1 << 20;
/// What an emptied store may take more than an empty one.
const LEFT_BYTES_MAX: u64 = 4 << 20;
/// What the filled one must take at least, or the test would show nothing.
const FILLED_BYTES_MIN: u64 = 40 << 20;
/// When the test gives up.
const PATIENCE: Duration = Duration::from_mins(2);

struct Store {
    engine: Engine,
    account: AccountName,
    container: ContainerName,
}

impl Store {
    fn open(folder: &Path) -> Self {
        let config = EngineConfig {
            disks: vec![folder.to_path_buf()],
            segment_bytes: 8 << 20,
            ..EngineConfig::default()
        };
        let engine = Engine::open(&config, Arc::new(SystemClock), Arc::new(SystemEntropy)).unwrap();
        let account = AccountName::parse("account").unwrap();
        let container = ContainerName::parse("container").unwrap();
        Self { engine, account, container }
    }

    fn at(&self, name: &str) -> BlobAddress {
        let blob = BlobName::parse(name).unwrap();
        BlobAddress { account: self.account.clone(), container: self.container.clone(), blob }
    }

    fn upload(&self, bytes: usize, seed: usize, in_chunks: bool) -> Staged {
        let mut upload = self.engine.blobs().upload();
        block_on(upload.write(noise(bytes, seed))).unwrap();
        let finished =
            async { if in_chunks { upload.finish_in_chunks().await } else { upload.finish().await } };
        block_on(finished).unwrap()
    }

    fn put(&self, name: &str, bytes: usize, seed: usize, protection: Protection) {
        let content = self.upload(bytes, seed, false);
        let (at, new, any) = (self.at(name), NewBlob::default(), Conditions::default());
        let put = self.engine.blobs().put_block_blob(&at, new, content, any, protection);
        block_on(put).unwrap();
    }

    /// Blobs of every kind, with snapshots and former versions.
    fn fill(&self) {
        let blobs = self.engine.blobs();
        let created = blobs.create_container(&self.account, &self.container, NewContainer::default());
        block_on(created).unwrap();
        let kept = Protection { versioning: true, ..Protection::default() };
        for number in 0..2000 {
            self.put(&format!("small {number}"), 600, number, Protection::default());
        }
        for number in 0..6 {
            let name = format!("large {number}");
            self.put(&name, 2 * MIB + 77, number, Protection::default());
            self.put(&name, 2 * MIB, 100 + number, kept);
            let (any, none) = (Conditions::default(), None);
            block_on(blobs.snapshot(&self.at(&name), none, any, Protection::default())).unwrap();
        }
        self.fill_blocks();
        self.fill_appended();
        self.fill_pages();
    }

    fn fill_blocks(&self) {
        let blobs = self.engine.blobs();
        let at = self.at("in blocks");
        let ids: Vec<_> =
            (0..8).map(|number| BlockId::new(format!("{number}").as_bytes()).unwrap()).collect();
        for (number, id) in ids.iter().enumerate() {
            block_on(blobs.stage_block(&at, id.clone(), self.upload(MIB, number, true), None)).unwrap();
        }
        let choices = ids.into_iter().take(4).map(BlockChoice::Latest).collect();
        let (new, any) = (NewBlob::default(), Conditions::default());
        block_on(blobs.commit_block_list(&at, choices, new, any, Protection::default())).unwrap();
        let never = self.at("never committed");
        let id = BlockId::new(b"1").unwrap();
        block_on(blobs.stage_block(&never, id, self.upload(2 * MIB, 9, true), None)).unwrap();
    }

    fn fill_appended(&self) {
        let (blobs, at) = (self.engine.blobs(), self.at("appended"));
        let (new, any) = (NewBlob::default(), Conditions::default());
        block_on(blobs.create_append_blob(&at, new, any.clone(), Protection::default())).unwrap();
        for number in 0..4 {
            let content = self.upload(MIB, number, true);
            block_on(blobs.append_block(&at, content, AppendConditions::default(), any.clone())).unwrap();
        }
    }

    fn fill_pages(&self) {
        let (blobs, at) = (self.engine.blobs(), self.at("pages"));
        let (new, any) = (NewBlob::default(), Conditions::default());
        let size = (64 << 20, 0);
        block_on(blobs.create_page_blob(&at, new, size, any.clone(), Protection::default())).unwrap();
        let write = |offset: u64, seed: usize| {
            let parts = vec![noise(4 * MIB, seed)];
            let sequence = SequenceConditions::default();
            block_on(blobs.write_pages(&at, offset, parts, sequence, any.clone())).unwrap();
        };
        write(0, 1);
        write(32 << 20, 2);
        block_on(blobs.snapshot(&at, None, any.clone(), Protection::default())).unwrap();
        write(0, 3);
    }

    /// Deletes one blob after the other, or the container that has them.
    fn empty(&self, with_container: bool) {
        let blobs = self.engine.blobs();
        if with_container {
            let gone = blobs.delete_container(&self.account, &self.container, Conditions::default(), None);
            return block_on(gone).unwrap();
        }
        let include = Include { versions: true, uncommitted: true, ..Include::default() };
        loop {
            let list = ListBlobs { limit: 500, include, ..ListBlobs::default() };
            let page = block_on(blobs.list(&self.account, &self.container, list)).unwrap();
            if page.entries.is_empty() {
                break;
            }
            for entry in page.entries {
                self.delete(entry);
            }
        }
        self.empty(true);
    }

    fn delete(&self, entry: BlobEntry) {
        let blobs = self.engine.blobs();
        let (any, bare) = (Conditions::default(), Protection::default());
        match entry {
            BlobEntry::Blob(name, properties) if properties.current => {
                let at = self.at(name.as_str());
                block_on(blobs.delete(&at, DeleteSnapshots::Include, any, bare)).unwrap();
            }
            BlobEntry::Blob(name, properties) => {
                let which = Which::Version(properties.version.unwrap());
                let at = self.at(name.as_str());
                let past = blobs.delete_past(&at, which, false, any, bare);
                block_on(past).unwrap();
            }
            // A blob in its place takes the blocks with it.
            BlobEntry::Uncommitted(name) => self.put(name.as_str(), 0, 0, bare),
            other => panic!("{other:?} was not asked for"),
        }
    }
}

/// Bytes that no compression makes smaller.
fn noise(bytes: usize, seed: usize) -> Bytes {
    let mut state = u64::try_from(seed).unwrap().wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).flatten().take(bytes).collect::<Vec<u8>>().into()
}

/// Bytes that the file system has given out for the folder, and for what; `logs`: also for the log of records, up to
/// its end. Behind that `RocksDB` has room for tens of megabytes given out with the first write, and gives it back with
/// the log.
fn taken(folder: &Path, logs: bool, report: &mut String) -> u64 {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // A file may go between the two looks.
        let Ok(metadata) = std::fs::metadata(&path) else { continue };
        if metadata.is_dir() {
            sum += taken(&path, logs, report);
            continue;
        }
        let is_log = path.extension().is_some_and(|extension| extension == "log");
        if is_log && !logs {
            continue;
        }
        let given_out = metadata.blocks() * 512;
        let bytes = if is_log { given_out.min(metadata.len()) } else { given_out };
        let _ = writeln!(report, "{bytes:>12} {}", path.display());
        sum += bytes;
    }
    sum
}

#[track_caller]
fn wait_until_at_most(folder: &Path, bytes_max: u64, logs: bool) {
    let begun = Instant::now();
    loop {
        let mut report = String::new();
        let bytes = taken(folder, logs, &mut report);
        if bytes <= bytes_max {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{bytes} bytes and not {bytes_max} at most:\n{report}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_store_that_is_emptied_takes_no_more_space_than_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let bytes_of = |logs| taken(folder.path(), logs, &mut String::new());
    let mut store = Store::open(folder.path());
    let (empty, empty_with_logs) = (bytes_of(false), bytes_of(true));
    for with_container in [false, true] {
        store.fill();
        let filled = bytes_of(false);
        assert!(filled >= empty + FILLED_BYTES_MIN, "{filled} bytes are not much more than {empty}");
        store.empty(with_container);
        wait_until_at_most(folder.path(), empty + LEFT_BYTES_MAX, false);
        store.engine.close().unwrap();
        drop(store);
        store = Store::open(folder.path());
        wait_until_at_most(folder.path(), empty_with_logs + LEFT_BYTES_MAX, true);
    }
}
