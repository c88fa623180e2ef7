//! Deleting blobs, snapshots and versions, and restoring what is kept of them.
//!
//! What a deletion does depends on the service's settings (page "Soft delete for blobs", with versioning and
//! without). With versioning the blob becomes a former version and nothing is deleted. Without, it stays for its days
//! under a state of its own, so that neither a reader nor a new blob meets it, and its snapshots stay where they are,
//! marked. Without either, all goes at once.

use crate::blob::record::BlobRecord;
use crate::blob::record::place::{Place, State};
use crate::blob::record::properties::{Deletion, Protection, Which};
use crate::blob::rule::guard::{self, Change};
use crate::blob::state::{self, Fate};
use crate::blob::{BlobAddress, BlobStore, Conditions, Lease, write};
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::meta::Transaction;
use std::collections::BTreeSet;

/// What a deletion of a blob does about its snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeleteSnapshots {
    /// Nothing: it is refused if there are some.
    #[default]
    Refuse,
    /// They go with the blob.
    Include,
    /// They go, and the blob stays.
    Only,
}

/// What a deletion did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    /// Whether it is gone for good, and cannot be restored.
    pub permanent: bool,
}

impl BlobStore {
    /// Deletes the blob and the blocks staged for it, or its snapshots, or both. *Delete Blob*.
    pub async fn delete(
        &self,
        at: &BlobAddress,
        snapshots: DeleteSnapshots,
        conditions: Conditions,
        protection: Protection,
    ) -> Result<Deleted> {
        self.change(at, None, move |transaction, place| {
            delete(transaction, place, snapshots, &conditions, protection)
        })
        .await
    }

    /// Deletes a snapshot or former version; `permanently`, one that is deleted already. *Delete Blob* with
    /// `snapshot` or `versionid`.
    ///
    /// # Errors
    /// [`EngineError::CurrentVersion`] for the id of the current version; [`EngineError::PermanentDeleteRefused`].
    pub async fn delete_past(
        &self,
        at: &BlobAddress,
        which: Which,
        permanently: bool,
        conditions: Conditions,
        protection: Protection,
    ) -> Result<Deleted> {
        self.change(at, None, move |transaction, place| {
            delete_past(transaction, place, (which, permanently), &conditions, protection)
        })
        .await
    }

    /// Restores all of the name that is deleted and kept. Does nothing if there is nothing. *Undelete Blob*.
    ///
    /// # Errors
    /// [`EngineError::BlobNotFound`] if the name has no state at all.
    pub async fn undelete(&self, at: &BlobAddress) -> Result<()> {
        self.change(at, None, undelete).await
    }
}

fn delete(
    transaction: &mut dyn Transaction,
    place: &Place,
    snapshots: DeleteSnapshots,
    conditions: &Conditions,
    protection: Protection,
) -> Result<Deleted> {
    let now = transaction.clock();
    let only = snapshots == DeleteSnapshots::Only;
    let change = if protection.versioning || only { Change::Kept } else { Change::InPlace };
    let former = state::get(transaction, place, State::Base)?;
    let record = guard::to_change_any(transaction, place, conditions, change)?;
    let former = state::not_found(former)?;
    if snapshots == DeleteSnapshots::Refuse {
        if state::has_snapshots(transaction, place, now)? {
            return Err(EngineError::SnapshotsPresent);
        }
    } else {
        for (state, snapshot) in state::past(transaction, place)? {
            if matches!(state, State::Snapshot(_)) && snapshot.properties.is_live(now) {
                guard::mutable(&snapshot.properties, now)?;
                remove(transaction, place, (state, &snapshot), protection)?;
            }
        }
    }
    let permanent = !protection.versioning && protection.delete_retention_days.is_none();
    if only {
        state::store(transaction, place, State::Base, Some(&former), Some(&record));
        return Ok(Deleted { permanent });
    }
    write::drop_staged(transaction, place, &BTreeSet::new())?;
    delete_base(transaction, place, &former, protection)?;
    Ok(Deleted { permanent })
}

