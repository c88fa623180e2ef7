//! Crashes and failing disks, at every step of the disk and at every commit, with everything that can be seen
//! compared with a model afterwards.
//!
//! A scenario is a sequence of verbs of all three kinds, drawn from a seed. It is first run without trouble, to
//! count the disk's steps (writes, syncs, renames, punches, …) and the commits, and then once for each of them
//! and each kind of trouble: the power goes, with a part of what was not synced surviving; the device fails; it
//! is full; the commit takes effect or does not, and nobody is told. Then the store is opened again, in half of
//! the cases with another fault during that. It must hold what was acknowledged, and of the verb that was not
//! answered all or nothing; name just the chunks of what it holds; keep no space for any others; and go on.
//!
//! The disk's own threads make the numbers of steps vary a little between runs, so a step may not be exactly
//! the one of the run that failed. What a failing run prints,
//!
//! ```text
//! LINARITE_SEED=<seed> LINARITE_STEP=<step> LINARITE_FAULT=<fault> cargo test -p storage-engine --test crash
//! ```
//!
//! repeats it; without the step all steps of the seed are run, without the fault all kinds of it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests, with functions beside them")]

#[path = "crash/case.rs"]
mod case;
#[path = "support/dice.rs"]
mod dice;
#[path = "crash/model.rs"]
mod model;
#[path = "support/records.rs"]
mod records;
#[path = "crash/store.rs"]
mod store;
#[path = "support/trouble.rs"]
mod trouble;
#[path = "crash/verb.rs"]
mod verb;

use storage_engine::disk::faulty::Fault;
use trouble::{Case, Trouble, everywhere};

/// Scenarios that are run by default. Each is some two hundred runs.
const SEEDS: std::ops::Range<u64> = 0..5;

#[test]
fn without_trouble_all_is_as_the_model_has_it() {
    for seed in 0..12 {
        Case { seed, trouble: Trouble::None }.run();
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_goes_at_a_step_of_the_disk() {
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
