//! Reading content back as a stream of verified bytes.
//!
//! A reader hands out pieces of at most [`PIECE_BYTES_MAX`] and asks the store for the next piece before it
//! waits for the current one: stores begin to read when they are asked and not when they are awaited, so the
//! device works while the caller sends. What a reader holds in memory is two pieces.
//!
//! The list of chunks of large content is itself large. [`ContentReader::paged`] takes it page by page, from
//! whoever can read records, when the reader gets there; the pin keeps the chunks of later pages as well.

use super::{ChunkRef, ChunkStore, Pin, StoreFuture};
use crate::error::{EngineError, Result};
use bytes::Bytes;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

/// Most bytes that come at once: four units, which is enough for a device to be busy with.
pub const PIECE_BYTES_MAX: u32 = 256 << 10;

/// Gives the page of a chunk list that covers a place in the content: where the page begins in the content, and
/// its chunks, which follow each other without gaps.
pub type ChunkPages = Box<dyn FnMut(u64) -> Result<(u64, Vec<ChunkRef>)> + Send>;

/// A part of some content, read piece by piece. Holds what it reads against reclaim until dropped.
pub struct ContentReader {
    source: Source,
    /// Bytes that have not been handed out.
    left: u64,
}

enum Source {
    Inline(Bytes),
    Chunks(Box<Chunked>),
}

impl fmt::Debug for ContentReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentReader").field("left", &self.left).finish_non_exhaustive()
    }
}

impl ContentReader {
    /// Reads bytes that are here already.
    pub fn inline(bytes: Bytes) -> Self {
        Self { left: bytes.len() as u64, source: Source::Inline(bytes) }
    }

    /// Reads `length` bytes from `first` on, out of `chunks`. The pin is one that was taken before the chunks
    /// were looked up.
    pub fn new(store: Arc<dyn ChunkStore>, pin: Pin, chunks: Vec<ChunkRef>, first: u64, length: u64) -> Self {
        let mut all = Some(chunks);
        let pages = Box::new(move |_| Ok((0, all.take().unwrap_or_default())));
        Self::paged(store, pin, first, length, pages)
    }

    /// As [`ContentReader::new`], with the chunks taken from `pages` when they are needed.
    pub fn paged(store: Arc<dyn ChunkStore>, pin: Pin, first: u64, length: u64, pages: ChunkPages) -> Self {
        let chunked = Chunked {
            store,
            _pin: pin,
            pages,
            page: VecDeque::new(),
            page_first: 0,
            next: first,
            unasked: length,
            asked: VecDeque::new(),
            failed: None,
        };
        Self { left: length, source: Source::Chunks(Box::new(chunked)) }
    }

    /// Bytes that are still to come.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The next bytes, in order; none at the end. After an error there is nothing but that error.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.left == 0 {
            return Ok(None);
        }
        let piece = match &mut self.source {
            Source::Inline(bytes) => std::mem::take(bytes),
            Source::Chunks(chunked) => chunked.next().await?,
        };
        self.left = self.left.saturating_sub(piece.len() as u64);
        Ok(Some(piece))
    }
}

/// Content in chunks.
struct Chunked {
    store: Arc<dyn ChunkStore>,
    _pin: Pin,
    pages: ChunkPages,
    /// The chunks that are known and not behind us, the first of them at `page_first` in the content.
    page: VecDeque<ChunkRef>,
    page_first: u64,
    /// Where in the content the next piece begins that the store is asked for.
    next: u64,
    /// Bytes that the store was not asked for yet.
    unasked: u64,
    asked: VecDeque<StoreFuture<Bytes>>,
    failed: Option<EngineError>,
}

/// The pieces that the store reads at a time: the current one and the one after it.
const PIECES_AHEAD: usize = 2;

impl Chunked {
    async fn next(&mut self) -> Result<Bytes> {
        while self.failed.is_none() && self.asked.len() < PIECES_AHEAD && self.unasked > 0 {
            if let Err(error) = self.ask() {
                self.failed = Some(error);
            }
        }
        let Some(asked) = self.asked.front_mut() else {
            let short = || EngineError::corrupt("content ends before its length");
            return Err(self.failed.clone().unwrap_or_else(short));
        };
        // Awaited in place: should the caller give up waiting, the piece is still the next one.
        let piece = asked.as_mut().await;
        self.asked.pop_front();
        piece.inspect_err(|error| {
            self.asked.clear();
            self.failed = Some(error.clone());
        })
    }

    fn ask(&mut self) -> Result<()> {
        let (chunk, chunk_first) = self.chunk()?;
        let short = || EngineError::corrupt("content names chunks that do not fit together");
        let from = u32::try_from(self.next - chunk_first).map_err(|_| short())?;
        let len = (chunk.len - from).min(PIECE_BYTES_MAX - from % PIECE_BYTES_MAX);
        let len = u32::try_from(self.unasked).map_or(len, |unasked| len.min(unasked));
        self.asked.push_back(self.store.read(chunk, from, len));
        self.next += u64::from(len);
        self.unasked -= u64::from(len);
        Ok(())
    }

    /// The chunk that `next` lies in, and where it begins in the content.
    fn chunk(&mut self) -> Result<(ChunkRef, u64)> {
        if let Some(found) = self.chunk_of_page() {
            return Ok(found);
        }
        let (first, chunks) = (self.pages)(self.next)?;
        (self.page_first, self.page) = (first, chunks.into());
        self.chunk_of_page().ok_or_else(|| {
            EngineError::corrupt(format!("content has no chunk at {}, before its length", self.next))
        })
    }

    fn chunk_of_page(&mut self) -> Option<(ChunkRef, u64)> {
        while let Some(chunk) = self.page.front() {
            let end = self.page_first.saturating_add(u64::from(chunk.len));
            if self.next < end {
                return (self.next >= self.page_first).then_some((*chunk, self.page_first));
            }
            self.page_first = end;
            self.page.pop_front();
        }
        None
    }
}
