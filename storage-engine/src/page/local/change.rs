//! What changes a volume as a whole: snapshots, its size, its end; and tidying up behind them.
//!
//! Each is one commit of the head, whatever the volume's size, and that commit is when it takes effect. What it leaves
//! behind stands in the head as a flag until it is removed: maps that only a deleted snapshot needed (`littered`),
//! pages behind a new end (`ragged`), or everything (`deleted`). A volume that is opened with a flag goes on with it.

use super::ground::Changes;
use super::map::Map;
use super::record::{self, FAMILY, Head};
use super::volume::{Volume, lock};
use crate::error::{EngineError, Result};
use crate::meta::{Step, Weight};
use crate::page::{Epoch, PageRange, VOLUME_BYTES_MAX};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Records that tidying up removes at a time.
const RECORDS_MAX: usize = 256;

/// The maps of an area that no snapshot needs.
type Dead = BTreeMap<u32, Vec<(Epoch, Map)>>;

impl Volume {
    pub(super) fn snapshot(&self) -> Result<Epoch> {
        // Most of the work before others have to wait for it.
        self.flush()?;
        let _flushing = lock(&self.flushing);
        let mut head = self.head_alone();
        if head.deleted {
            return Err(EngineError::VolumeNotFound);
        }
        self.flush_locked(&head)?;
        let epoch = head.epoch;
        self.change_head(&mut head, |head| {
            head.snapshots.push((epoch, head.size));
            head.epoch = Epoch(epoch.0 + 1);
        })?;
        Ok(epoch)
    }

    /// Takes a snapshot off the list. True if there is something to tidy up.
    pub(super) fn delete_snapshot(&self, epoch: Epoch) -> Result<bool> {
        let _flushing = lock(&self.flushing);
        let mut head = self.head_alone();
        if head.deleted {
            return Err(EngineError::VolumeNotFound);
        }
        if head.size_of(epoch).is_none() {
            return Ok(false);
        }
        self.change_head(&mut head, |head| {
            head.snapshots.retain(|(other, _)| *other != epoch);
            head.littered = true;
        })?;
        Ok(true)
    }

    pub(super) fn resize(&self, size: u64) -> Result<()> {
        let _resizing = lock(&self.resizing);
        // What a cut has left behind the end must be gone before the end moves over it.
        self.trim()?;
        {
            let _flushing = lock(&self.flushing);
            let mut head = self.head_alone();
            if head.deleted {
                return Err(EngineError::VolumeNotFound);
            }
            let cut = size < head.size;
            self.change_head(&mut head, |head| {
                head.size = size;
                head.ragged |= cut;
            })?;
        }
        match self.trim() {
            // The volume has its new size; the next resize or opening goes on.
            Err(EngineError::NoSpace) => Ok(()),
            other => other,
        }
    }

    /// Clears what is behind the end, if a cut has left something there. The caller keeps the size from changing.
    pub(super) fn trim(&self) -> Result<()> {
        let (size, ragged) = {
            let head = self.head()?;
            (head.size, head.ragged)
        };
        if !ragged {
            return Ok(());
        }
        if size < VOLUME_BYTES_MAX {
            self.clear(PageRange::new(size, VOLUME_BYTES_MAX - size)?)?;
        }
        let _flushing = lock(&self.flushing);
        let mut head = self.head_alone();
        if head.deleted {
            return Err(EngineError::VolumeNotFound);
        }
        self.flush_locked(&head)?;
        self.change_head(&mut head, |head| head.ragged = false)
    }

    /// Ends the volume; what is left of it is nobody's. Does nothing if that was done.
    pub(super) fn delete(&self) -> Result<()> {
        let _flushing = lock(&self.flushing);
        let mut head = self.head_alone();
        if !head.deleted {
            self.change_head(&mut head, |head| head.deleted = true)?;
            self.forget();
        }
        Ok(())
    }

