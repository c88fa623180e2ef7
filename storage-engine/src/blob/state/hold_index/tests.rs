//! Containers in which something is held: in every state, after any order of verbs, over renames and crashes.

use super::*;
use crate::blob::fixture::Fixture;
use crate::blob::record::properties::{Deletion, ImmutabilityPolicy};
use crate::blob::{
    BlobStore, Conditions, DeleteSnapshots, Expiry, LeaseId, LeaseRequest, NewBlob, NewContainer, Protection,
    Which,
};
use crate::clock::Clock;
use crate::meta;
use crate::name::ContainerName;
use futures_executor::block_on;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const VERSIONS: Protection = Protection {
    versioning: true,
    delete_retention_days: None,
    permanent_delete_allowed: false,
    tracks_access: false,
};
const KEEPING: Protection = Protection {
    versioning: false,
    delete_retention_days: Some(1),
    permanent_delete_allowed: true,
    tracks_access: false,
};
const LIFE: Duration = Duration::from_mins(1);

fn any() -> Conditions {
    Conditions::default()
}

fn delete(store: &Fixture, retention_days: Option<u32>) -> Result<()> {
    block_on(store.blobs.delete_container(&store.account, &store.container, any(), retention_days))
}

fn refused(store: &Fixture) -> bool {
    // Whatever is wrong besides: that something is held is told first, and else nothing is deleted.
    let never = Conditions { if_modified_since: Some(Timestamp::MAX), ..any() };
    match block_on(store.blobs.delete_container(&store.account, &store.container, never, None)) {
        Err(EngineError::ContainerProtected) => true,
        Err(EngineError::PreconditionFailed) => false,
        other => panic!("{other:?}"),
    }
}

fn hold(store: &Fixture, name: &str, which: Which, hold: bool) -> Result<()> {
    block_on(store.blobs.set_legal_hold(&store.at(name), which, hold, any()))
}

fn policy(store: &Fixture, name: &str, which: Which, locked: bool) -> Result<Timestamp> {
    let until = store.clock.now().after(LIFE);
    let policy = Some(ImmutabilityPolicy { until, locked });
    block_on(store.blobs.set_policy(&store.at(name), which, policy, any())).map(|_| until)
}

fn put(store: &Fixture, name: &str, protection: Protection) -> Result<()> {
    let (at, content) = (store.at(name), store.inline(b"x"));
    let put = store.blobs.put_block_blob(&at, NewBlob::default(), content, any(), protection);
    block_on(put).map(drop)
}

fn snapshot(store: &Fixture, name: &str, protection: Protection) -> Result<Which> {
    let at = store.at(name);
    let taken = store.blobs.snapshot(&at, None, any(), protection);
    block_on(taken).map(|snapshot| Which::Snapshot(snapshot.id))
}

#[test]
fn a_held_blob_snapshot_or_version_keeps_its_container() {
    for days in [None, Some(7)] {
        let store = Fixture::new();
        for name in ["a", "b", "c"] {
            put(&store, name, VERSIONS).unwrap();
        }
        let taken = snapshot(&store, "b", Protection::default()).unwrap();
        let version = Which::Version(
            block_on(store.blobs.properties(&store.at("c"), Which::Base, any())).unwrap().version.unwrap(),
        );
        put(&store, "c", VERSIONS).unwrap();
        for (name, which) in [("a", Which::Base), ("b", taken), ("c", version)] {
            hold(&store, name, which, true).unwrap();
            assert!(matches!(delete(&store, days), Err(EngineError::ContainerProtected)), "{name}");
            assert_eq!(store.read(name).unwrap(), b"x");
            hold(&store, name, which, false).unwrap();
        }
        assert_eq!(store.records(Family::Held), 0);
        delete(&store, days).unwrap();
    }
}

#[test]
fn a_policy_keeps_its_container_until_it_is_over_or_taken_off_and_a_hold_for_longer() {
    let store = Fixture::new();
    put(&store, "a", VERSIONS).unwrap();
    let until = policy(&store, "a", Which::Base, true).unwrap();
    put(&store, "b", VERSIONS).unwrap();
    policy(&store, "b", Which::Base, false).unwrap();
    block_on(store.blobs.set_policy(&store.at("b"), Which::Base, None, any())).unwrap();
    hold(&store, "a", Which::Base, true).unwrap();
    store.clock.advance(2 * LIFE);
    assert!(refused(&store), "the policy is over and the hold is not");
    hold(&store, "a", Which::Base, false).unwrap();
    assert_eq!(store.records(Family::Held), 1, "what is over is in nobody's way");
    assert!(until < store.clock.now() && !refused(&store));
    delete(&store, None).unwrap();
    store.sweep();
    assert_eq!(store.records(Family::Held), 0, "it goes with what the container held");
}

