//! What is on disk about blobs and containers: the values of their records, and how they are encoded.
//!
//! Under this stand what a record is made of ([`properties`], [`lease`], [`tags`]), how that is spelled ([`codec`]) and by
//! which keys it is found ([`place`]). It reads no other record, so it knows nothing of what stands above it.
//!
//! | record | fields behind the version |
//! |---|---|
//! | container | etag, modified, access, metadata; from version 2: what [`ContainerRecord`] has besides |
//! | blob | etag, created, modified, length, headers, metadata, where its content is; from version 2: what else it has ([`codec`]) |
//! | mark | when a block was staged last, bytes of a block id, number of staged blocks; from version 2: when they are looked at |
//! | staged block | length, chunks |
//! | volume | whether it is leaving, when it was born, how many records name it, snapshots being taken, snapshots to be deleted |
//!
//! Records of version 1 are read as such that have nothing of what came later. Pages of content are in
//! [`super::state::content`].

use super::{Container, NewContainer, PublicAccess, Stamp};
use crate::catalog::{self, Entry, Key};
use crate::chunk::ChunkRef;
use crate::clock::{Etag, Timestamp};
use crate::error::{EngineError, Result};
use crate::meta::record::{Decoder, Encoder};
use crate::meta::{Transaction, View};
use crate::name::{ContainerName, Metadata};
use crate::page::{Epoch, VolumeId};
use crate::policy::{self, StoredPolicy};
use std::time::Duration;

pub(super) mod codec;
pub mod lease;
pub(super) mod place;
pub mod properties;
pub mod tags;
use codec::{
    decode_chunk, decode_headers, decode_key, decode_lease, decode_metadata, decode_rare, encode_chunk,
    encode_headers, encode_key, encode_lease, encode_metadata, encode_rare,
};
use lease::Lease;
use properties::{AccessTier, BlobKind, BlobProperties, Deletion, EncryptionKey, NewBlob, Tier};

/// The newest version of the records of blobs and of containers.
const VERSION: u8 = 2;
/// The newest version of the other records of this file.
const PLAIN_VERSION: u8 = 1;

/// Where a blob's content is. The id makes pages of one content immutable: another content has another id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// It has no bytes.
    Empty,
    /// In the first and only page, which is the bytes.
    Inline(u64),
    /// In chunks that so many pages list. An append blob's content may have more pages, which are not its own.
    Chunks(u64, u32),
    /// In a volume, as it is or as it was at the end of an epoch.
    Volume(VolumeId, Option<Epoch>),
}

/// A blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlobRecord {
    /// What the blob shows of itself.
    pub(crate) properties: BlobProperties,
    /// Where its content is.
    pub(crate) form: Form,
}

impl BlobRecord {
    /// A blob as a verb makes it now.
    pub(super) fn new(now: Timestamp, length: u64, kind: BlobKind, new: &NewBlob, form: Form) -> Self {
        let new = new.clone();
        let NewBlob { headers, metadata, tags, tier, rehydration, policy, legal_hold, encryption, copy } =
            new;
        let tier = if rehydration.is_some() { Some(Tier::Archive) } else { tier };
        let properties = BlobProperties {
            etag: Etag::from(now),
            created: now,
            modified: now,
            length,
            headers,
            metadata,
            kind,
            tags,
            tier: tier.map(|tier| AccessTier { tier, changed: None, rehydration }),
            policy,
            legal_hold,
            encryption: encryption.map(Box::new),
            copy: copy.map(Box::new),
            ..BlobProperties::default()
        };
        Self { properties, form }
    }

    /// Its version and age, as conditions want them.
    pub(super) const fn version(&self) -> (Etag, Timestamp) {
        (self.properties.etag, self.properties.modified)
    }

