//! What queries read: a view between the query and the store counts the rows that are shown to it.

use super::tests::{Bench, key, number_property};
use crate::clock::Timestamp;
use crate::error::EngineError;
use crate::meta::{Family, Step, View, Visit};
use crate::table::excerpt::Excerpts;
use crate::table::query::{ROWS_MAX, select};
use crate::table::record::{encode_entity, entity_key};
use crate::table::{
    Change, Comparison, EntityKey, Expected, Filter, Operand, Properties, Query, Value, catalog,
};
use bytes::Bytes;
use std::cell::Cell;

/// Counts rows of entities on their way out.
struct Counted<'a> {
    view: &'a dyn View,
    rows: Cell<usize>,
}

impl View for Counted<'_> {
    fn get(&self, family: Family, key: &[u8]) -> crate::error::Result<Option<Bytes>> {
        self.rows.set(self.rows.get() + 1);
        self.view.get(family, key)
    }

    fn scan(
        &self,
        family: Family,
        from: &[u8],
        end: Option<&[u8]>,
        visit: &mut Visit<'_>,
    ) -> crate::error::Result<()> {
        self.view.scan(family, from, end, &mut |key, value| {
            self.rows.set(self.rows.get() + 1);
            visit(key, value)
        })
    }

    fn last_at_or_before(
        &self,
        family: Family,
        from: &[u8],
        at: &[u8],
    ) -> crate::error::Result<Option<(Bytes, Bytes)>> {
        self.view.last_at_or_before(family, from, at)
    }

    fn state(&self, scope: &[u8]) -> Option<u64> {
        self.view.state(scope)
    }

    fn changed(&self, scope: &[u8], since: u64) -> Option<Vec<Vec<u8>>> {
        self.view.changed(scope, since)
    }
}

fn compare(name: &str, by: Comparison, value: Value) -> Filter {
    Filter::Compare(Operand::Property(name.to_owned()), by, Operand::Literal(value))
}

fn text(name: &str, by: Comparison, value: &str) -> Filter {
    compare(name, by, Value::String(value.to_owned()))
}

fn and(one: Filter, other: Filter) -> Filter {
    Filter::And(Box::new(one), Box::new(other))
}

fn or(one: Filter, other: Filter) -> Filter {
    Filter::Or(Box::new(one), Box::new(other))
}

fn point(partition: &str, row: &str) -> Filter {
    and(text("PartitionKey", Comparison::Equal, partition), text("RowKey", Comparison::Equal, row))
}

/// Entities found and rows read, over all pages of at most `limit`.
fn cost(bench: &Bench, filter: Option<Filter>, limit: usize) -> (usize, usize) {
    cost_with(&Excerpts::default(), bench, filter, limit)
}

/// The same, with what earlier queries have left.
fn cost_with(excerpts: &Excerpts, bench: &Bench, filter: Option<Filter>, limit: usize) -> (usize, usize) {
    let mut query = Query { filter, limit, ..Query::default() };
    let (mut found, mut read) = (0, 0);
    loop {
        let page = bench.meta.read_now(|view| {
            let name = crate::table::name_key(&bench.at);
            let table = catalog::find(view, &name)?.ok_or(EngineError::TableNotFound)?.id;
            let counted = Counted { view, rows: Cell::new(0) };
            let page = select(&counted, excerpts, table, &query)?;
            read += counted.rows.get();
            Ok(page)
        });
        let page = page.unwrap();
        found += page.entities.len();
        let Some(next) = page.next else { return (found, read) };
        query.from = Some(next);
    }
}

/// Ten partitions of a hundred rows.
fn furnished() -> Bench {
    let bench = Bench::new();
    for partition in 0..10 {
        for row in 0..100 {
            let at = key(&format!("p{partition}"), &format!("{row:03}"));
            bench.change(&at, Change::Insert(number_property("N", row))).unwrap();
        }
    }
    bench
}

