//! Copies: operations whose bytes come from an address and not from the request.
//!
//! [`source`] finds out what the address means, whether the caller may read there, and opens it. What is done with the
//! bytes is the same as with those of a body: they are staged, checked, and named by a verb. Only [`CopyBlob`] may go on
//! after its answer ([`transfer`]).
//!
//! A copy of a block blob has all bytes and not the blocks of its source: the list of committed blocks of a copy is empty.

use super::BlobService;
use crate::auth::Gate;
use crate::source::Sources;
use std::fmt;
use std::sync::Arc;
use storage_engine::clock::Entropy;

mod abort_copy_blob;
mod append_block_from_url;
mod copy_blob;
mod copy_blob_from_url;
mod put_blob_from_url;
mod put_block_from_url;
mod put_page_from_url;
mod source;
mod transfer;

pub(super) use abort_copy_blob::AbortCopyBlob;
pub(super) use append_block_from_url::AppendBlockFromUrl;
pub(super) use copy_blob::CopyBlob;
pub(super) use copy_blob_from_url::CopyBlobFromUrl;
pub(super) use put_blob_from_url::PutBlobFromUrl;
pub(super) use put_block_from_url::PutBlockFromUrl;
pub(super) use put_page_from_url::PutPageFromUrl;

/// What copies need besides the store.
pub struct Copying {
    /// Who may read a source of our own.
    pub(crate) gate: Arc<Gate>,
    /// All other sources.
    pub(crate) sources: Arc<dyn Sources>,
    /// Ids of copies.
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl fmt::Debug for Copying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Copying")
    }
}
