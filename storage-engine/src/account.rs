//! Accounts: names with two keys, which may be made, changed and deleted while the server runs.
//!
//! An account here is only what proves who somebody is. What it holds lies under its *name* in the catalogue, whether
//! there is a record here or not, because accounts may also stand in the server's configuration. So data of a
//! configured account is found again when an account of that name is created here, and the other way round.
//!
//! # Deleting
//! An account may hold more names than one verb should touch, of kinds that are a scope each. Deleting is therefore
//! three steps: the record is marked, from which moment the account exists for nobody; its names are taken away one by
//! one, deleted ones that could be restored too, what they held is swept as after any deletion, and the settings of its
//! services, the rules for its blobs and what its change feed was still to tell go; and when none is left the record
//! goes. A crash in between leaves the mark, no account of that name can be made, and
//! [`AccountStore::finish_deletions`] goes on when the store is opened. Without the mark a crash would leave half of an
//! account to whoever takes its name next.
//!
//! # What must stay
//! An account in which a blob has a legal hold or a policy that is not over is not deleted, not even with what it
//! holds: who deletes an account need not know what was promised in it, and whoever does can take the hold off first.
//! The service refuses that too. All containers are looked at once the mark is set, when no new request finds the
//! account, on a reader's thread; then the mark comes off again. A request that was under way may still set a hold
//! after that look, so each name is taken away by a verb that looks again. If that refuses, what went before it is
//! gone, as it was asked for, and the account is there again with the rest.
//!
//! # Keys
//! The engine makes none, as it makes no secret; it keeps the bytes. They never show in `Debug`. Wiping them from
//! memory was left out: the caches of the records' store hold them too.

use crate::blob::{CHANGE_FEED, hold_index, journal};
use crate::catalog;
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::lifecycle::LifecycleStore;
use crate::meta::{self, Family, MetaStore, Scope, Step, Transaction, View, Weight};
use crate::name::AccountName;
use crate::settings::SettingsStore;
use record::Kept;
use std::fmt;
use std::sync::Arc;

mod record;
#[cfg(test)]
mod tests;

/// Names that are taken away between two looks.
const NAMES_AT_A_TIME: usize = 64;

/// A secret key, in bytes. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountKey(Vec<u8>);

impl AccountKey {
    /// A key of these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccountKey")
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: AccountName,
    /// When it was created.
    pub created: Timestamp,
    /// Whether containers may be opened to callers who do not say who they are.
    pub anonymous: bool,
    /// Both keys. Each is valid, so that one can be replaced while the other is in use.
    pub keys: [AccountKey; 2],
}

/// One of an account's two keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyNumber {
    /// The first.
    First,
    /// The second.
    Second,
}

/// What deleting an account does with what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// An account that holds something is not deleted.
    MustBeNone,
    /// It goes with the account.
    IsDeleted,
}

/// All accounts that are not configured.
#[derive(Debug, Clone)]
pub struct AccountStore {
    meta: Arc<dyn MetaStore>,
    settings: SettingsStore,
    lifecycle: LifecycleStore,
}

impl AccountStore {
    /// The accounts whose records are in `meta`.
    pub fn new(meta: Arc<dyn MetaStore>, settings: SettingsStore, lifecycle: LifecycleStore) -> Self {
        Self { meta, settings, lifecycle }
    }

    /// Creates an account.
    ///
    /// # Errors
    /// [`EngineError::AccountExists`], also while one of that name is being deleted.
    pub async fn create(
        &self,
        name: &AccountName,
        keys: [AccountKey; 2],
        anonymous: bool,
    ) -> Result<Account> {
        let (scope, name) = (scope(name), name.clone());
        let key = scope.clone();
        let verb = move |transaction: &mut dyn Transaction| {
            if transaction.get(Family::Account, &key.0)?.is_some() {
                return Err(EngineError::AccountExists);
            }
            let created = transaction.now();
            let account = Account { name: name.clone(), created, anonymous, keys: keys.clone() };
            write(transaction, &key, &account, false);
            Ok(account)
        };
        meta::commit(&*self.meta, scope, None, verb).await
    }

    /// All accounts, by name.
    pub async fn list(&self) -> Result<Vec<Account>> {
        let kept = meta::read(&*self.meta, Weight::Scan, all).await?;
        Ok(kept.into_iter().filter(|kept| !kept.deleting).map(|kept| kept.account).collect())
    }

    /// Puts a new key in place of one of the two.
    ///
    /// # Errors
    /// [`EngineError::AccountNotFound`].
    pub async fn rotate(&self, name: &AccountName, number: KeyNumber, key: AccountKey) -> Result<Account> {
        self.change(name, move |account| {
            let [first, second] = &mut account.keys;
            let old = match number {
                KeyNumber::First => first,
                KeyNumber::Second => second,
            };
            old.clone_from(&key);
        })
        .await
    }

    /// Says whether containers may be opened to callers who do not say who they are.
    ///
    /// # Errors
    /// [`EngineError::AccountNotFound`].
    pub async fn set_anonymous(&self, name: &AccountName, anonymous: bool) -> Result<Account> {
        self.change(name, move |account| account.anonymous = anonymous).await
    }

    /// Deletes the account. When this returns, nothing that it held can be reached; the space comes back in time.
    ///
    /// # Errors
    /// [`EngineError::AccountNotFound`], [`EngineError::AccountNotEmpty`], or [`EngineError::AccountProtected`].
    pub async fn delete(&self, name: &AccountName, content: Content) -> Result<()> {
        let (scope, name) = (scope(name), name.clone());
        let (key, marked) = (scope.clone(), name.clone());
        let mark = move |transaction: &mut dyn Transaction| {
            let account = find(transaction, &marked, &key)?;
            let empty = holds_nothing(transaction, &marked)?;
            if content == Content::MustBeNone && !empty {
                return Err(EngineError::AccountNotEmpty);
            }
            write(transaction, &key, &account, true);
            Ok(())
        };
        meta::commit(&*self.meta, scope, None, mark).await?;
        self.finish(&name).await
    }

