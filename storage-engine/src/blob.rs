//! Blobs and containers: the verbs of the Blob service.
//!
//! A container is a name that points to an id; its blobs live under the id. Deleting a container therefore is
//! one record, whatever it holds, and a write that races with it lands under an id that nobody sees any more.
//! What such an id leaves behind is swept in the background ([`crate::sweep`]).
//!
//! | records | family | key |
//! |---|---|---|
//! | container | `Catalog` | account, kind, name |
//! | blob | `Blob` | container id, name, state |
//! | its content | `Content` | container id, name, content id, page |
//! | a staged block | `Staged` | container id, name, block id |
//!
//! Every verb on a blob first finds its container's id, and asks again when it runs whether the name still
//! means that id; what it writes begins with id and name, which is its scope.

use crate::chunk::{ChunkStore, ContentReader, Upload};
use crate::clock::{Etag, Timestamp};
use crate::meta::MetaStore;
use crate::name::{AccountName, BlobName, BlockId, ContainerName, Metadata};
use std::sync::Arc;

mod access;
mod block;
pub mod condition;
mod container;
mod content;
#[cfg(test)]
mod fixture;
mod list;
#[cfg(test)]
mod model;
mod place;
mod read;
mod record;
mod sweep;
mod write;
pub use access::ContainerAccess;
pub use condition::{Conditions, EtagMatch};
pub(crate) use sweep::sweep;

/// Most committed blocks of a block blob (page "Put Block List").
pub const BLOCKS_MAX: usize = 50_000;
/// Most uncommitted blocks of a blob (page "Put Block").
pub const STAGED_BLOCKS_MAX: usize = 100_000;

/// Which blob: account, container, name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BlobAddress {
    /// The account.
    pub account: AccountName,
    /// The container.
    pub container: ContainerName,
    /// The blob.
    pub blob: BlobName,
}

/// Who may read a container without credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PublicAccess {
    /// Nobody.
    #[default]
    None,
    /// Anybody may read blobs.
    Blob,
    /// Anybody may read blobs and list them.
    Container,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: ContainerName,
    /// Its version; changed by its own metadata, not by its blobs.
    pub etag: Etag,
    /// When it was last changed.
    pub modified: Timestamp,
    /// User metadata.
    pub metadata: Metadata,
    /// Anonymous access.
    pub public_access: PublicAccess,
}

/// The version that a write made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The new version.
    pub etag: Etag,
    /// When it was made.
    pub modified: Timestamp,
}

/// HTTP headers that a blob gives back as it was given them. Empty text: not set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContentHeaders {
    /// `Content-Type`.
    pub content_type: String,
    /// `Content-Encoding`.
    pub encoding: String,
    /// `Content-Language`.
    pub language: String,
    /// `Content-Disposition`.
    pub disposition: String,
    /// `Cache-Control`.
    pub cache_control: String,
    /// `Content-MD5`, 16 bytes.
    pub md5: Option<[u8; 16]>,
}

/// A blob's properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobProperties {
    /// Its version.
    pub etag: Etag,
    /// When it first came to be.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
    /// Bytes of content.
    pub length: u64,
    /// HTTP headers.
    pub headers: ContentHeaders,
    /// User metadata.
    pub metadata: Metadata,
}

/// What a new blob is given besides its content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewBlob {
    /// HTTP headers.
    pub headers: ContentHeaders,
    /// User metadata.
    pub metadata: Metadata,
}

/// An entry of a block list to commit: which of the blocks with this id is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockChoice {
    /// The committed one.
    Committed(BlockId),
    /// The staged one.
    Uncommitted(BlockId),
    /// The staged one if there is one, else the committed one.
    Latest(BlockId),
}

/// A block of a block list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its id.
    pub id: BlockId,
    /// Its bytes.
    pub length: u64,
}

/// The blocks of a blob.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockList {
    /// The blob's version and length, unless it has only staged blocks.
    pub blob: Option<(Stamp, u64)>,
    /// Committed blocks, in the blob's order. Empty for a blob written in one piece.
    pub committed: Vec<Block>,
    /// Staged blocks, by id.
    pub staged: Vec<Block>,
}

/// Bytes of a blob, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte.
    pub first: u64,
    /// The last byte; none for "to the end".
    pub last: Option<u64>,
}

/// A blob opened for reading: what it was at that moment, whatever is written to it meanwhile.
#[derive(Debug)]
pub struct BlobRead {
    /// Its properties.
    pub properties: BlobProperties,
    /// First byte that the reader gives.
    pub first: u64,
    /// Bytes that the reader gives.
    pub length: u64,
    /// The bytes.
    pub reader: ContentReader,
}

/// Which containers to list.
#[derive(Debug, Clone, Default)]
pub struct ListContainers {
    /// Only names that begin with this.
    pub prefix: String,
    /// Only names behind this one.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// Which blobs to list.
#[derive(Debug, Clone, Default)]
pub struct ListBlobs {
    /// Only names that begin with this.
    pub prefix: String,
    /// Names that share what stands before this, behind the prefix, are one [`BlobEntry::Prefix`].
    pub delimiter: Option<String>,
    /// Goes on behind this place: the [`Page::next`] of the page before.
    pub after: Option<Vec<u8>>,
    /// At most so many entries.
    pub limit: usize,
    /// Also blobs that have only staged blocks.
    pub uncommitted: bool,
}

/// An entry of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobEntry {
    /// A blob.
    Blob(BlobName, Box<BlobProperties>),
    /// A blob that has only staged blocks.
    Uncommitted(BlobName),
    /// Names with a common beginning, up to and with the delimiter.
    Prefix(String),
}

/// A part of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// Where to go on; none at the end.
    pub next: Option<Vec<u8>>,
}

/// Containers and blobs of all accounts.
#[derive(Debug, Clone)]
pub struct BlobStore {
    meta: Arc<dyn MetaStore>,
    chunks: Arc<dyn ChunkStore>,
}

impl BlobStore {
    /// The blobs whose records are in `meta` and whose bytes are in `chunks`.
    pub fn new(meta: Arc<dyn MetaStore>, chunks: Arc<dyn ChunkStore>) -> Self {
        Self { meta, chunks }
    }

    /// Begins an upload. It is nothing until a verb is given what it has become.
    pub fn upload(&self) -> Upload {
        Upload::new(Arc::clone(&self.chunks))
    }
}
