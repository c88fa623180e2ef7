//! What the model of all states leaves out: leases, holds, tiers, expiry, pages that differ, containers that come back.

use crate::blob::fixture::{Fixture, read_all};
use crate::blob::record::VolumeRecord;
use crate::blob::record::place::{Route, State};
use crate::blob::{
    Alteration, AppendConditions, BlobEntry, Conditions, DeleteSnapshots, Encryption, EncryptionKey, Expiry,
    FindBlobs, ImmutabilityPolicy, Include, LeaseError, LeaseId, LeaseRequest, Leased, ListBlobs,
    ListContainers, NewBlob, NewContainer, Origin, PageQuery, Protection, SequenceAction, SequenceConditions,
    TagComparison, TagExpression, Tags, Tier, TierChange, TierChanged, Which,
};
use crate::clock::Clock;
use crate::error::EngineError;
use crate::meta::{self, Family};
use crate::page::PageStore;
use crate::seal::CustomerKey;
use bytes::Bytes;
use futures_executor::block_on;
use std::num::NonZeroUsize;
use std::time::Duration;

const A: LeaseId = LeaseId(1);
const KEEP: Protection = Protection {
    versioning: false,
    delete_retention_days: Some(1),
    permanent_delete_allowed: false,
    tracks_access: false,
};

fn any() -> Conditions {
    Conditions::default()
}

fn under(lease: LeaseId) -> Conditions {
    Conditions { lease: Some(lease), ..any() }
}

fn tags(pairs: &[(&str, &str)]) -> Tags {
    Tags::new(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()).unwrap()
}

fn compare(key: &str, comparison: TagComparison, value: &str) -> TagExpression {
    TagExpression::Compare { key: key.to_owned(), comparison, value: value.to_owned() }
}

#[test]
fn a_lease_guards_writes_before_conditions_are_judged_and_outlives_the_blob_s_content() {
    let store = Fixture::new();
    let at = store.at("blob");
    store.put("blob", store.inline(b"x")).unwrap();
    let acquire = LeaseRequest::Acquire { id: A, seconds: Some(15) };
    block_on(store.blobs.lease(&at, acquire, any())).unwrap();
    let refused = store.put("blob", store.inline(b"y"));
    assert!(matches!(refused, Err(EngineError::Lease(LeaseError::IdMissing))));
    let create = Conditions { if_none_match: vec![crate::blob::EtagMatch::Any], ..any() };
    let put = |conditions| {
        let content = store.inline(b"y");
        block_on(store.blobs.put_block_blob(
            &at,
            NewBlob::default(),
            content,
            conditions,
            Protection::default(),
        ))
    };
    assert!(matches!(put(create), Err(EngineError::Lease(LeaseError::IdMissing))));
    assert!(matches!(put(under(LeaseId(2))), Err(EngineError::Lease(LeaseError::IdMismatch(Leased::Blob)))));
    put(under(A)).unwrap();
    let staged = block_on(store.blobs.stage_block(
        &at,
        crate::blob::fixture::block_id("1"),
        store.chunked(b"z", 1),
        None,
    ));
    assert!(matches!(staged, Err(EngineError::Lease(LeaseError::IdMissing))));
    let read = block_on(store.blobs.properties(&at, Which::Base, under(LeaseId(2))));
    assert!(matches!(read, Err(EngineError::Lease(LeaseError::IdMismatch(Leased::Blob)))));
    store.clock.advance(Duration::from_secs(16));
    assert!(matches!(put(under(A)), Err(EngineError::Lease(LeaseError::Lost))));
    put(any()).unwrap();
    let renewed = block_on(store.blobs.lease(&at, LeaseRequest::Renew(A), any()));
    assert!(renewed.is_err(), "it was written without the lease");
    let missing = block_on(store.blobs.put_block_blob(
        &store.at("other"),
        NewBlob::default(),
        store.inline(b"x"),
        under(A),
        Protection::default(),
    ));
    assert!(matches!(missing, Err(EngineError::Lease(LeaseError::NotPresent(Leased::Blob)))));
}

