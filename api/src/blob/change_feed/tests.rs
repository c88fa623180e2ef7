//! The feed on records in memory: what is written where, what a crash leaves, what is read of the journal and what that
//! costs, and what an old feed loses.

use super::*;
use bytes::Bytes;
use segment::Status;
use std::collections::BTreeMap;
use std::sync::Arc;
use storage_engine::blob::{BlobAddress, BlobEntry, Conditions, NewBlob, NewContainer, Protection, Which};
use storage_engine::chunk::local::{ChunkOptions, LocalChunks};
use storage_engine::clock::{ManualClock, SeededEntropy};
use storage_engine::disk::local::LocalDisk;
use storage_engine::meta::memory::MemoryMeta;
use storage_engine::meta::{self, Family, Scope, Step};
use storage_engine::name::BlobName;
use storage_engine::page::memory::MemoryPages;
use storage_engine::settings::{BlobManagement, ServiceSettings};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

struct World {
    engine: Engine,
    meta: Arc<MemoryMeta>,
    chunks: Arc<LocalChunks>,
    clock: Arc<ManualClock>,
    account: AccountName,
    _folder: tempfile::TempDir,
}

fn engine(meta: &Arc<MemoryMeta>, chunks: &Arc<LocalChunks>, clock: &Arc<ManualClock>) -> Engine {
    let (meta, chunks) = (Arc::<MemoryMeta>::clone(meta), Arc::<LocalChunks>::clone(chunks));
    let clock = Arc::<ManualClock>::clone(clock);
    Engine::on(meta, chunks, MemoryPages::new(), clock, Arc::new(SeededEntropy::new(1)))
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::default());
        let meta = MemoryMeta::new(Arc::clone(&clock) as _);
        let disk = Arc::new(LocalDisk::open(folder.path()).unwrap());
        let none = Arc::new(|_| Ok(Vec::new()));
        let chunks = LocalChunks::open(disk, &ChunkOptions::default(), none).unwrap();
        let engine = engine(&meta, &chunks, &clock);
        let account = AccountName::parse("acc").unwrap();
        let world = Self { engine, meta, chunks, clock, account, _folder: folder };
        world.create_container(&world.account);
        world
    }

    /// The world after the process ended and another began.
    fn restarted(self) -> Self {
        let meta = self.meta.reopen(Box::new(|_| ())).unwrap();
        Self { engine: engine(&meta, &self.chunks, &self.clock), meta, ..self }
    }

    fn create_container(&self, account: &AccountName) {
        let container = ContainerName::parse("con").unwrap();
        block_on(self.engine.blobs().create_container(account, &container, NewContainer::default())).unwrap();
    }

    fn set(&self, management: BlobManagement) {
        let set = move |settings: &mut ServiceSettings| settings.blob.management = management;
        block_on(self.engine.settings().change(&self.account, Service::Blob, set)).unwrap();
    }

    fn turn_on(&self, days: Option<u32>) {
        self.set(BlobManagement {
            change_feed: true,
            change_feed_retention: days,
            ..BlobManagement::default()
        });
    }

    fn feed(&self) -> ChangeFeed {
        ChangeFeed::new(&self.engine, Arc::clone(&self.clock) as _)
    }

    fn put(&self, name: &str) {
        self.put_for(&self.account, name).unwrap();
    }

    /// What a request does that found the feed turned on.
    fn put_for(&self, account: &AccountName, name: &str) -> Result<()> {
        let cause = Cause::of_background(Deed::Put);
        let container = ContainerName::parse("con").unwrap();
        let at = BlobAddress { account: account.clone(), container, blob: BlobName::parse(name).unwrap() };
        let blobs = self.engine.blobs().on_behalf(cause);
        let staged = block_on(blobs.upload().finish()).unwrap();
        let (any, protection) = (Conditions::default(), Protection::default());
        block_on(blobs.put_block_blob(&at, NewBlob::default(), staged, any, protection)).map(drop)
    }

    /// The times of the entries that are in the journal of the account.
    fn journal(&self) -> Vec<Timestamp> {
        let entries =
            block_on(self.engine.blobs().changes(&self.account, Timestamp::default(), usize::MAX)).unwrap();
        entries.iter().map(|entry| entry.at).collect()
    }

    /// Damages the newest entry of the journal.
    fn damage(&self) {
        let mut newest = Vec::new();
        let visit = &mut |key: &[u8], _: &[u8]| {
            newest = key.to_vec();
            Ok(Step::Next)
        };
        self.meta.read_now(|view| view.scan(Family::Change, &[], None, visit)).unwrap();
        let verb = move |transaction: &mut dyn meta::Transaction| {
            transaction.put(Family::Change, &newest, b"\x01damaged");
            Ok(())
        };
        block_on(meta::commit(self.meta.as_ref(), Scope(Bytes::new()), None, verb)).unwrap();
    }

    fn is_there(&self, name: &str) -> bool {
        let (container, blob) = (ContainerName::parse("con").unwrap(), BlobName::parse(name).unwrap());
        let at = BlobAddress { account: self.account.clone(), container, blob };
        block_on(self.engine.blobs().properties(&at, Which::Base, Conditions::default())).is_ok()
    }

    /// All blobs of the feed and their bytes; none if there is no feed.
    fn files(&self) -> Option<BTreeMap<String, Vec<u8>>> {
        let driver = self.feed();
        let feed = driver.feed(&self.account).unwrap();
        let page = match block_on(feed.list("", None)) {
            Err(EngineError::ContainerNotFound) => return None,
            page => page.unwrap(),
        };
        let names = page.entries.into_iter().map(|entry| match entry {
            BlobEntry::Blob(name, _) => name.to_string(),
            other => panic!("{other:?}"),
        });
        Some(names.map(|name| (name.clone(), block_on(feed.read(&name)).unwrap())).collect())
    }

    /// The names of the blobs that the logs tell of, in the order of the feed.
    fn told(&self) -> Vec<String> {
        let files = self.files().unwrap_or_default();
        let logs = files.iter().filter(|(name, _)| name.starts_with("log/"));
        let text: String = logs.map(|(_, bytes)| String::from_utf8_lossy(bytes)).collect();
        let named = text.split("/containers/con/blobs/").skip(1);
        named.map(|rest| rest.chars().take_while(char::is_ascii_lowercase).collect()).collect()
    }
}

