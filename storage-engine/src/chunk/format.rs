//! How a chunk lies in its segment file. Nothing else encodes or decodes these bytes.
//!
//! A segment is a file of records, one per chunk, each beginning at a multiple of [`ALIGNMENT`] so that a dead
//! record's space can be given back to the file system exactly. What lies between a record's end and the next
//! multiple belongs to the record and means nothing.
//!
//! # The record, byte by byte
//! Numbers are little-endian, checksums are CRC-64/NVME.
//!
//! | bytes | content |
//! | --- | --- |
//! | 0..8 | magic, `LinChunk` |
//! | 8..10 | format version, [`VERSION`] |
//! | 10..12 | number of sums, `n` |
//! | 12..16 | payload bytes |
//! | 16..24 | the segment's id |
//! | 24..32 | where this record begins in the segment |
//! | 32..56 | zero |
//! | 56..64 | checksum of bytes 0..56 and of the sums |
//! | 64..64+8n | the sums: a checksum for each [`UNIT_BYTES`] of payload, the last one for what is left |
//! | then | the payload |
//!
//! A record names its own place. So bytes that a file system hands back from an earlier life, or that a device
//! wrote to the wrong place, are never taken for the chunk that was asked for; and the list of chunks can be
//! rebuilt from the files alone.
//!
//! # Why a sum per unit and not one per chunk
//! A range read checks what it touches and no more; with one sum, 64 KiB out of a chunk would cost reading
//! all of it. CRC-64/NVME, because it is what clients send and ask for, so the same pass serves both.

use super::{CHUNK_BYTES_MAX, ChunkRef};
use bytes::Bytes;

/// Payload bytes under one sum.
pub const UNIT_BYTES: u32 = 64 << 10;
/// Records begin at multiples of this.
pub const ALIGNMENT: u64 = 4 << 10;
/// The format version that is written, and the only one that is read.
pub const VERSION: u16 = 1;

const MAGIC: [u8; 8] = *b"LinChunk";
const FIELDS_BYTES: usize = 56;
const HEADER_BYTES: u32 = 64;
const SUM_BYTES: u32 = 8;

/// Why bytes are not the record that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// There are fewer bytes than a head has.
    #[error("the record's head is cut short")]
    Short,
    /// No record begins here.
    #[error("no record begins there")]
    Magic,
    /// The head is not what was written.
    #[error("the record's head has a wrong checksum")]
    HeadSum,
    /// A later version of the program wrote it.
    #[error("the record has format version {0}")]
    Version(u16),
    /// The record is whole and sound, but another one.
    #[error("the record there is another one")]
    Another,
    /// A unit of the payload is not what was written.
    #[error("unit {0} of the payload has a wrong checksum")]
    UnitSum(usize),
}

/// Units of a payload of `len` bytes.
pub fn units(len: u32) -> u32 {
    len.div_ceil(UNIT_BYTES)
}

/// Bytes before the payload, for a payload of `len` bytes.
pub fn head_bytes(len: u32) -> u32 {
    HEADER_BYTES + SUM_BYTES * units(len)
}

/// Bytes that a record with a payload of `len` bytes takes in its segment.
pub fn extent_bytes(len: u32) -> u64 {
    (u64::from(head_bytes(len)) + u64::from(len)).next_multiple_of(ALIGNMENT)
}

/// The head of `chunk`'s record. None if such a chunk cannot be: no payload, too much of it, or a number of
/// sums that does not fit.
pub fn encode_head(chunk: ChunkRef, sums: &[u64]) -> Option<Bytes> {
    let payload_bytes = usize::try_from(chunk.len).ok()?;
    let sums_count = u16::try_from(sums.len()).ok()?;
    if payload_bytes == 0 || payload_bytes > CHUNK_BYTES_MAX || u32::from(sums_count) != units(chunk.len) {
        return None;
    }
    let mut head = Vec::with_capacity(256);
    head.extend_from_slice(&MAGIC);
    head.extend_from_slice(&VERSION.to_le_bytes());
    head.extend_from_slice(&sums_count.to_le_bytes());
    head.extend_from_slice(&chunk.len.to_le_bytes());
    head.extend_from_slice(&chunk.segment.to_le_bytes());
    head.extend_from_slice(&chunk.offset.to_le_bytes());
    head.resize(FIELDS_BYTES, 0);
    let sum_bytes: Vec<u8> = sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
    head.extend_from_slice(&head_sum(&head, &sum_bytes).to_le_bytes());
    head.extend_from_slice(&sum_bytes);
    Some(head.into())
}

