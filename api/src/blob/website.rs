//! The account's static website: the container `$web`, shown to browsers under a host of its own.

use storage_engine::EngineError;
use storage_engine::blob::{BlobStore, NewContainer};
use storage_engine::name::{AccountName, ContainerName};

mod get_web_content;

pub(super) use get_web_content::GetWebContent;

/// The container that holds a website.
const CONTAINER: &str = "$web";

/// Makes the website's container, which nobody but the owner may read under the service's own address, if there is
/// none.
///
/// # Errors
/// The store's.
pub(super) async fn furnish(store: &BlobStore, account: &AccountName) -> Result<(), EngineError> {
    // The name is one of those that the engine knows.
    let Ok(container) = ContainerName::parse(CONTAINER) else { return Ok(()) };
    match store.create_container(account, &container, NewContainer::default()).await {
        Ok(_) | Err(EngineError::ContainerExists) => Ok(()),
        Err(error) => Err(error),
    }
}
