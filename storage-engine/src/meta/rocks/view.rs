//! Reading `RocksDB`.

use super::super::overlay::{Base, is_empty};
use super::super::{EngineError, Family, Result, Step, View, Visit};
use super::options::name;
use super::states::Moment;
use super::{Database, failed};
use bytes::Bytes;
use rocksdb::{ColumnFamily, DB, DBRawIterator, ErrorKind, ReadOptions, ReadTier, Snapshot};
use std::cell::Cell;
use std::ops::Bound;
use std::sync::Arc;

/// How far a read goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tier {
    /// Only to what is in memory.
    Memory,
    /// To the disk, if need be.
    Disk,
}

/// Committed records.
pub(super) struct RocksView<'a> {
    rocks: &'a DB,
    snapshot: Option<Snapshot<'a>>,
    moment: Option<Moment<'a>>,
    tier: Tier,
    met_disk: Cell<bool>,
}

impl<'a> RocksView<'a> {
    /// The records as they are now, for as long as the view lives.
    pub(super) fn snapshot(database: &'a Database, tier: Tier) -> Self {
        let Database { rocks, states, .. } = database;
        // In this order: what is committed by then, the snapshot has.
        let moment = Some(states.now());
        Self { rocks, snapshot: Some(rocks.snapshot()), moment, tier, met_disk: Cell::new(false) }
    }

    /// The records as they are when they are read: the same if nobody writes meanwhile.
    pub(super) const fn newest(rocks: &'a DB) -> Self {
        Self { rocks, snapshot: None, moment: None, tier: Tier::Disk, met_disk: Cell::new(false) }
    }

    /// Whether a read failed because what it asked for is not in memory.
    pub(super) const fn has_met_disk(&self) -> bool {
        self.met_disk.get()
    }

    fn options(&self) -> ReadOptions {
        let mut options = ReadOptions::default();
        if self.tier == Tier::Memory {
            options.set_read_tier(ReadTier::BlockCache);
        }
        options
    }

    fn iterator(&self, family: Family, options: ReadOptions) -> Result<DBRawIterator<'_>> {
        let family = handle(self.rocks, family)?;
        Ok(match &self.snapshot {
            Some(snapshot) => snapshot.raw_iterator_cf_opt(family, options),
            None => self.rocks.raw_iterator_cf_opt(family, options),
        })
    }

    fn failed(&self, error: rocksdb::Error) -> EngineError {
        if self.tier == Tier::Memory && error.kind() == ErrorKind::Incomplete {
            self.met_disk.set(true);
            return EngineError::Meta(Arc::new(error));
        }
        failed(error)
    }
}

impl View for RocksView<'_> {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>> {
        let family = handle(self.rocks, family)?;
        let value = match &self.snapshot {
            Some(snapshot) => snapshot.get_pinned_cf_opt(family, key, self.options()),
            None => self.rocks.get_pinned_cf_opt(family, key, &self.options()),
        };
        let value = value.map_err(|error| self.failed(error))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn scan(&self, family: Family, from: &[u8], end: Option<&[u8]>, visit: &mut Visit<'_>) -> Result<()> {
        let mut options = self.options();
        if let Some(end) = end {
            if end <= from {
                return Ok(());
            }
            options.set_iterate_upper_bound(end);
        }
        let mut records = self.iterator(family, options)?;
        records.seek(from);
        while let Some((key, value)) = records.item() {
            match visit(key, value)? {
                Step::Seek(target) if target.as_slice() > key => records.seek(target),
                Step::Seek(_) | Step::Next => records.next(),
                Step::Stop => return Ok(()),
            }
        }
        records.status().map_err(|error| self.failed(error))
    }

    fn last_at_or_before(&self, family: Family, from: &[u8], at: &[u8]) -> Result<Option<(Bytes, Bytes)>> {
        self.last(family, from, Bound::Included(at))
    }

    fn state(&self, scope: &[u8]) -> Option<u64> {
        self.moment.as_ref()?.state(scope)
    }

    fn changed(&self, scope: &[u8], since: u64) -> Option<Vec<Vec<u8>>> {
        self.moment.as_ref()?.changed(scope, since)
    }
}

impl Base for RocksView<'_> {
    fn last(&self, family: Family, from: &[u8], to: Bound<&[u8]>) -> Result<Option<(Bytes, Bytes)>> {
        if is_empty(from, to) {
            return Ok(None);
        }
        let mut options = self.options();
        options.set_iterate_lower_bound(from);
        let mut records = self.iterator(family, options)?;
        match to {
            Bound::Included(to) | Bound::Excluded(to) => records.seek_for_prev(to),
            Bound::Unbounded => records.seek_to_last(),
        }
        if let Bound::Excluded(to) = to
            && records.key() == Some(to)
        {
            records.prev();
        }
        let found =
            records.item().map(|(key, value)| (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
        records.status().map_err(|error| self.failed(error))?;
        Ok(found)
    }
}

/// `RocksDB`'s handle of a family.
pub(super) fn handle(rocks: &DB, family: Family) -> Result<&ColumnFamily> {
    rocks.cf_handle(name(family)).ok_or_else(|| EngineError::corrupt(format!("the family {}", name(family))))
}
