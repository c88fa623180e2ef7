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
//! The value is the container's key in the catalogue, as it was when the entry was written. Blobs and versions are
//! entered unless they are deleted; snapshots are not found by tags. An entry is a hint ([`crate::meta`]): a search
//! reads the blob's record and asks that, so one that expired meanwhile, or whose container is gone, is not found.
//!
//! # Renamed containers
//! A container may hold millions of blobs, so renaming it rewrites no entry. Instead there is one more entry for each
//! container that was renamed, before all others of the account, whose value is the container's key:
//!
//! | field of the key | |
//! |---|---|
//! | account, `00` | as above |
//! | 0 | where others have the container's id, which is never 0 |
//! | container id | |
//! | container's name | to the end |
//!
//! A search asks it only about a container that is not there under the name that an entry has. It goes with the next
//! rename and when the container has been swept.

use crate::blob::record::BlobRecord;
use crate::blob::record::place::{Place, State};
use crate::catalog::Key;
use crate::error::Result;
use crate::meta::key::{KeyBuilder, successor};
use crate::meta::{Family, Step, Transaction, View};

/// Bytes of a container's id in a key.
pub(in crate::blob) const ID_BYTES: usize = size_of::<u64>();

/// The account with its end mark, from a container's key in the catalogue.
pub(in crate::blob) fn account_of(container: &[u8]) -> &[u8] {
    let end = container.iter().position(|byte| *byte == 0).map_or(container.len(), |end| end + 1);
    container.get(..end).unwrap_or_default()
}

/// How the entries of an account, or of one of its containers, begin.
pub(in crate::blob) fn beginning(account: &[u8], container_id: &[u8]) -> Vec<u8> {
    KeyBuilder::behind(account).raw(container_id).finish()
}

/// Where the entries of an account's blobs begin.
pub(in crate::blob) fn first(account: &[u8]) -> Vec<u8> {
    beginning(account, &1_u64.to_be_bytes())
}

/// Notes that the container with this id has this name, after another.
pub(in crate::blob) fn enter_name(transaction: &mut dyn Transaction, name: &Key, id: u64) {
    transaction.put(Family::Tag, &name_key(name, id), &name.0);
}

/// Takes such a note away, if there is one.
pub(in crate::blob) fn strike_name(transaction: &mut dyn Transaction, name: &Key, id: u64) {
    transaction.delete(Family::Tag, &name_key(name, id));
}

/// The names that a container was given after its first one and may have now.
pub(in crate::blob) fn names(view: &dyn View, account: &[u8], id: u64) -> Result<Vec<Key>> {
    let first = KeyBuilder::behind(account).u64(0).u64(id).finish();
    let mut names = Vec::new();
    view.scan(Family::Tag, &first, successor(&first).as_deref(), &mut |_, value| {
        names.push(Key(value.to_vec().into()));
        Ok(Step::Next)
    })?;
    Ok(names)
}

fn name_key(name: &Key, id: u64) -> Vec<u8> {
    let account = account_of(&name.0);
    let rest = name.0.get(account.len()..).unwrap_or_default();
    KeyBuilder::behind(account).u64(0).u64(id).raw(rest).finish()
}

/// Makes the entries of a state what its new record wants, after they were what the former one wanted.
pub(in crate::blob) fn update(
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
