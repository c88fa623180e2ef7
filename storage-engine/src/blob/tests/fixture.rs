//! What the tests of blobs stand on: records and chunks in memory, and the check that nothing leaks.

use crate::blob::record::BlockRecord;
use crate::blob::state::content::{self, Piece};
use crate::blob::{
    BlobAddress, BlobRead, BlobStore, Conditions, NewBlob, NewContainer, Protection, Stamp, Which,
};
use crate::chunk::{ChunkRef, ChunkStore, Content, Pin, Staged, StoreFuture};
use crate::clock::{ManualClock, SeededEntropy};
use crate::error::{EngineError, Result};
use crate::meta::key::KeyReader;
use crate::meta::memory::MemoryMeta;
use crate::meta::{Family, Step, View};
use crate::name::{AccountName, BlobName, BlockId, ContainerName};
use crate::page::memory::MemoryPages;
use crate::sweep::sweep_once;
use bytes::Bytes;
use futures_executor::block_on;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

/// Chunks in memory. Giving one back twice, or one that is not there, fails the test.
#[derive(Debug, Default, Clone)]
pub(crate) struct MemoryChunks(Arc<Mutex<Chunks>>);

#[derive(Debug, Default)]
struct Chunks {
    alive: BTreeMap<ChunkRef, Bytes>,
    /// Given back, and held by pins.
    held: BTreeMap<ChunkRef, Bytes>,
    pins: usize,
    next: u64,
}

impl MemoryChunks {
    fn state(&self) -> MutexGuard<'_, Chunks> {
        self.0.lock().unwrap()
    }

    fn add(&self, bytes: Bytes) -> ChunkRef {
        let mut state = self.state();
        state.next += 1;
        let chunk = ChunkRef { segment: 1, offset: state.next, len: u32::try_from(bytes.len()).unwrap() };
        state.alive.insert(chunk, bytes);
        chunk
    }

    /// The chunks that have not been given back.
    pub(crate) fn alive(&self) -> BTreeSet<ChunkRef> {
        self.state().alive.keys().copied().collect()
    }
}

impl ChunkStore for MemoryChunks {
    fn append(&self, parts: Vec<Bytes>, _sums: Vec<u64>) -> StoreFuture<ChunkRef> {
        let chunk = self.add(parts.concat().into());
        Box::pin(async move { Ok(chunk) })
    }

    fn sync(&self) -> StoreFuture<()> {
        Box::pin(async { Ok(()) })
    }

    fn read(&self, chunk: ChunkRef, from: u32, len: u32) -> StoreFuture<Bytes> {
        let state = self.state();
        let bytes = state.alive.get(&chunk).or_else(|| state.held.get(&chunk)).cloned();
        let (from, end) = (usize::try_from(from).unwrap(), usize::try_from(from + len).unwrap());
        Box::pin(async move {
            Ok(bytes.ok_or_else(|| EngineError::corrupt("a chunk that was given back"))?.slice(from..end))
        })
    }

    fn release(&self, chunks: &[ChunkRef]) {
        let mut state = self.state();
        for chunk in chunks {
            let bytes = state.alive.remove(chunk).expect("a chunk is given back once");
            if state.pins > 0 {
                state.held.insert(*chunk, bytes);
            }
        }
    }

    fn pin(&self) -> Pin {
        self.state().pins += 1;
        let chunks = self.clone();
        Pin::new(move || {
            let mut state = chunks.state();
            state.pins -= 1;
            if state.pins == 0 {
                state.held.clear();
            }
        })
    }
}

