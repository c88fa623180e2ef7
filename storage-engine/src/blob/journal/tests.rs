//! What the journal holds after verbs, failures and crashes.

use super::*;
use crate::blob::tests::fixture::{Fixture, block_id};
use crate::blob::{
    Alteration, BlobKind, BlockChoice, CopyEnd, CopyState, DeleteSnapshots, EtagMatch, NewBlob, Protection,
    Tags, Tier, TierChange, Which,
};
use crate::lifecycle::{Actions, Age, LifecycleRule, LifecycleStore, Since};
use crate::settings::{BlobManagement, SettingsStore};
use futures_executor::block_on;
use std::time::Duration;

fn cause(deed: Deed) -> Cause {
    Cause { deed, request_id: "id".to_owned(), client_request_id: "theirs".to_owned() }
}

fn told(store: &Fixture, deed: Deed) -> BlobStore {
    store.blobs.on_behalf(cause(deed))
}

const BEGINNING: Timestamp = Timestamp::from_ticks(0);

fn entries(blobs: &BlobStore, account: &AccountName, after: Timestamp, limit: usize) -> Result<Vec<Change>> {
    block_on(blobs.changes(account, after, limit))?.into_iter().map(|entry| entry.change).collect()
}

fn changes(store: &Fixture) -> Vec<Change> {
    entries(&store.blobs, &store.account, BEGINNING, usize::MAX).unwrap()
}

/// What changed last: deed, and of each state which it is and whether it was and is there.
fn last(store: &Fixture) -> (Deed, Vec<(ChangedState, bool, bool)>) {
    let change = changes(store).pop().unwrap();
    let states = change.states.iter();
    let states = states.map(|state| (state.which, state.former.is_some(), state.new.is_some()));
    (change.cause.deed, states.collect())
}

fn put(store: &Fixture, blobs: &BlobStore, name: &str, protection: Protection) -> Result<Timestamp> {
    let (at, new, any) = (store.at(name), NewBlob::default(), Conditions::default());
    let put = blobs.put_block_blob(&at, new, store.chunked(b"content", 3), any, protection);
    block_on(put).map(|stamp| stamp.modified)
}

const KEEPING: Protection = Protection {
    versioning: true,
    delete_retention_days: Some(7),
    permanent_delete_allowed: false,
    tracks_access: false,
};
const SOFT: Protection = Protection { versioning: false, ..KEEPING };

#[test]
fn a_verb_is_told_with_its_cause_and_what_was_and_is_there() {
    let store = Fixture::new();
    let blobs = told(&store, Deed::Put);
    let first = put(&store, &blobs, "dir/blob", Protection::default()).unwrap();
    let second = put(&store, &blobs, "dir/blob", Protection::default()).unwrap();
    let all = changes(&store);
    let [made, replaced] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((made.at, replaced.at), (first, second));
    assert_eq!((&made.cause, made.blob.as_str()), (&cause(Deed::Put), "dir/blob"));
    assert_eq!((&made.container, made.container_id), (&store.container, replaced.container_id));
    let [state] = replaced.states.as_slice() else { panic!("{replaced:?}") };
    assert_eq!(state.which, ChangedState::Base);
    let modified = |blob: &Option<BlobProperties>| blob.as_ref().unwrap().modified;
    assert_eq!((modified(&state.former), modified(&state.new)), (first, second));
    assert!(made.states[0].former.is_none());
}

#[test]
fn nothing_is_told_of_a_verb_for_nobody_or_one_that_fails_or_changes_nothing() {
    let store = Fixture::new();
    let commits = store.meta.commits();
    put(&store, &store.blobs, "blob", Protection::default()).unwrap();
    assert_eq!((store.meta.commits() - commits, store.records(Family::Change)), (1, 0));
    let blobs = told(&store, Deed::Put);
    let never = Conditions { if_match: vec![EtagMatch::Never], ..Conditions::default() };
    let (at, nothing) = (store.at("blob"), Protection::default());
    let put = blobs.put_block_blob(&at, NewBlob::default(), store.inline(b"x"), never, nothing);
    assert!(block_on(put).is_err());
    let staged = blobs.stage_block(&at, block_id("1"), store.chunked(b"block", 3), None);
    block_on(staged).unwrap();
    block_on(told(&store, Deed::Undelete).undelete(&at)).unwrap();
    assert_eq!(store.records(Family::Change), 0);
}

