//! Tables as a whole, on the store in memory: changes against a model, and queries against a second, plainly
//! written evaluation of their filters.

use super::{
    Change, Comparison, Entity, EntityKey, Expected, Filter, Operand, Properties, Query, TableAddress,
    TableStore, Value,
};
use crate::clock::{Clock, ManualClock, Timestamp};
use crate::error::{EngineError, Result};
use crate::meta::memory::MemoryMeta;
use crate::meta::{Family, MetaStore, Step};
use crate::name::{AccountName, TableName};
use crate::sweep::sweep_once;
use futures_executor::block_on;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use proptest::{collection, prop_assert, prop_assert_eq, sample};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Keys that are near each other in one order and far in another.
const TEXTS: [&str; 9] = ["", "a", "a\u{1}", "aa", "ab", "B", "\u{e9}", "\u{ff5e}", "\u{1f600}"];

pub(super) fn any_key() -> impl Strategy<Value = EntityKey> {
    let text = || sample::select(&TEXTS[..]).prop_map(ToOwned::to_owned);
    (text(), text()).prop_map(|(partition, row)| EntityKey { partition, row })
}

pub(super) fn any_value() -> impl Strategy<Value = Value> {
    let doubles = vec![0.0, -0.0, 1.0, 1.5, -2.0, 9e15, 9_223_372_036_854_775_808.0, f64::NAN, f64::INFINITY];
    prop_oneof![
        sample::select(&TEXTS[..]).prop_map(|text| Value::String(text.to_owned())),
        (-2_i32..3).prop_map(Value::Int32),
        prop_oneof![-2_i64..3, Just(i64::MAX), Just(i64::MIN)].prop_map(Value::Int64),
        sample::select(doubles).prop_map(Value::Double),
        any::<bool>().prop_map(Value::Boolean),
        (0_u64..3).prop_map(|ticks| Value::DateTime(Timestamp::from_ticks(ticks))),
        (0_u128..3).prop_map(Value::Guid),
        collection::vec(0_u8..3, 0..3).prop_map(|bytes| Value::Binary(bytes.into())),
    ]
}

pub(super) fn any_properties() -> impl Strategy<Value = Properties> {
    let one = (sample::select(vec!["A", "B", "C"]).prop_map(ToOwned::to_owned), any_value());
    collection::btree_map(one.0, one.1, 0..4).prop_map(|properties| properties.into_iter().collect())
}

pub(super) fn any_comparison() -> impl Strategy<Value = Comparison> {
    sample::select(Comparison::ALL.to_vec())
}

pub(super) fn any_filter() -> impl Strategy<Value = Filter> {
    let property = || {
        let names =
            vec!["PartitionKey", "PartitionKey", "RowKey", "RowKey", "A", "B", "Timestamp", "Nothing"];
        sample::select(names).prop_map(|name| Operand::Property(name.to_owned()))
    };
    let text = sample::select(&TEXTS[..]).prop_map(|text| Operand::Literal(Value::String(text.to_owned())));
    let literal = || any_value().prop_map(Operand::Literal);
    let key =
        sample::select(vec!["PartitionKey", "RowKey"]).prop_map(|name| Operand::Property(name.to_owned()));
    let leaf = prop_oneof![
        4 => (key, any_comparison(), text).prop_map(|(key, by, text)| Filter::Compare(key, by, text)),
        2 => (property(), any_comparison(), literal()).prop_map(|(one, by, other)| Filter::Compare(one, by, other)),
        2 => (literal(), any_comparison(), property()).prop_map(|(one, by, other)| Filter::Compare(one, by, other)),
        1 => (property(), any_comparison(), property()).prop_map(|(one, by, other)| Filter::Compare(one, by, other)),
        1 => prop_oneof![property(), literal()].prop_map(Filter::Bare),
    ];
    leaf.prop_recursive(4, 15, 2, |inner| {
        let pair =
            || (inner.clone(), inner.clone()).prop_map(|(one, other)| (Box::new(one), Box::new(other)));
        prop_oneof![
            3 => pair().prop_map(|(one, other)| Filter::And(one, other)),
            2 => pair().prop_map(|(one, other)| Filter::Or(one, other)),
            1 => inner.clone().prop_map(|one| Filter::Not(Box::new(one))),
        ]
    })
}

