//! How a queue bears what waits in it, and what has passed through it.
//!
//! One queue goes through three conditions: empty; with messages waiting, of which each cycle takes one and puts
//! one; and, emptied again, after many messages have passed through. Every order is measured in each of them,
//! and the figures of one order stand side by side. Between the conditions the queue is counted, so a server that
//! loses messages, or gives one twice, is found out and not measured.
//!
//! If the server's process is known, its resident memory is read at the end of each condition.
//!
//! What passes is not measured, but does the same as what is: a message is put, got and deleted.

use crate::client::Failure;
use crate::pace::Extent;
use crate::report::Measurement;
use crate::run::{Terms, measure as measure_stage};
use crate::subject::Subject;
use crate::workload::{Order, Stage};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Connections over which messages pass.
const PASSING_CONNECTIONS: u64 = 64;

/// What was measured of one number of connections, in each condition.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    connections: u64,
    size_bytes: usize,
    empty: Measurement,
    waiting: Measurement,
    passed: Measurement,
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Growth {
    /// Messages that waited in the second condition.
    waiting: u64,
    /// Messages that had passed before the third.
    passed: u64,
    lines: Vec<Line>,
    /// Resident memory of the server in KiB, at the end of each condition.
    resident_kibibytes: [Option<u64>; 3],
}

/// Measures all orders on one queue, in all conditions; the last comes after `passed` messages. The memory is
/// that of `process`.
pub(crate) async fn measure(
    subject: &Arc<Subject>,
    orders: &[Order],
    terms: &Terms,
    (passed, process): (u64, Option<u64>),
) -> Result<Growth, Failure> {
    let waiting = terms.furniture.waiting;
    let Some(first) = orders.first() else { return Err(Failure::Wrong("no workload".to_owned())) };
    let furniture = crate::workload::Furniture { waiting: 0, ..terms.furniture.clone() };
    let stage = Stage::prepare(Arc::clone(subject), *first, furniture).await?;
    let mut empty = Vec::new();
    let mut filled = Vec::new();
    let mut worn = Vec::new();
    for order in orders {
        empty.push(one(&stage, *order, 0, terms).await?);
    }
    let memory_empty = resident_kibibytes(process);
    let full = stage.refurnished(PASSING_CONNECTIONS, waiting);
    full.fill_queues().await?;
    for order in orders {
        filled.push(one(&stage, *order, waiting, terms).await?);
    }
    let memory_waiting = resident_kibibytes(process);
    stage.clear_queues().await?;
    pass(&stage, passed).await?;
    for order in orders {
        worn.push(one(&stage, *order, 0, terms).await?);
    }
    let memory_passed = resident_kibibytes(process);
    stage.clear().await?;
    let conditions = empty.into_iter().zip(filled).zip(worn);
    let lines = orders.iter().zip(conditions).map(|(order, ((empty, waiting), passed))| Line {
        connections: order.connections,
        size_bytes: order.size_bytes,
        empty,
        waiting,
        passed,
    });
    let resident_kibibytes = [memory_empty, memory_waiting, memory_passed];
    Ok(Growth { waiting, passed, lines: lines.collect(), resident_kibibytes })
}

/// The resident memory of a process of this machine, where the system tells it in the way of Linux.
fn resident_kibibytes(process: Option<u64>) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process?)).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// One measurement in one condition, and a count that says that the condition is still the same.
async fn one(stage: &Stage, order: Order, waiting: u64, terms: &Terms) -> Result<Measurement, Failure> {
    let stage = stage.refurnished(order.connections, waiting);
    let measured = measure_stage(&stage, 0, terms).await?;
    stage.check_queues().await?;
    Ok(measured)
}

async fn pass(stage: &Stage, passed: u64) -> Result<(), Failure> {
    let stage = stage.refurnished(PASSING_CONNECTIONS, 0);
    let terms = Terms {
        extent: Extent::Count(passed),
        warmup: Duration::ZERO,
        rate: None,
        rounds: 1,
        grown: None,
        furniture: stage.furniture(),
    };
    let measured = measure_stage(&stage, 0, &terms).await?;
    match measured.first_error {
        Some(error) => Err(Failure::Wrong(error)),
        None => stage.check_queues().await,
    }
}

impl Growth {
    /// Operations that failed.
    pub(crate) fn errors(&self) -> u64 {
        self.lines.iter().map(|line| line.empty.errors + line.waiting.errors + line.passed.errors).sum()
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "queue-cycle: put, get, delete; cycles/s and the latency of a cycle at p50 and p99 in us"
        )?;
        writeln!(
            f,
            "{:>6} {:>26} {:>30} {:>30}",
            "conn",
            "empty",
            format!("{} waiting", self.waiting),
            format!("{} passed", self.passed)
        )?;
        for line in &self.lines {
            write!(f, "{:>6}", line.connections)?;
            let base = line.empty.operations_per_second;
            for (measured, ratio) in [(&line.empty, false), (&line.waiting, true), (&line.passed, true)] {
                let latency = measured.latency_microseconds;
                let rate = measured.operations_per_second;
                write!(f, " {:>10.1} {:>7.0} {:>7.0}", rate, latency.p50, latency.p99)?;
                if ratio {
                    write!(f, " {:>4.2}", if base > 0.0 { rate / base } else { 0.0 })?;
                }
            }
            writeln!(f)?;
        }
        if let [Some(empty), Some(waiting), Some(passed)] = self.resident_kibibytes {
            let mebibytes = [empty, waiting, passed].map(|kibibytes| kibibytes / 1024);
            let [empty, waiting, passed] = mebibytes;
            writeln!(f, "resident MiB of the server: {empty} empty, {waiting} waiting, {passed} passed")?;
        }
        let failed = self.lines.iter().flat_map(|line| [&line.empty, &line.waiting, &line.passed]);
        for error in failed.filter_map(|measured| measured.first_error.as_ref()) {
            writeln!(f, "  an error: {error}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rate: f64, errors: u64) -> Measurement {
        Measurement { operations_per_second: rate, errors, ..Measurement::default() }
    }

    #[test]
    fn conditions_stand_side_by_side_with_their_share_of_the_empty_queue_s_rate() {
        let line = Line {
            connections: 16,
            size_bytes: 512,
            empty: at(100.0, 0),
            waiting: at(50.0, 1),
            passed: at(90.0, 0),
        };
        let growth = Growth {
            waiting: 7,
            passed: 9,
            lines: vec![line],
            resident_kibibytes: [Some(2048), Some(4096), Some(3072)],
        };
        let text = growth.to_string();
        assert!(text.contains("7 waiting") && text.contains("9 passed"), "{text}");
        assert!(
            text.contains("50.0       0       0 0.50") && text.contains("90.0       0       0 0.90"),
            "{text}"
        );
        assert!(text.contains("2 empty, 4 waiting, 3 passed"), "{text}");
        assert_eq!(growth.errors(), 1);
    }
}
