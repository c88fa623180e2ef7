//! Containers: a name in the catalogue each, with properties of its own. Under this, who may use one, and renaming it.
//!
//! A container's lease guards its deletion and nothing else; other requests that bring an id have it checked as reads
//! have. A deleted container that can be restored keeps its id and so all that it held; when its time is over, or at
//! once if nothing is kept, the id goes to the sweep.

use super::record::lease::{self, LeaseId, LeaseOutcome, LeaseRequest, Leased};
use super::record::place::container_key;
use super::record::properties::Deletion;
use super::record::{self, ContainerRecord};
use super::state::due::{Due, Kind as DueKind};
use super::state::hold_index;
use super::{BlobStore, Conditions, Container, ListContainers, NewContainer, Page, Stamp};
use crate::catalog::{self, Key, Kind};
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::meta::{self, Transaction, View, Weight};
use crate::name::{AccountName, ContainerName, Metadata};

mod access;
mod rename;
pub use access::ContainerAccess;

/// Records that a page of a listing passes at most, shown or not: deleted containers that nobody asked for must not
/// make it slow.
const RECORDS_PASSED_MAX: usize = 50_000;

impl BlobStore {
    /// Creates a container. *Create Container*.
    pub async fn create_container(
        &self,
        account: &AccountName,
        name: &ContainerName,
        new: NewContainer,
    ) -> Result<Stamp> {
        let key = container_key(account, name);
        meta::commit(self.meta.as_ref(), key.scope(), None, move |transaction| {
            if catalog::find(transaction, &key)?.is_some() {
                return Err(EngineError::ContainerExists);
            }
            let stamp = record::stamp(transaction);
            let record = ContainerRecord::made(stamp, new.clone());
            catalog::write(transaction, &key, stamp.modified.ticks(), &record.encode());
            Ok(stamp)
        })
        .await
    }

    /// The container's properties. *Get Container Properties*, *Get Container Metadata*.
    ///
    /// # Errors
    /// [`EngineError::Lease`] if an id is given that is not that of the container's lease.
    pub async fn container(
        &self,
        account: &AccountName,
        name: &ContainerName,
        lease: Option<LeaseId>,
    ) -> Result<Container> {
        let (key, name, now) = (container_key(account, name), name.clone(), self.clock.now());
        meta::read(self.meta.as_ref(), Weight::Point, move |view| {
            let (_, record) = ContainerRecord::find(view, &key)?;
            lease::check_read(record.lease, lease, now, Leased::Container)?;
            Ok(record.named(name.clone()))
        })
        .await
    }

    /// Replaces the container's metadata. *Set Container Metadata*.
    pub async fn set_container_metadata(
        &self,
        account: &AccountName,
        name: &ContainerName,
        metadata: Metadata,
        conditions: Conditions,
    ) -> Result<Stamp> {
        let key = container_key(account, name);
        meta::commit(self.meta.as_ref(), key.scope(), None, move |transaction| {
            let (id, mut record) = ContainerRecord::find(transaction, &key)?;
            let now = transaction.clock();
            lease::check_read(record.lease, conditions.lease, now, Leased::Container)?;
            conditions.check_write(Some((record.stamp.etag, record.stamp.modified)))?;
            record.stamp = record::stamp(transaction);
            record.metadata.clone_from(&metadata);
            catalog::write(transaction, &key, id, &record.encode());
            Ok(record.stamp)
        })
        .await
    }

    /// Acquires, renews, changes, releases or breaks the container's lease. *Lease Container*.
    pub async fn lease_container(
        &self,
        account: &AccountName,
        name: &ContainerName,
        request: LeaseRequest,
        conditions: Conditions,
    ) -> Result<(Stamp, LeaseOutcome)> {
        let key = container_key(account, name);
        meta::commit(self.meta.as_ref(), key.scope(), None, move |transaction| {
            let (id, mut record) = ContainerRecord::find(transaction, &key)?;
            conditions.check_write(Some((record.stamp.etag, record.stamp.modified)))?;
            let (next, outcome) = lease::step(record.lease, request, transaction.clock())?;
            record.lease = next;
            catalog::write(transaction, &key, id, &record.encode());
            Ok((record.stamp, outcome))
        })
        .await
    }

