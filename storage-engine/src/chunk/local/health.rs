//! Whether the disk is still believed.

use crate::error::{EngineError, Result};
use std::io;
use std::sync::{Arc, OnceLock};

/// The first failure of the disk, if there was one. It is final: after a failed sync nobody knows what the
/// device holds, and a second one may report success without having written anything.
#[derive(Debug, Default)]
pub(super) struct Health(OnceLock<Arc<io::Error>>);

impl Health {
    pub(super) fn check(&self) -> Result<()> {
        match self.0.get() {
            None => Ok(()),
            Some(error) => Err(EngineError::Disk(Arc::clone(error))),
        }
    }

    /// Notes a failure; gives what every later write will be told.
    pub(super) fn fail(&self, doing: &str, error: io::Error) -> EngineError {
        let first = self.0.get_or_init(|| {
            tracing::error!(%error, doing, "a disk failed; it takes no more writes");
            Arc::new(error)
        });
        EngineError::Disk(Arc::clone(first))
    }
}