fn work(feed: &mut ChangeFeed) {
    while block_on(feed.once()).unwrap() > 0 {}
}

/// How often a text is in the logs.
fn occurrences(files: &BTreeMap<String, Vec<u8>>, text: &str) -> usize {
    let logs = files.iter().filter(|(name, _)| name.starts_with("log/"));
    logs.map(|(_, bytes)| bytes.windows(text.len()).filter(|part| *part == text.as_bytes()).count()).sum()
}

#[test]
fn a_feed_is_there_from_when_it_is_turned_on_and_empty_of_segments() {
    let world = World::new();
    let mut feed = world.feed();
    work(&mut feed);
    assert_eq!(world.files(), None);
    world.turn_on(None);
    work(&mut feed);
    let files = world.files().unwrap();
    let names: Vec<_> = files.keys().map(String::as_str).collect();
    assert_eq!(names, ["idx/segments/1601/01/01/0000/meta.json", "meta/segments.json"]);
    work(&mut feed);
    assert_eq!(world.files().unwrap(), files, "nothing is written where nothing happens");
}

#[test]
fn events_of_an_hour_are_in_its_log_and_the_next_hour_closes_its_segment() {
    let world = World::new();
    world.turn_on(None);
    let mut feed = world.feed();
    for name in ["first", "second"] {
        world.put(name);
        work(&mut feed);
    }
    let files = world.files().unwrap();
    let log = files.get("log/00/2023/11/14/2200/00000.avro").unwrap();
    assert!(log.starts_with(b"Obj\x01"));
    let log = log.clone();
    assert_eq!((occurrences(&files, "/blobs/first"), occurrences(&files, "/blobs/second")), (1, 1));
    let status = |files: &BTreeMap<String, Vec<u8>>, hour: &str| {
        let document = files.get(&format!("idx/segments/2023/11/14/{hour}/meta.json"))?;
        Some(Status::read(document))
    };
    assert_eq!(status(&files, "2200"), Some(Status::Publishing));
    world.clock.advance(Duration::from_hours(1));
    world.put("third");
    work(&mut feed);
    let files = world.files().unwrap();
    assert_eq!(status(&files, "2200"), Some(Status::Finalized));
    assert_eq!(status(&files, "2300"), Some(Status::Publishing));
    assert_eq!(files.get("log/00/2023/11/14/2200/00000.avro"), Some(&log));
    assert_eq!(last(&files), "2023/11/14/2300");
    // Nothing happens in the hour that follows, and the last one is closed all the same.
    for _ in 0..3 {
        world.clock.advance(Duration::from_hours(2));
        work(&mut feed);
        let files = world.files().unwrap();
        assert_eq!(
            (status(&files, "2300"), last(&files).as_str()),
            (Some(Status::Finalized), "2023/11/15/0000")
        );
    }
    world.clock.advance(Duration::from_hours(5));
    world.put("fourth");
    work(&mut feed);
    let files = world.files().unwrap();
    assert_eq!((last(&files).as_str(), world.told().len()), ("2023/11/15/1000", 4));
}