#[test]
fn conditions_on_keys_are_read_as_ranges_of_just_those_rows() {
    let bench = furnished();
    let partition = || text("PartitionKey", Comparison::Equal, "p3");
    let rows = |by, row| text("RowKey", by, row);
    let keys = |count: usize| {
        let of = |n: usize| point(&format!("p{}", n % 10), &format!("{:03}", n / 10));
        (1..count).fold(of(0), |filter, n| or(filter, of(n)))
    };
    let left = Filter::Compare(
        Operand::Literal(Value::String("p7".into())),
        Comparison::LessOrEqual,
        Operand::Property("PartitionKey".into()),
    );
    for (filter, expected) in [
        (None, (1000, 1000)),
        (Some(partition()), (100, 100)),
        (Some(point("p3", "007")), (1, 1)),
        (Some(point("p3", "none")), (0, 1)),
        (Some(text("PartitionKey", Comparison::Equal, "none")), (0, 0)),
        (Some(and(partition(), rows(Comparison::GreaterOrEqual, "090"))), (10, 10)),
        (
            Some(and(rows(Comparison::Less, "090"), and(partition(), rows(Comparison::Greater, "085")))),
            (4, 4),
        ),
        (Some(text("PartitionKey", Comparison::Greater, "p7")), (200, 200)),
        (Some(left), (300, 300)),
        (
            Some(and(
                text("PartitionKey", Comparison::Less, "p2"),
                compare("N", Comparison::Equal, Value::Int32(5)),
            )),
            (2, 200),
        ),
        (Some(and(partition(), compare("N", Comparison::Less, Value::Int32(0)))), (0, 100)),
        (Some(or(partition(), point("p5", "001"))), (101, 101)),
        (Some(keys(100)), (100, 100)),
        (Some(keys(200)), (200, 200)),
        (Some(compare("RowKey", Comparison::Equal, Value::Int32(7))), (0, 0)),
        (Some(Filter::Not(Box::new(partition()))), (900, 1000)),
    ] {
        assert_eq!(cost(&bench, filter.clone(), 2000), expected, "{filter:?}");
    }
}

#[test]
fn conditions_on_row_keys_alone_jump_from_partition_to_partition() {
    let bench = furnished();
    let rows = |by, row| text("RowKey", by, row);
    // Eight rows before and eight behind those that are wanted are passed by, in each of ten partitions.
    assert_eq!(cost(&bench, Some(rows(Comparison::Equal, "050")), 1000), (10, 170));
    let interval = and(rows(Comparison::GreaterOrEqual, "050"), rows(Comparison::Less, "053"));
    let partitions = text("PartitionKey", Comparison::Greater, "p4");
    assert_eq!(cost(&bench, Some(and(partitions, interval)), 1000), (15, 95));
    assert_eq!(cost(&bench, Some(rows(Comparison::Less, "000")), 1000), (0, 80));
    for low in [0_usize, 1, 7, 8, 9, 50, 91, 92, 99] {
        for high in [0_usize, 1, 8, 9, 51, 92, 99, 100] {
            let from = text("RowKey", Comparison::GreaterOrEqual, &format!("{low:03}"));
            let interval = and(from, text("RowKey", Comparison::Less, &format!("{high:03}")));
            for limit in [1000, 7] {
                let (found, _) = cost(&bench, Some(interval.clone()), limit);
                assert_eq!(found, 10 * high.saturating_sub(low), "{low} to {high} by {limit}");
            }
        }
    }
    let paged = cost(&bench, Some(rows(Comparison::Equal, "050")), 3);
    assert!(paged.0 == 10 && paged.1 < 200, "{paged:?}");
}

#[test]
fn each_page_begins_where_the_one_before_ended() {
    let bench = furnished();
    // One row more a page: the one at which the next begins.
    assert_eq!(cost(&bench, None, 100), (1000, 1009));
    let partition = text("PartitionKey", Comparison::Equal, "p3");
    assert_eq!(cost(&bench, Some(partition), 30), (100, 103));
}

