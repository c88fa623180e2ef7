//! Queries: reading the ranges that a filter allows, and evaluating it on each row.
//!
//! A page ends at the number of entities asked for, and also once it has looked at [`ROWS_MAX`] rows or holds
//! [`BYTES_MAX`] of them, so that neither a filter that nothing passes nor a thousand entities of the
//! greatest size hold a reader or the memory. It says where to go on by the keys of the first row that it has
//! not looked at, and it looks at one at least, so pages always come to an end.
//!
//! Of a range over many partitions of which only some row keys are wanted, the others are passed over unseen,
//! and where they are many, jumped over.
//!
//! A filter sees rows as they are stored ([`Glance`]): of a row that does not pass, nothing is decoded but the
//! properties that the filter names, and its row key if the filter names that. The partition key is decoded
//! when it changes, and what the filter says of it is decided then and not for each row. Comparing keys in their
//! stored form, which is ordered as well, was left out: the ranges have done that already, and a second form of every
//! comparison is a second place to be wrong in.
//!
//! Where an [`Excerpt`] tells that nothing passes in some rows, they count as looked at and are not read.

use super::bounds::{KeyRange, RowRange, key_ranges};
use super::condition::{Condition, Field, Fields};
use super::excerpt::{Block, Excerpt, Excerpts, Making, Topic};
use super::filter::Seen;
use super::record::{Glance, decode_entity, entity_key, keys_at, value_at};
use super::{Entity, EntityKey, EntityPage, Query};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::meta::key::{KeyReader, successor};
use crate::meta::{Family, Step, View, Weight};

/// Rows that one page looks at, at most.
pub(super) const ROWS_MAX: usize = 50_000;
/// Rows of one partition outside of what a range wants of each, after which the query jumps: passing by a few is
/// cheaper than finding a place.
const PASSED_MAX: usize = 8;
/// Rows of a partition after which the filter is settled for it: for a few it would cost more than it saves.
const SETTLED_AFTER: usize = 8;
/// Bytes of rows after which a page ends.
const BYTES_MAX: usize = 8 << 20;

/// How long the query may take: reading single entities is not a scan.
pub(super) fn weight(query: &Query) -> Weight {
    let points = key_ranges(0, query.filter.as_ref()).iter().all(|range| range.point);
    if points { Weight::Point } else { Weight::Scan }
}

/// A page of the entities of `table`.
pub(super) fn select(view: &dyn View, excerpts: &Excerpts, table: u64, query: &Query) -> Result<EntityPage> {
    let start = query.from.as_ref().map(|key| entity_key(table, key)).unwrap_or_default();
    let mut selection = Selection::new(view, query);
    for range in key_ranges(table, query.filter.as_ref()) {
        let Some(range) = range.cut(&start) else { continue };
        if !range.point {
            selection.read(range, excerpts)?;
        } else if let Some(row) = view.get(Family::Entity, &range.from)? {
            selection.look_at(None, &range.from, &row)?;
        }
        if selection.behind.is_some() {
            break;
        }
    }
    let next = selection.behind.as_deref().map(keys_at).transpose()?;
    Ok(EntityPage { entities: selection.entities, next })
}

struct Selection<'q> {
    view: &'q dyn View,
    query: &'q Query,
    condition: Option<Condition<'q>>,
    /// The condition in the partition, once enough rows of it were seen to make it worth while.
    settled: Option<Condition<'q>>,
    /// Whether the condition looks at row keys.
    on_row_keys: bool,
    glance: Glance<'q>,
    making: Option<Making>,
    partition: Partition,
    seen_here: usize,
    entities: Vec<Entity>,
    /// The key of the first row that was not looked at, once the page is full.
    behind: Option<Vec<u8>>,
    rows: usize,
    bytes: usize,
    /// Rows outside of what is wanted, one behind the other.
    passed: usize,
}

