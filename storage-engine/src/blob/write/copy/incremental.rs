//! Incremental copies: a page blob that follows the snapshots of another one.
//!
//! The destination is a page blob whose record says of which blob it is a copy ([`Increment`]). It is written by these
//! copies alone ([`guard::not_incremental`]), and each that succeeds ends with a snapshot of it. So its volume is, page
//! by page, as the source's snapshot was that was copied last, and the next copy has to write only what has changed in
//! the source since: the difference of two snapshots, which the page floor tells exactly.
//!
//! # A copy that is broken off
//! has written some pages and not others. To undo that would take a second copy, so the next one does not go on in that
//! volume but begins a new one, which all pages of the source go into. The former snapshots keep the old one as long as
//! there are some. What the clients see of it: pages of snapshots before and after are not comparable
//! ([`EngineError::BlobOverwritten`]), as if the blob had been made anew.
//!
//! The verb that begins a copy cannot make a volume. It says that it wants one, and is asked again with one; a volume
//! that it then does not take, because another copy came between, goes as all do that nobody names ([`volume`]).

use super::pending;
use crate::blob::page::check_number;
use crate::blob::record::place::{Place, State};
use crate::blob::record::properties::{BlobKind, CopyState, CopyStatus, Increment, Protection};
use crate::blob::record::{BlobRecord, Form};
use crate::blob::rule::guard::{self, Change};
use crate::blob::state::{self, content, volume};
use crate::blob::{BlobAddress, BlobStore, Conditions, Lease, NewBlob, Stamp, write};
use crate::clock::{Etag, Timestamp};
use crate::error::{EngineError, Result};
use crate::meta::Transaction;
use crate::page::{Epoch, VolumeId, check_size};

/// What an incremental copy begins with.
#[derive(Debug, Clone)]
pub struct IncrementalCopy {
    /// Headers and metadata of the source, and the copy, which has no [`CopyState::incremental`] yet.
    pub new: NewBlob,
    /// The copy's id, and where from it comes for people.
    pub copy: CopyState,
    /// The blob whose snapshot it is: a text that is one blob's and no other's.
    pub origin: String,
    /// The snapshot.
    pub snapshot: Timestamp,
    /// Its length in bytes, and its sequence number.
    pub size: (u64, u64),
}

/// An incremental copy that has begun, and is pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IncrementalCopyBegun {
    /// The destination's version.
    pub stamp: Stamp,
    /// As which snapshot of the source the pages are; none: there are none yet.
    pub since: Option<Timestamp>,
}

impl BlobStore {
    /// Begins a copy to a blob that is not there, or that followed the same source so far. *Incremental Copy Blob*.
    ///
    /// Pages are then written by [`Self::write_copied_pages`], [`Self::clear_copied_pages`] or
    /// [`Self::renew_copied_pages`], and [`Self::finish_incremental_copy`] ends it, or [`Self::finish_copy`] if it
    /// failed.
    ///
    /// # Errors
    /// [`EngineError::IncrementalCopyMismatch`] for a blob that is not such a copy, or one of another source;
    /// [`EngineError::IncrementalCopyEarlier`] unless the snapshot is newer than the last that was copied;
    /// [`EngineError::CopyPending`]; [`EngineError::PagesUnavailable`].
    pub async fn begin_incremental_copy(
        &self,
        at: &BlobAddress,
        copy: IncrementalCopy,
        conditions: Conditions,
        protection: Protection,
    ) -> Result<IncrementalCopyBegun> {
        check_size(copy.size.0)?;
        check_number(copy.size.1)?;
        self.pages()?;
        let mut fresh = None;
        loop {
            let (copy, conditions, volume) = (copy.clone(), conditions.clone(), fresh);
            let begun = self.change(at, None, move |transaction, place| {
                begin(transaction, place, (&copy, volume), (&conditions, protection))
            });
            match begun.await? {
                Some(begun) => return Ok(begun),
                None => fresh = Some(self.new_volume(at).await?),
            }
        }
    }

