//! Blocks that wait, that are committed, and that nobody commits.

use super::*;
use crate::blob::fixture::{Fixture, block_id};
use crate::blob::{EtagMatch, Include, ListBlobs};
use futures_executor::block_on;
use std::time::Duration;

fn latest(ids: &[&str]) -> Vec<BlockChoice> {
    ids.iter().map(|id| BlockChoice::Latest(block_id(id))).collect()
}

fn commit(store: &Fixture, blocks: Vec<BlockChoice>) -> Result<Stamp> {
    block_on(store.blobs.commit_block_list(
        &store.at("blob"),
        blocks,
        NewBlob::default(),
        Conditions::default(),
        Protection::default(),
    ))
}

fn block_list(store: &Fixture) -> BlockList {
    block_on(store.blobs.block_list(&store.at("blob"), Which::Base, Conditions::default())).unwrap()
}

#[test]
fn blocks_become_a_blob_in_the_order_of_the_list() {
    let store = Fixture::new();
    store.stage("blob", "2", b"world").unwrap();
    store.stage("blob", "1", b"hello ").unwrap();
    assert!(matches!(store.read("blob"), Err(EngineError::BlobNotFound)));
    let stamp = commit(&store, latest(&["1", "2"])).unwrap();
    assert_eq!(store.read("blob").unwrap(), b"hello world");
    let list = block_list(&store);
    assert_eq!(list.blob, Some((stamp, 11)));
    assert_eq!(list.committed[0], Block { id: block_id("1"), length: 6 });
    assert!(list.staged.is_empty());
    store.check_chunks();
}

#[test]
fn a_block_that_a_list_names_twice_is_freed_once() {
    let store = Fixture::new();
    store.stage("blob", "1", b"tick ").unwrap();
    commit(&store, latest(&["1", "1", "1"])).unwrap();
    assert_eq!(store.read("blob").unwrap(), b"tick tick tick ");
    commit(&store, latest(&["1", "1"])).unwrap();
    store.check_chunks();
    commit(&store, Vec::new()).unwrap();
    assert_eq!(store.read("blob").unwrap(), b"");
    store.check_chunks();
    assert!(store.chunks.alive().is_empty());
}

#[test]
fn a_list_says_which_of_two_blocks_with_one_id_it_means() {
    let store = Fixture::new();
    store.stage("blob", "1", b"old").unwrap();
    commit(&store, latest(&["1"])).unwrap();
    for (choice, expected) in [
        (BlockChoice::Committed(block_id("1")), &b"old"[..]),
        (BlockChoice::Uncommitted(block_id("1")), b"new"),
        (BlockChoice::Latest(block_id("1")), b"newer"),
    ] {
        let staged: &[u8] = if expected == b"newer" { b"newer" } else { b"new" };
        store.stage("blob", "1", staged).unwrap();
        commit(&store, vec![choice]).unwrap();
        assert_eq!(store.read("blob").unwrap(), expected);
        store.check_chunks();
    }
    let gone = commit(&store, vec![BlockChoice::Uncommitted(block_id("1"))]);
    assert!(matches!(gone, Err(EngineError::BlockMissing)));
    assert_eq!(store.read("blob").unwrap(), b"newer");
}

#[test]
fn staging_changes_neither_the_blob_nor_its_version() {
    let store = Fixture::new();
    let put = store.put("blob", store.inline(b"x")).unwrap();
    store.stage("blob", "1", b"staged").unwrap();
    let list = block_list(&store);
    assert_eq!(list.blob, Some((put, 1)));
    assert!(list.committed.is_empty());
    assert_eq!(list.staged, [Block { id: block_id("1"), length: 6 }]);
    assert_eq!(store.read("blob").unwrap(), b"x");
}

#[test]
fn a_commit_keeps_the_time_of_creation_and_its_conditions() {
    let store = Fixture::new();
    let put = store.put("blob", store.inline(b"x")).unwrap();
    let at = store.at("blob");
    let unless_there = Conditions { if_none_match: vec![EtagMatch::Any], ..Conditions::default() };
    let refused = block_on(store.blobs.commit_block_list(
        &at,
        Vec::new(),
        NewBlob::default(),
        unless_there,
        Protection::default(),
    ));
    assert!(matches!(refused, Err(EngineError::BlobExists)));
    let commit = commit(&store, Vec::new()).unwrap();
    let now = block_on(store.blobs.properties(&at, Which::Base, Conditions::default())).unwrap();
    assert_eq!((now.created, now.modified), (put.modified, commit.modified));
}

#[test]
fn a_condition_that_wants_a_blob_is_not_met_by_staged_blocks() {
    let store = Fixture::new();
    store.stage("blob", "1", b"staged").unwrap();
    let there = Conditions { if_match: vec![EtagMatch::Any], ..Conditions::default() };
    let at = store.at("blob");
    let refused = block_on(store.blobs.commit_block_list(
        &at,
        latest(&["1"]),
        NewBlob::default(),
        there,
        Protection::default(),
    ));
    assert!(matches!(refused, Err(EngineError::PreconditionFailed)));
}

