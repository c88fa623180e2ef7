//! The verbs on messages, as they run on the store's thread.
//!
//! Each reads its candidates from the queue's index and believes only their rows; works out all it writes; and
//! tells the index last, when nothing can fail any more. Running one again therefore does no harm: its id and
//! receipts come from the transaction's time, and the index takes the same news twice.
//!
//! Peeking and counting are verbs too, though they write nothing of their own: they need the store's time, by
//! which messages come and go, and must not see a message that an earlier verb of the same batch has taken.
//!
//! Whoever comes by deletes some of the rows of messages that have expired ([`BURIED_MAX`]), so a queue in use
//! cleans itself up.

use super::active::ActiveQueue;
use super::index::{Index, Move, Times};
use super::record::{decode_message, encode_message, message_key};
use super::{Message, MessageId, NewMessage, PopReceipt};
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::meta::{Family, Transaction, View};
use bytes::Bytes;
use std::time::Duration;

/// Expired messages whose rows a verb deletes in passing, at most.
const BURIED_MAX: usize = 64;
/// Candidates that turn out not to be what the index says, at most, before a verb contents itself with what
/// it has. The index has learnt by then, so the next verb gets further.
const WRONG_MAX: usize = 1000;

/// Adds a message. `tail` makes its id unique beside the time.
pub(super) fn put(
    transaction: &mut dyn Transaction,
    queue: u64,
    active: &ActiveQueue,
    new: &NewMessage,
    tail: u64,
) -> Result<Message> {
    let now = transaction.now();
    let message = Message {
        id: MessageId::at(now.ticks(), tail),
        inserted: now,
        expires: new.time_to_live.map_or(Timestamp::MAX, |span| now.after(span)),
        visible: now.after(new.delay),
        receipt: PopReceipt(now.ticks()),
        dequeued: 0,
        text: new.text.clone(),
    };
    let mut index = active.index();
    let mut moves = bury(transaction, queue, &mut index, BURIED_MAX)?;
    moves.push(write(transaction, queue, &message));
    index.apply_all(moves);
    Ok(message)
}

/// Takes up to `count` visible messages for `timeout`.
pub(super) fn get(
    transaction: &mut dyn Transaction,
    queue: u64,
    active: &ActiveQueue,
    count: usize,
    timeout: Duration,
) -> Result<Vec<Message>> {
    let now = transaction.now();
    let mut index = active.index();
    let mut moves = bury(transaction, queue, &mut index, BURIED_MAX)?;
    let mut taken = find_visible(transaction, queue, &index, count, &mut moves)?;
    for message in &mut taken {
        message.visible = now.after(timeout);
        message.receipt = PopReceipt(now.ticks());
        message.dequeued = message.dequeued.saturating_add(1);
        moves.push(write(transaction, queue, message));
    }
    index.apply_all(moves);
    Ok(taken)
}

/// Looks at up to `count` visible messages.
pub(super) fn peek(
    transaction: &mut dyn Transaction,
    queue: u64,
    active: &ActiveQueue,
    count: usize,
) -> Result<Vec<Message>> {
    let mut index = active.index();
    index.advance(transaction.now());
    let mut moves = Vec::new();
    let seen = find_visible(transaction, queue, &index, count, &mut moves)?;
    index.apply_all(moves);
    Ok(seen)
}

/// How many messages there are, invisible ones included.
pub(super) fn count(transaction: &mut dyn Transaction, active: &ActiveQueue) -> u64 {
    let mut index = active.index();
    index.advance(transaction.now());
    u64::try_from(index.len()).unwrap_or(u64::MAX)
}

/// Makes a message visible in `timeout`, perhaps with another text.
pub(super) fn update(
    transaction: &mut dyn Transaction,
    queue: u64,
    active: &ActiveQueue,
    held: (MessageId, PopReceipt),
    timeout: Duration,
    text: Option<&Bytes>,
) -> Result<(PopReceipt, Timestamp)> {
    let now = transaction.now();
    let mut message = find_held(transaction, queue, held)?;
    message.visible = now.after(timeout);
    if message.visible > message.expires {
        return Err(EngineError::HiddenPastExpiry);
    }
    message.receipt = PopReceipt(now.ticks());
    if let Some(text) = text {
        message.text = text.clone();
    }
    let moved = write(transaction, queue, &message);
    active.index().apply(moved);
    Ok((message.receipt, message.visible))
}

/// Deletes a message.
pub(super) fn delete(
    transaction: &mut dyn Transaction,
    queue: u64,
    active: &ActiveQueue,
    held: (MessageId, PopReceipt),
) -> Result<()> {
    let message = find_held(transaction, queue, held)?;
    transaction.delete(Family::Message, &message_key(queue, message.id));
    active.index().apply((message.id, None));
    Ok(())
}

/// Deletes the rows of up to `limit` expired messages; gives how many it has looked at.
pub(super) fn expire(
    transaction: &mut dyn Transaction,
    queue: u64,
    active: &ActiveQueue,
    limit: usize,
) -> Result<usize> {
    let mut index = active.index();
    let moves = bury(transaction, queue, &mut index, limit)?;
    let looked_at = moves.len();
    index.apply_all(moves);
    Ok(looked_at)
}

/// Deletes the row of a message that has expired, in a queue without an index. One that has not is left alone.
pub(super) fn delete_if_expired(transaction: &mut dyn Transaction, queue: u64, id: MessageId) -> Result<()> {
    let now = transaction.now();
    if find(transaction, queue, id)?.is_some_and(|message| message.expires <= now) {
        transaction.delete(Family::Message, &message_key(queue, id));
    }
    Ok(())
}