#[test]
fn holds_and_policies_forbid_changes_until_they_end() {
    let store = Fixture::new();
    let at = store.at("blob");
    store.put("blob", store.inline(b"x")).unwrap();
    let blobs = &store.blobs;
    block_on(blobs.set_legal_hold(&at, Which::Base, true, any())).unwrap();
    assert!(matches!(store.put("blob", store.inline(b"y")), Err(EngineError::ImmutableByLegalHold)));
    block_on(blobs.set_legal_hold(&at, Which::Base, false, any())).unwrap();
    let until = store.clock.now().after(Duration::from_mins(1));
    let locked = ImmutabilityPolicy { until, locked: true };
    block_on(blobs.set_policy(&at, Which::Base, Some(locked), any())).unwrap();
    let delete = || block_on(blobs.delete(&at, DeleteSnapshots::Refuse, any(), KEEP));
    assert!(matches!(delete(), Err(EngineError::ImmutableByPolicy)));
    let dropped = block_on(blobs.set_policy(&at, Which::Base, None, any()));
    assert!(matches!(dropped, Err(EngineError::ImmutableByPolicy)));
    let longer = ImmutabilityPolicy { until: until.after(Duration::from_mins(1)), locked: true };
    block_on(blobs.set_policy(&at, Which::Base, Some(longer), any())).unwrap();
    block_on(blobs.set_tags(&at, Which::Base, tags(&[("k", "v")]), any())).unwrap();
    store.clock.advance(Duration::from_mins(3));
    delete().unwrap();
}

#[test]
fn leaving_the_archive_takes_its_time() {
    let store = Fixture::new();
    let at = store.at("blob");
    let stamp = store.put("blob", store.inline(b"x")).unwrap();
    let to = |tier| {
        let change = TierChange { tier, high: false, rehydration: Duration::from_hours(1) };
        block_on(store.blobs.set_tier(&at, Which::Base, change, any()))
    };
    assert_eq!(to(Tier::Archive).unwrap(), TierChanged::Done);
    assert!(matches!(store.read("blob"), Err(EngineError::BlobArchived)));
    assert_eq!(to(Tier::Cool).unwrap(), TierChanged::Pending);
    assert_eq!(to(Tier::Cool).unwrap(), TierChanged::Pending);
    assert!(matches!(to(Tier::Hot), Err(EngineError::BlobBeingRehydrated)));
    assert!(matches!(to(Tier::P10), Err(EngineError::TierKindMismatch)));
    store.clock.advance(Duration::from_mins(61));
    let blob = block_on(store.blobs.properties(&at, Which::Base, any())).unwrap();
    assert_eq!((blob.tier.unwrap().tier, blob.etag), (Tier::Cool, stamp.etag));
    assert_eq!(store.read("blob").unwrap(), b"x");
    assert_eq!(to(Tier::Hot).unwrap(), TierChanged::Done);
}

#[test]
fn an_expired_blob_is_gone_before_anybody_tidies_up() {
    let store = Fixture::new();
    let at = store.at("blob");
    store.put("blob", store.chunked(b"content", 3)).unwrap();
    block_on(store.blobs.set_expiry(&at, Expiry::AfterNow(Duration::from_secs(5)), any())).unwrap();
    store.clock.advance(Duration::from_secs(6));
    assert!(matches!(store.read("blob"), Err(EngineError::BlobNotFound)));
    let create = Conditions { if_none_match: vec![crate::blob::EtagMatch::Any], ..any() };
    let content = store.inline(b"new");
    block_on(store.blobs.put_block_blob(&at, NewBlob::default(), content, create, KEEP)).unwrap();
    assert_eq!(store.read("blob").unwrap(), b"new");
    block_on(store.blobs.tidy_once(9)).unwrap();
    assert_eq!((store.read("blob").unwrap(), store.records(Family::Due)), (b"new".to_vec(), 0));
    store.check_chunks();
}

