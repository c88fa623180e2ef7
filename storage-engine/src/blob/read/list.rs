//! Listing the blobs of a container.
//!
//! A listing walks the records of family `Blob` only. Names with a common beginning are passed with one seek,
//! so the top of a tree of a million blobs costs as many steps as it has entries. Where a page ends is told by
//! the key at which the next entry begins, behind the container's id: any bytes at all are a position in this
//! container's keys, so a forged one leads nowhere else. A page may end between two states of one name; the next
//! one then looks again at what it passes over of the name.

use crate::blob::record::place::{self, State};
use crate::blob::record::{BlobRecord, StagingRecord};
use crate::blob::{BlobEntry, BlobProperties, BlobStore, ListBlobs, Page};
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::meta::key::{KeyBuilder, KeyReader, successor};
use crate::meta::{self, Family, Step, View, Weight};
use crate::name::{AccountName, BlobName, ContainerName};

/// Bytes of records after which a page ends: five thousand blobs with all the metadata there may be would be many
/// times that.
const PAGE_BYTES_MAX: usize = 8 << 20;

/// Records that a page passes at most, shown or not: so many deleted snapshots cannot make a page slow. The page
/// is then short, or even empty, and says where to go on.
const RECORDS_PASSED_MAX: usize = 50_000;

impl BlobStore {
    /// Blobs of a container, by name, past states of each before it, oldest first. *List Blobs*.
    ///
    /// A page may be short, or even empty, and still have a [`Page::next`].
    pub async fn list(
        &self,
        account: &AccountName,
        container: &ContainerName,
        list: ListBlobs,
    ) -> Result<Page<BlobEntry>> {
        let container = place::container_key(account, container);
        let now = self.clock.now();
        meta::read(self.meta.as_ref(), Weight::Scan, move |view| {
            Walk::new(place::container_id(view, &container)?, &list, now).page(view)
        })
        .await
    }
}

/// A walk over a container's blobs that gathers one page.
struct Walk<'a> {
    list: &'a ListBlobs,
    now: Timestamp,
    /// How the keys of the container begin.
    container: Vec<u8>,
    /// The name that is being passed: how its keys begin, and what was met of it.
    name_key: Vec<u8>,
    name: String,
    /// Whether the blob itself is there, whether or not it is shown.
    has_base: bool,
    /// Whether it has former versions, be it such that are deleted and can be restored.
    has_versions: bool,
    records_passed: usize,
    /// Bytes of the records in the page.
    bytes: usize,
    page: Page<BlobEntry>,
}

/// Stands behind all records of a name in a token: the entry that says that a name has only versions is to come. No key
/// has this state.
const VERSIONS_ONLY: u8 = 0xF0;

impl<'a> Walk<'a> {
    fn new(container: u64, list: &'a ListBlobs, now: Timestamp) -> Self {
        Self {
            list,
            now,
            container: KeyBuilder::new().u64(container).finish(),
            name_key: Vec::new(),
            name: String::new(),
            has_base: false,
            has_versions: false,
            records_passed: 0,
            bytes: 0,
            page: Page { entries: Vec::new(), next: None },
        }
    }

    fn page(mut self, view: &dyn View) -> Result<Page<BlobEntry>> {
        let first = self.key_of_texts(&self.list.prefix).max(self.key_of_texts(&self.list.start_from));
        let mut end = successor(&self.key_of_texts(&self.list.prefix));
        if !self.list.end_before.is_empty() {
            let before = self.key_of_texts(&self.list.end_before);
            end = Some(end.map_or(before.clone(), |end| end.min(before)));
        }
        let after = self.list.after.as_deref().unwrap_or_default();
        let from = KeyBuilder::behind(&self.container).raw(after).finish().max(first);
        if end.as_ref().is_none_or(|end| from < *end) {
            self.resume(view, &from)?;
            view.scan(Family::Blob, &from, end.as_deref(), &mut |key, value| self.visit(view, key, value))?;
            if self.page.next.is_none() {
                self.leave_name(view)?;
            }
        }
        Ok(self.page)
    }

