//! When the next operation starts, and which operations count.
//!
//! Closed loop: a connection starts its next operation when the last has been answered. That finds the
//! greatest rate, and hides stalls: while the server stands still nothing is asked of it. Open loop
//! (`--rate`): operations fall due at fixed times whoever is busy, and a late start is charged to the
//! server, since the latency runs from when the operation was due. A connection that was idle and waiting
//! for the due time counts from when its timer woke it: the generator's own timer is not the server's fault.
//!
//! The rate is what *finished* inside the window, over the length of the window. Latencies are of everything
//! that finished after the warm-up, also past the end: dropping the stragglers would drop the worst.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What bounds a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Run for this long after the warm-up.
    Time(Duration),
    /// Run this many operations; there is no warm-up.
    Count(u64),
}

/// The common schedule of all connections of one run.
#[derive(Debug)]
pub(crate) struct Pace {
    begun: Instant,
    warm: Instant,
    extent: Extent,
    interval: Option<Duration>,
    started: AtomicU64,
}

impl Pace {
    /// A schedule that begins now.
    pub(crate) fn begin(extent: Extent, warmup: Duration, rate: Option<f64>) -> Self {
        let begun = Instant::now();
        let warm = match extent {
            Extent::Time(_) => begun + warmup,
            Extent::Count(_) => begun,
        };
        let interval = rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
        Self { begun, warm, extent, interval, started: AtomicU64::new(0) }
    }

    /// Waits for the next operation's turn; gives the moment its latency runs from, or `None` at the end.
    pub(crate) async fn next(&self) -> Option<Instant> {
        let number = match (self.extent, self.interval) {
            (Extent::Time(_), None) => 0, // nobody needs the number; leave the counter alone
            _ => self.started.fetch_add(1, Ordering::Relaxed),
        };
        let now = Instant::now();
        let from = match self.interval {
            None => now,
            Some(interval) => {
                let due = self.begun + interval.mul_f64(to_float(number));
                if self.is_over(number, due) {
                    return None;
                }
                if due > now {
                    tokio::time::sleep_until(due.into()).await;
                    Instant::now()
                } else {
                    due
                }
            }
        };
        (!self.is_over(number, Instant::now())).then_some(from)
    }

    fn is_over(&self, number: u64, at: Instant) -> bool {
        match self.extent {
            Extent::Time(length) => at >= self.warm + length,
            Extent::Count(count) => number >= count,
        }
    }

    /// Whether something that finished at `at` is part of the measurement.
    pub(crate) fn is_measured(&self, at: Instant) -> bool {
        at >= self.warm
    }

    /// Whether something that finished at `at` is part of the rate.
    pub(crate) fn is_within(&self, at: Instant) -> bool {
        match self.extent {
            Extent::Time(length) => at >= self.warm && at < self.warm + length,
            Extent::Count(_) => true,
        }
    }

    /// The length of the window that the rate is taken over, given when the last operation finished.
    pub(crate) fn window(&self, last: Instant) -> Duration {
        match self.extent {
            Extent::Time(length) => length,
            Extent::Count(_) => last.saturating_duration_since(self.warm),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of operations stay far below 2^52")]
pub(crate) fn to_float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paced(extent: Extent, warmup: Duration) -> Pace {
        Pace::begin(extent, warmup, None)
    }

    #[tokio::test]
    async fn a_count_is_given_out_exactly_once() {
        let pace = paced(Extent::Count(3), Duration::from_secs(9));
        let mut given = 0;
        while pace.next().await.is_some() {
            given += 1;
        }
        assert_eq!(given, 3);
        assert!(pace.is_measured(pace.begun), "a counted run has no warm-up");
    }

    #[tokio::test]
    async fn an_open_loop_counts_from_when_the_operation_was_due() {
        let pace = Pace {
            begun: Instant::now().checked_sub(Duration::from_secs(10)).unwrap(),
            ..paced(Extent::Count(9), Duration::ZERO)
        };
        let pace = Pace { interval: Some(Duration::from_secs(1)), ..pace };
        assert_eq!(pace.next().await, Some(pace.begun));
        assert_eq!(pace.next().await, Some(pace.begun + Duration::from_secs(1)));
    }

    #[test]
    fn the_window_opens_after_the_warm_up_and_closes_at_the_end() {
        let pace = paced(Extent::Time(Duration::from_secs(5)), Duration::from_secs(2));
        let at = |seconds| pace.begun + Duration::from_secs(seconds);
        assert_eq!([1, 2, 6, 7].map(|second| pace.is_within(at(second))), [false, true, true, false]);
        assert_eq!([1, 2, 7].map(|second| pace.is_measured(at(second))), [false, true, true]);
        assert_eq!(pace.window(at(20)), Duration::from_secs(5));
    }

    #[test]
    fn a_counted_run_is_as_long_as_it_took() {
        let pace = paced(Extent::Count(10), Duration::from_secs(2));
        assert_eq!(pace.window(pace.begun + Duration::from_secs(4)), Duration::from_secs(4));
    }
}
