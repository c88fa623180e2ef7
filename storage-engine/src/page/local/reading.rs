//! Reading pages, and the proof that they are sound.
//!
//! Neighbouring valid pages that are neighbours in the file, too, are read at once: an area that lives at home is one
//! request. Pages that are not valid are zero without being read. The area is held shared meanwhile, so that no page
//! is read while it is written.

use super::area::{Area, State};
use super::files::together;
use super::map::Map;
use super::place::{Part, UNIT_BYTES, bytes_of, offset_in_slot, units};
use super::record::{self, FAMILY, Head};
use super::volume::{Volume, sums_of};
use crate::error::{EngineError, Result};
use crate::meta::Weight;
use crate::page::{Epoch, Moment};
use std::ops::Range;
use std::sync::Arc;

/// Pages that lie one behind the other in a file: where, and where they go.
struct Input {
    /// Counting slots as if they were one behind the other.
    at: u64,
    pages: Range<u32>,
}

/// Whether a read may wait for the device.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    Waits,
    OnlyMemory,
}

impl Volume {
    /// Reads a part of an area into `buffer`, which is as long.
    pub(super) fn read_part(&self, head: &Head, at: Moment, part: &Part, buffer: &mut [u8]) -> Result<()> {
        let area = self.area(part.area)?;
        let fixed = match at {
            Moment::Latest => None,
            Moment::Snapshot(epoch) => Some(self.map_at(part.area, epoch)?),
        };
        loop {
            let state = area.read();
            let map = fixed.clone().unwrap_or_else(|| Arc::clone(&state.map));
            if missing(&state, &map, &part.pages).next().is_none() {
                self.read_locked(&state, &map, &part.pages, buffer, Patience::Waits)?;
                return Ok(());
            }
            drop(state);
            let mut state = area.write();
            let map = fixed.clone().unwrap_or_else(|| Arc::clone(&state.map));
            let units: Vec<_> = missing(&state, &map, &part.pages).collect();
            units.into_iter().try_for_each(|unit| self.load_sums(head, &mut state, unit))?;
        }
    }

    /// As [`Volume::read_part`] of the present, if all of it is in memory; false if it is not.
    pub(super) fn read_now(&self, part: &Part, buffer: &mut [u8]) -> bool {
        let Some(area) = self.area_held(part.area) else { return false };
        self.read_area_now(&area, part, buffer).unwrap_or(false)
    }

    /// An error is met again by the read that waits, which has the last word.
    fn read_area_now(&self, area: &Area, part: &Part, buffer: &mut [u8]) -> Option<bool> {
        let state = area.try_read()?;
        if missing(&state, &state.map, &part.pages).next().is_some() {
            return None;
        }
        self.read_locked(&state, &state.map, &part.pages, buffer, Patience::OnlyMemory).ok()
    }

    fn read_locked(
        &self,
        state: &State,
        map: &Map,
        pages: &Range<u32>,
        buffer: &mut [u8],
        patience: Patience,
    ) -> Result<bool> {
        buffer.fill(0);
        for input in inputs(map, pages) {
            let from = bytes_of(input.pages.start - pages.start);
            let place = buffer.get_mut(from..from + bytes_of(input.pages.end - input.pages.start));
            let place = place.ok_or(EngineError::InvalidPageRange)?;
            let (slot, offset) = (input.at / UNIT_BYTES as u64, input.at % UNIT_BYTES as u64);
            let read = match patience {
                Patience::Waits => self.files.read(slot, offset, place).map(|()| true),
                Patience::OnlyMemory => self.files.read_cached(slot, offset, place),
            };
            if !read.map_err(|error| self.unreadable(error, slot))? {
                return Ok(false);
            }
            let mut rest: &[u8] = place;
            for (number, pages) in units(input.pages) {
                let (these, others) =
                    rest.split_at_checked(bytes_of(pages.end - pages.start)).unwrap_or_default();
                let slot = map.unit(number).map_or(0, |unit| unit.slot);
                if !state.has_sums(slot, pages.start, &sums_of(these)) {
                    return Err(self.damaged("a page is not what was written", slot));
                }
                rest = others;
            }
        }
        Ok(true)
    }

    /// What an area was when a snapshot was taken.
    pub(super) fn map_at(&self, area: u32, epoch: Epoch) -> Result<Arc<Map>> {
        let from = record::map_key(self.id, area, Epoch(0));
        let at = record::map_key(self.id, area, epoch);
        let found =
            self.ground.read(Weight::Point, move |view| view.last_at_or_before(FAMILY, &from, &at))?;
        found.map_or_else(|| Ok(Map::empty()), |(_, record)| Map::decode(&record)).map(Arc::new)
    }
}

/// The units with valid pages among these, whose sums are not in memory.
fn missing<'a>(
    state: &'a State,
    map: &'a Map,
    pages: &Range<u32>,
) -> impl Iterator<Item = super::map::Unit> + 'a {
    units(pages.clone())
        .filter(|(_, pages)| map.touches(pages.clone()))
        .filter_map(|(number, _)| map.unit(number))
        .filter(|unit| !state.sums.contains_key(&unit.slot))
}

/// What is to be read, in as few pieces as possible.
fn inputs(map: &Map, pages: &Range<u32>) -> Vec<Input> {
    let mut inputs: Vec<Input> = Vec::new();
    for run in map.valid().runs(pages.clone()) {
        for (number, pages) in units(run) {
            let Some(unit) = map.unit(number) else { continue };
            let at = unit.slot * UNIT_BYTES as u64 + offset_in_slot(pages.start);
            match inputs.last_mut() {
                Some(last)
                    if last.pages.end == pages.start
                        && last.at + bytes_of(last.pages.end - last.pages.start) as u64 == at
                        && together(last.at / UNIT_BYTES as u64, unit.slot) =>
                {
                    last.pages.end = pages.end;
                }
                _ => inputs.push(Input { at, pages }),
            }
        }
    }
    inputs
}
