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
#[path = "support/dice.rs"]
mod dice;
#[path = "page_crash/model.rs"]
mod model;
#[path = "support/trouble.rs"]
mod trouble;

use storage_engine::disk::faulty::Fault;
use trouble::{Case, Trouble, everywhere};

/// Scenarios that are run by default.
const SEEDS: std::ops::Range<u64> = 0..3;

#[test]
fn without_trouble_all_is_as_the_model_has_it() {
    for seed in 0..40 {
        Case { seed, trouble: Trouble::None }.run();
    }
}

#[test]
fn after_a_power_cut_at_a_step_of_the_disk_pages_show_what_the_contract_allows() {
    everywhere(SEEDS, Case::run, |step| Trouble::Disk(Fault::Crash, step));
}

#[test]
fn a_disk_that_fails_is_not_written_any_more_and_loses_nothing() {
    everywhere(SEEDS, Case::run, |step| Trouble::Disk(Fault::Io, step));
}

#[test]
fn a_full_disk_refuses_and_goes_on() {
    everywhere(SEEDS, Case::run, |step| Trouble::Disk(Fault::Full, step));
}

#[test]
fn a_commit_that_survives_a_crash_is_there_as_a_whole() {
    everywhere(SEEDS, Case::run, |commit| Trouble::Commit(commit, true));
}

#[test]
fn a_commit_that_a_crash_takes_leaves_nothing() {
    everywhere(SEEDS, Case::run, |commit| Trouble::Commit(commit, false));
}
