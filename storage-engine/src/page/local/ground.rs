//! What all volumes of a store stand on: records, disk, and whether both are still believed.

use super::files::OpenFiles;
use super::record::{self, FAMILY};
use crate::disk::Disk;
use crate::disk::handles::is_out_of_handles;
use crate::error::{EngineError, Result};
use crate::meta::{Durability, MetaStore, Scope, View, Weight, commit, read};
use crate::page::VolumeId;
use crate::wait::wait;
use std::io::{self, ErrorKind};
use std::sync::{Arc, OnceLock};

/// Keys, each with the value it gets or with none to be removed.
pub(super) type Changes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// What volumes stand on.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) meta: Arc<dyn MetaStore>,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) durability: Durability,
    /// Bytes of the device that pages leave free, so that records can still be written.
    pub(super) reserve_bytes: u64,
    /// Areas of a volume that may be marked at a time.
    pub(super) marks_max: usize,
    /// Areas of a volume that are kept in memory without need.
    pub(super) areas_max: usize,
    /// Files of all volumes.
    pub(super) open_files: OpenFiles,
    failed: OnceLock<EngineError>,
}

impl Ground {
    pub(super) fn new(meta: Arc<dyn MetaStore>, disk: Arc<dyn Disk>, options: &super::PageOptions) -> Self {
        Self {
            meta,
            disk,
            durability: options.durability,
            reserve_bytes: options.reserve_bytes,
            marks_max: options.marks_max,
            areas_max: options.areas_max,
            open_files: OpenFiles::default(),
            failed: OnceLock::new(),
        }
    }

    /// Whether the store still takes writes.
    pub(super) fn check(&self) -> Result<()> {
        self.failed.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Notes a failure that is final; gives what every later write will be told, too.
    pub(super) fn fail(&self, doing: &str, error: impl Into<EngineError>) -> EngineError {
        let first = self.failed.get_or_init(|| {
            let error = error.into();
            tracing::error!(%error, doing, "pages take no more writes");
            error
        });
        first.clone()
    }

    /// Judges the error of a write: no room, or no more open files, is an answer; all else is final. A failed sync is
    /// final in any case.
    pub(super) fn refused(&self, doing: &str, error: io::Error) -> EngineError {
        if error.kind() == ErrorKind::StorageFull || is_out_of_handles(&error) {
            error.into()
        } else {
            self.fail(doing, EngineError::Disk(Arc::new(error)))
        }
    }

    /// Whether a slot more may be used.
    pub(super) fn check_room(&self) -> Result<()> {
        let space = self.disk.space().map_err(|error| self.refused("asking for free space", error))?;
        if space.free < self.reserve_bytes { Err(EngineError::NoSpace) } else { Ok(()) }
    }

    /// Changes records of a volume, atomically and durably. After an error other than no space, whether it took
    /// effect is not known, so that is final.
    pub(super) fn commit(&self, volume: VolumeId, changes: Changes) -> Result<()> {
        self.check()?;
        let verb = commit(&*self.meta, Scope(record::scope(volume).into()), None, move |transaction| {
            for (key, value) in &changes {
                match value {
                    Some(value) => transaction.put(FAMILY, key, value),
                    None => transaction.delete(FAMILY, key),
                }
            }
            Ok(())
        });
        match wait(verb) {
            Err(error) if !matches!(error, EngineError::NoSpace) => Err(self.fail("committing", error)),
            other => other,
        }
    }

    /// Reads records.
    pub(super) fn read<T: Send + 'static>(
        &self,
        weight: Weight,
        inquiry: impl Fn(&dyn View) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        wait(read(&*self.meta, weight, inquiry))
    }
}
