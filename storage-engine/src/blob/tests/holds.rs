//! That nothing changes a blob that must stay as it is: every verb is tried on every kind of blob, under a hold and
//! under a policy.

use crate::blob::fixture::{Fixture, block_id, read_all};
use crate::blob::{
    Alteration, AppendConditions, BlobAddress, BlobKind, BlobProperties, BlockChoice, Conditions,
    ContentHeaders, CopyState, DeleteSnapshots, Expiry, ImmutabilityPolicy, LeaseId, LeaseRequest, ListBlobs,
    NewBlob, Origin, Protection, SequenceAction, SequenceConditions, Tier, TierChange, Which,
};
use crate::clock::Clock;
use crate::error::{EngineError, Result};
use crate::page::PageRange;
use bytes::Bytes;
use futures_executor::block_on;
use std::time::Duration;

const KINDS: [BlobKind; 3] =
    [BlobKind::Block, BlobKind::Append { blocks: 1, sealed: false }, BlobKind::Page { sequence_number: 0 }];

fn any() -> Conditions {
    Conditions::default()
}

fn kept(versioning: bool) -> Protection {
    Protection { versioning, ..Protection::default() }
}

fn new() -> NewBlob {
    NewBlob { metadata: vec![("new".to_owned(), "yes".to_owned())], ..NewBlob::default() }
}

/// A blob of this kind, with a snapshot.
fn made(store: &Fixture, kind: BlobKind, protection: Protection) -> BlobAddress {
    let (at, blobs) = (store.at("blob"), &store.blobs);
    match kind {
        BlobKind::Block => {
            let content = store.chunked(b"content", 3);
            block_on(blobs.put_block_blob(&at, NewBlob::default(), content, any(), protection)).unwrap();
        }
        BlobKind::Append { .. } => {
            block_on(blobs.create_append_blob(&at, NewBlob::default(), any(), protection)).unwrap();
            let block = store.chunked(b"content", 3);
            block_on(blobs.append_block(&at, block, AppendConditions::default(), any())).unwrap();
        }
        BlobKind::Page { .. } => {
            block_on(blobs.create_page_blob(&at, NewBlob::default(), (1024, 0), any(), protection)).unwrap();
            let parts = vec![Bytes::from(vec![1; 512])];
            block_on(blobs.write_pages(&at, 0, parts, SequenceConditions::default(), any())).unwrap();
        }
    }
    at
}

/// Verbs that put another blob in the place of the one that is there.
fn replacing(
    store: &Fixture,
    at: &BlobAddress,
    kind: BlobKind,
    protection: Protection,
) -> Vec<(&'static str, Result<()>)> {
    let blobs = &store.blobs;
    let copied = NewBlob { copy: Some(CopyState::default()), ..new() };
    let origin = Origin::from(Which::Base);
    let of_kind = match kind {
        BlobKind::Block => {
            let content = store.inline(b"other");
            block_on(blobs.put_block_blob(at, new(), content, any(), protection)).map(drop)
        }
        BlobKind::Append { .. } => block_on(blobs.create_append_blob(at, new(), any(), protection)).map(drop),
        BlobKind::Page { .. } => {
            block_on(blobs.create_page_blob(at, new(), (512, 0), any(), protection)).map(drop)
        }
    };
    let mut outcomes = vec![
        ("replace", of_kind),
        ("promote", block_on(blobs.promote(at, origin, new(), any(), protection)).map(drop)),
        ("metadata", block_on(blobs.set_metadata(at, Vec::new(), any(), protection)).map(drop)),
    ];
    if kind == BlobKind::Block {
        let list = vec![BlockChoice::Latest(block_id("1"))];
        drop(block_on(blobs.stage_block(at, block_id("1"), store.chunked(b"block", 2), None)));
        outcomes.push((
            "commit",
            block_on(blobs.commit_block_list(at, list, new(), any(), protection)).map(drop),
        ));
        let content = (kind, store.inline(b""), Vec::new());
        let copy = blobs.put_copied_blob(at, copied, content, any(), protection);
        outcomes.push(("copy", block_on(copy).map(drop)));
    }
    outcomes
}

