//! Writes of whole blobs and of what they show of themselves; under this, all other verbs that write, but those of
//! pages.
//!
//! A write that replaces a blob asks [`guard`] whether it may, decides the fate of the former state
//! ([`super::state`]), and writes the new one. What the name had goes with that: content, staged blocks, tags, tier,
//! metadata. The lease stays, and so do the past states.

use super::record::BlobRecord;
use super::record::place::{Place, Route, State};
use super::record::properties::{BlobKind, Protection};
use super::rule::guard::{self, Change};
use super::state::{self, Fate, content};
use super::{BlobAddress, BlobStore, Block, Conditions, Encryption, NewBlob, Stamp, journal};
use crate::chunk::{ChunkRef, Content, Staged};
use crate::clock::{Etag, Timestamp};
use crate::error::Result;
use crate::meta::{self, Transaction, Weight};
use crate::seal::Framing;
use std::collections::BTreeSet;

pub(super) mod append;
mod attribute;
pub(super) mod block;
pub(super) mod copy;
mod delete;
mod version;
pub use append::{AppendConditions, Appended};
pub use attribute::{Expiry, TierChange, TierChanged};
pub use copy::{CopyEnd, IncrementalCopy, IncrementalCopyBegun};
pub use delete::{DeleteSnapshots, Deleted};
pub use version::{Origin, Snapshot};

impl BlobStore {
    /// Makes `content` the whole of a block blob. *Put Blob*, *Put Blob From URL*, and copies of one part.
    ///
    /// What the name had before goes, or is kept as `protection` says; also the time of its creation.
    pub async fn put_block_blob(
        &self,
        at: &BlobAddress,
        new: NewBlob,
        content: Staged,
        conditions: Conditions,
        protection: Protection,
    ) -> Result<Stamp> {
        let content = (BlobKind::Block, content, Vec::new());
        self.put_copied_blob(at, new, content, conditions, protection).await
    }

    /// As [`Self::put_block_blob`], of a block or append blob, as `kind` says, and with the blocks that the content is
    /// of if there are some. *Copy Blob*.
    ///
    /// The content of an append blob, or of blocks, has to come from [`crate::chunk::Upload::finish_in_chunks`], that
    /// of blocks with each of them as a part ([`crate::chunk::Upload::in_parts`]).
    ///
    /// # Errors
    /// [`crate::EngineError::BlobKindMismatch`] if a blob of another kind is there.
    pub async fn put_copied_blob(
        &self,
        at: &BlobAddress,
        new: NewBlob,
        (kind, content, blocks): (BlobKind, Staged, Vec<Block>),
        conditions: Conditions,
        protection: Protection,
    ) -> Result<Stamp> {
        let (named, length) = (content.content.clone(), content.length);
        // As the content is, whoever sealed it.
        let new = NewBlob { encryption: content.sealed().cloned().map(Encryption::with), ..new };
        self.change(at, Some(content), move |transaction, place| {
            let content = (&named, blocks.as_slice(), length);
            put(transaction, place, (&new, content), kind, (&conditions, protection))
        })
        .await
    }

    /// Runs a verb on the blob's place, in the container that has the name now.
    pub(super) async fn change<T, F>(&self, at: &BlobAddress, staged: Option<Staged>, verb: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Transaction, &Place) -> Result<T> + Send + 'static,
    {
        let at = at.clone();
        let route = meta::read(self.meta.as_ref(), Weight::Point, move |view| Route::find(view, &at)).await?;
        let cause = self.cause.clone();
        meta::commit(self.meta.as_ref(), route.place.scope.clone(), staged, move |transaction| {
            route.check(transaction)?;
            match cause.as_deref() {
                None => verb(transaction, &route.place),
                Some(cause) => {
                    journal::told(transaction, &route.place, cause, |told| verb(told, &route.place))
                }
            }
        })
        .await
    }
}

fn put(
    transaction: &mut dyn Transaction,
    place: &Place,
    (new, (content, blocks, length)): (&NewBlob, (&Content, &[Block], u64)),
    kind: BlobKind,
    (conditions, protection): (&Conditions, Protection),
) -> Result<Stamp> {
    let former = guard::to_replace(transaction, place, conditions, kind, protection)?;
    guard::keeps_kind(new, former.as_ref(), kind)?;
    drop_staged(transaction, place, &BTreeSet::new())?;
    retire(transaction, place, former.as_ref(), kind, protection)?;
    let now = transaction.now();
    let framing = Framing::of(new.encryption.as_ref());
    let form = copy::blocks::write(transaction, place, now.ticks(), (content, blocks), framing)?;
    let record = BlobRecord::new(now, length, kind, new, form);
    Ok(put_base(transaction, place, record, former.as_ref(), protection))
}

/// Deletes the blocks staged for a name, and frees their chunks but those in `kept`.
pub(super) fn drop_staged(
    transaction: &mut dyn Transaction,
    place: &Place,
    kept: &BTreeSet<ChunkRef>,
) -> Result<()> {
    let staged = block::take_staged(transaction, place)?;
    let chunks = staged.into_iter().flat_map(|(_, block)| block.chunks);
    content::free(transaction, chunks.filter(|chunk| !kept.contains(chunk)));
    Ok(())
}