    /// Removes some of what is left of a deleted volume. Files first, so that no file is left without a record that
    /// tells of it.
    pub(super) fn remove_some(&self) -> Result<ControlFlow<()>> {
        let _flushing = lock(&self.flushing);
        self.ground.check()?;
        self.files.remove().map_err(|error| self.ground.refused("removing a volume", error))?;
        let (from, end) = record::keys_behind_head(self.id);
        let keys = self.ground.read(Weight::Scan, move |view| {
            let mut keys = Vec::new();
            view.scan(FAMILY, &from, end.as_deref(), &mut |key, _| {
                keys.push(key.to_vec());
                Ok(if keys.len() < RECORDS_MAX { Step::Next } else { Step::Stop })
            })?;
            Ok(keys)
        })?;
        let last = keys.len() < RECORDS_MAX;
        let mut changes: Changes = keys.into_iter().map(|key| (key, None)).collect();
        if last {
            changes.push((record::head_key(self.id), None));
        }
        self.ground.commit(self.id, changes)?;
        Ok(if last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Removes maps that no snapshot needs any more, and gives back what only they named; or stops when told to.
    pub(super) fn tidy(&self, stop: &dyn Fn() -> bool) -> Result<()> {
        loop {
            let seen = self.head()?.epochs();
            let mut from = Some(0);
            while let Some(area) = from {
                if stop() || !self.head()?.littered {
                    return Ok(());
                }
                from = self.tidy_some(area)?;
            }
            let _flushing = lock(&self.flushing);
            let mut head = self.head_alone();
            // Another snapshot was deleted meanwhile: behind where we were, perhaps.
            if !head.deleted && seen.iter().all(|epoch| head.size_of(*epoch).is_some()) {
                return self.change_head(&mut head, |head| head.littered = false);
            }
        }
    }

    /// Tidies up some areas from one on; gives where to go on.
    fn tidy_some(&self, from: u32) -> Result<Option<u32>> {
        let _flushing = lock(&self.flushing);
        let head = self.head()?;
        let (dead, next) = self.dead(&head, from)?;
        if dead.is_empty() {
            return Ok(next);
        }
        let keys = dead.iter().flat_map(|(area, maps)| maps.iter().map(|(epoch, _)| (*area, *epoch)));
        let keys: Changes = keys.map(|(area, epoch)| (record::map_key(self.id, area, epoch), None)).collect();
        // Before the commit, so that they count what is about to go.
        let areas = dead.keys().map(|area| self.area(*area)).collect::<Result<Vec<_>>>()?;
        self.ground.commit(self.id, keys)?;
        for (area, maps) in areas.iter().zip(dead.into_values()) {
            let mut state = area.write();
            for (_, map) in &maps {
                state.let_go(map);
            }
            let unused = state.unused(maps.iter().flat_map(|(_, map)| map.units()));
            self.free(&mut state, &unused);
        }
        Ok(next)
    }

    fn dead(&self, head: &Head, from: u32) -> Result<(Dead, Option<u32>)> {
        let (snapshots, keys) = (head.epochs(), record::map_keys(self.id, from..u32::MAX));
        self.ground.read(Weight::Scan, move |view| {
            let (mut dead, mut next, mut visited) = (Dead::new(), None, 0_usize);
            let mut before: Option<(u32, Epoch, Vec<u8>)> = None;
            view.scan(FAMILY, &keys.0, Some(&keys.1), &mut |key, value| {
                let (area, Some(epoch)) = record::area_of(key)? else { return Ok(Step::Next) };
                visited += 1;
                let needed = |old: Epoch| snapshots.iter().any(|end| (old..epoch).contains(end));
                match before.take().filter(|(other, ..)| *other == area) {
                    Some((_, old, map)) if !needed(old) => {
                        dead.entry(area).or_default().push((old, Map::decode(&map)?));
                    }
                    None if visited > RECORDS_MAX => {
                        next = Some(area);
                        return Ok(Step::Stop);
                    }
                    _ => {}
                }
                before = Some((area, epoch, value.to_vec()));
                Ok(Step::Next)
            })?;
            Ok((dead, next))
        })
    }
}
