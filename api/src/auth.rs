//! Who asks, and whether they may.
//!
//! [`Gate::enter`] finds out who a request comes from: by an `Authorization` header, by a signature in its address, or
//! nobody. [`permit`] judges whether they may do what they ask for, by the facts of the operation's row. Both answer
//! before the operation looks anything up: a caller who may not enter learns nothing but that.
//!
//! An `Authorization` header wins over a signature in the address: it proves more. Only a signature that is bound to a
//! user needs both.

mod anonymous;
pub mod bearer;
pub mod delegation;
pub mod grant;
pub mod permit;
pub mod policy;
pub mod role;
pub mod sas;
pub mod shared_key;

pub use permit::Caller;

use crate::body::Body;
use crate::error::{ErrorCode, StorageError};
use crate::head::Head;
use crate::header;
use crate::operation::{Access, Asked};
use crate::reply;
use crate::target::Level;
use crate::time::parse_rfc1123;
use bearer::Bearer;
use delegation::DelegationKeys;
use grant::Grant;
use hmac::{Hmac, KeyInit, Mac};
use policy::Policies;
use role::Roles;
use sha2::Sha256;
use shared_key::Scheme;
use std::sync::Arc;
use storage_engine::blob::{BlobStore, PublicAccess};
use storage_engine::clock::Timestamp;
use storage_engine::name::AccountName;

/// How far a request's date may be from ours, in seconds.
const SKEW_SECONDS_MAX: u64 = 15 * 60;

/// An account's secret keys, decoded, each with the first two of the blocks that every HMAC under it hashes already
/// hashed: with short texts that is half of the work. Never printed.
pub struct AccountKeys(Vec<(Vec<u8>, Hmac<Sha256>)>);

impl AccountKeys {
    /// One or two keys. Both are valid at once, so that they can be rotated.
    pub fn new(keys: Vec<Vec<u8>>) -> Self {
        let begun = |key: Vec<u8>| Hmac::new_from_slice(&key).ok().map(|mac| (key, mac));
        Self(keys.into_iter().filter_map(begun).collect())
    }

    /// The keys.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|(key, _)| key.as_slice())
    }

    /// Whether `given` is the MAC of `text` under one of the keys. Takes as long for one wrong MAC as for another.
    fn verify(&self, text: &str, given: &[u8]) -> bool {
        self.0.iter().any(|(_, begun)| {
            let mut mac = begun.clone();
            mac.update(text.as_bytes());
            // `verify_slice` compares in constant time.
            mac.verify_slice(given).is_ok()
        })
    }
}

impl std::fmt::Debug for AccountKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AccountKeys({})", self.0.len())
    }
}

/// Where accounts are known.
pub trait Accounts: Send + Sync + 'static {
    /// The account's keys; none if there is no such account.
    fn keys(&self, account: &AccountName) -> Option<Arc<AccountKeys>>;

    /// Whether containers of the account may be public.
    fn anonymous_allowed(&self, account: &AccountName) -> bool;
}

/// Who a request comes from, once that is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A holder of the account's key: may do everything in it.
    Owner,
    /// A holder of a token: may do what its roles say.
    Identity(Identity),
    /// A holder of a shared access signature: may do what it grants.
    Signature(Arc<Grant>),
    /// Anybody, with how public the container of the address is.
    Anonymous(PublicAccess),
}

impl Default for Principal {
    /// Nobody, who may nothing.
    fn default() -> Self {
        Self::Anonymous(PublicAccess::None)
    }
}

/// Who a token speaks for, once its signature, audience and times hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `oid`: the user's or application's object id.
    pub object: String,
    /// `tid`: the tenant's id.
    pub tenant: String,
}

/// All that makes tokens mean something.
pub struct Identities {
    /// Whose tokens are believed.
    pub bearer: Bearer,
    /// What their holders may do.
    pub roles: Arc<dyn Roles>,
    /// What they may hand on.
    pub delegation: Arc<DelegationKeys>,
}

impl Identities {
    /// Proves who a request comes from: by its token, if it has one, else as [`authenticate`] does.
    ///
    /// # Errors
    /// As [`authenticate`] and [`Bearer::identify`].
    pub async fn prove(&self, head: &Head, accounts: &dyn Accounts) -> Result<Principal, StorageError> {
        let Some(token) = bearer::credentials(head) else { return authenticate(head, accounts) };
        let identity = self.bearer.identify(head, token).await?;
        accounts.keys(&head.account).ok_or_else(|| failed("The account does not exist."))?;
        Ok(Principal::Identity(identity))
    }
}

impl std::fmt::Debug for Identities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identities")
    }
}

/// Where requests come in.
pub struct Gate {
    accounts: Arc<dyn Accounts>,
    policies: Arc<dyn Policies>,
    identities: Identities,
    blobs: BlobStore,
}

impl Gate {
    /// A gate to these accounts, and to the holders of tokens that `identities` knows. Signatures may name these
    /// policies; `blobs` says which containers are public.
    pub fn new(
        accounts: Arc<dyn Accounts>,
        identities: Identities,
        policies: Arc<dyn Policies>,
        blobs: BlobStore,
    ) -> Self {
        Self { accounts, policies, identities, blobs }
    }

