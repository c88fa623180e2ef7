//! Going over a volume's areas: clearing a range, and listing runs.
//!
//! A volume is mostly nothing, so what is gone over is the areas that have records and those in memory, a bounded
//! number at a time. Those in memory are noted first: what is not among them then is as its records say, and one
//! that changes afterwards is held, so it is not forgotten meanwhile.

use super::area::Area;
use super::bits::Pages;
use super::map::Map;
use super::place::{AREA, Part, bytes_of, number, parts};
use super::record::{self, FAMILY, Head};
use super::volume::{Volume, lock};
use crate::error::{EngineError, Result};
use crate::meta::{Step, Weight};
use crate::page::{Epoch, Moment, PageRange, Run, Runs};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

/// Areas that are gone over at a time.
const AREAS_MAX: usize = 256;

/// The maps of an area at the later moment and at the earlier one.
type Pair = (Arc<Map>, Option<Arc<Map>>);

impl Volume {
    /// Makes pages invalid. What that changes is in the maps; a flush makes it durable.
    pub(super) fn clear(&self, range: PageRange) -> Result<()> {
        let mut areas = areas_of(range);
        while !areas.is_empty() {
            let held = self.areas_held(areas.clone());
            let (mut found, next) = self.recorded_areas(areas.clone())?;
            found.extend(held.iter().map(|area| area.index).filter(|area| *area < next));
            for part in found.iter().filter_map(|area| part_of(range, *area)) {
                self.clear_part(&part)?;
            }
            areas.start = next;
            if !areas.is_empty() || lock(&self.dirty).len() > AREAS_MAX {
                // Earlier than anybody asked for, so that memory is bounded.
                self.flush_changes()?;
            }
        }
        Ok(())
    }

    /// A flush that also the remains of a cut may ask for.
    fn flush_changes(&self) -> Result<()> {
        let _flushing = lock(&self.flushing);
        let head = self.head()?;
        self.flush_locked(&head)
    }

    fn clear_part(&self, part: &Part) -> Result<()> {
        self.ground.check()?;
        let _head = self.head()?;
        let area = self.area(part.area)?;
        let mut state = area.write();
        if !state.map.touches(part.pages.clone()) {
            return Ok(());
        }
        let before = Arc::clone(&state.map);
        Arc::make_mut(&mut state.map).clear(part.pages.clone());
        lock(&self.dirty).insert(area.index, Arc::clone(&area));
        let unused = state.unused(before.units());
        self.free(&mut state, &unused);
        Ok(())
    }

    /// The areas of a range that have records, up to a number of them; and the area from which on there may be more.
    fn recorded_areas(&self, areas: Range<u32>) -> Result<(BTreeSet<u32>, u32)> {
        let ((from, end), id) = (record::map_keys(self.id, areas.clone()), self.id);
        self.ground.read(Weight::Scan, move |view| {
            let (mut found, mut next) = (BTreeSet::new(), areas.end);
            view.scan(FAMILY, &from, Some(&end), &mut |key, _| {
                let (area, _) = record::area_of(key)?;
                if found.len() == AREAS_MAX {
                    next = area;
                    return Ok(Step::Stop);
                }
                found.insert(area);
                Ok(Step::Seek(record::map_keys(id, area + 1..area + 1).0))
            })?;
            Ok((found, next))
        })
    }

    /// See [`crate::page::PageStore::runs`].
    pub(super) fn runs(
        &self,
        head: &Head,
        since: Option<Epoch>,
        at: Moment,
        within: PageRange,
        runs_max: NonZeroUsize,
    ) -> Result<Runs> {
        let end = match at {
            Moment::Latest => head.size,
            Moment::Snapshot(epoch) => size_of(head, epoch)?,
        };
        if let Some(since) = since {
            size_of(head, since)?;
            if matches!(at, Moment::Snapshot(at) if since > at) {
                return Err(EngineError::VolumeNotFound);
            }
        }
        let nothing = Runs { runs: Vec::new(), next: None };
        let Some(length) = within.end().min(end).checked_sub(within.offset()).filter(|length| *length > 0)
        else {
            return Ok(nothing);
        };
        let within = PageRange::new(within.offset(), length)?;
        let (pairs, next) = self.pairs(since, at, areas_of(within))?;
        let mut gathered = Gathered { runs: Vec::new(), runs_max: runs_max.get() };
        for (area, (map, old)) in pairs {
            let Some(part) = part_of(within, area) else { continue };
            let old = since.zip(old.as_deref());
            let (written, gone) = map.changes(old);
            if let Some(next) = gathered.add(&part, &written, &gone)? {
                return Ok(Runs { runs: gathered.runs, next: Some(next) });
            }
        }
        let next = Some(u64::from(next) * AREA).filter(|next| *next < within.end());
        Ok(Runs { runs: gathered.runs, next })
    }

