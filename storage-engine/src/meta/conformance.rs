//! What every metadata store must do, as one suite that is run on each.
//!
//! A case gets an empty store. It speaks to it only through [`commit`] and [`read`], or through its own verbs
//! where the count of calls matters, so that a store on another machine can be put to the same test.

use super::key::successor;
use super::{
    Bytes, EngineError, Family, Inquiry, MetaStore, Result, Scope, Step, Timestamp, Transaction, Verb, View,
    Weight, commit, read,
};
use crate::chunk::{ChunkRef, ChunkStore, Content, Pin, Staged, StoreFuture};
use futures_executor::block_on;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

const FAMILY: Family = Family::Entity;

/// Does its checks on an empty store.
type Case = fn(&dyn MetaStore);

/// Runs all cases, each on a store of its own.
pub(super) fn conforms(make: impl Fn() -> Arc<dyn MetaStore>) {
    let cases: [(&str, Case); 16] = [
        ("a verb sees its own writes", a_verb_sees_its_own_writes),
        ("scans mix written and committed records", scans_mix_written_and_committed_records),
        ("scans jump through both", scans_jump_through_both),
        ("scans keep to their bounds", scans_keep_to_their_bounds),
        ("the last record is found through removals", the_last_record_is_found_through_removals),
        ("a failed verb leaves nothing", a_failed_verb_leaves_nothing),
        ("a verb that strays or panics leaves nothing", a_verb_that_strays_or_panics_leaves_nothing),
        ("stamps rise", stamps_rise),
        ("verbs of many threads lose nothing", verbs_of_many_threads_lose_nothing),
        ("answers come exactly once", answers_come_exactly_once),
        ("content stays with the verb that succeeds", content_stays_with_the_verb_that_succeeds),
        ("kept chunks are indexed until freed", kept_chunks_are_indexed_until_freed),
        ("a read sees one moment", a_read_sees_one_moment),
        ("equal states are equal records", equal_states_are_equal_records),
        ("families are apart", families_are_apart),
        ("verbs do what a map does", verbs_do_what_a_map_does),
    ];
    for (name, case) in cases {
        println!("{name}");
        case(make().as_ref());
    }
}

fn key(id: u8) -> Vec<u8> {
    vec![b's', id]
}

fn scope() -> Scope {
    Scope(Bytes::from_static(b"s"))
}

fn act<T: Send + 'static>(
    store: &dyn MetaStore,
    verb: impl Fn(&mut dyn Transaction) -> Result<T> + Send + 'static,
) -> Result<T> {
    block_on(commit(store, scope(), None, verb))
}

fn fill(store: &dyn MetaStore, ids: &[u8]) {
    let ids = ids.to_vec();
    act(store, move |transaction| {
        for id in &ids {
            transaction.put(FAMILY, &key(*id), &[*id]);
        }
        Ok(())
    })
    .unwrap();
}

/// The ids of the records from `from` on, below `end`.
fn ids(view: &dyn View, from: &[u8], end: Option<&[u8]>) -> Result<Vec<u8>> {
    let mut ids = Vec::new();
    view.scan(FAMILY, from, end, &mut |key, _| {
        ids.extend(key.last());
        Ok(Step::Next)
    })?;
    Ok(ids)
}

fn committed_ids(store: &dyn MetaStore) -> Vec<u8> {
    block_on(read(store, Weight::Scan, |view| ids(view, b"s", None))).unwrap()
}

fn a_verb_sees_its_own_writes(store: &dyn MetaStore) {
    fill(store, &[1]);
    act(store, |transaction| {
        assert_eq!(transaction.get(FAMILY, &key(1))?.unwrap(), [1].as_slice());
        transaction.put(FAMILY, &key(1), b"new");
        assert_eq!(transaction.get(FAMILY, &key(1))?.unwrap(), "new");
        transaction.delete(FAMILY, &key(1));
        assert_eq!(transaction.get(FAMILY, &key(1))?, None);
        transaction.put(FAMILY, &key(2), b"");
        assert_eq!(ids(transaction, b"s", None)?, [2]);
        Ok(())
    })
    .unwrap();
    assert_eq!(committed_ids(store), [2]);
    let value = block_on(read(store, Weight::Point, |view| view.get(FAMILY, &key(2)))).unwrap();
    assert_eq!(value.unwrap(), "", "an empty value is a value");
}

