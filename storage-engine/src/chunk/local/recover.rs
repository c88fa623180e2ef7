//! What opening does with the segments that the last process left unfinished.
//!
//! An `.open` segment may hold chunks that no record names: their upload was cut off, or their commit was. The
//! metadata says which are named; the file is cut behind the last of them, what nobody names before it is
//! punched, and the segment is sealed. Nothing is ever appended to it again, so a torn tail needs no detection:
//! it is cut off because nothing names it. Sealed segments are not looked at, so opening does not get slower
//! as the store grows.

use super::NamedChunks;
use super::extents::{extent, gaps, merged, total};
use super::files::{SegmentFiles, Stage};
use super::ledger::Ledger;
use crate::chunk::ChunkRef;
use crate::error::{EngineError, Result};
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};

/// Finishes what is unfinished, enters all segments into the books, and gives the newest segment's id.
pub(super) fn recover(files: &SegmentFiles, ledger: &Ledger, named: &NamedChunks) -> Result<u64> {
    let found: BTreeSet<(u64, Stage)> = files.list()?.into_iter().collect();
    let mut mended = Vec::new();
    let mut removed = false;
    for (segment, stage) in found.iter().copied() {
        if stage == Stage::Sealed {
            ledger.inherited(segment, None);
            continue;
        }
        let chunks = named(segment)?;
        if chunks.is_empty() {
            files.remove(segment, Stage::Open)?;
            removed = true;
        } else if found.contains(&(segment, Stage::Sealed)) {
            // A removed segment whose id came again, and whose removal a crash undid, leaves two files as well,
            // but then nothing in them was ever durable, so nothing is named.
            return Err(EngineError::corrupt(format!(
                "segment {segment:016x} is there twice, open and sealed"
            )));
        } else {
            mend(files, segment, &chunks)?;
            ledger.inherited(segment, Some(total(&taken(&chunks))));
            mended.push(segment);
        }
    }
    files.seal(&mended)?;
    if removed && mended.is_empty() {
        files.sync_names()?;
    }
    Ok(found.last().map_or(0, |(segment, _)| *segment))
}

fn taken(chunks: &[ChunkRef]) -> Vec<std::ops::Range<u64>> {
    merged(chunks.iter().copied().map(extent).collect())
}

fn mend(files: &SegmentFiles, segment: u64, chunks: &[ChunkRef]) -> io::Result<()> {
    let file = files.get(segment)?;
    let len = file.len()?;
    let end = taken(chunks).last().map_or(0, |last| last.end);
    if len > end {
        file.set_len(end)?;
    }
    for gap in gaps(chunks, len.min(end)) {
        match file.punch(gap.start, gap.end - gap.start) {
            Err(error) if error.kind() == ErrorKind::Unsupported => break,
            other => other?,
        }
    }
    let missing = chunks.iter().filter(|chunk| chunk.offset + u64::from(chunk.len) > len).count();
    if missing > 0 {
        tracing::error!(segment, missing, "records name chunks that the disk has lost");
    }
    file.sync_data()
}
