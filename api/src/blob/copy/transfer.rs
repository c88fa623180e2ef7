//! A pending copy on its way.
//!
//! It asks again and again whether it is still wanted, by noting how far it is: a copy that was called off, or whose
//! destination is not there any more, ends there, and what it had staged is given back. If it is the container that is
//! not there, it may have been renamed meanwhile, and the copy fails where its destination is now. It always says how
//! it ended, unless the process dies: then the engine fails it at the next start.
//!
//! A source on another server that breaks off is asked for the rest of the version that it was (`source/rest.rs`), a
//! few times for every step: a copy that waited for its turn, or takes longer than connections live, does not begin
//! anew. Pages that hold nothing but zeros are not written, so a sparse page blob stays sparse.
//!
//! An incremental copy of a blob of ours moves what the engine says has changed ([`difference`]). Of another server's
//! blob all bytes are read, and those written that differ from what is there: asking that server for its list of
//! changes would save reading, at the price of a request for each of them.

use super::in_chunks;
use crate::blob::source::{Source, broken_off, cut_short, is_broken_off};
use crate::error::{Intent, StorageError};
use crate::source::Sources;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use storage_engine::EngineError;
use storage_engine::blob::{BlobAddress, BlobKind, BlobStore, Block, Conditions, CopyEnd};
use storage_engine::chunk::Staged;
use storage_engine::clock::Timestamp;
use storage_engine::seal::EncryptionWish;

mod difference;

/// Bytes between two looks at whether the copy is still wanted.
const STEP_BYTES: u64 = 4 << 20;
/// Pieces between two such looks, of a source that gives few bytes at a time.
const STEP_PIECES: u32 = 256;
/// How often a source is asked for the rest of what it broke off, until it has given a step of it.
const RESUMED_MAX: u32 = 5;
/// Bytes of a page blob that are written, or left out, together.
const UNIT_BYTES: usize = 64 << 10;

/// A copy that was begun.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) store: BlobStore,
    pub(super) at: BlobAddress,
    /// The copy's id.
    pub(super) id: u128,
    /// What the destination is.
    pub(super) kind: BlobKind,
    pub(super) source: Source,
    /// That only what has changed is moved, and a snapshot taken at the end.
    pub(super) difference: Option<Difference>,
}

/// What an incremental copy moves: the changes between two snapshots of its source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Difference {
    /// The newer one.
    pub(super) snapshot: Timestamp,
    /// The older one, as which the destination's pages are; none if it has no pages yet.
    pub(super) since: Option<Timestamp>,
}

/// How far a transfer is.
#[derive(Debug, Default)]
struct Way {
    /// Bytes that have come.
    done: u64,
    /// Pieces that have come since the last look at whether the copy is still wanted.
    pieces: u32,
    /// How often the source was asked for its rest since the last step.
    resumed: u32,
}

impl Way {
    /// Goes on by so many bytes, and says whether that is time for a look.
    fn is_step(&mut self, bytes: u64) -> bool {
        let former = self.done;
        self.done += bytes;
        self.pieces += 1;
        let far = former / STEP_BYTES != self.done / STEP_BYTES;
        if far {
            self.resumed = 0;
        }
        let step = far || self.pieces >= STEP_PIECES;
        if step {
            self.pieces = 0;
        }
        step
    }
}

/// A copy that is being begun. If the request ends between the verb that makes the destination and the answer, because
/// the client hung up, the destination must not stay pending without anybody who moves bytes.
pub(super) struct Promise {
    transfer: Option<Transfer>,
    sources: Arc<dyn Sources>,
}

impl Promise {
    /// To be made before the verb is called.
    pub(super) fn new(transfer: Transfer, sources: &Arc<dyn Sources>) -> Self {
        Self { transfer: Some(transfer), sources: Arc::clone(sources) }
    }

