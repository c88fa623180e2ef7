//! Which change makes which event.

use super::*;
use storage_engine::blob::{AccessTier, Cause, CopyState, Deletion, Rehydration, Tier};
use storage_engine::clock::Etag;
use storage_engine::name::{BlobName, ContainerName};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(1_700_000_000 + seconds)
}

fn blob(etag: u64) -> BlobProperties {
    BlobProperties { etag: Etag(etag), length: etag, ..BlobProperties::default() }
}

fn deleted(etag: u64) -> BlobProperties {
    BlobProperties { deletion: Some(Deletion { at: at(0), purge: at(100) }), ..blob(etag) }
}

fn copying(status: CopyStatus) -> BlobProperties {
    let copy = CopyState { id: 7, status, ..CopyState::default() };
    BlobProperties { copy: Some(Box::new(copy)), ..blob(1) }
}

type State = (ChangedState, Option<BlobProperties>, Option<BlobProperties>);

fn events(deed: Deed, states: &[State]) -> Vec<Event> {
    let states = states.iter().cloned();
    let change = Change {
        at: at(1),
        cause: Cause { deed, request_id: "r".into(), client_request_id: "c".into() },
        container: ContainerName::parse("con").unwrap(),
        container_id: 0xAB,
        blob: BlobName::parse("dir/b").unwrap(),
        states: states.map(|(which, former, new)| StateChange { which, former, new }).collect(),
    };
    of_change(&AccountName::parse("acc").unwrap(), &change)
}

fn types(deed: Deed, states: &[State]) -> Vec<&'static str> {
    events(deed, states).iter().map(|event| event.kind).collect()
}

const BASE: ChangedState = ChangedState::Base;

#[test]
fn an_event_says_where_when_and_by_whom() {
    let events = events(Deed::Put, &[(BASE, None, Some(blob(0x8D)))]);
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(event.subject, "/blobServices/default/containers/con/blobs/dir/b");
    assert!(event.topic.ends_with("/storageAccounts/acc"));
    assert_eq!((event.kind, event.api), ("BlobCreated", "PutBlob"));
    assert_eq!((event.etag.as_str(), event.content_length, event.blob_type), ("0x8D", 0x8D, "BlockBlob"));
    assert_eq!((event.request_id.as_str(), event.client_request_id.as_str()), ("r", "c"));
    assert_eq!((event.time.as_str(), event.blob_tier), ("2023-11-14T22:13:21.0000000Z", Some("Hot")));
    assert_eq!((event.container_version.as_str(), event.sequencer.len()), ("00000000000000ab", 48));
}

#[test]
fn what_is_written_is_created_and_what_is_set_is_updated() {
    let replaced = [(BASE, Some(blob(1)), Some(blob(2)))];
    for (deed, expected) in [
        (Deed::Put, &["BlobCreated"][..]),
        (Deed::CommitBlockList, &["BlobCreated"]),
        (Deed::Copy, &["BlobCreated"]),
        (Deed::SetMetadata, &["BlobPropertiesUpdated"]),
        (Deed::SetProperties, &["BlobPropertiesUpdated"]),
        (Deed::SetTags, &["BlobPropertiesUpdated"]),
        (Deed::SetTier, &["BlobTierChanged"]),
        // Deleting snapshots only, and taking one with versioning, touch the blob's record and not the blob.
        (Deed::Delete, &[]),
        (Deed::Snapshot, &[]),
    ] {
        assert_eq!(types(deed, &replaced), expected, "{deed:?}");
    }
}

#[test]
fn a_deletion_tells_each_state_that_goes_once_and_not_where_it_went() {
    let snapshot = ChangedState::Snapshot(at(0));
    let version = ChangedState::Version(at(0));
    let gone = |which| (which, Some(blob(1)), None);
    assert_eq!(types(Deed::Delete, &[gone(snapshot), gone(BASE)]), ["BlobDeleted", "BlobDeleted"]);
    let softly = [
        (snapshot, Some(blob(1)), Some(deleted(1))),
        gone(BASE),
        (ChangedState::Deleted, None, Some(deleted(1))),
    ];
    let told = events(Deed::Delete, &softly);
    assert_eq!(told.iter().map(|event| event.kind).collect::<Vec<_>>(), ["BlobDeleted", "BlobDeleted"]);
    let soft = vec![("WasBlobSoftDeleted", "true".to_owned())];
    assert!(told.iter().all(|event| event.previous_info == soft));
    let kept = events(Deed::Delete, &[(version, None, Some(blob(1))), gone(BASE)]);
    assert_eq!((kept.len(), kept[0].blob_version.as_deref()), (1, Some("2023-11-14T22:13:20.0000000Z")));
    assert!(types(Deed::Delete, &[(snapshot, Some(deleted(1)), None)]).is_empty(), "it was told already");
}

