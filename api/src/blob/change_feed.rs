//! The change feed of accounts that have one: from the engine's journal into the container `$blobchangefeed`.
//!
//! Pages "Change feed in Blob Storage" and "Process change feed in Azure Blob Storage". The engine writes what a verb
//! changed into a journal, in the verb's own commit, and knows no format. This module says for whom verbs are run
//! ([`deed`], [`cause`]), what of a change is an event ([`event`]), how events and documents are spelled ([`record`],
//! [`segment`]), and moves one into the other ([`ChangeFeed`]). It is here and not in the engine because Avro and JSON
//! are the wire's; it opens no timer: the program calls [`ChangeFeed::once`] again and again.
//!
//! # What a reader sees after a crash at any step
//! A round does these in order, each its own commit: the former hour's segment is closed, the hour's segment is made,
//! the feed is said to be readable up to it, the log is made with its header, and a block of events is appended *while
//! the same commit takes them out of the journal*. So an event is in the journal or in the log and never in both or
//! neither. All before the last step is written again when it is found missing and changes nothing for readers: a
//! segment whose log is missing or has no block is one without events. Writing the log first and the index behind it
//! was rejected: a crash between the two would hide events until something else changes.
//!
//! # What a round costs
//! As much as there is to do. It remembers how far it has read each account's journal, asks from there, and so never
//! walks over what it has taken out ([`BlobStore::changes`]). Accounts are found by a *look*: at the start, when
//! settings were changed, and each minute. That finds the accounts with a feed, and those with something left in their
//! journals, told before a feed was turned off, in an earlier process, or by a request that began before and ended
//! after. All of it goes into the feed, for only who finds a feed turned on tells the journal. Between looks only
//! accounts with a feed are asked, all in one read, and where there is none nothing is read at all. An account without
//! a feed that has told all is not forgotten, which would cost a walk from the beginning, but asked again at the next
//! look. What is remembered only spares work: a next process knows nothing and begins at the beginning, once.
//!
//! # What goes wrong
//! An entry of the journal that cannot be read is **passed over**: what it told is missing in the feed, everything else
//! goes on, in order. It stays in the journal, is logged as an error once in each process, and counted
//! ([`ChangeFeed::damaged`]), so that it does not go unseen. Stopping the account there was the alternative: it would
//! keep from readers all that comes after for the sake of one event that no wait brings back, while the journal grows
//! until the disk is full. Removing the entry was the other: nobody could look at it any more. It goes with its
//! account.
//!
//! Everything else that goes wrong with an account, a full disk or a damaged index, leaves it as it is and keeps no
//! other waiting; it is logged, and tried again at the next look.
//!
//! # One log for each hour
//! The service spreads a busy hour over several logs that are read side by side, ordered only for each blob. Here there
//! is one, in the order of all commits of the account. When it is long it goes on in a next file.
//!
//! # The hour that is not over
//! On the service `lastConsumable` names the last segment that is finished, and so events are read an hour late. Here
//! it names the newest segment, because all there is to wait for is the next round: what is in a log stays where it is,
//! and what comes is behind it, so a reader who comes back with a cursor misses nothing. `status` tells the truth
//! meanwhile: `Publishing`, and `Finalized` a while after the hour's end. Tests that wait an hour are tests that nobody
//! runs. It is up to the clients whether they read an hour that is not over: Python's and Java's do, JavaScript's and
//! .NET's wait.

use crate::head::Head;
use crate::{header, time};
use feed::Feed;
use segment::Hour;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use storage_engine::blob::{BlobStore, CHANGE_FEED, Cause, Deed};
use storage_engine::clock::{Clock, Timestamp};
use storage_engine::name::{AccountName, ContainerName};
use storage_engine::settings::{Service, SettingsStore};
use storage_engine::{Engine, EngineError};

mod event;
mod feed;
mod record;
mod segment;
#[cfg(test)]
mod tests;

type Result<T> = std::result::Result<T, EngineError>;

/// Most changes of one block: a reader holds a block in memory.
const CHANGES_MAX: usize = 1_000;
/// How often feeds in which nothing happens are looked after.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// How long after an hour's end its segment is finished: far longer than any commit takes.
const LATE: Duration = Duration::from_mins(15);
const DAY: Duration = Duration::from_hours(24);