/// The second evaluation: operands are looked up and compared by another way than the engine's.
pub(super) fn holds(filter: &Filter, entity: &Entity) -> bool {
    match filter {
        Filter::And(one, other) => holds(one, entity) & holds(other, entity),
        Filter::Or(one, other) => holds(one, entity) | holds(other, entity),
        Filter::Not(inner) => !holds(inner, entity),
        Filter::Bare(operand) => value_of(operand, entity) == Some(Value::Boolean(true)),
        Filter::Compare(one, by, other) => {
            let (Some(one), Some(other)) = (value_of(one, entity), value_of(other, entity)) else {
                return false;
            };
            let (less, equal, greater) = match relation(&one, &other) {
                Relation::Foreign => return false,
                Relation::Unordered => (false, false, false),
                Relation::Ordered(order) => (order.is_lt(), order.is_eq(), order.is_gt()),
            };
            match by {
                Comparison::Equal => equal,
                Comparison::NotEqual => !equal,
                Comparison::Greater => greater,
                Comparison::GreaterOrEqual => greater || equal,
                Comparison::Less => less,
                Comparison::LessOrEqual => less || equal,
            }
        }
    }
}

fn value_of(operand: &Operand, entity: &Entity) -> Option<Value> {
    let name = match operand {
        Operand::Literal(value) => return Some(value.clone()),
        Operand::Property(name) => name,
    };
    let mut all: BTreeMap<String, Value> = entity.properties.iter().cloned().collect();
    all.insert("PartitionKey".into(), Value::String(entity.key.partition.clone()));
    all.insert("RowKey".into(), Value::String(entity.key.row.clone()));
    all.insert("Timestamp".into(), Value::DateTime(entity.timestamp));
    all.remove(name)
}

enum Relation {
    /// Of types that do not compare.
    Foreign,
    /// With a NaN.
    Unordered,
    Ordered(Ordering),
}

fn relation(one: &Value, other: &Value) -> Relation {
    match (number(one), number(other)) {
        (Some(None), Some(_)) | (Some(_), Some(None)) => return Relation::Unordered,
        (Some(Some(one)), Some(Some(other))) => return Relation::Ordered(one.cmp(&other)),
        _ => {}
    }
    Relation::Ordered(match (one, other) {
        (Value::String(one), Value::String(other)) => units(one).cmp(&units(other)),
        (Value::Boolean(one), Value::Boolean(other)) => one.cmp(other),
        (Value::DateTime(one), Value::DateTime(other)) => one.cmp(other),
        (Value::Guid(one), Value::Guid(other)) => one.cmp(other),
        (Value::Binary(one), Value::Binary(other)) => one.cmp(other),
        _ => return Relation::Foreign,
    })
}

fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

/// A number in quarters, as an integer: exact for all that the tests use. None inside for NaN.
#[expect(
    clippy::option_option,
    clippy::cast_possible_truncation,
    reason = "saturates for infinities, as it should"
)]
fn number(value: &Value) -> Option<Option<i128>> {
    match value {
        Value::Int32(number) => Some(Some(i128::from(*number) * 4)),
        Value::Int64(number) => Some(Some(i128::from(*number) * 4)),
        Value::Double(number) => Some((!number.is_nan()).then_some((*number * 4.0) as i128)),
        _ => None,
    }
}

pub(super) struct Bench {
    pub(super) meta: Arc<MemoryMeta>,
    tables: TableStore,
    pub(super) at: TableAddress,
}

fn address(table: &str) -> TableAddress {
    TableAddress { account: AccountName::parse("acc").unwrap(), table: TableName::parse(table).unwrap() }
}

impl Bench {
    pub(super) fn new() -> Self {
        let clock = Arc::new(ManualClock::default()) as Arc<dyn Clock>;
        let meta = MemoryMeta::new(clock);
        let tables = TableStore::new(Arc::clone(&meta) as Arc<dyn MetaStore>);
        let at = address("People");
        block_on(tables.create(&at)).unwrap();
        Self { meta, tables, at }
    }

    pub(super) fn change(&self, key: &EntityKey, change: Change) -> Result<Timestamp> {
        block_on(self.tables.change(&self.at, key.clone(), change))
    }

    /// All pages of a query, put together.
    pub(super) fn query(&self, filter: Option<Filter>, limit: usize) -> Vec<Entity> {
        let mut query = Query { filter, limit, ..Query::default() };
        let mut all = Vec::new();
        loop {
            let page = block_on(self.tables.query(&self.at, query.clone())).unwrap();
            assert!(page.entities.len() <= limit);
            all.extend(page.entities);
            let Some(next) = page.next else { return all };
            let progress = |from: &EntityKey| in_order(from) < in_order(&next);
            assert!(query.from.as_ref().is_none_or(progress), "a page must go on behind the one before");
            query.from = Some(next);
        }
    }

