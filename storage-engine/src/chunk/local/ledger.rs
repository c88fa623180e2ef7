//! The books of one disk: who still reads, what is free, and how each segment stands.
//!
//! # Epochs
//! A pin notes the current epoch; freeing something tags it with the current epoch and begins the next one.
//! What was freed is due when no pin is left whose epoch is its tag's or earlier: such a pin may have been
//! taken before the record that named the chunk went away. Pins taken later cannot have seen that record.
//! Epochs and not a count of readers per chunk, because a read then costs two small map updates however many
//! chunks it goes through.
//!
//! # When is a segment dead?
//! The metadata has the last word. Counting what is freed would have to be exact over crashes, and one error
//! would remove living data. So the count only says when it is worth *asking* which chunks of a sealed segment
//! are still named: when as many bytes were freed as were alive at the last answer, it may be empty now.
//! A sealed segment gains no names (all its chunks were named or given back before it was sealed), so one
//! that is found empty stays so.

use super::extents::extent;
use super::files::Stage;
use crate::chunk::{ChunkRef, Pin};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Something whose space can be given back.
#[derive(Debug)]
pub(super) enum Freed {
    /// Chunks that records named.
    Named(Vec<ChunkRef>),
    /// Chunks that no record will name.
    Staged(Vec<ChunkRef>),
    /// Stretches of a sealed segment that no record names.
    Gaps(u64, Vec<Range<u64>>),
    /// A whole segment that no record names.
    Segment(u64),
}

/// What the reclaiming thread is to do next.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) freed: Vec<Freed>,
    pub(super) seal: Vec<u64>,
    pub(super) audit: Vec<u64>,
}

impl Work {
    fn is_empty(&self) -> bool {
        self.freed.is_empty() && self.seal.is_empty() && self.audit.is_empty()
    }
}

#[derive(Debug)]
struct Segment {
    stage: Stage,
    /// No more chunks go in.
    full: bool,
    /// Chunks that are neither named nor given back.
    pending: u64,
    /// Bytes that were alive when we last knew.
    live: u64,
    /// Bytes freed since then.
    freed: u64,
    /// Sealed before this process began, and what nobody names in it has not been looked for.
    unknown: bool,
    /// Found empty; about to be removed.
    dead: bool,
}

impl Segment {
    const NEW: Self =
        Self { stage: Stage::Open, full: false, pending: 0, live: 0, freed: 0, unknown: false, dead: false };

    fn sealable(&self) -> bool {
        self.stage == Stage::Open && self.full && self.pending == 0
    }

    fn perhaps_empty(&self) -> bool {
        self.stage == Stage::Sealed && !self.dead && self.freed >= self.live
    }
}

#[derive(Debug, Default)]
struct Books {
    epoch: u64,
    pins: BTreeMap<u64, u64>,
    freed: VecDeque<(u64, Freed)>,
    segments: BTreeMap<u64, Segment>,
    sealable: BTreeSet<u64>,
    audits: BTreeSet<u64>,
    idle: bool,
    closing: bool,
}

impl Books {
    fn due(&self) -> bool {
        let oldest_pin = self.pins.keys().next();
        self.freed.front().is_some_and(|(tag, _)| oldest_pin.is_none_or(|pin| tag < pin))
    }

    fn something_to_do(&self) -> bool {
        self.due() || !self.sealable.is_empty() || !self.audits.is_empty()
    }

    fn take(&mut self) -> Work {
        let mut work = Work::default();
        while self.due() {
            work.freed.extend(self.freed.pop_front().map(|(_, freed)| freed));
        }
        work.seal.extend(std::mem::take(&mut self.sealable));
        work.audit.extend(std::mem::take(&mut self.audits));
        work
    }

    fn free(&mut self, freed: Freed) {
        self.freed.push_back((self.epoch, freed));
        self.epoch += 1;
    }

    fn settle(&mut self, segment: u64, chunks: u64) {
        if let Some(book) = self.segments.get_mut(&segment) {
            book.pending = book.pending.saturating_sub(chunks);
            if book.sealable() {
                self.sealable.insert(segment);
            }
        }
    }
}