#[test]
fn a_policy_holds_up_to_its_moment_and_not_at_it() {
    let store = Fixture::new();
    put(&store, "a", VERSIONS).unwrap();
    let until = policy(&store, "a", Which::Base, true).unwrap();
    let (id, before) = (id(&store), Timestamp::from_ticks(until.ticks() - 1));
    let holds = |now| store.meta.read_now(|view| holds_something(view, id, now)).unwrap();
    assert!(holds(before) && !holds(until));
}

#[test]
fn what_is_deleted_and_kept_can_be_held_too() {
    let store = Fixture::new();
    put(&store, "a", KEEPING).unwrap();
    block_on(store.blobs.delete(&store.at("a"), DeleteSnapshots::Refuse, any(), KEEPING)).unwrap();
    let place = place(&store, "a");
    let held = place.clone();
    let verb = move |transaction: &mut dyn Transaction| {
        let former = state::get(transaction, &held, State::Deleted)?.unwrap();
        let mut record = former.clone();
        record.properties.legal_hold = true;
        state::store(transaction, &held, State::Deleted, Some(&former), Some(&record));
        Ok(())
    };
    block_on(meta::commit(&*store.meta, place.scope.clone(), None, verb)).unwrap();
    assert!(matches!(delete(&store, None), Err(EngineError::ContainerProtected)));
    store.clock.advance(Duration::from_hours(48));
    while block_on(store.blobs.tidy_once(9)).unwrap() > 0 {}
    assert!(refused(&store), "it is not purged either");
    block_on(store.blobs.undelete(&store.at("a"))).unwrap_err();
}

#[test]
fn a_hold_is_told_before_a_lease() {
    let store = Fixture::new();
    put(&store, "a", VERSIONS).unwrap();
    hold(&store, "a", Which::Base, true).unwrap();
    let acquire = LeaseRequest::Acquire { id: LeaseId(1), seconds: None };
    block_on(store.blobs.lease_container(&store.account, &store.container, acquire, any())).unwrap();
    assert!(matches!(delete(&store, None), Err(EngineError::ContainerProtected)));
    hold(&store, "a", Which::Base, false).unwrap();
    assert!(matches!(delete(&store, None), Err(EngineError::Lease(_))));
}

#[test]
fn a_renamed_container_is_kept_and_the_next_of_its_name_is_not() {
    let store = Fixture::new();
    put(&store, "a", VERSIONS).unwrap();
    hold(&store, "a", Which::Base, true).unwrap();
    let other = ContainerName::parse("other").unwrap();
    block_on(store.blobs.rename_container(&store.account, &store.container, &other, None)).unwrap();
    store.create_container();
    delete(&store, None).unwrap();
    let deleted = block_on(store.blobs.delete_container(&store.account, &other, any(), None));
    assert!(matches!(deleted, Err(EngineError::ContainerProtected)));
    let beside = ContainerName::parse("beside").unwrap();
    block_on(store.blobs.create_container(&store.account, &beside, NewContainer::default())).unwrap();
    block_on(store.blobs.delete_container(&store.account, &beside, any(), None)).unwrap();
}

fn id(store: &Fixture) -> u64 {
    let name = catalog::key(&store.account, Kind::Container, store.container.as_str());
    store.meta.read_now(|view| catalog::find(view, &name)).unwrap().unwrap().id
}

fn place(store: &Fixture, name: &str) -> Place {
    let container = catalog::key(&store.account, Kind::Container, store.container.as_str());
    Place::new(&container, id(store), &store.at(name).blob)
}

fn write(store: &Fixture, family: Family, key: Vec<u8>, value: &'static [u8]) {
    let scope = place(store, "a").scope;
    let verb = move |transaction: &mut dyn Transaction| {
        transaction.put(family, &key, value);
        Ok(())
    };
    block_on(meta::commit(&*store.meta, scope, None, verb)).unwrap();
}

#[test]
fn entries_without_a_record_are_passed_over_and_not_without_end() {
    let store = Fixture::new();
    for number in 0..UNCONFIRMED_MAX {
        let key = key_of(&place(&store, &format!("gone {number}")), State::Base, Timestamp::MAX);
        write(&store, Family::Held, key, b"");
    }
    assert!(!refused(&store));
    // A record that is there and not held is no better than none.
    put(&store, "there", VERSIONS).unwrap();
    write(&store, Family::Held, key_of(&place(&store, "there"), State::Base, Timestamp::MAX), b"");
    assert!(refused(&store));
}

#[test]
fn a_record_that_cannot_be_read_is_taken_to_be_held() {
    let store = Fixture::new();
    put(&store, "a", VERSIONS).unwrap();
    hold(&store, "a", Which::Base, true).unwrap();
    write(&store, Family::Blob, place(&store, "a").state(State::Base), b"damaged");
    assert!(refused(&store));
}