#[test]
fn every_kind_of_verb_tells_the_states_that_it_changed() {
    let store = Fixture::new();
    let (at, any) = (store.at("blob"), Conditions::default);
    let base = |deed| (deed, vec![(ChangedState::Base, true, true)]);
    put(&store, &store.blobs, "blob", Protection::default()).unwrap();
    block_on(told(&store, Deed::SetMetadata).set_metadata(&at, vec![], any(), Protection::default()))
        .unwrap();
    assert_eq!(last(&store), base(Deed::SetMetadata));
    let what = Alteration { headers: Some(crate::blob::ContentHeaders::default()), ..Alteration::default() };
    block_on(told(&store, Deed::SetProperties).alter(&at, what, any())).unwrap();
    assert_eq!(last(&store), base(Deed::SetProperties));
    let tags = Tags::new(vec![("k".to_owned(), "v".to_owned())]).unwrap();
    block_on(told(&store, Deed::SetTags).set_tags(&at, Which::Base, tags, any())).unwrap();
    assert_eq!(last(&store), base(Deed::SetTags));
    let tier = TierChange { tier: Tier::Cool, high: false, rehydration: Duration::ZERO };
    block_on(told(&store, Deed::SetTier).set_tier(&at, Which::Base, tier, any())).unwrap();
    assert_eq!(last(&store), base(Deed::SetTier));
    block_on(store.blobs.stage_block(&at, block_id("1"), store.chunked(b"block", 3), None)).unwrap();
    let list = vec![BlockChoice::Latest(block_id("1"))];
    let blobs = told(&store, Deed::CommitBlockList);
    block_on(blobs.commit_block_list(&at, list, NewBlob::default(), any(), SOFT)).unwrap();
    let kept = changes(&store).pop().unwrap().at;
    let states = vec![(ChangedState::Snapshot(kept), false, true), (ChangedState::Base, true, true)];
    assert_eq!(last(&store), (Deed::CommitBlockList, states));
    let taken = block_on(told(&store, Deed::Snapshot).snapshot(&at, None, any(), Protection::default()));
    assert_eq!(
        last(&store),
        (Deed::Snapshot, vec![(ChangedState::Snapshot(taken.unwrap().id), false, true)])
    );
    let blobs = told(&store, Deed::Delete);
    block_on(blobs.delete(&at, DeleteSnapshots::Include, any(), SOFT)).unwrap();
    let (deed, states) = last(&store);
    assert_eq!((deed, states.len()), (Deed::Delete, 3), "the snapshot, the blob, and what is kept of it");
    assert!(states.contains(&(ChangedState::Base, true, false)));
    assert!(states.contains(&(ChangedState::Deleted, false, true)));
    block_on(told(&store, Deed::Undelete).undelete(&at)).unwrap();
    assert!(last(&store).1.contains(&(ChangedState::Base, false, true)));
    let version = put(&store, &told(&store, Deed::Put), "other", KEEPING).unwrap();
    put(&store, &told(&store, Deed::Put), "other", KEEPING).unwrap();
    let states = vec![(ChangedState::Version(version), false, true), (ChangedState::Base, true, true)];
    assert_eq!(last(&store), (Deed::Put, states));
}

