//! The page floor: bytes that are overwritten.
//!
//! A volume is what a page blob or a VM's disk consists of: a row of pages of 512 bytes, each either *valid* (it
//! was written) or not (never written, or cleared since; it reads as zero and takes no space). Names, leases,
//! conditions and `ETag`s are records of the metadata floor; nothing here is atomic with a record.
//!
//! # What is promised
//! - **An operation begins when it is called** and not when its future is first polled. Dropping the future does
//!   not stop it. An operation called after another was done sees its effect.
//! - **The page is the unit of reading.** A page's bytes and its validity change together, and a read finds each
//!   page before or after a write, never between. Of several pages some may be found before and some after, as on
//!   any disk. Of overlapping writes under way at once each page keeps one, and not all need keep the same.
//! - **Durable when asked.** With [`Durable::Now`] a write or clear survives a power cut once it is done, which
//!   says nothing of earlier ones. With [`Durable::AtFlush`] it does once a [`PageStore::flush`] is done that was
//!   called after it was. These are a disk's FUA and FLUSH, so a guest's own ordering holds; a write over REST is
//!   acknowledged by the first. All that is not a write or a clear is durable when it is done.
//! - **What a crash shows**: of each page, independently, what was last made durable or what any later write or
//!   clear made of it. Nothing else: no older bytes, no other volume's, no mixture. With [`Durable::Now`] that
//!   holds for each area of [`AREA_BYTES`] as a whole, not only for each page of it.
//! - **A snapshot never changes.** It holds all that was done when it was called for, nothing that began after it
//!   was done, and no write without those that were done before that one began: a guest's file system finds in it
//!   what it would find after a crash, or better.
//! - **Differences are exact**: every page written since the older snapshot, also with equal bytes, and every page
//!   valid there and no longer, whichever snapshots between were deleted. The one exception: after a crash, pages
//!   near those that were written last before it may be told as written that were not. Too few are never told.
//!
//! # Why these promises and no more
//! Two engines are to keep them. One has files and overwrites them in place, with the marks of validity in
//! records: it can redirect a durable write to fresh space and swap it in with one record, but would pay that for
//! each of a guest's writes if all had to be atomic. The other has objects, each changed with its marks by one
//! operation, atomic and durable at once; but nothing spans two objects. An area is such an object.
//!
//! # Who names volumes?
//! The caller, at random, so that a record can name a volume before it exists. A caller that records the id first
//! can take back what a crash left, because deleting what is not there succeeds; and because creating what is
//! there succeeds as well, a request whose answer was lost is just repeated. Snapshots are numbered by the store
//! and listed by [`PageStore::inspect`] for the same end.
//!
//! Ids are never used again, so a reader whose volume is deleted meanwhile meets [`EngineError::VolumeNotFound`]
//! or the bytes it asked for. It then looks at its record again. There is no pin as chunks have it: a disk stays
//! attached for months, and would pin all that time.
//!
//! # Who may write?
//! One open store at a time. A store on shared machines that finds its volume taken over by another one answers
//! [`EngineError::Closed`] from then on.

use crate::chunk::StoreFuture;
use crate::error::{EngineError, Result};
use bytes::Bytes;
use std::fmt;
use std::num::NonZeroUsize;

#[cfg(test)]
mod conformance;
pub mod local;
#[cfg(any(test, feature = "testing"))]
pub mod memory;

/// Bytes of a page, the unit of everything here.
pub const PAGE_BYTES: usize = 512;

/// Bytes of an area: a volume's bytes from a multiple of this on. Durable writes are atomic inside one, and no
/// read or write is longer.
pub const AREA_BYTES: usize = 4 << 20;

/// Most bytes of a volume: 8 TiB, the vendor's limit for page blobs.
pub const VOLUME_BYTES_MAX: u64 = 8 << 40;

/// A volume's name: random, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VolumeId(pub u128);

/// A snapshot of a volume: the time that ended with it. Rises with each of the volume's snapshots, with gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// Which state of a volume is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The present one.
    Latest,
    /// That of a snapshot.
    Snapshot(Epoch),
}

