//! What *Set Blob Properties* may change, in one verb: HTTP headers, and of a page blob its length and its sequence
//! number. One request may ask for all of them, and a reader sees all or none.
//!
//! Cutting and growing touch the volume too, before or after the verb: see [`super`].

use super::Pages;
use super::write::{change_pages, check_number};
use crate::blob::record::place::{Place, Route};
use crate::blob::record::properties::{BlobKind, ContentHeaders};
use crate::blob::record::{BlobRecord, Form};
use crate::blob::{BlobAddress, BlobStore, Conditions, Stamp, state, write};
use crate::error::{EngineError, Result};
use crate::meta::{self, Transaction, Weight};
use crate::page::{Durable, PageRange, VOLUME_BYTES_MAX, VolumeId, check_size};

/// What a sequence number becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SequenceAction {
    /// The larger of what it is and this.
    Max(u64),
    /// This.
    Update(u64),
    /// One more.
    Increment,
}

impl SequenceAction {
    fn apply(self, number: u64) -> Result<u64> {
        let number = match self {
            Self::Max(other) => number.max(other),
            Self::Update(other) => other,
            Self::Increment => number.saturating_add(1),
        };
        check_number(number).map(|()| number)
    }
}

/// What is to become of a blob; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alteration {
    /// All HTTP headers.
    pub headers: Option<ContentHeaders>,
    /// The length of a page blob, in bytes.
    pub length: Option<u64>,
    /// The sequence number of a page blob.
    pub sequence: Option<SequenceAction>,
}

/// What an alteration gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Altered {
    /// The blob's new version.
    pub stamp: Stamp,
    /// The sequence number, of a page blob.
    pub sequence_number: Option<u64>,
}

impl BlobStore {
    /// Replaces HTTP headers, cuts or extends a page blob, changes its sequence number. *Set Blob Properties*.
    ///
    /// # Errors
    /// [`EngineError::BlobKindMismatch`] for what only page blobs have; [`EngineError::InvalidPageRange`] for a
    /// length that is not whole pages or more than 8 TiB; [`EngineError::TierTooSmall`] for one that the blob's
    /// tier does not have room for; [`EngineError::SequenceNumberTooLarge`] above [`super::SEQUENCE_NUMBER_MAX`].
    pub async fn alter(&self, at: &BlobAddress, what: Alteration, conditions: Conditions) -> Result<Altered> {
        let Some(length) = what.length else {
            return self.alter_record(at, what, conditions, None).await;
        };
        check_size(length)?;
        let pages = self.pages()?;
        let _alone = pages.resizing.lock().await;
        let (volume, present) = self.volume(at).await?;
        if present < length {
            // What a cut that a crash interrupted has left must be gone before it can be seen again.
            clear_behind(pages, volume, present).await?;
        }
        let altered = self.alter_record(at, what, conditions, Some(volume)).await?;
        if present >= length {
            clear_behind(pages, volume, length).await?;
        }
        Ok(altered)
    }

    /// Clears what is left behind the end of a page blob that has been cut.
    pub(in crate::blob) async fn clear_behind_end(&self, at: &BlobAddress) -> Result<()> {
        let (volume, present) = self.volume(at).await?;
        clear_behind(self.pages()?, volume, present).await
    }

    /// The part that is atomic. A resize is for `volume` only: the blob may be another one by now.
    async fn alter_record(
        &self,
        at: &BlobAddress,
        what: Alteration,
        conditions: Conditions,
        volume: Option<VolumeId>,
    ) -> Result<Altered> {
        self.change(at, None, move |transaction, place| alter(transaction, place, &what, &conditions, volume))
            .await
    }

    /// The volume of a page blob, and the blob's length.
    async fn volume(&self, at: &BlobAddress) -> Result<(VolumeId, u64)> {
        let (at, now) = (at.clone(), self.clock.now());
        let looking = move |view: &dyn meta::View| {
            let route = Route::find(view, &at)?;
            let base = state::not_found(state::live_base(view, &route.place, now)?)?;
            match base.form {
                Form::Volume(volume, _) => Ok((volume, base.properties.length)),
                _ => Err(EngineError::BlobKindMismatch),
            }
        };
        meta::read(self.meta.as_ref(), Weight::Point, looking).await
    }
}

