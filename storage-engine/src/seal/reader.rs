//! Reading sealed content as a stream.
//!
//! As [`ContentReader`](crate::chunk::ContentReader) it asks for the next piece before it waits for the current one,
//! and gives at most four units at once. Of a chunk into which a range begins it reads the salt first; behind that the
//! chunk's key is known.

use super::SealKey;
use super::unit::{self, ChunkKey, FILLED_BYTES, SALT_BYTES, STORED_BYTES, damaged};
use crate::chunk::{ChunkRef, ChunkStore, Pin, StoreFuture};
use crate::error::{EngineError, Result};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

/// Units that are read at once.
const PIECE_UNITS: u64 = 4;
/// Reads that are under way: a salt and two pieces.
const ASKED_MAX: usize = 3;
const STORED: u64 = STORED_BYTES as u64;
const FILLED: u64 = FILLED_BYTES as u64;
const SALT: u64 = SALT_BYTES as u64;

/// A part of sealed content, read piece by piece. Holds what it reads against reclaim until dropped.
pub struct SealedReader {
    store: Arc<dyn ChunkStore>,
    _pin: Pin,
    key: SealKey,
    /// Chunks that are not asked for, or not wholly.
    chunks: VecDeque<ChunkRef>,
    /// Where in the content of the first of them to go on.
    skipped: u64,
    /// Whether the first one's salt has been asked for.
    salted: bool,
    /// Bytes of content that were not asked for.
    unasked: u64,
    asked: VecDeque<Asked>,
    chunk_key: Option<ChunkKey>,
    failed: Option<EngineError>,
}

struct Asked {
    bytes: StoreFuture<Bytes>,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    /// The salt of the chunk whose units follow.
    Salt,
    Units(Units),
}

#[derive(Clone, Copy)]
struct Units {
    /// The number of the first one.
    first: u32,
    /// Whether the last one is the chunk's last.
    to_end: bool,
    /// Where in their content the piece begins, and its bytes.
    from: usize,
    bytes: usize,
}

impl fmt::Debug for SealedReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedReader").field("unasked", &self.unasked).finish_non_exhaustive()
    }
}

impl SealedReader {
    /// Reads `length` bytes of the content of `chunks`, from `first` on, which is in the first of them. The pin was
    /// taken before they were looked up.
    pub(crate) fn new(
        (store, pin): (Arc<dyn ChunkStore>, Pin),
        key: SealKey,
        chunks: Vec<ChunkRef>,
        (first, length): (u64, u64),
    ) -> Self {
        Self {
            store,
            _pin: pin,
            key,
            chunks: chunks.into(),
            skipped: first,
            salted: false,
            unasked: length,
            asked: VecDeque::new(),
            chunk_key: None,
            failed: None,
        }
    }

    /// The next bytes, in order; none at the end. After an error there is nothing but that error.
    ///
    /// # Errors
    /// The store's; [`EngineError::Corrupt`] for what does not open.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            self.ask_ahead();
            let Some(asked) = self.asked.front_mut() else {
                return self.failed.clone().map_or(Ok(None), Err);
            };
            // Awaited in place, as the reader of plain content does.
            let read = asked.bytes.as_mut().await;
            let what = asked.what;
            self.asked.pop_front();
            match read.and_then(|bytes| self.open(&bytes, what)) {
                Ok(None) => {}
                Ok(piece) => return Ok(piece),
                Err(error) => {
                    self.asked.clear();
                    self.unasked = 0;
                    self.failed = Some(error.clone());
                    return Err(error);
                }
            }
        }
    }

    fn ask_ahead(&mut self) {
        while self.failed.is_none() && self.asked.len() < ASKED_MAX && self.unasked > 0 {
            if let Err(error) = self.ask() {
                self.failed = Some(error);
            }
        }
    }

    fn ask(&mut self) -> Result<()> {
        let chunk = *self.chunks.front().ok_or_else(damaged)?;
        let content = u64::from(unit::content_bytes(chunk.len));
        let left = content.checked_sub(self.skipped).filter(|left| *left > 0).ok_or_else(damaged)?;
        let (first, behind) = ((self.skipped + SALT) / FILLED, (self.skipped + SALT) % FILLED);
        if first > 0 && !self.salted {
            let bytes = self.store.read(chunk, 0, unit::SALT);
            self.salted = true;
            self.asked.push_back(Asked { bytes, what: What::Salt });
            return Ok(());
        }
        // Pieces end where four units end, so that those of a long read lie on their bounds.
        let end = (first / PIECE_UNITS + 1) * PIECE_UNITS;
        let bytes = left.min(self.unasked).min(end * FILLED - SALT - self.skipped);
        let end = (self.skipped + bytes + SALT).div_ceil(FILLED);
        let (from, to) = (first * STORED, (end * STORED).min(chunk.len.into()));
        let from = u32::try_from(from).map_err(|_| damaged())?;
        let to = u32::try_from(to).map_err(|_| damaged())?;
        let units = Units {
            first: u32::try_from(first).map_err(|_| damaged())?,
            to_end: to == chunk.len,
            from: usize::try_from(if first == 0 { behind.saturating_sub(SALT) } else { behind })
                .map_err(|_| damaged())?,
            bytes: usize::try_from(bytes).map_err(|_| damaged())?,
        };
        let reading = self.store.read(chunk, from, to.saturating_sub(from));
        self.asked.push_back(Asked { bytes: reading, what: What::Units(units) });
        self.salted = true;
        self.unasked -= bytes;
        self.skipped += bytes;
        if self.skipped == content {
            (self.skipped, self.salted) = (0, false);
            self.chunks.pop_front();
        }
        Ok(())
    }

    fn open(&mut self, bytes: &Bytes, what: What) -> Result<Option<Bytes>> {
        let units = match what {
            What::Salt => {
                self.chunk_key = Some(ChunkKey::new(&self.key, bytes)?);
                return Ok(None);
            }
            What::Units(units) => units,
        };
        if units.first == 0 {
            let salt = bytes.get(..SALT_BYTES).ok_or_else(damaged)?;
            self.chunk_key = Some(ChunkKey::new(&self.key, salt)?);
        }
        let key = self.chunk_key.as_ref().ok_or_else(damaged)?;
        let mut content = BytesMut::with_capacity(bytes.len());
        let count = bytes.len().div_ceil(STORED_BYTES);
        for ((at, stored), index) in bytes.chunks(STORED_BYTES).enumerate().zip(units.first..) {
            let sealed = if index == 0 { stored.get(SALT_BYTES..).unwrap_or_default() } else { stored };
            key.open(index, units.to_end && at + 1 == count, sealed, &mut content)?;
        }
        let content = content.freeze();
        let part = content.get(units.from..).and_then(|behind| behind.get(..units.bytes));
        part.map(|part| Some(content.slice_ref(part))).ok_or_else(damaged)
    }
}
