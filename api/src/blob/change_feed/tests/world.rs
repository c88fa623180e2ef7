//! An account with records in memory and chunks on disk, whose process can end and whose journal can be damaged.

use super::super::{ChangeFeed, Result};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use storage_engine::blob::{
    BlobAddress, BlobEntry, Cause, Conditions, Deed, NewBlob, NewContainer, Protection, Which,
};
use storage_engine::chunk::local::{ChunkOptions, LocalChunks};
use storage_engine::clock::{ManualClock, SeededEntropy, Timestamp};
use storage_engine::disk::local::LocalDisk;
use storage_engine::meta::memory::MemoryMeta;
use storage_engine::meta::{self, Family, Scope, Step};
use storage_engine::name::{AccountName, BlobName, ContainerName};
use storage_engine::page::memory::MemoryPages;
use storage_engine::settings::{BlobManagement, Service, ServiceSettings};
use storage_engine::{Engine, EngineError};

pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) meta: Arc<MemoryMeta>,
    chunks: Arc<LocalChunks>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) account: AccountName,
    _folder: tempfile::TempDir,
}

fn engine(meta: &Arc<MemoryMeta>, chunks: &Arc<LocalChunks>, clock: &Arc<ManualClock>) -> Engine {
    let (meta, chunks) = (Arc::<MemoryMeta>::clone(meta), Arc::<LocalChunks>::clone(chunks));
    let clock = Arc::<ManualClock>::clone(clock);
    Engine::on(meta, chunks, MemoryPages::new(), clock, Arc::new(SeededEntropy::new(1)))
}

impl World {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::default());
        let meta = MemoryMeta::new(Arc::clone(&clock) as _);
        let disk = Arc::new(LocalDisk::open(folder.path()).unwrap());
        let none = Arc::new(|_| Ok(Vec::new()));
        let chunks = LocalChunks::open(disk, &ChunkOptions::default(), none).unwrap();
        let engine = engine(&meta, &chunks, &clock);
        let account = AccountName::parse("acc").unwrap();
        let world = Self { engine, meta, chunks, clock, account, _folder: folder };
        world.create_container(&world.account);
        world
    }

    /// The world after the process ended and another began.
    pub(super) fn restarted(self) -> Self {
        let meta = self.meta.reopen(Box::new(|_| ())).unwrap();
        Self { engine: engine(&meta, &self.chunks, &self.clock), meta, ..self }
    }

    pub(super) fn create_container(&self, account: &AccountName) {
        let container = ContainerName::parse("con").unwrap();
        block_on(self.engine.blobs().create_container(account, &container, NewContainer::default())).unwrap();
    }

    pub(super) fn set(&self, management: BlobManagement) {
        let set = move |settings: &mut ServiceSettings| settings.blob.management = management;
        block_on(self.engine.settings().change(&self.account, Service::Blob, set)).unwrap();
    }

    pub(super) fn turn_on(&self, days: Option<u32>) {
        self.set(BlobManagement {
            change_feed: true,
            change_feed_retention: days,
            ..BlobManagement::default()
        });
    }

    pub(super) fn feed(&self) -> ChangeFeed {
        ChangeFeed::new(&self.engine, Arc::clone(&self.clock) as _)
    }

    pub(super) fn put(&self, name: &str) {
        self.put_for(&self.account, name).unwrap();
    }

    /// What a request does that found the feed turned on.
    pub(super) fn put_for(&self, account: &AccountName, name: &str) -> Result<()> {
        let cause = Cause::of_background(Deed::Put);
        let container = ContainerName::parse("con").unwrap();
        let at = BlobAddress { account: account.clone(), container, blob: BlobName::parse(name).unwrap() };
        let blobs = self.engine.blobs().on_behalf(cause);
        let staged = block_on(blobs.upload().finish()).unwrap();
        let (any, protection) = (Conditions::default(), Protection::default());
        block_on(blobs.put_block_blob(&at, NewBlob::default(), staged, any, protection)).map(drop)
    }

    /// The times of the entries that are in the journal of the account.
    pub(super) fn journal(&self) -> Vec<Timestamp> {
        let entries =
            block_on(self.engine.blobs().changes(&self.account, Timestamp::default(), usize::MAX)).unwrap();
        entries.iter().map(|entry| entry.at).collect()
    }

    /// Damages the newest entry of the journal.
    pub(super) fn damage(&self) {
        let mut newest = Vec::new();
        let visit = &mut |key: &[u8], _: &[u8]| {
            newest = key.to_vec();
            Ok(Step::Next)
        };
        self.meta.read_now(|view| view.scan(Family::Change, &[], None, visit)).unwrap();
        let verb = move |transaction: &mut dyn meta::Transaction| {
            transaction.put(Family::Change, &newest, b"\x01damaged");
            Ok(())
        };
        block_on(meta::commit(self.meta.as_ref(), Scope(Bytes::new()), None, verb)).unwrap();
    }

    pub(super) fn is_there(&self, name: &str) -> bool {
        let (container, blob) = (ContainerName::parse("con").unwrap(), BlobName::parse(name).unwrap());
        let at = BlobAddress { account: self.account.clone(), container, blob };
        block_on(self.engine.blobs().properties(&at, Which::Base, Conditions::default())).is_ok()
    }

    /// All blobs of the feed and their bytes; none if there is no feed.
    pub(super) fn files(&self) -> Option<BTreeMap<String, Vec<u8>>> {
        let driver = self.feed();
        let feed = driver.feed(&self.account).unwrap();
        let page = match block_on(feed.list("", None)) {
            Err(EngineError::ContainerNotFound) => return None,
            page => page.unwrap(),
        };
        let names = page.entries.into_iter().map(|entry| match entry {
            BlobEntry::Blob(name, _) => name.to_string(),
            other => panic!("{other:?}"),
        });
        Some(names.map(|name| (name.clone(), block_on(feed.read(&name)).unwrap())).collect())
    }

    /// The names of the blobs that the logs tell of, in the order of the feed.
    pub(super) fn told(&self) -> Vec<String> {
        let files = self.files().unwrap_or_default();
        let logs = files.iter().filter(|(name, _)| name.starts_with("log/"));
        let text: String = logs.map(|(_, bytes)| String::from_utf8_lossy(bytes)).collect();
        let named = text.split("/containers/con/blobs/").skip(1);
        named.map(|rest| rest.chars().take_while(char::is_ascii_lowercase).collect()).collect()
    }
}

pub(super) fn work(feed: &mut ChangeFeed) {
    while block_on(feed.once()).unwrap() > 0 {}
}

/// How often a text is in the logs.
pub(super) fn occurrences(files: &BTreeMap<String, Vec<u8>>, text: &str) -> usize {
    let logs = files.iter().filter(|(name, _)| name.starts_with("log/"));
    logs.map(|(_, bytes)| bytes.windows(text.len()).filter(|part| *part == text.as_bytes()).count()).sum()
}
