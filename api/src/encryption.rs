//! Keys that customers bring, and encryption scopes, in headers. Pages "Provide an encryption key on a request to Blob
//! storage" and "Encryption scopes for Blob storage".
//!
//! **A customer's key is refused unless it comes over TLS**, from this machine too. The service refuses it and official
//! clients do not even send it; a server that took one in the clear would teach its users a habit that
//! leaks the key elsewhere, and all who want to try it here can have TLS with one switch.
//!
//! The key is decoded into memory that is wiped, and no error shows it. What is done with it is the engine's
//! business ([`storage_engine::seal`]).

use crate::blob::BlobService;
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::header;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue};
use storage_engine::EngineError;
use storage_engine::blob::{BlobAddress, Encryption, EncryptionKey, Sealing};
use storage_engine::encryption_scope::ACCOUNT_SCOPE;
use storage_engine::seal::{CustomerKey, EncryptionWish};
use zeroize::Zeroizing;

/// The only algorithm.
const ALGORITHM: &str = "AES256";
/// The headers of a key, its sum and its algorithm: all of them or none.
type KeyHeaders = [&'static str; 3];
const KEY_HEADERS: KeyHeaders =
    [header::X_MS_ENCRYPTION_KEY, header::X_MS_ENCRYPTION_KEY_SHA256, header::X_MS_ENCRYPTION_ALGORITHM];
/// Those of the key of a copy's source.
const SOURCE_KEY_HEADERS: KeyHeaders = [
    header::X_MS_SOURCE_ENCRYPTION_KEY,
    header::X_MS_SOURCE_ENCRYPTION_KEY_SHA256,
    header::X_MS_SOURCE_ENCRYPTION_ALGORITHM,
];

/// The customer's key that the request brings.
///
/// # Errors
/// `AccountRequiresHttps` without TLS, `MissingRequiredHeader` if not all three headers are there,
/// `InvalidHeaderValue` for another algorithm, a key that is not 32 bytes in Base64, or another key's sum.
pub(crate) fn customer_key(head: &Head) -> Result<Option<CustomerKey>, StorageError> {
    key_in(head, KEY_HEADERS)
}

/// The customer's key that the request brings for the source of a copy.
///
/// # Errors
/// As [`customer_key`].
pub(crate) fn source_key(head: &Head) -> Result<Option<CustomerKey>, StorageError> {
    key_in(head, SOURCE_KEY_HEADERS)
}

/// Refuses a key for the source where the operation, or its version, knows none.
///
/// # Errors
/// `UnsupportedHeader`.
pub(crate) fn refuse_source_key(head: &Head) -> Result<(), StorageError> {
    match SOURCE_KEY_HEADERS.iter().find(|name| head.headers.contains_key(name)) {
        Some(name) => Err(StorageError::new(ErrorCode::UnsupportedHeader).with("HeaderName", *name)),
        None => Ok(()),
    }
}

fn key_in(head: &Head, headers: KeyHeaders) -> Result<Option<CustomerKey>, StorageError> {
    if !headers.iter().any(|name| head.headers.contains_key(name)) {
        return Ok(None);
    }
    if !head.arrival.secure {
        return Err(StorageError::new(ErrorCode::AccountRequiresHttps));
    }
    let [key_name, sum_name, algorithm_name] = headers;
    let key = head.required(key_name)?;
    let sum = head.required(sum_name)?;
    let algorithm = head.required(algorithm_name)?;
    if algorithm != ALGORITHM {
        return Err(StorageError::invalid_header(algorithm_name, algorithm));
    }
    // Not with its value: that is the secret.
    let invalid = || StorageError::invalid_header(key_name, "");
    let bytes = Zeroizing::new(STANDARD.decode(key).map_err(|_| invalid())?);
    let bytes: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| invalid())?;
    let key = CustomerKey::new(Zeroizing::new(*bytes));
    if STANDARD.decode(sum).ok().as_deref() != Some(&key.sum()) {
        return Err(StorageError::invalid_header(sum_name, sum));
    }
    Ok(Some(key))
}

/// As [`of`], for an operation that may be told a scope and takes no customer's key.
///
/// # Errors
/// As [`of`]; `UnsupportedHeader` for a key.
pub(crate) fn scope_of(head: &Head) -> Result<EncryptionWish, StorageError> {
    head.refuse(&KEY_HEADERS, ErrorCode::UnsupportedHeader)?;
    of(head)
}

/// With what the content that is written is to be encrypted: the customer's key, or the scope of the header, or that
/// which the caller's signature demands.
///
/// # Errors
/// As [`customer_key`]; `InvalidHeaderValue` for key and scope at once, or for what is not a scope's name.
pub(crate) fn of(head: &Head) -> Result<EncryptionWish, StorageError> {
    let customer = customer_key(head)?;
    let demanded = head.caller.grant().and_then(|grant| grant.encryption_scope.clone());
    let scope = scope(head, header::X_MS_ENCRYPTION_SCOPE)?.or(demanded);
    match &scope {
        Some(name) if customer.is_some() => {
            Err(StorageError::invalid_header(header::X_MS_ENCRYPTION_SCOPE, name))
        }
        _ => Ok(EncryptionWish { customer, scope }),
    }
}

/// Whether the request says with what something is encrypted.
pub(crate) fn is_brought(head: &Head) -> bool {
    KEY_HEADERS.iter().chain(&[header::X_MS_ENCRYPTION_SCOPE]).any(|name| head.headers.contains_key(name))
}

