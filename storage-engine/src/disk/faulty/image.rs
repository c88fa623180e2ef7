//! One file of a faulty disk: what programs see of it, and what the device holds.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};

/// What a device writes whole.
const SECTOR_BYTES: usize = 512;

/// A file's bytes as programs see them, as the device holds them, and where the two may differ.
#[derive(Debug, Default)]
pub(super) struct Image {
    seen: Vec<u8>,
    held: Vec<u8>,
    /// Numbers of the sectors that were changed since the last sync.
    changed: BTreeSet<usize>,
}

impl Image {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.seen
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        let first = position(offset);
        let end = first + bytes.len();
        if self.seen.len() < end {
            self.seen.resize(end, 0);
        }
        if let Some(place) = self.seen.get_mut(first..end) {
            place.copy_from_slice(bytes);
        }
        self.touch(first, end);
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let first = position(offset);
        let found = self.seen.get(first..first + buffer.len()).ok_or(ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(found);
        Ok(())
    }

    pub(super) fn punch(&mut self, offset: u64, len: u64) {
        let first = position(offset).min(self.seen.len());
        let end = position(offset.saturating_add(len)).min(self.seen.len());
        if let Some(place) = self.seen.get_mut(first..end) {
            place.fill(0);
        }
        self.touch(first, end);
    }

    pub(super) fn set_len(&mut self, len: u64) {
        let old = self.seen.len();
        self.seen.resize(position(len), 0);
        self.touch(old.min(position(len)), old.max(position(len)));
    }

    pub(super) fn sync(&mut self) {
        self.held.resize(self.seen.len(), 0);
        for sector in std::mem::take(&mut self.changed) {
            copy_sector(&self.seen, &mut self.held, sector);
        }
    }

    /// The file after a power cut; `keep` decides for the length and for each unsynced sector.
    pub(super) fn survivor(&self, keep: &mut impl FnMut() -> bool) -> Self {
        let mut held = self.held.clone();
        if self.seen.len() != held.len() && keep() {
            held.resize(self.seen.len(), 0);
        }
        for sector in &self.changed {
            if keep() {
                copy_sector(&self.seen, &mut held, *sector);
            }
        }
        Self { seen: held.clone(), held, changed: BTreeSet::new() }
    }

    fn touch(&mut self, first: usize, end: usize) {
        self.changed.extend(first / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES));
    }
}

/// Copies what both have of a sector.
fn copy_sector(from: &[u8], to: &mut [u8], sector: usize) {
    let first = sector * SECTOR_BYTES;
    let end = (first + SECTOR_BYTES).min(from.len()).min(to.len());
    if let (Some(from), Some(to)) = (from.get(first..end), to.get_mut(first..end)) {
        to.copy_from_slice(from);
    }
}

/// How much of a write that fails is done: half of it, in whole sectors where it has any.
pub(super) fn half(offset: u64, length: usize) -> usize {
    let end = position(offset) + length / 2;
    let whole = (end - end % SECTOR_BYTES).saturating_sub(position(offset));
    if length < SECTOR_BYTES { length / 2 } else { whole }
}

fn position(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
