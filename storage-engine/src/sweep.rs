//! Sweeping what deleted containers, queues and tables held.
//!
//! Deleting one of them takes its name off its id and notes the id ([`crate::catalog`]). What is under the id
//! cannot be reached any more: no verb finds the id, and one that had found it before looks again when it
//! runs. So sweeping needs no order and no lock. It deletes in ordinary verbs, each in a scope that the
//! records have anyway, and takes the note off when nothing is left. Stopped anywhere, it goes on there.
//!
//! One verb deletes all that one blob name has, because only a content as a whole knows which chunks to free
//! (see [`crate::blob`]'s content). Messages and entities have no chunks, so they go some at a time.
//!
//! # Who looks for them?
//! A reader, which goes on behind what it found last; the verbs delete what they are told. A verb that looked
//! by itself would walk over the tombstones of all that went before it, again for each of the verbs, on the
//! thread that all other verbs wait for. Nothing can be missed that way: nothing is added under the id any
//! more, and where an earlier process stopped, the next one begins at the beginning.
//!
//! # What cannot be read
//! A record that is damaged keeps its scope from being deleted, and nothing else: neither the other scopes under its id
//! nor what other deletions have left. The note of its id stays, and the next process tries again.

use crate::blob;
use crate::catalog::{self, Key, Kind, Remains};
use crate::error::{EngineError, Result};
use crate::meta::key::{KeyBuilder, KeyReader, successor};
use crate::meta::{self, Family, MetaStore, Scope, Step, Transaction, View, Weight};
use crate::wait::wait;
use std::collections::BTreeSet;

/// Messages or entities that are deleted at a time, at most.
const RECORDS_MAX: usize = 1000;

/// Sweeping of one store, and how far it has come.
#[derive(Debug, Default)]
pub struct Sweep {
    place: Option<Place>,
    /// Ids of which something is damaged.
    damaged: BTreeSet<u64>,
    /// Those of them of which nothing else is left.
    passed_over: BTreeSet<u64>,
}

/// Where to go on.
#[derive(Debug, Clone)]
struct Place {
    /// Under this id,
    id: u64,
    /// in this one of the kind's families,
    family: usize,
    /// at or behind this key.
    from: Vec<u8>,
}

/// What there is to delete next.
#[derive(Debug)]
struct Found {
    remains: Remains,
    /// A verb for each. None at all: nothing is left.
    portions: Vec<Portion>,
    /// Where to go on when they are gone.
    place: Place,
}

/// Records of one scope.
#[derive(Debug)]
struct Portion {
    scope: Scope,
    family: Family,
    /// Their keys, unless all that the scope has is meant.
    keys: Vec<Vec<u8>>,
}

/// As [`Sweep::once`], from the beginning.
///
/// # Errors
/// As there.
pub fn sweep_once(meta: &dyn MetaStore, scopes_max: usize) -> Result<usize> {
    Sweep::default().once(meta, scopes_max)
}

impl Sweep {
    /// Deletes some of what deleted names have left behind, in at most `scopes_max` verbs that share syncs, and
    /// gives their number: 0 when nothing is left to sweep. Blocks; meant for a thread of the engine that calls
    /// it when something was deleted and goes on until it gives 0.
    ///
    /// # Errors
    /// The store's. What was deleted before stays so; the rest is left to the next call.
    pub fn once(&mut self, meta: &dyn MetaStore, scopes_max: usize) -> Result<usize> {
        // Taken, so that after an error the next call begins at the beginning.
        let (place, passed_over) = (self.place.take(), self.passed_over.clone());
        let Some(found) = wait(find(meta, place, passed_over, scopes_max.max(1)))? else { return Ok(0) };
        let Found { remains, portions, place } = found;
        if portions.is_empty() {
            if self.damaged.contains(&remains.id) {
                self.passed_over.insert(remains.id);
            } else {
                wait(forget(meta, remains))?;
            }
            return Ok(1);
        }
        let count = portions.len();
        match wait(delete(meta, &remains, portions)) {
            Err(EngineError::Corrupt { what }) => {
                tracing::error!(what, "what a deleted name held cannot all be swept");
                self.damaged.insert(remains.id);
            }
            other => other?,
        }
        self.place = Some(place);
        Ok(count)
    }
}

