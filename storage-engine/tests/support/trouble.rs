//! Trouble with what a store stands on, of every kind and at every place: what the tests of crashes have in common.
//!
//! A scenario is a function of a seed and its [`Trouble`] alone. It is first run without trouble, which counts the
//! places where it could meet some, and then once for each place ([`everywhere`]). What the scenario does, and what
//! must hold afterwards, is each test's own.

use std::ops::Range;
use storage_engine::disk::faulty::{Fault, Plan};
use storage_engine::error::EngineError;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// At a step of the disk.
    Disk(Fault, u64),
    /// At a commit, which survives or does not.
    Commit(u64, bool),
}

impl Trouble {
    /// How it is asked for in `LINARITE_FAULT`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Disk(Fault::Crash, _) => "crash",
            Self::Disk(Fault::Io, _) => "io",
            Self::Disk(Fault::Full, _) => "full",
            Self::Commit(_, true) => "commit-kept",
            Self::Commit(_, false) => "commit-lost",
        }
    }

    const fn place(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Disk(_, place) | Self::Commit(place, _) => place,
        }
    }

    /// Of the places that a run could have met trouble at, those for this kind.
    const fn places(self, counts: Counts) -> u64 {
        match self {
            Self::None => 0,
            Self::Disk(..) => counts.steps,
            Self::Commit(..) => counts.commits,
        }
    }

    /// Fails unless this is what the error came from.
    pub(crate) fn check_caused(self, error: &EngineError) {
        let expected = match self {
            Self::None => false,
            Self::Commit(..) => matches!(error, EngineError::Closed),
            Self::Disk(Fault::Full, _) => matches!(error, EngineError::NoSpace | EngineError::Disk(_)),
            Self::Disk(..) => matches!(error, EngineError::Disk(_)),
        };
        assert!(expected, "{error:?} because of {self:?}");
    }
}

/// How often a run could have met trouble.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    /// Steps of the disk.
    pub(crate) steps: u64,
    /// Commits.
    pub(crate) commits: u64,
}

/// A scenario and its trouble.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) seed: u64,
    pub(crate) trouble: Trouble,
}

impl Case {
    /// A seed for what is drawn besides the scenario: another one at each place.
    pub(crate) const fn mix(&self) -> u64 {
        self.seed.wrapping_mul(1_000_003) ^ self.trouble.place()
    }

    /// What the disk is to do.
    pub(crate) fn plan(&self) -> Plan {
        match self.trouble {
            Trouble::Disk(fault, step) => Plan::at(step, fault, self.mix()),
            Trouble::None | Trouble::Commit(..) => Plan::at(u64::MAX, Fault::Crash, self.mix()),
        }
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (fault, step) = (self.trouble.name(), self.trouble.place());
            eprintln!("replay with LINARITE_SEED={} LINARITE_STEP={step} LINARITE_FAULT={fault}", self.seed);
        }
    }
}

fn asked<T: std::str::FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Runs the scenarios of `seeds`, or those that the environment asks for, with trouble of one kind at every place where
/// it can be.
pub(crate) fn everywhere(seeds: Range<u64>, run: impl Fn(&Case) -> Counts, trouble: impl Fn(u64) -> Trouble) {
    let kind = trouble(1);
    if asked("LINARITE_FAULT").is_some_and(|fault: String| fault != kind.name()) {
        return;
    }
    let end = asked("LINARITE_SEEDS").unwrap_or(seeds.end);
    for seed in asked("LINARITE_SEED").map_or(seeds.start..end, |seed| seed..seed + 1) {
        if let Some(step) = asked("LINARITE_STEP") {
            run(&Case { seed, trouble: trouble(step) });
            continue;
        }
        let places = kind.places(run(&Case { seed, trouble: Trouble::None }));
        println!("seed {seed}: {places} places for {}", kind.name());
        for place in 1..=places {
            run(&Case { seed, trouble: trouble(place) });
        }
    }
}