#[test]
fn a_pending_copy_is_told_from_its_beginning_to_its_end() {
    let store = Fixture::new();
    let (at, blobs) = (store.at("blob"), told(&store, Deed::Copy));
    let new = NewBlob { copy: Some(CopyState { id: 7, ..CopyState::default() }), ..NewBlob::default() };
    let nothing = (BlobKind::Block, store.inline(b""), Vec::new());
    block_on(blobs.put_copied_blob(&at, new, nothing, Conditions::default(), Protection::default())).unwrap();
    block_on(blobs.finish_copy(&at, 7, Some((store.chunked(b"bytes", 3), Vec::new())), CopyEnd::Success))
        .unwrap();
    let lengths: Vec<_> =
        changes(&store).iter().map(|change| change.states[0].new.as_ref().map(|blob| blob.length)).collect();
    assert_eq!(lengths, [Some(0), Some(5)]);
}

/// An empty append blob to publish into.
fn log(store: &Fixture) -> BlobAddress {
    let at = store.at("log");
    let (new, any) = (NewBlob::default(), Conditions::default());
    block_on(store.blobs.create_append_blob(&at, new, any, Protection::default())).unwrap();
    at
}

fn publish(blobs: &BlobStore, store: &Fixture, at: &BlobAddress, told: &[Timestamp]) -> Result<Appended> {
    let position = Some(block_on(blobs.properties(at, Which::Base, Conditions::default()))?.length);
    let here = AppendConditions { position, length_max: None };
    block_on(blobs.publish_changes(at, store.chunked(b"events", 3), here, told.to_vec()))
}

#[test]
fn publishing_appends_and_takes_out_what_was_told_and_nothing_else() {
    let store = Fixture::new();
    let (at, blobs) = (log(&store), told(&store, Deed::Put));
    let times = ["a", "b", "c"].map(|name| put(&store, &blobs, name, Protection::default()).unwrap());
    publish(&store.blobs, &store, &at, &times[..2]).unwrap();
    let left: Vec<_> = changes(&store).iter().map(|change| change.at).collect();
    assert_eq!((left.as_slice(), store.read("log").unwrap().as_slice()), (&times[2..], &b"events"[..]));
    block_on(store.blobs.drop_changes(&store.account, vec![times[2]])).unwrap();
    assert!(changes(&store).is_empty());
    store.check_chunks();
}

#[test]
fn a_refused_block_leaves_the_journal_as_it_was() {
    let store = Fixture::new();
    let at = log(&store);
    let time = put(&store, &told(&store, Deed::Put), "a", Protection::default()).unwrap();
    let elsewhere = AppendConditions { position: Some(9), length_max: None };
    let refused = store.blobs.publish_changes(&at, store.chunked(b"events", 3), elsewhere, vec![time]);
    assert!(matches!(block_on(refused), Err(EngineError::AppendPositionMismatch)));
    assert_eq!((changes(&store).len(), store.read("log").unwrap().len()), (1, 0));
    store.check_chunks();
}

#[test]
fn accounts_with_something_to_tell_are_found_by_one_look_each() {
    let store = Fixture::new();
    let blobs = told(&store, Deed::Put);
    for name in ["a", "b", "c"] {
        put(&store, &blobs, name, Protection::default()).unwrap();
    }
    // An account whose name goes on where the other's ends.
    let longer = AccountName::parse("accounta").unwrap();
    let new = crate::blob::NewContainer::default();
    block_on(store.blobs.create_container(&longer, &store.container, new)).unwrap();
    let at = BlobAddress { account: longer.clone(), ..store.at("a") };
    let (new, any) = (NewBlob::default(), Conditions::default());
    block_on(blobs.put_block_blob(&at, new, store.inline(b""), any, Protection::default())).unwrap();
    let all = [store.account.clone(), longer.clone()];
    let visits = store.meta.visits();
    let found = |others: &[AccountName]| {
        block_on(store.blobs.accounts_with_changes(others.iter().cloned().collect())).unwrap()
    };
    assert_eq!(found(&[]), all);
    assert_eq!(store.meta.visits() - visits, 2, "one look each");
    assert_eq!(found(&all[..1]), all[1..]);
    assert_eq!(found(&all[1..]), all[..1]);
    assert!(found(&all).is_empty());
    let told = entries(&store.blobs, &longer, BEGINNING, 9).unwrap();
    assert_eq!(told.len(), 1);
    let more = |through: [Timestamp; 2]| {
        let read = all.iter().cloned().zip(through).collect();
        block_on(store.blobs.accounts_with_more(read)).unwrap()
    };
    assert_eq!(more([BEGINNING; 2]), all);
    assert_eq!(more([BEGINNING, told[0].at]), all[..1]);
    assert!(more([told[0].at; 2]).is_empty(), "what was read is not asked for again");
}

