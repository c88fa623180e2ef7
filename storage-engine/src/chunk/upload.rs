//! An upload: a body on its way into chunks.
//!
//! Bytes are gathered as they come, without copying them, and summed while they are in the processor's cache.
//! When a chunk is full it is handed to the disk while the next one gathers; the one after that waits until the
//! first is written. So an upload holds two chunks' worth of memory plus what its caller hands it at once, and
//! a disk that is behind slows the sender down.
//!
//! Everything is gathered before anything is awaited: a `write` whose future is dropped half-way has taken its
//! bytes all the same, and the next call goes on where it stopped.

use super::format::UNIT_BYTES;
use super::{CHUNK_BYTES_MAX, ChunkRef, ChunkStore, Content, INLINE_BYTES_MAX, Staged, StoreFuture};
use crate::error::{EngineError, Result};
use crate::seal::unit::Sealer;
use bytes::{Bytes, BytesMut};
use crc_fast::{CrcAlgorithm, Digest};
use std::collections::VecDeque;
use std::fmt;
use std::mem::take;
use std::sync::Arc;

/// Pieces shorter than this are copied together: a part of its own costs more than its bytes.
const PART_BYTES_MIN: usize = 4 << 10;

/// A body on its way into chunks. Holds at most a few [`super::CHUNK_BYTES_MAX`] in memory; dropped, it leaves nothing.
pub struct Upload {
    store: Arc<dyn ChunkStore>,
    /// Boxed, as few uploads have one: an upload is moved through every future of its operation.
    sealer: Option<Box<Sealer>>,
    /// Bytes that are still to come of parts that are to have chunks of their own, in order.
    parts: VecDeque<u64>,
    /// CRC-64 of everything so far, and how much that is.
    crc: Digest,
    written: u64,
    gathering: Gathering,
    /// Full chunks that the disk has not been given yet.
    full: VecDeque<FullChunk>,
    /// The chunk that the disk is writing.
    in_flight: Option<StoreFuture<ChunkRef>>,
    chunks: Vec<ChunkRef>,
    failed: Option<EngineError>,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("written", &self.written).finish_non_exhaustive()
    }
}

impl Upload {
    /// A new, empty upload.
    pub fn new(store: Arc<dyn ChunkStore>) -> Self {
        Self {
            store,
            sealer: None,
            parts: VecDeque::new(),
            crc: Digest::new(CrcAlgorithm::Crc64Nvme),
            written: 0,
            gathering: Gathering::default(),
            full: VecDeque::new(),
            in_flight: None,
            chunks: Vec::new(),
            failed: None,
        }
    }

    /// The same, which encrypts what it is given. To be said before the first byte.
    #[must_use]
    pub(crate) fn sealed(mut self, sealer: Option<Sealer>) -> Self {
        self.sealer = sealer.map(Box::new);
        self
    }

    /// The same, in which no chunk has bytes of two of these parts, whose lengths are given in order. To be said before
    /// the first byte.
    #[must_use]
    pub fn in_parts(mut self, lengths: impl IntoIterator<Item = u64>) -> Self {
        self.parts = lengths.into_iter().collect();
        self
    }

    /// Bytes so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// CRC-64/NVME of the bytes so far.
    pub fn crc64(&self) -> u64 {
        self.crc.finalize()
    }

