//! Settings of an account's services: what *Set Blob Service Properties* and its siblings keep, and what an
//! account's owner sets besides.
//!
//! | record | family | key |
//! |---|---|---|
//! | a service's settings | `Settings` | account, `00`, service |
//!
//! One record for each service of an account, written whole and only when something is set; without one,
//! everything has its default, which is "off". What a verb changes it reads in the same verb, so that two clients
//! who set different things at once both succeed.
//!
//! # Hot path
//! Nearly every request asks for its service's settings (cross-origin rules, the default version), so they are
//! cached. Whoever changes a record takes it out of the cache before the change is acknowledged, and counts; a
//! reader keeps what it has read only if nobody has counted since it began, so a stale value is never kept. The
//! cache is bounded, because accounts are named by requests before they have proved anything.
//!
//! The engine interprets none of the texts in here: origins, verbs and headers are the front's.

use crate::blob::Protection;
use crate::error::Result;
use crate::meta::{self, Family, MetaStore, Scope, Step, Transaction, View, Weight};
use crate::name::AccountName;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

mod record;

/// Accounts whose settings of a service are kept in memory. With more they are merely read more often.
const CACHED_MAX: usize = 1024;

/// Which service of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Blobs.
    Blob,
    /// Queues.
    Queue,
    /// Tables.
    Table,
}

/// How long something is kept, in days; none: for ever, or not at all, as the setting has it.
pub type RetentionDays = Option<u32>;

/// Which requests are to be logged, in the classic logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// The version of the logs' format.
    pub version: String,
    /// Log deletions.
    pub delete: bool,
    /// Log reads.
    pub read: bool,
    /// Log writes.
    pub write: bool,
    /// When logs are deleted; none for never.
    pub retention: RetentionDays,
}

impl Default for Logging {
    fn default() -> Self {
        Self { version: "1.0".to_owned(), delete: false, read: false, write: false, retention: None }
    }
}

/// Whether requests are to be counted, in the classic metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    /// The version of the metrics' format.
    pub version: String,
    /// Whether to count, and if so, whether for each operation too.
    pub enabled: Option<IncludeApis>,
    /// When counts are deleted; none for never.
    pub retention: RetentionDays,
}

/// Whether each operation is counted by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IncludeApis(pub bool);

impl Default for Metrics {
    fn default() -> Self {
        Self { version: "1.0".to_owned(), enabled: None, retention: None }
    }
}

/// Which requests of other origins' pages a browser may make.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CorsRule {
    /// Origins; `*` for all.
    pub origins: Vec<String>,
    /// Verbs.
    pub methods: Vec<String>,
    /// Headers that requests may have; a `*` at the end stands for anything.
    pub allowed_headers: Vec<String>,
    /// Headers of answers that pages may see; a `*` at the end stands for anything.
    pub exposed_headers: Vec<String>,
    /// How long a browser may go by what it was told, in seconds.
    pub age_seconds_max: u32,
}

/// Whether deleted blobs can come back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeleteRetention {
    /// For how many days they can; none if they cannot.
    pub days: RetentionDays,
    /// Whether a deleted snapshot or version may be deleted for good before that.
    pub permanent_delete: bool,
}

/// How the container `$web` is served to browsers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StaticWebsite {
    /// What stands for a directory.
    pub index: WebsiteIndex,
    /// The blob that is shown for what is not there.
    pub error_document_404: Option<String>,
}

/// What a website shows for a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum WebsiteIndex {
    /// Nothing.
    #[default]
    None,
    /// The blob of this name in the directory.
    InEach(String),
    /// This blob, for all directories.
    Same(String),
}

/// What only an account's owner can set, beside the protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BlobManagement {
    /// Whether writes keep what was there as a version.
    pub versioning: bool,
    /// For how many days deleted containers can come back; none if they cannot.
    pub container_delete_retention: RetentionDays,
    /// Whether changes are written to the change feed.
    pub change_feed: bool,
    /// For how many days they can be read there; none: for ever.
    pub change_feed_retention: RetentionDays,
    /// Whether the time is kept when a blob was last read or written.
    pub last_access_tracking: bool,
}

/// Settings that only the Blob service has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlobSettings {
    /// The version of the protocol for requests that name none.
    pub default_version: Option<String>,
    /// Whether deleted blobs can come back.
    pub delete_retention: DeleteRetention,
    /// How `$web` is served; none: not at all.
    pub website: Option<StaticWebsite>,
    /// What only the account's owner can set.
    pub management: BlobManagement,
}

impl BlobSettings {
    /// What a verb on blobs is to keep of what it overwrites or deletes.
    pub const fn protection(&self) -> Protection {
        Protection {
            versioning: self.management.versioning,
            delete_retention_days: self.delete_retention.days,
            permanent_delete_allowed: self.delete_retention.permanent_delete,
            tracks_access: self.management.last_access_tracking,
        }
    }
}

/// Settings of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceSettings {
    /// Classic logs.
    pub logging: Logging,
    /// Classic metrics by the hour.
    pub hour_metrics: Metrics,
    /// Classic metrics by the minute.
    pub minute_metrics: Metrics,
    /// Cross-origin rules, in the order in which they are tried.
    pub cors: Vec<CorsRule>,
    /// What only the Blob service has; of the others, always the default.
    pub blob: BlobSettings,
}

/// Settings of all accounts.
#[derive(Debug, Clone)]
pub struct SettingsStore {
    meta: Arc<dyn MetaStore>,
    cache: Arc<Mutex<Cache>>,
}

type ByAccount = HashMap<AccountName, Arc<ServiceSettings>>;

/// A map for each service, so that looking something up needs no key to be made.
#[derive(Debug, Default)]
struct Cache {
    blob: ByAccount,
    queue: ByAccount,
    table: ByAccount,
    /// How many changes there were.
    changes: u64,
}

