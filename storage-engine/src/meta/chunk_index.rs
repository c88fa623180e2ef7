//! Which chunks some record names, by place.
//!
//! The index is what the chunk floor recovers by: in a segment that was open when the engine ended, what is
//! not here is garbage. It is written in the batch that writes or removes the naming record, never apart.
//!
//! Layout, family [`Family::Chunk`]: key `segment: u64, offset: u64`; value, version 1: `len: u32`.

use super::key::{KeyBuilder, KeyReader, successor};
use super::record::{Decoder, Encoder};
use super::{EngineError, Family, Result, Step, View};
use crate::chunk::ChunkRef;

/// Called with chunks that no record names any more, once that is durable.
pub type Freed = Box<dyn Fn(&[ChunkRef]) + Send + Sync>;

const KIND: &str = "chunk index";
const VERSION: u8 = 1;

/// The highest segment of which a record names a chunk.
///
/// # Errors
/// The view's, or [`crate::EngineError::Corrupt`].
pub fn highest_chunk_segment(view: &dyn View) -> Result<Option<u64>> {
    let last = view.last_at_or_before(Family::Chunk, &[], &[u8::MAX; 16])?;
    last.map(|(key, _)| KeyReader::new(&key).u64()).transpose()
}

/// The chunks of `segment` that records name, by offset.
///
/// # Errors
/// The view's, or [`crate::EngineError::Corrupt`].
pub fn named_chunks(view: &dyn View, segment: u64) -> Result<Vec<ChunkRef>> {
    let from = KeyBuilder::new().u64(segment).finish();
    let mut chunks = Vec::new();
    view.scan(Family::Chunk, &from, successor(&from).as_deref(), &mut |key, value| {
        chunks.push(chunk(key, value)?);
        Ok(Step::Next)
    })?;
    Ok(chunks)
}

pub(super) fn key(chunk: ChunkRef) -> Vec<u8> {
    KeyBuilder::new().u64(chunk.segment).u64(chunk.offset).finish()
}

pub(super) fn value(chunk: ChunkRef) -> Vec<u8> {
    let mut fields = Encoder::new(VERSION);
    fields.u32(chunk.len);
    fields.finish()
}

fn chunk(key: &[u8], value: &[u8]) -> Result<ChunkRef> {
    let mut place = KeyReader::new(key);
    let (segment, offset) = (place.u64()?, place.u64()?);
    place.finish()?;
    let (_, mut fields) = Decoder::versioned(KIND, VERSION, value)?;
    let len = fields.u32()?;
    fields.finish()?;
    ChunkRef::checked(segment, offset, len).ok_or_else(|| EngineError::corrupt("a place in the chunk index"))
}
