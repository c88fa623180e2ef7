//! Signatures of the tests' own: of today's versions, spelled from the vendor's pages, so that a mistake in the code
//! under test cannot cancel out. Older versions are in the fixtures of signatures.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub(crate) const VERSION: &str = "2026-02-06";

pub(crate) fn mac(key: &[u8], text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// What a signature says. Empty fields are not there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Terms {
    pub(crate) letters: String,
    pub(crate) start: &'static str,
    pub(crate) expiry: &'static str,
    pub(crate) addresses: &'static str,
    pub(crate) protocol: &'static str,
    pub(crate) policy: &'static str,
}

/// For whom a user delegation key was made.
#[derive(Debug, Clone)]
pub(crate) struct Delegation {
    pub(crate) object: String,
    pub(crate) tenant: String,
    pub(crate) start: String,
    pub(crate) expiry: String,
    pub(crate) service: String,
    pub(crate) version: String,
    pub(crate) key: Vec<u8>,
}

fn query(fields: &[(&str, &str)], signature: &str) -> String {
    let escaped = |text: &str| text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let fields = fields.iter().filter(|(_, value)| !value.is_empty());
    let mut query: Vec<_> = fields.map(|(name, value)| format!("{name}={value}")).collect();
    query.push(format!("sig={}", escaped(signature)));
    query.join("&")
}

/// An account's signature. Page "Create an account SAS".
pub(crate) fn account(terms: &Terms, services: &str, types: &str, account: &str, key: &[u8]) -> String {
    let Terms { letters, start, expiry, addresses, protocol, .. } = terms;
    let text = format!(
        "{account}\n{letters}\n{services}\n{types}\n{start}\n{expiry}\n{addresses}\n{protocol}\n{VERSION}\n\n"
    );
    let fields = [
        ("sv", VERSION),
        ("ss", services),
        ("srt", types),
        ("sp", letters),
        ("st", start),
        ("se", expiry),
        ("sip", addresses),
        ("spr", protocol),
    ];
    query(&fields, &mac(key, &text))
}

/// What a service's signature is for.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// `sr`; `q` and `t`, which are no letters of the protocol, for a queue and a table.
    pub(crate) kind: &'static str,
    /// As it is signed.
    pub(crate) canonical: String,
    /// The snapshot or the version.
    pub(crate) at: &'static str,
    /// The table.
    pub(crate) table: String,
    /// Its first and last key: `spk`, `srk`, `epk`, `erk`.
    pub(crate) keys: [&'static str; 4],
}

impl Shape {
    fn fields(&self) -> Vec<(&'static str, &str)> {
        let [first, first_row, last, last_row] = self.keys;
        match self.kind {
            "q" => vec![],
            "t" => vec![
                ("tn", &self.table),
                ("spk", first),
                ("srk", first_row),
                ("epk", last),
                ("erk", last_row),
            ],
            "d" => vec![("sr", "d"), ("sdd", "1")],
            kind => vec![("sr", kind)],
        }
    }
}

fn terms_of(terms: &Terms) -> Vec<(&'static str, &str)> {
    vec![
        ("sv", VERSION),
        ("sp", &terms.letters),
        ("st", terms.start),
        ("se", terms.expiry),
        ("sip", terms.addresses),
        ("spr", terms.protocol),
        ("si", terms.policy),
    ]
}

/// A service's signature. Page "Create a service SAS".
pub(crate) fn service(terms: &Terms, shape: &Shape, key: &[u8]) -> String {
    let Terms { letters, start, expiry, addresses, protocol, policy } = terms;
    let Shape { kind, canonical, at, keys: [first, first_row, last, last_row], .. } = shape;
    let more = match *kind {
        "q" => String::new(),
        "t" => format!("\n{first}\n{first_row}\n{last}\n{last_row}"),
        // The encryption scope, and five headers of the answer.
        kind => format!("\n{kind}\n{at}\n\n\n\n\n\n"),
    };
    let text = format!(
        "{letters}\n{start}\n{expiry}\n{canonical}\n{policy}\n{addresses}\n{protocol}\n{VERSION}{more}"
    );
    query(&[terms_of(terms), shape.fields()].concat(), &mac(key, &text))
}

/// A user delegation signature. Page "Create a user delegation SAS".
pub(crate) fn delegated(terms: &Terms, shape: &Shape, by: &Delegation) -> String {
    let Terms { letters, start, expiry, addresses, protocol, .. } = terms;
    let Delegation { object, tenant, start: from, expiry: until, service, version, key } = by;
    let Shape { kind, canonical, at, .. } = shape;
    let first = format!(
        "{letters}\n{start}\n{expiry}\n{canonical}\n{object}\n{tenant}\n{from}\n{until}\n{service}\n{version}"
    );
    let text = match *kind {
        "q" | "t" => format!("{first}\n\n\n{addresses}\n{protocol}\n{VERSION}"),
        // Who acts for whom (5), and behind the snapshot the encryption scope and five headers of the answer.
        kind => format!("{first}\n\n\n\n\n\n{addresses}\n{protocol}\n{VERSION}\n{kind}\n{at}\n\n\n\n\n\n"),
    };
    let more: [(&str, &str); 6] = [
        ("skoid", object),
        ("sktid", tenant),
        ("skt", from),
        ("ske", until),
        ("sks", service),
        ("skv", version),
    ];
    query(&[terms_of(terms), shape.fields(), more.to_vec()].concat(), &mac(key, &text))
}

/// The request's string to sign. Pages "Authorize with Shared Key", its four forms.
pub(crate) fn string_to_sign(
    table: bool,
    lite: bool,
    request: &http::Request<()>,
    account: &str,
    date: &str,
) -> String {
    let value = |name: &str| request.headers().get(name).map_or("", |value| value.to_str().unwrap());
    let path = format!("/{account}{}", request.uri().path());
    let mut pairs: Vec<(&str, &str)> = request
        .uri()
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .collect();
    pairs.sort_unstable();
    let comp = pairs
        .iter()
        .find(|(name, _)| *name == "comp")
        .map_or(String::new(), |(_, value)| format!("?comp={value}"));
    if table && lite {
        return format!("{date}\n{path}{comp}");
    }
    let method = request.method();
    if table {
        return format!("{method}\n\n{}\n{date}\n{path}{comp}", value("content-type"));
    }
    let mut names: Vec<&str> = request
        .headers()
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| name.starts_with("x-ms-"))
        .collect();
    names.sort_unstable();
    let headers: String = names.iter().flat_map(|name| [name, ":", value(name), "\n"]).collect();
    if lite {
        return format!("{method}\n\n{}\n\n{headers}{path}{comp}", value("content-type"));
    }
    let query: Vec<_> = pairs.iter().map(|(name, value)| format!("\n{name}:{}", decoded(value))).collect();
    let query = query.concat();
    let (kind, matched) = (value("content-type"), value("if-match"));
    format!("{method}\n\n\n\n\n{kind}\n\n\n{matched}\n\n\n\n{headers}{path}{query}")
}

fn decoded(text: &str) -> String {
    text.replace("%3A", ":").replace("%20", " ")
}
