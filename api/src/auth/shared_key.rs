//! Shared Key and Shared Key Lite: what is signed, and whether the signature holds. Page "Authorize with Shared
//! Key". The JavaScript client signs tables the second way, everybody else the first.
//!
//! Clients sort the canonical headers in two ways, by bytes or as a dictionary of their platform does, where
//! `-` and `_` count last. The two differ only for unusual metadata names, so the second is tried only if the
//! first does not hold. So is a third: the rule is that white space inside a value counts as one space, and no client
//! of the vendor's or of others that was looked at keeps it, so metadata with two spaces is signed as it was sent.

use super::{AccountKeys, failed};
use crate::error::StorageError;
use crate::head::Head;
use crate::header;
use crate::target::ServiceKind;
use crate::version::{EMPTY_HEADERS_SIGNED, EMPTY_LENGTH_SIGNED_EMPTY};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;

/// Bytes of an HMAC-SHA256.
const MAC_BYTES: usize = 32;

/// Headers that are signed by value, in this order.
const SIGNED_HEADERS: [&str; 11] = [
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LENGTH,
    header::CONTENT_MD5,
    header::CONTENT_TYPE,
    header::DATE,
    header::IF_MODIFIED_SINCE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_UNMODIFIED_SINCE,
    header::RANGE,
];

/// How much is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `SharedKey`
    Full,
    /// `SharedKeyLite`
    Lite,
}

impl Scheme {
    /// The scheme that an `Authorization` header names.
    pub fn named(name: &str) -> Option<Self> {
        let is = |wanted| name.eq_ignore_ascii_case(wanted);
        if is("SharedKey") { Some(Self::Full) } else { is("SharedKeyLite").then_some(Self::Lite) }
    }
}

/// How canonical headers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderOrder {
    /// By bytes.
    Ordinal,
    /// As dictionaries sort: punctuation before digits before letters, `-` ignored at first.
    Dictionary,
    /// By bytes, and with the white space inside of values as it came.
    Unfolded,
}

/// Whether `signature`, in Base64, is the request's under one of the keys.
///
/// # Errors
/// `AuthenticationFailed`, with the string that was expected to be signed.
pub fn verify(head: &Head, scheme: Scheme, signature: &str, keys: &AccountKeys) -> Result<(), StorageError> {
    let ordinal = string_to_sign(head, scheme, HeaderOrder::Ordinal);
    let Ok(given) = STANDARD.decode(signature) else {
        return Err(failed("The signature is not Base64."));
    };
    let others = [HeaderOrder::Dictionary, HeaderOrder::Unfolded];
    if keys.verify(&ordinal, &given)
        || others.into_iter().any(|order| {
            let other = string_to_sign(head, scheme, order);
            other != ordinal && keys.verify(&other, &given)
        })
    {
        return Ok(());
    }
    // What is no MAC may be what should never have been sent: the key.
    let shown = if given.len() == MAC_BYTES { signature } else { "..." };
    Err(failed(format!(
        "The MAC signature found in the HTTP request '{shown}' is not the same as any computed signature. \
         Server used following string to sign: '{ordinal}'."
    )))
}

/// What the client is to have signed.
pub fn string_to_sign(head: &Head, scheme: Scheme, order: HeaderOrder) -> String {
    match (head.target.service, scheme) {
        (ServiceKind::Blob | ServiceKind::Queue, Scheme::Full) => full(head, order),
        (ServiceKind::Blob | ServiceKind::Queue, Scheme::Lite) => lite(head, order),
        (ServiceKind::Table, Scheme::Full) => table(head),
        (ServiceKind::Table, Scheme::Lite) => table_lite(head),
    }
}

fn full(head: &Head, order: HeaderOrder) -> String {
    let mut text = String::with_capacity(512);
    text.push_str(head.sent_method.as_str());
    text.push('\n');
    let has_ms_date = head.headers.contains_key(header::X_MS_DATE);
    for name in SIGNED_HEADERS {
        let value = value(head, name);
        let silent = (name == header::DATE && has_ms_date)
            || (name == header::CONTENT_LENGTH && value == "0" && head.version >= EMPTY_LENGTH_SIGNED_EMPTY);
        if !silent {
            text.push_str(value);
        }
        text.push('\n');
    }
    canonical_headers(head, order, &mut text);
    canonical_path(head, &mut text);
    canonical_query(head, &mut text);
    text
}

