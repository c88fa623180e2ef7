//! What a blob consists of: pages of pieces.
//!
//! A small blob's bytes are the one page of its content. Everything else is in chunks, and the content is the
//! list of its pieces, cut into pages: a block list of fifty thousand blocks is a few hundred records, and a
//! range read finds the page that covers its first byte by that page's key. A piece is the beginning of a
//! block, or a chunk; the chunks behind a block's beginning are the block's, also across pages, so a block may
//! have more chunks than a page has room for. Content written in one piece has chunks and no blocks, which is
//! why its block list is empty.
//!
//! # Who owns a content
//! All states of a name are one scope, so a snapshot or former version simply names the content that it has in
//! common with the blob. A record beside the pages counts who does; where there is none it is one. The last one
//! takes the pages along.
//!
//! Pages are never written again, but an append blob adds some. What a snapshot shows ends where its own length
//! ends, so it never sees them. The record of owners also says how many pages there are: a blob that has fewer, for
//! it was promoted from an older state, may not add a page where another owner has one, and takes a list of its own
//! ([`fork`]).
//!
//! # Who owns a chunk
//! The content whose pages name it. One block list may name a block twice, and then the content's pages name its
//! chunks twice, so what is freed is always the *set* of chunks of a whole content, and a content goes as a
//! whole. A block list that takes blocks over from a content that stays, because a version has it, makes a
//! second content name the same chunks; these few are counted one by one, under the content id 0. A record there
//! says how many are, so that a name of which no chunk has two owners, as nearly all are, pays one read
//! that the filters answer. Counting references of all chunks instead would cost a record more for each of them.

use crate::blob::Block;
use crate::blob::record::Form;
use crate::blob::record::place::{self, Place};
use crate::blob::state::volume;
use crate::chunk::{ChunkRef, Content};
use crate::error::{EngineError, Result};
use crate::meta::key::successor;
use crate::meta::{Family, Step, Transaction, View};
use crate::seal::Framing;
use bytes::Bytes;
use std::collections::BTreeSet;

mod page;
use page::{Owners, Page, decode, encode_inline, encode_owners, encode_pieces, encode_shared, missing};

/// Pieces of one page: some 10 KiB, and half a gibibyte of chunks.
const PAGE_PIECES_MAX: usize = 512;

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

    /// Bytes of content that it adds.
    pub(in crate::blob) fn length(&self, framing: Framing) -> u64 {
        self.chunk().map_or(0, |chunk| framing.content_bytes(chunk.len))
    }
}

/// Chunks that cover a range of content.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::blob) struct Cover {
    /// The chunks, in order.
    pub(in crate::blob) chunks: Vec<ChunkRef>,
    /// Where in the first of them the range begins.
    pub(in crate::blob) skipped: u64,
}

/// Writes new content, whose chunks no record names yet.
pub(in crate::blob) fn write(
    transaction: &mut dyn Transaction,
    place: &Place,
    id: u64,
    (content, framing): (&Content, Framing),
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
            write_pieces(transaction, place, id, (&pieces, framing))
        }
    }
}

/// Writes content that consists of these pieces, whose chunks are kept already.
pub(in crate::blob) fn write_pieces(
    transaction: &mut dyn Transaction,
    place: &Place,
    id: u64,
    (pieces, framing): (&[Piece], Framing),
) -> Result<Form> {
    let mut pages = 0;
    let mut offset = 0;
    for page in pieces.chunks(PAGE_PIECES_MAX) {
        transaction.put(Family::Content, &place.page(id, offset, pages), &encode_pieces(page));
        pages = u32::checked_add(pages, 1).ok_or(EngineError::TooManyBlocks)?;
        offset += page.iter().map(|piece| piece.length(framing)).sum::<u64>();
    }
    Ok(if pages == 0 { Form::Empty } else { Form::Chunks(id, pages) })
}

/// The bytes of inline content.
pub(in crate::blob) fn inline(view: &dyn View, place: &Place, id: u64) -> Result<Bytes> {
    let page = view.get(Family::Content, &place.page(id, 0, 0))?.ok_or_else(missing)?;
    match decode(&page)? {
        Page::Inline(bytes) => Ok(page.slice_ref(bytes)),
        _ => Err(missing()),
    }
}

