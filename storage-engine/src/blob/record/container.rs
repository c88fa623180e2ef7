//! What the catalogue keeps about a container.

use crate::blob::record::codec::{decode_lease, decode_metadata, encode_lease, encode_metadata};
use crate::blob::record::lease::Lease;
use crate::blob::record::properties::Deletion;
use crate::blob::{Container, NewContainer, PublicAccess, Stamp};
use crate::catalog::{self, Entry, Key};
use crate::clock::Etag;
use crate::error::{EngineError, Result};
use crate::meta::View;
use crate::meta::record::{Decoder, Encoder};
use crate::name::{ContainerName, Metadata};
use crate::policy::{self, StoredPolicy};

/// The newest version of the record.
const VERSION: u8 = 2;
/// A field of containers' records in which nothing has ever stood.
const RESERVED: bool = false;

/// What the catalogue keeps about a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::blob) struct ContainerRecord {
    pub(in crate::blob) stamp: Stamp,
    pub(in crate::blob) metadata: Metadata,
    pub(in crate::blob) public_access: PublicAccess,
    pub(in crate::blob) policies: Vec<StoredPolicy>,
    pub(in crate::blob) lease: Lease,
    /// Set on the record of a deleted container that can be restored.
    pub(in crate::blob) deletion: Option<Deletion>,
    /// Encryption scope of blobs that are given none. Empty: none.
    pub(in crate::blob) encryption_scope: String,
    /// Whether no other scope may be given.
    pub(in crate::blob) deny_scope_override: bool,
}

impl ContainerRecord {
    /// The container of this key, and its id.
    ///
    /// # Errors
    /// [`EngineError::ContainerNotFound`].
    pub(in crate::blob) fn find(view: &dyn View, key: &Key) -> Result<(u64, Self)> {
        let Entry { id, payload } = catalog::find(view, key)?.ok_or(EngineError::ContainerNotFound)?;
        Ok((id, Self::decode(&payload)?))
    }

    pub(in crate::blob) fn encode(&self) -> Vec<u8> {
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

    pub(in crate::blob) fn decode(value: &[u8]) -> Result<Self> {
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
    pub(in crate::blob) fn made(stamp: Stamp, new: NewContainer) -> Self {
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
    pub(in crate::blob) fn named(self, name: ContainerName) -> Container {
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