async fn find(
    meta: &dyn MetaStore,
    place: Option<Place>,
    passed_over: BTreeSet<u64>,
    scopes_max: usize,
) -> Result<Option<Found>> {
    meta::read(meta, Weight::Scan, move |view| next(view, place.as_ref(), &passed_over, scopes_max)).await
}

async fn forget(meta: &dyn MetaStore, remains: Remains) -> Result<()> {
    let scope = remains.name.scope();
    let verb = move |transaction: &mut dyn Transaction| {
        catalog::forget(transaction, &remains);
        if remains.kind == Kind::Container {
            blob::forget(transaction, &remains.name, remains.id);
        }
        Ok(())
    };
    meta::commit(meta, scope, None, verb).await
}

async fn delete(meta: &dyn MetaStore, remains: &Remains, portions: Vec<Portion>) -> Result<()> {
    let submit = |portion: Portion| {
        let (scope, name, kind) = (portion.scope.clone(), remains.name.clone(), remains.kind);
        meta::commit(meta, scope, None, move |transaction| clear(transaction, &name, kind, &portion))
    };
    let verbs: Vec<_> = portions.into_iter().map(submit).collect();
    let mut outcome = Ok(());
    for verb in verbs {
        outcome = match (outcome, verb.await) {
            // That the store has failed matters more than that a record is damaged.
            (Ok(()) | Err(EngineError::Corrupt { .. }), Err(error)) => Err(error),
            (outcome, _) => outcome,
        };
    }
    outcome
}

/// What is left of the first remains that are not passed over, behind `place` if that is in them.
fn next(
    view: &dyn View,
    place: Option<&Place>,
    passed_over: &BTreeSet<u64>,
    scopes_max: usize,
) -> Result<Option<Found>> {
    let mut remains = catalog::remains(view, passed_over.len() + 1)?.into_iter();
    let Some(remains) = remains.find(|remains| !passed_over.contains(&remains.id)) else { return Ok(None) };
    let id = KeyBuilder::new().u64(remains.id).finish();
    let begin = |family| Place { id: remains.id, family, from: id.clone() };
    let mut place = place.filter(|place| place.id == remains.id).cloned().unwrap_or_else(|| begin(0));
    let mut portions = Vec::new();
    // Scopes of one family at a time: what the others have of them goes with them.
    while let Some(family) = families(remains.kind).get(place.family) {
        let from = std::mem::take(&mut place.from);
        (portions, place.from) = portions_of(view, remains.kind, *family, &from, scopes_max)?;
        if !portions.is_empty() {
            break;
        }
        place = begin(place.family + 1);
    }
    Ok(Some(Found { remains, portions, place }))
}

/// The families in which records of this kind are, the one first that names every scope there is.
const fn families(kind: Kind) -> &'static [Family] {
    match kind {
        Kind::Container => &[Family::Blob, Family::Content, Family::Staged],
        Kind::Queue => &[Family::Message],
        Kind::Table => &[Family::Entity],
    }
}

/// Up to `scopes_max` portions from the key `from` on, under the same id, and the key behind them.
fn portions_of(
    view: &dyn View,
    kind: Kind,
    family: Family,
    from: &[u8],
    scopes_max: usize,
) -> Result<(Vec<Portion>, Vec<u8>)> {
    let id = from.get(..size_of::<u64>()).unwrap_or_default();
    let (mut portions, mut records, mut behind) = (Vec::<Portion>::new(), 0, from.to_vec());
    view.scan(family, from, successor(id).as_deref(), &mut |key, _| {
        let scope = scope_of(kind, key)?;
        if portions.last().is_none_or(|portion| portion.scope != scope) {
            if portions.len() >= scopes_max {
                return Ok(Step::Stop);
            }
            portions.push(Portion { scope: scope.clone(), family, keys: Vec::new() });
        }
        if kind == Kind::Container {
            let Some(next) = successor(&scope.0) else { return Ok(Step::Stop) };
            behind.clone_from(&next);
            return Ok(Step::Seek(next));
        }
        portions.last_mut().into_iter().for_each(|portion| portion.keys.push(key.to_vec()));
        records += 1;
        behind = [key, &[0]].concat();
        Ok(if records < RECORDS_MAX { Step::Next } else { Step::Stop })
    })?;
    Ok((portions, behind))
}

