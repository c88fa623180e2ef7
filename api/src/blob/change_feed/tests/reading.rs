//! What is read of journals: all that was told, once, and at no more cost than there is to do, whatever ends or breaks.

use super::super::segment::{self, Hour, Status};
use super::super::{ChangeFeed, LOOK_EVERY};
use super::world::{World, block_on, occurrences, work};
use std::collections::BTreeSet;
use std::time::Duration;
use storage_engine::clock::Clock as _;
use storage_engine::meta::memory::MemoryMeta;
use storage_engine::name::AccountName;
use storage_engine::settings::BlobManagement;

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
    let waiting = || block_on(world.engine.blobs().accounts_with_changes(BTreeSet::new())).unwrap();
    assert_eq!(waiting(), std::slice::from_ref(&world.account));
    let visits = world.meta.visits();
    work(&mut feed);
    assert_eq!(world.meta.visits(), visits, "it is left alone");
    index(segment::segments(Hour::first(), world.clock.now()));
    world.clock.advance(LOOK_EVERY);
    work(&mut feed);
    assert_eq!((world.told(), waiting()), (vec!["mine".to_owned()], Vec::new()));
}
