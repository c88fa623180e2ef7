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
//! | a volume of a page blob | `Volume` | container id, name, volume id |
//! | indexes | `Tag`, `Due`, `Held` | by tag; by the time when something is over; by that until which something must stay |
//! | what changed | `Change` | account, time |
//!
//! # Where to look
//! Floors, the lowest first. None names one that comes after it (`tests/tidy.rs`):
//!
//! | module | |
//! |---|---|
//! | `record` | what is on disk: values, their encoding, their keys |
//! | `state` | the states of a name, and what must agree with them: contents, volumes, indexes |
//! | `rule` | whether a verb may go on, and with which key |
//! | `write`, `page`, `read`, `container`, `journal` | the verbs, and what is told of them |
//! | `background` | what nobody asked for |
//!
//! Verbs know each other where one is made of another: a read opens pages, pages that a copy brings ask about the copy,
//! and the journal, which each write tells, is published by appending to a blob.
//!
//! # Names and ids
//! Every verb on a blob first finds its container's id, and asks again when it runs whether the name still
//! means that id; what it writes begins with id and name, which is its scope.

use crate::chunk::{ChunkStore, Upload};
use crate::clock::{Clock, Entropy, Etag, SystemEntropy, Timestamp};
use crate::meta::MetaStore;
use crate::name::{AccountName, BlobName, BlockId, ContainerName, Metadata};
use std::sync::Arc;

mod background;
mod container;
pub(crate) mod journal;
mod page;
mod read;
mod record;
mod rule;
mod state;
#[cfg(test)]
mod tests;
mod write;
pub(crate) use background::sweep::{forget, sweep};
pub use container::ContainerAccess;
pub use journal::{Cause, Change, ChangedState, Deed, JournalEntry, StateChange};
pub use page::{
    Alteration, Altered, PageQuery, PageReader, PageRuns, PageWritten, SEQUENCE_NUMBER_MAX, SequenceAction,
    SequenceConditions,
};
pub use read::{BlobReader, FindBlobs, FoundBlob};
pub use record::lease::{Lease, LeaseError, LeaseId, LeaseOutcome, LeaseRequest, LeaseState, Leased};
pub use record::properties::{
    AccessTier, BlobKind, BlobProperties, ContentHeaders, CopyState, CopyStatus, Deletion, Encryption,
    EncryptionKey, ImmutabilityPolicy, Increment, NewBlob, Protection, Rehydration, Tier, Which,
};
pub use record::tags::{TagComparison, TagExpression, Tags};
pub use record::{lease, properties, tags};
pub use rule::condition::{self, Conditions, EtagMatch};
pub use rule::encryption::Sealing;
pub(crate) use state::hold_index;
#[cfg(test)]
pub(crate) use tests::fixture;
pub use write::{
    AppendConditions, Appended, CopyEnd, DeleteSnapshots, Deleted, Expiry, IncrementalCopy,
    IncrementalCopyBegun, Origin, Snapshot, TierChange, TierChanged,
};

/// Most committed blocks of a block blob (page "Put Block List").
pub const BLOCKS_MAX: usize = 50_000;
/// Most uncommitted blocks of a blob (page "Put Block").
pub const STAGED_BLOCKS_MAX: usize = 100_000;

/// The container of an account's change feed, which only the server writes.
pub const CHANGE_FEED: &str = "$blobchangefeed";

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

/// What a new container is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewContainer {
    /// User metadata.
    pub metadata: Metadata,
    /// Anonymous access.
    pub public_access: PublicAccess,
    /// Encryption scope of blobs that are given none. Empty: none.
    pub encryption_scope: String,
    /// Whether blobs may not be given another scope.
    pub deny_scope_override: bool,
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
    /// The lease.
    pub lease: Lease,
    /// That it is deleted, in a listing that shows such.
    pub deletion: Option<Deletion>,
    /// By what a deleted one is named when it is restored.
    pub deleted_version: Option<u64>,
    /// Encryption scope of blobs that are given none. Empty: none.
    pub encryption_scope: String,
    /// Whether blobs may not be given another scope.
    pub deny_scope_override: bool,
}

impl Container {
    /// A container of this name and version without anything else.
    pub const fn new(name: ContainerName, etag: Etag, modified: Timestamp) -> Self {
        Self {
            name,
            etag,
            modified,
            metadata: Vec::new(),
            public_access: PublicAccess::None,
            lease: Lease::None,
            deletion: None,
            deleted_version: None,
            encryption_scope: String::new(),
            deny_scope_override: false,
        }
    }
}

/// The version that a write made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The new version.
    pub etag: Etag,
    /// When it was made.
    pub modified: Timestamp,
    /// The id of the blob's current version, if it has one.
    pub version: Option<Timestamp>,
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
    pub reader: BlobReader,
}

/// Which containers to list.
#[derive(Debug, Clone, Default)]
pub struct ListContainers {
    /// Only names that begin with this.
    pub prefix: String,
    /// Goes on behind this place: the [`Page::next`] of the page before.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
    /// Also those that are deleted and can be restored.
    pub deleted: bool,
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
    /// Only names at or behind this one.
    pub start_from: String,
    /// Only names before this one, if it is not empty.
    pub end_before: String,
    /// What to list besides the blobs as they are now.
    pub include: Include,
    /// Only what is deleted.
    pub only_deleted: bool,
}

/// What a listing shows besides the blobs as they are now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one of the words of the parameter `include`")]
pub struct Include {
    /// Blobs that have only staged blocks.
    pub uncommitted: bool,
    /// Snapshots.
    pub snapshots: bool,
    /// Former versions.
    pub versions: bool,
    /// What is deleted and can be restored, of all that is listed.
    pub deleted: bool,
    /// Names that have only former versions, deleted ones among them, once each.
    pub deleted_with_versions: bool,
}

/// An entry of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobEntry {
    /// A blob.
    Blob(BlobName, Box<BlobProperties>),
    /// A blob that has only staged blocks.
    Uncommitted(BlobName),
    /// A name that has former versions and no blob, with the properties of the newest of them, as the blob had them.
    VersionsOnly(BlobName, Box<BlobProperties>),
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
    clock: Arc<dyn Clock>,
    pages: Option<page::Pages>,
    accessed: Arc<read::accessed::Accessed>,
    /// For whom verbs are run, if what they change is to be told.
    cause: Option<Arc<Cause>>,
    /// Where the salts of what is encrypted come from.
    salts: Arc<dyn Entropy>,
}

impl BlobStore {
    /// The blobs whose records are in `meta` and whose bytes are in `chunks`.
    /// Page blobs are not offered unless [`Self::with_pages`] says where their bytes go. Reads judge by `clock`
    /// what has expired.
    pub fn new(meta: Arc<dyn MetaStore>, chunks: Arc<dyn ChunkStore>, clock: Arc<dyn Clock>) -> Self {
        let (salts, accessed) = (Arc::new(SystemEntropy), Arc::default());
        Self { meta, chunks, clock, pages: None, salts, accessed, cause: None }
    }

    /// Begins an upload. It is nothing until a verb is given what it has become.
    pub fn upload(&self) -> Upload {
        Upload::new(Arc::clone(&self.chunks))
    }
}