#[test]
fn a_customer_s_key_is_asked_for_where_content_is_read_or_added() {
    let store = Fixture::new();
    let at = store.at("blob");
    let customer = |byte| CustomerKey::new([byte; 32].into());
    let encryption = Some(Encryption::with(EncryptionKey::Customer(customer(1).sum())));
    let new = NewBlob { encryption, ..NewBlob::default() };
    block_on(store.blobs.create_append_blob(&at, new, any(), KEEP)).unwrap();
    let append = |key| {
        let conditions = Conditions { customer_key: key, ..any() };
        let content = store.chunked(b"x", 1).sealed_with(Some(EncryptionKey::Customer(customer(1).sum())));
        block_on(store.blobs.append_block(&at, content, AppendConditions::default(), conditions))
    };
    assert!(matches!(append(None), Err(EngineError::CustomerKeyMismatch { encrypted: true })));
    assert!(matches!(append(Some(customer(2))), Err(EngineError::CustomerKeyMismatch { .. })));
    append(Some(customer(1))).unwrap();
    assert!(matches!(store.read("blob"), Err(EngineError::CustomerKeyMismatch { .. })));
    block_on(store.blobs.delete(&at, DeleteSnapshots::Refuse, any(), KEEP)).unwrap();
}

#[test]
fn appends_keep_their_conditions() {
    let store = Fixture::new();
    let at = store.at("blob");
    block_on(store.blobs.create_append_blob(&at, NewBlob::default(), any(), KEEP)).unwrap();
    let append = |position, length_max| {
        let conditions = AppendConditions { position, length_max };
        block_on(store.blobs.append_block(&at, store.chunked(b"12345", 3), conditions, any()))
    };
    assert_eq!(append(Some(0), Some(5)).unwrap().blocks, 1);
    assert!(matches!(append(Some(0), None), Err(EngineError::AppendPositionMismatch)));
    assert!(matches!(append(None, Some(9)), Err(EngineError::AppendSizeExceeded)));
    assert_eq!(append(Some(5), Some(10)).unwrap().offset, 5);
    block_on(store.blobs.seal(&at, AppendConditions::default(), any())).unwrap();
    assert!(matches!(append(None, None), Err(EngineError::BlobSealed)));
    store.check_chunks();
}

#[test]
fn pages_differ_from_a_snapshot_by_what_was_written_since() {
    let store = Fixture::new();
    let (at, blobs) = (store.at("disk"), &store.blobs);
    block_on(blobs.create_page_blob(&at, NewBlob::default(), (8 * 512, 0), any(), KEEP)).unwrap();
    let write = |page: u64, sequence| {
        let parts = vec![Bytes::from(vec![7; 512])];
        block_on(blobs.write_pages(&at, page * 512, parts, sequence, any()))
    };
    write(1, SequenceConditions::default()).unwrap();
    let first = block_on(blobs.snapshot(&at, None, any(), KEEP)).unwrap();
    write(4, SequenceConditions::default()).unwrap();
    let runs = |which, since| {
        let query =
            PageQuery { which, since, range: None, after: None, limit: NonZeroUsize::new(9).unwrap() };
        let told = block_on(blobs.page_runs(&at, query, any()))?;
        Ok(told.runs.iter().map(|run| (run.range.offset() / 512, run.valid)).collect::<Vec<_>>())
    };
    assert_eq!(runs(Which::Base, None).unwrap(), [(1, true), (4, true)]);
    assert_eq!(runs(Which::Snapshot(first.id), None).unwrap(), [(1, true)]);
    assert_eq!(runs(Which::Base, Some(first.id)).unwrap(), [(4, true)]);
    let second = block_on(blobs.snapshot(&at, None, any(), KEEP)).unwrap();
    let newer = runs(Which::Snapshot(first.id), Some(second.id));
    assert!(matches!(newer, Err(EngineError::PreviousSnapshotNewer)));
    block_on(blobs.create_page_blob(&at, NewBlob::default(), (8 * 512, 0), any(), KEEP)).unwrap();
    assert!(matches!(runs(Which::Base, Some(first.id)), Err(EngineError::BlobOverwritten)));
    assert!(matches!(runs(Which::Base, Some(at_never())), Err(EngineError::PreviousSnapshotNotFound)));

    block_on(blobs.alter(&at, numbered(SequenceAction::Update(5)), any())).unwrap();
    let below = SequenceConditions { less_than: Some(5), ..SequenceConditions::default() };
    assert!(matches!(write(0, below), Err(EngineError::SequenceNumberMismatch)));
    assert_eq!(write(0, SequenceConditions { equal: Some(5), ..below_all() }).unwrap().sequence_number, 5);
    block_on(blobs.alter(&at, numbered(SequenceAction::Update(crate::blob::SEQUENCE_NUMBER_MAX)), any()))
        .unwrap();
    let over = block_on(blobs.alter(&at, numbered(SequenceAction::Increment), any()));
    assert!(matches!(over, Err(EngineError::SequenceNumberTooLarge)));
    assert!(matches!(write(8, SequenceConditions::default()), Err(EngineError::InvalidPageRange)));
}