    /// What a verb that wrote it answers.
    pub(super) const fn stamp(&self) -> Stamp {
        let BlobProperties { etag, modified, version, .. } = self.properties;
        Stamp { etag, modified, version }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let BlobProperties { etag, created, modified, length, headers, metadata, .. } = &self.properties;
        let mut fields = Encoder::new(VERSION);
        fields.u64(etag.0).timestamp(*created).timestamp(*modified).varint(*length);
        encode_headers(&mut fields, headers);
        encode_metadata(&mut fields, metadata);
        match self.form {
            Form::Empty => fields.u8(0),
            Form::Inline(content) => fields.u8(1).u64(content),
            Form::Chunks(content, pages) => fields.u8(2).u64(content).u32(pages),
            Form::Volume(volume, None) => fields.u8(3).u128(volume.0),
            Form::Volume(volume, Some(epoch)) => fields.u8(4).u128(volume.0).u64(epoch.0),
        };
        encode_rare(&mut fields, &self.properties);
        fields.finish()
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self> {
        let (version, mut fields) = Decoder::versioned("blob", VERSION, value)?;
        let mut properties = BlobProperties {
            etag: Etag(fields.u64()?),
            created: fields.timestamp()?,
            modified: fields.timestamp()?,
            length: fields.varint()?,
            headers: decode_headers(&mut fields)?,
            metadata: decode_metadata(&mut fields)?,
            ..BlobProperties::default()
        };
        let form = match fields.u8()? {
            0 => Form::Empty,
            1 => Form::Inline(fields.u64()?),
            2 => Form::Chunks(fields.u64()?, fields.u32()?),
            3 => Form::Volume(VolumeId(fields.u128()?), None),
            4 => Form::Volume(VolumeId(fields.u128()?), Some(Epoch(fields.u64()?))),
            _ => return Err(fields.damaged()),
        };
        if version > 1 {
            decode_rare(&mut fields, &mut properties)?;
        }
        fields.finish()?;
        Ok(Self { properties, form })
    }
}

/// The mark that blocks are staged. It is there exactly while there are some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StagingRecord {
    /// When the last one came.
    pub(crate) modified: Timestamp,
    /// Bytes that the id of each has.
    pub(crate) id_bytes: u64,
    /// How many there are.
    pub(crate) blocks: u64,
    /// When the background looks whether they are over. Nobody looks at those of a record of version 1, which had no
    /// such time, until another block comes to them.
    pub(crate) due: Option<Timestamp>,
}

/// How long staged blocks are kept from when the last of them came (page "Put Block": a week).
const STAGED_KEPT: Duration = Duration::from_hours(7 * 24);
/// The version of a mark.
const MARK_VERSION: u8 = 2;

impl StagingRecord {
    /// When the blocks are over, if none comes any more.
    pub(super) fn ends(&self) -> Timestamp {
        self.modified.after(STAGED_KEPT)
    }

    pub(super) fn encode(self) -> Vec<u8> {
        let mut fields = Encoder::new(MARK_VERSION);
        fields.timestamp(self.modified).varint(self.id_bytes).varint(self.blocks);
        fields.option(self.due, |fields, due| {
            fields.timestamp(due);
        });
        fields.finish()
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self> {
        let (version, mut fields) = Decoder::versioned("staging mark", MARK_VERSION, value)?;
        let (modified, id_bytes, blocks) = (fields.timestamp()?, fields.varint()?, fields.varint()?);
        let due = if version < MARK_VERSION { None } else { fields.option(Decoder::timestamp)? };
        fields.finish()?;
        Ok(Self { modified, id_bytes, blocks, due })
    }
}

/// A staged block's content, or a committed block's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BlockRecord {
    /// Its bytes.
    pub(crate) length: u64,
    /// Where they are, in order.
    pub(crate) chunks: Vec<ChunkRef>,
    /// With whose key they are encrypted.
    pub(crate) key: Option<EncryptionKey>,
}

/// The version of a staged block that is encrypted; others keep the plain one.
const SEALED_BLOCK_VERSION: u8 = 2;

impl BlockRecord {
    pub(super) fn encode(&self) -> Vec<u8> {
        let version = if self.key.is_some() { SEALED_BLOCK_VERSION } else { PLAIN_VERSION };
        let mut fields = Encoder::new(version);
        fields.varint(self.length).count(self.chunks.len());
        for chunk in &self.chunks {
            encode_chunk(&mut fields, *chunk);
        }
        if let Some(key) = &self.key {
            encode_key(&mut fields, key);
        }
        fields.finish()
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self> {
        let (version, mut fields) = Decoder::versioned("staged block", SEALED_BLOCK_VERSION, value)?;
        let length = fields.varint()?;
        let count = fields.count()?;
        let chunks = (0..count).map(|_| decode_chunk(&mut fields)).collect::<Result<_>>()?;
        let key = if version == PLAIN_VERSION { None } else { Some(decode_key(&mut fields)?) };
        fields.finish()?;
        Ok(Self { length, chunks, key })
    }
}

/// A volume of page blobs of one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct VolumeRecord {
    /// Whether it is to be deleted, or is being.
    pub(crate) leaving: bool,
    /// When it was begun to be made.
    pub(crate) born: Timestamp,
    /// How many blob records name it. None yet while it is being made.
    pub(crate) owners: u64,
    /// Snapshots being taken: when each was begun.
    pub(crate) marks: Vec<Timestamp>,
    /// Snapshots that no record names any more.
    pub(crate) doomed: Vec<Epoch>,
}

