//! Operations on append blobs: *Put Blob* of one, *Append Block*, *Append Blob Seal*.

mod append_blob_seal;
pub(super) mod append_block;
mod put_append_blob;

pub(super) use append_blob_seal::AppendBlobSeal;
pub(super) use append_block::AppendBlock;
pub(super) use put_append_blob::PutAppendBlob;
