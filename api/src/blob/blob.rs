//! Operations on blobs of any type.

mod delete_blob;
mod delete_immutability_policy;
mod get_blob;
mod get_blob_metadata;
mod get_blob_properties;
mod get_blob_tags;
mod lease_blob;
pub(super) mod put_blob;
pub(crate) mod query_blob_contents;
mod set_blob_expiry;
mod set_blob_legal_hold;
mod set_blob_metadata;
mod set_blob_properties;
mod set_blob_tags;
mod set_blob_tier;
mod set_immutability_policy;
mod snapshot_blob;
mod undelete_blob;

pub(super) use delete_blob::DeleteBlob;
pub(super) use delete_immutability_policy::DeleteImmutabilityPolicy;
pub(super) use get_blob::GetBlob;
pub(super) use get_blob_metadata::GetBlobMetadata;
pub(super) use get_blob_properties::GetBlobProperties;
pub(super) use get_blob_tags::GetBlobTags;
pub(super) use lease_blob::LeaseBlob;
pub(super) use put_blob::PutBlob;
pub(super) use query_blob_contents::QueryBlobContents;
pub(super) use set_blob_expiry::SetBlobExpiry;
pub(super) use set_blob_legal_hold::SetBlobLegalHold;
pub(super) use set_blob_metadata::SetBlobMetadata;
pub(super) use set_blob_properties::SetBlobProperties;
pub(super) use set_blob_tags::SetBlobTags;
pub(super) use set_blob_tier::SetBlobTier;
pub(super) use set_immutability_policy::SetImmutabilityPolicy;
pub(super) use snapshot_blob::SnapshotBlob;
pub(super) use undelete_blob::UndeleteBlob;