    fn rows(&self) -> usize {
        let mut rows = 0;
        let scan = self.meta.read_now(|view| {
            view.scan(Family::Entity, &[], None, &mut |_, _| {
                rows += 1;
                Ok(Step::Next)
            })
        });
        scan.unwrap();
        rows
    }
}

fn in_order(key: &EntityKey) -> (Vec<u16>, Vec<u16>) {
    (units(&key.partition), units(&key.row))
}

pub(super) fn key(partition: &str, row: &str) -> EntityKey {
    EntityKey { partition: partition.into(), row: row.into() }
}

pub(super) fn number_property(name: &str, number: i32) -> Properties {
    vec![(name.to_owned(), Value::Int32(number))]
}

#[test]
fn a_table_is_found_without_regard_to_case_and_gives_its_name_as_created() {
    let bench = Bench::new();
    assert_eq!(block_on(bench.tables.table(&address("PEOPLE"))).unwrap().as_str(), "People");
    assert!(matches!(block_on(bench.tables.create(&address("people"))), Err(EngineError::TableExists)));
    assert!(matches!(block_on(bench.tables.table(&address("Others"))), Err(EngineError::TableNotFound)));
}

#[test]
fn tables_are_listed_by_name_page_by_page_and_by_filter() {
    let bench = Bench::new();
    for name in ["Zoo", "apples", "Bears"] {
        block_on(bench.tables.create(&address(name))).unwrap();
    }
    let list = |filter: Option<Filter>, after: Option<&str>, limit| {
        let account = AccountName::parse("acc").unwrap();
        let page = block_on(bench.tables.list(&account, filter, after.map(Into::into), limit)).unwrap();
        let names: Vec<_> = page.entries.iter().map(|name| name.as_str().to_owned()).collect();
        (names.join(" "), page.next.map(|next| String::from_utf8(next).unwrap()))
    };
    assert_eq!(list(None, None, 10), ("apples Bears People Zoo".into(), None));
    assert_eq!(list(None, None, 2), ("apples Bears".into(), Some("Bears".into())));
    assert_eq!(list(None, Some("Bears"), 2), ("People Zoo".into(), None));
    let filter = Filter::Compare(
        Operand::Property("TableName".into()),
        Comparison::GreaterOrEqual,
        Operand::Literal(Value::String("P".into())),
    );
    assert_eq!(list(Some(filter), None, 10), ("apples People Zoo".into(), None));
}

#[test]
fn what_a_deleted_table_held_is_swept_and_not_seen_by_one_of_the_same_name() {
    let bench = Bench::new();
    for n in 0..1200 {
        bench.change(&key(&n.to_string(), ""), Change::Insert(Vec::new())).unwrap();
    }
    block_on(bench.tables.delete(&bench.at)).unwrap();
    let gone = bench.change(&key("", ""), Change::Insert(Vec::new()));
    assert!(matches!(gone, Err(EngineError::TableNotFound)));
    block_on(bench.tables.create(&bench.at)).unwrap();
    assert_eq!(bench.query(None, 1000), []);
    bench.change(&key("kept", ""), Change::Insert(Vec::new())).unwrap();
    while sweep_once(&*bench.meta, 100).unwrap() > 0 {}
    assert_eq!((bench.rows(), bench.query(None, 10).len()), (1, 1));
}

#[test]
fn reading_what_is_not_there_says_which_is_missing() {
    let bench = Bench::new();
    let get = |table: &str| block_on(bench.tables.get(&address(table), key("p", "r")));
    assert!(matches!(get("People"), Err(EngineError::EntityNotFound)));
    assert!(matches!(get("Others"), Err(EngineError::TableNotFound)));
    let query = block_on(bench.tables.query(&address("Others"), Query::default()));
    assert!(matches!(query, Err(EngineError::TableNotFound)));
}

#[test]
fn deleting_needs_an_entity_whatever_is_expected() {
    let bench = Bench::new();
    let delete = |expected| bench.change(&key("p", "r"), Change::Delete(expected));
    assert!(matches!(delete(Expected::Whatever), Err(EngineError::EntityNotFound)));
    let first = bench.change(&key("p", "r"), Change::Insert(Vec::new())).unwrap();
    let second = bench.change(&key("p", "r"), Change::Replace(Expected::Version(first), Vec::new())).unwrap();
    assert!(matches!(delete(Expected::Version(first)), Err(EngineError::EntityChanged)));
    assert!(delete(Expected::Version(second)).unwrap() > second);
}

