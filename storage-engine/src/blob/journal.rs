//! The journal: what verbs changed, kept until it is in the account's change feed.
//!
//! # An entry is part of the verb
//! A store that acts for somebody ([`BlobStore::on_behalf`]) runs each verb before a [`Witness`], which sees every
//! state that the verb writes and what stood there before, and puts one entry beside those writes. Both are in one
//! commit, so nothing that was acknowledged lacks its entry, and a verb that failed leaves none. The witness is the one
//! place where changes are told: a verb cannot forget to, and verbs of later builds are told without a line of theirs.
//! A line in each verb was the alternative; it would have been forgotten in the paths that are seldom taken. A store
//! that acts for nobody, which is that of an account without a feed, has no witness and pays nothing.
//!
//! # What an entry holds
//! The records of all states that changed, as they were and as they are, and no event. What is an event, and of what
//! kind, follows from both by a pure function, which belongs to whoever knows the feed's format. So the rules can
//! change without a record changing.
//!
//! | record | family | key |
//! |---|---|---|
//! | what one verb changed | `Change` | account, `00`, the verb's time |
//!
//! Fields behind the version: deed, id of the request, the client's id of it, the container's id and name, the blob's
//! name, count; of each state its kind, its id, its record before and after, if there was and is one.
//!
//! # Order
//! Times of verbs rise in the order in which they take effect, also over restarts and when the clock is set back, so
//! keys of one account are in the order of commits, and nothing ever comes to stand before what a reader has seen.
//! Hence [`BlobStore::publish_changes`] can say by one time which entries it has taken: all up to there.

use super::record::BlobRecord;
use super::record::place::{self, Place, State};
use super::state::tag_index::account_of;
use super::write::append::{self, AppendConditions, Appended};
use super::{BlobAddress, BlobProperties, BlobStore, Conditions};
use crate::catalog;
use crate::chunk::{ChunkRef, Staged};
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::meta::key::{KeyBuilder, successor};
use crate::meta::record::{Decoder, Encoder};
use crate::meta::{self, Family, Scope, Step, Transaction, View, Visit, Weight};
use crate::name::{AccountName, BlobName, ContainerName};
use crate::settings::{self, Service};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

const KIND: &str = "change";
const VERSION: u8 = 1;
/// The id of a request that nobody made.
const NO_REQUEST: &str = "00000000-0000-0000-0000-000000000000";

/// What somebody did, as far as the feed tells deeds apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "their names are the operations' that they stand for")]
pub enum Deed {
    Put,
    CommitBlockList,
    Copy,
    AbortCopy,
    Delete,
    Undelete,
    SetMetadata,
    SetProperties,
    SetTags,
    SetTier,
    Snapshot,
}

impl Deed {
    /// All deeds. Their places are their numbers in records: append only.
    const ALL: [Self; 11] = [
        Self::Put,
        Self::CommitBlockList,
        Self::Copy,
        Self::AbortCopy,
        Self::Delete,
        Self::Undelete,
        Self::SetMetadata,
        Self::SetProperties,
        Self::SetTags,
        Self::SetTier,
        Self::Snapshot,
    ];

    fn number(self) -> u8 {
        let place = Self::ALL.iter().position(|deed| *deed == self);
        place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
    }
}

/// Why something changes: what was asked for, and by which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What was asked for.
    pub deed: Deed,
    /// The server's id of the request.
    pub request_id: String,
    /// The client's id of it. Empty: it gave none.
    pub client_request_id: String,
}

impl Cause {
    /// That of what is done without a request.
    pub fn of_background(deed: Deed) -> Self {
        Self { deed, request_id: NO_REQUEST.to_owned(), client_request_id: String::new() }
    }
}

/// What a verb changed of one blob name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When: later than all changes before it.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
    /// The container.
    pub container: ContainerName,
    /// Its id, which another container of this name does not have.
    pub container_id: u64,
    /// The blob.
    pub blob: BlobName,
    /// The states that changed: past ones first, oldest first.
    pub states: Vec<StateChange>,
}

/// A state of a blob, before a verb and after it. It differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// Which.
    pub which: ChangedState,
    /// What it was; none: it was not there.
    pub former: Option<BlobProperties>,
    /// What it is; none: it is gone.
    pub new: Option<BlobProperties>,
}

/// Which state of a blob changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangedState {
    /// The blob as it is now.
    Base,
    /// The snapshot of this time.
    Snapshot(Timestamp),
    /// The former version of this time.
    Version(Timestamp),
    /// The blob, deleted and kept for a while.
    Deleted,
}

impl BlobStore {
    /// The same blobs; what verbs change is told to the account's journal, with this cause.
    #[must_use]
    pub fn on_behalf(&self, cause: Cause) -> Self {
        Self { cause: Some(Arc::new(cause)), ..self.clone() }
    }

