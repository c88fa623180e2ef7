//! Blocks: staged one by one, made a blob's content by a list.
//!
//! Staged blocks that nobody makes a blob of are over a week after the last of them came, and are not there for anybody
//! from then on. The background takes them away: the first block of a name enters the mark in the index of what is due
//! ([`due`]), and when that time has come and other blocks came meanwhile, it is entered again. So a block costs
//! no entry of its own, and a blob that is made soon leaves none behind.

use crate::blob::record::lease::{self, LeaseId, Leased};
use crate::blob::record::place::{Place, Route, State};
use crate::blob::record::properties::{BlobKind, Protection, Which};
use crate::blob::record::{BlobRecord, BlockRecord, StagingRecord};
use crate::blob::rule::guard;
use crate::blob::state::content::{self, Piece};
use crate::blob::state::due::{self, Due};
use crate::blob::state::{self, Fate};
use crate::blob::{
    BLOCKS_MAX, BlobAddress, BlobStore, Block, BlockChoice, BlockId, BlockList, Conditions, Encryption,
    NewBlob, STAGED_BLOCKS_MAX, Stamp, write,
};
use crate::chunk::{ChunkRef, Content, Staged};
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::meta::key::successor;
use crate::meta::{self, Family, Step, Transaction, View, Weight};
use crate::seal::Framing;
use std::collections::{BTreeSet, HashMap};

/// Most pieces of one blob's content, blocks and chunks counted: some 1 TiB. A list may name one long block
/// fifty thousand times, and its commit would otherwise be as long as that.
const PIECES_MAX: usize = 1 << 20;

impl BlobStore {
    /// Keeps `content` as a block of the blob, to be committed later. *Put Block*.
    ///
    /// The content has to come from [`crate::chunk::Upload::finish_in_chunks`]: committing a block must not copy it.
    ///
    /// Of the conditions only the lease is asked: staging changes nothing that the others are about.
    pub async fn stage_block(
        &self,
        at: &BlobAddress,
        id: BlockId,
        content: Staged,
        lease: Option<LeaseId>,
    ) -> Result<()> {
        let chunks = match &content.content {
            Content::Chunks(chunks) => chunks.clone(),
            Content::Inline(bytes) if bytes.is_empty() => Vec::new(),
            Content::Inline(_) => {
                return Err(EngineError::corrupt("a block was given that is not in chunks"));
            }
        };
        let block = BlockRecord { length: content.length, chunks, key: content.sealed().cloned() };
        self.change(at, Some(content), move |transaction, place| {
            stage(transaction, place, &id, &block, lease)
        })
        .await
    }

    /// Makes the blob consist of these blocks, in this order; drops all other staged ones. *Put Block List*.
    ///
    /// A blob that is there already keeps the time of its creation.
    pub async fn commit_block_list(
        &self,
        at: &BlobAddress,
        blocks: Vec<BlockChoice>,
        new: NewBlob,
        conditions: Conditions,
        protection: Protection,
    ) -> Result<Stamp> {
        self.change(at, None, move |transaction, place| {
            commit(transaction, place, &blocks, &new, (&conditions, protection))
        })
        .await
    }

    /// The blob's blocks, or those of a snapshot or version. *Get Block List*.
    pub async fn block_list(
        &self,
        at: &BlobAddress,
        which: Which,
        conditions: Conditions,
    ) -> Result<BlockList> {
        let (at, now) = (at.clone(), self.clock.now());
        meta::read(self.meta.as_ref(), Weight::Scan, move |view| {
            list(view, &Route::find(view, &at)?.place, which, &conditions, now)
        })
        .await
    }
}

