//! What the threads of a store share, and what they do: each operation as the thread does it that may wait.
//!
//! A volume is opened when it is first asked for, by one thread while the others wait, and stays open. Whoever finds
//! that an earlier process left work behind has it done by another thread, so nobody's operation is slower for it.

use super::ground::Ground;
use super::place::{UNIT_BYTES, bytes_of, parts};
use super::record::{self, Head};
use super::volume::{Volume, lock};
use crate::chunk::local::pool::Pool;
use crate::error::{EngineError, Result};
use crate::meta::Weight;
use crate::page::{AREA_BYTES, Durable, Moment, PageRange, VolumeId, check_size};
use bytes::Bytes;
use futures_channel::oneshot;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// What the threads share.
pub(super) struct Shared {
    pub(super) ground: Arc<Ground>,
    pub(super) pool: Arc<Pool>,
    pub(super) volumes: Mutex<HashMap<VolumeId, Arc<Volume>>>,
    /// Held while a volume is opened or created, so that it is opened once.
    opening: Mutex<()>,
    pub(super) closed: AtomicBool,
}

impl Shared {
    /// Nothing is open yet.
    pub(super) fn new(ground: Arc<Ground>, pool: Arc<Pool>) -> Self {
        Self {
            ground,
            pool,
            volumes: Mutex::default(),
            opening: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    /// Has something done by one of the threads. An error that nobody waits for goes to the log.
    pub(super) fn run(self: &Arc<Self>, job: impl FnOnce(&Arc<Self>) -> Result<()> + Send + 'static) {
        let shared = Arc::clone(self);
        self.pool.submit(Box::new(move || match job(&shared) {
            Ok(()) | Err(EngineError::VolumeNotFound | EngineError::Closed) => {}
            Err(error) => tracing::warn!(%error, "tidying up pages is left to the next opening"),
        }));
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    pub(super) fn volume_held(&self, id: VolumeId) -> Option<Arc<Volume>> {
        lock(&self.volumes).get(&id).map(Arc::clone)
    }

    /// A volume, opened if it is not.
    pub(super) fn volume(self: &Arc<Self>, id: VolumeId) -> Result<Arc<Volume>> {
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

    pub(super) fn tidy_later(self: &Arc<Self>, volume: Arc<Volume>) {
        self.run(move |shared| volume.tidy(&|| shared.is_closed()));
    }

    pub(super) fn remove_later(self: &Arc<Self>, volume: Arc<Volume>) {
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

    pub(super) fn create(&self, id: VolumeId, size: u64) -> Result<()> {
        check_size(size)?;
        let _opening = lock(&self.opening);
        if let Some(volume) = self.volume_held(id) {
            return volume.head().map(drop);
        }
        let key = record::head_key(id);
        let found = self.ground.read(Weight::Point, {
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

    pub(super) fn delete(self: &Arc<Self>, id: VolumeId) -> Result<()> {
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

    pub(super) fn write(
        self: &Arc<Self>,
        id: VolumeId,
        range: PageRange,
        bytes: Bytes,
        durable: Durable,
    ) -> Result<()> {
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
    pub(super) fn write_now(
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

    pub(super) fn read_now(&self, id: VolumeId, range: PageRange) -> Option<Bytes> {
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

    pub(super) fn read(self: &Arc<Self>, id: VolumeId, at: Moment, range: PageRange) -> Result<Bytes> {
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
    pub(super) fn flush_with_others(self: &Arc<Self>, volume: &Arc<Volume>) -> oneshot::Receiver<Result<()>> {
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
    pub(super) fn finish(
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
