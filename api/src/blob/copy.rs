//! Copies: operations whose bytes come from an address and not from the request.
//!
//! [`source`](super::source) finds out what the address means, whether the caller may read there, and opens it. What is
//! done with the bytes is the same as with those of a body: they are staged, checked, and named by a verb. Only
//! [`CopyBlob`] may go on after its answer ([`transfer`]).
//!
//! A copy of a block blob has the committed blocks of its source, as far as the source tells them: this server does,
//! and so do others of this kind ([`source::beside`](super::source)). *Put Blob From URL* writes bytes and makes no
//! copy, so what it makes has no blocks.

use crate::blob::source::{Source, broken_off};
use crate::blob::{BlobService, headers};
use crate::body::Body;
use crate::content::{self, Received, Receiving};
use crate::error::{ErrorCode, StorageError};
use crate::head::Head;
use crate::source::Sources;
use crate::{guid, header};
use std::fmt;
use std::sync::Arc;
use storage_engine::blob::{BlobKind, Block, CopyStatus, NewBlob, Sealing, Stamp};
use storage_engine::chunk::Staged;
use storage_engine::clock::Entropy;

mod abort_copy_blob;
mod append_block_from_url;
mod copy_blob;
mod copy_blob_from_url;
mod incremental_copy_blob;
mod put_blob_from_url;
mod put_block_from_url;
mod put_page_from_url;
mod transfer;

pub(super) use abort_copy_blob::AbortCopyBlob;
pub(super) use append_block_from_url::AppendBlockFromUrl;
pub(super) use copy_blob::CopyBlob;
pub(super) use copy_blob_from_url::CopyBlobFromUrl;
pub(super) use incremental_copy_blob::IncrementalCopyBlob;
pub(super) use put_blob_from_url::PutBlobFromUrl;
pub(super) use put_block_from_url::PutBlockFromUrl;
pub(super) use put_page_from_url::PutPageFromUrl;

/// What copies need besides the store.
#[derive(Clone)]
pub(crate) struct Copying {
    /// Sources on other servers.
    pub(crate) sources: Arc<dyn Sources>,
    /// Ids of copies.
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl fmt::Debug for Copying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Copying")
    }
}

/// Whether the tags of the source are copied: `x-ms-copy-source-tag-option`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TagOption {
    /// The request's own tags, if it has some.
    Replace,
    /// The source's.
    Copy,
}

impl TagOption {
    /// Reads it.
    ///
    /// # Errors
    /// `InvalidHeaderValue`; `BothUserTagsAndSourceTagsCopyPresentException`.
    fn read(head: &Head) -> Result<Self, StorageError> {
        let name = header::X_MS_COPY_SOURCE_TAG_OPTION;
        match head.text(name)? {
            None => Ok(Self::Replace),
            Some(word) if word.eq_ignore_ascii_case("replace") => Ok(Self::Replace),
            Some(word) if word.eq_ignore_ascii_case("copy") => match head.text(header::X_MS_TAGS)? {
                None => Ok(Self::Copy),
                Some(_) => Err(StorageError::new(ErrorCode::BothUserTagsAndSourceTagsCopyPresent)),
            },
            Some(other) => Err(StorageError::invalid_header(name, other)),
        }
    }
}

/// Refuses headers that ask for something that another kind of copy does. What they ask for must not be taken for done.
///
/// # Errors
/// `UnsupportedHeader`.
fn refuse_unheeded(head: &Head, names: &[&'static str]) -> Result<(), StorageError> {
    match names.iter().find(|name| head.headers.contains_key(name)) {
        Some(name) => Err(StorageError::new(ErrorCode::UnsupportedHeader).with("HeaderName", *name)),
        None => Ok(()),
    }
}

/// What a new blob gets from its source besides the bytes.
#[derive(Debug, Clone, Copy)]
struct Gifts {
    /// HTTP headers, and metadata.
    properties: bool,
    /// Tags.
    tags: TagOption,
}

impl Gifts {
    /// Gives what the request has not given. Metadata comes from one of the two, never from both.
    fn give(self, new: &mut NewBlob, source: &mut Source) {
        if self.properties {
            let (own, theirs) = (&mut new.headers, std::mem::take(&mut source.headers));
            for (own, theirs) in [
                (&mut own.content_type, theirs.content_type),
                (&mut own.encoding, theirs.encoding),
                (&mut own.language, theirs.language),
                (&mut own.disposition, theirs.disposition),
                (&mut own.cache_control, theirs.cache_control),
            ] {
                if own.is_empty() {
                    *own = theirs;
                }
            }
            own.md5 = own.md5.or(theirs.md5);
            if new.metadata.is_empty() {
                new.metadata = std::mem::take(&mut source.metadata);
            }
        }
        if self.tags == TagOption::Copy {
            new.tags = std::mem::take(&mut source.tags);
        }
        if new.headers.content_type.is_empty() {
            "application/octet-stream".clone_into(&mut new.headers.content_type);
        }
    }
}

/// Stages what a blob with these blocks is to consist of.
///
/// # Errors
/// What the source fails; the engine's.
async fn stage(
    service: &BlobService,
    body: Receiving,
    sealing: &Sealing,
    (kind, blocks): (BlobKind, &[Block]),
) -> Result<(Staged, Received), StorageError> {
    let upload = service.store.upload_sealed(sealing).in_parts(blocks.iter().map(|block| block.length));
    // What can be added to, or lists its parts, is never inline.
    let staged = if in_chunks(kind, blocks) {
        content::stage_block(body, upload, &service.md5).await
    } else {
        content::stage(body, upload, &service.md5).await
    };
    staged.map_err(broken_off)
}

/// Whether the content of such a copy must be in chunks, however small it is.
const fn in_chunks(kind: BlobKind, blocks: &[Block]) -> bool {
    matches!(kind, BlobKind::Append { .. }) || !blocks.is_empty()
}

/// The answer of a copy that was accepted.
fn accepted(stamp: Stamp, id: u128, status: CopyStatus) -> http::Response<Body> {
    let mut response = headers::stamped(stamp);
    let map = response.headers_mut();
    headers::set_version_id(map, stamp.version);
    headers::set(map, header::X_MS_COPY_ID, &guid::print(id));
    headers::set(map, header::X_MS_COPY_STATUS, headers::copy_word(status));
    response
}
