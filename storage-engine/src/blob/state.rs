//! The states of a name: the blob, its past, and how one becomes another.
//!
//! Under this stands all that has to agree with the states: what they consist of ([`content`], [`volume`]), with counts
//! of who names it, and the indexes ([`due`], [`hold_index`], [`tag_index`]). Nothing here judges whether a change may
//! be.
//!
//! Every record of a state is written by [`store`] and nowhere else. That is what keeps the three indexes right
//! (by tag, by the time at which it goes, by that until which it must stay): whoever writes says what was there before,
//! and the difference is entered in the same batch.

use super::record::BlobRecord;
use super::record::lease::Lease;
use super::record::place::{self, Place, State};
use super::record::properties::{BlobKind, Deletion, Protection, Which};
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::meta::{Family, Step, Transaction, View};

pub(super) mod content;
pub(super) mod due;
pub(crate) mod hold_index;
pub(super) mod tag_index;
pub(super) mod volume;
use due::{Due, Kind};

/// When a state is due, if it is.
type TimeOf = fn(&BlobRecord) -> Option<Timestamp>;

/// What a state is entered for in the index of times, and when it is due.
pub(super) const DUE: [(Kind, TimeOf); 3] =
    [(Kind::State, due::time_of), (Kind::Copy, due::deadline_of), (Kind::Copy, due::mark_of)];

/// The record of a state, whether or not it is to be seen.
pub(super) fn get(view: &dyn View, place: &Place, state: State) -> Result<Option<BlobRecord>> {
    view.get(Family::Blob, &place.state(state))?.map(|value| BlobRecord::decode(&value)).transpose()
}

/// Writes a state, in place of `former`, which is what was there; or removes it.
pub(super) fn store(
    transaction: &mut dyn Transaction,
    place: &Place,
    state: State,
    former: Option<&BlobRecord>,
    new: Option<&BlobRecord>,
) {
    let key = place.state(state);
    match new {
        Some(record) => transaction.put(Family::Blob, &key, &record.encode()),
        None => transaction.delete(Family::Blob, &key),
    }
    tag_index::update(transaction, place, state, former, new);
    hold_index::update(transaction, place, state, former, new);
    for (kind, time) in DUE {
        let due = |record: Option<&BlobRecord>| {
            let at = time(record?)?;
            Some(Due { at, kind, key: key.clone(), container: place.container.clone() })
        };
        let (before, after) = (due(former), due(new));
        if before != after {
            if let Some(due) = before {
                due.strike(transaction);
            }
            if let Some(due) = after {
                due.enter(transaction);
            }
        }
    }
}

/// Removes a state and gives up its content.
pub(super) fn discard(
    transaction: &mut dyn Transaction,
    place: &Place,
    state: State,
    record: &BlobRecord,
) -> Result<()> {
    store(transaction, place, state, Some(record), None);
    content::release(transaction, place, record.form)
}

/// The blob as it is now, if it is to be seen.
pub(super) fn live_base(view: &dyn View, place: &Place, now: Timestamp) -> Result<Option<BlobRecord>> {
    Ok(get(view, place, State::Base)?.filter(|record| record.properties.is_live(now)))
}

/// The state that is asked for, if it is to be seen, with what is true of it now.
pub(super) fn find(
    view: &dyn View,
    place: &Place,
    which: Which,
    now: Timestamp,
) -> Result<Option<(State, BlobRecord)>> {
    let state = match which {
        Which::Base => State::Base,
        Which::Snapshot(id) => State::Snapshot(id),
        Which::Version(id) => {
            let current =
                live_base(view, place, now)?.is_some_and(|base| base.properties.version == Some(id));
            if current { State::Base } else { State::Version(id) }
        }
    };
    let record = get(view, place, state)?.filter(|record| record.properties.is_live(now));
    Ok(record.map(|BlobRecord { properties, form }| {
        let mut properties = properties.as_of(now);
        properties.current = state == State::Base;
        (state, BlobRecord { properties, form })
    }))
}

/// The snapshots and former versions of a name, oldest first, seen or not.
pub(super) fn past(view: &dyn View, place: &Place) -> Result<Vec<(State, BlobRecord)>> {
    let mut found = Vec::new();
    let end = place.state(State::Base);
    view.scan(Family::Blob, &place.past(), Some(&end), &mut |key, value| {
        let (_, state) = place::split_blob_key(key)?;
        found.push((state, BlobRecord::decode(value)?));
        Ok(Step::Next)
    })?;
    Ok(found)
}

