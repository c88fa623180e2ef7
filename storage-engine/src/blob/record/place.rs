//! Where the records of one blob name are.
//!
//! All of them, in three families, begin with the container's id and the blob's name: that is the scope of
//! every verb on the blob. What follows tells them apart:
//!
//! | record | family | behind the scope |
//! |---|---|---|
//! | a snapshot or former version | `Blob` | state `40`, its id in ticks, `00` for a snapshot, `01` for a version |
//! | the blob itself | `Blob` | state `80` |
//! | the blob, deleted and kept | `Blob` | state `A0` |
//! | mark: blocks are staged | `Blob` | state `C0` |
//! | owners of a content | `Content` | content id |
//! | owners of a chunk, if several contents name it | `Content` | 0, place of the chunk |
//! | a volume | `Volume` | its id |
//! | a page of content | `Content` | content id, first offset of the page, number of the page |
//! | a staged block | `Staged` | block id |
//!
//! So a listing meets a name's past states first, oldest first, and then the blob, as the protocol wants it. Whether a
//! past state is a snapshot or a version is in its key: a snapshot taken while versioning is on is made in the same
//! verb as a version, so both may have one time, and each is found by one read. Staged blocks stand apart so that a
//! listing passes at most two records per name; the mark is among the blobs so that a listing can show a name that has
//! nothing but staged blocks.
//!
//! The number of a page is there because its offset alone does not make it unique: a block may be empty.

use crate::blob::BlobAddress;
use crate::catalog::{self, Key, Kind};
use crate::chunk::ChunkRef;
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::meta::key::{KeyBuilder, KeyReader};
use crate::meta::{Scope, View};
use crate::name::{AccountName, BlobName, BlockId, ContainerName};
use crate::page::VolumeId;

/// What a record of family `Blob` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// A snapshot, by its id.
    Snapshot(Timestamp),
    /// A former version, by its id.
    Version(Timestamp),
    /// The blob as it is now.
    Base,
    /// The blob, deleted and kept for a while.
    Deleted,
    /// The mark that blocks are staged.
    Staging,
}

impl State {
    const PAST: u8 = 0x40;
    const BASE: u8 = 0x80;
    const DELETED: u8 = 0xA0;
    const STAGING: u8 = 0xC0;
    const SNAPSHOT: u8 = 0;
    const VERSION: u8 = 1;

    fn append(self, key: KeyBuilder) -> KeyBuilder {
        let past = |id: Timestamp, kind| KeyBuilder::new().u8(Self::PAST).u64(id.ticks()).u8(kind).finish();
        match self {
            Self::Snapshot(id) => key.raw(&past(id, Self::SNAPSHOT)),
            Self::Version(id) => key.raw(&past(id, Self::VERSION)),
            Self::Base => key.u8(Self::BASE),
            Self::Deleted => key.u8(Self::DELETED),
            Self::Staging => key.u8(Self::STAGING),
        }
    }

    fn read(pieces: &mut KeyReader<'_>) -> Result<Self> {
        let damaged = || EngineError::corrupt("the key of a blob");
        Ok(match pieces.u8()? {
            Self::PAST => {
                let id = Timestamp::from_ticks(pieces.u64()?);
                match pieces.u8()? {
                    Self::SNAPSHOT => Self::Snapshot(id),
                    Self::VERSION => Self::Version(id),
                    _ => return Err(damaged()),
                }
            }
            Self::BASE => Self::Base,
            Self::DELETED => Self::Deleted,
            Self::STAGING => Self::Staging,
            _ => return Err(damaged()),
        })
    }
}

/// A blob name under a container's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The scope of verbs on the blob.
    pub(crate) scope: Scope,
    /// The container's key in the catalogue.
    pub(crate) container: Key,
}

impl Place {
    /// The place of `blob` in the container that has this key and id.
    pub(crate) fn new(container: &Key, id: u64, blob: &BlobName) -> Self {
        let scope = Scope(KeyBuilder::new().u64(id).text(blob.as_str()).finish().into());
        Self { scope, container: container.clone() }
    }

    /// The place with this scope, in the container of this key.
    pub(crate) const fn of_scope(container: Key, scope: Scope) -> Self {
        Self { scope, container }
    }

    /// Key of a state of the blob.
    pub(crate) fn state(&self, state: State) -> Vec<u8> {
        state.append(self.behind()).finish()
    }

    /// Key before all past states of the blob.
    pub(crate) fn past(&self) -> Vec<u8> {
        self.behind().u8(State::PAST).finish()
    }

    /// Key of a volume.
    pub(crate) fn volume(&self, volume: VolumeId) -> Vec<u8> {
        self.behind().u128(volume.0).finish()
    }

