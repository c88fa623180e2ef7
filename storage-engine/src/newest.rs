//! The newest time up to which records are known to be durable, kept beside them.
//!
//! `RocksDB`'s log is read up to the first record that does not fit, because that is how a log ends that a crash cut
//! off. A log that the device has damaged in the middle looks the same: what stands behind the damage was acknowledged,
//! and would be missing without anybody noticing. So a small file says how far the log went when somebody last looked.
//! A store whose records end before that is not opened; who wants what is left of it removes the file, which the error
//! names.
//!
//! The file is written by the keeper, every second if something has changed, and when the store is closed. It is not
//! synced meanwhile, so that it costs nothing: what it says is true from the moment it is written, and an older one, or
//! none, only notices less. It is written only of what is on disk, so with [`Durability::Os`] only when the store is
//! closed.
//!
//! # The file, byte by byte
//! | bytes | content |
//! | --- | --- |
//! | 0..8 | magic, `LinNewst` |
//! | 8..16 | the stamp, in ticks, little-endian |
//! | 16..24 | CRC-64/NVME of bytes 0..16 |
//!
//! Bytes of another shape are those of a write that was torn, and say nothing.

use crate::clock::Timestamp;
use crate::disk::{Disk, DiskFile};
use crate::error::{EngineError, Result};
use crate::meta::Durability;
use bytes::Bytes;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

const FILE: &str = "newest";
const MAGIC: [u8; 8] = *b"LinNewst";
const BYTES: usize = 24;

/// The file, open for writing.
#[derive(Debug)]
pub(crate) struct Newest {
    file: Box<dyn DiskFile>,
    /// What it says.
    noted: Mutex<Timestamp>,
    durability: Durability,
}

impl Newest {
    /// Opens the file of a store whose records end at `recovered`.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] if they went further; the disk's.
    pub(crate) fn open(disk: &dyn Disk, recovered: Timestamp, durability: Durability) -> Result<Self> {
        let path = Path::new(FILE);
        let file = match disk.open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => disk.create(path)?,
            Err(error) => return Err(error.into()),
        };
        let noted = read(&*file)?.unwrap_or(Timestamp::from_ticks(0));
        if recovered < noted {
            let path = disk.root().join(path);
            return Err(EngineError::corrupt(format!(
                "the metadata's log ends {} seconds before what was acknowledged, so it is damaged; to open the store \
                 without what is lost, remove the file {}",
                (noted.ticks() - recovered.ticks()).div_ceil(Timestamp::TICKS_PER_SECOND),
                path.display(),
            )));
        }
        Ok(Self { file, noted: Mutex::new(noted), durability })
    }

    /// Whether what is committed is on disk by then, so that it may be noted while the store is open.
    pub(crate) fn commits_are_durable(&self) -> bool {
        self.durability == Durability::Sync
    }

    /// Notes that everything up to `stamp` is on disk. A failure is not one of the store's: less is noticed.
    pub(crate) fn note(&self, stamp: Timestamp) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if *noted < stamp {
            match self.file.write_at(&[encode(stamp)], 0) {
                Ok(()) => *noted = stamp,
                Err(error) => tracing::warn!(%error, "the newest stamp cannot be noted"),
            }
        }
    }

    /// Makes what is noted durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

fn read(file: &dyn DiskFile) -> Result<Option<Timestamp>> {
    let mut bytes = [0; BYTES];
    match file.read_at(&mut bytes, 0) {
        Ok(()) => Ok(decode(&bytes)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn encode(stamp: Timestamp) -> Bytes {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&stamp.ticks().to_le_bytes());
    bytes.extend_from_slice(&crc_fast::crc64_nvme(&bytes).to_le_bytes());
    bytes.into()
}

fn decode(bytes: &[u8; BYTES]) -> Option<Timestamp> {
    let (fields, sum) = bytes.split_last_chunk::<8>()?;
    let (magic, ticks) = fields.split_last_chunk::<8>()?;
    let sound = *magic == MAGIC && crc_fast::crc64_nvme(fields) == u64::from_le_bytes(*sum);
    sound.then(|| Timestamp::from_ticks(u64::from_le_bytes(*ticks)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::faulty::{FaultyDisk, Plan};

    fn stamp(ticks: u64) -> Timestamp {
        Timestamp::from_ticks(ticks)
    }

    #[test]
    fn records_that_end_before_what_was_noted_are_refused() {
        let disk = FaultyDisk::new(Plan::none());
        let newest = Newest::open(&disk, stamp(0), Durability::Sync).unwrap();
        newest.note(stamp(5));
        newest.note(stamp(4));
        assert!(matches!(Newest::open(&disk, stamp(4), Durability::Sync), Err(EngineError::Corrupt { .. })));
        Newest::open(&disk, stamp(5), Durability::Sync).unwrap();
        disk.remove(Path::new(FILE)).unwrap();
        Newest::open(&disk, stamp(4), Durability::Sync).unwrap();
    }

    #[test]
    fn what_is_torn_says_nothing() {
        let disk = FaultyDisk::new(Plan::none());
        let newest = Newest::open(&disk, stamp(0), Durability::Sync).unwrap();
        newest.note(stamp(5));
        for at in 0..BYTES {
            let mut bytes = encode(stamp(9)).to_vec();
            bytes[at] ^= 1;
            newest.file.write_at(&[bytes.into()], 0).unwrap();
            Newest::open(&disk, stamp(4), Durability::Sync).unwrap();
        }
        newest.file.set_len(7).unwrap();
        Newest::open(&disk, stamp(4), Durability::Sync).unwrap();
    }
}
