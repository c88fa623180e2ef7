//! Records in memory, for tests: everything happens at once, on the caller's thread, the same on every run.
//!
//! Verbs run in [`MetaStore::submit`], each its own batch, with the transaction that the durable engine uses.
//! Every commit is "durable" when it returns, unless the store was told to crash at it; then the store
//! answers nothing but [`EngineError::Closed`], and [`MemoryMeta::reopen`] gives a store of what a disk would
//! hold. Whether the crashing commit itself reached the disk is the test's choice, for a real crash leaves
//! either.
//!
//! What work costs is counted: the records that were looked at, and the removed ones that scans walked over. A store on
//! a disk keeps a mark for each record it has removed until it compacts, and a scan that ends where it began has passed
//! all of them; here they are kept for ever, so that a test sees the worst of it.

use super::chunk_index::Freed;
use super::overlay::{Base, Writes, between, is_empty, run_verb};
use super::stamp::Stamps;
use super::{EngineError, Family, Inquiry, MetaStore, Result, Scope, Step, Verb, View, Visit, Weight};
use crate::clock::Clock;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Records in memory.
pub struct MemoryMeta {
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
    freed: Freed,
}

struct State {
    /// What is committed. Shared with reads that are under way, which do not see later commits.
    image: Arc<Image>,
    stamps: Stamps,
    commits: u64,
    crash: Option<Crash>,
    crashed: bool,
}

/// When to crash.
#[derive(Debug, Clone, Copy)]
struct Crash {
    commit: u64,
    survives: bool,
}

impl MemoryMeta {
    /// An empty store. Freed chunks are forgotten.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::with_freed(clock, Box::new(|_| ()))
    }

    /// An empty store that calls `freed` with chunks that no record names any more.
    pub fn with_freed(clock: Arc<dyn Clock>, freed: Freed) -> Arc<Self> {
        Self::with(Arc::default(), Stamps::first(Arc::clone(&clock)), clock, freed)
    }

    /// A store of what is committed in this one, as if the process had ended and begun again.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] if the store's own records are damaged.
    pub fn reopen(&self, freed: Freed) -> Result<Arc<Self>> {
        let image = Arc::clone(&self.state().image);
        let stamps = Stamps::open(Arc::clone(&self.clock), image.as_ref())?;
        Ok(Self::with(image, stamps, Arc::clone(&self.clock), freed))
    }

    /// Crashes at the commit with this number, from 1 on; `survives` says whether that one is still there
    /// after reopening. Verbs that write nothing are no commits.
    pub fn crash_at(&self, commit: u64, survives: bool) {
        self.state().crash = Some(Crash { commit, survives });
    }

    /// How many commits there have been.
    pub fn commits(&self) -> u64 {
        self.state().commits
    }

    /// How many records reads and verbs have looked at, over all reopenings: what work grows with can be
    /// asserted without a clock.
    pub fn visits(&self) -> u64 {
        self.state().image.visits.load(Ordering::Relaxed)
    }

    /// How many removed records scans have walked over, over all reopenings.
    pub fn tombstones(&self) -> u64 {
        self.state().image.tombstones.load(Ordering::Relaxed)
    }

    /// Runs `read` on the newest committed state, also after a crash.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn read_now<T>(&self, read: impl FnOnce(&dyn View) -> Result<T>) -> Result<T> {
        let image = Arc::clone(&self.state().image);
        read(image.as_ref())
    }

    fn with(image: Arc<Image>, stamps: Stamps, clock: Arc<dyn Clock>, freed: Freed) -> Arc<Self> {
        let state = Mutex::new(State { image, stamps, commits: 0, crash: None, crashed: false });
        Arc::new(Self { state, clock, freed })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryMeta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryMeta").field("commits", &self.commits()).finish_non_exhaustive()
    }
}

