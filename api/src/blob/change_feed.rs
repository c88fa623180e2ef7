//! The change feed of accounts that have one: from the engine's journal into the container `$blobchangefeed`.
//!
//! Pages "Change feed in Blob Storage" and "Process change feed in Azure Blob Storage". The engine writes what a verb
//! changed into a journal, in the verb's own commit, and knows no format. This module says for whom verbs are run
//! ([`deed`], [`cause`]), what of a change is an event ([`event`]), how events and documents are spelled ([`record`],
//! [`segment`]), and moves one into the other ([`ChangeFeed`]). It is here and not in the engine because Avro and JSON are
//! the wire's; it opens no timer: the program calls [`ChangeFeed::once`] again and again.
//!
//! # What a reader sees after a crash at any step
//! A round does these in order, each its own commit: the former hour's segment is closed, the hour's segment is made,
//! the feed is said to be readable up to it, the log is made with its header, and a block of events is appended *while
//! the same commit takes them out of the journal*. So an event is in the journal or in the log and never in both or
//! neither. All before the last step is written again when it is found missing and changes nothing for readers: a segment
//! whose log is missing or has no block is one without events. Nothing is kept in memory that a next process would
//! lack. Writing the log first and the index behind it was rejected: a crash between the two would hide events until
//! something else changes.
//!
//! # One log for each hour
//! The service spreads a busy hour over several logs that are read side by side, ordered only for each blob. Here there
//! is one, in the order of all commits of the account. When it is long it goes on in a next file.
//!
//! # The hour that is not over
//! On the service `lastConsumable` names the last segment that is finished, and so events are read an hour late. Here it
//! names the newest segment, because all there is to wait for is the next round: what is in a log stays where it is, and
//! what comes is behind it, so a reader who comes back with a cursor misses nothing. `status` tells the truth meanwhile:
//! `Publishing`, and `Finalized` a while after the hour's end. Tests that wait an hour are tests that nobody runs.

use crate::head::Head;
use crate::{avro, header};
use event::Event;
use segment::Hour;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::Duration;
use storage_engine::blob::{
    AppendConditions, BlobAddress, BlobEntry, BlobKind, BlobStore, CHANGE_FEED, Cause, Change, Conditions,
    ContentHeaders, Deed, DeleteSnapshots, EtagMatch, ListBlobs, NewBlob, NewContainer, Page, Protection,
    Which,
};
use storage_engine::chunk::Staged;
use storage_engine::clock::{Clock, Timestamp};
use storage_engine::name::{AccountName, BlobName, ContainerName};
use storage_engine::settings::{Service, SettingsStore};
use storage_engine::{Engine, EngineError};

mod event;
mod record;
mod segment;
#[cfg(test)]
mod tests;

type Result<T> = std::result::Result<T, EngineError>;

/// Most changes of one block: a reader holds a block in memory.
const CHANGES_MAX: usize = 1_000;
/// Accounts of one round: in all of them at most, so that none waits for ever for those before it.
const ACCOUNTS_MAX: usize = 100_000;
/// A log takes no more blocks when it has so many, well below what an append blob can have.
const LOG_BLOCKS_MAX: u32 = 40_000;
/// A log takes no more blocks when it has so many bytes.
const LOG_BYTES_MAX: u64 = 256 << 20;
/// How often feeds in which nothing happens are looked after.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// How long after an hour's end its segment is finished: far longer than any commit takes.
const LATE: Duration = Duration::from_mins(15);
/// Blobs that are listed together.
const BLOBS_AT_A_TIME: usize = 1_000;
/// Old segments that are removed between two looks.
const SEGMENTS_AT_A_TIME: usize = 64;
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
    /// When all feeds were looked after last, and how often settings had been changed by then.
    looked: Option<(Timestamp, u64)>,
}

impl ChangeFeed {
    /// The feeds of the accounts of `engine`.
    pub fn new(engine: &Engine, clock: Arc<dyn Clock>) -> Self {
        let (store, settings) = (engine.blobs().clone(), engine.settings().clone());
        Self { store, settings, clock, looked: None }
    }

    /// Does some of what there is to do, and gives how much it was: with 0 there is no hurry. To be called again and
    /// again, by one caller.
    ///
    /// # Errors
    /// [`EngineError::Closed`] when the store is. What goes wrong with one account is logged and keeps nobody else.
    pub async fn once(&mut self) -> Result<usize> {
        let mut done = 0;
        for account in self.store.accounts_with_changes(ACCOUNTS_MAX).await? {
            done += attempt(&account, self.publish(&account).await)?;
        }
        let (now, changes) = (self.clock.now(), self.settings.changes());
        let is_due =
            |(at, seen): (Timestamp, u64)| seen != changes || now < at || at.after(LOOK_EVERY) <= now;
        if self.looked.is_none_or(is_due) {
            self.looked = Some((now, changes));
            for account in self.settings.accounts_with_change_feed().await? {
                attempt(&account, self.look_after(&account).await.map(|()| 0))?;
            }
        }
        Ok(done)
    }

