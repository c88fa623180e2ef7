//! Stamps: the times of verbs, strictly rising.
//!
//! A stamp serves as version, so two verbs must never share one, whatever the machine's clock does. The newest
//! is therefore written in every batch, and the next is the clock's time or, if that is not later, one tick
//! more than the newest.
//!
//! Layout, family [`Family::System`]: key `stamp`; value, version 1: the newest stamp, `u64` ticks.

use super::overlay::Writes;
use super::record::{Decoder, Encoder};
use super::{Family, Result, Timestamp, View};
use crate::clock::Clock;
use std::sync::Arc;

const KEY: &[u8] = b"stamp";
const KIND: &str = "stamp";
const VERSION: u8 = 1;

/// The times of a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    /// Later than that of every verb before.
    pub(super) stamp: Timestamp,
    /// What the clock shows.
    pub(super) clock: Timestamp,
}

/// Where a store's stamps come from.
#[derive(Debug)]
pub(super) struct Stamps {
    clock: Arc<dyn Clock>,
    newest: Timestamp,
}

impl Stamps {
    /// Begins in an empty store.
    #[cfg(any(test, feature = "testing"))]
    pub(super) const fn first(clock: Arc<dyn Clock>) -> Self {
        Self { clock, newest: Timestamp::from_ticks(0) }
    }

    /// Goes on behind the newest stamp in `committed`.
    pub(super) fn open(clock: Arc<dyn Clock>, committed: &dyn View) -> Result<Self> {
        Ok(Self { clock, newest: newest(committed)? })
    }

    /// The times of the next verb.
    pub(super) fn next(&mut self) -> Times {
        let behind = Timestamp::from_ticks(self.newest.ticks().saturating_add(1));
        let clock = self.clock.now();
        self.newest = clock.max(behind);
        Times { stamp: self.newest, clock }
    }

    /// Adds the newest stamp to what a batch writes.
    pub(super) fn mark(&self, writes: &mut Writes) {
        let mut fields = Encoder::new(VERSION);
        fields.timestamp(self.newest);
        writes.set(Family::System, KEY, Some(fields.finish().into()));
    }
}

/// The newest stamp in `committed`; the first moment of all in an empty store.
///
/// # Errors
/// The view's, or [`crate::EngineError::Corrupt`].
pub(crate) fn newest(committed: &dyn View) -> Result<Timestamp> {
    let Some(record) = committed.get(Family::System, KEY)? else { return Ok(Timestamp::from_ticks(0)) };
    let (_, mut fields) = Decoder::versioned(KIND, VERSION, &record)?;
    let newest = fields.timestamp()?;
    fields.finish()?;
    Ok(newest)
}
