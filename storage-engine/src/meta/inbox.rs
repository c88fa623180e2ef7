//! What threads of a store wait at: a queue that can be closed.
//!
//! A standard channel would do but for two things: several readers take from one queue, and whoever sends to a
//! closed one gets the job back, to answer it.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Jobs in the order of their arrival.
#[derive(Debug)]
pub(super) struct Inbox<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
}

#[derive(Debug)]
struct State<T> {
    jobs: VecDeque<T>,
    closed: bool,
}

impl<T> Inbox<T> {
    /// An empty, open inbox.
    pub(super) const fn new() -> Self {
        let state = State { jobs: VecDeque::new(), closed: false };
        Self { state: Mutex::new(state), arrived: Condvar::new() }
    }

    /// Adds a job; gives it back if the inbox is closed.
    pub(super) fn push(&self, job: T) -> Result<(), T> {
        let mut state = self.state();
        if state.closed {
            return Err(job);
        }
        state.jobs.push_back(job);
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits for jobs and takes at most `jobs_max` of them. `None`: closed, and all jobs were taken.
    pub(super) fn take(&self, jobs_max: usize) -> Option<VecDeque<T>> {
        let mut state = self.state();
        while state.jobs.is_empty() {
            if state.closed {
                return None;
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let count = jobs_max.min(state.jobs.len());
        // What is taken is moved and not what stays: that may be many times as much.
        Some(state.jobs.drain(..count).collect())
    }

    /// Takes no more jobs. Those that are here will still be taken.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.arrived.notify_all();
    }

    /// Whether the inbox takes no more jobs.
    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_taken_in_order_and_not_more_than_asked_for() {
        let inbox = Inbox::new();
        (0..5).for_each(|job| inbox.push(job).unwrap());
        assert_eq!(inbox.take(3).unwrap(), [0, 1, 2]);
        assert_eq!(inbox.take(3).unwrap(), [3, 4]);
    }

    #[test]
    fn a_closed_inbox_gives_new_jobs_back_and_old_ones_out() {
        let inbox = Inbox::new();
        inbox.push(1).unwrap();
        inbox.close();
        assert_eq!(inbox.push(2), Err(2));
        assert_eq!(inbox.take(9).unwrap(), [1]);
        assert!(inbox.take(9).is_none());
    }

    #[test]
    fn closing_wakes_all_that_wait() {
        let inbox = Inbox::<u8>::new();
        std::thread::scope(|threads| {
            let waiting: Vec<_> = (0..3).map(|_| threads.spawn(|| inbox.take(1))).collect();
            inbox.close();
            assert!(waiting.into_iter().all(|thread| thread.join().unwrap().is_none()));
        });
    }
}