fn stage(
    transaction: &mut dyn Transaction,
    place: &Place,
    id: &BlockId,
    block: &BlockRecord,
    lease: Option<LeaseId>,
) -> Result<()> {
    let now = transaction.clock();
    let base = state::live_base(transaction, place, now)?;
    let held = base.as_ref().map(|base| base.properties.lease).unwrap_or_default();
    lease::check_write(held, lease, now, Leased::Blob)?;
    if base.as_ref().is_some_and(|base| base.properties.kind != BlobKind::Block) {
        return Err(EngineError::BlobKindMismatch);
    }
    let id_bytes = u64::try_from(id.as_bytes().len()).unwrap_or(u64::MAX);
    let mark = staging(transaction, place, now)?;
    if mark.is_none() {
        // Those that are over must not be taken for this one's company.
        write::drop_staged(transaction, place, &BTreeSet::new())?;
    }
    let expected = match mark {
        Some(mark) => Some(mark.id_bytes),
        None => committed_id_bytes(transaction, place, base.as_ref())?,
    };
    if expected.is_some_and(|expected| expected != id_bytes) {
        return Err(EngineError::BlockIdLength);
    }
    let key = place.staged(id);
    let mut blocks = mark.map_or(0, |mark| mark.blocks);
    if let Some(former) = transaction.get(Family::Staged, &key)? {
        content::free(transaction, BlockRecord::decode(&former)?.chunks);
    } else {
        blocks += 1;
    }
    if usize::try_from(blocks).is_ok_and(|blocks| blocks > STAGED_BLOCKS_MAX) {
        return Err(EngineError::TooManyBlocks);
    }
    for chunk in &block.chunks {
        transaction.keep(*chunk);
    }
    transaction.put(Family::Staged, &key, &block.encode());
    let due = mark.and_then(|mark| mark.due);
    put_mark(transaction, place, StagingRecord { modified: now, id_bytes, blocks, due });
    Ok(())
}

/// Writes the mark, and sees to it that it is looked at.
fn put_mark(transaction: &mut dyn Transaction, place: &Place, mark: StagingRecord) {
    let due = mark.due.unwrap_or_else(|| {
        let ends = mark.ends();
        look_at(place, ends).enter(transaction);
        ends
    });
    let mark = StagingRecord { due: Some(due), ..mark };
    transaction.put(Family::Blob, &place.state(State::Staging), &mark.encode());
}

/// The entry by which the mark is looked at.
fn look_at(place: &Place, at: Timestamp) -> Due {
    Due { at, kind: due::Kind::State, key: place.state(State::Staging), container: place.container.clone() }
}

/// Drops the blocks staged for a name if they are over; else they are looked at again when they will be.
pub(in crate::blob) fn drop_abandoned(
    transaction: &mut dyn Transaction,
    place: &Place,
    due: &Due,
) -> Result<()> {
    due.strike(transaction);
    match mark(transaction, place)? {
        Some(mark) if mark.ends() <= transaction.clock() => {
            write::drop_staged(transaction, place, &BTreeSet::new())
        }
        Some(mark) => {
            // Another entry than this one, if this one was put off.
            mark.due.into_iter().for_each(|due| look_at(place, due).strike(transaction));
            put_mark(transaction, place, StagingRecord { due: None, ..mark });
            Ok(())
        }
        None => Ok(()),
    }
}

fn commit(
    transaction: &mut dyn Transaction,
    place: &Place,
    choices: &[BlockChoice],
    new: &NewBlob,
    (conditions, protection): (&Conditions, Protection),
) -> Result<Stamp> {
    let former = guard::to_replace(transaction, place, conditions, BlobKind::Block, protection)?;
    if former.as_ref().is_some_and(|former| former.properties.kind != BlobKind::Block) {
        return Err(EngineError::BlobKindMismatch);
    }
    if choices.len() > BLOCKS_MAX {
        return Err(EngineError::TooManyBlocks);
    }
    let old = match &former {
        Some(former) => content::pieces(transaction, place, former.form)?,
        None => Vec::new(),
    };
    let staged: HashMap<_, _> = staged_if_any(transaction, place, transaction.clock())?.into_iter().collect();
    let committed: HashMap<_, _> =
        blocks(&old).into_iter().map(|(block, record)| (block.id, record)).collect();
    let of_former = former.as_ref().and_then(|former| former.properties.encryption.as_deref());
    check_keys(choices, &staged, of_former, new.encryption.as_ref())?;
    let pieces = resolve(choices, &staged, &committed)?;
    let used: BTreeSet<ChunkRef> = pieces.iter().filter_map(Piece::chunk).collect();
    write::drop_staged(transaction, place, &used)?;
    take_over(transaction, place, former.as_ref(), (&old, &used), protection)?;

    let now = transaction.now();
    let framing = Framing::of(new.encryption.as_ref());
    let length = pieces.iter().map(|piece| piece.length(framing)).sum();
    let form = content::write_pieces(transaction, place, now.ticks(), (&pieces, framing))?;
    let mut record = BlobRecord::new(now, length, BlobKind::Block, new, form);
    record.properties.created = former.as_ref().map_or(now, |former| former.properties.created);
    Ok(write::put_base(transaction, place, record, former.as_ref(), protection))
}