#[test]
fn a_crash_at_any_commit_loses_no_change_and_publishes_none_twice() {
    for survives in [false, true] {
        for crash in 1..8 {
            let store = Fixture::new();
            let (at, blobs) = (log(&store), told(&store, Deed::Put));
            store.meta.crash_at(store.meta.commits() + crash, survives);
            let mut acknowledged = 0;
            let mut published = 0;
            for name in ["a", "b", "c"] {
                acknowledged += usize::from(put(&store, &blobs, name, Protection::default()).is_ok());
                let Some(first) =
                    entries(&blobs, &store.account, BEGINNING, 1).ok().and_then(|mut all| all.pop())
                else {
                    break;
                };
                published += usize::from(publish(&store.blobs, &store, &at, &[first.at]).is_ok());
            }
            let meta = store.meta.reopen(Box::new(|_| ())).unwrap();
            let chunks = Arc::new(store.chunks.clone());
            let blobs = BlobStore::new(Arc::clone(&meta) as _, chunks, Arc::clone(&store.clock) as _);
            let waiting = entries(&blobs, &store.account, BEGINNING, 9).unwrap().len();
            let log = block_on(blobs.properties(&at, Which::Base, Conditions::default())).unwrap();
            let told = usize::try_from(log.length).unwrap() / b"events".len();
            let there = ["a", "b", "c"].iter().filter(|name| {
                block_on(blobs.properties(&store.at(name), Which::Base, Conditions::default())).is_ok()
            });
            assert_eq!(waiting + told, there.count(), "crash at {crash}, which survives: {survives}");
            assert!(waiting + told >= acknowledged && told >= published);
        }
    }
}

fn feed_on(store: &Fixture) -> SettingsStore {
    let settings = SettingsStore::new(Arc::clone(&store.meta) as _);
    let management = BlobManagement { change_feed: true, ..BlobManagement::default() };
    let change = move |settings: &mut settings::ServiceSettings| settings.blob.management = management;
    block_on(settings.change(&store.account, Service::Blob, change)).unwrap();
    settings
}

#[test]
fn what_expires_is_told_where_there_is_a_feed() {
    for on in [false, true] {
        let store = Fixture::new();
        if on {
            feed_on(&store);
        }
        put(&store, &store.blobs, "blob", SOFT).unwrap();
        let soon = crate::blob::Expiry::AfterNow(Duration::from_secs(5));
        block_on(store.blobs.set_expiry(&store.at("blob"), soon, Conditions::default())).unwrap();
        store.clock.advance(Duration::from_mins(1));
        block_on(store.blobs.tidy_once(9)).unwrap();
        let expected = on.then(|| (Deed::Delete, vec![(ChangedState::Base, true, false)]));
        assert_eq!((!changes(&store).is_empty()).then(|| last(&store)), expected);
    }
}

