//! Records in `RocksDB`: the local engine of the metadata floor.
//!
//! - **Verbs** go to one committer thread, which runs them on what is committed and on each other's writes, and
//!   commits with one synced batch (see the `committer` module). It is the only writer, so it needs no snapshot.
//! - **Reads** take a snapshot and never wait for verbs. A [`Weight::Point`] read runs on the caller's thread
//!   with a read tier that never goes to disk; only if something it asks for is not in memory is it run again
//!   on a reader thread. Scans go to the reader threads at once.
//! - A reader thread that blocks on a disk therefore delays other cold reads, but no hot one and no verb.
//!
//! A verb that reads cold data does block the committer. What verbs read is what was just written or is about
//! to be overwritten, which is mostly in memory; to find out first by a dry run would double the work of all
//! verbs.

mod options;
mod readers;
mod states;
mod view;

pub use options::RocksOptions;

use super::chunk_index::{self, Freed};
use super::committer::{Committer, Ledger, Submitted, finish};
use super::inbox::Inbox;
use super::overlay::{Base, Writes};
use super::stamp::Stamps;
use super::{EngineError, Inquiry, MetaStore, Result, Scope, Verb, View, Weight};
use crate::chunk::ChunkRef;
use crate::clock::Clock;
use readers::Readers;
use rocksdb::{DB, ErrorKind, WriteBatch, WriteOptions};
use states::States;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use view::{RocksView, Tier};

/// What `RocksDB` reports when the file system is full; it has no error kind of its own.
const NO_SPACE: &str = "No space left on device";

/// Records in one `RocksDB`.
pub struct RocksMeta {
    database: Arc<Database>,
    inbox: Arc<Inbox<Submitted>>,
    readers: Readers,
    committer: Mutex<Option<JoinHandle<()>>>,
}

/// The `RocksDB` and how it is written.
struct Database {
    rocks: DB,
    states: States,
    write_options: WriteOptions,
    reserve_bytes: u64,
}

impl RocksMeta {
    /// Opens the records in `path`, a folder of their own, or creates them there.
    ///
    /// `freed` is called on the committer thread with chunks that no record names any more, after that is
    /// durable and before the verb is answered. It should only note them.
    ///
    /// # Errors
    /// [`EngineError::Disk`], [`EngineError::NoSpace`] or [`EngineError::Meta`] if the files cannot be opened,
    /// [`EngineError::Corrupt`] if they are damaged.
    pub fn open(
        path: &Path,
        options: RocksOptions,
        clock: Arc<dyn Clock>,
        freed: Freed,
    ) -> Result<Arc<Self>> {
        let rocks = DB::open_cf_descriptors(&RocksOptions::of_database(), path, options.of_families())
            .map_err(failed)?;
        let database = Arc::new(Database {
            rocks,
            states: States::default(),
            write_options: options.of_writes(),
            reserve_bytes: options.reserve_bytes,
        });
        let stamps = Stamps::open(clock, database.committed().as_ref())?;
        let inbox = Arc::new(Inbox::new());
        let committer = Committer {
            ledger: Arc::clone(&database),
            inbox: Arc::clone(&inbox),
            stamps,
            freed,
            poison: None,
        };
        let readers = Readers::start(&database)?;
        let thread = spawn("meta-committer", move || committer.work())?;
        Ok(Arc::new(Self { database, inbox, readers, committer: Mutex::new(Some(thread)) }))
    }

    /// Runs `read` on the newest committed state, here and now, also if that means going to disk. For opening
    /// and tests; others use [`super::read`].
    ///
    /// # Errors
    /// Those of `read`.
    pub fn read_now<T>(&self, read: impl FnOnce(&dyn View) -> Result<T>) -> Result<T> {
        read(&RocksView::snapshot(&self.database, Tier::Disk))
    }

    /// The highest segment of which a record names a chunk. See [`chunk_index`].
    ///
    /// # Errors
    /// If the index cannot be read or is damaged.
    pub fn highest_chunk_segment(&self) -> Result<Option<u64>> {
        self.read_now(chunk_index::highest_chunk_segment)
    }

    /// The chunks of `segment` that records name, by offset. See [`chunk_index`].
    ///
    /// # Errors
    /// If the index cannot be read or is damaged.
    pub fn named_chunks(&self, segment: u64) -> Result<Vec<ChunkRef>> {
        self.read_now(|view| chunk_index::named_chunks(view, segment))
    }

    /// Takes no more verbs and reads, finishes those that wait, and makes everything durable, whatever the
    /// [`super::Durability`]. Closing again does nothing.
    ///
    /// # Errors
    /// If the last sync fails.
    pub fn close(&self) -> Result<()> {
        self.inbox.close();
        let committer = self.committer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(committer) = committer else { return Ok(()) };
        join(committer);
        self.readers.close();
        self.database.rocks.flush_wal(true).map_err(failed)
    }
}

impl Drop for RocksMeta {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "closing the metadata failed");
        }
    }
}

impl fmt::Debug for RocksMeta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RocksMeta").field("path", &self.database.rocks.path()).finish_non_exhaustive()
    }
}

impl MetaStore for RocksMeta {
    fn submit(&self, scope: Scope, verb: Box<dyn Verb>) {
        if let Err(refused) = self.inbox.push(Submitted { scope, verb }) {
            finish(refused.verb, Err(EngineError::Closed));
        }
    }

    fn inquire(&self, weight: Weight, inquiry: Box<dyn Inquiry>) {
        match weight {
            Weight::Point => self.readers.run_here(inquiry),
            Weight::Scan => self.readers.queue(inquiry),
        }
    }
}

impl Ledger for Database {
    fn committed(&self) -> Box<dyn Base + '_> {
        Box::new(RocksView::newest(&self.rocks))
    }

    fn has_room(&self) -> bool {
        // What cannot be found out does not count as full: the write will tell.
        rustix::fs::statvfs(self.rocks.path())
            .map_or(true, |space| space.f_bavail.saturating_mul(space.f_frsize) >= self.reserve_bytes)
    }

    fn write(&self, writes: &Writes) -> Result<()> {
        let mut batch = WriteBatch::default();
        for (family, key, value) in writes.iter() {
            let family = view::handle(&self.rocks, family)?;
            match value {
                Some(value) => batch.put_cf(family, key, value),
                None => batch.delete_cf(family, key),
            }
        }
        self.states.around(writes, || self.rocks.write_opt(batch, &self.write_options).map_err(failed))
    }
}

/// What an error of `RocksDB` means to the engine.
fn failed(error: rocksdb::Error) -> EngineError {
    match error.kind() {
        _ if error.as_ref().contains(NO_SPACE) => EngineError::NoSpace,
        ErrorKind::Corruption => EngineError::corrupt(format!("metadata: {error}")),
        ErrorKind::IOError => EngineError::Disk(Arc::new(io::Error::other(error))),
        _ => EngineError::Meta(Arc::new(error)),
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| EngineError::Meta(Arc::new(error)))
}

/// Waits for a thread of the store, unless it is this one: the last handle to a store may be dropped by an
/// answer that one of its threads gives.
fn join(thread: JoinHandle<()>) {
    if thread.thread().id() != thread::current().id() && thread.join().is_err() {
        tracing::error!("a thread of the metadata store panicked");
    }
}

#[cfg(test)]
mod tests;
