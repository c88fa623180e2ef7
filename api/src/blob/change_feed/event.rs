//! What of a change is told, and as which kind of event: a pure function of what the engine's journal has.
//!
//! Pages "Change feed in Blob Storage" and "Azure Blob Storage as an Event Grid source". The pages say which kinds of
//! events there are and which operations they may name, and leave open which operation makes which kind. Here:
//!
//! | what happened | event |
//! |---|---|
//! | a blob is made, replaced, or deleted no more | `BlobCreated` |
//! | a blob, snapshot or version goes, for good or for a while | `BlobDeleted`, with `snapshot` or the version's id |
//! | metadata, headers or tags are set; a former version is deleted no more | `BlobPropertiesUpdated` |
//! | a snapshot is taken, or deleted no more | `BlobSnapshotCreated` |
//! | a tier is set and in force, or the way out of the archive ends | `BlobTierChanged` |
//! | a copy or a way out of the archive begins | `BlobAsyncOperationInitiated` |
//! | such a copy ends, well or not | `BlobCreated`, with its id |
//!
//! Nothing is told of leases, appended blocks, written pages, expiries and policies: the operations that an event may
//! name, by the vendor's clients, are those of [`Deed`], and customers of the service ask in vain for events of
//! appends. Nor is anything told of blobs that go with their container: containers are not in this feed. A marker of a
//! point of restoring is not made, for there are no such points; nor `Control`, which readers pass over. What becomes
//! of the former state (a version, a deleted snapshot) is no event of its own; the event of the new one names it.
//!
//! # Names
//! A deleted blob's event has the `ETag` and the length of what was deleted. The id is the change's time and its place
//! among the events of one change, so an event has one id however often it is read, and `sequencer` sorts in the order
//! of all changes of the account.

use crate::blob::headers::kind_name;
use crate::blob::new_blob::tier_name;
use crate::{checksum, etag, guid, time};
use storage_engine::blob::{
    BlobKind, BlobProperties, Change, ChangedState, ContentHeaders, CopyStatus, Deed, StateChange, Tags,
};
use storage_engine::clock::Timestamp;
use storage_engine::name::AccountName;

/// Names and values, in order.
pub(super) type Pairs = Vec<(&'static str, String)>;

/// An event, in the fields of schema version 5. What is absent is null.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) topic: String,
    pub(super) subject: String,
    pub(super) kind: &'static str,
    pub(super) time: String,
    pub(super) id: String,
    pub(super) api: &'static str,
    pub(super) client_request_id: String,
    pub(super) request_id: String,
    pub(super) etag: String,
    pub(super) content_type: String,
    pub(super) content_length: u64,
    pub(super) blob_type: &'static str,
    pub(super) blob_version: Option<String>,
    pub(super) container_version: String,
    pub(super) blob_tier: Option<&'static str>,
    pub(super) sequencer: String,
    pub(super) previous_info: Pairs,
    pub(super) snapshot: Option<String>,
    /// Headers that differ: name, what it is, what it was.
    pub(super) properties_updated: Vec<(&'static str, String, String)>,
    pub(super) async_operation: Pairs,
    /// What tags are, and what they were.
    pub(super) tags_updated: Option<(Tags, Tags)>,
}

const CREATED: &str = "BlobCreated";
const DELETED: &str = "BlobDeleted";
const UPDATED: &str = "BlobPropertiesUpdated";
const SNAPSHOT_CREATED: &str = "BlobSnapshotCreated";
const TIER_CHANGED: &str = "BlobTierChanged";
const INITIATED: &str = "BlobAsyncOperationInitiated";

/// The events of a change, in order; none if nobody is told of it.
pub(super) fn of_change(account: &AccountName, change: &Change) -> Vec<Event> {
    let told = change.states.iter().filter_map(|state| {
        let kind = kind_of(change, state)?;
        let blob = state.new.as_ref().filter(|_| kind != DELETED).or(state.former.as_ref())?;
        Some((kind, state, blob.clone().as_of(change.at)))
    });
    let event = |(number, (kind, state, blob)): (usize, (&'static str, &StateChange, _))| {
        let mut event = common(account, change, number, &blob);
        event.kind = kind;
        describe(&mut event, change, state, &blob);
        event
    };
    told.enumerate().map(event).collect()
}

/// Which kind of event tells this, if any does.
fn kind_of(change: &Change, state: &StateChange) -> Option<&'static str> {
    let live = |blob: Option<&BlobProperties>| blob.is_some_and(|blob| blob.deletion.is_none());
    let restored = change.cause.deed == Deed::Undelete;
    match (state.which, live(state.former.as_ref()), live(state.new.as_ref())) {
        (ChangedState::Base, _, true) => base(change, state),
        (ChangedState::Base | ChangedState::Snapshot(_) | ChangedState::Version(_), true, false) => {
            Some(DELETED)
        }
        (ChangedState::Snapshot(_), false, true) => Some(SNAPSHOT_CREATED),
        (ChangedState::Version(_), false, true) if restored => Some(UPDATED),
        (ChangedState::Snapshot(_) | ChangedState::Version(_), true, true) => beside(change, state),
        _ => None,
    }
}

/// What is told of a blob that is there afterwards.
fn base(change: &Change, state: &StateChange) -> Option<&'static str> {
    let pending = |blob: Option<&BlobProperties>| {
        blob.and_then(|blob| blob.copy.as_ref()).is_some_and(|copy| copy.status == CopyStatus::Pending)
    };
    match (pending(state.former.as_ref()), pending(state.new.as_ref())) {
        (true, true) => return None,
        (true, false) => return Some(CREATED),
        (false, true) => return Some(INITIATED),
        (false, false) => {}
    }
    match change.cause.deed {
        Deed::Put | Deed::CommitBlockList | Deed::Copy => Some(CREATED),
        Deed::Undelete => state.former.is_none().then_some(CREATED),
        Deed::SetMetadata | Deed::SetProperties | Deed::SetTags | Deed::SetTier => beside(change, state),
        // It is the snapshots that went or came.
        Deed::AbortCopy | Deed::Delete | Deed::Snapshot => None,
    }
}

