//! What an area is at one moment: which slots its units are in, which pages are valid, and since when.
//!
//! # Layers
//! A valid page is in exactly one *layer*: the set of pages last written in one epoch. So all layers together are
//! the valid pages, and the difference to a snapshot is what is in layers of later epochs, plus what was valid
//! there and is no longer. The alternative, a set of changes for each epoch, must be merged when a snapshot is
//! deleted; layers need that only to save space ([`Map::coalesce`]), and a map never refers to another one.
//!
//! # The record, version 1
//! - units: count of runs, then each: its units (varint), kind (0 absent, 1 in slots), and with slots the first
//!   slot (varint, the others follow it) and the epoch in which they were first written (varint);
//! - layers: count, then each: epoch (varint) and pages (see [`Pages`]).

use super::bits::Pages;
use super::place::{AREA_PAGES, AREA_UNITS, unit_pages};
use crate::error::Result;
use crate::meta::record::{Decoder, Encoder};
use crate::page::Epoch;
use std::collections::BTreeMap;
use std::ops::Range;

const KIND: &str = "page map";
const VERSION: u8 = 1;

/// Where a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) slot: u64,
    /// The epoch in which the slot was given to it: snapshots of this one and of later ones share the slot.
    pub(super) born: Epoch,
}

/// An area at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Map {
    units: Vec<Option<Unit>>,
    layers: BTreeMap<Epoch, Pages>,
}

impl Map {
    /// An area without valid pages.
    pub(super) fn empty() -> Self {
        Self { units: vec![None; AREA_UNITS as usize], layers: BTreeMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.units.iter().all(Option::is_none)
    }

    pub(super) fn unit(&self, unit: u32) -> Option<Unit> {
        self.units.get(unit as usize).copied().flatten()
    }

    /// The units that are somewhere, with their numbers.
    pub(super) fn units(&self) -> impl Iterator<Item = (u32, Unit)> + '_ {
        (0..AREA_UNITS).filter_map(|number| Some((number, self.unit(number)?)))
    }

    pub(super) fn place(&mut self, number: u32, unit: Unit) {
        if let Some(place) = self.units.get_mut(number as usize) {
            *place = Some(unit);
        }
    }

    /// Whether a page of `range` is valid.
    pub(super) fn touches(&self, range: Range<u32>) -> bool {
        self.layers.values().any(|layer| layer.touches(range.clone()))
    }

    /// Whether all pages of `range` were written in `epoch`.
    pub(super) fn written_in(&self, epoch: Epoch, range: Range<u32>) -> bool {
        self.layers.get(&epoch).is_some_and(|layer| layer.contains(range))
    }

    /// The valid pages.
    pub(super) fn valid(&self) -> Pages {
        Self::join(self.layers.values())
    }

    /// The pages written after `epoch` and still valid.
    pub(super) fn written_since(&self, epoch: Epoch) -> Pages {
        Self::join(self.layers.range(Epoch(epoch.0.saturating_add(1))..).map(|(_, layer)| layer))
    }