    /// Ends a copy whose pages are all there: takes a snapshot of the destination, and tells its id.
    ///
    /// # Errors
    /// [`EngineError::NoCopyPending`], [`EngineError::CopyIdMismatch`].
    pub async fn finish_incremental_copy(
        &self,
        at: &BlobAddress,
        id: u128,
        copied: Timestamp,
    ) -> Result<Timestamp> {
        self.clear_behind_end(at).await?;
        self.with_epoch(at, true, move |transaction, place, epoch| {
            finish(transaction, place, (id, copied), epoch)
        })
        .await
    }
}

/// Begins a copy; none if it needs a volume and has not been given one.
fn begin(
    transaction: &mut dyn Transaction,
    place: &Place,
    (copy, volume): (&IncrementalCopy, Option<VolumeId>),
    (conditions, protection): (&Conditions, Protection),
) -> Result<Option<IncrementalCopyBegun>> {
    state::clear_expired(transaction, place)?;
    let now = transaction.now();
    let kind = BlobKind::Page { sequence_number: copy.size.1 };
    let former = state::live_base(transaction, place, transaction.clock())?;
    let known = former.as_ref().map(|former| follows(former, copy)).transpose()?;
    let state = CopyState {
        status: CopyStatus::Pending,
        incremental: Some(Increment { origin: copy.origin.clone(), copied: known.flatten() }),
        snapshot: former.as_ref().and_then(|former| former.properties.copy.as_ref()?.snapshot),
        ..copy.copy.clone()
    };
    let new = NewBlob { copy: Some(state), ..copy.new.clone() };
    let Some(former) = former else {
        guard::to_replace(transaction, place, conditions, kind, protection)?;
        let Some(volume) = volume else { return Ok(None) };
        write::drop_staged(transaction, place, &std::collections::BTreeSet::new())?;
        write::retire(transaction, place, None, kind, protection)?;
        volume::share(transaction, place, volume)?;
        let record = BlobRecord::new(now, copy.size.0, kind, &new, Form::Volume(volume, None));
        let stamp = write::put_base(transaction, place, record, None, protection);
        return Ok(Some(IncrementalCopyBegun { stamp, since: None }));
    };
    // That something is there is the complaint of a condition that nothing should be.
    conditions.check_write(Some(former.version()))?;
    let mut record = guard::to_change_any(transaction, place, conditions, Change::InPlace)?;
    let whole = former.properties.copy.as_ref().is_some_and(|copy| copy.status == CopyStatus::Success);
    let since = known.flatten().filter(|_| whole);
    if since.is_none() {
        let Some(volume) = volume else { return Ok(None) };
        volume::share(transaction, place, volume)?;
        content::release(transaction, place, record.form)?;
        record.form = Form::Volume(volume, None);
        record.properties.encryption = new.encryption.clone().map(Box::new);
    }
    let properties = &mut record.properties;
    (properties.kind, properties.length) = (kind, copy.size.0);
    (properties.headers, properties.metadata) = (new.headers, new.metadata);
    properties.copy = new.copy.map(Box::new);
    (properties.etag, properties.modified) = (Etag::from(now), now);
    state::store(transaction, place, State::Base, Some(&former), Some(&record));
    Ok(Some(IncrementalCopyBegun { stamp: record.stamp(), since }))
}

/// The newest snapshot that the blob has from the source, if this one may be copied to it.
fn follows(former: &BlobRecord, copy: &IncrementalCopy) -> Result<Option<Timestamp>> {
    if !matches!(former.properties.kind, BlobKind::Page { .. }) {
        return Err(EngineError::BlobKindMismatch);
    }
    let increment = former.properties.copy.as_ref().and_then(|copy| copy.incremental.as_ref());
    match increment.filter(|increment| increment.origin == copy.origin) {
        None => Err(EngineError::IncrementalCopyMismatch),
        Some(Increment { copied: Some(copied), .. }) if *copied >= copy.snapshot => {
            Err(EngineError::IncrementalCopyEarlier)
        }
        Some(Increment { copied, .. }) => Ok(*copied),
    }
}