impl VolumeRecord {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut fields = Encoder::new(PLAIN_VERSION);
        fields.flag(self.leaving).timestamp(self.born).varint(self.owners).count(self.marks.len());
        for mark in &self.marks {
            fields.timestamp(*mark);
        }
        fields.count(self.doomed.len());
        for epoch in &self.doomed {
            fields.u64(epoch.0);
        }
        fields.finish()
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self> {
        let (_, mut fields) = Decoder::versioned("volume", PLAIN_VERSION, value)?;
        let (leaving, born, owners) = (fields.flag()?, fields.timestamp()?, fields.varint()?);
        let marks = fields.count()?;
        let marks = (0..marks).map(|_| fields.timestamp()).collect::<Result<_>>()?;
        let doomed = fields.count()?;
        let doomed = (0..doomed).map(|_| fields.u64().map(Epoch)).collect::<Result<_>>()?;
        fields.finish()?;
        Ok(Self { leaving, born, owners, marks, doomed })
    }
}

/// A field of containers' records in which nothing has ever stood.
const RESERVED: bool = false;

/// What the catalogue keeps about a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContainerRecord {
    pub(super) stamp: Stamp,
    pub(super) metadata: Metadata,
    pub(super) public_access: PublicAccess,
    pub(super) policies: Vec<StoredPolicy>,
    pub(super) lease: Lease,
    /// Set on the record of a deleted container that can be restored.
    pub(super) deletion: Option<Deletion>,
    /// Encryption scope of blobs that are given none. Empty: none.
    pub(super) encryption_scope: String,
    /// Whether no other scope may be given.
    pub(super) deny_scope_override: bool,
}

