//! Which scopes were written by which commit, as far as a reader needs it to know that a scope is as it was, or what of
//! it is not.
//!
//! Commits are numbered, and a scope's state is the number of the last one that wrote it. Scopes share [`PLACES`]
//! places by their hash, so a scope may seem written when another was, and memory stays the same however many there
//! are. Beside that stand the keys of the entities written last, [`CHANGES_MAX`] of them.
//!
//! # Why equal states are equal records
//! A commit puts its number at its scopes' places, and its keys among the changes, *before* it is written, and says
//! that it is done *after*. A moment knows which commits were done before its snapshot was taken, and it looks at a
//! place after that. Let it find number *n* there:
//! - *n* is done: then the snapshot has commit *n*, and of the later ones none has written the scope, or its number
//!   would be there: it is put before the write that the snapshot could have seen. So two moments that find the same
//!   *n* have the same records, and one that finds *n* differs from one that found *m* before it by what the commits
//!   behind *m* and up to *n* wrote.
//! - *n* is not done, or was not when the snapshot was taken: whether the snapshot has it is not known, and no state is
//!   given.
//!
//! A commit that fails is never done, so its scopes have no state any more, which is right: nobody knows whether it
//! took effect, and the store takes no more writes.

use super::super::overlay::Writes;
use super::super::{Family, Result};
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Enough that few scopes that are written keep seeming to write others; 32 KiB.
const PLACES: usize = 4096;
/// Keys that are remembered: some forty batches of a hundred entities, and a few hundred KiB.
const CHANGES_MAX: usize = 4096;

/// The states of all scopes.
pub(super) struct States {
    /// The number of the last commit.
    done: AtomicU64,
    places: Box<[AtomicU64]>,
    changes: Mutex<Changes>,
}

/// The entities that were written last.
#[derive(Default)]
struct Changes {
    /// Numbers of commits and keys, in the order of commits.
    written: VecDeque<(u64, Vec<u8>)>,
    /// The last commit of which keys are forgotten.
    forgotten: u64,
}

impl Default for States {
    fn default() -> Self {
        let places = std::iter::repeat_with(AtomicU64::default).take(PLACES).collect();
        Self { done: AtomicU64::default(), places, changes: Mutex::default() }
    }
}

impl States {
    /// Makes the commit of `writes`. Only ever called by one thread.
    pub(super) fn around(&self, writes: &Writes, commit: impl FnOnce() -> Result<()>) -> Result<()> {
        let number = self.done.load(Ordering::SeqCst) + 1;
        let entities = writes.iter().filter(|(family, ..)| *family == Family::Entity);
        self.changes().note(number, entities.map(|(_, key, _)| key));
        for place in writes.scopes().iter().filter_map(|scope| self.place(&scope.0)) {
            place.store(number, Ordering::SeqCst);
        }
        commit()?;
        self.done.store(number, Ordering::SeqCst);
        Ok(())
    }

    /// Now; the snapshot has to be taken after it.
    pub(super) fn now(&self) -> Moment<'_> {
        Moment { states: self, done: self.done.load(Ordering::SeqCst) }
    }

    /// The place of a scope; there is one for each.
    fn place(&self, scope: &[u8]) -> Option<&AtomicU64> {
        let mut hasher = DefaultHasher::new();
        scope.hash(&mut hasher);
        self.places.get(usize::try_from(hasher.finish() % (PLACES as u64)).ok()?)
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Changes {
    fn note<'k>(&mut self, number: u64, keys: impl Iterator<Item = &'k [u8]>) {
        for key in keys {
            if self.written.len() >= CHANGES_MAX
                && let Some((forgotten, _)) = self.written.pop_front()
            {
                self.forgotten = forgotten;
            }
            self.written.push_back((number, key.to_vec()));
        }
    }
}

/// A moment, and what is known of scopes since.
pub(super) struct Moment<'a> {
    states: &'a States,
    done: u64,
}

impl Moment<'_> {
    /// The state of a scope. See [`super::super::View::state`].
    pub(super) fn state(&self, scope: &[u8]) -> Option<u64> {
        let last = self.states.place(scope)?.load(Ordering::SeqCst);
        (last <= self.done).then_some(last)
    }

    /// What was written between two states. See [`super::super::View::changed`].
    pub(super) fn changed(&self, scope: &[u8], since: u64) -> Option<Vec<Vec<u8>>> {
        let state = self.state(scope)?;
        let changes = self.states.changes();
        if state < since || changes.forgotten > since {
            return None;
        }
        let newer =
            changes.written.iter().skip(changes.written.partition_point(|(number, _)| *number <= since));
        let here = newer.filter(|(_, key)| key.starts_with(scope));
        Some(here.map(|(_, key)| key.clone()).collect())
    }
}