#[test]
fn what_comes_back_is_told() {
    let states = [
        (ChangedState::Snapshot(at(0)), Some(deleted(1)), Some(blob(1))),
        (ChangedState::Version(at(0)), Some(deleted(1)), Some(blob(1))),
        (BASE, None, Some(blob(2))),
        (ChangedState::Deleted, Some(deleted(2)), None),
    ];
    let expected = ["BlobSnapshotCreated", "BlobPropertiesUpdated", "BlobCreated"];
    assert_eq!(types(Deed::Undelete, &states), expected);
}

#[test]
fn a_pending_copy_is_told_at_its_ends_and_not_between() {
    let (pending, done) = (copying(CopyStatus::Pending), copying(CopyStatus::Success));
    let begun = events(Deed::Copy, &[(BASE, None, Some(pending.clone()))]);
    assert_eq!(begun[0].kind, "BlobAsyncOperationInitiated");
    let id = "00000000-0000-0000-0000-000000000007".to_owned();
    assert_eq!(begun[0].async_operation, [("CopyId", id.clone())]);
    assert!(types(Deed::Copy, &[(BASE, Some(pending.clone()), Some(pending.clone()))]).is_empty());
    let ended = events(Deed::Copy, &[(BASE, Some(pending.clone()), Some(done.clone()))]);
    assert_eq!(ended[0].kind, "BlobCreated");
    assert_eq!(ended[0].async_operation, [("WasAsyncOperation", "true".to_owned()), ("CopyId", id)]);
    let aborted = (BASE, Some(pending), Some(copying(CopyStatus::Aborted)));
    assert_eq!(types(Deed::AbortCopy, &[aborted]), ["BlobCreated"]);
    let replaced = events(Deed::Put, &[(BASE, Some(done), Some(blob(2)))]);
    assert!(replaced[0].async_operation.is_empty(), "that copy is long over");
}

#[test]
fn a_tier_is_changed_at_once_or_on_its_way_out_of_the_archive() {
    let of_tier = |tier, rehydration| BlobProperties {
        tier: Some(AccessTier { tier, changed: None, rehydration }),
        ..blob(1)
    };
    let way = Rehydration { to: Tier::Cool, high: false, ends: at(60) };
    let archive = of_tier(Tier::Archive, None);
    let begun =
        events(Deed::SetTier, &[(BASE, Some(archive.clone()), Some(of_tier(Tier::Archive, Some(way))))]);
    assert_eq!(begun[0].kind, "BlobAsyncOperationInitiated");
    assert_eq!(begun[0].async_operation, [("DestinationTier", "Cool".to_owned())]);
    assert_eq!((begun[0].blob_tier, begun[0].previous_info.len()), (Some("Archive"), 0));
    let on_its_way = of_tier(Tier::Archive, Some(way));
    let ended = events(Deed::SetTier, &[(BASE, Some(on_its_way), Some(of_tier(Tier::Cool, None)))]);
    assert_eq!((ended[0].kind, ended[0].blob_tier), ("BlobTierChanged", Some("Cool")));
    assert_eq!(ended[0].previous_info, [("PreviousTier", "Archive".to_owned())]);
    let done = [("DestinationTier", "Cool".to_owned()), ("WasAsyncOperation", "true".to_owned())];
    assert_eq!(ended[0].async_operation, done);
    let changed = events(Deed::SetTier, &[(BASE, Some(blob(1)), Some(archive))]);
    assert_eq!((changed[0].kind, changed[0].blob_tier), ("BlobTierChanged", Some("Archive")));
    assert_eq!(changed[0].previous_info, [("PreviousTier", "Hot".to_owned())]);
}

#[test]
fn headers_and_tags_are_told_as_they_are_and_were() {
    let of_type = |text: &str| BlobProperties {
        headers: ContentHeaders { content_type: text.into(), ..ContentHeaders::default() },
        ..blob(1)
    };
    let set = events(Deed::SetProperties, &[(BASE, Some(of_type("a/b")), Some(of_type("c/d")))]);
    assert_eq!(set[0].properties_updated, [("ContentType", "c/d".to_owned(), "a/b".to_owned())]);
    let put = events(Deed::Put, &[(BASE, Some(of_type("a/b")), Some(of_type("c/d")))]);
    assert!(put[0].properties_updated.is_empty());
    let tags = Tags::new(vec![("k".into(), "v".into())]).unwrap();
    let tagged = BlobProperties { tags: tags.clone(), ..blob(1) };
    let set = events(Deed::SetTags, &[(BASE, Some(blob(1)), Some(tagged))]);
    assert_eq!(set[0].tags_updated, Some((tags, Tags::default())));
}
