//! The page floor on one disk: sparse files that are overwritten in place, and records that say what they mean.
//!
//! ```text
//! write ──► in place: one pwrite ─────────────────────────────► sums in memory
//!       └─► new place, copy of a shared unit: pwrite ─────────► map in memory
//! flush ──► maps captured ─► one fdatasync a file ─► one commit of the maps that changed, if any did
//! ```
//!
//! # What a write costs
//! In steady state, that is, where an area is marked and the pages were written since the last snapshot: one `pwrite`,
//! and a flush one `fdatasync` that all who wait share. No record is written. The first write to an area sets its mark
//! (one commit), and what changes maps, valid pages and places, is committed with the next flush.
//!
//! # Promises and where they are kept
//! - **What a crash shows**: records name pages only once their bytes are synced ([`flush`]); a durable write of
//!   several pages never touches what a crash could show ([`write`](self::write)); what was cut off is cleared before
//!   the end moves over it again ([`change`]).
//! - **Snapshots never change**: slots carry the epoch they were born in, and one that a snapshot shares is not
//!   written ([`map`]). A snapshot is one commit.
//! - **Never a wrong byte**: every page read is checked ([`reading`]). After a crash, sums are taken anew only in
//!   areas that were marked ([`area`]).
//! - **Space comes back**: a slot that no map names is punched ([`volume`]), also after a crash ([`open`]).
//! - **A failed sync is final** ([`ground`]).
//!
//! # Threads
//! What may wait for the device or for a commit is done by a few threads of the store's own. Steady-state writes of at
//! most a unit, and reads of what is in memory, are done by the caller itself, as a switch of threads would cost more
//! than they do.

use super::{Durable, Epoch, Inspection, Moment, PageRange, PageStore, Runs, VolumeId, check_size};
use crate::chunk::StoreFuture;
use crate::chunk::local::pool::Pool;
use crate::disk::Disk;
use crate::error::{EngineError, Result};
use crate::meta::{Durability, MetaStore};
use bytes::Bytes;
use futures_channel::oneshot;
use std::fmt;
use std::future::ready;
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

mod area;
mod bits;
mod change;
mod files;
mod flush;
mod ground;
mod map;
mod open;
mod place;
mod reading;
mod record;
mod shared;
mod spares;
mod survey;
#[cfg(test)]
mod tests;
mod volume;
mod write;

use ground::Ground;
use shared::Shared;
use volume::{Volume, lock};

/// What a store of pages is told at its opening.
#[derive(Debug, Clone)]
pub struct PageOptions {
    /// What a flush waits for.
    pub durability: Durability,
    /// Threads that wait for the device.
    pub threads: usize,
    /// Bytes of the device that pages leave free, so that records can still be written.
    pub reserve_bytes: u64,
    /// Areas of a volume that may be marked at a time: what is read again after a crash, at most.
    pub marks_max: usize,
    /// Areas of a volume that are kept in memory without need; a power of two.
    pub areas_max: usize,
}

impl Default for PageOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Sync,
            threads: 8,
            reserve_bytes: 64 << 20,
            marks_max: 1024,
            areas_max: 1024,
        }
    }
}

/// Volumes on one disk.
pub struct LocalPages {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl fmt::Debug for LocalPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalPages").field("disk", &self.shared.ground.disk.root()).finish_non_exhaustive()
    }
}

impl LocalPages {
    /// Opens the volumes of a disk, and goes on in the background with what an earlier process has left to tidy up.
    ///
    /// # Errors
    /// [`EngineError::Disk`], [`EngineError::Meta`], or [`EngineError::Corrupt`] if a volume's head is damaged.
    pub fn open(meta: Arc<dyn MetaStore>, disk: Arc<dyn Disk>, options: &PageOptions) -> Result<Arc<Self>> {
        disk.create_dir(files::folder())?;
        let ground = Arc::new(Ground::new(meta, disk, options));
        let heads = open::heads(&ground)?;
        let (pool, threads) = Pool::start("pages", options.threads)?;
        let shared = Arc::new(Shared::new(ground, pool));
        for (id, head) in heads {
            if head.deleted {
                let volume = Arc::new(Volume::deleted(&shared.ground, id, head));
                lock(&shared.volumes).insert(id, Arc::clone(&volume));
                shared.remove_later(volume);
            } else if head.ragged || head.littered {
                shared.run(move |shared| shared.volume(id).map(drop));
            }
        }
        Ok(Arc::new(Self { shared, threads: Mutex::new(threads) }))
    }

    /// Whether the store still takes writes.
    ///
    /// # Errors
    /// What it failed with.
    pub fn check(&self) -> Result<()> {
        self.shared.ground.check()
    }

    /// Finishes what was called for, makes it durable, and persists sums, so that the next opening has nothing to
    /// find out. Later operations are answered with [`EngineError::Closed`]. Closing again does nothing.
    ///
    /// # Errors
    /// If a disk fails; nothing that was durable is lost by that.
    pub fn close(&self) -> Result<()> {
        if self.shared.closed.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        self.join();
        let volumes = std::mem::take(&mut *lock(&self.shared.volumes));
        // All of them, whatever one meets.
        volumes.values().map(|volume| volume.close()).fold(Ok(()), Result::and)
    }

    fn join(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.shared.pool.close();
        let current = std::thread::current().id();
        for thread in std::mem::take(&mut *lock(&self.threads)) {
            if thread.thread().id() != current {
                let _ = thread.join();
            }
        }
        // Who joined after the last leader had gone.
        let volumes = lock(&self.shared.volumes);
        volumes.values().for_each(|volume| lock(&volume.waiting).give_up());
    }

