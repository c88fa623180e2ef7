//! The thread that owns the open segment: it gives each chunk its place and writes it.
//!
//! One thread, because the tail is then a plain variable and the file is written in order. It only copies into
//! the page cache; waiting for the device is the syncing thread's work.

use super::Shared;
use super::ledger::Freed;
use crate::chunk::{ChunkRef, format};
use crate::disk::DiskFile;
use crate::disk::handles::is_out_of_handles;
use crate::error::{EngineError, Result};
use crate::meta::Durability;
use bytes::Bytes;
use futures_channel::oneshot;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// A chunk to be written.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) parts: Vec<Bytes>,
    pub(super) len: u32,
    pub(super) sums: Vec<u64>,
    pub(super) answer: oneshot::Sender<Result<Unclaimed>>,
}

/// A chunk that is written and that its writer has not heard of yet. Dropped, because the writer has gone away,
/// it is given back.
#[derive(Debug)]
pub(super) struct Unclaimed {
    chunk: Option<ChunkRef>,
    shared: Arc<Shared>,
}

impl Unclaimed {
    pub(super) fn claim(mut self) -> Result<ChunkRef> {
        self.chunk.take().ok_or(EngineError::Closed)
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(chunk) = self.chunk {
            self.shared.ledger.free(Freed::Staged(vec![chunk]));
        }
    }
}

/// Works until nobody can send any more.
pub(super) fn run(shared: Arc<Shared>, appends: &Receiver<Append>, next_segment: u64) {
    let mut writer = Writer { shared, tail: None, next_segment };
    for append in appends {
        let written = writer.write(append.parts, append.len, &append.sums);
        let written =
            written.map(|chunk| Unclaimed { chunk: Some(chunk), shared: Arc::clone(&writer.shared) });
        // Nobody waits any more: dropping the answer gives the chunk back.
        let _ = append.answer.send(written);
    }
}

/// The open segment.
struct Tail {
    segment: u64,
    file: Arc<dyn DiskFile>,
    /// Where the next record goes.
    end: u64,
}

struct Writer {
    shared: Arc<Shared>,
    tail: Option<Tail>,
    next_segment: u64,
}

impl Writer {
    fn write(&mut self, mut parts: Vec<Bytes>, len: u32, sums: &[u64]) -> Result<ChunkRef> {
        self.shared.health.check()?;
        let record_bytes = format::extent_bytes(len);
        self.leave_reserve(record_bytes)?;
        let shared = Arc::clone(&self.shared);
        let tail = self.tail_for(record_bytes)?;
        let chunk = ChunkRef { segment: tail.segment, offset: tail.end, len };
        let impossible = || EngineError::corrupt("a chunk in memory, before it was written");
        parts.insert(0, format::encode_head(chunk, sums).ok_or_else(impossible)?);
        match tail.file.write_at(&parts, tail.end) {
            Ok(()) => {
                tail.end += record_bytes;
                shared.ledger.appended(chunk);
                if shared.durability == Durability::Sync {
                    shared.unsynced.wrote(chunk.segment, &tail.file);
                }
                Ok(chunk)
            }
            // What was written of it is cut off again; the next chunk goes to the same place.
            Err(error) if error.kind() == ErrorKind::StorageFull => match tail.file.set_len(tail.end) {
                Ok(()) => Err(EngineError::NoSpace),
                Err(error) => Err(shared.health.fail("cutting an unfinished chunk", error)),
            },
            Err(error) => Err(shared.health.fail("writing a chunk", error)),
        }
    }

    /// Refuses what would leave the records no room to be changed in, deletes among them.
    fn leave_reserve(&self, record_bytes: u64) -> Result<()> {
        let space = self.shared.files.disk().space();
        let space = space.map_err(|error| self.shared.health.fail("asking for free space", error))?;
        let wanted = self.shared.reserve_bytes.saturating_add(record_bytes);
        if space.free < wanted { Err(EngineError::NoSpace) } else { Ok(()) }
    }

    /// The open segment, or a new one if the record does not fit.
    fn tail_for(&mut self, record_bytes: u64) -> Result<&mut Tail> {
        let fits = |tail: &Tail| tail.end == 0 || tail.end + record_bytes <= self.shared.segment_bytes;
        let tail = match self.tail.take() {
            Some(tail) if fits(&tail) => tail,
            old => match self.begin_segment() {
                Ok(new) => {
                    if let Some(full) = old {
                        self.shared.ledger.filled(full.segment);
                    }
                    new
                }
                Err(error) => {
                    self.tail = old;
                    return Err(self.refused(error));
                }
            },
        };
        Ok(self.tail.insert(tail))
    }

    fn begin_segment(&mut self) -> io::Result<Tail> {
        let segment = self.next_segment;
        let file = self.shared.files.create(segment)?;
        self.next_segment += 1;
        self.shared.ledger.opened(segment);
        self.shared.unsynced.created();
        Ok(Tail { segment, file, end: 0 })
    }

    fn refused(&self, error: io::Error) -> EngineError {
        if error.kind() == ErrorKind::StorageFull || is_out_of_handles(&error) {
            error.into()
        } else {
            self.shared.health.fail("creating a segment", error)
        }
    }
}