/// What is told of a state that stays what it is.
fn beside(change: &Change, state: &StateChange) -> Option<&'static str> {
    match change.cause.deed {
        Deed::SetMetadata | Deed::SetProperties | Deed::SetTags => Some(UPDATED),
        Deed::SetTier if destination(state).is_some() => Some(INITIATED),
        Deed::SetTier => Some(TIER_CHANGED),
        _ => None,
    }
}

/// The tier that the blob is on its way to, out of the archive.
fn destination(state: &StateChange) -> Option<&'static str> {
    let rehydration = state.new.as_ref()?.tier?.rehydration?;
    Some(tier_name(rehydration.to))
}

/// A tier's name; a block blob that was given none has the account's.
fn tier(blob: &BlobProperties) -> Option<&'static str> {
    let default = (blob.kind == BlobKind::Block).then_some("Hot");
    blob.tier.map(|tier| tier_name(tier.tier)).or(default)
}

/// What all events of a change have.
fn common(account: &AccountName, change: &Change, number: usize, blob: &BlobProperties) -> Event {
    let (ticks, number) = (change.at.ticks(), number as u64);
    let nowhere = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/linarite";
    Event {
        topic: format!("{nowhere}/providers/Microsoft.Storage/storageAccounts/{account}"),
        subject: format!("/blobServices/default/containers/{}/blobs/{}", change.container, change.blob),
        time: time::iso8601(change.at),
        id: guid::print(u128::from(ticks) << 64 | u128::from(number)),
        api: api(change.cause.deed),
        client_request_id: change.cause.client_request_id.clone(),
        request_id: change.cause.request_id.clone(),
        etag: etag::plain(blob.etag),
        content_type: blob.headers.content_type.clone(),
        content_length: blob.length,
        blob_type: kind_name(blob.kind),
        blob_version: blob.version.map(time::iso8601),
        container_version: format!("{:016x}", change.container_id),
        blob_tier: tier(blob),
        sequencer: format!("{:016x}{ticks:016x}{number:016x}", 1),
        snapshot: blob.snapshot.map(time::iso8601),
        ..Event::default()
    }
}

/// The name of the operation, as the feed has it.
const fn api(deed: Deed) -> &'static str {
    match deed {
        Deed::Put => "PutBlob",
        Deed::CommitBlockList => "PutBlockList",
        Deed::Copy => "CopyBlob",
        Deed::AbortCopy => "AbortCopyBlob",
        Deed::Delete => "DeleteBlob",
        Deed::Undelete => "UndeleteBlob",
        Deed::SetMetadata => "SetBlobMetadata",
        Deed::SetProperties => "SetBlobProperties",
        Deed::SetTags => "SetBlobTags",
        Deed::SetTier => "SetBlobTier",
        Deed::Snapshot => "SnapshotBlob",
    }
}

