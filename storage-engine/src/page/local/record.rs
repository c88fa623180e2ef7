//! The records of volumes: keys, and the layouts of those that are small.
//!
//! All are in family [`Family::Volume`] and begin with the volume's id (16 bytes, big-endian), which is their scope
//! too. Then a tag and what it needs:
//!
//! | tag | rest of the key | value |
//! | --- | --- | --- |
//! | 1 head | | version, size, epoch, flags, snapshots (see [`Head`]) |
//! | 2 open | | empty: present from the volume's first use until it is closed in order |
//! | 3 mark | area (4 bytes) | version, epoch: a write-intent mark |
//! | 4 map | area (4 bytes), epoch (8 bytes) | see [`super::map`]: what the area is from this epoch on, until the next |
//! | 5 sums | slot (8 bytes) | version, then a CRC-32C (4 bytes, big-endian) for each of a slot's 128 pages |
//!
//! # Why in the metadata floor and not in a file of our own
//! Maps change together with heads, sums and marks, of one volume at a time: that is a verb in one scope, and the
//! floor gives it with a shared sync, recovery and checksums. A checkpointed map file would need a log of its own for
//! the same. What a log of our own could save, a sync beside the floor's, is not paid in steady state anyway.

use crate::error::Result;
use crate::meta::Family;
use crate::meta::key::{KeyBuilder, KeyReader, successor};
use crate::meta::record::{Decoder, Encoder};
use crate::page::{Epoch, VolumeId};
use std::ops::Range;

use super::place::UNIT_PAGES;

const HEAD: u8 = 1;
const OPEN: u8 = 2;
const MARK: u8 = 3;
const MAP: u8 = 4;
const SUMS: u8 = 5;

const HEAD_VERSION: u8 = 1;
const MARK_VERSION: u8 = 1;
const SUMS_VERSION: u8 = 1;

/// The family of all of them.
pub(super) const FAMILY: Family = Family::Volume;

/// The bytes with which all keys of a volume begin.
pub(super) fn scope(volume: VolumeId) -> Vec<u8> {
    KeyBuilder::new().u128(volume.0).finish()
}

fn key(volume: VolumeId, tag: u8) -> KeyBuilder {
    KeyBuilder::new().u128(volume.0).u8(tag)
}

pub(super) fn head_key(volume: VolumeId) -> Vec<u8> {
    key(volume, HEAD).finish()
}

pub(super) fn open_key(volume: VolumeId) -> Vec<u8> {
    key(volume, OPEN).finish()
}

pub(super) fn mark_key(volume: VolumeId, area: u32) -> Vec<u8> {
    key(volume, MARK).u32(area).finish()
}

pub(super) fn map_key(volume: VolumeId, area: u32, epoch: Epoch) -> Vec<u8> {
    key(volume, MAP).u32(area).u64(epoch.0).finish()
}

pub(super) fn sums_key(volume: VolumeId, slot: u64) -> Vec<u8> {
    key(volume, SUMS).u64(slot).finish()
}

/// Where the maps of some areas are.
pub(super) fn map_keys(volume: VolumeId, areas: Range<u32>) -> (Vec<u8>, Vec<u8>) {
    (key(volume, MAP).u32(areas.start).finish(), key(volume, MAP).u32(areas.end).finish())
}

/// Where the marks of a volume are.
pub(super) fn mark_keys(volume: VolumeId) -> (Vec<u8>, Vec<u8>) {
    (key(volume, MARK).finish(), key(volume, MAP).finish())
}

/// All keys of a volume behind its head.
pub(super) fn keys_behind_head(volume: VolumeId) -> (Vec<u8>, Option<Vec<u8>>) {
    (key(volume, OPEN).finish(), successor(&scope(volume)))
}

/// The volume whose key it is, and whether it is its head's.
pub(super) fn volume_of(key: &[u8]) -> Result<(VolumeId, bool)> {
    let mut pieces = KeyReader::new(key);
    Ok((VolumeId(pieces.u128()?), pieces.u8()? == HEAD))
}

/// The area of a map's or mark's key, and with a map's the epoch.
pub(super) fn area_of(key: &[u8]) -> Result<(u32, Option<Epoch>)> {
    let mut pieces = KeyReader::new(key);
    pieces.u128()?;
    let tag = pieces.u8()?;
    let area = pieces.u32()?;
    let epoch = if tag == MAP { Some(Epoch(pieces.u64()?)) } else { None };
    pieces.finish()?;
    Ok((area, epoch))
}

/// What a volume is. Version 1: size, current epoch (varints), flags (deleted 1, ragged 2, littered 4), count of
/// snapshots, and each: epoch and size (varints).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes.
    pub(super) size: u64,
    /// The epoch that runs: what the next snapshot will be called.
    pub(super) epoch: Epoch,
    /// It is gone; what is left of it waits to be removed.
    pub(super) deleted: bool,
    /// There may be valid pages behind its end, which a cut has left.
    pub(super) ragged: bool,
    /// There may be maps that only deleted snapshots needed.
    pub(super) littered: bool,
    /// Its snapshots, oldest first, and their sizes.
    pub(super) snapshots: Vec<(Epoch, u64)>,
}