/// The books, and who waits for them to change.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    books: Mutex<Books>,
    work: Condvar,
    idle: Condvar,
}

impl Ledger {
    /// Holds everything that is named now.
    pub(super) fn pin(self: &Arc<Self>) -> Pin {
        let mut books = self.lock();
        let epoch = books.epoch;
        *books.pins.entry(epoch).or_default() += 1;
        drop(books);
        let ledger = Arc::clone(self);
        Pin::new(move || ledger.unpin(epoch))
    }

    fn unpin(&self, epoch: u64) {
        let mut books = self.lock();
        if let Some(count) = books.pins.get_mut(&epoch) {
            *count -= 1;
            if *count == 0 {
                books.pins.remove(&epoch);
            }
        }
        if books.due() {
            self.work.notify_one();
        }
    }

    pub(super) fn free(&self, freed: Freed) {
        self.lock().free(freed);
        self.work.notify_one();
    }

    /// A segment that was there when the store opened; `live` bytes of it are named, if that is known.
    pub(super) fn inherited(&self, segment: u64, live: Option<u64>) {
        let book = Segment {
            stage: Stage::Sealed,
            full: true,
            live: live.unwrap_or(0),
            unknown: live.is_none(),
            ..Segment::NEW
        };
        self.lock().segments.insert(segment, book);
    }

    pub(super) fn opened(&self, segment: u64) {
        self.lock().segments.insert(segment, Segment::NEW);
    }

    pub(super) fn appended(&self, chunk: ChunkRef) {
        let taken = extent(chunk);
        if let Some(book) = self.lock().segments.get_mut(&chunk.segment) {
            book.pending += 1;
            book.live += taken.end - taken.start;
        }
    }

    pub(super) fn filled(&self, segment: u64) {
        let mut books = self.lock();
        if let Some(book) = books.segments.get_mut(&segment) {
            book.full = true;
        }
        books.settle(segment, 0);
        self.work.notify_one();
    }

    pub(super) fn settle(&self, chunks: &[ChunkRef]) {
        let mut books = self.lock();
        for chunk in chunks {
            books.settle(chunk.segment, 1);
        }
        if !books.sealable.is_empty() {
            self.work.notify_one();
        }
    }

    /// `bytes` of a segment were given back.
    pub(super) fn reclaimed(&self, segment: u64, bytes: u64) {
        let mut books = self.lock();
        if let Some(book) = books.segments.get_mut(&segment) {
            book.freed = book.freed.saturating_add(bytes);
            if book.perhaps_empty() {
                books.audits.insert(segment);
            }
        }
    }

    pub(super) fn sealed(&self, segment: u64) {
        let mut books = self.lock();
        if let Some(book) = books.segments.get_mut(&segment) {
            book.stage = Stage::Sealed;
            if book.perhaps_empty() {
                books.audits.insert(segment);
            }
        }
    }

    /// The answer to an audit: `live` bytes are named, `gaps` are not.
    pub(super) fn audited(&self, segment: u64, live: u64, gaps: Vec<Range<u64>>) {
        let mut books = self.lock();
        let Some(book) = books.segments.get_mut(&segment) else { return };
        let unknown = std::mem::take(&mut book.unknown);
        book.live = live;
        book.freed = 0;
        book.dead = live == 0;
        if live == 0 {
            books.free(Freed::Segment(segment));
        } else if unknown && !gaps.is_empty() {
            books.free(Freed::Gaps(segment, gaps));
        }
    }

    /// Has every segment audited that was not since the store opened.
    pub(super) fn audit_unknown(&self) {
        let mut books = self.lock();
        let unknown: Vec<u64> =
            books.segments.iter().filter(|(_, book)| book.unknown).map(|(segment, _)| *segment).collect();
        books.audits.extend(unknown);
        self.work.notify_one();
    }