fn alter(
    transaction: &mut dyn Transaction,
    place: &Place,
    what: &Alteration,
    conditions: &Conditions,
    volume: Option<VolumeId>,
) -> Result<Altered> {
    if what.length.is_none() && what.sequence.is_none() {
        let mut sequence_number = None;
        let stamp = write::change_in_place(transaction, place, conditions, |record| {
            set_headers(record, what.headers.as_ref());
            if let BlobKind::Page { sequence_number: number } = record.properties.kind {
                sequence_number = Some(number);
            }
            Ok(())
        })?;
        return Ok(Altered { stamp, sequence_number });
    }
    let (named, written) = change_pages(transaction, place, conditions, |record, number| {
        set_headers(record, what.headers.as_ref());
        if let Some(length) = what.length {
            let room = record.properties.tier.and_then(|tier| tier.tier.bytes_max());
            if room.is_some_and(|room| length > room) {
                return Err(EngineError::TierTooSmall);
            }
            record.properties.length = length;
        }
        if let Some(action) = what.sequence {
            record.properties.kind = BlobKind::Page { sequence_number: action.apply(number)? };
        }
        Ok(())
    })?;
    if volume.is_some_and(|volume| volume != named) {
        return Err(EngineError::BlobOverwritten);
    }
    Ok(Altered { stamp: written.stamp, sequence_number: Some(written.sequence_number) })
}

fn set_headers(record: &mut BlobRecord, headers: Option<&ContentHeaders>) {
    if let Some(headers) = headers {
        record.properties.headers.clone_from(headers);
    }
}

async fn clear_behind(pages: &Pages, volume: VolumeId, end: u64) -> Result<()> {
    if end >= VOLUME_BYTES_MAX {
        return Ok(());
    }
    let range = PageRange::new(end, VOLUME_BYTES_MAX - end)?;
    pages.store.clear(volume, range, Durable::Now).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::fixture::Fixture;
    use crate::blob::{NewBlob, Protection, Tier, Which};
    use futures_executor::block_on;

    fn disk(store: &Fixture, tier: Option<Tier>) -> BlobAddress {
        let at = store.at("disk");
        let new = NewBlob { tier, ..NewBlob::default() };
        let made =
            store.blobs.create_page_blob(&at, new, (1024, 7), Conditions::default(), Protection::default());
        block_on(made).unwrap();
        at
    }

    #[test]
    fn one_call_changes_all_or_nothing() {
        let store = Fixture::new();
        let at = disk(&store, None);
        let headers = ContentHeaders { content_type: "a/b".to_owned(), ..ContentHeaders::default() };
        let all = |sequence| Alteration { headers: Some(headers.clone()), length: Some(2048), sequence };
        let alter = |what| block_on(store.blobs.alter(&at, what, Conditions::default()));
        let seen = || block_on(store.blobs.properties(&at, Which::Base, Conditions::default())).unwrap();
        let over = alter(all(Some(SequenceAction::Update(u64::MAX))));
        assert!(matches!(over, Err(EngineError::SequenceNumberTooLarge)));
        assert_eq!((seen().length, seen().headers.content_type.as_str()), (1024, ""));
        let altered = alter(all(Some(SequenceAction::Increment))).unwrap();
        assert_eq!(altered.sequence_number, Some(8));
        assert_eq!((seen().length, seen().headers, seen().etag), (2048, headers.clone(), altered.stamp.etag));
        let only = Alteration { sequence: Some(SequenceAction::Max(3)), ..Alteration::default() };
        assert_eq!(alter(only).unwrap().sequence_number, Some(8));
        assert_eq!((seen().length, seen().headers), (2048, headers));
    }

    #[test]
    fn what_only_page_blobs_have_is_refused_to_others() {
        let store = Fixture::new();
        store.put("blob", store.inline(b"content")).unwrap();
        let at = store.at("blob");
        let number = Alteration { sequence: Some(SequenceAction::Increment), ..Alteration::default() };
        for what in [number, Alteration { length: Some(512), ..Alteration::default() }] {
            let refused = block_on(store.blobs.alter(&at, what, Conditions::default()));
            assert!(matches!(refused, Err(EngineError::BlobKindMismatch)));
        }
    }

    #[test]
    fn a_blob_does_not_outgrow_its_tier() {
        let store = Fixture::new();
        let at = disk(&store, Some(Tier::P4));
        let alter = |length| {
            let what = Alteration { length: Some(length), ..Alteration::default() };
            block_on(store.blobs.alter(&at, what, Conditions::default()))
        };
        assert!(alter(32 << 30).is_ok());
        assert!(matches!(alter((32 << 30) + 512), Err(EngineError::TierTooSmall)));
    }
}