    /// The pages of the destination are as this snapshot of the source.
    pub(super) fn since(&mut self, since: Option<Timestamp>) {
        let transfer = self.transfer.as_mut();
        if let Some(difference) = transfer.and_then(|transfer| transfer.difference.as_mut()) {
            difference.since = since;
        }
    }

    /// The destination is made: moves the bytes.
    pub(super) fn keep(mut self) {
        if let Some(transfer) = self.transfer.take() {
            self.sources.run(Box::pin(transfer.run()));
        }
    }

    /// The destination was refused.
    pub(super) fn forget(mut self) {
        self.transfer = None;
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(transfer) = self.transfer.take() {
            self.sources.run(Box::pin(transfer.give_up()));
        }
    }
}

impl Transfer {
    /// Says that nothing will be moved.
    async fn give_up(mut self) {
        let why = "500 InternalError \"The request ended before the copy began.\"";
        // That there is no such copy is the usual case: the verb was not carried out.
        let _ = self.finish(None, CopyEnd::Failed(why.to_owned())).await;
    }

    /// Moves all bytes, and says how it went.
    pub(super) async fn run(mut self) {
        let moved = match (self.difference, self.source.own.clone()) {
            (Some(difference), Some((own, which, _))) => {
                self.differences(&own, which, difference.since).await.map(|()| None)
            }
            _ => self.all().await,
        };
        let (bytes, end) = match moved {
            Ok(bytes) => (bytes, CopyEnd::Success),
            Err(error) => (None, CopyEnd::Failed(description(&error))),
        };
        if let Err(error) = self.finish(bytes, end).await {
            tracing::debug!(%error, "a copy was not finished, for it was called off or the store stopped");
        }
    }

    async fn finish(&mut self, bytes: Option<(Staged, Vec<Block>)>, end: CopyEnd) -> Result<(), EngineError> {
        let done = match (self.difference, &end) {
            (Some(Difference { snapshot, .. }), CopyEnd::Success) => {
                self.store.finish_incremental_copy(&self.at, self.id, snapshot).await.map(drop)
            }
            _ => self.store.finish_copy(&self.at, self.id, bytes, end).await.map(drop),
        };
        match done {
            Err(error @ (EngineError::NoCopyPending | EngineError::CopyIdMismatch)) => Err(error),
            Err(error) => {
                let gone = matches!(error, EngineError::ContainerNotFound);
                let why = description(&engine(error));
                if gone {
                    return self.store.fail_copy(self.id, why).await;
                }
                self.store.finish_copy(&self.at, self.id, None, CopyEnd::Failed(why)).await.map(drop)
            }
            Ok(()) => Ok(()),
        }
    }

