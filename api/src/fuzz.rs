//! Entrances for fuzzers: each hands arbitrary bytes to one parser that the network reaches. None may panic,
//! and none has a result: what a parser makes of nonsense is its own business, that it survives is ours.

use crate::auth::bearer::{self, Bearer, KeySet};
use crate::auth::delegation::DelegationKeys;
use crate::auth::{AccountKeys, sas};
use crate::error::StorageError;
use crate::head::{Arrival, Head};
use crate::multipart::{self, Batch};
use crate::odata::{address, continuation, filter, json, tag};
use crate::service::{policies, properties::Change};
use crate::target::{ServiceKind, Target};
use crate::version::LARGE_BLOCKS;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures_util::FutureExt as _;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::Arc;
use storage_engine::clock::Timestamp;
use storage_engine::name::AccountName;
use storage_engine::secret::Secret;

fn text(data: &[u8]) -> &str {
    std::str::from_utf8(data).unwrap_or_default()
}

/// `$filter`.
pub fn odata_filter(data: &[u8]) {
    drop(filter::parse(text(data)));
}

/// The JSON of entities and tables.
pub fn entity(data: &[u8]) {
    drop(json::read_entity(data));
    drop(json::read_table_name(data));
}

/// Batches: the boundary is the first line.
pub fn batch(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (boundary, body) = data.split_at_checked(end).unwrap_or_default();
    let content_type = format!("multipart/mixed; boundary={}", text(boundary));
    let body = Bytes::copy_from_slice(body);
    drop(multipart::read_request(&body));
    if let Ok(Batch::Changes(parts)) = multipart::parse(&content_type, &body) {
        for part in &parts {
            drop(multipart::read_request(part));
        }
    }
}

/// What stands between the parentheses of an entity's address, tags and continuation tokens.
pub fn address(data: &[u8]) {
    let text = text(data);
    drop(address::parse(text));
    let _ = tag::parse(text);
    drop(continuation::parse(text));
}

/// XML documents: any, settings, and access policies.
pub fn xml(data: &[u8]) {
    drop(crate::xml::parse(data));
    drop(Change::read(data, ServiceKind::Blob, LARGE_BLOCKS));
    drop(policies::read(data, policies::CONTAINER_LETTERS));
}

/// Addresses: the host is the first line.
pub fn target(data: &[u8]) {
    let text = text(data);
    let (host, path) = text.split_once('\n').unwrap_or(("localhost", text));
    for service in [ServiceKind::Blob, ServiceKind::Queue, ServiceKind::Table] {
        drop(Target::parse(service, Some(host), path));
    }
    drop(crate::query::Query::parse(path));
}

/// The `Authorization` header and what is signed: the header is the first line, the query the second.
pub fn authorization(data: &[u8]) {
    let mut lines = text(data).splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (credentials, query, sent) = (line(), line(), line());
    let Ok(request) = http::Request::builder()
        .uri(format!("http://localhost/account/container?{query}"))
        .header(crate::header::AUTHORIZATION, credentials)
        .header(crate::header::X_MS_DATE, sent)
        .body(())
    else {
        return;
    };
    let parts = request.into_parts().0;
    if let Ok(head) = Head::read(ServiceKind::Blob, Arrival::default(), parts, "", Timestamp::MAX) {
        drop(crate::auth::authenticate(&head, &OneAccount));
        drop(sas::verify(&head, &AccountKeys::new(vec![b"key".to_vec()]), None));
    }
}

/// Signatures in addresses: the first line says the service, the second is path and query, further ones are headers. What the
/// server expected to be signed is signed, so that what is behind a signature that holds is reached too.
pub fn sas(data: &[u8]) {
    let mut lines = text(data).lines();
    let service = match lines.next() {
        Some("queue") => ServiceKind::Queue,
        Some("table") => ServiceKind::Table,
        _ => ServiceKind::Blob,
    };
    let url = lines.next().unwrap_or_default();
    let headers: Vec<_> = lines.filter_map(|line| line.split_once(':')).collect();
    let Some(error) = claim(service, url, &headers) else { return };
    let Some((_, detail)) = error.details.first() else { return };
    let Some((_, expected)) = detail.split_once("String to sign used was ") else { return };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(b"key") else { return };
    mac.update(expected.as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes()).replace('+', "%2B");
    drop(claim(service, &format!("{url}&sig={signature}"), &headers));
}

/// Verifies and settles the signature of an address; gives the refusal.
fn claim(service: ServiceKind, url: &str, headers: &[(&str, &str)]) -> Option<StorageError> {
    let mut request = http::Request::builder().uri(format!("http://localhost/account/{url}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let parts = request.body(()).ok()?.into_parts().0;
    let arrival = Arrival { peer: None, secure: true };
    let head = Head::read(service, arrival, parts, "", Timestamp::from_unix_seconds(1_800_000_000)).ok()?;
    let delegation = DelegationKeys::new(Secret::new([7; 32]));
    let claim = sas::verify(&head, &AccountKeys::new(vec![b"key".to_vec()]), Some(&delegation));
    claim.and_then(|claim| claim.settle(None, head.received)).err()
}

/// Documents of stored access policies, of all three services.
pub fn policies(data: &[u8]) {
    for letters in [policies::CONTAINER_LETTERS, policies::QUEUE_LETTERS, policies::TABLE_LETTERS] {
        if let Ok(read) = policies::read(data, letters) {
            drop(policies::read(policies::write(&read).as_bytes(), letters));
        }
    }
}

/// Tokens, and the key sets that they are judged by: a token as it is sent, or, behind a line break, its header and its
/// claims before they are encoded, so that the fuzzer need not find out Base64.
pub fn token(data: &[u8]) {
    drop(KeySet::parse(data));
    let text = text(data);
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let token = text.split_once('\n').map_or_else(
        || text.to_owned(),
        |(header, claims)| format!("{}.{}.", encode(header), encode(claims)),
    );
    let Ok(request) = http::Request::builder()
        .uri("http://localhost/account/container/blob")
        .header(crate::header::AUTHORIZATION, format!("Bearer {token}"))
        .header(crate::header::X_MS_VERSION, "2026-10-06")
        .body(())
    else {
        return;
    };
    let arrival = Arrival { peer: None, secure: true };
    if let Ok(head) = Head::read(ServiceKind::Blob, arrival, request.into_parts().0, "", Timestamp::MAX)
        && let Some(token) = bearer::credentials(&head)
    {
        drop(Bearer::unsigned(false).identify(&head, token).now_or_never());
    }
}

/// `Range` and `x-ms-range`.
pub fn range(data: &[u8]) {
    let Ok(request) = http::Request::builder()
        .uri("http://localhost/account/container/blob")
        .header(crate::header::RANGE, data)
        .header(crate::header::X_MS_RANGE, data)
        .body(())
    else {
        return;
    };
    if let Ok(head) =
        Head::read(ServiceKind::Blob, Arrival::default(), request.into_parts().0, "", Timestamp::MAX)
    {
        drop(crate::range::read(&head));
    }
}

/// Knows every account, with one key.
struct OneAccount;

impl crate::auth::Accounts for OneAccount {
    fn keys(&self, _: &AccountName) -> Option<Arc<AccountKeys>> {
        Some(Arc::new(AccountKeys::new(vec![b"key".to_vec()])))
    }

    fn anonymous_allowed(&self, _: &AccountName) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_entrance_panics(data: Vec<u8>, text: String) {
            for entrance in
                [odata_filter, entity, batch, address, xml, target, authorization, sas, policies, token, range]
            {
                entrance(&data);
                entrance(text.as_bytes());
            }
        }
    }
}