    /// Adds bytes at the end; waits while the disk is behind.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.gather(bytes);
        self.drain().await
    }

    /// Makes everything durable. Small content comes back inline and costs no sync of its own.
    pub async fn finish(mut self) -> Result<Staged> {
        self.end_seal();
        if self.written <= INLINE_BYTES_MAX as u64 && self.failed.is_none() {
            let content = Content::Inline(take(&mut self.gathering).into_bytes());
            return Ok(self.staged(content));
        }
        // Boxed, so that small content does not carry the future of large one.
        Box::pin(self.finish_in_chunks()).await
    }

    /// As [`Upload::finish`], but never inline: for content that later verbs would have to copy (blocks).
    pub async fn finish_in_chunks(mut self) -> Result<Staged> {
        self.end_seal();
        self.full.extend(take(&mut self.gathering).into_chunk());
        self.drain().await?;
        self.land().await?;
        if !self.chunks.is_empty() {
            self.store.sync().await?;
        }
        let content = Content::Chunks(take(&mut self.chunks));
        Ok(self.staged(content))
    }

    fn staged(&self, content: Content) -> Staged {
        let key = self.sealer.as_ref().map(|sealer| sealer.key().name().clone());
        Staged::new(content, self.written, self.crc64(), Arc::clone(&self.store)).sealed_with(key)
    }

    fn gather(&mut self, mut bytes: Bytes) {
        self.written += bytes.len() as u64;
        self.crc.update(&bytes);
        while let Some(left) = self.parts.front_mut() {
            let Some(ending) = usize::try_from(*left).ok().filter(|left| *left <= bytes.len()) else {
                *left -= bytes.len() as u64;
                break;
            };
            self.parts.pop_front();
            self.seal(bytes.split_to(ending));
            self.end_seal();
            self.full.extend(take(&mut self.gathering).into_chunk());
        }
        self.seal(bytes);
    }

    fn seal(&mut self, bytes: Bytes) {
        let Some(sealer) = &mut self.sealer else { return self.gather_stored(bytes) };
        let mut units = Vec::new();
        if let Err(error) = sealer.push(&bytes, &mut units) {
            self.failed.get_or_insert(error);
        }
        for unit in units {
            self.gather_stored(unit);
        }
    }

    /// Seals what has not filled a unit. Doing so again does nothing.
    fn end_seal(&mut self) {
        match self.sealer.as_deref_mut().map(Sealer::finish).transpose() {
            Ok(unit) => unit.flatten().into_iter().for_each(|unit| self.gather_stored(unit)),
            Err(error) => {
                self.failed.get_or_insert(error);
            }
        }
    }

    fn gather_stored(&mut self, mut bytes: Bytes) {
        while !bytes.is_empty() {
            let room = CHUNK_BYTES_MAX - self.gathering.len;
            let fitting = bytes.split_to(room.min(bytes.len()));
            self.gathering.push(fitting);
            if self.gathering.len == CHUNK_BYTES_MAX {
                self.full.extend(take(&mut self.gathering).into_chunk());
            }
        }
    }

    /// Hands full chunks to the disk, one at a time.
    async fn drain(&mut self) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        while !self.full.is_empty() {
            self.land().await?;
            if let Some(chunk) = self.full.pop_front() {
                self.in_flight = Some(self.store.append(chunk.parts, chunk.sums));
            }
        }
        Ok(())
    }

    /// Waits for the chunk that is being written.
    async fn land(&mut self) -> Result<()> {
        if let Some(in_flight) = &mut self.in_flight {
            let landed = in_flight.as_mut().await;
            self.in_flight = None;
            match landed {
                Ok(chunk) => self.chunks.push(chunk),
                Err(error) => {
                    self.failed = Some(error.clone());
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.chunks.is_empty() {
            self.store.discard(&self.chunks);
        }
    }
}

/// A chunk that waits for the disk.
struct FullChunk {
    parts: Vec<Bytes>,
    sums: Vec<u64>,
}

/// A chunk that is not full yet.
struct Gathering {
    parts: Vec<Bytes>,
    /// Short pieces behind `parts`, copied together.
    short: BytesMut,
    len: usize,
    sums: Vec<u64>,
    /// Of the unit that is not full yet, and how long that is.
    unit: Digest,
    unit_len: usize,
}

impl Default for Gathering {
    fn default() -> Self {
        Self {
            parts: Vec::new(),
            short: BytesMut::new(),
            len: 0,
            sums: Vec::new(),
            unit: Digest::new(CrcAlgorithm::Crc64Nvme),
            unit_len: 0,
        }
    }
}

impl Gathering {
    fn push(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        self.sum(&bytes);
        if bytes.len() < PART_BYTES_MIN {
            self.short.extend_from_slice(&bytes);
        } else {
            self.end_short();
            self.parts.push(bytes);
        }
    }

    fn sum(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = UNIT_BYTES as usize - self.unit_len;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.unit.update(now);
            self.unit_len += now.len();
            if self.unit_len == UNIT_BYTES as usize {
                self.end_unit();
            }
            bytes = later;
        }
    }

    fn end_unit(&mut self) {
        self.sums.push(self.unit.finalize_reset());
        self.unit_len = 0;
    }

    fn end_short(&mut self) {
        if !self.short.is_empty() {
            self.parts.push(self.short.split().freeze());
        }
    }

    fn into_chunk(mut self) -> Option<FullChunk> {
        if self.unit_len > 0 {
            self.end_unit();
        }
        self.end_short();
        (self.len > 0).then_some(FullChunk { parts: self.parts, sums: self.sums })
    }

    fn into_bytes(mut self) -> Bytes {
        self.end_short();
        match self.parts.as_slice() {
            // Copied even if it is one part: that may be a small slice of a large buffer, and would keep it.
            [] => Bytes::new(),
            parts => parts.concat().into(),
        }
    }
}