/// All blocks of a blob are encrypted with one key, or none is: staged ones with that of the list, and those of
/// the former blob, if any is taken over, too.
fn check_keys(
    choices: &[BlockChoice],
    staged: &HashMap<BlockId, BlockRecord>,
    of_former: Option<&Encryption>,
    new: Option<&Encryption>,
) -> Result<()> {
    let of_former = of_former.map(|encryption| &encryption.key);
    let expected = new.map(|encryption| &encryption.key);
    let key = |choice: &BlockChoice| match choice {
        BlockChoice::Committed(_) => of_former,
        BlockChoice::Uncommitted(id) | BlockChoice::Latest(id) => {
            staged.get(id).map_or(of_former, |block| block.key.as_ref())
        }
    };
    match choices.iter().map(key).find(|key| *key != expected) {
        Some(other) => Err(EngineError::CustomerKeyMismatch { encrypted: other.is_some() }),
        None => Ok(()),
    }
}

/// Puts the former blob away, whose pieces were `old` and of which the new one takes over the chunks in `used`.
fn take_over(
    transaction: &mut dyn Transaction,
    place: &Place,
    former: Option<&BlobRecord>,
    (old, used): (&[Piece], &BTreeSet<ChunkRef>),
    protection: Protection,
) -> Result<()> {
    state::retire_deleted(transaction, place, BlobKind::Block)?;
    let Some(former) = former else { return Ok(()) };
    let fate = state::fate(transaction, place, former, protection)?;
    let goes = fate == Fate::Gone && content::is_sole(transaction, place, former.form)?;
    if !goes {
        let shared = old.iter().filter_map(Piece::chunk).filter(|chunk| used.contains(chunk)).collect();
        content::share_chunks(transaction, place, shared)?;
    }
    state::retire(transaction, place, former, fate);
    if fate == Fate::Gone {
        content::release_but(transaction, place, former.form, used)?;
    }
    Ok(())
}

/// What the blob will consist of.
fn resolve(
    choices: &[BlockChoice],
    staged: &HashMap<BlockId, BlockRecord>,
    committed: &HashMap<BlockId, BlockRecord>,
) -> Result<Vec<Piece>> {
    let mut pieces = Vec::with_capacity(choices.len());
    for choice in choices {
        let (id, block) = match choice {
            BlockChoice::Committed(id) => (id, committed.get(id)),
            BlockChoice::Uncommitted(id) => (id, staged.get(id)),
            BlockChoice::Latest(id) => (id, staged.get(id).or_else(|| committed.get(id))),
        };
        let block = block.ok_or(EngineError::BlockMissing)?;
        if pieces.len() + 1 + block.chunks.len() > PIECES_MAX {
            return Err(EngineError::TooManyBlocks);
        }
        pieces.push(Piece::Block(Block { id: id.clone(), length: block.length }));
        pieces.extend(block.chunks.iter().map(|chunk| Piece::Chunk(*chunk)));
    }
    Ok(pieces)
}

fn list(
    view: &dyn View,
    place: &Place,
    which: Which,
    conditions: &Conditions,
    now: Timestamp,
) -> Result<BlockList> {
    let record = state::find(view, place, which, now)?.map(|(_, record)| record);
    let staged = match which {
        Which::Base => staged_if_any(view, place, now)?,
        Which::Snapshot(_) | Which::Version(_) => Vec::new(),
    };
    match &record {
        Some(record) if record.properties.kind != BlobKind::Block => {
            return Err(EngineError::BlobKindMismatch);
        }
        Some(record) => guard::check_read(conditions, record, now)?,
        None if staged.is_empty() => return Err(EngineError::BlobNotFound),
        None => {}
    }
    let pieces = record.as_ref().map(|record| content::pieces(view, place, record.form)).transpose()?;
    let committed = pieces.unwrap_or_default().into_iter().filter_map(|piece| match piece {
        Piece::Block(block) => Some(block),
        Piece::Chunk(_) => None,
    });
    Ok(BlockList {
        committed: committed.collect(),
        staged: staged.into_iter().map(|(id, block)| Block { id, length: block.length }).collect(),
        blob: record.map(|record| (record.stamp(), record.properties.length)),
    })
}