/// Up to which hour the feed can be read.
fn last(files: &BTreeMap<String, Vec<u8>>) -> String {
    let last = segment::last_consumable(files.get("meta/segments.json").unwrap()).unwrap();
    last.segment().trim_start_matches(segment::INDEX).trim_end_matches("/meta.json").to_owned()
}

#[test]
fn what_changes_in_the_hour_behind_a_finished_segment_has_a_segment_of_its_own() {
    // Whether the process ends between the two steps of finishing or not.
    for ends in [false, true] {
        let world = World::new();
        world.turn_on(None);
        let mut feed = world.feed();
        world.put("a");
        work(&mut feed);
        // 23:16, and the last segment is that of 22 o'clock.
        world.clock.advance(Duration::from_mins(63));
        if ends {
            let driver = world.feed();
            let feed = driver.feed(&world.account).unwrap();
            let hour = Hour::of_segment("idx/segments/2023/11/14/2200/meta.json").unwrap();
            block_on(feed.write(&hour.segment(), segment::manifest(hour, true, feed.now))).unwrap();
        }
        work(&mut feed);
        assert_eq!(last(&world.files().unwrap()), "2023/11/14/2300");
        for name in ["b", "c"] {
            world.put(name);
            work(&mut feed);
        }
        let files = world.files().unwrap();
        let logs: Vec<_> = files.keys().filter(|name| name.starts_with("log/")).collect();
        assert_eq!(logs, ["log/00/2023/11/14/2200/00000.avro", "log/00/2023/11/14/2300/00000.avro"]);
        assert_eq!((world.told().concat().as_str(), last(&files).as_str()), ("abc", "2023/11/14/2300"));
        let status =
            files.get("idx/segments/2023/11/14/2300/meta.json").map(|document| Status::read(document));
        assert_eq!(status, Some(Status::Publishing));
    }
}

#[test]
fn a_process_that_ends_after_any_step_is_gone_on_from() {
    for steps in 0..4 {
        let world = World::new();
        world.turn_on(None);
        world.put("blob");
        {
            // What a process does before it ends: the steps of `publish`, one by one.
            let driver = world.feed();
            let feed = driver.feed(&world.account).unwrap();
            let hour = Hour::of(world.clock.now());
            if steps > 0 {
                block_on(feed.furnish()).unwrap();
            }
            if steps > 1 {
                block_on(feed.write(&hour.segment(), segment::manifest(hour, false, feed.now))).unwrap();
            }
            if steps > 2 {
                block_on(feed.open_segment(hour)).unwrap();
                block_on(feed.make_log(&hour.log(0))).unwrap();
            }
        }
        let mut feed = world.feed();
        work(&mut feed);
        work(&mut feed);
        let files = world.files().unwrap();
        assert_eq!(occurrences(&files, "/blobs/blob"), 1, "after {steps} steps");
        assert_eq!(files.keys().filter(|name| name.starts_with("log/")).count(), 1, "after {steps} steps");
    }
}

#[test]
fn a_feed_that_was_turned_off_tells_what_had_changed_by_then_and_stays() {
    let world = World::new();
    world.turn_on(None);
    let mut feed = world.feed();
    work(&mut feed);
    world.put("last");
    world.set(BlobManagement::default());
    work(&mut feed);
    assert_eq!(occurrences(&world.files().unwrap(), "/blobs/last"), 1);
}

