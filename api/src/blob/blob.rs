//! Operations on blobs of any type.

mod delete_blob;
mod get_blob;
mod get_blob_metadata;
mod get_blob_properties;
mod get_blob_tags;
mod put_blob;
pub(crate) mod query_blob_contents;
mod set_blob_metadata;
mod set_blob_properties;
mod set_blob_tags;

pub(super) use delete_blob::DeleteBlob;
pub(super) use get_blob::GetBlob;
pub(super) use get_blob_metadata::GetBlobMetadata;
pub(super) use get_blob_properties::GetBlobProperties;
pub(super) use get_blob_tags::GetBlobTags;
pub(super) use put_blob::PutBlob;
pub(super) use query_blob_contents::QueryBlobContents;
pub(super) use set_blob_metadata::SetBlobMetadata;
pub(super) use set_blob_properties::SetBlobProperties;
pub(super) use set_blob_tags::SetBlobTags;
