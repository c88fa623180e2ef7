//! What a blob shows of itself, and what a new one is given.
//!
//! One struct for all kinds and states of a blob: a snapshot, a previous version and a deleted blob are blobs with
//! a few fields more, and whoever lists them lists all in one walk. What a blob does not have is absent here and
//! costs nothing in its record ([`crate::blob::record`]).
//!
//! Some of it is judged by the clock: [`BlobProperties::as_of`] gives what is true at a moment of what was written
//! earlier, so that a rehydration ends and a blob expires without anybody writing it down.

use crate::blob::record::lease::Lease;
use crate::blob::record::tags::Tags;
use crate::clock::{Etag, Timestamp};
use crate::name::Metadata;
use crate::seal;
pub use crate::seal::EncryptionKey;
use std::time::Duration;

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

/// How a blob is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BlobKind {
    /// In blocks, or as a whole.
    #[default]
    Block,
    /// At its end only.
    Append {
        /// Blocks that were appended.
        blocks: u32,
        /// Whether no more may be.
        sealed: bool,
    },
    /// In pages of 512 bytes, anywhere.
    Page {
        /// The number that writers agree by: 0 to 2^63-1.
        sequence_number: u64,
    },
}

impl BlobKind {
    /// Whether both are of one kind, whatever they say besides.
    pub fn same(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

/// Which state of a blob is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Which {
    /// The blob as it is now.
    #[default]
    Base,
    /// The snapshot of this time.
    Snapshot(Timestamp),
    /// The version of this time; also the current one, if it has that id.
    Version(Timestamp),
}

/// An access tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "their names are all there is to say; the sizes are in `bytes_max`")]
pub enum Tier {
    Hot,
    Cool,
    Cold,
    Archive,
    Smart,
    Premium,
    P4,
    P6,
    P10,
    P15,
    P20,
    P30,
    P40,
    P50,
    P60,
    P70,
    P80,
}

impl Tier {
    /// All tiers. Their places are their numbers in records: append only.
    pub const ALL: [Self; 17] = [
        Self::Hot,
        Self::Cool,
        Self::Cold,
        Self::Archive,
        Self::Smart,
        Self::Premium,
        Self::P4,
        Self::P6,
        Self::P10,
        Self::P15,
        Self::P20,
        Self::P30,
        Self::P40,
        Self::P50,
        Self::P60,
        Self::P70,
        Self::P80,
    ];

    /// Most bytes of a page blob of this tier; none for the tiers of other blobs.
    pub const fn bytes_max(self) -> Option<u64> {
        Some(match self {
            Self::P4 => 32 << 30,
            Self::P6 => 64 << 30,
            Self::P10 => 128 << 30,
            Self::P15 => 256 << 30,
            Self::P20 => 512 << 30,
            Self::P30 => 1 << 40,
            Self::P40 => 2 << 40,
            Self::P50 => 4 << 40,
            Self::P60 => 8 << 40,
            Self::P70 => 16 << 40,
            Self::P80 => 32 << 40,
            _ => return None,
        })
    }
}

/// The tier that a blob was given. A blob that was given none has the account's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessTier {
    /// The tier.
    pub tier: Tier,
    /// When *Set Blob Tier* last changed it.
    pub changed: Option<Timestamp>,
    /// That it is on its way out of the archive.
    pub rehydration: Option<Rehydration>,
}

/// A way out of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rehydration {
    /// Where to.
    pub to: Tier,
    /// Whether in haste.
    pub high: bool,
    /// When it is there.
    pub ends: Timestamp,
}

/// Where a copy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CopyStatus {
    /// Bytes are on their way.
    #[default]
    Pending,
    /// All are there.
    Success,
    /// It was called off.
    Aborted,
    /// It went wrong.
    Failed,
}

/// The copy that made a blob what it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CopyState {
    /// Its id: a GUID.
    pub id: u128,
    /// The source's URL.
    pub source: String,
    /// Where it stands.
    pub status: CopyStatus,
    /// Bytes that are there.
    pub copied: u64,
    /// Bytes that there will be.
    pub total: u64,
    /// When it ended.
    pub completed: Option<Timestamp>,
    /// What went wrong. Empty: nothing.
    pub description: String,
    /// That it is a copy of the changes since the one before, and of what.
    pub incremental: Option<Increment>,
    /// The snapshot that an incremental copy ended with.
    pub snapshot: Option<Timestamp>,
}

/// What incremental copies are copies of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Increment {
    /// The blob whose snapshots are copied: a text that is one blob's and no other's.
    pub origin: String,
    /// The newest of its snapshots that was copied whole.
    pub copied: Option<Timestamp>,
}

/// Until when a blob must stay as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImmutabilityPolicy {
    /// To the end of this moment.
    pub until: Timestamp,
    /// Whether it may only be extended.
    pub locked: bool,
}

/// How a blob is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// With whose key.
    pub key: EncryptionKey,
    /// What whoever decrypts needs to know besides; opaque here.
    pub wrapped: Vec<u8>,
}