impl<'q> Selection<'q> {
    fn new(view: &'q dyn View, query: &'q Query) -> Self {
        let condition = query.filter.as_ref().map(Condition::of);
        let names = condition.as_ref().map(|condition| condition.names().to_vec()).unwrap_or_default();
        Self {
            view,
            query,
            on_row_keys: condition.as_ref().is_some_and(|condition| condition.looks_at(Field::RowKey)),
            condition,
            settled: None,
            glance: Glance::new(names),
            making: None,
            partition: Partition::default(),
            seen_here: 0,
            entities: Vec::new(),
            behind: None,
            rows: 0,
            bytes: 0,
            passed: 0,
        }
    }

    /// Reads a range: as far as there are excerpts by them, and from there on by a scan that may leave one.
    fn read(&mut self, range: KeyRange, excerpts: &Excerpts) -> Result<()> {
        let mut left = Some(range);
        while let Some(range) = left.take_if(|_| self.behind.is_none()) {
            let topic = self.condition.as_ref().and_then(|condition| Topic::of(self.view, &range, condition));
            let found = topic.as_ref().and_then(|(topic, ground)| excerpts.find(self.view, topic, ground));
            if let Some((excerpt, written)) = found {
                self.skim(&range, &excerpt, &written)?;
                left = excerpt.behind().and_then(|behind| range.cut(behind));
            } else {
                let topic = topic.filter(|(topic, _)| excerpts.is_asked_again(topic));
                self.making = topic.map(|(topic, ground)| Making::new(topic, ground));
                self.scan(&range.from, range.end.as_deref(), range.rows.as_ref())?;
                if let Some(making) = self.making.take() {
                    making.finish(self.behind.clone(), excerpts);
                }
            }
        }
        Ok(())
    }

    fn scan(&mut self, from: &[u8], end: Option<&[u8]>, rows: Option<&RowRange>) -> Result<()> {
        self.view.scan(Family::Entity, from, end, &mut |key, row| self.look_at(rows, key, row))
    }

    /// Scans those blocks of an excerpt in which something passes or was `written`; neighbours together.
    fn skim(&mut self, range: &KeyRange, excerpt: &Excerpt, written: &[usize]) -> Result<()> {
        self.partition.enter(&range.from)?;
        self.settle();
        let end = excerpt.behind().or(range.end.as_deref());
        let (mut from, mut written) = (None, written.iter().peekable());
        for (place, block) in excerpt.blocks().iter().enumerate() {
            let is_as_it_was = written.next_if_eq(&&place).is_none();
            if is_as_it_was && !self.may_pass(block)? {
                if let Some(from) = from.take() {
                    self.scan(from, Some(&block.first), None)?;
                }
                if self.behind.is_some() {
                    return Ok(());
                }
                // The page may end in the midst of a block, or before an entity that is not there any more.
                if self.is_full(block.rows) {
                    return self.scan(&block.first, end, None);
                }
                self.rows += block.rows;
            } else {
                from.get_or_insert(block.first.as_slice());
            }
        }
        from.map_or(Ok(()), |from| self.scan(from, end, None))
    }

    fn may_pass(&self, block: &Block) -> Result<bool> {
        let Some(condition) = self.settled.as_ref().or(self.condition.as_ref()) else { return Ok(true) };
        Ok(condition.among(block.columns(&self.partition.name))? != 0)
    }

    /// Whether the page must end before it has looked at so many rows more.
    fn is_full(&self, rows: usize) -> bool {
        self.entities.len() >= self.query.limit || self.rows + rows > ROWS_MAX || self.bytes >= BYTES_MAX
    }

    fn look_at(&mut self, rows: Option<&RowRange>, key: &[u8], record: &[u8]) -> Result<Step> {
        if self.is_full(1) {
            self.behind = Some(key.to_vec());
            return Ok(Step::Stop);
        }
        let (row, entered) = self.partition.enter(key)?;
        if entered {
            (self.settled, self.seen_here) = (None, 0);
        }
        self.rows += 1;
        if let Some(rows) = rows
            && let Some(step) = self.outside(rows, row)
        {
            return Ok(step);
        }
        if !self.passes(key, row, record)? {
            return Ok(Step::Next);
        }
        self.bytes = self.bytes.saturating_add(record.len());
        let key = self.partition.key_of(row)?;
        self.entities.push(decode_entity(key, record, self.query.properties.as_deref())?);
        Ok(Step::Next)
    }

