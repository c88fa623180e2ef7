//! Going over the blobs of accounts that have rules, and doing what the rules say.
//!
//! # Pace
//! A step looks at some pages of a listing, each of few blobs, and ends with the first page of which something was to
//! be done. The [`keeper`](crate::keeper) rests between steps that did nothing, so looking at what needs nothing is
//! slow on purpose, while what is due goes as fast as one verb after the other. When all was seen, the next round
//! begins after an hour; at once if rules were set meanwhile. Where a round is, is in memory only: after a restart it
//! begins anew, and what was done already is not due any more.
//!
//! # What was judged may change
//! Between the look and the verb somebody may write the blob. The verb therefore wants the `ETag` that was seen. A verb
//! that is refused, because of that, a lease, a hold, snapshots that are there, is not repeated: the next round sees.

use super::{Lifecycle, LifecycleStore, Subject, Verdict};
use crate::blob::{
    BlobAddress, BlobEntry, BlobProperties, BlobStore, CHANGE_FEED, Cause, Conditions, Deed, DeleteSnapshots,
    EtagMatch, Include, ListBlobs, ListContainers, TierChange, Which,
};
use crate::clock::{Clock, Timestamp};
use crate::error::{EngineError, Result};
use crate::name::{AccountName, BlobName, ContainerName};
use crate::settings::{Service, ServiceSettings, SettingsStore};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// From the beginning of a round to that of the next.
const ROUND: Duration = Duration::from_hours(1);
/// Blobs that are looked at together.
const BLOBS_AT_A_TIME: usize = 64;
/// Pages of one step, if nothing is to be done.
const PAGES_MAX: usize = 16;
/// Containers that are looked up together.
const CONTAINERS_AT_A_TIME: usize = 100;

/// A walk over all blobs that rules may be for.
#[derive(Debug)]
pub(crate) struct LifecycleWalk {
    store: LifecycleStore,
    blobs: BlobStore,
    settings: SettingsStore,
    clock: Arc<dyn Clock>,
    /// When the round began, and how often rules had been set by then.
    begun: Option<(Timestamp, u64)>,
    accounts: VecDeque<AccountName>,
    place: Option<Place>,
}

/// Where a round is, in one account.
#[derive(Debug)]
struct Place {
    account: AccountName,
    lifecycle: Lifecycle,
    containers: VecDeque<ContainerName>,
    /// Behind which container the rest of the names is; none at the end.
    more_behind: Option<String>,
    /// Where to go on in the first container.
    after: Option<Vec<u8>>,
}

impl LifecycleWalk {
    /// A walk that has seen nothing yet.
    pub(crate) fn new(
        store: LifecycleStore,
        blobs: BlobStore,
        settings: SettingsStore,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { store, blobs, settings, clock, begun: None, accounts: VecDeque::new(), place: None }
    }

    /// Takes a step, and gives how much was changed: with 0 there is no hurry.
    ///
    /// # Errors
    /// The store's. The account is then left to the next round.
    pub(crate) async fn once(&mut self) -> Result<usize> {
        self.begin_when_due().await?;
        for _ in 0..PAGES_MAX {
            let Some(place) = self.next_place().await? else { return Ok(0) };
            match self.look(place).await? {
                0 => {}
                done => return Ok(done),
            }
        }
        Ok(0)
    }