impl MetaStore for MemoryMeta {
    fn submit(&self, scope: Scope, mut verb: Box<dyn Verb>) {
        let mut writes = Writes::default();
        let outcome = self.state().run(&scope, verb.as_mut(), &mut writes);
        if outcome.is_ok() && !writes.freed().is_empty() {
            (self.freed)(writes.freed());
        }
        verb.finish(outcome);
    }

    fn inquire(&self, _weight: Weight, mut inquiry: Box<dyn Inquiry>) {
        let state = self.state();
        let image = Arc::clone(&state.image);
        let crashed = state.crashed;
        drop(state);
        if crashed {
            return inquiry.finish(Err(EngineError::Closed));
        }
        inquiry.run(image.as_ref());
        inquiry.finish(Ok(()));
    }
}

impl State {
    fn run(&mut self, scope: &Scope, verb: &mut dyn Verb, writes: &mut Writes) -> Result<()> {
        if self.crashed {
            return Err(EngineError::Closed);
        }
        run_verb(self.image.as_ref(), writes, scope, self.stamps.next(), verb)?;
        if writes.is_empty() {
            return Ok(());
        }
        self.commits += 1;
        self.stamps.mark(writes);
        let crash = self.crash.filter(|crash| crash.commit == self.commits);
        self.crashed = crash.is_some();
        if crash.is_none_or(|crash| crash.survives) {
            Arc::make_mut(&mut self.image).apply(writes);
        }
        if self.crashed { Err(EngineError::Closed) } else { Ok(()) }
    }
}

/// Committed records.
#[derive(Debug, Clone, Default)]
struct Image {
    records: BTreeMap<Family, BTreeMap<Vec<u8>, Bytes>>,
    /// Counts commits, so each is another state of everything.
    state: u64,
    /// Keys of entities that were written, with the number of the commit.
    changes: Vec<(u64, Vec<u8>)>,
    /// The keys of removed ones.
    removed: BTreeMap<Family, BTreeSet<Vec<u8>>>,
    /// Shared by all copies.
    visits: Arc<AtomicU64>,
    /// Shared by all copies.
    tombstones: Arc<AtomicU64>,
}