/// The scope that a header names.
///
/// # Errors
/// `InvalidHeaderValue` for what is not a scope's name.
pub(crate) fn scope(head: &Head, name: &'static str) -> Result<Option<String>, StorageError> {
    let Some(scope) = head.text(name)? else { return Ok(None) };
    let named = (3..=63).contains(&scope.len())
        && scope.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if named || scope == ACCOUNT_SCOPE {
        Ok(Some(scope.to_owned()))
    } else {
        Err(StorageError::invalid_header(name, scope))
    }
}

/// Tells with whose key something is encrypted, if it is. What is stored without a key or a scope is not, and nobody is
/// told that it were.
pub(crate) fn set(headers: &mut HeaderMap, encryption: Option<&Encryption>) {
    let (name, value) = match encryption.map(|encryption| &encryption.key) {
        None => return,
        Some(EncryptionKey::Customer(sum)) => (header::X_MS_ENCRYPTION_KEY_SHA256, STANDARD.encode(sum)),
        Some(EncryptionKey::Scope(scope)) => (header::X_MS_ENCRYPTION_SCOPE, scope.clone()),
    };
    if let Ok(value) = HeaderValue::from_str(&value) {
        headers.insert(name, value);
    }
    for told in [header::X_MS_SERVER_ENCRYPTED, header::X_MS_REQUEST_SERVER_ENCRYPTED] {
        if let Some(told) = headers.get_mut(told) {
            *told = HeaderValue::from_static("true");
        }
    }
}

/// The engine's error about what a header asks for: if there is no such scope, with the header and the scope's name.
pub(crate) fn no_scope(error: EngineError, name: &'static str, asked: &str) -> StorageError {
    if !matches!(error, EngineError::EncryptionScopeNotFound) {
        return StorageError::from_engine(error, Intent::Write);
    }
    let message = format!("The encryption scope {asked} does not exist in this account.");
    StorageError { message: Some(message), ..StorageError::invalid_header(name, asked).caused_by(error) }
}

impl BlobService {
    /// With what a new blob or block is encrypted. Asked before the body is read.
    ///
    /// # Errors
    /// `ContainerNotFound`, `InvalidHeaderValue` for a scope that is not there,
    /// `RequestForbiddenByContainerEncryptionPolicy`.
    pub(crate) async fn sealing(
        &self,
        at: &BlobAddress,
        wish: EncryptionWish,
    ) -> Result<Sealing, StorageError> {
        let asked = wish.scope.clone().unwrap_or_default();
        let sealing = self.store.sealing(at, wish).await;
        sealing.map_err(|error| no_scope(error, header::X_MS_ENCRYPTION_SCOPE, &asked))
    }

    /// With what something is encrypted that is added to a blob that is there.
    ///
    /// # Errors
    /// `BlobNotFound`; `BlobUsesCustomerSpecifiedEncryption` and its opposite if the wish is for something else.
    pub(crate) async fn sealing_of(
        &self,
        at: &BlobAddress,
        wish: EncryptionWish,
    ) -> Result<Sealing, StorageError> {
        let sealing = self.store.sealing_of(at, wish).await;
        sealing.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;

    const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    const SUM: &str = "cs1uhCLEB/ttCYaQ8RMLfe1+wvf14dML2dUh8BU2N5M=";

    fn asked(secure: bool, headers: &[(&str, &str)]) -> Result<EncryptionWish, StorageError> {
        let mut head = testing::head(ServiceKind::Blob, "PUT", "/dev/con/b", headers);
        head.arrival.secure = secure;
        of(&head)
    }

    fn code(headers: &[(&str, &str)]) -> ErrorCode {
        asked(true, headers).unwrap_err().code
    }

    const ALL: [(&str, &str); 3] = [
        ("x-ms-encryption-key", KEY),
        ("x-ms-encryption-key-sha256", SUM),
        ("x-ms-encryption-algorithm", "AES256"),
    ];

    #[test]
    fn a_key_comes_with_its_sum_and_algorithm_over_tls() {
        let key = asked(true, &ALL).unwrap().customer.unwrap();
        assert_eq!(STANDARD.encode(key.sum()), SUM);
        assert_eq!(asked(false, &ALL).unwrap_err().code, ErrorCode::AccountRequiresHttps);
        for missing in 0..3 {
            let some: Vec<_> = (0..3).filter(|at| *at != missing).map(|at| ALL[at]).collect();
            assert_eq!(code(&some), ErrorCode::MissingRequiredHeader);
        }
        for (at, bad) in [(0, "AQE="), (0, "?"), (1, KEY), (1, "?"), (2, "AES128")] {
            let mut all = ALL;
            all[at].1 = bad;
            assert_eq!(code(&all), ErrorCode::InvalidHeaderValue, "{bad}");
        }
    }

    #[test]
    fn an_error_never_shows_the_key() {
        let mut all = ALL;
        all[0].1 = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ==";
        let error = asked(true, &all).unwrap_err();
        assert!(!error.to_xml("id", "time").contains("AQEB") && !format!("{error:?}").contains("AQEB"));
    }

    #[test]
    fn a_scope_has_a_name_and_no_key_beside_it() {
        let scope = |name| asked(false, &[("x-ms-encryption-scope", name)]);
        assert_eq!(scope("my-scope-1").unwrap().scope.as_deref(), Some("my-scope-1"));
        assert_eq!(scope(ACCOUNT_SCOPE).unwrap().scope.as_deref(), Some(ACCOUNT_SCOPE));
        for bad in ["ab", "under_score", "$other"] {
            assert_eq!(scope(bad).unwrap_err().code, ErrorCode::InvalidHeaderValue, "{bad}");
        }
        let both = [ALL[0], ALL[1], ALL[2], ("x-ms-encryption-scope", "my-scope")];
        assert_eq!(code(&both), ErrorCode::InvalidHeaderValue);
    }
}
