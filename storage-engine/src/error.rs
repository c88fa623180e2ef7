//! What can go wrong in the engine.
//!
//! Three kinds, in one enum because every verb can meet all of them: the request cannot be carried out as
//! asked (most variants), the stored bytes are not what was written ([`EngineError::Corrupt`]), or a disk is
//! done ([`EngineError::Disk`]; never retried). The front maps each variant to a wire code in one exhaustive
//! match, so a new variant does not compile until it has one.

use crate::blob::LeaseError;
use crate::clock::{Etag, Timestamp};
use std::io;
use std::sync::Arc;

/// Why a verb did not do what was asked.
///
/// Nothing was changed when one of the variants about the request is returned. After one about the store
/// ([`EngineError::Disk`], [`EngineError::Meta`], [`EngineError::NoSpace`], [`EngineError::Closed`]) from a write,
/// whether it took effect may be known only once the store is reopened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// The account does not exist.
    #[error("the account does not exist")]
    AccountNotFound,
    /// An account of this name exists, or is still being deleted.
    #[error("the account exists")]
    AccountExists,
    /// The account has containers, queues or tables.
    #[error("the account is not empty")]
    AccountNotEmpty,
    /// Something in the account must stay as it is: it has a legal hold, or an immutability policy that is not over.
    #[error("something in the account is held")]
    AccountProtected,
    /// The container does not exist.
    #[error("the container does not exist")]
    ContainerNotFound,
    /// A container of this name exists.
    #[error("the container exists")]
    ContainerExists,
    /// Something in the container must stay as it is: it has a legal hold, or an immutability policy that is not over.
    #[error("something in the container is held")]
    ContainerProtected,
    /// The blob does not exist, or has only uncommitted blocks.
    #[error("the blob does not exist")]
    BlobNotFound,
    /// The blob exists and the caller asked that it should not (`If-None-Match: *`).
    #[error("the blob exists")]
    BlobExists,
    /// A read's precondition says that the caller's copy is current.
    #[error("not modified since the caller's copy")]
    NotModified {
        /// The version that the caller has.
        etag: Etag,
        /// When it was made.
        modified: Timestamp,
    },
    /// A precondition does not hold.
    #[error("a precondition does not hold")]
    PreconditionFailed,
    /// A block list names a block that is not there.
    #[error("the block list names a missing block")]
    BlockMissing,
    /// A block id's length differs from that of the blob's other blocks.
    #[error("the block id's length differs from the blob's other ids")]
    BlockIdLength,
    /// The blob would have more blocks than [`crate::blob::BLOCKS_MAX`] or more staged ones than
    /// [`crate::blob::STAGED_BLOCKS_MAX`].
    #[error("too many blocks")]
    TooManyBlocks,
    /// The range begins at or behind the end of the content.
    #[error("the range begins behind the end, at {length}")]
    RangeNotSatisfiable {
        /// Bytes that the content has.
        length: u64,
    },
    /// A lease stands in the way.
    #[error("{0}")]
    Lease(LeaseError),
    /// The blob is encrypted with another key of a customer than the request brings, or with none.
    #[error("the customer's key is not the blob's")]
    CustomerKeyMismatch {
        /// Whether the blob is encrypted with a customer's key.
        encrypted: bool,
    },
    /// There is no encryption scope of this name.
    #[error("the encryption scope does not exist")]
    EncryptionScopeNotFound,
    /// The encryption scope is disabled.
    #[error("the encryption scope is disabled")]
    EncryptionScopeDisabled,
    /// The container's encryption scope must not be overridden.
    #[error("the container's encryption scope must not be overridden")]
    EncryptionScopeFixed,
    /// The blob has snapshots, and nothing was said about them.
    #[error("the blob has snapshots")]
    SnapshotsPresent,
    /// The blob is of another kind than the verb is for.
    #[error("the blob is of another kind")]
    BlobKindMismatch,
    /// The verb is not for snapshots, versions or the current blob, whichever was named.
    #[error("not possible on this state of the blob")]
    StateMismatch,
    /// The current version cannot be deleted by its id.
    #[error("the current version cannot be deleted by its id")]
    CurrentVersion,
    /// Deleting for good before the time is not allowed, or the state is not deleted.
    #[error("not deleted, or not to be deleted for good")]
    PermanentDeleteRefused,
    /// The blob lies in the archive.
    #[error("the blob is archived")]
    BlobArchived,
    /// The blob is on its way out of the archive, to another tier.
    #[error("the blob is being rehydrated")]
    BlobBeingRehydrated,
    /// A page blob's tier cannot be lowered.
    #[error("the tier cannot be lowered")]
    TierLowered,
    /// The tier is too small for the blob.
    #[error("the tier is too small")]
    TierTooSmall,
    /// The tier is not for blobs of this kind.
    #[error("the tier is not for this kind of blob")]
    TierKindMismatch,
    /// An immutability policy forbids it.
    #[error("an immutability policy forbids it")]
    ImmutableByPolicy,
    /// A legal hold forbids it.
    #[error("a legal hold forbids it")]
    ImmutableByLegalHold,
    /// The append blob is not as long as the caller said.
    #[error("the append position does not match")]
    AppendPositionMismatch,
    /// The append blob would be longer than the caller allows.
    #[error("the append blob would be too long")]
    AppendSizeExceeded,
    /// The append blob is sealed.
    #[error("the append blob is sealed")]
    BlobSealed,
    /// The append blob would have more blocks than [`crate::blob::BLOCKS_MAX`].
    #[error("too many appended blocks")]
    TooManyAppends,
    /// The page blob's sequence number is not as the caller wants it.
    #[error("the sequence number does not match")]
    SequenceNumberMismatch,
    /// The sequence number would be more than 2^63-1.
    #[error("the sequence number would be too large")]
    SequenceNumberTooLarge,
    /// A copy to the blob is under way.
    #[error("a copy is under way")]
    CopyPending,
    /// No copy to the blob is under way.
    #[error("no copy is under way")]
    NoCopyPending,
    /// The copy under way has another id.
    #[error("the copy has another id")]
    CopyIdMismatch,
    /// The blob is the target of incremental copies, which alone may write it.
    #[error("the blob is an incremental copy")]
    IncrementalCopy,
    /// The blob is no target of incremental copies from this source.
    #[error("the blob is no incremental copy of this source")]
    IncrementalCopyMismatch,
    /// A snapshot is to be copied that is no newer than the one copied last.
    #[error("a newer snapshot has been copied already")]
    IncrementalCopyEarlier,
    /// The snapshot to compare with does not exist.
    #[error("the snapshot to compare with does not exist")]
    PreviousSnapshotNotFound,
    /// The snapshot to compare with is newer than what is compared.
    #[error("the snapshot to compare with is newer")]
    PreviousSnapshotNewer,
    /// The blob was made anew since the snapshot to compare with.
    #[error("the blob was overwritten since")]
    BlobOverwritten,
    /// This engine has no floor for page blobs.
    #[error("page blobs are not offered")]
    PagesUnavailable,
    /// The deleted container does not exist, or not of this version.
    #[error("the deleted container does not exist")]
    DeletedContainerNotFound,
    /// The queue does not exist.
    #[error("the queue does not exist")]
    QueueNotFound,
    /// A queue of this name exists with other metadata.
    #[error("the queue exists with other metadata")]
    QueueExists,
    /// The message does not exist, or has expired.
    #[error("the message does not exist")]
    MessageNotFound,
    /// The pop receipt is not the message's newest.
    #[error("the pop receipt is stale")]
    PopReceiptMismatch,
    /// The message would be invisible beyond its expiry.
    #[error("the message would be invisible beyond its expiry")]
    HiddenPastExpiry,
    /// The table does not exist.
    #[error("the table does not exist")]
    TableNotFound,
    /// A table of this name exists.
    #[error("the table exists")]
    TableExists,
    /// The entity does not exist.
    #[error("the entity does not exist")]
    EntityNotFound,
    /// An entity with these keys exists.
    #[error("the entity exists")]
    EntityExists,
    /// The entity is not the version the caller named.
    #[error("the entity is another version")]
    EntityChanged,
    /// The entity would be larger than [`crate::table::ENTITY_BYTES_MAX`].
    #[error("the entity is too large")]
    EntityTooLarge,
    /// The entity would have more than [`crate::table::PROPERTIES_MAX`] properties.
    #[error("the entity has too many properties")]
    TooManyProperties,
    /// One change of a batch failed, so none was made.
    #[error("change {index} of the batch failed")]
    Batch {
        /// Position of the change that failed, from 0.
        index: usize,
        /// Why it failed.
        source: Box<EngineError>,
    },
    /// The volume, or the snapshot of it, does not exist.
    #[error("the volume or its snapshot does not exist")]
    VolumeNotFound,
    /// The range is not whole pages, or is longer than one transfer may be, or ends behind the volume's end.
    #[error("not a range of whole pages inside the volume")]
    InvalidPageRange,
    /// Stored bytes are not what was written, and there is no other copy.
    #[error("stored data is damaged: {what}")]
    Corrupt {
        /// Which record, chunk or file.
        what: String,
    },
    /// There is no room on the disks.
    #[error("no space left on the disks")]
    NoSpace,
    /// A disk failed. The engine takes no more writes until it is reopened.
    #[error("a disk failed")]
    Disk(#[source] Arc<io::Error>),
    /// The metadata store failed.
    #[error("the metadata store failed")]
    Meta(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The engine is closed, or was closed while the verb ran.
    #[error("the engine is closed")]
    Closed,
}

impl From<io::Error> for EngineError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::StorageFull { Self::NoSpace } else { Self::Disk(Arc::new(error)) }
    }
}

impl EngineError {
    /// Stored bytes are damaged; `what` names them for the log.
    pub fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }
}

/// What a verb gives.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;
