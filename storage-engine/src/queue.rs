//! Queues and messages: the verbs of the Queue service.
//!
//! A queue is a name that points to an id; its messages live under the id, as those of a container do. A
//! message is one row that is rewritten in place whenever its visibility changes; the order in which messages
//! become visible is kept in memory (`queue/index.rs`), because an ordered index on disk would leave a
//! tombstone at its head for every message that ever passed through.
//!
//! Clearing a queue gives its name a new id: one record, however many messages there are, and atomic. What is
//! under the old id is swept in the background, as after a deletion.
//!
//! A message is found by its id's place alone. The id's upper half is the time at which it was put, which the
//! store makes rise with every verb, so ids sort messages in the order in which they came; the lower half is
//! random, so that nobody finds another's message by counting.

use crate::blob::Page;
use crate::catalog::content::{commit_under, find_id, scope_of};
use crate::catalog::{self, Entry, Key, Kind};
use crate::clock::{Entropy, Timestamp};
use crate::error::{EngineError, Result};
use crate::meta::{self, MetaStore, Transaction, Weight};
use crate::name::{AccountName, Metadata, QueueName};
use crate::policy::{self, StoredPolicy};
use active::{ActiveQueue, ActiveQueues};
use bytes::Bytes;
use expiry::Walk;
use record::QueueRecord;
use std::sync::Arc;
use std::time::Duration;

mod active;
mod expiry;
mod index;
mod message;
#[cfg(test)]
mod model;
mod record;
#[cfg(test)]
mod tests;

/// Most bytes of a message's text (page "Put Message").
pub const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Which queue: account and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QueueAddress {
    /// The account.
    pub account: AccountName,
    /// The queue.
    pub queue: QueueName,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: QueueName,
    /// User metadata.
    pub metadata: Metadata,
}

/// Whether *Create Queue* made one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// It did.
    Created,
    /// One with the same metadata was there.
    AlreadyThere,
}

/// The id of a message: unique in its queue, rising in the order of insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u128);

impl MessageId {
    /// The id of these halves.
    pub(crate) fn at(place: u64, tail: u64) -> Self {
        Self((u128::from(place) << 64) | u128::from(tail))
    }

    /// The upper half: when the message was put, in ticks. No other message of the store has the same.
    pub(crate) fn place(self) -> u64 {
        halves(self.0)[1]
    }

    /// The lower half, which nobody can guess.
    pub(crate) fn tail(self) -> u64 {
        halves(self.0)[0]
    }
}

/// Proof of having got a message last: changes whenever the message is got or updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PopReceipt(pub u64);

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// When it was put.
    pub inserted: Timestamp,
    /// When it goes away by itself; [`Timestamp::MAX`] for never.
    pub expires: Timestamp,
    /// When it can be got (again).
    pub visible: Timestamp,
    /// The newest receipt.
    pub receipt: PopReceipt,
    /// How often it was got.
    pub dequeued: u32,
    /// Its text, as it was sent.
    pub text: Bytes,
}

/// A message to put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Its text, at most [`MESSAGE_BYTES_MAX`] bytes.
    pub text: Bytes,
    /// How long it stays invisible at first.
    pub delay: Duration,
    /// How long it lives; none for ever.
    pub time_to_live: Option<Duration>,
}

/// Queues of all accounts.
#[derive(Debug, Clone)]
pub struct QueueStore {
    meta: Arc<dyn MetaStore>,
    entropy: Arc<dyn Entropy>,
    active: Arc<ActiveQueues>,
    walk: Arc<Walk>,
}

impl QueueStore {
    /// The queues whose records are in `meta`. There must be one for each store: what it knows of the order
    /// of messages it learns from the verbs that pass through it and its clones.
    pub fn new(meta: Arc<dyn MetaStore>, entropy: Arc<dyn Entropy>) -> Self {
        Self { meta, entropy, active: Arc::default(), walk: Arc::default() }
    }

    /// Creates a queue. *Create Queue*.
    ///
    /// # Errors
    /// [`EngineError::QueueExists`] if there is one with other metadata.
    pub async fn create(&self, at: &QueueAddress, metadata: Metadata) -> Result<Creation> {
        let name = name_key(at);
        let record = QueueRecord { metadata, policies: Vec::new() };
        let verb = move |transaction: &mut dyn Transaction, name: &Key| {
            let Some(entry) = catalog::find(transaction, name)? else {
                let id = transaction.now().ticks();
                catalog::write(transaction, name, id, &record.encode());
                return Ok(Creation::Created);
            };
            let same = sorted(&QueueRecord::decode(&entry.payload)?.metadata) == sorted(&record.metadata);
            if same { Ok(Creation::AlreadyThere) } else { Err(EngineError::QueueExists) }
        };
        meta::commit(&*self.meta, name.scope(), None, move |transaction| verb(transaction, &name)).await
    }

    /// Deletes the queue and, in time, its messages. *Delete Queue*.
    ///
    /// # Errors
    /// [`EngineError::QueueNotFound`].
    pub async fn delete(&self, at: &QueueAddress) -> Result<()> {
        let active = Arc::clone(&self.active);
        self.change_queue(at, move |transaction, name, entry| {
            catalog::remove(transaction, name, entry.id);
            active.remove(entry.id);
            Ok(())
        })
        .await
    }