impl Encryption {
    /// With this key, in the way in which contents are encrypted now ([`crate::seal`]).
    pub fn with(key: EncryptionKey) -> Self {
        Self { key, wrapped: vec![seal::SUITE] }
    }
}

/// That something is deleted and can still be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    /// When it was deleted.
    pub at: Timestamp,
    /// When it is gone for good.
    pub purge: Timestamp,
}

/// How many seconds a day has.
const DAY: Duration = Duration::from_hours(24);

impl Deletion {
    /// Something deleted at this stamp and kept for so many days by the clock.
    pub(crate) fn now((at, clock): (Timestamp, Timestamp), days: u32) -> Self {
        Self { at, purge: clock.after(DAY.saturating_mul(days)) }
    }

    /// Whole days that are left, rounded down.
    pub fn days_left(&self, now: Timestamp) -> u64 {
        self.purge.ticks().saturating_sub(now.ticks()) / (DAY.as_secs() * Timestamp::TICKS_PER_SECOND)
    }

    /// Whether it is gone for good.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.purge <= now
    }
}

/// What the service does with states of blobs that are overwritten or deleted, and with those that take their place:
/// its settings, as they are when the verb is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Protection {
    /// Whether writes keep the former state as a version.
    pub versioning: bool,
    /// For how many days what is deleted can be restored; none for not at all.
    pub delete_retention_days: Option<u32>,
    /// Whether something deleted may be deleted for good before its time.
    pub permanent_delete_allowed: bool,
    /// Whether a blob keeps when it was last accessed, which it is when it is written.
    pub tracks_access: bool,
}

/// A blob's properties.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    /// How it is written.
    pub kind: BlobKind,
    /// The id of the snapshot, if it is one.
    pub snapshot: Option<Timestamp>,
    /// The id of the version, if versioning was on when it was made.
    pub version: Option<Timestamp>,
    /// Whether it is the blob as it is now and not a snapshot, a former version or a deleted blob.
    pub current: bool,
    /// That it is deleted.
    pub deletion: Option<Deletion>,
    /// The lease.
    pub lease: Lease,
    /// Index tags.
    pub tags: Tags,
    /// The access tier, if it was given one.
    pub tier: Option<AccessTier>,
    /// The copy that made it.
    pub copy: Option<Box<CopyState>>,
    /// Until when it must stay as it is.
    pub policy: Option<ImmutabilityPolicy>,
    /// Whether it must stay as it is until somebody says otherwise.
    pub legal_hold: bool,
    /// When it expires.
    pub expires: Option<Timestamp>,
    /// When it was last read, if that is tracked.
    pub accessed: Option<Timestamp>,
    /// How it is encrypted, if not with the service's key.
    pub encryption: Option<Box<Encryption>>,
}

impl BlobProperties {
    /// What is true at this moment: a rehydration whose time has come is over.
    #[must_use]
    pub fn as_of(mut self, now: Timestamp) -> Self {
        if let Some(tier) = &mut self.tier
            && let Some(rehydration) = tier.rehydration.take_if(|rehydration| rehydration.ends <= now)
        {
            tier.tier = rehydration.to;
            tier.changed = Some(rehydration.ends);
        }
        self
    }

    /// Whether it is to be seen at all: neither expired, nor deleted for longer than it is kept. What must stay does
    /// not expire before it may go.
    pub(crate) fn exists(&self, now: Timestamp) -> bool {
        let expired = self.expires.is_some_and(|expires| expires <= now);
        let purged = self.deletion.is_some_and(|deletion| deletion.is_over(now));
        self.is_held(now) || !(expired || purged)
    }

    /// Until when it must stay as it is: the policy's time, or one that never comes with a legal hold.
    pub(crate) fn held_until(&self) -> Option<Timestamp> {
        let until = self.policy.map(|policy| policy.until);
        if self.legal_hold { Some(Timestamp::from_ticks(u64::MAX)) } else { until }
    }

    /// Whether it must stay as it is.
    pub(crate) fn is_held(&self, now: Timestamp) -> bool {
        self.held_until().is_some_and(|until| now < until)
    }

    /// Whether it exists and is not deleted.
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.deletion.is_none() && self.exists(now)
    }

    /// Whether it lies in the archive, where it cannot be read.
    pub fn is_archived(&self) -> bool {
        self.tier.is_some_and(|tier| tier.tier == Tier::Archive)
    }
}

/// What a new blob is given besides its content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewBlob {
    /// HTTP headers.
    pub headers: ContentHeaders,
    /// User metadata.
    pub metadata: Metadata,
    /// Index tags.
    pub tags: Tags,
    /// The access tier; none for the account's.
    pub tier: Option<Tier>,
    /// That it begins in the archive, on its way out of there.
    pub rehydration: Option<Rehydration>,
    /// Until when it must stay as it is.
    pub policy: Option<ImmutabilityPolicy>,
    /// Whether it must stay as it is until somebody says otherwise.
    pub legal_hold: bool,
    /// How its content is encrypted, if not with the service's key.
    pub encryption: Option<Encryption>,
    /// The copy that it comes from.
    pub copy: Option<CopyState>,
}