fn numbered(action: SequenceAction) -> Alteration {
    Alteration { sequence: Some(action), ..Alteration::default() }
}

fn at_never() -> crate::clock::Timestamp {
    crate::clock::Timestamp::from_ticks(1)
}

fn below_all() -> SequenceConditions {
    SequenceConditions::default()
}

#[test]
fn what_wants_a_lease_without_end_is_not_done_under_one_that_ends() {
    let store = Fixture::new();
    let (at, blobs) = (store.at("blob"), &store.blobs);
    store.put("blob", store.inline(b"x")).unwrap();
    let acquire = |seconds| {
        let request = LeaseRequest::Acquire { id: A, seconds };
        block_on(blobs.lease(&at, request, any())).unwrap();
    };
    let put = |lease| {
        let conditions = Conditions { lease, lease_without_end: true, ..any() };
        block_on(blobs.put_block_blob(&at, NewBlob::default(), store.inline(b"y"), conditions, KEEP))
    };
    put(None).unwrap();
    acquire(Some(60));
    let required = LeaseError::InfiniteDurationRequired;
    assert!(matches!(put(Some(A)), Err(EngineError::Lease(error)) if error == required));
    assert!(matches!(put(None), Err(EngineError::Lease(LeaseError::IdMissing))));
    acquire(None);
    put(Some(A)).unwrap();
}

#[test]
fn what_is_not_done_of_a_page_blob_is_taken_back() {
    let store = Fixture::new();
    let (at, blobs) = (store.at("disk"), &store.blobs);
    let never = Conditions { if_match: vec![crate::blob::EtagMatch::Any], ..any() };
    let refused = block_on(blobs.create_page_blob(&at, NewBlob::default(), (512, 0), never, KEEP));
    assert!(matches!(refused, Err(EngineError::PreconditionFailed)));
    block_on(blobs.create_page_blob(&at, NewBlob::default(), (512, 0), any(), KEEP)).unwrap();
    let archived = Conditions { if_tags: Some(compare("k", TagComparison::Equal, "v")), ..any() };
    assert!(block_on(blobs.snapshot(&at, None, archived, KEEP)).is_err());
    assert_eq!(store.pages.count(), 2);
    store.clock.advance(Duration::from_mins(11));
    while block_on(blobs.tidy_once(1)).unwrap() > 0 {}
    assert_eq!((store.pages.count(), store.pages.snapshots()), (1, 0));
    block_on(blobs.snapshot(&at, None, any(), KEEP)).unwrap();
    assert_eq!(store.pages.snapshots(), 1);
}

