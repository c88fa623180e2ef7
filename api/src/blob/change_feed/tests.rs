//! What is written where, what a crash leaves of it, and what an old feed loses.

use super::*;
use segment::Status;
use world::{World, block_on, occurrences, work};

mod reading;
mod world;

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
fn what_is_seen_only_after_its_hour_was_finished_goes_into_the_segment_behind_it() {
    let world = World::new();
    world.turn_on(None);
    let mut feed = world.feed();
    world.put("a");
    work(&mut feed);
    let log = world.files().unwrap().remove("log/00/2023/11/14/2200/00000.avro");
    world.put("b");
    world.clock.advance(Duration::from_mins(63));
    let driver = world.feed();
    block_on(driver.feed(&world.account).unwrap().finish_segment(LATE)).unwrap();
    work(&mut feed);
    world.put("c");
    work(&mut feed);
    let mut files = world.files().unwrap();
    assert_eq!((world.told().concat().as_str(), last(&files).as_str()), ("abc", "2023/11/14/2300"));
    let finished = files.get("idx/segments/2023/11/14/2200/meta.json").map(|document| Status::read(document));
    assert_eq!(finished, Some(Status::Finalized));
    assert_eq!(files.remove("log/00/2023/11/14/2200/00000.avro"), log);
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
