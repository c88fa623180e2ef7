//! Where the entities that a filter can be true for lie: the ranges of keys that a query reads.
//!
//! Pure, and a hint to one side only: every entity for which the filter holds lies in the ranges, but not
//! every entity in the ranges is one, so the query still evaluates the filter on each. What is not understood
//! (`not`, `ne`, comparisons of other properties) is a range of everything.
//!
//! Conditions on the two keys make an [`Area`], an interval of partition keys times one of row keys. `and`
//! intersects areas pairwise, `or` puts them beside one another. Only within a single partition does an
//! interval of row keys lie together in key order; a range over many partitions says beside which rows of each
//! it wants, so that the query can jump from those of one partition to those of the next.

use super::filter::compare_text;
use super::{Comparison, Filter, Operand, Value};
use crate::meta::key::{KeyBuilder, successor};
use std::cmp::Ordering;
use std::ops::Bound;

/// More areas than this are not worth their jumps: the filter is then understood less exactly. Enough for a
/// client that asks for a hundred entities by their keys, which is a batch of them.
const AREAS_MAX: usize = 256;

/// Keys from `from` on and below `end`, if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyRange {
    pub(super) from: Vec<u8>,
    pub(super) end: Option<Vec<u8>>,
    /// Whether only the key `from` itself can be in it.
    pub(super) point: bool,
    /// The rows of each partition that it is about; none for all.
    pub(super) rows: Option<RowRange>,
}

/// Where the end of a key, its row key, must lie: from `from` on and below `end`, if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowRange {
    pub(super) from: Vec<u8>,
    pub(super) end: Option<Vec<u8>>,
}

impl RowRange {
    fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.from)
    }
}

impl KeyRange {
    fn is_empty(&self) -> bool {
        let no_rows = self.rows.as_ref().is_some_and(RowRange::is_empty);
        no_rows || self.end.as_ref().is_some_and(|end| *end <= self.from)
    }

    /// What is left of the range from `key` on.
    pub(super) fn cut(self, key: &[u8]) -> Option<Self> {
        if *key <= *self.from {
            return Some(self);
        }
        let left = Self { from: key.to_vec(), point: false, ..self };
        (!left.is_empty()).then_some(left)
    }
}

/// The ranges of keys of a table, in order and apart, in which the filter can hold.
pub(super) fn key_ranges(table: u64, filter: Option<&Filter>) -> Vec<KeyRange> {
    let areas = filter.map_or_else(|| vec![Area::ALL], areas);
    let mut ranges: Vec<KeyRange> = areas.iter().map(|area| area.key_range(table)).collect();
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by(|left, right| left.from.cmp(&right.from));
    let mut apart: Vec<KeyRange> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match apart.last_mut() {
            Some(last) if last.end.as_ref().is_none_or(|end| range.from < *end) => last.include(range),
            _ => apart.push(range),
        }
    }
    apart
}

impl KeyRange {
    /// Extends this range over `other`, which begins inside it.
    fn include(&mut self, other: Self) {
        self.point = self.point && other.point;
        if self.rows != other.rows {
            self.rows = None;
        }
        self.end = match (self.end.take(), other.end) {
            (Some(end), Some(other)) => Some(end.max(other)),
            _ => None,
        };
    }
}

fn areas(filter: &Filter) -> Vec<Area> {
    match filter {
        Filter::And(left, right) => intersections(areas(left), &areas(right)),
        Filter::Or(left, right) => {
            let mut both = areas(left);
            both.extend(areas(right));
            if both.len() > AREAS_MAX { vec![Area::ALL] } else { both }
        }
        Filter::Compare(Operand::Property(name), comparison, Operand::Literal(value)) => {
            compared(name, *comparison, value)
        }
        Filter::Compare(Operand::Literal(value), comparison, Operand::Property(name)) => {
            compared(name, comparison.mirrored(), value)
        }
        Filter::Not(_) | Filter::Bare(_) | Filter::Compare(..) => vec![Area::ALL],
    }
}

/// All that lies in one of each. With too many, just the left ones, which contain them.
fn intersections(left: Vec<Area>, right: &[Area]) -> Vec<Area> {
    if left.len().saturating_mul(right.len()) > AREAS_MAX {
        return left;
    }
    left.iter().flat_map(|one| right.iter().map(move |other| one.intersection(other))).collect()
}

fn compared(name: &str, comparison: Comparison, value: &Value) -> Vec<Area> {
    let on_partition = match name {
        "PartitionKey" => true,
        "RowKey" => false,
        _ => return vec![Area::ALL],
    };
    // Keys are texts, and compare with nothing else.
    let Value::String(text) = value else { return Vec::new() };
    let interval = Interval::of(comparison, text);
    vec![if on_partition {
        Area { partition: interval, row: Interval::ALL }
    } else {
        Area { partition: Interval::ALL, row: interval }
    }]
}