/// A store with one account and one container.
#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) meta: Arc<MemoryMeta>,
    pub(crate) chunks: MemoryChunks,
    pub(crate) pages: Arc<MemoryPages>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) blobs: BlobStore,
    pub(crate) account: AccountName,
    pub(crate) container: ContainerName,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let chunks = MemoryChunks::default();
        let releasing = chunks.clone();
        let meta =
            MemoryMeta::with_freed(Arc::clone(&clock) as _, Box::new(move |freed| releasing.release(freed)));
        let blobs = BlobStore::new(Arc::clone(&meta) as _, Arc::new(chunks.clone()), Arc::clone(&clock) as _);
        let pages = MemoryPages::new();
        let blobs = blobs.with_pages(Arc::clone(&pages) as _, Arc::new(SeededEntropy::new(1)));
        let fixture = Self { meta, chunks, pages, clock, blobs, account: account(), container: container() };
        fixture.create_container();
        fixture
    }

    pub(crate) fn create_container(&self) {
        let created = self.blobs.create_container(&self.account, &self.container, NewContainer::default());
        block_on(created).unwrap();
    }

    pub(crate) fn delete_container(&self) {
        let deleted =
            self.blobs.delete_container(&self.account, &self.container, Conditions::default(), None);
        block_on(deleted).unwrap();
    }

    pub(crate) fn at(&self, name: &str) -> BlobAddress {
        BlobAddress {
            account: self.account.clone(),
            container: self.container.clone(),
            blob: BlobName::parse(name).unwrap(),
        }
    }

    /// An upload of `bytes` in chunks of `chunk_bytes`.
    pub(crate) fn chunked(&self, bytes: &[u8], chunk_bytes: usize) -> Staged {
        let chunks = bytes.chunks(chunk_bytes).map(|part| self.chunks.add(Bytes::copy_from_slice(part)));
        self.upload_of(Content::Chunks(chunks.collect()), bytes)
    }

    /// An upload of `bytes` that goes into a record.
    pub(crate) fn inline(&self, bytes: &[u8]) -> Staged {
        self.upload_of(Content::Inline(Bytes::copy_from_slice(bytes)), bytes)
    }

    fn upload_of(&self, content: Content, bytes: &[u8]) -> Staged {
        Staged::new(content, u64::try_from(bytes.len()).unwrap(), 0, Arc::new(self.chunks.clone()))
    }

    pub(crate) fn put(&self, name: &str, content: Staged) -> Result<Stamp> {
        let at = self.at(name);
        block_on(self.blobs.put_block_blob(
            &at,
            NewBlob::default(),
            content,
            Conditions::default(),
            Protection::default(),
        ))
    }

    pub(crate) fn stage(&self, name: &str, id: &str, bytes: &[u8]) -> Result<()> {
        block_on(self.blobs.stage_block(&self.at(name), block_id(id), self.chunked(bytes, 3), None))
    }

    pub(crate) fn open(&self, name: &str, range: Option<crate::blob::ByteRange>) -> Result<BlobRead> {
        block_on(self.blobs.read(&self.at(name), Which::Base, range, Conditions::default()))
    }

    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>> {
        read_all(self.open(name, None)?)
    }

    pub(crate) fn sweep(&self) {
        while sweep_once(self.meta.as_ref(), 2).unwrap() > 0 {}
    }

    /// How many records a family has.
    pub(crate) fn records(&self, family: Family) -> usize {
        self.meta.read_now(|view| Ok(keys(view, family)?.len())).unwrap()
    }

    /// Checks that the chunks that records name, the chunks that the index holds, and the chunks that are not
    /// given back are the same.
    pub(crate) fn check_chunks(&self) {
        let (named, indexed) =
            self.meta.read_now(|view| Ok((named_chunks(view)?, indexed_chunks(view)?))).unwrap();
        assert_eq!(named, indexed, "records and index name the same chunks");
        assert_eq!(named, self.chunks.alive(), "the chunks that are named are those that are held");
    }
}

pub(crate) fn account() -> AccountName {
    AccountName::parse("account").unwrap()
}

pub(crate) fn container() -> ContainerName {
    ContainerName::parse("container").unwrap()
}

pub(crate) fn block_id(id: &str) -> BlockId {
    BlockId::new(id.as_bytes()).unwrap()
}

pub(crate) fn read_all(mut read: BlobRead) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(part) = block_on(read.reader.next())? {
        bytes.extend_from_slice(&part);
    }
    assert_eq!(u64::try_from(bytes.len()).unwrap(), read.length);
    Ok(bytes)
}

fn keys(view: &dyn View, family: Family) -> Result<Vec<Vec<u8>>> {
    let mut keys = Vec::new();
    view.scan(family, &[], None, &mut |key, _| {
        keys.push(key.to_vec());
        Ok(Step::Next)
    })?;
    Ok(keys)
}

fn named_chunks(view: &dyn View) -> Result<BTreeSet<ChunkRef>> {
    let mut named: BTreeSet<_> = content::all_pieces(view)?.iter().filter_map(Piece::chunk).collect();
    view.scan(Family::Staged, &[], None, &mut |_, value| {
        named.extend(BlockRecord::decode(value)?.chunks);
        Ok(Step::Next)
    })?;
    Ok(named)
}

fn indexed_chunks(view: &dyn View) -> Result<BTreeSet<ChunkRef>> {
    let mut segments = BTreeSet::new();
    for key in keys(view, Family::Chunk)? {
        segments.insert(KeyReader::new(&key).u64()?);
    }
    let mut indexed = BTreeSet::new();
    for segment in segments {
        indexed.extend(crate::meta::chunk_index::named_chunks(view, segment)?);
    }
    Ok(indexed)
}
