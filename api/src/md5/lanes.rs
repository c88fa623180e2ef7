//! The threads that hash streams side by side.
//!
//! A thread takes up to eight streams that have something to hash, takes all of them further by what the
//! shortest piece at hand allows, and looks around again: streams come and go between any two such rounds. The
//! busier the server, the more streams wait when the thread looks, and the cheaper each of them becomes; with
//! one stream it is plain MD5, only off the runtime's threads.
//!
//! One thread for four cores: a core in lockstep hashes several GB/s, which is more than the other three can
//! bring in from sockets and out to disks. A thread is woken only for what those awake have no lane for: eight
//! streams on eight threads would each be a little faster and cost six times as much.
//!
//! A panic in a round loses the streams of that round, whose uploads are told, and nothing else. Where there
//! is no thread (none could be started, the owner is gone) uploads hash for themselves.

use super::lockstep::{self, LANES, Run};
use super::place::Lane;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

const CORES_PER_THREAD: usize = 4;

type Advance = Box<dyn Fn(&mut [Run<'_>]) -> usize + Send + Sync>;

/// The service that hashes uploads' bodies. Its threads end with it.
#[derive(Debug)]
pub(crate) struct Lanes {
    line: Arc<Line>,
    threads: Vec<JoinHandle<()>>,
}

impl Lanes {
    /// With as many threads as this machine deserves.
    pub(crate) fn start() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self::start_with(cores.div_ceil(CORES_PER_THREAD), Box::new(lockstep::advance))
    }

    /// With so many threads, which hash by `advance`.
    pub(super) fn start_with(threads: usize, advance: Advance) -> Self {
        let waiting = Waiting { lanes: VecDeque::new(), free: vec![0; threads], open: true };
        let waiting = Mutex::new(waiting);
        let line = Arc::new(Line { waiting, arrived: Condvar::new(), advance });
        let threads: Vec<_> = (0..threads)
            .filter_map(|index| {
                let line = Arc::clone(&line);
                let thread = thread::Builder::new().name("md5".to_owned()).spawn(move || serve(&line, index));
                thread.inspect_err(|error| tracing::warn!(%error, "a thread for MD5 did not start")).ok()
            })
            .collect();
        if threads.is_empty() {
            line.close();
        }
        Self { line, threads }
    }

    /// Where streams line up.
    pub(super) fn line(&self) -> &Arc<Line> {
        &self.line
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.line.close();
        for thread in self.threads.drain(..) {
            // Panics are caught inside; there is nothing to learn from how it ended.
            let _ = thread.join();
        }
    }
}

/// Streams that wait for a lane.
pub(super) struct Line {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    advance: Advance,
}

struct Waiting {
    lanes: VecDeque<Lane>,
    /// How many lanes each thread can still take when it looks next; none if it sleeps.
    free: Vec<usize>,
    open: bool,
}

impl Waiting {
    /// Whether threads that are awake have a lane for every stream that waits. Each of them looks before it sleeps.
    fn has_lanes_for_all(&self) -> bool {
        self.lanes.len() <= self.free.iter().sum()
    }

    fn set_free(&mut self, index: usize, lanes: usize) {
        if let Some(free) = self.free.get_mut(index) {
            *free = lanes;
        }
    }
}

impl Line {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a stream hashed: by a thread, or here if there is none.
    pub(super) fn join(&self, lane: Lane) {
        let mut waiting = self.waiting();
        if waiting.open {
            waiting.lanes.push_back(lane);
            let enough = waiting.has_lanes_for_all();
            drop(waiting);
            if !enough {
                self.arrived.notify_one();
            }
        } else {
            drop(waiting);
            let mut lane = vec![lane];
            while !lane.is_empty() {
                self.round(&mut lane);
            }
        }
    }

    /// Fills `lanes` of thread `index` up; waits while they would stay empty. False at the end of the service.
    fn fill(&self, index: usize, lanes: &mut Vec<Lane>) -> bool {
        let mut waiting = self.waiting();
        loop {
            if !waiting.open {
                return false;
            }
            let idle = lanes.is_empty();
            if idle {
                waiting.set_free(index, 0);
            }
            // One that has just started, or woke for nothing, leaves to the others what they look for next.
            if !idle || !waiting.has_lanes_for_all() {
                let taken = (LANES - lanes.len()).min(waiting.lanes.len());
                lanes.extend(waiting.lanes.drain(..taken));
                waiting.set_free(index, LANES - lanes.len());
                return true;
            }
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes all lanes one run further; those that have nothing left are gone then.
    fn round(&self, lanes: &mut Vec<Lane>) {
        lanes.retain_mut(Lane::prepare);
        let mut runs: Vec<_> = lanes.iter_mut().map(Lane::run).collect();
        let blocks = if runs.is_empty() { 0 } else { (self.advance)(&mut runs) };
        for lane in lanes {
            lane.skip(blocks);
        }
    }

    fn close(&self) {
        let mut waiting = self.waiting();
        waiting.open = false;
        let lost = std::mem::take(&mut waiting.lanes);
        drop(waiting);
        self.arrived.notify_all();
        drop(lost);
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line({} waiting)", self.waiting().lanes.len())
    }
}

fn serve(line: &Line, index: usize) {
    let rounds = || {
        let mut lanes = Vec::with_capacity(LANES);
        while line.fill(index, &mut lanes) {
            line.round(&mut lanes);
        }
    };
    // What a panic leaves behind is lanes, and those say of themselves that they are lost.
    while catch_unwind(AssertUnwindSafe(rounds)).is_err() {
        tracing::error!("MD5 panicked; the uploads that it was computing fail");
    }
}