    /// Moves the oldest changes of an account, as many as are of one hour and fit into a block.
    async fn publish(&self, account: &AccountName) -> Result<usize> {
        let changes = self.store.changes(account, CHANGES_MAX).await?;
        let Some(first) = changes.first() else { return Ok(0) };
        let hour = Hour::of(first.at);
        let of_hour: Vec<&Change> = changes.iter().take_while(|change| Hour::of(change.at) == hour).collect();
        let through = of_hour.last().map_or(first.at, |change| change.at);
        let events: Vec<Event> =
            of_hour.iter().flat_map(|change| event::of_change(account, change)).collect();
        if events.is_empty() || !self.is_kept(account).await? {
            self.store.drop_changes(account, through).await?;
        } else {
            let feed = self.feed(account)?;
            let hour = feed.open_segment(hour).await?;
            feed.append(hour, &events, through).await?;
        }
        Ok(of_hour.len())
    }

    /// Whether the account's changes are told at all: it may be gone since, or its feed never have been.
    async fn is_kept(&self, account: &AccountName) -> Result<bool> {
        let on = self.settings.get(account, Service::Blob).await?.blob.management.change_feed;
        self.feed(account)?.is_there(on).await
    }

    /// Has a feed there from the beginning, its last segment finished when its hour is over, and old ones removed.
    async fn look_after(&self, account: &AccountName) -> Result<()> {
        let (feed, now) = (self.feed(account)?, self.clock.now());
        feed.is_there(true).await?;
        let last = feed.last_consumable().await?;
        let is_all = self.store.changes(account, 1).await?.is_empty();
        if is_all && last.end().after(LATE) <= now && feed.is_open(last).await? {
            feed.write(&last.segment(), segment::manifest(last, true, now)).await?;
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

/// How much was done for an account; nothing if it went wrong, which keeps no other waiting.
fn attempt(account: &AccountName, outcome: Result<usize>) -> Result<usize> {
    match outcome {
        Err(EngineError::Closed) => Err(EngineError::Closed),
        Err(error) => {
            tracing::warn!(%error, %account, "the change feed is not up to date; trying again later");
            Ok(0)
        }
        done => done,
    }
}

/// The feed of one account.
struct Feed<'a> {
    store: &'a BlobStore,
    now: Timestamp,
    account: AccountName,
    container: ContainerName,
}

impl Feed<'_> {
    /// Whether the feed is there; makes it if it is `wanted` and not.
    async fn is_there(&self, wanted: bool) -> Result<bool> {
        let (index, any) = (self.at(segment::SEGMENTS)?, Conditions::default());
        match self.store.properties(&index, Which::Base, any).await {
            Ok(_) => return Ok(true),
            Err(EngineError::ContainerNotFound) if !wanted => return Ok(false),
            Err(EngineError::ContainerNotFound) => {
                let new = NewContainer::default();
                match self.store.create_container(&self.account, &self.container, new).await {
                    Ok(_) | Err(EngineError::ContainerExists) => {}
                    Err(error) => return Err(error),
                }
            }
            Err(EngineError::BlobNotFound) => {}
            Err(error) => return Err(error),
        }
        let first = Hour::first();
        self.write(&first.segment(), segment::manifest(first, true, self.now)).await?;
        self.write(segment::SEGMENTS, segment::segments(first, self.now)).await?;
        Ok(true)
    }

    async fn last_consumable(&self) -> Result<Hour> {
        let document = self.read(segment::SEGMENTS).await?;
        segment::last_consumable(&document).ok_or_else(|| EngineError::corrupt("the index of a change feed"))
    }

    /// Whether the segment of this hour is there and not finished.
    async fn is_open(&self, hour: Hour) -> Result<bool> {
        match self.read(&hour.segment()).await {
            Ok(document) => Ok(segment::is_open(&document)),
            Err(EngineError::BlobNotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes the segment of this hour the newest, and gives the hour whose segment it is: never one before the newest.
    async fn open_segment(&self, hour: Hour) -> Result<Hour> {
        let last = self.last_consumable().await?;
        if hour <= last {
            return Ok(last);
        }
        if self.is_open(last).await? {
            self.write(&last.segment(), segment::manifest(last, true, self.now)).await?;
        }
        self.write(&hour.segment(), segment::manifest(hour, false, self.now)).await?;
        self.write(segment::SEGMENTS, segment::segments(hour, self.now)).await?;
        Ok(hour)
    }

    /// Appends events to the log of an hour, and takes the changes up to `through` out of the journal.
    async fn append(&self, hour: Hour, events: &[Event], through: Timestamp) -> Result<()> {
        let (name, position) = match self.last_log(hour).await? {
            (number, Some(length)) => (hour.log(number), length),
            (number, None) => (hour.log(number), self.make_log(&hour.log(number)).await?),
        };
        let block = self.stage(record::block(events, &self.sync(&name))).await?;
        let here = AppendConditions { position: Some(position), length_max: None };
        self.store.publish_changes(&self.at(&name)?, block, here, through).await.map(drop)
    }

    /// The number of the log to write to, and how long it is; none if it is to be made.
    async fn last_log(&self, hour: Hour) -> Result<(u32, Option<u64>)> {
        let (mut number, mut after) = (0, None);
        let mut newest = None;
        loop {
            let page = self.list(&hour.logs(), after).await?;
            for entry in page.entries {
                if let BlobEntry::Blob(_, properties) = entry {
                    newest = Some(properties);
                    number += 1;
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(match newest.map(|log| (log.kind, log.length)) {
            Some((BlobKind::Append { blocks, .. }, length))
                if blocks < LOG_BLOCKS_MAX && length < LOG_BYTES_MAX =>
            {
                (number - 1, Some(length))
            }
            _ => (number, None),
        })
    }

    /// Makes a log of a header and no events, and gives its length. It is never seen without the header, which readers
    /// would take for damage.
    async fn make_log(&self, name: &str) -> Result<u64> {
        let header = self.stage(avro::header(record::SCHEMA, &self.sync(name))).await?;
        let length = header.length;
        let new = NewBlob { headers: content_type("avro/binary"), ..NewBlob::default() };
        let kind = BlobKind::Append { blocks: 1, sealed: false };
        let absent = Conditions { if_none_match: vec![EtagMatch::Any], ..Conditions::default() };
        let at = self.at(name)?;
        self.store
            .put_copied_blob(&at, new, (kind, header, Vec::new()), absent, Protection::default())
            .await?;
        Ok(length)
    }

    /// What stands between the blocks of a log. No event can hold it: it is no text.
    fn sync(&self, name: &str) -> avro::Sync {
        let digest = Sha256::new().chain_update(self.account.as_str()).chain_update(name).finalize();
        let mut sync = avro::Sync::default();
        sync.iter_mut().zip(digest).for_each(|(byte, of_digest)| *byte = of_digest);
        // The first byte of a sequence of which the rest is missing.
        sync[0] = 0xFF;
        sync
    }

    /// Removes segments that were over for longer than this: first their logs, so that none is left that nothing names.
    async fn remove_older(&self, kept: Duration) -> Result<()> {
        let old = |hour: &Hour| *hour != Hour::first() && hour.end().after(kept) <= self.now;
        let names = self.list(segment::INDEX, None).await?.entries;
        let hours = names.iter().filter_map(|entry| match entry {
            BlobEntry::Blob(name, _) => Hour::of_segment(name.as_str()),
            _ => None,
        });
        for hour in hours.filter(old).take(SEGMENTS_AT_A_TIME) {
            for entry in self.list(&hour.logs(), None).await?.entries {
                if let BlobEntry::Blob(name, _) = entry {
                    self.delete(name.as_str()).await?;
                }
            }
            self.delete(&hour.segment()).await?;
        }
        Ok(())
    }

    async fn delete(&self, name: &str) -> Result<()> {
        let (any, protection) = (Conditions::default(), Protection::default());
        match self.store.delete(&self.at(name)?, DeleteSnapshots::Include, any, protection).await {
            Ok(_) | Err(EngineError::BlobNotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn list(&self, prefix: &str, after: Option<Vec<u8>>) -> Result<Page<BlobEntry>> {
        let prefix = prefix.to_owned();
        let list = ListBlobs { prefix, after, limit: BLOBS_AT_A_TIME, ..ListBlobs::default() };
        self.store.list(&self.account, &self.container, list).await
    }

    async fn stage(&self, bytes: Vec<u8>) -> Result<Staged> {
        let mut upload = self.store.upload();
        upload.write(bytes.into()).await?;
        upload.finish_in_chunks().await
    }

    async fn write(&self, name: &str, document: String) -> Result<()> {
        let new = NewBlob { headers: content_type("application/json"), ..NewBlob::default() };
        let mut upload = self.store.upload();
        upload.write(document.into()).await?;
        let (staged, any) = (upload.finish().await?, Conditions::default());
        self.store.put_block_blob(&self.at(name)?, new, staged, any, Protection::default()).await.map(drop)
    }

    async fn read(&self, name: &str) -> Result<Vec<u8>> {
        let mut blob = self.store.read(&self.at(name)?, Which::Base, None, Conditions::default()).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = blob.reader.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    fn at(&self, name: &str) -> Result<BlobAddress> {
        let blob = BlobName::parse(name).map_err(|_| EngineError::BlobNotFound)?;
        Ok(BlobAddress { account: self.account.clone(), container: self.container.clone(), blob })
    }
}

fn content_type(name: &str) -> ContentHeaders {
    ContentHeaders { content_type: name.to_owned(), ..ContentHeaders::default() }
}
