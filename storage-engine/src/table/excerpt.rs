//! Excerpts: of the entities of a partition only what a filter looks at, kept in memory from one query to the next.
//!
//! A filter on a property has to be asked of every entity in its range. Going from one to the next costs `RocksDB` more than a
//! thousand instructions, and an entity that does not pass is some hundreds of bytes of which the filter reads five. So a scan
//! that had to look at many entities leaves behind what it looked at: for each entity the values of the named properties, as
//! they are encoded, and for each block of [`BLOCK_ROWS`] entities the key of its first. The next query that names the same
//! properties, with whatever other constants, reads the excerpt and only those blocks of the partition in which
//! something passes.
//!
//! # Why it cannot be wrong
//! - **An excerpt only says where nothing is.** Blocks in which something passes are read from the view and evaluated as if there
//!   were no excerpt, so what a query answers always comes from the records.
//! - **It is believed only while the partition stands as it did.** It is kept beside the partition's [`View::state`], and
//!   a view of another state, older or newer, does not use it. A store that cannot tell states has no excerpts.
//! - It is evaluated by the same code on the same encoding as the records.
//!
//! # What it costs
//! At most [`BYTES_MAX`] for all tables together; what was not used for longest goes first. Building one takes a
//! few per cent of the scan that it is built by. A write to the partition makes its excerpts worthless, so where
//! writes and such queries alternate every query is a scan, as it would be without them. Refreshing single blocks would need to
//! know which keys were written; an index of properties would make every write pay, and clients of this service do not expect one.

use super::bounds::KeyRange;
use super::condition::{Condition, Field};
use super::record::{Places, first_value};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::meta::View;
use crate::meta::key::{KeyReader, successor};
use crate::meta::record::Decoder;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Entities of a block. Tests have tiny ones, so that few entities make many.
const BLOCK_ROWS: usize = if cfg!(test) { 3 } else { 64 };
/// Fewer entities than this are not worth an excerpt.
const ROWS_MIN: usize = if cfg!(test) { 4 } else { 256 };
/// Bytes of all excerpts.
const BYTES_MAX: usize = 32 << 20;
/// Bytes of one excerpt: with larger values a filter's time goes into comparing them.
const EXCERPT_BYTES_MAX: usize = 4 << 20;
/// In place of a property that an entity does not have; no value's encoding begins so.
const MISSING: u8 = 0;

/// Which excerpt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Topic {
    /// The key from which on it is.
    from: Vec<u8>,
    names: Vec<String>,
    timestamps: bool,
}

impl Topic {
    /// What an excerpt for this condition would be about that begins with the range; with the partition's state.
    ///
    /// None if there can be none: the range is not all the rest of one partition, the condition is on row keys, which already
    /// bound the range, or on no property, or the view cannot tell states.
    pub(super) fn of(view: &dyn View, range: &KeyRange, condition: &Condition<'_>) -> Option<(Self, u64)> {
        let timestamps = condition.looks_at(Field::Timestamp);
        let is_small = condition.names().is_empty() && !timestamps;
        if is_small || condition.looks_at(Field::RowKey) || range.rows.is_some() {
            return None;
        }
        let mut pieces = KeyReader::new(&range.from);
        pieces.u64().ok()?;
        pieces.text().ok()?;
        let partition = range.from.strip_suffix(pieces.rest())?;
        if range.end != successor(partition) {
            return None;
        }
        let names = condition.names().iter().map(|name| (*name).to_owned()).collect();
        Some((Self { from: range.from.clone(), names, timestamps }, view.state(partition)?))
    }
}

/// What some entities in a row hold under some names.
#[derive(Debug, Default)]
pub(super) struct Excerpt {
    blocks: Vec<Block>,
    /// Whether it has timestamps, and how many properties.
    timestamps: bool,
    properties: usize,
    /// For each entity its timestamp, if that is among what is looked at, and its values, in the order of their names.
    values: Vec<u8>,
    /// The key of the first entity behind; none at the partition's end.
    behind: Option<Vec<u8>>,
}

/// Some entities of an excerpt.
#[derive(Debug)]
pub(super) struct Block {
    /// The first one's key.
    pub(super) first: Vec<u8>,
    /// How many there are.
    pub(super) rows: usize,
    /// Where their values begin.
    from: usize,
}

impl Excerpt {
    /// Its blocks, in key order.
    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The key of the first entity behind it; none at the partition's end.
    pub(super) fn behind(&self) -> Option<&[u8]> {
        self.behind.as_deref()
    }

    /// The entities of a block, one by one.
    pub(super) fn rows(&self, block: &Block) -> Rows<'_> {
        let bytes = self.values.get(block.from..).unwrap_or_default();
        Rows {
            bytes,
            at: 0,
            timestamps: self.timestamps,
            left: block.rows,
            places: vec![None; self.properties],
        }
    }

    fn bytes(&self) -> usize {
        let keys: usize = self.blocks.iter().map(|block| size_of::<Block>() + block.first.len()).sum();
        self.values.len() + keys
    }
}