#[test]
fn ids_of_one_blob_are_of_one_length() {
    let store = Fixture::new();
    store.stage("blob", "one", b"1").unwrap();
    assert!(matches!(store.stage("blob", "four", b"4"), Err(EngineError::BlockIdLength)));
    commit(&store, latest(&["one"])).unwrap();
    assert!(matches!(store.stage("blob", "four", b"4"), Err(EngineError::BlockIdLength)));
    store.put("blob", store.inline(b"x")).unwrap();
    store.stage("blob", "four", b"4").unwrap();
    store.check_chunks();
}

#[test]
fn too_many_blocks_are_refused() {
    let store = Fixture::new();
    store.stage("blob", "1", b"").unwrap();
    let too_many = vec![BlockChoice::Latest(block_id("1")); BLOCKS_MAX + 1];
    assert!(matches!(commit(&store, too_many), Err(EngineError::TooManyBlocks)));
    commit(&store, vec![BlockChoice::Latest(block_id("1")); BLOCKS_MAX]).unwrap();
    assert_eq!(block_list(&store).committed.len(), BLOCKS_MAX);

    store.stage("blob", "1", b"x").unwrap();
    let route = store.meta.read_now(|view| Route::find(view, &store.at("blob"))).unwrap();
    let full = u64::try_from(STAGED_BLOCKS_MAX).unwrap();
    block_on(meta::commit(store.meta.as_ref(), route.place.scope.clone(), None, move |transaction| {
        let mark = StagingRecord { modified: transaction.now(), id_bytes: 1, blocks: full, due: None };
        transaction.put(Family::Blob, &route.place.state(State::Staging), &mark.encode());
        Ok(())
    }))
    .unwrap();
    assert!(matches!(store.stage("blob", "2", b"x"), Err(EngineError::TooManyBlocks)));
    store.stage("blob", "1", b"replaced").unwrap();
    store.check_chunks();
}

#[test]
fn a_list_that_names_too_much_is_refused() {
    let block = BlockRecord {
        length: 1,
        chunks: vec![ChunkRef { segment: 0, offset: 0, len: 1 }; 1 << 10],
        key: None,
    };
    let staged = HashMap::from([(block_id("1"), block)]);
    let list = vec![BlockChoice::Latest(block_id("1")); (PIECES_MAX >> 10) + 1];
    assert!(matches!(resolve(&list, &staged, &HashMap::new()), Err(EngineError::TooManyBlocks)));
}

#[test]
fn a_block_that_would_have_to_be_copied_is_refused() {
    let store = Fixture::new();
    let at = store.at("blob");
    let staged = block_on(store.blobs.stage_block(&at, block_id("1"), store.inline(b"x"), None));
    assert!(staged.is_err());
    assert_eq!(store.records(Family::Staged), 0);
}

const WEEK: Duration = Duration::from_hours(7 * 24);

fn is_listed(store: &Fixture) -> bool {
    let include = Include { uncommitted: true, ..Include::default() };
    let list = ListBlobs { include, limit: 10, ..ListBlobs::default() };
    let page = block_on(store.blobs.list(&store.account, &store.container, list)).unwrap();
    !page.entries.is_empty()
}

#[test]
fn staged_blocks_are_over_a_week_after_the_last_one_and_then_go_by_themselves() {
    let store = Fixture::new();
    store.stage("blob", "1", b"first").unwrap();
    store.clock.advance(WEEK / 2);
    store.stage("blob", "2", b"second").unwrap();
    store.clock.advance(WEEK / 2 + Duration::from_secs(1));
    assert_eq!(block_on(store.blobs.tidy_once(10)).unwrap(), 1, "looked at, and again later");
    assert_eq!((block_list(&store).staged.len(), is_listed(&store)), (2, true));
    store.clock.advance(WEEK / 2);
    // Before anybody has tidied up.
    let at = store.at("blob");
    let list = block_on(store.blobs.block_list(&at, Which::Base, Conditions::default()));
    assert!(matches!(list, Err(EngineError::BlobNotFound)));
    assert!(!is_listed(&store));
    assert!(matches!(commit(&store, latest(&["1"])), Err(EngineError::BlockMissing)));
    store.check_chunks();
    assert_eq!(block_on(store.blobs.tidy_once(10)).unwrap(), 1);
    for family in [Family::Staged, Family::Blob, Family::Due, Family::Chunk] {
        assert_eq!(store.records(family), 0, "{family:?}");
    }
    assert!(store.chunks.alive().is_empty());
}

#[test]
fn a_block_that_comes_after_the_others_are_over_is_alone() {
    let store = Fixture::new();
    store.stage("blob", "1", b"over").unwrap();
    store.clock.advance(WEEK + Duration::from_secs(1));
    store.stage("blob", "22", b"of another length").unwrap();
    assert_eq!(block_list(&store).staged.len(), 1);
    assert!(matches!(commit(&store, latest(&["1"])), Err(EngineError::BlockMissing)));
    while block_on(store.blobs.tidy_once(10)).unwrap() > 0 {}
    assert_eq!(block_list(&store).staged.len(), 1);
    store.check_chunks();
}

#[test]
fn blocks_that_became_a_blob_leave_nothing_to_be_looked_at() {
    let store = Fixture::new();
    store.stage("blob", "1", b"first").unwrap();
    commit(&store, latest(&["1"])).unwrap();
    assert_eq!(store.records(Family::Due), 0);
    store.clock.advance(WEEK * 2);
    assert_eq!(store.read("blob").unwrap(), b"first");
}
