//! Verbs on what lives under a name's id, for the kinds whose content has scopes of its own.
//!
//! A message's scope begins with its queue's id, and an entity's with its table's, so the id must be known
//! before a verb can be submitted, and the name may point elsewhere by the time the verb runs. Hence two
//! steps: [`find_id`] reads the id, and [`commit_under`] runs the verb only if the name still points to it.
//! Between the two a queue may have been cleared or deleted and created again; the caller then begins anew,
//! and a write never lands under an id that nobody sees any more.

use super::{Entry, Key};
use crate::error::{EngineError, Result};
use crate::meta::{self, MetaStore, Scope, Transaction, Weight};
use bytes::Bytes;

/// The scope of all that is under `id`: how the keys of all its records begin.
pub(crate) fn scope_of(id: u64) -> Scope {
    Scope(Bytes::copy_from_slice(&id.to_be_bytes()))
}

/// The id to which `name` points now, or the error `missing`.
pub(crate) async fn find_id(meta: &dyn MetaStore, name: &Key, missing: EngineError) -> Result<u64> {
    let name = name.clone();
    let entry = meta::read(meta, Weight::Point, move |view| super::find(view, &name)).await?;
    entry.map(|entry| entry.id).ok_or(missing)
}

/// Runs `verb` in `scope`, which lies under `id`, if `name` points to `id` then. None: it points elsewhere.
///
/// # Errors
/// `missing` if the name is gone, the verb's own, or the store's.
pub(crate) async fn commit_under<T, F>(
    meta: &dyn MetaStore,
    name: &Key,
    id: u64,
    scope: Scope,
    missing: EngineError,
    verb: F,
) -> Result<Option<T>>
where
    T: Send + 'static,
    F: Fn(&mut dyn Transaction, Entry) -> Result<T> + Send + 'static,
{
    let name = name.clone();
    let checked = move |transaction: &mut dyn Transaction| match super::find(transaction, &name)? {
        None => Err(missing.clone()),
        Some(entry) if entry.id != id => Ok(None),
        Some(entry) => verb(transaction, entry).map(Some),
    };
    meta::commit(meta, scope, None, checked).await
}