impl Cache {
    /// Keeps what was read since there had been `begun` changes, unless there was another meanwhile.
    fn keep(&mut self, account: &AccountName, service: Service, begun: u64, settings: Arc<ServiceSettings>) {
        if self.changes != begun {
            return;
        }
        let entries = self.of(service);
        if entries.len() >= CACHED_MAX {
            entries.clear();
        }
        entries.insert(account.clone(), settings);
    }

    const fn of(&mut self, service: Service) -> &mut ByAccount {
        match service {
            Service::Blob => &mut self.blob,
            Service::Queue => &mut self.queue,
            Service::Table => &mut self.table,
        }
    }
}

impl SettingsStore {
    /// The settings whose records are in `meta`. There must be one for each store, which is cloned: a change
    /// made through another would not be noticed.
    pub fn new(meta: Arc<dyn MetaStore>) -> Self {
        Self { meta, cache: Arc::default() }
    }

    /// The settings of a service. *Get Blob Service Properties* and its siblings.
    ///
    /// # Errors
    /// [`crate::EngineError::Corrupt`] if the record is damaged, or the store's.
    pub async fn get(&self, account: &AccountName, service: Service) -> Result<Arc<ServiceSettings>> {
        let changes = {
            let mut cache = self.cache();
            if let Some(found) = cache.of(service).get(account) {
                return Ok(Arc::clone(found));
            }
            cache.changes
        };
        let at = account.clone();
        let read = meta::read(&*self.meta, Weight::Point, move |view| of_view(view, &at, service));
        let settings = Arc::new(read.await?);
        self.cache().keep(account, service, changes, Arc::clone(&settings));
        Ok(settings)
    }

    /// Changes settings of a service; what `change` leaves alone stays as it is. *Set Blob Service Properties*
    /// and its siblings. `change` may be run more than once, each time on what is kept then.
    ///
    /// # Errors
    /// [`crate::EngineError::Corrupt`] if the record is damaged, or the store's.
    pub async fn change<F>(&self, account: &AccountName, service: Service, change: F) -> Result<()>
    where
        F: Fn(&mut ServiceSettings) + Send + 'static,
    {
        let scope = scope(account, service);
        let key = scope.clone();
        let at = account.clone();
        let verb = move |transaction: &mut dyn Transaction| {
            let mut settings = of_view(transaction, &at, service)?;
            change(&mut settings);
            transaction.put(Family::Settings, &key.0, &record::encode(&settings));
            Ok(())
        };
        let outcome = meta::commit(&*self.meta, scope, None, verb).await;
        // Also after an error: whether it took effect may then be unknown.
        self.outdate(account, service);
        outcome
    }

    /// Takes away the settings of all services of an account, which then has those of a new one.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn remove_all(&self, account: &AccountName) -> Result<()> {
        for service in [Service::Blob, Service::Queue, Service::Table] {
            let scope = scope(account, service);
            let key = scope.clone();
            let verb = move |transaction: &mut dyn Transaction| {
                transaction.delete(Family::Settings, &key.0);
                Ok(())
            };
            let outcome = meta::commit(&*self.meta, scope, None, verb).await;
            self.outdate(account, service);
            outcome?;
        }
        Ok(())
    }

    fn outdate(&self, account: &AccountName, service: Service) {
        let mut cache = self.cache();
        cache.changes = cache.changes.wrapping_add(1);
        cache.of(service).remove(account);
    }

    /// Everything of this account has its default again: it goes, and another may come that has its name.
    ///
    /// # Errors
    /// As [`Self::change`].
    pub async fn reset(&self, account: &AccountName) -> Result<()> {
        for service in [Service::Blob, Service::Queue, Service::Table] {
            self.change(account, service, |settings| *settings = ServiceSettings::default()).await?;
        }
        Ok(())
    }

    /// The accounts whose blobs have a change feed. One whose record is damaged is passed over: its own requests say
    /// so, and it is no reason to stop the feeds of others.
    ///
    /// # Errors
    /// The store's.
    pub async fn accounts_with_change_feed(&self) -> Result<Vec<AccountName>> {
        meta::read(&*self.meta, Weight::Scan, with_change_feed).await
    }

    /// How often settings were changed since the store was opened: who looks after what they turn on looks again.
    pub fn changes(&self) -> u64 {
        self.cache().changes
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The settings of a service as a verb sees them: for verbs whose effect depends on a setting.
pub(crate) fn of_view(view: &dyn View, account: &AccountName, service: Service) -> Result<ServiceSettings> {
    let value = view.get(Family::Settings, &scope(account, service).0)?;
    value.map_or_else(|| Ok(ServiceSettings::default()), |value| record::decode(&value))
}

fn with_change_feed(view: &dyn View) -> Result<Vec<AccountName>> {
    let mut found = Vec::new();
    view.scan(Family::Settings, &[], None, &mut |key, value| {
        // Other records stand here too, behind other marks.
        let account = key.strip_suffix(&[0, 1]).and_then(|name| std::str::from_utf8(name).ok());
        if let Some(account) = account.and_then(|name| AccountName::parse(name).ok())
            && record::decode(value).is_ok_and(|settings| settings.blob.management.change_feed)
        {
            found.push(account);
        }
        Ok(Step::Next)
    })?;
    Ok(found)
}

fn scope(account: &AccountName, service: Service) -> Scope {
    let mut key = account.as_str().as_bytes().to_vec();
    key.extend([
        0,
        match service {
            Service::Blob => 1,
            Service::Queue => 2,
            Service::Table => 3,
        },
    ]);
    Scope(key.into())
}

#[cfg(test)]
mod tests;
