//! The indexes of the queues in use, and how one comes to know all messages.
//!
//! A queue has an index from the first verb on that touches it, so no verb's change escapes it; complete it
//! becomes when somebody first needs to find messages. The rows are then read page by page on a reader's
//! thread, while verbs go on; neither the committer nor another queue waits for more than a few hundred rows
//! being noted. A page may be older than what a verb has meanwhile told the index, which
//! [`Index::add_scanned`] sorts out. It cannot be older than the index itself: whatever verbs did to the queue
//! before the index was there is committed, by an earlier process or as the next section says.
//!
//! # The end of an index
//! A server that has seen a million queues must not keep a million indexes, so one that has not been used for
//! [`IDLE`] is dropped. It may be dropped only when all that verbs told it is committed, or the next index
//! would be loaded from rows that do not have it yet. Hence a verb holds its index from before it is submitted
//! until it is durable, and what nobody but the map holds ([`Arc::get_mut`], under the map's lock) may go. A
//! count of uses or a long enough time was rejected: the one must be kept right in every way a request can
//! end, the other is a guess.
//!
//! The index of a deleted queue goes at once, in the verb that deletes; one that a straggler makes anew for the
//! dead id goes when its verb finds the id dead, or at the latest as an idle one. Freeing a million entries
//! takes its time, so the committer only lays them aside, and the keeper frees them.
//!
//! # When a batch fails
//! Indexes are changed when a verb has *run*, before its writes are durable, because the next verb of the same
//! batch builds on them. Should the batch then fail, the indexes are wrong, but so is the whole store: it takes
//! no more verbs until it is reopened, and begins with new ones.

use super::index::{Index, Times};
use super::{MessageId, record};
use crate::catalog::content::scope_of;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::meta::key::successor;
use crate::meta::{self, Family, MetaStore, Step, Weight};
use futures_channel::oneshot;
use std::collections::HashMap;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Rows that one read of a load looks at.
const PAGE_ROWS: usize = 4096;

/// Rows that a load notes before it lets others have the index.
const PORTION_ROWS: usize = 256;
/// How long a queue is not used until its index is dropped.
const IDLE: Duration = Duration::from_mins(5);

/// All indexes, by queue id.
#[derive(Debug, Default)]
pub(super) struct ActiveQueues {
    queues: Mutex<HashMap<u64, Arc<ActiveQueue>>>,
    /// Those of dead ids, until somebody has the time to free them.
    discarded: Mutex<Vec<Arc<ActiveQueue>>>,
}

/// One queue's index, and who waits for it to become complete.
#[derive(Debug, Default)]
pub(super) struct ActiveQueue {
    index: Mutex<Index>,
    /// While somebody loads: the others, who are woken by dropping these.
    waiting: Mutex<Option<Vec<oneshot::Sender<()>>>>,
    /// Whether somebody has asked for it since the keeper last looked.
    used: AtomicBool,
    /// When the keeper first saw that nobody had; none while somebody does.
    idle_since: Option<Timestamp>,
}

impl ActiveQueues {
    /// The index of the queue, made if there is none.
    pub(super) fn of(&self, queue: u64) -> Arc<ActiveQueue> {
        let active = Arc::clone(lock(&self.queues).entry(queue).or_default());
        active.used.store(true, Ordering::Relaxed);
        active
    }

    /// Whether the queue has an index.
    pub(super) fn has(&self, queue: u64) -> bool {
        lock(&self.queues).contains_key(&queue)
    }

    /// Takes away the index of a queue whose id is dead.
    pub(super) fn remove(&self, queue: u64) {
        if let Some(active) = lock(&self.queues).remove(&queue) {
            lock(&self.discarded).push(active);
        }
    }

    /// All queues that have an index.
    pub(super) fn all(&self) -> Vec<(u64, Arc<ActiveQueue>)> {
        lock(&self.queues).iter().map(|(queue, active)| (*queue, Arc::clone(active))).collect()
    }