fn scans_mix_written_and_committed_records(store: &dyn MetaStore) {
    fill(store, &[2, 4, 6, 8]);
    act(store, |transaction| {
        transaction.delete(FAMILY, &key(2));
        transaction.delete(FAMILY, &key(8));
        transaction.delete(FAMILY, &key(99));
        transaction.put(FAMILY, &key(1), b"");
        transaction.put(FAMILY, &key(4), b"replaced");
        transaction.put(FAMILY, &key(5), b"");
        transaction.put(FAMILY, &key(9), b"");
        assert_eq!(ids(transaction, b"s", None)?, [1, 4, 5, 6, 9]);
        assert_eq!(ids(transaction, &key(4), Some(&key(9)))?, [4, 5, 6]);
        let mut replaced = None;
        transaction.scan(FAMILY, &key(2), None, &mut |_, value| {
            replaced = Some(value.to_vec());
            Ok(Step::Stop)
        })?;
        assert_eq!(replaced.as_deref(), Some(b"replaced".as_slice()));
        Ok(())
    })
    .unwrap();
    assert_eq!(committed_ids(store), [1, 4, 5, 6, 9]);
}

fn scans_jump_through_both(store: &dyn MetaStore) {
    fill(store, &[10, 20, 30, 40, 50, 60]);
    let jumps = |view: &dyn View, jumps: &[(u8, u8)]| {
        let mut met = Vec::new();
        view.scan(FAMILY, b"s", Some(&key(60)), &mut |at, _| {
            let id = *at.last().unwrap();
            met.push(id);
            let jump = jumps.iter().find(|(from, _)| *from == id);
            Ok(jump.map_or(Step::Next, |(_, to)| Step::Seek(key(*to))))
        })
        .map(|()| met)
    };
    act(store, move |transaction| {
        transaction.put(FAMILY, &key(15), b"");
        transaction.put(FAMILY, &key(35), b"");
        transaction.put(FAMILY, &key(55), b"");
        transaction.delete(FAMILY, &key(30));
        assert_eq!(jumps(transaction, &[(10, 16), (20, 35)])?, [10, 20, 35, 40, 50, 55]);
        assert_eq!(jumps(transaction, &[(15, 30), (35, 41)])?, [10, 15, 35, 50, 55]);
        assert_eq!(jumps(transaction, &[(15, 70)])?, [10, 15], "a jump behind the end");
        assert_eq!(jumps(transaction, &[(10, 70)])?, [10], "a jump behind the end");
        assert_eq!(jumps(transaction, &[(15, 55)])?, [10, 15, 55]);
        assert_eq!(jumps(transaction, &[(10, 10), (15, 1)])?, [10, 15, 20, 35, 40, 50, 55], "never back");
        Ok(())
    })
    .unwrap();
    let met = block_on(read(store, Weight::Scan, move |view| jumps(view, &[(10, 36), (50, 70)])));
    assert_eq!(met.unwrap(), [10, 40, 50]);
}

fn scans_keep_to_their_bounds(store: &dyn MetaStore) {
    fill(store, &[1, 2, 3]);
    let check = |view: &dyn View| {
        assert_eq!(ids(view, &key(2), None)?, [2, 3]);
        assert_eq!(ids(view, &key(1), Some(&key(3)))?, [1, 2]);
        assert_eq!(ids(view, &key(2), Some(&key(2)))?, Vec::<u8>::new());
        assert_eq!(ids(view, &key(3), Some(&key(1)))?, Vec::<u8>::new());
        assert_eq!(ids(view, b"", successor(b"s").as_deref())?, [1, 2, 3]);
        let failed = view.scan(FAMILY, b"", None, &mut |_, _| Err(EngineError::PreconditionFailed));
        assert!(matches!(failed, Err(EngineError::PreconditionFailed)), "the visitor's error ends the scan");
        Ok(())
    };
    block_on(read(store, Weight::Scan, check)).unwrap();
    act(store, move |transaction| {
        transaction.put(FAMILY, &key(2), b"");
        check(transaction)
    })
    .unwrap();
}

