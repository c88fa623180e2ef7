//! The page floor on one disk: sparse files that are overwritten in place, and records that say what they mean.
//!
//! ```text
//! write ──► in place: one pwrite ─────────────────────────────► sums in memory
//!       └─► new place, copy of a shared unit: pwrite ─────────► map in memory
//! flush ──► maps captured ─► one fdatasync a file ─► one commit of the maps that changed, if any did
//! ```
//!
//! # What a write costs
//! In steady state, that is, where an area is marked and the pages were written since the last snapshot: one `pwrite`, and
//! a flush one `fdatasync` that all who wait share. No record is written. The first write to an area sets its mark (one
//! commit), and what changes maps, valid pages and places, is committed with the next flush.
//!
//! # Promises and where they are kept
//! - **What a crash shows**: records name pages only once their bytes are synced ([`flush`]); a durable write of several
//!   pages never touches what a crash could show ([`write`](self::write)); what was cut off is cleared before the end moves over it
//!   again ([`change`]).
//! - **Snapshots never change**: slots carry the epoch they were born in, and one that a snapshot shares is not
//!   written ([`map`]). A snapshot is one commit.
//! - **Never a wrong byte**: every page read is checked ([`reading`]). After a crash, sums are taken anew only in
//!   areas that were marked ([`area`]).
//! - **Space comes back**: a slot that no map names is punched ([`volume`]), also after a crash ([`open`]).
//! - **A failed sync is final** ([`ground`]).
//!
//! # Threads
//! What may wait for the device or for a commit is done by a few threads of the store's own. Steady-state writes of at most a
//! unit, and reads of what is in memory, are done by the caller itself, as a switch of threads would cost more
//! than they do.

use super::{
    AREA_BYTES, Durable, Epoch, Inspection, Moment, PageRange, PageStore, Runs, VolumeId, check_size,
};
use crate::chunk::StoreFuture;
use crate::chunk::local::pool::Pool;
use crate::disk::Disk;
use crate::error::{EngineError, Result};
use crate::meta::{Durability, MetaStore};
use bytes::Bytes;
use futures_channel::oneshot;
use std::collections::HashMap;
use std::fmt;
use std::future::ready;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
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
mod spares;
mod survey;
#[cfg(test)]
mod tests;
mod volume;
mod write;

use ground::Ground;
use place::{UNIT_BYTES, bytes_of, parts};
use record::Head;
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

