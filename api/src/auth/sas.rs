//! Shared access signatures: rights in an address, signed with the account's key or with a user's. Pages "Create
//! an account SAS", "Create a service SAS", "Create a user delegation SAS".
//!
//! # In two steps
//! [`verify`] proves that the signature is genuine and came by a way that it allows; it is pure and reads nothing
//! but the request. What it gives is a [`Claim`]: times and rights may still stand in a stored access policy, which
//! is looked up only for genuine signatures, so that nobody learns about policies by guessing. [`Claim::settle`]
//! makes a [`Grant`] of it.
//!
//! # One function per kind, no table of strings
//! What is signed depends on kind, service and version. A table of all combinations was tried on paper: it has some
//! thirty rows of up to thirty names that differ in one or two places, and a mistake in one is hard to see. So each
//! kind builds its list once, with a line for each version that added something.

mod account;
mod delegation;
mod fields;
mod service;
#[cfg(test)]
mod tests;

use super::delegation::DelegationKeys;
use super::grant::{Grant, KeyRange, Letters, Scope};
use super::policy::{PolicyHolder, StoredPolicy};
use super::{AccountKeys, Identity, failed};
use crate::error::{ErrorCode, StorageError};
use crate::head::Head;
use crate::header;
use crate::query::Query;
use crate::target::ServiceKind;
use crate::time::rfc1123;
use crate::version::Version;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fields::Fields;
use storage_engine::clock::Timestamp;

/// `sv` is part of what is signed; queues and tables have signatures.
const SINCE_2012_02_12: Version = Version::dated(2012, 2, 12);
/// Headers of the answer are signed.
const SINCE_2013_08_15: Version = Version::dated(2013, 8, 15);
/// The service is part of the resource that is signed.
const SINCE_2015_02_21: Version = Version::dated(2015, 2, 21);
/// Account signatures, `sip` and `spr`, add and create for blobs, refusals that say why.
pub(super) const SINCE_2015_04_05: Version = Version::dated(2015, 4, 5);
/// User delegation; `sr` and the snapshot are signed.
const SINCE_2018_11_09: Version = Version::dated(2018, 11, 9);
/// Versions of blobs, tags.
const SINCE_2019_12_12: Version = Version::dated(2019, 12, 12);
/// Directories; who is acting for whom.
const SINCE_2020_02_10: Version = Version::dated(2020, 2, 10);
/// Immutability.
const SINCE_2020_06_12: Version = Version::dated(2020, 6, 12);
/// Encryption scopes.
const SINCE_2020_12_06: Version = Version::dated(2020, 12, 6);
/// Finding blobs of a container by tags.
const SINCE_2021_04_10: Version = Version::dated(2021, 4, 10);
/// Signatures for one user alone; user delegation for queues.
const SINCE_2025_07_05: Version = Version::dated(2025, 7, 5);
/// Headers and query parameters that the request must have.
const SINCE_2026_04_06: Version = Version::dated(2026, 4, 6);

/// How long a signature without `sv` and without a policy may hold, in seconds.
const OLDEST_FORM_SECONDS_MAX: u64 = 3600;

/// Headers that the fields of [`service::OVERRIDES`] stand for, in their order.
const OVERRIDDEN: [&str; 5] = [
    header::CACHE_CONTROL,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_TYPE,
];

/// Whether a query carries a signature.
pub fn is_in(query: &Query) -> bool {
    query.get("sig").is_some()
}

/// Whether a query carries a signature that only holds together with its user's token.
pub fn is_bound_to_user(query: &Query) -> bool {
    is_in(query) && query.get("sduoid").is_some_and(|object| !object.is_empty())
}

/// What a kind of signature says about one.
struct Presented {
    scope: Scope,
    /// What may have been signed: more than one only where clients differ.
    texts: Vec<String>,
    /// What it was signed with, if not with the account's keys.
    signing_keys: Option<AccountKeys>,
    keys: Option<KeyRange>,
    policy: Option<(PolicyHolder, String)>,
    delegated_by: Option<Identity>,
    bound_to: Option<Identity>,
}

