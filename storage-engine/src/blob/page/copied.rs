//! Pages that a copy writes while it is under way.
//!
//! Nobody else writes the blob meanwhile, and nobody compares its `ETag` until the copy is done, so these verbs make
//! none. Each asks first whether the copy is still the one under way; a write that slips in behind that question lands
//! in a volume that no finished copy will ever be in, because a copy that was broken off is never gone on with in the
//! same volume.
//!
//! [`BlobStore::renew_copied_pages`] is for whoever has all bytes of a source but not what changed in it: it looks at
//! what is there and writes the difference, so that the next snapshot keeps what has not changed in common with the one
//! before.

use super::PAGE;
use crate::blob::record::Form;
use crate::blob::rule::encryption;
use crate::blob::write::copy;
use crate::blob::{BlobAddress, BlobStore, Conditions};
use crate::error::{EngineError, Result};
use crate::page::{Durable, Moment, PAGE_BYTES, PageRange, VolumeId};
use crate::seal::page::PageCipher;
use bytes::Bytes;

impl BlobStore {
    /// Writes whole pages of a copy that is under way, at most [`crate::page::AREA_BYTES`]. Makes no new `ETag`.
    ///
    /// # Errors
    /// [`EngineError::NoCopyPending`], [`EngineError::CopyIdMismatch`]; [`EngineError::BlobKindMismatch`];
    /// [`EngineError::InvalidPageRange`].
    pub async fn write_copied_pages(
        &self,
        at: &BlobAddress,
        id: u128,
        offset: u64,
        parts: Vec<Bytes>,
    ) -> Result<()> {
        let range = PageRange::of_parts(offset, &parts)?;
        let (volume, cipher) = self.destination(at, id, range).await?;
        let parts = match cipher {
            Some(cipher) => vec![cipher.seal(offset, &parts)],
            None => parts,
        };
        self.pages()?.store.write(volume, offset, parts, Durable::Now).await
    }

    /// Makes pages of a copy that is under way invalid: a range of any length.
    ///
    /// # Errors
    /// As [`Self::write_copied_pages`].
    pub async fn clear_copied_pages(&self, at: &BlobAddress, id: u128, range: PageRange) -> Result<()> {
        let (volume, _) = self.destination(at, id, range).await?;
        self.pages()?.store.clear(volume, range, Durable::Now).await
    }

    /// As [`Self::write_copied_pages`], but writes only pages that are there with other bytes, and makes those invalid
    /// that are to be zeros.
    ///
    /// # Errors
    /// As [`Self::write_copied_pages`].
    pub async fn renew_copied_pages(
        &self,
        at: &BlobAddress,
        id: u128,
        offset: u64,
        bytes: Bytes,
    ) -> Result<()> {
        let range = PageRange::of_parts(offset, std::slice::from_ref(&bytes))?;
        let (volume, cipher) = self.destination(at, id, range).await?;
        let store = &self.pages()?.store;
        let present = store.read(volume, Moment::Latest, range).await?;
        let present = cipher.as_ref().map_or_else(|| present.clone(), |cipher| cipher.open(offset, &present));
        for (from, pages, fate) in differences(&bytes, &present) {
            let from = offset + from;
            match fate {
                Fate::Kept => {}
                Fate::Cleared => {
                    let range = PageRange::new(from, pages.len() as u64)?;
                    store.clear(volume, range, Durable::Now).await?;
                }
                Fate::Written => {
                    let sealed =
                        cipher.as_ref().map(|cipher| cipher.seal(from, std::slice::from_ref(&pages)));
                    store.write(volume, from, vec![sealed.unwrap_or(pages)], Durable::Now).await?;
                }
            }
        }
        Ok(())
    }

    /// Where pages of the copy go, if it is still wanted.
    async fn destination(
        &self,
        at: &BlobAddress,
        id: u128,
        range: PageRange,
    ) -> Result<(VolumeId, Option<PageCipher>)> {
        self.pages()?;
        let account = at.account.clone();
        let asking = self.change(at, None, move |transaction, place| {
            let (record, ..) = copy::pending(transaction, place, id)?;
            range.inside(record.properties.length)?;
            let Form::Volume(volume, _) = record.form else { return Err(EngineError::BlobKindMismatch) };
            let key = encryption::key_of(transaction, &account, &record.properties, &Conditions::default())?;
            Ok((volume, key))
        });
        let (volume, key) = asking.await?;
        Ok((volume, key.map(|key| PageCipher::new(&key, volume)).transpose()?))
    }
}

/// What is to become of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Written,
    Cleared,
}

/// Runs of pages that have one fate: where each begins, its new bytes, and the fate.
fn differences(wanted: &Bytes, present: &[u8]) -> Vec<(u64, Bytes, Fate)> {
    let mut runs: Vec<(u64, Bytes, Fate)> = Vec::new();
    let mut at = 0;
    for (page, old) in wanted.chunks(PAGE_BYTES).zip(present.chunks(PAGE_BYTES)) {
        let fate = match page {
            page if page == old => Fate::Kept,
            page if page.iter().all(|byte| *byte == 0) => Fate::Cleared,
            _ => Fate::Written,
        };
        match runs.last_mut() {
            Some((from, run, last)) if *last == fate => {
                let bounds = usize::try_from(*from).ok().zip(usize::try_from(at + PAGE).ok());
                let longer = bounds.and_then(|(from, end)| wanted.get(from..end));
                *run = longer.map_or_else(|| run.clone(), |longer| wanted.slice_ref(longer));
            }
            _ => runs.push((at, wanted.slice_ref(page), fate)),
        }
        at += PAGE;
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_that_differ_are_touched() {
        let page = |byte: u8| vec![byte; PAGE_BYTES];
        let wanted = Bytes::from([page(1), page(2), page(2), page(0), page(0), page(7)].concat());
        let present = [page(1), page(1), page(1), page(5), page(0), page(0)].concat();
        let told: Vec<_> = differences(&wanted, &present)
            .into_iter()
            .map(|(from, pages, fate)| (from / PAGE, pages.len() / PAGE_BYTES, fate))
            .collect();
        let expected = [
            (0, 1, Fate::Kept),
            (1, 2, Fate::Written),
            (3, 1, Fate::Cleared),
            (4, 1, Fate::Kept),
            (5, 1, Fate::Written),
        ];
        assert_eq!(told, expected);
    }
}