impl Image {
    fn visit(&self) {
        self.visits.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the removed records from `from` on, below `end`, as walked over.
    fn pass(&self, family: Family, from: &[u8], end: Option<&[u8]>) {
        let Some(removed) = self.removed.get(&family) else { return };
        let end = end.map_or(Bound::Unbounded, |end| Bound::Excluded(end.max(from)));
        let passed = removed.range::<[u8], _>((Bound::Included(from), end)).count();
        self.tombstones.fetch_add(u64::try_from(passed).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn apply(&mut self, writes: &Writes) {
        self.state += 1;
        for (family, key, value) in writes.iter() {
            if family == Family::Entity {
                self.changes.push((self.state, key.to_vec()));
            }
            let records = self.records.entry(family).or_default();
            let removed = self.removed.entry(family).or_default();
            if let Some(value) = value {
                records.insert(key.to_vec(), value.clone());
                removed.remove(key);
            } else {
                records.remove(key);
                removed.insert(key.to_vec());
            }
        }
    }
}

impl View for Image {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>> {
        self.visit();
        Ok(self.records.get(&family).and_then(|records| records.get(key)).cloned())
    }

    fn scan(&self, family: Family, from: &[u8], end: Option<&[u8]>, visit: &mut Visit<'_>) -> Result<()> {
        let Some(records) = self.records.get(&family) else { return Ok(()) };
        let mut sought = from.to_vec();
        let mut ahead = between(records, from, end);
        while let Some((key, value)) = ahead.next() {
            self.visit();
            match visit(key, value)? {
                Step::Seek(target) if target > *key => {
                    self.pass(family, &sought, Some(key));
                    ahead = between(records, &target, end);
                    sought = target;
                }
                Step::Seek(_) | Step::Next => (),
                Step::Stop => {
                    self.pass(family, &sought, Some(key));
                    return Ok(());
                }
            }
        }
        self.pass(family, &sought, end);
        Ok(())
    }

    fn last_at_or_before(&self, family: Family, from: &[u8], at: &[u8]) -> Result<Option<(Bytes, Bytes)>> {
        self.last(family, from, Bound::Included(at))
    }

    fn state(&self, _: &[u8]) -> Option<u64> {
        Some(self.state)
    }

    fn changed(&self, scope: &[u8], since: u64) -> Option<Vec<Vec<u8>>> {
        let changes = self.changes.iter().filter(|(commit, key)| *commit > since && key.starts_with(scope));
        (since <= self.state).then(|| changes.map(|(_, key)| key.clone()).collect())
    }
}

impl Base for Image {
    fn last(&self, family: Family, from: &[u8], to: Bound<&[u8]>) -> Result<Option<(Bytes, Bytes)>> {
        let Some(records) = self.records.get(&family).filter(|_| !is_empty(from, to)) else {
            return Ok(None);
        };
        let last = records.range::<[u8], _>((Bound::Included(from), to)).next_back();
        Ok(last.map(|(key, value)| (Bytes::copy_from_slice(key), value.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, Timestamp};
    use crate::meta::{commit, conformance};
    use futures_executor::block_on;

    fn put(store: &MemoryMeta, id: u8) -> Result<Timestamp> {
        block_on(commit(store, Scope(Bytes::new()), None, move |transaction| {
            transaction.put(Family::Blob, &[id], b"");
            Ok(transaction.now())
        }))
    }

    fn has(store: &MemoryMeta, id: u8) -> bool {
        store.read_now(|view| view.get(Family::Blob, &[id])).unwrap().is_some()
    }

    #[test]
    fn a_scan_walks_over_what_was_removed_where_it_goes_and_nowhere_else() {
        let store = MemoryMeta::new(Arc::new(ManualClock::default()));
        for id in 0..10 {
            put(&store, id).unwrap();
        }
        let remove = commit(store.as_ref(), Scope(Bytes::new()), None, |transaction| {
            for id in [1, 2, 3, 5, 6, 8] {
                transaction.delete(Family::Blob, &[id]);
            }
            Ok(())
        });
        block_on(remove).unwrap();
        put(&store, 2).unwrap();
        let walked = |from: u8, end: Option<u8>, then: fn(u8) -> Step| {
            let (before, mut ids) = (store.tombstones(), Vec::new());
            let visit = &mut |key: &[u8], _: &[u8]| {
                ids.extend_from_slice(key);
                Ok(then(key[0]))
            };
            let end = end.map(|end| [end]);
            store
                .read_now(|view| view.scan(Family::Blob, &[from], end.as_ref().map(|end| &end[..]), visit))
                .unwrap();
            (ids, store.tombstones() - before)
        };
        assert_eq!(walked(0, None, |_| Step::Next), (vec![0, 2, 4, 7, 9], 5));
        assert_eq!(walked(1, None, |_| Step::Stop), (vec![2], 1));
        assert_eq!(walked(5, Some(7), |_| Step::Next), (vec![], 2));
        assert_eq!(
            walked(0, None, |id| if id == 0 { Step::Seek(vec![7]) } else { Step::Stop }),
            (vec![0, 7], 0)
        );
    }

    #[test]
    fn memory_conforms() {
        conformance::conforms(|| MemoryMeta::new(Arc::new(ManualClock::default())));
    }

    #[test]
    fn a_crash_keeps_what_was_acknowledged() {
        for survives in [true, false] {
            let store = MemoryMeta::new(Arc::new(ManualClock::default()));
            store.crash_at(2, survives);
            let stamp = put(&store, 1).unwrap();
            assert!(matches!(put(&store, 2), Err(EngineError::Closed)));
            assert!(matches!(put(&store, 3), Err(EngineError::Closed)));

            let store = store.reopen(Box::new(|_| ())).unwrap();
            assert!(has(&store, 1));
            assert_eq!(has(&store, 2), survives);
            assert!(!has(&store, 3));
            assert!(put(&store, 4).unwrap() > stamp);
            assert_eq!(store.commits(), 1);
        }
    }
}
