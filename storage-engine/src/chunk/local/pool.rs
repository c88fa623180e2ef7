//! A few threads that wait for the device in the place of those who read.

use std::collections::VecDeque;
use std::fmt;
use std::io;
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
            job();
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