    pub(super) fn removed(&self, segment: u64) {
        self.lock().segments.remove(&segment);
    }

    /// Waits for something to do; none when the store closes and nothing is left.
    pub(super) fn next_work(&self) -> Option<Work> {
        let mut books = self.lock();
        loop {
            let work = books.take();
            if !work.is_empty() {
                books.idle = false;
                return Some(work);
            }
            books.idle = true;
            self.idle.notify_all();
            if books.closing {
                return None;
            }
            books = self.work.wait(books).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until everything is given back that no pin holds.
    pub(super) fn wait_idle(&self) {
        let mut books = self.lock();
        while !books.idle || (books.something_to_do() && !books.closing) {
            books = self.idle.wait(books).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.work.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(segment: u64) -> ChunkRef {
        ChunkRef { segment, offset: 0, len: 1 }
    }

    fn due(ledger: &Ledger) -> usize {
        ledger.lock().take().freed.len()
    }

    #[test]
    fn what_is_freed_waits_for_the_pins_of_before_and_no_others() {
        let ledger = Arc::new(Ledger::default());
        let before = ledger.pin();
        ledger.free(Freed::Named(vec![chunk(1)]));
        let between = ledger.pin();
        ledger.free(Freed::Named(vec![chunk(2)]));
        let after = ledger.pin();
        assert_eq!(due(&ledger), 0);
        drop(before);
        assert_eq!(due(&ledger), 1);
        drop(between);
        assert_eq!(due(&ledger), 1);
        ledger.free(Freed::Named(vec![chunk(3)]));
        assert_eq!(due(&ledger), 0);
        drop(after);
        assert_eq!(due(&ledger), 1);
    }

    #[test]
    fn two_pins_of_one_epoch_both_count() {
        let ledger = Arc::new(Ledger::default());
        let (one, two) = (ledger.pin(), ledger.pin());
        ledger.free(Freed::Segment(1));
        drop(one);
        assert_eq!(due(&ledger), 0);
        drop(two);
        assert_eq!(due(&ledger), 1);
    }

    #[test]
    fn a_segment_is_sealed_when_it_is_full_and_nothing_is_pending() {
        let ledger = Ledger::default();
        ledger.opened(1);
        ledger.appended(chunk(1));
        ledger.appended(chunk(1));
        ledger.settle(&[chunk(1)]);
        ledger.filled(1);
        assert!(ledger.lock().take().seal.is_empty());
        ledger.settle(&[chunk(1)]);
        assert_eq!(ledger.lock().take().seal, [1]);
    }

    #[test]
    fn the_metadata_is_asked_when_all_may_be_dead_and_not_before() {
        let ledger = Ledger::default();
        ledger.inherited(1, Some(8192));
        ledger.reclaimed(1, 4096);
        assert!(ledger.lock().take().audit.is_empty());
        ledger.reclaimed(1, 4096);
        assert_eq!(ledger.lock().take().audit, [1]);
        ledger.audited(1, 4096, Vec::new());
        ledger.reclaimed(1, 4096);
        assert_eq!(ledger.lock().take().audit, [1]);
        ledger.audited(1, 0, Vec::new());
        assert!(matches!(ledger.lock().take().freed.as_slice(), [Freed::Segment(1)]));
        ledger.reclaimed(1, 4096);
        assert!(ledger.lock().take().audit.is_empty());
    }

    #[test]
    fn a_segment_of_an_earlier_process_has_its_gaps_freed_once() {
        let ledger = Ledger::default();
        ledger.inherited(1, None);
        ledger.audit_unknown();
        assert_eq!(ledger.lock().take().audit, [1]);
        ledger.audited(1, 4096, vec![0..4096, 8192..9000]);
        assert!(matches!(ledger.lock().take().freed.as_slice(), [Freed::Gaps(1, gaps)] if gaps.len() == 2));
        ledger.audited(1, 4096, vec![0..4096, 8192..9000]);
        ledger.audit_unknown();
        assert!(ledger.lock().take().is_empty());
    }
}
