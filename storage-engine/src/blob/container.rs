//! Containers: a name in the catalogue each, with properties of its own.

use super::record::{self, ContainerRecord};
use super::{BlobStore, Conditions, Container, ListContainers, Page, PublicAccess, Stamp};
use crate::catalog::{self, Entry, Kind};
use crate::error::{EngineError, Result};
use crate::meta::{self, Scope, Transaction, View, Weight};
use crate::name::{AccountName, ContainerName, Metadata};

impl BlobStore {
    /// Creates a container. *Create Container*.
    pub async fn create_container(
        &self,
        account: &AccountName,
        name: &ContainerName,
        metadata: Metadata,
        public_access: PublicAccess,
    ) -> Result<Stamp> {
        let scope = scope(account, name);
        meta::commit(self.meta.as_ref(), scope.clone(), None, move |transaction| {
            if catalog::find(transaction, &scope)?.is_some() {
                return Err(EngineError::ContainerExists);
            }
            let stamp = record::stamp(transaction);
            let record =
                ContainerRecord { stamp, metadata: metadata.clone(), public_access, policies: Vec::new() };
            catalog::write(transaction, &scope, stamp.modified.ticks(), &record.encode());
            Ok(stamp)
        })
        .await
    }

    /// The container's properties. *Get Container Properties*, *Get Container Metadata*.
    pub async fn container(&self, account: &AccountName, name: &ContainerName) -> Result<Container> {
        let (scope, name) = (scope(account, name), name.clone());
        meta::read(self.meta.as_ref(), Weight::Point, move |view| {
            let (_, record) = find(view, &scope)?;
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
        let scope = scope(account, name);
        meta::commit(self.meta.as_ref(), scope.clone(), None, move |transaction| {
            let (id, former) = find_to_write(transaction, &scope, &conditions)?;
            let stamp = record::stamp(transaction);
            let record = ContainerRecord { stamp, metadata: metadata.clone(), ..former };
            catalog::write(transaction, &scope, id, &record.encode());
            Ok(stamp)
        })
        .await
    }

    /// Deletes the container and, in time, all that it holds. *Delete Container*.
    pub async fn delete_container(
        &self,
        account: &AccountName,
        name: &ContainerName,
        conditions: Conditions,
    ) -> Result<()> {
        let scope = scope(account, name);
        meta::commit(self.meta.as_ref(), scope.clone(), None, move |transaction| {
            let (id, _) = find_to_write(transaction, &scope, &conditions)?;
            catalog::remove(transaction, &scope, id);
            Ok(())
        })
        .await
    }

    /// Containers of an account, by name. *List Containers*.
    ///
    /// [`Page::next`] is the name of the page's last container, to be given as [`ListContainers::after`].
    pub async fn list_containers(
        &self,
        account: &AccountName,
        list: ListContainers,
    ) -> Result<Page<Container>> {
        let account = account.clone();
        meta::read(self.meta.as_ref(), Weight::Scan, move |view| page(view, &account, &list)).await
    }
}

fn page(view: &dyn View, account: &AccountName, list: &ListContainers) -> Result<Page<Container>> {
    let mut entries: Vec<Container> = Vec::new();
    let mut more = false;
    catalog::scan(
        view,
        account,
        Kind::Container,
        &list.prefix,
        list.after.as_deref(),
        &mut |name, entry| {
            more = entries.len() >= list.limit;
            if more {
                return Ok(false);
            }
            let name =
                ContainerName::parse(name).map_err(|_| EngineError::corrupt("the name of a container"))?;
            entries.push(ContainerRecord::decode(&entry.payload)?.named(name));
            Ok(true)
        },
    )?;
    let next = entries.last().filter(|_| more).map(|container| container.name.as_str().as_bytes().to_vec());
    Ok(Page { entries, next })
}

pub(super) fn scope(account: &AccountName, name: &ContainerName) -> Scope {
    catalog::scope(account, Kind::Container, name.as_str())
}

pub(super) fn find(view: &dyn View, scope: &Scope) -> Result<(u64, ContainerRecord)> {
    let Entry { id, payload } = catalog::find(view, scope)?.ok_or(EngineError::ContainerNotFound)?;
    Ok((id, ContainerRecord::decode(&payload)?))
}

pub(super) fn find_to_write(
    transaction: &dyn Transaction,
    scope: &Scope,
    conditions: &Conditions,
) -> Result<(u64, ContainerRecord)> {
    let (id, record) = find(transaction, scope)?;
    conditions.check_write(Some((record.stamp.etag, record.stamp.modified)))?;
    Ok((id, record))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::fixture::Fixture;
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
        let create =
            |access| store.blobs.create_container(&store.account, &store.container, metadata("x"), access);
        assert!(matches!(block_on(create(PublicAccess::None)), Err(EngineError::ContainerExists)));
        store.delete_container();
        let stamp = block_on(create(PublicAccess::Blob)).unwrap();
        let container = block_on(store.blobs.container(&store.account, &store.container)).unwrap();
        assert_eq!((container.etag, container.modified), (stamp.etag, stamp.modified));
        assert_eq!(container.metadata, metadata("x"));
        assert_eq!(container.public_access, PublicAccess::Blob);
    }

    #[test]
    fn new_metadata_makes_a_new_version_and_a_write_of_a_blob_does_not() {
        let store = Fixture::new();
        let before = block_on(store.blobs.container(&store.account, &store.container)).unwrap();
        store.put("blob", store.inline(b"x")).unwrap();
        assert_eq!(block_on(store.blobs.container(&store.account, &store.container)).unwrap(), before);
        let set = store.blobs.set_container_metadata(
            &store.account,
            &store.container,
            metadata("y"),
            Conditions::default(),
        );
        let stamp = block_on(set).unwrap();
        assert!(stamp.etag > before.etag);
        let after = block_on(store.blobs.container(&store.account, &store.container)).unwrap();
        assert_eq!((after.etag, after.metadata), (stamp.etag, metadata("y")));
        assert_eq!(store.read("blob").unwrap(), b"x");
    }

    #[test]
    fn writes_of_a_container_keep_its_conditions() {
        let store = Fixture::new();
        let created = block_on(store.blobs.container(&store.account, &store.container)).unwrap().modified;
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
        let deleted = store.blobs.delete_container(&store.account, &store.container, conditions);
        assert!(matches!(block_on(deleted), Err(EngineError::PreconditionFailed)));
        store.delete_container();
        let container = block_on(store.blobs.container(&store.account, &store.container));
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
            block_on(store.blobs.create_container(
                &store.account,
                &name(other),
                Vec::new(),
                PublicAccess::None,
            ))
            .unwrap();
        }
        let neighbour = AccountName::parse("account0").unwrap();
        block_on(store.blobs.create_container(&neighbour, &name("abc-z"), Vec::new(), PublicAccess::None))
            .unwrap();
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

    fn names(store: &Fixture, prefix: &str, limit: usize) -> Vec<String> {
        let mut names = Vec::new();
        let mut after = None;
        loop {
            let list = ListContainers { prefix: prefix.to_owned(), after, limit };
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
