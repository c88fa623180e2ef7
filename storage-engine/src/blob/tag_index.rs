//! The index of blobs by their tags.
//!
//! | field of the key | |
//! |---|---|
//! | account, `00` | as in the catalogue |
//! | container id | |
//! | tag's name | a text |
//! | tag's value | a text |
//! | blob's name and state | as behind the container id in the blob's own key |
//!
//! The value is the container's name in the catalogue. Blobs and versions are entered unless they are deleted;
//! snapshots are not found by tags. An entry is a hint ([`crate::meta`]): a search reads the blob's record and
//! asks that, so one that expired meanwhile, or whose container is gone, is not found.

use super::place::{Place, State};
use super::record::BlobRecord;
use crate::meta::key::KeyBuilder;
use crate::meta::{Family, Transaction};

/// Bytes of a container's id in a key.
pub(super) const ID_BYTES: usize = size_of::<u64>();

/// The account with its end mark, from a container's name in the catalogue.
pub(super) fn account_of(container: &[u8]) -> &[u8] {
    let end = container.iter().position(|byte| *byte == 0).map_or(container.len(), |end| end + 1);
    container.get(..end).unwrap_or_default()
}

/// How the entries of an account, or of one of its containers, begin.
pub(super) fn beginning(account: &[u8], container_id: &[u8]) -> Vec<u8> {
    KeyBuilder::behind(account).raw(container_id).finish()
}

/// Makes the entries of a state what its new record wants, after they were what the former one wanted.
pub(super) fn update(
    transaction: &mut dyn Transaction,
    place: &Place,
    state: State,
    former: Option<&BlobRecord>,
    new: Option<&BlobRecord>,
) {
    let (gone, there) = (entered(state, former), entered(state, new));
    if gone == there {
        return;
    }
    for (key, value) in gone {
        transaction.delete(Family::Tag, &key_of(place, state, key, value));
    }
    for (key, value) in there {
        transaction.put(Family::Tag, &key_of(place, state, key, value), &place.container.0);
    }
}

/// The tags by which a record in this state is found.
fn entered(state: State, record: Option<&BlobRecord>) -> Vec<(&str, &str)> {
    let record = record.filter(|record| record.properties.deletion.is_none());
    match (state, record) {
        (State::Base | State::Version(_), Some(record)) => record.properties.tags.iter().collect(),
        _ => Vec::new(),
    }
}

fn key_of(place: &Place, state: State, key: &str, value: &str) -> Vec<u8> {
    let blob = place.state(state);
    let (id, rest) = blob.split_at_checked(ID_BYTES).unwrap_or_default();
    KeyBuilder::behind(account_of(&place.container.0)).raw(id).text(key).text(value).raw(rest).finish()
}
