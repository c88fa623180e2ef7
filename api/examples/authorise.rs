//! Measures what it costs to find out who asks, once for each kind of credentials, on an account that is asked for all
//! the time:
//!
//! ```text
//! cargo run --release -p linarite-api --example authorise
//! ```
//!
//! Prints microseconds per request, the best of several rounds: others on the machine make a round slower, never
//! faster. What is measured begins with a head that is read and ends with a caller; looking up what the caller may do
//! comes after it. Not a test: no number here is asserted, because the next machine has others.

use api::auth::bearer::{Bearer, Distrust, Issuers, KeySet, Trusted};
use api::auth::delegation::{DelegationKeys, KeyFacts};
use api::auth::role::EveryRole;
use api::auth::{AccountKeys, Accounts, Identities, authenticate, sas, shared_key};
use api::head::Head;
use api::{Arrival, ServiceKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING as ES256, EcdsaKeyPair, KeyPair as _};
use serde_json::json;
use sha2::Sha256;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use storage_engine::clock::Timestamp;
use storage_engine::name::AccountName;
use storage_engine::secret::Secret;

/// Requests of a round.
const REQUESTS: u32 = 20_000;
const ROUNDS: usize = 9;
/// Sun, 22 Nov 2026 12:00:00 GMT.
const NOW: u64 = 1_795_348_800;
const VERSION: &str = "2026-02-06";
const ISSUER: &str = "https://issuer.test/";

type AnyError = Box<dyn std::error::Error>;

/// One account with two keys, the second of which signs: both are tried.
struct Hot(Arc<AccountKeys>);

impl Accounts for Hot {
    fn keys(&self, _: &AccountName) -> Option<Arc<AccountKeys>> {
        Some(Arc::clone(&self.0))
    }

    fn anonymous_allowed(&self, _: &AccountName) -> bool {
        false
    }
}

struct OneIssuer(Arc<KeySet>);

impl Issuers for OneIssuer {
    fn find<'a>(&'a self, _: &'a str, _: Option<&'a str>) -> BoxFuture<'a, Result<Trusted, Distrust>> {
        let trusted = Trusted { keys: Arc::clone(&self.0), tenant: None };
        Box::pin(async move { Ok(trusted) })
    }

    fn authorization_uri(&self) -> Option<String> {
        None
    }
}

const KEYS: [[u8; 64]; 2] = [[1; 64], [2; 64]];

fn mac(key: &[u8], text: &str) -> Result<String, AnyError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
    mac.update(text.as_bytes());
    Ok(STANDARD.encode(mac.finalize().into_bytes()))
}

/// A request as a client of the vendor's sends it.
fn head(query: &str, headers: &[(&str, &str)]) -> Result<Head, AnyError> {
    let mut request = http::Request::get(format!("/account/container/folder/blob{query}"))
        .header("host", "127.0.0.1:10000")
        .header("accept", "application/xml")
        .header("user-agent", "azsdk-python-storage-blob/12.31.0 Python/3.13.5 (Linux-6.12)")
        .header("x-ms-client-request-id", "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a")
        .header("x-ms-date", "Sun, 22 Nov 2026 12:00:00 GMT")
        .header("x-ms-range", "bytes=0-33554431")
        .header("x-ms-version", VERSION);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let parts = request.body(())?.into_parts().0;
    let arrival = Arrival { peer: None, secure: true };
    let received = Timestamp::from_unix_seconds(NOW);
    Head::read(ServiceKind::Blob, arrival, parts, "", received).map_err(|error| error.to_string().into())
}

fn query(fields: &[(&str, &str)], signature: &str) -> String {
    let escaped = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("?{}&sig={escaped}", fields.join("&"))
}

/// Prints what `authorise` costs, which must let in.
fn measure(name: &str, mut authorise: impl FnMut() -> bool) -> Result<(), AnyError> {
    if !authorise() {
        return Err(format!("{name} is refused").into());
    }
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for _ in 0..REQUESTS {
            black_box(authorise());
        }
        best = best.min(begun.elapsed());
    }
    let microseconds = best.as_secs_f64() * 1e6 / f64::from(REQUESTS);
    println!("{name:<28} {microseconds:>7.2} us");
    Ok(())
}