    async fn begin_when_due(&mut self) -> Result<()> {
        let (now, changes) = (self.clock.now(), self.store.changes());
        let due = |(begun, seen): (Timestamp, u64)| {
            seen != changes || now < begun || (self.is_done() && begun.after(ROUND) <= now)
        };
        if self.begun.is_none_or(due) {
            self.begun = Some((now, changes));
            self.place = None;
            self.accounts = self.store.accounts().await?.into();
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.place.is_none() && self.accounts.is_empty()
    }

    /// Where to look next; none at the end of the round. It is taken, so that an error does not lead there again.
    async fn next_place(&mut self) -> Result<Option<Place>> {
        loop {
            let Some(place) = self.place.take() else {
                let Some(account) = self.accounts.pop_front() else { return Ok(None) };
                let lifecycle = self.store.get(&account).await?;
                self.place = lifecycle.map(|lifecycle| Place::first(account, lifecycle));
                continue;
            };
            if !place.containers.is_empty() {
                return Ok(Some(place));
            }
            self.place = self.with_containers(place).await?;
        }
    }

    /// The place with the next containers; none if there are no more.
    async fn with_containers(&self, mut place: Place) -> Result<Option<Place>> {
        let Some(behind) = place.more_behind.take() else { return Ok(None) };
        let after = Some(behind).filter(|name| !name.is_empty());
        let list = ListContainers { after, limit: CONTAINERS_AT_A_TIME, ..ListContainers::default() };
        let page = self.blobs.list_containers(&place.account, list).await?;
        place.more_behind = page.next.and_then(|next| String::from_utf8(next).ok());
        let names = page.entries.into_iter().map(|container| container.name);
        let concerns = |name: &str| name != CHANGE_FEED && place.lifecycle.concerns(name);
        place.containers = names.filter(|name| concerns(name.as_str())).collect();
        Ok(Some(place))
    }

    /// Judges the blobs of the place's next page, and does what is to be done.
    async fn look(&mut self, mut place: Place) -> Result<usize> {
        let Some(container) = place.containers.front().cloned() else { return Ok(0) };
        let include = Include { snapshots: true, versions: true, ..Include::default() };
        let after = place.after.take();
        let list = ListBlobs { after, limit: BLOBS_AT_A_TIME, include, ..ListBlobs::default() };
        let (entries, next) = match self.blobs.list(&place.account, &container, list).await {
            Ok(page) => (page.entries, page.next),
            Err(EngineError::ContainerNotFound) => (Vec::new(), None),
            Err(error) => return Err(error),
        };
        let settings = self.settings.get(&place.account, Service::Blob).await?;
        let now = self.clock.now();
        let mut done = 0;
        for entry in entries {
            let BlobEntry::Blob(name, properties) = entry else { continue };
            let subject =
                Subject { container: container.as_str(), name: name.as_str(), properties: &properties };
            let tracked = settings.blob.management.last_access_tracking;
            if let Some(verdict) = place.lifecycle.judge(subject, now, tracked) {
                let at = address(&place.account, &container, name);
                done += usize::from(self.perform(&at, &properties, verdict, &settings).await?);
            }
        }
        place.after = next;
        if place.after.is_none() {
            place.containers.pop_front();
        }
        self.place = Some(place);
        Ok(done)
    }

    /// Does it; `false` if it cannot be done now.
    async fn perform(
        &self,
        at: &BlobAddress,
        properties: &BlobProperties,
        verdict: Verdict,
        settings: &ServiceSettings,
    ) -> Result<bool> {
        let conditions =
            Conditions { if_match: vec![EtagMatch::Exactly(properties.etag)], ..Conditions::default() };
        let which = which(properties);
        let protection = settings.blob.protection();
        let deed = if verdict == Verdict::Delete { Deed::Delete } else { Deed::SetTier };
        let told = settings.blob.management.change_feed;
        let blobs = if told { &self.blobs.on_behalf(Cause::of_background(deed)) } else { &self.blobs };
        let outcome = match (verdict, which) {
            (Verdict::Move(tier), which) => {
                let change = TierChange { tier, high: false, rehydration: Duration::ZERO };
                blobs.set_tier(at, which, change, conditions).await.map(drop)
            }
            (Verdict::Delete, Which::Base) => {
                blobs.delete(at, DeleteSnapshots::Refuse, conditions, protection).await.map(drop)
            }
            (Verdict::Delete, which) => {
                blobs.delete_past(at, which, false, conditions, protection).await.map(drop)
            }
        };
        match outcome {
            Ok(()) => Ok(true),
            Err(error) if is_refusal(&error) => {
                tracing::debug!(%error, container = %at.container, blob = %at.blob, "a lifecycle rule is not applied");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

impl Place {
    fn first(account: AccountName, lifecycle: Lifecycle) -> Self {
        let more_behind = Some(String::new());
        Self { account, lifecycle, containers: VecDeque::new(), more_behind, after: None }
    }
}

fn address(account: &AccountName, container: &ContainerName, blob: BlobName) -> BlobAddress {
    BlobAddress { account: account.clone(), container: container.clone(), blob }
}

fn which(properties: &BlobProperties) -> Which {
    match (properties.snapshot, properties.version) {
        (Some(id), _) => Which::Snapshot(id),
        (None, Some(id)) if !properties.current => Which::Version(id),
        _ => Which::Base,
    }
}

/// Whether it is about this blob and nothing else, so that the walk goes on.
const fn is_refusal(error: &EngineError) -> bool {
    matches!(
        error,
        EngineError::ContainerNotFound
            | EngineError::BlobNotFound
            | EngineError::PreconditionFailed
            | EngineError::Lease(_)
            | EngineError::SnapshotsPresent
            | EngineError::CurrentVersion
            | EngineError::StateMismatch
            | EngineError::BlobBeingRehydrated
            | EngineError::TierKindMismatch
            | EngineError::ImmutableByPolicy
            | EngineError::ImmutableByLegalHold
            | EngineError::CopyPending
            | EngineError::IncrementalCopy
    )
}

#[cfg(test)]
mod tests;
