//! Which scopes were written by which commit, as far as a reader needs to know that a scope is as it was.
//!
//! Commits are numbered, and a scope's state is the number of the last one that wrote it. Scopes share [`PLACES`] places by
//! their hash, so a scope may seem written when another was, and memory stays the same however many there are.
//!
//! # Why equal states are equal records
//! A commit puts its number at its scopes' places *before* it is written, and says that it is done *after*. A moment knows which
//! commits were done before its snapshot was taken, and it looks at a place after that. Let it find number *n* there:
//! - *n* is done: then the snapshot has commit *n*, and of the later ones none has written the scope, or its number would be there: it
//!   is put before the write that the snapshot could have seen. So two moments that find the same *n* have the same records.
//! - *n* is not done, or was not when the snapshot was taken: whether the snapshot has it is not known, and no state is given.
//!
//! A commit that fails is never done, so its scopes have no state any more, which is right: nobody knows whether it took effect, and
//! the store takes no more writes.

use super::super::{Result, Scope};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

/// Enough that few scopes that are written keep seeming to write others; 32 KiB.
const PLACES: usize = 4096;

/// The states of all scopes.
pub(super) struct States {
    /// The number of the last commit.
    done: AtomicU64,
    places: Box<[AtomicU64]>,
}

impl Default for States {
    fn default() -> Self {
        let places = std::iter::repeat_with(AtomicU64::default).take(PLACES).collect();
        Self { done: AtomicU64::default(), places }
    }
}

impl States {
    /// Makes a commit of `scopes`. Only ever called by one thread.
    pub(super) fn around(&self, scopes: &[Scope], commit: impl FnOnce() -> Result<()>) -> Result<()> {
        let number = self.done.load(Ordering::SeqCst) + 1;
        for place in scopes.iter().filter_map(|scope| self.place(&scope.0)) {
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
}