    /// The queue's metadata and how many messages it holds, invisible ones included. *Get Queue Metadata*.
    ///
    /// # Errors
    /// [`EngineError::QueueNotFound`].
    pub async fn queue(&self, at: &QueueAddress) -> Result<(Queue, u64)> {
        let name = at.queue.clone();
        self.run(at, Needs::AllMessages, move |transaction, entry, active| {
            let metadata = QueueRecord::decode(&entry.payload)?.metadata;
            Ok((Queue { name: name.clone(), metadata }, message::count(transaction, active)))
        })
        .await
    }

    /// Replaces the queue's metadata. *Set Queue Metadata*.
    ///
    /// # Errors
    /// [`EngineError::QueueNotFound`].
    pub async fn set_metadata(&self, at: &QueueAddress, metadata: Metadata) -> Result<()> {
        self.change_queue(at, move |transaction, name, entry| {
            let record = QueueRecord { metadata: metadata.clone(), ..QueueRecord::decode(&entry.payload)? };
            catalog::write(transaction, name, entry.id, &record.encode());
            Ok(())
        })
        .await
    }

    /// The queue's stored access policies. *Get Queue ACL*.
    ///
    /// # Errors
    /// [`EngineError::QueueNotFound`].
    pub async fn policies(&self, at: &QueueAddress) -> Result<Vec<StoredPolicy>> {
        let name = name_key(at);
        let read = meta::read(&*self.meta, Weight::Point, move |view| {
            let entry = catalog::find(view, &name)?.ok_or(EngineError::QueueNotFound)?;
            Ok(QueueRecord::decode(&entry.payload)?.policies)
        });
        read.await
    }

    /// The policy of this name, if the queue has it: what a signature refers to.
    ///
    /// # Errors
    /// [`EngineError::QueueNotFound`].
    pub async fn policy(&self, at: &QueueAddress, id: &str) -> Result<Option<StoredPolicy>> {
        Ok(policy::named(self.policies(at).await?, id))
    }

    /// Replaces the queue's stored access policies. *Set Queue ACL*.
    ///
    /// # Errors
    /// [`EngineError::QueueNotFound`].
    pub async fn set_policies(&self, at: &QueueAddress, policies: Vec<StoredPolicy>) -> Result<()> {
        self.change_queue(at, move |transaction, name, entry| {
            let record = QueueRecord { policies: policies.clone(), ..QueueRecord::decode(&entry.payload)? };
            catalog::write(transaction, name, entry.id, &record.encode());
            Ok(())
        })
        .await
    }

    /// Queues of an account by name, behind `after`, at most `limit`. *List Queues*.
    pub async fn list(
        &self,
        account: &AccountName,
        prefix: String,
        after: Option<String>,
        limit: usize,
    ) -> Result<Page<Queue>> {
        let account = account.clone();
        let listing = meta::read(&*self.meta, Weight::Scan, move |view| {
            let mut page = Page { entries: Vec::<Queue>::new(), next: None };
            catalog::scan(view, &account, Kind::Queue, &prefix, after.as_deref(), &mut |name, entry| {
                if page.entries.len() >= limit {
                    page.next = page.entries.last().map(|queue| queue.name.as_str().into());
                    return Ok(false);
                }
                let name = QueueName::parse(name).map_err(|_| EngineError::corrupt("the name of a queue"))?;
                page.entries.push(Queue { name, metadata: QueueRecord::decode(&entry.payload)?.metadata });
                Ok(true)
            })?;
            Ok(page)
        });
        listing.await
    }

    /// Adds a message at the end. *Put Message*.
    ///
    /// # Errors
    /// [`EngineError::QueueNotFound`].
    pub async fn put(&self, at: &QueueAddress, new: NewMessage) -> Result<Message> {
        let [tail, _] = halves(self.entropy.bits());
        self.run(at, Needs::Nothing, move |transaction, entry, active| {
            message::put(transaction, entry.id, active, &new, tail)
        })
        .await
    }

    /// Takes up to `count` visible messages, which stay invisible for `timeout`. *Get Messages*.
    ///
    /// # Errors
    /// [`EngineError::QueueNotFound`].
    pub async fn get(&self, at: &QueueAddress, count: usize, timeout: Duration) -> Result<Vec<Message>> {
        self.run(at, Needs::AllMessages, move |transaction, entry, active| {
            message::get(transaction, entry.id, active, count, timeout)
        })
        .await
    }

    /// Looks at up to `count` visible messages. *Peek Messages*.
    ///
    /// # Errors
    /// [`EngineError::QueueNotFound`].
    pub async fn peek(&self, at: &QueueAddress, count: usize) -> Result<Vec<Message>> {
        self.run(at, Needs::AllMessages, move |transaction, entry, active| {
            message::peek(transaction, entry.id, active, count)
        })
        .await
    }

