//! The index of states of blobs that must stay as they are: what keeps a container from being deleted.
//!
//! | field of the key | |
//! |---|---|
//! | container id | |
//! | until when | ticks, high byte first; the highest number for a legal hold, which no time ends |
//! | blob's name and state | as behind the container id in the blob's own key |
//!
//! The value is empty. Blobs, snapshots, versions and what is deleted and kept are all entered while their record has a
//! hold or a policy, be its time over or not. [`update`] is called by whoever writes such a record ([`state`],
//! [`crate::blob::background::sweep`]) and by nobody else, so an entry comes and goes in the batch of the hold or
//! policy it stands for. A container's id is the same under all its names, so a rename has nothing to do here.
//!
//! # Asking costs one look
//! A container may hold millions of blobs with policies, and *Delete Container* asks on the thread that all verbs wait
//! for. Because time stands before the name, what is over sorts before what is not: the question begins at the present
//! and never meets the former, so nothing needs to strike it before its blob goes. Of the latter the first entry
//! decides, unless its record says otherwise ([`crate::meta`]: an entry is a hint). The local engine writes entries
//! with their records, so there it never does; an engine that cannot may leave some behind after a crash, and of those
//! [`UNCONFIRMED_MAX`] are passed over. With more, the answer is that something is held: an error to the safe side,
//! which ends when the blobs are written or deleted. The same is said of a record that cannot be read, of which the
//! entry is all that is known.
//!
//! A count for each container was the alternative. It would be a record that all verbs of a container change, in no
//! scope of theirs, and it could not tell which policies are over.

use crate::blob::record::BlobRecord;
use crate::blob::record::place::{self, Place, State};
use crate::blob::state;
use crate::blob::state::tag_index::ID_BYTES;
use crate::catalog::{self, Key, Kind};
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::meta::key::{KeyBuilder, successor};
use crate::meta::{Family, Step, Transaction, View};
use crate::name::AccountName;

/// Entries whose records say otherwise that are passed over, at most.
const UNCONFIRMED_MAX: usize = 64;

/// Makes the entry of a state what its new record wants, after it was what the former one wanted.
pub(in crate::blob) fn update(
    transaction: &mut dyn Transaction,
    place: &Place,
    state: State,
    former: Option<&BlobRecord>,
    new: Option<&BlobRecord>,
) {
    let until = |record: Option<&BlobRecord>| record.and_then(|record| record.properties.held_until());
    let (before, after) = (until(former), until(new));
    if before == after {
        return;
    }
    if let Some(until) = before {
        transaction.delete(Family::Held, &key_of(place, state, until));
    }
    if let Some(until) = after {
        transaction.put(Family::Held, &key_of(place, state, until), &[]);
    }
}

/// Whether a hold or a policy keeps something that is in the container with this id.
///
/// # Errors
/// The store's.
pub(crate) fn holds_something(view: &dyn View, container: u64, now: Timestamp) -> Result<bool> {
    let container = KeyBuilder::new().u64(container).finish();
    let first = KeyBuilder::behind(&container).u64(now.ticks().saturating_add(1)).finish();
    let (mut held, mut unconfirmed) = (false, 0);
    view.scan(Family::Held, &first, successor(&container).as_deref(), &mut |key, _| {
        held = unconfirmed >= UNCONFIRMED_MAX || is_held(view, key, now)?;
        unconfirmed += 1;
        Ok(if held { Step::Stop } else { Step::Next })
    })?;
    Ok(held)
}

/// Whether a hold or a policy keeps something in one of the account's containers, those among them that can be
/// restored. Looks at each of them: meant for a thread of readers.
///
/// # Errors
/// The store's.
pub(crate) fn account_holds_something(
    view: &dyn View,
    account: &AccountName,
    now: Timestamp,
) -> Result<bool> {
    let mut held = false;
    catalog::scan_from(view, account, Kind::Container, ("", None), &mut |_, entry, _| {
        held = holds_something(view, entry.id, now)?;
        Ok(!held)
    })?;
    Ok(held)
}

/// As [`holds_something`], of the container that stands at one of the keys of [`catalog::names_of`]. Queues and tables
/// have ids of their own, under which nothing is entered here.
///
/// # Errors
/// The store's.
pub(crate) fn name_holds_something(view: &dyn View, name: &Key, now: Timestamp) -> Result<bool> {
    catalog::find(view, name)?.map_or(Ok(false), |entry| holds_something(view, entry.id, now))
}

/// Whether the record says what an entry says.
fn is_held(view: &dyn View, entry: &[u8], now: Timestamp) -> Result<bool> {
    match record_of(view, entry) {
        Ok(record) => Ok(record.is_some_and(|record| record.properties.is_held(now))),
        Err(error @ EngineError::Corrupt { .. }) => {
            tracing::error!(%error, "what a blob that is held says cannot be read, so it is taken to be held");
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

fn record_of(view: &dyn View, entry: &[u8]) -> Result<Option<BlobRecord>> {
    let damaged = || EngineError::corrupt("an entry of what is held");
    let (container, behind) = entry.split_at_checked(ID_BYTES).ok_or_else(damaged)?;
    let blob = behind.get(size_of::<u64>()..).ok_or_else(damaged)?;
    let (scope, state) = place::split_blob_key(&[container, blob].concat())?;
    // Only the key is asked for, which does not depend on the container's name.
    state::get(view, &Place::of_scope(Key(bytes::Bytes::new()), scope), state)
}

fn key_of(place: &Place, state: State, until: Timestamp) -> Vec<u8> {
    let blob = place.state(state);
    let (container, rest) = blob.split_at_checked(ID_BYTES).unwrap_or_default();
    KeyBuilder::behind(container).u64(until.ticks()).raw(rest).finish()
}

#[cfg(test)]
mod tests;
