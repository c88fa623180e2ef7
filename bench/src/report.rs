//! What was measured, as text for people and as JSON for programs.
//!
//! Rates are in operations and in 10^6 bytes per second, latencies in microseconds. Several rounds become
//! one line by taking the median of each number on its own. A ratio is the first subject over the second in
//! rates, and the second over the first in latencies, so that above one always means that the first is
//! better.

use crate::run::Tally;
use crate::workload::Order;
use serde::Serialize;
use std::fmt::{self, Write as _};
use std::time::Duration;

/// One measurement.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Measurement {
    /// Operations that succeeded inside the window.
    pub(crate) operations: u64,
    /// Operations that failed.
    pub(crate) errors: u64,
    /// What the first failure said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_error: Option<String>,
    /// Length of the window.
    pub(crate) seconds: f64,
    /// Operations per second.
    pub(crate) operations_per_second: f64,
    /// Payload in 10^6 bytes per second.
    pub(crate) megabytes_per_second: f64,
    /// Latency.
    pub(crate) latency_microseconds: Latency,
}

/// Latencies in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Latency {
    /// The average.
    pub(crate) mean: f64,
    /// The median.
    pub(crate) p50: f64,
    /// Nine of ten are below.
    pub(crate) p90: f64,
    /// 99 of a hundred are below.
    pub(crate) p99: f64,
    /// 999 of a thousand are below.
    #[serde(rename = "p99.9")]
    pub(crate) p999: f64,
    /// The greatest.
    pub(crate) max: f64,
}

impl Measurement {
    /// The numbers of `tally` over `window`.
    pub(crate) fn new(tally: &Tally, window: Duration) -> Self {
        let seconds = window.as_secs_f64();
        let per_second =
            |number: u64| if seconds > 0.0 { crate::pace::to_float(number) / seconds } else { 0.0 };
        let micros = |latency: Duration| latency.as_secs_f64() * 1e6;
        let quantile = |parts| micros(tally.latencies.quantile(parts));
        Self {
            operations: tally.operations,
            errors: tally.errors,
            first_error: tally.first_failure.as_ref().map(ToString::to_string),
            seconds,
            operations_per_second: per_second(tally.operations),
            megabytes_per_second: per_second(tally.bytes) / 1e6,
            latency_microseconds: Latency {
                mean: micros(tally.latencies.mean()),
                p50: quantile(500),
                p90: quantile(900),
                p99: quantile(990),
                p999: quantile(999),
                max: micros(tally.latencies.max()),
            },
        }
    }

    /// The median of every number; counts of operations and errors are sums.
    fn median(rounds: &[Self]) -> Self {
        let of = |number: fn(&Self) -> f64| median(rounds.iter().map(number).collect());
        Self {
            operations: rounds.iter().map(|round| round.operations).sum(),
            errors: rounds.iter().map(|round| round.errors).sum(),
            first_error: rounds.iter().find_map(|round| round.first_error.clone()),
            seconds: rounds.iter().map(|round| round.seconds).sum(),
            operations_per_second: of(|round| round.operations_per_second),
            megabytes_per_second: of(|round| round.megabytes_per_second),
            latency_microseconds: Latency {
                mean: of(|round| round.latency_microseconds.mean),
                p50: of(|round| round.latency_microseconds.p50),
                p90: of(|round| round.latency_microseconds.p90),
                p99: of(|round| round.latency_microseconds.p99),
                p999: of(|round| round.latency_microseconds.p999),
                max: of(|round| round.latency_microseconds.max),
            },
        }
    }
}

/// The middle of `numbers`, or the mean of the two in the middle; zero of none.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let (low, high) = (numbers.len().saturating_sub(1) / 2, numbers.len() / 2);
    let at = |index: usize| numbers.get(index).copied().unwrap_or(0.0);
    f64::midpoint(at(low), at(high))
}

/// How much better the first subject is; above one is better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Ratio {
    /// Of the rates.
    pub(crate) operations_per_second: f64,
    /// Of the median latencies, inverted.
    pub(crate) p50: f64,
    /// Of the latencies at 99 of a hundred, inverted.
    pub(crate) p99: f64,
    /// The smallest ratio of rates of any one round.
    pub(crate) worst_round: f64,
}

/// All measurements of one order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Contest {
    /// The mix.
    pub(crate) workload: &'static str,
    /// Bytes of one payload.
    pub(crate) size_bytes: usize,
    /// Connections in use.
    pub(crate) connections: u64,
    /// Per subject the medians of its rounds.
    pub(crate) medians: Vec<Measurement>,
    /// Per subject its rounds.
    pub(crate) rounds: Vec<Vec<Measurement>>,
    /// The first subject against the second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ratio: Option<Ratio>,
}

impl Contest {
    /// The contest of `order`, given the rounds of each subject.
    pub(crate) fn new(order: Order, rounds: Vec<Vec<Measurement>>) -> Self {
        let medians: Vec<_> = rounds.iter().map(|rounds| Measurement::median(rounds)).collect();
        let ratio = match (medians.as_slice(), rounds.as_slice()) {
            ([first, second], [first_rounds, second_rounds]) => {
                let each = first_rounds.iter().zip(second_rounds);
                let each = each.map(|(a, b)| quotient(a.operations_per_second, b.operations_per_second));
                let (mine, theirs) = (first.latency_microseconds, second.latency_microseconds);
                Some(Ratio {
                    operations_per_second: quotient(
                        first.operations_per_second,
                        second.operations_per_second,
                    ),
                    p50: quotient(theirs.p50, mine.p50),
                    p99: quotient(theirs.p99, mine.p99),
                    worst_round: each.min_by(f64::total_cmp).unwrap_or(0.0),
                })
            }
            _ => None,
        };
        Self {
            workload: order.kind.name(),
            size_bytes: order.size_bytes,
            connections: order.connections,
            medians,
            rounds,
            ratio,
        }
    }

