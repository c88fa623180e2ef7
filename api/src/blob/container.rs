//! Operations on containers.

mod create_container;
mod delete_container;
mod get_container_acl;
mod get_container_metadata;
mod get_container_properties;
mod lease_container;
mod list_blobs;
mod rename_container;
pub(super) mod restore_container;
mod set_container_acl;
mod set_container_metadata;

pub(super) use create_container::CreateContainer;
pub(super) use delete_container::DeleteContainer;
pub(super) use get_container_acl::GetContainerAcl;
pub(super) use get_container_metadata::GetContainerMetadata;
pub(super) use get_container_properties::GetContainerProperties;
pub(super) use lease_container::LeaseContainer;
pub(super) use list_blobs::ListBlobs;
pub(super) use rename_container::RenameContainer;
pub(super) use restore_container::RestoreContainer;
pub(super) use set_container_acl::SetContainerAcl;
pub(super) use set_container_metadata::SetContainerMetadata;
