//! What is on disk about blobs and containers: the values of their records, and how they are encoded.
//!
//! Under this stand what a record is made of ([`properties`], [`lease`], [`tags`]), how that is spelled ([`codec`]) and
//! by which keys it is found ([`place`]). No other record decides what one of them says.
//!
//! | record | fields behind the version |
//! |---|---|
//! | container | etag, modified, access, metadata; from version 2: what [`ContainerRecord`] has besides |
//! | blob | etag, created, modified, length, headers, metadata, where its content is; from version 2: what else it has ([`codec`]) |
//! | mark | when a block was staged last, bytes of a block id, number of staged blocks; from version 2: when they are looked at |
//! | staged block | length, chunks; in version 2, if it is encrypted: with whose key |
//! | volume | whether it is leaving, when it was born, how many records name it, snapshots being taken, snapshots to be deleted |
//!
//! Records of version 1 are read as such that have nothing of what came later. Pages of content are in
//! [`super::state::content`].

use super::Stamp;
use crate::clock::{Etag, Timestamp};
use crate::error::Result;
use crate::meta::Transaction;
use crate::meta::record::{Decoder, Encoder};
use crate::page::{Epoch, VolumeId};

pub(super) mod codec;
mod container;
pub mod lease;
pub(super) mod place;
pub mod properties;
mod staged;
pub mod tags;
use codec::{decode_headers, decode_metadata, decode_rare, encode_headers, encode_metadata, encode_rare};
pub(super) use container::ContainerRecord;
use properties::{AccessTier, BlobKind, BlobProperties, NewBlob, Tier};
pub(super) use staged::{BlockRecord, StagingRecord};

/// The newest version of the record of a blob.
const VERSION: u8 = 2;
/// The version of the record of a volume.
const VOLUME_VERSION: u8 = 1;

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
        let mut fields = Encoder::new(VOLUME_VERSION);
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
        let (_, mut fields) = Decoder::versioned("volume", VOLUME_VERSION, value)?;
        let (leaving, born, owners) = (fields.flag()?, fields.timestamp()?, fields.varint()?);
        let marks = fields.count()?;
        let marks = (0..marks).map(|_| fields.timestamp()).collect::<Result<_>>()?;
        let doomed = fields.count()?;
        let doomed = (0..doomed).map(|_| fields.u64().map(Epoch)).collect::<Result<_>>()?;
        fields.finish()?;
        Ok(Self { leaving, born, owners, marks, doomed })
    }
}

/// The stamp of a verb that runs now.
pub(super) fn stamp(transaction: &dyn Transaction) -> Stamp {
    let now = transaction.now();
    Stamp { etag: Etag::from(now), modified: now, version: None }
}

#[cfg(test)]
mod tests;