    /// Deletes the container and, in time, all that it holds. *Delete Container*. With `retention_days` it can be
    /// restored so long.
    ///
    /// # Errors
    /// [`EngineError::ContainerProtected`] if something in it must stay as it is, in whatever state; the container may
    /// then not be deleted in a way that could be undone either, for its time would come.
    pub async fn delete_container(
        &self,
        account: &AccountName,
        name: &ContainerName,
        conditions: Conditions,
        retention_days: Option<u32>,
    ) -> Result<()> {
        let key = container_key(account, name);
        meta::commit(self.meta.as_ref(), key.scope(), None, move |transaction| {
            let (id, record) = ContainerRecord::find(transaction, &key)?;
            let now = transaction.clock();
            if hold_index::holds_something(transaction, id, now)? {
                return Err(EngineError::ContainerProtected);
            }
            lease::check_write(record.lease, conditions.lease, now, Leased::Container)?;
            conditions.check_write(Some((record.stamp.etag, record.stamp.modified)))?;
            match retention_days {
                None => catalog::remove(transaction, &key, id),
                Some(days) => bury(transaction, &key, (id, record), Deletion::now((now, now), days)),
            }
            Ok(())
        })
        .await
    }

    /// Restores a deleted container with all that it held. *Restore Container*.
    ///
    /// # Errors
    /// [`EngineError::ContainerExists`] if there is one of the name; [`EngineError::DeletedContainerNotFound`].
    pub async fn restore_container(
        &self,
        account: &AccountName,
        name: &ContainerName,
        deleted_version: u64,
    ) -> Result<Stamp> {
        let key = container_key(account, name);
        meta::commit(self.meta.as_ref(), key.scope(), None, move |transaction| {
            if catalog::find(transaction, &key)?.is_some() {
                return Err(EngineError::ContainerExists);
            }
            let entry = catalog::buried(transaction, &key, deleted_version)?;
            let entry = entry.ok_or(EngineError::DeletedContainerNotFound)?;
            let mut record = ContainerRecord::decode(&entry.payload)?;
            let deletion =
                record.deletion.take().ok_or_else(|| EngineError::corrupt("a deleted container"))?;
            if deletion.is_over(transaction.clock()) {
                return Err(EngineError::DeletedContainerNotFound);
            }
            catalog::unearth(transaction, &key, entry.id);
            due(&key, entry.id, deletion).strike(transaction);
            catalog::write(transaction, &key, entry.id, &record.encode());
            Ok(record.stamp)
        })
        .await
    }

    /// Containers of an account, by name, deleted ones behind their namesake. *List Containers*.
    ///
    /// A page may be short, or even empty, and still have a [`Page::next`], which is to be given as
    /// [`ListContainers::after`].
    pub async fn list_containers(
        &self,
        account: &AccountName,
        list: ListContainers,
    ) -> Result<Page<Container>> {
        let (account, now) = (account.clone(), self.clock.now());
        meta::read(self.meta.as_ref(), Weight::Scan, move |view| {
            page(view, &account, &list, (now, RECORDS_PASSED_MAX))
        })
        .await
    }
}

fn bury(
    transaction: &mut dyn Transaction,
    name: &Key,
    (id, record): (u64, ContainerRecord),
    deletion: Deletion,
) {
    let deleted = ContainerRecord { deletion: Some(deletion), lease: lease::Lease::None, ..record };
    catalog::bury(transaction, name, id, &deleted.encode());
    due(name, id, deletion).enter(transaction);
}

fn due(name: &Key, id: u64, deletion: Deletion) -> Due {
    let key = catalog::buried_key(name, id);
    Due { at: deletion.purge, kind: DueKind::Container, key, container: name.clone() }
}

/// Gives a deleted container that is over to the sweep, and strikes the entry.
pub(super) fn purge(transaction: &mut dyn Transaction, due: &Due) -> Result<()> {
    due.strike(transaction);
    let Some((name, id)) = catalog::split_buried_key(&due.key) else { return Ok(()) };
    let Some(entry) = catalog::buried(transaction, &name, id)? else { return Ok(()) };
    let deletion = ContainerRecord::decode(&entry.payload)?.deletion;
    if deletion.is_none_or(|deletion| deletion.is_over(transaction.clock())) {
        catalog::unearth(transaction, &name, id);
        catalog::discard(transaction, &name, id);
    }
    Ok(())
}

