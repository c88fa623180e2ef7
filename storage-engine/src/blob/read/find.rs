//! Finding blobs by their tags. Page "Find Blobs by Tags".
//!
//! A search walks a range of the index ([`tag_index`]) and asks the record of each blob that it meets. The
//! range is that of one comparison that must hold whatever else does: an equality if there is one, else what bounds
//! one tag from below and above. If the expression has none, all entries are walked, and each blob counts at the entry
//! of its first tag.
//!
//! Entries are sorted by container first, so a search of a whole account goes from container to container: at the end
//! of one's range it jumps to the next one's. A container that was renamed since an entry was written is asked for by
//! its id. Where a page ends is the key of its last entry, behind the account; a forged one is some other place among
//! the account's entries.

use crate::blob::record::BlobRecord;
use crate::blob::record::place::{self, State};
use crate::blob::record::tags::{TagComparison, TagExpression, Tags};
use crate::blob::state::tag_index::{self, ID_BYTES};
use crate::blob::{BlobStore, Page};
use crate::catalog::{self, Key, Kind};
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::meta::key::{KeyBuilder, KeyReader, successor};
use crate::meta::{self, Family, Step, View, Weight};
use crate::name::{AccountName, BlobName, ContainerName};
use std::collections::HashMap;

/// Entries that a page passes at most, found or not. The page is then short and says where to go on.
const ENTRIES_PASSED_MAX: usize = 20_000;

/// What to find.
#[derive(Debug, Clone)]
pub struct FindBlobs {
    /// Only in this container.
    pub container: Option<ContainerName>,
    /// What their tags must be.
    pub expression: TagExpression,
    /// Also former versions.
    pub versions: bool,
    /// Goes on behind this place: the [`Page::next`] of the page before.
    pub after: Option<Vec<u8>>,
    /// At most so many.
    pub limit: usize,
}

/// A blob that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundBlob {
    /// Its container.
    pub container: ContainerName,
    /// Its name.
    pub blob: BlobName,
    /// The version's id, if it has one.
    pub version: Option<Timestamp>,
    /// Whether it is the blob as it is now.
    pub current: bool,
    /// All its tags.
    pub tags: Tags,
}

impl BlobStore {
    /// Blobs whose tags are as the expression says, in the index's order. *Find Blobs by Tags*.
    ///
    /// A page may be short, or even empty, and still have a [`Page::next`].
    ///
    /// # Errors
    /// [`EngineError::ContainerNotFound`] if a container is named that is not there.
    pub async fn find_by_tags(&self, account: &AccountName, find: FindBlobs) -> Result<Page<FoundBlob>> {
        let (account, now) = (account.clone(), self.clock.now());
        meta::read(self.meta.as_ref(), Weight::Scan, move |view| {
            let mut id = None;
            if let Some(container) = &find.container {
                id = Some(place::container_id(view, &place::container_key(&account, container))?);
            }
            Search::new(&account, id, &find, now).page(view)
        })
        .await
    }
}

/// The part of a container's entries that has all that can be found.
#[derive(Debug, Default)]
struct Range {
    /// Keys behind the container's id from this on,
    from: Vec<u8>,
    /// and below this; none for all.
    end: Option<Vec<u8>>,
    /// Whether it has all entries of a blob, of which only the first counts.
    whole: bool,
}

impl Range {
    fn of(expression: &TagExpression) -> Self {
        let necessary = expression.necessary();
        let equal = necessary.iter().find(|(_, comparison, _)| *comparison == TagComparison::Equal);
        let bounding = |comparison| !matches!(comparison, TagComparison::Equal | TagComparison::NotEqual);
        let Some((tag, ..)) =
            equal.or_else(|| necessary.iter().find(|(_, comparison, _)| bounding(*comparison)))
        else {
            return Self { whole: true, ..Self::default() };
        };
        let key = KeyBuilder::new().text(tag).finish();
        let mut range = Self { end: successor(&key), from: key.clone(), whole: false };
        for (other, comparison, value) in &necessary {
            let (comparison, value) = (*comparison, *value);
            if other != tag {
                continue;
            }
            // Keys sort texts by UTF-16, comparisons by bytes; of the characters that tags may have both give one
            // order, and for others the range is only left wider.
            if !value.is_ascii() && comparison != TagComparison::Equal {
                continue;
            }
            let value = KeyBuilder::behind(&key).text(value).finish();
            let behind = successor(&value);
            if matches!(
                comparison,
                TagComparison::Equal | TagComparison::GreaterOrEqual | TagComparison::Greater
            ) {
                range.from = range.from.max(value.clone());
            }
            if matches!(comparison, TagComparison::Equal | TagComparison::LessOrEqual | TagComparison::Less) {
                range.end = [range.end, behind].into_iter().flatten().min();
            }
        }
        range
    }
}

struct Search<'a> {
    find: &'a FindBlobs,
    now: Timestamp,
    /// How the account's entries begin.
    account: Vec<u8>,
    /// How the entries begin among which to look.
    beginning: Vec<u8>,
    range: Range,
    /// Names of containers by id; none for one that is gone.
    containers: HashMap<u64, Option<ContainerName>>,
    passed: usize,
    page: Page<FoundBlob>,
}