/// Entities whose keys lie in two intervals.
#[derive(Debug, Clone)]
struct Area {
    partition: Interval,
    row: Interval,
}

impl Area {
    const ALL: Self = Self { partition: Interval::ALL, row: Interval::ALL };

    fn intersection(&self, other: &Self) -> Self {
        Self {
            partition: self.partition.intersection(&other.partition),
            row: self.row.intersection(&other.row),
        }
    }

    fn key_range(&self, table: u64) -> KeyRange {
        let table = KeyBuilder::new().u64(table).finish();
        match self.partition.single() {
            Some(partition) => self.row.behind(&KeyBuilder::behind(&table).text(partition).finish()),
            None => KeyRange { point: false, rows: self.row.of_each(), ..self.partition.behind(&table) },
        }
    }
}

/// Texts between two bounds, in the order of keys.
#[derive(Debug, Clone)]
struct Interval {
    low: Bound<String>,
    high: Bound<String>,
}

impl Interval {
    const ALL: Self = Self { low: Bound::Unbounded, high: Bound::Unbounded };

    fn of(comparison: Comparison, text: &str) -> Self {
        let text = text.to_owned();
        match comparison {
            Comparison::Equal => Self { low: Bound::Included(text.clone()), high: Bound::Included(text) },
            Comparison::Greater => Self { low: Bound::Excluded(text), high: Bound::Unbounded },
            Comparison::GreaterOrEqual => Self { low: Bound::Included(text), high: Bound::Unbounded },
            Comparison::Less => Self { low: Bound::Unbounded, high: Bound::Excluded(text) },
            Comparison::LessOrEqual => Self { low: Bound::Unbounded, high: Bound::Included(text) },
            Comparison::NotEqual => Self::ALL,
        }
    }

    fn intersection(&self, other: &Self) -> Self {
        let low = tighter(&self.low, &other.low, Ordering::Greater);
        let high = tighter(&self.high, &other.high, Ordering::Less);
        Self { low: low.clone(), high: high.clone() }
    }

    /// The only text in the interval, if there is just one.
    fn single(&self) -> Option<&str> {
        match (&self.low, &self.high) {
            (Bound::Included(low), Bound::Included(high)) if low == high => Some(low),
            _ => None,
        }
    }

    /// The interval as the end of any key; none if it holds all texts.
    fn of_each(&self) -> Option<RowRange> {
        if matches!((&self.low, &self.high), (Bound::Unbounded, Bound::Unbounded)) {
            return None;
        }
        let KeyRange { from, end, .. } = self.behind(&[]);
        Some(RowRange { from, end })
    }

    /// The keys that go on behind `prefix` with a text of this interval.
    fn behind(&self, prefix: &[u8]) -> KeyRange {
        let key = |text: &str| KeyBuilder::behind(prefix).text(text).finish();
        // A text's encoding ends with the lowest byte, so its successor is below all that the text begins.
        let from = match &self.low {
            Bound::Included(text) => key(text),
            Bound::Excluded(text) => successor(&key(text)).unwrap_or_default(),
            Bound::Unbounded => prefix.to_vec(),
        };
        let end = match &self.high {
            Bound::Included(text) => successor(&key(text)),
            Bound::Excluded(text) => Some(key(text)),
            Bound::Unbounded => successor(prefix),
        };
        KeyRange { from, end, point: self.single().is_some(), rows: None }
    }
}

