//! Volumes in memory, for tests: the contract in its plainest form.
//!
//! A state of a volume is a map of its valid pages, each with the epoch in which it was written; a snapshot is a
//! copy of that map, so nothing is shared that could leak from one to the other. Every operation happens inside
//! its call. What a power cut would leave is a second map, and [`MemoryPages::crash`] gives a store of those: it
//! forgets *everything* that was not made durable, the least that the contract allows, so that a caller who
//! forgot to flush finds out.

use super::{
    Durable, Epoch, Inspection, Moment, PAGE_BYTES, PageRange, PageStore, Run, Runs, VolumeId, check_size,
};
use crate::chunk::StoreFuture;
use crate::error::{EngineError, Result};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const PAGE: u64 = PAGE_BYTES as u64;

/// Volumes in memory.
#[derive(Debug, Default)]
pub struct MemoryPages {
    volumes: Mutex<BTreeMap<VolumeId, Volume>>,
}

#[derive(Debug, Clone)]
struct Volume {
    latest: Image,
    /// What is left of `latest` after a power cut.
    durable: Image,
    snapshots: BTreeMap<Epoch, Image>,
    /// The epoch that runs: what the next snapshot will be called.
    epoch: Epoch,
}

#[derive(Debug, Clone)]
struct Image {
    size: u64,
    /// Valid pages by offset in bytes.
    pages: BTreeMap<u64, Page>,
}

#[derive(Debug, Clone)]
struct Page {
    bytes: Bytes,
    written: Epoch,
}

impl MemoryPages {
    /// A store without volumes.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// How many volumes there are.
    pub fn count(&self) -> usize {
        self.volumes().len()
    }

    /// How many snapshots there are, of all volumes.
    pub fn snapshots(&self) -> usize {
        self.volumes().values().map(|volume| volume.snapshots.len()).sum()
    }

    /// A store of what a power cut would leave of this one.
    pub fn crash(&self) -> Arc<Self> {
        let mut volumes = self.volumes().clone();
        for volume in volumes.values_mut() {
            volume.latest = volume.durable.clone();
        }
        Arc::new(Self { volumes: Mutex::new(volumes) })
    }

    fn volumes(&self) -> MutexGuard<'_, BTreeMap<VolumeId, Volume>> {
        self.volumes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with a volume, at once.
    fn with<T: Send + 'static>(
        &self,
        volume: VolumeId,
        act: impl FnOnce(&mut Volume) -> Result<T>,
    ) -> StoreFuture<T> {
        done(self.volumes().get_mut(&volume).ok_or(EngineError::VolumeNotFound).and_then(act))
    }
}

fn done<T: Send + 'static>(outcome: Result<T>) -> StoreFuture<T> {
    Box::pin(std::future::ready(outcome))
}

impl Volume {
    fn new(size: u64) -> Self {
        let image = Image { size, pages: BTreeMap::new() };
        Self { latest: image.clone(), durable: image, snapshots: BTreeMap::new(), epoch: Epoch(1) }
    }

    fn at(&self, moment: Moment) -> Result<&Image> {
        match moment {
            Moment::Latest => Ok(&self.latest),
            Moment::Snapshot(epoch) => self.snapshots.get(&epoch).ok_or(EngineError::VolumeNotFound),
        }
    }

    /// The snapshot to compare with, which must not be newer than what is compared.
    fn since(&self, epoch: Epoch, at: Moment) -> Result<(Epoch, &Image)> {
        match at {
            Moment::Snapshot(at) if epoch > at => Err(EngineError::VolumeNotFound),
            _ => Ok((epoch, self.at(Moment::Snapshot(epoch))?)),
        }
    }

    fn change(&mut self, durable: Durable, change: impl Fn(&mut Image)) {
        change(&mut self.latest);
        if durable == Durable::Now {
            change(&mut self.durable);
        }
    }

    fn write(&mut self, range: PageRange, bytes: &Bytes, durable: Durable) {
        let written = self.epoch;
        self.change(durable, |image| {
            let mut rest = bytes.clone();
            for offset in offsets(range) {
                image.pages.insert(offset, Page { bytes: rest.split_to(PAGE_BYTES), written });
            }
        });
    }

    fn snapshot(&mut self) -> Epoch {
        let epoch = self.epoch;
        self.durable = self.latest.clone();
        self.snapshots.insert(epoch, self.latest.clone());
        self.epoch = Epoch(epoch.0 + 1);
        epoch
    }
}

impl Image {
    fn clear(&mut self, from: u64, end: u64) {
        self.pages.retain(|offset, _| *offset < from || *offset >= end);
    }

    fn resize(&mut self, size: u64) {
        self.clear(size, u64::MAX);
        self.size = size;
    }

    fn read(&self, range: PageRange) -> Bytes {
        let mut read = BytesMut::new();
        for offset in offsets(range) {
            match self.pages.get(&offset) {
                Some(page) => read.extend_from_slice(&page.bytes),
                None => read.resize(read.len() + PAGE_BYTES, 0),
            }
        }
        read.freeze()
    }