#[test]
fn a_feed_that_is_turned_on_again_goes_on_and_what_was_done_meanwhile_is_not_in_it() {
    let world = World::new();
    let mut feed = world.feed();
    for name in ["a", "b", "c"] {
        world.turn_on(None);
        world.put(name);
        world.set(BlobManagement::default());
        // Here a request finds the feed turned off, and tells nothing.
        work(&mut feed);
    }
    world.turn_on(None);
    work(&mut feed);
    world.put("d");
    work(&mut feed);
    assert_eq!((world.told().concat().as_str(), world.journal().len()), ("abcd", 0));
}

#[test]
fn what_a_slow_request_tells_after_the_feed_was_turned_off_is_told_when_it_is_looked_at() {
    let world = World::new();
    world.turn_on(None);
    let mut feed = world.feed();
    work(&mut feed);
    world.set(BlobManagement::default());
    work(&mut feed);
    world.put("late");
    work(&mut feed);
    assert_eq!(world.journal().len(), 1);
    world.clock.advance(LOOK_EVERY);
    work(&mut feed);
    assert_eq!((world.told(), world.journal().len()), (vec!["late".to_owned()], 0));
}

#[test]
fn what_was_acknowledged_is_told_once_and_in_order_whatever_commit_the_process_ends_at() {
    for survives in [false, true] {
        for crash in 1.. {
            let world = World::new();
            world.turn_on(None);
            world.meta.crash_at(world.meta.commits() + crash, survives);
            let (mut feed, mut acknowledged, mut ended) = (world.feed(), Vec::new(), false);
            for name in ["a", "b", "c"] {
                acknowledged.extend(world.put_for(&world.account, name).ok().map(|()| name));
                while !ended
                    && block_on(feed.once()).map_or_else(
                        |_| {
                            ended = true;
                            false
                        },
                        |done| done > 0,
                    )
                {}
                world.clock.advance(Duration::from_mins(40));
            }
            let world = world.restarted();
            let mut feed = world.feed();
            work(&mut feed);
            work(&mut feed);
            let told = world.told().concat();
            let there = ["a", "b", "c"].iter().filter(|name| world.is_there(name));
            assert_eq!(
                told,
                there.copied().collect::<String>(),
                "commit {crash}, which survives: {survives}"
            );
            assert!(acknowledged.iter().all(|name| told.contains(name)) && world.journal().is_empty());
            if !ended && acknowledged.len() == 3 {
                assert!(crash > 10, "all commits were tried");
                break;
            }
        }
    }
}

#[test]
fn a_round_reads_nothing_where_there_is_no_feed_and_the_same_however_much_was_published() {
    let idle = |feed: &mut ChangeFeed, meta: &MemoryMeta| {
        let before = (meta.visits(), meta.tombstones(), meta.commits());
        assert_eq!(block_on(feed.once()).unwrap(), 0);
        (meta.visits() - before.0, meta.tombstones() - before.1, meta.commits() - before.2)
    };
    let world = World::new();
    let mut feed = world.feed();
    work(&mut feed);
    assert_eq!(idle(&mut feed, &world.meta), (0, 0, 0), "nobody has a feed");
    let costs = [2, 200].map(|published| {
        let world = World::new();
        world.turn_on(None);
        let mut feed = world.feed();
        for _ in 0..published {
            world.put("blob");
            work(&mut feed);
        }
        let walked = world.meta.tombstones();
        assert_eq!(idle(&mut feed, &world.meta), (0, 0, 0), "nothing is behind what was read");
        world.clock.advance(LOOK_EVERY);
        let look = idle(&mut feed, &world.meta);
        world.put("blob");
        let before = world.meta.visits();
        assert_eq!(block_on(feed.once()).unwrap(), 1);
        assert_eq!(world.meta.tombstones(), walked);
        // A next process knows nothing, walks over all of it once, and then no more.
        let world = world.restarted();
        let mut feed = world.feed();
        work(&mut feed);
        assert!(world.meta.tombstones() - walked > published);
        world.put("blob");
        work(&mut feed);
        assert_eq!(idle(&mut feed, &world.meta), (0, 0, 0));
        (look, world.meta.visits() - before)
    });
    assert_eq!(costs[0], costs[1]);
}