    /// Failed operations of all subjects.
    pub(crate) fn errors(&self) -> u64 {
        self.medians.iter().map(|median| median.errors).sum()
    }
}

/// `a / b`, or zero where nothing was measured: a ratio of nothing must not pass for a good one.
fn quotient(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

/// The head of the text report.
pub(crate) const HEAD: &str = "workload            size conn  subject      ops/s      MB/s  errors  \
     p50 us   p90 us   p99 us p99.9 us   max us";

impl fmt::Display for Contest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, median) in self.medians.iter().enumerate() {
            let latency = median.latency_microseconds;
            writeln!(
                f,
                "{:<15} {:>8} {:>4} {:>8} {:>10.1} {:>9.2} {:>7} {:>8.0} {:>8.0} {:>8.0} {:>8.0} {:>8.0}",
                self.workload,
                size(self.size_bytes),
                self.connections,
                number + 1,
                median.operations_per_second,
                median.megabytes_per_second,
                median.errors,
                latency.p50,
                latency.p90,
                latency.p99,
                latency.p999,
                latency.max
            )?;
            if let Some(error) = &median.first_error {
                writeln!(f, "  first error: {error}")?;
            }
        }
        Ok(())
    }
}

/// The table of ratios; empty if there was only one subject.
pub(crate) fn ratios(contests: &[Contest]) -> String {
    let mut text = String::new();
    for contest in contests {
        if let Some(ratio) = contest.ratio {
            if text.is_empty() {
                text.push_str("\nfirst / second; above 1 the first is better (medians of the rounds)\n");
                text.push_str("workload            size conn    ops/s      p50      p99  worst round\n");
            }
            // Writing into a String cannot fail.
            writeln!(
                text,
                "{:<15} {:>8} {:>4} {:>7.2}x {:>7.2}x {:>7.2}x {:>11.2}x",
                contest.workload,
                size(contest.size_bytes),
                contest.connections,
                ratio.operations_per_second,
                ratio.p50,
                ratio.p99,
                ratio.worst_round
            )
            .ok();
        }
    }
    text
}

fn size(bytes: usize) -> String {
    match bytes {
        0 => "-".to_owned(),
        _ if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ if bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} B"),
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the numbers of these tests are exact in binary")]
mod tests {
    use super::*;
    use crate::client::Failure;

    fn measurement(rate: f64, latency: f64) -> Measurement {
        let latency_microseconds = Latency { p50: latency, p99: latency * 4.0, ..Latency::default() };
        Measurement {
            operations: 1,
            operations_per_second: rate,
            latency_microseconds,
            ..Measurement::default()
        }
    }

    fn order() -> Order {
        Order::parse("put-blob:8MiB@4", None, 1).unwrap()
    }

    #[test]
    fn rates_are_counts_over_the_window() {
        let mut tally = Tally { operations: 500, bytes: 4_000_000, errors: 1, ..Tally::default() };
        tally.first_failure = Some(Failure::Silent);
        tally.latencies.record(Duration::from_micros(250));
        let measured = Measurement::new(&tally, Duration::from_secs(2));
        assert_eq!(measured.operations_per_second, 250.0);
        assert_eq!(measured.megabytes_per_second, 2.0);
        assert_eq!(measured.latency_microseconds.max, 250.0);
        assert_eq!(measured.first_error.as_deref(), Some("no answer in 60 s"));
    }

    #[test]
    fn an_empty_window_divides_by_nothing() {
        let measured = Measurement::new(&Tally::default(), Duration::ZERO);
        assert_eq!(measured.operations_per_second, 0.0);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median(vec![4.0, 1.0, 9.0, 2.0]), 3.0);
        assert_eq!(median(vec![]), 0.0);
    }

    #[test]
    fn one_lame_round_does_not_decide() {
        let first = [300.0, 20.0, 310.0].map(|rate| measurement(rate, 8.0)).to_vec();
        let second = [100.0, 100.0, 90.0].map(|rate| measurement(rate, 16.0)).to_vec();
        let contest = Contest::new(order(), vec![first, second]);
        let ratio = contest.ratio.unwrap();
        assert_eq!(ratio.operations_per_second, 3.0);
        assert_eq!((ratio.p50, ratio.p99), (2.0, 2.0));
        assert_eq!(ratio.worst_round, 0.2);
        assert!(ratios(&[contest]).contains("put-blob           8 MiB    4    3.00x"));
    }

    #[test]
    fn nothing_measured_is_no_good_ratio() {
        let contest = Contest::new(order(), vec![vec![measurement(1.0, 1.0)], vec![measurement(0.0, 0.0)]]);
        assert_eq!(contest.ratio.unwrap().operations_per_second, 0.0);
    }

    #[test]
    fn one_subject_has_no_ratio_and_its_errors_are_summed() {
        let failed = Measurement { errors: 2, ..measurement(1.0, 1.0) };
        let contest = Contest::new(order(), vec![vec![failed.clone(), failed]]);
        assert_eq!(contest.ratio, None);
        assert_eq!(contest.errors(), 4);
        assert_eq!(ratios(&[contest]), "");
    }
}
