//! Entrances for fuzzers: each hands arbitrary bytes to one parser that the network reaches. None may panic,
//! and none has a result: what a parser makes of nonsense is its own business, that it survives is ours.

mod credentials;

use crate::head::{Arrival, Head};
use crate::multipart::{self, Batch};
use crate::odata::{address, continuation, filter, json, tag};
use crate::service::{policies, properties::Change};
use crate::target::{ServiceKind, Target};
use crate::version::{CORS, LARGE_BLOCKS, OLDEST};
use bytes::Bytes;
pub use credentials::{authorization, sas, token};
use storage_engine::clock::Timestamp;

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

/// XML documents: any, and settings of all services in old and new forms.
pub fn xml(data: &[u8]) {
    drop(crate::xml::parse(data));
    for service in [ServiceKind::Blob, ServiceKind::Queue, ServiceKind::Table] {
        for version in [OLDEST, CORS, LARGE_BLOCKS] {
            drop(Change::read(data, service, version));
        }
    }
    credentials::key_info(data);
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

/// Documents of stored access policies, of all three services.
pub fn policies(data: &[u8]) {
    for letters in [policies::CONTAINER_LETTERS, policies::QUEUE_LETTERS, policies::TABLE_LETTERS] {
        if let Ok(read) = policies::read(data, letters) {
            let again = policies::read(policies::write(&read).as_bytes(), letters);
            assert_eq!(again.ok().as_ref(), Some(&read), "what was written is read as something else");
        }
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
