//! Writing pages of one area.
//!
//! # In place or aside
//! A unit's pages are written where the unit is, if that slot is the unit's own (no snapshot shares it). Otherwise the
//! unit moves: a new slot gets what is written and a copy of the other valid pages, and the map names it instead.
//!
//! A durable write of several pages must be seen after a crash with all of its pages in the area or with none. In
//! place, a power cut could tear it, so it moves the units of which a crash could show the old pages. Pages that
//! no crash can show, because no record names them as valid, are written in place even so: the one record that names
//! them comes after the sync, and it is one for the area. A durable write of a single page goes in place as well: a
//! device writes its sectors whole, and that is what a page is. So what fills a volume goes straight to its place;
//! only durable overwriting of several pages pays for a copy of its units.
//!
//! Rejected: a log of such writes, to be repeated after a crash. It halves what a small one costs, and then every
//! later flush, clear and release of a slot has to say to the log that it must not be repeated any more.
//!
//! # When it fails
//! Nothing of a new slot is seen. Pages in place are as they were or as they should be, so with "no space" their sums
//! are taken from the file again; any other error is final.

use super::area::{Area, Mark, State, Sums};
use super::files::together;
use super::map::Unit;
use super::place::{Part, UNIT_BYTES, UNIT_PAGES, bytes_of, offset_in_slot, unit_pages, units};
use super::record::{self, Head};
use super::volume::{Volume, lock, sums_of};
use crate::error::{EngineError, Result};
use crate::page::{Durable, PAGE_BYTES};
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;

/// What is to be written to one area.
struct Order<'a> {
    head: &'a Head,
    part: &'a Part,
    bytes: &'a Bytes,
    durable: Durable,
}

impl Order<'_> {
    /// Whether pages of a unit can be written where the unit is.
    fn fits(&self, state: &State, number: u32, unit: Unit, pages: &Range<u32>) -> bool {
        // All of it must be seen after a crash, or nothing.
        let atomic = self.durable == Durable::Now && self.part.pages.len() > 1;
        let torn = atomic && state.exposed(number, unit.slot, pages);
        !torn && !self.head.shares(unit.born)
    }
}

/// What becomes of a unit.
struct Move {
    unit: u32,
    /// The pages that are written, counted from the area's first.
    pages: Range<u32>,
    slot: u64,
    /// Whether the slot is new, and the sums of what is copied into it.
    fresh: Option<Vec<u32>>,
    /// The sums of what is written.
    sums: Vec<u32>,
}

/// What is written to the files: bytes from a place on, counting slots as if they were one behind the other.
struct Output {
    at: u64,
    parts: Vec<Bytes>,
    length: u64,
}

/// A write to one area, planned.
#[derive(Default)]
struct Plan {
    moves: Vec<Move>,
    outputs: Vec<Output>,
    /// Whether it is known that there is room for new slots.
    room: bool,
}

impl Plan {
    fn write(&mut self, slot: u64, page: u32, bytes: Bytes) {
        let at = slot * UNIT_BYTES as u64 + offset_in_slot(page);
        let length = bytes.len() as u64;
        match self.outputs.last_mut() {
            Some(last) if last.at + last.length == at && together(slot_of(last.at), slot) => {
                last.parts.push(bytes);
                last.length += length;
            }
            _ => self.outputs.push(Output { at, parts: vec![bytes], length }),
        }
    }
}

fn slot_of(at: u64) -> u64 {
    at / UNIT_BYTES as u64
}

impl Volume {
    /// Writes a part of an area. With [`Durable::Now`] it is in a state that the next flush makes durable as a whole.
    pub(super) fn write_part(&self, head: &Head, part: &Part, bytes: &Bytes, durable: Durable) -> Result<()> {
        self.ground.check()?;
        let area = self.area(part.area)?;
        let mut state = area.write();
        self.mark(head, &area, &mut state)?;
        self.write_locked(&Order { head, part, bytes, durable }, &area, &mut state)
    }