fn finish(
    transaction: &mut dyn Transaction,
    place: &Place,
    (id, copied): (u128, Timestamp),
    epoch: Option<Epoch>,
) -> Result<Timestamp> {
    let now = transaction.now();
    let (former, mut record, mut copy) = pending(transaction, place, id)?;
    let (Form::Volume(volume, _), Some(epoch)) = (record.form, epoch) else {
        return Err(EngineError::BlobKindMismatch);
    };
    let Some(increment) = &mut copy.incremental else { return Err(EngineError::NoCopyPending) };
    increment.copied = Some(copied);
    (copy.status, copy.copied, copy.completed) = (CopyStatus::Success, copy.total, Some(now));
    copy.snapshot = Some(now);
    let properties = &mut record.properties;
    properties.copy = Some(Box::new(copy));
    (properties.etag, properties.modified) = (Etag::from(now), now);
    let mut past = record.clone();
    past.form = Form::Volume(volume, Some(epoch));
    (past.properties.snapshot, past.properties.version, past.properties.lease) =
        (Some(now), None, Lease::None);
    content::share(transaction, place, past.form)?;
    state::store(transaction, place, State::Snapshot(now), None, Some(&past));
    state::store(transaction, place, State::Base, Some(&former), Some(&record));
    Ok(now)
}

#[cfg(test)]
mod tests {
    use super::super::CopyEnd;
    use super::*;
    use crate::blob::fixture::Fixture;
    use crate::blob::{
        Alteration, ContentHeaders, DeleteSnapshots, LeaseRequest, PageQuery, SequenceConditions, Which,
    };
    use crate::page::PageRange;
    use bytes::Bytes;
    use futures_executor::block_on;
    use std::num::NonZeroUsize;

    fn page(byte: u8) -> Vec<Bytes> {
        vec![Bytes::from(vec![byte; 512])]
    }

    fn copy(id: u128, snapshot: u64, length: u64) -> IncrementalCopy {
        IncrementalCopy {
            new: NewBlob::default(),
            copy: CopyState { id, total: length, ..CopyState::default() },
            origin: "origin".to_owned(),
            snapshot: Timestamp::from_ticks(snapshot),
            size: (length, 3),
        }
    }

    fn begin(store: &Fixture, copy: IncrementalCopy) -> Result<Option<u64>> {
        let (at, any) = (store.at("copy"), Conditions::default());
        let begun = store.blobs.begin_incremental_copy(&at, copy, any, Protection::default());
        block_on(begun).map(|begun| begun.since.map(Timestamp::ticks))
    }

    fn write(store: &Fixture, id: u128, offset: u64, byte: u8) {
        block_on(store.blobs.write_copied_pages(&store.at("copy"), id, offset, page(byte))).unwrap();
    }

    fn finish(store: &Fixture, id: u128, copied: u64) -> Timestamp {
        let copied = Timestamp::from_ticks(copied);
        block_on(store.blobs.finish_incremental_copy(&store.at("copy"), id, copied)).unwrap()
    }

