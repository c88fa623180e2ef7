//! Shared Key, byte for byte: `fixtures/auth/*.json` hold requests with the string that is to be signed and its
//! signature. The strings were written by hand after the vendor's page, the signatures computed by another
//! implementation of HMAC, so that a mistake of ours cannot cancel itself out.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use api::ServiceKind;
use api::auth::AccountKeys;
use api::auth::shared_key::{HeaderOrder, Scheme, string_to_sign, verify};
use api::head::{Arrival, Head};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::path::Path;
use storage_engine::clock::Timestamp;

#[derive(Clone)]
struct Vector {
    file: String,
    service: ServiceKind,
    scheme: Scheme,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    unsigned: Vec<String>,
    order: HeaderOrder,
    key: Vec<u8>,
    string_to_sign: String,
    signature: String,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().unwrap().clone()
}

fn vector(file: &Path) -> Vector {
    let json: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    Vector {
        file: file.file_name().unwrap().to_string_lossy().into_owned(),
        service: match json["service"].as_str().unwrap() {
            "blob" => ServiceKind::Blob,
            "queue" => ServiceKind::Queue,
            "table" => ServiceKind::Table,
            other => panic!("{other}"),
        },
        scheme: json["scheme"].as_str().map_or(Scheme::Full, |name| Scheme::named(name).unwrap()),
        method: text(&json["method"]),
        url: text(&json["url"]),
        headers: list(&json["headers"]).iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect(),
        unsigned: list(&json["unsigned"]).iter().map(text).collect(),
        order: match json["order"].as_str().unwrap() {
            "ordinal" => HeaderOrder::Ordinal,
            "dictionary" => HeaderOrder::Dictionary,
            "unfolded" => HeaderOrder::Unfolded,
            other => panic!("{other}"),
        },
        key: STANDARD.decode(text(&json["key"])).unwrap(),
        string_to_sign: text(&json["string_to_sign"]),
        signature: text(&json["signature"]),
    }
}

fn vectors() -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/auth");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.is_file());
    files.sort();
    assert!(files.len() >= 10, "the fixtures are gone");
    files.iter().map(|file| vector(file.as_path())).collect()
}

fn head(vector: &Vector) -> Head {
    let mut request = http::Request::builder().method(vector.method.as_str()).uri(&vector.url);
    for (name, value) in &vector.headers {
        request = request.header(name, value);
    }
    let received = Timestamp::from_unix_seconds(1_435_361_952);
    Head::read(vector.service, Arrival::default(), request.body(()).unwrap().into_parts().0, "", received)
        .unwrap()
}

fn holds(vector: &Vector) -> bool {
    verify(&head(vector), vector.scheme, &vector.signature, &AccountKeys::new(vec![vector.key.clone()]))
        .is_ok()
}

/// The text with the lowest bit of its last character flipped.
fn flipped(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    match bytes.last_mut() {
        Some(last) => *last ^= 1,
        None => bytes.push(b'x'),
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn strings_to_sign_are_byte_for_byte_those_of_the_fixtures() {
    for vector in vectors() {
        assert_eq!(
            string_to_sign(&head(&vector), vector.scheme, vector.order),
            vector.string_to_sign,
            "{}",
            vector.file
        );
    }
}

#[test]
fn signatures_hold_whichever_way_the_client_sorts() {
    for vector in vectors() {
        assert!(holds(&vector), "{}", vector.file);
        let keys = AccountKeys::new(vec![vec![0; 64], vector.key.clone()]);
        assert!(
            verify(&head(&vector), vector.scheme, &vector.signature, &keys).is_ok(),
            "{}: second key",
            vector.file
        );
    }
}

#[test]
fn a_bit_flipped_in_any_signed_header_fails() {
    for vector in vectors() {
        for at in 0..vector.headers.len() {
            let mut changed = vector.clone();
            let (name, value) = &vector.headers[at];
            changed.headers[at].1 = flipped(value);
            let signed = !vector.unsigned.contains(name);
            assert_eq!(holds(&changed), !signed, "{}: {name}", vector.file);
        }
    }
}

#[test]
fn a_bit_flipped_in_the_address_or_the_verb_fails() {
    for vector in vectors() {
        let mut changed = vector.clone();
        changed.method = "DELETE".into();
        // Tables signed the short way: neither the verb nor the query is part of it.
        let short = vector.scheme == Scheme::Lite;
        assert_eq!(holds(&changed), short && vector.service == ServiceKind::Table, "{}: verb", vector.file);
        let (path, query) = vector.url.split_once('?').unwrap_or((&vector.url, ""));
        // What stands behind the name is of the address's form, so the change is made in front of it.
        let changed_path = match (path.strip_suffix("')"), path.strip_suffix("/messages")) {
            (Some(inside), _) => format!("{}')", flipped(inside)),
            (_, Some(queue)) => format!("{}/messages", flipped(queue)),
            _ => format!("{path}x"),
        };
        changed = Vector { url: format!("{changed_path}?{query}"), ..vector.clone() };
        assert!(!holds(&changed), "{}: path", vector.file);
        if !query.is_empty() && !short {
            changed = Vector { url: format!("{path}?{}", flipped(query)), ..vector.clone() };
            assert!(!holds(&changed), "{}: query", vector.file);
        }
        if vector.service != ServiceKind::Table && !short {
            let added = if query.is_empty() { "more=1".to_owned() } else { format!("{query}&more=1") };
            changed = Vector { url: format!("{path}?{added}"), ..vector.clone() };
            assert!(!holds(&changed), "{}: one more parameter", vector.file);
        }
    }
}

#[test]
fn every_bit_of_the_signature_and_of_the_key_counts() {
    for vector in vectors() {
        let signature = STANDARD.decode(&vector.signature).unwrap();
        for at in 0..signature.len() {
            let mut bytes = signature.clone();
            bytes[at] ^= 1 << (at % 8);
            let changed = Vector { signature: STANDARD.encode(bytes), ..vector.clone() };
            assert!(!holds(&changed), "{}: byte {at}", vector.file);
        }
        for at in [0, vector.key.len() - 1] {
            let mut changed = vector.clone();
            changed.key[at] ^= 1;
            assert!(!holds(&changed), "{}: key", vector.file);
        }
        for bad in ["", "*", &vector.signature[..40]] {
            assert!(!holds(&Vector { signature: bad.into(), ..vector.clone() }), "{}: {bad}", vector.file);
        }
    }
}
