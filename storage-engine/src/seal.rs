//! Encryption of contents at rest: with a key that a customer brings with each request, or with that of an
//! encryption scope, which the store holds ([`crate::encryption_scope`]).
//!
//! The layer stands between the verbs and the floors. What comes into an [`Upload`](crate::chunk::Upload) that has a
//! [`SealKey`] goes to the chunk floor encrypted, and what a verb reads is decrypted on its way out. The floors
//! do not know: their sums are sums of ciphertext, so integrity checks, recovery and sweeping work without any key.
//!
//! # Chunks
//! | bytes of a sealed chunk | |
//! |---|---|
//! | 32 | salt, random, of this chunk alone |
//! | up to 65,488 | the first unit, AES-256-GCM |
//! | 16 | its tag |
//! | up to 65,520, and 16 | each further unit and its tag |
//!
//! With salt and tag a unit fills the 64 KiB for which the floor keeps a sum, so a range costs the units that it
//! touches. A chunk's key is derived (HKDF-SHA256) from the customer's or scope's key and the salt. The nonce is the
//! unit's number and whether it is the last one. So **a nonce cannot be used twice**: a key belongs to one salt, a salt
//! to one chunk, and a chunk is written once. Two salts of 256 random bits do not meet. Units that are moved, cut off
//! or changed are found out. This is the known construction of streaming AEAD with derived keys.
//!
//! What was not done, and why:
//! - *A data key per blob, wrapped and kept in its record.* Blocks are encrypted before there is a blob, and one
//!   list mixes those of many uploads, so there would be a wrapped key per block, carried through staging, lists,
//!   versions and copies. A salt in the chunk does the same and no record knows of it. What wrapping gives besides,
//!   a new outer key without rewriting, the service does not offer for customers' keys either.
//! - *CTR.* It keeps lengths, but does not notice a change; the floor's sums are not keyed. The price of the tags
//!   is that a sealed chunk holds a little less than its length, which [`Framing`] accounts for.
//!
//! # Pages
//! Pages are overwritten in place, where a counter mode would repeat its nonce and where there is no room for a tag.
//! They are encrypted with XTS-AES-256, a page of 512 bytes being the sector and its number the tweak, under a key
//! derived from the customer's or scope's key and the id of the volume, which is random and never used again. As with
//! any disk encryption, who can watch the disk learns that a page got a former value again, and a page that is tampered
//! with becomes noise without notice (the floor's sums catch what is not tampering). A page that was never written, or
//! was cleared, stays zeros and reads as zeros; of 2^4096 contents one would encrypt to that.
//!
//! # What is not encrypted
//! Names, properties, metadata and tags: listings and conditions need them and no key comes with those.
//!
//! # Keys in memory
//! A customer's key lives as long as its request, is wiped when it is dropped, and is never printed or written;
//! its SHA-256 is. Keys derived from it live as long as one chunk is worked on.

use crate::error::{EngineError, Result};
use crate::name::AccountName;
use ring::{digest, hkdf};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

pub(crate) mod page;
pub(crate) mod reader;
pub(crate) mod unit;
pub use reader::SealedReader;

/// Says how contents are encrypted, in the record of a blob: as the head of this module tells.
pub(crate) const SUITE: u8 = 1;

/// With whose key a content is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EncryptionKey {
    /// The customer's, of this SHA-256.
    Customer([u8; 32]),
    /// That of an encryption scope.
    Scope(String),
}

/// A key that a customer brings. Wiped when dropped; never printed.
#[derive(Clone)]
pub struct CustomerKey {
    key: Arc<Zeroizing<[u8; 32]>>,
    sum: [u8; 32],
}

impl CustomerKey {
    /// The key of these bytes.
    pub fn new(key: Zeroizing<[u8; 32]>) -> Self {
        let mut sum = [0; 32];
        let digest = digest::digest(&digest::SHA256, &*key);
        sum.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        Self { key: Arc::new(key), sum }
    }

    /// Its SHA-256: what it is known by.
    pub const fn sum(&self) -> [u8; 32] {
        self.sum
    }

    /// What contents are sealed with.
    pub(crate) fn seal_key(&self) -> SealKey {
        SealKey { name: EncryptionKey::Customer(self.sum), secret: Arc::clone(&self.key) }
    }
}

impl PartialEq for CustomerKey {
    fn eq(&self, other: &Self) -> bool {
        self.sum == other.sum
    }
}

impl Eq for CustomerKey {}

impl fmt::Debug for CustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomerKey")
    }
}

/// A key from which those of contents are derived. Wiped when dropped; never printed.
#[derive(Clone)]
pub struct SealKey {
    name: EncryptionKey,
    secret: Arc<Zeroizing<[u8; 32]>>,
}

impl SealKey {
    /// The key of a scope.
    pub(crate) fn of_scope(name: &str, secret: Zeroizing<[u8; 32]>) -> Self {
        Self { name: EncryptionKey::Scope(name.to_owned()), secret: Arc::new(secret) }
    }

    /// What it is known by.
    pub const fn name(&self) -> &EncryptionKey {
        &self.name
    }

    /// Derives as many bytes as `into` has, for this purpose.
    fn derive(&self, salt: &[u8], purpose: &[u8], into: &mut [u8]) -> Result<()> {
        derive(&**self.secret, salt, purpose, into)
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealKey").field("name", &self.name).finish_non_exhaustive()
    }
}

/// HKDF-SHA256 of `secret`, as many bytes as `into` has.
pub(crate) fn derive(secret: &[u8], salt: &[u8], purpose: &[u8], into: &mut [u8]) -> Result<()> {
    let impossible = |_| EngineError::corrupt("a key cannot be derived");
    let length = Length(into.len());
    let purpose = [purpose];
    let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    derived.expand(&purpose, length).and_then(|bytes| bytes.fill(into)).map_err(impossible)
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// How many bytes of content a chunk has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// As many as it has bytes.
    Plain,
    /// Less, for it is sealed.
    Sealed,
}

impl Framing {
    /// That of contents with this key or none.
    pub(crate) const fn of<T>(key: Option<&T>) -> Self {
        if key.is_some() { Self::Sealed } else { Self::Plain }
    }

    /// Bytes of content in a chunk of `stored` bytes. None in one that cannot be sealed.
    pub(crate) fn content_bytes(self, stored: u32) -> u64 {
        match self {
            Self::Plain => stored.into(),
            Self::Sealed => unit::content_bytes(stored).into(),
        }
    }
}

/// What a content that is written is to be encrypted with, as a request says. Both is none's wish.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EncryptionWish {
    /// With this key of the customer.
    pub customer: Option<CustomerKey>,
    /// With that of this scope.
    pub scope: Option<String>,
}

/// Where a scope is to be found: by account and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeAddress {
    /// The account.
    pub account: AccountName,
    /// Its name: 3 to 63 letters, digits and hyphens.
    pub name: String,
}

#[cfg(test)]
mod tests;
