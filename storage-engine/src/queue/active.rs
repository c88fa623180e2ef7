//! The indexes of the queues in use, and how one comes to know all messages.
//!
//! A queue has an index from the first verb on that touches it after the store was opened, so no verb's
//! change escapes it; complete it becomes when somebody first needs to find messages. The rows are then read
//! page by page on a reader's thread, while verbs go on. A page may be older than what a verb has meanwhile
//! told the index, which [`Index::add_scanned`] sorts out. It cannot be older than the index itself: before
//! the index was there no verb of this process had touched the queue, and those of earlier ones are committed.
//!
//! Indexes are changed when a verb has *run*, before its writes are durable, because the next verb of the same
//! batch builds on them. Should the batch then fail, the indexes are wrong, but so is the whole store: it takes
//! no more verbs until it is reopened, and begins with new ones.

use super::index::{Index, Times};
use super::{MessageId, record};
use crate::error::Result;
use crate::meta::key::successor;
use crate::meta::{self, Family, MetaStore, Step, Weight};
use futures_channel::oneshot;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Rows that one read of a load looks at.
const PAGE_ROWS: usize = 4096;

/// All indexes, by queue id.
#[derive(Debug, Default)]
pub(super) struct ActiveQueues(Mutex<HashMap<u64, Arc<ActiveQueue>>>);

/// One queue's index, and who waits for it to become complete.
#[derive(Debug, Default)]
pub(super) struct ActiveQueue {
    index: Mutex<Index>,
    /// While somebody loads: the others, who are woken by dropping these.
    waiting: Mutex<Option<Vec<oneshot::Sender<()>>>>,
}

impl ActiveQueues {
    /// The index of the queue, made if there is none.
    pub(super) fn of(&self, queue: u64) -> Arc<ActiveQueue> {
        Arc::clone(lock(&self.0).entry(queue).or_default())
    }

    /// Drops the index of a queue whose id is dead.
    pub(super) fn remove(&self, queue: u64) {
        lock(&self.0).remove(&queue);
    }

    /// All queues that have an index.
    pub(super) fn all(&self) -> Vec<(u64, Arc<ActiveQueue>)> {
        lock(&self.0).iter().map(|(queue, active)| (*queue, Arc::clone(active))).collect()
    }

    /// Waits until the queue's index is complete, loading it if nobody does.
    pub(super) async fn complete(&self, meta: &dyn MetaStore, queue: u64) -> Result<()> {
        let active = self.of(queue);
        loop {
            match active.begin() {
                Turn::Done => return Ok(()),
                // Woken, whether the load succeeded or was given up: look again.
                Turn::Wait(woken) => drop(woken.await),
                Turn::Load(_loading) => load(meta, queue, &active).await?,
            }
        }
    }
}

impl ActiveQueue {
    /// The index, for as long as nobody else may have it.
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        lock(&self.index)
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
    let mut from = Some(queue.to_be_bytes().to_vec());
    while let Some(start) = from {
        let (rows, next) = read_page(meta, queue, start).await?;
        let mut index = active.index();
        for (id, times) in rows {
            index.add_scanned(id, times);
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
