//! Crashes amid all that blobs have besides content: snapshots, versions, soft deletion, appends, pages, promotions,
//! copies and customers' keys, with chunks and volumes on one faulty disk.
//!
//! A history of verbs is drawn from a seed and first runs without trouble; after each verb all that can be seen is
//! noted. Then it runs again with trouble at each step of the disk and each commit. What is seen when the store is
//! opened again must be what was seen after the last verb that was answered, or after the one that was not. So the
//! oracle is the store itself without trouble, whose rightness is the business of the model of all states
//! (`blob/tests/model_states.rs`); here it is that a crash shows nothing between. In the end everything is deleted, and
//! nothing may be left: no record, no chunk, no volume.
//!
//! ```text
//! LINARITE_SEED=<seed> LINARITE_STEP=<step> LINARITE_FAULT=<fault> cargo test -p storage-engine --test states_crash
//! ```
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests, with functions beside them")]

#[path = "support/dice.rs"]
mod dice;
#[path = "support/records.rs"]
mod records;
#[path = "states_crash/store.rs"]
mod store;
#[path = "support/trouble.rs"]
mod trouble;

use dice::Dice;
use records::Records;
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;
use storage_engine::disk::faulty::{Fault, FaultyDisk, Plan};
use storage_engine::error::EngineError;
use store::{Seen, Store, Verb};
use trouble::{Case, Counts, Trouble};

/// Histories that are run by default.
const SEEDS: std::ops::Range<u64> = 0..2;
/// Verbs of a history.
const TURNS: usize = 40;

/// What a run without trouble has shown.
struct Reference {
    /// Before the first verb, and after each.
    shown: Vec<Seen>,
    counts: Counts,
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
    let mut shown = vec![store.observe()];
    for (verb, pause) in history(seed) {
        records.clock.advance(pause);
        if let Err(error) = store.carry_out(&verb) {
            assert!(!is_of_the_ground(&error), "{error:?} without trouble");
        }
        shown.push(store.observe());
    }
    let counts = Counts { steps: disk.steps(), commits: records.meta.commits() };
    store.check_nothing_is_left();
    Reference { shown, counts }
}

fn run(case: &Case, reference: &Reference) {
    let (seed, trouble) = (case.seed, case.trouble);
    let (disk, records) = (FaultyDisk::new(case.plan()), Records::new());
    if let Trouble::Commit(commit, survives) = trouble {
        records.meta.crash_at(commit, survives);
    }
    let mut possible = vec![Seen::default()];
    let opened = Store::open(&disk, &records, seed);
    let made = opened.as_ref().is_ok_and(|store| store.make_container().is_ok());
    if made {
        possible = vec![reference.shown[0].clone()];
        let store = opened.as_ref().unwrap();
        for (turn, (verb, pause)) in history(seed).into_iter().enumerate() {
            records.clock.advance(pause);
            let outcome = store.carry_out(&verb);
            let after = reference.shown[turn + 1].clone();
            if let Some(error) = outcome.err().filter(is_of_the_ground) {
                trouble.check_caused(&error);
                possible.push(after);
                break;
            }
            possible = vec![after];
        }
    } else {
        possible.push(reference.shown[0].clone());
    }
    let (disk, records) = (disk.reopen(), records.reopen());
    drop(opened);
    // Of another seed than the process before it: ids must not repeat.
    let store = Store::open(&disk, &records, case.mix() + 1).unwrap();
    let now = store.observe();
    let fits = possible.contains(&now);
    assert!(fits, "{case:?}\nmust be one of {possible:#?}\nand is {now:#?}");
    store.check_nothing_is_left();
}

/// Runs the histories with trouble of one kind at every place where it can be.
fn everywhere(trouble: impl Fn(u64) -> Trouble) {
    let references = RefCell::new(HashMap::new());
    let run_case = |case: &Case| {
        let mut references = references.borrow_mut();
        let reference = references.entry(case.seed).or_insert_with(|| reference(case.seed));
        run(case, reference);
        reference.counts
    };
    trouble::everywhere(SEEDS, run_case, trouble);
}

#[test]
fn without_trouble_a_history_shows_the_same_again() {
    for seed in 0..6 {
        run(&Case { seed, trouble: Trouble::None }, &reference(seed));
    }
}

#[test]
fn a_power_cut_shows_no_state_between_two_verbs() {
    everywhere(|step| Trouble::Disk(Fault::Crash, step));
}

#[test]
fn a_disk_that_fails_shows_no_state_between_two_verbs() {
    everywhere(|step| Trouble::Disk(Fault::Io, step));
}

#[test]
fn a_full_disk_shows_no_state_between_two_verbs() {
    everywhere(|step| Trouble::Disk(Fault::Full, step));
}

#[test]
fn a_commit_that_survives_a_crash_is_one_verb_or_none() {
    everywhere(|commit| Trouble::Commit(commit, true));
}

#[test]
fn a_commit_that_a_crash_takes_is_one_verb_or_none() {
    everywhere(|commit| Trouble::Commit(commit, false));
}
