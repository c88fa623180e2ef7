//! Blobs against a model: whatever is done in whatever order, they hold what plain maps would, and every chunk
//! is named by a record or given back.

use crate::blob::fixture::{Fixture, block_id, read_all};
use crate::blob::{
    BlobEntry, BlockChoice, ByteRange, Conditions, DeleteSnapshots, Include, ListBlobs, NewBlob, Protection,
    Stamp, Which,
};
use crate::error::EngineError;
use crate::meta::Family;
use futures_executor::block_on;
use proptest::prelude::*;
use std::collections::BTreeMap;

const NAMES: [&str; 5] = ["a", "a/b", "a0", "\u{10000}", "\u{e000}"];
const BLOCKS: [&str; 4] = ["a", "b", "c", "long"];

type Bytes = Vec<u8>;

#[derive(Debug, Clone)]
enum Act {
    Put { name: &'static str, bytes: Bytes, inline: bool },
    Stage { name: &'static str, block: &'static str, bytes: Bytes },
    Commit { name: &'static str, blocks: Vec<(u8, &'static str)> },
    SetMetadata { name: &'static str },
    Delete { name: &'static str },
    DeleteContainer,
    Sweep,
}

fn acts() -> impl Strategy<Value = Act> {
    let name = || proptest::sample::select(NAMES.to_vec());
    let block = || proptest::sample::select(BLOCKS.to_vec());
    let bytes = || proptest::collection::vec(any::<u8>(), 0..10);
    let blocks = proptest::collection::vec((0_u8..3, block()), 0..4);
    prop_oneof![
        4 => (name(), bytes(), any::<bool>()).prop_map(|(name, bytes, inline)| Act::Put { name, bytes, inline }),
        8 => (name(), block(), bytes()).prop_map(|(name, block, bytes)| Act::Stage { name, block, bytes }),
        6 => (name(), blocks).prop_map(|(name, blocks)| Act::Commit { name, blocks }),
        1 => name().prop_map(|name| Act::SetMetadata { name }),
        2 => name().prop_map(|name| Act::Delete { name }),
        1 => Just(Act::DeleteContainer),
        1 => Just(Act::Sweep),
    ]
}

#[derive(Debug, Default)]
struct Blob {
    bytes: Bytes,
    blocks: Vec<(&'static str, Bytes)>,
}

/// What a container holds, by name in the order of UTF-16.
#[derive(Debug, Default)]
struct Model {
    blobs: BTreeMap<&'static str, Blob>,
    staged: BTreeMap<&'static str, BTreeMap<&'static str, Bytes>>,
}

impl Model {
    fn stage(&mut self, name: &'static str, block: &'static str, bytes: Bytes) -> Result<(), &'static str> {
        let staged = self.staged.get(name).and_then(|staged| staged.keys().next());
        let committed = self.blobs.get(name).and_then(|blob| blob.blocks.first()).map(|(id, _)| id);
        if staged.or(committed).is_some_and(|id| id.len() != block.len()) {
            return Err("length");
        }
        self.staged.entry(name).or_default().insert(block, bytes);
        Ok(())
    }

    fn commit(&mut self, name: &'static str, blocks: &[(u8, &'static str)]) -> Result<(), &'static str> {
        let find_staged = |id| self.staged.get(name).and_then(|staged| staged.get(id)).cloned();
        let find_committed = |id| {
            let blocks = self.blobs.get(name).map(|blob| &blob.blocks)?;
            blocks.iter().rfind(|(other, _)| *other == id).map(|(_, bytes)| bytes.clone())
        };
        let mut found = Vec::new();
        for (choice, id) in blocks {
            let bytes = match choice {
                0 => find_committed(*id),
                1 => find_staged(*id),
                _ => find_staged(*id).or_else(|| find_committed(*id)),
            };
            found.push((*id, bytes.ok_or("missing")?));
        }
        let bytes = found.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        self.blobs.insert(name, Blob { bytes, blocks: found });
        self.staged.remove(name);
        Ok(())
    }

    fn delete(&mut self, name: &'static str) -> Result<(), &'static str> {
        self.blobs.remove(name).ok_or("no blob")?;
        self.staged.remove(name);
        Ok(())
    }

    fn names(&self, uncommitted: bool) -> Vec<(&'static str, bool)> {
        let mut names: Vec<_> = self.blobs.keys().map(|name| (*name, true)).collect();
        let only_staged = self.staged.keys().filter(|name| uncommitted && !self.blobs.contains_key(*name));
        names.extend(only_staged.map(|name| (*name, false)));
        names.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
        names
    }
}

fn told<T>(outcome: Result<T, EngineError>) -> Result<(), &'static str> {
    match outcome {
        Ok(_) => Ok(()),
        Err(EngineError::BlockIdLength) => Err("length"),
        Err(EngineError::BlockMissing) => Err("missing"),
        Err(EngineError::BlobNotFound) => Err("no blob"),
        Err(other) => panic!("{other}"),
    }
}

fn commit(store: &Fixture, name: &str, blocks: &[(u8, &str)]) -> Result<Stamp, EngineError> {
    let blocks = blocks.iter().map(|(choice, id)| match choice {
        0 => BlockChoice::Committed(block_id(id)),
        1 => BlockChoice::Uncommitted(block_id(id)),
        _ => BlockChoice::Latest(block_id(id)),
    });
    let blobs = &store.blobs;
    block_on(blobs.commit_block_list(
        &store.at(name),
        blocks.collect(),
        NewBlob::default(),
        Conditions::default(),
        Protection::default(),
    ))
}

