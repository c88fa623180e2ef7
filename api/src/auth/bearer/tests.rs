//! Tokens that hold and tokens that do not, signed with keys made here.

use super::*;
use crate::head::Arrival;
use crate::target::ServiceKind;
use crate::testing;
use forge::{encode, forged, key_set, sign};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use std::sync::Mutex;

mod forge;

const ISSUER: &str = "https://sts.windows.net/us/";

/// The time of the tests' requests.
const NOW: u64 = 1_700_000_000;

/// One issuer, whose keys may be out of reach.
struct OneIssuer {
    tenant: Option<&'static str>,
    reachable: bool,
    asked: Mutex<Vec<Option<String>>>,
}

impl Issuers for OneIssuer {
    fn find<'a>(&'a self, issuer: &'a str, key: Option<&'a str>) -> BoxFuture<'a, Result<Trusted, Distrust>> {
        self.asked.lock().unwrap().push(key.map(str::to_owned));
        let found = match (issuer == ISSUER, self.reachable) {
            (false, _) => Err(Distrust::UnknownIssuer),
            (true, false) => Err(Distrust::KeysUnavailable("no route".into())),
            (true, true) => Ok(Trusted { keys: Arc::new(key_set()), tenant: self.tenant.map(str::to_owned) }),
        };
        Box::pin(async move { found })
    }

    fn authorization_uri(&self) -> Option<String> {
        Some("https://login.example/us/oauth2/authorize".into())
    }
}

fn bearer(tenant: Option<&'static str>) -> Bearer {
    Bearer::signed(Arc::new(OneIssuer { tenant, reachable: true, asked: Mutex::default() }), false)
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "https://storage.azure.com/", "oid": "me", "tid": "us",
        "iat": NOW - 10, "nbf": NOW - 10, "exp": NOW + 3600,
    })
}

/// The claims, one of them changed or, with null, left out.
fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    let object = claims.as_object_mut().unwrap();
    if value.is_null() {
        object.remove(name);
    } else {
        object.insert(name.into(), value);
    }
    claims
}

fn token(claims: &Value) -> String {
    forged("p256", "ES256", "ES256", claims)
}

fn head(token: &str, version: &str, secure: bool, peer: &str) -> Head {
    let headers = [("authorization", &*format!("Bearer {token}")), ("x-ms-version", version)];
    let mut head = testing::head(ServiceKind::Blob, "GET", "/acc/abc/b", &headers);
    head.arrival = Arrival { peer: Some(peer.parse().unwrap()), secure };
    head
}

fn judged(bearer: &Bearer, token: &str) -> Result<Identity, StorageError> {
    let head = head(token, "2022-11-02", true, "192.0.2.1:1");
    bearer.identify(&head, credentials(&head).unwrap()).now_or_never().unwrap()
}

fn refused(bearer: &Bearer, token: &str) -> String {
    let error = judged(bearer, token).unwrap_err();
    assert_eq!((error.code.status(), error.code), (401, ErrorCode::InvalidToken));
    error.details.into_iter().map(|(_, text)| text).collect()
}

#[test]
fn a_token_of_every_algorithm_says_who_its_holder_is() {
    for (key, algorithm) in [
        ("rsa", "RS256"),
        ("rsa", "RS384"),
        ("rsa", "RS512"),
        ("only512", "RS512"),
        ("p256", "ES256"),
        ("p384", "ES384"),
    ] {
        let identity = judged(&bearer(Some("us")), &forged(key, algorithm, algorithm, &claims()));
        assert_eq!(identity.unwrap(), Identity { object: "me".into(), tenant: "us".into() }, "{algorithm}");
    }
}

#[test]
fn a_signature_is_checked_once_and_everything_else_with_every_request() {
    let issuer = Arc::new(OneIssuer { tenant: None, reachable: true, asked: Mutex::default() });
    let bearer = Bearer::signed(Arc::<OneIssuer>::clone(&issuer), false);
    let one = token(&with("aud", json!("https://acc.blob.core.windows.net")));
    let at = |token: &str, account: &str, seconds| {
        let mut head = head(token, "2022-11-02", true, "192.0.2.1:1");
        head.account = AccountName::parse(account).unwrap();
        head.received = Timestamp::from_unix_seconds(NOW + seconds);
        bearer.identify(&head, token).now_or_never().unwrap().is_ok()
    };
    let asked = || issuer.asked.lock().unwrap().len();
    assert!(at(&one, "acc", 0) && at(&one, "acc", 1) && at(&one, "acc", 299));
    assert_eq!(asked(), 1);
    assert!(!at(&one, "other", 2), "the audience is another account's");
    assert_eq!(asked(), 1);
    assert!(at(&one, "acc", 300));
    assert_eq!(asked(), 2);
    let ends = token(&with("exp", json!(NOW + 100)));
    assert!(at(&ends, "acc", 0) && !at(&ends, "acc", 200), "it expires all the same");
    let forged = format!("{one}A");
    assert!(!at(&forged, "acc", 301) && !at(&forged, "acc", 301));
    assert_eq!(asked(), 5, "what does not hold is not remembered");
}