/// Adds what an event of its kind has besides.
fn describe(event: &mut Event, change: &Change, state: &StateChange, blob: &BlobProperties) {
    if state.which == ChangedState::Base {
        event.previous_info = whereabouts(change, state);
        event.async_operation = async_operation(event.kind, state);
        if event.kind == DELETED {
            // With versioning what is deleted is a version from then on, and has an id also if it had none before.
            event.blob_version = new_version(change).map(time::iso8601).or(event.blob_version.take());
        }
    } else if event.kind == DELETED && state.new.is_some() {
        event.previous_info.push(("WasBlobSoftDeleted", "true".to_owned()));
    }
    if event.kind == INITIATED
        && let Some(tier) = destination(state)
    {
        event.async_operation = vec![("DestinationTier", tier.to_owned())];
    }
    let Some(former) = &state.former else { return };
    // As it was kept: that its way out of the archive is over is what may be told here.
    let (before, changed) = (tier(former), tier(former) != tier(blob));
    if let Some(before) = before.filter(|_| changed && event.kind != DELETED) {
        event.previous_info.push(("PreviousTier", before.to_owned()));
    }
    let was_on_its_way = former.tier.is_some_and(|tier| tier.rehydration.is_some());
    if let Some(tier) = event.blob_tier.filter(|_| was_on_its_way && event.kind == TIER_CHANGED) {
        event.async_operation =
            vec![("DestinationTier", tier.to_owned()), ("WasAsyncOperation", "true".to_owned())];
    }
    match change.cause.deed {
        Deed::SetProperties => event.properties_updated = updated(&blob.headers, &former.headers),
        Deed::SetTags => event.tags_updated = Some((blob.tags.clone(), former.tags.clone())),
        _ => {}
    }
}

/// The version that the former state of the blob became.
fn new_version(change: &Change) -> Option<Timestamp> {
    change.states.iter().find_map(|state| match (state.which, &state.former) {
        (ChangedState::Version(id), None) => Some(id),
        _ => None,
    })
}

/// What became of the former state of a blob.
fn whereabouts(change: &Change, state: &StateChange) -> Pairs {
    let mut pairs = Pairs::new();
    let soft_deleted =
        change.states.iter().find_map(|other| match (other.which, &other.former, &other.new) {
            (ChangedState::Snapshot(id), None, Some(new)) if new.deletion.is_some() => Some(id),
            _ => None,
        });
    if let Some(id) = soft_deleted {
        pairs.push(("SoftDeleteSnapshot", time::iso8601(id)));
    }
    if change.states.iter().any(|other| other.which == ChangedState::Deleted) {
        pairs.push(("WasBlobSoftDeleted", "true".to_owned()));
    }
    if let (Some(last), true) = (new_version(change), state.new.is_some()) {
        let version = state.new.as_ref().and_then(|new| new.version);
        pairs.extend(version.map(|version| ("BlobVersion", time::iso8601(version))));
        pairs.push(("LastVersion", time::iso8601(last)));
    }
    pairs
}

/// The copy that begins, or that ends.
fn async_operation(kind: &str, state: &StateChange) -> Pairs {
    let copy = |blob: Option<&BlobProperties>| blob?.copy.clone();
    let pending = copy(state.former.as_ref()).filter(|copy| copy.status == CopyStatus::Pending);
    match (kind, pending, copy(state.new.as_ref())) {
        (INITIATED, _, Some(copy)) => vec![("CopyId", guid::print(copy.id))],
        (CREATED, Some(copy), _) => {
            vec![("WasAsyncOperation", "true".to_owned()), ("CopyId", guid::print(copy.id))]
        }
        _ => Pairs::new(),
    }
}

/// The headers that differ.
fn updated(new: &ContentHeaders, former: &ContentHeaders) -> Vec<(&'static str, String, String)> {
    let md5 = |headers: &ContentHeaders| headers.md5.map(checksum::md5_text).unwrap_or_default();
    let pairs = [
        ("ContentType", new.content_type.clone(), former.content_type.clone()),
        ("ContentEncoding", new.encoding.clone(), former.encoding.clone()),
        ("ContentLanguage", new.language.clone(), former.language.clone()),
        ("ContentDisposition", new.disposition.clone(), former.disposition.clone()),
        ("CacheControl", new.cache_control.clone(), former.cache_control.clone()),
        ("ContentMD5", md5(new), md5(former)),
    ];
    pairs.into_iter().filter(|(_, new, former)| new != former).collect()
}

#[cfg(test)]
mod tests;
