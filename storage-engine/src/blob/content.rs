//! What a blob consists of: pages of pieces.
//!
//! A small blob's bytes are the one page of its content. Everything else is in chunks, and the content is the
//! list of its pieces, cut into pages: a block list of fifty thousand blocks is a few hundred records, and a
//! range read finds the page that covers its first byte by that page's key. A piece is the beginning of a
//! block, or a chunk; the chunks behind a block's beginning are the block's, also across pages, so a block may
//! have more chunks than a page has room for. Content written in one piece has chunks and no blocks, which is
//! why its block list is empty.
//!
//! | field of a page | |
//! |---|---|
//! | version | 1 |
//! | kind | `0`: the rest is the bytes; `1`: a count and so many pieces follow |
//! | piece `0` | a block begins: its id, its bytes |
//! | piece `1` | a chunk: segment, offset, bytes |
//!
//! # Who owns a chunk
//! The blob whose pages name it. One block list may name a block twice, and then the blob's pages name its
//! chunks twice, so what is freed is always the *set* of chunks of a whole content, and a content goes as a
//! whole. Counting references instead would cost a record more per chunk for a case that hardly occurs.

use super::place::{self, Place};
use super::record::{self, Form};
use super::{Block, BlockId};
use crate::chunk::{ChunkRef, Content};
use crate::error::{EngineError, Result};
use crate::meta::key::successor;
use crate::meta::record::{Decoder, Encoder};
use crate::meta::{Family, Step, Transaction, View};
use bytes::Bytes;
use std::collections::BTreeSet;

/// Pieces of one page: some 10 KiB, and half a gibibyte of chunks.
const PAGE_PIECES_MAX: usize = 512;
const VERSION: u8 = 1;
const KIND: &str = "content";
const INLINE: u8 = 0;
const PIECES: u8 = 1;
const BLOCK: u8 = 0;
const CHUNK: u8 = 1;

/// A piece of content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A block begins here.
    Block(Block),
    /// The next bytes.
    Chunk(ChunkRef),
}

impl Piece {
    /// The chunk, if it is one.
    pub(crate) const fn chunk(&self) -> Option<ChunkRef> {
        match self {
            Self::Chunk(chunk) => Some(*chunk),
            Self::Block(_) => None,
        }
    }

    fn length(&self) -> u64 {
        self.chunk().map_or(0, |chunk| chunk.len.into())
    }
}

/// Chunks that cover a range of content.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cover {
    /// The chunks, in order.
    pub(super) chunks: Vec<ChunkRef>,
    /// Where in the first of them the range begins.
    pub(super) skipped: u64,
}

/// Writes new content, whose chunks no record names yet.
pub(super) fn write(
    transaction: &mut dyn Transaction,
    place: &Place,
    id: u64,
    content: &Content,
) -> Result<Form> {
    match content {
        Content::Inline(bytes) if bytes.is_empty() => Ok(Form::Empty),
        Content::Inline(bytes) => {
            transaction.put(Family::Content, &place.page(id, 0, 0), &encode_inline(bytes));
            Ok(Form::Inline(id))
        }
        Content::Chunks(chunks) => {
            for chunk in chunks {
                transaction.keep(*chunk);
            }
            let pieces: Vec<_> = chunks.iter().map(|chunk| Piece::Chunk(*chunk)).collect();
            write_pieces(transaction, place, id, &pieces)
        }
    }
}

/// Writes content that consists of these pieces, whose chunks are kept already.
pub(super) fn write_pieces(
    transaction: &mut dyn Transaction,
    place: &Place,
    id: u64,
    pieces: &[Piece],
) -> Result<Form> {
    let mut pages = 0;
    let mut offset = 0;
    for page in pieces.chunks(PAGE_PIECES_MAX) {
        transaction.put(Family::Content, &place.page(id, offset, pages), &encode_pieces(page));
        pages = u32::checked_add(pages, 1).ok_or(EngineError::TooManyBlocks)?;
        offset += page.iter().map(Piece::length).sum::<u64>();
    }
    Ok(if pages == 0 { Form::Empty } else { Form::Chunks(id, pages) })
}

/// The bytes of inline content.
pub(super) fn inline(view: &dyn View, place: &Place, id: u64) -> Result<Bytes> {
    let page = view.get(Family::Content, &place.page(id, 0, 0))?.ok_or_else(missing)?;
    match decode(&page)? {
        Page::Inline(bytes) => Ok(page.slice_ref(bytes)),
        Page::Pieces(_) => Err(missing()),
    }
}

/// The chunks that cover the bytes from `first` to `last`, both included, of content of so many pages.
/// Reads only the pages that have them.
pub(super) fn cover(
    view: &dyn View,
    place: &Place,
    (id, pages): (u64, u32),
    first: u64,
    last: u64,
) -> Result<Cover> {
    let mut cover = Cover { chunks: Vec::new(), skipped: 0 };
    let mut behind = 0;
    let mut add = |offset: u64, pieces: Vec<Piece>| {
        let mut at = offset;
        for chunk in pieces.iter().filter_map(Piece::chunk) {
            let end = at.saturating_add(chunk.len.into());
            if end > first && at <= last {
                if cover.chunks.is_empty() {
                    cover.skipped = first.saturating_sub(at);
                }
                cover.chunks.push(chunk);
                behind = end;
            }
            at = end;
        }
    };
    if pages == 1 {
        let page = view.get(Family::Content, &place.page(id, 0, 0))?.ok_or_else(missing)?;
        add(0, decode(&page)?.pieces()?);
    } else {
        let content = place.content(id);
        let (from, _) = view
            .last_at_or_before(Family::Content, &content, &place.page(id, first, u32::MAX))?
            .ok_or_else(missing)?;
        view.scan(Family::Content, &from, Some(&place.page(id, last, u32::MAX)), &mut |key, page| {
            add(place::decode_page_offset(key, &content)?, decode(page)?.pieces()?);
            Ok(Step::Next)
        })?;
    }
    if behind > last { Ok(cover) } else { Err(missing()) }
}

