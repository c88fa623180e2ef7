//! The blocks of a block blob that is copied: the copy has the same list of them (page "Copy Blob").
//!
//! The bytes come as one stream, and whoever uploads them begins a chunk with each block
//! ([`crate::chunk::Upload::in_parts`]). Here the list is put between the chunks again. A list that does not fit the
//! chunks is a mistake of the caller and not written, because a content that says something else than its bytes could
//! not be read.

use crate::blob::Block;
use crate::blob::record::Form;
use crate::blob::record::place::Place;
use crate::blob::state::content::{self, Piece};
use crate::chunk::Content;
use crate::error::{EngineError, Result};
use crate::meta::Transaction;
use crate::seal::Framing;

/// Writes new content that consists of these blocks; of no blocks, if there are none.
pub(in crate::blob) fn write(
    transaction: &mut dyn Transaction,
    place: &Place,
    id: u64,
    (content, blocks): (&Content, &[Block]),
    framing: Framing,
) -> Result<Form> {
    if blocks.is_empty() {
        return content::write(transaction, place, id, (content, framing));
    }
    let misfit = || EngineError::corrupt("a copy whose chunks are not its blocks");
    let chunks = match content {
        Content::Chunks(chunks) => chunks.as_slice(),
        Content::Inline(bytes) if bytes.is_empty() => &[],
        Content::Inline(_) => return Err(misfit()),
    };
    let mut rest = chunks.iter();
    let mut pieces = Vec::with_capacity(blocks.len() + chunks.len());
    for block in blocks {
        pieces.push(Piece::Block(block.clone()));
        let mut left = block.length;
        while left > 0 {
            let chunk = rest.next().ok_or_else(misfit)?;
            left = left.checked_sub(framing.content_bytes(chunk.len)).ok_or_else(misfit)?;
            pieces.push(Piece::Chunk(*chunk));
        }
    }
    if rest.next().is_some() {
        return Err(misfit());
    }
    for chunk in chunks {
        transaction.keep(*chunk);
    }
    content::write_pieces(transaction, place, id, (&pieces, framing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::fixture::{Fixture, block_id};
    use crate::blob::{BlobKind, Conditions, NewBlob, Protection, Which};
    use bytes::Bytes;
    use futures_executor::block_on;

    fn block(id: &str, length: u64) -> Block {
        Block { id: block_id(id), length }
    }

    fn put(store: &Fixture, blocks: Vec<Block>, bytes: &[u8]) -> Result<()> {
        let mut upload = store.blobs.upload().in_parts(blocks.iter().map(|block| block.length));
        for piece in bytes.chunks(4) {
            block_on(upload.write(Bytes::copy_from_slice(piece))).unwrap();
        }
        let content = (BlobKind::Block, block_on(upload.finish_in_chunks()).unwrap(), blocks);
        let (at, any, none) = (store.at("copy"), Conditions::default(), Protection::default());
        block_on(store.blobs.put_copied_blob(&at, NewBlob::default(), content, any, none)).map(drop)
    }

    #[test]
    fn a_copy_has_the_blocks_that_it_was_given() {
        let store = Fixture::new();
        let blocks = vec![block("1", 3), block("2", 0), block("1", 3), block("3", 7)];
        put(&store, blocks.clone(), b"onetwoandmore").unwrap();
        let list = block_on(store.blobs.block_list(&store.at("copy"), Which::Base, Conditions::default()));
        assert_eq!(list.unwrap().committed, blocks);
        assert_eq!(store.read("copy").unwrap(), b"onetwoandmore");
        store.check_chunks();
    }

    #[test]
    fn blocks_that_are_not_those_of_the_bytes_are_refused() {
        let store = Fixture::new();
        for blocks in [vec![block("1", 12)], vec![block("1", 3), block("2", 11)], vec![block("1", 14)]] {
            assert!(put(&store, blocks.clone(), b"onetwoandmore").is_err(), "{blocks:?}");
        }
        store.check_chunks();
    }
}