    /// The maps of areas at two moments, for as many areas as are gone over at a time; and the area that is next.
    fn pairs(
        &self,
        since: Option<Epoch>,
        at: Moment,
        areas: Range<u32>,
    ) -> Result<(BTreeMap<u32, Pair>, u32)> {
        let held: Vec<Arc<Area>> = match at {
            Moment::Latest => self.areas_held(areas.clone()),
            Moment::Snapshot(_) => Vec::new(),
        };
        let (mut pairs, next) = self.recorded_pairs(since, at, areas)?;
        for area in held.into_iter().filter(|area| area.index < next) {
            let map = Arc::clone(&area.read().map);
            let nothing = || (Arc::new(Map::empty()), since.map(|_| Arc::new(Map::empty())));
            pairs.entry(area.index).or_insert_with(nothing).0 = map;
        }
        Ok((pairs, next))
    }

    fn recorded_pairs(
        &self,
        since: Option<Epoch>,
        at: Moment,
        areas: Range<u32>,
    ) -> Result<(BTreeMap<u32, Pair>, u32)> {
        let last = match at {
            Moment::Latest => Epoch(u64::MAX),
            Moment::Snapshot(epoch) => epoch,
        };
        let (from, end) = record::map_keys(self.id, areas.clone());
        self.ground.read(Weight::Scan, move |view| {
            let mut next = areas.end;
            let mut pairs: BTreeMap<u32, Pair> = BTreeMap::new();
            view.scan(FAMILY, &from, Some(&end), &mut |key, value| {
                let (area, epoch) = record::area_of(key)?;
                if !pairs.contains_key(&area) && pairs.len() == AREAS_MAX {
                    next = area;
                    return Ok(Step::Stop);
                }
                let epoch = epoch.filter(|epoch| *epoch <= last);
                if let Some(epoch) = epoch {
                    let map = Arc::new(Map::decode(value)?);
                    let nothing = || (Arc::new(Map::empty()), since.map(|_| Arc::new(Map::empty())));
                    let pair = pairs.entry(area).or_insert_with(nothing);
                    if let Some(old) = pair.1.as_mut().filter(|_| since.is_some_and(|since| epoch <= since)) {
                        *old = Arc::clone(&map);
                    }
                    pair.0 = map;
                }
                Ok(Step::Next)
            })?;
            Ok((pairs, next))
        })
    }
}

fn size_of(head: &Head, snapshot: Epoch) -> Result<u64> {
    head.size_of(snapshot).ok_or(EngineError::VolumeNotFound)
}

fn areas_of(range: PageRange) -> Range<u32> {
    number(range.offset() / AREA)..number(range.end().div_ceil(AREA))
}

/// The part of a range that is in an area.
fn part_of(range: PageRange, area: u32) -> Option<Part> {
    let first = u64::from(area) * AREA;
    let from = range.offset().max(first);
    let length = range.end().min(first + AREA).checked_sub(from)?;
    parts(PageRange::new(from, length).ok()?).next()
}

/// Runs that are found, by offset.
struct Gathered {
    runs: Vec<Run>,
    runs_max: usize,
}

impl Gathered {
    /// Adds the pages of an area; gives the byte of the first that is one run too many.
    fn add(&mut self, part: &Part, written: &Pages, gone: &Pages) -> Result<Option<u64>> {
        let mut runs: Vec<(Range<u32>, bool)> = written
            .runs(part.pages.clone())
            .map(|run| (run, true))
            .chain(gone.runs(part.pages.clone()).map(|run| (run, false)))
            .collect();
        runs.sort_unstable_by_key(|(run, _)| run.start);
        for (pages, valid) in runs {
            let offset = u64::from(part.area) * AREA + bytes_of(pages.start) as u64;
            let range = PageRange::new(offset, bytes_of(pages.end - pages.start) as u64)?;
            let full = self.runs.len() == self.runs_max;
            match self.runs.last_mut() {
                Some(last) if last.valid == valid && last.range.end() == offset => {
                    last.range = PageRange::new(last.range.offset(), last.range.length() + range.length())?;
                }
                _ if full => return Ok(Some(offset)),
                _ => self.runs.push(Run { range, valid }),
            }
        }
        Ok(None)
    }
}