#[test]
fn the_key_and_not_the_token_says_how_it_is_signed() {
    for (key, named, used) in [
        ("p256", "none", "none"),
        ("p256", "NONE", "ES256"),
        ("p256", "HS256", "ES256"),
        ("p256", "RS256", "RS256"),
        ("p256", "ES384", "ES256"),
        ("p384", "ES256", "ES256"),
        ("rsa", "ES256", "ES256"),
        ("rsa", "RS512", "RS256"),
        ("rsa", "PS256", "RS256"),
        ("only512", "RS256", "RS256"),
        ("other", "ES256", "ES256"),
    ] {
        let text = refused(&bearer(None), &forged(key, named, used, &claims()));
        assert_eq!(text, "Signature validation failed.", "{key} {named} {used}");
    }
}

#[test]
fn what_is_changed_after_signing_does_not_hold() {
    let good = token(&claims());
    let [header, _, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let changed = encode(with("oid", json!("you")).to_string());
    for bad in [
        format!("{header}.{changed}.{signature}"),
        format!("{}.", good.rsplit_once('.').unwrap().0),
        forged("p256", "ES256", "none", &claims()),
    ] {
        assert_eq!(refused(&bearer(None), &bad), "Signature validation failed.");
    }
}

#[test]
fn what_is_no_token_is_refused_as_such() {
    let good = token(&claims());
    let critical = {
        let header = encode(json!({"alg": "ES256", "kid": "p256", "crit": ["exp"]}).to_string());
        let message = format!("{header}.{}", encode(claims().to_string()));
        let signature = encode(sign("ES256", message.as_bytes()));
        format!("{message}.{signature}")
    };
    let twice = encode(claims().to_string().replacen('{', "{\"iss\":\"https://evil\",", 1));
    let header = good.split('.').next().unwrap();
    for bad in [
        "x".to_owned(),
        "a.b.c".to_owned(),
        format!("{good}.more"),
        format!("{good}="),
        format!("{header}.{twice}.AAAA"),
        token(&json!({"iss": ISSUER})),
        token(&with("exp", json!("soon"))),
        token(&with("exp", json!(-1))),
        token(&with("exp", Value::Null)),
        token(&with("aud", Value::Null)),
        critical,
        "a".repeat(40_000),
    ] {
        assert_eq!(refused(&bearer(None), &bad), "The token is not a signed JSON Web Token.", "{bad}");
    }
}

#[test]
fn a_token_counts_in_its_time_give_or_take_a_minute() {
    for (name, at, good) in [
        ("exp", NOW - 59, true),
        ("exp", NOW - 60, false),
        ("exp", u64::MAX, true),
        ("nbf", NOW + 60, true),
        ("nbf", NOW + 61, false),
        ("nbf", u64::MAX, false),
    ] {
        assert_eq!(judged(&bearer(None), &token(&with(name, json!(at)))).is_ok(), good, "{name} {at}");
    }
    assert!(judged(&bearer(None), &token(&with("nbf", Value::Null))).is_ok());
}

#[test]
fn only_tokens_for_storage_or_for_this_account_count() {
    for good in [
        json!("https://storage.azure.com"),
        json!("https://storage.azure.com/"),
        json!("e406a681-f3d4-42a8-90b6-c2b029497af1"),
        json!("https://acc.blob.core.windows.net"),
        json!("https://acc.queue.core.windows.net/"),
        json!("https://acc.dfs.core.usgovcloudapi.net"),
        json!(["https://graph.example", "https://storage.azure.com"]),
    ] {
        assert!(judged(&bearer(None), &token(&with("aud", good.clone()))).is_ok(), "{good}");
    }
    for bad in [
        json!("https://graph.microsoft.com"),
        json!("http://storage.azure.com"),
        json!("https://storage.azure.com//"),
        json!("https://storage.azure.com.evil"),
        json!("https://acc2.blob.core.windows.net"),
        json!("https://ac.blob.core.windows.net"),
        json!("https://acc.blob.core.windows.net.evil"),
        json!("https://acc.vault.core.windows.net"),
        json!("https://accblob.core.windows.net"),
        json!([]),
        json!(""),
    ] {
        let text = refused(&bearer(None), &token(&with("aud", bad.clone())));
        assert_eq!(text, "Audience validation failed. Audience did not match.", "{bad}");
    }
}

#[test]
fn issuer_and_tenant_must_be_ours() {
    for bad in [ISSUER.trim_end_matches('/'), "https://sts.windows.net/them/", ""] {
        let text = refused(&bearer(None), &token(&with("iss", json!(bad))));
        assert_eq!(text, "Issuer validation failed. Issuer did not match.");
    }
    assert_eq!(
        refused(&bearer(Some("them")), &token(&claims())),
        "Tenant validation failed. Tenant did not match."
    );
    let identity = judged(&bearer(Some("us")), &token(&with("tid", Value::Null))).unwrap();
    assert_eq!(identity.tenant, "us");
}

#[test]
fn who_has_no_object_id_is_named_by_subject() {
    let mut named = with("oid", Value::Null);
    assert_eq!(refused(&bearer(None), &token(&named)), "The token names no object.");
    named.as_object_mut().unwrap().insert("sub".into(), json!("sub-1"));
    assert_eq!(judged(&bearer(None), &token(&named)).unwrap().object, "sub-1");
}

#[test]
fn keys_out_of_reach_are_no_fault_of_the_token() {
    let issuers = Arc::new(OneIssuer { tenant: None, reachable: false, asked: Mutex::default() });
    let bearer = Bearer::signed(Arc::<OneIssuer>::clone(&issuers), false);
    let error = judged(&bearer, &token(&claims())).unwrap_err();
    assert_eq!((error.code, error.source.is_some()), (ErrorCode::ServerBusy, true));
    assert_eq!(*issuers.asked.lock().unwrap(), [Some("p256".to_owned())]);
}

#[test]
fn tokens_come_over_tls_or_from_this_machine_where_that_is_allowed() {
    let issuers = || Arc::new(OneIssuer { tenant: None, reachable: true, asked: Mutex::default() });
    for (over_http, secure, peer, good) in [
        (false, true, "192.0.2.1:1", true),
        (false, false, "127.0.0.1:1", false),
        (true, false, "127.0.0.1:1", true),
        (true, false, "[::1]:1", true),
        (true, false, "[::ffff:127.0.0.1]:1", true),
        (true, false, "192.0.2.1:1", false),
    ] {
        let bearer = Bearer::signed(issuers(), over_http);
        let token = token(&claims());
        let head = head(&token, "2022-11-02", secure, peer);
        let found = bearer.identify(&head, &token).now_or_never().unwrap();
        assert_eq!(found.is_ok(), good, "{over_http} {secure} {peer}");
        if let Err(error) = found {
            assert_eq!(error.code, ErrorCode::AuthenticationFailed);
        }
    }
}

#[test]
fn versions_from_before_tokens_take_none() {
    let token = token(&claims());
    for (version, good) in [("2017-07-29", false), ("2017-11-09", true)] {
        let head = head(&token, version, true, "192.0.2.1:1");
        assert_eq!(bearer(None).identify(&head, &token).now_or_never().unwrap().is_ok(), good, "{version}");
    }
}

#[test]
fn without_signatures_all_but_the_signature_counts() {
    let basic = Bearer::unsigned(false);
    let unsigned = |claims: &Value| forged("", "none", "none", claims);
    assert_eq!(judged(&basic, &unsigned(&claims())).unwrap().object, "me");
    let mut bare = with("oid", Value::Null);
    bare.as_object_mut().unwrap().remove("tid");
    assert_eq!(judged(&basic, &unsigned(&bare)).unwrap().object, NOBODY);
    for bad in [
        with("iss", json!("https://evil/")),
        with("iss", json!("https://sts.windows.net/")),
        with("aud", json!("https://graph.microsoft.com")),
        with("exp", json!(NOW - 100)),
        with("nbf", json!(NOW + 100)),
    ] {
        refused(&basic, &unsigned(&bad));
    }
}

#[test]
fn a_challenge_names_the_issuer_and_the_resource() {
    assert_eq!(
        bearer(None).challenge(),
        "Bearer authorization_uri=https://login.example/us/oauth2/authorize resource_id=https://storage.azure.com"
    );
    assert!(Bearer::unsigned(true).challenge().contains("https://login.microsoftonline.com/"));
}
