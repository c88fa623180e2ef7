//! Reading a part of a chunk: the head, the units that the part touches, and the proof that they are sound.

use crate::chunk::format::{self, RecordError, UNIT_BYTES};
use crate::chunk::{ChunkRef, local::files::SegmentFiles};
use crate::error::{EngineError, Result};
use bytes::Bytes;
use std::io::{self, ErrorKind};

/// Reads from the file, waiting for the device if need be.
pub(super) fn read(files: &SegmentFiles, chunk: ChunkRef, from: u32, len: u32) -> Result<Bytes> {
    let file = files.get(chunk.segment).map_err(|error| failed(chunk, error))?;
    let read = read_with(chunk, from, len, |buffer, offset| file.read_at(buffer, offset).map(|()| true))?;
    read.ok_or_else(|| EngineError::corrupt(place(chunk)))
}

/// As [`read`], but none if that would mean to wait. An error is none as well: the read that waits will meet it
/// again and has the last word.
pub(super) fn read_held(files: &SegmentFiles, chunk: ChunkRef, from: u32, len: u32) -> Option<Bytes> {
    let file = files.held(chunk.segment)?;
    read_with(chunk, from, len, |buffer, offset| file.read_cached(buffer, offset)).ok().flatten()
}

/// Where a part of a chunk's payload is in its record.
struct Part {
    /// The first unit it touches.
    unit_first: u32,
    /// Payload bytes of all units it touches, as positions in the payload.
    units: std::ops::Range<u32>,
}

impl Part {
    fn of(chunk: ChunkRef, from: u32, len: u32) -> Option<Self> {
        let end = from.checked_add(len).filter(|end| *end <= chunk.len && len > 0)?;
        let unit_first = from / UNIT_BYTES;
        let units_end = end.div_ceil(UNIT_BYTES).saturating_mul(UNIT_BYTES).min(chunk.len);
        Some(Self { unit_first, units: unit_first * UNIT_BYTES..units_end })
    }
}

/// The part, read with `fetch`, which says whether it could; in one go where the head lies next to it.
fn read_with(
    chunk: ChunkRef,
    from: u32,
    len: u32,
    mut fetch: impl FnMut(&mut [u8], u64) -> io::Result<bool>,
) -> Result<Option<Bytes>> {
    if len == 0 && from <= chunk.len {
        return Ok(Some(Bytes::new()));
    }
    let outside = || EngineError::corrupt(format!("{}: nothing at {from}, {len} bytes", place(chunk)));
    let part = Part::of(chunk, from, len).ok_or_else(outside)?;
    let head_len = format::head_bytes(chunk.len);
    let mut get = |offset: u32, len: u32| -> Result<Option<Bytes>> {
        let mut buffer = vec![0; len as usize];
        let fetched = fetch(&mut buffer, chunk.offset.saturating_add(u64::from(offset)));
        Ok(fetched.map_err(|error| failed(chunk, error))?.then(|| buffer.into()))
    };
    let together = part.unit_first == 0;
    let head = get(0, if together { head_len + part.units.end } else { head_len })?;
    let Some(mut head) = head else { return Ok(None) };
    let units = if together {
        head.split_off(head_len as usize)
    } else {
        match get(head_len + part.units.start, part.units.end - part.units.start)? {
            Some(units) => units,
            None => return Ok(None),
        }
    };
    verify(chunk, &head, &part, &units).map_err(|error| unsound(chunk, error))?;
    let first = (from - part.units.start) as usize;
    Ok(Some(units.slice(first..first + len as usize)))
}

fn verify(chunk: ChunkRef, head: &[u8], part: &Part, units: &[u8]) -> Result<(), RecordError> {
    let sums = format::decode_head(chunk, head)?;
    let first = part.unit_first as usize;
    let end = format::units(part.units.end) as usize;
    format::verify_units(units, sums.get(first..end).ok_or(RecordError::Short)?)
}

fn place(chunk: ChunkRef) -> String {
    format!("chunk in segment {:016x} at {}", chunk.segment, chunk.offset)
}

fn unsound(chunk: ChunkRef, error: RecordError) -> EngineError {
    EngineError::corrupt(format!("{}: {error}", place(chunk)))
}

fn failed(chunk: ChunkRef, error: io::Error) -> EngineError {
    match error.kind() {
        ErrorKind::UnexpectedEof => EngineError::corrupt(format!("{}: the file is cut short", place(chunk))),
        ErrorKind::NotFound => EngineError::corrupt(format!("{}: the file is missing", place(chunk))),
        _ => EngineError::from(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(chunk: ChunkRef, payload: &[u8]) -> Vec<u8> {
        let sums: Vec<u64> = payload.chunks(UNIT_BYTES as usize).map(crc_fast::crc64_nvme).collect();
        let mut record = vec![0xee; usize::try_from(chunk.offset).unwrap()];
        record.extend_from_slice(&format::encode_head(chunk, &sums).unwrap());
        record.extend_from_slice(payload);
        record
    }

    fn read_from(file: &[u8], chunk: ChunkRef, from: u32, len: u32) -> Result<Option<Bytes>> {
        read_with(chunk, from, len, |buffer, offset| {
            let first = usize::try_from(offset).unwrap();
            buffer.copy_from_slice(file.get(first..first + buffer.len()).ok_or(ErrorKind::UnexpectedEof)?);
            Ok(true)
        })
    }

    #[test]
    fn any_range_reads_as_the_payload_has_it() {
        let payload: Vec<u8> = (0..3 * UNIT_BYTES + 77).map(|n| (n % 253) as u8).collect();
        let chunk = ChunkRef { segment: 1, offset: 4096, len: u32::try_from(payload.len()).unwrap() };
        let file = record(chunk, &payload);
        let edges = [0, 1, UNIT_BYTES - 1, UNIT_BYTES, UNIT_BYTES + 1, 3 * UNIT_BYTES, 3 * UNIT_BYTES + 77];
        for from in edges {
            for end in edges.into_iter().filter(|end| *end >= from) {
                let read = read_from(&file, chunk, from, end - from).unwrap().unwrap();
                assert_eq!(read, payload[from as usize..end as usize], "{from}..{end}");
            }
        }
        assert!(read_from(&file, chunk, 1, chunk.len).is_err());
        assert!(read_from(&file, chunk, u32::MAX, 2).is_err());
    }

    #[test]
    fn damage_is_met_only_where_it_is_read() {
        let payload = vec![3; 2 * UNIT_BYTES as usize];
        let chunk = ChunkRef { segment: 1, offset: 0, len: 2 * UNIT_BYTES };
        let mut file = record(chunk, &payload);
        *file.last_mut().unwrap() ^= 1;
        assert!(read_from(&file, chunk, 0, UNIT_BYTES).is_ok());
        let error = read_from(&file, chunk, UNIT_BYTES, 1).unwrap_err();
        assert!(error.to_string().contains("segment 0000000000000001 at 0"), "{error}");
        file.truncate(1000);
        assert!(matches!(read_from(&file, chunk, 0, 1), Err(EngineError::Corrupt { .. })));
    }

    #[test]
    fn what_is_not_cached_is_none() {
        let chunk = ChunkRef { segment: 1, offset: 0, len: 2 * UNIT_BYTES };
        for from in [0, UNIT_BYTES] {
            assert!(read_with(chunk, from, 1, |_, _| Ok(false)).unwrap().is_none());
        }
    }
}
