//! The threads that reads go to when they may have to wait for a disk.

use super::super::inbox::Inbox;
use super::super::overlay::panicked;
use super::super::{EngineError, Inquiry, Result};
use super::view::{RocksView, Tier};
use super::{Database, join, spawn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

const THREADS_MIN: usize = 2;
const THREADS_MAX: usize = 4;

/// Runs inquiries.
pub(super) struct Readers {
    database: Arc<Database>,
    inbox: Arc<Inbox<Box<dyn Inquiry>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    /// Starts the threads.
    pub(super) fn start(database: &Arc<Database>) -> Result<Self> {
        let count = thread::available_parallelism().map_or(THREADS_MIN, usize::from);
        let inbox = Arc::new(Inbox::new());
        let readers =
            Self { database: Arc::clone(database), inbox: Arc::clone(&inbox), threads: Mutex::default() };
        for _ in 0..count.clamp(THREADS_MIN, THREADS_MAX) {
            let (database, inbox) = (Arc::clone(database), Arc::clone(&inbox));
            let thread = spawn("meta-reader", move || work(&database, &inbox))?;
            readers.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        Ok(readers)
    }

    /// Runs `inquiry` on this thread, unless it needs the disk.
    pub(super) fn run_here(&self, mut inquiry: Box<dyn Inquiry>) {
        if self.inbox.is_closed() {
            return inquiry.finish(Err(EngineError::Closed));
        }
        match run(&self.database, inquiry.as_mut(), Tier::Memory) {
            Ok(true) => inquiry.finish(Ok(())),
            Ok(false) => self.queue(inquiry),
            Err(error) => inquiry.finish(Err(error)),
        }
    }

    /// Runs `inquiry` on a reader thread.
    pub(super) fn queue(&self, inquiry: Box<dyn Inquiry>) {
        if let Err(refused) = self.inbox.push(inquiry) {
            refused.finish(Err(EngineError::Closed));
        }
    }

    /// Finishes the inquiries that wait, and ends the threads.
    pub(super) fn close(&self) {
        self.inbox.close();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        threads.into_iter().for_each(join);
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.close();
    }
}

fn work(database: &Database, inbox: &Inbox<Box<dyn Inquiry>>) {
    while let Some(inquiries) = inbox.take(1) {
        for mut inquiry in inquiries {
            let outcome = run(database, inquiry.as_mut(), Tier::Disk).map(|_| ());
            if catch_unwind(AssertUnwindSafe(|| inquiry.finish(outcome))).is_err() {
                panicked("the answer of an inquiry panicked");
            }
        }
    }
}

/// Runs `inquiry` on a snapshot. `false`: it needs what is not in memory and has to be run again.
fn run(database: &Database, inquiry: &mut dyn Inquiry, tier: Tier) -> Result<bool> {
    let view = RocksView::snapshot(database, tier);
    // After a panic the inquiry is only told so, and a view has nothing to be left half done.
    match catch_unwind(AssertUnwindSafe(|| inquiry.run(&view))) {
        Ok(()) => Ok(!view.has_met_disk()),
        Err(_) => Err(panicked("an inquiry panicked")),
    }
}