/// When a write or clear survives a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    /// Once it is done.
    Now,
    /// Once a flush called afterwards is done.
    AtFlush,
}

/// One or more whole pages that a volume could have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageRange {
    offset: u64,
    length: u64,
}

impl PageRange {
    /// `length` bytes from `offset` on.
    ///
    /// # Errors
    /// [`EngineError::InvalidPageRange`] unless both are multiples of [`PAGE_BYTES`], there is at least one page,
    /// and none behind [`VOLUME_BYTES_MAX`].
    pub fn new(offset: u64, length: u64) -> Result<Self> {
        let ends = offset.checked_add(length).is_some_and(|end| end <= VOLUME_BYTES_MAX);
        let whole = whole_pages(offset) && whole_pages(length);
        if ends && whole && length > 0 {
            Ok(Self { offset, length })
        } else {
            Err(EngineError::InvalidPageRange)
        }
    }

    /// Where `parts` go that are written from `offset` on. For stores.
    ///
    /// # Errors
    /// [`EngineError::InvalidPageRange`] as [`PageRange::new`], and if they are more than [`AREA_BYTES`].
    pub fn of_parts(offset: u64, parts: &[Bytes]) -> Result<Self> {
        let lengths = parts.iter().map(|part| part.len() as u64);
        Self::new(offset, lengths.fold(0, u64::saturating_add))?.transferable()
    }

    /// Itself, if it is no longer than [`AREA_BYTES`]. For stores.
    ///
    /// # Errors
    /// [`EngineError::InvalidPageRange`].
    pub fn transferable(self) -> Result<Self> {
        self.inside(self.offset.saturating_add(AREA_BYTES as u64))
    }

    /// Itself, if it ends at or before `size`. For stores.
    ///
    /// # Errors
    /// [`EngineError::InvalidPageRange`].
    pub fn inside(self, size: u64) -> Result<Self> {
        if self.end() <= size { Ok(self) } else { Err(EngineError::InvalidPageRange) }
    }

    /// The first byte.
    pub fn offset(self) -> u64 {
        self.offset
    }

    /// Bytes in it.
    pub fn length(self) -> u64 {
        self.length
    }

    /// The first byte behind it.
    pub fn end(self) -> u64 {
        self.offset + self.length
    }
}

/// Refuses a size that no volume may have. For stores.
///
/// # Errors
/// [`EngineError::InvalidPageRange`] if it is not whole pages or more than [`VOLUME_BYTES_MAX`].
pub fn check_size(size: u64) -> Result<()> {
    let possible = whole_pages(size) && size <= VOLUME_BYTES_MAX;
    if possible { Ok(()) } else { Err(EngineError::InvalidPageRange) }
}

fn whole_pages(bytes: u64) -> bool {
    bytes.is_multiple_of(PAGE_BYTES as u64)
}

/// What a volume is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Bytes, valid or not.
    pub size: u64,
    /// Its snapshots, oldest first.
    pub snapshots: Vec<Epoch>,
}

/// Neighbouring pages to which the same has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The pages.
    pub range: PageRange,
    /// Whether they are valid: written, and not cleared.
    pub valid: bool,
}

/// A part of the runs asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runs {
    /// By offset, none touching the one before it unless one is valid and the other is not.
    pub runs: Vec<Run>,
    /// The byte from which on to ask for the rest, if there may be any: always behind the first asked for. The
    /// first run of the rest may touch the last one here.
    pub next: Option<u64>,
}