#[test]
fn a_damaged_entry_is_passed_over_and_counted_and_stays_and_the_others_are_told() {
    let world = World::new();
    world.turn_on(None);
    let mut feed = world.feed();
    for name in ["a", "b", "c"] {
        world.put(name);
        if name == "b" {
            world.damage();
        }
    }
    let damaged = world.journal()[1];
    work(&mut feed);
    assert_eq!((world.told().concat().as_str(), feed.damaged()), ("ac", 1));
    assert_eq!(world.journal(), [damaged]);
    world.put("d");
    world.damage();
    work(&mut feed);
    assert_eq!((world.journal().len(), feed.damaged()), (2, 2), "also if there is nothing else to tell");
    world.put("e");
    for _ in 0..3 {
        world.clock.advance(LOOK_EVERY);
        work(&mut feed);
    }
    assert_eq!((world.told().concat().as_str(), feed.damaged()), ("ace", 2), "each is passed over once");
    // The hour is closed all the same.
    world.clock.advance(Duration::from_hours(2));
    work(&mut feed);
    let files = world.files().unwrap();
    let open = files.iter().filter(|(name, _)| name.starts_with(segment::INDEX));
    assert_eq!(open.filter(|(_, document)| Status::read(document) == Status::Publishing).count(), 0);
    let world = world.restarted();
    let mut feed = world.feed();
    work(&mut feed);
    assert_eq!(
        (world.told().concat().as_str(), feed.damaged()),
        ("ace", 2),
        "the next process says so again"
    );
}

#[test]
fn an_account_that_something_is_wrong_with_keeps_no_other_waiting_and_is_tried_again_each_minute() {
    let world = World::new();
    world.turn_on(None);
    let mut feed = world.feed();
    work(&mut feed);
    let index = |document: String| {
        let driver = world.feed();
        block_on(driver.feed(&world.account).unwrap().write(segment::SEGMENTS, document)).unwrap();
    };
    index("no index".to_owned());
    world.put("mine");
    let other = AccountName::parse("other").unwrap();
    world.create_container(&other);
    world.put_for(&other, "theirs").unwrap();
    world.clock.advance(LOOK_EVERY);
    work(&mut feed);
    let waiting =
        || block_on(world.engine.blobs().accounts_with_changes(std::collections::BTreeSet::new())).unwrap();
    assert_eq!(waiting(), std::slice::from_ref(&world.account));
    let visits = world.meta.visits();
    work(&mut feed);
    assert_eq!(world.meta.visits(), visits, "it is left alone");
    index(segment::segments(Hour::first(), world.clock.now()));
    world.clock.advance(LOOK_EVERY);
    work(&mut feed);
    assert_eq!((world.told(), waiting()), (vec!["mine".to_owned()], Vec::new()));
}

#[test]
fn segments_that_are_too_old_go_with_their_logs() {
    let world = World::new();
    world.turn_on(Some(2));
    let mut feed = world.feed();
    for name in ["old", "new"] {
        world.put(name);
        work(&mut feed);
        world.clock.advance(Duration::from_hours(30));
    }
    work(&mut feed);
    let files = world.files().unwrap();
    assert_eq!((occurrences(&files, "/blobs/old"), occurrences(&files, "/blobs/new")), (0, 1));
    assert_eq!(
        files.keys().filter(|name| name.starts_with(segment::INDEX)).count(),
        2,
        "the first and the new"
    );
    world.clock.advance(Duration::from_hours(72));
    work(&mut feed);
    let left = world.files().unwrap();
    assert_eq!(left.len(), 2, "{:?}", left.keys());
    world.put("again");
    work(&mut feed);
    assert_eq!(occurrences(&world.files().unwrap(), "/blobs/again"), 1);
}

#[test]
fn operations_that_tell_are_rows_of_the_table() {
    let told: Vec<_> = super::super::operations::OPERATIONS.iter().filter_map(|row| deed(row.name)).collect();
    for deed in [Deed::Put, Deed::CommitBlockList, Deed::Copy, Deed::AbortCopy, Deed::Delete, Deed::Undelete]
    {
        assert!(told.contains(&deed), "{deed:?}");
    }
    for deed in [Deed::SetMetadata, Deed::SetProperties, Deed::SetTags, Deed::SetTier, Deed::Snapshot] {
        assert!(told.contains(&deed), "{deed:?}");
    }
    let row = |name: &str| super::super::operations::OPERATIONS.iter().find(|row| row.name == name).unwrap();
    assert!(row("GetBlob").writes() != row("PutBlob").writes());
    assert_eq!(deed("LeaseBlob"), None);
}
