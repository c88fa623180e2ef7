//! What sweeping deletes of a container's blobs: all that one name has, in one verb.

use super::block;
use super::content::{self, Piece};
use super::place::Place;
use crate::error::Result;
use crate::meta::key::successor;
use crate::meta::{Family, Scope, Step, Transaction};

/// Deletes all records of a blob name and frees the chunks that they name. Asks the records what is there and
/// not the blob, so that snapshots and whatever else has the name's scope goes too.
pub(crate) fn sweep(transaction: &mut dyn Transaction, scope: &Scope) -> Result<()> {
    let place = Place::of_scope(scope.clone());
    let pieces = content::take_all(transaction, &scope.0)?;
    let staged = block::take_all_staged(transaction, &place)?;
    let chunks =
        pieces.iter().filter_map(Piece::chunk).chain(staged.into_iter().flat_map(|(_, block)| block.chunks));
    content::free(transaction, chunks);
    let mut keys = Vec::new();
    transaction.scan(Family::Blob, &scope.0, successor(&scope.0).as_deref(), &mut |key, _| {
        keys.push(key.to_vec());
        Ok(Step::Next)
    })?;
    for key in keys {
        transaction.delete(Family::Blob, &key);
    }
    Ok(())
}