    /// As [`Volume::write_part`], if it is one write to a file and nothing else; false if it is not.
    pub(super) fn write_now(
        &self,
        head: &Head,
        part: &Part,
        bytes: &Bytes,
        durable: Durable,
    ) -> Result<bool> {
        let Some(area) = self.area_held(part.area) else { return Ok(false) };
        let Some(mut state) = area.try_write() else { return Ok(false) };
        let order = Order { head, part, bytes, durable };
        let steady = state.mark.is_some()
            && units(part.pages.clone()).all(|(number, pages)| {
                state.map.unit(number).is_some_and(|unit| {
                    order.fits(&state, number, unit, &pages) && state.sums.contains_key(&unit.slot)
                })
            });
        if steady {
            self.ground.check()?;
            self.write_locked(&order, &area, &mut state)?;
        }
        Ok(steady)
    }

    /// Sees to it that the area has a mark, before something is written to it.
    fn mark(&self, head: &Head, area: &Arc<Area>, state: &mut State) -> Result<()> {
        if state.mark.is_none() {
            let key = record::mark_key(self.id, area.index);
            self.ground.commit(self.id, vec![(key, Some(record::encode_mark(head.epoch)))])?;
            state.mark = Some(Mark { epoch: head.epoch, inherited: false });
            lock(&self.marks).insert(area.index, Arc::clone(area));
        }
        Ok(())
    }

    fn write_locked(&self, order: &Order<'_>, area: &Arc<Area>, state: &mut State) -> Result<()> {
        area.touch(self.tick());
        let mut plan = Plan::default();
        if let Err(error) = self.plan(order, state, &mut plan) {
            self.free_fresh(state, &plan.moves);
            return Err(error);
        }
        // Before anything is written, because this may fail for want of descriptors and nothing is wrong then.
        let ready = plan.outputs.iter().try_for_each(|output| self.files.prepare(slot_of(output.at)));
        if let Err(error) = ready {
            self.free_fresh(state, &plan.moves);
            return Err(self.ground.refused("opening a file of pages", error));
        }
        state.writes += 1;
        let written = plan.outputs.iter().try_for_each(|output| {
            let (slot, offset) = (slot_of(output.at), output.at % UNIT_BYTES as u64);
            let written = self.files.write(slot, offset, &output.parts);
            written.map_err(|error| self.ground.refused("writing pages", error))
        });
        match written {
            Ok(()) => {
                self.show(order, area, state, plan.moves);
                Ok(())
            }
            Err(error) => {
                self.free_fresh(state, &plan.moves);
                self.sum_again(state, &plan.moves)?;
                Err(error)
            }
        }
    }

    /// Plans the write. What was planned before an error is in the plan, so that it can be given back.
    fn plan(&self, order: &Order<'_>, state: &mut State, plan: &mut Plan) -> Result<()> {
        let mut rest = order.bytes.clone();
        for (number, pages) in units(order.part.pages.clone()) {
            let bytes = rest.split_to(bytes_of(pages.end - pages.start).min(rest.len()));
            let sums = sums_of(&bytes);
            let unit = state.map.unit(number);
            if let Some(unit) = unit.filter(|unit| order.fits(state, number, *unit, &pages)) {
                self.load_sums(order.head, state, unit)?;
                plan.write(unit.slot, pages.start, bytes);
                plan.moves.push(Move { unit: number, pages, slot: unit.slot, fresh: None, sums });
                continue;
            }
            if !plan.room {
                self.ground.check_room()?;
                plan.room = true;
            }
            let home = state.free_home(order.part.area, number);
            let slot = home.unwrap_or_else(|| lock(&self.spares).take());
            let fresh = Some(vec![0; UNIT_PAGES as usize]);
            plan.moves.push(Move { unit: number, pages: pages.clone(), slot, fresh, sums });
            let whole = unit_pages(number);
            self.copy(order.head, state, whole.start..pages.start, plan)?;
            plan.write(slot, pages.start, bytes);
            self.copy(order.head, state, pages.end..whole.end, plan)?;
        }
        Ok(())
    }