    /// Goes on with deletions that an earlier process did not bring to their end. To be called before requests are
    /// answered. An account in which something must stay is there again.
    pub async fn finish_deletions(&self) -> Result<()> {
        for kept in meta::read(&*self.meta, Weight::Scan, all).await?.into_iter().filter(|kept| kept.deleting)
        {
            let name = &kept.account.name;
            match self.finish(name).await {
                Err(EngineError::AccountProtected) => {
                    tracing::warn!(account = %name, "the account is not deleted, for something in it is held");
                }
                ended => ended?,
            }
        }
        Ok(())
    }

    /// Brings the deletion of an account that is marked to its end, or takes the mark off if something must stay.
    async fn finish(&self, name: &AccountName) -> Result<()> {
        let ended = match self.refuse_held(name).await {
            Ok(()) => self.take_all_away(name).await,
            refused => refused,
        };
        if matches!(ended, Err(EngineError::AccountProtected)) {
            let (scope, name) = (scope(name), name.clone());
            let key = scope.clone();
            let unmark = move |transaction: &mut dyn Transaction| {
                let record = transaction.get(Family::Account, &key.0)?.ok_or(EngineError::AccountNotFound)?;
                let kept = record::decode(name.clone(), &record)?;
                write(transaction, &key, &kept.account, false);
                Ok(())
            };
            meta::commit(&*self.meta, scope, None, unmark).await?;
        }
        ended
    }

    /// Looks whether something in the account must stay.
    async fn refuse_held(&self, name: &AccountName) -> Result<()> {
        let ask = |transaction: &mut dyn Transaction| Ok(transaction.clock());
        let now = meta::commit(&*self.meta, scope(name), None, ask).await?;
        let name = name.clone();
        let look = move |view: &dyn View| hold_index::account_holds_something(view, &name, now);
        let held = meta::read(&*self.meta, Weight::Scan, look).await?;
        if held { Err(EngineError::AccountProtected) } else { Ok(()) }
    }

    /// Takes away the names of an account that is marked, its services' settings, the rules for its blobs, which would
    /// delete those of the next account of the name, the journal, of which that one's feed would tell, and then its
    /// record.
    async fn take_all_away(&self, name: &AccountName) -> Result<()> {
        loop {
            let account = name.clone();
            let names = meta::read(&*self.meta, Weight::Scan, move |view| {
                catalog::names_of(view, &account, NAMES_AT_A_TIME)
            });
            for key in names.await? {
                let scope = key.scope();
                let remove = move |transaction: &mut dyn Transaction| {
                    if hold_index::name_holds_something(transaction, &key, transaction.clock())? {
                        return Err(EngineError::AccountProtected);
                    }
                    catalog::take_away(transaction, &key)
                };
                meta::commit(&*self.meta, scope, None, remove).await?;
            }
            self.settings.remove_all(name).await?;
            self.lifecycle.set(name, Vec::new()).await?;
            journal::clear(&*self.meta, name).await?;
            let (scope, account) = (scope(name), name.clone());
            let key = scope.clone();
            // A request that was under way when the mark was set may have made a name since.
            let end = move |transaction: &mut dyn Transaction| {
                let empty = catalog::names_of(transaction, &account, 1)?.is_empty();
                if empty {
                    transaction.delete(Family::Account, &key.0);
                }
                Ok(empty)
            };
            if meta::commit(&*self.meta, scope, None, end).await? {
                return Ok(());
            }
        }
    }

    async fn change(
        &self,
        name: &AccountName,
        change: impl Fn(&mut Account) + Send + 'static,
    ) -> Result<Account> {
        let (scope, name) = (scope(name), name.clone());
        let key = scope.clone();
        let verb = move |transaction: &mut dyn Transaction| {
            let mut account = find(transaction, &name, &key)?;
            change(&mut account);
            write(transaction, &key, &account, false);
            Ok(account)
        };
        meta::commit(&*self.meta, scope, None, verb).await
    }
}

/// The scope of an account's record, which is also its key.
fn scope(name: &AccountName) -> Scope {
    Scope(record::key(name).into())
}

/// The account, unless it is being deleted.
fn find(view: &dyn View, name: &AccountName, key: &Scope) -> Result<Account> {
    let record = view.get(Family::Account, &key.0)?.ok_or(EngineError::AccountNotFound)?;
    let kept = record::decode(name.clone(), &record)?;
    if kept.deleting { Err(EngineError::AccountNotFound) } else { Ok(kept.account) }
}

/// Whether nobody has put anything into the account: its change feed is the server's own.
fn holds_nothing(view: &dyn View, account: &AccountName) -> Result<bool> {
    let feed = catalog::key(account, catalog::Kind::Container, CHANGE_FEED);
    Ok(catalog::names_of(view, account, 2)?.iter().all(|name| *name == feed))
}

fn write(transaction: &mut dyn Transaction, key: &Scope, account: &Account, deleting: bool) {
    transaction.put(Family::Account, &key.0, &record::encode(account, deleting));
}

fn all(view: &dyn View) -> Result<Vec<Kept>> {
    let mut found = Vec::new();
    view.scan(Family::Account, &[], None, &mut |key, value| {
        found.push(record::decode(record::name(key)?, value)?);
        Ok(Step::Next)
    })?;
    Ok(found)
}