fn the_last_record_is_found_through_removals(store: &dyn MetaStore) {
    fill(store, &[10, 20, 30, 40]);
    let last = |view: &dyn View, from: u8, at: u8| -> Result<Option<u8>> {
        let found = view.last_at_or_before(FAMILY, &key(from), &key(at))?;
        Ok(found.and_then(|(key, _)| key.last().copied()))
    };
    block_on(read(store, Weight::Point, move |view| {
        assert_eq!(last(view, 0, 30)?, Some(30));
        assert_eq!(last(view, 0, 39)?, Some(30));
        assert_eq!(last(view, 31, 39)?, None);
        assert_eq!(last(view, 40, 30)?, None);
        Ok(())
    }))
    .unwrap();
    act(store, move |transaction| {
        transaction.delete(FAMILY, &key(30));
        transaction.delete(FAMILY, &key(20));
        assert_eq!(last(transaction, 0, 39)?, Some(10));
        assert_eq!(last(transaction, 11, 39)?, None);
        transaction.put(FAMILY, &key(25), b"");
        assert_eq!(last(transaction, 0, 39)?, Some(25));
        assert_eq!(last(transaction, 0, 24)?, Some(10));
        transaction.put(FAMILY, &key(40), b"");
        assert_eq!(last(transaction, 0, 255)?, Some(40));
        assert_eq!(last(transaction, 40, 30)?, None);
        Ok(())
    })
    .unwrap();
}

fn a_failed_verb_leaves_nothing(store: &dyn MetaStore) {
    fill(store, &[1, 2]);
    let failed: Result<()> = act(store, |transaction| {
        transaction.put(FAMILY, &key(1), b"changed");
        transaction.put(FAMILY, &key(1), b"changed again");
        transaction.put(FAMILY, &key(3), b"");
        transaction.delete(FAMILY, &key(2));
        transaction.keep(chunk(7));
        Err(EngineError::EntityChanged)
    });
    assert!(matches!(failed, Err(EngineError::EntityChanged)));
    assert_eq!(committed_ids(store), [1, 2]);
    let value = block_on(read(store, Weight::Point, |view| view.get(FAMILY, &key(1)))).unwrap();
    assert_eq!(value.unwrap(), [1].as_slice());
    assert_eq!(named(store), []);
}

fn a_verb_that_strays_or_panics_leaves_nothing(store: &dyn MetaStore) {
    let strays: [fn(&mut dyn Transaction); 3] = [
        |transaction| transaction.put(FAMILY, b"elsewhere", b""),
        |transaction| transaction.delete(FAMILY, b"elsewhere"),
        |transaction| transaction.put(Family::System, &key(1), b""),
    ];
    for stray in strays {
        let failed = act(store, move |transaction| {
            transaction.put(FAMILY, &key(1), b"");
            stray(transaction);
            Ok(())
        });
        assert!(matches!(failed, Err(EngineError::Corrupt { .. })));
    }
    let failed: Result<()> = act(store, |transaction| {
        transaction.put(FAMILY, &key(1), b"");
        panic!("this panic is part of a test");
    });
    assert!(matches!(failed, Err(EngineError::Meta(_))));
    assert_eq!(committed_ids(store), Vec::<u8>::new());
    fill(store, &[5]);
    assert_eq!(committed_ids(store), [5], "the store goes on");
}

fn stamps_rise(store: &dyn MetaStore) {
    let mut newest = Timestamp::from_ticks(0);
    for _ in 0..100 {
        let now = act(store, |transaction| Ok(transaction.now())).unwrap();
        assert!(now > newest);
        newest = now;
    }
}

fn verbs_of_many_threads_lose_nothing(store: &dyn MetaStore) {
    const THREADS: u64 = 4;
    const VERBS: u64 = 100;
    let increment = |transaction: &mut dyn Transaction| {
        let count = transaction.get(FAMILY, b"s")?.as_ref().map_or(0, number);
        transaction.put(FAMILY, b"s", &(count + 1).to_be_bytes());
        Ok(count)
    };
    std::thread::scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(|| {
                let waiting: Vec<_> = (0..VERBS).map(|_| commit(store, scope(), None, increment)).collect();
                let counts: Vec<_> = waiting.into_iter().map(|waiting| block_on(waiting).unwrap()).collect();
                assert!(counts.is_sorted_by(|left, right| left < right), "in the order of submission");
            });
        }
    });
    let count = block_on(read(store, Weight::Point, |view| view.get(FAMILY, b"s"))).unwrap();
    assert_eq!(count.as_ref().map(number), Some(THREADS * VERBS));
}

