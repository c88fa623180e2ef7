//! Queries: reading the ranges that a filter allows, and evaluating it on each row.
//!
//! A page ends at the number of entities asked for, and also once it has looked at [`ROWS_MAX`] rows or holds
//! [`BYTES_MAX`] of them, so that neither a filter that nothing passes nor a thousand entities of the
//! greatest size hold a reader or the memory. It says where to go on by the keys of the first row that it has
//! not looked at, and it looks at one at least, so pages always come to an end.

use super::bounds::key_ranges;
use super::record::{decode_entity, decode_key, entity_key};
use super::{Entity, EntityPage, Filter, Query};
use crate::error::Result;
use crate::meta::{Family, Step, View, Weight};

/// Rows that one page looks at, at most.
const ROWS_MAX: usize = 50_000;
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
    let mut selection = Selection { query, entities: Vec::new(), next: None, rows: 0, bytes: 0 };
    for range in key_ranges(table, query.filter.as_ref()) {
        let Some(range) = range.cut(&start) else { continue };
        if range.point {
            if let Some(row) = view.get(Family::Entity, &range.from)? {
                selection.look_at(&range.from, &row)?;
            }
        } else {
            let visit = &mut |key: &[u8], row: &[u8]| selection.look_at(key, row);
            view.scan(Family::Entity, &range.from, range.end.as_deref(), visit)?;
        }
        if selection.next.is_some() {
            break;
        }
    }
    Ok(EntityPage { entities: selection.entities, next: selection.next })
}

struct Selection<'a> {
    query: &'a Query,
    entities: Vec<Entity>,
    next: Option<super::EntityKey>,
    rows: usize,
    bytes: usize,
}

impl Selection<'_> {
    fn look_at(&mut self, key: &[u8], row: &[u8]) -> Result<Step> {
        let key = decode_key(key)?;
        if self.entities.len() >= self.query.limit || self.rows >= ROWS_MAX || self.bytes >= BYTES_MAX {
            self.next = Some(key);
            return Ok(Step::Stop);
        }
        self.rows += 1;
        let entity = decode_entity(key, row)?;
        if self.query.filter.as_ref().is_none_or(|filter| Filter::matches(filter, &entity)) {
            self.bytes = self.bytes.saturating_add(row.len());
            self.entities.push(entity);
        }
        Ok(Step::Next)
    }
}
