//! What sweeping deletes of a container's blobs: all that one name has, in one verb.

use crate::blob::record::place::{self, Place, State};
use crate::blob::record::{BlobRecord, Form, VolumeRecord};
use crate::blob::state::content::{self, Piece};
use crate::blob::state::due::Due;
use crate::blob::state::{self, hold_index, tag_index, volume};
use crate::blob::write::block;
use crate::catalog::Key;
use crate::error::Result;
use crate::meta::key::successor;
use crate::meta::{Family, Scope, Step, Transaction};

/// Deletes all records of a blob name and frees the chunks that they name. Asks the records what is there and
/// not the blob, so that snapshots and whatever else has the name's scope goes too. `container` is the key in the
/// catalogue that the container had.
///
/// Only records of volumes stay, as leaving: the background deletes the volumes first.
pub(crate) fn sweep(transaction: &mut dyn Transaction, container: &Key, scope: &Scope) -> Result<()> {
    let place = Place::of_scope(container.clone(), scope.clone());
    let pieces = content::take_all(transaction, &scope.0)?;
    let staged = block::take_all_staged(transaction, &place)?;
    let chunks =
        pieces.iter().filter_map(Piece::chunk).chain(staged.into_iter().flat_map(|(_, block)| block.chunks));
    content::free(transaction, chunks);
    let mut records = Vec::new();
    transaction.scan(Family::Blob, &scope.0, successor(&scope.0).as_deref(), &mut |key, value| {
        let (_, state) = place::split_blob_key(key)?;
        records.push((key.to_vec(), state, value.to_vec()));
        Ok(Step::Next)
    })?;
    for (key, state, value) in records {
        transaction.delete(Family::Blob, &key);
        if state == State::Staging {
            continue;
        }
        let record = BlobRecord::decode(&value)?;
        tag_index::update(transaction, &place, state, Some(&record), None);
        hold_index::update(transaction, &place, state, Some(&record), None);
        for (kind, time) in state::DUE {
            if let Some(at) = time(&record) {
                Due { at, kind, key: key.clone(), container: container.clone() }.strike(transaction);
            }
        }
        if let Form::Volume(volume, _) = record.form {
            volume::write(
                transaction,
                &place,
                volume,
                &VolumeRecord { leaving: true, ..VolumeRecord::default() },
            );
            let now = transaction.now();
            volume::look_at(transaction, &place, volume, now);
        }
    }
    Ok(())
}

/// Deletes what is kept about a container beside what it holds, after all of that is gone. `name` and `id` are those
/// that it had.
pub(crate) fn forget(transaction: &mut dyn Transaction, name: &Key, id: u64) {
    tag_index::strike_name(transaction, name, id);
}