#[test]
fn a_page_of_large_entities_ends_early_and_the_next_goes_on() {
    let bench = Bench::new();
    let large = || vec![("A".to_owned(), Value::Binary(vec![7; 900_000].into()))];
    for row in 0..20 {
        bench.change(&key("p", &format!("{row:02}")), Change::Insert(large())).unwrap();
    }
    let query = Query { limit: 1000, ..Query::default() };
    let page = block_on(bench.tables.query(&bench.at, query)).unwrap();
    assert!((1..20).contains(&page.entities.len()) && page.next.is_some());
    assert_eq!(bench.query(None, 1000).len(), 20);
}

fn any_expected() -> impl Strategy<Value = Choice> {
    sample::select(vec![Choice::Whatever, Choice::Existing, Choice::Current, Choice::Old])
}

/// Which version a change is for, before it is known what versions there are.
#[derive(Debug, Clone, Copy)]
enum Choice {
    Whatever,
    Existing,
    Current,
    Old,
}

#[derive(Debug, Clone, Copy)]
enum Way {
    Insert,
    Replace,
    Merge,
    Delete,
}

type Wish = (String, Way, Choice, Properties);

fn any_wish() -> impl Strategy<Value = Wish> {
    let row = sample::select(vec!["1", "2", "3"]).prop_map(ToOwned::to_owned);
    let way = sample::select(vec![Way::Insert, Way::Replace, Way::Merge, Way::Merge, Way::Delete]);
    (row, way, any_expected(), any_properties())
}

/// The entities of one partition, by row key.
type Rows = BTreeMap<String, (Timestamp, BTreeMap<String, Value>)>;

fn as_change(rows: &Rows, (row, way, choice, properties): &Wish) -> (String, Change) {
    let expected = match choice {
        Choice::Whatever => Expected::Whatever,
        Choice::Existing => Expected::Existing,
        Choice::Current => {
            Expected::Version(rows.get(row).map_or(Timestamp::from_ticks(1), |(version, _)| *version))
        }
        Choice::Old => Expected::Version(Timestamp::from_ticks(1)),
    };
    let properties = properties.clone();
    let change = match way {
        Way::Insert => Change::Insert(properties),
        Way::Replace => Change::Replace(expected, properties),
        Way::Merge => Change::Merge(expected, properties),
        Way::Delete => Change::Delete(expected),
    };
    (row.clone(), change)
}

/// What the change should do to the model, at `stamp`; else the name of the error.
fn apply(rows: &mut Rows, row: &str, change: &Change, stamp: Timestamp) -> Result<(), &'static str> {
    let there = rows.get(row).map(|(version, _)| *version);
    let required = match change {
        Change::Insert(_) if there.is_some() => return Err("exists"),
        Change::Insert(_) => None,
        Change::Delete(Expected::Whatever) => Some(Expected::Existing),
        Change::Delete(expected) | Change::Replace(expected, _) | Change::Merge(expected, _) => {
            Some(*expected)
        }
    };
    match (required, there) {
        (Some(Expected::Existing | Expected::Version(_)), None) => return Err("missing"),
        (Some(Expected::Version(wanted)), Some(held)) if wanted != held => return Err("changed"),
        _ => {}
    }
    match change {
        Change::Insert(properties) | Change::Replace(_, properties) => {
            rows.insert(row.to_owned(), (stamp, properties.iter().cloned().collect()));
        }
        Change::Merge(_, properties) => {
            let held = rows.entry(row.to_owned()).or_insert((stamp, BTreeMap::new()));
            held.0 = stamp;
            held.1.extend(properties.iter().cloned());
        }
        Change::Delete(_) => {
            rows.remove(row);
        }
    }
    Ok(())
}

fn error_name(error: &EngineError) -> &'static str {
    match error {
        EngineError::EntityExists => "exists",
        EngineError::EntityNotFound => "missing",
        EngineError::EntityChanged => "changed",
        other => panic!("{other}"),
    }
}

