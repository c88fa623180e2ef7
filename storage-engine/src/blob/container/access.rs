//! Who may use a container beside its owner: anonymous access and stored access policies.
//!
//! Both stand in the container's record and are always set together, as *Set Container ACL* does: who leaves one
//! out takes it away. A verb of their own on a record of their own would make *Get Container Properties*, which
//! tells anonymous access, read two records.

use crate::blob::container::find_to_write;
use crate::blob::record::lease::{self, LeaseId, Leased};
use crate::blob::record::place::container_key;
use crate::blob::record::{self, ContainerRecord};
use crate::blob::{BlobStore, Conditions, PublicAccess, Stamp};
use crate::catalog;
use crate::error::Result;
use crate::meta::{self, Weight};
use crate::name::{AccountName, ContainerName};
use crate::policy::{self, StoredPolicy};

/// Who may use a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerAccess {
    /// The container's version.
    pub stamp: Stamp,
    /// What anybody may do.
    pub public_access: PublicAccess,
    /// Policies that signatures refer to.
    pub policies: Vec<StoredPolicy>,
}

impl BlobStore {
    /// Who may use the container. *Get Container ACL*.
    ///
    /// # Errors
    /// [`EngineError::ContainerNotFound`](crate::EngineError::ContainerNotFound),
    /// [`EngineError::Lease`](crate::EngineError::Lease) if an id is given that is not that of the container's lease.
    pub async fn container_access(
        &self,
        account: &AccountName,
        name: &ContainerName,
        lease: Option<LeaseId>,
    ) -> Result<ContainerAccess> {
        let (key, now) = (container_key(account, name), self.clock.now());
        let read = meta::read(self.meta.as_ref(), Weight::Point, move |view| {
            let (_, record) = ContainerRecord::find(view, &key)?;
            lease::check_read(record.lease, lease, now, Leased::Container)?;
            let ContainerRecord { stamp, public_access, policies, .. } = record;
            Ok(ContainerAccess { stamp, public_access, policies })
        });
        read.await
    }

    /// The policy of this name, if the container has it: what a signature refers to.
    ///
    /// # Errors
    /// As [`Self::container_access`].
    pub async fn container_policy(
        &self,
        account: &AccountName,
        name: &ContainerName,
        id: &str,
    ) -> Result<Option<StoredPolicy>> {
        Ok(policy::named(self.container_access(account, name, None).await?.policies, id))
    }

    /// Replaces who may use the container. *Set Container ACL*.
    ///
    /// # Errors
    /// [`EngineError::ContainerNotFound`](crate::EngineError::ContainerNotFound),
    /// [`EngineError::PreconditionFailed`](crate::EngineError::PreconditionFailed).
    pub async fn set_container_access(
        &self,
        account: &AccountName,
        name: &ContainerName,
        public_access: PublicAccess,
        policies: Vec<StoredPolicy>,
        conditions: Conditions,
    ) -> Result<Stamp> {
        let key = container_key(account, name);
        let commit = meta::commit(self.meta.as_ref(), key.scope(), None, move |transaction| {
            let (id, former) = find_to_write(transaction, &key, &conditions)?;
            lease::check_read(former.lease, conditions.lease, transaction.clock(), Leased::Container)?;
            let stamp = record::stamp(transaction);
            let record = ContainerRecord { stamp, public_access, policies: policies.clone(), ..former };
            catalog::write(transaction, &key, id, &record.encode());
            Ok(stamp)
        });
        commit.await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::fixture::Fixture;
    use crate::error::EngineError;
    use crate::policy::tests::some_policies;
    use futures_executor::block_on;

    fn set(
        store: &Fixture,
        access: PublicAccess,
        policies: Vec<StoredPolicy>,
        conditions: Conditions,
    ) -> Result<Stamp> {
        let (account, container) = (&store.account, &store.container);
        block_on(store.blobs.set_container_access(account, container, access, policies, conditions))
    }

    fn access(store: &Fixture) -> Result<ContainerAccess> {
        block_on(store.blobs.container_access(&store.account, &store.container, None))
    }

    #[test]
    fn access_and_policies_are_replaced_together_and_make_a_version() {
        let store = Fixture::new();
        let before = access(&store).unwrap();
        assert_eq!((before.public_access, before.policies), (PublicAccess::None, Vec::new()));
        let stamp = set(&store, PublicAccess::Blob, some_policies(), Conditions::default()).unwrap();
        assert!(stamp.etag > before.stamp.etag);
        let policies = some_policies();
        assert_eq!(
            access(&store).unwrap(),
            ContainerAccess { stamp, public_access: PublicAccess::Blob, policies }
        );
        let found =
            |id| block_on(store.blobs.container_policy(&store.account, &store.container, id)).unwrap();
        assert_eq!((found("full"), found("other")), (some_policies().first().cloned(), None));
        let metadata = vec![("k".to_owned(), "v".to_owned())];
        let kept = store.blobs.set_container_metadata(
            &store.account,
            &store.container,
            metadata,
            Conditions::default(),
        );
        block_on(kept).unwrap();
        assert_eq!(access(&store).unwrap().policies, some_policies());
        set(&store, PublicAccess::None, Vec::new(), Conditions::default()).unwrap();
        let after = access(&store).unwrap();
        assert_eq!((after.public_access, after.policies), (PublicAccess::None, Vec::new()));
    }

    #[test]
    fn a_condition_is_kept_and_a_missing_container_is_said() {
        let store = Fixture::new();
        let modified = access(&store).unwrap().stamp.modified;
        let conditions =
            Conditions { if_modified_since: Some(modified.whole_seconds()), ..Conditions::default() };
        store.clock.advance(std::time::Duration::from_mins(1));
        let refused = set(&store, PublicAccess::Blob, Vec::new(), conditions);
        assert!(matches!(refused, Err(EngineError::PreconditionFailed)));
        store.delete_container();
        assert!(matches!(access(&store), Err(EngineError::ContainerNotFound)));
        let missing = set(&store, PublicAccess::None, Vec::new(), Conditions::default());
        assert!(matches!(missing, Err(EngineError::ContainerNotFound)));
    }
}