/// Volumes of one store. See the module's promises.
///
/// Every operation on a volume or snapshot that is not there gives [`EngineError::VolumeNotFound`], unless it says
/// otherwise. One that is refused changes nothing; but a write or clear that meets [`EngineError::NoSpace`] may
/// have reached some areas.
pub trait PageStore: fmt::Debug + Send + Sync + 'static {
    /// Creates a volume of `size` bytes without valid pages. Does nothing if there is one of this name.
    fn create(&self, volume: VolumeId, size: u64) -> StoreFuture<()>;

    /// What a volume is.
    fn inspect(&self, volume: VolumeId) -> StoreFuture<Inspection>;

    /// Cuts or extends a volume, but not its snapshots. Pages that are cut off never come back, whatever was still
    /// being written to them. A crash leaves the old size or the new.
    ///
    /// A volume that is wanted only for its snapshots is cut to nothing, which frees what they do not share.
    fn resize(&self, volume: VolumeId, size: u64) -> StoreFuture<()>;

    /// Deletes a volume with its snapshots, if it is there.
    fn delete(&self, volume: VolumeId) -> StoreFuture<()>;

    /// Writes `parts`, one behind the other, from `offset` on: whole pages together, at most [`AREA_BYTES`].
    fn write(&self, volume: VolumeId, offset: u64, parts: Vec<Bytes>, durable: Durable) -> StoreFuture<()>;

    /// Makes pages invalid and gives back what space can be. A range of any length.
    fn clear(&self, volume: VolumeId, range: PageRange, durable: Durable) -> StoreFuture<()>;

    /// The bytes of at most [`AREA_BYTES`] of pages, all inside the volume as it was at that moment. What is read
    /// is verified.
    fn read(&self, volume: VolumeId, at: Moment, range: PageRange) -> StoreFuture<Bytes>;

    /// Makes every write and clear durable that was done before the call, whoever called for it. Callers share
    /// flushes.
    fn flush(&self, volume: VolumeId) -> StoreFuture<()>;

    /// Takes a snapshot, in a time that does not depend on the volume's size.
    fn snapshot(&self, volume: VolumeId) -> StoreFuture<Epoch>;

    /// Deletes a snapshot, if it is there. Those before and behind it and their differences stay as they were.
    fn delete_snapshot(&self, volume: VolumeId, epoch: Epoch) -> StoreFuture<()>;

    /// The runs of valid pages inside `within`; or, with a snapshot to compare with, those of pages written
    /// `since` and still valid, and of pages valid then and no longer. Behind the end there are no pages, so
    /// `within` may reach further.
    ///
    /// Gives at most `runs_max` runs, and may give fewer, even none, with the rest to be asked for. A `since` newer
    /// than `at` is not found.
    fn runs(
        &self,
        volume: VolumeId,
        since: Option<Epoch>,
        at: Moment,
        within: PageRange,
        runs_max: NonZeroUsize,
    ) -> StoreFuture<Runs>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_whole_pages_that_a_volume_could_have() {
        let last = VOLUME_BYTES_MAX - 512;
        for (offset, length) in [(0, 512), (1024, 4096), (last, 512), (0, VOLUME_BYTES_MAX)] {
            let range = PageRange::new(offset, length).unwrap();
            assert_eq!((range.offset(), range.length(), range.end()), (offset, length, offset + length));
        }
        let impossible = [
            (0, 0),
            (0, 511),
            (1, 512),
            (512, 513),
            (last, 1024),
            (VOLUME_BYTES_MAX, 0),
            (u64::MAX - 511, 512),
        ];
        for (offset, length) in impossible {
            let refused = PageRange::new(offset, length);
            assert!(matches!(refused, Err(EngineError::InvalidPageRange)), "{offset} {length}");
        }
    }

    #[test]
    fn what_is_written_is_whole_pages_only_when_taken_together() {
        let parts = [Bytes::from(vec![0; 500]), Bytes::new(), Bytes::from(vec![0; 524])];
        assert_eq!(PageRange::of_parts(512, &parts).unwrap(), PageRange::new(512, 1024).unwrap());
        assert!(PageRange::of_parts(512, parts.split_at(1).0).is_err());
        assert!(PageRange::of_parts(512, &[]).is_err());
        let area = Bytes::from(vec![0; AREA_BYTES]);
        assert!(PageRange::of_parts(512, std::slice::from_ref(&area)).is_ok());
        assert!(PageRange::of_parts(0, &[area, Bytes::from(vec![0; 512])]).is_err());
    }

    #[test]
    fn sizes_are_whole_pages_up_to_the_limit() {
        assert!([0, 512, VOLUME_BYTES_MAX].into_iter().all(|size| check_size(size).is_ok()));
        assert!([1, 513, VOLUME_BYTES_MAX + 512].into_iter().all(|size| check_size(size).is_err()));
    }
}