#[test]
fn the_end_of_the_way_out_of_the_archive_is_written_down_and_told() {
    let store = Fixture::new();
    feed_on(&store);
    put(&store, &store.blobs, "blob", SOFT).unwrap();
    let at = store.at("blob");
    let set = |tier, rehydration| {
        let change = TierChange { tier, high: true, rehydration };
        block_on(store.blobs.set_tier(&at, Which::Base, change, Conditions::default())).unwrap()
    };
    set(Tier::Archive, Duration::ZERO);
    let later = crate::blob::Expiry::AfterNow(Duration::from_hours(1));
    block_on(store.blobs.set_expiry(&at, later, Conditions::default())).unwrap();
    set(Tier::Cool, Duration::from_secs(10));
    block_on(store.blobs.tidy_once(9)).unwrap();
    assert!(changes(&store).is_empty(), "it is on its way");
    store.clock.advance(Duration::from_secs(11));
    while block_on(store.blobs.tidy_once(9)).unwrap() > 0 {}
    let change = changes(&store).pop().unwrap();
    assert_eq!((change.cause.deed, change.states.len()), (Deed::SetTier, 1));
    let tier = |blob: &Option<BlobProperties>| blob.as_ref().unwrap().tier.unwrap();
    let (former, new) = (tier(&change.states[0].former), tier(&change.states[0].new));
    assert_eq!((former.tier, former.rehydration.is_some()), (Tier::Archive, true));
    assert_eq!((new.tier, new.rehydration), (Tier::Cool, None));
    store.clock.advance(Duration::from_hours(2));
    while block_on(store.blobs.tidy_once(9)).unwrap() > 0 {}
    assert_eq!(last(&store).0, Deed::Delete, "its expiry is still found");
    assert_eq!((store.records(Family::Due), store.records(Family::Blob)), (0, 0));
}

#[test]
fn what_a_lifecycle_rule_does_is_told_and_the_feed_itself_is_left_alone() {
    let store = Fixture::new();
    let settings = feed_on(&store);
    let feed = ContainerName::parse(crate::blob::CHANGE_FEED).unwrap();
    block_on(store.blobs.create_container(&store.account, &feed, crate::blob::NewContainer::default()))
        .unwrap();
    let in_feed = BlobAddress { container: feed, ..store.at("blob") };
    for at in [&store.at("blob"), &in_feed] {
        let (new, any) = (NewBlob::default(), Conditions::default());
        block_on(store.blobs.put_block_blob(at, new, store.inline(b"x"), any, Protection::default()))
            .unwrap();
    }
    let rules = LifecycleStore::new(Arc::clone(&store.meta) as _);
    let age = Age { since: Since::Modified, days: 0, tier_changed_days: None };
    let none = Actions::default();
    let rule = LifecycleRule {
        name: "all".to_owned(),
        enabled: true,
        block_blobs: true,
        append_blobs: true,
        prefixes: Vec::new(),
        tags: Vec::new(),
        base: Actions { delete: Some(age), ..none },
        snapshots: none,
        versions: none,
    };
    block_on(rules.set(&store.account, vec![rule])).unwrap();
    store.clock.advance(Duration::from_hours(48));
    let clock = Arc::clone(&store.clock) as _;
    let mut walk = crate::lifecycle::walk::LifecycleWalk::new(rules, store.blobs.clone(), settings, clock);
    while block_on(walk.once()).unwrap() > 0 {}
    assert_eq!(last(&store), (Deed::Delete, vec![(ChangedState::Base, true, false)]));
    assert_eq!(changes(&store).len(), 1);
    assert_eq!(changes(&store)[0].cause, Cause::of_background(Deed::Delete));
    assert!(block_on(store.blobs.properties(&in_feed, Which::Base, Conditions::default())).is_ok());
}

#[test]
fn damaged_entries_are_errors_and_no_panics() {
    let store = Fixture::new();
    put(&store, &told(&store, Deed::Put), "blob", Protection::default()).unwrap();
    let (key, value) = store
        .meta
        .read_now(|view| {
            let mut found = None;
            view.scan(Family::Change, &[], None, &mut |key, value| {
                found = Some((key.to_vec(), value.to_vec()));
                Ok(Step::Stop)
            })?;
            Ok(found.unwrap())
        })
        .unwrap();
    let beginning = beginning(&store.account);
    let read = |key: &[u8], value: &[u8]| JournalEntry::read(&beginning, key, value);
    let whole = read(&key, &value);
    assert_eq!(whole.at, whole.change.unwrap().at);
    for end in 0..value.len() {
        let damaged = read(&key, &value[..end]);
        assert!(damaged.change.is_err() && damaged.at == whole.at, "{end}");
    }
    // A key that is no time leads on all the same.
    for length in [beginning.len(), beginning.len() + 3, key.len() - 1] {
        let damaged = read(&key[..length], &value);
        assert!(damaged.change.is_err() && damaged.at <= whole.at, "{length}");
    }
    let longer = [key.as_slice(), b"x"].concat();
    assert!(read(&longer, &value).change.is_err());
    assert!(longer < behind(&store.account, whole.at), "it is read once");
}

