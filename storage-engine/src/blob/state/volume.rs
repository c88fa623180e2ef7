//! Volumes of page blobs: who uses them, and how what nobody uses is taken back.
//!
//! Page blobs keep their bytes in a [`PageStore`](crate::page::PageStore), which knows nothing of names, and nothing
//! there is atomic with a record here. So each volume has a record in its blob's scope that outlives the blob:
//!
//! - It is written before the volume is made, with no owners. A verb that makes the blob counts itself in; if it
//!   never comes, the background finds a volume that is old and has no owner, and deletes it.
//! - Every blob record that names the volume (the blob, its snapshots, its versions) is counted. With the last one
//!   the volume is leaving: no verb can count itself in any more, the background deletes the volume and then the
//!   record. A snapshot that goes is noted as doomed, and deleted in the same way.
//! - A snapshot is taken under a mark, which the verb that records it takes off. A mark that is left over, because
//!   nobody came back, is taken off by the background; then any snapshot of the volume that no record names is one
//!   that nobody can record any more, for that verb wants its mark, and it is doomed too.
//!
//! All steps may be done twice, for deleting what is gone succeeds in a page store.

use crate::blob::record::VolumeRecord;
use crate::blob::record::place::Place;
use crate::blob::state::due::{Due, Kind};
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::meta::key::KeyReader;
use crate::meta::{Family, Scope, Transaction, View};
use crate::page::{Epoch, VolumeId};
use std::time::Duration;

/// How long something may be under way before it is taken for abandoned.
pub(in crate::blob) const ABANDONED_AFTER: Duration = Duration::from_mins(10);

/// The scope and id of a key of family `Volume`.
pub(in crate::blob) fn split_key(key: &[u8]) -> Result<(Scope, VolumeId)> {
    let mut pieces = KeyReader::new(key);
    pieces.u64()?;
    pieces.bytes()?;
    let scope = key.strip_suffix(pieces.rest()).unwrap_or_default();
    let volume = VolumeId(pieces.u128()?);
    pieces.finish()?;
    Ok((Scope(scope.to_vec().into()), volume))
}

/// The record of a volume.
pub(in crate::blob) fn find(
    view: &dyn View,
    place: &Place,
    volume: VolumeId,
) -> Result<Option<VolumeRecord>> {
    view.get(Family::VolumeOwner, &place.volume(volume))?
        .map(|value| VolumeRecord::decode(&value))
        .transpose()
}

/// Writes the record of a volume.
pub(in crate::blob) fn write(
    transaction: &mut dyn Transaction,
    place: &Place,
    volume: VolumeId,
    record: &VolumeRecord,
) {
    transaction.put(Family::VolumeOwner, &place.volume(volume), &record.encode());
}

/// Asks the background to look at a volume at this time.
pub(in crate::blob) fn look_at(
    transaction: &mut dyn Transaction,
    place: &Place,
    volume: VolumeId,
    at: Timestamp,
) {
    let container = place.container.clone();
    Due { at, kind: Kind::Volume, key: place.volume(volume), container }.enter(transaction);
}

/// Counts one record more that names the volume.
pub(in crate::blob) fn share(
    transaction: &mut dyn Transaction,
    place: &Place,
    volume: VolumeId,
) -> Result<()> {
    let mut record = find(transaction, place, volume)?
        .filter(|record| !record.leaving)
        .ok_or(EngineError::VolumeNotFound)?;
    record.owners = record.owners.saturating_add(1);
    write(transaction, place, volume, &record);
    Ok(())
}

/// Counts one record less, which named this snapshot of the volume or the volume as it is.
pub(super) fn release(
    transaction: &mut dyn Transaction,
    place: &Place,
    volume: VolumeId,
    epoch: Option<Epoch>,
) -> Result<()> {
    let mut record =
        find(transaction, place, volume)?.ok_or_else(|| EngineError::corrupt("the record of a volume"))?;
    record.owners = record.owners.saturating_sub(1);
    record.leaving = record.owners == 0;
    // A version and the blob may both name one snapshot: it is doomed when nothing names it, which the
    // background finds out.
    record.doomed.extend(epoch);
    write(transaction, place, volume, &record);
    let now = transaction.now();
    look_at(transaction, place, volume, now);
    Ok(())
}
