//! The Blob service: what its operations are given.
//!
//! Operations are files of their own, by what they act on: [`account`], [`container`], [`blob`], [`block`],
//! [`append`], [`page`].
//! What they share is here: [`address`] says which resource is meant and refuses what is not built, [`lease`] reads
//! what is done with leases, [`headers`] spells properties, [`new_blob`] reads what a blob is made with, [`listing`]
//! spells pages.

use crate::auth::delegation::DelegationKeys;
use crate::error::{Intent, StorageError};
use crate::md5::Lanes;
use std::sync::Arc;
use storage_engine::blob::{BlobStore, Protection};
use storage_engine::name::AccountName;
use storage_engine::settings::{BlobSettings, Service, ServiceSettings, SettingsStore};

pub mod operations;

mod account;
mod address;
mod append;
#[expect(clippy::module_inception, reason = "the service and its central resource have one name")]
mod blob;
mod block;
mod container;
mod headers;
mod lease;
mod listing;
mod new_blob;
mod page;
mod website;

/// The Blob service.
#[derive(Debug)]
pub struct BlobService {
    /// The engine's part.
    pub store: BlobStore,
    /// Settings of all services.
    pub(crate) settings: SettingsStore,
    /// Hashes the bodies of all uploads.
    pub(crate) md5: Lanes,
    /// Makes user delegation keys.
    pub(crate) delegation: Arc<DelegationKeys>,
}

impl BlobService {
    /// The service on this store.
    pub fn new(store: BlobStore, settings: SettingsStore, delegation: Arc<DelegationKeys>) -> Self {
        Self { store, settings, md5: Lanes::start(), delegation }
    }

    /// What the account's settings say of states of blobs that are overwritten or deleted.
    ///
    /// # Errors
    /// As the store's.
    pub(crate) async fn protection(&self, account: &AccountName) -> Result<Protection, StorageError> {
        let BlobSettings { management, delete_retention, .. } = &self.settings_of(account).await?.blob;
        Ok(Protection {
            versioning: management.versioning,
            delete_retention_days: delete_retention.days,
            permanent_delete_allowed: delete_retention.permanent_delete,
        })
    }

    /// For how many days the account's deleted containers can be restored; none if they cannot.
    ///
    /// # Errors
    /// As the store's.
    async fn container_retention_days(&self, account: &AccountName) -> Result<Option<u32>, StorageError> {
        Ok(self.settings_of(account).await?.blob.management.container_delete_retention)
    }

    async fn settings_of(&self, account: &AccountName) -> Result<Arc<ServiceSettings>, StorageError> {
        let settings = self.settings.get(account, Service::Blob).await;
        settings.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }
}
