//! Reading one blob: its properties, and its bytes. Under this, listing and finding many, and noting that one was read.
//!
//! A reader is given the chunks of the range that it was asked for, and no more, when it is opened: the pages
//! that list them go when the blob is overwritten, while the chunks are held by the pin. That is some 20 bytes
//! of memory per chunk of the range. Reading pages on the way would need pins for records too.

use super::page::PageReader;
use super::record::place::Route;
use super::record::properties::Which;
use super::record::tags::Tags;
use super::record::{BlobRecord, Form};
use super::rule::{encryption, guard};
use super::state;
use super::state::content::{self, Cover};
use super::{BlobAddress, BlobProperties, BlobRead, BlobStore, ByteRange, Conditions};
use crate::chunk::ContentReader;
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::meta::{self, View, Weight};
use crate::page::{Epoch, VolumeId};
use crate::seal::page::PageCipher;
use crate::seal::{self, Framing, SealedReader};
use bytes::Bytes;
use std::sync::Arc;

pub(super) mod accessed;
mod find;
mod list;
pub use find::{FindBlobs, FoundBlob};

impl BlobStore {
    /// The blob's properties, or those of a snapshot or version. *Get Blob Properties*, *Get Blob Metadata*.
    pub async fn properties(
        &self,
        at: &BlobAddress,
        which: Which,
        conditions: Conditions,
    ) -> Result<BlobProperties> {
        let (at, now) = (at.clone(), self.clock.now());
        meta::read(self.meta.as_ref(), Weight::Point, move |view| {
            let record = find(view, &Route::find(view, &at)?, which, &conditions, now)?;
            conditions.check_customer_key(&record.properties)?;
            Ok(record.properties)
        })
        .await
    }

    /// Index tags. *Get Blob Tags*.
    pub async fn tags(&self, at: &BlobAddress, which: Which, conditions: Conditions) -> Result<Tags> {
        let (at, now) = (at.clone(), self.clock.now());
        meta::read(self.meta.as_ref(), Weight::Point, move |view| {
            Ok(find(view, &Route::find(view, &at)?, which, &conditions, now)?.properties.tags)
        })
        .await
    }

    /// Opens the blob, or a part of it, for reading. *Get Blob*.
    ///
    /// # Errors
    /// [`EngineError::RangeNotSatisfiable`] for a range that begins at or behind the end, which every range of
    /// an empty blob does; [`EngineError::BlobArchived`].
    pub async fn read(
        &self,
        at: &BlobAddress,
        which: Which,
        range: Option<ByteRange>,
        conditions: Conditions,
    ) -> Result<BlobRead> {
        self.read_from(at, (which, range), conditions, false).await
    }

    /// As [`Self::read`], also out of the archive: for a copy that lies in the archive itself for a while.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn read_archived(
        &self,
        at: &BlobAddress,
        which: Which,
        range: Option<ByteRange>,
        conditions: Conditions,
    ) -> Result<BlobRead> {
        self.read_from(at, (which, range), conditions, true).await
    }

    async fn read_from(
        &self,
        at: &BlobAddress,
        what: (Which, Option<ByteRange>),
        conditions: Conditions,
        archived: bool,
    ) -> Result<BlobRead> {
        // Before the records are read: what they name cannot go between the two.
        let pin = self.chunks.pin();
        let (at, now) = (at.clone(), self.clock.now());
        let opening = move |view: &dyn View| {
            let opened = open(view, &Route::find(view, &at)?, what, archived, (&conditions, now))?;
            let key = encryption::key_of(view, &at.account, &opened.properties, &conditions)?;
            Ok((opened, key))
        };
        let (opened, key) = meta::read(self.meta.as_ref(), Weight::Point, opening).await?;
        let Opened { properties, first, length, source } = opened;
        let reader = match (source, key) {
            (Source::Inline(bytes), key) => {
                let bytes = key.map_or(Ok(bytes.clone()), |key| seal::unit::open_whole(&key, &bytes))?;
                BlobReader::Content(ContentReader::inline(slice(&bytes, first, length)?))
            }
            (Source::Nothing, _) => BlobReader::Content(ContentReader::inline(Bytes::new())),
            (Source::Chunks(Cover { chunks, skipped }), None) => {
                let store = Arc::clone(&self.chunks);
                BlobReader::Content(ContentReader::new(store, pin, chunks, skipped, length))
            }
            (Source::Chunks(Cover { chunks, skipped }), Some(key)) => {
                let floor = (Arc::clone(&self.chunks), pin);
                BlobReader::Sealed(Box::new(SealedReader::new(floor, key, chunks, (skipped, length))))
            }
            (Source::Pages(volume, epoch), key) => {
                let cipher = key.map(|key| PageCipher::new(&key, volume)).transpose()?;
                BlobReader::Pages(self.pages()?.reader((volume, epoch), (first, length), cipher))
            }
        };
        Ok(BlobRead { properties, first, length, reader })
    }
}