fn number(value: &Bytes) -> u64 {
    u64::from_be_bytes(value.as_ref().try_into().unwrap())
}

/// Notes each run and each answer.
struct Noting {
    commits: bool,
    noted: Sender<&'static str>,
}

impl Verb for Noting {
    fn run(&mut self, transaction: &mut dyn Transaction) -> bool {
        transaction.put(FAMILY, &key(1), b"");
        self.noted.send("run").unwrap();
        self.commits
    }

    fn finish(self: Box<Self>, outcome: Result<()>) {
        self.noted.send(if outcome.is_ok() { "finish" } else { "error" }).unwrap();
    }
}

impl Inquiry for Noting {
    fn run(&mut self, _view: &dyn View) {
        self.noted.send("run").unwrap();
    }

    fn finish(self: Box<Self>, outcome: Result<()>) {
        self.noted.send(if outcome.is_ok() { "finish" } else { "error" }).unwrap();
    }
}

fn answers_come_exactly_once(store: &dyn MetaStore) {
    for commits in [true, false] {
        let (noted, events) = channel();
        store.submit(scope(), Box::new(Noting { commits, noted }));
        let mut events: Vec<_> = events.iter().collect();
        assert_eq!(events.pop(), Some("finish"));
        assert!(!events.is_empty() && events.iter().all(|event| *event == "run"));
    }
    for weight in [Weight::Point, Weight::Scan] {
        let (noted, events) = channel();
        store.inquire(weight, Box::new(Noting { commits: true, noted }));
        let mut events: Vec<_> = events.iter().collect();
        assert_eq!(events.pop(), Some("finish"));
        assert!(!events.is_empty() && events.iter().all(|event| *event == "run"));
    }
}

/// A chunk store that only notes what is given back.
#[derive(Debug, Default)]
struct Released(Mutex<Vec<ChunkRef>>);

impl ChunkStore for Released {
    fn append(&self, _parts: Vec<Bytes>, _sums: Vec<u64>) -> StoreFuture<ChunkRef> {
        Box::pin(async { Err(EngineError::Closed) })
    }

    fn sync(&self) -> StoreFuture<()> {
        Box::pin(async { Err(EngineError::Closed) })
    }

    fn read(&self, _chunk: ChunkRef, _from: u32, _len: u32) -> StoreFuture<Bytes> {
        Box::pin(async { Err(EngineError::Closed) })
    }

    fn release(&self, chunks: &[ChunkRef]) {
        self.0.lock().unwrap().extend(chunks);
    }

    fn pin(&self) -> Pin {
        Pin::new(|| ())
    }
}

fn chunk(offset: u64) -> ChunkRef {
    ChunkRef { segment: 3, offset, len: 5 }
}

fn content_stays_with_the_verb_that_succeeds(store: &dyn MetaStore) {
    let released = Arc::new(Released::default());
    let staged = |offset| Staged::new(Content::Chunks(vec![chunk(offset)]), 5, 0, Arc::clone(&released) as _);

    block_on(commit(store, scope(), Some(staged(1)), |_| Ok(()))).unwrap();
    assert_eq!(*released.0.lock().unwrap(), []);

    let failed: Result<()> =
        block_on(commit(store, scope(), Some(staged(2)), |_| Err(EngineError::BlobNotFound)));
    assert!(matches!(failed, Err(EngineError::BlobNotFound)));
    assert_eq!(*released.0.lock().unwrap(), [chunk(2)]);

    drop(commit(store, scope(), Some(staged(3)), |transaction| {
        transaction.put(FAMILY, &key(3), b"");
        Ok(())
    }));
    act(store, |_| Ok(())).unwrap();
    assert_eq!(committed_ids(store), [3], "a verb takes effect though nobody waits");
    assert_eq!(*released.0.lock().unwrap(), [chunk(2)]);
}

