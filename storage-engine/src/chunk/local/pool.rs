//! A few threads that wait for the device in the place of those who read.
//!
//! A job that panics ends with its answer dropped, which tells whoever waits, and not with its thread: when the last of
//! them had gone, all later jobs would wait for ever.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Something to do.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// The threads' common queue.
#[derive(Default)]
pub(crate) struct Pool {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

impl Pool {
    /// Starts `threads` threads of this name, at least one.
    pub(crate) fn start(name: &str, threads: usize) -> io::Result<(Arc<Self>, Vec<JoinHandle<()>>)> {
        let pool = Arc::new(Self::default());
        let mut handles = Vec::new();
        for _ in 0..threads.max(1) {
            let shared = Arc::clone(&pool);
            let spawned = Builder::new().name(name.into()).spawn(move || shared.work());
            handles.push(spawned.inspect_err(|_| pool.close())?);
        }
        Ok((pool, handles))
    }

    /// Has a job done; dropped, and false, if the pool is closed.
    pub(crate) fn submit(&self, job: Job) -> bool {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if !queue.closed {
            queue.jobs.push_back(job);
            self.changed.notify_one();
        }
        !queue.closed
    }

    /// Lets the threads end when the jobs that wait are done.
    pub(crate) fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            // The job is gone after a panic, and what it shares with others it shares through locks that survive one.
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("a job of a disk's threads panicked");
            }
        }
    }

    fn next(&self) -> Option<Job> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_panic_ends_the_job_and_not_the_thread() {
        let (pool, threads) = Pool::start("test", 1).unwrap();
        let (sender, answers) = channel();
        let dropped = sender.clone();
        assert!(pool.submit(Box::new(move || {
            let _dropped = dropped;
            panic!("this panic is part of a test");
        })));
        assert!(pool.submit(Box::new(move || sender.send(7).unwrap())));
        assert_eq!(answers.iter().collect::<Vec<_>>(), [7]);
        pool.close();
        for thread in threads {
            thread.join().unwrap();
        }
    }
}