    /// The oldest entries of the account's journal, at most `limit`, in order.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] if one is damaged, or the store's.
    pub async fn changes(&self, account: &AccountName, limit: usize) -> Result<Vec<Change>> {
        let beginning = beginning(account);
        meta::read(self.meta.as_ref(), Weight::Scan, move |view| {
            let mut found = Vec::new();
            view.scan(Family::Change, &beginning, successor(&beginning).as_deref(), &mut |key, value| {
                if found.len() >= limit {
                    return Ok(Step::Stop);
                }
                found.push(decode(key, value)?);
                Ok(Step::Next)
            })?;
            Ok(found)
        })
        .await
    }

    /// The accounts that have something in their journal, at most `limit`.
    ///
    /// # Errors
    /// As [`Self::changes`].
    pub async fn accounts_with_changes(&self, limit: usize) -> Result<Vec<AccountName>> {
        meta::read(self.meta.as_ref(), Weight::Scan, move |view| accounts(view, limit)).await
    }

    /// Appends a block to an append blob and takes all entries of the account's journal up to `through` out, in one
    /// commit: what the block tells is in the blob once, whatever crashes.
    ///
    /// # Errors
    /// As [`Self::append_block`].
    pub async fn publish_changes(
        &self,
        at: &BlobAddress,
        content: Staged,
        append: AppendConditions,
        through: Timestamp,
    ) -> Result<Appended> {
        let chunks: Vec<ChunkRef> = append::chunks(&content.content)?;
        let (length, account) = (content.length, at.account.clone());
        self.change(at, Some(content), move |transaction, place| {
            let any = Conditions::default();
            let appended = append::append_to(transaction, place, (&chunks, length, None), append, &any)?;
            retire(transaction, &account, through)?;
            Ok(appended)
        })
        .await
    }

    /// Takes all entries of the account's journal up to `through` out, which nobody is to be told.
    ///
    /// # Errors
    /// The store's.
    pub async fn drop_changes(&self, account: &AccountName, through: Timestamp) -> Result<()> {
        let account = account.clone();
        let scope = Scope(beginning(&account).into());
        let verb = move |transaction: &mut dyn Transaction| retire(transaction, &account, through);
        meta::commit(self.meta.as_ref(), scope, None, verb).await
    }
}

/// Runs a verb on a place, and tells what it changed.
pub(super) fn told<T>(
    transaction: &mut dyn Transaction,
    place: &Place,
    cause: &Cause,
    verb: impl FnOnce(&mut dyn Transaction) -> Result<T>,
) -> Result<T> {
    let mut witness = Witness { transaction, former: BTreeMap::new(), failed: None };
    let outcome = verb(&mut witness)?;
    let states = witness.states()?;
    if !states.is_empty() {
        let at = transaction.now();
        let key = KeyBuilder::behind(account_of(&place.container.0)).u64(at.ticks()).finish();
        transaction.put(Family::Change, &key, &encode(place, cause, &states)?);
    }
    Ok(outcome)
}

/// As [`told`], of what the background does, if the account has a feed.
pub(super) fn told_of_background(
    transaction: &mut dyn Transaction,
    place: &Place,
    deed: Deed,
    verb: impl FnOnce(&mut dyn Transaction) -> Result<()>,
) -> Result<()> {
    let account = account_name(account_of(&place.container.0))?;
    if settings::of_view(transaction, &account, Service::Blob)?.blob.management.change_feed {
        told(transaction, place, &Cause::of_background(deed), verb)
    } else {
        verb(transaction)
    }
}

/// A transaction that remembers what stood where states of blobs are written.
struct Witness<'a> {
    transaction: &'a mut dyn Transaction,
    /// What stood there, by key.
    former: BTreeMap<Vec<u8>, Option<Bytes>>,
    /// Why it could not be found out.
    failed: Option<EngineError>,
}

/// A state's key and its records before and after.
type Written = (Vec<u8>, Option<Bytes>, Option<Bytes>);

impl Witness<'_> {
    fn note(&mut self, family: Family, key: &[u8]) {
        if family != Family::Blob || self.former.contains_key(key) {
            return;
        }
        match self.transaction.get(family, key) {
            Ok(former) => drop(self.former.insert(key.to_vec(), former)),
            Err(error) => drop(self.failed.get_or_insert(error)),
        }
    }

    /// The states that are not as they were, by key.
    fn states(self) -> Result<Vec<Written>> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let mut states = Vec::new();
        for (key, former) in self.former {
            let new = self.transaction.get(Family::Blob, &key)?;
            let (_, state) = place::split_blob_key(&key)?;
            if new != former && state != State::Staging {
                states.push((key, former, new));
            }
        }
        Ok(states)
    }
}

impl View for Witness<'_> {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>> {
        self.transaction.get(family, key)
    }

    fn scan(&self, family: Family, from: &[u8], end: Option<&[u8]>, visit: &mut Visit<'_>) -> Result<()> {
        self.transaction.scan(family, from, end, visit)
    }

    fn last_at_or_before(&self, family: Family, from: &[u8], at: &[u8]) -> Result<Option<(Bytes, Bytes)>> {
        self.transaction.last_at_or_before(family, from, at)
    }
}

