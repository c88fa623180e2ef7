//! Encryption scopes: keys that the store holds, by name, for blobs that are to be encrypted apart from others.
//!
//! A scope's key is random, made with the scope and never changed. It is kept encrypted (AES-256-GCM) with a key
//! derived from the store's own secret, which lies beside it: who has the whole folder has the keys. What a scope
//! protects is bytes that leave without the records, as segments and volumes on a device that is lost, and it can be
//! *disabled*, after which nothing of it is read or written. As with the service there is no way to delete one while
//! blobs may need it; it goes with its account.
//!
//! The service makes scopes through its management interface, which is not part of the storage protocol; here they
//! are made by the administration.
//!
//! Layout, family [`Family::Access`]: key `encryption scope`, account, name; value, version 1: flag *disabled*, nonce
//! of 12 bytes, then the encrypted key and its tag. Account and name are authenticated with it, so a record copied to
//! another name does not open.

use crate::clock::Entropy;
use crate::error::{EngineError, Result};
use crate::meta::key::{KeyBuilder, KeyReader, successor};
use crate::meta::record::{Decoder, Encoder};
use crate::meta::{self, Family, MetaStore, Scope, Step, Transaction, View, Weight};
use crate::name::AccountName;
use crate::seal::{self, ScopeAddress, SealKey};
use crate::secret::{self, Secret};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::sync::Arc;
use zeroize::Zeroizing;

const PREFIX: &str = "encryption scope";
const KIND: &str = "encryption scope";
const VERSION: u8 = 1;
const PURPOSE: &[u8] = b"encryption scopes 1";

/// The name that means no scope but the account's own key, with which nothing is encrypted here.
pub const ACCOUNT_SCOPE: &str = "$account-encryption-key";

/// An encryption scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptionScope {
    /// Its name.
    pub name: String,
    /// Whether nothing of it may be read or written.
    pub disabled: bool,
}

/// The encryption scopes of all accounts.
#[derive(Debug, Clone)]
pub struct EncryptionScopeStore {
    meta: Arc<dyn MetaStore>,
    entropy: Arc<dyn Entropy>,
}

impl EncryptionScopeStore {
    /// The scopes whose records are in `meta`. Their keys come from `entropy`.
    pub fn new(meta: Arc<dyn MetaStore>, entropy: Arc<dyn Entropy>) -> Self {
        Self { meta, entropy }
    }

    /// Makes a scope; `false` if there was one of this name, which stays as it is, but is enabled.
    ///
    /// # Errors
    /// If there is no randomness; the store's.
    pub async fn create(&self, at: &ScopeAddress) -> Result<bool> {
        let secret = secret::get_or_make(&*self.meta, &*self.entropy).await?;
        let new = Zeroizing::new(*self.entropy.secret()?.expose());
        let nonce = self.entropy.bits().to_be_bytes();
        let key = key_bytes(&at.account, &at.name);
        let wrapped = wrap(&secret, &key, &new, &nonce)?;
        let verb = move |transaction: &mut dyn Transaction| {
            let former = transaction.get(Family::Access, &key)?;
            let kept = former.as_deref().map(decode).transpose()?.map(|(_, wrapped)| wrapped.to_vec());
            let made = kept.is_none();
            let wrapped = kept.unwrap_or_else(|| wrapped.clone());
            transaction.put(Family::Access, &key, &encode(false, &wrapped));
            Ok(made)
        };
        meta::commit(&*self.meta, scope(&at.account), None, verb).await
    }

    /// Disables a scope.
    ///
    /// # Errors
    /// [`EngineError::EncryptionScopeNotFound`].
    pub async fn disable(&self, at: &ScopeAddress) -> Result<()> {
        let key = key_bytes(&at.account, &at.name);
        let verb = move |transaction: &mut dyn Transaction| {
            let record =
                transaction.get(Family::Access, &key)?.ok_or(EngineError::EncryptionScopeNotFound)?;
            let (_, wrapped) = decode(&record)?;
            transaction.put(Family::Access, &key, &encode(true, wrapped));
            Ok(())
        };
        meta::commit(&*self.meta, scope(&at.account), None, verb).await
    }

