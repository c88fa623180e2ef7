//! An open volume: its head, the areas in memory, its files, and who holds which lock.
//!
//! # Locks
//! In this order, each for what is inside it:
//! 1. `flushing`: commits of the volume's maps, heads and sums, one at a time.
//! 2. `head`: shared by reads and writes while they are done, taken alone by what changes the head. So a snapshot is
//!    a moment at which no write is half done.
//! 3. an area's state: shared by reads, taken alone by writes. Nobody waits for a second area while holding one,
//!    except checkpoints, which take them in order.
//! 4. the small ones, never held while another one is taken.
//!
//! An area that is dirty or marked is named by `dirty` or `marks`, so it is never forgotten: only areas that nothing
//! else refers to are dropped from `areas`.

use super::area::{Area, Mark, State, Sums};
use super::files::VolumeFiles;
use super::flush::Waiting;
use super::ground::Ground;
use super::map::{Map, Unit};
use super::place::{SPARES, UNIT_BYTES, UNIT_PAGES};
use super::record::{self, FAMILY, Head};
use super::spares::Spares;
use crate::error::{EngineError, Result};
use crate::meta::{Step, Weight};
use crate::page::{Epoch, PAGE_BYTES, VolumeId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// An open volume.
#[derive(Debug)]
pub(super) struct Volume {
    pub(super) id: VolumeId,
    pub(super) ground: Arc<Ground>,
    pub(super) files: VolumeFiles,
    pub(super) flushing: Mutex<()>,
    pub(super) resizing: Mutex<()>,
    head: RwLock<Head>,
    loading: Mutex<()>,
    areas: Mutex<HashMap<u32, Arc<Area>>>,
    /// Areas whose maps differ from their records.
    pub(super) dirty: Mutex<BTreeMap<u32, Arc<Area>>>,
    /// Areas with a mark, except the inherited ones that nobody has touched yet.
    pub(super) marks: Mutex<BTreeMap<u32, Arc<Area>>>,
    /// Marks that an earlier process has left, and their epochs.
    pub(super) inherited: Mutex<HashMap<u32, Epoch>>,
    pub(super) spares: Mutex<Spares>,
    /// Slots whose sums nobody needs any more: removed with the next commit.
    pub(super) stale_sums: Mutex<BTreeSet<u64>>,
    pub(super) waiting: Mutex<Waiting>,
    pub(super) checkpoint_asked: AtomicBool,
    ticks: AtomicU64,
}

/// Locks one of the small ones.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Volume {
    pub(super) fn new(
        id: VolumeId,
        ground: Arc<Ground>,
        head: Head,
        inherited: HashMap<u32, Epoch>,
        spares: Spares,
    ) -> Self {
        Self {
            id,
            files: VolumeFiles::new(Arc::clone(&ground.disk), Arc::clone(&ground.open_files), id),
            ground,
            flushing: Mutex::default(),
            resizing: Mutex::default(),
            head: RwLock::new(head),
            loading: Mutex::default(),
            areas: Mutex::default(),
            dirty: Mutex::default(),
            marks: Mutex::default(),
            inherited: Mutex::new(inherited),
            spares: Mutex::new(spares),
            stale_sums: Mutex::default(),
            waiting: Mutex::default(),
            checkpoint_asked: AtomicBool::new(false),
            ticks: AtomicU64::new(0),
        }
    }

    /// The head, for as long as an operation is done; not found if the volume has been deleted.
    pub(super) fn head(&self) -> Result<RwLockReadGuard<'_, Head>> {
        let head = self.head.read().unwrap_or_else(PoisonError::into_inner);
        if head.deleted { Err(EngineError::VolumeNotFound) } else { Ok(head) }
    }

    /// As [`Volume::head`], but none if that would mean to wait.
    pub(super) fn try_head(&self) -> Option<RwLockReadGuard<'_, Head>> {
        self.head.try_read().ok().filter(|head| !head.deleted)
    }

    /// The head alone, to change it.
    pub(super) fn head_alone(&self) -> RwLockWriteGuard<'_, Head> {
        self.head.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commits a changed head and then shows it.
    pub(super) fn change_head(&self, head: &mut Head, change: impl FnOnce(&mut Head)) -> Result<()> {
        let mut changed = head.clone();
        change(&mut changed);
        self.ground.commit(self.id, vec![(record::head_key(self.id), Some(changed.encode()))])?;
        *head = changed;
        Ok(())
    }

    pub(super) fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::Relaxed)
    }

    /// An area, if it is in memory.
    pub(super) fn area_held(&self, index: u32) -> Option<Arc<Area>> {
        lock(&self.areas).get(&index).map(Arc::clone)
    }

    /// The areas of a range that are in memory.
    pub(super) fn areas_held(&self, range: std::ops::Range<u32>) -> Vec<Arc<Area>> {
        let areas = lock(&self.areas);
        let mut held: Vec<_> =
            areas.values().filter(|area| range.contains(&area.index)).map(Arc::clone).collect();
        held.sort_unstable_by_key(|area| area.index);
        held
    }

    /// An area, from its records if need be.
    pub(super) fn area(&self, index: u32) -> Result<Arc<Area>> {
        if let Some(area) = self.area_held(index) {
            return Ok(area);
        }
        // One at a time: a second one might read records that the first one's users are about to change.
        let _loading = lock(&self.loading);
        if let Some(area) = self.area_held(index) {
            return Ok(area);
        }
        let mark = lock(&self.inherited).get(&index).map(|epoch| Mark { epoch: *epoch, inherited: true });
        let area = Arc::new(Area::new(index, self.versions(index)?, mark));
        if mark.is_some() {
            lock(&self.marks).insert(index, Arc::clone(&area));
            Arc::make_mut(&mut area.write().map).suspect();
            lock(&self.dirty).insert(index, Arc::clone(&area));
        }
        let mut areas = lock(&self.areas);
        if areas.len() >= self.ground.areas_max && areas.len().is_power_of_two() {
            areas.retain(|_, area| Arc::strong_count(area) > 1);
        }
        areas.insert(index, Arc::clone(&area));
        Ok(area)
    }

    /// Looks at what an earlier process has left marked, before anything is told of it.
    pub(super) fn adopt(&self) -> Result<()> {
        let marked: Vec<u32> = lock(&self.inherited).keys().copied().collect();
        marked.into_iter().try_for_each(|index| self.area(index).map(drop))
    }

    /// The records of an area, oldest first.
    fn versions(&self, index: u32) -> Result<Vec<(Epoch, Map)>> {
        let (from, end) = record::map_keys(self.id, index..index + 1);
        self.ground.read(Weight::Point, move |view| {
            let mut versions = Vec::new();
            view.scan(FAMILY, &from, Some(&end), &mut |key, value| {
                if let (_, Some(epoch)) = record::area_of(key)? {
                    versions.push((epoch, Map::decode(value)?));
                }
                Ok(Step::Next)
            })?;
            Ok(versions)
        })
    }

    /// Forgets areas that were in memory, because the volume is gone.
    pub(super) fn forget(&self) {
        lock(&self.dirty).clear();
        lock(&self.marks).clear();
        lock(&self.areas).clear();
    }

    /// Sees to it that the sums of a unit's slot are in memory: from their record, or from the bytes if a process
    /// before this one may have changed these and not the record.
    pub(super) fn load_sums(&self, head: &Head, state: &mut State, unit: Unit) -> Result<()> {
        if state.sums.contains_key(&unit.slot) {
            return Ok(());
        }
        // What a snapshot held before the mark was set has not been written since.
        let frozen = |mark: &Mark| head.parts(unit.born, mark.epoch);
        let unsure = state.mark.is_some_and(|mark| mark.inherited && !frozen(&mark));
        let sums = if unsure { self.take_sums(unit.slot)? } else { self.recorded_sums(unit.slot)? };
        state.sums.insert(unit.slot, sums);
        Ok(())
    }

    fn recorded_sums(&self, slot: u64) -> Result<Sums> {
        let key = record::sums_key(self.id, slot);
        let found = self.ground.read(Weight::Point, move |view| view.get(FAMILY, &key))?;
        let found = found.ok_or_else(|| self.damaged("the sums are missing", slot))?;
        Ok(Sums { pages: record::decode_sums(&found)?, dirty: false })
    }

    /// The sums of what is in a slot. Pages behind the file's end have none that fits.
    fn take_sums(&self, slot: u64) -> Result<Sums> {
        let mut buffer = vec![0; UNIT_BYTES];
        let mut read = UNIT_BYTES;
        match self.files.read(slot, 0, &mut buffer) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                read = 0;
                for (number, page) in (0..).zip(buffer.chunks_mut(PAGE_BYTES)) {
                    if self.files.read(slot, number * PAGE_BYTES as u64, page).is_err() {
                        break;
                    }
                    read += PAGE_BYTES;
                }
            }
            other => other.map_err(|error| self.unreadable(error, slot))?,
        }
        let mut pages = sums_of(buffer.get(..read).unwrap_or_default());
        pages.resize(UNIT_PAGES as usize, 0);
        Ok(Sums { pages, dirty: true })
    }

    pub(super) fn damaged(&self, what: &str, slot: u64) -> EngineError {
        EngineError::corrupt(format!("volume {:032x}, slot {slot}: {what}", self.id.0))
    }

    pub(super) fn unreadable(&self, error: std::io::Error, slot: u64) -> EngineError {
        match error.kind() {
            ErrorKind::UnexpectedEof => self.damaged("the file is cut short", slot),
            ErrorKind::NotFound => self.damaged("the file is missing", slot),
            _ => EngineError::from(error),
        }
    }

    /// Gives slots back that nothing names any more; `slots` rises. The area that had them is locked, so nobody
    /// takes its homes meanwhile.
    pub(super) fn free(&self, state: &mut State, slots: &[u64]) {
        lock(&self.stale_sums).extend(slots.iter().copied());
        state.sums.retain(|slot, _| slots.binary_search(slot).is_err());
        let (homes, spares) = slots.split_at(slots.partition_point(|slot| *slot < SPARES));
        let cold: Vec<u64> =
            spares.iter().copied().filter(|slot| !lock(&self.spares).keep_warm(*slot)).collect();
        for run in homes.iter().chain(&cold).copied().fold(Vec::new(), joined) {
            if let Err(error) = self.files.punch(run) {
                // No room for the file system's own books: the space comes back when it is used again.
                let _ = self.ground.refused("giving space back", error);
            }
        }
        lock(&self.spares).release(&cold);
    }
}

/// Joins a slot to the runs before it.
pub(super) fn joined(mut runs: Vec<std::ops::Range<u64>>, slot: u64) -> Vec<std::ops::Range<u64>> {
    match runs.last_mut() {
        Some(last) if last.end == slot => last.end += 1,
        _ => runs.push(slot..slot + 1),
    }
    runs
}

/// The sums of whole pages.
pub(super) fn sums_of(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks(PAGE_BYTES).map(crc_fast::crc32_iscsi).collect()
}
