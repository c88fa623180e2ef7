//! The container `$blobchangefeed` of one account: its index, its segments and their logs.
//!
//! # What is finished stays finished
//! Readers take a finished segment for one to which nothing comes: .NET's read no other, and none behind one that is
//! not. So a segment is finished before the next one is made, and nothing is written to it any more. Setting the clock
//! back changes nothing, for a segment is finished, and removed, by verbs of a later hour, and no verb after those has
//! an earlier time (see the journal). What a commit that hung for longer than finishing waits tells of a finished hour
//! goes into the segment behind it: the times of segments are approximate, on the page too.

use super::event::Event;
use super::segment::{self, Hour, Status};
use super::{Result, record};
use crate::avro;
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use storage_engine::EngineError;
use storage_engine::blob::{
    AppendConditions, BlobAddress, BlobEntry, BlobKind, BlobStore, Conditions, ContentHeaders,
    DeleteSnapshots, EtagMatch, ListBlobs, NewBlob, NewContainer, Page, Protection, Which,
};
use storage_engine::chunk::Staged;
use storage_engine::clock::Timestamp;
use storage_engine::name::{AccountName, BlobName, ContainerName};

/// A log takes no more blocks when it has so many, well below what an append blob can have.
const LOG_BLOCKS_MAX: u32 = 40_000;
/// A log takes no more blocks when it has so many bytes.
const LOG_BYTES_MAX: u64 = 256 << 20;
/// Blobs that are listed together.
const BLOBS_AT_A_TIME: usize = 1_000;
/// Old segments that are removed between two looks.
const SEGMENTS_AT_A_TIME: usize = 64;

/// The feed of one account.
pub(super) struct Feed<'a> {
    pub(super) store: &'a BlobStore,
    pub(super) now: Timestamp,
    pub(super) account: AccountName,
    pub(super) container: ContainerName,
}

impl Feed<'_> {
    /// Makes the container and what every feed begins with, if they are not there.
    pub(super) async fn furnish(&self) -> Result<()> {
        let (index, any) = (self.at(segment::SEGMENTS)?, Conditions::default());
        match self.store.properties(&index, Which::Base, any).await {
            Ok(_) => return Ok(()),
            Err(EngineError::BlobNotFound) => {}
            Err(EngineError::ContainerNotFound) => {
                let new = NewContainer::default();
                match self.store.create_container(&self.account, &self.container, new).await {
                    Ok(_) | Err(EngineError::ContainerExists) => {}
                    Err(error) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        }
        let first = Hour::first();
        self.write(&first.segment(), segment::manifest(first, true, self.now)).await?;
        self.write(segment::SEGMENTS, segment::segments(first, self.now)).await
    }

    async fn last_consumable(&self) -> Result<Hour> {
        let document = self.read(segment::SEGMENTS).await?;
        segment::last_consumable(&document).ok_or_else(|| EngineError::corrupt("the index of a change feed"))
    }

    async fn status(&self, hour: Hour) -> Result<Status> {
        match self.read(&hour.segment()).await {
            Ok(document) => Ok(Status::read(&document)),
            Err(EngineError::BlobNotFound) => Ok(Status::Absent),
            Err(error) => Err(error),
        }
    }

    /// The hour whose segment takes what changed in `hour`: the newest one, which this makes if need be.
    pub(super) async fn open_segment(&self, hour: Hour) -> Result<Hour> {
        let last = self.last_consumable().await?;
        let hour = match self.status(last).await? {
            Status::Publishing if hour <= last => return Ok(last),
            Status::Publishing => {
                self.write(&last.segment(), segment::manifest(last, true, self.now)).await?;
                hour
            }
            Status::Absent => hour.max(last),
            Status::Finalized => hour.max(last.next()),
        };
        self.write(&hour.segment(), segment::manifest(hour, false, self.now)).await?;
        self.write(segment::SEGMENTS, segment::segments(hour, self.now)).await?;
        Ok(hour)
    }

    /// Finishes the newest segment, if its hour was over for `late`.
    pub(super) async fn finish_segment(&self, late: Duration) -> Result<()> {
        let last = self.last_consumable().await?;
        if last == Hour::first() || last.end().after(late) > self.now {
            return Ok(());
        }
        match self.status(last).await? {
            Status::Absent => return Ok(()),
            Status::Publishing => {
                self.write(&last.segment(), segment::manifest(last, true, self.now)).await?;
            }
            // A process ended between these two.
            Status::Finalized => {}
        }
        self.write(segment::SEGMENTS, segment::segments(last.next(), self.now)).await
    }

    /// Appends events to the log of an hour, and takes the changes of these times, which they tell, out of the journal.
    pub(super) async fn append(&self, hour: Hour, events: &[Event], told: Vec<Timestamp>) -> Result<()> {
        let (name, position) = match self.last_log(hour).await? {
            (number, Some(length)) => (hour.log(number), length),
            (number, None) => (hour.log(number), self.make_log(&hour.log(number)).await?),
        };
        let block = self.stage(record::block(events, &self.sync(&name))).await?;
        let here = AppendConditions { position: Some(position), length_max: None };
        self.store.publish_changes(&self.at(&name)?, block, here, told).await.map(drop)
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
    pub(super) async fn make_log(&self, name: &str) -> Result<u64> {
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
    pub(super) async fn remove_older(&self, kept: Duration) -> Result<()> {
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

    pub(super) async fn list(&self, prefix: &str, after: Option<Vec<u8>>) -> Result<Page<BlobEntry>> {
        let prefix = prefix.to_owned();
        let list = ListBlobs { prefix, after, limit: BLOBS_AT_A_TIME, ..ListBlobs::default() };
        self.store.list(&self.account, &self.container, list).await
    }

    async fn stage(&self, bytes: Vec<u8>) -> Result<Staged> {
        let mut upload = self.store.upload();
        upload.write(bytes.into()).await?;
        upload.finish_in_chunks().await
    }

    pub(super) async fn write(&self, name: &str, document: String) -> Result<()> {
        let new = NewBlob { headers: content_type("application/json"), ..NewBlob::default() };
        let mut upload = self.store.upload();
        upload.write(document.into()).await?;
        let (staged, any) = (upload.finish().await?, Conditions::default());
        self.store.put_block_blob(&self.at(name)?, new, staged, any, Protection::default()).await.map(drop)
    }

    pub(super) async fn read(&self, name: &str) -> Result<Vec<u8>> {
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
