//! Making durable: flushes, and checkpoints.
//!
//! # A flush
//! The maps that changed are captured, the files synced, and then one verb commits the captured maps: nobody ever finds
//! a record that names pages whose bytes are not there. All who wait when a flush begins share it, and those
//! who come meanwhile share the next one. Where only bytes were overwritten there is nothing to commit, and a flush is
//! one `fdatasync` for each file that was written.
//!
//! # A checkpoint
//! Writes the sums of areas that were not written while their bytes were synced, and takes their marks away. When more
//! areas are marked than the store allows, those that were written longest ago have their turn. It bounds what is read
//! again after a crash, and the memory for sums. Nothing is done by the clock: a volume at rest keeps its marks until
//! it is closed, which costs nothing but that reading.

use super::area::{Area, State};
use super::ground::Changes;
use super::map::Map;
use super::record::{self, Head};
use super::volume::{Volume, lock};
use crate::error::{EngineError, Result};
use crate::meta::Durability;
use crate::page::Epoch;
use futures_channel::oneshot;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, RwLockWriteGuard};

/// Areas that a checkpoint commits at a time.
const BATCH_AREAS: usize = 64;

/// Somebody who waits for a flush.
pub(super) type Waiter = oneshot::Sender<Result<()>>;

/// Who waits, and whether somebody is already at it.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    waiters: Vec<Waiter>,
    led: bool,
}

impl Waiting {
    /// True for the first: it has to see to it that [`Volume::lead`] is run.
    pub(super) fn join(&mut self, waiter: Waiter) -> bool {
        self.waiters.push(waiter);
        !std::mem::replace(&mut self.led, true)
    }

    /// Nobody will lead: those who wait hear that the store is closed.
    pub(super) fn give_up(&mut self) {
        self.waiters.clear();
        self.led = false;
    }
}

/// An area whose map is being committed.
struct Captured {
    area: Arc<Area>,
    map: Arc<Map>,
    /// The record that the new one replaces.
    replaced: Option<Epoch>,
    /// The new record's epoch, if there is one.
    base: Option<Epoch>,
}

impl Volume {
    /// Flushes for all who wait, until nobody does.
    pub(super) fn lead(&self) {
        loop {
            let waiters = {
                let mut waiting = lock(&self.waiting);
                if waiting.waiters.is_empty() {
                    waiting.led = false;
                    return;
                }
                std::mem::take(&mut waiting.waiters)
            };
            let outcome = self.flush();
            for waiter in waiters {
                // Who does not wait any more has no use for the answer.
                let _ = waiter.send(outcome.clone());
            }
        }
    }

    pub(super) fn flush(&self) -> Result<()> {
        let _flushing = lock(&self.flushing);
        let head = self.head()?;
        self.flush_locked(&head)
    }

    /// Makes durable what is done. The caller has `flushing`.
    pub(super) fn flush_locked(&self, head: &Head) -> Result<()> {
        self.ground.check()?;
        let mut changes = Changes::new();
        let dirty = std::mem::take(&mut *lock(&self.dirty));
        let captured: Vec<Captured> =
            dirty.into_values().map(|area| self.capture(head, area, &mut changes)).collect();
        // Behind the capture: what is captured was written before, and so is synced.
        if self.ground.durability == Durability::Sync {
            let synced = self.files.sync();
            synced.map_err(|error| self.ground.fail("syncing pages", EngineError::Disk(Arc::new(error))))?;
        } else {
            self.files.forget_unsynced();
        }
        if captured.is_empty() {
            return Ok(());
        }
        changes.extend(self.take_stale_sums());
        if let Err(error) = self.ground.commit(self.id, changes) {
            let mut dirty = lock(&self.dirty);
            dirty.extend(captured.into_iter().map(|captured| (captured.area.index, captured.area)));
            return Err(error);
        }
        for captured in &captured {
            self.settle(captured);
        }
        Ok(())
    }

