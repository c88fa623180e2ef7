//! The metadata floor: ordered records, and verbs that change them atomically.
//!
//! # What is promised
//! - **A verb is a pure function** of what it reads, its request and the time it is given. It may be run more
//!   than once (an optimistic engine runs it again when what it read has changed), so it must not act on
//!   anything but its transaction.
//! - **Atomic inside one [`Scope`]**: one blob name, one queue, one partition of a table, one account's names of a kind
//!   in the catalogue. All records that a verb writes begin with its scope's bytes. What it reads *outside* its scope
//!   is committed, but may change before the verb commits. No verb needs more, and no engine underneath is asked for
//!   more.
//! - **Indexes are hints.** The families [`Family::Tag`], [`Family::Due`] and [`Family::Held`] sort by something else
//!   than scopes, so their keys cannot begin with one. What stands there only says where to look: whoever finds an
//!   entry reads the record it names and believes that, and an entry whose record says otherwise is passed over. The
//!   local engine writes them in the verb's batch; one that cannot may write an entry before the record and remove it
//!   after, and nothing is found less. Each entry names its scope, so no two verbs write the same one at once.
//! - **The journal is no hint.** [`Family::Change`] sorts by account and time, across scopes, and what a verb tells
//!   there is as much part of it as its other writes. Keys hold the verb's own time, so no two verbs write the same
//!   one. An engine that is atomic in one scope only would keep the entry in the scope and move it behind the commit,
//!   by time.
//! - **Serial**: verbs of one scope take effect one after another, each seeing all earlier ones.
//! - **Durable**: when [`MetaStore::submit`] reports success, the writes survive a power cut (with
//!   [`Durability::Sync`]).
//!
//! # The local engine
//! [`rocks`] runs *every* verb on one thread, against `RocksDB` and the writes of the verbs before it, and
//! commits what has gathered with one synced batch. A lock per scope held across the sync was the obvious
//! alternative and was rejected: a hot queue or table partition would then be bound to one verb per sync,
//! while here verbs of one scope share a sync as well as verbs of different ones do.
//!
//! # Why visitors and not iterators
//! [`View::scan`] hands records to a closure, which may jump ahead. An iterator would borrow the view and need
//! a second interface for jumping, which delimiter listings live on; and an overlay of uncommitted writes
//! would have to be a third iterator type visible to callers.

use crate::chunk::ChunkRef;
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use bytes::Bytes;
use std::fmt;
use std::future::Future;

/// Where a record lives. Each family is ordered by itself; a batch spans all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// The engine's own: the newest time that a verb was given.
    System,
    /// Accounts and their keys.
    Account,
    /// Containers, queues and tables by account and name.
    Catalog,
    /// What deleted ones of them have left behind, to be swept.
    Remains,
    /// Blobs: properties only, so that listings read nothing else.
    Blob,
    /// What blobs consist of: small payloads themselves, or pages of block lists.
    Content,
    /// Blocks staged and not yet committed.
    Staged,
    /// Volumes of page blobs: who uses them, and what is to be taken back.
    VolumeOwner,
    /// Index: blobs by their tags.
    Tag,
    /// Index: what is to be looked at when its time has come.
    Due,
    /// Index: states of blobs that must stay as they are.
    Held,
    /// Messages.
    Message,
    /// Entities.
    Entity,
    /// Volumes: what their files mean.
    Volume,
    /// Who may do what: role assignments, and the store's secret.
    Access,
    /// Chunks that some record names, by place: what is not here is free space.
    Chunk,
    /// Settings of accounts' services.
    Settings,
    /// Journal: what changed in accounts that have a change feed, until it is in the feed.
    Change,
}

impl Family {
    /// All families.
    pub const ALL: [Self; 18] = [
        Self::System,
        Self::Account,
        Self::Catalog,
        Self::Remains,
        Self::Blob,
        Self::Content,
        Self::Staged,
        Self::VolumeOwner,
        Self::Tag,
        Self::Due,
        Self::Held,
        Self::Message,
        Self::Entity,
        Self::Volume,
        Self::Access,
        Self::Chunk,
        Self::Settings,
        Self::Change,
    ];

    /// Whether its records are an index: hints in another order, written outside their verb's scope.
    pub const fn is_index(self) -> bool {
        matches!(self, Self::Tag | Self::Due | Self::Held)
    }

    /// Whether its records may be written outside their verb's scope: indexes, and the journal.
    pub const fn is_unscoped(self) -> bool {
        self.is_index() || matches!(self, Self::Change)
    }
}

/// The unit of atomicity: the bytes with which all keys of one blob name, queue, partition, or one account's names of a
/// kind begin.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope(pub Bytes);

/// What a scan does after a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Goes to the next record.
    Next,
    /// Goes to the first record at or behind this key, which must be greater than the record's own.
    Seek(Vec<u8>),
    /// Ends.
    Stop,
}

/// Called with each record's key and value.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<Step> + 'a;

