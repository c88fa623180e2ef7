//! Append blobs: written at their end only.
//!
//! Each appended block is a page of the content, so appending costs the same however long the blob is, and a reader
//! or snapshot is never disturbed: its length says where its bytes end. See [`content`] for what happens when a
//! shorter blob has taken over the content of a longer one.

use crate::blob::record::place::{Place, State};
use crate::blob::record::properties::{BlobKind, EncryptionKey, Protection};
use crate::blob::record::{BlobRecord, Form};
use crate::blob::rule::guard::{self, Change};
use crate::blob::state::{self, content};
use crate::blob::{BLOCKS_MAX, BlobAddress, BlobStore, Conditions, NewBlob, Stamp, write};
use crate::chunk::{ChunkRef, Content, Staged};
use crate::error::{EngineError, Result};
use crate::meta::Transaction;
use crate::seal::Framing;
use std::collections::BTreeSet;

/// What an append blob must be for a block to be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AppendConditions {
    /// It must have so many bytes.
    pub position: Option<u64>,
    /// It must have at most so many bytes afterwards.
    pub length_max: Option<u64>,
}

/// What appending a block gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The blob's new version.
    pub stamp: Stamp,
    /// Where the block begins.
    pub offset: u64,
    /// How many blocks were appended so far.
    pub blocks: u32,
}

impl BlobStore {
    /// Makes an empty append blob. *Put Blob*.
    pub async fn create_append_blob(
        &self,
        at: &BlobAddress,
        new: NewBlob,
        conditions: Conditions,
        protection: Protection,
    ) -> Result<Stamp> {
        self.change(at, None, move |transaction, place| {
            let kind = BlobKind::Append { blocks: 0, sealed: false };
            let former = guard::to_replace(transaction, place, &conditions, kind, protection)?;
            write::drop_staged(transaction, place, &BTreeSet::new())?;
            write::retire(transaction, place, former.as_ref(), kind, protection)?;
            let record = BlobRecord::new(transaction.now(), 0, kind, &new, Form::Empty);
            Ok(write::put_base(transaction, place, record, former.as_ref(), protection))
        })
        .await
    }

    /// Appends a block. *Append Block*, *Append Block From URL*.
    ///
    /// The content has to come from [`crate::chunk::Upload::finish_in_chunks`].
    ///
    /// # Errors
    /// [`EngineError::BlobKindMismatch`], [`EngineError::BlobSealed`], [`EngineError::TooManyAppends`],
    /// [`EngineError::AppendPositionMismatch`], [`EngineError::AppendSizeExceeded`].
    pub async fn append_block(
        &self,
        at: &BlobAddress,
        content: Staged,
        append: AppendConditions,
        conditions: Conditions,
    ) -> Result<Appended> {
        let chunks = chunks(&content.content)?;
        let (length, key) = (content.length, content.sealed().cloned());
        self.change(at, Some(content), move |transaction, place| {
            append_to(transaction, place, (&chunks, length, key.as_ref()), append, &conditions)
        })
        .await
    }

    /// Seals an append blob, so that nothing can be appended any more. A sealed one stays so. *Seal Append Blob*.
    pub async fn seal(
        &self,
        at: &BlobAddress,
        append: AppendConditions,
        conditions: Conditions,
    ) -> Result<Stamp> {
        self.change(at, None, move |transaction, place| seal(transaction, place, append, &conditions)).await
    }
}

/// The chunks of a block.
pub(in crate::blob) fn chunks(content: &Content) -> Result<Vec<ChunkRef>> {
    match content {
        Content::Chunks(chunks) => Ok(chunks.clone()),
        Content::Inline(bytes) if bytes.is_empty() => Ok(Vec::new()),
        Content::Inline(_) => Err(EngineError::corrupt("a block was given that is not in chunks")),
    }
}

pub(in crate::blob) fn append_to(
    transaction: &mut dyn Transaction,
    place: &Place,
    (chunks, length, key): (&[ChunkRef], u64, Option<&EncryptionKey>),
    append: AppendConditions,
    conditions: &Conditions,
) -> Result<Appended> {
    let now = transaction.now();
    let (former, mut record) = appendable(transaction, place, conditions)?;
    let BlobKind::Append { blocks, sealed } = record.properties.kind else {
        return Err(EngineError::BlobKindMismatch);
    };
    if sealed {
        return Err(EngineError::BlobSealed);
    }
    conditions.check_customer_key(&record.properties)?;
    let blob_key = record.properties.encryption.as_ref().map(|encryption| &encryption.key);
    if blob_key != key {
        return Err(EngineError::CustomerKeyMismatch { encrypted: blob_key.is_some() });
    }
    let added = (chunks, Framing::of(blob_key));
    let offset = record.properties.length;
    append.check(offset, length)?;
    if usize::try_from(blocks).is_ok_and(|blocks| blocks >= BLOCKS_MAX) {
        return Err(EngineError::TooManyAppends);
    }
    record.form = content::append(transaction, place, (record.form, offset), now.ticks(), added)?;
    record.properties.length = offset.saturating_add(length);
    let blocks = blocks + 1;
    record.properties.kind = BlobKind::Append { blocks, sealed };
    write::touch(&mut record, now);
    state::store(transaction, place, State::Base, Some(&former), Some(&record));
    Ok(Appended { stamp: record.stamp(), offset, blocks })
}

fn seal(
    transaction: &mut dyn Transaction,
    place: &Place,
    append: AppendConditions,
    conditions: &Conditions,
) -> Result<Stamp> {
    let now = transaction.now();
    let (former, mut record) = appendable(transaction, place, conditions)?;
    let BlobKind::Append { blocks, sealed } = record.properties.kind else {
        return Err(EngineError::BlobKindMismatch);
    };
    append.check(record.properties.length, 0)?;
    if !sealed {
        record.properties.kind = BlobKind::Append { blocks, sealed: true };
        write::touch(&mut record, now);
    }
    state::store(transaction, place, State::Base, Some(&former), Some(&record));
    Ok(record.stamp())
}

/// The record as it is, and as it may be changed.
fn appendable(
    transaction: &dyn Transaction,
    place: &Place,
    conditions: &Conditions,
) -> Result<(BlobRecord, BlobRecord)> {
    let former = state::get(transaction, place, State::Base)?;
    let record = guard::to_change(transaction, place, conditions, Change::InPlace)?;
    Ok((state::not_found(former)?, record))
}

impl AppendConditions {
    fn check(self, length: u64, added: u64) -> Result<()> {
        if self.position.is_some_and(|position| position != length) {
            return Err(EngineError::AppendPositionMismatch);
        }
        match self.length_max {
            Some(max) if length.saturating_add(added) > max => Err(EngineError::AppendSizeExceeded),
            _ => Ok(()),
        }
    }
}