    /// Frees the indexes of dead ids, and those that have not been used for long. For the keeper's thread.
    pub(super) fn drop_idle(&self, now: Timestamp) {
        let discarded = mem::take(&mut *lock(&self.discarded));
        let mut idle = Vec::new();
        lock(&self.queues).retain(|_, active| {
            let Some(alone) = Arc::get_mut(active) else { return true };
            let leaves = alone.has_been_idle(now);
            if leaves {
                idle.push(mem::take(alone));
            }
            !leaves
        });
        // Only now, when nobody waits for the lock.
        drop((discarded, idle));
    }

    /// Indexes that are in memory, those laid aside included.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        lock(&self.queues).len() + lock(&self.discarded).len()
    }
}

impl ActiveQueue {
    /// The index, for as long as nobody else may have it.
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        lock(&self.index)
    }

    /// Waits until the index is complete, loading it if nobody does. It is that of `queue`.
    pub(super) async fn complete(&self, meta: &dyn MetaStore, queue: u64) -> Result<()> {
        loop {
            match self.begin() {
                Turn::Done => return Ok(()),
                // Woken, whether the load succeeded or was given up: look again.
                Turn::Wait(woken) => drop(woken.await),
                Turn::Load(_loading) => load(meta, queue, self).await?,
            }
        }
    }

    fn has_been_idle(&mut self, now: Timestamp) -> bool {
        if mem::take(self.used.get_mut()) {
            self.idle_since = None;
        }
        self.idle_since.get_or_insert(now).after(IDLE) <= now
    }

    fn begin(&self) -> Turn<'_> {
        let mut waiting = lock(&self.waiting);
        if self.index().is_complete() {
            return Turn::Done;
        }
        if let Some(others) = waiting.as_mut() {
            let (waker, woken) = oneshot::channel();
            others.push(waker);
            return Turn::Wait(woken);
        }
        *waiting = Some(Vec::new());
        Turn::Load(Loading(self))
    }
}

enum Turn<'a> {
    Done,
    Wait(oneshot::Receiver<()>),
    Load(Loading<'a>),
}

/// Held by the one who loads. Its end, also by an error or by nobody waiting any more, wakes the others.
struct Loading<'a>(&'a ActiveQueue);

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        lock(&self.0.waiting).take();
    }
}

async fn load(meta: &dyn MetaStore, queue: u64, active: &ActiveQueue) -> Result<()> {
    // With the store's time, messages go straight to where they belong. Without, the first verb to come would
    // have to move all of them, and all other verbs would wait for it.
    let now = meta::commit(meta, scope_of(queue), None, |transaction| Ok(transaction.now())).await?;
    active.index().advance(now);
    let mut from = Some(queue.to_be_bytes().to_vec());
    while let Some(start) = from {
        let (rows, next) = read_page(meta, queue, start).await?;
        for portion in rows.chunks(PORTION_ROWS) {
            let mut index = active.index();
            for (id, times) in portion {
                index.add_scanned(*id, *times);
            }
        }
        from = next;
    }
    active.index().set_complete();
    Ok(())
}

/// Some rows from `from` on, and where to go on.
type RowPage = (Vec<(MessageId, Times)>, Option<Vec<u8>>);

async fn read_page(meta: &dyn MetaStore, queue: u64, from: Vec<u8>) -> Result<RowPage> {
    let page = meta::read(meta, Weight::Scan, move |view| {
        let mut rows = Vec::new();
        let mut next = None;
        let end = successor(&queue.to_be_bytes());
        view.scan(Family::Message, &from, end.as_deref(), &mut |key, value| {
            if rows.len() >= PAGE_ROWS {
                next = Some(key.to_vec());
                return Ok(Step::Stop);
            }
            rows.push((record::message_id(key)?, record::decode_times(value)?));
            Ok(Step::Next)
        })?;
        Ok((rows, next))
    });
    page.await
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
