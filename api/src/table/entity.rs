//! Operations on entities. One file, one operation.

mod delete_entity;
mod get_entity;
mod insert_entity;
mod query_entities;
mod write_entity;

pub(super) use delete_entity::DeleteEntity;
pub(super) use get_entity::GetEntity;
pub(super) use insert_entity::InsertEntity;
pub(super) use query_entities::QueryEntities;
pub(super) use write_entity::{Merge, Replace, Seen, Whatever, WriteEntity};

use crate::error::{ErrorCode, StorageError};
use crate::head::Head;
use crate::odata;
use crate::target::Resource;
use storage_engine::table::EntityKey;

/// The keys of the address.
///
/// # Errors
/// What is wrong with them, or as [`permitted`].
pub(super) fn key(head: &Head) -> Result<EntityKey, StorageError> {
    match &head.target.resource {
        Resource::Entity(_, inner) => permitted(head, odata::address::parse(inner)?),
        _ => Err(StorageError::new(ErrorCode::InvalidUri)),
    }
}

/// The key, if it is among those that the caller is limited to.
///
/// # Errors
/// `AuthorizationFailure`.
pub(super) fn permitted(head: &Head, key: EntityKey) -> Result<EntityKey, StorageError> {
    match head.caller.grant() {
        Some(grant) if grant.keys.as_ref().is_some_and(|range| !range.covers(&key)) => {
            Err(grant.refusal(ErrorCode::AuthorizationFailure))
        }
        _ => Ok(key),
    }
}
