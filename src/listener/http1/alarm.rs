//! A limit of time for one connection, made to be set with every wait and to ring nearly never.
//!
//! A timer that is set and taken back with every request would be a lock, twice. So it is left where it is: it rings at
//! the end of some earlier wait, sees that the present one began later, and is put off by as much. That is once a
//! minute, and not once a request. A connection that never waits has none.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// Rings when a wait has been too long.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    /// When the present wait has been too long; none if nobody waits.
    until: Option<Instant>,
}

impl Alarm {
    /// Waits on, at most for `patience` from the first time that this was called since [`Alarm::rest`].
    pub(super) fn poll(&mut self, context: &mut Context<'_>, patience: Duration) -> Poll<()> {
        let until = *self.until.get_or_insert_with(|| Instant::now() + patience);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if until < sleep.deadline() {
            sleep.as_mut().reset(until);
        }
        loop {
            ready!(sleep.as_mut().poll(context));
            if until <= sleep.deadline() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(until);
        }
    }

    /// Whether the wait that began when this was first called since [`Alarm::rest`] has been too long. For loops that
    /// need not wait at all: a client that is always ready is bounded too.
    pub(super) fn has_rung(&mut self, patience: Duration) -> bool {
        let now = Instant::now();
        *self.until.get_or_insert(now + patience) <= now
    }

    /// The wait is over.
    pub(super) fn rest(&mut self) {
        self.until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[tokio::test]
    async fn each_wait_has_its_own_limit() {
        let (short, long) = (Duration::from_millis(5), Duration::from_millis(40));
        let mut alarm = Alarm::default();
        for patience in [long, short, long] {
            let began = Instant::now();
            poll_fn(|context| alarm.poll(context, patience)).await;
            assert!(began.elapsed() >= patience);
            alarm.rest();
        }
    }

    #[tokio::test]
    async fn what_never_waits_has_a_limit_too() {
        let mut alarm = Alarm::default();
        assert!(!alarm.has_rung(Duration::from_millis(5)));
        tokio::time::sleep(Duration::from_millis(6)).await;
        assert!(alarm.has_rung(Duration::from_hours(1)), "the limit is that of the beginning");
        alarm.rest();
        assert!(!alarm.has_rung(Duration::from_hours(1)));
    }

    #[tokio::test]
    async fn a_wait_that_is_over_does_not_ring_in_the_next() {
        let mut alarm = Alarm::default();
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(alarm.poll(&mut context, Duration::from_millis(1)).is_pending());
        alarm.rest();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(alarm.poll(&mut context, Duration::from_hours(1)).is_pending());
        assert!(alarm.poll(&mut context, Duration::ZERO).is_pending(), "a wait that goes on keeps its limit");
    }
}