/// The blocks of committed content. Chunks before the first block belong to content written in one piece.
fn blocks(pieces: &[Piece]) -> Vec<(Block, BlockRecord)> {
    let mut blocks: Vec<(Block, BlockRecord)> = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Block(block) => {
                let record = BlockRecord { length: block.length, ..BlockRecord::default() };
                blocks.push((block.clone(), record));
            }
            Piece::Chunk(chunk) => {
                if let Some((_, block)) = blocks.last_mut() {
                    block.chunks.push(*chunk);
                }
            }
        }
    }
    blocks
}

fn committed_id_bytes(view: &dyn View, place: &Place, base: Option<&BlobRecord>) -> Result<Option<u64>> {
    let Some(record) = base else { return Ok(None) };
    Ok(match content::first_piece(view, place, record.form)? {
        Some(Piece::Block(block)) => Some(u64::try_from(block.id.as_bytes().len()).unwrap_or(u64::MAX)),
        _ => None,
    })
}

/// The mark that blocks are staged, if there are some and they are not over.
fn staging(view: &dyn View, place: &Place, now: Timestamp) -> Result<Option<StagingRecord>> {
    Ok(mark(view, place)?.filter(|mark| now < mark.ends()))
}

/// The mark, if there is one.
fn mark(view: &dyn View, place: &Place) -> Result<Option<StagingRecord>> {
    view.get(Family::Blob, &place.state(State::Staging))?
        .map(|value| StagingRecord::decode(&value))
        .transpose()
}

/// The blocks staged for a name, by id.
fn staged_if_any(view: &dyn View, place: &Place, now: Timestamp) -> Result<Vec<(BlockId, BlockRecord)>> {
    if staging(view, place, now)?.is_none() {
        return Ok(Vec::new());
    }
    staged_blocks(view, &place.scope.0)
}

/// Deletes the staged blocks of a name and their mark, and gives what they were. Whether their chunks go too
/// is the caller's business.
pub(super) fn take_staged(
    transaction: &mut dyn Transaction,
    place: &Place,
) -> Result<Vec<(BlockId, BlockRecord)>> {
    if mark(transaction, place)?.is_none() {
        return Ok(Vec::new());
    }
    take_all_staged(transaction, place)
}

/// As [`take_staged`], whether or not there is a mark.
pub(in crate::blob) fn take_all_staged(
    transaction: &mut dyn Transaction,
    place: &Place,
) -> Result<Vec<(BlockId, BlockRecord)>> {
    let staged = staged_blocks(transaction, &place.scope.0)?;
    for (id, _) in &staged {
        transaction.delete(Family::Staged, &place.staged(id));
    }
    if let Some(due) = mark(transaction, place)?.and_then(|mark| mark.due) {
        look_at(place, due).strike(transaction);
    }
    transaction.delete(Family::Blob, &place.state(State::Staging));
    Ok(staged)
}

/// The blocks staged in a scope, by id.
fn staged_blocks(view: &dyn View, scope: &[u8]) -> Result<Vec<(BlockId, BlockRecord)>> {
    let mut blocks = Vec::new();
    view.scan(Family::Staged, scope, successor(scope).as_deref(), &mut |key, value| {
        let id = key.strip_prefix(scope).and_then(|id| BlockId::new(id).ok());
        let id = id.ok_or_else(|| EngineError::corrupt("the id of a staged block"))?;
        blocks.push((id, BlockRecord::decode(value)?));
        Ok(Step::Next)
    })?;
    Ok(blocks)
}

#[cfg(test)]
mod tests;
