//! Page blobs: a record for what they show, a volume for their bytes.
//!
//! # Every volume is as large as can be
//! A volume is made with the largest size there is, which costs nothing, and the blob's length is only in its
//! record. So growing is one verb, and a reader, who is held to the length in the record, never meets a volume that
//! is shorter. What lies behind the end is cleared when the blob is cut, and again before it grows: a crash between
//! the two steps of cutting leaves bytes that nobody can see, and they are gone before anybody could.
//!
//! # The order of a write
//! First the verb: it judges lease, conditions and sequence number and gives the blob its new `ETag`. Then the pages,
//! made durable. The other order would let two writers that both ask for one `ETag` both write. The price: a crash
//! between the two leaves a new `ETag` on old bytes, of a write that nobody was told had happened; whoever
//! compares tags reads once more than needed. A reader in between may see old bytes under the new tag, as it
//! may see a part of any write that is not answered yet.
//!
//! # Resizing
//! Resizes of one store wait for each other. Otherwise one that has read a length, and clears what lies behind it
//! before it grows the blob, could clear what another has grown the blob by and a writer has filled since.
//!
//! # Snapshots
//! See [`volume`] for how a crash in the middle of one is made good. The record is written only if the blob
//! still has the `ETag` that it had before the volume's snapshot was taken; otherwise it is taken again.

use super::record::place::Place;
use super::record::{Form, VolumeRecord};
use super::state;
use super::state::volume::{self, ABANDONED_AFTER};
use super::{BlobAddress, BlobStore};
use crate::clock::{Entropy, Etag, Timestamp};
use crate::error::{EngineError, Result};
use crate::meta::Transaction;
use crate::page::{Epoch, Moment, PAGE_BYTES, PageRange, PageStore, VolumeId};
use crate::seal::page::PageCipher;
use bytes::Bytes;
use futures_util::lock::Mutex;
use std::sync::Arc;

mod alter;
mod copied;
mod ranges;
mod write;
pub use alter::{Alteration, Altered, SequenceAction};
pub use ranges::{PageQuery, PageRuns};
pub(super) use write::check_number;
pub use write::{PageWritten, SEQUENCE_NUMBER_MAX, SequenceConditions};

/// Bytes that a reader asks a volume for at a time, at most.
const READ_BYTES_MAX: u64 = 1 << 20;
const PAGE: u64 = PAGE_BYTES as u64;
/// How often a snapshot is taken again because the blob was written meanwhile.
const ATTEMPTS_MAX: u32 = 8;

/// The floor of page blobs.
#[derive(Debug, Clone)]
pub(super) struct Pages {
    /// Where their bytes are.
    pub(super) store: Arc<dyn PageStore>,
    /// Where the names of volumes come from.
    pub(super) entropy: Arc<dyn Entropy>,
    /// Held by the one resize that is under way.
    resizing: Arc<Mutex<()>>,
}

impl Pages {
    /// A reader of `length` bytes from `first` on, which decrypts them if they are encrypted.
    pub(super) fn reader(
        &self,
        (volume, epoch): (VolumeId, Option<Epoch>),
        (first, length): (u64, u64),
        cipher: Option<PageCipher>,
    ) -> PageReader {
        let end = first.saturating_add(length);
        PageReader { store: Arc::clone(&self.store), volume, moment: moment(epoch), at: first, end, cipher }
    }
}

/// A snapshot of a volume that is being taken.
#[derive(Debug, Clone, Copy)]
struct Marked {
    volume: VolumeId,
    /// What the volume's record knows it by.
    mark: Timestamp,
    /// The blob's version when it was begun.
    etag: Etag,
}

/// Notes that a snapshot of the blob's volume is being taken, if it has one.
fn mark(transaction: &mut dyn Transaction, place: &Place) -> Result<Option<Marked>> {
    let now = transaction.now();
    let Some(base) = state::live_base(transaction, place, transaction.clock())? else { return Ok(None) };
    let Form::Volume(volume, None) = base.form else { return Ok(None) };
    let mut record = volume::find(transaction, place, volume)?
        .ok_or_else(|| EngineError::corrupt("the record of a volume"))?;
    record.marks.push(now);
    volume::write(transaction, place, volume, &record);
    volume::look_at(transaction, place, volume, now.after(ABANDONED_AFTER));
    Ok(Some(Marked { volume, mark: now, etag: base.properties.etag }))
}

/// Takes the note off, and says whether the snapshot is one of the blob as it is; otherwise it is doomed. Writers
/// that never pause must not keep a snapshot from being taken: when not `strict`, it may be older than the record
/// by writes that came meanwhile.
fn unmark(
    transaction: &mut dyn Transaction,
    place: &Place,
    marked: Option<Marked>,
    epoch: Option<Epoch>,
    strict: bool,
) -> Result<bool> {
    let base = state::live_base(transaction, place, transaction.clock())?;
    let volume = base.as_ref().and_then(|base| match base.form {
        Form::Volume(volume, None) => Some(volume),
        _ => None,
    });
    let (Some(marked), Some(epoch)) = (marked, epoch) else { return Ok(volume.is_none()) };
    let mut record = take_mark(transaction, place, marked)?;
    let etag = base.map(|base| base.properties.etag);
    let fits = volume == Some(marked.volume) && (!strict || etag == Some(marked.etag));
    if !fits {
        record.doomed.push(epoch);
        let now = transaction.now();
        volume::look_at(transaction, place, marked.volume, now);
    }
    volume::write(transaction, place, marked.volume, &record);
    Ok(fits)
}

