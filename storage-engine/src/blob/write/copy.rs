//! Copies that take their time: begun by a verb that makes the destination, ended here.
//!
//! The destination of a copy is made empty, with the copy as pending in [`crate::blob::NewBlob::copy`] (or, for
//! a page blob, at its full length). While it is pending no other write may touch the blob
//! ([`crate::blob::rule::guard`]). Whoever moves the bytes names the copy by its id, so one that was called off
//! meanwhile, or belongs to a blob that was there before, cannot write into another.

use crate::blob::record::place::{self, Place, State};
use crate::blob::record::properties::{CopyState, CopyStatus, Encryption};
use crate::blob::record::{BlobRecord, lease};
use crate::blob::state::due::{self, Due};
use crate::blob::state::{self, content};
use crate::blob::{BlobAddress, BlobKind, BlobStore, Block, LeaseId, Leased, Stamp};
use crate::chunk::{Content, Staged};
use crate::clock::Etag;
use crate::error::{EngineError, Result};
use crate::meta::{self, Transaction, View, Weight};
use crate::seal::{EncryptionKey, Framing};

pub(super) mod blocks;
mod incremental;
pub use incremental::{IncrementalCopy, IncrementalCopyBegun};

/// How a copy ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyEnd {
    /// All bytes are there.
    Success,
    /// It went wrong; for people.
    Failed(String),
}

impl BlobStore {
    /// Notes how many bytes of a pending copy are there.
    ///
    /// # Errors
    /// [`EngineError::NoCopyPending`], [`EngineError::CopyIdMismatch`]: it was called off, or is another one.
    pub async fn copy_progress(&self, at: &BlobAddress, id: u128, copied: u64) -> Result<()> {
        self.change(at, None, move |transaction, place| {
            let (former, mut record, mut copy) = pending(transaction, place, id)?;
            copy.copied = copied;
            record.properties.copy = Some(Box::new(copy));
            state::store(transaction, place, State::Base, Some(&former), Some(&record));
            Ok(())
        })
        .await
    }

    /// Ends a pending copy, with the bytes of a block blob if there are some, and the blocks that they are of, as
    /// [`Self::put_copied_blob`] wants them. Makes a new `ETag`.
    ///
    /// # Errors
    /// As [`Self::copy_progress`]; [`EngineError::BlobKindMismatch`] for bytes of what is no block blob.
    pub async fn finish_copy(
        &self,
        at: &BlobAddress,
        id: u128,
        bytes: Option<(Staged, Vec<Block>)>,
        end: CopyEnd,
    ) -> Result<Stamp> {
        let named = bytes.as_ref().map(|(staged, blocks)| Named {
            content: staged.content.clone(),
            blocks: blocks.clone(),
            length: staged.length,
            key: staged.sealed().cloned(),
        });
        let bytes = bytes.map(|(staged, _)| staged);
        self.change(at, bytes, move |transaction, place| finish(transaction, place, id, named.as_ref(), &end))
            .await
    }

    /// Ends, as failed, all copies that were under way when the store was last closed or its process died: the sources
    /// they read from are gone with their connections. To be called when the store is opened, before any copy begins.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn fail_interrupted_copies(&self) -> Result<()> {
        for due in meta::read(self.meta.as_ref(), Weight::Scan, due::copies).await? {
            match due.settle(self.meta.as_ref(), give_up_interrupted).await {
                // One blob that cannot be read is no reason not to open the store.
                Err(EngineError::Corrupt { what }) => {
                    tracing::error!(what, "a copy that was interrupted cannot be ended");
                }
                other => other?,
            }
        }
        Ok(())
    }

    /// Ends a pending copy as failed, for `why`, wherever its destination is. For a mover of bytes who was told that
    /// the container is not there: it may have another name now, or may be restored, and its blob must not wait for
    /// bytes that nobody brings. Looks at all copies that are under way.
    ///
    /// # Errors
    /// [`EngineError::NoCopyPending`] if there is no such copy.
    pub async fn fail_copy(&self, id: u128, why: String) -> Result<()> {
        let destination = meta::read(self.meta.as_ref(), Weight::Scan, move |view| destination(view, id));
        let place = destination.await?.ok_or(EngineError::NoCopyPending)?;
        let end = CopyEnd::Failed(why);
        meta::commit(self.meta.as_ref(), place.scope.clone(), None, move |transaction| {
            finish(transaction, &place, id, None, &end).map(drop)
        })
        .await
    }

    /// Calls a pending copy off: an empty blob remains. *Abort Copy Blob*.
    ///
    /// # Errors
    /// As [`Self::copy_progress`]; [`EngineError::Lease`].
    pub async fn abort_copy(&self, at: &BlobAddress, id: u128, lease: Option<LeaseId>) -> Result<()> {
        self.change(at, None, move |transaction, place| {
            let now = transaction.now();
            let (former, mut record, copy) = pending(transaction, place, id)?;
            record.properties.lease =
                lease::check_write(record.properties.lease, lease, transaction.clock(), Leased::Blob)?;
            let copy = CopyState { status: CopyStatus::Aborted, completed: Some(now), ..copy };
            record.properties.copy = Some(Box::new(copy));
            record.properties.length = 0;
            record.properties.etag = Etag::from(now);
            record.properties.modified = now;
            state::store(transaction, place, State::Base, Some(&former), Some(&record));
            Ok(())
        })
        .await
    }
}

