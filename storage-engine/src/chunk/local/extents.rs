//! Arithmetic on the stretches of a segment that its records take.

use crate::chunk::{ChunkRef, format};
use std::ops::Range;

/// The bytes of a chunk's segment that are the chunk's alone.
pub(super) fn extent(chunk: ChunkRef) -> Range<u64> {
    chunk.offset..chunk.offset.saturating_add(format::extent_bytes(chunk.len))
}

/// The same bytes in as few stretches as possible: one hole is cheaper than many.
pub(super) fn merged(mut extents: Vec<Range<u64>>) -> Vec<Range<u64>> {
    extents.sort_by_key(|extent| extent.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for extent in extents {
        match merged.last_mut() {
            Some(last) if extent.start <= last.end => last.end = last.end.max(extent.end),
            _ => merged.push(extent),
        }
    }
    merged
}

/// What lies before, between and behind `chunks` in a segment of `len` bytes.
pub(super) fn gaps(chunks: &[ChunkRef], len: u64) -> Vec<Range<u64>> {
    let mut gaps = Vec::new();
    let mut covered = 0;
    for taken in merged(chunks.iter().copied().map(extent).collect()) {
        if covered < taken.start {
            gaps.push(covered..taken.start.min(len));
        }
        covered = taken.end;
    }
    gaps.push(covered..len);
    gaps.retain(|gap| gap.start < gap.end);
    gaps
}

/// Bytes in all.
pub(super) fn total(extents: &[Range<u64>]) -> u64 {
    extents.iter().map(|extent| extent.end - extent.start).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(offset: u64, len: u32) -> ChunkRef {
        ChunkRef { segment: 1, offset, len }
    }

    #[test]
    fn neighbours_and_overlaps_become_one() {
        assert_eq!(merged(vec![8..12, 0..4, 4..8, 20..24, 22..30]), [0..12, 20..30]);
        assert!(merged(Vec::new()).is_empty());
    }

    #[test]
    fn gaps_are_what_no_chunk_covers() {
        let chunks = [chunk(20_480, 10), chunk(4096, 5000)];
        assert_eq!(gaps(&chunks, 40_960), [0..4096, 12_288..20_480, 24_576..40_960]);
        assert_eq!(gaps(&chunks, 24_000), [0..4096, 12_288..20_480]);
        assert_eq!(gaps(&[], 10), std::slice::from_ref(&(0..10)));
        assert_eq!(total(&gaps(&chunks, 40_960)), 28_672);
    }
}