/// Verbs that change the blob where it is, whether or not versions are kept.
fn changing(store: &Fixture, at: &BlobAddress, kind: BlobKind) -> Vec<(&'static str, Result<()>)> {
    let blobs = &store.blobs;
    let headers = Alteration { headers: Some(ContentHeaders::default()), ..Alteration::default() };
    let alter = |what| block_on(blobs.alter(at, what, any())).map(drop);
    let mut outcomes = vec![
        ("headers", alter(headers)),
        ("expiry", block_on(blobs.set_expiry(at, Expiry::AfterNow(Duration::ZERO), any())).map(drop)),
    ];
    match kind {
        BlobKind::Block => {}
        BlobKind::Append { .. } => {
            let append =
                blobs.append_block(at, store.chunked(b"more", 2), AppendConditions::default(), any());
            outcomes.push(("append", block_on(append).map(drop)));
            outcomes.push(("seal", block_on(blobs.seal(at, AppendConditions::default(), any())).map(drop)));
        }
        BlobKind::Page { .. } => {
            let (none, parts) = (SequenceConditions::default(), vec![Bytes::from(vec![2; 512])]);
            let range = PageRange::new(0, 512).unwrap();
            let number = Alteration { sequence: Some(SequenceAction::Increment), ..Alteration::default() };
            outcomes.push(("pages", block_on(blobs.write_pages(at, 0, parts, none, any())).map(drop)));
            outcomes.push(("clear", block_on(blobs.clear_pages(at, range, none, any())).map(drop)));
            outcomes.push(("cut", alter(Alteration { length: Some(512), ..Alteration::default() })));
            outcomes.push(("number", alter(number)));
        }
    }
    outcomes
}

fn seen(store: &Fixture, at: &BlobAddress, which: Which) -> (BlobProperties, Vec<u8>) {
    let read = block_on(store.blobs.read(at, which, None, any())).unwrap();
    (read.properties.clone(), read_all(read).unwrap())
}

fn hold(store: &Fixture, at: &BlobAddress, legally: bool) {
    if legally {
        block_on(store.blobs.set_legal_hold(at, Which::Base, true, any())).unwrap();
    } else {
        let until = store.clock.now().after(Duration::from_hours(1));
        let policy = ImmutabilityPolicy { until, locked: false };
        block_on(store.blobs.set_policy(at, Which::Base, Some(policy), any())).unwrap();
    }
}

const fn is_refusal(outcome: &Result<()>) -> bool {
    matches!(outcome, Err(EngineError::ImmutableByLegalHold | EngineError::ImmutableByPolicy))
}

#[test]
fn nothing_changes_what_is_held() {
    for (kind, legally) in KINDS.into_iter().flat_map(|kind| [(kind, true), (kind, false)]) {
        let store = Fixture::new();
        let at = made(&store, kind, kept(false));
        hold(&store, &at, legally);
        let before = seen(&store, &at, Which::Base);
        let delete = |snapshots| block_on(store.blobs.delete(&at, snapshots, any(), kept(false))).map(drop);
        let mut outcomes = replacing(&store, &at, kind, kept(false));
        outcomes.extend(changing(&store, &at, kind));
        outcomes.push(("delete", delete(DeleteSnapshots::Refuse)));
        outcomes.push(("delete with snapshots", delete(DeleteSnapshots::Include)));
        for (verb, outcome) in outcomes {
            assert!(is_refusal(&outcome), "{verb} of {kind:?}: {outcome:?}");
        }
        assert_eq!(seen(&store, &at, Which::Base), before, "{kind:?}");
        store.clock.advance(Duration::from_hours(2));
        let freed = replacing(&store, &at, kind, kept(false));
        assert!(freed.iter().all(|(_, outcome)| outcome.is_ok() != legally), "{freed:?}");
    }
}

#[test]
fn what_is_held_becomes_a_version_that_nothing_changes() {
    for (kind, number) in KINDS.into_iter().flat_map(|kind| (0..3).map(move |number| (kind, number))) {
        let store = Fixture::new();
        let at = made(&store, kind, kept(true));
        hold(&store, &at, true);
        let (blob, bytes) = seen(&store, &at, Which::Base);
        for (verb, outcome) in changing(&store, &at, kind) {
            assert!(is_refusal(&outcome), "{verb} of {kind:?}: {outcome:?}");
        }
        match number {
            0 => drop(block_on(store.blobs.delete(&at, DeleteSnapshots::Refuse, any(), kept(true))).unwrap()),
            1 => drop(block_on(store.blobs.set_metadata(&at, Vec::new(), any(), kept(true))).unwrap()),
            _ => drop(
                block_on(store.blobs.promote(&at, Which::Base.into(), new(), any(), kept(true))).unwrap(),
            ),
        }
        let version = Which::Version(blob.version.unwrap());
        let gone = block_on(store.blobs.delete_past(&at, version, false, any(), kept(true))).map(drop);
        assert!(is_refusal(&gone), "{gone:?}");
        let (past, still) = seen(&store, &at, version);
        assert_eq!((past.etag, past.legal_hold, still), (blob.etag, true, bytes), "{kind:?}");
    }
}

