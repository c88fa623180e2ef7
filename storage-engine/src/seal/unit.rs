//! Sealed chunks: how their units are written and opened. The head of [`crate::seal`] argues the format.

use super::SealKey;
use crate::chunk::CHUNK_BYTES_MAX;
use crate::chunk::format::UNIT_BYTES;
use crate::clock::Entropy;
use crate::error::{EngineError, Result};
use bytes::{Bytes, BytesMut};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Bytes of the salt that a chunk begins with.
pub(super) const SALT: u32 = 32;
pub(super) const SALT_BYTES: usize = SALT as usize;
/// Bytes behind each unit that prove it.
const TAG: u32 = 16;
const TAG_BYTES: usize = TAG as usize;
/// Bytes of a unit, with salt and tag.
pub(super) const STORED_BYTES: usize = UNIT_BYTES as usize;
/// Bytes of salt and content in a unit.
pub(super) const FILLED_BYTES: usize = STORED_BYTES - TAG_BYTES;
/// Units of a chunk.
const UNITS_MAX: u32 = 16;
const _: () = assert!(UNITS_MAX as usize * STORED_BYTES == CHUNK_BYTES_MAX);
const PURPOSE: &[u8] = b"chunk 1";

/// Bytes of content in a sealed chunk of so many bytes; none if there can be no such chunk.
pub(super) const fn content_bytes(stored: u32) -> u32 {
    let units = stored.div_ceil(UNIT_BYTES);
    stored.saturating_sub(SALT).saturating_sub(units * TAG)
}

/// The key of one chunk.
pub(super) struct ChunkKey(LessSafeKey);

impl ChunkKey {
    /// That of the chunk with this salt.
    pub(super) fn new(key: &SealKey, salt: &[u8]) -> Result<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        key.derive(salt, PURPOSE, &mut *bytes)?;
        UnboundKey::new(&AES_256_GCM, &*bytes).map(|key| Self(LessSafeKey::new(key))).map_err(|_| damaged())
    }

    /// Opens one unit, without its salt, behind what `into` has.
    pub(super) fn open(&self, index: u32, last: bool, unit: &[u8], into: &mut BytesMut) -> Result<()> {
        let from = into.len();
        into.extend_from_slice(unit);
        let sealed = into.get_mut(from..).unwrap_or_default();
        let length =
            self.0.open_in_place(nonce(index, last), Aad::empty(), sealed).map_err(|_| damaged())?.len();
        into.truncate(from + length);
        Ok(())
    }
}

fn nonce(index: u32, last: bool) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    let number = index.to_be_bytes();
    bytes.iter_mut().zip(number.into_iter().chain([u8::from(last)])).for_each(|(to, from)| *to = from);
    Nonce::assume_unique_for_key(bytes)
}

/// What does not open: another key, or not what was written.
pub(super) fn damaged() -> EngineError {
    EngineError::corrupt("an encrypted content")
}

/// Seals a stream of content into the bytes of chunks.
pub(crate) struct Sealer {
    key: SealKey,
    entropy: Arc<dyn Entropy>,
    /// Of the chunk that is being filled.
    chunk: Option<ChunkKey>,
    /// The number of the unit that is being filled.
    index: u32,
    /// Its salt, if it has one, and its content.
    unit: BytesMut,
}

impl Sealer {
    /// Seals with keys of `key` and salts of `entropy`.
    pub(crate) fn new(key: SealKey, entropy: Arc<dyn Entropy>) -> Self {
        Self { key, entropy, chunk: None, index: 0, unit: BytesMut::new() }
    }

    /// With whose key.
    pub(crate) const fn key(&self) -> &SealKey {
        &self.key
    }

    /// Takes content, and gives units as they become full. What is full waits for more, for it may be the last.
    ///
    /// # Errors
    /// If there is no randomness.
    pub(crate) fn push(&mut self, mut bytes: &[u8], sealed: &mut Vec<Bytes>) -> Result<()> {
        while !bytes.is_empty() {
            if self.chunk.is_some() && self.unit.len() == FILLED_BYTES {
                sealed.push(self.end_unit(self.index + 1 == UNITS_MAX)?);
            }
            self.begin_unit()?;
            let (now, later) = bytes.split_at(bytes.len().min(FILLED_BYTES - self.unit.len()));
            self.unit.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Gives what is left.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub(crate) fn finish(&mut self) -> Result<Option<Bytes>> {
        if self.chunk.is_none() { Ok(None) } else { self.end_unit(true).map(Some) }
    }

    fn begin_unit(&mut self) -> Result<()> {
        if self.chunk.is_none() {
            let salt = self.entropy.secret()?;
            self.chunk = Some(ChunkKey::new(&self.key, salt.expose())?);
            self.index = 0;
            self.unit.reserve(STORED_BYTES);
            self.unit.extend_from_slice(salt.expose());
        } else if self.unit.is_empty() {
            self.unit.reserve(STORED_BYTES);
        }
        Ok(())
    }

    fn end_unit(&mut self, last: bool) -> Result<Bytes> {
        let salt = if self.index == 0 { SALT_BYTES } else { 0 };
        let content = self.unit.get_mut(salt..).unwrap_or_default();
        let chunk = self.chunk.as_ref().ok_or_else(damaged)?;
        let tag = chunk.0.seal_in_place_separate_tag(nonce(self.index, last), Aad::empty(), content);
        self.unit.extend_from_slice(tag.map_err(|_| damaged())?.as_ref());
        self.index += 1;
        if last {
            self.chunk = None;
        }
        Ok(self.unit.split().freeze())
    }
}

/// Opens content that is kept in a record, where it is one chunk.
///
/// # Errors
/// [`EngineError::Corrupt`] also for another key.
pub(crate) fn open_whole(key: &SealKey, sealed: &[u8]) -> Result<Bytes> {
    let mut content = BytesMut::new();
    if let Some((salt, behind)) = sealed.split_at_checked(SALT_BYTES) {
        ChunkKey::new(key, salt)?.open(0, true, behind, &mut content)?;
    } else if !sealed.is_empty() {
        return Err(damaged());
    }
    Ok(content.freeze())
}
