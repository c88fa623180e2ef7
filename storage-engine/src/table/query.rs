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
//! when it changes, and what the filter says of it is decided then and not for each row. Comparing keys in their stored form, which is ordered as well, was left out: the ranges have
//! done that already, and a second form of every comparison is a second place to be wrong in.

use super::bounds::{RowRange, key_ranges};
use super::filter::{Fields, Seen};
use super::record::{Glance, decode_entity, entity_key};
use super::{Entity, EntityKey, EntityPage, Filter, Query};
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
pub(super) fn select(view: &dyn View, table: u64, query: &Query) -> Result<EntityPage> {
    let start = query.from.as_ref().map(|key| entity_key(table, key)).unwrap_or_default();
    let mut selection = Selection::new(query);
    for range in key_ranges(table, query.filter.as_ref()) {
        let Some(range) = range.cut(&start) else { continue };
        if range.point {
            if let Some(row) = view.get(Family::Entity, &range.from)? {
                selection.look_at(None, &range.from, &row)?;
            }
        } else {
            let rows = range.rows.as_ref();
            let visit = &mut |key: &[u8], row: &[u8]| selection.look_at(rows, key, row);
            view.scan(Family::Entity, &range.from, range.end.as_deref(), visit)?;
        }
        if selection.next.is_some() {
            break;
        }
    }
    Ok(EntityPage { entities: selection.entities, next: selection.next })
}

struct Selection<'q> {
    query: &'q Query,
    glance: Glance<'q>,
    /// Whether the filter looks at row keys.
    on_row_keys: bool,
    partition: Partition,
    /// The filter in that partition, once enough rows of it were seen to make it worth while.
    settled: Option<Filter>,
    seen_here: usize,
    entities: Vec<Entity>,
    next: Option<EntityKey>,
    rows: usize,
    bytes: usize,
    /// Rows outside of what is wanted, one behind the other.
    passed: usize,
}

impl<'q> Selection<'q> {
    fn new(query: &'q Query) -> Self {
        let mut names = Vec::new();
        if let Some(filter) = &query.filter {
            filter.names(&mut names);
        }
        let on_row_keys = names.contains(&"RowKey");
        names.retain(|name| !matches!(*name, "PartitionKey" | "RowKey" | "Timestamp"));
        Self {
            query,
            glance: Glance::new(names),
            on_row_keys,
            partition: Partition::default(),
            settled: None,
            seen_here: 0,
            entities: Vec::new(),
            next: None,
            rows: 0,
            bytes: 0,
            passed: 0,
        }
    }

    fn look_at(&mut self, rows: Option<&RowRange>, key: &[u8], record: &[u8]) -> Result<Step> {
        let (row, entered) = self.partition.enter(key)?;
        if entered {
            (self.settled, self.seen_here) = (None, 0);
        }
        if self.entities.len() >= self.query.limit || self.rows >= ROWS_MAX || self.bytes >= BYTES_MAX {
            self.next = Some(self.partition.key_of(row)?);
            return Ok(Step::Stop);
        }
        self.rows += 1;
        if let Some(rows) = rows
            && let Some(step) = self.outside(rows, row)
        {
            return Ok(step);
        }
        if !self.passes(row, record)? {
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

    fn passes(&mut self, row: &[u8], record: &[u8]) -> Result<bool> {
        let Some(filter) = &self.query.filter else { return Ok(true) };
        self.seen_here += 1;
        if self.seen_here == SETTLED_AFTER {
            self.settled = Some(filter.in_partition(&self.partition.name));
        }
        let filter = self.settled.as_ref().unwrap_or(filter);
        let row_key = if self.on_row_keys { row_key(row)? } else { String::new() };
        let timestamp = self.glance.at(record)?;
        let Self { glance, partition, .. } = self;
        filter.holds(&Stored { partition: &partition.name, row_key: &row_key, timestamp, glance, record })
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

/// A row as a filter sees it.
struct Stored<'a> {
    partition: &'a str,
    row_key: &'a str,
    timestamp: Timestamp,
    glance: &'a Glance<'a>,
    record: &'a [u8],
}

impl Fields for Stored<'_> {
    fn field(&self, name: &str) -> Result<Option<Seen<'_>>> {
        match name {
            "PartitionKey" => Ok(Some(Seen::Text(self.partition))),
            "RowKey" => Ok(Some(Seen::Text(self.row_key))),
            "Timestamp" => Ok(Some(Seen::Moment(self.timestamp.ticks()))),
            name => self.glance.value(self.record, name),
        }
    }
}
