//! Entrances for fuzzers to whatever proves who asks: keys, signatures in addresses, tokens.
//!
//! # Behind the signature
//! A fuzzer finds no HMAC and no signature of a private key, so all that lies behind one would never be reached. Each
//! entrance therefore signs what it was given, with a secret that it shares with the judge, and goes on as a client
//! that knows the secret would: to the row of the operation and to whether the credentials suffice for it.
//!
//! # Not only panics
//! The other half of an answer is known too: what is signed as the server says must be let in where nothing but the
//! signature can be wrong, and the same with one bit of the signature flipped never. Both are asserted.

use crate::auth::bearer::{self, Bearer, Distrust, Issuers, KeySet, Trusted};
use crate::auth::delegation::{DelegationKeys, KeyInfo};
use crate::auth::role::{EveryRole, Roles};
use crate::auth::shared_key::{HeaderOrder, Scheme, string_to_sign};
use crate::auth::{AccountKeys, Accounts, Caller, Identity, Principal, authenticate, permit, sas};
use crate::error::StorageError;
use crate::head::{Arrival, Head};
use crate::header;
use crate::operation::{Row, resolve};
use crate::target::ServiceKind;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING as ES256, EcdsaKeyPair, KeyPair as _};
use sha2::Sha256;
use std::sync::{Arc, LazyLock};
use storage_engine::clock::Timestamp;
use storage_engine::name::AccountName;
use storage_engine::secret::Secret;

/// Sun, 22 Nov 2026 12:00:00 GMT, in seconds since 1970: it does not pass, so that an input does the same tomorrow.
const NOW: u64 = 1_795_348_800;

/// The secret of every account.
const KEY: &[u8] = b"key";

/// Who made the tokens.
const ISSUER: &str = "https://sts.windows.net/t/";

/// A request as the first lines of an input describe it.
struct Drawn<'a> {
    service: ServiceKind,
    method: &'a str,
    url: &'a str,
    headers: Vec<(&'a str, &'a str)>,
}

impl<'a> Drawn<'a> {
    /// Service and verb, path and query, headers.
    fn read(text: &'a str) -> Self {
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let (service, method) = first.split_once(' ').unwrap_or((first, "GET"));
        let service = match service {
            "queue" => ServiceKind::Queue,
            "table" => ServiceKind::Table,
            _ => ServiceKind::Blob,
        };
        let url = lines.next().unwrap_or_default();
        Self { service, method, url, headers: lines.filter_map(|line| line.split_once(':')).collect() }
    }

    /// The request, with `more` behind its query.
    fn head(&self, more: &str) -> Option<Head> {
        let mut request = http::Request::builder()
            .method(self.method)
            .uri(format!("http://localhost/account/{}{more}", self.url));
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        read(self.service, request)
    }
}

fn read(service: ServiceKind, request: http::request::Builder) -> Option<Head> {
    let arrival = Arrival { peer: "10.0.0.5:1000".parse().ok(), secure: true };
    let parts = request.body(()).ok()?.into_parts().0;
    Head::read(service, arrival, parts, "", Timestamp::from_unix_seconds(NOW)).ok()
}

/// Whether whoever sent the request may do what it asks for.
fn admit(mut head: Head, principal: Principal) {
    fn row<S: Sync + 'static>(table: &'static [Row<S>], head: &mut Head) {
        if let Ok(row) = resolve(table, head) {
            drop(permit::admit(row.asked(head.target.service), head));
        }
    }
    let roles: Arc<dyn Roles> = Arc::new(EveryRole);
    head.caller = Caller::new(principal, Some(roles));
    match head.target.service {
        ServiceKind::Blob => row(crate::blob::operations::OPERATIONS, &mut head),
        ServiceKind::Queue => row(crate::queue::operations::OPERATIONS, &mut head),
        ServiceKind::Table => row(crate::table::operations::OPERATIONS, &mut head),
    }
}