fn page(
    view: &dyn View,
    account: &AccountName,
    list: &ListContainers,
    (now, passed_max): (Timestamp, usize),
) -> Result<Page<Container>> {
    let (mut entries, mut passed, mut behind, mut more) = (Vec::new(), 0, Vec::new(), false);
    let from = list.after.as_deref().map(|after| key_behind(account, after));
    catalog::scan_from(view, account, Kind::Container, (&list.prefix, from), &mut |name, entry, buried| {
        let record = ContainerRecord::decode(&entry.payload)?;
        let over = record.deletion.is_some_and(|deletion| deletion.is_over(now));
        let shown = !buried || (list.deleted && !over);
        more = passed >= passed_max || (shown && entries.len() >= list.limit);
        if more {
            return Ok(false);
        }
        passed += 1;
        let deleted_version = buried.then_some(entry.id);
        behind = token(name, deleted_version);
        if shown {
            let name =
                ContainerName::parse(name).map_err(|_| EngineError::corrupt("the name of a container"))?;
            entries.push(Container { deleted_version, ..record.named(name) });
        }
        Ok(true)
    })?;
    Ok(Page { entries, next: more.then_some(behind) })
}

/// What names a container as the one behind which a listing goes on: its name, and for a deleted one a line with its
/// id.
fn token(name: &str, deleted_version: Option<u64>) -> Vec<u8> {
    let deleted = deleted_version.map(|id| format!("\n{id:016x}")).unwrap_or_default();
    format!("{name}{deleted}").into_bytes()
}

/// The key behind the container that a token names.
fn key_behind(account: &AccountName, after: &str) -> Vec<u8> {
    let (name, id) = after.split_once('\n').unwrap_or((after, ""));
    let name = catalog::key(account, Kind::Container, name);
    let last = u64::from_str_radix(id, 16).ok().map(|id| catalog::buried_key(&name, id));
    // No key goes on behind a zero byte at its end.
    [last.unwrap_or_else(|| name.0.to_vec()), vec![0]].concat()
}

