//! Shared access signatures as the official clients make them: `fixtures/auth/sas/*.json`, from the newest releases
//! and from old ones, in every version that changed what is signed. All of them hold, and none does with anything
//! in it changed. How the files were made stands in each of them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use api::ServiceKind;
use api::auth::AccountKeys;
use api::auth::delegation::DelegationKeys;
use api::auth::grant::{Grant, Letters, Scope};
use api::auth::sas::verify;
use api::error::{ErrorCode, StorageError};
use api::head::{Arrival, Head};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use storage_engine::clock::Timestamp;
use storage_engine::secret::Secret;

#[derive(Clone)]
struct Vector {
    name: String,
    service: ServiceKind,
    url: String,
    headers: Vec<(String, String)>,
    arrival: Arrival,
    key: Vec<u8>,
    received: u64,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn vectors() -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/auth/sas");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut vectors = Vec::new();
    for file in files {
        let document: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let label = file.file_stem().unwrap().to_string_lossy().into_owned();
        vectors.extend(
            document["vectors"].as_array().unwrap().iter().map(|json| vector(&label, &document, json)),
        );
    }
    assert!(vectors.len() >= 70, "the fixtures are gone");
    vectors
}

fn vector(label: &str, document: &Value, json: &Value) -> Vector {
    let headers = json["headers"].as_array().into_iter().flatten();
    Vector {
        name: format!("{label}: {}", text(&json["name"])),
        service: match json["service"].as_str().unwrap() {
            "blob" => ServiceKind::Blob,
            "queue" => ServiceKind::Queue,
            "table" => ServiceKind::Table,
            other => panic!("{other}"),
        },
        // A container: without a restype it would be a blob in the root container.
        url: text(&json["url"]).replace("/con?", "/con?restype=container&"),
        headers: headers.map(|pair| (text(&pair[0]), text(&pair[1]))).collect(),
        arrival: Arrival {
            peer: json["peer"].as_str().unwrap_or("127.0.0.1:1").parse().ok(),
            secure: json["secure"].as_bool().unwrap_or(false),
        },
        key: STANDARD.decode(text(&document["key"])).unwrap(),
        received: document["received"].as_u64().unwrap(),
    }
}

fn grant(vector: &Vector) -> Result<Grant, StorageError> {
    grant_under(vector, vec![vector.key.clone()])
}

fn grant_under(vector: &Vector, keys: Vec<Vec<u8>>) -> Result<Grant, StorageError> {
    let mut request = http::Request::builder().uri(&vector.url);
    for (name, value) in &vector.headers {
        request = request.header(name, value);
    }
    let received = Timestamp::from_unix_seconds(vector.received);
    let parts = request.body(()).unwrap().into_parts().0;
    let head = Head::read(vector.service, vector.arrival, parts, "", received)?;
    verify(&head, &AccountKeys::new(keys), Some(&DelegationKeys::new(Secret::new([7; 32]))))?
        .settle(None, received)
}

fn parameters(url: &str) -> Vec<(String, String)> {
    let query = url.split_once('?').unwrap().1;
    let pair =
        |pair: &str| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap();
    query.split('&').map(pair).collect()
}

fn with(vector: &Vector, parameters: &[(String, String)]) -> Vector {
    let query: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let path = vector.url.split_once('?').unwrap().0;
    Vector { url: format!("{path}?{}", query.join("&")), ..vector.clone() }
}