impl ContainerRecord {
    /// The container of this key, and its id.
    ///
    /// # Errors
    /// [`EngineError::ContainerNotFound`].
    pub(super) fn find(view: &dyn View, key: &Key) -> Result<(u64, Self)> {
        let Entry { id, payload } = catalog::find(view, key)?.ok_or(EngineError::ContainerNotFound)?;
        Ok((id, Self::decode(&payload)?))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut fields = Encoder::new(VERSION);
        fields.u64(self.stamp.etag.0).timestamp(self.stamp.modified);
        fields.u8(match self.public_access {
            PublicAccess::None => 0,
            PublicAccess::Blob => 1,
            PublicAccess::Container => 2,
        });
        encode_metadata(&mut fields, &self.metadata);
        encode_lease(&mut fields, self.lease);
        fields.option(self.deletion, |fields, deletion| {
            fields.timestamp(deletion.at).timestamp(deletion.purge);
        });
        fields.str(&self.encryption_scope).flag(self.deny_scope_override).flag(RESERVED);
        policy::encode(&mut fields, &self.policies);
        fields.finish()
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self> {
        let (version, mut fields) = Decoder::versioned("container", VERSION, value)?;
        let stamp = Stamp { etag: Etag(fields.u64()?), modified: fields.timestamp()?, version: None };
        let public_access = match fields.u8()? {
            0 => PublicAccess::None,
            1 => PublicAccess::Blob,
            2 => PublicAccess::Container,
            _ => return Err(fields.damaged()),
        };
        let mut record = Self::new(stamp, decode_metadata(&mut fields)?, public_access);
        if version > 1 {
            record.lease = decode_lease(&mut fields)?;
            record.deletion = fields
                .option(|fields| Ok(Deletion { at: fields.timestamp()?, purge: fields.timestamp()? }))?;
            fields.str()?.clone_into(&mut record.encryption_scope);
            record.deny_scope_override = fields.flag()?;
            fields.flag()?;
            record.policies = policy::decode(&mut fields)?;
        }
        fields.finish()?;
        Ok(record)
    }

    /// A container as it is made.
    pub(super) fn made(stamp: Stamp, new: NewContainer) -> Self {
        let NewContainer { metadata, public_access, encryption_scope, deny_scope_override } = new;
        Self { encryption_scope, deny_scope_override, ..Self::new(stamp, metadata, public_access) }
    }

    /// A container without anything unusual.
    pub(super) const fn new(stamp: Stamp, metadata: Metadata, public_access: PublicAccess) -> Self {
        Self {
            stamp,
            metadata,
            public_access,
            lease: Lease::None,
            deletion: None,
            encryption_scope: String::new(),
            deny_scope_override: false,
            policies: Vec::new(),
        }
    }

    /// The container of this name.
    pub(super) fn named(self, name: ContainerName) -> Container {
        Container {
            metadata: self.metadata,
            public_access: self.public_access,
            lease: self.lease,
            deletion: self.deletion,
            encryption_scope: self.encryption_scope,
            deny_scope_override: self.deny_scope_override,
            ..Container::new(name, self.stamp.etag, self.stamp.modified)
        }
    }
}

/// The stamp of a verb that runs now.
pub(super) fn stamp(transaction: &dyn Transaction) -> Stamp {
    let now = transaction.now();
    Stamp { etag: Etag::from(now), modified: now, version: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::record::lease::LeaseId;
    use crate::blob::record::properties::{
        ContentHeaders, CopyState, CopyStatus, Encryption, EncryptionKey, ImmutabilityPolicy, Increment,
        Rehydration, Tier,
    };
    use crate::blob::record::tags::Tags;
    use crate::policy::tests::some_policies;
    use proptest::prelude::*;

    fn metadata() -> impl Strategy<Value = Metadata> {
        proptest::collection::vec((any::<String>(), any::<String>()), 0..4)
    }

    fn forms() -> impl Strategy<Value = Form> {
        prop_oneof![
            Just(Form::Empty),
            any::<u64>().prop_map(Form::Inline),
            any::<(u64, u32)>().prop_map(|(content, pages)| Form::Chunks(content, pages)),
            any::<(u128, Option<u64>)>()
                .prop_map(|(volume, epoch)| Form::Volume(VolumeId(volume), epoch.map(Epoch))),
        ]
    }

    /// A blob that has of all that is rare what the bits say.
    fn rare(mut blob: BlobProperties, bits: u16, (ticks, count, id): (u64, u32, u128)) -> BlobProperties {
        let (now, has) = (Timestamp::from_ticks(ticks), |bit: u32| bits & (1 << bit) != 0);
        let tier = Tier::ALL[usize::from(bits) % Tier::ALL.len()];
        let rehydration = Rehydration { to: tier, high: has(2), ends: now };
        let copy = CopyState {
            id,
            source: "source".to_owned(),
            status: CopyStatus::Aborted,
            copied: ticks,
            incremental: has(5)
                .then(|| Increment { origin: "origin".to_owned(), copied: has(6).then_some(now) }),
            ..CopyState::default()
        };
        let key =
            if has(4) { EncryptionKey::Customer([7; 32]) } else { EncryptionKey::Scope("s".to_owned()) };
        blob.kind = match bits % 3 {
            0 => BlobKind::Block,
            1 => BlobKind::Append { blocks: count, sealed: has(3) },
            _ => BlobKind::Page { sequence_number: ticks },
        };
        blob.lease = match bits % 5 {
            0 => Lease::None,
            1 | 2 => Lease::Held { id: LeaseId(id), seconds: has(6).then_some(count), until: now },
            _ => Lease::Breaking { id: LeaseId(id), until: now },
        };
        blob.snapshot = has(0).then_some(now);
        blob.version = has(1).then_some(now);
        blob.deletion = has(2).then_some(Deletion { at: now, purge: now });
        blob.tags =
            Tags::new(if has(3) { vec![("k".to_owned(), "v".to_owned())] } else { Vec::new() }).unwrap();
        blob.tier = has(4).then_some(AccessTier {
            tier,
            changed: has(5).then_some(now),
            rehydration: has(6).then_some(rehydration),
        });
        blob.copy = has(7).then(|| Box::new(copy));
        blob.policy = has(8).then_some(ImmutabilityPolicy { until: now, locked: has(9) });
        blob.legal_hold = has(10);
        blob.expires = has(11).then_some(now);
        blob.accessed = has(12).then_some(now);
        blob.encryption =
            has(13).then(|| Box::new(Encryption { key, wrapped: vec![1; usize::from(bits % 9)] }));
        blob
    }

    /// What the first version of this build wrote.
    fn encode_version_1(record: &BlobRecord) -> Vec<u8> {
        let mut value = record.encode();
        assert_eq!(value.pop(), Some(0), "a plain blob pays one byte for all that is rare");
        value[0] = 1;
        value
    }

    proptest! {
        #[test]
        fn blobs_come_back_as_they_were(
            (etag, created, modified, length) in any::<(u64, u64, u64, u64)>(),
            (content_type, encoding, language) in any::<(String, String, String)>(),
            (disposition, cache_control, md5) in any::<(String, String, Option<[u8; 16]>)>(),
            metadata in metadata(),
            form in forms(),
            bits: u16,
            numbers: (u64, u32, u128),
        ) {
            let headers =
                ContentHeaders { content_type, encoding, language, disposition, cache_control, md5 };
            let (created, modified) = (Timestamp::from_ticks(created), Timestamp::from_ticks(modified));
            let plain = BlobProperties {
                etag: Etag(etag),
                created,
                modified,
                length,
                headers,
                metadata,
                ..BlobProperties::default()
            };
            let properties = rare(plain.clone(), bits, numbers);
            let record = BlobRecord { properties, form };
            prop_assert_eq!(BlobRecord::decode(&record.encode()).unwrap(), record);
            let old = encode_version_1(&BlobRecord { properties: plain.clone(), form });
            prop_assert_eq!(BlobRecord::decode(&old).unwrap(), BlobRecord { properties: plain, form });
        }

        #[test]
        fn containers_come_back_as_they_were(etag: u64, modified: u64, metadata in metadata(), access in 0..3) {
            let public_access =
                [PublicAccess::None, PublicAccess::Blob, PublicAccess::Container][usize::try_from(access).unwrap()];
            let now = Timestamp::from_ticks(modified);
            let stamp = Stamp { etag: Etag(etag), modified: now, version: None };
            let plain = ContainerRecord::new(stamp, metadata, public_access);
            prop_assert_eq!(&ContainerRecord::decode(&plain.encode()).unwrap(), &plain);
            let record = ContainerRecord {
                lease: Lease::Breaking { id: LeaseId(5), until: now },
                deletion: Some(Deletion { at: now, purge: now }),
                encryption_scope: "scope".to_owned(),
                deny_scope_override: access == 0,
                policies: some_policies(),
                ..plain
            };
            prop_assert_eq!(ContainerRecord::decode(&record.encode()).unwrap(), record);
        }

        #[test]
        fn blocks_and_marks_come_back_as_they_were(
            length: u64,
            modified: u64,
            chunks in proptest::collection::vec((any::<u64>(), 0..1_u64 << 48, 1..=1_u32 << 20), 0..8),
        ) {
            let chunk = |(segment, offset, len)| ChunkRef { segment, offset, len };
            let block = BlockRecord { length, chunks: chunks.into_iter().map(chunk).collect(), key: Some(EncryptionKey::Customer([3; 32])) };
            prop_assert_eq!(BlockRecord::decode(&block.encode()).unwrap(), block.clone());
            let block = BlockRecord { key: None, ..block };
            prop_assert_eq!(BlockRecord::decode(&block.encode()).unwrap(), block);
            let modified = Timestamp::from_ticks(modified);
            let mark = StagingRecord { modified, id_bytes: 64, blocks: length, due: Some(modified) };
            prop_assert_eq!(StagingRecord::decode(&mark.encode()).unwrap(), mark);
            let mut fields = Encoder::new(1);
            fields.timestamp(modified).varint(64).varint(length);
            let first = StagingRecord::decode(&fields.finish()).unwrap();
            prop_assert_eq!(first, StagingRecord { due: None, ..mark });
        }

        #[test]
        fn volumes_come_back_as_they_were(leaving: bool, owners: u64, marks: Vec<u64>, doomed: Vec<u64>) {
            let marks = marks.into_iter().map(Timestamp::from_ticks).collect();
            let doomed = doomed.into_iter().map(Epoch).collect();
            let record = VolumeRecord { leaving, born: Timestamp::from_ticks(owners), owners, marks, doomed };
            prop_assert_eq!(VolumeRecord::decode(&record.encode()).unwrap(), record);
        }

        #[test]
        fn a_chunk_that_cannot_be_is_damage(len in prop_oneof![Just(0_u32), (1_u32 << 20) + 1..]) {
            let block = BlockRecord { length: 1, chunks: vec![ChunkRef { segment: 1, offset: 0, len }], key: None };
            prop_assert!(BlockRecord::decode(&block.encode()).is_err());
        }

        #[test]
        fn damaged_records_are_errors_and_never_panics(value: Vec<u8>) {
            let _ = BlobRecord::decode(&value);
            let _ = ContainerRecord::decode(&value);
            let _ = BlockRecord::decode(&value);
            let _ = StagingRecord::decode(&value);
            let _ = VolumeRecord::decode(&value);
        }
    }
}