    fn join<'a>(layers: impl Iterator<Item = &'a Pages>) -> Pages {
        layers.fold(Pages::none(), |mut all, layer| {
            all.join(layer);
            all
        })
    }

    /// Pages were written.
    pub(super) fn write(&mut self, epoch: Epoch, range: Range<u32>) {
        self.layers.entry(epoch).or_insert_with(Pages::none).insert(range.clone());
        let others = self.layers.iter_mut().filter(|(written, _)| **written != epoch);
        others.for_each(|(_, layer)| layer.remove(range.clone()));
        self.layers.retain(|_, layer| !layer.is_empty());
    }

    /// Pages are not valid any more; units without valid pages are nowhere.
    pub(super) fn clear(&mut self, range: Range<u32>) {
        self.layers.values_mut().for_each(|layer| layer.remove(range.clone()));
        self.layers.retain(|_, layer| !layer.is_empty());
        for (number, _) in super::place::units(range) {
            if !self.touches(unit_pages(number))
                && let Some(place) = self.units.get_mut(number as usize)
            {
                *place = None;
            }
        }
    }

    /// A crash may have let bytes through that were written in place after the last commit: takes every page as
    /// written in the epoch in which its slot was born, at least. No snapshot that is not older saw it written.
    pub(super) fn suspect(&mut self) {
        for (number, unit) in self.units().collect::<Vec<_>>() {
            let older = Self::join(self.layers.range(..unit.born).map(|(_, layer)| layer));
            for run in older.runs(unit_pages(number)) {
                self.write(unit.born, run);
            }
        }
    }

    /// Joins layers that no snapshot tells apart. `snapshots` rises.
    pub(super) fn coalesce(&mut self, snapshots: &[Epoch]) {
        if self.layers.len() < 2 {
            return;
        }
        let mut joined: BTreeMap<Epoch, Pages> = BTreeMap::new();
        for (epoch, layer) in std::mem::take(&mut self.layers) {
            // Told apart by a snapshot that ended the earlier epoch or one between the two.
            let apart = |earlier: Epoch| snapshots.iter().any(|end| (earlier..epoch).contains(end));
            match joined.last_entry().filter(|last| !apart(*last.key())) {
                Some(mut last) => last.get_mut().join(&layer),
                None => {
                    joined.insert(epoch, layer);
                }
            }
        }
        self.layers = joined;
    }

    /// What differs from `since`, which ended with `epoch`: pages written later, and pages no longer valid.
    pub(super) fn changes(&self, since: Option<(Epoch, &Self)>) -> (Pages, Pages) {
        match since {
            None => (self.valid(), Pages::none()),
            Some((epoch, old)) => (self.written_since(epoch), old.valid().without(&self.valid())),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut fields = Encoder::new(VERSION);
        let runs = self.unit_runs();
        fields.count(runs.len());
        for (count, unit) in runs {
            fields.varint(u64::from(count)).option(unit, |fields, unit| {
                fields.varint(unit.slot).varint(unit.born.0);
            });
        }
        fields.count(self.layers.len());
        for (epoch, layer) in &self.layers {
            fields.varint(epoch.0);
            layer.encode(&mut fields);
        }
        fields.finish()
    }

    /// Neighbouring units that are as one: all absent, or in neighbouring slots since the same epoch.
    fn unit_runs(&self) -> Vec<(u32, Option<Unit>)> {
        let mut runs: Vec<(u32, Option<Unit>)> = Vec::new();
        for unit in &self.units {
            let follows = |count: u32, first: Option<Unit>| match (first, unit) {
                (None, None) => true,
                (Some(first), Some(unit)) => {
                    first.born == unit.born && first.slot + u64::from(count) == unit.slot
                }
                _ => false,
            };
            match runs.last_mut() {
                Some((count, first)) if follows(*count, *first) => *count += 1,
                _ => runs.push((1, *unit)),
            }
        }
        runs
    }

    pub(super) fn decode(record: &[u8]) -> Result<Self> {
        let (_, mut fields) = Decoder::versioned(KIND, VERSION, record)?;
        let mut map = Self { units: Vec::new(), layers: BTreeMap::new() };
        for _ in 0..fields.count()? {
            let count = fields.varint()?;
            let first = fields.option(|fields| Ok((fields.varint()?, Epoch(fields.varint()?))))?;
            for number in 0..count.min(u64::from(AREA_UNITS) + 1) {
                let unit = first.map(|(slot, born)| Unit { slot: slot.saturating_add(number), born });
                map.units.push(unit);
            }
            if map.units.len() > AREA_UNITS as usize {
                return Err(fields.damaged());
            }
        }
        for _ in 0..fields.count()? {
            let epoch = Epoch(fields.varint()?);
            map.layers.insert(epoch, Pages::decode(&mut fields)?);
        }
        let damaged = fields.damaged();
        fields.finish()?;
        if map.is_sound() { Ok(map) } else { Err(damaged) }
    }

    /// Whether every valid page is somewhere.
    fn is_sound(&self) -> bool {
        let valid = self.valid();
        let placed = |page: u32| self.unit(page / super::place::UNIT_PAGES).is_some();
        self.units.len() == AREA_UNITS as usize
            && valid
                .runs(0..AREA_PAGES)
                .all(|run| super::place::units(run).all(|(_, pages)| placed(pages.start)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unit(slot: u64, born: u64) -> Unit {
        Unit { slot, born: Epoch(born) }
    }

    fn runs(pages: &Pages) -> Vec<(u32, u32)> {
        pages.runs(0..AREA_PAGES).map(|run| (run.start, run.end)).collect()
    }

    #[test]
    fn a_page_is_in_the_layer_of_its_last_write() {
        let mut map = Map::empty();
        (0..2).for_each(|number| map.place(number, unit(u64::from(number), 1)));
        map.write(Epoch(1), 0..200);
        let old = map.clone();
        map.write(Epoch(2), 100..110);
        map.clear(150..160);
        assert!(map.written_in(Epoch(2), 100..110) && !map.written_in(Epoch(1), 100..101));
        let (written, gone) = map.changes(Some((Epoch(1), &old)));
        assert_eq!((runs(&written), runs(&gone)), (vec![(100, 110)], vec![(150, 160)]));
        map.clear(128..256);
        assert_eq!((map.unit(0), map.unit(1)), (Some(unit(0, 1)), None));
        map.clear(0..128);
        assert_eq!(map, Map::empty());
    }

    #[test]
    fn what_was_copied_to_a_slot_is_suspected_of_having_been_written_since() {
        let mut map = Map::empty();
        map.place(0, unit(0, 1));
        map.place(1, unit(1, 3));
        map.write(Epoch(1), 0..200);
        map.write(Epoch(4), 130..140);
        map.suspect();
        assert!(map.written_in(Epoch(1), 0..128) && map.written_in(Epoch(4), 130..140));
        assert_eq!(runs(&map.written_since(Epoch(1))), [(128, 200)]);
        assert_eq!(runs(&map.valid()), [(0, 200)]);
    }

    #[test]
    fn layers_are_joined_that_no_snapshot_tells_apart() {
        let mut map = Map::empty();
        map.place(0, unit(0, 1));
        for epoch in 1..=6 {
            let page = u32::try_from(epoch).unwrap();
            map.write(Epoch(epoch), page..page + 1);
        }
        map.coalesce(&[Epoch(2), Epoch(5)]);
        assert_eq!(runs(&map.written_since(Epoch(2))), [(3, 7)]);
        assert_eq!(runs(&map.written_since(Epoch(5))), [(6, 7)]);
        assert_eq!(map.layers.len(), 3);
        assert_eq!(runs(&map.valid()), [(1, 7)]);
    }

    #[test]
    fn an_area_that_lives_at_home_takes_a_few_bytes() {
        let mut map = Map::empty();
        (0..AREA_UNITS).for_each(|number| map.place(number, unit(6400 + u64::from(number), 3)));
        map.write(Epoch(3), 0..AREA_PAGES);
        let record = map.encode();
        assert!(record.len() < 16, "{} bytes", record.len());
        assert_eq!(Map::decode(&record).unwrap(), map);
    }

    proptest! {
        #[test]
        fn maps_come_back_as_they_were(writes in prop::collection::vec((1..9_u64, 0..8100_u32, 1..90_u32), 0..20)) {
            let mut map = Map::empty();
            for (epoch, first, count) in writes {
                let range = first..first + count;
                for (number, _) in super::super::place::units(range.clone()) {
                    map.place(number, unit(epoch * 1000 + u64::from(number), epoch));
                }
                map.write(Epoch(epoch), range);
            }
            let record = map.encode();
            prop_assert_eq!(Map::decode(&record).unwrap(), map);
            prop_assert!(Map::decode(&record[..record.len() - 1]).is_err());
        }

        #[test]
        fn damaged_maps_are_errors_and_never_panics(mut record: Vec<u8>) {
            let _ = Map::decode(&record);
            record.insert(0, VERSION);
            let _ = Map::decode(&record);
        }
    }

    #[test]
    fn valid_pages_that_are_nowhere_are_damage() {
        let mut map = Map::empty();
        map.place(0, unit(0, 1));
        map.write(Epoch(1), 0..1);
        map.write(Epoch(1), 200..201);
        assert!(Map::decode(&map.encode()).is_err());
    }
}