/// What the threads share.
struct Shared {
    ground: Arc<Ground>,
    pool: Arc<Pool>,
    volumes: Mutex<HashMap<VolumeId, Arc<Volume>>>,
    /// Held while a volume is opened or created, so that it is opened once.
    opening: Mutex<()>,
    closed: AtomicBool,
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
        let shared = Arc::new(Shared {
            ground,
            pool,
            volumes: Mutex::default(),
            opening: Mutex::default(),
            closed: AtomicBool::new(false),
        });
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

impl Shared {
    /// Has something done by one of the threads. An error that nobody waits for goes to the log.
    fn run(self: &Arc<Self>, job: impl FnOnce(&Arc<Self>) -> Result<()> + Send + 'static) {
        let shared = Arc::clone(self);
        self.pool.submit(Box::new(move || match job(&shared) {
            Ok(()) | Err(EngineError::VolumeNotFound | EngineError::Closed) => {}
            Err(error) => tracing::warn!(%error, "tidying up pages is left to the next opening"),
        }));
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    fn volume_held(&self, id: VolumeId) -> Option<Arc<Volume>> {
        lock(&self.volumes).get(&id).map(Arc::clone)
    }

    /// A volume, opened if it is not.
    fn volume(self: &Arc<Self>, id: VolumeId) -> Result<Arc<Volume>> {
        if let Some(volume) = self.volume_held(id) {
            return Ok(volume);
        }
        let opening = lock(&self.opening);
        if let Some(volume) = self.volume_held(id) {
            return Ok(volume);
        }
        let volume = Arc::new(Volume::open(&self.ground, id)?);
        lock(&self.volumes).insert(id, Arc::clone(&volume));
        drop(opening);
        let (ragged, littered) = {
            let head = volume.head()?;
            (head.ragged, head.littered)
        };
        if littered {
            self.tidy_later(Arc::clone(&volume));
        }
        if ragged {
            let volume = Arc::clone(&volume);
            self.run(move |_| {
                let _resizing = lock(&volume.resizing);
                volume.trim()
            });
        }
        Ok(volume)
    }

    fn tidy_later(self: &Arc<Self>, volume: Arc<Volume>) {
        self.run(move |shared| volume.tidy(&|| shared.is_closed()));
    }

    fn remove_later(self: &Arc<Self>, volume: Arc<Volume>) {
        self.run(move |shared| {
            while !shared.is_closed() {
                if let ControlFlow::Break(()) = volume.remove_some()? {
                    lock(&shared.volumes).remove(&volume.id);
                    break;
                }
            }
            Ok(())
        });
    }

    fn create(&self, id: VolumeId, size: u64) -> Result<()> {
        check_size(size)?;
        let _opening = lock(&self.opening);
        if let Some(volume) = self.volume_held(id) {
            return volume.head().map(drop);
        }
        let key = record::head_key(id);
        let found = self.ground.read(crate::meta::Weight::Point, {
            let key = key.clone();
            move |view| view.get(record::FAMILY, &key)
        })?;
        match found {
            // Its id has been used.
            Some(head) if Head::decode(&head)?.deleted => Err(EngineError::VolumeNotFound),
            Some(_) => Ok(()),
            None => self.ground.commit(id, vec![(key, Some(Head::new(size).encode()))]),
        }
    }

    fn delete(self: &Arc<Self>, id: VolumeId) -> Result<()> {
        match self.volume(id) {
            Err(EngineError::VolumeNotFound) => Ok(()),
            Err(error) => Err(error),
            Ok(volume) => {
                volume.delete()?;
                self.remove_later(volume);
                Ok(())
            }
        }
    }

    fn write(self: &Arc<Self>, id: VolumeId, range: PageRange, bytes: Bytes, durable: Durable) -> Result<()> {
        let volume = self.volume(id)?;
        if lock(&volume.marks).len() > 2 * self.ground.marks_max {
            // The one that was asked for does not keep up.
            volume.checkpoint(self.ground.marks_max)?;
        }
        let head = volume.head()?;
        range.inside(head.size)?;
        let mut rest = bytes;
        for part in parts(range) {
            let bytes = rest.split_to(bytes_of(part.pages.end - part.pages.start).min(rest.len()));
            volume.write_part(&head, &part, &bytes, durable)?;
        }
        drop(head);
        self.checkpoint_later(&volume);
        Ok(())
    }

    /// Has marks taken away if there are too many.
    fn checkpoint_later(self: &Arc<Self>, volume: &Arc<Volume>) {
        if lock(&volume.marks).len() > self.ground.marks_max
            && !volume.checkpoint_asked.swap(true, Ordering::SeqCst)
        {
            let volume = Arc::clone(volume);
            self.run(move |shared| {
                let outcome = volume.checkpoint(shared.ground.marks_max / 2);
                volume.checkpoint_asked.store(false, Ordering::SeqCst);
                outcome
            });
        }
    }

    /// Writes on the caller's thread, if that is one write to a file. None: it is not.
    fn write_now(
        &self,
        id: VolumeId,
        range: PageRange,
        bytes: &Bytes,
        durable: Durable,
    ) -> Option<Result<()>> {
        if self.is_closed() || range.length() > UNIT_BYTES as u64 {
            return None;
        }
        let volume = self.volume_held(id)?;
        let head = volume.try_head()?;
        let mut in_parts = parts(range);
        let (part, None) = (in_parts.next()?, in_parts.next()) else { return None };
        if let Err(error) = range.inside(head.size) {
            return Some(Err(error));
        }
        match volume.write_now(&head, &part, bytes, durable) {
            Ok(false) => None,
            Ok(true) => Some(Ok(())),
            Err(error) => Some(Err(error)),
        }
    }

    fn read_now(&self, id: VolumeId, range: PageRange) -> Option<Bytes> {
        let volume = self.volume_held(id).filter(|_| !self.is_closed())?;
        let head = volume.try_head()?;
        range.inside(head.size).ok()?;
        let mut buffer = vec![0; usize::try_from(range.length()).ok()?];
        let mut rest = buffer.as_mut_slice();
        for part in parts(range) {
            let (place, others) = rest.split_at_mut_checked(bytes_of(part.pages.end - part.pages.start))?;
            rest = others;
            if !volume.read_now(&part, place) {
                return None;
            }
        }
        Some(buffer.into())
    }

    fn read(self: &Arc<Self>, id: VolumeId, at: Moment, range: PageRange) -> Result<Bytes> {
        let volume = self.volume(id)?;
        let head = volume.head()?;
        let size = match at {
            Moment::Latest => head.size,
            Moment::Snapshot(epoch) => head.size_of(epoch).ok_or(EngineError::VolumeNotFound)?,
        };
        range.inside(size)?;
        let mut buffer = vec![0; usize::try_from(range.length()).unwrap_or(AREA_BYTES)];
        let mut rest = buffer.as_mut_slice();
        for part in parts(range) {
            let place = rest.split_off_mut(..bytes_of(part.pages.end - part.pages.start));
            volume.read_part(&head, at, &part, place.ok_or(EngineError::InvalidPageRange)?)?;
        }
        Ok(buffer.into())
    }

    /// Makes what is done durable, together with others.
    fn flush_with_others(self: &Arc<Self>, volume: &Arc<Volume>) -> oneshot::Receiver<Result<()>> {
        let (sender, answered) = oneshot::channel();
        let leads = lock(&volume.waiting).join(sender);
        if leads {
            let leader = Arc::clone(volume);
            let submitted = self.pool.submit(Box::new(move || leader.lead()));
            if !submitted {
                lock(&volume.waiting).give_up();
            }
        }
        answered
    }

    /// Sends the answer of a write or clear: at once, or when it is durable.
    fn finish(
        self: &Arc<Self>,
        id: VolumeId,
        outcome: Result<()>,
        durable: Durable,
    ) -> Result<Option<oneshot::Receiver<Result<()>>>> {
        outcome?;
        match durable {
            Durable::AtFlush => Ok(None),
            Durable::Now => self.volume(id).map(|volume| Some(self.flush_with_others(&volume))),
        }
    }
}

/// Waits for what a write or clear still waits for.
async fn finished(begun: Result<Option<oneshot::Receiver<Result<()>>>>) -> Result<()> {
    match begun? {
        None => Ok(()),
        Some(durable) => durable.await.unwrap_or(Err(EngineError::Closed)),
    }
}

impl LocalPages {
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