/// The scope to which a record belongs: a queue, or an id and a text (a blob's name, a partition key).
fn scope_of(kind: Kind, key: &[u8]) -> Result<Scope> {
    let mut pieces = KeyReader::new(key);
    pieces.u64()?;
    if kind != Kind::Queue {
        pieces.bytes()?;
    }
    let scope = key.strip_suffix(pieces.rest()).unwrap_or_default();
    Ok(Scope(scope.to_vec().into()))
}

/// Deletes a portion.
fn clear(transaction: &mut dyn Transaction, name: &Key, kind: Kind, portion: &Portion) -> Result<()> {
    if kind == Kind::Container {
        return blob::sweep(transaction, name, &portion.scope);
    }
    for key in &portion.keys {
        transaction.delete(portion.family, key);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::fixture::Fixture;
    use crate::clock::ManualClock;
    use crate::meta::memory::MemoryMeta;
    use crate::name::AccountName;
    use std::sync::Arc;

    fn store() -> Arc<MemoryMeta> {
        MemoryMeta::new(Arc::new(ManualClock::default()))
    }

    /// Makes a name that holds `records` records, which `key` makes keys of, and deletes it.
    fn deleted(meta: &MemoryMeta, kind: Kind, records: u32, key: fn(u64, u32) -> (Scope, Vec<u8>)) {
        let name = catalog::key(&AccountName::parse("account").unwrap(), kind, "name");
        let id = wait(meta::commit(meta, name.scope(), None, {
            let name = name.clone();
            move |transaction| {
                let id = transaction.now().ticks();
                catalog::write(transaction, &name, id, &[]);
                Ok(id)
            }
        }));
        let id = id.unwrap();
        for record in 0..records {
            let (scope, key) = key(id, record);
            let family = families(kind)[0];
            let put = move |transaction: &mut dyn Transaction| {
                transaction.put(family, &key, &[]);
                Ok(())
            };
            wait(meta::commit(meta, scope, None, put)).unwrap();
        }
        let removal = name.clone();
        wait(meta::commit(meta, name.scope(), None, move |transaction| {
            catalog::remove(transaction, &removal, id);
            Ok(())
        }))
        .unwrap();
    }

    fn message(id: u64, record: u32) -> (Scope, Vec<u8>) {
        let scope = KeyBuilder::new().u64(id).finish();
        (Scope(scope.clone().into()), KeyBuilder::behind(&scope).u128(record.into()).finish())
    }

    fn entity(id: u64, record: u32) -> (Scope, Vec<u8>) {
        let scope = KeyBuilder::new().u64(id).text(&format!("partition {}", record % 3)).finish();
        (Scope(scope.clone().into()), KeyBuilder::behind(&scope).text(&record.to_string()).finish())
    }

    fn is_empty(meta: &MemoryMeta) -> bool {
        let mut found = false;
        for family in [Family::Catalog, Family::Remains, Family::Message, Family::Entity] {
            let visited = meta.read_now(|view| {
                view.scan(family, &[], None, &mut |_, _| {
                    found = true;
                    Ok(Step::Stop)
                })
            });
            visited.unwrap();
        }
        !found
    }

    #[test]
    fn what_deleted_queues_and_tables_held_goes_in_bounded_steps() {
        let meta = store();
        deleted(&meta, Kind::Queue, 2500, message);
        deleted(&meta, Kind::Table, 10, entity);
        let (mut steps, mut sweep) = (Vec::new(), Sweep::default());
        loop {
            match sweep.once(meta.as_ref(), 2).unwrap() {
                0 => break,
                step => steps.push(step),
            }
        }
        // Three for the messages, two partitions and one, and the two notes.
        assert_eq!(steps, [1, 1, 1, 1, 2, 1, 1]);
        assert!(is_empty(&meta));
    }

    #[test]
    fn nobody_walks_twice_over_what_is_gone() {
        let meta = store();
        deleted(&meta, Kind::Queue, 1500, message);
        let mut sweep = Sweep::default();
        assert_eq!(sweep.once(meta.as_ref(), 2).unwrap(), 1);
        let place = sweep.place.clone().unwrap();
        let last = message(place.id, 999).1;
        assert_eq!(place.from, [last.as_slice(), &[0]].concat());
        let found = meta.read_now(|view| next(view, Some(&place), &BTreeSet::new(), 2)).unwrap().unwrap();
        assert_eq!(found.portions[0].keys[0], message(place.id, 1000).1);
        assert_eq!(found.portions[0].keys.len(), 500);
        while sweep.once(meta.as_ref(), 2).unwrap() > 0 {}
        assert!(is_empty(&meta));
    }

    #[test]
    fn sweeping_goes_on_after_a_crash_at_any_commit() {
        for survives in [false, true] {
            for crash in 1..6 {
                let meta = store();
                deleted(&meta, Kind::Table, 7, entity);
                meta.crash_at(meta.commits() + crash, survives);
                while sweep_once(meta.as_ref(), 1).is_ok_and(|swept| swept > 0) {}
                let meta = meta.reopen(Box::new(|_| ())).unwrap();
                while sweep_once(meta.as_ref(), 1).unwrap() > 0 {}
                assert!(is_empty(&meta), "a crash at {crash}");
            }
        }
    }

    #[test]
    fn a_damaged_record_keeps_nothing_else_from_being_swept() {
        let store = Fixture::new();
        for name in ["a", "b", "c"] {
            store.put(name, store.chunked(b"content", 3)).unwrap();
        }
        store.delete_container();
        store.create_container();
        store.put("other", store.chunked(b"content", 3)).unwrap();
        store.delete_container();
        let (key, value) = damage(&store, b"b\0");
        let mut sweep = Sweep::default();
        while sweep.once(store.meta.as_ref(), 1).unwrap() > 0 {}
        assert_eq!((store.records(Family::Blob), store.records(Family::Remains)), (1, 1));
        // Should it be readable again, the next process finds it.
        put(&store, key, value);
        store.sweep();
        for family in [Family::Blob, Family::Remains, Family::Chunk, Family::Content] {
            assert_eq!(store.records(family), 0);
        }
        assert!(store.chunks.alive().is_empty());
    }

    /// Makes the record of a blob unreadable; gives what it was.
    fn damage(store: &Fixture, name: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let mut found = None;
        let visited = store.meta.read_now(|view| {
            view.scan(Family::Blob, &[], None, &mut |key, value| {
                if key.get(8..).is_some_and(|name_and_state| name_and_state.starts_with(name)) {
                    found = Some((key.to_vec(), value.to_vec()));
                }
                Ok(Step::Next)
            })
        });
        visited.unwrap();
        let (key, value) = found.unwrap();
        put(store, key.clone(), vec![0xFF]);
        (key, value)
    }

    fn put(store: &Fixture, key: Vec<u8>, value: Vec<u8>) {
        let scope = scope_of(Kind::Container, &key).unwrap();
        wait(meta::commit(store.meta.as_ref(), scope, None, move |transaction| {
            transaction.put(Family::Blob, &key, &value);
            Ok(())
        }))
        .unwrap();
    }

    #[test]
    fn there_is_nothing_to_sweep_where_nothing_was_deleted() {
        let meta = store();
        assert_eq!(sweep_once(meta.as_ref(), 10).unwrap(), 0);
        assert_eq!(meta.commits(), 0);
    }
}
