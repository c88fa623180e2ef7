//! Measures what a filter costs that is asked of every entity of a partition, in nanoseconds an entity: the first time,
//! when it is asked again and again, and with an entity written before each; as the entities were just written, and
//! after the store was opened again. Of each the best of several rounds.
//!
//! ```text
//! cargo run --release -p storage-engine --example filter -- [ENTITIES] [ROUNDS]
//! ```
//!
//! A busy machine gives other times each time, so what is compared from change to change is instructions: in a run
//! under `valgrind --tool=callgrind --toggle-collect='storage_engine::table::query::select'`, or between two that
//! differ by some rounds. Not a test: nothing is asserted.

use futures_executor::block_on;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use storage_engine::Engine;
use storage_engine::clock::{SystemClock, SystemEntropy};
use storage_engine::config::EngineConfig;
use storage_engine::meta::Durability;
use storage_engine::name::{AccountName, TableName};
use storage_engine::table::{
    Change, Comparison, EntityKey, Expected, Filter, Operand, Query, TableAddress, Value,
};

type AnyError = Box<dyn Error>;

const PARTITION: &str = "p00000";
const BATCH: usize = 100;
/// Bytes of each entity's text, as many as the load generator writes.
const TEXT_BYTES: usize = 512;

fn main() -> Result<(), AnyError> {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<usize>());
    let entities = numbers.next().transpose()?.unwrap_or(10_000);
    let rounds = numbers.next().transpose()?.unwrap_or(9);
    let folder = tempfile::tempdir()?;
    let at = TableAddress { account: AccountName::parse("account")?, table: TableName::parse("entities")? };
    let engine = open(folder.path())?;
    fill(&engine, &at, entities)?;
    measure("just written", &engine, &at, entities, rounds)?;
    engine.close()?;
    drop(engine);
    measure("opened again", &open(folder.path())?, &at, entities, rounds)
}

fn open(folder: &Path) -> Result<Engine, AnyError> {
    let config = EngineConfig {
        disks: vec![folder.to_path_buf()],
        durability: Durability::Os,
        ..EngineConfig::default()
    };
    Ok(Engine::open(&config, Arc::new(SystemClock), Arc::new(SystemEntropy))?)
}

/// Entities of the load generator's shape.
fn fill(engine: &Engine, at: &TableAddress, entities: usize) -> Result<(), AnyError> {
    block_on(engine.tables().create(at))?;
    let numbers: Vec<i32> = (0..).take(entities).collect();
    for batch in numbers.chunks(BATCH) {
        let insert = |number: &i32| (format!("{number:08}"), Change::Insert(properties(*number)));
        block_on(engine.tables().batch(at, PARTITION.to_owned(), batch.iter().map(insert).collect()))?;
    }
    Ok(())
}

fn properties(number: i32) -> Vec<(String, Value)> {
    let text = scattered(number).take(TEXT_BYTES).collect();
    vec![
        ("Count".to_owned(), Value::Int32(0)),
        ("Text".to_owned(), Value::String(text)),
        ("Number".to_owned(), Value::Int32(number)),
    ]
}

/// Letters in which a compressor finds little.
fn scattered(seed: i32) -> impl Iterator<Item = char> {
    let mut state = u64::from(seed.unsigned_abs());
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + state.to_be_bytes()[0] % 26)
    })
}

fn measure(
    what: &str,
    engine: &Engine,
    at: &TableAddress,
    entities: usize,
    rounds: usize,
) -> Result<(), AnyError> {
    let wanted = i32::try_from(entities / 2)?;
    let once = || -> Result<f64, AnyError> {
        let begun = Instant::now();
        let found = found(engine, at, wanted)?;
        let nanoseconds = begun.elapsed().as_secs_f64() * 1e9 / f64::from(u32::try_from(entities)?);
        if found == 1 { Ok(nanoseconds) } else { Err(format!("{found} entities pass the filter").into()) }
    };
    let best = |write: bool| -> Result<f64, AnyError> {
        (0..rounds).try_fold(f64::INFINITY, |best, round| {
            if write {
                let (row, change) =
                    (format!("{round:08}"), Change::Replace(Expected::Whatever, properties(-1)));
                let key = EntityKey { partition: PARTITION.to_owned(), row };
                block_on(engine.tables().change(at, key, change))?;
            }
            once().map(|nanoseconds| best.min(nanoseconds))
        })
    };
    let (first, again, written): (f64, f64, f64) = (once()?, best(false)?, best(true)?);
    println!("{what}: {first:.0} ns an entity, {again:.1} when asked again, {written:.1} after a write");
    Ok(())
}

/// How many entities have the number, page after page.
fn found(engine: &Engine, at: &TableAddress, number: i32) -> Result<usize, AnyError> {
    let compare = |name: &str, value| {
        Filter::Compare(Operand::Property(name.to_owned()), Comparison::Equal, Operand::Literal(value))
    };
    let here = compare("PartitionKey", Value::String(PARTITION.to_owned()));
    let filter = Filter::And(Box::new(here), Box::new(compare("Number", Value::Int32(number))));
    let mut query = Query { filter: Some(filter), from: None, limit: 1000, properties: None };
    let mut found = 0;
    loop {
        let page = block_on(engine.tables().query(at, query.clone()))?;
        found += page.entities.len();
        match page.next {
            Some(next) => query.from = Some(next),
            None => return Ok(found),
        }
    }
}
