//! The thread that makes things durable: one sync for all who wait.
//!
//! While a sync runs, those who come wait for the next one; the more there are, the more share it. A sync
//! covers what was written when it begins, hence everything that anybody who waits for it has written.

use super::Shared;
use super::files::SegmentFiles;
use crate::disk::DiskFile;
use crate::error::Result;
use futures_channel::oneshot;
use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Somebody who waits for a sync.
pub(super) type Waiter = oneshot::Sender<Result<()>>;

/// What was written since the last sync began.
#[derive(Debug, Default)]
pub(super) struct Unsynced(Mutex<Changes>);

#[derive(Debug, Default)]
struct Changes {
    files: BTreeMap<u64, Arc<dyn DiskFile>>,
    names: bool,
}

impl Unsynced {
    /// Bytes were written to a segment.
    pub(super) fn wrote(&self, segment: u64, file: &Arc<dyn DiskFile>) {
        self.lock().files.entry(segment).or_insert_with(|| Arc::clone(file));
    }

    /// A segment was created.
    pub(super) fn created(&self) {
        self.lock().names = true;
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.lock().files.is_empty()
    }

    fn sync(&self, files: &SegmentFiles) -> io::Result<()> {
        let changes = std::mem::take(&mut *self.lock());
        changes.files.values().try_for_each(|file| file.sync_data())?;
        if changes.names { files.sync_names() } else { Ok(()) }
    }

    fn lock(&self) -> MutexGuard<'_, Changes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Works until nobody can ask any more.
pub(super) fn run(shared: &Shared, waiters: &Receiver<Waiter>) {
    while let Ok(first) = waiters.recv() {
        let batch: Vec<Waiter> = std::iter::once(first).chain(waiters.try_iter()).collect();
        let outcome = shared.health.check().and_then(|()| {
            let synced = shared.unsynced.sync(&shared.files);
            synced.map_err(|error| shared.health.fail("syncing", error))
        });
        for waiter in batch {
            // Who does not wait any more has no use for the answer.
            let _ = waiter.send(outcome.clone());
        }
    }
}
