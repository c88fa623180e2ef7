//! Verbs of page blobs that write.

use crate::blob::record::place::{Place, State};
use crate::blob::record::properties::{BlobKind, Protection};
use crate::blob::record::{BlobRecord, Form, VolumeRecord};
use crate::blob::rule::encryption;
use crate::blob::rule::guard::{self, Change};
use crate::blob::state;
use crate::blob::state::volume::{self, ABANDONED_AFTER};
use crate::blob::{BlobAddress, BlobStore, Conditions, NewBlob, Stamp, write};
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::meta::Transaction;
use crate::page::{Durable, PageRange, VOLUME_BYTES_MAX, VolumeId, check_size};
use crate::seal::SealKey;
use crate::seal::page::PageCipher;
use bytes::Bytes;
use std::collections::BTreeSet;

/// Highest sequence number.
pub const SEQUENCE_NUMBER_MAX: u64 = u64::MAX >> 1;

/// What a page blob's sequence number must be for pages to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SequenceConditions {
    /// At most this.
    pub at_most: Option<u64>,
    /// Less than this.
    pub less_than: Option<u64>,
    /// This.
    pub equal: Option<u64>,
}

/// What a write of pages gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageWritten {
    /// The blob's new version.
    pub stamp: Stamp,
    /// Its sequence number.
    pub sequence_number: u64,
}

impl SequenceConditions {
    fn check(self, number: u64) -> Result<()> {
        let holds = self.at_most.is_none_or(|most| number <= most)
            && self.less_than.is_none_or(|bound| number < bound)
            && self.equal.is_none_or(|equal| number == equal);
        if holds { Ok(()) } else { Err(EngineError::SequenceNumberMismatch) }
    }
}

impl BlobStore {
    /// Makes a page blob of `length` bytes without valid pages. *Put Blob*.
    ///
    /// # Errors
    /// [`EngineError::InvalidPageRange`] for a length that is not whole pages or more than 8 TiB;
    /// [`EngineError::PagesUnavailable`].
    pub async fn create_page_blob(
        &self,
        at: &BlobAddress,
        new: NewBlob,
        (length, sequence_number): (u64, u64),
        conditions: Conditions,
        protection: Protection,
    ) -> Result<Stamp> {
        check_size(length)?;
        check_number(sequence_number)?;
        let volume = self.new_volume(at).await?;
        let made = self.change(at, None, move |transaction, place| {
            let kind = BlobKind::Page { sequence_number };
            let former = guard::to_replace(transaction, place, &conditions, kind, protection)?;
            guard::keeps_kind(&new, former.as_ref(), kind)?;
            write::drop_staged(transaction, place, &BTreeSet::new())?;
            write::retire(transaction, place, former.as_ref(), kind, protection)?;
            volume::share(transaction, place, volume)?;
            let form = Form::Volume(volume, None);
            let record = BlobRecord::new(transaction.now(), length, kind, &new, form);
            Ok(write::put_base(transaction, place, record, former.as_ref(), protection))
        });
        made.await
    }

    /// Makes a volume that no record names yet: it goes by itself if none does soon.
    pub(in crate::blob) async fn new_volume(&self, at: &BlobAddress) -> Result<VolumeId> {
        let pages = self.pages()?;
        let volume = VolumeId(pages.entropy.bits());
        self.change(at, None, move |transaction, place| {
            let now = transaction.now();
            let record = VolumeRecord { born: now, ..VolumeRecord::default() };
            volume::write(transaction, place, volume, &record);
            volume::look_at(transaction, place, volume, now.after(ABANDONED_AFTER));
            Ok(())
        })
        .await?;
        pages.store.create(volume, VOLUME_BYTES_MAX).await?;
        Ok(volume)
    }