    fn take_stale_sums(&self) -> impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)> + use<'_> {
        let stale = std::mem::take(&mut *lock(&self.stale_sums));
        stale.into_iter().map(|slot| (record::sums_key(self.id, slot), None))
    }

    /// Notes what an area is now, to be committed.
    fn capture(&self, head: &Head, area: Arc<Area>, changes: &mut Changes) -> Captured {
        let mut state = area.write();
        Arc::make_mut(&mut state.map).coalesce(&head.epochs());
        let map = Arc::clone(&state.map);
        state.in_flight.push(Arc::clone(&map));
        let replaced = state.base.filter(|base| !head.parts(*base, head.epoch));
        // Nothing is what no record means, unless there may be an older one: of a snapshot, or of a deleted one.
        let alone = head.snapshots.is_empty() && !head.littered;
        let base = (!map.is_empty() || !alone).then_some(head.epoch);
        if let Some(old) = replaced.filter(|old| Some(*old) != base) {
            changes.push((record::map_key(self.id, area.index, old), None));
        }
        if let Some(base) = base {
            changes.push((record::map_key(self.id, area.index, base), Some(map.encode())));
        }
        drop(state);
        Captured { area, map, replaced, base }
    }

    /// A map is committed: what only the one before it named is free.
    fn settle(&self, captured: &Captured) {
        let mut state = captured.area.write();
        let before = std::mem::replace(&mut state.committed, Arc::clone(&captured.map));
        let others = std::mem::take(&mut state.in_flight);
        if captured.base.is_some() {
            state.hold(&captured.map);
        }
        if captured.replaced.is_some() {
            state.let_go(&before);
        }
        // What is older than a replaced record, or an older one that stays, is none of our business here.
        state.base = captured.base.or(state.base.filter(|_| captured.replaced.is_none()));
        let left: Vec<_> = others.iter().chain([&before]).flat_map(|map| map.units()).collect();
        let unused = state.unused(left);
        self.free(&mut state, &unused);
    }

    /// Commits the sums of marked areas, and takes their marks away: of all, or of those that are too many.
    pub(super) fn checkpoint(&self, marks_kept: usize) -> Result<()> {
        let areas: Vec<Arc<Area>> = {
            let marks = lock(&self.marks);
            let mut areas: Vec<_> = marks.values().map(Arc::clone).collect();
            areas.sort_by_key(|area| area.used.load(Ordering::Relaxed));
            areas.truncate(areas.len().saturating_sub(marks_kept));
            areas
        };
        for batch in areas.chunks(BATCH_AREAS) {
            self.checkpoint_areas(batch)?;
        }
        Ok(())
    }

    fn checkpoint_areas(&self, areas: &[Arc<Area>]) -> Result<()> {
        let _flushing = lock(&self.flushing);
        let head = self.head()?;
        // By number, so that two of them never wait for each other.
        let areas: BTreeMap<u32, &Arc<Area>> = areas.iter().map(|area| (area.index, area)).collect();
        let mut before = Vec::new();
        for area in areas.values() {
            let mut state = area.write();
            if let Err(error) = self.load_stale_sums(&head, area, &mut state) {
                tracing::error!(%error, "an area keeps its mark, because it cannot be read");
                continue;
            }
            before.push((*area, state.writes));
        }
        self.flush_locked(&head)?;
        let mut changes = Changes::new();
        let mut quiet: Vec<(u32, RwLockWriteGuard<'_, State>)> = Vec::new();
        for (area, writes) in before {
            let state = area.write();
            if state.writes == writes && !state.is_dirty() && state.mark.is_some() {
                changes.push((record::mark_key(self.id, area.index), None));
                for (slot, sums) in state.sums.iter().filter(|(_, sums)| sums.dirty) {
                    lock(&self.stale_sums).remove(slot);
                    changes.push((record::sums_key(self.id, *slot), Some(record::encode_sums(&sums.pages))));
                }
                quiet.push((area.index, state));
            }
        }
        changes.extend(self.take_stale_sums());
        if changes.is_empty() {
            return Ok(());
        }
        self.ground.commit(self.id, changes)?;
        for (index, mut state) in quiet {
            state.mark = None;
            state.sums.values_mut().for_each(|sums| sums.dirty = false);
            lock(&self.inherited).remove(&index);
            lock(&self.marks).remove(&index);
        }
        Ok(())
    }

    /// With an inherited mark, all records of the area's sums may be stale: takes anew what was not yet.
    fn load_stale_sums(&self, head: &Head, area: &Area, state: &mut State) -> Result<()> {
        if !state.mark.is_some_and(|mark| mark.inherited) {
            return Ok(());
        }
        let mut maps: Vec<Arc<Map>> = vec![Arc::clone(&state.map), Arc::clone(&state.committed)];
        for (epoch, _) in &head.snapshots {
            maps.push(self.map_at(area.index, *epoch)?);
        }
        for (_, unit) in maps.iter().flat_map(|map| map.units()) {
            // Not the slots that no crash has touched: those of the records, and what is not read, stay as they are.
            self.load_sums(head, state, unit)?;
        }
        Ok(())
    }
}