/// Takes the note off, and dooms the snapshot.
fn doom(transaction: &mut dyn Transaction, place: &Place, marked: Marked, epoch: Epoch) -> Result<()> {
    let mut record = take_mark(transaction, place, marked)?;
    record.doomed.push(epoch);
    let now = transaction.now();
    volume::look_at(transaction, place, marked.volume, now);
    volume::write(transaction, place, marked.volume, &record);
    Ok(())
}

/// The record of the volume without the note; not found if that was taken off already.
fn take_mark(transaction: &dyn Transaction, place: &Place, marked: Marked) -> Result<VolumeRecord> {
    let mut record = volume::find(transaction, place, marked.volume)?.ok_or(EngineError::BlobNotFound)?;
    let marks = record.marks.len();
    record.marks.retain(|mark| *mark != marked.mark);
    if record.marks.len() < marks { Ok(record) } else { Err(EngineError::BlobNotFound) }
}

/// The state of a volume that a record names.
pub(super) fn moment(epoch: Option<Epoch>) -> Moment {
    epoch.map_or(Moment::Latest, Moment::Snapshot)
}

/// Reads a page blob.
#[derive(Debug)]
pub struct PageReader {
    store: Arc<dyn PageStore>,
    volume: VolumeId,
    moment: Moment,
    at: u64,
    end: u64,
    cipher: Option<PageCipher>,
}

impl PageReader {
    /// The next bytes, or none at the end.
    ///
    /// # Errors
    /// The store's.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let from = self.at - self.at % PAGE;
        let to = self.end.min(from + READ_BYTES_MAX);
        let range = PageRange::new(from, to.next_multiple_of(PAGE) - from)?;
        let mut bytes = self.store.read(self.volume, self.moment, range).await?;
        if let Some(cipher) = &self.cipher {
            bytes = cipher.open(from, &bytes);
        }
        let part = usize::try_from(self.at - from).ok().zip(usize::try_from(to - from).ok());
        let part = part.and_then(|(skipped, end)| bytes.get(skipped..end).map(|part| bytes.slice_ref(part)));
        self.at = to;
        part.map(Some).ok_or_else(|| EngineError::corrupt("pages of a volume"))
    }
}

impl BlobStore {
    /// The same blobs, and page blobs with their bytes in `store`.
    #[must_use]
    pub fn with_pages(mut self, store: Arc<dyn PageStore>, entropy: Arc<dyn Entropy>) -> Self {
        self.salts = Arc::clone(&entropy);
        self.pages = Some(Pages { store, entropy, resizing: Arc::default() });
        self
    }

    /// Whether page blobs are offered.
    pub const fn has_pages(&self) -> bool {
        self.pages.is_some()
    }

    /// Runs a verb that makes the blob's present state a past one as well. For a page blob the verb gets a
    /// snapshot of its volume that is as the blob's record is; if `wanted` is not, the verb needs none.
    pub(super) async fn with_epoch<T, F>(&self, at: &BlobAddress, wanted: bool, verb: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Transaction, &Place, Option<Epoch>) -> Result<T> + Send + Sync + 'static,
    {
        let verb = Arc::new(verb);
        for attempt in 0.. {
            let marking = self.change(at, None, |transaction, place| mark(transaction, place));
            let marked = if wanted && self.has_pages() { marking.await? } else { None };
            let epoch = match marked {
                Some(marked) => Some(self.pages()?.store.snapshot(marked.volume).await?),
                None => None,
            };
            let verb = Arc::clone(&verb);
            let done = self.change(at, None, move |transaction, place| {
                let fits = unmark(transaction, place, marked, epoch, attempt < ATTEMPTS_MAX)?;
                if fits || !wanted { verb(transaction, place, epoch).map(Some) } else { Ok(None) }
            });
            match done.await {
                Ok(None) => {}
                Ok(Some(done)) => return Ok(done),
                Err(error) => {
                    self.forget_snapshot(at, marked, epoch).await;
                    return Err(error);
                }
            }
        }
        Err(EngineError::Closed)
    }

    /// Gives a snapshot up that was taken for a verb that was refused. Left to the background, a client that asks for
    /// what it is refused again and again would have gathered a great many by then.
    async fn forget_snapshot(&self, at: &BlobAddress, marked: Option<Marked>, epoch: Option<Epoch>) {
        let (Some(marked), Some(epoch)) = (marked, epoch) else { return };
        let forgetting =
            self.change(at, None, move |transaction, place| doom(transaction, place, marked, epoch));
        // The background finds what is left of it in any case.
        if let Err(error) = forgetting.await {
            tracing::debug!(%error, "a snapshot that nobody wants is left to the background");
        }
    }

    /// The floor of page blobs.
    pub(super) fn pages(&self) -> Result<&Pages> {
        self.pages.as_ref().ok_or(EngineError::PagesUnavailable)
    }
}