/// Records as they are at one moment.
pub trait View {
    /// The record at `key`.
    ///
    /// # Errors
    /// [`EngineError::Meta`] if the store cannot read.
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>>;

    /// Visits the records from `from` on, below `end` if there is one, in key order.
    ///
    /// # Errors
    /// The visitor's, or [`EngineError::Meta`].
    fn scan(&self, family: Family, from: &[u8], end: Option<&[u8]>, visit: &mut Visit<'_>) -> Result<()>;

    /// The last record from `from` on and at or before `at`.
    ///
    /// # Errors
    /// [`EngineError::Meta`].
    fn last_at_or_before(&self, family: Family, from: &[u8], at: &[u8]) -> Result<Option<(Bytes, Bytes)>>;

    /// Which state of the records of `scope` this is: views of one opened store that give the same number hold the same
    /// records there, so what was made of them by one may be used by the other. The converse does not hold.
    ///
    /// None if the store cannot tell, be it in general or while something of the scope is being written. Writes in a
    /// wider or a narrower scope than exactly this one need not be noticed.
    fn state(&self, scope: &[u8]) -> Option<u64> {
        let _ = scope;
        None
    }

    /// The keys of all records of `scope` in [`Family::Entity`] that are others than in the state `since`, and perhaps
    /// of more; in no order. None if the store does not know any more, or never did.
    fn changed(&self, scope: &[u8], since: u64) -> Option<Vec<Vec<u8>>> {
        let _ = (scope, since);
        None
    }
}

/// What a verb reads and writes. It sees its own writes.
pub trait Transaction: View {
    /// The time of this run of the verb: later than that of every verb that took effect before, also across
    /// restarts and clock steps, so that it serves as version, snapshot id and `ETag`.
    fn now(&self) -> Timestamp;

    /// The clock's time at this run, by which a verb judges what is over, as reads do. Never later than [`Self::now`],
    /// and far before it where the clock was ahead once and has been set back: what must stay until a date must not go
    /// because the clock was wrong some other day.
    fn clock(&self) -> Timestamp;

    /// Writes a record.
    fn put(&mut self, family: Family, key: &[u8], value: &[u8]);

    /// Removes a record, if it is there.
    fn delete(&mut self, family: Family, key: &[u8]);

    /// Says that a record written by this verb names `chunk`, which none named before.
    fn keep(&mut self, chunk: ChunkRef);

    /// Says that no record names `chunk` any more. Its bytes are given back once the verb is durable.
    fn free(&mut self, chunk: ChunkRef);
}

/// A verb without its types, as a store runs it. Made by [`commit`].
pub trait Verb: Send {
    /// Runs the verb. `true`: commit what it wrote. `false`: it failed, drop what it wrote.
    fn run(&mut self, transaction: &mut dyn Transaction) -> bool;

    /// Called once, after the last run: with `Ok` when the verb failed by itself or its writes are durable.
    fn finish(self: Box<Self>, outcome: Result<()>);
}

/// A read without its types, as a store runs it. Made by [`read`].
pub trait Inquiry: Send {
    /// Runs the read against `view`. May be called again if the first run met data that is not in memory.
    fn run(&mut self, view: &dyn View);

    /// Called once, after the last run, or with the error that prevented it.
    fn finish(self: Box<Self>, outcome: Result<()>);
}

/// How long a read may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// A few records: run on the calling thread if they are in memory.
    Point,
    /// Many records: run on the store's own reader threads.
    Scan,
}

/// When a write is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// When it is on disk: survives power loss.
    #[default]
    Sync,
    /// When it is in the page cache: survives the process, not the machine.
    Os,
}

/// Records of one store. See the module's promises.
pub trait MetaStore: fmt::Debug + Send + Sync + 'static {
    /// Queues a verb; returns at once. The verb's `finish` is called from a thread of the store.
    fn submit(&self, scope: Scope, verb: Box<dyn Verb>);

    /// Runs a read on the newest committed state.
    fn inquire(&self, weight: Weight, inquiry: Box<dyn Inquiry>);
}

/// Deletes all records of a family whose keys begin with `prefix`.
pub(crate) fn delete_beginning(
    transaction: &mut dyn Transaction,
    family: Family,
    prefix: &[u8],
) -> Result<()> {
    let mut keys = Vec::new();
    transaction.scan(family, prefix, key::successor(prefix).as_deref(), &mut |key, _| {
        keys.push(key.to_vec());
        Ok(Step::Next)
    })?;
    for key in &keys {
        transaction.delete(family, key);
    }
    Ok(())
}

mod future;
pub use future::{commit, read};

pub mod chunk_index;
mod committer;
#[cfg(test)]
mod conformance;
mod inbox;
pub mod key;
#[cfg(any(test, feature = "testing"))]
pub mod memory;
mod overlay;
pub mod record;
pub mod rocks;
mod stamp;
pub(crate) use stamp::newest as newest_stamp;
