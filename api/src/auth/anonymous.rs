//! Requests without credentials: whose container is public, they may read. Page "Configure anonymous read access
//! for containers and blobs".
//!
//! Nothing is looked up for an operation that nobody may do without credentials, so that names cannot be guessed by
//! the answer's kind or its time. A container that is not there is refused in the same words as a private one.
//!
//! # On, until an account is closed
//! The vendor creates accounts with anonymous access forbidden. Here it is allowed unless the configuration closes
//! the account, as Azurite has it: whoever runs this on a laptop or in CI has code that makes a container public
//! and reads it, and a container is public only because somebody with the account's key made it so.

use super::{Accounts, Principal, permit};
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::header;
use crate::operation::Asked;
use crate::target::{Level, Resource, ServiceKind};
use crate::version::LARGE_BLOCKS;
use storage_engine::EngineError;
use storage_engine::blob::{BlobStore, PublicAccess};
use storage_engine::name::ContainerName;

/// Finds out what anybody may do with what is asked for.
///
/// # Errors
/// `NoAuthenticationInformation`, or `ResourceNotFound` to old versions, where nobody may; and
/// `PublicAccessNotPermitted` where only the account is in the way.
pub(super) async fn enter(
    head: &Head,
    asked: Option<Asked>,
    accounts: &dyn Accounts,
    blobs: &BlobStore,
) -> Result<Principal, StorageError> {
    let Some(asked) = asked else { return Err(nobody(head)) };
    let required =
        permit::requirement(asked.service, asked.level, asked.access).map(|needed| needed.anonymous);
    let (Resource::Container(name) | Resource::Blob(name, _)) = &head.target.resource else {
        return Err(nobody(head));
    };
    if matches!(required, None | Some(PublicAccess::None)) || !permit::asked_reads(asked) {
        return Err(nobody(head));
    }
    if accounts.keys(&head.account).is_none() {
        return Err(nobody(head));
    }
    if !accounts.anonymous_allowed(&head.account) {
        return Err(StorageError::new(ErrorCode::PublicAccessNotPermitted));
    }
    let Ok(name) = ContainerName::parse(name) else { return Err(nobody(head)) };
    match blobs.container(&head.account, &name, None).await {
        Ok(container) => Ok(Principal::Anonymous(container.public_access)),
        Err(EngineError::ContainerNotFound) => Err(nobody(head)),
        Err(error) => Err(StorageError::from_engine(error, Intent::Read)),
    }
}

/// Refuses to make a container public in an account that is closed, rather than to let nobody in later.
///
/// # Errors
/// `PublicAccessNotPermitted`.
pub(super) fn check_publication(
    asked: Asked,
    head: &Head,
    accounts: &dyn Accounts,
) -> Result<(), StorageError> {
    let publishes = (asked.service, asked.level, asked.method)
        == (ServiceKind::Blob, Level::Container, "PUT")
        && head.headers.contains_key(header::X_MS_BLOB_PUBLIC_ACCESS);
    if publishes && !accounts.anonymous_allowed(&head.account) {
        return Err(StorageError::new(ErrorCode::PublicAccessNotPermitted));
    }
    Ok(())
}

/// The refusal of a request without credentials. Old versions of the Blob service deny that there is anything.
pub(super) fn nobody(head: &Head) -> StorageError {
    let hides = head.target.service == ServiceKind::Blob && head.version < LARGE_BLOCKS;
    let code = if hides { ErrorCode::ResourceNotFound } else { ErrorCode::NoAuthenticationInformation };
    StorageError::new(code)
}