fn lite(head: &Head, order: HeaderOrder) -> String {
    let date = if head.headers.contains_key(header::X_MS_DATE) { "" } else { value(head, header::DATE) };
    let mut text = format!(
        "{}\n{}\n{}\n{date}\n",
        head.sent_method,
        value(head, header::CONTENT_MD5),
        value(head, header::CONTENT_TYPE),
    );
    canonical_headers(head, order, &mut text);
    canonical_path_and_comp(head, &mut text);
    text
}

fn table(head: &Head) -> String {
    let mut text = format!(
        "{}\n{}\n{}\n{}\n",
        head.sent_method,
        value(head, header::CONTENT_MD5),
        value(head, header::CONTENT_TYPE),
        table_date(head),
    );
    canonical_path_and_comp(head, &mut text);
    text
}

fn table_lite(head: &Head) -> String {
    let mut text = format!("{}\n", table_date(head));
    canonical_path_and_comp(head, &mut text);
    text
}

/// Tables sign the date that counts, whichever header it stands in.
fn table_date(head: &Head) -> &str {
    let name = if head.headers.contains_key(header::X_MS_DATE) { header::X_MS_DATE } else { header::DATE };
    value(head, name)
}

fn value<'a>(head: &'a Head, name: &str) -> &'a str {
    head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn canonical_headers(head: &Head, order: HeaderOrder, text: &mut String) {
    let mut headers: Vec<(&str, &http::HeaderValue)> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .filter(|(name, value)| {
            name.starts_with(header::X_MS) && (!value.is_empty() || head.version >= EMPTY_HEADERS_SIGNED)
        })
        .collect();
    match order {
        HeaderOrder::Ordinal | HeaderOrder::Unfolded => headers.sort_unstable_by_key(|(name, _)| *name),
        HeaderOrder::Dictionary => headers.sort_by_cached_key(|(name, _)| dictionary_key(name)),
    }
    for (name, value) in headers {
        text.extend([name, ":"]);
        let value = String::from_utf8_lossy(value.as_bytes());
        match order {
            HeaderOrder::Unfolded => text.push_str(&value),
            HeaderOrder::Ordinal | HeaderOrder::Dictionary => fold_white_space(&value, text),
        }
        text.push('\n');
    }
}

/// Punctuation in the order of dictionaries, then digits, then letters; hyphens decide only between equals.
fn dictionary_key(name: &str) -> (Vec<usize>, String) {
    const ORDER: &str = "!#$%&*.^_`|~+0123456789abcdefghijklmnopqrstuvwxyz";
    let weights = name.chars().filter(|c| *c != '-').map(|c| ORDER.find(c).unwrap_or(usize::MAX)).collect();
    (weights, name.to_owned())
}

fn fold_white_space(value: &str, text: &mut String) {
    let mut words = value.split([' ', '\t']).filter(|word| !word.is_empty());
    if let Some(first) = words.next() {
        text.push_str(first);
    }
    for word in words {
        text.extend([" ", word]);
    }
}

fn canonical_path(head: &Head, text: &mut String) {
    let path = if head.path.is_empty() { "/" } else { &head.path };
    let _ = write!(text, "/{}{path}", head.target.account);
}

fn canonical_path_and_comp(head: &Head, text: &mut String) {
    canonical_path(head, text);
    if let Some(comp) = head.query.get("comp") {
        text.extend(["?comp=", comp]);
    }
}

fn canonical_query(head: &Head, text: &mut String) {
    let mut pairs: Vec<(String, &str)> =
        head.query.pairs().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    pairs.sort_unstable();
    let mut last: Option<&str> = None;
    for (name, value) in &pairs {
        if last == Some(name.as_str()) {
            text.extend([",", value]);
        } else {
            text.extend(["\n", name, ":", value]);
        }
        last = Some(name);
    }
}
