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
//! Hence one time says how far somebody has read, and what is behind it is all that is new.
//!
//! # Nobody walks over what was taken out
//! A journal is a queue: entries come at its end and go at its beginning, and where millions went, the store keeps a
//! mark for each until it compacts. A look that begins at the beginning meets all of them before the first entry. So
//! every look is told how far its caller has read ([`BlobStore::changes`], [`BlobStore::accounts_with_more`]) and
//! begins there, and the verbs that take entries out are given their times and look for nothing. Only who has just
//! begun, and knows nothing, begins at the beginning ([`BlobStore::accounts_with_changes`]). How far an account was
//! read could be a record; it would be one more write of each block, to save one look of each process.
//!
//! # An entry that cannot be read
//! It is given as what it is, with its time, between those that can be read: one damaged record is no reason to keep
//! the rest of an account's changes from whoever wants them. What to do about it is for the caller to say. Nothing here
//! takes it out unasked.

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
use crate::meta::{self, Family, MetaStore, Scope, Step, Transaction, View, Visit, Weight};
use crate::name::{AccountName, BlobName, ContainerName};
use crate::settings::{self, Service};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const KIND: &str = "change";
const VERSION: u8 = 1;
/// Entries that [`clear`] takes out in one commit.
const KEYS_AT_A_TIME: usize = 1_000;
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

/// An entry of a journal.
#[derive(Debug, Clone)]
pub struct JournalEntry {
    /// When: later than all entries before it.
    pub at: Timestamp,
    /// What changed then; [`EngineError::Corrupt`] if the entry is damaged.
    pub change: Result<Change>,
}