fn mac(text: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(KEY).map(|mac| mac.chain_update(text.as_bytes()));
    mac.map_or_else(|_| Vec::new(), |mac| mac.finalize().into_bytes().to_vec())
}

/// The same with one bit flipped.
fn forged(signature: &[u8]) -> Vec<u8> {
    let mut forged = signature.to_vec();
    if let Some(byte) = forged.last_mut() {
        *byte ^= 1;
    }
    forged
}

/// The `Authorization` header and what is signed. A request that brings the header is judged as it is; one that brings
/// none is signed in both schemes. If nothing else is wrong with it, then the account of the address is let in.
pub fn authorization(data: &[u8]) {
    let drawn = Drawn::read(super::text(data));
    let Some(mut head) = drawn.head("") else { return };
    if head.headers.contains_key(header::AUTHORIZATION) {
        assert!(authenticate(&head, &OneAccount).is_err(), "a key was guessed");
        return;
    }
    let unsigned = http::HeaderMap::clone(&head.headers);
    for (scheme, name) in [(Scheme::Full, "SharedKey"), (Scheme::Lite, "SharedKeyLite")] {
        let order = HeaderOrder::Ordinal;
        let mac = mac(&string_to_sign(&head, scheme, order));
        let mut judged = |mac: &[u8]| {
            let value = format!("{name} {}:{}", head.account, STANDARD.encode(mac));
            // Names of accounts and Base64 are visible ASCII.
            let value = value.parse().unwrap_or(http::HeaderValue::from_static("?"));
            let mut headers = unsigned.clone();
            headers.insert(header::AUTHORIZATION, value);
            head.headers = headers.into();
            authenticate(&head, &OneAccount)
        };
        let (genuine, forged) = (judged(&mac), judged(&forged(&mac)));
        assert!(forged.is_err(), "a forged signature was believed");
        if let Err(error) = genuine {
            let detail = error.details.first().map(|(_, detail)| detail.as_str()).unwrap_or_default();
            assert!(!detail.starts_with("The MAC"), "what was asked for was signed, and refused: {detail}");
        }
    }
    admit(head, Principal::Owner);
}

/// Signatures in addresses. What the server expected to be signed is signed, so that what is behind a signature that
/// holds is reached too: times, policies, and whether it suffices for the operation.
pub fn sas(data: &[u8]) {
    let drawn = Drawn::read(super::text(data));
    let Some(error) = claim(&drawn, "").and_then(Result::err) else { return };
    let Some((_, detail)) = error.details.first() else { return };
    let Some((_, expected)) = detail.split_once("String to sign used was ") else { return };
    // User delegation signatures have a key of their own, which only the judge can make; so they are told apart by it.
    for mac in [mac(expected), delegated(&drawn, expected).unwrap_or_default()] {
        let signature = |mac: &[u8]| format!("&sig={}", STANDARD.encode(mac).replace('+', "%2B"));
        let forged = claim(&drawn, &signature(&forged(&mac)));
        assert!(forged.is_none_or(|claim| claim.is_err()), "a forged signature was believed");
        if let Some(Ok((claim, head))) = claim(&drawn, &signature(&mac))
            && let Ok(grant) = claim.settle(None, head.received)
        {
            admit(head, Principal::Signature(Arc::new(grant)));
        }
    }
}

/// The MAC with the key that the address says a user was given.
fn delegated(drawn: &Drawn<'_>, expected: &str) -> Option<Vec<u8>> {
    let head = drawn.head("&sig=AAAA")?;
    let key = sas::delegated_key(&head, &delegation_keys()).ok()?;
    let mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    Some(mac.chain_update(expected.as_bytes()).finalize().into_bytes().to_vec())
}

fn delegation_keys() -> DelegationKeys {
    DelegationKeys::new(Secret::new([7; 32]))
}