pub(super) fn find_to_write(
    transaction: &dyn Transaction,
    key: &Key,
    conditions: &Conditions,
) -> Result<(u64, ContainerRecord)> {
    let (id, record) = ContainerRecord::find(transaction, key)?;
    conditions.check_write(Some((record.stamp.etag, record.stamp.modified)))?;
    Ok((id, record))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::PublicAccess;
    use crate::blob::fixture::Fixture;
    use crate::clock::Clock;
    use futures_executor::block_on;
    use std::time::Duration;

    fn name(text: &str) -> ContainerName {
        ContainerName::parse(text).unwrap()
    }

    fn metadata(value: &str) -> Metadata {
        vec![("name".to_owned(), value.to_owned())]
    }

    #[test]
    fn a_container_is_created_once_and_keeps_what_it_was_given() {
        let store = Fixture::new();
        let create = |access| {
            let new =
                NewContainer { metadata: metadata("x"), public_access: access, ..NewContainer::default() };
            store.blobs.create_container(&store.account, &store.container, new)
        };
        assert!(matches!(block_on(create(PublicAccess::None)), Err(EngineError::ContainerExists)));
        store.delete_container();
        let stamp = block_on(create(PublicAccess::Blob)).unwrap();
        let container = block_on(store.blobs.container(&store.account, &store.container, None)).unwrap();
        assert_eq!((container.etag, container.modified), (stamp.etag, stamp.modified));
        assert_eq!(container.metadata, metadata("x"));
        assert_eq!(container.public_access, PublicAccess::Blob);
    }

    #[test]
    fn new_metadata_makes_a_new_version_and_a_write_of_a_blob_does_not() {
        let store = Fixture::new();
        let before = block_on(store.blobs.container(&store.account, &store.container, None)).unwrap();
        store.put("blob", store.inline(b"x")).unwrap();
        assert_eq!(block_on(store.blobs.container(&store.account, &store.container, None)).unwrap(), before);
        let set = store.blobs.set_container_metadata(
            &store.account,
            &store.container,
            metadata("y"),
            Conditions::default(),
        );
        let stamp = block_on(set).unwrap();
        assert!(stamp.etag > before.etag);
        let after = block_on(store.blobs.container(&store.account, &store.container, None)).unwrap();
        assert_eq!((after.etag, after.metadata), (stamp.etag, metadata("y")));
        assert_eq!(store.read("blob").unwrap(), b"x");
    }

    #[test]
    fn writes_of_a_container_keep_its_conditions() {
        let store = Fixture::new();
        let created =
            block_on(store.blobs.container(&store.account, &store.container, None)).unwrap().modified;
        store.clock.advance(Duration::from_mins(1));
        let conditions =
            Conditions { if_modified_since: Some(created.whole_seconds()), ..Conditions::default() };
        let set = store.blobs.set_container_metadata(
            &store.account,
            &store.container,
            metadata("y"),
            conditions.clone(),
        );
        assert!(matches!(block_on(set), Err(EngineError::PreconditionFailed)));
        let deleted = store.blobs.delete_container(&store.account, &store.container, conditions, None);
        assert!(matches!(block_on(deleted), Err(EngineError::PreconditionFailed)));
        store.delete_container();
        let container = block_on(store.blobs.container(&store.account, &store.container, None));
        assert!(matches!(container, Err(EngineError::ContainerNotFound)));
    }

    #[test]
    fn a_container_made_anew_does_not_hold_what_its_namesake_held() {
        let store = Fixture::new();
        store.put("blob", store.chunked(b"content", 3)).unwrap();
        store.delete_container();
        assert!(matches!(store.read("blob"), Err(EngineError::ContainerNotFound)));
        store.create_container();
        assert!(matches!(store.read("blob"), Err(EngineError::BlobNotFound)));
        store.put("blob", store.chunked(b"other", 3)).unwrap();
        store.sweep();
        assert_eq!(store.read("blob").unwrap(), b"other");
        store.check_chunks();
    }

    #[test]
    fn containers_are_listed_by_name_in_pages_of_any_size() {
        let store = Fixture::new();
        for other in ["abc", "abc-d", "abc0", "zzz", "$web"] {
            let new = NewContainer::default();
            block_on(store.blobs.create_container(&store.account, &name(other), new)).unwrap();
        }
        let neighbour = AccountName::parse("account0").unwrap();
        block_on(store.blobs.create_container(&neighbour, &name("abc-z"), NewContainer::default())).unwrap();
        for limit in 1..8 {
            for (prefix, expected) in [
                ("", &["$web", "abc", "abc-d", "abc0", "container", "zzz"][..]),
                ("abc", &["abc", "abc-d", "abc0"]),
            ] {
                assert_eq!(names(&store, prefix, limit), expected, "{limit} of {prefix}");
            }
        }
        assert!(names(&store, "\u{10ffff}", 1).is_empty());
    }

    #[test]
    fn deleted_containers_that_are_not_shown_end_a_page_when_they_are_many() {
        let store = Fixture::new();
        for number in 0..5 {
            let deleted = name(&format!("deleted{number}"));
            block_on(store.blobs.create_container(&store.account, &deleted, NewContainer::default()))
                .unwrap();
            let any = Conditions::default();
            block_on(store.blobs.delete_container(&store.account, &deleted, any, Some(7))).unwrap();
        }
        let (mut after, mut shown) = (None, Vec::new());
        for _ in 0..3 {
            let list = ListContainers { after, limit: 9, ..ListContainers::default() };
            let now = store.clock.now();
            let page = store.meta.read_now(|view| page(view, &store.account, &list, (now, 2))).unwrap();
            shown.push(page.entries.len());
            after = page.next.map(|next| String::from_utf8(next).unwrap());
        }
        assert_eq!((shown, after), (vec![1, 0, 0], None));
    }

    fn names(store: &Fixture, prefix: &str, limit: usize) -> Vec<String> {
        let mut names = Vec::new();
        let mut after = None;
        loop {
            let list = ListContainers { prefix: prefix.to_owned(), after, limit, deleted: false };
            let page = block_on(store.blobs.list_containers(&store.account, list)).unwrap();
            assert!(page.entries.len() <= limit);
            names.extend(page.entries.into_iter().map(|container| container.name.to_string()));
            match page.next {
                Some(next) => after = Some(String::from_utf8(next).unwrap()),
                None => return names,
            }
        }
    }
}