fn main() -> Result<(), AnyError> {
    let keys = AccountKeys::new(KEYS.iter().map(|key| key.to_vec()).collect());
    let accounts = Hot(Arc::new(keys));
    let delegation = DelegationKeys::new(Secret::new([7; 32]));
    for (name, scheme) in
        [("SharedKey", shared_key::Scheme::Full), ("SharedKeyLite", shared_key::Scheme::Lite)]
    {
        let unsigned = head("?timeout=60", &[])?;
        let text = shared_key::string_to_sign(&unsigned, scheme, shared_key::HeaderOrder::Ordinal);
        let value = format!("{name} account:{}", mac(&KEYS[1], &text)?);
        let signed = head("?timeout=60", &[("authorization", &value)])?;
        measure(name, || authenticate(&signed, &accounts).is_ok())?;
    }
    for (name, query) in [
        ("account SAS", account_signature()?),
        ("service SAS", service_signature()?),
        ("user delegation SAS", delegated_signature(&delegation)?),
    ] {
        let signed = head(&query, &[])?;
        let verify = || {
            sas::verify(&signed, &accounts.0, Some(&delegation))
                .and_then(|claim| claim.settle(None, signed.received))
        };
        measure(name, || verify().is_ok())?;
    }
    tokens(&accounts, delegation)
}

fn account_signature() -> Result<String, AnyError> {
    let text = format!("account\nrwdlacup\nbqt\nsco\n\n2027-01-01\n\nhttps\n{VERSION}\n\n");
    let fields = [
        ("sv", VERSION),
        ("ss", "bqt"),
        ("srt", "sco"),
        ("sp", "rwdlacup"),
        ("se", "2027-01-01"),
        ("spr", "https"),
    ];
    Ok(query(&fields, &mac(&KEYS[1], &text)?))
}

fn service_signature() -> Result<String, AnyError> {
    let text = format!("r\n\n2027-01-01\n/blob/account/container\n\n\nhttps\n{VERSION}\nc\n\n\n\n\n\n\n");
    let fields = [("sv", VERSION), ("sr", "c"), ("sp", "r"), ("se", "2027-01-01"), ("spr", "https")];
    Ok(query(&fields, &mac(&KEYS[1], &text)?))
}

fn delegated_signature(keys: &DelegationKeys) -> Result<String, AnyError> {
    let (object, tenant) = ("11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222");
    let (start, expiry) = ("2026-11-22T00:00:00Z", "2026-11-24T00:00:00Z");
    let (account, service, version) = ("account", "b", VERSION);
    let facts = KeyFacts { account, object, tenant, start, expiry, service, version, delegated_tenant: "" };
    let key = keys.derive(&facts);
    let text = format!(
        "r\n\n2027-01-01\n/blob/account/container\n{object}\n{tenant}\n{start}\n{expiry}\nb\n{VERSION}\n\n\n\n\n\n\nhttps\n\
         {VERSION}\nc\n\n\n\n\n\n\n"
    );
    let fields = [
        ("sv", VERSION),
        ("sr", "c"),
        ("sp", "r"),
        ("se", "2027-01-01"),
        ("spr", "https"),
        ("skoid", object),
        ("sktid", tenant),
        ("skt", start),
        ("ske", expiry),
        ("sks", "b"),
        ("skv", VERSION),
    ];
    Ok(query(&fields, &mac(&key, &text)?))
}

/// A token that is known, and the first sight of one.
fn tokens(accounts: &Hot, delegation: DelegationKeys) -> Result<(), AnyError> {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ES256, &random).map_err(|error| error.to_string())?;
    let pair =
        EcdsaKeyPair::from_pkcs8(&ES256, document.as_ref(), &random).map_err(|error| error.to_string())?;
    let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
    let (x, y) = point.split_at_checked(32).ok_or("a key of another size")?;
    let [x, y] = [x, y].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
    let set = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "one", "x": x, "y": y}]}).to_string();
    let keys = Arc::new(KeySet::parse(set.as_bytes())?);
    // As long as those of the vendor's directory.
    let claims = json!({
        "iss": ISSUER, "aud": "https://storage.azure.com", "oid": "11111111-1111-1111-1111-111111111111", "tid": "us",
        "nbf": NOW - 60, "exp": NOW + 3600, "padding": "x".repeat(1_000),
    });
    let header = json!({"alg": "ES256", "kid": "one"}).to_string();
    let message =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = pair.sign(&random, message.as_bytes()).map_err(|error| error.to_string())?;
    let value = format!("Bearer {message}.{}", URL_SAFE_NO_PAD.encode(signature));
    let signed = head("?timeout=60", &[("authorization", &value)])?;
    let identities = |delegation: &Arc<DelegationKeys>| Identities {
        bearer: Bearer::signed(Arc::new(OneIssuer(Arc::clone(&keys))), false),
        roles: Arc::new(EveryRole),
        delegation: Arc::clone(delegation),
    };
    let delegation = Arc::new(delegation);
    let known = identities(&delegation);
    let prove = |identities: &Identities| {
        identities.prove(&signed, accounts).now_or_never().is_some_and(|it| it.is_ok())
    };
    measure("token", || prove(&known))?;
    measure("token, seen first", || prove(&identities(&delegation)))
}