/// Where the blob is to which the copy of this id is under way.
fn destination(view: &dyn View, id: u128) -> Result<Option<Place>> {
    for due in due::copies(view)? {
        let (scope, _) = place::split_blob_key(&due.key)?;
        let place = Place::of_scope(due.container, scope);
        let record = state::get(view, &place, State::Base)?;
        let copy = record.and_then(|record| record.properties.copy);
        if copy.is_some_and(|copy| copy.id == id && copy.status == CopyStatus::Pending) {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// Ends a copy that has taken too long. To be run in the entry's scope.
pub(in crate::blob) fn give_up_late(transaction: &mut dyn Transaction, due: &Due) -> Result<()> {
    if due.at <= transaction.clock() {
        give_up(transaction, due, "The copy took more than two weeks.")?;
    }
    Ok(())
}

/// Ends a copy whose bytes nobody moves any more.
fn give_up_interrupted(transaction: &mut dyn Transaction, due: &Due) -> Result<()> {
    give_up(transaction, due, "The server was restarted while the copy was under way.")
}

fn give_up(transaction: &mut dyn Transaction, due: &Due, why: &str) -> Result<()> {
    let (scope, _) = place::split_blob_key(&due.key)?;
    let place = Place::of_scope(due.container.clone(), scope);
    due.strike(transaction);
    let Some(record) = state::live_base(transaction, &place, transaction.clock())? else { return Ok(()) };
    match record.properties.copy {
        Some(copy) if copy.status == CopyStatus::Pending => {
            let end = CopyEnd::Failed(format!("500 InternalError \"{why}\""));
            finish(transaction, &place, copy.id, None, &end).map(drop)
        }
        _ => Ok(()),
    }
}

/// The blob as it is and as it may be changed, and the copy of this id that is under way to it.
pub(in crate::blob) fn pending(
    transaction: &dyn Transaction,
    place: &Place,
    id: u128,
) -> Result<(BlobRecord, BlobRecord, CopyState)> {
    let record = state::not_found(state::live_base(transaction, place, transaction.clock())?)?;
    match record.properties.copy.clone() {
        Some(copy) if copy.status == CopyStatus::Pending => {
            if copy.id == id {
                Ok((record.clone(), record, *copy))
            } else {
                Err(EngineError::CopyIdMismatch)
            }
        }
        _ => Err(EngineError::NoCopyPending),
    }
}

/// The bytes that a copy ends with.
struct Named {
    content: Content,
    blocks: Vec<Block>,
    length: u64,
    key: Option<EncryptionKey>,
}

fn finish(
    transaction: &mut dyn Transaction,
    place: &Place,
    id: u128,
    bytes: Option<&Named>,
    end: &CopyEnd,
) -> Result<Stamp> {
    let now = transaction.now();
    let (former, mut record, mut copy) = pending(transaction, place, id)?;
    if let Some(Named { content, blocks, length, key }) = bytes {
        if matches!(record.properties.kind, BlobKind::Page { .. }) {
            return Err(EngineError::BlobKindMismatch);
        }
        content::release(transaction, place, record.form)?;
        let framing = Framing::of(key.as_ref());
        record.form = blocks::write(transaction, place, now.ticks(), (content, blocks), framing)?;
        record.properties.encryption = key.clone().map(Encryption::with).map(Box::new);
        record.properties.length = *length;
        copy.copied = *length;
    }
    match end {
        CopyEnd::Success => {
            copy.status = CopyStatus::Success;
            copy.copied = copy.total;
        }
        CopyEnd::Failed(why) => {
            copy.status = CopyStatus::Failed;
            copy.description.clone_from(why);
            // What was copied of a page blob is not to be taken for all of it.
            record.properties.length = 0;
        }
    }
    copy.completed = Some(now);
    record.properties.copy = Some(Box::new(copy));
    record.properties.etag = Etag::from(now);
    record.properties.modified = now;
    state::store(transaction, place, State::Base, Some(&former), Some(&record));
    Ok(record.stamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::fixture::Fixture;
    use crate::blob::{Conditions, NewBlob, Protection, Which};
    use crate::blob::{DeleteSnapshots, LeaseRequest, Tier, TierChange};
    use futures_executor::block_on;
    use std::time::Duration;

    fn begin(store: &Fixture, id: u128) -> BlobAddress {
        let copy = CopyState { id, total: 5, ..CopyState::default() };
        let (at, new) = (store.at("blob"), NewBlob { copy: Some(copy), ..NewBlob::default() });
        let (empty, any) = (store.inline(b""), Conditions::default());
        block_on(store.blobs.put_block_blob(&at, new, empty, any, Protection::default())).unwrap();
        at
    }

    #[test]
    fn nobody_else_writes_while_a_copy_is_under_way() {
        let store = Fixture::new();
        let at = begin(&store, 7);
        assert!(matches!(store.put("blob", store.inline(b"x")), Err(EngineError::CopyPending)));
        let other = block_on(store.blobs.finish_copy(&at, 8, None, CopyEnd::Success));
        assert!(matches!(other, Err(EngineError::CopyIdMismatch)));
        block_on(store.blobs.copy_progress(&at, 7, 3)).unwrap();
        let bytes = Some((store.chunked(b"hello", 2), Vec::new()));
        block_on(store.blobs.finish_copy(&at, 7, bytes, CopyEnd::Success)).unwrap();
        assert_eq!(store.read("blob").unwrap(), b"hello");
        let again = block_on(store.blobs.abort_copy(&at, 7, None));
        assert!(matches!(again, Err(EngineError::NoCopyPending)));
        store.put("blob", store.inline(b"x")).unwrap();
        store.check_chunks();
    }

    #[test]
    fn nothing_is_taken_of_a_blob_that_is_not_there_yet() {
        let store = Fixture::new();
        let at = begin(&store, 7);
        let (any, none) = (Conditions::default(), Protection::default());
        let snapshot = block_on(store.blobs.snapshot(&at, None, any.clone(), none)).map(drop);
        let tier = TierChange { tier: Tier::Cool, high: false, rehydration: Duration::ZERO };
        let tier = block_on(store.blobs.set_tier(&at, Which::Base, tier, any.clone())).map(drop);
        let delete = block_on(store.blobs.delete(&at, DeleteSnapshots::Refuse, any.clone(), none)).map(drop);
        let metadata = block_on(store.blobs.set_metadata(&at, Vec::new(), any, none)).map(drop);
        for refused in [snapshot, tier, delete, metadata] {
            assert!(matches!(refused, Err(EngineError::CopyPending)), "{refused:?}");
        }
    }

    #[test]
    fn a_copy_to_a_leased_blob_is_called_off_by_the_holder_only() {
        let store = Fixture::new();
        let at = begin(&store, 7);
        let acquire = LeaseRequest::Acquire { id: LeaseId(1), seconds: None };
        block_on(store.blobs.lease(&at, acquire, Conditions::default())).unwrap();
        for other in [None, Some(LeaseId(2))] {
            assert!(matches!(block_on(store.blobs.abort_copy(&at, 7, other)), Err(EngineError::Lease(_))));
        }
        block_on(store.blobs.abort_copy(&at, 7, Some(LeaseId(1)))).unwrap();
        assert_eq!(status(&store), (CopyStatus::Aborted, 0));
    }

    fn status(store: &Fixture) -> (CopyStatus, u64) {
        let at = store.at("blob");
        let blob = block_on(store.blobs.properties(&at, Which::Base, Conditions::default())).unwrap();
        (blob.copy.unwrap().status, blob.length)
    }

    #[test]
    fn a_copy_that_was_interrupted_or_takes_too_long_does_not_stay_pending() {
        let store = Fixture::new();
        let at = begin(&store, 7);
        block_on(store.blobs.fail_interrupted_copies()).unwrap();
        assert_eq!(status(&store).0, CopyStatus::Failed);
        store.put("blob", store.inline(b"x")).unwrap();

        begin(&store, 8);
        store.clock.advance(std::time::Duration::from_hours(14 * 24 - 1));
        block_on(store.blobs.tidy_once(100)).unwrap();
        assert_eq!(status(&store).0, CopyStatus::Pending);
        store.clock.advance(std::time::Duration::from_hours(2));
        block_on(store.blobs.tidy_once(100)).unwrap();
        assert_eq!(status(&store).0, CopyStatus::Failed);
        let late =
            store.blobs.finish_copy(&at, 8, Some((store.chunked(b"late", 2), Vec::new())), CopyEnd::Success);
        assert!(matches!(block_on(late), Err(EngineError::NoCopyPending)));
        assert_eq!(block_on(store.blobs.tidy_once(100)).unwrap(), 0);
        store.check_chunks();
    }

    #[test]
    fn a_copy_whose_container_has_another_name_fails_where_its_blob_is_now() {
        let mut store = Fixture::new();
        let at = begin(&store, 7);
        let renamed = crate::name::ContainerName::parse("renamed").unwrap();
        block_on(store.blobs.rename_container(&store.account, &store.container, &renamed, None)).unwrap();
        let lost = block_on(store.blobs.finish_copy(&at, 7, None, CopyEnd::Success));
        assert!(matches!(lost, Err(EngineError::ContainerNotFound)));
        store.container = renamed;
        assert_eq!(status(&store).0, CopyStatus::Pending);
        let other = block_on(store.blobs.fail_copy(8, "why".to_owned()));
        assert!(matches!(other, Err(EngineError::NoCopyPending)));
        block_on(store.blobs.fail_copy(7, "why".to_owned())).unwrap();
        assert_eq!(status(&store).0, CopyStatus::Failed);
        store.put("blob", store.inline(b"x")).unwrap();
        let again = block_on(store.blobs.fail_copy(7, "why".to_owned()));
        assert!(matches!(again, Err(EngineError::NoCopyPending)));
        assert_eq!(store.records(crate::meta::Family::Due), 0);
    }

    #[test]
    fn a_copy_keeps_the_kind_of_blob() {
        let store = Fixture::new();
        store.put("blob", store.inline(b"block")).unwrap();
        let kind = BlobKind::Append { blocks: 3, sealed: true };
        let put = |name: &str, copy: Option<CopyState>| {
            let (at, new) = (store.at(name), NewBlob { copy, ..NewBlob::default() });
            let content = (kind, store.chunked(b"hello", 2), Vec::new());
            let (any, protection) = (Conditions::default(), Protection::default());
            block_on(store.blobs.put_copied_blob(&at, new, content, any, protection))
        };
        let other = put("blob", Some(CopyState::default()));
        assert!(matches!(other, Err(EngineError::BlobKindMismatch)));
        put("other", None).unwrap();
        let at = store.at("other");
        let blob = block_on(store.blobs.properties(&at, Which::Base, Conditions::default())).unwrap();
        assert_eq!((blob.kind, blob.length), (kind, 5));
        assert_eq!(store.read("other").unwrap(), b"hello");
        store.check_chunks();
    }

    #[test]
    fn pages_of_a_copy_are_written_by_its_id_and_those_of_a_failed_one_are_gone() {
        let store = Fixture::new();
        let at = store.at("blob");
        let copy = CopyState { id: 7, total: 512, ..CopyState::default() };
        let new = NewBlob { copy: Some(copy), ..NewBlob::default() };
        let (any, protection) = (Conditions::default(), Protection::default());
        block_on(store.blobs.create_page_blob(&at, new, (512, 5), any, protection)).unwrap();
        let page = || vec![bytes::Bytes::from(vec![1; 512])];
        let other = store.blobs.write_copied_pages(&at, 8, 0, page());
        assert!(matches!(block_on(other), Err(EngineError::CopyIdMismatch)));
        block_on(store.blobs.write_copied_pages(&at, 7, 0, page())).unwrap();
        assert_eq!(store.read("blob").unwrap(), vec![1; 512]);
        let end = CopyEnd::Failed("500 InternalError".to_owned());
        block_on(store.blobs.finish_copy(&at, 7, None, end)).unwrap();
        assert_eq!(status(&store), (CopyStatus::Failed, 0));
    }

    #[test]
    fn a_copy_that_was_called_off_writes_nothing() {
        let store = Fixture::new();
        let at = begin(&store, 7);
        block_on(store.blobs.abort_copy(&at, 7, None)).unwrap();
        let late =
            store.blobs.finish_copy(&at, 7, Some((store.chunked(b"late", 2), Vec::new())), CopyEnd::Success);
        assert!(matches!(block_on(late), Err(EngineError::NoCopyPending)));
        let blob = block_on(store.blobs.properties(&at, Which::Base, Conditions::default())).unwrap();
        assert_eq!(blob.copy.unwrap().status, CopyStatus::Aborted);
        store.check_chunks();
    }
}