#[test]
fn what_is_said_beside_a_held_blob_may_change() {
    let store = Fixture::new();
    let at = made(&store, BlobKind::Block, kept(false));
    hold(&store, &at, true);
    let before = seen(&store, &at, Which::Base).1;
    let blobs = &store.blobs;
    let tier = TierChange { tier: Tier::Cool, high: false, rehydration: Duration::ZERO };
    block_on(blobs.set_tier(&at, Which::Base, tier, any())).unwrap();
    let acquire = LeaseRequest::Acquire { id: LeaseId(1), seconds: None };
    block_on(blobs.lease(&at, acquire, any())).unwrap();
    block_on(blobs.lease(&at, LeaseRequest::Break(None), any())).unwrap();
    let snapshot = block_on(blobs.snapshot(&at, None, any(), kept(false))).unwrap();
    block_on(blobs.stage_block(&at, block_id("1"), store.chunked(b"block", 2), None)).unwrap();
    assert_eq!(seen(&store, &at, Which::Base).1, before);
    let snapshot = Which::Snapshot(snapshot.id);
    assert!(is_refusal(&block_on(blobs.delete_past(&at, snapshot, false, any(), kept(false))).map(drop)));
}

#[test]
fn a_locked_policy_stays_locked_and_may_keep_its_date() {
    let store = Fixture::new();
    let at = made(&store, BlobKind::Block, kept(false));
    let until = store.clock.now().after(Duration::from_mins(1));
    let set = |seconds, locked| {
        let policy = ImmutabilityPolicy { until: until.after(Duration::from_secs(seconds)), locked };
        block_on(store.blobs.set_policy(&at, Which::Base, Some(policy), any()))
    };
    set(5, false).unwrap();
    set(0, true).unwrap();
    assert!(matches!(set(5, false), Err(EngineError::ImmutableByPolicy)), "it is not unlocked for more time");
    set(0, true).unwrap();
    set(1, true).unwrap();
    assert!(matches!(set(0, true), Err(EngineError::ImmutableByPolicy)));
}

#[test]
fn a_version_never_takes_the_place_of_another() {
    let store = Fixture::new();
    let at = made(&store, BlobKind::Block, kept(true));
    block_on(store.blobs.snapshot(&at, None, any(), kept(true))).unwrap();
    let soft = Protection { delete_retention_days: Some(1), ..kept(false) };
    block_on(store.blobs.delete(&at, DeleteSnapshots::Include, any(), soft)).unwrap();
    block_on(store.blobs.undelete(&at)).unwrap();
    // It has no version's id any more, and the ETag that a version has as its id.
    let content = store.inline(b"other");
    block_on(store.blobs.put_block_blob(&at, new(), content, any(), kept(true))).unwrap();
    let include = crate::blob::Include { versions: true, ..crate::blob::Include::default() };
    let list = ListBlobs { limit: 9, include, ..ListBlobs::default() };
    let page = block_on(store.blobs.list(&store.account, &store.container, list)).unwrap();
    assert_eq!(page.entries.len(), 3);
    store.check_chunks();
}

#[test]
fn what_must_stay_does_not_go_because_the_clock_was_ahead_once() {
    let store = Fixture::new();
    let (at, blobs) = (made(&store, BlobKind::Block, kept(false)), &store.blobs);
    let today = store.clock.now();
    hold(&store, &at, false);
    let soft = Protection { delete_retention_days: Some(1), ..kept(false) };
    let other = store.at("other");
    for name in ["other", "later"] {
        store.put(name, store.inline(b"x")).unwrap();
    }
    block_on(blobs.delete(&other, DeleteSnapshots::Refuse, any(), soft)).unwrap();
    let acquire = LeaseRequest::Acquire { id: LeaseId(1), seconds: Some(15) };
    store.clock.set(today.after(Duration::from_hours(24 * 365)));
    let stamp = store.put("later", store.inline(b"y")).unwrap();
    store.clock.set(today.after(Duration::from_secs(1)));
    let next = store.put("later", store.inline(b"z")).unwrap();
    assert!(next.etag > stamp.etag, "versions go on rising");
    for (verb, outcome) in replacing(&store, &at, BlobKind::Block, kept(false)) {
        assert!(is_refusal(&outcome), "{verb}: {outcome:?}");
    }
    let container = blobs.delete_container(&store.account, &store.container, any(), None);
    assert!(matches!(block_on(container), Err(EngineError::ContainerProtected)));
    block_on(blobs.undelete(&other)).unwrap();
    assert_eq!(store.read("other").unwrap(), b"x");
    block_on(blobs.lease(&other, acquire, any())).unwrap();
    store.clock.advance(Duration::from_secs(16));
    store.put("other", store.inline(b"the lease is over")).unwrap();
    block_on(blobs.delete(&other, DeleteSnapshots::Refuse, any(), soft)).unwrap();
    store.clock.advance(Duration::from_hours(25));
    assert!(matches!(block_on(blobs.undelete(&other)), Err(EngineError::BlobNotFound)), "its day is over");
}
