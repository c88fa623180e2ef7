//! Tokens: `Authorization: Bearer <token>`. Page "Authorize with Microsoft Entra ID".
//!
//! A token is believed when its issuer is one that the configuration names, its signature holds under a key that this
//! issuer publishes, it was made for storage (its audience), it is neither too young nor too old, and it is of the
//! issuer's tenant. In that order, so that nothing of it is looked at longer than needed before its signature is; the
//! issuer must come first, because it says whose keys count. A token for anything else, however valid, is refused:
//! else a service that is shown a token of ours could use it elsewhere, and the other way round.
//!
//! # Once for many requests
//! That a signature holds is remembered for minutes ([`checked`]); audience and times are judged with every request.
//!
//! # Plain HTTP
//! A token is worth what it opens until it expires, to whoever reads it. It is therefore refused over plain HTTP,
//! unless the configuration allows that and it comes from this machine, where nobody listens in between.
//!
//! # Without signatures
//! [`Bearer::unsigned`] believes anybody, as Azurite's `--oauth basic` does: for tests that want the code path of
//! tokens and have no issuer. It proves nothing, and whoever starts the server so is told.

mod checked;
mod key;
#[cfg(test)]
mod tests;
mod token;

use super::{Identity, failed};
use crate::error::{ErrorCode, StorageError};
use crate::head::Head;
use crate::header;
use crate::version::TOKENS;
use checked::{Checked, Verified};
use futures_util::future::BoxFuture;
pub use key::{KeySet, KeySetError};
use std::sync::Arc;
use storage_engine::clock::Timestamp;
use storage_engine::name::AccountName;
use token::{Claims, Token};

/// How far an issuer's clock may be from ours, in seconds.
const SKEW_SECONDS_MAX: u64 = 60;

/// The last second of the year 9999: later ones count as this.
const UNIX_SECONDS_MAX: u64 = 253_402_300_799;

/// Storage as a whole: its name and its application id.
const AUDIENCES: [&str; 2] = ["https://storage.azure.com", "e406a681-f3d4-42a8-90b6-c2b029497af1"];

/// What follows an account's name and `.blob.` and so on in the audience of one account, in each of the clouds.
const AUDIENCE_SUFFIXES: [&str; 4] =
    ["core.windows.net", "core.chinacloudapi.cn", "core.usgovcloudapi.net", "core.cloudapi.de"];

/// The services that an account's audience may name.
const AUDIENCE_SERVICES: [&str; 4] = ["blob", "queue", "table", "dfs"];

/// How the issuers begin whose tokens [`Bearer::unsigned`] takes: those of the vendor's clouds.
const VENDOR_ISSUERS: [&str; 6] = [
    "https://sts.windows.net/",
    "https://sts.windows-ppe.net/",
    "https://sts.chinacloudapi.cn/",
    "https://sts.microsoftonline.de/",
    "https://login.microsoftonline.com/",
    "https://login.microsoftonline.us/",
];

/// Where clients are sent if no issuer is configured.
const VENDOR_AUTHORIZATION: &str = "https://login.microsoftonline.com/common/oauth2/authorize";

/// The object and the tenant of a token that says nothing about them, where that is allowed.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// What is known of a token's issuer.
#[derive(Debug, Clone)]
pub struct Trusted {
    /// Its keys.
    pub keys: Arc<KeySet>,
    /// The only tenant whose tokens count; none if all do.
    pub tenant: Option<String>,
}

/// Why nothing is known of a token's issuer.
#[derive(Debug)]
pub enum Distrust {
    /// It is none of ours.
    UnknownIssuer,
    /// It is one of ours, and its keys cannot be had now.
    KeysUnavailable(Box<dyn std::error::Error + Send + Sync>),
}

/// Where issuers are known, and their keys fetched and kept.
pub trait Issuers: Send + Sync + 'static {
    /// What is known of `issuer`, a token's `iss`, to the letter. If its keys do not include the one that the token
    /// names, they are fetched anew, unless that was just done.
    fn find<'a>(&'a self, issuer: &'a str, key: Option<&'a str>) -> BoxFuture<'a, Result<Trusted, Distrust>>;

    /// Where clients get tokens; none if there is no issuer.
    fn authorization_uri(&self) -> Option<String>;
}

enum Trust {
    Issuers(Arc<dyn Issuers>),
    Anybody,
}

/// Judges tokens.
pub struct Bearer {
    trust: Trust,
    over_http: bool,
    checked: Checked,
}

impl Bearer {
    /// Believes tokens of these issuers. `over_http`: also over plain HTTP, from this machine.
    pub fn signed(issuers: Arc<dyn Issuers>, over_http: bool) -> Self {
        Self { trust: Trust::Issuers(issuers), over_http, checked: Checked::default() }
    }

    /// Believes every token that is made for storage, is not expired and looks as if a cloud of the vendor's had made
    /// it. Signatures are not looked at: **anybody can make such a token**.
    pub fn unsigned(over_http: bool) -> Self {
        Self { trust: Trust::Anybody, over_http, checked: Checked::default() }
    }

    /// What a client is told that has shown no credentials, or a token that does not hold: `WWW-Authenticate`.
    pub fn challenge(&self) -> String {
        let uri = match &self.trust {
            Trust::Issuers(issuers) => issuers.authorization_uri(),
            Trust::Anybody => None,
        };
        let uri = uri.as_deref().unwrap_or(VENDOR_AUTHORIZATION);
        format!("Bearer authorization_uri={uri} resource_id={}", AUDIENCES[0])
    }