impl Transaction for Witness<'_> {
    fn now(&self) -> Timestamp {
        self.transaction.now()
    }

    fn clock(&self) -> Timestamp {
        self.transaction.clock()
    }

    fn put(&mut self, family: Family, key: &[u8], value: &[u8]) {
        self.note(family, key);
        self.transaction.put(family, key, value);
    }

    fn delete(&mut self, family: Family, key: &[u8]) {
        self.note(family, key);
        self.transaction.delete(family, key);
    }

    fn keep(&mut self, chunk: ChunkRef) {
        self.transaction.keep(chunk);
    }

    fn free(&mut self, chunk: ChunkRef) {
        self.transaction.free(chunk);
    }
}

/// How the keys of an account's entries begin.
fn beginning(account: &AccountName) -> Vec<u8> {
    [account.as_str().as_bytes(), &[0]].concat()
}

fn account_name(with_end: &[u8]) -> Result<AccountName> {
    let name = with_end.strip_suffix(&[0]).and_then(|name| std::str::from_utf8(name).ok());
    name.and_then(|name| AccountName::parse(name).ok()).ok_or_else(damaged)
}

fn accounts(view: &dyn View, limit: usize) -> Result<Vec<AccountName>> {
    let mut found = Vec::new();
    view.scan(Family::Change, &[], None, &mut |key, _| {
        if found.len() >= limit {
            return Ok(Step::Stop);
        }
        let with_end = account_of(key);
        found.push(account_name(with_end)?);
        Ok(successor(with_end).map_or(Step::Stop, Step::Seek))
    })?;
    Ok(found)
}

fn retire(transaction: &mut dyn Transaction, account: &AccountName, through: Timestamp) -> Result<()> {
    let first = beginning(account);
    let end = KeyBuilder::behind(&first).u64(through.ticks().saturating_add(1)).finish();
    let mut keys = Vec::new();
    transaction.scan(Family::Change, &first, Some(&end), &mut |key, _| {
        keys.push(key.to_vec());
        Ok(Step::Next)
    })?;
    for key in keys {
        transaction.delete(Family::Change, &key);
    }
    Ok(())
}

fn encode(place: &Place, cause: &Cause, states: &[Written]) -> Result<Vec<u8>> {
    let (id, _) = place.scope.0.split_first_chunk().ok_or_else(damaged)?;
    let container = catalog::name_of(&place.container.0).ok_or_else(damaged)?;
    let (blob, _) = place::decode_blob_key(&place.state(State::Base))?;
    let mut fields = Encoder::new(VERSION);
    fields.u8(cause.deed.number()).str(&cause.request_id).str(&cause.client_request_id);
    fields.u64(u64::from_be_bytes(*id)).str(container).str(&blob).count(states.len());
    for (key, former, new) in states {
        let (kind, id) = match place::split_blob_key(key)?.1 {
            State::Base => (0, 0),
            State::Snapshot(id) => (1, id.ticks()),
            State::Version(id) => (2, id.ticks()),
            State::Deleted => (3, 0),
            State::Staging => return Err(damaged()),
        };
        fields.u8(kind).u64(id);
        for record in [former, new] {
            fields.option(record.as_deref(), |fields, record| {
                fields.bytes(record);
            });
        }
    }
    Ok(fields.finish())
}

fn decode(key: &[u8], value: &[u8]) -> Result<Change> {
    let ticks = key.last_chunk().map(|ticks| u64::from_be_bytes(*ticks)).ok_or_else(damaged)?;
    let (_, mut fields) = Decoder::versioned(KIND, VERSION, value)?;
    let deed = Deed::ALL.get(usize::from(fields.u8()?)).copied().ok_or_else(damaged)?;
    let cause =
        Cause { deed, request_id: fields.str()?.to_owned(), client_request_id: fields.str()?.to_owned() };
    let change = Change {
        at: Timestamp::from_ticks(ticks),
        cause,
        container_id: fields.u64()?,
        container: ContainerName::parse(fields.str()?).map_err(|_| damaged())?,
        blob: BlobName::parse(fields.str()?).map_err(|_| damaged())?,
        states: (0..fields.count()?).map(|_| decode_state(&mut fields)).collect::<Result<_>>()?,
    };
    fields.finish()?;
    Ok(change)
}

fn decode_state(fields: &mut Decoder<'_>) -> Result<StateChange> {
    let (kind, id) = (fields.u8()?, Timestamp::from_ticks(fields.u64()?));
    let which = match kind {
        0 => ChangedState::Base,
        1 => ChangedState::Snapshot(id),
        2 => ChangedState::Version(id),
        3 => ChangedState::Deleted,
        _ => return Err(damaged()),
    };
    let mut record = || fields.option(|fields| Ok(BlobRecord::decode(fields.bytes()?)?.properties));
    Ok(StateChange { which, former: record()?, new: record()? })
}

fn damaged() -> EngineError {
    EngineError::corrupt("a change record")
}

#[cfg(test)]
mod tests;