    /// Where to go from a row that is outside of those wanted of each partition; none if it is one of them.
    fn outside(&mut self, rows: &RowRange, row: &[u8]) -> Option<Step> {
        let before = *row < *rows.from;
        if !before && rows.end.as_ref().is_none_or(|end| *row < **end) {
            self.passed = 0;
            return None;
        }
        self.passed += 1;
        if self.passed < PASSED_MAX {
            return Some(Step::Next);
        }
        self.passed = 0;
        let prefix = &self.partition.prefix;
        let place = if before { Some([prefix, rows.from.as_slice()].concat()) } else { successor(prefix) };
        Some(place.map_or(Step::Stop, Step::Seek))
    }

    fn passes(&mut self, key: &[u8], row: &[u8], record: &[u8]) -> Result<bool> {
        self.seen_here += 1;
        if self.seen_here == SETTLED_AFTER {
            self.settle();
        }
        let Some(condition) = self.settled.as_ref().or(self.condition.as_ref()) else { return Ok(true) };
        let row_key = if self.on_row_keys { row_key(row)? } else { String::new() };
        let timestamp = self.glance.at(record)?;
        let places = self.glance.places();
        if let Some(making) = &mut self.making {
            making.add(key, timestamp, record, places)?;
        }
        let partition = &self.partition.name;
        condition.holds(&Stored { partition, row_key: &row_key, timestamp, bytes: record, places })
    }

    fn settle(&mut self) {
        let inside = |condition: &Condition<'q>| condition.in_partition(&self.partition.name);
        self.settled = self.condition.as_ref().map(inside);
    }
}

/// The partition that the rows are of, kept from one row to the next.
#[derive(Debug, Default)]
struct Partition {
    name: String,
    /// How its rows' keys begin; empty before the first.
    prefix: Vec<u8>,
}

impl Partition {
    /// Goes to the partition of this key, and gives the rest of the key and whether it is another one.
    fn enter<'k>(&mut self, key: &'k [u8]) -> Result<(&'k [u8], bool)> {
        if let Some(row) = key.strip_prefix(self.prefix.as_slice()).filter(|_| !self.prefix.is_empty()) {
            return Ok((row, false));
        }
        let mut pieces = KeyReader::new(key);
        pieces.u64()?;
        self.name = pieces.text()?;
        let row = pieces.rest();
        self.prefix.clear();
        // What is left stands at the end, so this is all that was read.
        self.prefix.extend_from_slice(key.strip_suffix(row).unwrap_or_default());
        Ok((row, true))
    }

    fn key_of(&self, row: &[u8]) -> Result<EntityKey> {
        Ok(EntityKey { partition: self.name.clone(), row: row_key(row)? })
    }
}

fn row_key(row: &[u8]) -> Result<String> {
    let mut pieces = KeyReader::new(row);
    let key = pieces.text()?;
    pieces.finish()?;
    Ok(key)
}

/// A row as a condition sees it.
struct Stored<'a> {
    partition: &'a str,
    row_key: &'a str,
    timestamp: Timestamp,
    /// Encoded values.
    bytes: &'a [u8],
    /// Where among them those are that the condition names.
    places: &'a [Option<usize>],
}

impl Fields for Stored<'_> {
    #[inline]
    fn field(&self, field: Field) -> Result<Option<Seen<'_>>> {
        match field {
            Field::PartitionKey => Ok(Some(Seen::Text(self.partition))),
            Field::RowKey => Ok(Some(Seen::Text(self.row_key))),
            Field::Timestamp => Ok(Some(Seen::Moment(self.timestamp.ticks()))),
            Field::Property(place) => {
                let place = self.places.get(place).copied().flatten();
                place.map(|place| value_at(self.bytes, place)).transpose()
            }
        }
    }
}