    /// Which pages inside `within` are to be told of, and whether they are valid.
    fn marks(&self, since: Option<(Epoch, &Self)>, within: PageRange) -> BTreeMap<u64, bool> {
        let mut marks = BTreeMap::new();
        let end = within.end().min(self.size);
        if let Some((_, old)) = since {
            let gone = old.pages.keys().filter(|offset| !self.pages.contains_key(offset));
            marks.extend(gone.map(|offset| (*offset, false)));
        }
        let new = |page: &Page| since.is_none_or(|(epoch, _)| page.written > epoch);
        marks.extend(self.pages.iter().filter(|(_, page)| new(page)).map(|(offset, _)| (*offset, true)));
        marks.retain(|offset, _| (within.offset()..end).contains(offset));
        marks
    }
}

/// Where the pages of `range` begin.
fn offsets(range: PageRange) -> impl Iterator<Item = u64> {
    (range.offset()..range.end()).step_by(PAGE_BYTES)
}

/// The first `runs_max` runs of marked pages.
fn gather(marks: BTreeMap<u64, bool>, runs_max: NonZeroUsize) -> Result<Runs> {
    let mut runs: Vec<Run> = Vec::new();
    for (offset, valid) in marks {
        let full = runs.len() == runs_max.get();
        match runs.last_mut() {
            Some(last) if last.valid == valid && last.range.end() == offset => {
                last.range = PageRange::new(last.range.offset(), last.range.length() + PAGE)?;
            }
            _ if full => return Ok(Runs { runs, next: Some(offset) }),
            _ => runs.push(Run { range: PageRange::new(offset, PAGE)?, valid }),
        }
    }
    Ok(Runs { runs, next: None })
}

impl PageStore for MemoryPages {
    fn create(&self, volume: VolumeId, size: u64) -> StoreFuture<()> {
        done(check_size(size).map(|()| {
            self.volumes().entry(volume).or_insert_with(|| Volume::new(size));
        }))
    }

    fn inspect(&self, volume: VolumeId) -> StoreFuture<Inspection> {
        self.with(volume, |volume| {
            let snapshots = volume.snapshots.keys().copied().collect();
            Ok(Inspection { size: volume.latest.size, snapshots })
        })
    }

    fn resize(&self, volume: VolumeId, size: u64) -> StoreFuture<()> {
        self.with(volume, |volume| {
            check_size(size)?;
            volume.change(Durable::Now, |image| image.resize(size));
            Ok(())
        })
    }

    fn delete(&self, volume: VolumeId) -> StoreFuture<()> {
        self.volumes().remove(&volume);
        done(Ok(()))
    }

    fn write(&self, volume: VolumeId, offset: u64, parts: Vec<Bytes>, durable: Durable) -> StoreFuture<()> {
        self.with(volume, |volume| {
            let range = PageRange::of_parts(offset, &parts)?.inside(volume.latest.size)?;
            volume.write(range, &Bytes::from(parts.concat()), durable);
            Ok(())
        })
    }

    fn clear(&self, volume: VolumeId, range: PageRange, durable: Durable) -> StoreFuture<()> {
        self.with(volume, |volume| {
            range.inside(volume.latest.size)?;
            volume.change(durable, |image| image.clear(range.offset(), range.end()));
            Ok(())
        })
    }

    fn read(&self, volume: VolumeId, at: Moment, range: PageRange) -> StoreFuture<Bytes> {
        self.with(volume, |volume| {
            let image = volume.at(at)?;
            Ok(image.read(range.transferable()?.inside(image.size)?))
        })
    }

    fn flush(&self, volume: VolumeId) -> StoreFuture<()> {
        self.with(volume, |volume| {
            volume.durable = volume.latest.clone();
            Ok(())
        })
    }

    fn snapshot(&self, volume: VolumeId) -> StoreFuture<Epoch> {
        self.with(volume, |volume| Ok(volume.snapshot()))
    }

    fn delete_snapshot(&self, volume: VolumeId, epoch: Epoch) -> StoreFuture<()> {
        self.with(volume, |volume| {
            volume.snapshots.remove(&epoch);
            Ok(())
        })
    }

    fn runs(
        &self,
        volume: VolumeId,
        since: Option<Epoch>,
        at: Moment,
        within: PageRange,
        runs_max: NonZeroUsize,
    ) -> StoreFuture<Runs> {
        self.with(volume, |volume| {
            let old = since.map(|epoch| volume.since(epoch, at)).transpose()?;
            gather(volume.at(at)?.marks(old, within), runs_max)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance::{Fixture, conforms};
    use super::*;

    impl Fixture for Arc<MemoryPages> {
        fn store(&self) -> Arc<dyn PageStore> {
            Arc::clone(self) as Arc<dyn PageStore>
        }

        fn crash(&mut self) {
            *self = MemoryPages::crash(self);
        }
    }

    #[test]
    fn volumes_in_memory_do_what_every_store_must() {
        conforms(MemoryPages::new);
    }
}