    fn bytes(store: &Fixture, which: Which) -> Result<Vec<u8>> {
        let read = block_on(store.blobs.read(&store.at("copy"), which, None, Conditions::default()))?;
        let mut reader = read.reader;
        let mut all = Vec::new();
        while let Some(piece) = block_on(reader.next())? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    fn changed(store: &Fixture, which: Which, since: Timestamp) -> Result<Vec<(u64, u64, bool)>> {
        let limit = NonZeroUsize::new(10).unwrap();
        let query = PageQuery { which, since: Some(since), range: None, after: None, limit };
        let told = block_on(store.blobs.page_runs(&store.at("copy"), query, Conditions::default()))?;
        Ok(told.runs.iter().map(|run| (run.range.offset(), run.range.length(), run.valid)).collect())
    }

    #[test]
    fn each_copy_ends_with_a_snapshot_that_differs_by_what_was_written() {
        let store = Fixture::new();
        assert_eq!(begin(&store, copy(1, 10, 2048)).unwrap(), None);
        write(&store, 1, 0, 1);
        write(&store, 1, 1024, 2);
        let first = finish(&store, 1, 10);
        store.clock.advance(std::time::Duration::from_secs(1));
        assert_eq!(begin(&store, copy(2, 20, 1024)).unwrap(), Some(10));
        let range = PageRange::new(0, 512).unwrap();
        block_on(store.blobs.clear_copied_pages(&store.at("copy"), 2, range)).unwrap();
        write(&store, 2, 512, 3);
        let second = finish(&store, 2, 20);
        let [zeros, one, two, three] = [0, 1, 2, 3].map(|byte| vec![byte; 512]);
        let expected = [one, zeros.clone(), two, zeros.clone()].concat();
        assert_eq!(bytes(&store, Which::Snapshot(first)).unwrap(), expected);
        assert_eq!(bytes(&store, Which::Snapshot(second)).unwrap(), [zeros, three].concat());
        let told = changed(&store, Which::Snapshot(second), first).unwrap();
        assert_eq!(told, [(0, 512, false), (512, 512, true)]);
        let at = store.at("copy");
        let blob = block_on(store.blobs.properties(&at, Which::Base, Conditions::default())).unwrap();
        let copy = blob.copy.unwrap();
        assert_eq!((copy.status, copy.snapshot, blob.length), (CopyStatus::Success, Some(second), 1024));
    }

    #[test]
    fn only_newer_snapshots_of_one_source_are_copied_one_after_the_other() {
        let store = Fixture::new();
        begin(&store, copy(1, 10, 512)).unwrap();
        assert!(matches!(begin(&store, copy(2, 20, 512)), Err(EngineError::CopyPending)));
        finish(&store, 1, 10);
        for earlier in [9, 10] {
            let refused = begin(&store, copy(2, earlier, 512));
            assert!(matches!(refused, Err(EngineError::IncrementalCopyEarlier)), "{earlier}");
        }
        let other = IncrementalCopy { origin: "other".to_owned(), ..copy(2, 20, 512) };
        assert!(matches!(begin(&store, other), Err(EngineError::IncrementalCopyMismatch)));
        store.clock.advance(std::time::Duration::from_secs(1));
        assert_eq!(begin(&store, copy(2, 20, 512)).unwrap(), Some(10));
    }

    #[test]
    fn what_is_no_such_copy_does_not_become_one() {
        let store = Fixture::new();
        let unbounded = IncrementalCopy { size: (512, u64::MAX), ..copy(1, 10, 512) };
        assert!(matches!(begin(&store, unbounded), Err(EngineError::SequenceNumberTooLarge)));
        store.put("copy", store.inline(b"block")).unwrap();
        assert!(matches!(begin(&store, copy(1, 10, 512)), Err(EngineError::BlobKindMismatch)));
        let (at, any) = (store.at("copy"), Conditions::default());
        let none = Protection::default();
        block_on(store.blobs.create_page_blob(&at, NewBlob::default(), (512, 0), any, none)).unwrap();
        assert!(matches!(begin(&store, copy(1, 10, 512)), Err(EngineError::IncrementalCopyMismatch)));
    }

    #[test]
    fn after_a_copy_that_was_broken_off_all_is_copied_to_a_place_of_its_own() {
        let store = Fixture::new();
        begin(&store, copy(1, 10, 1024)).unwrap();
        write(&store, 1, 0, 1);
        let first = finish(&store, 1, 10);
        store.clock.advance(std::time::Duration::from_secs(1));
        begin(&store, copy(2, 20, 1024)).unwrap();
        write(&store, 2, 512, 2);
        block_on(store.blobs.finish_copy(&store.at("copy"), 2, None, CopyEnd::Failed("x".to_owned())))
            .unwrap();
        assert!(matches!(begin(&store, copy(3, 10, 1024)), Err(EngineError::IncrementalCopyEarlier)));
        assert_eq!(begin(&store, copy(3, 20, 1024)).unwrap(), None);
        write(&store, 3, 0, 3);
        let second = finish(&store, 3, 20);
        assert_eq!(bytes(&store, Which::Snapshot(first)).unwrap(), [vec![1; 512], vec![0; 512]].concat());
        assert_eq!(bytes(&store, Which::Snapshot(second)).unwrap(), [vec![3; 512], vec![0; 512]].concat());
        let told = changed(&store, Which::Snapshot(second), first);
        assert!(matches!(told, Err(EngineError::BlobOverwritten)));
    }

    #[test]
    fn the_destination_itself_is_neither_read_nor_written_and_goes_with_its_snapshots() {
        let store = Fixture::new();
        begin(&store, copy(1, 10, 512)).unwrap();
        let snapshot = finish(&store, 1, 10);
        let (at, any, none) = (store.at("copy"), Conditions::default, Protection::default());
        assert!(matches!(bytes(&store, Which::Base), Err(EngineError::IncrementalCopy)));
        assert!(matches!(changed(&store, Which::Base, snapshot), Err(EngineError::IncrementalCopy)));
        let numbers = SequenceConditions::default();
        let headers = Alteration { headers: Some(ContentHeaders::default()), ..Alteration::default() };
        let acquire = LeaseRequest::Acquire { id: crate::blob::LeaseId(7), seconds: None };
        let refused = [
            block_on(store.blobs.write_pages(&at, 0, page(1), numbers, any())).map(drop),
            block_on(store.blobs.alter(&at, headers, any())).map(drop),
            block_on(store.blobs.set_metadata(&at, Vec::new(), any(), none)).map(drop),
            block_on(store.blobs.snapshot(&at, None, any(), none)).map(drop),
            block_on(store.blobs.lease(&at, acquire, any())).map(drop),
            block_on(store.blobs.set_legal_hold(&at, Which::Base, true, any())),
            block_on(store.blobs.create_page_blob(&at, NewBlob::default(), (512, 0), any(), none)).map(drop),
            store.put("copy", store.inline(b"x")).map(drop),
        ];
        for (number, refused) in refused.into_iter().enumerate() {
            assert!(matches!(refused, Err(EngineError::IncrementalCopy)), "{number}: {refused:?}");
        }
        let gone = |what| block_on(store.blobs.delete(&at, what, any(), none));
        assert!(matches!(gone(DeleteSnapshots::Refuse), Err(EngineError::SnapshotsPresent)));
        block_on(store.blobs.delete_past(&at, Which::Snapshot(snapshot), false, any(), none)).unwrap();
        gone(DeleteSnapshots::Refuse).unwrap();
        assert!(begin(&store, copy(2, 5, 512)).is_ok(), "what comes after it is another copy");
    }

    #[test]
    fn bytes_that_are_there_already_are_not_written_again() {
        let store = Fixture::new();
        let all = |pages: [u8; 3]| Bytes::from(pages.map(|byte| vec![byte; 512]).concat());
        let at = store.at("copy");
        begin(&store, copy(1, 10, 1536)).unwrap();
        block_on(store.blobs.renew_copied_pages(&at, 1, 0, all([1, 2, 0]))).unwrap();
        let first = finish(&store, 1, 10);
        store.clock.advance(std::time::Duration::from_secs(1));
        begin(&store, copy(2, 20, 1536)).unwrap();
        block_on(store.blobs.renew_copied_pages(&at, 2, 0, all([1, 0, 4]))).unwrap();
        let second = finish(&store, 2, 20);
        let told = changed(&store, Which::Snapshot(second), first).unwrap();
        assert_eq!(told, [(512, 512, false), (1024, 512, true)]);
        assert_eq!(bytes(&store, Which::Snapshot(second)).unwrap(), all([1, 0, 4]));
    }
}
