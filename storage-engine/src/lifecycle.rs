//! Rules by which blobs go to cheaper tiers, and go, as they get older.
//!
//! Page "Azure Blob Storage lifecycle management overview". A rule says which blobs it is for, and for the blob, its
//! snapshots and its former versions what is done when. [`Lifecycle::judge`] decides that for one of them: a pure
//! function of rules, properties and time, which reads no clock. The [`walk`] goes over all blobs of accounts that have
//! rules, slowly, and does what was decided with ordinary verbs, so that leases, holds, policies, versioning and soft
//! deletion mean what they mean to any client.
//!
//! | record | family | key |
//! |---|---|---|
//! | an account's rules | `Settings` | account, `00`, `10` |
//!
//! They are beside the settings of the account's services and not in them, because every request needs those and none
//! needs these. The texts in which people write rules are read elsewhere.
//!
//! # When several actions are due
//! The cheapest wins, over all rules: deletion, then the archive, then the cold tier, then the cool one (the page's
//! "Which action is applied"). A tier is only ever lowered, except by [`Actions::hot_when_read`].

use crate::blob::{BlobKind, BlobProperties, Tier};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::meta::{self, Family, MetaStore, Scope, Transaction, Weight};
use crate::name::AccountName;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

mod record;
pub(crate) mod walk;

/// What an age is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// The last change of the blob.
    Modified,
    /// Its creation, or that of the snapshot or version.
    Created,
    /// The last read. Never, where reads are not tracked.
    Accessed,
}

/// What an action waits for: more than so many days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    /// Counted from what.
    pub since: Since,
    /// Days of 24 hours.
    pub days: u32,
    /// And more than so many days since the tier was last changed.
    pub tier_changed_days: Option<u32>,
}

/// What is done, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Actions {
    /// To the cool tier.
    pub cool: Option<Age>,
    /// To the cold tier.
    pub cold: Option<Age>,
    /// To the archive.
    pub archive: Option<Age>,
    /// It goes.
    pub delete: Option<Age>,
    /// Back from the cool tier to the hot one, when it was read there.
    pub hot_when_read: bool,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleRule {
    /// By what people know it.
    pub name: String,
    /// Whether it is applied.
    pub enabled: bool,
    /// Whether it is for block blobs.
    pub block_blobs: bool,
    /// Whether it is for append blobs, which have no tiers.
    pub append_blobs: bool,
    /// Beginnings of `container/blob`, one of which must be the blob's. None at all: all blobs.
    pub prefixes: Vec<String>,
    /// Tags that the blob must have.
    pub tags: Vec<(String, String)>,
    /// What is done to the blob.
    pub base: Actions,
    /// What is done to its snapshots.
    pub snapshots: Actions,
    /// What is done to its former versions.
    pub versions: Actions,
}

/// The rules of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifecycle {
    /// When they were set: the last access of a blob of which none is known.
    pub set: Timestamp,
    /// The rules.
    pub rules: Vec<LifecycleRule>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes to this tier.
    Move(Tier),
    /// It goes.
    Delete,
}

/// A blob, snapshot or version that is judged.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its container.
    pub container: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its properties, as of now.
    pub properties: &'a BlobProperties,
}

impl Lifecycle {
    /// What is to be done with `subject` at `now`, if anything. `tracked`: whether reads are tracked.
    pub fn judge(&self, subject: Subject<'_>, now: Timestamp, tracked: bool) -> Option<Verdict> {
        let Subject { properties, .. } = subject;
        if properties.deletion.is_some() {
            return None;
        }
        let clock = Ages { set: self.set, now, tracked, properties };
        let rules: Vec<_> = self.rules.iter().filter(|rule| rule.covers(subject)).collect();
        let actions = || rules.iter().map(|rule| rule.actions(properties));
        if actions().any(|actions| clock.is_reached(actions.delete)) {
            return Some(Verdict::Delete);
        }
        let place = place_of(properties)?;
        let lowered = [
            (Tier::Archive, actions().any(|actions| clock.is_reached(actions.archive))),
            (Tier::Cold, actions().any(|actions| clock.is_reached(actions.cold))),
            (Tier::Cool, actions().any(|actions| clock.is_reached(actions.cool))),
        ];
        let lowered = lowered
            .into_iter()
            .find(|(tier, due)| *due && (*tier != Tier::Archive || properties.encryption.is_none()))
            .map(|(tier, _)| tier);
        match lowered {
            Some(tier) if place < tier => Some(Verdict::Move(tier)),
            _ if lowered.is_none_or(|tier| tier == Tier::Cool)
                && actions().any(|actions| actions.hot_when_read)
                && clock.read_while_cool() =>
            {
                Some(Verdict::Move(Tier::Hot))
            }
            _ => None,
        }
    }

    /// Whether blobs of a container may be meant at all.
    pub(crate) fn concerns(&self, container: &str) -> bool {
        let folder = format!("{container}/");
        self.rules.iter().filter(|rule| rule.enabled).any(|rule| {
            let meets = |prefix: &String| folder.starts_with(prefix.as_str()) || prefix.starts_with(&folder);
            rule.prefixes.is_empty() || rule.prefixes.iter().any(meets)
        })
    }
}

