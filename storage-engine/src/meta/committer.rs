//! The thread that runs all verbs of a store and commits them in batches.
//!
//! While one batch is being synced the next gathers in the inbox, so the batch size follows the load by itself:
//! one verb when idle, hundreds when busy. No timer waits for more.
//!
//! # When the device is nearly full
//! Verbs are refused before they run, as long as it is. Running out of room in the middle of a write would be a
//! failed write, and that is final.
//!
//! # When a write fails
//! Whether it took effect cannot be known, and the file system may already have dropped the pages it failed to
//! write, so trying again may report success for bytes that are lost. All of the batch, also verbs that only
//! read what it wrote, and all later verbs get the error until the store is reopened.

use super::chunk_index::Freed;
use super::inbox::Inbox;
use super::overlay::{Base, Writes, panicked, run_verb};
use super::stamp::Stamps;
use super::{EngineError, Result, Scope, Verb};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Most verbs of one batch.
const BATCH_VERBS_MAX: usize = 512;

/// A batch takes no more verbs when it has written this much.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// What batches are committed to.
pub(super) trait Ledger: Send + Sync + 'static {
    /// What is committed. Changes only by [`Ledger::write`].
    fn committed(&self) -> Box<dyn Base + '_>;

    /// Whether there is room for a batch, and for what the store does with it later.
    fn has_room(&self) -> bool {
        true
    }

    /// Commits all of `writes` or nothing, and makes it durable.
    fn write(&self, writes: &Writes) -> Result<()>;
}

/// A verb in the inbox.
pub(super) struct Submitted {
    /// The verb's scope.
    pub(super) scope: Scope,
    /// The verb.
    pub(super) verb: Box<dyn Verb>,
}

/// A verb that has run and awaits the batch's outcome, unless it already has its own.
type Ran = (Box<dyn Verb>, Result<()>);

/// Runs and commits verbs.
pub(super) struct Committer<L> {
    /// Where batches go.
    pub(super) ledger: Arc<L>,
    /// Where verbs come from.
    pub(super) inbox: Arc<Inbox<Submitted>>,
    /// The times of verbs.
    pub(super) stamps: Stamps,
    /// Told of chunks that are free.
    pub(super) freed: Freed,
    /// Why no more is written.
    pub(super) poison: Option<EngineError>,
}

impl<L: Ledger> Committer<L> {
    /// Works until the inbox is closed and empty.
    pub(super) fn work(mut self) {
        let inbox = Arc::clone(&self.inbox);
        while let Some(mut waiting) = inbox.take(BATCH_VERBS_MAX) {
            while !waiting.is_empty() {
                self.commit_some(&mut waiting);
            }
        }
    }

    /// Runs verbs of `waiting` until the batch is large enough or none is left, and commits it.
    fn commit_some(&mut self, waiting: &mut VecDeque<Submitted>) {
        if let Some(poison) = &self.poison {
            return waiting.drain(..).for_each(|submitted| finish(submitted.verb, Err(poison.clone())));
        }
        if !self.ledger.has_room() {
            return waiting.drain(..).for_each(|submitted| finish(submitted.verb, Err(EngineError::NoSpace)));
        }
        let mut writes = Writes::default();
        let ran = self.run(waiting, &mut writes);
        let outcome = self.write(&mut writes);
        if let Err(error) = &outcome {
            tracing::error!(%error, "metadata takes no more writes");
            self.poison = Some(error.clone());
        } else if !writes.freed().is_empty() {
            let told = catch_unwind(AssertUnwindSafe(|| (self.freed)(writes.freed())));
            // The chunks stay occupied until the next opening finds that nothing names them.
            if told.is_err() {
                panicked("giving chunks back panicked");
            }
        }
        for (verb, own) in ran {
            finish(verb, outcome.clone().and(own));
        }
    }

    fn run(&mut self, waiting: &mut VecDeque<Submitted>, writes: &mut Writes) -> Vec<Ran> {
        let committed = self.ledger.committed();
        let mut ran = Vec::with_capacity(waiting.len());
        while writes.bytes() < BATCH_BYTES_MAX
            && let Some(Submitted { scope, mut verb }) = waiting.pop_front()
        {
            let own = run_verb(committed.as_ref(), writes, &scope, self.stamps.next(), verb.as_mut());
            ran.push((verb, own));
        }
        ran
    }

    fn write(&self, writes: &mut Writes) -> Result<()> {
        if writes.is_empty() {
            return Ok(());
        }
        self.stamps.mark(writes);
        self.ledger.write(writes)
    }
}