    /// Makes a message visible again in `timeout`, perhaps with another text. *Update Message*.
    ///
    /// # Errors
    /// [`EngineError::QueueNotFound`], [`EngineError::MessageNotFound`],
    /// [`EngineError::PopReceiptMismatch`] if somebody else has got the message since, or
    /// [`EngineError::HiddenPastExpiry`] if it would expire before it could be got again.
    pub async fn update(
        &self,
        at: &QueueAddress,
        id: MessageId,
        receipt: PopReceipt,
        timeout: Duration,
        text: Option<Bytes>,
    ) -> Result<(PopReceipt, Timestamp)> {
        self.run(at, Needs::Nothing, move |transaction, entry, active| {
            message::update(transaction, entry.id, active, (id, receipt), timeout, text.as_ref())
        })
        .await
    }

    /// Deletes a message. *Delete Message*.
    ///
    /// # Errors
    /// [`EngineError::QueueNotFound`], [`EngineError::MessageNotFound`] or
    /// [`EngineError::PopReceiptMismatch`], as of [`Self::update`].
    pub async fn delete_message(&self, at: &QueueAddress, id: MessageId, receipt: PopReceipt) -> Result<()> {
        self.run(at, Needs::Nothing, move |transaction, entry, active| {
            message::delete(transaction, entry.id, active, (id, receipt))
        })
        .await
    }

    /// Deletes all messages. *Clear Messages*.
    ///
    /// # Errors
    /// [`EngineError::QueueNotFound`].
    pub async fn clear(&self, at: &QueueAddress) -> Result<()> {
        let active = Arc::clone(&self.active);
        self.change_queue(at, move |transaction, name, entry| {
            let id = transaction.now().ticks();
            catalog::write(transaction, name, id, &entry.payload);
            catalog::discard(transaction, name, entry.id);
            active.remove(entry.id);
            Ok(())
        })
        .await
    }

    /// Deletes the rows of messages that have expired by `now`, and lets go of the memory of queues that nobody
    /// uses. Gives how many rows it has looked at that were to be deleted; 0 when there is nothing to do just
    /// now. For a thread in the background.
    ///
    /// # Errors
    /// The store's.
    pub async fn expire_once(&self, now: Timestamp) -> Result<usize> {
        let mut expired = expiry::expire_active(&*self.meta, &self.active, now).await?;
        expired += self.walk.once(&*self.meta, &self.active, now).await?;
        self.active.drop_idle(now);
        Ok(expired)
    }

    /// Runs a verb on the queue's messages, in the scope of its id.
    ///
    /// The index is held from before the verb is submitted until it is durable (the verb holds it, too, should
    /// nobody wait any more), so it cannot be dropped in between. See [`active`].
    async fn run<T, F>(&self, at: &QueueAddress, needs: Needs, verb: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Transaction, &Entry, &ActiveQueue) -> Result<T> + Send + Sync + 'static,
    {
        let name = name_key(at);
        let verb = Arc::new(verb);
        loop {
            let id = find_id(&*self.meta, &name, EngineError::QueueNotFound).await?;
            let active = self.active.of(id);
            if needs == Needs::AllMessages {
                active.complete(&*self.meta, id).await?;
            }
            let (verb, held) = (Arc::clone(&verb), Arc::clone(&active));
            let indexed =
                move |transaction: &mut dyn Transaction, entry: Entry| verb(transaction, &entry, &held);
            let missing = EngineError::QueueNotFound;
            match commit_under(&*self.meta, &name, id, scope_of(id), missing, indexed).await {
                Ok(Some(answer)) => return Ok(answer),
                // The id is dead; the index, perhaps made anew after the deletion, must not outlive it.
                Ok(None) => self.active.remove(id),
                Err(EngineError::QueueNotFound) => {
                    self.active.remove(id);
                    return Err(EngineError::QueueNotFound);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Runs a verb on the queue's own record, in the scope of its name.
    async fn change_queue<F>(&self, at: &QueueAddress, verb: F) -> Result<()>
    where
        F: Fn(&mut dyn Transaction, &Key, &Entry) -> Result<()> + Send + 'static,
    {
        let name = name_key(at);
        let scope = name.scope();
        let checked = move |transaction: &mut dyn Transaction| {
            let entry = catalog::find(transaction, &name)?.ok_or(EngineError::QueueNotFound)?;
            verb(transaction, &name, &entry)
        };
        meta::commit(&*self.meta, scope, None, checked).await
    }
}

/// What a verb must find in the queue's index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// It is told which message is meant.
    Nothing,
    /// It looks for messages.
    AllMessages,
}

fn name_key(at: &QueueAddress) -> Key {
    catalog::key(&at.account, Kind::Queue, at.queue.as_str())
}

/// Metadata so that two that say the same are equal: the order in which they were given, and the case of their
/// names, mean nothing.
fn sorted(metadata: &Metadata) -> Vec<(String, &str)> {
    let mut sorted: Vec<_> =
        metadata.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str())).collect();
    sorted.sort();
    sorted
}

fn halves(bits: u128) -> [u64; 2] {
    let low = u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
    let high = u64::try_from(bits >> 64).unwrap_or_default();
    [low, high]
}
