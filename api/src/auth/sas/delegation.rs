//! User delegation signatures: a service's signature made with a key that a user asked for. Page "Create a user
//! delegation SAS". What is signed grew five times; where the page and the vendor's clients differ in the order
//! of the newest fields, the clients are followed, because they are what has to get in.

use super::fields::{Fields, moment};
use super::service::{Named, OVERRIDES, named};
use super::{
    Presented, SINCE_2018_11_09, SINCE_2020_02_10, SINCE_2020_12_06, SINCE_2025_07_05, SINCE_2026_04_06,
};
use crate::auth::delegation::{DelegationKeys, KeyFacts, service_letter};
use crate::auth::{AccountKeys, Identity, failed};
use crate::error::StorageError;
use crate::head::Head;
use crate::target::ServiceKind;
use std::fmt::Write as _;

/// Reads a user delegation signature.
///
/// # Errors
/// `AuthenticationFailed` if it is no such thing, or its key is not of now or of another service.
pub(super) fn read(
    head: &Head,
    fields: &Fields<'_>,
    keys: Option<&DelegationKeys>,
) -> Result<Presented, StorageError> {
    let service = head.target.service;
    let since = match service {
        ServiceKind::Blob => SINCE_2018_11_09,
        ServiceKind::Queue => SINCE_2025_07_05,
        ServiceKind::Table => return Err(failed("Tables have no user delegation signatures.")),
    };
    if fields.version < since {
        return Err(failed("There are no user delegation signatures in the version of sv."));
    }
    if fields.some("si").is_some() {
        return Err(failed("A user delegation signature cannot name a stored access policy."));
    }
    if fields.some("suoid").is_some() {
        return Err(failed("suoid needs a hierarchical namespace."));
    }
    let keys = keys.ok_or_else(|| failed("This server gives no user delegation keys."))?;
    if fields.text("sks") != service_letter(service) {
        return Err(failed("The key of the signature is not for this service."));
    }
    check_key_times(head, fields)?;
    let named = named(head, fields)?;
    let texts = match service {
        ServiceKind::Blob => blob_texts(head, fields, &named)?,
        ServiceKind::Queue | ServiceKind::Table => queue_texts(fields, &named),
    };
    let tenant_of_user = fields.some("skdutid").unwrap_or_else(|| fields.text("sktid"));
    Ok(Presented {
        signing_keys: Some(AccountKeys::new(vec![signing_key(head, fields, keys)])),
        delegated_by: Some(identity(fields.text("skoid"), fields.text("sktid"))),
        bound_to: fields.some("sduoid").map(|object| identity(object, tenant_of_user)),
        ..Presented::by_account(named.scope, texts)
    })
}

fn identity(object: &str, tenant: &str) -> Identity {
    Identity { object: object.to_owned(), tenant: tenant.to_owned() }
}

fn check_key_times(head: &Head, fields: &Fields<'_>) -> Result<(), StorageError> {
    let time = |name: &str| {
        let text = fields.text(name);
        moment(text).ok_or_else(|| failed(format!("{name} cannot be read: '{text}'.")))
    };
    let (start, expiry) = (time("skt")?, time("ske")?);
    if head.received < start || head.received >= expiry {
        return Err(failed("The user delegation key is not valid at this time."));
    }
    Ok(())
}

/// The key that the user was given, made again.
pub(super) fn signing_key(head: &Head, fields: &Fields<'_>, keys: &DelegationKeys) -> Vec<u8> {
    let facts = KeyFacts {
        account: head.account.as_str(),
        object: fields.text("skoid"),
        tenant: fields.text("sktid"),
        start: fields.text("skt"),
        expiry: fields.text("ske"),
        service: fields.text("sks"),
        version: fields.text("skv"),
        delegated_tenant: fields.text("skdutid"),
    };
    keys.derive(&facts).to_vec()
}

/// What both services sign first.
fn first_lines<'a>(fields: &Fields<'a>, canonical: &'a str) -> Vec<&'a str> {
    let mut lines = vec![fields.text("sp"), fields.text("st"), fields.text("se"), canonical];
    lines.extend(["skoid", "sktid", "skt", "ske", "sks", "skv"].map(|name| fields.text(name)));
    lines
}

fn blob_texts(head: &Head, fields: &Fields<'_>, named: &Named) -> Result<Vec<String>, StorageError> {
    let (headers, parameters) = (signed_headers(head, fields)?, signed_parameters(head, fields)?);
    let text = |canonical: &String| {
        let mut lines = first_lines(fields, canonical);
        if fields.version >= SINCE_2020_02_10 {
            lines.extend(["saoid", "suoid", "scid"].map(|name| fields.text(name)));
        }
        if fields.version >= SINCE_2025_07_05 {
            lines.extend(["skdutid", "sduoid"].map(|name| fields.text(name)));
        }
        lines.extend(["sip", "spr", "sv", "sr"].map(|name| fields.text(name)));
        lines.push(&named.at);
        if fields.version >= SINCE_2020_12_06 {
            lines.push(fields.text("ses"));
        }
        if fields.version >= SINCE_2026_04_06 {
            lines.extend([headers.as_str(), parameters.as_str()]);
        }
        lines.extend(OVERRIDES.map(|name| fields.text(name)));
        lines.join("\n")
    };
    Ok(named.canonical.iter().map(text).collect())
}

fn queue_texts(fields: &Fields<'_>, named: &Named) -> Vec<String> {
    let text = |canonical: &String| {
        let mut lines = first_lines(fields, canonical);
        lines.extend(["skdutid", "sduoid", "sip", "spr", "sv"].map(|name| fields.text(name)));
        lines.join("\n")
    };
    named.canonical.iter().map(text).collect()
}

/// Headers that the request must have as they were signed: the signature names them, the request says them.
fn signed_headers(head: &Head, fields: &Fields<'_>) -> Result<String, StorageError> {
    let mut text = String::new();
    for name in fields.some("srh").into_iter().flat_map(|names| names.split(',')) {
        let value = head.headers.get(name).and_then(|value| value.to_str().ok());
        let value = value.ok_or_else(|| failed(format!("The signed header '{name}' is missing.")))?;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}:{value}");
    }
    Ok(text)
}

/// Query parameters that the request must have as they were signed.
fn signed_parameters(head: &Head, fields: &Fields<'_>) -> Result<String, StorageError> {
    let mut text = String::new();
    for name in fields.some("srq").into_iter().flat_map(|names| names.split(',')) {
        let value = head.query.get(name);
        let value =
            value.ok_or_else(|| failed(format!("The signed query parameter '{name}' is missing.")))?;
        let _ = write!(text, "\n{name}:{value}");
    }
    Ok(text)
}
