//! A volume's files: where its slots' bytes are.
//!
//! `pages/<volume>-<number>.pages`, both in hexadecimal (32 and 4 digits): slots `number * FILE_SLOTS` and on, 64 KiB
//! each, nothing else. The files are sparse and have no header: a unit at home is then where it is in the volume, and
//! aligned. What tells the bytes' meaning, version and sums are records; without them the files mean nothing.
//!
//! A file is created by the first write into it, so a volume that nobody writes has none. All volumes of a store share
//! one bounded set of open files.

use super::place::{FILE_SLOTS, UNIT_BYTES};
use crate::disk::handles::Handles;
use crate::disk::{Disk, DiskFile, layout};
use crate::page::VolumeId;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The folder of all volumes' files.
pub(super) fn folder() -> &'static Path {
    Path::new(layout::PAGES)
}

fn path(volume: VolumeId, number: u64) -> PathBuf {
    folder().join(format!("{:032x}-{number:04x}.pages", volume.0))
}

/// The number of a file, if it is one of the volume's.
fn parse(volume: VolumeId, name: &Path) -> Option<u64> {
    let (id, rest) = name.to_str()?.split_once('-')?;
    let number = u64::from_str_radix(rest.strip_suffix(".pages")?, 16).ok()?;
    (u128::from_str_radix(id, 16) == Ok(volume.0) && path(volume, number).file_name()? == name)
        .then_some(number)
}

/// Files of all volumes of a store that are held open, by volume and number.
pub(super) type OpenFiles = Arc<Mutex<Handles<(VolumeId, u64)>>>;

/// The files of one volume.
#[derive(Debug)]
pub(super) struct VolumeFiles {
    disk: Arc<dyn Disk>,
    volume: VolumeId,
    open: OpenFiles,
    unsynced: Mutex<Unsynced>,
}

/// What was written since the last sync began.
#[derive(Debug, Default)]
struct Unsynced {
    files: BTreeMap<u64, Arc<dyn DiskFile>>,
    names: bool,
}

/// The file of a slot, and the slot's first byte in it.
fn position(slot: u64) -> (u64, u64) {
    (slot / FILE_SLOTS, slot % FILE_SLOTS * UNIT_BYTES as u64)
}

/// Whether two slots are in one file.
pub(super) fn together(one: u64, other: u64) -> bool {
    position(one).0 == position(other).0
}

impl VolumeFiles {
    pub(super) fn new(disk: Arc<dyn Disk>, open: OpenFiles, volume: VolumeId) -> Self {
        Self { disk, volume, open, unsynced: Mutex::default() }
    }

    /// Writes into a slot and those behind it in its file, from `offset` in the slot on. The next sync covers it.
    pub(super) fn write(&self, slot: u64, offset: u64, parts: &[Bytes]) -> io::Result<()> {
        let (number, first) = position(slot);
        let file = self.file_or_new(number)?;
        // Noted only afterwards: noted before, a sync under way could take the note and miss the bytes.
        let outcome = file.write_at(parts, first + offset);
        self.unsynced().files.entry(number).or_insert(file);
        outcome
    }

    pub(super) fn read(&self, slot: u64, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let (number, first) = position(slot);
        self.file(number)?.read_at(buffer, first + offset)
    }

    /// As [`VolumeFiles::read`], but false if that would mean to wait.
    pub(super) fn read_cached(&self, slot: u64, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        let (number, first) = position(slot);
        let file = self.open().find((self.volume, number));
        file.map_or(Ok(false), |file| file.read_cached(buffer, first + offset))
    }

    /// Gives the space of slots back. Where the file system cannot, they keep it.
    pub(super) fn punch(&self, slots: Range<u64>) -> io::Result<()> {
        let mut from = slots.start;
        while from < slots.end {
            let (number, first) = position(from);
            let end = slots.end.min((number + 1) * FILE_SLOTS);
            let bytes = (end - from) * UNIT_BYTES as u64;
            from = end;
            let punched = self.file(number).and_then(|file| {
                let held = file.len()?.saturating_sub(first).min(bytes);
                if held > 0 { file.punch(first, held) } else { Ok(()) }
            });
            match punched {
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unsupported) => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Sees to it that the file of a slot is there and can be written.
    pub(super) fn prepare(&self, slot: u64) -> io::Result<()> {
        self.file_or_new(position(slot).0).map(drop)
    }

    /// Lets go of what was written, of which nobody asks that it be durable.
    pub(super) fn forget_unsynced(&self) {
        *self.unsynced() = Unsynced::default();
    }

    /// Makes all that was written durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        let unsynced = std::mem::take(&mut *self.unsynced());
        unsynced.files.values().try_for_each(|file| file.sync_data())?;
        if unsynced.names { self.disk.sync_dir(folder()) } else { Ok(()) }
    }

    /// The slots that the files have room for.
    pub(super) fn slots(&self) -> io::Result<Vec<Range<u64>>> {
        let mut ranges = Vec::new();
        for number in self.numbers()? {
            let first = number * FILE_SLOTS;
            ranges.push(first..first + self.file(number)?.len()?.div_ceil(UNIT_BYTES as u64));
        }
        Ok(ranges)
    }

    /// Removes the files, durably.
    pub(super) fn remove(&self) -> io::Result<()> {
        self.open().remove_if(|(volume, _)| volume == self.volume);
        *self.unsynced() = Unsynced::default();
        for number in self.numbers()? {
            self.disk.remove(&path(self.volume, number))?;
        }
        self.disk.sync_dir(folder())
    }

    fn numbers(&self) -> io::Result<Vec<u64>> {
        Ok(self.disk.list(folder())?.iter().filter_map(|name| parse(self.volume, name)).collect())
    }

    fn file(&self, number: u64) -> io::Result<Arc<dyn DiskFile>> {
        let mut open = self.open();
        if let Some(file) = open.find((self.volume, number)) {
            return Ok(file);
        }
        let file: Arc<dyn DiskFile> = self.disk.open(&path(self.volume, number))?.into();
        open.insert((self.volume, number), Arc::clone(&file));
        Ok(file)
    }

    fn file_or_new(&self, number: u64) -> io::Result<Arc<dyn DiskFile>> {
        match self.file(number) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            other => return other,
        }
        match self.disk.create(&path(self.volume, number)) {
            Ok(_) => self.unsynced().names = true,
            // Somebody else was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        self.file(number)
    }

    fn open(&self) -> MutexGuard<'_, Handles<(VolumeId, u64)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unsynced(&self) -> MutexGuard<'_, Unsynced> {
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
