//! The walk on a store in memory, with a clock that is moved by hand.

use super::*;
use crate::blob::fixture::Fixture;
use crate::blob::{DeleteSnapshots, Protection, Tier};
use crate::lifecycle::{Actions, Age, LifecycleRule, Since};
use futures_executor::block_on;

struct World {
    store: Fixture,
    rules: LifecycleStore,
    settings: SettingsStore,
    walk: LifecycleWalk,
}

impl World {
    fn new() -> Self {
        let store = Fixture::new();
        let rules = LifecycleStore::new(Arc::clone(&store.meta) as _);
        let settings = SettingsStore::new(Arc::clone(&store.meta) as _);
        let clock = Arc::clone(&store.clock) as _;
        let walk = LifecycleWalk::new(rules.clone(), store.blobs.clone(), settings.clone(), clock);
        Self { store, rules, settings, walk }
    }

    fn set(&self, rule: LifecycleRule) {
        block_on(self.rules.set(&self.store.account, vec![rule])).unwrap();
    }

    /// A round, in as many steps as it takes.
    fn round(&mut self) -> usize {
        let mut done = 0;
        loop {
            let step = block_on(self.walk.once()).unwrap();
            done += step;
            if step == 0 && self.walk.is_done() {
                return done;
            }
        }
    }

    fn put(&self, name: &str) {
        self.store.put(name, self.store.inline(b"x")).unwrap();
    }

    fn days_pass(&self, days: u64) {
        self.store.clock.advance(Duration::from_hours(24 * days + 1));
    }

    /// All states that a listing shows, by name and tier.
    fn states(&self) -> Vec<(String, bool, Option<Tier>)> {
        let include = Include { snapshots: true, versions: true, deleted: true, ..Include::default() };
        let list = ListBlobs { limit: 5000, include, ..ListBlobs::default() };
        let page = block_on(self.store.blobs.list(&self.store.account, &self.store.container, list)).unwrap();
        let entries = page.entries.into_iter().map(|entry| match entry {
            BlobEntry::Blob(name, properties) => {
                let deleted = properties.deletion.is_some();
                (name.as_str().to_owned(), deleted, properties.tier.map(|tier| tier.tier))
            }
            other => panic!("{other:?}"),
        });
        entries.collect()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "an optional field is what it is for")]
fn after(days: u32) -> Option<Age> {
    Some(Age { since: Since::Modified, days, tier_changed_days: None })
}

fn rule(base: Actions) -> LifecycleRule {
    LifecycleRule {
        name: "rule".to_owned(),
        enabled: true,
        block_blobs: true,
        append_blobs: true,
        prefixes: Vec::new(),
        tags: Vec::new(),
        base,
        snapshots: Actions::default(),
        versions: Actions::default(),
    }
}

#[test]
fn blobs_cool_and_go_as_days_pass_however_many_there_are() {
    let mut world = World::new();
    for number in 0..200 {
        world.put(&format!("blob {number:03}"));
    }
    world.set(rule(Actions { cool: after(10), delete: after(20), ..Actions::default() }));
    assert_eq!(world.round(), 0);
    world.days_pass(10);
    assert_eq!(world.round(), 200);
    assert!(world.states().iter().all(|(_, _, tier)| *tier == Some(Tier::Cool)));
    world.days_pass(1);
    assert_eq!(world.round(), 0, "what is done is not done again");
    world.put("young");
    world.days_pass(9);
    assert_eq!(world.round(), 200);
    assert_eq!(world.states(), [("young".to_owned(), false, None)]);
}

#[test]
fn rounds_begin_after_an_hour_or_when_rules_are_set() {
    let mut world = World::new();
    world.put("blob");
    assert_eq!(world.round(), 0);
    world.set(rule(Actions { delete: after(0), ..Actions::default() }));
    world.store.clock.advance(Duration::from_secs(1));
    assert_eq!(world.round(), 1, "new rules are applied at once");
    world.put("another");
    world.store.clock.advance(Duration::from_mins(59));
    assert_eq!(world.round(), 0, "the next round is not due");
    world.store.clock.advance(Duration::from_mins(2));
    assert_eq!(world.round(), 1);
    world.put("third");
    block_on(world.rules.set(&world.store.account, Vec::new())).unwrap();
    world.days_pass(30);
    assert_eq!(world.round(), 0, "without rules nothing happens");
    assert_eq!(block_on(world.rules.get(&world.store.account)).unwrap(), None);
}

#[test]
fn deletion_keeps_what_versioning_and_retention_keep() {
    let mut world = World::new();
    let acc = world.store.account.clone();
    let versioning = |settings: &mut ServiceSettings| settings.blob.management.versioning = true;
    block_on(world.settings.change(&acc, Service::Blob, versioning)).unwrap();
    world.put("blob");
    let versions = Actions {
        delete: Some(Age { since: Since::Created, days: 30, tier_changed_days: None }),
        ..Actions::default()
    };
    world.set(LifecycleRule { versions, ..rule(Actions { delete: after(1), ..Actions::default() }) });
    world.days_pass(1);
    assert_eq!(world.round(), 1);
    assert_eq!(world.states().len(), 1, "a former version is left");
    assert!(matches!(world.store.read("blob"), Err(EngineError::BlobNotFound)));
    block_on(world.settings.change(&acc, Service::Blob, |settings| {
        settings.blob.delete_retention.days = Some(7);
    }))
    .unwrap();
    world.days_pass(30);
    assert_eq!(world.round(), 1);
    assert_eq!(world.states(), [("blob".to_owned(), true, None)], "it can still be restored");
    world.days_pass(1);
    assert_eq!(world.round(), 0, "what is deleted is not deleted again");
}

#[test]
fn what_is_held_stays_and_the_rest_goes_on() {
    let mut world = World::new();
    for name in ["a held", "b free", "c with snapshot", "d free"] {
        world.put(name);
    }
    let any = Conditions::default();
    let blobs = &world.store.blobs;
    block_on(blobs.set_legal_hold(&world.store.at("a held"), Which::Base, true, any.clone())).unwrap();
    let snapshotted = world.store.at("c with snapshot");
    block_on(blobs.snapshot(&snapshotted, None, any.clone(), Protection::default())).unwrap();
    world.set(rule(Actions { delete: after(1), ..Actions::default() }));
    world.days_pass(1);
    assert_eq!(world.round(), 2);
    let names: Vec<_> = world.states().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["a held", "c with snapshot", "c with snapshot"]);
    let gone = world.store.blobs.delete(&snapshotted, DeleteSnapshots::Include, any, Protection::default());
    block_on(gone).unwrap();
}

#[test]
fn a_blob_that_is_written_meanwhile_is_let_alone() {
    let mut world = World::new();
    world.put("blob");
    let seen =
        block_on(world.store.blobs.properties(&world.store.at("blob"), Which::Base, Conditions::default()));
    world.put("blob");
    let settings = ServiceSettings::default();
    let at = world.store.at("blob");
    let done = block_on(world.walk.perform(&at, &seen.unwrap(), Verdict::Delete, &settings));
    assert!(!done.unwrap());
    assert_eq!(world.store.read("blob").unwrap(), b"x");
    assert_eq!(world.round(), 0);
}