    /// Runs an operation on a thread of the store.
    fn operate<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Arc<Shared>) -> Result<T> + Send + 'static,
    ) -> StoreFuture<T> {
        let (sender, answered) = oneshot::channel();
        self.shared.run(move |shared| {
            // Who does not wait any more has no use for the answer.
            let _ = sender.send(operation(shared));
            Ok(())
        });
        answer(answered)
    }

    /// Runs a write or clear on a thread of the store; that thread does not wait until it is durable.
    fn change(
        &self,
        id: VolumeId,
        durable: Durable,
        operation: impl FnOnce(&Arc<Shared>) -> Result<()> + Send + 'static,
    ) -> StoreFuture<()> {
        let begun = self.operate(move |shared| {
            let outcome = operation(shared);
            shared.finish(id, outcome, durable)
        });
        Box::pin(async move { finished(begun.await).await })
    }

    /// Waits until there is nothing to tidy up, for tests.
    #[cfg(test)]
    fn wait_for_tidying(&self) {
        let littered = |volume: &Arc<Volume>| volume.head().is_ok_and(|head| head.littered);
        while lock(&self.shared.volumes).values().any(littered) {
            std::thread::yield_now();
        }
    }
}

fn answer<T: Send + 'static>(answered: oneshot::Receiver<Result<T>>) -> StoreFuture<T> {
    Box::pin(async move { answered.await.unwrap_or(Err(EngineError::Closed)) })
}

/// Waits for what a write or clear still waits for.
async fn finished(begun: Result<Option<oneshot::Receiver<Result<()>>>>) -> Result<()> {
    match begun? {
        None => Ok(()),
        Some(durable) => durable.await.unwrap_or(Err(EngineError::Closed)),
    }
}

impl PageStore for LocalPages {
    fn create(&self, volume: VolumeId, size: u64) -> StoreFuture<()> {
        self.operate(move |shared| shared.create(volume, size))
    }

    fn inspect(&self, volume: VolumeId) -> StoreFuture<Inspection> {
        self.operate(move |shared| {
            let volume = shared.volume(volume)?;
            let head = volume.head()?;
            Ok(Inspection { size: head.size, snapshots: head.epochs() })
        })
    }

    fn resize(&self, volume: VolumeId, size: u64) -> StoreFuture<()> {
        self.operate(move |shared| {
            let volume = shared.volume(volume)?;
            check_size(size)?;
            volume.resize(size)
        })
    }

    fn delete(&self, volume: VolumeId) -> StoreFuture<()> {
        self.operate(move |shared| shared.delete(volume))
    }

    fn write(&self, volume: VolumeId, offset: u64, parts: Vec<Bytes>, durable: Durable) -> StoreFuture<()> {
        let whole = PageRange::of_parts(offset, &parts).and_then(|range| Ok((range, write::whole(parts)?)));
        let (range, bytes) = match whole {
            Ok(whole) => whole,
            // Whether there is such a volume matters more than what was to be written.
            Err(error) => return self.operate(move |shared| shared.volume(volume).and(Err(error))),
        };
        if let Some(outcome) = self.shared.write_now(volume, range, &bytes, durable) {
            return Box::pin(finished(self.shared.finish(volume, outcome, durable)));
        }
        self.change(volume, durable, move |shared| shared.write(volume, range, bytes, durable))
    }

    fn clear(&self, volume: VolumeId, range: PageRange, durable: Durable) -> StoreFuture<()> {
        self.change(volume, durable, move |shared| {
            let volume = shared.volume(volume)?;
            let size = volume.head()?.size;
            range.inside(size)?;
            volume.clear(range)
        })
    }

    fn read(&self, volume: VolumeId, at: Moment, range: PageRange) -> StoreFuture<Bytes> {
        let range = match range.transferable() {
            Ok(range) => range,
            Err(error) => return self.operate(move |shared| shared.volume(volume).and(Err(error))),
        };
        if let Some(bytes) = self.shared.read_now(volume, range).filter(|_| at == Moment::Latest) {
            return Box::pin(ready(Ok(bytes)));
        }
        self.operate(move |shared| shared.read(volume, at, range))
    }

    fn flush(&self, volume: VolumeId) -> StoreFuture<()> {
        let held = self.shared.volume_held(volume).filter(|volume| volume.try_head().is_some());
        if let Some(volume) = held.filter(|_| !self.shared.is_closed()) {
            return answer(self.shared.flush_with_others(&volume));
        }
        self.change(volume, Durable::Now, move |shared| shared.volume(volume)?.head().map(drop))
    }

    fn snapshot(&self, volume: VolumeId) -> StoreFuture<Epoch> {
        self.operate(move |shared| shared.volume(volume)?.snapshot())
    }

    fn delete_snapshot(&self, volume: VolumeId, epoch: Epoch) -> StoreFuture<()> {
        self.operate(move |shared| {
            let volume = shared.volume(volume)?;
            if volume.delete_snapshot(epoch)? {
                shared.tidy_later(volume);
            }
            Ok(())
        })
    }

    fn runs(
        &self,
        volume: VolumeId,
        since: Option<Epoch>,
        at: Moment,
        within: PageRange,
        runs_max: NonZeroUsize,
    ) -> StoreFuture<Runs> {
        self.operate(move |shared| {
            let volume = shared.volume(volume)?;
            let head = volume.head()?;
            volume.runs(&head, since, at, within, runs_max)
        })
    }
}

impl Drop for LocalPages {
    fn drop(&mut self) {
        self.join();
    }
}
