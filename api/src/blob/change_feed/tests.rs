//! The feed on a store in memory: what is written where, what a crash leaves, and what an old feed loses.

use super::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use storage_engine::clock::{ManualClock, SeededEntropy};
use storage_engine::config::EngineConfig;
use storage_engine::settings::{BlobManagement, ServiceSettings};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

struct World {
    engine: Engine,
    clock: Arc<ManualClock>,
    account: AccountName,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::default());
        let config = EngineConfig { disks: vec![folder.path().to_owned()], ..EngineConfig::default() };
        let engine = Engine::open(&config, Arc::clone(&clock) as _, Arc::new(SeededEntropy::new(1))).unwrap();
        let world = Self { engine, clock, account: AccountName::parse("acc").unwrap(), _folder: folder };
        let container = ContainerName::parse("con").unwrap();
        let made = world.engine.blobs().create_container(&world.account, &container, NewContainer::default());
        block_on(made).unwrap();
        world
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
        let cause = Cause::of_background(Deed::Put);
        let container = ContainerName::parse("con").unwrap();
        let at =
            BlobAddress { account: self.account.clone(), container, blob: BlobName::parse(name).unwrap() };
        let blobs = self.engine.blobs().on_behalf(cause);
        let staged = block_on(blobs.upload().finish()).unwrap();
        let (any, protection) = (Conditions::default(), Protection::default());
        block_on(blobs.put_block_blob(&at, NewBlob::default(), staged, any, protection)).unwrap();
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
    assert_eq!((occurrences(&files, "/blobs/first"), occurrences(&files, "/blobs/second")), (1, 1));
    let status = |files: &BTreeMap<String, Vec<u8>>, hour: &str| {
        segment::is_open(files.get(&format!("idx/segments/2023/11/14/{hour}/meta.json")).unwrap())
    };
    assert!(status(&files, "2200"));
    world.clock.advance(Duration::from_hours(1));
    world.put("third");
    work(&mut feed);
    let files = world.files().unwrap();
    assert!(!status(&files, "2200") && status(&files, "2300"));
    assert_eq!(
        files.get("log/00/2023/11/14/2200/00000.avro"),
        world.files().unwrap().get("log/00/2023/11/14/2200/00000.avro")
    );
    let index = files.get("meta/segments.json").unwrap();
    assert_eq!(segment::last_consumable(index), Hour::of_segment("idx/segments/2023/11/14/2300/meta.json"));
    // Nothing happens in the hour that follows, and the last one is closed all the same.
    world.clock.advance(Duration::from_hours(2));
    work(&mut feed);
    assert!(!status(&world.files().unwrap(), "2300"));
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
                block_on(feed.is_there(true)).unwrap();
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
fn what_changed_in_an_account_without_a_feed_is_dropped() {
    let world = World::new();
    world.put("blob");
    let mut feed = world.feed();
    work(&mut feed);
    assert_eq!(world.files(), None);
    assert!(block_on(world.engine.blobs().accounts_with_changes(1)).unwrap().is_empty());
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