    /// The scopes of an account, by name.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, account: &AccountName) -> Result<Vec<EncryptionScope>> {
        let prefix = account_key(account);
        meta::read(&*self.meta, Weight::Scan, move |view| {
            let mut scopes = Vec::new();
            view.scan(Family::Access, &prefix, successor(&prefix).as_deref(), &mut |key, value| {
                let mut pieces = KeyReader::new(key);
                pieces.skip(&prefix)?;
                let name = pieces.text()?;
                scopes.push(EncryptionScope { name, disabled: decode(value)?.0 });
                Ok(Step::Next)
            })?;
            Ok(scopes)
        })
        .await
    }

    /// Takes all scopes of an account away, whose blobs are gone.
    ///
    /// # Errors
    /// The store's.
    pub async fn remove_all(&self, account: &AccountName) -> Result<()> {
        let prefix = account_key(account);
        let verb = move |transaction: &mut dyn Transaction| {
            meta::delete_beginning(transaction, Family::Access, &prefix)
        };
        meta::commit(&*self.meta, scope(account), None, verb).await
    }
}

/// The key of a scope.
///
/// # Errors
/// [`EngineError::EncryptionScopeNotFound`], [`EngineError::EncryptionScopeDisabled`].
pub(crate) fn key<V: View + ?Sized>(view: &V, account: &AccountName, name: &str) -> Result<SealKey> {
    let key = key_bytes(account, name);
    let record = view.get(Family::Access, &key)?.ok_or(EngineError::EncryptionScopeNotFound)?;
    let (disabled, wrapped) = decode(&record)?;
    if disabled {
        return Err(EngineError::EncryptionScopeDisabled);
    }
    let secret = secret::find(view)?.ok_or_else(damaged)?;
    Ok(SealKey::of_scope(name, unwrap(&secret, &key, wrapped)?))
}

fn account_key(account: &AccountName) -> Vec<u8> {
    KeyBuilder::new().text(PREFIX).text(account.as_str()).finish()
}

fn key_bytes(account: &AccountName, name: &str) -> Vec<u8> {
    KeyBuilder::new().text(PREFIX).text(account.as_str()).text(name).finish()
}

fn scope(account: &AccountName) -> Scope {
    Scope(account_key(account).into())
}

fn encode(disabled: bool, wrapped: &[u8]) -> Vec<u8> {
    let mut fields = Encoder::new(VERSION);
    fields.flag(disabled).raw(wrapped);
    fields.finish()
}

fn decode(record: &[u8]) -> Result<(bool, &[u8])> {
    let (_, mut fields) = Decoder::versioned(KIND, VERSION, record)?;
    Ok((fields.flag()?, fields.rest()))
}

fn damaged() -> EngineError {
    EngineError::corrupt("the key of an encryption scope")
}

fn cipher(secret: &Secret) -> Result<LessSafeKey> {
    let mut bytes = Zeroizing::new([0; 32]);
    seal::derive(secret.expose(), &[], PURPOSE, &mut *bytes)?;
    UnboundKey::new(&AES_256_GCM, &*bytes).map(LessSafeKey::new).map_err(|_| damaged())
}

fn wrap(secret: &Secret, name: &[u8], key: &[u8; 32], random: &[u8]) -> Result<Vec<u8>> {
    let nonce = random.first_chunk::<NONCE_LEN>().ok_or_else(damaged)?;
    let mut wrapped = key.to_vec();
    cipher(secret)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(*nonce), Aad::from(name), &mut wrapped)
        .map_err(|_| damaged())?;
    Ok([nonce, wrapped.as_slice()].concat())
}

fn unwrap(secret: &Secret, name: &[u8], wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
    let (nonce, sealed) = wrapped.split_first_chunk::<NONCE_LEN>().ok_or_else(damaged)?;
    let mut bytes = Zeroizing::new(sealed.to_vec());
    let key = cipher(secret)?
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(name), &mut bytes)
        .map_err(|_| damaged())?;
    let key: &[u8; 32] = (&*key).try_into().map_err(|_| damaged())?;
    Ok(Zeroizing::new(*key))
}