/// Verifies the signature of an address; none if the request is none.
fn claim(drawn: &Drawn<'_>, more: &str) -> Option<Result<(sas::Claim, Head), StorageError>> {
    let head = drawn.head(more)?;
    let claim = sas::verify(&head, &AccountKeys::new(vec![KEY.to_vec()]), Some(&delegation_keys()));
    Some(claim.map(|claim| (claim, head)))
}

/// Tokens, and the key sets that they are judged by: a token as it is sent, or, in two lines, its header and its
/// claims, which are then encoded and signed.
pub fn token(data: &[u8]) {
    let text = super::text(data);
    let Some((header, claims)) = text.split_once('\n') else {
        if let Ok(keys) = KeySet::parse(data) {
            judge_with(keys);
        } else {
            assert!(
                identify(&Bearer::signed(Arc::new(OneIssuer), false), text).is_none(),
                "a token was guessed"
            );
        }
        return;
    };
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    drop(identify(&Bearer::unsigned(false), &format!("{message}.")));
    let Some((pair, _)) = &*PAIR else { return };
    let Ok(signature) = pair.sign(&SystemRandom::new(), message.as_bytes()) else { return };
    let token = |signature: &[u8]| format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    let bearer = Bearer::signed(Arc::new(OneIssuer), false);
    let forged = identify(&bearer, &token(&forged(signature.as_ref())));
    assert!(forged.is_none(), "a forged signature was believed");
    if let Some((identity, head)) = identify(&bearer, &token(signature.as_ref())) {
        admit(head, identity);
    }
}

/// What asks for a user delegation key, and the key that is given for it.
pub(super) fn key_info(data: &[u8]) {
    let uri = "http://localhost/account/?restype=service&comp=userdelegationkey";
    let request = http::Request::post(uri).header(header::X_MS_VERSION, "2026-10-06");
    let Some(mut head) = read(ServiceKind::Blob, request) else { return };
    let identity = Identity { object: "o".to_owned(), tenant: "t".to_owned() };
    head.caller = Caller::new(Principal::Identity(identity), None);
    if let Ok(info) = KeyInfo::read(&head, data) {
        drop(info.issue(&delegation_keys()).document());
    }
}

/// Has a token judged by keys that nobody checked but the parser.
fn judge_with(keys: KeySet) {
    let keys = Arc::new(keys);
    for algorithm in ["RS256", "RS384", "RS512", "ES256", "ES384"] {
        let header = format!("{{\"alg\":\"{algorithm}\"}}");
        let claims = format!("{{\"iss\":\"{ISSUER}\",\"aud\":\"https://storage.azure.com\",\"exp\":{NOW}}}");
        let signature = vec![1; if algorithm == "ES384" { 96 } else { 64 }];
        let token =
            [header.into_bytes(), claims.into_bytes(), signature].map(|part| URL_SAFE_NO_PAD.encode(part));
        drop(identify(&Bearer::signed(Arc::new(GivenKeys(Arc::clone(&keys))), false), &token.join(".")));
    }
}

fn identify(bearer: &Bearer, token: &str) -> Option<(Principal, Head)> {
    let request = http::Request::builder()
        .uri("http://localhost/account/container/blob")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::X_MS_VERSION, "2026-10-06");
    let head = read(ServiceKind::Blob, request)?;
    let token = bearer::credentials(&head)?;
    let identity = bearer.identify(&head, token).now_or_never()?.ok()?;
    Some((Principal::Identity(identity), head))
}

/// What signs tokens, and the set with its public half.
static PAIR: LazyLock<Option<(EcdsaKeyPair, Arc<KeySet>)>> = LazyLock::new(|| {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ES256, &random).ok()?;
    let pair = EcdsaKeyPair::from_pkcs8(&ES256, document.as_ref(), &random).ok()?;
    let (x, y) = pair.public_key().as_ref().get(1..)?.split_at_checked(32)?;
    let [x, y] = [x, y].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
    let set = format!(r#"{{"keys":[{{"kty":"EC","crv":"P-256","kid":"a","x":"{x}","y":"{y}"}}]}}"#);
    let set = KeySet::parse(set.as_bytes()).ok()?;
    Some((pair, Arc::new(set)))
});