impl LifecycleRule {
    fn covers(&self, Subject { container, name, properties }: Subject<'_>) -> bool {
        let kind = match properties.kind {
            BlobKind::Block => self.block_blobs,
            BlobKind::Append { .. } => self.append_blobs,
            BlobKind::Page { .. } => false,
        };
        let path = || format!("{container}/{name}");
        self.enabled
            && kind
            && (self.prefixes.is_empty() || self.prefixes.iter().any(|prefix| path().starts_with(prefix)))
            && self.tags.iter().all(|(key, value)| properties.tags.get(key) == Some(value))
    }

    const fn actions(&self, properties: &BlobProperties) -> &Actions {
        if properties.snapshot.is_some() {
            &self.snapshots
        } else if properties.current {
            &self.base
        } else {
            &self.versions
        }
    }
}

/// The tier in which a blob is that may go to another one. A blob that was given none is hot.
fn place_of(properties: &BlobProperties) -> Option<Tier> {
    if properties.kind != BlobKind::Block {
        return None;
    }
    match properties.tier {
        None => Some(Tier::Hot),
        Some(tier) if tier.rehydration.is_none() && tier.tier <= Tier::Archive => Some(tier.tier),
        Some(_) => None,
    }
}

/// How old a blob is, in its several ways.
struct Ages<'a> {
    set: Timestamp,
    now: Timestamp,
    tracked: bool,
    properties: &'a BlobProperties,
}

impl Ages<'_> {
    fn is_reached(&self, age: Option<Age>) -> bool {
        let Some(Age { since, days, tier_changed_days }) = age else { return false };
        let tier_changed = self.properties.tier.and_then(|tier| tier.changed);
        self.begin(since).is_some_and(|begin| self.is_past(begin, days))
            && tier_changed_days
                .is_none_or(|days| tier_changed.is_none_or(|changed| self.is_past(changed, days)))
    }

    fn begin(&self, since: Since) -> Option<Timestamp> {
        let properties = self.properties;
        let made = properties.snapshot.or(properties.version.filter(|_| !properties.current));
        match since {
            Since::Modified => Some(properties.modified),
            Since::Created => Some(made.unwrap_or(properties.created)),
            Since::Accessed if self.tracked => {
                Some(properties.accessed.unwrap_or(properties.created.max(self.set)))
            }
            Since::Accessed => None,
        }
    }

    fn is_past(&self, begin: Timestamp, days: u32) -> bool {
        begin.after(Duration::from_hours(24).saturating_mul(days)) < self.now
    }

    /// Whether the blob is in the cool tier and was read since it went there.
    fn read_while_cool(&self) -> bool {
        let cooled =
            self.properties.tier.filter(|tier| tier.tier == Tier::Cool).and_then(|tier| tier.changed);
        self.tracked && cooled.zip(self.properties.accessed).is_some_and(|(cooled, read)| cooled < read)
    }
}

/// The rules of all accounts.
#[derive(Debug, Clone)]
pub struct LifecycleStore {
    meta: Arc<dyn MetaStore>,
    /// How often rules were set, so that the walk notices.
    changes: Arc<AtomicU64>,
}

impl LifecycleStore {
    /// The rules whose records are in `meta`. There must be one for each store, which is cloned.
    pub fn new(meta: Arc<dyn MetaStore>) -> Self {
        Self { meta, changes: Arc::default() }
    }

    /// The rules of an account, if it has some.
    ///
    /// # Errors
    /// [`crate::EngineError::Corrupt`] if the record is damaged, or the store's.
    pub async fn get(&self, account: &AccountName) -> Result<Option<Lifecycle>> {
        let key = scope(account);
        let read = meta::read(&*self.meta, Weight::Point, move |view| {
            view.get(Family::Settings, &key.0)?.map(|value| record::decode(&value)).transpose()
        });
        read.await
    }

    /// Replaces the rules of an account. They are applied soon. *Management Policies - Create Or Update*.
    ///
    /// # Errors
    /// The store's.
    pub async fn set(&self, account: &AccountName, rules: Vec<LifecycleRule>) -> Result<()> {
        let scope = scope(account);
        let key = scope.clone();
        let verb = move |transaction: &mut dyn Transaction| {
            if rules.is_empty() {
                transaction.delete(Family::Settings, &key.0);
            } else {
                let record = record::encode(transaction.now(), &rules);
                transaction.put(Family::Settings, &key.0, &record);
            }
            Ok(())
        };
        let outcome = meta::commit(&*self.meta, scope, None, verb).await;
        self.changes.fetch_add(1, Ordering::SeqCst);
        outcome
    }

    /// The accounts that have rules.
    pub(crate) async fn accounts(&self) -> Result<Vec<AccountName>> {
        meta::read(&*self.meta, Weight::Scan, |view| {
            let mut found = Vec::new();
            view.scan(Family::Settings, &[], None, &mut |key, _| {
                found.extend(account_of(key));
                Ok(meta::Step::Next)
            })?;
            Ok(found)
        })
        .await
    }

    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }
}

/// What ends the key of an account's rules. Services of the account have smaller numbers.
const END: [u8; 2] = [0, 0x10];

fn scope(account: &AccountName) -> Scope {
    Scope([account.as_str().as_bytes(), &END].concat().into())
}

/// The account whose rules have this key, if it is one of rules.
fn account_of(key: &[u8]) -> Option<AccountName> {
    let name = std::str::from_utf8(key.strip_suffix(&END)?).ok()?;
    AccountName::parse(name).ok()
}

#[cfg(test)]
mod tests;