impl Presented {
    fn by_account(scope: Scope, texts: Vec<String>) -> Self {
        Self {
            scope,
            texts,
            signing_keys: None,
            keys: None,
            policy: None,
            delegated_by: None,
            bound_to: None,
        }
    }
}

/// A genuine signature, of which may still be open from when to when it holds and what it allows.
#[derive(Debug)]
pub struct Claim {
    letters: Option<Letters>,
    start: Option<Timestamp>,
    expiry: Option<Timestamp>,
    service: ServiceKind,
    policy: Option<(PolicyHolder, String)>,
    bound_to: Option<Identity>,
    /// All but its letters.
    grant: Grant,
}

/// Proves that the request's signature was made with the account's key, or one that a user was given, and that the
/// request came by a way that it allows. Without `delegation_keys` no user was given any.
///
/// # Errors
/// `AuthenticationFailed` with what was expected to be signed, `AuthorizationSourceIPMismatch`,
/// `AuthorizationProtocolMismatch`.
pub fn verify(
    head: &Head,
    account_keys: &AccountKeys,
    delegation_keys: Option<&DelegationKeys>,
) -> Result<Claim, StorageError> {
    let fields = Fields::of(head)?;
    let delegated = fields.some("skoid").is_some();
    let account = fields.some("ss").is_some() || fields.some("srt").is_some();
    let restricts = delegated && head.target.service == ServiceKind::Blob;
    if fields.version < SINCE_2026_04_06 || !restricts {
        // They would not be signed, and what was meant as a restriction would not be one.
        if let Some(name) = ["srh", "srq"].into_iter().find(|name| fields.some(name).is_some()) {
            return Err(failed(format!("{name} is only known to newer user delegation signatures.")));
        }
    }
    let presented = match (delegated, account) {
        (true, _) => delegation::read(head, &fields, delegation_keys)?,
        (false, true) => account::read(head, &fields)?,
        (false, false) => service::read(head, &fields)?,
    };
    let signing_keys = presented.signing_keys.as_ref().unwrap_or(account_keys);
    check_signature(&presented.texts, fields.text("sig"), signing_keys)?;
    fields.check_arrival()?;
    let of_blob = head.target.service == ServiceKind::Blob && !matches!(presented.scope, Scope::Account(..));
    let overridden = of_blob && fields.version >= SINCE_2013_08_15;
    let scoped = fields.version >= SINCE_2020_12_06 && head.target.service == ServiceKind::Blob;
    Ok(Claim {
        letters: fields.letters,
        start: fields.start,
        expiry: fields.expiry,
        service: head.target.service,
        policy: presented.policy,
        bound_to: presented.bound_to,
        grant: Grant {
            letters: Letters::default(),
            scope: presented.scope,
            version: fields.version,
            keys: presented.keys,
            overrides: if overridden { overrides(&fields) } else { Vec::new() },
            delegated_by: presented.delegated_by,
            encryption_scope: fields.some("ses").filter(|_| scoped).map(str::to_owned),
        },
    })
}

/// The key that the user was given whose signature is in the address: for whoever signs in order to try what lies
/// behind.
///
/// # Errors
/// As for fields that cannot be read.
pub(crate) fn delegated_key(head: &Head, keys: &DelegationKeys) -> Result<Vec<u8>, StorageError> {
    Fields::of(head).map(|fields| delegation::signing_key(head, &fields, keys))
}

fn check_signature(texts: &[String], signature: &str, keys: &AccountKeys) -> Result<(), StorageError> {
    let Ok(given) = STANDARD.decode(signature) else {
        return Err(failed("The signature is not Base64."));
    };
    if texts.iter().any(|text| keys.verify(text, &given)) {
        return Ok(());
    }
    let expected = texts.first().map(String::as_str).unwrap_or_default();
    Err(failed(format!("Signature did not match. String to sign used was {expected}")))
}

