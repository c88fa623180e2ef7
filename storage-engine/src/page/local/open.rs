//! Opening a volume, at its first use.
//!
//! Reads its head, its marks, and over all its maps, to know which spare slots are taken. Maps are small (an area that
//! lives at home takes a dozen bytes), sums are not read, and of the files only the areas that a crash has left
//! marked, when they are used. In those, pages are taken as written that may have been: which of them were written in
//! place since the last commit is not known, and a difference must not miss one.
//!
//! A record says that the volume is open. If it is there already, the last process has not closed the volume, and may
//! have left bytes in slots that nothing names. Those are punched out.

use super::files::VolumeFiles;
use super::ground::Ground;
use super::map::Map;
use super::record::{self, FAMILY, Head};
use super::spares::Spares;
use super::volume::{Volume, joined};
use crate::error::{EngineError, Result};
use crate::meta::{Step, View, Weight};
use crate::page::{Epoch, VolumeId};
use std::collections::HashMap;
use std::sync::Arc;

/// What the records of a volume say.
struct Found {
    head: Head,
    open: bool,
    marks: HashMap<u32, Epoch>,
    /// Slots that maps name, rising.
    taken: Vec<u64>,
}

impl Volume {
    /// Opens a volume; not found if there is none, or if it has been deleted.
    pub(super) fn open(ground: &Arc<Ground>, id: VolumeId) -> Result<Self> {
        let found = ground.read(Weight::Scan, move |view| find(view, id))?;
        let found = found.filter(|found| !found.head.deleted).ok_or(EngineError::VolumeNotFound)?;
        if found.open {
            let files = VolumeFiles::new(Arc::clone(&ground.disk), Arc::clone(&ground.open_files), id);
            punch_unnamed(ground, &files, &found.taken)?;
        } else {
            ground.commit(id, vec![(record::open_key(id), Some(Vec::new()))])?;
        }
        let spares = Spares::without(&found.taken);
        let volume = Self::new(id, Arc::clone(ground), found.head, found.marks, spares);
        volume.adopt()?;
        Ok(volume)
    }

    /// A deleted volume, to remove what is left of it.
    pub(super) fn deleted(ground: &Arc<Ground>, id: VolumeId, head: Head) -> Self {
        Self::new(id, Arc::clone(ground), head, HashMap::new(), Spares::without(&[]))
    }

    /// Makes everything durable, and says that the volume was closed in order.
    pub(super) fn close(&self) -> Result<()> {
        if self.head_alone().deleted {
            // The next opening goes on removing it.
            return Ok(());
        }
        self.checkpoint(0)?;
        self.flush()?;
        self.ground.commit(self.id, vec![(record::open_key(self.id), None)])
    }
}

/// All volumes that have a head.
pub(super) fn heads(ground: &Ground) -> Result<Vec<(VolumeId, Head)>> {
    ground.read(Weight::Scan, |view| {
        let mut heads = Vec::new();
        view.scan(FAMILY, &[], None, &mut |key, value| {
            let (volume, is_head) = record::volume_of(key)?;
            if is_head {
                heads.push((volume, Head::decode(value)?));
            }
            Ok(volume.0.checked_add(1).map_or(Step::Stop, |next| Step::Seek(record::scope(VolumeId(next)))))
        })?;
        Ok(heads)
    })
}

fn find(view: &dyn View, id: VolumeId) -> Result<Option<Found>> {
    let Some(head) = view.get(FAMILY, &record::head_key(id))? else { return Ok(None) };
    let head = Head::decode(&head)?;
    let open = view.get(FAMILY, &record::open_key(id))?.is_some();
    let mut found = Found { head, open, marks: HashMap::new(), taken: Vec::new() };
    let (from, end) = record::mark_keys(id);
    view.scan(FAMILY, &from, Some(&end), &mut |key, value| {
        found.marks.insert(record::area_of(key)?.0, record::decode_mark(value)?);
        Ok(Step::Next)
    })?;
    let (from, end) = record::map_keys(id, 0..u32::MAX);
    view.scan(FAMILY, &from, Some(&end), &mut |_, value| {
        found.taken.extend(Map::decode(value)?.units().map(|(_, unit)| unit.slot));
        Ok(Step::Next)
    })?;
    found.taken.sort_unstable();
    found.taken.dedup();
    Ok(Some(found))
}

fn punch_unnamed(ground: &Ground, files: &VolumeFiles, taken: &[u64]) -> Result<()> {
    let refused = |error| ground.refused("giving space back", error);
    for file in files.slots().map_err(refused)? {
        let mut from = file.start;
        let runs = taken.iter().copied().filter(|slot| file.contains(slot)).fold(Vec::new(), joined);
        for run in runs.into_iter().chain(std::iter::once(file.end..file.end)) {
            if from < run.start {
                match files.punch(from..run.start).map_err(refused) {
                    Err(EngineError::NoSpace) => {}
                    other => other?,
                }
            }
            from = run.end;
        }
    }
    Ok(())
}