    /// Takes up a name in the middle of which, or behind whose blob, the page before has ended.
    fn resume(&mut self, view: &dyn View, from: &[u8]) -> Result<()> {
        let mut pieces = KeyReader::new(from);
        let Ok(name) = pieces.u64().and_then(|_| pieces.text()) else { return Ok(()) };
        let name_key = from.strip_suffix(pieces.rest()).unwrap_or_default().to_vec();
        let (base, now) = (place::base_key(&name_key), self.now);
        if base.as_slice() < from
            && let Some(value) = view.get(Family::Blob, &base)?
        {
            self.has_base = BlobRecord::decode(&value)?.properties.is_live(now);
        }
        // A name may have a million past states, and a page of them must not cost what all pages before it did.
        if self.list.include.deleted_with_versions {
            view.scan(Family::Blob, &name_key, Some(from.min(&base)), &mut |key, value| {
                let is_version = matches!(place::decode_blob_key(key)?, (_, State::Version(_)));
                self.has_versions = is_version && BlobRecord::decode(value)?.properties.exists(now);
                Ok(if self.has_versions { Step::Stop } else { Step::Next })
            })?;
        }
        (self.name_key, self.name) = (name_key, name);
        Ok(())
    }

    fn visit(&mut self, view: &dyn View, key: &[u8], value: &[u8]) -> Result<Step> {
        let (name, state) = place::decode_blob_key(key)?;
        if self.name_key.is_empty() || self.name != name {
            if !self.leave_name(view)? {
                return Ok(Step::Stop);
            }
            self.name_key = KeyBuilder::behind(&self.container).text(&name).finish();
            self.name = name;
            (self.has_base, self.has_versions) = (false, false);
        }
        if self.records_passed >= RECORDS_PASSED_MAX {
            return Ok(self.end_before(key));
        }
        self.records_passed += 1;
        let Some(entry) = self.entry(state, value)? else { return Ok(self.behind(state, key)) };
        if let Some(common) = self.common().map(ToOwned::to_owned) {
            return Ok(self.add_prefix(common));
        }
        if self.is_full() {
            return Ok(self.end_before(key));
        }
        self.bytes += value.len();
        self.page.entries.push(entry);
        Ok(Step::Next)
    }

    /// What a record is in this listing, if anything, and what it says of its name.
    fn entry(&mut self, state: State, value: &[u8]) -> Result<Option<BlobEntry>> {
        let include = self.list.include;
        let asked = match state {
            State::Snapshot(_) => include.snapshots,
            State::Version(_) => include.versions || (include.deleted_with_versions && !self.has_versions),
            State::Base => true,
            State::Deleted => include.deleted || self.list.only_deleted,
            State::Staging => {
                let asked = include.uncommitted && !self.has_base && !self.list.only_deleted;
                let shown = asked && self.now < StagingRecord::decode(value)?.ends();
                return if shown { Ok(Some(BlobEntry::Uncommitted(self.blob_name()?))) } else { Ok(None) };
            }
        };
        if !asked {
            return Ok(None);
        }
        let mut properties = BlobRecord::decode(value)?.properties.as_of(self.now);
        let deleted = properties.deletion.is_some();
        if !properties.exists(self.now) {
            return Ok(None);
        }
        self.has_base |= state == State::Base;
        self.has_versions |= matches!(state, State::Version(_));
        let wanted =
            if deleted { include.deleted || self.list.only_deleted } else { !self.list.only_deleted };
        if !wanted || (matches!(state, State::Version(_)) && !include.versions) {
            return Ok(None);
        }
        properties.current = state == State::Base;
        Ok(Some(BlobEntry::Blob(self.blob_name()?, Box::new(properties))))
    }

    /// Where to go on behind a record that is not shown: past states that nobody asked for are passed at once.
    fn behind(&self, state: State, key: &[u8]) -> Step {
        let include = self.list.include;
        let more =
            include.snapshots || include.versions || (include.deleted_with_versions && !self.has_versions);
        match state {
            State::Snapshot(_) | State::Version(_) if !more => Self::to_base(&self.name_key, key),
            _ => Step::Next,
        }
    }

    fn to_base(name_key: &[u8], key: &[u8]) -> Step {
        let base = place::base_key(name_key);
        if base.as_slice() > key { Step::Seek(base) } else { Step::Next }
    }

    /// Adds what is to be said of a name when all its records are passed. `false`: the page is full.
    fn leave_name(&mut self, view: &dyn View) -> Result<bool> {
        let shown = self.list.include.deleted_with_versions && self.has_versions && !self.has_base;
        if !shown {
            return Ok(true);
        }
        let entry = match self.common() {
            Some(common) => BlobEntry::Prefix(common.to_owned()),
            None => BlobEntry::VersionsOnly(self.blob_name()?, Box::new(self.newest_version(view)?)),
        };
        if self.page.entries.last() == Some(&entry) {
            return Ok(true);
        }
        if self.is_full() {
            let key = KeyBuilder::behind(&self.name_key).u8(VERSIONS_ONLY).finish();
            self.end_before(&key);
            return Ok(false);
        }
        self.page.entries.push(entry);
        Ok(true)
    }

