//! With what contents of blobs are encrypted: which key a write takes, and which one a read needs.
//!
//! A write asks before its body comes ([`BlobStore::sealing`]), because the body is encrypted as it comes. The verb
//! at its end records what the body *was* encrypted with, so the two cannot disagree; and where a content is added to
//! one that is there, a block to a list or a block to an append blob, the verb compares the keys again.

use crate::blob::record::ContainerRecord;
use crate::blob::record::place::{Route, container_key};
use crate::blob::record::properties::{BlobProperties, Encryption, EncryptionKey};
use crate::blob::{BlobAddress, BlobStore, Conditions, state};
use crate::chunk::Upload;
use crate::encryption_scope::{self, ACCOUNT_SCOPE};
use crate::error::{EngineError, Result};
use crate::meta::{self, View, Weight};
use crate::name::AccountName;
use crate::seal::unit::Sealer;
use crate::seal::{EncryptionWish, SealKey};
use std::sync::Arc;

/// What a content is going to be encrypted with, if it is.
#[derive(Debug, Clone, Default)]
pub struct Sealing(Option<SealKey>);

impl Sealing {
    /// What a new blob's record says of it.
    pub fn encryption(&self) -> Option<Encryption> {
        self.0.as_ref().map(|key| Encryption::with(key.name().clone()))
    }
}

impl BlobStore {
    /// With what a new blob, or a block of one, is to be encrypted: what is wished, or the container's default.
    ///
    /// # Errors
    /// [`EngineError::ContainerNotFound`], [`EngineError::EncryptionScopeNotFound`],
    /// [`EngineError::EncryptionScopeDisabled`]; [`EngineError::EncryptionScopeFixed`] if the container forbids it.
    pub async fn sealing(&self, at: &BlobAddress, wish: EncryptionWish) -> Result<Sealing> {
        let at = at.clone();
        let find = move |view: &dyn View| {
            let (_, container) = ContainerRecord::find(view, &container_key(&at.account, &at.container))?;
            let default = Some(container.encryption_scope.as_str()).filter(|name| !name.is_empty());
            if container.deny_scope_override {
                let other = wish.scope.as_deref().is_some_and(|scope| Some(scope) != default);
                if wish.customer.is_some() || other {
                    return Err(EngineError::EncryptionScopeFixed);
                }
            }
            if let Some(key) = &wish.customer {
                return Ok(Sealing(Some(key.seal_key())));
            }
            match wish.scope.as_deref().or(default).filter(|name| *name != ACCOUNT_SCOPE) {
                Some(name) => encryption_scope::key(view, &at.account, name).map(|key| Sealing(Some(key))),
                None => Ok(Sealing(None)),
            }
        };
        meta::read(self.meta.as_ref(), Weight::Point, find).await
    }

    /// Whether there is a scope of this name, or none is named.
    ///
    /// # Errors
    /// [`EngineError::EncryptionScopeNotFound`], [`EngineError::EncryptionScopeDisabled`].
    pub async fn check_scope(&self, account: &AccountName, name: &str) -> Result<()> {
        if name.is_empty() || name == ACCOUNT_SCOPE {
            return Ok(());
        }
        let (account, name) = (account.clone(), name.to_owned());
        let find = move |view: &dyn View| encryption_scope::key(view, &account, &name).map(drop);
        meta::read(self.meta.as_ref(), Weight::Point, find).await
    }

    /// With what to encrypt what is added to a blob that is there: with what it is encrypted with.
    ///
    /// # Errors
    /// [`EngineError::BlobNotFound`]; [`EngineError::CustomerKeyMismatch`] if the wish is for something else; and as
    /// [`Self::sealing`].
    pub async fn sealing_of(&self, at: &BlobAddress, wish: EncryptionWish) -> Result<Sealing> {
        let (at, now) = (at.clone(), self.clock.now());
        let find = move |view: &dyn View| {
            let place = Route::find(view, &at)?.place;
            let base = state::not_found(state::live_base(view, &place, now)?)?;
            let key = base.properties.encryption.as_ref().map(|encryption| &encryption.key);
            if let Some(wished) = wish.scope.as_deref().filter(|name| *name != ACCOUNT_SCOPE)
                && !matches!(key, Some(EncryptionKey::Scope(name)) if name == wished)
            {
                return Err(EngineError::CustomerKeyMismatch { encrypted: key.is_some() });
            }
            let conditions = Conditions { customer_key: wish.customer.clone(), ..Conditions::default() };
            conditions.check_customer_key(&base.properties)?;
            key_of(view, &at.account, &base.properties, &conditions).map(Sealing)
        };
        meta::read(self.meta.as_ref(), Weight::Point, find).await
    }

    /// As [`Self::upload`], encrypted with this.
    pub fn upload_sealed(&self, sealing: &Sealing) -> Upload {
        let sealer = sealing.0.clone().map(|key| Sealer::new(key, Arc::clone(&self.salts)));
        self.upload().sealed(sealer)
    }
}

/// The key that a blob's content is encrypted with, if it is: the customer's, which has been compared, or its
/// scope's.
pub(in crate::blob) fn key_of<V: View + ?Sized>(
    view: &V,
    account: &AccountName,
    blob: &BlobProperties,
    conditions: &Conditions,
) -> Result<Option<SealKey>> {
    let Some(encryption) = &blob.encryption else { return Ok(None) };
    match (&encryption.key, &conditions.customer_key) {
        (EncryptionKey::Scope(name), _) => encryption_scope::key(view, account, name).map(Some),
        (EncryptionKey::Customer(sum), Some(key)) if key.sum() == *sum => Ok(Some(key.seal_key())),
        (EncryptionKey::Customer(_), _) => Err(EngineError::CustomerKeyMismatch { encrypted: true }),
    }
}

#[cfg(test)]
mod tests;
