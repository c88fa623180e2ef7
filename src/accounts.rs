//! The accounts that requests may be signed for: those of the configuration, and those that the store keeps.
//!
//! A request asks for its account's keys before anything else, so the answer comes from memory: a map that is read
//! under a lock which nobody holds for longer than a look-up, and which is replaced entry by entry when the
//! administration changes an account. Changes wait for each other, so that the map ends as the store does, whichever
//! was answered first.
//!
//! The configuration wins: an account that it names cannot be changed here, and hides a kept one of the same name.
//! Whoever starts the server with `--account` must be able to rely on that key and no other.

use crate::config::ConfiguredAccounts;
use api::auth::{AccountKeys, Accounts};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use storage_engine::EngineError;
use storage_engine::account::{Account, AccountKey, AccountStore, Content, KeyNumber};
use storage_engine::assignment::AssignmentStore;
use storage_engine::clock::Timestamp;
use storage_engine::encryption_scope::EncryptionScopeStore;
use storage_engine::name::AccountName;

/// All accounts.
pub(crate) struct KnownAccounts {
    configured: ConfiguredAccounts,
    store: AccountStore,
    /// Who holds roles in them.
    assignments: AssignmentStore,
    scopes: EncryptionScopeStore,
    kept: RwLock<HashMap<AccountName, Kept>>,
    changing: tokio::sync::Mutex<()>,
}

/// An account of the store, ready for requests.
struct Kept {
    account: Account,
    keys: Arc<AccountKeys>,
}

/// An account, wherever it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownAccount {
    pub(crate) name: AccountName,
    /// When it was created; none: it is configured.
    pub(crate) created: Option<Timestamp>,
    pub(crate) anonymous: bool,
}

/// Why an account was not changed.
#[derive(Debug)]
pub(crate) enum AccountError {
    /// It is the configuration's.
    Configured,
    /// It is the development account, which is there because nothing is configured.
    BuiltIn,
    /// The engine says so.
    Engine(EngineError),
}

impl From<EngineError> for AccountError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl KnownAccounts {
    /// The configured accounts, and those in `store`. Brings to their end deletions that were interrupted.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn open(
        configured: ConfiguredAccounts,
        store: AccountStore,
        assignments: AssignmentStore,
        scopes: EncryptionScopeStore,
    ) -> Result<Self, EngineError> {
        store.finish_deletions().await?;
        let kept = store.list().await?.into_iter().map(|account| (account.name.clone(), Kept::new(account)));
        let kept = RwLock::new(kept.collect());
        Ok(Self { configured, store, assignments, scopes, kept, changing: tokio::sync::Mutex::default() })
    }

    /// All, by name.
    pub(crate) fn list(&self) -> Vec<KnownAccount> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.values().map(|kept| known(&kept.account));
        let configured = self.configured.names().map(|name| self.configured(name));
        let all: BTreeMap<_, _> =
            kept.chain(configured).map(|account| (account.name.clone(), account)).collect();
        all.into_values().collect()
    }

    /// One, if there is one of this name.
    pub(crate) fn find(&self, name: &AccountName) -> Option<KnownAccount> {
        if self.configured.keys(name).is_some() {
            return Some(self.configured(name));
        }
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.get(name).map(|kept| known(&kept.account))
    }

    /// Creates an account.
    ///
    /// # Errors
    /// [`AccountError`].
    pub(crate) async fn create(
        &self,
        name: &AccountName,
        keys: [AccountKey; 2],
        anonymous: bool,
    ) -> Result<(), AccountError> {
        let _alone = self.changing.lock().await;
        self.refuse_configured(name)?;
        let account = self.store.create(name, keys, anonymous).await?;
        // What an earlier account of the name has left, if its deletion was cut off at the end, is not for this one.
        // Not so encryption scopes: an account that moves here from the configuration needs them to read its blobs.
        self.assignments.remove_all(name).await?;
        self.keep(account);
        Ok(())
    }

    /// Replaces a key. The old one is worth nothing from now on.
    ///
    /// # Errors
    /// [`AccountError`].
    pub(crate) async fn rotate(
        &self,
        name: &AccountName,
        number: KeyNumber,
        key: AccountKey,
    ) -> Result<(), AccountError> {
        let _alone = self.changing.lock().await;
        self.refuse_configured(name)?;
        self.keep(self.store.rotate(name, number, key).await?);
        Ok(())
    }

    /// Says whether containers may be opened to everybody.
    ///
    /// # Errors
    /// [`AccountError`].
    pub(crate) async fn set_anonymous(
        &self,
        name: &AccountName,
        anonymous: bool,
    ) -> Result<(), AccountError> {
        let _alone = self.changing.lock().await;
        self.refuse_configured(name)?;
        self.keep(self.store.set_anonymous(name, anonymous).await?);
        Ok(())
    }

    /// Deletes an account.
    ///
    /// # Errors
    /// [`AccountError`].
    pub(crate) async fn delete(&self, name: &AccountName, content: Content) -> Result<(), AccountError> {
        let _alone = self.changing.lock().await;
        self.refuse_configured(name)?;
        // Out of the map first: with what it holds, deleting takes a while, in which nobody should add to it. If it is
        // refused the account comes back; a failure leaves it out, as an account that is marked must be.
        let taken = self.kept.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        let deleted = self.store.delete(name, content).await;
        if let (Err(EngineError::AccountNotEmpty | EngineError::AccountProtected), Some(taken)) =
            (&deleted, taken)
        {
            self.keep(taken.account);
        }
        deleted?;
        self.assignments.remove_all(name).await?;
        Ok(self.scopes.remove_all(name).await?)
    }

    fn configured(&self, name: &AccountName) -> KnownAccount {
        KnownAccount { name: name.clone(), created: None, anonymous: self.configured.anonymous_allowed(name) }
    }

    fn refuse_configured(&self, name: &AccountName) -> Result<(), AccountError> {
        match self.configured.keys(name) {
            Some(_) if self.configured.built_in => Err(AccountError::BuiltIn),
            Some(_) => Err(AccountError::Configured),
            None => Ok(()),
        }
    }

    fn keep(&self, account: Account) {
        let name = account.name.clone();
        self.kept.write().unwrap_or_else(PoisonError::into_inner).insert(name, Kept::new(account));
    }
}

impl Accounts for KnownAccounts {
    fn keys(&self, account: &AccountName) -> Option<Arc<AccountKeys>> {
        if let Some(keys) = self.configured.keys(account) {
            return Some(Arc::clone(keys));
        }
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.get(account).map(|kept| Arc::clone(&kept.keys))
    }

    fn anonymous_allowed(&self, account: &AccountName) -> bool {
        self.find(account).is_some_and(|known| known.anonymous)
    }
}

impl Kept {
    fn new(account: Account) -> Self {
        let keys = account.keys.iter().map(|key| key.as_bytes().to_vec()).collect();
        Self { account, keys: Arc::new(AccountKeys::new(keys)) }
    }
}

fn known(account: &Account) -> KnownAccount {
    let Account { name, created, anonymous, keys: _ } = account;
    KnownAccount { name: name.clone(), created: Some(*created), anonymous: *anonymous }
}