/// Brings the index up to now, and deletes the rows of what has expired, at most `limit`.
fn bury(transaction: &mut dyn Transaction, queue: u64, index: &mut Index, limit: usize) -> Result<Vec<Move>> {
    let now = transaction.now();
    index.advance(now);
    let mut moves = Vec::new();
    for id in index.dead().take(limit) {
        let row = find(transaction, queue, id)?.filter(|message| message.expires > now);
        if row.is_none() {
            transaction.delete(Family::Message, &message_key(queue, id));
        }
        moves.push((id, row.as_ref().map(times)));
    }
    Ok(moves)
}

/// Up to `count` visible messages in the order of their ids. What the index had wrong is added to `moves`.
fn find_visible(
    view: &dyn Transaction,
    queue: u64,
    index: &Index,
    count: usize,
    moves: &mut Vec<Move>,
) -> Result<Vec<Message>> {
    let now = view.now();
    let mut found = Vec::with_capacity(count.min(32));
    for id in index.ready().take(count.saturating_add(WRONG_MAX)) {
        if found.len() >= count {
            break;
        }
        match find(view, queue, id)? {
            Some(message) if message.visible <= now && message.expires > now => found.push(message),
            other => moves.push((id, other.as_ref().map(times))),
        }
    }
    Ok(found)
}

/// The message, if it has not expired and the receipt is its newest.
fn find_held(transaction: &dyn Transaction, queue: u64, held: (MessageId, PopReceipt)) -> Result<Message> {
    let (id, receipt) = held;
    let message = find(transaction, queue, id)?.filter(|message| message.expires > transaction.now());
    let message = message.ok_or(EngineError::MessageNotFound)?;
    if message.receipt == receipt { Ok(message) } else { Err(EngineError::PopReceiptMismatch) }
}

fn find<V: View + ?Sized>(view: &V, queue: u64, id: MessageId) -> Result<Option<Message>> {
    let row = view.get(Family::Message, &message_key(queue, id))?;
    row.map(|row| decode_message(id, &row)).transpose()
}

fn write(transaction: &mut dyn Transaction, queue: u64, message: &Message) -> Move {
    transaction.put(Family::Message, &message_key(queue, message.id), &encode_message(message));
    (message.id, Some(times(message)))
}

fn times(message: &Message) -> Times {
    Times { visible: message.visible, expires: message.expires }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::content::scope_of;
    use crate::clock::ManualClock;
    use crate::meta::memory::MemoryMeta;
    use crate::meta::{self, MetaStore};
    use futures_executor::block_on;
    use std::sync::Arc;

    const QUEUE: u64 = 7;

    fn run<T: Send + 'static>(
        meta: &dyn MetaStore,
        verb: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
    ) -> T {
        block_on(meta::commit(meta, scope_of(QUEUE), None, verb)).unwrap()
    }

    #[test]
    fn rows_are_believed_and_an_index_that_is_wrong_is_put_right() {
        let meta = MemoryMeta::new(Arc::new(ManualClock::default()));
        let (active, elsewhere) = (Arc::new(ActiveQueue::default()), Arc::new(ActiveQueue::default()));
        let put = |tail, delay, time_to_live| {
            let new = NewMessage { text: Bytes::new(), delay, time_to_live };
            let elsewhere = Arc::clone(&elsewhere);
            run(&*meta, move |transaction| put(transaction, QUEUE, &elsewhere, &new, tail)).id
        };
        let minute = Duration::from_mins(1);
        let hidden = put(1, minute, None);
        let visible = put(3, Duration::ZERO, None);
        let expired = put(2, Duration::ZERO, Some(Duration::ZERO));
        let missing = MessageId::at(4, 4);
        let always = Times { visible: Timestamp::from_ticks(0), expires: Timestamp::MAX };
        active.index().set_complete();
        for id in [hidden, expired, visible, missing] {
            active.index().apply((id, Some(always)));
        }
        let taker = Arc::clone(&active);
        let got = run(&*meta, move |transaction| get(transaction, QUEUE, &taker, 4, minute));
        assert_eq!(got.iter().map(|message| message.id).collect::<Vec<_>>(), [visible]);
        assert_eq!(active.index().ready().count(), 0);
        // The hidden one and the one just taken; the expired one awaits its burial.
        assert_eq!(active.index().len(), 2);
        assert_eq!(active.index().dead().collect::<Vec<_>>(), [expired]);
        let counter = Arc::clone(&active);
        assert_eq!(run(&*meta, move |transaction| Ok(count(transaction, &counter))), 2);
    }

    #[test]
    fn a_message_that_an_index_takes_for_expired_keeps_its_row_until_it_is() {
        let meta = MemoryMeta::new(Arc::new(ManualClock::default()));
        let active = Arc::new(ActiveQueue::default());
        let putter = Arc::clone(&active);
        let new = NewMessage { text: Bytes::new(), delay: Duration::ZERO, time_to_live: None };
        let id = run(&*meta, move |transaction| put(transaction, QUEUE, &putter, &new, 1)).id;
        let past = Timestamp::from_ticks(0);
        active.index().apply((id, Some(Times { visible: past, expires: past })));
        let burier = Arc::clone(&active);
        assert_eq!(run(&*meta, move |transaction| expire(transaction, QUEUE, &burier, 10)), 1);
        let taker = Arc::clone(&active);
        let got = run(&*meta, move |transaction| get(transaction, QUEUE, &taker, 4, Duration::ZERO));
        assert_eq!(got.len(), 1);
    }
}