/// Puts away what is there when a blob of this kind is made: the former one, and a deleted one. Their content
/// goes, or stays with what they become.
pub(super) fn retire(
    transaction: &mut dyn Transaction,
    place: &Place,
    former: Option<&BlobRecord>,
    kind: BlobKind,
    protection: Protection,
) -> Result<()> {
    state::retire_deleted(transaction, place, kind)?;
    let Some(former) = former else { return Ok(()) };
    let fate = state::fate(transaction, place, former, protection)?;
    state::retire(transaction, place, former, fate);
    if fate == Fate::Gone {
        content::release(transaction, place, former.form)?;
    }
    Ok(())
}

/// Writes a new blob where nothing is any more, with the lease of the former one.
pub(super) fn put_base(
    transaction: &mut dyn Transaction,
    place: &Place,
    mut record: BlobRecord,
    former: Option<&BlobRecord>,
    protection: Protection,
) -> Stamp {
    record.properties.lease = guard::inherit_lease(former);
    record.properties.version = protection.versioning.then(|| transaction.now());
    if protection.tracks_access {
        record.properties.accessed = Some(transaction.now());
    }
    state::store(transaction, place, State::Base, None, Some(&record));
    record.stamp()
}

/// Changes the blob in place, which makes a new `ETag` but never a version.
pub(super) fn change_in_place(
    transaction: &mut dyn Transaction,
    place: &Place,
    conditions: &Conditions,
    change: impl FnOnce(&mut BlobRecord) -> Result<()>,
) -> Result<Stamp> {
    let now = transaction.now();
    let former = state::get(transaction, place, State::Base)?;
    let mut record = guard::to_change(transaction, place, conditions, Change::InPlace)?;
    change(&mut record)?;
    touch(&mut record, now);
    state::store(transaction, place, State::Base, former.as_ref(), Some(&record));
    Ok(record.stamp())
}