#[test]
fn a_crash_leaves_a_hold_with_its_entry_or_neither() {
    for survives in [false, true] {
        for before in [false, true] {
            let store = Fixture::new();
            put(&store, "a", VERSIONS).unwrap();
            hold(&store, "a", Which::Base, before).unwrap();
            store.meta.crash_at(store.meta.commits() + 1, survives);
            assert!(hold(&store, "a", Which::Base, !before).is_err());
            let meta = store.meta.reopen(Box::new(|_| ())).unwrap();
            let blobs = BlobStore::new(
                Arc::clone(&meta) as _,
                Arc::new(store.chunks.clone()),
                Arc::clone(&store.clock) as _,
            );
            let store = Fixture { meta, blobs, ..store };
            let held = before != survives;
            let told =
                block_on(store.blobs.properties(&store.at("a"), Which::Base, any())).unwrap().legal_hold;
            assert_eq!((told, refused(&store)), (held, held), "{survives} {before}");
        }
    }
}

#[test]
fn what_is_held_does_not_expire_before_it_may_go() {
    let store = Fixture::new();
    for name in ["held", "locked", "free"] {
        put(&store, name, Protection::default()).unwrap();
        let at = store.at(name);
        block_on(store.blobs.set_expiry(&at, Expiry::AfterNow(Duration::from_secs(5)), any())).unwrap();
    }
    hold(&store, "held", Which::Base, true).unwrap();
    policy(&store, "locked", Which::Base, true).unwrap();
    let tidy = |store: &Fixture| while block_on(store.blobs.tidy_once(9)).unwrap() > 0 {};
    store.clock.advance(Duration::from_secs(6));
    tidy(&store);
    assert!(store.read("free").is_err());
    for name in ["held", "locked"] {
        assert_eq!(store.read(name).unwrap(), b"x", "{name}");
        assert!(
            put(&store, name, Protection::default()).is_err(),
            "nor is it overwritten as if it had expired"
        );
    }
    assert_eq!(store.records(Family::Blob), 2);
    store.clock.advance(LIFE);
    assert!(store.read("locked").is_err());
    tidy(&store);
    assert_eq!(store.records(Family::Blob), 1);
    assert!(refused(&store));
    hold(&store, "held", Which::Base, false).unwrap();
    assert!(store.read("held").is_err(), "its time was over long ago");
    tidy(&store);
    let left = [Family::Blob, Family::Held, Family::Due].map(|family| store.records(family));
    assert_eq!(left, [0; 3]);
}

/// What is done to one of two blobs, or to their container.
#[derive(Debug, Clone, Copy)]
enum Verb {
    Put(Protection),
    Snapshot(Protection),
    Metadata(Protection),
    Hold(usize, bool),
    Policy(usize, bool),
    NoPolicy(usize),
    Delete(Protection),
    DeletePast(usize, Protection),
    Undelete,
    Promote(usize, Protection),
    Expire,
    Wait(u64),
    DeleteContainer,
}

fn verb() -> impl Strategy<Value = Verb> {
    let protection = || prop::sample::select(vec![Protection::default(), VERSIONS, KEEPING]);
    prop_oneof![
        3 => protection().prop_map(Verb::Put),
        2 => protection().prop_map(Verb::Snapshot),
        1 => protection().prop_map(Verb::Metadata),
        3 => (0..4_usize, any_bool()).prop_map(|(which, hold)| Verb::Hold(which, hold)),
        3 => (0..4_usize, any_bool()).prop_map(|(which, locked)| Verb::Policy(which, locked)),
        1 => (0..4_usize).prop_map(Verb::NoPolicy),
        2 => protection().prop_map(Verb::Delete),
        2 => (0..4_usize, protection()).prop_map(|(which, protection)| Verb::DeletePast(which, protection)),
        1 => Just(Verb::Undelete),
        1 => (0..4_usize, protection()).prop_map(|(which, protection)| Verb::Promote(which, protection)),
        1 => Just(Verb::Expire),
        2 => (1..90_u64).prop_map(Verb::Wait),
        1 => Just(Verb::DeleteContainer),
    ]
}

fn any_bool() -> impl Strategy<Value = bool> {
    prop::bool::ANY
}

/// All states there are, under whatever id: the key and record of each.
fn states(store: &Fixture) -> Vec<(Vec<u8>, BlobRecord)> {
    let mut found = Vec::new();
    let visited = store.meta.read_now(|view| {
        view.scan(Family::Blob, &[], None, &mut |key, value| {
            if place::split_blob_key(key)?.1 != State::Staging {
                found.push((key.to_vec(), BlobRecord::decode(value)?));
            }
            Ok(Step::Next)
        })
    });
    visited.unwrap();
    found
}

