//! What is said about a blob, a snapshot or a version beside its content and metadata: lease, tags, tier, expiry,
//! immutability, and when it was read. None of it makes a new `ETag` or version, except the expiry.

use crate::blob::record::BlobRecord;
use crate::blob::record::lease::{self, LeaseOutcome, LeaseRequest};
use crate::blob::record::place::{Place, State};
use crate::blob::record::properties::{AccessTier, BlobKind, ImmutabilityPolicy, Rehydration, Tier, Which};
use crate::blob::record::tags::Tags;
use crate::blob::rule::guard::{self, Change};
use crate::blob::{BlobAddress, BlobStore, Conditions, CopyStatus, Stamp, state, write};
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::meta::Transaction;
use std::time::Duration;

/// When a blob is to expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// Never.
    Never,
    /// So long after its creation.
    AfterCreation(Duration),
    /// So long from now.
    AfterNow(Duration),
    /// Then.
    At(Timestamp),
}

/// What a change of tier is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierChange {
    /// The tier.
    pub tier: Tier,
    /// Whether in haste, if it leaves the archive.
    pub high: bool,
    /// How long it takes to leave the archive.
    pub rehydration: Duration,
}

/// What a change of tier gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TierChanged {
    /// It is done.
    Done,
    /// The blob is on its way out of the archive.
    Pending,
}

impl BlobStore {
    /// Acquires, renews, changes, releases or breaks the blob's lease. *Lease Blob*.
    pub async fn lease(
        &self,
        at: &BlobAddress,
        request: LeaseRequest,
        conditions: Conditions,
    ) -> Result<(Stamp, LeaseOutcome)> {
        self.change(at, None, move |transaction, place| {
            let now = transaction.clock();
            let former = state::not_found(state::live_base(transaction, place, now)?)?;
            guard::not_incremental(&former.properties)?;
            guard::check_existing(&conditions, &former)?;
            let (next, outcome) = lease::step(former.properties.lease, request, now)?;
            let mut record = former.clone();
            record.properties.lease = next;
            state::store(transaction, place, State::Base, Some(&former), Some(&record));
            Ok((record.stamp(), outcome))
        })
        .await
    }

    /// Replaces the tags of the blob or of a version. *Set Blob Tags*.
    ///
    /// # Errors
    /// [`EngineError::StateMismatch`] for a snapshot.
    pub async fn set_tags(
        &self,
        at: &BlobAddress,
        which: Which,
        tags: Tags,
        conditions: Conditions,
    ) -> Result<Stamp> {
        self.beside(at, which, conditions, move |_, state, record| {
            if matches!(state, State::Snapshot(_)) {
                return Err(EngineError::StateMismatch);
            }
            record.properties.tags.clone_from(&tags);
            Ok(record.stamp())
        })
        .await
    }

    /// Sets the access tier. *Set Blob Tier*.
    ///
    /// # Errors
    /// [`EngineError::BlobBeingRehydrated`], [`EngineError::TierKindMismatch`], [`EngineError::TierLowered`],
    /// [`EngineError::TierTooSmall`].
    pub async fn set_tier(
        &self,
        at: &BlobAddress,
        which: Which,
        change: TierChange,
        conditions: Conditions,
    ) -> Result<TierChanged> {
        self.beside(at, which, conditions, move |now, _, record| set_tier(record, change, now)).await
    }

    /// Says when the blob expires. *Set Blob Expiry*.
    pub async fn set_expiry(
        &self,
        at: &BlobAddress,
        expiry: Expiry,
        conditions: Conditions,
    ) -> Result<Stamp> {
        self.change(at, None, move |transaction, place| {
            let now = transaction.clock();
            write::change_in_place(transaction, place, &conditions, |record| {
                record.properties.expires = match expiry {
                    Expiry::Never => None,
                    Expiry::AfterCreation(span) => Some(record.properties.created.after(span)),
                    Expiry::AfterNow(span) => Some(now.after(span)),
                    Expiry::At(moment) => Some(moment),
                };
                Ok(())
            })
        })
        .await
    }