    /// The next bytes; none at the end.
    async fn next(&mut self, way: &mut Way) -> Result<Option<Bytes>, StorageError> {
        loop {
            match self.source.bytes.next().await {
                Ok(Some(piece)) => {
                    if way.is_step(piece.len() as u64) {
                        self.note(way).await?;
                    }
                    return Ok(Some(piece));
                }
                Ok(None) if way.done == self.source.length => return Ok(None),
                Ok(None) => self.resume(way, cut_short()).await?,
                Err(error) if is_broken_off(&error) => self.resume(way, broken_off(error)).await?,
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks for the rest of a source that failed so.
    async fn resume(&mut self, way: &mut Way, failure: StorageError) -> Result<(), StorageError> {
        if way.resumed >= RESUMED_MAX || self.source.rest.is_none() {
            return Err(failure);
        }
        way.resumed += 1;
        self.note(way).await?;
        let rest = self.source.rest.as_ref().ok_or(failure)?;
        self.source.bytes = rest.from(way.done).await?;
        Ok(())
    }

    /// Notes how far the copy is, which fails if it is not wanted any more.
    async fn note(&mut self, way: &Way) -> Result<(), StorageError> {
        self.store.copy_progress(&self.at, self.id, way.done).await.map_err(engine)
    }

    async fn all(&mut self) -> Result<Option<(Staged, Vec<Block>)>, StorageError> {
        match self.kind {
            BlobKind::Page { .. } => self.pages().await.map(|()| None),
            BlobKind::Block | BlobKind::Append { .. } => self.whole().await.map(Some),
        }
    }

    async fn whole(&mut self) -> Result<(Staged, Vec<Block>), StorageError> {
        let sealing = self.store.sealing(&self.at, EncryptionWish::default()).await.map_err(engine)?;
        let blocks = std::mem::take(&mut self.source.blocks);
        let lengths: Vec<_> = blocks.iter().map(|block| block.length).collect();
        let (mut upload, mut way) = (self.store.upload_sealed(&sealing).in_parts(lengths), Way::default());
        while let Some(piece) = self.next(&mut way).await? {
            upload.write(piece).await.map_err(engine)?;
        }
        let chunked = in_chunks(self.kind, &blocks);
        let staged = if chunked { upload.finish_in_chunks().await } else { upload.finish().await };
        Ok((staged.map_err(engine)?, blocks))
    }

    async fn pages(&mut self) -> Result<(), StorageError> {
        let (mut gathered, mut offset, mut way) = (BytesMut::new(), 0, Way::default());
        while let Some(piece) = self.next(&mut way).await? {
            gathered.extend_from_slice(&piece);
            while gathered.len() >= UNIT_BYTES {
                let unit = gathered.split_to(UNIT_BYTES).freeze();
                offset = self.write(offset, unit).await?;
            }
        }
        self.write(offset, gathered.freeze()).await?;
        self.unchanged().await
    }

    /// Writes a part of a page blob, and gives where it ends.
    async fn write(&mut self, offset: u64, unit: Bytes) -> Result<u64, StorageError> {
        let end = offset + unit.len() as u64;
        if self.difference.is_some_and(|difference| difference.since.is_some()) && !unit.is_empty() {
            // The source is another server's, which has given all it has.
            self.store.renew_copied_pages(&self.at, self.id, offset, unit).await.map_err(engine)?;
        } else if unit.iter().any(|byte| *byte != 0) {
            self.store.write_copied_pages(&self.at, self.id, offset, vec![unit]).await.map_err(engine)?;
        }
        Ok(end)
    }

    /// A page blob of ours is read while others write it. What was read is of one version only if it has not changed.
    async fn unchanged(&mut self) -> Result<(), StorageError> {
        let Some((at, which, etag)) = &self.source.own else { return Ok(()) };
        let now = self.store.properties(at, *which, Conditions::default()).await.map_err(engine)?;
        if now.etag == *etag { Ok(()) } else { Err(crate::blob::source::changed()) }
    }
}

fn engine(error: EngineError) -> StorageError {
    StorageError::from_engine(error, Intent::Write)
}

/// For `x-ms-copy-status-description`.
fn description(error: &StorageError) -> String {
    let message = error.message.as_deref().unwrap_or_else(|| error.code.message());
    format!("{} {} \"{message}\"", error.code.status(), error.code.wire())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn a_look_comes_with_bytes_or_with_pieces_and_only_bytes_earn_trust() {
        let mut way = Way { resumed: 2, ..Way::default() };
        assert!(!way.is_step(STEP_BYTES - 1) && way.resumed == 2);
        assert!(way.is_step(1) && way.resumed == 0);
        way.resumed = 3;
        let looks = (0..2 * STEP_PIECES).filter(|_| way.is_step(1)).count();
        assert_eq!((looks, way.resumed, way.done), (2, 3, STEP_BYTES + u64::from(2 * STEP_PIECES)));
    }

    #[test]
    fn a_failure_is_described_by_status_code_and_words() {
        let error = StorageError::new(ErrorCode::BlobNotFound);
        assert_eq!(description(&error), "404 BlobNotFound \"The specified blob does not exist.\"");
    }
}