impl<'a> Search<'a> {
    fn new(account: &AccountName, id: Option<u64>, find: &'a FindBlobs, now: Timestamp) -> Self {
        let key = catalog::key(account, Kind::Container, "");
        let account = tag_index::account_of(&key.0).to_vec();
        let id_bytes = id.map(|id| id.to_be_bytes().to_vec()).unwrap_or_default();
        let beginning = tag_index::beginning(&account, &id_bytes);
        let range = Range::of(&find.expression);
        let page = Page { entries: Vec::new(), next: None };
        let containers = id.map(|id| (id, find.container.clone())).into_iter().collect();
        Self { find, now, account, beginning, range, containers, passed: 0, page }
    }

    fn page(mut self, view: &dyn View) -> Result<Page<FoundBlob>> {
        let end = successor(&self.beginning);
        let after = self.find.after.as_ref().map(|after| [self.account.as_slice(), after, &[0]].concat());
        let from = after.unwrap_or_default().max(self.beginning.clone()).max(tag_index::first(&self.account));
        if end.as_ref().is_none_or(|end| from < *end) {
            let mut last = Vec::new();
            view.scan(Family::Tag, &from, end.as_deref(), &mut |key, value| {
                let step = self.visit(view, key, value, &last)?;
                last = key.to_vec();
                Ok(step)
            })?;
        }
        Ok(self.page)
    }

    /// Looks at an entry, behind the entry `last`.
    fn visit(&mut self, view: &dyn View, key: &[u8], value: &[u8], last: &[u8]) -> Result<Step> {
        if self.passed >= ENTRIES_PASSED_MAX {
            return Ok(self.end_behind(last));
        }
        self.passed += 1;
        let id_end = self.account.len() + ID_BYTES;
        let (container, entry) = key.split_at_checked(id_end).unwrap_or_default();
        if entry < self.range.from.as_slice() {
            return Ok(Step::Seek([container, &self.range.from].concat()));
        }
        if self.range.end.as_deref().is_some_and(|end| entry >= end) {
            return Ok(successor(container).map_or(Step::Stop, Step::Seek));
        }
        let Some(found) = self.blob(view, container, entry, value)? else { return Ok(Step::Next) };
        if self.page.entries.len() >= self.find.limit {
            return Ok(self.end_behind(last));
        }
        self.page.entries.push(found);
        Ok(Step::Next)
    }

    /// The blob of an entry, if it is one to find.
    fn blob(
        &mut self,
        view: &dyn View,
        container: &[u8],
        entry: &[u8],
        catalog_name: &[u8],
    ) -> Result<Option<FoundBlob>> {
        let mut pieces = KeyReader::new(entry);
        let (tag, _) = (pieces.text()?, pieces.text()?);
        let id = container.get(self.account.len()..).unwrap_or_default();
        let blob_key = [id, pieces.rest()].concat();
        let (name, state) = place::decode_blob_key(&blob_key)?;
        if state != State::Base && !self.find.versions {
            return Ok(None);
        }
        let Some(value) = view.get(Family::Blob, &blob_key)? else { return Ok(None) };
        let blob = BlobRecord::decode(&value)?.properties;
        let first = blob.tags.iter().next().is_some_and(|(first, _)| first == tag);
        if !blob.is_live(self.now) || !self.find.expression.holds(&blob.tags) || (self.range.whole && !first)
        {
            return Ok(None);
        }
        let Some(container) = self.container(view, KeyReader::new(id).u64()?, catalog_name)? else {
            return Ok(None);
        };
        let name = BlobName::parse(&name).map_err(|_| EngineError::corrupt("the name of a blob"))?;
        let current = state == State::Base;
        Ok(Some(FoundBlob { container, blob: name, version: blob.version, current, tags: blob.tags }))
    }

    /// The name of the container with this id, which had the key `former` when an entry was written.
    fn container(&mut self, view: &dyn View, id: u64, former: &[u8]) -> Result<Option<ContainerName>> {
        if let Some(known) = self.containers.get(&id) {
            return Ok(known.clone());
        }
        let mut name = name_if_there(view, &Key(former.to_vec().into()), id)?;
        if name.is_none() {
            for key in tag_index::names(view, &self.account, id)? {
                name = name_if_there(view, &key, id)?;
                if name.is_some() {
                    break;
                }
            }
        }
        self.containers.insert(id, name.clone());
        Ok(name)
    }

    fn end_behind(&mut self, last: &[u8]) -> Step {
        self.page.next = Some(last.get(self.account.len()..).unwrap_or_default().to_vec());
        Step::Stop
    }
}

/// The name of this key, if that is where the container with this id is.
fn name_if_there(view: &dyn View, key: &Key, id: u64) -> Result<Option<ContainerName>> {
    let there = catalog::find(view, key)?.is_some_and(|entry| entry.id == id);
    Ok(catalog::name_of(&key.0).and_then(|name| ContainerName::parse(name).ok()).filter(|_| there))
}
