//! Where the records of one blob name are.
//!
//! All of them, in three families, begin with the container's id and the blob's name: that is the scope of
//! every verb on the blob. What follows tells them apart:
//!
//! | record | family | behind the scope |
//! |---|---|---|
//! | the blob itself | `Blob` | state `80` |
//! | mark: blocks are staged | `Blob` | state `C0` |
//! | a page of content | `Content` | content id, first offset of the page, number of the page |
//! | a staged block | `Staged` | block id |
//!
//! States below `80` are for what sorts before the blob in a listing: its snapshots and versions. Staged
//! blocks stand apart so that a listing passes at most two records per name; the mark is among the blobs so
//! that a listing can show a name that has nothing but staged blocks.
//!
//! The number of a page is there because its offset alone does not make it unique: a block may be empty.

use super::BlobAddress;
use crate::catalog::{self, Kind};
use crate::error::{EngineError, Result};
use crate::meta::key::{KeyBuilder, KeyReader};
use crate::meta::{Scope, View};
use crate::name::{BlobName, BlockId};

/// What a record of family `Blob` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The blob as it is now.
    Base,
    /// The mark that blocks are staged.
    Staging,
    /// Something that this build does not list.
    Other,
}

impl State {
    const BASE: u8 = 0x80;
    const STAGING: u8 = 0xC0;

    const fn of(byte: u8) -> Self {
        match byte {
            Self::BASE => Self::Base,
            Self::STAGING => Self::Staging,
            _ => Self::Other,
        }
    }
}

/// A blob name under a container's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The scope of verbs on the blob.
    pub(crate) scope: Scope,
}

impl Place {
    /// The place of `blob` in the container that has this id.
    pub(crate) fn new(container: u64, blob: &BlobName) -> Self {
        Self { scope: Scope(KeyBuilder::new().u64(container).text(blob.as_str()).finish().into()) }
    }

    /// The place with this scope.
    pub(crate) const fn of_scope(scope: Scope) -> Self {
        Self { scope }
    }

    /// Key of the blob.
    pub(crate) fn base(&self) -> Vec<u8> {
        self.behind().u8(State::BASE).finish()
    }

    /// Key of the mark that blocks are staged.
    pub(crate) fn staging(&self) -> Vec<u8> {
        self.behind().u8(State::STAGING).finish()
    }

    /// How keys of this content begin.
    pub(crate) fn content(&self, content: u64) -> Vec<u8> {
        self.behind().u64(content).finish()
    }

    /// Key of the page with this number, whose first byte is at `offset`.
    pub(crate) fn page(&self, content: u64, offset: u64, number: u32) -> Vec<u8> {
        self.behind().u64(content).u64(offset).u32(number).finish()
    }

    /// Key of a staged block.
    pub(crate) fn staged(&self, block: &BlockId) -> Vec<u8> {
        self.behind().raw(block.as_bytes()).finish()
    }

    fn behind(&self) -> KeyBuilder {
        KeyBuilder::behind(&self.scope.0)
    }
}

/// A blob's place, and the catalogue entry that led to it.
#[derive(Debug, Clone)]
pub(super) struct Route {
    container: Scope,
    id: u64,
    /// Where it leads.
    pub(super) place: Place,
}

impl Route {
    /// Finds the container and in it the blob's place, whether or not there is a blob.
    pub(super) fn find(view: &dyn View, at: &BlobAddress) -> Result<Self> {
        let container = catalog::scope(&at.account, Kind::Container, at.container.as_str());
        let id = container_id(view, &container)?;
        Ok(Self { container, id, place: Place::new(id, &at.blob) })
    }

    /// Whether the container is still the one that was found. A verb asks this before it writes: the container
    /// may be gone since, and then it was not there at some moment while the verb waited, which is what the
    /// error says. A container of the same name made anew is another one.
    pub(super) fn check(&self, view: &dyn View) -> Result<()> {
        if container_id(view, &self.container)? == self.id {
            Ok(())
        } else {
            Err(EngineError::ContainerNotFound)
        }
    }
}

fn container_id(view: &dyn View, container: &Scope) -> Result<u64> {
    Ok(catalog::find(view, container)?.ok_or(EngineError::ContainerNotFound)?.id)
}

/// Takes a key of family `Blob` apart: the blob's name, and what the record is.
pub(super) fn decode_blob_key(key: &[u8]) -> Result<(String, State)> {
    let mut pieces = KeyReader::new(key);
    pieces.u64()?;
    let name = pieces.text()?;
    Ok((name, State::of(pieces.u8()?)))
}

/// The first offset of a page, from its key behind the content id.
pub(super) fn decode_page_offset(key: &[u8], content: &[u8]) -> Result<u64> {
    let mut pieces = KeyReader::new(key);
    pieces.skip(content)?;
    pieces.u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(container: u64, name: &str) -> Place {
        Place::new(container, &BlobName::parse(name).unwrap())
    }

    #[test]
    fn a_blob_sorts_before_its_mark_and_both_before_a_longer_name() {
        let keys = [
            place(1, "a").base(),
            place(1, "a").staging(),
            place(1, "a.b").base(),
            place(1, "a/b").base(),
            place(2, "0").base(),
        ];
        assert!(keys.is_sorted());
    }

    #[test]
    fn every_key_of_a_blob_begins_with_its_scope_and_with_no_other_s() {
        let (one, other) = (place(1, "a"), place(1, "ab"));
        let block = BlockId::new(b"b").unwrap();
        for key in [one.base(), one.staging(), one.page(7, 8, 9), one.staged(&block)] {
            assert!(key.starts_with(&one.scope.0));
            assert!(!key.starts_with(&other.scope.0));
        }
    }

    #[test]
    fn keys_come_apart_as_they_were_made() {
        let place = place(3, "dir/\u{10000}");
        assert_eq!(decode_blob_key(&place.base()).unwrap(), ("dir/\u{10000}".to_owned(), State::Base));
        assert_eq!(decode_blob_key(&place.staging()).unwrap().1, State::Staging);
        assert_eq!(decode_page_offset(&place.page(7, 8, 9), &place.content(7)).unwrap(), 8);
        assert!(decode_page_offset(&place.page(7, 8, 9), &place.content(6)).is_err());
    }
}
