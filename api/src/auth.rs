//! Who asks. Answers before anything is looked up: a caller who may not enter learns nothing but that.

pub mod bearer;
pub mod delegation;
pub mod role;
pub mod shared_key;

use crate::error::{ErrorCode, StorageError};
use crate::head::Head;
use crate::header;
use crate::operation::Access;
use crate::time::parse_rfc1123;
use bearer::Bearer;
use delegation::DelegationKeys;
use role::Roles;
use shared_key::Scheme;
use std::sync::Arc;
use storage_engine::clock::Timestamp;
use storage_engine::name::AccountName;

/// How far a request's date may be from ours, in seconds.
const SKEW_SECONDS_MAX: u64 = 15 * 60;

/// An account's secret keys, decoded. Never printed.
pub struct AccountKeys(Vec<Vec<u8>>);

impl AccountKeys {
    /// One or two keys. Both are valid at once, so that they can be rotated.
    pub fn new(keys: Vec<Vec<u8>>) -> Self {
        Self(keys)
    }

    /// The keys.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
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
    fn keys(&self, account: &AccountName) -> Option<std::sync::Arc<AccountKeys>>;

    /// Whether containers of the account may be public. Where nobody has decided, they may.
    fn anonymous_allowed(&self, account: &AccountName) -> bool {
        let _ = account;
        true
    }
}

/// Who a request comes from, once that is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A holder of the account's key: may do everything in it.
    Owner,
    /// A holder of a token: may do what its roles say.
    Identity(Identity),
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

    /// Whether who asks may do what needs `access`.
    ///
    /// # Errors
    /// `AuthorizationPermissionMismatch` if not.
    pub fn permit(&self, principal: &Principal, head: &Head, access: Access) -> Result<(), StorageError> {
        let Principal::Identity(identity) = principal else { return Ok(()) };
        let (service, resource) = (head.target.service, &head.target.resource);
        if self.roles.allows(identity, &head.account, (service, resource.level(), access), resource) {
            return Ok(());
        }
        Err(StorageError::new(ErrorCode::AuthorizationPermissionMismatch))
    }
}

impl std::fmt::Debug for Identities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identities")
    }
}

/// Proves who a request comes from.
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