/// Answers a verb. A panic of whoever waits must not end the thread that all verbs need.
pub(super) fn finish(verb: Box<dyn Verb>, outcome: Result<()>) {
    if catch_unwind(AssertUnwindSafe(|| verb.finish(outcome))).is_err() {
        panicked("the answer of a verb panicked");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::ChunkRef;
    use crate::clock::ManualClock;
    use crate::meta::{Bytes, Family, Inquiry, MetaStore, View, Visit, Weight, commit};
    use futures_executor::block_on;
    use std::io;
    use std::ops::Bound;
    use std::sync::Mutex;

    /// Holds no records, notes how much each write has, and fails at one of them.
    #[derive(Debug, Default)]
    struct Noted {
        writes: Mutex<Vec<usize>>,
        fails_at: Option<usize>,
        full: bool,
    }

    impl Ledger for Noted {
        fn committed(&self) -> Box<dyn Base + '_> {
            Box::new(Empty)
        }

        fn has_room(&self) -> bool {
            !self.full
        }

        fn write(&self, writes: &Writes) -> Result<()> {
            let mut noted = self.writes.lock().unwrap();
            noted.push(writes.iter().count());
            if Some(noted.len()) == self.fails_at {
                return Err(io::Error::from(io::ErrorKind::StorageFull).into());
            }
            Ok(())
        }
    }

    struct Empty;

    impl View for Empty {
        fn get(&self, _: Family, _: &[u8]) -> Result<Option<Bytes>> {
            Ok(None)
        }

        fn scan(&self, _: Family, _: &[u8], _: Option<&[u8]>, _: &mut Visit<'_>) -> Result<()> {
            Ok(())
        }

        fn last_at_or_before(&self, _: Family, _: &[u8], _: &[u8]) -> Result<Option<(Bytes, Bytes)>> {
            Ok(None)
        }
    }

    impl Base for Empty {
        fn last(&self, _: Family, _: &[u8], _: Bound<&[u8]>) -> Result<Option<(Bytes, Bytes)>> {
            Ok(None)
        }
    }

    /// Verbs gather here until the test lets a committer work, on its own thread.
    struct Gathering(Arc<Inbox<Submitted>>);

    impl std::fmt::Debug for Gathering {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Gathering")
        }
    }

    impl MetaStore for Gathering {
        fn submit(&self, scope: Scope, verb: Box<dyn Verb>) {
            assert!(self.0.push(Submitted { scope, verb }).is_ok());
        }

        fn inquire(&self, _: Weight, inquiry: Box<dyn Inquiry>) {
            inquiry.finish(Err(EngineError::Closed));
        }
    }

    impl Gathering {
        fn new() -> Self {
            Self(Arc::new(Inbox::new()))
        }

        fn put(&self, id: u16, bytes: usize) -> impl Future<Output = Result<()>> + use<> {
            commit(self, Scope(Bytes::new()), None, move |transaction| {
                transaction.put(Family::Blob, &id.to_be_bytes(), &vec![0; bytes]);
                transaction.free(ChunkRef { segment: 1, offset: id.into(), len: 1 });
                Ok(())
            })
        }

        fn work(self, ledger: &Arc<Noted>, freed: Freed) {
            self.0.close();
            let stamps = Stamps::open(Arc::new(ManualClock::default()), &Empty).unwrap();
            Committer { ledger: Arc::clone(ledger), inbox: self.0, stamps, freed, poison: None }.work();
        }
    }

    fn all_succeed(waiting: Vec<impl Future<Output = Result<()>>>) {
        for waiting in waiting {
            block_on(waiting).unwrap();
        }
    }

    #[test]
    fn verbs_that_wait_share_a_write() {
        let (ledger, store) = (Arc::new(Noted::default()), Gathering::new());
        let waiting: Vec<_> = (0..600).map(|id| store.put(id, 1)).collect();
        store.work(&ledger, Box::new(|_| ()));
        all_succeed(waiting);
        // Each verb writes two records, each batch the stamp besides.
        assert_eq!(*ledger.writes.lock().unwrap(), [2 * 512 + 1, 2 * 88 + 1]);
    }

    #[test]
    fn large_writes_end_a_batch() {
        let (ledger, store) = (Arc::new(Noted::default()), Gathering::new());
        let waiting: Vec<_> = (0..3).map(|id| store.put(id, BATCH_BYTES_MAX / 2)).collect();
        store.work(&ledger, Box::new(|_| ()));
        all_succeed(waiting);
        assert_eq!(*ledger.writes.lock().unwrap(), [5, 3]);
    }

    #[test]
    fn verbs_that_write_nothing_cause_no_write() {
        let (ledger, store) = (Arc::new(Noted::default()), Gathering::new());
        let waiting = commit(&store, Scope(Bytes::new()), None, |transaction| Ok(transaction.now()));
        store.work(&ledger, Box::new(|_| ()));
        block_on(waiting).unwrap();
        assert_eq!(*ledger.writes.lock().unwrap(), []);
    }

    #[test]
    fn without_room_verbs_are_refused_and_nothing_is_written() {
        let (ledger, store) = (Arc::new(Noted { full: true, ..Noted::default() }), Gathering::new());
        let waiting = store.put(1, 1);
        store.work(&ledger, Box::new(|_| ()));
        assert!(matches!(block_on(waiting), Err(EngineError::NoSpace)));
        assert_eq!(*ledger.writes.lock().unwrap(), []);
    }

    #[test]
    fn after_a_failed_write_nothing_is_written_or_freed() {
        let ledger = Arc::new(Noted { fails_at: Some(2), ..Noted::default() });
        let freed = Arc::new(Mutex::new(Vec::new()));
        let store = Gathering::new();
        let waiting: Vec<_> = (0..4).map(|id| store.put(id, BATCH_BYTES_MAX)).collect();
        let note = Arc::clone(&freed);
        store.work(&ledger, Box::new(move |chunks| note.lock().unwrap().extend(chunks.to_vec())));

        let outcomes: Vec<_> = waiting.into_iter().map(block_on).collect();
        assert!(outcomes[0].is_ok());
        assert!(outcomes[1..].iter().all(|outcome| matches!(outcome, Err(EngineError::NoSpace))));
        assert_eq!(ledger.writes.lock().unwrap().len(), 2, "never tried again");
        assert_eq!(freed.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_panic_in_giving_chunks_back_does_not_end_the_thread() {
        let (ledger, store) = (Arc::new(Noted::default()), Gathering::new());
        let waiting: Vec<_> = (0..2).map(|id| store.put(id, BATCH_BYTES_MAX)).collect();
        store.work(&ledger, Box::new(|_| panic!("this panic is part of a test")));
        all_succeed(waiting);
    }
}