/// What an operation does, as the feed has it; none if it is not told.
pub(super) fn deed(operation: &str) -> Option<Deed> {
    Some(match operation {
        "PutBlob" | "PutBlobFromUrl" => Deed::Put,
        "PutBlockList" => Deed::CommitBlockList,
        "CopyBlob" | "CopyBlobFromUrl" | "IncrementalCopyBlob" => Deed::Copy,
        "AbortCopyBlob" => Deed::AbortCopy,
        "DeleteBlob" => Deed::Delete,
        "UndeleteBlob" => Deed::Undelete,
        "SetBlobMetadata" => Deed::SetMetadata,
        "SetBlobProperties" => Deed::SetProperties,
        "SetBlobTags" => Deed::SetTags,
        "SetBlobTier" => Deed::SetTier,
        "SnapshotBlob" => Deed::Snapshot,
        _ => return None,
    })
}

/// Why a request changes something. A client's id that is no text is none.
pub(super) fn cause(deed: Deed, head: &Head) -> Cause {
    let client_request_id = head.text(header::X_MS_CLIENT_REQUEST_ID).ok().flatten();
    let client_request_id = client_request_id.unwrap_or_default().to_owned();
    Cause { deed, request_id: head.request_id.clone(), client_request_id }
}

/// Moves changes into feeds, and looks after those.
#[derive(Debug)]
pub struct ChangeFeed {
    store: BlobStore,
    settings: SettingsStore,
    clock: Arc<dyn Clock>,
    /// The accounts that have a feed or had something to tell since the process began.
    accounts: BTreeMap<AccountName, Reading>,
    /// When all were looked after last, and how often settings had been changed by then.
    looked: Option<(Timestamp, u64)>,
    /// Entries of journals that were passed over.
    damaged: u64,
}

/// How far the journal of an account was read, and whether it is read on.
#[derive(Debug, Default)]
struct Reading {
    /// Up to here. What is still in the journal before that is damaged.
    through: Timestamp,
    /// Whether the account has a feed, so that there may be more at any time.
    is_on: bool,
    /// Whether it is left alone until the next look: there is no more and no feed, or something went wrong.
    rests: bool,
}

/// What was read of a journal and is done with.
#[derive(Debug)]
struct Done {
    entries: usize,
    /// Of the last of them.
    through: Timestamp,
    /// Those that cannot be read, and why.
    damaged: Vec<(Timestamp, EngineError)>,
}

impl ChangeFeed {
    /// The feeds of the accounts of `engine`.
    pub fn new(engine: &Engine, clock: Arc<dyn Clock>) -> Self {
        let (store, settings) = (engine.blobs().clone(), engine.settings().clone());
        Self { store, settings, clock, accounts: BTreeMap::new(), looked: None, damaged: 0 }
    }

    /// How many entries of journals could not be read since the process began. They are in no feed, and still in the
    /// journals, unless their account is gone.
    pub const fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Does some of what there is to do, and gives how much it was: with 0 there is no hurry. To be called again and
    /// again, by one caller.
    ///
    /// # Errors
    /// [`EngineError::Closed`] when the store is, or that it cannot be read at all. What goes wrong with one account is
    /// logged and keeps nobody else.
    pub async fn once(&mut self) -> Result<usize> {
        self.look_when_due().await?;
        let followed = self.accounts.iter().filter(|(_, reading)| !reading.rests);
        let read: BTreeMap<_, _> =
            followed.map(|(account, reading)| (account.clone(), reading.through)).collect();
        if read.is_empty() {
            return Ok(0);
        }
        let waiting = self.store.accounts_with_more(read).await?;
        for (account, reading) in &mut self.accounts {
            reading.rests |= !reading.is_on && waiting.binary_search(account).is_err();
        }
        let mut done = 0;
        for account in waiting {
            let after = self.through(&account);
            let outcome = self.publish(&account, after).await;
            done += self.note(&account, outcome)?;
        }
        Ok(done)
    }