/// What stands in the journal in place of what a verb told.
fn damage(store: &Fixture, at: Timestamp) {
    let key = key(&store.account, at);
    let verb = move |transaction: &mut dyn Transaction| {
        transaction.put(Family::Change, &key, b"\x01damaged");
        Ok(())
    };
    block_on(meta::commit(store.meta.as_ref(), Scope(Bytes::new()), None, verb)).unwrap();
}

#[test]
fn a_damaged_entry_is_given_between_the_others_and_stays_until_it_is_taken_out() {
    let store = Fixture::new();
    let (at, blobs) = (log(&store), told(&store, Deed::Put));
    let times = ["a", "b", "c"].map(|name| put(&store, &blobs, name, Protection::default()).unwrap());
    damage(&store, times[1]);
    let read = |after| {
        let entries = block_on(store.blobs.changes(&store.account, after, 9)).unwrap();
        entries.into_iter().map(|entry| (entry.at, entry.change.is_ok())).collect::<Vec<_>>()
    };
    assert_eq!(read(BEGINNING), [(times[0], true), (times[1], false), (times[2], true)]);
    publish(&store.blobs, &store, &at, &[times[0], times[2]]).unwrap();
    assert_eq!(read(BEGINNING), [(times[1], false)]);
    assert!(read(times[1]).is_empty());
    let found = block_on(store.blobs.accounts_with_changes(BTreeSet::new())).unwrap();
    assert_eq!(found, std::slice::from_ref(&store.account));
    block_on(store.blobs.drop_changes(&store.account, vec![times[1]])).unwrap();
    assert_eq!(store.records(Family::Change), 0);
}

#[test]
fn what_was_taken_out_costs_no_look_and_no_verb_anything() {
    let costs = [3, 300].map(|published| {
        let store = Fixture::new();
        let (at, blobs) = (log(&store), told(&store, Deed::Put));
        let mut through = BEGINNING;
        for number in 0..published {
            through = put(&store, &blobs, &number.to_string(), Protection::default()).unwrap();
            publish(&store.blobs, &store, &at, &[through]).unwrap();
        }
        assert_eq!(store.meta.tombstones(), 0, "verbs that take out walk over nothing");
        let last = put(&store, &blobs, "last", Protection::default()).unwrap();
        let before = (store.meta.visits(), store.meta.tombstones());
        let read = BTreeMap::from([(store.account.clone(), through)]);
        let others = BTreeSet::from([store.account.clone()]);
        assert_eq!(block_on(store.blobs.accounts_with_more(read)).unwrap().len(), 1);
        assert!(block_on(store.blobs.accounts_with_changes(others)).unwrap().is_empty());
        assert_eq!(entries(&store.blobs, &store.account, through, 9).unwrap()[0].at, last);
        publish(&store.blobs, &store, &at, &[last]).unwrap();
        let read = BTreeMap::from([(store.account.clone(), last)]);
        assert!(block_on(store.blobs.accounts_with_more(read)).unwrap().is_empty());
        let cost = (store.meta.visits() - before.0, store.meta.tombstones() - before.1);
        // What it is that is spared: one look that begins at the beginning.
        let walked = store.meta.tombstones();
        assert!(entries(&store.blobs, &store.account, BEGINNING, 9).unwrap().is_empty());
        assert_eq!(store.meta.tombstones() - walked, published + 1);
        cost
    });
    assert_eq!(costs[0], costs[1]);
    assert_eq!(costs[0].1, 0);
}