/// Whether there is a snapshot that is not deleted.
pub(super) fn has_snapshots(view: &dyn View, place: &Place, now: Timestamp) -> Result<bool> {
    let mut found = false;
    let end = place.state(State::Base);
    view.scan(Family::Blob, &place.past(), Some(&end), &mut |key, value| {
        let (_, state) = place::split_blob_key(key)?;
        found = matches!(state, State::Snapshot(_)) && BlobRecord::decode(value)?.properties.is_live(now);
        Ok(if found { Step::Stop } else { Step::Next })
    })?;
    Ok(found)
}

/// Takes the expired blob away that may still be where a new one is to be.
pub(super) fn clear_expired(transaction: &mut dyn Transaction, place: &Place) -> Result<()> {
    match get(transaction, place, State::Base)? {
        Some(record) if !record.properties.exists(transaction.clock()) => {
            discard(transaction, place, State::Base, &record)
        }
        _ => Ok(()),
    }
}

/// Where the former state of a blob goes when it is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It becomes a former version.
    Version(Timestamp),
    /// It becomes a snapshot that is deleted.
    DeletedSnapshot(Deletion),
    /// It goes.
    Gone,
}

/// What becomes of `former` when it is overwritten now.
///
/// A state that has a version's id is kept also when versioning has been turned off since: it was promised then.
pub(super) fn fate(
    transaction: &dyn Transaction,
    place: &Place,
    former: &BlobRecord,
    protection: Protection,
) -> Result<Fate> {
    if protection.versioning || former.properties.version.is_some() {
        return version_id(transaction, place, former).map(Fate::Version);
    }
    Ok(match protection.delete_retention_days {
        Some(days) => Fate::DeletedSnapshot(Deletion::now((transaction.now(), transaction.clock()), days)),
        None => Fate::Gone,
    })
}

/// The id under which a blob becomes a former version. One that was written without versioning has its `ETag`, which is
/// the time of its last write. A version may have that id already: of a blob that had it, became a version with a
/// snapshot, which makes no new `ETag`, and lost its own id when it was deleted and restored without versioning. Then
/// it is the last moment before that is free: one in the future may be given to somebody else.
pub(super) fn version_id(view: &dyn View, place: &Place, record: &BlobRecord) -> Result<Timestamp> {
    let mut id = record.properties.version.unwrap_or(Timestamp::from_ticks(record.properties.etag.0));
    while view.get(Family::Blob, &place.state(State::Version(id)))?.is_some() {
        id = Timestamp::from_ticks(id.ticks().saturating_sub(1));
    }
    Ok(id)
}

/// Moves the record of the blob, which is about to be replaced, where its fate wants it, with its content; whose
/// content goes is the caller's business if that is its fate. The caller stores the new base with `former` none.
pub(super) fn retire(transaction: &mut dyn Transaction, place: &Place, former: &BlobRecord, fate: Fate) {
    store(transaction, place, State::Base, Some(former), None);
    let mut past = former.clone();
    past.properties.lease = Lease::None;
    match fate {
        Fate::Version(id) => {
            past.properties.version = Some(id);
            store(transaction, place, State::Version(id), None, Some(&past));
        }
        Fate::DeletedSnapshot(deletion) => {
            past.properties.snapshot = Some(deletion.at);
            past.properties.deletion = Some(deletion);
            store(transaction, place, State::Snapshot(deletion.at), None, Some(&past));
        }
        Fate::Gone => {}
    }
}

/// What becomes of a deleted blob when another takes its name: a deleted snapshot, if they are of one kind.
pub(super) fn retire_deleted(transaction: &mut dyn Transaction, place: &Place, kind: BlobKind) -> Result<()> {
    let Some(record) = get(transaction, place, State::Deleted)? else { return Ok(()) };
    let deletion = record.properties.deletion.filter(|deletion| !deletion.is_over(transaction.clock()));
    let Some(deletion) = deletion.filter(|_| record.properties.kind.same(kind)) else {
        return discard(transaction, place, State::Deleted, &record);
    };
    store(transaction, place, State::Deleted, Some(&record), None);
    let mut past = record;
    past.properties.snapshot = Some(deletion.at);
    store(transaction, place, State::Snapshot(deletion.at), None, Some(&past));
    Ok(())
}

/// The error for a blob that is not there.
pub(super) fn not_found<T>(found: Option<T>) -> Result<T> {
    found.ok_or(EngineError::BlobNotFound)
}