fn act(store: &Fixture, model: &mut Model, act: Act) {
    let expected_and_told = match act {
        Act::Put { name, bytes, inline } => {
            let content = if inline { store.inline(&bytes) } else { store.chunked(&bytes, 4) };
            let outcome = told(store.put(name, content));
            model.staged.remove(name);
            model.blobs.insert(name, Blob { bytes, blocks: Vec::new() });
            (Ok(()), outcome)
        }
        Act::Stage { name, block, bytes } => {
            let outcome = told(store.stage(name, block, &bytes));
            (model.stage(name, block, bytes), outcome)
        }
        Act::Commit { name, blocks } => {
            let outcome = told(commit(store, name, &blocks));
            (model.commit(name, &blocks), outcome)
        }
        Act::SetMetadata { name } => {
            let metadata = vec![("name".to_owned(), name.to_owned())];
            let set = block_on(store.blobs.set_metadata(
                &store.at(name),
                metadata,
                Conditions::default(),
                Protection::default(),
            ));
            (model.blobs.get(name).map(|_| ()).ok_or("no blob"), told(set))
        }
        Act::Delete { name } => {
            let deleted = block_on(store.blobs.delete(
                &store.at(name),
                DeleteSnapshots::Refuse,
                Conditions::default(),
                Protection::default(),
            ));
            (model.delete(name), told(deleted))
        }
        Act::DeleteContainer => {
            store.delete_container();
            store.create_container();
            *model = Model::default();
            (Ok(()), Ok(()))
        }
        Act::Sweep => {
            store.sweep();
            (Ok(()), Ok(()))
        }
    };
    assert_eq!(expected_and_told.0, expected_and_told.1);
}

fn check_blob(store: &Fixture, model: &Model, name: &'static str, first: u64, last: u64) {
    let Some(blob) = model.blobs.get(name) else {
        assert!(matches!(store.read(name), Err(EngineError::BlobNotFound)));
        return;
    };
    assert_eq!(store.read(name).unwrap(), blob.bytes);
    let length = u64::try_from(blob.bytes.len()).unwrap();
    let read = store.open(name, Some(ByteRange { first, last: Some(last.max(first)) }));
    if first >= length {
        assert!(matches!(read, Err(EngineError::RangeNotSatisfiable { length: told }) if told == length));
    } else {
        let cut = usize::try_from(first).unwrap()..=usize::try_from(last.clamp(first, length - 1)).unwrap();
        assert_eq!(read_all(read.unwrap()).unwrap(), blob.bytes[cut]);
    }
}

fn check_blocks(store: &Fixture, model: &Model, name: &'static str) {
    let list = block_on(store.blobs.block_list(&store.at(name), Which::Base, Conditions::default()));
    let (blob, staged) = (model.blobs.get(name), model.staged.get(name));
    if blob.is_none() && staged.is_none() {
        assert!(matches!(list, Err(EngineError::BlobNotFound)));
        return;
    }
    let list = list.unwrap();
    let told = |blocks: Vec<crate::blob::Block>| -> Vec<_> {
        blocks.into_iter().map(|block| (block.id, usize::try_from(block.length).unwrap())).collect()
    };
    let committed = blob.map(|blob| blob.blocks.clone()).unwrap_or_default();
    let committed: Vec<_> = committed.iter().map(|(id, bytes)| (block_id(id), bytes.len())).collect();
    let staged: Vec<_> =
        staged.into_iter().flatten().map(|(id, bytes)| (block_id(id), bytes.len())).collect();
    assert_eq!(told(list.committed), committed);
    assert_eq!(told(list.staged), staged);
    assert_eq!(
        list.blob.map(|(_, length)| length),
        blob.map(|blob| u64::try_from(blob.bytes.len()).unwrap())
    );
}

fn check_listing(store: &Fixture, model: &Model, limit: usize, uncommitted: bool) {
    let include = Include { uncommitted, ..Include::default() };
    let mut names = Vec::new();
    let mut after = None;
    loop {
        let list = ListBlobs { after: after.clone(), limit, include, ..ListBlobs::default() };
        let page = block_on(store.blobs.list(&store.account, &store.container, list)).unwrap();
        assert!(page.entries.len() <= limit);
        names.extend(page.entries.into_iter().map(|entry| match entry {
            BlobEntry::Blob(name, _) => (name.as_str().to_owned(), true),
            BlobEntry::Uncommitted(name) => (name.as_str().to_owned(), false),
            BlobEntry::VersionsOnly(name, _) => panic!("{name} has versions"),
            BlobEntry::Prefix(prefix) => panic!("{prefix} without a delimiter"),
        }));
        assert!(page.next.is_none() || page.next > after, "a page ends behind its beginning");
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let expected: Vec<_> =
        model.names(uncommitted).into_iter().map(|(name, blob)| (name.to_owned(), blob)).collect();
    assert_eq!(names, expected);
}

proptest! {
    #[test]
    fn blobs_hold_what_a_model_holds_and_no_chunk_leaks(
        sequence in proptest::collection::vec((acts(), 0_u64..12, 0_u64..12), 1..40),
        limit in 1_usize..4,
        uncommitted: bool,
    ) {
        let store = Fixture::new();
        let mut model = Model::default();
        for (step, first, last) in sequence {
            act(&store, &mut model, step);
            store.check_chunks();
            for name in NAMES {
                check_blob(&store, &model, name, first, last);
                check_blocks(&store, &model, name);
            }
        }
        check_listing(&store, &model, limit, uncommitted);
        store.delete_container();
        store.sweep();
        store.check_chunks();
        for family in [Family::Catalog, Family::Blob, Family::Content, Family::Staged, Family::Chunk] {
            prop_assert_eq!(store.records(family), 0, "{:?}", family);
        }
        prop_assert_eq!(store.chunks.alive().len(), 0);
    }
}