/// Of two bounds, the one that lets less through. `inward` is the direction in which a bound gets tighter.
fn tighter<'a>(left: &'a Bound<String>, right: &'a Bound<String>, inward: Ordering) -> &'a Bound<String> {
    let (Bound::Included(one) | Bound::Excluded(one)) = left else { return right };
    let (Bound::Included(other) | Bound::Excluded(other)) = right else { return left };
    match compare_text(one, other) {
        Ordering::Equal if matches!(right, Bound::Excluded(_)) => right,
        Ordering::Equal => left,
        order if order == inward => left,
        _ => right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::EntityKey;
    use crate::table::record::{entity_key, partition_key};

    const TABLE: u64 = 7;

    fn key(name: &str, comparison: Comparison, text: &str) -> Filter {
        let property = Operand::Property(name.into());
        Filter::Compare(property, comparison, Operand::Literal(Value::String(text.into())))
    }

    fn and(left: Filter, right: Filter) -> Filter {
        Filter::And(Box::new(left), Box::new(right))
    }

    fn or(left: Filter, right: Filter) -> Filter {
        Filter::Or(Box::new(left), Box::new(right))
    }

    fn point(partition: &str, row: &str) -> Filter {
        and(key("PartitionKey", Comparison::Equal, partition), key("RowKey", Comparison::Equal, row))
    }

    fn place(partition: &str, row: &str) -> Vec<u8> {
        entity_key(TABLE, &EntityKey { partition: partition.into(), row: row.into() })
    }

    #[test]
    fn both_keys_given_are_a_point() {
        let ranges = key_ranges(TABLE, Some(&point("a", "b")));
        assert_eq!(ranges.len(), 1);
        assert!(ranges[0].point);
        assert_eq!(ranges[0].from, place("a", "b"));
    }

    #[test]
    fn points_joined_by_or_stay_points_in_key_order() {
        let filter = or(point("b", "x"), or(point("a", "x"), point("b", "x")));
        let ranges = key_ranges(TABLE, Some(&filter));
        let froms: Vec<_> = ranges.iter().map(|range| (range.from.clone(), range.point)).collect();
        assert_eq!(froms, [(place("a", "x"), true), (place("b", "x"), true)]);
    }

    #[test]
    fn row_keys_bound_the_range_only_inside_one_partition() {
        let rows =
            || and(key("RowKey", Comparison::Greater, "c"), key("RowKey", Comparison::LessOrEqual, "f"));
        let inside = and(key("PartitionKey", Comparison::Equal, "p"), rows());
        let ranges = key_ranges(TABLE, Some(&inside));
        assert_eq!(ranges.len(), 1);
        let within = |place: Vec<u8>| place >= ranges[0].from && Some(&place) < ranges[0].end.as_ref();
        assert!(!within(place("p", "c")) && within(place("p", "c\0")) && within(place("p", "d")));
        assert!(within(place("p", "f")) && !within(place("p", "f\0")));
        let anywhere = key_ranges(TABLE, Some(&rows()));
        let all = key_ranges(TABLE, None);
        assert_eq!((anywhere.len(), &anywhere[0].from, &anywhere[0].end), (1, &all[0].from, &all[0].end));
        let wanted = anywhere[0].rows.as_ref().unwrap();
        let within = |row: &str| {
            let row = KeyBuilder::new().text(row).finish();
            row >= wanted.from && Some(&row) < wanted.end.as_ref()
        };
        assert!(!within("c") && within("c\0") && within("d") && within("f") && !within("f\0"));
        assert_eq!(all[0].rows, None);
        let none = and(key("RowKey", Comparison::Greater, "c"), key("RowKey", Comparison::Less, "a"));
        assert_eq!(key_ranges(TABLE, Some(&none)), []);
        let either = or(rows(), key("RowKey", Comparison::Equal, "x"));
        assert_eq!(key_ranges(TABLE, Some(&either)), all, "two intervals become all rows");
    }

    #[test]
    fn conditions_that_exclude_each_other_leave_nothing_to_read() {
        let above = key("PartitionKey", Comparison::Greater, "b");
        let none = and(above, key("PartitionKey", Comparison::Less, "b"));
        assert_eq!(key_ranges(TABLE, Some(&none)), []);
        let other_type = Filter::Compare(
            Operand::Property("RowKey".into()),
            Comparison::NotEqual,
            Operand::Literal(Value::Int32(1)),
        );
        assert_eq!(key_ranges(TABLE, Some(&other_type)), []);
    }

    #[test]
    fn of_two_bounds_at_one_text_the_excluding_one_counts() {
        let partition = |comparison| key("PartitionKey", comparison, "b");
        let above = key_ranges(TABLE, Some(&partition(Comparison::Greater)));
        for both in [
            and(partition(Comparison::Greater), partition(Comparison::GreaterOrEqual)),
            and(partition(Comparison::GreaterOrEqual), partition(Comparison::Greater)),
        ] {
            assert_eq!(key_ranges(TABLE, Some(&both)), above);
        }
    }

    #[test]
    fn a_literal_on_the_left_bounds_from_the_other_side() {
        let filter = Filter::Compare(
            Operand::Literal(Value::String("m".into())),
            Comparison::LessOrEqual,
            Operand::Property("PartitionKey".into()),
        );
        let ranges = key_ranges(TABLE, Some(&filter));
        assert_eq!((ranges.len(), &ranges[0].from), (1, &partition_key(TABLE, "m")));
    }

    #[test]
    fn a_negation_may_be_true_anywhere() {
        let filter = Filter::Not(Box::new(point("a", "b")));
        assert_eq!(key_ranges(TABLE, Some(&filter)), key_ranges(TABLE, None));
    }

    #[test]
    fn very_many_alternatives_become_one_range() {
        let mut filter = point("p0", "r");
        for n in 1..=AREAS_MAX {
            filter = or(filter, point(&format!("p{n}"), "r"));
        }
        assert_eq!(key_ranges(TABLE, Some(&filter)), key_ranges(TABLE, None));
    }

    #[test]
    fn a_range_is_cut_where_the_page_before_ended() {
        let whole = key_ranges(TABLE, Some(&key("PartitionKey", Comparison::Equal, "p"))).remove(0);
        assert_eq!(whole.clone().cut(&place("a", "z")), Some(whole.clone()));
        assert_eq!(whole.clone().cut(&place("p", "m")).unwrap().from, place("p", "m"));
        assert_eq!(whole.cut(&place("q", "")), None);
    }
}
