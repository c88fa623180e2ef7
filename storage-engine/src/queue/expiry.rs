//! Messages leave the disk when they have expired, without anybody asking.
//!
//! That an expired message is never seen needs nothing but its row's times. That its row goes away is the
//! business of two loops, both of which look first and then delete in ordinary verbs that look again:
//!
//! - [`expire_active`]: queues that have an index know what expires next.
//! - [`Walk`]: of the others nothing is known, and loading all of them to find out would cost the memory that
//!   dropping their indexes has saved. So a walk over all rows goes from queue to queue, a page at a time,
//!   skipping those that have an index; and after the last one it rests. An index of expiries on disk was
//!   rejected: it would double what every message costs, to find a little earlier what nobody sees.
//!
//! A row that cannot be read is left alone: the verbs that want it say so, and it must not stop the walk.

use super::active::ActiveQueues;
use super::{MessageId, message, record};
use crate::catalog::content::scope_of;
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::meta::key::successor;
use crate::meta::{self, Family, MetaStore, Step, Transaction, Weight};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Expired messages that one verb deletes at most.
const EXPIRED_MAX: usize = 1000;
/// Rows that one step of the walk looks at, at most.
const PAGE_ROWS: usize = 4096;
/// Bytes of rows after which a step of the walk ends.
const PAGE_BYTES: usize = 4 << 20;
/// How long the walk rests when it has been everywhere.
const REST: Duration = Duration::from_mins(10);

/// Deletes the rows of messages that have expired by `now`, in queues that have an index; gives how many rows it
/// has looked at.
pub(super) async fn expire_active(
    meta: &dyn MetaStore,
    queues: &ActiveQueues,
    now: Timestamp,
) -> Result<usize> {
    let mut expired = 0;
    for (queue, active) in queues.all() {
        while active.index().has_dead(now) {
            let active = Arc::clone(&active);
            let verb = move |transaction: &mut dyn Transaction| {
                message::expire(transaction, queue, &active, EXPIRED_MAX)
            };
            match meta::commit(meta, scope_of(queue), None, verb).await {
                // Of a row that is damaged, the verbs that want it tell; other queues' messages expire all the same.
                Ok(0) | Err(EngineError::Corrupt { .. }) => break,
                Ok(looked_at) => expired += looked_at,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(expired)
}

/// The walk over the rows of queues that have no index.
#[derive(Debug)]
pub(super) struct Walk(Mutex<Place>);

/// Where the walk goes on, and not before when.
#[derive(Debug, Clone)]
struct Place {
    from: Vec<u8>,
    earliest: Timestamp,
}

impl Default for Walk {
    fn default() -> Self {
        Self(Mutex::new(Place { from: Vec::new(), earliest: Timestamp::from_ticks(0) }))
    }
}

/// What a step has found.
struct Found {
    /// Expired messages, those of one queue together.
    expired: Vec<(u64, Vec<MessageId>)>,
    /// Where to go on; none at the end.
    next: Option<Vec<u8>>,
}

impl Walk {
    /// Takes one step, and deletes what has expired by `now`; gives how many messages that were.
    pub(super) async fn once(
        &self,
        meta: &dyn MetaStore,
        active: &Arc<ActiveQueues>,
        now: Timestamp,
    ) -> Result<usize> {
        let place = self.place().clone();
        if now < place.earliest {
            return Ok(0);
        }
        let found = find(meta, Arc::clone(active), place.from, now).await?;
        let mut count = 0;
        for (queue, expired) in found.expired {
            count += expired.len();
            delete(meta, queue, expired).await?;
        }
        *self.place() = match found.next {
            Some(from) => Place { from, earliest: now },
            None => Place { from: Vec::new(), earliest: now.after(REST) },
        };
        Ok(count)
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn find(
    meta: &dyn MetaStore,
    active: Arc<ActiveQueues>,
    from: Vec<u8>,
    now: Timestamp,
) -> Result<Found> {
    let page = meta::read(meta, Weight::Scan, move |view| {
        let mut found = Found { expired: Vec::new(), next: None };
        let (mut rows, mut bytes, mut current) = (0, 0, None);
        view.scan(Family::Message, &from, None, &mut |key, value| {
            if rows >= PAGE_ROWS || bytes >= PAGE_BYTES {
                found.next = Some(key.to_vec());
                return Ok(Step::Stop);
            }
            rows += 1;
            bytes += value.len();
            let Ok((queue, id)) = record::queue_and_id(key) else { return Ok(Step::Next) };
            if current != Some(queue) {
                current = Some(queue);
                if active.has(queue) {
                    return Ok(successor(&queue.to_be_bytes()).map_or(Step::Stop, Step::Seek));
                }
            }
            if record::decode_times(value).is_ok_and(|times| times.expires <= now) {
                match found.expired.last_mut() {
                    Some((last, ids)) if *last == queue && ids.len() < EXPIRED_MAX => ids.push(id),
                    _ => found.expired.push((queue, vec![id])),
                }
            }
            Ok(Step::Next)
        })?;
        Ok(found)
    });
    page.await
}

/// Deletes those of the messages that have expired.
async fn delete(meta: &dyn MetaStore, queue: u64, expired: Vec<MessageId>) -> Result<()> {
    let verb = move |transaction: &mut dyn Transaction| {
        for id in &expired {
            message::delete_if_expired(transaction, queue, *id)?;
        }
        Ok(())
    };
    meta::commit(meta, scope_of(queue), None, verb).await
}
