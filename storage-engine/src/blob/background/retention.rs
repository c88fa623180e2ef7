//! The background of blobs: what is over goes, and what a page store was left with is taken back.
//!
//! A round takes what the index [`due`] says is due, soonest first, and does each in a verb of its scope.
//! An entry is struck only when what it was for is done, or needs no doing; so stopped anywhere, the next round does
//! the rest. Nothing here decides what anybody sees: a verb or read judges by the clock.
//!
//! What cannot be done, because a record is damaged or the page store has failed, is put off for an hour. So it is not
//! in the way of what stands behind it in the index, which would otherwise never have its turn.

use crate::blob::journal::{self, Deed};
use crate::blob::record::place::{self, Place, State};
use crate::blob::record::{BlobRecord, Form, VolumeRecord};
use crate::blob::state::due::{self, Due, Kind};
use crate::blob::state::{self, volume};
use crate::blob::write::{block, copy};
use crate::blob::{BlobStore, container};
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::meta::key::successor;
use crate::meta::{self, Family, Step, Transaction, View, Weight};
use crate::page::{Epoch, VolumeId};
use std::collections::BTreeSet;
use std::time::Duration;

/// For how long what cannot be done is put off.
const PUT_OFF: Duration = Duration::from_hours(1);

impl BlobStore {
    /// Does at most `limit` of what is due, and gives how much was looked at: 0 when nothing is.
    ///
    /// # Errors
    /// The store's. What was done before stays so.
    pub async fn tidy_once(&self, limit: usize) -> Result<usize> {
        let now = self.clock.now();
        let due =
            meta::read(self.meta.as_ref(), Weight::Scan, move |view| due::due(view, now, limit)).await?;
        let mut done = 0;
        for due in due {
            let meta = self.meta.as_ref();
            let looked_at = match due.kind {
                Kind::State => due.settle(meta, settle_state).await.map(|()| true),
                Kind::Container => due.settle(meta, container::purge).await.map(|()| true),
                Kind::Volume => self.tidy_volume(due.clone()).await,
                Kind::Copy => due.settle(meta, copy::give_up_late).await.map(|()| true),
            };
            done += usize::from(match looked_at {
                Ok(looked_at) => looked_at,
                Err(error @ (EngineError::Closed | EngineError::NoSpace)) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, kind = ?due.kind, "what is due cannot be done now and is put off");
                    self.put_off(due).await?
                }
            });
        }
        Ok(done)
    }

    /// Enters what could not be done at a later time.
    async fn put_off(&self, due: Due) -> Result<bool> {
        // Without a record that can be found, the container will do: entries of an index belong to no scope.
        let scope = due.scope().unwrap_or_else(|_| due.container.scope());
        let verb = move |transaction: &mut dyn Transaction| {
            due.strike(transaction);
            Due { at: transaction.clock().after(PUT_OFF), ..due.clone() }.enter(transaction);
            Ok(true)
        };
        meta::commit(self.meta.as_ref(), scope, None, verb).await
    }

    /// Does to a volume what its record asks for. `false` if page blobs are not offered now.
    async fn tidy_volume(&self, due: Due) -> Result<bool> {
        let Some(pages) = &self.pages else { return Ok(false) };
        let (scope, volume) = volume::split_key(&due.key)?;
        let place = Place::of_scope(due.container.clone(), scope.clone());
        // Before the verb, so that a snapshot that is taken from now on is not among them.
        let taken = match pages.store.inspect(volume).await {
            Ok(inspection) => inspection.snapshots,
            Err(EngineError::VolumeNotFound) => Vec::new(),
            Err(error) => return Err(error),
        };
        let deciding = place.clone();
        let decide = move |transaction: &mut dyn Transaction| decide(transaction, &deciding, volume, &taken);
        let todo = meta::commit(self.meta.as_ref(), scope.clone(), None, decide).await?;
        if todo.delete {
            pages.store.delete(volume).await?;
        }
        for epoch in &todo.snapshots {
            pages.store.delete_snapshot(volume, *epoch).await?;
        }
        if todo.only_snapshots {
            // Nobody writes it any more; what its snapshots do not share goes.
            pages.store.resize(volume, 0).await?;
        }
        let finish =
            move |transaction: &mut dyn Transaction| finish(transaction, &place, volume, &todo, &due);
        meta::commit(self.meta.as_ref(), scope, None, finish).await?;
        Ok(true)
    }
}