fn overrides(fields: &Fields<'_>) -> Vec<(&'static str, String)> {
    let given = |(name, header): (&str, &'static str)| Some((header, fields.some(name)?.to_owned()));
    service::OVERRIDES.into_iter().zip(OVERRIDDEN).filter_map(given).collect()
}

impl Claim {
    /// The policy that it leaves something to: whose, and its id.
    pub fn policy(&self) -> Option<(&PolicyHolder, &str)> {
        self.policy.as_ref().map(|(holder, id)| (holder, id.as_str()))
    }

    /// The only user who may use it, who must also show a token.
    pub fn bound_to(&self) -> Option<&Identity> {
        self.bound_to.as_ref()
    }

    /// What is granted now. `policy` is the one that the claim names, if there is such a one.
    ///
    /// # Errors
    /// `AuthenticationFailed` outside its time, without a time or rights, for a policy that does not exist, and
    /// for what both claim and policy say.
    pub fn settle(self, policy: Option<StoredPolicy>, now: Timestamp) -> Result<Grant, StorageError> {
        let policy = match (&self.policy, policy) {
            (Some((_, id)), None) => {
                return Err(failed(format!("The stored access policy '{id}' does not exist.")));
            }
            (_, policy) => policy.unwrap_or_default(),
        };
        let stored = policy.permissions.as_deref().filter(|text| !text.is_empty());
        let permissions = stored.and_then(Letters::parse);
        let start = one_of("st", self.start, policy.start)?;
        let expiry = one_of("se", self.expiry, policy.expiry)?.ok_or_else(|| failed("se is missing."))?;
        let letters = one_of("sp", self.letters, permissions)?.ok_or_else(|| failed("sp is missing."))?;
        if start.is_some_and(|start| now < start) || now >= expiry {
            let start = start.map(rfc1123).unwrap_or_default();
            let (expiry, now) = (rfc1123(expiry), rfc1123(now));
            return Err(failed(format!(
                "Signature not valid in the specified time frame: Start [{start}] - Expiry [{expiry}] - Current [{now}]"
            )));
        }
        let longest = OLDEST_FORM_SECONDS_MAX * Timestamp::TICKS_PER_SECOND;
        let ticks = expiry.ticks().saturating_sub(start.unwrap_or(now).ticks());
        if self.grant.version < SINCE_2012_02_12 && self.policy.is_none() && ticks > longest {
            return Err(failed("Without sv and without a policy a signature may hold for an hour."));
        }
        let letters = letters.without(self.unknown_letters());
        Ok(Grant { letters, ..self.grant })
    }

    /// Letters that did not exist in the version that was signed in: they mean nothing.
    fn unknown_letters(&self) -> Letters {
        let of_account = matches!(self.grant.scope, Scope::Account(..));
        let find = if of_account { SINCE_2019_12_12 } else { SINCE_2021_04_10 };
        let mut unknown = String::new();
        for (letters, since) in
            [("xt", SINCE_2019_12_12), ("y", SINCE_2020_02_10), ("i", SINCE_2020_06_12), ("f", find)]
        {
            if self.grant.version < since {
                unknown.push_str(letters);
            }
        }
        if self.service == ServiceKind::Blob && self.grant.version < SINCE_2015_04_05 {
            unknown.push_str("ac");
        }
        Letters::of(&unknown)
    }
}

/// What either the signature or its policy says.
fn one_of<T>(name: &str, signed: Option<T>, stored: Option<T>) -> Result<Option<T>, StorageError> {
    match (signed, stored) {
        (Some(_), Some(_)) => {
            Err(failed(format!("{name} stands in the signature and in its stored access policy.")))
        }
        (signed, stored) => Ok(signed.or(stored)),
    }
}

/// Has a blob that was read answered with the headers that the signature asks for. Only whoever signed could have
/// asked: the fields are part of what is signed.
pub(crate) fn override_headers(grant: &Grant, answered: &mut http::HeaderMap) {
    for (name, value) in &grant.overrides {
        if let Ok(value) = http::HeaderValue::from_str(value) {
            answered.insert(*name, value);
        }
    }
}

/// The refusal of a token that is not the user's whom the signature is bound to.
pub(super) fn not_the_user() -> StorageError {
    StorageError::new(ErrorCode::AuthenticationFailed)
        .with("AuthenticationErrorDetail", "The signature is only for a user who also shows a token.")
}
