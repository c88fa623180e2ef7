//! Contents of blobs on their way in and out: streams between the socket and the engine, never collected.

mod download;
mod gather;
mod upload;

pub(crate) use download::{Framed, body, body_of, collect};
pub(crate) use gather::gather;
pub(crate) use upload::{Received, Receiving, stage, stage_block};

use crate::error::StorageError;
use crate::head::Head;
use crate::header;
use crate::version::{EMPTY_HEADERS_SIGNED, LARGE_APPENDS, LARGE_BLOCKS, Version};

const MIB: u64 = 1 << 20;

/// Most bytes of a blob in one piece, in the newest version.
pub(crate) const BLOB_BYTES_MAX: u64 = 5_000 * MIB;
/// Most bytes of a block, in the newest version.
pub(crate) const BLOCK_BYTES_MAX: u64 = 4_000 * MIB;

/// Most bytes of an appended block, in the newest version.
pub(crate) const APPEND_BYTES_MAX: u64 = 100 * MIB;
/// Most bytes of pages that one request writes. Page "Put Page".
pub(crate) const PAGES_BYTES_MAX: u64 = 4 * MIB;

/// Most bytes of an appended block. Page "Append Block".
pub(crate) fn append_bytes_max(version: Version) -> u64 {
    if version >= LARGE_APPENDS { APPEND_BYTES_MAX } else { 4 * MIB }
}

/// Refuses a body where there must be none.
///
/// # Errors
/// `InvalidHeaderValue`, of the body's length.
pub(crate) fn refuse_body(head: &Head) -> Result<(), StorageError> {
    match head.content_length()? {
        None | Some(0) => Ok(()),
        Some(bytes) => Err(StorageError::invalid_header(header::CONTENT_LENGTH, &bytes.to_string())),
    }
}

/// Most bytes of a blob in one piece. Page "Put Blob".
pub(crate) fn blob_bytes_max(version: Version) -> u64 {
    by_version(version, BLOB_BYTES_MAX, 256 * MIB, 64 * MIB)
}

/// Most bytes of a block. Page "Put Block".
pub(crate) fn block_bytes_max(version: Version) -> u64 {
    by_version(version, BLOCK_BYTES_MAX, 100 * MIB, 4 * MIB)
}

fn by_version(version: Version, newest: u64, middle: u64, oldest: u64) -> u64 {
    if version >= LARGE_BLOCKS {
        newest
    } else if version >= EMPTY_HEADERS_SIGNED {
        middle
    } else {
        oldest
    }
}
