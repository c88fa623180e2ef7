//! The thread that gives space back: it punches what is dead, seals what is full, removes what is empty.
//!
//! Punching leaves the rest of a segment where it is, so there is nothing to copy and nothing that readers
//! would have to be told. Recycling whole files instead (a sync of an overwrite is cheaper than one that must
//! also grow the file) was left out: it pays only for segments that die all at once, without having been
//! punched first.

use super::extents::{extent, gaps, merged, total};
use super::files::{SegmentFiles, Stage};
use super::health::Health;
use super::ledger::{Freed, Ledger, Work};
use super::{NamedChunks, Shared};
use crate::chunk::ChunkRef;
use crate::disk::handles::is_out_of_handles;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::sync::Arc;

/// Works until the store closes.
pub(super) fn run(shared: &Shared, named: &NamedChunks) {
    let reclaim = Reclaim { files: &shared.files, ledger: &shared.ledger, health: &shared.health, named };
    while let Some(work) = shared.ledger.next_work() {
        reclaim.perform(work);
    }
}

struct Reclaim<'a> {
    files: &'a SegmentFiles,
    ledger: &'a Arc<Ledger>,
    health: &'a Health,
    named: &'a NamedChunks,
}

impl Reclaim<'_> {
    fn perform(&self, work: Work) {
        let mut extents: BTreeMap<u64, Vec<Range<u64>>> = BTreeMap::new();
        let mut settled = Vec::new();
        let mut dead = Vec::new();
        for freed in work.freed {
            match freed {
                Freed::Named(chunks) => add(&mut extents, &chunks),
                Freed::Staged(chunks) => {
                    add(&mut extents, &chunks);
                    settled.extend(chunks);
                }
                Freed::Gaps(segment, gaps) => extents.entry(segment).or_default().extend(gaps),
                Freed::Segment(segment) => dead.push(segment),
            }
        }
        for segment in dead {
            extents.remove(&segment);
            self.remove(segment);
        }
        for (segment, extents) in extents {
            self.punch(segment, merged(extents));
        }
        self.ledger.settle(&settled);
        self.seal(&work.seal);
        for segment in work.audit {
            self.audit(segment);
        }
    }

    /// Whether the disk may still be changed.
    fn healthy(&self) -> bool {
        self.health.check().is_ok()
    }

    fn punch(&self, segment: u64, extents: Vec<Range<u64>>) {
        if !self.healthy() {
            return;
        }
        let bytes = total(&extents);
        match self.punch_all(segment, extents) {
            Ok(()) => {}
            // Not known to this file system, no room to note the hole, or too many files open: the space comes back
            // with the rest of the segment.
            Err(error)
                if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::StorageFull)
                    || is_out_of_handles(&error) =>
            {
                tracing::debug!(%error, segment, "space of dead chunks stays taken until their segment is empty");
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                tracing::warn!(segment, "chunks were freed in a segment that does not exist");
            }
            Err(error) => {
                let _ = self.health.fail("giving space back", error);
            }
        }
        self.ledger.reclaimed(segment, bytes);
    }

    fn punch_all(&self, segment: u64, extents: Vec<Range<u64>>) -> io::Result<()> {
        let file = self.files.get(segment)?;
        extents.into_iter().try_for_each(|extent| file.punch(extent.start, extent.end - extent.start))
    }

    fn seal(&self, segments: &[u64]) {
        if segments.is_empty() || !self.healthy() {
            return;
        }
        match self.files.seal(segments) {
            Ok(()) => segments.iter().for_each(|segment| self.ledger.sealed(*segment)),
            // They stay open, and are sealed when the store opens next.
            Err(error) if error.kind() == ErrorKind::StorageFull => {
                tracing::warn!(%error, "no room to rename full segments");
            }
            Err(error) => {
                let _ = self.health.fail("sealing a segment", error);
            }
        }
    }

    fn audit(&self, segment: u64) {
        let answer = (self.named)(segment).and_then(|chunks| {
            let len = self.files.get(segment)?.len()?;
            Ok((chunks, len))
        });
        match answer {
            Ok((chunks, len)) => {
                let live = total(&merged(chunks.iter().copied().map(extent).collect()));
                self.ledger.audited(segment, live, gaps(&chunks, len));
            }
            Err(error) => tracing::warn!(%error, segment, "cannot tell which chunks of a segment are alive"),
        }
    }

    fn remove(&self, segment: u64) {
        if !self.healthy() {
            return;
        }
        match self.files.remove(segment, Stage::Sealed) {
            Ok(()) => self.ledger.removed(segment),
            // Some file systems need room to forget a file. Its bytes are punched already.
            Err(error) if error.kind() == ErrorKind::StorageFull => {
                tracing::warn!(%error, segment, "no room to remove an empty segment");
            }
            Err(error) => {
                let _ = self.health.fail("removing a segment", error);
            }
        }
    }
}

fn add(extents: &mut BTreeMap<u64, Vec<Range<u64>>>, chunks: &[ChunkRef]) {
    for chunk in chunks {
        extents.entry(chunk.segment).or_default().push(extent(*chunk));
    }
}
