//! Volumes that crash, at every step of the disk and at every commit, compared with a model afterwards.
//!
//! As `crash.rs` does for verbs: a scenario is drawn from a seed and run once without trouble, and then once for each
//! step and kind of trouble. Then the store is opened again, in half of the cases with another fault during that.
//! Every page must show a state that the contract allows; a durable write that was cut short all of an area or
//! nothing of it; snapshots what they held; differences all that differs. And the store must go on.
//!
//! ```text
//! LINARITE_SEED=<seed> LINARITE_STEP=<step> LINARITE_FAULT=<fault> cargo test -p storage-engine --test page_crash
//! ```
//!
//! repeats what a failing run prints.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests, with functions beside them")]

#[path = "page_crash/case.rs"]
mod case;
#[path = "crash/dice.rs"]
mod dice;
#[path = "page_crash/model.rs"]
mod model;

use case::{Case, Trouble};
use storage_engine::disk::faulty::Fault;

/// Scenarios that are run by default.
const SEEDS: std::ops::Range<u64> = 0..3;

fn asked<T: std::str::FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Runs the scenarios with trouble of one kind at every place where it can be.
fn everywhere(trouble: impl Fn(u64) -> Trouble) {
    let fault: Option<String> = asked("LINARITE_FAULT");
    if fault.is_some_and(|fault| fault != trouble(1).name()) {
        return;
    }
    let count = asked("LINARITE_SEEDS").unwrap_or(SEEDS.end);
    let seeds = asked("LINARITE_SEED").map_or(SEEDS.start..count, |seed| seed..seed + 1);
    for seed in seeds {
        if let Some(step) = asked("LINARITE_STEP") {
            Case { seed, trouble: trouble(step) }.run();
            continue;
        }
        let (steps, commits) = Case { seed, trouble: Trouble::None }.run();
        let places = if matches!(trouble(1), Trouble::Disk(..)) { steps } else { commits };
        println!("seed {seed}: {places} places for {}", trouble(1).name());
        for place in 1..=places {
            Case { seed, trouble: trouble(place) }.run();
        }
    }
}

#[test]
fn without_trouble_all_is_as_the_model_has_it() {
    for seed in 0..40 {
        Case { seed, trouble: Trouble::None }.run();
    }
}

#[test]
fn after_a_power_cut_at_a_step_of_the_disk_pages_show_what_the_contract_allows() {
    everywhere(|step| Trouble::Disk(Fault::Crash, step));
}

#[test]
fn a_disk_that_fails_is_not_written_any_more_and_loses_nothing() {
    everywhere(|step| Trouble::Disk(Fault::Io, step));
}

#[test]
fn a_full_disk_refuses_and_goes_on() {
    everywhere(|step| Trouble::Disk(Fault::Full, step));
}

#[test]
fn a_commit_that_survives_a_crash_is_there_as_a_whole() {
    everywhere(|commit| Trouble::Commit(commit, true));
}

#[test]
fn a_commit_that_a_crash_takes_leaves_nothing() {
    everywhere(|commit| Trouble::Commit(commit, false));
}