/// How many states have a legal hold.
fn holds(store: &Fixture) -> usize {
    states(store).iter().filter(|(_, record)| record.properties.legal_hold).count()
}

/// One of the states of a blob that can be named: past ones first, the blob last.
fn which(store: &Fixture, name: &str, number: usize) -> Which {
    let scope = place(store, name).scope;
    let states = states(store).into_iter().filter(|(key, _)| key.starts_with(&scope.0));
    let named = states.filter_map(|(key, _)| match place::split_blob_key(&key).unwrap().1 {
        State::Snapshot(id) => Some(Which::Snapshot(id)),
        State::Version(id) => Some(Which::Version(id)),
        _ => None,
    });
    named.take(number).last().unwrap_or(Which::Base)
}

/// Whether verbs are refused is tested elsewhere; here only what they leave is looked at.
fn run(store: &Fixture, name: &str, verb: Verb) {
    let (blobs, at) = (&store.blobs, store.at(name));
    let of = |number| which(store, name, number);
    match verb {
        Verb::Put(protection) => drop(put(store, name, protection)),
        Verb::Snapshot(protection) => drop(snapshot(store, name, protection)),
        Verb::Metadata(protection) => {
            drop(block_on(blobs.set_metadata(&at, Vec::new(), any(), protection)));
        }
        Verb::Hold(number, held) => drop(hold(store, name, of(number), held)),
        Verb::Policy(number, locked) => drop(policy(store, name, of(number), locked)),
        Verb::NoPolicy(number) => drop(block_on(blobs.set_policy(&at, of(number), None, any()))),
        Verb::Delete(protection) => {
            drop(block_on(blobs.delete(&at, DeleteSnapshots::Include, any(), protection)));
        }
        Verb::DeletePast(number, protection) => {
            drop(block_on(blobs.delete_past(&at, of(number), false, any(), protection)));
        }
        Verb::Undelete => drop(block_on(blobs.undelete(&at))),
        Verb::Promote(number, protection) => {
            drop(block_on(blobs.promote(&at, of(number).into(), NewBlob::default(), any(), protection)));
        }
        Verb::Expire => drop(block_on(blobs.set_expiry(&at, Expiry::AfterNow(LIFE / 3), any()))),
        Verb::Wait(seconds) => {
            store.clock.advance(Duration::from_secs(seconds));
            block_on(blobs.tidy_once(3)).unwrap();
        }
        Verb::DeleteContainer => {
            if delete(store, None).is_ok() {
                store.create_container();
            }
        }
    }
}

fn entries(store: &Fixture) -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::new();
    let visited = store.meta.read_now(|view| {
        view.scan(Family::Held, &[], None, &mut |key, _| {
            found.insert(key.to_vec());
            Ok(Step::Next)
        })
    });
    visited.unwrap();
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn after_any_order_of_verbs_a_container_is_kept_by_what_records_say_and_nothing_held_goes(
        verbs in prop::collection::vec((prop::bool::ANY, verb()), 1..60),
    ) {
        let store = Fixture::new();
        for (second, verb) in verbs {
            let before = holds(&store);
            run(&store, if second { "b" } else { "a" }, verb);
            let now = store.clock.now();
            let (mut expected, mut held) = (BTreeSet::new(), false);
            for (key, BlobRecord { properties, .. }) in states(&store) {
                let until = if properties.legal_hold { u64::MAX } else { properties.policy.map_or(0, |policy| policy.until.ticks()) };
                if until > 0 {
                    expected.insert([&key[..ID_BYTES], &until.to_be_bytes(), &key[ID_BYTES..]].concat());
                }
                held |= key.starts_with(&id(&store).to_be_bytes()) && until > now.ticks();
            }
            prop_assert_eq!(entries(&store), expected);
            prop_assert_eq!(refused(&store), held);
            // Only taking a hold off makes fewer of them.
            if !matches!(verb, Verb::Hold(_, false)) {
                prop_assert!(holds(&store) >= before, "{verb:?} took something along that is held");
            }
        }
        // Without holds and policies the container goes, and all entries with it.
        store.clock.advance(10 * LIFE);
        for name in ["a", "b"] {
            for number in 0..64 {
                let _ = hold(&store, name, which(&store, name, number), false);
            }
        }
        delete(&store, None).unwrap();
        store.sweep();
        prop_assert_eq!(entries(&store).len(), 0);
        store.check_chunks();
    }
}

#[test]
fn a_deletion_s_days_do_not_outlast_a_hold() {
    let now = Timestamp::from_ticks(1 << 60);
    let mut properties =
        crate::blob::BlobProperties { deletion: Some(Deletion::now((now, now), 0)), ..Default::default() };
    assert!(!properties.exists(now));
    properties.legal_hold = true;
    assert!(properties.exists(now));
}