/// The text with the lowest bit of its last character flipped; another character, if that could stand in no address.
fn flipped(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    match bytes.last_mut() {
        Some(last) if (*last ^ 1).is_ascii_alphanumeric() => *last ^= 1,
        Some(last) => *last = b'_',
        None => bytes.push(b'x'),
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn what_the_clients_sign_holds() {
    for vector in vectors() {
        let granted = grant(&vector).unwrap_or_else(|error| panic!("{}: {:?}", vector.name, error.details));
        assert_ne!(granted.letters, Letters::default(), "{}", vector.name);
        let second = grant_under(&vector, vec![vec![0; 64], vector.key.clone()]);
        assert_eq!(second.unwrap(), granted, "{}: second key", vector.name);
    }
}

#[test]
fn every_step_of_every_kind_is_among_them() {
    let mut seen = BTreeSet::new();
    for vector in vectors() {
        let granted = grant(&vector).unwrap();
        let kind = match (&granted.scope, granted.delegated_by.is_some()) {
            (Scope::Account(..), _) => "account",
            (_, true) => "delegated",
            (_, false) => "service",
        };
        seen.insert(format!("{} {kind} {}", vector.service.label(), granted.version));
    }
    for wanted in [
        "blob account 2015-04-05",
        "blob account 2020-12-06",
        "blob delegated 2018-11-09",
        "blob delegated 2020-02-10",
        "blob delegated 2020-12-06",
        "blob delegated 2025-07-05",
        "blob delegated 2026-04-06",
        "blob service 2013-08-15",
        "blob service 2014-02-14",
        "blob service 2015-04-05",
        "blob service 2018-11-09",
        "blob service 2020-12-06",
        "queue delegated 2026-06-06",
        "queue service 2012-02-12",
        "queue service 2015-04-05",
        "table service 2012-02-12",
        "table service 2015-04-05",
        "table service 2019-02-02",
    ] {
        assert!(seen.contains(wanted), "{wanted} is not among {seen:#?}");
    }
}

#[test]
fn a_bit_flipped_in_any_field_fails() {
    for vector in vectors() {
        let parameters = parameters(&vector.url);
        for at in 0..parameters.len() {
            let mut changed = parameters.clone();
            changed[at].1 = flipped(&changed[at].1);
            let name = &parameters[at].0;
            // A client's own idea, which no page and no other client knows; and what says that a container is one.
            let unsigned = name == "restype" || vector.service == ServiceKind::Queue && name == "sr";
            assert_eq!(grant(&with(&vector, &changed)).is_ok(), unsigned, "{}: {name}", vector.name);
        }
    }
}

#[test]
fn a_field_left_out_fails_and_so_does_one_put_in() {
    for vector in vectors() {
        let parameters = parameters(&vector.url);
        for at in 0..parameters.len() {
            let mut changed = parameters.clone();
            let (name, _) = changed.remove(at);
            let unsigned = vector.service == ServiceKind::Queue && name == "sr";
            assert_eq!(grant(&with(&vector, &changed)).is_ok(), unsigned, "{}: {name}", vector.name);
        }
        for (name, value) in [("si", "policy"), ("sip", "127.0.0.1"), ("st", "2026-11-22"), ("srh", "host")] {
            if parameters.iter().all(|(given, _)| given != name) {
                let mut changed = parameters.clone();
                changed.push((name.to_owned(), value.to_owned()));
                let old =
                    parameters.iter().any(|(name, value)| name == "sv" && value.as_str() < "2015-04-05");
                // Before 2015 addresses were not part of what is signed. One that fits does no harm.
                assert_eq!(
                    grant(&with(&vector, &changed)).is_ok(),
                    old && name == "sip",
                    "{}: {name}",
                    vector.name
                );
            }
        }
    }
}

#[test]
fn another_resource_another_account_and_another_key_fail() {
    for vector in vectors() {
        let of_account = matches!(grant(&vector).unwrap().scope, Scope::Account(..));
        let (path, query) = vector.url.split_once('?').unwrap();
        let (base, name) = path.split_once("devaccount/").unwrap();
        let elsewhere = Vector { url: format!("{base}devaccount/x{name}?{query}"), ..vector.clone() };
        assert_eq!(grant(&elsewhere).is_ok(), of_account, "{}: resource", vector.name);
        let account = Vector { url: format!("{base}devaccounu/{name}?{query}"), ..vector.clone() };
        assert!(grant(&account).is_err(), "{}: account", vector.name);
        // A user signs with a key of their own, which comes from a secret that no account's key has to do with.
        let delegated = grant(&vector).unwrap().delegated_by.is_some();
        for at in [0, vector.key.len() - 1] {
            let mut changed = vector.clone();
            changed.key[at] ^= 1;
            assert_eq!(grant(&changed).is_ok(), delegated, "{}: key", vector.name);
        }
    }
}

#[test]
fn outside_its_time_nothing_holds() {
    for vector in vectors() {
        for hours in [-13_i64, 12, 24 * 365] {
            let received = vector.received.saturating_add_signed(hours * 3600);
            let refused = grant(&Vector { received, ..vector.clone() });
            let started = vector.url.contains("st=");
            if hours > 0 || started {
                assert_eq!(
                    refused.unwrap_err().code,
                    ErrorCode::AuthenticationFailed,
                    "{}: {hours}",
                    vector.name
                );
            }
        }
    }
}