/// The partition as it is, by its text: NaN is not equal to itself.
fn stored(bench: &Bench) -> String {
    let rows: Rows = bench
        .query(None, 2)
        .into_iter()
        .map(|entity| (entity.key.row, (entity.timestamp, entity.properties.into_iter().collect())))
        .collect();
    format!("{rows:?}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn batches_are_made_as_a_whole_or_not_at_all(
        batches in collection::vec(collection::vec(any_wish(), 1..5), 1..12),
    ) {
        let (bench, mut rows) = (Bench::new(), Rows::new());
        for wishes in batches {
            let changes: Vec<_> = wishes.iter().map(|wish| as_change(&rows, wish)).collect();
            let made = block_on(bench.tables.batch(&bench.at, "p".into(), changes.clone()));
            let stamp = made.as_ref().ok().map_or(Timestamp::MAX, |stamps| stamps[0]);
            let mut after = rows.clone();
            let expected = changes.iter().enumerate().try_for_each(|(index, (row, change))| {
                apply(&mut after, row, change, stamp).map_err(|name| (index, name))
            });
            match made {
                Ok(stamps) => {
                    prop_assert_eq!(expected, Ok(()));
                    prop_assert_eq!(stamps, vec![stamp; changes.len()]);
                    rows = after;
                }
                Err(EngineError::Batch { index, source }) => {
                    prop_assert_eq!(expected, Err((index, error_name(&source))));
                }
                Err(other) => panic!("{other}"),
            }
            prop_assert_eq!(stored(&bench), format!("{rows:?}"));
        }
    }

    #[test]
    fn single_changes_do_what_batches_of_one_do(wishes in collection::vec(any_wish(), 1..30)) {
        let (bench, mut rows) = (Bench::new(), Rows::new());
        let mut newest = Timestamp::from_ticks(0);
        for wish in wishes {
            let (row, change) = as_change(&rows, &wish);
            let made = bench.change(&key("p", &row), change.clone());
            let stamp = *made.as_ref().unwrap_or(&Timestamp::MAX);
            let expected = apply(&mut rows, &row, &change, stamp);
            prop_assert_eq!(made.as_ref().map(|_| ()).map_err(error_name), expected);
            if made.is_ok() {
                prop_assert!(stamp > newest, "versions rise");
                newest = stamp;
            }
            prop_assert_eq!(stored(&bench), format!("{rows:?}"));
        }
    }

    #[test]
    fn any_query_gives_what_looking_at_everything_would(
        entities in collection::vec((any_key(), any_properties()), 0..25),
        filters in collection::vec(any_filter(), 1..8),
        limit in 1_usize..6,
    ) {
        let bench = Bench::new();
        for (key, properties) in entities {
            bench.change(&key, Change::Replace(Expected::Whatever, properties)).unwrap();
        }
        let mut all = bench.query(None, 1000);
        prop_assert!(all.is_sorted_by_key(|entity| in_order(&entity.key)));
        all.sort_by_key(|entity| in_order(&entity.key));
        for filter in filters {
            let expected: Vec<_> = all.iter().filter(|entity| holds(&filter, entity)).map(|e| &e.key).collect();
            let found = bench.query(Some(filter.clone()), limit);
            prop_assert_eq!(found.iter().map(|e| &e.key).collect::<Vec<_>>(), expected, "{:?}", filter);
        }
    }
}

#[test]
fn a_batch_that_fails_names_the_change_and_changes_nothing() {
    let bench = Bench::new();
    let changes = vec![
        ("1".to_owned(), Change::Insert(number_property("A", 1))),
        ("2".to_owned(), Change::Merge(Expected::Existing, number_property("A", 2))),
    ];
    let failed = block_on(bench.tables.batch(&bench.at, "p".into(), changes));
    let Err(EngineError::Batch { index: 1, source }) = failed else { panic!("{failed:?}") };
    assert!(matches!(*source, EngineError::EntityNotFound));
    assert_eq!(bench.rows(), 0);
}

#[test]
fn a_table_keeps_its_policies_whatever_case_it_is_addressed_in() {
    let Bench { tables, .. } = Bench::new();
    let policies = crate::policy::tests::some_policies();
    block_on(tables.set_policies(&address("pEOPLE"), policies.clone())).unwrap();
    assert_eq!(block_on(tables.policies(&address("People"))).unwrap(), policies);
    assert_eq!(block_on(tables.policy(&address("people"), "full")).unwrap().as_ref(), policies.first());
    assert_eq!(block_on(tables.table(&address("people"))).unwrap().as_str(), "People");
    let missing = block_on(tables.set_policies(&address("other"), policies));
    assert!(matches!(missing, Err(EngineError::TableNotFound)));
}