/// The sums in the head of `chunk`'s record.
///
/// # Errors
/// The bytes are not the head of that record.
pub fn decode_head(chunk: ChunkRef, head: &[u8]) -> Result<Vec<u64>, RecordError> {
    let (fields, rest) = head.split_first_chunk::<FIELDS_BYTES>().ok_or(RecordError::Short)?;
    let (crc, rest) = rest.split_first_chunk::<8>().ok_or(RecordError::Short)?;
    let parsed = Fields::parse(fields).ok_or(RecordError::Short)?;
    if parsed.magic != MAGIC {
        return Err(RecordError::Magic);
    }
    let sums_bytes = usize::from(parsed.sums_count) * 8;
    let sums = rest.get(..sums_bytes).ok_or(RecordError::Short)?;
    if head_sum(fields, sums) != u64::from_le_bytes(*crc) {
        return Err(RecordError::HeadSum);
    }
    if parsed.version != VERSION {
        return Err(RecordError::Version(parsed.version));
    }
    if parsed.chunk != chunk || u32::from(parsed.sums_count) != units(chunk.len) {
        return Err(RecordError::Another);
    }
    let (sums, _) = sums.as_chunks::<8>();
    Ok(sums.iter().map(|sum| u64::from_le_bytes(*sum)).collect())
}

/// Checks whole units of a payload against their sums.
///
/// # Errors
/// A unit is not what was written, or there are more or fewer of them than sums; the number counts from the
/// first of `payload`.
pub fn verify_units(payload: &[u8], sums: &[u64]) -> Result<(), RecordError> {
    let mut units = payload.chunks(UNIT_BYTES as usize);
    for (number, sum) in sums.iter().enumerate() {
        let sound = units.next().is_some_and(|unit| crc_fast::crc64_nvme(unit) == *sum);
        if !sound {
            return Err(RecordError::UnitSum(number));
        }
    }
    if units.next().is_some() { Err(RecordError::UnitSum(sums.len())) } else { Ok(()) }
}

fn head_sum(fields: &[u8], sums: &[u8]) -> u64 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme);
    digest.update(fields);
    digest.update(sums);
    digest.finalize()
}

/// The fields of a head, before anything is believed of them.
struct Fields {
    magic: [u8; 8],
    version: u16,
    sums_count: u16,
    chunk: ChunkRef,
}