    /// Sets the immutability policy, or with none removes it. *Set Blob Immutability Policy* and *Delete …*.
    ///
    /// # Errors
    /// [`EngineError::ImmutableByPolicy`] if there is a locked one, which may only be extended.
    pub async fn set_policy(
        &self,
        at: &BlobAddress,
        which: Which,
        policy: Option<ImmutabilityPolicy>,
        conditions: Conditions,
    ) -> Result<Option<ImmutabilityPolicy>> {
        self.beside(at, which, conditions, move |now, _, record| {
            let locked = record.properties.policy.filter(|former| former.locked && now < former.until);
            let extends = |former: ImmutabilityPolicy| {
                policy.is_some_and(|policy| policy.locked && policy.until >= former.until)
            };
            if locked.is_some_and(|former| !extends(former)) {
                return Err(EngineError::ImmutableByPolicy);
            }
            record.properties.policy = policy;
            Ok(policy)
        })
        .await
    }

    /// Puts a legal hold on the blob, or takes it off. *Set Blob Legal Hold*.
    pub async fn set_legal_hold(
        &self,
        at: &BlobAddress,
        which: Which,
        hold: bool,
        conditions: Conditions,
    ) -> Result<()> {
        self.beside(at, which, conditions, move |_, _, record| {
            record.properties.legal_hold = hold;
            Ok(())
        })
        .await
    }

    /// Runs a change that touches neither content nor `ETag`, on any state that is there. The lease is asked only if
    /// the request brings an id.
    async fn beside<T, F>(
        &self,
        at: &BlobAddress,
        which: Which,
        conditions: Conditions,
        change: F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(Timestamp, State, &mut BlobRecord) -> Result<T> + Send + 'static,
    {
        self.change(at, None, move |transaction: &mut dyn Transaction, place: &Place| {
            let now = transaction.clock();
            let (state, _) = state::not_found(state::find(transaction, place, which, now)?)?;
            let former = state::not_found(state::get(transaction, place, state)?)?;
            let mut record = former.clone();
            if state == State::Base {
                guard::to_change(transaction, place, &conditions, Change::Beside)?;
            } else {
                guard::check_existing(&conditions, &record)?;
            }
            record.properties = record.properties.as_of(now);
            let told = change(now, state, &mut record)?;
            state::store(transaction, place, state, Some(&former), Some(&record));
            Ok(told)
        })
        .await
    }
}

fn set_tier(record: &mut BlobRecord, change: TierChange, now: Timestamp) -> Result<TierChanged> {
    let TierChange { tier, high, rehydration } = change;
    let former = record.properties.tier;
    let (length, kind) = (record.properties.length, record.properties.kind);
    if let Some(copy) = &record.properties.copy
        && copy.status == CopyStatus::Pending
    {
        return Err(EngineError::CopyPending);
    }
    if matches!(kind, BlobKind::Append { .. })
        || matches!(kind, BlobKind::Page { .. }) != tier.bytes_max().is_some()
    {
        return Err(EngineError::TierKindMismatch);
    }
    if tier.bytes_max().is_some_and(|max| length > max) {
        return Err(EngineError::TierTooSmall);
    }
    if tier.bytes_max().is_some() && former.is_some_and(|former| tier < former.tier) {
        return Err(EngineError::TierLowered);
    }
    if let Some(former) = former
        && former.tier == Tier::Archive
        && (tier != Tier::Archive || former.rehydration.is_some())
    {
        let way = match former.rehydration {
            // It may be hurried on, and not held back.
            Some(way) if way.to == tier => Rehydration { high: way.high || high, ..way },
            Some(_) => return Err(EngineError::BlobBeingRehydrated),
            None => Rehydration { to: tier, high, ends: now.after(rehydration) },
        };
        record.properties.tier = Some(AccessTier { rehydration: Some(way), ..former });
        return Ok(TierChanged::Pending);
    }
    record.properties.tier = Some(AccessTier { tier, changed: Some(now), rehydration: None });
    Ok(TierChanged::Done)
}