/// The bytes of a blob that is open for reading.
#[derive(Debug)]
pub enum BlobReader {
    /// From chunks, or from a record.
    Content(ContentReader),
    /// From chunks that are encrypted.
    Sealed(Box<SealedReader>),
    /// From a volume.
    Pages(PageReader),
}

impl BlobReader {
    /// The next bytes, or none at the end.
    ///
    /// # Errors
    /// The floors', and [`EngineError::BlobNotFound`] if a page blob was deleted meanwhile.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        match self {
            Self::Content(reader) => reader.next().await,
            Self::Sealed(reader) => reader.next().await,
            Self::Pages(reader) => reader.next().await,
        }
    }
}

struct Opened {
    properties: BlobProperties,
    first: u64,
    length: u64,
    source: Source,
}

enum Source {
    /// All bytes of the content, as they are kept.
    Inline(Bytes),
    Nothing,
    Chunks(Cover),
    Pages(VolumeId, Option<Epoch>),
}

fn open(
    view: &dyn View,
    route: &Route,
    (which, range): (Which, Option<ByteRange>),
    archived: bool,
    (conditions, now): (&Conditions, Timestamp),
) -> Result<Opened> {
    let BlobRecord { properties, form } = find(view, route, which, conditions, now)?;
    guard::not_incremental(&properties)?;
    conditions.check_customer_key(&properties)?;
    if properties.is_archived() && !archived {
        return Err(EngineError::BlobArchived);
    }
    let (first, length) = match range {
        Some(range) => cut(range, properties.length)?,
        None => (0, properties.length),
    };
    let source = match form {
        Form::Inline(id) => Source::Inline(content::inline(view, &route.place, id)?),
        Form::Chunks(id, pages) if length > 0 => {
            let last = first + (length - 1);
            let framing = Framing::of(properties.encryption.as_ref());
            Source::Chunks(content::cover(view, &route.place, (id, pages, framing), first, last)?)
        }
        Form::Volume(volume, epoch) if length > 0 => Source::Pages(volume, epoch),
        // Blocks without bytes, or nothing at all.
        Form::Chunks(..) | Form::Volume(..) | Form::Empty => Source::Nothing,
    };
    Ok(Opened { properties, first, length, source })
}

pub(super) fn find(
    view: &dyn View,
    route: &Route,
    which: Which,
    conditions: &Conditions,
    now: Timestamp,
) -> Result<BlobRecord> {
    let found = state::find(view, &route.place, which, now)?;
    let (_, record) = found.ok_or(EngineError::BlobNotFound)?;
    guard::check_read(conditions, &record, now)?;
    Ok(record)
}

/// First byte and number of bytes of the range, as far as content of this length has it.
fn cut(range: ByteRange, length: u64) -> Result<(u64, u64)> {
    let end = range.last.map_or(length, |last| last.saturating_add(1).min(length));
    if range.first >= length || range.first >= end {
        return Err(EngineError::RangeNotSatisfiable { length });
    }
    Ok((range.first, end - range.first))
}

