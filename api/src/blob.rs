//! The Blob service: what its operations are given.
//!
//! Operations are files of their own, by what they act on: [`account`], [`container`], [`blob`], [`block`],
//! [`append`], [`page`]; and those whose bytes come from elsewhere: [`copy`].
//! What they share is here: [`address`] says which resource is meant and refuses what is not built, [`lease`] reads
//! what is done with leases, [`headers`] spells properties, [`new_blob`] reads what a blob is made with, [`listing`]
//! spells pages.

use crate::auth::Gate;
use crate::auth::delegation::DelegationKeys;
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::md5::Lanes;
use crate::operation::Service;
use crate::service::properties::Change;
use crate::service::{Delegating, StorageService};
use crate::target::ServiceKind;
use copy::Copying;
use std::sync::Arc;
use storage_engine::blob::{BlobAddress, BlobStore, Protection};
use storage_engine::clock::Timestamp;
use storage_engine::name::AccountName;
use storage_engine::settings::SettingsStore;

pub mod operations;
pub use change_feed::ChangeFeed;

mod account;
mod address;
mod append;
#[expect(clippy::module_inception, reason = "the service and its central resource have one name")]
mod blob;
mod blob_batch;
mod block;
mod change_feed;
mod container;
pub(crate) mod copy;
mod find_blobs_by_tags;
mod headers;
mod lease;
mod listing;
mod new_blob;
mod page;
mod source;
mod tag_document;
mod tag_query;
#[cfg(test)]
mod testing;
mod website;

/// The Blob service.
#[derive(Debug, Clone)]
pub struct BlobService {
    /// The engine's part.
    pub store: BlobStore,
    /// Settings of all services.
    settings: SettingsStore,
    /// Hashes the bodies of all uploads.
    pub(crate) md5: Arc<Lanes>,
    /// Makes user delegation keys.
    delegation: Arc<DelegationKeys>,
    /// Opens the sources of copies.
    pub(crate) copying: Copying,
    /// Asks who sends the parts of a batch, and who may read the source of a copy.
    pub(crate) gate: Arc<Gate>,
}

impl BlobService {
    /// The service on this store.
    pub(crate) fn new(
        store: BlobStore,
        settings: SettingsStore,
        delegation: Arc<DelegationKeys>,
        copying: Copying,
        gate: Arc<Gate>,
    ) -> Self {
        Self { store, settings, md5: Arc::new(Lanes::start()), delegation, copying, gate }
    }

    /// What the account's settings say of states of blobs that are overwritten or deleted.
    ///
    /// # Errors
    /// As the store's.
    pub(crate) async fn protection(&self, account: &AccountName) -> Result<Protection, StorageError> {
        Ok(self.settings_of(account).await?.blob.protection())
    }

    /// For how many days the account's deleted containers can be restored; none if they cannot.
    ///
    /// # Errors
    /// As the store's.
    async fn container_retention_days(&self, account: &AccountName) -> Result<Option<u32>, StorageError> {
        Ok(self.settings_of(account).await?.blob.management.container_delete_retention)
    }

    /// Has it noted that the blob, which shows that it was last accessed at `accessed`, is read now, if the account
    /// tracks that. Never fails: what is read is worth more than the note.
    pub(crate) async fn track_access(&self, at: &BlobAddress, accessed: Option<Timestamp>) {
        let settings = self.settings_of(&at.account).await;
        if settings.is_ok_and(|settings| settings.blob.management.last_access_tracking) {
            self.store.note_access(at, accessed);
        }
    }
}

impl StorageService for BlobService {
    const KIND: ServiceKind = ServiceKind::Blob;

    fn settings(&self) -> &SettingsStore {
        &self.settings
    }

    /// A website has a container before it is shown, so a failure between the two leaves nothing but an empty
    /// container.
    async fn prepare(&self, account: &AccountName, change: &Change) -> Result<(), StorageError> {
        if !change.shows_website() {
            return Ok(());
        }
        let furnished = website::furnish(&self.store, account).await;
        furnished.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }
}

impl Delegating for BlobService {
    fn delegation(&self) -> &DelegationKeys {
        &self.delegation
    }
}

impl Service for BlobService {
    /// What changes in an account with a change feed is told to it.
    async fn on_behalf(&self, operation: &'static str, head: &Head) -> Result<Option<Self>, StorageError> {
        let Some(deed) = change_feed::deed(operation) else { return Ok(None) };
        if !self.settings_of(&head.account).await?.blob.management.change_feed {
            return Ok(None);
        }
        let store = self.store.on_behalf(change_feed::cause(deed, head));
        Ok(Some(Self { store, ..self.clone() }))
    }
}