/// Goes through the entities of a block.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    bytes: &'a [u8],
    at: usize,
    timestamps: bool,
    left: usize,
    places: Places,
}

impl Rows<'_> {
    /// The next entity: its timestamp, if that is in the excerpt, and where its values are among the bytes.
    #[expect(clippy::type_complexity, reason = "borrowed from two places, and taken apart at once")]
    pub(super) fn next(&mut self) -> Result<Option<(Timestamp, &[u8], &[Option<usize>])>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let mut timestamp = Timestamp::from_ticks(0);
        if self.timestamps {
            timestamp = Decoder::amid("excerpt", self.rest()).timestamp()?;
            self.at += size_of::<u64>();
        }
        for index in 0..self.places.len() {
            let place = match self.rest().first() {
                Some(&MISSING) => {
                    self.at += 1;
                    None
                }
                _ => {
                    let place = self.at;
                    self.at += first_value(self.rest())?.len();
                    Some(place)
                }
            };
            if let Some(kept) = self.places.get_mut(index) {
                *kept = place;
            }
        }
        Ok(Some((timestamp, self.bytes, &self.places)))
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}

/// An excerpt in the making, as a scan goes through the entities.
#[derive(Debug)]
pub(super) struct Making {
    topic: Topic,
    state: u64,
    excerpt: Excerpt,
    rows: usize,
}

impl Making {
    /// Begins an excerpt of a partition in this state.
    pub(super) fn new(topic: Topic, state: u64) -> Self {
        let (timestamps, properties) = (topic.timestamps, topic.names.len());
        Self { topic, state, excerpt: Excerpt { timestamps, properties, ..Excerpt::default() }, rows: 0 }
    }

    /// Takes the next entity: its values are in `record`, at `places`.
    pub(super) fn add(
        &mut self,
        key: &[u8],
        timestamp: Timestamp,
        record: &[u8],
        places: &[Option<usize>],
    ) -> Result<()> {
        let Excerpt { blocks, values, timestamps, .. } = &mut self.excerpt;
        self.rows += 1;
        // One that grows too large is given up, but the scan may still be long.
        if values.len() > EXCERPT_BYTES_MAX {
            return Ok(());
        }
        match blocks.last_mut() {
            Some(block) if block.rows < BLOCK_ROWS => block.rows += 1,
            _ => blocks.push(Block { first: key.to_vec(), rows: 1, from: values.len() }),
        }
        if *timestamps {
            values.extend_from_slice(&timestamp.ticks().to_be_bytes());
        }
        for place in places {
            match place {
                Some(place) => {
                    values.extend_from_slice(first_value(record.get(*place..).unwrap_or_default())?)
                }
                None => values.push(MISSING),
            }
        }
        Ok(())
    }

    /// Ends it before the entity `behind`, or at the partition's end.
    pub(super) fn finish(mut self, behind: Option<Vec<u8>>, excerpts: &Excerpts) {
        let bytes = self.excerpt.bytes();
        if self.rows >= ROWS_MIN && bytes <= EXCERPT_BYTES_MAX {
            self.excerpt.behind = behind;
            excerpts.keep(self.topic, self.state, self.excerpt);
        }
    }
}

/// The excerpts of all tables.
#[derive(Default)]
pub(super) struct Excerpts {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    kept: HashMap<Topic, Kept>,
    bytes: usize,
    /// Counts uses.
    uses: u64,
}

struct Kept {
    excerpt: Arc<Excerpt>,
    bytes: usize,
    state: u64,
    used: u64,
}

impl fmt::Debug for Excerpts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.held();
        f.debug_struct("Excerpts").field("count", &held.kept.len()).field("bytes", &held.bytes).finish()
    }
}

impl Excerpts {
    /// The excerpt on this topic, if there is one of this state of its partition.
    pub(super) fn find(&self, topic: &Topic, state: u64) -> Option<Arc<Excerpt>> {
        let mut held = self.held();
        held.uses += 1;
        let uses = held.uses;
        let kept = held.kept.get_mut(topic).filter(|kept| kept.state == state)?;
        kept.used = uses;
        Some(Arc::clone(&kept.excerpt))
    }

    fn keep(&self, topic: Topic, state: u64, excerpt: Excerpt) {
        let mut held = self.held();
        held.uses += 1;
        let bytes = excerpt.bytes();
        let kept = Kept { excerpt: Arc::new(excerpt), bytes, state, used: held.uses };
        held.bytes += bytes;
        let before = held.kept.insert(topic, kept);
        held.bytes -= before.map_or(0, |before| before.bytes);
        while held.bytes > BYTES_MAX {
            held.drop_oldest();
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn drop_oldest(&mut self) {
        let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.used).map(|(topic, _)| topic.clone());
        let dropped = oldest.and_then(|topic| self.kept.remove(&topic));
        // With nothing left to drop there are no bytes either.
        self.bytes = dropped.map_or(0, |dropped| self.bytes - dropped.bytes);
    }
}
