//! Crashes amid all that blobs have besides content: snapshots, versions, soft deletion, appends, pages, promotions, copies and
//! customers' keys, with chunks and volumes on one faulty disk.
//!
//! A history of verbs is drawn from a seed and first runs without trouble; after each verb all that can be seen is noted.
//! Then it runs again with trouble at each step of the disk and each commit. What is seen when the store is opened again
//! must be what was seen after the last verb that was answered, or after the one that was not. So the oracle is the store
//! itself without trouble, whose rightness is the business of the model of all states (`blob/model_states.rs`); here it is
//! that a crash shows nothing between. In the end everything is deleted, and nothing may be left: no record, no chunk, no volume.
//!
//! ```text
//! LINARITE_SEED=<seed> LINARITE_STEP=<step> LINARITE_FAULT=<fault> cargo test -p storage-engine --test states_crash
//! ```
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests, with functions beside them")]

#[path = "support/dice.rs"]
mod dice;
#[path = "states_crash/store.rs"]
mod store;

use dice::Dice;
use std::time::Duration;
use storage_engine::disk::faulty::{Fault, FaultyDisk, Plan};
use storage_engine::error::EngineError;
use store::{Records, Seen, Store, Verb};

/// Histories that are run by default.
const SEEDS: std::ops::Range<u64> = 0..2;
/// Verbs of a history.
const TURNS: usize = 40;

/// What goes wrong, and where.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    None,
    Disk(Fault, u64),
    Commit(u64, bool),
}

/// What a run without trouble has shown.
struct Reference {
    /// Before the first verb, and after each.
    seen: Vec<Seen>,
    steps: u64,
    commits: u64,
}

fn asked<T: std::str::FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}

fn history(seed: u64) -> Vec<(Verb, Duration)> {
    let mut dice = Dice::new(seed);
    (0..TURNS).map(|_| (Verb::draw(&mut dice), Duration::from_millis(1 + dice.below(1000)))).collect()
}

/// Whether it is the ground that failed, and not the verb that was refused.
fn is_of_the_ground(error: &EngineError) -> bool {
    matches!(error, EngineError::Closed | EngineError::Disk(_) | EngineError::NoSpace)
}

fn reference(seed: u64) -> Reference {
    let (disk, records) = (FaultyDisk::new(Plan::none()), Records::new());
    let store = Store::open(&disk, &records, seed).unwrap();
    store.make_container().unwrap();
    let mut seen = vec![store.observe()];
    for (verb, pause) in history(seed) {
        records.clock.advance(pause);
        if let Err(error) = store.carry_out(&verb) {
            assert!(!is_of_the_ground(&error), "{error:?} without trouble");
        }
        seen.push(store.observe());
    }
    let counted = Reference { seen, steps: disk.steps(), commits: records.meta.commits() };
    store.check_nothing_is_left();
    counted
}

fn run(seed: u64, trouble: Trouble, reference: &Reference) {
    let (plan, place) = match trouble {
        Trouble::Disk(fault, step) => (Plan::at(step, fault, seed ^ step), step),
        Trouble::None | Trouble::Commit(..) => (Plan::none(), 0),
    };
    let (disk, records) = (FaultyDisk::new(plan), Records::new());
    if let Trouble::Commit(commit, survives) = trouble {
        records.meta.crash_at(commit, survives);
    }
    let mut possible = vec![Seen::default()];
    let opened = Store::open(&disk, &records, seed);
    let made = opened.as_ref().is_ok_and(|store| store.make_container().is_ok());
    if made {
        possible = vec![reference.seen[0].clone()];
        let store = opened.as_ref().unwrap();
        for (turn, (verb, pause)) in history(seed).into_iter().enumerate() {
            records.clock.advance(pause);
            let outcome = store.carry_out(&verb);
            let after = reference.seen[turn + 1].clone();
            if outcome.is_err_and(|error| is_of_the_ground(&error)) {
                possible.push(after);
                break;
            }
            possible = vec![after];
        }
    } else {
        possible.push(reference.seen[0].clone());
    }
    let (disk, records) = (disk.reopen(), records.reopen());
    drop(opened);
    let store = Store::open(&disk, &records, seed + 1_000_003 + place).unwrap();
    let seen = store.observe();
    let fits = possible.contains(&seen);
    assert!(fits, "LINARITE_SEED={seed} {trouble:?}\nmust be one of {possible:#?}\nand is {seen:#?}");
    store.check_nothing_is_left();
}

/// Runs the histories with trouble of one kind at every place where it can be.
fn everywhere(name: &str, trouble: impl Fn(u64) -> Trouble) {
    if asked::<String>("LINARITE_FAULT").is_some_and(|fault| fault != name) {
        return;
    }
    let seeds = asked("LINARITE_SEED").map_or(SEEDS, |seed| seed..seed + 1);
    for seed in seeds {
        let reference = reference(seed);
        let places = match trouble(1) {
            Trouble::None => 0,
            Trouble::Disk(..) => reference.steps,
            Trouble::Commit(..) => reference.commits,
        };
        println!("seed {seed}: {places} places for {name}");
        let only: Option<u64> = asked("LINARITE_STEP");
        for place in only.map_or(1..=places, |step| step..=step) {
            println!("LINARITE_SEED={seed} LINARITE_STEP={place} LINARITE_FAULT={name}");
            run(seed, trouble(place), &reference);
        }
    }
}

#[test]
fn without_trouble_a_history_shows_the_same_again() {
    for seed in 0..6 {
        run(seed, Trouble::None, &reference(seed));
    }
}

#[test]
fn a_power_cut_shows_no_state_between_two_verbs() {
    everywhere("crash", |step| Trouble::Disk(Fault::Crash, step));
}

#[test]
fn a_disk_that_fails_shows_no_state_between_two_verbs() {
    everywhere("io", |step| Trouble::Disk(Fault::Io, step));
}

#[test]
fn a_full_disk_shows_no_state_between_two_verbs() {
    everywhere("full", |step| Trouble::Disk(Fault::Full, step));
}

#[test]
fn a_commit_that_survives_a_crash_is_one_verb_or_none() {
    everywhere("commit-kept", |commit| Trouble::Commit(commit, true));
}

#[test]
fn a_commit_that_a_crash_takes_is_one_verb_or_none() {
    everywhere("commit-lost", |commit| Trouble::Commit(commit, false));
}
