//! An area in memory: what it is now, what of that is on disk, and the sums of what is written.
//!
//! # Three maps
//! `map` is what readers see. `committed` is what the newest record says, and `in_flight` what a commit under way,
//! or one that was refused, may make of it: the states that a crash can show. From them follows what may be done:
//! - A page that is in none of the last two is not visible after a crash, so it can be written in place freely,
//!   also by a durable write of many pages: the commit shows all of them at once.
//! - A slot is free when neither these maps nor a record of an older epoch (`held`) names it.
//!
//! # Sums
//! A sum for each page and not for each 4 KiB: whatever is written is whole pages, so no write has to read its
//! surroundings. They belong to slots, so snapshots share them. The ones in memory are right at all times; the
//! records are right unless the area has a *mark*: a record set before the first write since the last checkpoint. So a
//! crash leaves marks where sums are stale, and [`super::volume::Volume::load_sums`] takes those anew from the bytes.

use super::map::{Map, Unit};
use super::place::home;
use crate::page::Epoch;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// An area of a volume.
#[derive(Debug)]
pub(super) struct Area {
    pub(super) index: u32,
    /// When it was written last, in writes of the volume.
    pub(super) used: AtomicU64,
    state: RwLock<State>,
}

/// Everything about an area that changes.
#[derive(Debug)]
pub(super) struct State {
    pub(super) map: Arc<Map>,
    pub(super) committed: Arc<Map>,
    pub(super) in_flight: Vec<Arc<Map>>,
    /// The epoch of the newest record.
    pub(super) base: Option<Epoch>,
    /// How many records name a slot.
    pub(super) held: HashMap<u64, u32>,
    pub(super) sums: HashMap<u64, Sums>,
    pub(super) mark: Option<Mark>,
    /// Writes since the area is in memory.
    pub(super) writes: u64,
}

/// The sums of a slot's pages.
#[derive(Debug, Clone)]
pub(super) struct Sums {
    pub(super) pages: Vec<u32>,
    /// Whether the record is other or missing.
    pub(super) dirty: bool,
}

/// A write-intent mark.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// The epoch in which it was set.
    pub(super) epoch: Epoch,
    /// An earlier process set it and did not come to take it away.
    pub(super) inherited: bool,
}

impl Area {
    /// An area of which these are the records, oldest first.
    pub(super) fn new(index: u32, versions: Vec<(Epoch, Map)>, mark: Option<Mark>) -> Self {
        let mut held = HashMap::new();
        for (_, unit) in versions.iter().flat_map(|(_, map)| map.units()) {
            *held.entry(unit.slot).or_default() += 1;
        }
        let (base, map) = versions.into_iter().next_back().unzip();
        let map = Arc::new(map.unwrap_or_else(Map::empty));
        let state = State {
            committed: Arc::clone(&map),
            map,
            in_flight: Vec::new(),
            base,
            held,
            sums: HashMap::new(),
            mark,
            writes: 0,
        };
        Self { index, used: AtomicU64::new(0), state: RwLock::new(state) }
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Without waiting.
    pub(super) fn try_read(&self) -> Option<RwLockReadGuard<'_, State>> {
        self.state.try_read().ok()
    }

    /// Without waiting.
    pub(super) fn try_write(&self) -> Option<RwLockWriteGuard<'_, State>> {
        self.state.try_write().ok()
    }

    pub(super) fn touch(&self, tick: u64) {
        self.used.store(tick, Ordering::Relaxed);
    }
}

impl State {
    /// The maps that may be what is seen after a crash.
    fn durable_maps(&self) -> impl Iterator<Item = &Arc<Map>> {
        std::iter::once(&self.committed).chain(&self.in_flight)
    }

    /// Whether a crash could show what pages of a unit are in this slot.
    pub(super) fn exposed(&self, number: u32, slot: u64, pages: &Range<u32>) -> bool {
        self.durable_maps()
            .any(|map| map.unit(number).is_some_and(|unit| unit.slot == slot) && map.touches(pages.clone()))
    }

    /// Whether anything names a slot of this unit.
    pub(super) fn uses(&self, number: u32, slot: u64) -> bool {
        let names = |map: &Map| map.unit(number).is_some_and(|unit| unit.slot == slot);
        self.held.contains_key(&slot) || names(&self.map) || self.durable_maps().any(|map| names(map))
    }

    /// A unit's home, if nothing is there.
    pub(super) fn free_home(&self, area: u32, number: u32) -> Option<u64> {
        Some(home(area, number)).filter(|slot| !self.uses(number, *slot))
    }

    /// Whether there is something that the records do not say.
    pub(super) fn is_dirty(&self) -> bool {
        !Arc::ptr_eq(&self.map, &self.committed) || !self.in_flight.is_empty()
    }

    /// A record names these units from now on.
    pub(super) fn hold(&mut self, map: &Map) {
        for (_, unit) in map.units() {
            *self.held.entry(unit.slot).or_default() += 1;
        }
    }

    /// A record that named these units is gone.
    pub(super) fn let_go(&mut self, map: &Map) {
        for (_, unit) in map.units() {
            if let Some(count) = self.held.get_mut(&unit.slot) {
                *count -= 1;
                if *count == 0 {
                    self.held.remove(&unit.slot);
                }
            }
        }
    }

    /// Those of some units' slots that nothing names any more.
    pub(super) fn unused(&self, units: impl IntoIterator<Item = (u32, Unit)>) -> Vec<u64> {
        let mut slots: Vec<u64> = units
            .into_iter()
            .filter(|(number, unit)| !self.uses(*number, unit.slot))
            .map(|(_, unit)| unit.slot)
            .collect();
        slots.sort_unstable();
        slots.dedup();
        slots
    }
}
