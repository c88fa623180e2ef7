//! How the records of contents are spelled: pages, and who owns them.
//!
//! | field of a page | |
//! |---|---|
//! | version | 1 |
//! | kind | `0`: the rest is the bytes; `1`: a count and so many pieces follow; `2` and `3`: no page, but a count of owners |
//! | piece `0` | a block begins: its id, its bytes |
//! | piece `1` | a chunk: segment, offset, bytes |

use super::Piece;
use crate::blob::record::codec;
use crate::blob::{Block, BlockId};
use crate::error::{EngineError, Result};
use crate::meta::record::{Decoder, Encoder};

const VERSION: u8 = 1;
const KIND: &str = "content";
const INLINE: u8 = 0;
const PIECES: u8 = 1;
/// So many records name the content, and it has so many pages.
const OWNERS: u8 = 2;
/// So many contents name the chunk; or, as the record of all chunks, so many chunks have such a record.
const SHARED: u8 = 3;
const BLOCK: u8 = 0;
const CHUNK: u8 = 1;

/// Who owns a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owners {
    pub(super) count: u64,
    pub(super) pages: u32,
}

/// A record of family `Content`.
pub(super) enum Page<'a> {
    Inline(&'a [u8]),
    Pieces(Vec<Piece>),
    Owners(Owners),
    Shared(u64),
}

impl Page<'_> {
    pub(super) fn pieces(self) -> Result<Vec<Piece>> {
        match self {
            Self::Pieces(pieces) => Ok(pieces),
            Self::Inline(_) | Self::Owners(_) | Self::Shared(_) => Err(missing()),
        }
    }
}

pub(super) fn encode_inline(bytes: &[u8]) -> Vec<u8> {
    let mut fields = Encoder::new(VERSION);
    fields.u8(INLINE).raw(bytes);
    fields.finish()
}

pub(super) fn encode_pieces(pieces: &[Piece]) -> Vec<u8> {
    let mut fields = Encoder::new(VERSION);
    fields.u8(PIECES).count(pieces.len());
    for piece in pieces {
        match piece {
            Piece::Block(Block { id, length }) => {
                fields.u8(BLOCK).bytes(id.as_bytes()).varint(*length);
            }
            Piece::Chunk(chunk) => codec::encode_chunk(fields.u8(CHUNK), *chunk),
        }
    }
    fields.finish()
}

pub(super) fn encode_owners(owners: Owners) -> Vec<u8> {
    let mut fields = Encoder::new(VERSION);
    fields.u8(OWNERS).varint(owners.count).u32(owners.pages);
    fields.finish()
}

pub(super) fn encode_shared(count: u64) -> Vec<u8> {
    let mut fields = Encoder::new(VERSION);
    fields.u8(SHARED).varint(count);
    fields.finish()
}

pub(super) fn decode(page: &[u8]) -> Result<Page<'_>> {
    let (_, mut fields) = Decoder::versioned(KIND, VERSION, page)?;
    match fields.u8()? {
        INLINE => Ok(Page::Inline(fields.rest())),
        PIECES => {
            let count = fields.count()?;
            let pieces = (0..count).map(|_| decode_piece(&mut fields)).collect::<Result<_>>()?;
            fields.finish()?;
            Ok(Page::Pieces(pieces))
        }
        OWNERS => {
            let owners = Owners { count: fields.varint()?, pages: fields.u32()? };
            fields.finish()?;
            Ok(Page::Owners(owners))
        }
        SHARED => {
            let count = fields.varint()?;
            fields.finish()?;
            Ok(Page::Shared(count))
        }
        _ => Err(fields.damaged()),
    }
}

fn decode_piece(fields: &mut Decoder<'_>) -> Result<Piece> {
    match fields.u8()? {
        BLOCK => {
            let id = BlockId::new(fields.bytes()?).map_err(|_| fields.damaged())?;
            Ok(Piece::Block(Block { id, length: fields.varint()? }))
        }
        CHUNK => codec::decode_chunk(fields).map(Piece::Chunk),
        _ => Err(fields.damaged()),
    }
}

/// A blob names content that is not there, or not of the form it says.
pub(super) fn missing() -> EngineError {
    EngineError::corrupt("the content of a blob")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::ChunkRef;
    use proptest::prelude::*;

    fn pieces() -> impl Strategy<Value = Piece> {
        prop_oneof![
            (proptest::collection::vec(any::<u8>(), 1..=64), any::<u64>())
                .prop_map(|(id, length)| Piece::Block(Block { id: BlockId::new(&id).unwrap(), length })),
            (any::<u64>(), 0..1_u64 << 48, 1..=1_u32 << 20)
                .prop_map(|(segment, offset, len)| Piece::Chunk(ChunkRef { segment, offset, len })),
        ]
    }

    proptest! {
        #[test]
        fn pages_come_back_as_they_were(pieces in proptest::collection::vec(pieces(), 0..20), bytes: Vec<u8>) {
            let page = encode_pieces(&pieces);
            prop_assert_eq!(decode(&page).unwrap().pieces().unwrap(), pieces);
            let page = encode_inline(&bytes);
            prop_assert!(matches!(decode(&page).unwrap(), Page::Inline(back) if back == bytes.as_slice()));
        }

        #[test]
        fn damaged_pages_are_errors_and_never_panics(page: Vec<u8>) {
            let _ = decode(&page);
        }
    }
}
