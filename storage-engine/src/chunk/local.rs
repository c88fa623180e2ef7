//! The chunk floor on one disk.
//!
//! # Threads
//! ```text
//! append ──► writer ── pwritev ──► open segment          assigns places; never waits for the device
//! sync ────► syncer ── one fdatasync for all who wait    the next batch gathers meanwhile
//! read ────► the caller itself, from the page cache; else one of a few readers
//! release ─► reclaimer ── punch, seal, remove            once no pin holds it
//! ```
//! They end with the store, which waits for them, so the disk's folder is free again when it is gone.
//!
//! # Promises and where they are kept
//! - **Never a wrong byte**: everything read is checked against its sums ([`super::format`]).
//! - **Durable means durable**: a sync covers the files' bytes and the names of new files; after any failure
//!   of a write or a sync nothing is written any more (`health`).
//! - **Nothing leaks**: a chunk that is appended belongs to its upload, until a record names it or it is given
//!   back; a segment counts as unfinished on disk (`files`) as long as one of its chunks is in between, and is
//!   then mended by the next opening (`recover`). Chunks that were named and died in the last moment before a
//!   crash are found by [`LocalChunks::sweep`], or when the next chunk of their segment dies.
//! - **Space comes back** within moments, and only when nobody can still read it (`ledger`, `reclaim`).

use super::{ChunkRef, ChunkStore, Pin, StoreFuture, format};
use crate::disk::Disk;
use crate::error::{EngineError, Result};
use crate::meta::Durability;
use bytes::Bytes;
use futures_channel::oneshot;
use std::fmt;
use std::future::ready;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{Builder, JoinHandle};

mod extents;
mod files;
mod health;
mod ledger;
pub(crate) mod pool;
mod reading;
mod reclaim;
mod recover;
mod syncer;
#[cfg(test)]
mod tests;
mod writer;

use files::SegmentFiles;
use health::Health;
use ledger::{Freed, Ledger};
use pool::Pool;
use syncer::{Unsynced, Waiter};
use writer::Append;

/// Says which chunks of a segment records name now. Asked while opening, and later from the store's own thread.
pub type NamedChunks = Arc<dyn Fn(u64) -> Result<Vec<ChunkRef>> + Send + Sync>;

/// What a store of chunks is told at its opening.
#[derive(Debug, Clone)]
pub struct ChunkOptions {
    /// Bytes after which a segment is full.
    pub segment_bytes: u64,
    /// What [`ChunkStore::sync`] waits for.
    pub durability: Durability,
    /// Threads that read what is not in memory.
    pub readers: usize,
    /// Bytes of the device that chunks leave free, so that records can still be written.
    pub reserve_bytes: u64,
    /// The first id that a new segment may have, if the metadata knows of any that must not come again.
    pub next_segment_at_least: u64,
}

impl Default for ChunkOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 256 << 20,
            durability: Durability::Sync,
            readers: 4,
            reserve_bytes: 64 << 20,
            next_segment_at_least: 1,
        }
    }
}

/// What the threads share.
#[derive(Debug)]
struct Shared {
    files: SegmentFiles,
    ledger: Arc<Ledger>,
    health: Health,
    unsynced: Unsynced,
    durability: Durability,
    segment_bytes: u64,
    reserve_bytes: u64,
}

/// Chunks on one disk.
pub struct LocalChunks {
    shared: Arc<Shared>,
    pool: Arc<Pool>,
    /// Taken when the store closes, which ends the threads behind them.
    doors: Option<Doors>,
    threads: Vec<JoinHandle<()>>,
}

/// The ways in to the writing and the syncing thread.
struct Doors {
    appends: Sender<Append>,
    syncs: Sender<Waiter>,
}

impl fmt::Debug for LocalChunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalChunks").field("disk", &self.shared.files.disk().root()).finish_non_exhaustive()
    }
}

impl LocalChunks {
    /// Opens the chunks of a disk and finishes what an earlier process left unfinished.
    pub fn open(disk: Arc<dyn Disk>, options: &ChunkOptions, named: NamedChunks) -> Result<Arc<Self>> {
        disk.create_dir(files::folder())?;
        let files = SegmentFiles::new(disk);
        let ledger = Arc::new(Ledger::default());
        let newest = recover::recover(&files, &ledger, &named)?;
        let next_segment = newest.saturating_add(1).max(options.next_segment_at_least);
        let shared = Arc::new(Shared {
            files,
            ledger,
            health: Health::default(),
            unsynced: Unsynced::default(),
            durability: options.durability,
            segment_bytes: options.segment_bytes,
            reserve_bytes: options.reserve_bytes,
        });
        Ok(Arc::new(Self::start(shared, options, next_segment, named)?))
    }

