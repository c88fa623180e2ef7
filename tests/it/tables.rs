//! The Table service against a model: random entities, filters and histories, each told twice.
//!
//! The model is written from the vendor's pages and shares no code with the server: it has its own values, its own
//! tree of a filter with its own printing and evaluation ([`filter`]), its own reading of JSON ([`value`]). What is
//! generated is what clients may send in all its spellings: keys escaped in several ways, literals in several forms,
//! parentheses where there need be none.
//!
//! The seed is printed; `LINARITE_TABLE_SEED=n` replays it, `LINARITE_TABLE_CASES=n` makes the run longer.

mod filter;
mod history;
mod value;

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::client::{Client, Request, Response, Service, request};
use crate::node::Node;
use crate::random::{Random, seed_from};
use crate::sign::percent_encoded;
use filter::Tree;
use value::{Properties, Value};

/// The properties that entities of the tests have, besides one that none has.
const NAMES: [&str; 7] = ["A", "B", "C", "D", "long_Name9", "ü", "Missing"];
/// Keys that escape, sort and quote in every way.
const KEYS: [&str; 12] =
    ["", "a", "A", "aa", "b c", "it's", "''", "é", "\u{ff5e}", "\u{1f600}", "100%25+&=,()", "z"];
const TABLE: &str = "model";

/// An entity's keys as they are ordered.
type Place = (Vec<u16>, Vec<u16>);

fn place(partition: &str, row: &str) -> Place {
    (partition.encode_utf16().collect(), row.encode_utf16().collect())
}

fn pick<T: Clone>(random: &mut Random, from: &[T]) -> T {
    from[random.index(from.len())].clone()
}

fn seed() -> u64 {
    let seed = seed_from("LINARITE_TABLE_SEED");
    eprintln!("tables: LINARITE_TABLE_SEED={seed}");
    seed
}

fn cases(usual: u64) -> u64 {
    match std::env::var("LINARITE_TABLE_CASES") {
        Ok(text) => text.parse().expect("LINARITE_TABLE_CASES is a number"),
        Err(_) => usual,
    }
}

/// Random properties, of any type each; never the one that no entity has.
fn properties(random: &mut Random) -> Properties {
    let mut properties = Properties::new();
    for name in NAMES.iter().filter(|name| **name != "Missing") {
        if random.below(3) > 0 {
            properties.insert((*name).to_owned(), Value::random(random));
        }
    }
    properties
}

/// A key in quotes as clients escape it: quotes doubled and either bare or escaped.
fn quoted(random: &mut Random, key: &str) -> String {
    let escaped = percent_encoded(&key.replace('\'', "''"));
    let escaped = if random.below(2) == 0 { escaped.replace("%27", "'") } else { escaped };
    let quote = pick(random, &["'", "%27"]);
    format!("{quote}{escaped}{quote}")
}

/// The address of an entity, as one client or another spells it.
fn target(random: &mut Random, partition: &str, row: &str) -> String {
    let comma = pick(random, &[",", "%2C"]);
    let partition = format!("PartitionKey={}", quoted(random, partition));
    let row = format!("RowKey={}", quoted(random, row));
    if random.below(4) == 0 {
        format!("/{TABLE}({row}{comma}{partition})")
    } else {
        format!("/{TABLE}({partition}{comma}{row})")
    }
}

/// The members of a JSON answer.
fn json(answer: &Response) -> Json {
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.text()))
}

/// All pages of a query, and the number of pages.
fn pages(client: &mut Client, query: &str, top: u64, level: &str) -> (Vec<Json>, usize) {
    let (mut found, mut pages, mut next) = (Vec::new(), 0, String::new());
    loop {
        let mut separator = '?';
        let mut address = format!("/{TABLE}()");
        for part in [query, &format!("$top={top}"), &next].into_iter().filter(|part| !part.is_empty()) {
            address.push(separator);
            address.push_str(part);
            separator = '&';
        }
        let accept = format!("application/json;odata={level}");
        let answer = client.call(&Request::new("GET", &address).header("accept", &accept)).expect(200);
        let rows = json(&answer)["value"].as_array().expect("a list").clone();
        assert!(rows.len() as u64 <= top, "{} rows in a page of {top}", rows.len());
        found.extend(rows);
        pages += 1;
        assert!(pages < 10_000, "a query that does not end: {query}");
        let Some(partition) = answer.header("x-ms-continuation-NextPartitionKey") else {
            return (found, pages);
        };
        let row = answer.header("x-ms-continuation-NextRowKey").unwrap_or_default();
        next = format!("NextPartitionKey={}&NextRowKey={}", percent_encoded(partition), percent_encoded(row));
    }
}