    /// Key of what says how many contents name a chunk.
    pub(crate) fn chunk(&self, chunk: ChunkRef) -> Vec<u8> {
        self.behind().u64(0).u64(chunk.segment).u64(chunk.offset).finish()
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
pub(in crate::blob) struct Route {
    container: Key,
    id: u64,
    /// Where it leads.
    pub(in crate::blob) place: Place,
}

impl Route {
    /// Finds the container and in it the blob's place, whether or not there is a blob.
    pub(in crate::blob) fn find(view: &dyn View, at: &BlobAddress) -> Result<Self> {
        let container = container_key(&at.account, &at.container);
        let id = container_id(view, &container)?;
        let place = Place::new(&container, id, &at.blob);
        Ok(Self { container, id, place })
    }

    /// Whether the container is still the one that was found. A verb asks this before it writes: the container
    /// may be gone since, and then it was not there at some moment while the verb waited, which is what the
    /// error says. A container of the same name made anew is another one.
    pub(in crate::blob) fn check(&self, view: &dyn View) -> Result<()> {
        if container_id(view, &self.container)? == self.id {
            Ok(())
        } else {
            Err(EngineError::ContainerNotFound)
        }
    }
}

/// Key of a container in the catalogue.
pub(in crate::blob) fn container_key(account: &AccountName, name: &ContainerName) -> Key {
    catalog::key(account, Kind::Container, name.as_str())
}

/// The id of the container of this key.
pub(in crate::blob) fn container_id(view: &dyn View, container: &Key) -> Result<u64> {
    Ok(catalog::find(view, container)?.ok_or(EngineError::ContainerNotFound)?.id)
}

/// Takes a key of family `Blob` apart: the blob's name, and what the record is.
pub(in crate::blob) fn decode_blob_key(key: &[u8]) -> Result<(String, State)> {
    let mut pieces = KeyReader::new(key);
    pieces.u64()?;
    let name = pieces.text()?;
    let state = State::read(&mut pieces)?;
    pieces.finish()?;
    Ok((name, state))
}

/// The scope of a key of family `Blob`, and what the record is.
pub(in crate::blob) fn split_blob_key(key: &[u8]) -> Result<(Scope, State)> {
    let mut pieces = KeyReader::new(key);
    pieces.u64()?;
    pieces.bytes()?;
    let scope = key.strip_suffix(pieces.rest()).unwrap_or_default();
    let state = State::read(&mut pieces)?;
    pieces.finish()?;
    Ok((Scope(scope.to_vec().into()), state))
}

/// Key behind which there is no past state of the blob whose keys begin so.
pub(in crate::blob) fn newest_past_key(scope: &[u8]) -> Vec<u8> {
    State::Version(Timestamp::MAX).append(KeyBuilder::behind(scope)).finish()
}

/// Key of the blob whose keys begin so.
pub(in crate::blob) fn base_key(scope: &[u8]) -> Vec<u8> {
    State::Base.append(KeyBuilder::behind(scope)).finish()
}

/// The first offset of a page, from its key behind the content id.
pub(in crate::blob) fn decode_page_offset(key: &[u8], content: &[u8]) -> Result<u64> {
    let mut pieces = KeyReader::new(key);
    pieces.skip(content)?;
    pieces.u64()
}

/// The number of a page, from its key.
pub(in crate::blob) fn decode_page_number(key: &[u8]) -> Option<u32> {
    key.last_chunk().map(|number| u32::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(container: u64, name: &str) -> Place {
        Place::new(&Key("account\0\u{1}container\0".into()), container, &BlobName::parse(name).unwrap())
    }

    #[test]
    fn past_states_sort_before_the_blob_and_all_before_a_longer_name() {
        let (old, new) = (Timestamp::from_ticks(9), Timestamp::from_ticks(1 << 60));
        let keys = [
            place(1, "a").state(State::Version(old)),
            place(1, "a").state(State::Snapshot(new)),
            place(1, "a").state(State::Version(new)),
            place(1, "a").state(State::Base),
            place(1, "a").state(State::Deleted),
            place(1, "a").state(State::Staging),
            place(1, "a.b").state(State::Snapshot(old)),
            place(1, "a/b").state(State::Base),
            place(2, "0").state(State::Base),
        ];
        assert!(keys.is_sorted());
    }

    #[test]
    fn every_key_of_a_blob_begins_with_its_scope_and_with_no_other_s() {
        let (one, other) = (place(1, "a"), place(1, "ab"));
        let block = BlockId::new(b"b").unwrap();
        let chunk = ChunkRef { segment: 1, offset: 2, len: 3 };
        let states = [State::Base, State::Staging, State::Version(Timestamp::MAX)];
        let states = states.map(|state| one.state(state)).into_iter();
        let others = [one.page(7, 8, 9), one.staged(&block), one.chunk(chunk), one.volume(VolumeId(1))];
        for key in states.chain(others) {
            assert!(key.starts_with(&one.scope.0));
            assert!(!key.starts_with(&other.scope.0));
        }
    }

    #[test]
    fn keys_come_apart_as_they_were_made() {
        let place = place(3, "dir/\u{10000}");
        let id = Timestamp::from_ticks(77);
        for state in [State::Snapshot(id), State::Version(id), State::Base, State::Deleted, State::Staging] {
            let key = place.state(state);
            assert_eq!(decode_blob_key(&key).unwrap(), ("dir/\u{10000}".to_owned(), state));
            assert_eq!(split_blob_key(&key).unwrap(), (place.scope.clone(), state));
        }
        assert_eq!(decode_page_number(&place.page(7, 8, 9)), Some(9));
        assert_eq!(decode_page_offset(&place.page(7, 8, 9), &place.content(7)).unwrap(), 8);
        assert!(decode_page_offset(&place.page(7, 8, 9), &place.content(6)).is_err());
    }
}