    /// What a client without credentials that hold is told: `WWW-Authenticate`.
    pub fn challenge(&self) -> String {
        self.identities.bearer.challenge()
    }

    /// Sets the challenge in the answer to a client without credentials that hold.
    pub fn challenge_if_unknown(&self, error: &StorageError, response: &mut http::Response<Body>) {
        if matches!(error.code, ErrorCode::NoAuthenticationInformation | ErrorCode::InvalidToken) {
            reply::set(response, header::WWW_AUTHENTICATE, &self.challenge());
        }
    }

    /// Finds out who a request comes from. `asked` is what its row asks for, if there is such a row. What is open to
    /// everybody asks nobody who they are.
    ///
    /// # Errors
    /// As [`authenticate`] and [`sas::verify`]; without credentials, what anonymous access is refused with.
    pub async fn enter(&self, head: &Head, asked: Option<Asked>) -> Result<Caller, StorageError> {
        let accounts = &*self.accounts;
        // A website is for people: nobody proves anything there, whatever they ask.
        let website = head.target.resource.level() == Level::Website;
        if website || asked.is_some_and(|asked| asked.access == Access::Open) {
            return Ok(Caller::default());
        }
        let authorized = head.headers.contains_key(header::AUTHORIZATION);
        let principal = if authorized && !sas::is_bound_to_user(&head.query) {
            self.identities.prove(head, accounts).await?
        } else if sas::is_in(&head.query) {
            Principal::Signature(Arc::new(self.signature(head).await?))
        } else {
            anonymous::enter(head, asked, accounts, &self.blobs).await?
        };
        Ok(Caller::new(principal, Some(Arc::clone(&self.identities.roles))))
    }

    /// Lets the caller, found out by [`Gate::enter`], do what they ask for.
    ///
    /// # Errors
    /// As [`permit::admit`]; `PublicAccessNotPermitted` for what would make a container of a closed account public.
    pub fn admit(&self, asked: Asked, head: &mut Head) -> Result<(), StorageError> {
        permit::admit(asked, head)?;
        anonymous::check_publication(asked, head, &*self.accounts)
    }

    async fn signature(&self, head: &Head) -> Result<Grant, StorageError> {
        let keys = self.accounts.keys(&head.account).ok_or_else(|| failed("The account does not exist."))?;
        let claim = sas::verify(head, &keys, Some(&self.identities.delegation))?;
        if let Some(user) = claim.bound_to() {
            match self.identities.prove(head, &*self.accounts).await? {
                Principal::Identity(identity) if identity == *user => {}
                _ => return Err(sas::not_the_user()),
            }
        }
        let policy = match claim.policy() {
            Some((holder, id)) => self.policies.policy(&head.account, holder, id).await?,
            None => None,
        };
        claim.settle(policy, head.received)
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gate")
    }
}

/// Proves who a request comes from, by its `Authorization` header.
///
/// # Errors
/// `NoAuthenticationInformation` without credentials, `InvalidAuthenticationInfo` for ones that cannot be read,
/// `AuthenticationFailed` for ones that do not hold.
pub fn authenticate(head: &Head, accounts: &dyn Accounts) -> Result<Principal, StorageError> {
    let Some(authorization) = head.headers.get(header::AUTHORIZATION) else {
        return Err(StorageError::new(ErrorCode::NoAuthenticationInformation));
    };
    let malformed = || StorageError::new(ErrorCode::InvalidAuthenticationInfo);
    let text = authorization.to_str().map_err(|_| malformed())?;
    let (scheme, credentials) = text.split_once(' ').ok_or_else(malformed)?;
    let scheme = Scheme::named(scheme).ok_or_else(malformed)?;
    let (account, signature) = credentials.trim().split_once(':').ok_or_else(malformed)?;
    if account != head.account.as_str() {
        return Err(failed("The account in the Authorization header is not that of the address."));
    }
    let keys = accounts.keys(&head.account).ok_or_else(|| failed("The account does not exist."))?;
    check_date(head)?;
    shared_key::verify(head, scheme, signature, &keys).map(|()| Principal::Owner)
}

/// `AuthenticationFailed`, with the reason.
fn failed(reason: impl Into<String>) -> StorageError {
    StorageError::new(ErrorCode::AuthenticationFailed).with("AuthenticationErrorDetail", reason)
}

fn check_date(head: &Head) -> Result<(), StorageError> {
    let text = match head.text(header::X_MS_DATE)? {
        Some(text) => text,
        None => head.text(header::DATE)?.ok_or_else(|| failed("The request has no date."))?,
    };
    let date = parse_rfc1123(text).ok_or_else(|| failed(format!("The date is not one: '{text}'.")))?;
    let skew = date.ticks().abs_diff(head.received.ticks()) / Timestamp::TICKS_PER_SECOND;
    if skew > SKEW_SECONDS_MAX {
        return Err(failed(format!("The date is too far from the server's: '{text}'.")));
    }
    Ok(())
}