fn slice(bytes: &Bytes, first: u64, length: u64) -> Result<Bytes> {
    let bounds = usize::try_from(first).ok().zip(usize::try_from(length).ok());
    let (first, length) = bounds.unwrap_or((usize::MAX, 0));
    let part = bytes.get(first..).and_then(|behind| behind.get(..length));
    part.map(|part| bytes.slice_ref(part)).ok_or_else(|| EngineError::corrupt("the content of a blob"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u64, last: Option<u64>) -> ByteRange {
        ByteRange { first, last }
    }

    #[test]
    fn a_range_is_cut_at_the_end() {
        assert_eq!(cut(range(0, Some(9)), 10).unwrap(), (0, 10));
        assert_eq!(cut(range(9, Some(u64::MAX)), 10).unwrap(), (9, 1));
        assert_eq!(cut(range(3, None), 10).unwrap(), (3, 7));
        assert_eq!(cut(range(3, Some(3)), 10).unwrap(), (3, 1));
    }

    #[test]
    fn a_range_that_begins_at_the_end_is_refused_with_the_length() {
        for (first, length) in [(10, 10), (u64::MAX, 10), (0, 0)] {
            let refused = cut(range(first, None), length);
            assert!(
                matches!(refused, Err(EngineError::RangeNotSatisfiable { length: told }) if told == length)
            );
        }
        assert!(cut(range(5, Some(4)), 10).is_err());
    }

    use crate::blob::fixture::{Fixture, block_id, read_all};
    use crate::blob::record::place::State;
    use crate::blob::{BlockChoice, DeleteSnapshots, EtagMatch, NewBlob, Protection};
    use crate::clock::Etag;
    use crate::meta::Family;
    use futures_executor::block_on;
    use proptest::prelude::*;

    /// Content of 2,000 pieces and more: several pages, with blocks that begin on one and end on another.
    fn large(store: &Fixture) -> Vec<u8> {
        let mut content = Vec::new();
        let mut choices = Vec::new();
        for (index, length) in [700_usize, 0, 1, 513, 0, 0, 800].into_iter().enumerate() {
            let id = format!("{index}");
            let bytes: Vec<u8> = (0..length).map(|at| u8::try_from((at + index) % 251).unwrap()).collect();
            let at = store.at("large");
            block_on(store.blobs.stage_block(&at, block_id(&id), store.chunked(&bytes, 1), None)).unwrap();
            choices.push(BlockChoice::Uncommitted(block_id(&id)));
            content.extend(bytes);
        }
        let at = store.at("large");
        let commit = store.blobs.commit_block_list(
            &at,
            choices,
            NewBlob::default(),
            Conditions::default(),
            Protection::default(),
        );
        block_on(commit).unwrap();
        content
    }

    #[test]
    fn any_range_of_content_in_many_pages_is_what_was_written() {
        let store = Fixture::new();
        let content = large(&store);
        assert!(store.records(Family::Content) > 3);
        assert_eq!(store.read("large").unwrap(), content);
        let length = u64::try_from(content.len()).unwrap();
        proptest!(ProptestConfig::with_cases(200), |(a in 0..length, b in 0..length)| {
            let (first, last) = (a.min(b), a.max(b));
            let read = store.open("large", Some(range(first, Some(last)))).unwrap();
            prop_assert_eq!((read.first, read.length), (first, last - first + 1));
            let part = usize::try_from(first).unwrap()..=usize::try_from(last).unwrap();
            prop_assert_eq!(read_all(read).unwrap(), &content[part]);
        });
    }

    #[test]
    fn a_range_of_a_chunk_skips_to_its_beginning() {
        let store = Fixture::new();
        store.put("blob", store.chunked(b"0123456789", 4)).unwrap();
        let read = store.open("blob", Some(range(6, Some(8)))).unwrap();
        assert_eq!(read_all(read).unwrap(), b"678");
    }

    #[test]
    fn a_blob_without_bytes_is_read_but_has_no_ranges() {
        let store = Fixture::new();
        store.put("inline", store.inline(b"")).unwrap();
        store.put("chunked", store.chunked(b"", 1)).unwrap();
        store.stage("blocks", "1", b"").unwrap();
        let blocks = vec![BlockChoice::Latest(block_id("1"))];
        let at = store.at("blocks");
        block_on(store.blobs.commit_block_list(
            &at,
            blocks,
            NewBlob::default(),
            Conditions::default(),
            Protection::default(),
        ))
        .unwrap();
        for name in ["inline", "chunked", "blocks"] {
            assert_eq!(store.read(name).unwrap(), b"");
            let ranged = store.open(name, Some(range(0, None)));
            assert!(matches!(ranged, Err(EngineError::RangeNotSatisfiable { length: 0 })));
        }
    }

    #[test]
    fn a_download_goes_on_while_its_blob_is_overwritten_and_deleted() {
        let store = Fixture::new();
        store.put("blob", store.chunked(b"the former content", 3)).unwrap();
        let read = store.open("blob", None).unwrap();
        store.put("blob", store.chunked(b"new", 3)).unwrap();
        block_on(store.blobs.delete(
            &store.at("blob"),
            DeleteSnapshots::Refuse,
            Conditions::default(),
            Protection::default(),
        ))
        .unwrap();
        assert_eq!(read_all(read).unwrap(), b"the former content");
    }

    #[test]
    fn reads_keep_their_conditions() {
        let store = Fixture::new();
        let stamp = store.put("blob", store.inline(b"x")).unwrap();
        let at = store.at("blob");
        let unless =
            |etag| Conditions { if_none_match: vec![EtagMatch::Exactly(etag)], ..Conditions::default() };
        let known = block_on(store.blobs.read(&at, Which::Base, None, unless(stamp.etag)));
        assert!(matches!(known, Err(EngineError::NotModified { .. })));
        assert!(block_on(store.blobs.properties(&at, Which::Base, unless(Etag(1)))).is_ok());
        let other = Conditions { if_match: vec![EtagMatch::Exactly(Etag(1))], ..Conditions::default() };
        let read = block_on(store.blobs.properties(&at, Which::Base, other));
        assert!(matches!(read, Err(EngineError::PreconditionFailed)));
    }

    #[test]
    fn content_that_is_not_there_is_damage_and_not_bytes() {
        let store = Fixture::new();
        store.put("blob", store.chunked(b"content", 3)).unwrap();
        let route = store.meta.read_now(|view| Route::find(view, &store.at("blob"))).unwrap();
        let place = route.place.clone();
        block_on(meta::commit(store.meta.as_ref(), route.place.scope, None, move |transaction| {
            let record = state::get(transaction, &place, State::Base)?.unwrap();
            content::release(transaction, &place, record.form)
        }))
        .unwrap();
        assert!(matches!(store.read("blob"), Err(EngineError::Corrupt { .. })));
    }
}