#[test]
fn searches_find_by_ranges_and_by_what_no_range_can_say() {
    let store = Fixture::new();
    for number in 0..9 {
        let name = format!("blob{number}");
        store.put(&name, store.inline(b"x")).unwrap();
        let pairs = tags(&[("n", &number.to_string()), ("parity", ["even", "odd"][number % 2])]);
        block_on(store.blobs.set_tags(&store.at(&name), Which::Base, pairs, any())).unwrap();
    }
    let find = |expression: &TagExpression| {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let expression = expression.clone();
            let container = Some(store.container.clone());
            let find = FindBlobs { container, expression, versions: false, after, limit: 2 };
            let page = block_on(store.blobs.find_by_tags(&store.account, find)).unwrap();
            assert!(page.entries.len() <= 2);
            found.extend(page.entries.iter().map(|found| found.blob.as_str()[4..].parse::<u32>().unwrap()));
            after = page.next;
            if after.is_none() {
                return found;
            }
        }
    };
    let and = |one: TagExpression, other| TagExpression::And(Box::new(one), Box::new(other));
    let from = compare("n", TagComparison::Greater, "2");
    let to = compare("n", TagComparison::LessOrEqual, "6");
    assert_eq!(find(&and(from.clone(), to.clone())), [3, 4, 5, 6]);
    assert_eq!(find(&and(and(from, to), compare("parity", TagComparison::Equal, "odd"))), [3, 5]);
    let either = TagExpression::Or(
        Box::new(compare("n", TagComparison::Equal, "1")),
        Box::new(compare("parity", TagComparison::Equal, "even")),
    );
    assert_eq!(find(&either), [0, 1, 2, 4, 6, 8]);
    assert_eq!(find(&TagExpression::Not(Box::new(either))), [3, 5, 7]);
}

#[test]
fn a_deleted_container_comes_back_with_all_that_it_held() {
    let store = Fixture::new();
    store.put("blob", store.chunked(b"content", 3)).unwrap();
    let (blobs, account, name) = (&store.blobs, &store.account, &store.container);
    block_on(blobs.delete_container(account, name, any(), Some(2))).unwrap();
    assert!(matches!(store.read("blob"), Err(EngineError::ContainerNotFound)));
    store.create_container();
    let listed = |deleted| {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let list = ListContainers { prefix: String::new(), after, limit: 1, deleted };
            let page = block_on(blobs.list_containers(account, list)).unwrap();
            all.extend(page.entries.into_iter().map(|container| container.deleted_version));
            let Some(next) = page.next else { return all };
            after = Some(String::from_utf8(next).unwrap());
        }
    };
    assert_eq!(listed(false), [None]);
    let [None, Some(version)] = listed(true)[..] else { panic!("one of each") };
    let taken = block_on(blobs.restore_container(account, name, version));
    assert!(matches!(taken, Err(EngineError::ContainerExists)));
    store.delete_container();
    block_on(blobs.restore_container(account, name, version)).unwrap();
    assert_eq!(store.read("blob").unwrap(), b"content");

    block_on(blobs.delete_container(account, name, any(), Some(2))).unwrap();
    store.clock.advance(Duration::from_hours(49));
    let late = block_on(blobs.restore_container(account, name, version));
    assert!(matches!(late, Err(EngineError::DeletedContainerNotFound)));
    assert!(listed(true).is_empty());
    while block_on(blobs.tidy_once(5)).unwrap() > 0 {}
    store.sweep();
    store.check_chunks();
    assert!(store.chunks.alive().is_empty());
}

#[test]
fn a_container_s_lease_guards_its_deletion_only() {
    let store = Fixture::new();
    let (blobs, account, name) = (&store.blobs, &store.account, &store.container);
    block_on(blobs.lease_container(account, name, LeaseRequest::Acquire { id: A, seconds: None }, any()))
        .unwrap();
    block_on(blobs.set_container_metadata(account, name, Vec::new(), any())).unwrap();
    let deleted = block_on(blobs.delete_container(account, name, any(), None));
    assert!(matches!(deleted, Err(EngineError::Lease(LeaseError::IdMissing))));
    let other = block_on(blobs.container(account, name, Some(LeaseId(9))));
    assert!(matches!(other, Err(EngineError::Lease(LeaseError::IdMismatch(Leased::Container)))));
    block_on(blobs.delete_container(account, name, under(A), None)).unwrap();
    let new = NewContainer { encryption_scope: "scope".to_owned(), ..NewContainer::default() };
    block_on(blobs.create_container(account, name, new)).unwrap();
    assert_eq!(block_on(blobs.container(account, name, None)).unwrap().encryption_scope, "scope");
}