fn named(store: &dyn MetaStore) -> Vec<ChunkRef> {
    block_on(read(store, Weight::Scan, |view| super::chunk_index::named_chunks(view, 3))).unwrap()
}

fn kept_chunks_are_indexed_until_freed(store: &dyn MetaStore) {
    let highest = || block_on(read(store, Weight::Point, super::chunk_index::highest_chunk_segment)).unwrap();
    assert_eq!(highest(), None);
    act(store, |transaction| {
        transaction.keep(ChunkRef { segment: 2, offset: 0, len: 1 });
        transaction.keep(chunk(70_000));
        transaction.keep(chunk(300));
        transaction.keep(ChunkRef { segment: 4, offset: 0, len: 1 });
        Ok(())
    })
    .unwrap();
    assert_eq!(named(store), [chunk(300), chunk(70_000)]);
    assert_eq!(highest(), Some(4));
    act(store, |transaction| {
        transaction.free(chunk(300));
        transaction.free(ChunkRef { segment: 4, offset: 0, len: 1 });
        Ok(())
    })
    .unwrap();
    assert_eq!(named(store), [chunk(70_000)]);
    assert_eq!(highest(), Some(3));
}

fn a_read_sees_one_moment(store: &dyn MetaStore) {
    fill(store, &[1]);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for id in 0..100_u8 {
                act(store, move |transaction| {
                    transaction.put(FAMILY, &key(1), &[id]);
                    transaction.put(FAMILY, &key(2), &[id]);
                    Ok(())
                })
                .unwrap();
            }
        });
        for _ in 0..100 {
            let both = |view: &dyn View| Ok((view.get(FAMILY, &key(1))?, view.get(FAMILY, &key(2))?));
            let (one, two) = block_on(read(store, Weight::Point, both)).unwrap();
            assert!(two.is_none() || one == two);
        }
    });
}

fn equal_states_are_equal_records(store: &dyn MetaStore) {
    let put = |scope: &'static [u8], value: u8| {
        let verb = move |transaction: &mut dyn Transaction| {
            transaction.put(FAMILY, &[scope, &[1]].concat(), &[value]);
            Ok(())
        };
        block_on(commit(store, Scope(Bytes::from_static(scope)), None, verb)).unwrap();
    };
    let look = |since: u64| {
        let look = move |view: &dyn View| {
            let state = view.state(b"s");
            Ok((state, view.get(FAMILY, &key(1))?, view.changed(b"s", since)))
        };
        block_on(read(store, Weight::Scan, look)).unwrap()
    };
    put(b"s", 0);
    let (Some(mut since), mut before, _) = look(0) else { return };
    let mut held = BTreeMap::from([(since, before.clone())]);
    std::thread::scope(|threads| {
        let writer =
            threads.spawn(|| (0..200).for_each(|value| put([b"s", b"t"][usize::from(value % 2)], value)));
        while !writer.is_finished() {
            let (Some(state), now, changed) = look(since) else { continue };
            assert_eq!(held.entry(state).or_insert_with(|| now.clone()), &now, "two records in one state");
            if now != before {
                assert!(changed.is_none_or(|keys| keys.contains(&key(1))), "a change that is not told");
            }
            (since, before) = (state, now);
        }
    });
    let state = look(0).0.unwrap();
    put(b"t", 7);
    let (now, _, changed) = look(state);
    assert_eq!(changed.unwrap(), [] as [Vec<u8>; 0], "what others write is not told");
    put(b"s", 7);
    let (next, _, changed) = look(now.unwrap());
    assert_ne!(next, now);
    assert_eq!(changed.unwrap(), [key(1)]);
    assert_eq!(look(u64::MAX).2, None, "of the time to come nothing is known");
}