impl Fields {
    fn parse(fields: &[u8; FIELDS_BYTES]) -> Option<Self> {
        let (magic, rest) = fields.split_first_chunk::<8>()?;
        let (version, rest) = rest.split_first_chunk::<2>()?;
        let (sums_count, rest) = rest.split_first_chunk::<2>()?;
        let (len, rest) = rest.split_first_chunk::<4>()?;
        let (segment, rest) = rest.split_first_chunk::<8>()?;
        let (offset, _) = rest.split_first_chunk::<8>()?;
        Some(Self {
            magic: *magic,
            version: u16::from_le_bytes(*version),
            sums_count: u16::from_le_bytes(*sums_count),
            chunk: ChunkRef {
                segment: u64::from_le_bytes(*segment),
                offset: u64::from_le_bytes(*offset),
                len: u32::from_le_bytes(*len),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEN: u32 = UNIT_BYTES + 1000;
    const CHUNK: ChunkRef = ChunkRef { segment: 9, offset: 81_920, len: LEN };

    fn payload() -> Vec<u8> {
        (0..LEN).map(|n| (n % 251) as u8).collect()
    }

    fn sums(payload: &[u8]) -> Vec<u64> {
        payload.chunks(UNIT_BYTES as usize).map(crc_fast::crc64_nvme).collect()
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        let payload = payload();
        let head = encode_head(CHUNK, &sums(&payload)).unwrap();
        assert_eq!(head.len(), head_bytes(LEN) as usize);
        let read = decode_head(CHUNK, &head).unwrap();
        assert_eq!(read, sums(&payload));
        verify_units(&payload, &read).unwrap();
    }

    #[test]
    fn the_bytes_are_those_that_the_documentation_says() {
        let head = encode_head(ChunkRef { segment: 0x0102, offset: 0x3000, len: 5 }, &[0x1122_3344]).unwrap();
        let mut expected = b"LinChunk\x01\0\x01\0\x05\0\0\0\x02\x01\0\0\0\0\0\0\0\x30\0\0\0\0\0\0".to_vec();
        expected.resize(56, 0);
        let mut summed = expected.clone();
        summed.extend_from_slice(b"\x44\x33\x22\x11\0\0\0\0");
        expected.extend_from_slice(&crc_fast::crc64_nvme(&summed).to_le_bytes());
        expected.extend_from_slice(b"\x44\x33\x22\x11\0\0\0\0");
        assert_eq!(head, expected);
    }

    #[test]
    fn every_flipped_bit_of_the_head_is_noticed() {
        let head = encode_head(CHUNK, &sums(&payload())).unwrap();
        for bit in 0..head.len() * 8 {
            let mut flipped = head.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_head(CHUNK, &flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_flipped_bit_of_the_payload_is_noticed() {
        let mut payload = payload()[UNIT_BYTES as usize - 8..].to_vec();
        let sums = sums(&payload);
        for bit in 0..payload.len() * 8 {
            payload[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verify_units(&payload, &sums), Err(RecordError::UnitSum(0)), "bit {bit}");
            payload[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn a_cut_head_or_payload_is_noticed() {
        let payload = payload();
        let head = encode_head(CHUNK, &sums(&payload)).unwrap();
        for len in 0..head.len() {
            assert!(decode_head(CHUNK, &head[..len]).is_err(), "{len} bytes");
        }
        let sums = sums(&payload);
        assert!(verify_units(&payload[..payload.len() - 1], &sums).is_err());
        assert!(verify_units(&payload[..UNIT_BYTES as usize], &sums).is_err());
        assert!(verify_units(&payload, &sums[..1]).is_err());
    }

    #[test]
    fn a_sound_record_at_the_wrong_place_is_another_one() {
        let head = encode_head(CHUNK, &sums(&payload())).unwrap();
        for chunk in [
            ChunkRef { segment: 10, ..CHUNK },
            ChunkRef { offset: 0, ..CHUNK },
            ChunkRef { len: LEN - 1, ..CHUNK },
        ] {
            assert_eq!(decode_head(chunk, &head), Err(RecordError::Another));
        }
    }

    #[test]
    fn chunks_that_cannot_be_are_refused() {
        assert_eq!(encode_head(ChunkRef { len: 0, ..CHUNK }, &[]), None);
        assert_eq!(encode_head(CHUNK, &[1]), None);
        assert_eq!(encode_head(CHUNK, &[1, 2, 3]), None);
        let most = u32::try_from(CHUNK_BYTES_MAX).unwrap();
        assert_eq!(encode_head(ChunkRef { len: most + 1, ..CHUNK }, &[0; 17]), None);
        assert!(encode_head(ChunkRef { len: most, ..CHUNK }, &[0; 16]).is_some());
    }

    #[test]
    fn records_take_whole_multiples_of_the_alignment() {
        assert_eq!(extent_bytes(1), 4096);
        assert_eq!(extent_bytes(4096 - 72), 4096);
        assert_eq!(extent_bytes(4096 - 71), 8192);
    }
}