/// The chunks that cover the bytes from `first` to `last`, both included, of content of so many pages.
/// Reads only the pages that have them.
pub(in crate::blob) fn cover(
    view: &dyn View,
    place: &Place,
    (id, pages, framing): (u64, u32, Framing),
    first: u64,
    last: u64,
) -> Result<Cover> {
    let mut cover = Cover { chunks: Vec::new(), skipped: 0 };
    let mut behind = 0;
    let mut add = |offset: u64, pieces: Vec<Piece>| {
        let mut at = offset;
        for chunk in pieces.iter().filter_map(Piece::chunk) {
            let end = at.saturating_add(framing.content_bytes(chunk.len));
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
pub(in crate::blob) fn pieces(view: &dyn View, place: &Place, form: Form) -> Result<Vec<Piece>> {
    let Form::Chunks(id, own) = form else { return Ok(Vec::new()) };
    let pages = pages(view, &place.content(id))?;
    let own = pages.into_iter().filter(|(key, _)| place::decode_page_number(key).is_some_and(|at| at < own));
    Ok(own.flat_map(|(_, pieces)| pieces).collect())
}

/// The first piece of content of this form.
pub(in crate::blob) fn first_piece(view: &dyn View, place: &Place, form: Form) -> Result<Option<Piece>> {
    let Form::Chunks(id, _) = form else { return Ok(None) };
    let page = view.get(Family::Content, &place.page(id, 0, 0))?.ok_or_else(missing)?;
    Ok(decode(&page)?.pieces()?.into_iter().next())
}

/// Says that one record more names content of this form.
pub(in crate::blob) fn share(transaction: &mut dyn Transaction, place: &Place, form: Form) -> Result<()> {
    let (id, own) = match form {
        Form::Empty => return Ok(()),
        Form::Volume(volume, _) => return volume::share(transaction, place, volume),
        Form::Inline(id) => (id, 1),
        Form::Chunks(id, pages) => (id, pages),
    };
    let Owners { count, pages } = owners(transaction, place, id)?.unwrap_or(Owners { count: 1, pages: own });
    write_owners(transaction, place, id, Owners { count: count.saturating_add(1), pages: pages.max(own) });
    Ok(())
}

/// Whether no other record names the content.
pub(in crate::blob) fn is_sole(view: &dyn View, place: &Place, form: Form) -> Result<bool> {
    Ok(match form {
        Form::Empty | Form::Volume(..) => true,
        Form::Inline(id) | Form::Chunks(id, _) => {
            owners(view, place, id)?.is_none_or(|owners| owners.count <= 1)
        }
    })
}

/// Says that a record does not name content of this form any more. What nobody names then goes.
pub(in crate::blob) fn release(transaction: &mut dyn Transaction, place: &Place, form: Form) -> Result<()> {
    let kept = BTreeSet::new();
    release_but(transaction, place, form, &kept)
}

/// As [`release`], but the chunks in `kept` pass to a content that the same verb writes.
pub(in crate::blob) fn release_but(
    transaction: &mut dyn Transaction,
    place: &Place,
    form: Form,
    kept: &BTreeSet<ChunkRef>,
) -> Result<()> {
    let id = match form {
        Form::Empty => return Ok(()),
        Form::Volume(volume, epoch) => return volume::release(transaction, place, volume, epoch),
        Form::Inline(id) | Form::Chunks(id, _) => id,
    };
    if let Some(Owners { count, pages }) = owners(transaction, place, id)?
        && count > 1
    {
        // The count stays, also at one: the pages may be more than those of who is left.
        write_owners(transaction, place, id, Owners { count: count - 1, pages });
        return Ok(());
    }
    if matches!(form, Form::Inline(_)) {
        transaction.delete(Family::Content, &place.page(id, 0, 0));
        transaction.delete(Family::Content, &place.content(id));
        return Ok(());
    }
    let gone = take_all(transaction, &place.content(id))?;
    let gone: BTreeSet<_> =
        gone.iter().filter_map(Piece::chunk).filter(|chunk| !kept.contains(chunk)).collect();
    release_chunks(transaction, place, gone)
}

/// Adds a page behind the pages of content that a record of this form names, and gives its new form.
pub(in crate::blob) fn append(
    transaction: &mut dyn Transaction,
    place: &Place,
    (form, length): (Form, u64),
    new_id: u64,
    (chunks, framing): (&[ChunkRef], Framing),
) -> Result<Form> {
    for chunk in chunks {
        transaction.keep(*chunk);
    }
    let added: Vec<_> = chunks.iter().map(|chunk| Piece::Chunk(*chunk)).collect();
    let Form::Chunks(mut id, mut pages) = form else {
        return write_pieces(transaction, place, new_id, (&added, framing));
    };
    let mut owners = owners(transaction, place, id)?;
    if owners.as_ref().is_some_and(|owners| owners.pages != pages) {
        let Form::Chunks(own, own_pages) = fork(transaction, place, (form, framing), new_id)? else {
            return Err(missing());
        };
        (id, pages, owners) = (own, own_pages, None);
    }
    let mut offset = length;
    for page in added.chunks(PAGE_PIECES_MAX) {
        transaction.put(Family::Content, &place.page(id, offset, pages), &encode_pieces(page));
        pages = pages.checked_add(1).ok_or(EngineError::TooManyAppends)?;
        offset += page.iter().map(|piece| piece.length(framing)).sum::<u64>();
    }
    if let Some(Owners { count, .. }) = owners {
        write_owners(transaction, place, id, Owners { count, pages });
    }
    Ok(Form::Chunks(id, pages))
}

/// Makes the content that a record of this form names one of its own, with the same chunks.
fn fork(
    transaction: &mut dyn Transaction,
    place: &Place,
    (form, framing): (Form, Framing),
    new_id: u64,
) -> Result<Form> {
    let pieces = pieces(transaction, place, form)?;
    // Before the release, which may find that they were in the former content only.
    share_chunks(transaction, place, pieces.iter().filter_map(Piece::chunk).collect())?;
    release(transaction, place, form)?;
    write_pieces(transaction, place, new_id, (&pieces, framing))
}

/// Says that one content more names these chunks.
pub(in crate::blob) fn share_chunks(
    transaction: &mut dyn Transaction,
    place: &Place,
    chunks: BTreeSet<ChunkRef>,
) -> Result<()> {
    let mut total = shared(transaction, &place.content(0))?.unwrap_or(0);
    for chunk in chunks {
        let key = place.chunk(chunk);
        let count = shared(transaction, &key)?;
        total += u64::from(count.is_none());
        transaction.put(Family::Content, &key, &encode_shared(count.unwrap_or(1).saturating_add(1)));
    }
    write_shared_total(transaction, place, total);
    Ok(())
}

/// Says that a content does not name these chunks any more, and frees those that none names.
pub(super) fn release_chunks(
    transaction: &mut dyn Transaction,
    place: &Place,
    chunks: BTreeSet<ChunkRef>,
) -> Result<()> {
    let Some(mut total) = shared(transaction, &place.content(0))? else {
        free(transaction, chunks);
        return Ok(());
    };
    for chunk in chunks {
        let key = place.chunk(chunk);
        match shared(transaction, &key)? {
            None => transaction.free(chunk),
            Some(count) if count > 2 => transaction.put(Family::Content, &key, &encode_shared(count - 1)),
            Some(_) => {
                transaction.delete(Family::Content, &key);
                total = total.saturating_sub(1);
            }
        }
    }
    write_shared_total(transaction, place, total);
    Ok(())
}

/// Deletes all records whose keys begin with `prefix`, and gives the pieces of those that are pages.
pub(crate) fn take_all(transaction: &mut dyn Transaction, prefix: &[u8]) -> Result<Vec<Piece>> {
    let (mut keys, mut all) = (Vec::new(), Vec::new());
    transaction.scan(Family::Content, prefix, successor(prefix).as_deref(), &mut |key, page| {
        keys.push(key.to_vec());
        if let Page::Pieces(pieces) = decode(page)? {
            all.extend(pieces);
        }
        Ok(Step::Next)
    })?;
    for key in keys {
        transaction.delete(Family::Content, &key);
    }
    Ok(all)
}

fn owners(view: &dyn View, place: &Place, id: u64) -> Result<Option<Owners>> {
    let Some(value) = view.get(Family::Content, &place.content(id))? else { return Ok(None) };
    match decode(&value)? {
        Page::Owners(owners) => Ok(Some(owners)),
        _ => Err(missing()),
    }
}

fn write_owners(transaction: &mut dyn Transaction, place: &Place, id: u64, owners: Owners) {
    transaction.put(Family::Content, &place.content(id), &encode_owners(owners));
}

fn shared(view: &dyn View, key: &[u8]) -> Result<Option<u64>> {
    let Some(value) = view.get(Family::Content, key)? else { return Ok(None) };
    match decode(&value)? {
        Page::Shared(count) => Ok(Some(count)),
        _ => Err(missing()),
    }
}

fn write_shared_total(transaction: &mut dyn Transaction, place: &Place, total: u64) {
    let key = place.content(0);
    if total > 0 {
        transaction.put(Family::Content, &key, &encode_shared(total));
    } else {
        transaction.delete(Family::Content, &key);
    }
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
        if let Page::Pieces(pieces) = decode(page)? {
            pages.push((key.to_vec(), pieces));
        }
        Ok(Step::Next)
    })?;
    Ok(pages)
}

/// The pieces of all content that there is.
#[cfg(test)]
pub(in crate::blob) fn all_pieces(view: &dyn View) -> Result<Vec<Piece>> {
    Ok(pages(view, &[])?.into_iter().flat_map(|(_, pieces)| pieces).collect())
}