#[test]
fn what_is_due_and_damaged_is_not_in_the_way_of_the_rest() {
    let store = Fixture::new();
    for name in ["a", "b"] {
        store.put(name, store.inline(b"x")).unwrap();
        let expiry = Expiry::AfterNow(Duration::from_secs(1));
        block_on(store.blobs.set_expiry(&store.at(name), expiry, any())).unwrap();
    }
    let place = store.meta.read_now(|view| Route::find(view, &store.at("a"))).unwrap().place;
    let (key, scope) = (place.state(State::Base), place.scope);
    let spoil = move |transaction: &mut dyn meta::Transaction| {
        transaction.put(Family::Blob, &key, &[0xFF]);
        Ok(())
    };
    block_on(meta::commit(store.meta.as_ref(), scope, None, spoil)).unwrap();
    store.clock.advance(Duration::from_secs(2));
    assert_eq!(block_on(store.blobs.tidy_once(1)).unwrap(), 1);
    assert_eq!(block_on(store.blobs.tidy_once(1)).unwrap(), 1);
    assert_eq!(block_on(store.blobs.tidy_once(1)).unwrap(), 0, "put off");
    assert_eq!((store.records(Family::Blob), store.records(Family::Due)), (1, 1));
    store.clock.advance(Duration::from_mins(61));
    assert_eq!(block_on(store.blobs.tidy_once(1)).unwrap(), 1, "tried again");
}

#[test]
fn a_snapshot_of_pages_that_is_refused_leaves_nothing_that_waits_to_be_abandoned() {
    let store = Fixture::new();
    let at = store.at("pages");
    let new = NewBlob::default();
    block_on(store.blobs.create_page_blob(&at, new, (4096, 0), any(), Protection::default())).unwrap();
    let never = Conditions { if_match: vec![crate::blob::EtagMatch::Never], ..any() };
    for _ in 0..3 {
        let refused = block_on(store.blobs.snapshot(&at, None, never.clone(), Protection::default()));
        assert!(matches!(refused, Err(EngineError::PreconditionFailed)));
    }
    store.clock.advance(Duration::from_secs(1));
    while block_on(store.blobs.tidy_once(10)).unwrap() > 0 {}
    let place = store.meta.read_now(|view| Route::find(view, &at)).unwrap().place;
    let volumes = store.meta.read_now(|view| {
        let mut volumes = Vec::new();
        view.scan(Family::VolumeOwner, &place.scope.0, None, &mut |key, value| {
            volumes.push((crate::blob::state::volume::split_key(key)?.1, VolumeRecord::decode(value)?));
            Ok(meta::Step::Next)
        })?;
        Ok(volumes)
    });
    let volumes = volumes.unwrap();
    let [(volume, record)] = volumes.as_slice() else { panic!("{volumes:?}") };
    assert_eq!((record.marks.len(), record.doomed.len()), (0, 0));
    assert_eq!(block_on(store.pages.inspect(*volume)).unwrap().snapshots, []);
}