    /// Starts the threads. Should one not start, dropping the store ends the others.
    fn start(
        shared: Arc<Shared>,
        options: &ChunkOptions,
        next_segment: u64,
        named: NamedChunks,
    ) -> io::Result<Self> {
        let (appends, appends_in) = channel();
        let (syncs, syncs_in) = channel();
        let (pool, threads) = Pool::start("chunk-reader", options.readers)?;
        let doors = Some(Doors { appends, syncs });
        let mut store = Self { shared, pool, doors, threads };
        let shared = Arc::clone(&store.shared);
        store.spawn("chunk-writer", move || writer::run(shared, &appends_in, next_segment))?;
        let shared = Arc::clone(&store.shared);
        store.spawn("chunk-syncer", move || syncer::run(&shared, &syncs_in))?;
        let shared = Arc::clone(&store.shared);
        store.spawn("chunk-reclaimer", move || reclaim::run(&shared, &named))?;
        Ok(store)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.push(Builder::new().name(name.into()).spawn(work)?);
        Ok(())
    }

    /// Whether the disk still takes writes.
    ///
    /// # Errors
    /// What it failed with.
    pub fn check(&self) -> Result<()> {
        self.shared.health.check()
    }

    /// Waits until the space of everything is back that was given back and that no pin holds.
    pub fn wait_for_reclaim(&self) {
        self.shared.ledger.wait_idle();
    }

    /// Looks, in the background, for dead chunks in the segments of earlier processes. Worth it after a crash.
    pub fn sweep(&self) {
        self.shared.ledger.audit_unknown();
    }

    fn begin_append(&self, parts: Vec<Bytes>, sums: Vec<u64>) -> Result<Answer<writer::Unclaimed>> {
        let doors = self.doors.as_ref().ok_or(EngineError::Closed)?;
        let len: usize = parts.iter().map(Bytes::len).sum();
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        // A trial head, so that the writer meets only what can be written.
        let trial = ChunkRef { segment: 0, offset: 0, len };
        if format::encode_head(trial, &sums).is_none() {
            let sums = sums.len();
            return Err(EngineError::corrupt(format!("a chunk cannot have {len} bytes and {sums} sums")));
        }
        let (answer, answered) = oneshot::channel();
        doors.appends.send(Append { parts, len, sums, answer }).map_err(|_| EngineError::Closed)?;
        Ok(answered)
    }

    fn begin_sync(&self) -> Result<Answer<()>> {
        let doors = self.doors.as_ref().ok_or(EngineError::Closed)?;
        let (answer, answered) = oneshot::channel();
        doors.syncs.send(answer).map_err(|_| EngineError::Closed)?;
        Ok(answered)
    }
}

type Answer<T> = oneshot::Receiver<Result<T>>;

async fn answer<T>(begun: Result<Answer<T>>) -> Result<T> {
    begun?.await.unwrap_or(Err(EngineError::Closed))
}

impl ChunkStore for LocalChunks {
    fn append(&self, parts: Vec<Bytes>, sums: Vec<u64>) -> StoreFuture<ChunkRef> {
        let begun = self.begin_append(parts, sums);
        Box::pin(async move { answer(begun).await?.claim() })
    }

    fn sync(&self) -> StoreFuture<()> {
        match self.shared.durability {
            Durability::Os => Box::pin(ready(self.shared.health.check())),
            Durability::Sync => Box::pin(answer(self.begin_sync())),
        }
    }

    fn read(&self, chunk: ChunkRef, from: u32, len: u32) -> StoreFuture<Bytes> {
        if let Some(bytes) = reading::read_held(&self.shared.files, chunk, from, len) {
            return Box::pin(ready(Ok(bytes)));
        }
        let (sender, answered) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        self.pool.submit(Box::new(move || {
            if !sender.is_canceled() {
                // Who has gone away meanwhile has no use for the bytes.
                let _ = sender.send(reading::read(&shared.files, chunk, from, len));
            }
        }));
        Box::pin(answer(Ok(answered)))
    }

    fn release(&self, chunks: &[ChunkRef]) {
        if !chunks.is_empty() {
            self.shared.ledger.free(Freed::Named(chunks.to_vec()));
        }
    }

    fn discard(&self, chunks: &[ChunkRef]) {
        if !chunks.is_empty() {
            self.shared.ledger.free(Freed::Staged(chunks.to_vec()));
        }
    }

    fn settle(&self, chunks: &[ChunkRef]) {
        self.shared.ledger.settle(chunks);
    }

    fn pin(&self) -> Pin {
        self.shared.ledger.pin()
    }
}

impl Drop for LocalChunks {
    fn drop(&mut self) {
        self.doors = None;
        self.pool.close();
        let current = std::thread::current().id();
        let (reclaimer, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.threads)
            .into_iter()
            .filter(|thread| thread.thread().id() != current)
            .partition(|thread| thread.thread().name() == Some("chunk-reclaimer"));
        // The reclaimer last: the others may still give chunks back.
        for thread in others {
            let _ = thread.join();
        }
        self.shared.ledger.close();
        for thread in reclaimer {
            let _ = thread.join();
        }
    }
}