fn delete_base(
    transaction: &mut dyn Transaction,
    place: &Place,
    former: &BlobRecord,
    protection: Protection,
) -> Result<()> {
    if protection.versioning {
        let id = state::version_id(transaction, place, former)?;
        state::retire(transaction, place, former, Fate::Version(id));
        return Ok(());
    }
    let Some(days) = protection.delete_retention_days else {
        return state::discard(transaction, place, State::Base, former);
    };
    // There is one already if the name was deleted with its blob made anew by a build that let it be.
    state::retire_deleted(transaction, place, former.properties.kind)?;
    state::store(transaction, place, State::Base, Some(former), None);
    let mut deleted = former.clone();
    deleted.properties.lease = Lease::None;
    // Versioning is off, and a listing tells a deleted blob from a deleted version by this.
    deleted.properties.version = None;
    deleted.properties.deletion = Some(Deletion::now((transaction.now(), transaction.clock()), days));
    state::store(transaction, place, State::Deleted, None, Some(&deleted));
    Ok(())
}

/// Deletes a past state, or marks it as deleted.
fn remove(
    transaction: &mut dyn Transaction,
    place: &Place,
    (state, record): (State, &BlobRecord),
    protection: Protection,
) -> Result<()> {
    let Some(days) = protection.delete_retention_days else {
        return state::discard(transaction, place, state, record);
    };
    let mut deleted = record.clone();
    deleted.properties.deletion = Some(Deletion::now((transaction.now(), transaction.clock()), days));
    state::store(transaction, place, state, Some(record), Some(&deleted));
    Ok(())
}

fn delete_past(
    transaction: &mut dyn Transaction,
    place: &Place,
    (which, permanently): (Which, bool),
    conditions: &Conditions,
    protection: Protection,
) -> Result<Deleted> {
    let now = transaction.clock();
    let state = match which {
        Which::Base => return Err(EngineError::StateMismatch),
        Which::Snapshot(id) => State::Snapshot(id),
        Which::Version(id) => State::Version(id),
    };
    if matches!(state::find(transaction, place, which, now)?, Some((State::Base, _))) {
        return Err(EngineError::CurrentVersion);
    }
    let record = state::get(transaction, place, state)?.filter(|record| record.properties.exists(now));
    let record = state::not_found(record)?;
    if permanently {
        if record.properties.deletion.is_none() || !protection.permanent_delete_allowed {
            return Err(EngineError::PermanentDeleteRefused);
        }
        guard::mutable(&record.properties, now)?;
        state::discard(transaction, place, state, &record)?;
        return Ok(Deleted { permanent: true });
    }
    if record.properties.deletion.is_some() {
        return Err(EngineError::BlobNotFound);
    }
    if conditions.lease.is_some() {
        return Err(EngineError::StateMismatch);
    }
    guard::mutable(&record.properties, now)?;
    guard::check_existing(conditions, &record)?;
    remove(transaction, place, (state, &record), protection)?;
    Ok(Deleted { permanent: protection.delete_retention_days.is_none() })
}

fn undelete(transaction: &mut dyn Transaction, place: &Place) -> Result<()> {
    let now = transaction.clock();
    state::clear_expired(transaction, place)?;
    let mut found = state::live_base(transaction, place, now)?.is_some();
    let restorable = |record: &BlobRecord, now: Timestamp| {
        record.properties.deletion.is_some_and(|deletion| now < deletion.purge)
    };
    if let Some(deleted) = state::get(transaction, place, State::Deleted)?
        && restorable(&deleted, now)
        && !found
    {
        found = true;
        state::store(transaction, place, State::Deleted, Some(&deleted), None);
        let mut base = deleted;
        base.properties.deletion = None;
        state::store(transaction, place, State::Base, None, Some(&base));
    }
    for (state, record) in state::past(transaction, place)? {
        found |= record.properties.exists(now);
        if restorable(&record, now) {
            let mut restored = record.clone();
            restored.properties.deletion = None;
            state::store(transaction, place, state, Some(&record), Some(&restored));
        }
    }
    if found { Ok(()) } else { Err(EngineError::BlobNotFound) }
}