/// Does what is due to a state, and tells the change feed that it expired or has left the archive.
fn settle_state(transaction: &mut dyn Transaction, due: &Due) -> Result<()> {
    let (scope, state) = place::split_blob_key(&due.key)?;
    let place = Place::of_scope(due.container.clone(), scope);
    let now = transaction.clock();
    let stays = state != State::Staging
        && state::get(transaction, &place, state)?.is_some_and(|record| record.properties.exists(now));
    let deed = if stays { Deed::SetTier } else { Deed::Delete };
    journal::told_of_background(transaction, &place, deed, |told| settle(told, due, &place, state))
}

/// Deletes a state of a blob that is over, or writes down that it has left the archive, so that the change feed can
/// tell; and strikes the entry. To be run in the entry's scope.
fn settle(transaction: &mut dyn Transaction, due: &Due, place: &Place, state: State) -> Result<()> {
    let now = transaction.clock();
    if now < due.at {
        // The clock was set back since the entry was found.
        return Ok(());
    }
    if matches!(state, State::Staging) {
        return block::drop_abandoned(transaction, place, due);
    }
    due.strike(transaction);
    let Some(record) = state::get(transaction, place, state)? else { return Ok(()) };
    if !record.properties.exists(now) {
        return state::discard(transaction, place, state, &record);
    }
    let settled = BlobRecord { properties: record.properties.clone().as_of(now), form: record.form };
    if settled != record {
        state::store(transaction, place, state, Some(&record), Some(&settled));
    }
    Ok(())
}

/// What is to be done to a volume.
#[derive(Debug, Default)]
struct Todo {
    /// It goes.
    delete: bool,
    /// These of its snapshots go.
    snapshots: Vec<Epoch>,
    /// Only snapshots of it are named.
    only_snapshots: bool,
    /// It is to be looked at again then.
    again: Option<Timestamp>,
}

/// Decides what is to be done, and keeps anybody from counting on what is to go.
fn decide(
    transaction: &mut dyn Transaction,
    place: &Place,
    volume: VolumeId,
    taken: &[Epoch],
) -> Result<Todo> {
    let now = transaction.now();
    let Some(mut record) = volume::find(transaction, place, volume)? else { return Ok(Todo::default()) };
    let abandoned = record.owners == 0 && record.born.after(volume::ABANDONED_AFTER) <= now;
    if record.leaving || abandoned {
        record.leaving = true;
        volume::write(transaction, place, volume, &record);
        return Ok(Todo { delete: true, ..Todo::default() });
    }
    record.marks.retain(|mark| now < mark.after(volume::ABANDONED_AFTER));
    let named = named(transaction, place, volume)?;
    let mut going: BTreeSet<_> =
        record.doomed.iter().copied().filter(|epoch| !named.contains(&Some(*epoch))).collect();
    if record.marks.is_empty() {
        going.extend(taken.iter().filter(|epoch| !named.contains(&Some(**epoch))));
    }
    let again = record.marks.iter().map(|mark| mark.after(volume::ABANDONED_AFTER)).min();
    volume::write(transaction, place, volume, &record);
    let only_snapshots = record.owners > 0 && !named.contains(&None);
    Ok(Todo { delete: false, snapshots: going.into_iter().collect(), only_snapshots, again })
}

/// The snapshots of a volume that records name; none for the volume as it is.
fn named(view: &dyn View, place: &Place, volume: VolumeId) -> Result<BTreeSet<Option<Epoch>>> {
    let mut named = BTreeSet::new();
    let scope = &place.scope.0;
    view.scan(Family::Blob, scope, successor(scope).as_deref(), &mut |key, value| {
        let (_, state) = place::split_blob_key(key)?;
        if state != place::State::Staging
            && let Form::Volume(other, epoch) = BlobRecord::decode(value)?.form
            && other == volume
        {
            named.insert(epoch);
        }
        Ok(Step::Next)
    })?;
    Ok(named)
}

/// Notes what was done.
fn finish(
    transaction: &mut dyn Transaction,
    place: &Place,
    volume: VolumeId,
    todo: &Todo,
    due: &Due,
) -> Result<()> {
    due.strike(transaction);
    if todo.delete {
        transaction.delete(Family::VolumeOwner, &place.volume(volume));
        return Ok(());
    }
    let Some(record) = volume::find(transaction, place, volume)? else { return Ok(()) };
    let doomed = record.doomed.iter().copied().filter(|epoch| !todo.snapshots.contains(epoch)).collect();
    volume::write(transaction, place, volume, &VolumeRecord { doomed, ..record });
    if let Some(again) = todo.again {
        volume::look_at(transaction, place, volume, again);
    }
    Ok(())
}
