//! Verbs that leave the former state beside the new one: metadata, snapshots, and bringing an old state back.
//!
//! With versioning, new metadata makes a new version of the same content, and a snapshot makes one too (page "Blob
//! versioning"). All states of a name share content by naming it ([`content`]), so none of this copies bytes.
//! A page blob's volume is written in place: its past is a snapshot of the volume, which the caller has taken before
//! the verb runs and gives as an epoch (see [`crate::blob::page`]).
//!
//! # A blob that is copied onto itself
//! It is its own source, so it must not be emptied to wait for its bytes, as other destinations are: a process that
//! ends then would leave neither. [`BlobStore::promote`] therefore does it in one verb, for every kind of blob, and
//! only if the source is still the version that the caller was shown, whose metadata the caller brings along.

use crate::blob::record::place::{Place, State};
use crate::blob::record::properties::{BlobKind, Protection, Which};
use crate::blob::record::{BlobRecord, Form};
use crate::blob::rule::guard::{self, Change};
use crate::blob::state::{self, content};
use crate::blob::{BlobAddress, BlobStore, Conditions, NewBlob, Stamp, write};
use crate::clock::{Etag, Timestamp};
use crate::error::{EngineError, Result};
use crate::meta::Transaction;
use crate::name::Metadata;
use crate::page::Epoch;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A snapshot that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id.
    pub id: Timestamp,
    /// The blob's version; that of the snapshot, if it was given metadata of its own.
    pub stamp: Stamp,
}

/// Which of its own states a blob is to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The state.
    pub which: Which,
    /// The version of it that the caller has seen; none if any will do.
    pub etag: Option<Etag>,
    /// Whether an append blob is sealed then; none: as the state is.
    pub sealed: Option<bool>,
}

impl From<Which> for Origin {
    fn from(which: Which) -> Self {
        Self { which, etag: None, sealed: None }
    }
}

impl BlobStore {
    /// Replaces the blob's user metadata. *Set Blob Metadata*.
    pub async fn set_metadata(
        &self,
        at: &BlobAddress,
        metadata: Metadata,
        conditions: Conditions,
        protection: Protection,
    ) -> Result<Stamp> {
        self.with_epoch(at, protection.versioning, move |transaction, place, epoch| {
            set_metadata(transaction, place, &metadata, (&conditions, protection), epoch)
        })
        .await
    }

    /// Takes a snapshot, with this metadata in place of the blob's if some is given. *Snapshot Blob*.
    pub async fn snapshot(
        &self,
        at: &BlobAddress,
        metadata: Option<Metadata>,
        conditions: Conditions,
        protection: Protection,
    ) -> Result<Snapshot> {
        self.with_epoch(at, true, move |transaction, place, epoch| {
            snapshot(transaction, place, metadata.as_ref(), (&conditions, protection), epoch)
        })
        .await
    }

    /// Makes the blob what it is itself, or what a snapshot or version of it is, without copying. *Copy Blob* of a
    /// blob's own states.
    ///
    /// Headers and blocks come from there; the rest of `new` is the caller's to decide, except the headers.
    ///
    /// # Errors
    /// [`EngineError::BlobKindMismatch`] for past states of page blobs, whose pages have to be copied;
    /// [`EngineError::BlobOverwritten`] if the state is another version than the caller has seen;
    /// [`EngineError::BlobArchived`].
    pub async fn promote(
        &self,
        at: &BlobAddress,
        from: Origin,
        new: NewBlob,
        conditions: Conditions,
        protection: Protection,
    ) -> Result<Stamp> {
        let verb = move |transaction: &mut dyn Transaction, place: &Place, epoch| {
            promote(transaction, place, (from, epoch), &new, (&conditions, protection))
        };
        let verb = Arc::new(verb);
        let plain = Arc::clone(&verb);
        if let Some(stamp) =
            self.change(at, None, move |transaction, place| plain(transaction, place, None)).await?
        {
            return Ok(stamp);
        }
        let paged =
            move |transaction: &mut dyn Transaction, place: &Place, epoch| verb(transaction, place, epoch);
        self.with_epoch(at, true, paged).await?.ok_or(EngineError::BlobOverwritten)
    }
}

fn set_metadata(
    transaction: &mut dyn Transaction,
    place: &Place,
    metadata: &Metadata,
    (conditions, protection): (&Conditions, Protection),
    epoch: Option<Epoch>,
) -> Result<Stamp> {
    let now = transaction.now();
    let former = state::get(transaction, place, State::Base)?;
    let change = if protection.versioning { Change::Kept } else { Change::InPlace };
    let mut record = guard::to_change(transaction, place, conditions, change)?;
    conditions.check_customer_key(&record.properties)?;
    record.properties.metadata.clone_from(metadata);
    write::touch(&mut record, now);
    if !protection.versioning {
        state::store(transaction, place, State::Base, former.as_ref(), Some(&record));
        return Ok(record.stamp());
    }
    let former = state::not_found(former)?;
    keep_version(transaction, place, &former, epoch)?;
    record.properties.version = Some(now);
    state::store(transaction, place, State::Base, None, Some(&record));
    Ok(record.stamp())
}