impl JournalEntry {
    /// The entry of this key, which begins as those of its account do.
    fn read(beginning: &[u8], key: &[u8], value: &[u8]) -> Self {
        let mut ticks = [0; size_of::<u64>()];
        let behind = key.get(beginning.len()..).unwrap_or_default();
        ticks.iter_mut().zip(behind).for_each(|(byte, of_key)| *byte = *of_key);
        let at = Timestamp::from_ticks(u64::from_be_bytes(ticks));
        // A key that is no time is still somewhere between times, so that readers get past it.
        let change = if behind.len() == ticks.len() { decode(at, value) } else { Err(damaged()) };
        Self { at, change }
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

    /// The oldest entries of the account's journal behind `after`, in order, at most `limit`, and one if there is any.
    /// All that there are are behind the time 0.
    ///
    /// # Errors
    /// The store's. An entry that is damaged is given as such.
    pub async fn changes(
        &self,
        account: &AccountName,
        after: Timestamp,
        limit: usize,
    ) -> Result<Vec<JournalEntry>> {
        let (beginning, from) = (beginning(account), behind(account, after));
        meta::read(self.meta.as_ref(), Weight::Scan, move |view| {
            let mut found = Vec::new();
            view.scan(Family::Change, &from, successor(&beginning).as_deref(), &mut |key, value| {
                found.push(JournalEntry::read(&beginning, key, value));
                Ok(if found.len() < limit { Step::Next } else { Step::Stop })
            })?;
            Ok(found)
        })
        .await
    }

    /// Of these accounts, in order, those whose journals have an entry behind the time up to which they were read.
    ///
    /// # Errors
    /// The store's.
    pub async fn accounts_with_more(
        &self,
        read: BTreeMap<AccountName, Timestamp>,
    ) -> Result<Vec<AccountName>> {
        meta::read(self.meta.as_ref(), Weight::Scan, move |view| {
            let mut found = Vec::new();
            for (account, through) in &read {
                let (from, end) = (behind(account, *through), successor(&beginning(account)));
                view.scan(Family::Change, &from, end.as_deref(), &mut |_, _| {
                    found.push(account.clone());
                    Ok(Step::Stop)
                })?;
            }
            Ok(found)
        })
        .await
    }

    /// All accounts, in order, that have something in their journals and are not among `others`, whose journals are
    /// not looked at.
    ///
    /// # Errors
    /// The store's.
    pub async fn accounts_with_changes(&self, others: BTreeSet<AccountName>) -> Result<Vec<AccountName>> {
        meta::read(self.meta.as_ref(), Weight::Scan, move |view| {
            let (mut found, mut from) = (Vec::new(), Vec::new());
            for other in &others {
                let beginning = beginning(other);
                accounts_between(view, &from, Some(&beginning), &mut found)?;
                from = successor(&beginning).unwrap_or(beginning);
            }
            accounts_between(view, &from, None, &mut found)?;
            Ok(found)
        })
        .await
    }

    /// Appends a block to an append blob and takes the entries of these times out of the account's journal, in one
    /// commit: what the block tells is in the blob once, whatever crashes.
    ///
    /// # Errors
    /// As [`Self::append_block`].
    pub async fn publish_changes(
        &self,
        at: &BlobAddress,
        content: Staged,
        append: AppendConditions,
        told: Vec<Timestamp>,
    ) -> Result<Appended> {
        let chunks: Vec<ChunkRef> = append::chunks(&content.content)?;
        let (length, account) = (content.length, at.account.clone());
        self.change(at, Some(content), move |transaction, place| {
            let any = Conditions::default();
            let appended = append::append_to(transaction, place, (&chunks, length, None), append, &any)?;
            retire(transaction, &account, &told);
            Ok(appended)
        })
        .await
    }

    /// Takes the entries of these times out of the account's journal, which nobody is to be told.
    ///
    /// # Errors
    /// The store's.
    pub async fn drop_changes(&self, account: &AccountName, dropped: Vec<Timestamp>) -> Result<()> {
        let account = account.clone();
        let scope = Scope(beginning(&account).into());
        let verb = move |transaction: &mut dyn Transaction| {
            retire(transaction, &account, &dropped);
            Ok(())
        };
        meta::commit(self.meta.as_ref(), scope, None, verb).await
    }
}

/// Takes everything out of the journal of an account that goes: the next one of its name is not told of it.
pub(crate) async fn clear(meta: &dyn MetaStore, account: &AccountName) -> Result<()> {
    let beginning = beginning(account);
    let mut from = beginning.clone();
    loop {
        let (first, end) = (from.clone(), successor(&beginning));
        let read = meta::read(meta, Weight::Scan, move |view| {
            let mut keys = Vec::new();
            view.scan(Family::Change, &first, end.as_deref(), &mut |key, _| {
                keys.push(key.to_vec());
                Ok(if keys.len() < KEYS_AT_A_TIME { Step::Next } else { Step::Stop })
            })?;
            Ok(keys)
        });
        let keys = read.await?;
        let Some(last) = keys.last() else { return Ok(()) };
        from = [last.as_slice(), &[0]].concat();
        let remove = move |transaction: &mut dyn Transaction| {
            for key in &keys {
                transaction.delete(Family::Change, key);
            }
            Ok(())
        };
        meta::commit(meta, Scope(beginning.clone().into()), None, remove).await?;
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

/// Where the keys of an account's entries behind a time begin.
fn behind(account: &AccountName, after: Timestamp) -> Vec<u8> {
    key(account, Timestamp::from_ticks(after.ticks().saturating_add(1)))
}

fn key(account: &AccountName, at: Timestamp) -> Vec<u8> {
    KeyBuilder::behind(&beginning(account)).u64(at.ticks()).finish()
}

/// Finds the accounts that have entries from `from` on, below `end`, by one look each. What is nobody's is passed over.
fn accounts_between(
    view: &dyn View,
    from: &[u8],
    end: Option<&[u8]>,
    found: &mut Vec<AccountName>,
) -> Result<()> {
    view.scan(Family::Change, from, end, &mut |key, _| {
        let with_end = account_of(key);
        found.extend(account_name(with_end).ok());
        Ok(successor(with_end).map_or(Step::Stop, Step::Seek))
    })
}

fn retire(transaction: &mut dyn Transaction, account: &AccountName, times: &[Timestamp]) {
    for at in times {
        transaction.delete(Family::Change, &key(account, *at));
    }
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

fn decode(at: Timestamp, value: &[u8]) -> Result<Change> {
    let (_, mut fields) = Decoder::versioned(KIND, VERSION, value)?;
    let deed = Deed::ALL.get(usize::from(fields.u8()?)).copied().ok_or_else(damaged)?;
    let cause =
        Cause { deed, request_id: fields.str()?.to_owned(), client_request_id: fields.str()?.to_owned() };
    let change = Change {
        at,
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