/// All pieces of content of this form, in order.
pub(super) fn pieces(view: &dyn View, place: &Place, form: Form) -> Result<Vec<Piece>> {
    let Form::Chunks(id, _) = form else { return Ok(Vec::new()) };
    Ok(pages(view, &place.content(id))?.into_iter().flat_map(|(_, pieces)| pieces).collect())
}

/// The first piece of content of this form.
pub(super) fn first_piece(view: &dyn View, place: &Place, form: Form) -> Result<Option<Piece>> {
    let Form::Chunks(id, _) = form else { return Ok(None) };
    let page = view.get(Family::Content, &place.page(id, 0, 0))?.ok_or_else(missing)?;
    Ok(decode(&page)?.pieces()?.into_iter().next())
}

/// Deletes content of this form, and gives its pieces. Whether their chunks go too is the caller's business.
pub(super) fn take(transaction: &mut dyn Transaction, place: &Place, form: Form) -> Result<Vec<Piece>> {
    match form {
        Form::Empty => Ok(Vec::new()),
        Form::Inline(id) => {
            transaction.delete(Family::Content, &place.page(id, 0, 0));
            Ok(Vec::new())
        }
        Form::Chunks(id, _) => take_all(transaction, &place.content(id)),
    }
}

/// Deletes all pages whose keys begin with `prefix`, and gives their pieces.
pub(crate) fn take_all(transaction: &mut dyn Transaction, prefix: &[u8]) -> Result<Vec<Piece>> {
    let mut all = Vec::new();
    for (key, pieces) in pages(transaction, prefix)? {
        transaction.delete(Family::Content, &key);
        all.extend(pieces);
    }
    Ok(all)
}

/// Frees the chunks of `gone`, each once.
pub(crate) fn free(transaction: &mut dyn Transaction, gone: impl IntoIterator<Item = ChunkRef>) {
    for chunk in gone.into_iter().collect::<BTreeSet<_>>() {
        transaction.free(chunk);
    }
}

fn pages(view: &dyn View, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<Piece>)>> {
    let mut pages = Vec::new();
    view.scan(Family::Content, prefix, successor(prefix).as_deref(), &mut |key, page| {
        let pieces = match decode(page)? {
            Page::Pieces(pieces) => pieces,
            Page::Inline(_) => Vec::new(),
        };
        pages.push((key.to_vec(), pieces));
        Ok(Step::Next)
    })?;
    Ok(pages)
}

/// The pieces of all content that there is.
#[cfg(test)]
pub(super) fn all_pieces(view: &dyn View) -> Result<Vec<Piece>> {
    Ok(pages(view, &[])?.into_iter().flat_map(|(_, pieces)| pieces).collect())
}

enum Page<'a> {
    Inline(&'a [u8]),
    Pieces(Vec<Piece>),
}

impl Page<'_> {
    fn pieces(self) -> Result<Vec<Piece>> {
        match self {
            Self::Pieces(pieces) => Ok(pieces),
            Self::Inline(_) => Err(missing()),
        }
    }
}

fn encode_inline(bytes: &[u8]) -> Vec<u8> {
    let mut fields = Encoder::new(VERSION);
    fields.u8(INLINE).raw(bytes);
    fields.finish()
}

fn encode_pieces(pieces: &[Piece]) -> Vec<u8> {
    let mut fields = Encoder::new(VERSION);
    fields.u8(PIECES).count(pieces.len());
    for piece in pieces {
        match piece {
            Piece::Block(Block { id, length }) => {
                fields.u8(BLOCK).bytes(id.as_bytes()).varint(*length);
            }
            Piece::Chunk(chunk) => record::encode_chunk(fields.u8(CHUNK), *chunk),
        }
    }
    fields.finish()
}

fn decode(page: &[u8]) -> Result<Page<'_>> {
    let (_, mut fields) = Decoder::versioned(KIND, VERSION, page)?;
    match fields.u8()? {
        INLINE => Ok(Page::Inline(fields.rest())),
        PIECES => {
            let count = fields.count()?;
            let pieces = (0..count).map(|_| decode_piece(&mut fields)).collect::<Result<_>>()?;
            fields.finish()?;
            Ok(Page::Pieces(pieces))
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
        CHUNK => record::decode_chunk(fields).map(Piece::Chunk),
        _ => Err(fields.damaged()),
    }
}

/// A blob names content that is not there, or not of the form it says.
fn missing() -> EngineError {
    EngineError::corrupt("the content of a blob")
}

#[cfg(test)]
mod tests {
    use super::*;
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
