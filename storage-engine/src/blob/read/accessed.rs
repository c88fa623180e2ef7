//! When a blob was last accessed: written, which the verb that writes it puts down ([`crate::blob::write`]), or read.
//!
//! A read must not wait for a write, nor fail because of one. So whoever reads only leaves a note, in memory, and only
//! if what the blob shows is older than a day; the [`keeper`](crate::keeper) writes notes down in ordinary verbs, which
//! look again. A blob that is read a thousand times a second costs one write a day, and a look at the time with each
//! read.
//!
//! A crash loses notes of about a second. The next read makes them again, so what is lost is that the blob was read,
//! if it never is again: nobody was promised more. A write in the read's stead was rejected for what it costs the first
//! read of a day; a task for each note, because the engine has no runtime.

use crate::blob::record::place::State;
use crate::blob::{BlobAddress, BlobStore, state};
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a time that is shown stays as it is, although the blob is read (page "Optimize costs by automatically
/// managing the data lifecycle": the first read in 24 hours is noted).
const INTERVAL: Duration = Duration::from_hours(24);
/// Notes in memory. More reads than these between two rounds are not noted: the next read of the blob is.
const NOTES_MAX: usize = 100_000;

/// Blobs whose access is to be written down.
#[derive(Debug, Default)]
pub(in crate::blob) struct Accessed(Mutex<HashSet<BlobAddress>>);

impl Accessed {
    fn add(&self, at: &BlobAddress) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < NOTES_MAX && !notes.contains(at) {
            notes.insert(at.clone());
        }
    }

    fn take(&self, limit: usize) -> Vec<BlobAddress> {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken: Vec<_> = notes.iter().take(limit).cloned().collect();
        for at in &taken {
            notes.remove(at);
        }
        taken
    }
}

impl BlobStore {
    /// Leaves a note that the blob is read now, if `accessed`, the time that it shows, is older than a day.
    /// For accounts that track it. Returns at once.
    pub fn note_access(&self, at: &BlobAddress, accessed: Option<Timestamp>) {
        if is_due(accessed, self.clock.now()) {
            self.accessed.add(at);
        }
    }

    /// Writes at most `limit` notes down, and gives how many.
    ///
    /// # Errors
    /// The store's. Blobs that are gone meanwhile are no error.
    pub async fn write_accessed_once(&self, limit: usize) -> Result<usize> {
        let notes = self.accessed.take(limit);
        for at in &notes {
            match self.set_accessed(at).await {
                Ok(()) | Err(EngineError::BlobNotFound | EngineError::ContainerNotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(notes.len())
    }

    async fn set_accessed(&self, at: &BlobAddress) -> Result<()> {
        self.change(at, None, move |transaction, place| {
            let now = transaction.clock();
            let former = state::not_found(state::live_base(transaction, place, now)?)?;
            if is_due(former.properties.accessed, now) {
                let mut record = former.clone();
                record.properties.accessed = Some(now);
                state::store(transaction, place, State::Base, Some(&former), Some(&record));
            }
            Ok(())
        })
        .await
    }
}

fn is_due(accessed: Option<Timestamp>, now: Timestamp) -> bool {
    accessed.is_none_or(|accessed| accessed.after(INTERVAL) <= now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::fixture::Fixture;
    use crate::blob::{BlobProperties, Conditions, NewBlob, Protection, Which};
    use futures_executor::block_on;

    fn properties(store: &Fixture) -> BlobProperties {
        block_on(store.blobs.properties(&store.at("blob"), Which::Base, Conditions::default())).unwrap()
    }

    fn written(store: &Fixture) -> usize {
        block_on(store.blobs.write_accessed_once(10)).unwrap()
    }

    #[test]
    fn an_access_is_written_down_once_a_day_and_changes_nothing_else() {
        let store = Fixture::new();
        store.put("blob", store.inline(b"x")).unwrap();
        let before = properties(&store);
        assert_eq!(before.accessed, None);
        for _ in 0..3 {
            store.blobs.note_access(&store.at("blob"), before.accessed);
        }
        assert_eq!((written(&store), written(&store)), (1, 0), "notes of one blob are one");
        let first = properties(&store);
        assert_eq!(BlobProperties { accessed: None, ..first.clone() }, before);
        let accessed = first.accessed.unwrap();
        store.clock.advance(Duration::from_hours(23));
        store.blobs.note_access(&store.at("blob"), Some(accessed));
        assert_eq!(written(&store), 0);
        // Two who read at once, of whom one has an old answer.
        store.blobs.note_access(&store.at("blob"), None);
        assert_eq!(written(&store), 1);
        assert_eq!(properties(&store).accessed, Some(accessed), "the verb looks again");
        store.clock.advance(Duration::from_hours(2));
        store.blobs.note_access(&store.at("blob"), Some(accessed));
        assert_eq!(written(&store), 1);
        assert!(properties(&store).accessed > Some(accessed));
    }

    #[test]
    fn a_write_of_content_is_an_access_if_that_is_tracked() {
        let store = Fixture::new();
        let put = |tracks_access| {
            let protection = Protection { tracks_access, ..Protection::default() };
            let (at, new, any) = (store.at("blob"), NewBlob::default(), Conditions::default());
            block_on(store.blobs.put_block_blob(&at, new, store.inline(b"x"), any, protection)).unwrap();
            properties(&store)
        };
        let first = put(true);
        assert_eq!(first.accessed, Some(first.created));
        store.clock.advance(Duration::from_mins(1));
        let second = put(true);
        assert_eq!(second.accessed, Some(second.modified));
        assert!(second.accessed > first.accessed);
        assert_eq!(put(false).accessed, None);
    }

    #[test]
    fn notes_of_what_is_gone_are_dropped() {
        let store = Fixture::new();
        store.blobs.note_access(&store.at("never there"), None);
        assert_eq!(written(&store), 1);
        store.blobs.note_access(&store.at("never there"), None);
        store.delete_container();
        assert_eq!((written(&store), written(&store)), (1, 0));
    }
}
