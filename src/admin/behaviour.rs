//! `/accounts/NAME/…`: what an account does by itself with its blobs.
//!
//! | request | what it does |
//! |---|---|
//! | `PATCH /accounts/NAME` with `"blobs"` | changes settings: [`BlobChange`] |
//! | `GET /accounts/NAME/lifecycle` | the lifecycle rules |
//! | `PUT /accounts/NAME/lifecycle` | replaces them: a management policy, in [`lifecycle`] |
//! | `DELETE /accounts/NAME/lifecycle` | removes them |
//!
//! These are settings of the content and not of the account's record, so accounts of the configuration have them too.
//! They are in force for every request that begins after the answer.

use super::lifecycle::{self, Policy};
use super::reply::Refusal;
use crate::accounts::AccountError;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage_engine::EngineError;
use storage_engine::lifecycle::LifecycleStore;
use storage_engine::name::AccountName;
use storage_engine::settings::{Service, SettingsStore};

/// Most days for which something deleted is kept (page "Soft delete for containers").
const RETENTION_DAYS_MAX: u32 = 365;
/// Most days for which changes are kept (page "Blob Services - Set Service Properties").
const CHANGE_FEED_DAYS_MAX: u32 = 146_000;

/// What can be set of an account's blobs, by their owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BlobChange {
    /// Whether writes keep what was there as a version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) versioning: Option<bool>,
    /// For how many days deleted containers can come back; 0: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) container_retention_days: Option<u32>,
    /// Whether it is kept when a blob was last read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_access: Option<bool>,
    /// Whether changes are written to the change feed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) change_feed: Option<bool>,
    /// For how many days they can be read there; 0: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) change_feed_retention_days: Option<u32>,
}

/// What is set of an account's blobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShownBlobs {
    pub(crate) versioning: bool,
    pub(crate) container_retention_days: Option<u32>,
    /// Of deleted blobs; set by *Set Blob Service Properties*.
    pub(crate) blob_retention_days: Option<u32>,
    pub(crate) last_access: bool,
    #[serde(default)]
    pub(crate) change_feed: bool,
    /// None: for ever.
    #[serde(default)]
    pub(crate) change_feed_retention_days: Option<u32>,
    pub(crate) lifecycle_rules: usize,
}

/// Settings of accounts' blobs, to be administered.
pub(crate) struct BlobBehaviour {
    settings: SettingsStore,
    lifecycle: LifecycleStore,
}

impl BlobBehaviour {
    /// Those of a store.
    pub(crate) fn new(settings: SettingsStore, lifecycle: LifecycleStore) -> Self {
        Self { settings, lifecycle }
    }

    /// What is set.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn show(&self, account: &AccountName) -> Result<ShownBlobs, Refusal> {
        let settings = self.settings.get(account, Service::Blob).await.map_err(failed)?;
        let rules = self.lifecycle.get(account).await.map_err(failed)?;
        let management = settings.blob.management;
        Ok(ShownBlobs {
            versioning: management.versioning,
            container_retention_days: management.container_delete_retention,
            blob_retention_days: settings.blob.delete_retention.days,
            last_access: management.last_access_tracking,
            change_feed: management.change_feed,
            change_feed_retention_days: management.change_feed_retention,
            lifecycle_rules: rules.map_or(0, |lifecycle| lifecycle.rules.len()),
        })
    }

    /// Changes what is named, and leaves the rest.
    ///
    /// # Errors
    /// If days are out of range, or rules need what is turned off, or the store fails.
    pub(crate) async fn change(&self, account: &AccountName, change: BlobChange) -> Result<(), Refusal> {
        if change.container_retention_days.is_some_and(|days| days > RETENTION_DAYS_MAX) {
            return Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "deleted containers are kept for 1 to 365 days",
            ));
        }
        if change.change_feed_retention_days.is_some_and(|days| days > CHANGE_FEED_DAYS_MAX) {
            return Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "changes are kept for 1 to 146000 days, or for ever",
            ));
        }
        if change.last_access == Some(false) {
            let rules = self.lifecycle.get(account).await.map_err(failed)?;
            if rules.is_some_and(|lifecycle| lifecycle::needs_last_access(&lifecycle.rules)) {
                let text = "lifecycle rules of the account ask for the last access: change them first";
                return Err(Refusal::new(StatusCode::CONFLICT, text));
            }
        }
        let changed = self.settings.change(account, Service::Blob, move |settings| {
            let management = &mut settings.blob.management;
            management.versioning = change.versioning.unwrap_or(management.versioning);
            management.last_access_tracking = change.last_access.unwrap_or(management.last_access_tracking);
            management.change_feed = change.change_feed.unwrap_or(management.change_feed);
            if let Some(days) = change.change_feed_retention_days {
                management.change_feed_retention = Some(days).filter(|days| *days > 0);
            }
            if let Some(days) = change.container_retention_days {
                management.container_delete_retention = Some(days).filter(|days| *days > 0);
            }
        });
        changed.await.map_err(failed)
    }

    /// The lifecycle rules.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn policy(&self, account: &AccountName) -> Result<Policy, Refusal> {
        let lifecycle = self.lifecycle.get(account).await.map_err(failed)?;
        Ok(Policy::of(lifecycle.map(|lifecycle| lifecycle.rules).unwrap_or_default()))
    }

    /// Replaces the lifecycle rules.
    ///
    /// # Errors
    /// A sentence about what is wrong with them, or if the store fails.
    pub(crate) async fn set_policy(&self, account: &AccountName, policy: Value) -> Result<(), Refusal> {
        let rules = Policy::read(policy).map_err(|text| Refusal::new(StatusCode::BAD_REQUEST, text))?;
        if lifecycle::needs_last_access(&rules) {
            let settings = self.settings.get(account, Service::Blob).await.map_err(failed)?;
            if !settings.blob.management.last_access_tracking {
                let text =
                    "rules that ask for the last access need it to be tracked: turn --last-access on first";
                return Err(Refusal::new(StatusCode::CONFLICT, text));
            }
        }
        self.lifecycle.set(account, rules).await.map_err(failed)
    }

    /// Removes the lifecycle rules.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn remove_policy(&self, account: &AccountName) -> Result<(), Refusal> {
        self.lifecycle.set(account, Vec::new()).await.map_err(failed)
    }

    /// Everything of an account that goes.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn forget(&self, account: &AccountName) -> Result<(), Refusal> {
        self.remove_policy(account).await?;
        self.settings.reset(account).await.map_err(failed)
    }
}

fn failed(error: EngineError) -> Refusal {
    AccountError::from(error).into()
}