#[test]
fn a_filter_that_was_asked_before_reads_only_blocks_in_which_something_passes_or_was_written() {
    let (bench, excerpts) = (furnished(), Excerpts::default());
    let among = |number, limit| {
        let number = compare("N", Comparison::Equal, Value::Int32(number));
        let filter = and(text("PartitionKey", Comparison::Equal, "p3"), number);
        cost_with(&excerpts, &bench, Some(filter), limit)
    };
    let put = |partition: &str, row: &str, number| {
        let change = Change::Replace(Expected::Whatever, number_property("N", number));
        bench.change(&key(partition, row), change).unwrap();
    };
    assert_eq!(among(50, 1000), (1, 100));
    assert_eq!(among(51, 1000), (1, 100), "what is asked once leaves nothing");
    assert_eq!(among(50, 1000), (1, 3), "a block of a test has three rows");
    assert_eq!(among(777, 1000), (0, 0));
    assert_eq!(among(99, 1000), (1, 1), "the last has one");
    put("p3", "010", 777);
    assert_eq!(among(777, 1000), (1, 3));
    assert_eq!(among(50, 1000), (1, 6), "the block that was written is read until the excerpt is made anew");
    put("p2", "010", 777);
    assert_eq!(among(50, 1000), (1, 6));
    put("p3", "", 777);
    put("p3", "xyz", 777);
    assert_eq!(among(777, 1000), (3, 4 + 3 + 2), "before the first, and behind the last");
    bench.change(&key("p3", "050"), Change::Delete(Expected::Existing)).unwrap();
    assert_eq!(among(50, 1000), (0, 4 + 3 + 2 + 2));
    // Each page ends with the row at which the next begins.
    assert_eq!(among(777, 1).0, 3);
    let other =
        and(text("PartitionKey", Comparison::Equal, "p3"), compare("M", Comparison::Equal, Value::Int32(1)));
    assert_eq!(cost_with(&excerpts, &bench, Some(other), 1000), (0, 101), "nobody asked by this property");
}

/// More rows than anybody has, all with this record.
struct Endless(Vec<u8>);

impl View for Endless {
    fn get(&self, _: Family, _: &[u8]) -> crate::error::Result<Option<Bytes>> {
        Ok(None)
    }

    fn scan(&self, _: Family, _: &[u8], _: Option<&[u8]>, visit: &mut Visit<'_>) -> crate::error::Result<()> {
        for row in 0..u64::MAX {
            let at = EntityKey { partition: "p".into(), row: format!("{row:08}") };
            if matches!(visit(&entity_key(7, &at), &self.0)?, Step::Stop) {
                break;
            }
        }
        Ok(())
    }

    fn last_at_or_before(
        &self,
        _: Family,
        _: &[u8],
        _: &[u8],
    ) -> crate::error::Result<Option<(Bytes, Bytes)>> {
        Ok(None)
    }
}

fn record(properties: &Properties) -> Vec<u8> {
    encode_entity(Timestamp::from_ticks(1), properties)
}

#[test]
fn a_page_that_finds_nothing_ends_and_says_where_to_go_on() {
    let view = Endless(record(&number_property("N", 1)));
    let filter = Some(compare("N", Comparison::Equal, Value::Int32(2)));
    let query = Query { filter, limit: 1000, ..Query::default() };
    let page = select(&view, &Excerpts::default(), 7, &query).unwrap();
    assert_eq!(page.entities, []);
    assert_eq!(page.next, Some(key("p", &format!("{ROWS_MAX:08}"))));
}

#[test]
fn of_a_row_that_does_not_pass_only_what_the_filter_names_is_read() {
    let marker = "never looked at";
    let properties =
        vec![("N".to_owned(), Value::Int32(1)), ("Text".to_owned(), Value::String(marker.to_owned()))];
    let mut damaged = record(&properties);
    // No text of UTF-8: whoever decodes it finds the record damaged.
    let at = damaged.windows(marker.len()).position(|part| part == marker.as_bytes()).unwrap();
    damaged[at] = 0xFF;
    let view = Endless(damaged);
    let select = |filter: Filter, properties: Option<Vec<String>>| {
        select(
            &view,
            &Excerpts::default(),
            7,
            &Query { filter: Some(filter), limit: 3, properties, ..Query::default() },
        )
    };
    let number = |wanted| compare("N", Comparison::Equal, Value::Int32(wanted));
    assert_eq!(select(number(2), None).unwrap().entities, [], "the text was not decoded");
    assert!(matches!(select(number(1), None), Err(EngineError::Corrupt { .. })), "now it was");
    let only = select(number(1), Some(vec!["N".to_owned()])).unwrap();
    assert_eq!(only.entities.len(), 3, "nor is what was not selected");
    assert_eq!(only.entities[0].properties, number_property("N", 1));
    assert!(matches!(select(text("Text", Comparison::Equal, "a"), None), Err(EngineError::Corrupt { .. })));
}