/// What the model holds, and the server should.
struct Furnished {
    client: Client,
    entities: BTreeMap<Place, Properties>,
}

/// Fills the table with as many entities as there are pairs of keys, less some.
fn furnish(node: &Node, random: &mut Random) -> Furnished {
    let mut client = Client::new(node, Service::Table);
    client.call(&request::create_table(TABLE)).expect(201);
    let mut entities = BTreeMap::new();
    for partition in KEYS {
        for row in KEYS {
            if random.below(3) == 0 {
                continue;
            }
            let mut properties = properties(random);
            let body = value::document(&properties, Some((partition, row)), random);
            let insert = request::insert_entity(TABLE, &body);
            let answer = client.call(&insert).expect(204);
            assert!(answer.header("etag").is_some_and(|etag| etag.starts_with("W/\"datetime'")));
            properties.insert("PartitionKey".to_owned(), Value::Text(partition.to_owned()));
            properties.insert("RowKey".to_owned(), Value::Text(row.to_owned()));
            entities.insert(place(partition, row), properties);
        }
    }
    Furnished { client, entities }
}

/// What a row of an answer should be: the properties, or those that were selected, with null for the missing.
fn expected_row(entity: &Properties, select: Option<&[&str]>) -> BTreeMap<String, Option<Value>> {
    match select {
        None => entity.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect(),
        Some(names) => names.iter().map(|name| ((*name).to_owned(), entity.get(*name).cloned())).collect(),
    }
}

#[test]
fn queries_answer_what_the_filter_says_of_each_entity() {
    let seed = seed();
    let mut random = Random::new(seed);
    let node = Node::start_with(&["--durability", "os"]);
    let Furnished { mut client, entities } = furnish(&node, &mut random);
    let (mut matched, mut many_pages) = (0, 0);
    for case in 0..cases(2_500) {
        let tree = Tree::random(&mut random, 4);
        let text = tree.print(&mut random);
        let names = [&NAMES[..], &["PartitionKey", "RowKey"]].concat();
        let select: Vec<&str> = names.into_iter().filter(|_| random.below(3) == 0).collect();
        let select = (!select.is_empty() && random.below(2) == 0).then_some(select);
        let top = 1 + random.below(pick(&mut random.clone(), &[5, 40, 1000]));
        let mut query = format!("$filter={}", percent_encoded(&text));
        if let Some(select) = &select {
            query.push_str(&format!("&$select={}", percent_encoded(&select.join(","))));
        }
        let level = pick(&mut random, &["minimalmetadata", "fullmetadata"]);
        let (found, count) = pages(&mut client, &query, top, level);
        let found: Vec<_> = found.iter().map(|row| value::read(row, true)).collect();
        let holding = entities.values().filter(|entity| tree.holds(entity));
        let expected: Vec<_> = holding.map(|entity| expected_row(entity, select.as_deref())).collect();
        assert_eq!(found, expected, "seed {seed}, case {case}: {text} $select={select:?} $top={top}");
        matched += usize::from(!expected.is_empty() && expected.len() < entities.len());
        many_pages += usize::from(count > 1);
    }
    eprintln!("tables: {matched} filters that tell entities apart, {many_pages} answers of several pages");
    assert!(matched > 0 && many_pages > 0, "the cases this test is about");
}

#[test]
fn histories_of_changes_end_as_in_the_model() {
    let seed = seed();
    let mut random = Random::new(seed);
    let node = Node::start_with(&["--durability", "os"]);
    let mut history = history::History::new(&node);
    for step in 0..cases(1_500) {
        history.step(&mut random, &format!("seed {seed}, step {step}"));
    }
    history.check_all("at the end");
    eprintln!("tables: {}", history.summary());
}