    /// Plans to copy those of these pages that are valid to where the last move takes their unit.
    fn copy(&self, head: &Head, state: &mut State, pages: Range<u32>, plan: &mut Plan) -> Result<()> {
        let Some((number, slot)) = plan.moves.last().map(|last| (last.unit, last.slot)) else {
            return Ok(());
        };
        let map = Arc::clone(&state.map);
        let Some(unit) = map.unit(number).filter(|_| map.touches(pages.clone())) else { return Ok(()) };
        self.load_sums(head, state, unit)?;
        for run in map.valid().runs(pages) {
            let mut buffer = vec![0; bytes_of(run.end - run.start)];
            let offset = offset_in_slot(run.start);
            let read = self.files.read(unit.slot, offset, &mut buffer);
            read.map_err(|error| self.unreadable(error, unit.slot))?;
            let sums = sums_of(&buffer);
            if !state.has_sums(unit.slot, run.start, &sums) {
                return Err(self.damaged("a page is not what was written", unit.slot));
            }
            if let Some(copied) = plan.moves.last_mut().and_then(|last| last.fresh.as_mut()) {
                put_sums(copied, run.start, &sums);
            }
            plan.write(slot, run.start, buffer.into());
        }
        Ok(())
    }

    /// Lets readers see what is written.
    fn show(&self, order: &Order<'_>, area: &Arc<Area>, state: &mut State, moves: Vec<Move>) {
        let (epoch, pages) = (order.head.epoch, &order.part.pages);
        let changed =
            moves.iter().any(|step| step.fresh.is_some()) || !state.map.written_in(epoch, pages.clone());
        let mut left = Vec::new();
        for step in moves {
            if let Some(copied) = step.fresh {
                left.extend(state.map.unit(step.unit).map(|unit| (step.unit, unit)));
                Arc::make_mut(&mut state.map).place(step.unit, Unit { slot: step.slot, born: epoch });
                state.sums.insert(step.slot, Sums { pages: copied, dirty: true });
            }
            if let Some(sums) = state.sums.get_mut(&step.slot) {
                put_sums(&mut sums.pages, step.pages.start, &step.sums);
                sums.dirty = true;
            }
        }
        if changed {
            Arc::make_mut(&mut state.map).write(epoch, pages.clone());
            lock(&self.dirty).insert(area.index, Arc::clone(area));
        }
        let unused = state.unused(left);
        self.free(state, &unused);
    }

    /// After a write that failed: nobody has seen the new slots.
    fn free_fresh(&self, state: &mut State, moves: &[Move]) {
        let fresh = moves.iter().filter(|step| step.fresh.is_some());
        fresh.for_each(|step| self.free(state, &[step.slot]));
    }

    /// After a write that failed: pages in place are what the file has.
    fn sum_again(&self, state: &mut State, moves: &[Move]) -> Result<()> {
        for step in moves.iter().filter(|step| step.fresh.is_none()) {
            for run in state.map.valid().runs(step.pages.clone()) {
                let mut buffer = vec![0; bytes_of(run.end - run.start)];
                let read = self.files.read(step.slot, offset_in_slot(run.start), &mut buffer);
                read.map_err(|error| self.ground.fail("reading after a write that failed", error))?;
                if let Some(sums) = state.sums.get_mut(&step.slot) {
                    put_sums(&mut sums.pages, run.start, &sums_of(&buffer));
                    sums.dirty = true;
                }
            }
        }
        Ok(())
    }
}

fn put_sums(sums: &mut [u32], page: u32, new: &[u32]) {
    let places = sums.iter_mut().skip((page % UNIT_PAGES) as usize);
    places.zip(new).for_each(|(place, sum)| *place = *sum);
}

impl State {
    /// Whether pages of a slot, from one on, have these sums.
    pub(super) fn has_sums(&self, slot: u64, page: u32, found: &[u32]) -> bool {
        let first = (page % UNIT_PAGES) as usize;
        let sums = self.sums.get(&slot).and_then(|sums| sums.pages.get(first..first + found.len()));
        sums == Some(found)
    }
}

/// One piece of all parts; without a copy if it is one already.
pub(super) fn whole(mut parts: Vec<Bytes>) -> Result<Bytes> {
    parts.retain(|part| !part.is_empty());
    match parts.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(EngineError::InvalidPageRange),
        many => Ok(many.concat().into()),
    }
}

const _: () = assert!(UNIT_BYTES.is_multiple_of(PAGE_BYTES));