    /// Finds out which accounts there are to follow and looks after their feeds, if it is time to or settings changed.
    async fn look_when_due(&mut self) -> Result<()> {
        let (now, changes) = (self.clock.now(), self.settings.changes());
        let is_due =
            |(at, seen): (Timestamp, u64)| seen != changes || now < at || at.after(LOOK_EVERY) <= now;
        if !self.looked.is_none_or(is_due) {
            return Ok(());
        }
        if self.looked.is_none_or(|(_, seen)| seen != changes) {
            self.accounts.values_mut().for_each(|reading| reading.is_on = false);
            for account in self.settings.accounts_with_change_feed().await? {
                self.accounts.entry(account).or_default().is_on = true;
            }
        }
        let known = self.accounts.keys().cloned().collect();
        for account in self.store.accounts_with_changes(known).await? {
            self.accounts.entry(account).or_default();
        }
        self.accounts.values_mut().for_each(|reading| reading.rests = false);
        self.looked = Some((now, changes));
        let on = self.accounts.iter().filter(|(_, reading)| reading.is_on);
        for account in on.map(|(account, _)| account.clone()).collect::<Vec<_>>() {
            if let Err(error) = self.look_after(&account).await {
                give_up(&account, error)?;
            }
        }
        Ok(())
    }

    /// Up to where the account's journal was read.
    fn through(&self, account: &AccountName) -> Timestamp {
        self.accounts.get(account).map_or_else(Timestamp::default, |reading| reading.through)
    }

    /// Remembers how far an account was read, and gives how much that was. After a failure, which is logged, it is left
    /// alone until the next look.
    fn note(&mut self, account: &AccountName, outcome: Result<Done>) -> Result<usize> {
        let reading = self.accounts.entry(account.clone()).or_default();
        match outcome {
            Ok(done) => {
                reading.through = done.through;
                for (at, error) in done.damaged {
                    let at = time::iso8601(at);
                    tracing::error!(%error, %account, at, "a change cannot be read and is missing in the change feed");
                    self.damaged = self.damaged.saturating_add(1);
                }
                Ok(done.entries)
            }
            Err(error) => {
                reading.rests = true;
                give_up(account, error).map(|()| 0)
            }
        }
    }

    /// Moves the oldest changes of an account behind `after`, as many as are of one hour and fit into a block. What
    /// cannot be read stays where it is.
    async fn publish(&self, account: &AccountName, after: Timestamp) -> Result<Done> {
        let mut entries = self.store.changes(account, after, CHANGES_MAX).await?;
        let hour = entries.first().map(|first| Hour::of(first.at));
        entries.retain(|entry| Some(Hour::of(entry.at)) == hour);
        let through = entries.last().map_or(after, |last| last.at);
        let mut done = Done { entries: entries.len(), through, damaged: Vec::new() };
        let (mut told, mut events) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry.change {
                Ok(change) => {
                    told.push(change.at);
                    events.extend(event::of_change(account, &change));
                }
                Err(error) => done.damaged.push((entry.at, error)),
            }
        }
        match hour {
            Some(hour) if !events.is_empty() => {
                let feed = self.feed(account)?;
                feed.furnish().await?;
                let hour = feed.open_segment(hour).await?;
                feed.append(hour, &events, told).await?;
            }
            _ if told.is_empty() => {}
            _ => self.store.drop_changes(account, told).await?,
        }
        Ok(done)
    }

    /// Has a feed there from the beginning, its last segment finished when its hour is over, and old ones removed.
    async fn look_after(&self, account: &AccountName) -> Result<()> {
        let feed = self.feed(account)?;
        feed.furnish().await?;
        if self.store.changes(account, self.through(account), 1).await?.is_empty() {
            feed.finish_segment(LATE).await?;
        }
        let management = self.settings.get(account, Service::Blob).await?.blob.management;
        if let Some(days) = management.change_feed_retention {
            feed.remove_older(DAY.saturating_mul(days)).await?;
        }
        Ok(())
    }

    fn feed(&self, account: &AccountName) -> Result<Feed<'_>> {
        let container = ContainerName::parse(CHANGE_FEED).map_err(|_| EngineError::ContainerNotFound)?;
        Ok(Feed { store: &self.store, now: self.clock.now(), account: account.clone(), container })
    }
}

/// Says that something went wrong with an account, unless the store is closed, which is the end of all.
fn give_up(account: &AccountName, error: EngineError) -> Result<()> {
    if matches!(error, EngineError::Closed) {
        return Err(error);
    }
    tracing::warn!(%error, %account, "the change feed is not up to date; trying again later");
    Ok(())
}