    /// What the newest former version of the name shows, as the blob showed it. Looked for from its end, because the
    /// walk stops at the first version that it meets: the name may have thousands.
    fn newest_version(&self, view: &dyn View) -> Result<BlobProperties> {
        let mut at = place::newest_past_key(&self.name_key);
        while let Some((key, value)) = view.last_at_or_before(Family::Blob, &self.name_key, &at)? {
            if let (_, State::Version(_)) = place::decode_blob_key(&key)? {
                let properties = BlobRecord::decode(&value)?.properties;
                if properties.exists(self.now) {
                    let properties = properties.as_of(self.now);
                    return Ok(BlobProperties { current: true, deletion: None, ..properties });
                }
            }
            // Without the last byte it is behind all states that are older, and before those of its time.
            at = key.to_vec();
            at.pop();
        }
        Err(EngineError::corrupt("the versions of a blob"))
    }

    /// What the name has in common with others of its group, if the delimiter makes it one of a group.
    fn common(&self) -> Option<&str> {
        let delimiter = self.list.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty())?;
        let (before, _) = self.name.strip_prefix(self.list.prefix.as_str())?.split_once(delimiter)?;
        self.name.get(..self.list.prefix.len() + before.len() + delimiter.len())
    }

    fn add_prefix(&mut self, common: String) -> Step {
        let group = self.key_of_texts(&common);
        let entry = BlobEntry::Prefix(common);
        if self.page.entries.last() != Some(&entry) {
            if self.is_full() {
                return self.end_before(&group);
            }
            self.page.entries.push(entry);
        }
        // The name is passed with its group.
        self.name_key.clear();
        (self.has_base, self.has_versions) = (false, false);
        successor(&group).map_or(Step::Stop, Step::Seek)
    }

    fn blob_name(&self) -> Result<BlobName> {
        BlobName::parse(&self.name).map_err(|_| EngineError::corrupt("the name of a blob"))
    }

    fn is_full(&self) -> bool {
        self.page.entries.len() >= self.list.limit || self.bytes >= PAGE_BYTES_MAX
    }

    /// Ends the page; the next one begins at `key`.
    fn end_before(&mut self, key: &[u8]) -> Step {
        self.page.next = Some(key.strip_prefix(self.container.as_slice()).unwrap_or_default().to_vec());
        Step::Stop
    }

    /// How keys of names that begin with `text` begin.
    fn key_of_texts(&self, text: &str) -> Vec<u8> {
        KeyBuilder::behind(&self.container).text_start(text).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::Include;
    use crate::blob::fixture::Fixture;
    use crate::clock::Clock;
    use bytes::Bytes;
    use futures_executor::block_on;
    use proptest::prelude::*;
    use std::cell::Cell;
    use std::collections::BTreeMap;

    #[derive(Debug, Clone, PartialEq, Eq)]
    enum Shown {
        Blob(String),
        Uncommitted(String),
        Prefix(String),
    }

    fn shown(entry: BlobEntry) -> Shown {
        match entry {
            BlobEntry::Blob(name, _) => Shown::Blob(name.as_str().to_owned()),
            BlobEntry::Uncommitted(name) => Shown::Uncommitted(name.as_str().to_owned()),
            BlobEntry::Prefix(prefix) => Shown::Prefix(prefix),
            BlobEntry::VersionsOnly(name, _) => panic!("{name} has versions"),
        }
    }

    fn pages(store: &Fixture, list: &ListBlobs) -> Vec<Vec<Shown>> {
        let mut pages = Vec::new();
        let mut list = list.clone();
        loop {
            let page = block_on(store.blobs.list(&store.account, &store.container, list.clone())).unwrap();
            pages.push(page.entries.into_iter().map(shown).collect());
            assert!(page.next.is_none() || page.next > list.after, "a page ends behind its beginning");
            list.after = page.next;
            if list.after.is_none() {
                return pages;
            }
        }
    }

    fn texts(length: std::ops::Range<usize>) -> impl Strategy<Value = String> {
        let characters = proptest::sample::select(vec!['a', 'b', '/', '\u{e000}', '\u{10000}']);
        proptest::collection::vec(characters, length).prop_map(|text| text.into_iter().collect())
    }

    /// What a listing of these names, each with whether it is a blob or only has staged blocks, shows.
    fn expected(names: &BTreeMap<String, bool>, list: &ListBlobs) -> Vec<Shown> {
        let mut names: Vec<_> = names.iter().collect();
        names.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
        let mut all = Vec::new();
        for (name, is_blob) in names {
            let Some(rest) = name.strip_prefix(&list.prefix).filter(|_| *is_blob || list.include.uncommitted)
            else {
                continue;
            };
            all.push(
                match list.delimiter.as_ref().and_then(|delimiter| Some((rest.find(delimiter)?, delimiter))) {
                    Some((at, delimiter)) => {
                        Shown::Prefix(name[..list.prefix.len() + at + delimiter.len()].to_owned())
                    }
                    None if *is_blob => Shown::Blob(name.clone()),
                    None => Shown::Uncommitted(name.clone()),
                },
            );
        }
        all.dedup();
        all
    }

    proptest! {
        #[test]
        fn pages_of_any_size_put_together_are_the_names_in_order(
            names in proptest::collection::btree_map(texts(1..6), any::<bool>(), 0..20),
            prefix in texts(0..3),
            delimiter in proptest::option::of(texts(1..3)),
            uncommitted: bool,
            limit in 1_usize..8,
        ) {
            let store = Fixture::new();
            for (name, is_blob) in &names {
                if *is_blob {
                    store.put(name, store.inline(b"x")).unwrap();
                }
                // Blocks staged for a blob must not show.
                store.stage(name, "id", b"").unwrap();
            }
            let include = Include { uncommitted, ..Include::default() };
            let list = ListBlobs { prefix, delimiter, limit, include, ..ListBlobs::default() };
            let pages = pages(&store, &list);
            let (last, full) = pages.split_last().unwrap();
            prop_assert!(full.iter().all(|page| page.len() == limit), "a page before the last is full");
            prop_assert!(last.len() <= limit && (!last.is_empty() || full.is_empty()));
            prop_assert_eq!(pages.concat(), expected(&names, &list));
        }

        #[test]
        fn a_forged_token_leads_nowhere_else(token: Vec<u8>, prefix in texts(0..2)) {
            let store = Fixture::new();
            for name in ["a", "b/c"] {
                store.put(name, store.inline(b"x")).unwrap();
            }
            let list = ListBlobs { prefix, limit: 9, after: Some(token), ..ListBlobs::default() };
            let whole = pages(&store, &ListBlobs { after: None, ..list.clone() }).concat();
            let rest = pages(&store, &list).concat();
            prop_assert!(whole.ends_with(&rest));
        }
    }

    #[test]
    fn a_page_that_begins_behind_a_blob_knows_that_it_is_there() {
        let store = Fixture::new();
        store.put("name", store.inline(b"x")).unwrap();
        store.stage("name", "id", b"").unwrap();
        let behind = KeyBuilder::new().text("name").u8(0xB0).finish();
        let include = Include { uncommitted: true, ..Include::default() };
        let list = ListBlobs { after: Some(behind), limit: 9, include, ..ListBlobs::default() };
        assert_eq!(pages(&store, &list).concat(), []);
    }

    /// Counts the records that scans visit.
    struct Counting<'a>(&'a dyn View, Cell<usize>);

    impl View for Counting<'_> {
        fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>> {
            self.0.get(family, key)
        }

        fn scan(
            &self,
            family: Family,
            from: &[u8],
            end: Option<&[u8]>,
            visit: &mut crate::meta::Visit<'_>,
        ) -> Result<()> {
            self.0.scan(family, from, end, &mut |key, value| {
                self.1.set(self.1.get() + 1);
                visit(key, value)
            })
        }

        fn last_at_or_before(
            &self,
            family: Family,
            from: &[u8],
            at: &[u8],
        ) -> Result<Option<(Bytes, Bytes)>> {
            self.0.last_at_or_before(family, from, at)
        }
    }

    #[test]
    fn names_with_a_common_beginning_are_passed_at_once() {
        let store = Fixture::new();
        for directory in ["a", "b", "c"] {
            for file in 0..50 {
                store.put(&format!("{directory}/{file}"), store.inline(b"x")).unwrap();
            }
        }
        let list = ListBlobs { delimiter: Some("/".to_owned()), limit: 10, ..ListBlobs::default() };
        let key = place::container_key(&store.account, &store.container);
        let visited = store.meta.read_now(|view| {
            let id = place::container_id(view, &key)?;
            let counting = Counting(view, Cell::new(0));
            assert_eq!(Walk::new(id, &list, store.clock.now()).page(&counting)?.entries.len(), 3);
            Ok(counting.1.get())
        });
        assert_eq!(visited.unwrap(), 3);
    }

    #[test]
    fn a_container_that_is_not_there_has_no_listing() {
        let store = Fixture::new();
        store.delete_container();
        let listed = block_on(store.blobs.list(&store.account, &store.container, ListBlobs::default()));
        assert!(matches!(listed, Err(EngineError::ContainerNotFound)));
    }
}