    /// Writes whole pages, at most [`crate::page::AREA_BYTES`]. *Put Page*, *Put Page From URL*.
    ///
    /// # Errors
    /// [`EngineError::InvalidPageRange`], also behind the blob's end; [`EngineError::SequenceNumberMismatch`].
    pub async fn write_pages(
        &self,
        at: &BlobAddress,
        offset: u64,
        parts: Vec<Bytes>,
        sequence: SequenceConditions,
        conditions: Conditions,
    ) -> Result<PageWritten> {
        let range = PageRange::of_parts(offset, &parts)?;
        let (volume, key, written) = self.stamp_pages(at, range, sequence, conditions).await?;
        let parts = sealed(parts, volume, offset, key)?;
        self.pages()?.store.write(volume, offset, parts, Durable::Now).await?;
        Ok(written)
    }

    /// Makes pages invalid: a range of any length. *Put Page* with `clear`.
    ///
    /// # Errors
    /// As [`Self::write_pages`].
    pub async fn clear_pages(
        &self,
        at: &BlobAddress,
        range: PageRange,
        sequence: SequenceConditions,
        conditions: Conditions,
    ) -> Result<PageWritten> {
        let (volume, _, written) = self.stamp_pages(at, range, sequence, conditions).await?;
        self.pages()?.store.clear(volume, range, Durable::Now).await?;
        Ok(written)
    }

    /// Gives the blob the version that a write of pages makes, before the pages are written.
    async fn stamp_pages(
        &self,
        at: &BlobAddress,
        range: PageRange,
        sequence: SequenceConditions,
        conditions: Conditions,
    ) -> Result<(VolumeId, Option<SealKey>, PageWritten)> {
        self.pages()?;
        let account = at.account.clone();
        self.change(at, None, move |transaction, place| {
            let base = state::not_found(state::live_base(transaction, place, transaction.clock())?)?;
            let (volume, written) = change_pages(transaction, place, &conditions, |record, number| {
                conditions.check_customer_key(&record.properties)?;
                sequence.check(number)?;
                range.inside(record.properties.length).map(drop)
            })?;
            let key = encryption::key_of(transaction, &account, &base.properties, &conditions)?;
            Ok((volume, key, written))
        })
        .await
    }
}

/// Pages from `offset` on as they are kept: encrypted, if the blob is.
fn sealed(parts: Vec<Bytes>, volume: VolumeId, offset: u64, key: Option<SealKey>) -> Result<Vec<Bytes>> {
    Ok(match key.map(|key| PageCipher::new(&key, volume)).transpose()? {
        Some(cipher) => vec![cipher.seal(offset, &parts)],
        None => parts,
    })
}

/// Refuses what is no sequence number.
pub(in super::super) fn check_number(number: u64) -> Result<()> {
    if number <= SEQUENCE_NUMBER_MAX { Ok(()) } else { Err(EngineError::SequenceNumberTooLarge) }
}

/// Changes the record of a page blob, given its sequence number, and makes a new version of it. The copy that it came
/// from stays what it came from (page "Copy Blob"), unlike with other writes.
pub(super) fn change_pages(
    transaction: &mut dyn Transaction,
    place: &Place,
    conditions: &Conditions,
    change: impl FnOnce(&mut BlobRecord, u64) -> Result<()>,
) -> Result<(VolumeId, PageWritten)> {
    let now: Timestamp = transaction.now();
    let former = state::get(transaction, place, State::Base)?;
    let mut record = guard::to_change(transaction, place, conditions, Change::InPlace)?;
    let (BlobKind::Page { sequence_number }, Form::Volume(volume, _)) = (record.properties.kind, record.form)
    else {
        return Err(EngineError::BlobKindMismatch);
    };
    change(&mut record, sequence_number)?;
    let copy = record.properties.copy.take();
    write::touch(&mut record, now);
    record.properties.copy = copy;
    state::store(transaction, place, State::Base, former.as_ref(), Some(&record));
    let sequence_number = match record.properties.kind {
        BlobKind::Page { sequence_number } => sequence_number,
        BlobKind::Block | BlobKind::Append { .. } => 0,
    };
    Ok((volume, PageWritten { stamp: record.stamp(), sequence_number }))
}
