//! The part of a transfer that moves what has changed between two snapshots of a blob of ours.
//!
//! The engine tells the changes exactly and in parts, by offset. Each is done as it is told: pages that were written
//! are read from the newer snapshot, which nobody changes, and pages that were cleared are cleared. So the
//! destination's next snapshot differs from its last one by the same pages as the source's do.

use super::{STEP_BYTES, Transfer, engine};
use crate::error::StorageError;
use std::num::NonZeroUsize;
use storage_engine::blob::{BlobAddress, ByteRange, Conditions, PageQuery, Which};
use storage_engine::clock::Timestamp;
use storage_engine::page::{PageRange, Run};

/// Changes that are asked for at a time.
const RUNS_MAX: NonZeroUsize = NonZeroUsize::new(1024).expect("it is not zero");

impl Transfer {
    /// Makes the destination's pages what the source's are at that snapshot.
    pub(super) async fn differences(
        &mut self,
        own: &BlobAddress,
        which: Which,
        since: Option<Timestamp>,
    ) -> Result<(), StorageError> {
        let (mut after, mut told) = (None, 0);
        loop {
            let query = PageQuery { which, since, range: None, after, limit: RUNS_MAX };
            let found = self.store.page_runs(own, query, Conditions::default()).await.map_err(engine)?;
            for Run { range, valid } in found.runs {
                if valid {
                    self.take(own, which, range).await?;
                } else {
                    let cleared = self.store.clear_copied_pages(&self.at, self.id, range);
                    cleared.await.map_err(engine)?;
                }
                if told / STEP_BYTES != range.end() / STEP_BYTES {
                    told = range.end();
                    self.store.copy_progress(&self.at, self.id, told).await.map_err(engine)?;
                }
            }
            match found.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Copies pages from where they are in the source.
    async fn take(&mut self, own: &BlobAddress, which: Which, pages: PageRange) -> Result<(), StorageError> {
        let range = ByteRange { first: pages.offset(), last: Some(pages.end() - 1) };
        let read = self.store.read(own, which, Some(range), Conditions::default()).await;
        let mut reader = read.map_err(engine)?.reader;
        let mut offset = pages.offset();
        // A volume is read in whole pages, far fewer at a time than are written at most.
        while let Some(bytes) = reader.next().await.map_err(engine)? {
            let end = offset + bytes.len() as u64;
            let written = self.store.write_copied_pages(&self.at, self.id, offset, vec![bytes]);
            written.await.map_err(engine)?;
            offset = end;
        }
        Ok(())
    }
}