/// Marks a record as changed now. The copy that it came from is not what it is any more.
pub(super) fn touch(record: &mut BlobRecord, now: Timestamp) {
    record.properties.etag = Etag::from(now);
    record.properties.modified = now;
    record.properties.copy = None;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::fixture::{Fixture, account, container};
    use crate::blob::{
        Alteration, BlobProperties, ContentHeaders, DeleteSnapshots, EtagMatch, NewContainer, Which,
    };
    use crate::clock::Etag;
    use crate::error::EngineError;
    use crate::meta::Family;
    use crate::meta::memory::MemoryMeta;
    use crate::meta::{Inquiry, MetaStore, Scope, Verb};
    use futures_executor::block_on;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn unless_there() -> Conditions {
        Conditions { if_none_match: vec![EtagMatch::Any], ..Conditions::default() }
    }

    fn only(etag: Etag) -> Conditions {
        Conditions { if_match: vec![EtagMatch::Exactly(etag)], ..Conditions::default() }
    }

    fn all(headers: ContentHeaders) -> Alteration {
        Alteration { headers: Some(headers), ..Alteration::default() }
    }

    fn put(store: &Fixture, conditions: Conditions) -> Result<Stamp> {
        let at = store.at("blob");
        block_on(store.blobs.put_block_blob(
            &at,
            NewBlob::default(),
            store.chunked(b"content", 3),
            conditions,
            Protection::default(),
        ))
    }

    fn properties(store: &Fixture) -> BlobProperties {
        block_on(store.blobs.properties(&store.at("blob"), Which::Base, Conditions::default())).unwrap()
    }

    #[test]
    fn a_put_makes_a_new_blob_each_time() {
        let store = Fixture::new();
        let first = put(&store, Conditions::default()).unwrap();
        store.stage("blob", "id", b"staged").unwrap();
        let second = put(&store, only(first.etag)).unwrap();
        assert!(second.etag > first.etag);
        let now = properties(&store);
        assert_eq!((now.etag, now.created, now.modified), (second.etag, second.modified, second.modified));
        assert_eq!(now.length, 7);
        store.check_chunks();
        assert_eq!(store.chunks.alive().len(), 3, "the former content and the staged block are gone");
    }

    #[test]
    fn a_put_whose_conditions_fail_leaves_the_blob_and_no_chunk_of_its_own() {
        let store = Fixture::new();
        assert!(matches!(put(&store, only(Etag(1))), Err(EngineError::PreconditionFailed)));
        let stamp = put(&store, unless_there()).unwrap();
        assert!(matches!(put(&store, unless_there()), Err(EngineError::BlobExists)));
        assert!(matches!(put(&store, only(Etag(1))), Err(EngineError::PreconditionFailed)));
        assert_eq!(properties(&store).etag, stamp.etag);
        store.check_chunks();
    }

    #[test]
    fn a_put_into_a_container_that_is_not_there_gives_its_chunks_back() {
        let store = Fixture::new();
        store.delete_container();
        assert!(matches!(put(&store, Conditions::default()), Err(EngineError::ContainerNotFound)));
        store.check_chunks();
    }

    /// A store in which something happens right before the next verb runs.
    #[derive(Debug)]
    struct Interrupted {
        store: Arc<MemoryMeta>,
        containers: BlobStore,
        made_anew: bool,
        pending: AtomicBool,
    }

    impl Interrupted {
        fn interrupt(&self) {
            let (account, container) = (account(), container());
            block_on(self.containers.delete_container(&account, &container, Conditions::default(), None))
                .unwrap();
            if self.made_anew {
                let new = NewContainer::default();
                block_on(self.containers.create_container(&account, &container, new)).unwrap();
            }
        }
    }

    impl MetaStore for Interrupted {
        fn submit(&self, scope: Scope, verb: Box<dyn Verb>) {
            if self.pending.swap(false, Ordering::SeqCst) {
                // On a thread of its own, for this one is waiting for a future already.
                std::thread::scope(|scope| scope.spawn(|| self.interrupt()).join()).unwrap();
            }
            self.store.submit(scope, verb);
        }

        fn inquire(&self, weight: Weight, inquiry: Box<dyn Inquiry>) {
            self.store.inquire(weight, inquiry);
        }
    }

    #[test]
    fn a_verb_does_not_write_into_a_container_that_went_while_it_waited() {
        for made_anew in [false, true] {
            let store = Fixture::new();
            let meta = Interrupted {
                store: Arc::clone(&store.meta),
                containers: store.blobs.clone(),
                made_anew,
                pending: AtomicBool::new(true),
            };
            let blobs =
                BlobStore::new(Arc::new(meta), Arc::new(store.chunks.clone()), Arc::clone(&store.clock) as _);
            let (at, content) = (store.at("blob"), store.chunked(b"content", 3));
            let put = block_on(blobs.put_block_blob(
                &at,
                NewBlob::default(),
                content,
                Conditions::default(),
                Protection::default(),
            ));
            assert!(matches!(put, Err(EngineError::ContainerNotFound)));
            assert_eq!(store.records(Family::Blob), 0);
            store.check_chunks();
        }
    }

    #[test]
    fn setting_metadata_or_headers_makes_a_new_version_of_the_same_content() {
        let store = Fixture::new();
        let put = put(&store, Conditions::default()).unwrap();
        let metadata = vec![("name".to_owned(), "value".to_owned())];
        let headers = ContentHeaders { content_type: "text/plain".to_owned(), ..ContentHeaders::default() };
        let at = store.at("blob");
        let first =
            block_on(store.blobs.set_metadata(&at, metadata.clone(), only(put.etag), Protection::default()))
                .unwrap();
        let stale = block_on(store.blobs.alter(&at, all(headers.clone()), only(put.etag)));
        assert!(matches!(stale, Err(EngineError::PreconditionFailed)));
        let second = block_on(store.blobs.alter(&at, all(headers.clone()), only(first.etag))).unwrap().stamp;
        let now = properties(&store);
        assert!(put.etag < first.etag && first.etag < second.etag);
        assert_eq!((now.etag, now.modified, now.created), (second.etag, second.modified, put.modified));
        assert_eq!((now.metadata, now.headers), (metadata, headers));
        assert_eq!(store.read("blob").unwrap(), b"content");
    }

    #[test]
    fn what_is_not_there_cannot_be_changed_or_deleted() {
        let store = Fixture::new();
        store.stage("blob", "id", b"only staged").unwrap();
        let at = store.at("blob");
        for conditions in [Conditions::default(), only(Etag(1)), unless_there()] {
            let outcomes = [
                block_on(store.blobs.set_metadata(
                    &at,
                    Vec::new(),
                    conditions.clone(),
                    Protection::default(),
                ))
                .map(drop),
                block_on(store.blobs.alter(&at, all(ContentHeaders::default()), conditions.clone()))
                    .map(drop),
                block_on(store.blobs.delete(&at, DeleteSnapshots::Refuse, conditions, Protection::default()))
                    .map(drop),
            ];
            for outcome in outcomes {
                assert!(matches!(outcome, Err(EngineError::BlobNotFound)));
            }
        }
    }

    #[test]
    fn a_deletion_takes_everything_of_the_name_along() {
        let store = Fixture::new();
        put(&store, Conditions::default()).unwrap();
        store.stage("blob", "id", b"staged").unwrap();
        let at = store.at("blob");
        let refused =
            block_on(store.blobs.delete(&at, DeleteSnapshots::Refuse, unless_there(), Protection::default()));
        assert!(matches!(refused, Err(EngineError::PreconditionFailed)));
        block_on(store.blobs.delete(
            &at,
            DeleteSnapshots::Refuse,
            Conditions::default(),
            Protection::default(),
        ))
        .unwrap();
        assert!(matches!(store.read("blob"), Err(EngineError::BlobNotFound)));
        for family in [Family::Blob, Family::Content, Family::Staged, Family::Chunk] {
            assert_eq!(store.records(family), 0, "{family:?}");
        }
        store.check_chunks();
    }
}