impl Head {
    pub(super) fn new(size: u64) -> Self {
        let snapshots = Vec::new();
        Self { size, epoch: Epoch(1), deleted: false, ragged: false, littered: false, snapshots }
    }

    /// Whether a snapshot ended `from` or a later epoch, before `end`.
    pub(super) fn parts(&self, from: Epoch, end: Epoch) -> bool {
        self.snapshots.iter().any(|(epoch, _)| (from..end).contains(epoch))
    }

    /// Whether a snapshot shares what was made in `born`.
    pub(super) fn shares(&self, born: Epoch) -> bool {
        self.snapshots.last().is_some_and(|(newest, _)| *newest >= born)
    }

    pub(super) fn epochs(&self) -> Vec<Epoch> {
        self.snapshots.iter().map(|(epoch, _)| *epoch).collect()
    }

    pub(super) fn size_of(&self, snapshot: Epoch) -> Option<u64> {
        let found = self.snapshots.binary_search_by_key(&snapshot, |(epoch, _)| *epoch).ok()?;
        self.snapshots.get(found).map(|(_, size)| *size)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut fields = Encoder::new(HEAD_VERSION);
        let flags = u8::from(self.deleted) | u8::from(self.ragged) << 1 | u8::from(self.littered) << 2;
        fields.varint(self.size).varint(self.epoch.0).u8(flags).count(self.snapshots.len());
        for (epoch, size) in &self.snapshots {
            fields.varint(epoch.0).varint(*size);
        }
        fields.finish()
    }

    pub(super) fn decode(record: &[u8]) -> Result<Self> {
        let (_, mut fields) = Decoder::versioned("volume", HEAD_VERSION, record)?;
        let mut head = Self::new(fields.varint()?);
        head.epoch = Epoch(fields.varint()?);
        let flags = fields.u8()?;
        (head.deleted, head.ragged, head.littered) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0);
        for _ in 0..fields.count()? {
            head.snapshots.push((Epoch(fields.varint()?), fields.varint()?));
        }
        fields.finish()?;
        Ok(head)
    }
}

pub(super) fn encode_mark(epoch: Epoch) -> Vec<u8> {
    let mut fields = Encoder::new(MARK_VERSION);
    fields.varint(epoch.0);
    fields.finish()
}

pub(super) fn decode_mark(record: &[u8]) -> Result<Epoch> {
    let (_, mut fields) = Decoder::versioned("page mark", MARK_VERSION, record)?;
    let epoch = Epoch(fields.varint()?);
    fields.finish()?;
    Ok(epoch)
}

pub(super) fn encode_sums(sums: &[u32]) -> Vec<u8> {
    let mut fields = Encoder::new(SUMS_VERSION);
    for sum in sums {
        fields.u32(*sum);
    }
    fields.finish()
}

pub(super) fn decode_sums(record: &[u8]) -> Result<Vec<u32>> {
    let (_, mut fields) = Decoder::versioned("page sums", SUMS_VERSION, record)?;
    let sums = (0..UNIT_PAGES).map(|_| fields.u32()).collect::<Result<_>>()?;
    fields.finish()?;
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_come_back_as_they_were() {
        let mut head = Head::new(100 << 30);
        head.epoch = Epoch(9);
        head.snapshots = vec![(Epoch(3), 512), (Epoch(7), 0)];
        for flags in 0..8_u8 {
            (head.deleted, head.ragged, head.littered) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0);
            assert_eq!(Head::decode(&head.encode()).unwrap(), head);
        }
        assert!(head.parts(Epoch(3), Epoch(4)) && !head.parts(Epoch(4), Epoch(7)));
        assert!(head.shares(Epoch(7)) && !head.shares(Epoch(8)));
        assert_eq!((head.size_of(Epoch(7)), head.size_of(Epoch(6))), (Some(0), None));
        assert_eq!(Head::new(1024).encode(), [1, 0x80, 8, 1, 0, 0], "the layout that is documented");
    }

    #[test]
    fn sums_come_back_as_they_were() {
        let sums: Vec<u32> = (0..UNIT_PAGES).map(|n| n * 77_777).collect();
        let record = encode_sums(&sums);
        assert_eq!(decode_sums(&record).unwrap(), sums);
        assert!(decode_sums(&record[..100]).is_err());
        assert_eq!(decode_mark(&encode_mark(Epoch(300))).unwrap(), Epoch(300));
    }

    #[test]
    fn keys_sort_by_area_and_then_by_epoch() {
        let keys = [
            head_key(VolumeId(1)),
            open_key(VolumeId(1)),
            mark_key(VolumeId(1), 7),
            map_key(VolumeId(1), 2, Epoch(9)),
            map_key(VolumeId(1), 3, Epoch(1)),
            sums_key(VolumeId(1), 0),
            head_key(VolumeId(2)),
        ];
        assert!(keys.is_sorted());
        assert_eq!(area_of(&keys[3]).unwrap(), (2, Some(Epoch(9))));
        assert_eq!(area_of(&keys[2]).unwrap(), (7, None));
        let (from, end) = map_keys(VolumeId(1), 2..3);
        assert!(from <= keys[3] && keys[3] < end && end <= keys[4]);
    }
}