#[test]
fn no_former_version_takes_the_place_of_another() {
    let store = Fixture::new();
    let at = store.at("blob");
    let versions = Protection { versioning: true, ..Protection::default() };
    let put = |bytes: &[u8], protection| {
        let content = store.chunked(bytes, 3);
        block_on(store.blobs.put_block_blob(&at, NewBlob::default(), content, any(), protection)).unwrap()
    };
    let first = put(b"first", versions).version.unwrap();
    block_on(store.blobs.snapshot(&at, None, any(), versions)).unwrap();
    block_on(store.blobs.delete(&at, DeleteSnapshots::Include, any(), KEEP)).unwrap();
    block_on(store.blobs.undelete(&at)).unwrap();
    // Its `ETag` is still that of the first version.
    put(b"second", versions);
    let named = Which::Version(first);
    let read = block_on(store.blobs.read(&at, named, None, any())).unwrap();
    assert_eq!(crate::blob::fixture::read_all(read).unwrap(), b"first");
    block_on(store.blobs.delete_past(&at, named, false, any(), versions)).unwrap();
    store.check_chunks();
    store.delete_container();
    store.sweep();
    store.clock.advance(Duration::from_hours(48));
    while block_on(store.blobs.tidy_once(10)).unwrap() > 0 {}
    assert!(store.chunks.alive().is_empty());
}
#[test]
fn a_page_blob_becomes_itself_with_its_pages_and_keeps_what_it_was_as_it_was() {
    let versioning = Protection { versioning: true, ..Protection::default() };
    for protection in [Protection::default(), KEEP, versioning] {
        let store = Fixture::new();
        let (at, blobs) = (store.at("pages"), &store.blobs);
        block_on(blobs.create_page_blob(&at, NewBlob::default(), (1024, 7), any(), protection)).unwrap();
        let write = |byte| {
            let parts = vec![Bytes::from(vec![byte; 512])];
            block_on(blobs.write_pages(&at, 0, parts, SequenceConditions::default(), any())).unwrap()
        };
        let seen = Some(write(1).stamp.etag);
        let new = NewBlob { metadata: vec![("k".to_owned(), "v".to_owned())], ..NewBlob::default() };
        let promote = |etag| {
            let origin = Origin { which: Which::Base, etag, sealed: None };
            block_on(blobs.promote(&at, origin, new.clone(), any(), protection))
        };
        promote(seen).unwrap();
        assert!(matches!(promote(seen), Err(EngineError::BlobOverwritten)), "it is another version by now");
        let blob = block_on(blobs.properties(&at, Which::Base, any())).unwrap();
        assert_eq!((blob.length, blob.metadata.len()), (1024, 1));
        write(2);
        assert_eq!(store.read("pages").unwrap(), [vec![2; 512], vec![0; 512]].concat());
        block_on(blobs.undelete(&at)).unwrap();
        let include = Include { snapshots: true, versions: true, ..Include::default() };
        let list = ListBlobs { limit: 10, include, ..ListBlobs::default() };
        let listed = block_on(blobs.list(&store.account, &store.container, list)).unwrap().entries;
        let past: Vec<_> = listed.iter().filter_map(past).collect();
        assert_eq!(past.len(), usize::from(protection != Protection::default()));
        for which in past {
            let read = block_on(blobs.read(&at, which, None, any())).unwrap();
            assert_eq!(read_all(read).unwrap(), [vec![1; 512], vec![0; 512]].concat());
        }
        store.clock.advance(Duration::from_secs(1));
        while block_on(blobs.tidy_once(100)).unwrap() > 0 {}
        assert_eq!(store.read("pages").unwrap(), [vec![2; 512], vec![0; 512]].concat());
        assert_eq!(store.pages.snapshots(), usize::from(protection != Protection::default()));
    }
}

/// Which former state an entry of a listing is.
fn past(entry: &BlobEntry) -> Option<Which> {
    let BlobEntry::Blob(_, blob) = entry else { return None };
    let version = blob.version.filter(|_| !blob.current);
    blob.snapshot.map(Which::Snapshot).or_else(|| version.map(Which::Version))
}

#[test]
fn an_append_blob_is_sealed_by_becoming_itself() {
    let store = Fixture::new();
    let (at, blobs) = (store.at("log"), &store.blobs);
    block_on(blobs.create_append_blob(&at, NewBlob::default(), any(), Protection::default())).unwrap();
    let append = || {
        let block = store.chunked(b"line", 2);
        block_on(blobs.append_block(&at, block, AppendConditions::default(), any()))
    };
    append().unwrap();
    for sealed in [Some(true), None, Some(false)] {
        let origin = Origin { which: Which::Base, etag: None, sealed };
        block_on(blobs.promote(&at, origin, NewBlob::default(), any(), Protection::default())).unwrap();
        assert_eq!(matches!(append(), Err(EngineError::BlobSealed)), sealed != Some(false), "{sealed:?}");
    }
    assert_eq!(store.read("log").unwrap(), b"lineline");
    store.check_chunks();
}

#[test]
fn a_blob_that_is_not_there_has_no_tags() {
    let store = Fixture::new();
    let conditions = Conditions { if_tags: Some(compare("k", TagComparison::NotEqual, "v")), ..any() };
    let (at, content) = (store.at("blob"), store.inline(b"x"));
    let put = store.blobs.put_block_blob(&at, NewBlob::default(), content, conditions, KEEP);
    assert!(matches!(block_on(put), Err(EngineError::PreconditionFailed)));
}