/// Knows every account, with one key.
struct OneAccount;

impl Accounts for OneAccount {
    fn keys(&self, _: &AccountName) -> Option<Arc<AccountKeys>> {
        Some(Arc::new(AccountKeys::new(vec![KEY.to_vec()])))
    }

    fn anonymous_allowed(&self, _: &AccountName) -> bool {
        false
    }
}

/// Knows one issuer, which signs with [`PAIR`].
struct OneIssuer;

impl Issuers for OneIssuer {
    fn find<'a>(&'a self, issuer: &'a str, _: Option<&'a str>) -> BoxFuture<'a, Result<Trusted, Distrust>> {
        let keys = PAIR.as_ref().filter(|_| issuer == ISSUER).map(|(_, keys)| Arc::clone(keys));
        let trusted = keys.map(|keys| Trusted { keys, tenant: Some("t".to_owned()) });
        Box::pin(async move { trusted.ok_or(Distrust::UnknownIssuer) })
    }

    fn authorization_uri(&self) -> Option<String> {
        None
    }
}

/// Knows every issuer, with these keys.
struct GivenKeys(Arc<KeySet>);

impl Issuers for GivenKeys {
    fn find<'a>(&'a self, _: &'a str, _: Option<&'a str>) -> BoxFuture<'a, Result<Trusted, Distrust>> {
        let keys = Arc::clone(&self.0);
        Box::pin(async move { Ok(Trusted { keys, tenant: None }) })
    }

    fn authorization_uri(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(text: &str, mac: fn(&Drawn<'_>, &str) -> Vec<u8>) -> bool {
        let drawn = Drawn::read(text);
        let error = claim(&drawn, "").unwrap().err().unwrap();
        let (_, expected) = error.details[0].1.split_once("String to sign used was ").unwrap();
        let signature = STANDARD.encode(mac(&drawn, expected)).replace('+', "%2B");
        claim(&drawn, &format!("&sig={signature}")).unwrap().is_ok()
    }

    #[test]
    fn the_seeds_reach_what_lies_behind_their_signatures() {
        let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fuzz/seeds");
        let mut reached = 0;
        for seed in std::fs::read_dir(format!("{seeds}/sas")).unwrap() {
            let text = std::fs::read_to_string(seed.unwrap().path()).unwrap();
            sas(text.as_bytes());
            let held = grant(&text, |_, expected| mac(expected))
                || grant(&text, |drawn, expected| delegated(drawn, expected).unwrap());
            assert!(held, "{text}");
            reached += 1;
        }
        assert!(reached > 10, "only {reached}");
        for seed in std::fs::read_dir(format!("{seeds}/token")).unwrap() {
            let text = std::fs::read_to_string(seed.unwrap().path()).unwrap();
            token(text.as_bytes());
        }
        for seed in std::fs::read_dir(format!("{seeds}/authorization")).unwrap() {
            let text = std::fs::read_to_string(seed.unwrap().path()).unwrap();
            authorization(text.as_bytes());
        }
    }

    #[test]
    fn a_token_that_is_signed_here_is_believed() {
        let (pair, _) = PAIR.as_ref().unwrap();
        let claims =
            format!(r#"{{"iss":"{ISSUER}","aud":"https://storage.azure.com","exp":2000000000,"oid":"o"}}"#);
        let message =
            [r#"{"alg":"ES256","kid":"a"}"#, &claims].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap());
        let bearer = Bearer::signed(Arc::new(OneIssuer), false);
        assert!(identify(&bearer, &format!("{message}.{signature}")).is_some());
        assert!(identify(&bearer, &message).is_none());
    }
}