    /// Who the token of the request speaks for.
    ///
    /// # Errors
    /// `InvalidAuthenticationInfo` (401) if the token does not hold, `AuthenticationFailed` where none is taken,
    /// `ServerBusy` if the issuer's keys cannot be had.
    pub async fn identify(&self, head: &Head, token: &str) -> Result<Identity, StorageError> {
        let local = head.arrival.peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback());
        if !(head.arrival.secure || (self.over_http && local)) {
            return Err(failed("Authentication scheme Bearer must be used with HTTPS."));
        }
        if head.version < TOKENS {
            return Err(failed("Authentication scheme Bearer is not supported in this version."));
        }
        let Verified { claims, tenant } = self.verified(token, head.received).await?;
        judge(&claims, &head.account, head.received)?;
        self.identity(&claims, tenant)
    }

    /// What a token says whose signature holds, now or not long ago.
    async fn verified(&self, text: &str, now: Timestamp) -> Result<Verified, StorageError> {
        let digest = Checked::digest(text);
        if let Some(verified) = self.checked.find(&digest, now) {
            return Ok(verified);
        }
        let token = Token::read(text).ok_or_else(|| invalid("The token is not a signed JSON Web Token."))?;
        let tenant = match &self.trust {
            Trust::Issuers(issuers) => verify(&**issuers, &token).await?,
            Trust::Anybody if is_of_vendor(&token.claims.iss) => None,
            Trust::Anybody => return Err(invalid("Issuer validation failed. Issuer did not match.")),
        };
        let verified = Verified { claims: Arc::new(token.claims), tenant };
        self.checked.keep(digest, verified.clone(), now);
        Ok(verified)
    }

    fn identity(&self, claims: &Claims, tenant: Option<String>) -> Result<Identity, StorageError> {
        let default = || matches!(self.trust, Trust::Anybody).then(|| NOBODY.to_owned());
        // Issuers that are not the vendor's name their users in `sub` only.
        let object = claims.oid.as_ref().or(claims.sub.as_ref()).filter(|object| !object.is_empty());
        let object = object.cloned().or_else(default);
        let object = object.ok_or_else(|| invalid("The token names no object."))?;
        if tenant.is_some() && claims.tid.is_some() && tenant != claims.tid {
            return Err(invalid("Tenant validation failed. Tenant did not match."));
        }
        let tenant = claims.tid.clone().or(tenant).or_else(default);
        Ok(Identity { object, tenant: tenant.unwrap_or_else(|| NOBODY.to_owned()) })
    }
}

impl std::fmt::Debug for Bearer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bearer")
    }
}

/// The token that a request shows; none if it shows other credentials or none.
pub fn credentials(head: &Head) -> Option<&str> {
    let (scheme, token) = head.headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

/// `InvalidAuthenticationInfo` with a challenge, and the reason.
fn invalid(reason: &str) -> StorageError {
    StorageError::new(ErrorCode::InvalidToken).with("AuthenticationErrorDetail", reason)
}

/// The tenant that the issuer is bound to, if the signature holds.
async fn verify(issuers: &dyn Issuers, token: &Token<'_>) -> Result<Option<String>, StorageError> {
    let key = token.header.kid.as_deref();
    let trusted = issuers.find(&token.claims.iss, key).await.map_err(|distrust| match distrust {
        Distrust::UnknownIssuer => invalid("Issuer validation failed. Issuer did not match."),
        Distrust::KeysUnavailable(cause) => StorageError::new(ErrorCode::ServerBusy).caused_by(cause),
    })?;
    if !trusted.keys.verify(&token.header.alg, key, token.message, &token.signature) {
        return Err(invalid("Signature validation failed."));
    }
    Ok(trusted.tenant)
}

fn judge(claims: &Claims, account: &AccountName, now: Timestamp) -> Result<(), StorageError> {
    if !claims.aud.iter().any(|audience| is_audience(audience, account)) {
        return Err(invalid("Audience validation failed. Audience did not match."));
    }
    let at = |seconds: u64| Timestamp::from_unix_seconds(seconds.min(UNIX_SECONDS_MAX));
    if at(claims.exp.saturating_add(SKEW_SECONDS_MAX)) <= now {
        return Err(invalid("Lifetime validation failed. The token is expired."));
    }
    if claims.nbf.is_some_and(|from| at(from.saturating_sub(SKEW_SECONDS_MAX)) > now) {
        return Err(invalid("Lifetime validation failed. The token is not yet valid."));
    }
    Ok(())
}

fn is_of_vendor(issuer: &str) -> bool {
    VENDOR_ISSUERS.iter().any(|start| issuer.strip_prefix(start).is_some_and(|rest| !rest.is_empty()))
}

/// Whether a token with this audience is meant for the account, or for storage as a whole.
fn is_audience(audience: &str, account: &AccountName) -> bool {
    let audience = audience.strip_suffix('/').unwrap_or(audience);
    if AUDIENCES.contains(&audience) {
        return true;
    }
    let host = audience.strip_prefix("https://").and_then(|host| host.strip_prefix(account.as_str()));
    let Some((service, suffix)) = host.and_then(|rest| rest.strip_prefix('.')?.split_once('.')) else {
        return false;
    };
    AUDIENCE_SERVICES.contains(&service) && AUDIENCE_SUFFIXES.contains(&suffix)
}