/// Makes the blob a former version and leaves its content to both.
fn keep_version(
    transaction: &mut dyn Transaction,
    place: &Place,
    former: &BlobRecord,
    epoch: Option<Epoch>,
) -> Result<()> {
    content::share(transaction, place, former.form)?;
    let id = state::version_id(transaction, place, former)?;
    state::store(transaction, place, State::Base, Some(former), None);
    let mut past = as_past(former, epoch)?;
    past.properties.version = Some(id);
    state::store(transaction, place, State::Version(id), None, Some(&past));
    Ok(())
}

/// The record of a past state that was as the blob is.
fn as_past(record: &BlobRecord, epoch: Option<Epoch>) -> Result<BlobRecord> {
    let mut past = record.clone();
    past.properties.lease = crate::blob::Lease::None;
    if let Form::Volume(volume, None) = past.form {
        let epoch = epoch.ok_or_else(|| EngineError::corrupt("the snapshot of a volume"))?;
        past.form = Form::Volume(volume, Some(epoch));
    }
    Ok(past)
}

fn snapshot(
    transaction: &mut dyn Transaction,
    place: &Place,
    metadata: Option<&Metadata>,
    (conditions, protection): (&Conditions, Protection),
    epoch: Option<Epoch>,
) -> Result<Snapshot> {
    let now = transaction.now();
    let record = state::not_found(state::live_base(transaction, place, transaction.clock())?)?;
    guard::not_incremental(&record.properties)?;
    guard::no_copy(&record.properties)?;
    guard::check_read(conditions, &record, transaction.clock()).map_err(|error| match error {
        EngineError::NotModified { .. } => EngineError::PreconditionFailed,
        other => other,
    })?;
    conditions.check_customer_key(&record.properties)?;
    let mut past = as_past(&record, epoch)?;
    past.properties.snapshot = Some(now);
    past.properties.version = None;
    if let Some(metadata) = metadata {
        past.properties.metadata.clone_from(metadata);
        past.properties.etag = Etag::from(now);
        past.properties.modified = now;
    }
    content::share(transaction, place, past.form)?;
    state::store(transaction, place, State::Snapshot(now), None, Some(&past));
    let mut version = record.properties.version;
    if protection.versioning {
        keep_version(transaction, place, &record, epoch)?;
        version = Some(now);
        let mut current = record;
        current.properties.version = version;
        state::store(transaction, place, State::Base, None, Some(&current));
    }
    Ok(Snapshot { id: now, stamp: Stamp { version, ..past.stamp() } })
}

/// Makes the blob what `from` is; none if that takes a snapshot of its volume, and none is given.
fn promote(
    transaction: &mut dyn Transaction,
    place: &Place,
    (from, epoch): (Origin, Option<Epoch>),
    new: &NewBlob,
    (conditions, protection): (&Conditions, Protection),
) -> Result<Option<Stamp>> {
    let now = transaction.now();
    let (_, source) = state::not_found(state::find(transaction, place, from.which, transaction.clock())?)?;
    let kind = match (source.properties.kind, from.sealed) {
        (BlobKind::Page { .. }, _) if from.which != Which::Base => return Err(EngineError::BlobKindMismatch),
        (BlobKind::Page { .. }, _) if epoch.is_none() => return Ok(None),
        (BlobKind::Append { blocks, .. }, Some(sealed)) => BlobKind::Append { blocks, sealed },
        (kind, _) => kind,
    };
    if from.etag.is_some_and(|seen| seen != source.properties.etag) {
        return Err(EngineError::BlobOverwritten);
    }
    if source.properties.is_archived() {
        return Err(EngineError::BlobArchived);
    }
    let mut former = guard::to_replace(transaction, place, conditions, kind, protection)?;
    if former.as_ref().is_some_and(|former| !former.properties.kind.same(kind)) {
        return Err(EngineError::BlobKindMismatch);
    }
    // Before the former one goes, which may be the source.
    content::share(transaction, place, source.form)?;
    if let Some(former) = &mut former
        && let Form::Volume(volume, None) = former.form
    {
        former.form = Form::Volume(volume, epoch);
    }
    write::drop_staged(transaction, place, &BTreeSet::new())?;
    write::retire(transaction, place, former.as_ref(), kind, protection)?;
    let mut record = BlobRecord::new(now, source.properties.length, kind, new, source.form);
    record.properties.headers = source.properties.headers;
    record.properties.encryption = source.properties.encryption;
    Ok(Some(write::put_base(transaction, place, record, former.as_ref(), protection)))
}
