//! Runs orders: stages on every subject, rounds on every stage, then the rooms are cleared.
//!
//! With two subjects a round is one measurement of each, one after the other, and every second round begins
//! with the other subject: a machine that gets slower or faster meanwhile does so for both. What is compared
//! are medians of the rounds. Growth is the same contest, of two rooms on one subject.

use crate::client::Failure;
use crate::histogram::Histogram;
use crate::pace::{Extent, Pace};
use crate::report::{Contest, Measurement};
use crate::subject::Subject;
use crate::workload::{Actor, Furniture, Order, Stage};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// After how many failures in a row a connection gives up.
const FAILURES_IN_A_ROW_MAX: u32 = 100;

/// How every order is run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Terms {
    /// How long, or how many.
    pub(crate) extent: Extent,
    /// Time before anything counts.
    pub(crate) warmup: Duration,
    /// Operations per second in an open loop.
    pub(crate) rate: Option<f64>,
    /// Measurements per subject.
    pub(crate) rounds: u64,
    /// How much a second stage on the same subject is filled with, if growth is what is asked for.
    pub(crate) grown: Option<u64>,
    /// What the stages hold.
    pub(crate) furniture: Furniture,
}

impl Terms {
    /// How each stage on one subject is furnished: the usual one, and the grown one if there is to be one.
    fn rooms(&self) -> impl Iterator<Item = Furniture> {
        let grown = self.grown.map(|prefill| Furniture { prefill, ..self.furniture.clone() });
        std::iter::once(self.furniture.clone()).chain(grown)
    }
}

/// What one actor saw.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Latencies of the operations that succeeded after the warm-up.
    pub(crate) latencies: Histogram,
    /// Operations that succeeded inside the window.
    pub(crate) operations: u64,
    /// Payload bytes of these.
    pub(crate) bytes: u64,
    /// Operations that failed, at any time.
    pub(crate) errors: u64,
    /// The first of these.
    pub(crate) first_failure: Option<Failure>,
}

impl Tally {
    /// Adds what another actor saw.
    pub(crate) fn merge(&mut self, other: Self) {
        self.latencies.merge(&other.latencies);
        self.operations += other.operations;
        self.bytes += other.bytes;
        self.errors += other.errors;
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }

    fn fail(&mut self, failure: Failure) {
        self.errors += 1;
        self.first_failure.get_or_insert(failure);
    }
}

/// Runs one order on all subjects.
pub(crate) async fn contest(
    subjects: &[Arc<Subject>],
    order: Order,
    terms: &Terms,
) -> Result<Contest, Failure> {
    let mut stages = Vec::new();
    for subject in subjects {
        for furniture in terms.rooms() {
            stages.push(Stage::prepare(Arc::clone(subject), order, furniture).await?);
        }
    }
    let mut rounds = vec![Vec::new(); stages.len()];
    for round in 0..terms.rounds {
        let mut pairs: Vec<_> = stages.iter().zip(&mut rounds).collect();
        if round % 2 == 1 {
            pairs.reverse();
        }
        for (stage, measurements) in pairs {
            measurements.push(measure(stage, round, terms).await?);
        }
    }
    for stage in &stages {
        if let Err(failure) = stage.clear().await {
            eprintln!("linarite-bench: could not remove what {} left: {failure}", order.kind.name());
        }
    }
    Ok(Contest::new(order, rounds))
}

/// One measurement of one stage.
pub(crate) async fn measure(stage: &Arc<Stage>, round: u64, terms: &Terms) -> Result<Measurement, Failure> {
    let mut actors = Vec::new();
    for seat in 0..stage.order().connections {
        actors.push(Actor::enter(Arc::clone(stage), round, seat).await?);
    }
    let begun = Instant::now();
    let pace = Arc::new(Pace::begin(terms.extent, terms.warmup, terms.rate));
    let mut tasks = tokio::task::JoinSet::new();
    for actor in actors {
        tasks.spawn(act(actor, Arc::clone(&pace)));
    }
    let (mut tally, mut last) = (Tally::default(), begun);
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok((part, finished)) => {
                tally.merge(part);
                last = last.max(finished);
            }
            Err(error) => tally.fail(Failure::Transport(error.to_string())),
        }
    }
    Ok(Measurement::new(&tally, pace.window(last)))
}

/// One connection's operations, until the pace ends; gives also when the last one finished.
async fn act(mut actor: Actor, pace: Arc<Pace>) -> (Tally, Instant) {
    let (mut tally, mut in_a_row) = (Tally::default(), 0_u32);
    let mut finished = Instant::now();
    while let Some(from) = pace.next().await {
        let outcome = actor.operate().await;
        finished = Instant::now();
        match outcome {
            Ok(bytes) => {
                in_a_row = 0;
                if pace.is_measured(finished) {
                    tally.latencies.record(finished.saturating_duration_since(from));
                }
                if pace.is_within(finished) {
                    tally.operations += 1;
                    tally.bytes += bytes;
                }
            }
            Err(failure) => {
                tally.fail(failure);
                in_a_row += 1;
                if in_a_row >= FAILURES_IN_A_ROW_MAX {
                    break;
                }
            }
        }
    }
    (tally, finished)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_tallies_keep_the_first_failure() {
        let mut tally = Tally { operations: 1, bytes: 10, ..Tally::default() };
        let mut other = Tally { operations: 2, bytes: 5, ..Tally::default() };
        other.fail(Failure::Silent);
        other.fail(Failure::Refused(500, String::new()));
        tally.merge(other);
        assert_eq!((tally.operations, tally.bytes, tally.errors), (3, 15, 2));
        assert_eq!(tally.first_failure, Some(Failure::Silent));
    }
}
