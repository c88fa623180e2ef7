//! What is to be looked at when its time has come: the index by which the background finds its work.
//!
//! | field of the key | |
//! |---|---|
//! | time | when; high byte first, so that a scan from the beginning meets what is due first; 0: see below |
//! | kind | `1` a state of a blob, `2` a deleted container, `3` a volume, `4` a blob to which a copy is under way |
//! | rest | the key of its record |
//!
//! The value is the container's key in the catalogue, which the key of a blob does not have. An entry says only
//! where to look ([`crate::meta`]): what is there decides whether anything is done, and nobody waits for it to be
//! done. What is over is not shown any more from the moment it is, whenever its records go.
//!
//! # Copies that are under way
//! They are asked for when the store is opened, before anybody is answered. Their deadlines stand among those of all
//! that was deleted or expires, which may be millions, so each has a second entry, at a time that never was, where only
//! such are.

use crate::blob::record::BlobRecord;
use crate::blob::record::place;
use crate::blob::record::properties::CopyStatus;
use crate::blob::state::volume;
use crate::catalog::Key;
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::meta::key::{KeyBuilder, KeyReader};
use crate::meta::{self, Family, MetaStore, Scope, Step, Transaction, View};
use std::time::Duration;

/// How long a copy may take (page "Copy Blob").
const COPYING_MAX: Duration = Duration::from_hours(14 * 24);

/// Where the second entry of a copy stands.
const UNDER_WAY: Timestamp = Timestamp::from_ticks(0);

/// What is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::blob) enum Kind {
    /// A blob, snapshot or version that expires, was deleted, or leaves the archive; or staged blocks.
    State,
    /// A container that was deleted.
    Container,
    /// A volume with something to take back.
    Volume,
    /// A blob to which a copy is under way, which must come to an end.
    Copy,
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::State => 1,
            Self::Container => 2,
            Self::Volume => 3,
            Self::Copy => 4,
        }
    }

    const fn of(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::State),
            2 => Some(Self::Container),
            3 => Some(Self::Volume),
            4 => Some(Self::Copy),
            _ => None,
        }
    }
}

/// An entry of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::blob) struct Due {
    /// When.
    pub(in crate::blob) at: Timestamp,
    /// What.
    pub(in crate::blob) kind: Kind,
    /// The key of its record.
    pub(in crate::blob) key: Vec<u8>,
    /// The container's key in the catalogue; for a blob's, perhaps one that it had before it was renamed.
    pub(in crate::blob) container: Key,
}

impl Due {
    fn index_key(&self) -> Vec<u8> {
        KeyBuilder::new().u64(self.at.ticks()).u8(self.kind.byte()).raw(&self.key).finish()
    }

    /// Enters it.
    pub(in crate::blob) fn enter(&self, transaction: &mut dyn Transaction) {
        transaction.put(Family::Due, &self.index_key(), &self.container.0);
    }

    /// Takes it out.
    pub(in crate::blob) fn strike(&self, transaction: &mut dyn Transaction) {
        transaction.delete(Family::Due, &self.index_key());
    }

    fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        let mut pieces = KeyReader::new(key);
        let at = Timestamp::from_ticks(pieces.u64()?);
        let kind = Kind::of(pieces.u8()?).ok_or_else(|| EngineError::corrupt("an entry of what is due"))?;
        Ok(Self { at, kind, key: pieces.rest().to_vec(), container: Key(value.to_vec().into()) })
    }

    /// The scope of its record: that of the verb that looks at it.
    pub(in crate::blob) fn scope(&self) -> Result<Scope> {
        match self.kind {
            Kind::State | Kind::Copy => place::split_blob_key(&self.key).map(|(scope, _)| scope),
            Kind::Volume => volume::split_key(&self.key).map(|(scope, _)| scope),
            Kind::Container => Ok(self.container.scope()),
        }
    }

    /// Runs a verb that looks at it, in its scope.
    pub(in crate::blob) async fn settle(
        &self,
        meta: &dyn MetaStore,
        verb: fn(&mut dyn Transaction, &Self) -> Result<()>,
    ) -> Result<()> {
        let due = self.clone();
        meta::commit(meta, self.scope()?, None, move |transaction| verb(transaction, &due)).await
    }
}

/// When a state of a blob is to be looked at: when it is over and may go.
pub(super) fn time_of(record: &BlobRecord) -> Option<Timestamp> {
    let purge = record.properties.deletion.map(|deletion| deletion.purge);
    let over = [purge, record.properties.expires].into_iter().flatten().min();
    let may_go = over.map(|over| record.properties.held_until().map_or(over, |until| until.max(over)));
    let out_of_archive = record.properties.tier.and_then(|tier| Some(tier.rehydration?.ends));
    [may_go, out_of_archive].into_iter().flatten().min()
}

/// When a copy to this state has taken too long, if one is under way.
pub(super) fn deadline_of(record: &BlobRecord) -> Option<Timestamp> {
    let copy = record.properties.copy.as_ref()?;
    (copy.status == CopyStatus::Pending).then(|| record.properties.modified.after(COPYING_MAX))
}

/// Where a state is entered as one to which a copy is under way, if one is.
pub(super) fn mark_of(record: &BlobRecord) -> Option<Timestamp> {
    deadline_of(record).map(|_| UNDER_WAY)
}

/// All copies under way, whenever their time is over.
pub(in crate::blob) fn copies(view: &dyn View) -> Result<Vec<Due>> {
    let mut found = Vec::new();
    view.scan(Family::Due, &[], Some(&first_time()), &mut |key, value| {
        found.extend(readable(key, value));
        Ok(Step::Next)
    })?;
    Ok(found)
}

/// The key before all that is due at some time.
fn first_time() -> Vec<u8> {
    KeyBuilder::new().u64(UNDER_WAY.ticks() + 1).finish()
}

/// What is due at `now`, at most `limit`, soonest first.
pub(in crate::blob) fn due(view: &dyn View, now: Timestamp, limit: usize) -> Result<Vec<Due>> {
    let mut found = Vec::new();
    let end = KeyBuilder::new().u64(now.ticks().saturating_add(1)).finish();
    view.scan(Family::Due, &first_time(), Some(&end), &mut |key, value| {
        if found.len() >= limit {
            return Ok(Step::Stop);
        }
        found.extend(readable(key, value));
        Ok(Step::Next)
    })?;
    Ok(found)
}

/// The entry, unless it is damaged: it was a hint, and the others are none the worse for it.
fn readable(key: &[u8], value: &[u8]) -> Option<Due> {
    Due::decode(key, value)
        .inspect_err(|error| tracing::error!(%error, "what is due cannot be told from an entry"))
        .ok()
}
