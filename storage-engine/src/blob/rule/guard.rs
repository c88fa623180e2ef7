//! Whether a write may go on: what every verb asks before it changes a blob.
//!
//! In this order, so that the answer to a request with several faults is the vendor's: a hold or a policy, a copy
//! under way, the lease, the conditions. The container was looked at before all of them
//! ([`crate::blob::record::place::Route`]).
//! Whether the blob is there at all decides first, except that an id of a lease is wrong for a blob that is not.

use crate::blob::record::BlobRecord;
use crate::blob::record::lease::{self, Lease, LeaseError, Leased};
use crate::blob::record::place::Place;
use crate::blob::record::properties::{BlobKind, BlobProperties, CopyStatus, NewBlob, Protection};
use crate::blob::rule::condition::Conditions;
use crate::blob::state;
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::meta::Transaction;

/// The blob that a verb is about to replace as a whole, if there is one, with what is left of its lease.
///
/// # Errors
/// As the module says; [`EngineError::SnapshotsPresent`] if it has snapshots and is of another kind.
pub(in crate::blob) fn to_replace(
    transaction: &mut dyn Transaction,
    place: &Place,
    conditions: &Conditions,
    kind: BlobKind,
    protection: Protection,
) -> Result<Option<BlobRecord>> {
    state::clear_expired(transaction, place)?;
    let now = transaction.clock();
    let former = state::live_base(transaction, place, now)?;
    let Some(mut former) = former else {
        absent(conditions)?;
        return Ok(None);
    };
    if !protection.versioning {
        mutable(&former.properties, now)?;
    }
    not_incremental(&former.properties)?;
    no_copy(&former.properties)?;
    former.properties.lease =
        lease::check_write(former.properties.lease, conditions.lease, now, Leased::Blob)?;
    if conditions.lease_without_end && conditions.lease.is_some() && !former.properties.lease.is_infinite() {
        return Err(EngineError::Lease(LeaseError::InfiniteDurationRequired));
    }
    conditions.check_tags(&former.properties.tags)?;
    conditions.check_write(Some(former.version()))?;
    if !former.properties.kind.same(kind) && state::has_snapshots(transaction, place, now)? {
        return Err(EngineError::SnapshotsPresent);
    }
    Ok(Some(former))
}

/// The conditions of a write where there is no blob.
fn absent(conditions: &Conditions) -> Result<()> {
    if conditions.lease.is_some() {
        return Err(EngineError::Lease(LeaseError::NotPresent(Leased::Blob)));
    }
    conditions.check_write(None)?;
    if conditions.if_tags.is_some() { Err(EngineError::PreconditionFailed) } else { Ok(()) }
}

/// What a change does to the blob, as far as it decides whether the blob may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::blob) enum Change {
    /// The former state stays as a version, so that holds and policies do not matter.
    Kept,
    /// The blob is changed in place, or goes.
    InPlace,
    /// What is changed is not of the blob's content and metadata: tier, tags, policies.
    Beside,
}

/// The blob that a verb is about to change, which must be there, with what is left of its lease.
///
/// # Errors
/// As the module says; [`EngineError::BlobNotFound`].
pub(in crate::blob) fn to_change(
    transaction: &dyn Transaction,
    place: &Place,
    conditions: &Conditions,
    change: Change,
) -> Result<BlobRecord> {
    if let Some(base) = state::live_base(transaction, place, transaction.clock())? {
        not_incremental(&base.properties)?;
    }
    to_change_any(transaction, place, conditions, change)
}

/// As [`to_change`], also of a blob that only incremental copies write: for those, and for deleting it.
pub(in crate::blob) fn to_change_any(
    transaction: &dyn Transaction,
    place: &Place,
    conditions: &Conditions,
    change: Change,
) -> Result<BlobRecord> {
    let now = transaction.clock();
    let Some(mut record) = state::live_base(transaction, place, now)? else {
        // Page "Lease Blob": an id for a blob that is not there.
        return Err(EngineError::BlobNotFound);
    };
    if change == Change::InPlace {
        mutable(&record.properties, now)?;
    }
    let properties = &mut record.properties;
    if change == Change::Beside {
        lease::check_read(properties.lease, conditions.lease, now, Leased::Blob)?;
    } else {
        no_copy(properties)?;
        properties.lease = lease::check_write(properties.lease, conditions.lease, now, Leased::Blob)?;
    }
    check_existing(conditions, &record)?;
    Ok(record)
}

/// Tags, tier, version and age of a blob that is there. That it should not be there is a condition like any other here,
/// and no complaint of its own as it is when a blob is made.
pub(in crate::blob) fn check_existing(conditions: &Conditions, record: &BlobRecord) -> Result<()> {
    conditions.check_tags(&record.properties.tags)?;
    conditions.check_tier(&record.properties)?;
    match conditions.check_write(Some(record.version())) {
        Err(EngineError::BlobExists) => Err(EngineError::PreconditionFailed),
        checked => checked,
    }
}

/// The conditions of a read.
pub(in crate::blob) fn check_read(
    conditions: &Conditions,
    record: &BlobRecord,
    now: Timestamp,
) -> Result<()> {
    lease::check_read(record.properties.lease, conditions.lease, now, Leased::Blob)?;
    conditions.check_tags(&record.properties.tags)?;
    let (etag, modified) = record.version();
    conditions.check_read(etag, modified)
}

/// Whether nothing forbids that the blob is changed or goes.
pub(in crate::blob) fn mutable(blob: &BlobProperties, now: Timestamp) -> Result<()> {
    if blob.legal_hold {
        return Err(EngineError::ImmutableByLegalHold);
    }
    match blob.policy {
        Some(policy) if now < policy.until => Err(EngineError::ImmutableByPolicy),
        _ => Ok(()),
    }
}

/// Whether the blob is not one that only incremental copies write, and whose snapshots alone are read (page
/// "Incremental Copy Blob"). Those snapshots are as any others.
pub(in crate::blob) fn not_incremental(blob: &BlobProperties) -> Result<()> {
    match &blob.copy {
        Some(copy) if copy.incremental.is_some() && blob.snapshot.is_none() => {
            Err(EngineError::IncrementalCopy)
        }
        _ => Ok(()),
    }
}

/// Whether no copy is under way to the blob.
pub(in crate::blob) fn no_copy(blob: &BlobProperties) -> Result<()> {
    match &blob.copy {
        Some(copy) if copy.status == CopyStatus::Pending => Err(EngineError::CopyPending),
        _ => Ok(()),
    }
}

/// Whether a copy may take the place of `former`: it keeps the kind of blob (page "Copy Blob").
pub(in crate::blob) fn keeps_kind(new: &NewBlob, former: Option<&BlobRecord>, kind: BlobKind) -> Result<()> {
    match former {
        Some(former) if new.copy.is_some() && !former.properties.kind.same(kind) => {
            Err(EngineError::BlobKindMismatch)
        }
        _ => Ok(()),
    }
}

/// What a new blob in place of `former` inherits.
pub(in crate::blob) fn inherit_lease(former: Option<&BlobRecord>) -> Lease {
    former.map_or(Lease::None, |former| former.properties.lease)
}