fn families_are_apart(store: &dyn MetaStore) {
    act(store, |transaction| {
        for (index, family) in Family::ALL.into_iter().enumerate() {
            if !matches!(family, Family::System | Family::Chunk) {
                transaction.put(family, b"s", &[u8::try_from(index).unwrap()]);
            }
        }
        transaction.delete(Family::Blob, b"s");
        Ok(())
    })
    .unwrap();
    let values = |view: &dyn View| -> Result<Vec<Option<Bytes>>> {
        Family::ALL.iter().map(|family| view.get(*family, b"s")).collect()
    };
    let values = block_on(read(store, Weight::Point, values)).unwrap();
    let values: Vec<_> = values.into_iter().map(|value| value.map(|value| value[0])).collect();
    let expected = Family::ALL.into_iter().enumerate().map(|(index, family)| match family {
        Family::System | Family::Chunk | Family::Blob => None,
        _ => Some(u8::try_from(index).unwrap()),
    });
    assert_eq!(values, expected.collect::<Vec<_>>());
}

/// Writes of a made-up verb; `None` removes.
type Writes = Vec<(u8, Option<u8>)>;

/// What a made-up verb looks at: from, to, and where to jump from the first record.
type Look = (u8, u8, u8);

/// What it sees: the records of a scan, and the last in the range.
type Seen = (Vec<(u8, u8)>, Option<u8>);

fn verbs_do_what_a_map_does(store: &dyn MetaStore) {
    let writes = proptest::collection::vec((0..24_u8, proptest::option::of(any::<u8>())), 0..12);
    let look = (0..24_u8, 0..26_u8, 0..26_u8);
    let verbs = proptest::collection::vec((writes, proptest::bool::weighted(0.8), look), 1..12);
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&verbs, |verbs| {
        empty(store);
        let mut model = BTreeMap::new();
        let mut waiting = Vec::new();
        // All are submitted before any is awaited, so that they may share batches and see each other's writes.
        for (writes, succeeds, look) in verbs {
            let mut changed = model.clone();
            apply(&mut changed, &writes);
            let expected = succeeds.then(|| look_at_model(&changed, look));
            if succeeds {
                model = changed;
            }
            let verb =
                move |transaction: &mut dyn Transaction| write_and_look(transaction, &writes, succeeds, look);
            waiting.push((expected, commit(store, scope(), None, verb)));
        }
        for (expected, waiting) in waiting {
            prop_assert_eq!(block_on(waiting).ok(), expected);
        }
        prop_assert_eq!(committed_ids(store), model.into_keys().collect::<Vec<_>>());
        Ok(())
    });
    outcome.unwrap();
}

fn empty(store: &dyn MetaStore) {
    act(store, |transaction| {
        for id in ids(transaction, b"s", None)? {
            transaction.delete(FAMILY, &key(id));
        }
        Ok(())
    })
    .unwrap();
}

fn apply(model: &mut BTreeMap<u8, u8>, writes: &Writes) {
    for (id, value) in writes {
        match value {
            Some(value) => model.insert(*id, *value),
            None => model.remove(id),
        };
    }
}

fn look_at_model(model: &BTreeMap<u8, u8>, (from, to, jump): Look) -> Seen {
    let within = |id: u8| from <= id && id < to;
    let first = model.keys().copied().find(|id| within(*id));
    let visited = |id: u8| within(id) && (Some(id) == first || id >= jump);
    let scanned = model.iter().filter(|(id, _)| visited(**id)).map(|(id, value)| (*id, *value)).collect();
    (scanned, model.keys().rev().copied().find(|id| from <= *id && *id <= to))
}

fn write_and_look(
    transaction: &mut dyn Transaction,
    writes: &Writes,
    succeeds: bool,
    (from, to, jump): Look,
) -> Result<Seen> {
    for (id, value) in writes {
        match value {
            Some(value) => transaction.put(FAMILY, &key(*id), &[*value]),
            None => transaction.delete(FAMILY, &key(*id)),
        }
    }
    let mut scanned = Vec::new();
    transaction.scan(FAMILY, &key(from), Some(&key(to)), &mut |at, value| {
        scanned.push((at[1], value[0]));
        Ok(if scanned.len() == 1 { Step::Seek(key(jump)) } else { Step::Next })
    })?;
    let last = transaction.last_at_or_before(FAMILY, &key(from), &key(to))?;
    if succeeds { Ok((scanned, last.map(|(key, _)| key[1]))) } else { Err(EngineError::PreconditionFailed) }
}
