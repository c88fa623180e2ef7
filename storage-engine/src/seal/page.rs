//! Sealed pages. The head of [`crate::seal`] argues why XTS.

use super::SealKey;
use crate::error::Result;
use crate::page::{PAGE_BYTES, VolumeId};
use aes::Aes256;
use aes::cipher::KeyInit;
use bytes::{Bytes, BytesMut};
use std::fmt;
use xts_mode::{Xts128, get_tweak_default};
use zeroize::Zeroizing;

const PURPOSE: &[u8] = b"pages 1";

/// Encrypts and decrypts the pages of one volume.
pub(crate) struct PageCipher(Box<Xts128<Aes256>>);

impl fmt::Debug for PageCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageCipher")
    }
}

impl PageCipher {
    /// That of this volume.
    pub(crate) fn new(key: &SealKey, volume: VolumeId) -> Result<Self> {
        let mut bytes = Zeroizing::new([0; 64]);
        key.derive(&volume.0.to_be_bytes(), PURPOSE, &mut *bytes)?;
        let (data, tweak) = bytes.split_at(32);
        let cipher = |key| Aes256::new_from_slice(key).map_err(|_| super::unit::damaged());
        Ok(Self(Box::new(Xts128::new(cipher(data)?, cipher(tweak)?))))
    }

    /// Encrypts whole pages, of which the first begins at `offset` in the volume.
    pub(crate) fn seal(&self, offset: u64, parts: &[Bytes]) -> Bytes {
        let mut pages = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
        for part in parts {
            pages.extend_from_slice(part);
        }
        for (page, number) in pages.chunks_exact_mut(PAGE_BYTES).zip(first_page(offset)..) {
            self.0.encrypt_sector(page, get_tweak_default(number));
        }
        pages.freeze()
    }

    /// Decrypts whole pages; those that were never written stay zeros.
    pub(crate) fn open(&self, offset: u64, pages: &[u8]) -> Bytes {
        let mut pages = BytesMut::from(pages);
        for (page, number) in pages.chunks_exact_mut(PAGE_BYTES).zip(first_page(offset)..) {
            if page.iter().any(|byte| *byte != 0) {
                self.0.decrypt_sector(page, get_tweak_default(number));
            }
        }
        pages.freeze()
    }
}

fn first_page(offset: u64) -> u128 {
    u128::from(offset / PAGE_BYTES as u64)
}
