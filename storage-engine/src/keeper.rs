//! What is done without anybody asking: sweeping behind deleted names, letting blobs and messages go whose time is
//! over, noting when blobs were read and how far the records go ([`crate::newest`]), and applying the rules of accounts
//! ([`crate::lifecycle`]).
//!
//! A loop without input: it looks at what is there, does a bounded part of it in ordinary verbs, and looks
//! again. Interrupted anywhere, it goes on at the next start.

use crate::blob::BlobStore;
use crate::clock::Clock;
use crate::error::{EngineError, Result};
use crate::lifecycle::walk::LifecycleWalk;
use crate::meta::{self, MetaStore, Weight};
use crate::newest::Newest;
use crate::queue::QueueStore;
use crate::sweep::Sweep;
use crate::wait::wait;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How long to rest when there is nothing to do.
const REST: Duration = Duration::from_secs(1);
/// Verbs of one round: few enough that clients' verbs between them do not wait.
const VERBS_MAX: usize = 32;

/// The thread that tidies up.
#[derive(Debug)]
pub(crate) struct Keeper {
    stopping: Arc<(Mutex<bool>, Condvar)>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Keeper {
    /// Starts tidying up.
    pub(crate) fn start(mut tasks: Tasks) -> Result<Self> {
        let stopping = Arc::new((Mutex::new(false), Condvar::new()));
        let stop = Arc::clone(&stopping);
        let work = move || {
            loop {
                let rest = match tasks.round() {
                    Ok(done) if done > 0 => Duration::ZERO,
                    Ok(_) => REST,
                    Err(EngineError::Closed) => return,
                    Err(error) => {
                        tracing::warn!(%error, "tidying up failed; trying again later");
                        REST
                    }
                };
                let stopped = stop.0.lock().unwrap_or_else(PoisonError::into_inner);
                let waited = stop.1.wait_timeout_while(stopped, rest, |stopped| !*stopped);
                if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                    return;
                }
            }
        };
        let thread = Builder::new().name("keeper".to_owned()).spawn(work)?;
        Ok(Self { stopping, thread: Mutex::new(Some(thread)) })
    }

    /// Ends, after the round that runs.
    pub(crate) fn stop(&self) {
        *self.stopping.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stopping.1.notify_all();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()
            && thread.join().is_err()
        {
            tracing::error!("the keeper panicked");
        }
    }
}

/// What there is to do, and how far it has come.
#[derive(Debug)]
pub(crate) struct Tasks {
    meta: Arc<dyn MetaStore>,
    blobs: BlobStore,
    queues: QueueStore,
    lifecycle: LifecycleWalk,
    clock: Arc<dyn Clock>,
    sweep: Sweep,
    newest: Option<Arc<Newest>>,
}

impl Tasks {
    /// Nothing is done yet.
    pub(crate) fn new(
        meta: Arc<dyn MetaStore>,
        blobs: BlobStore,
        queues: QueueStore,
        lifecycle: LifecycleWalk,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { meta, blobs, queues, lifecycle, clock, sweep: Sweep::default(), newest: None }
    }

    /// The same, which also notes how far the records go.
    pub(crate) fn noting(mut self, newest: &Arc<Newest>) -> Self {
        self.newest = Some(Arc::clone(newest)).filter(|newest| newest.commits_are_durable());
        self
    }

    fn note_newest(&self) -> Result<()> {
        if let Some(newest) = &self.newest {
            newest.note(wait(meta::read(&*self.meta, Weight::Point, meta::newest_stamp))?);
        }
        Ok(())
    }

    /// Does some of what there is to do; gives how much it was.
    fn round(&mut self) -> Result<usize> {
        // All, whatever the one meets: a damaged record must not stop what has nothing to do with it.
        let swept = self.sweep.once(&*self.meta, VERBS_MAX);
        let tidied = wait(self.blobs.tidy_once(VERBS_MAX));
        let noted = wait(self.blobs.write_accessed_once(VERBS_MAX));
        let expired = wait(self.queues.expire_once(self.clock.now()));
        let applied = wait(self.lifecycle.once());
        self.note_newest()?;
        Ok(swept? + tidied? + noted? + expired? + applied?)
    }
}
