//! The tables of the vendor's page, row by row.

use super::*;
use crate::reply::tests::value;
use crate::target::ServiceKind;
use crate::testing::head;

fn rule(origins: &[&str], methods: &[&str], allowed: &[&str], exposed: &[&str]) -> CorsRule {
    let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    CorsRule {
        origins: owned(origins),
        methods: owned(methods),
        allowed_headers: owned(allowed),
        exposed_headers: owned(exposed),
        age_seconds_max: 200,
    }
}

fn preflight(rules: &[CorsRule], headers: &[(&str, &str)]) -> Result<Response<Body>, ErrorCode> {
    let head = head(ServiceKind::Blob, "OPTIONS", "/acc/con/any", headers);
    let judged = Preflight::read(&head).and_then(|preflight| preflight.judge(rules));
    judged.map(Allowed::answer).map_err(|error| error.code)
}

/// The rules of the page's example.
fn example() -> Vec<CorsRule> {
    vec![
        rule(
            &["http://www.contoso.com"],
            &["PUT", "HEAD"],
            &["x-ms-meta-data*", "x-ms-meta-target"],
            &["x-ms-meta-*"],
        ),
        rule(&["*"], &["PUT", "GET"], &["*"], &["*"]),
        rule(&["http://www.contoso.com"], &["GET"], &["x-ms-blob-content-type"], &["x-ms-blob-content-type"]),
    ]
}

#[test]
fn the_first_rule_with_origin_and_verb_decides_even_against_a_later_one() {
    for (method, origin, headers, works) in [
        ("PUT", "http://www.contoso.com", "x-ms-meta-data1,X-MS-Meta-Target", true),
        ("GET", "http://www.contoso.com", "x-ms-blob-content-type", true),
        ("PUT", "http://www.contoso.com", "x-ms-client-request-id", false),
        ("PUT", "http://www.other.com", "x-ms-client-request-id", true),
        ("DELETE", "http://www.contoso.com", "", false),
        ("PUT", "HTTP://www.contoso.com", "", true),
    ] {
        let pairs = [
            ("origin", origin),
            ("access-control-request-method", method),
            ("access-control-request-headers", headers),
        ];
        let answer = preflight(&example(), &pairs);
        assert_eq!(answer.is_ok(), works, "{method} {origin} {headers}");
        match answer {
            Err(code) => assert_eq!(code, ErrorCode::CorsPreflightFailure),
            Ok(answer) => {
                assert_eq!(value(&answer, header::ACCESS_CONTROL_ALLOW_ORIGIN), origin);
                assert_eq!(value(&answer, header::ACCESS_CONTROL_ALLOW_METHODS), method);
                assert_eq!(value(&answer, header::ACCESS_CONTROL_ALLOW_HEADERS), headers);
                assert_eq!(value(&answer, header::ACCESS_CONTROL_MAX_AGE), "200");
                assert_eq!(value(&answer, header::ACCESS_CONTROL_ALLOW_CREDENTIALS), "true");
            }
        }
    }
}

#[test]
fn a_preflight_without_origin_or_verb_is_no_preflight() {
    let (origin, method) = (("origin", "http://a"), ("access-control-request-method", "GET"));
    for pairs in [&[origin][..], &[method], &[]] {
        assert_eq!(preflight(&example(), pairs).err(), Some(ErrorCode::InvalidHeaderValue));
    }
    assert_eq!(preflight(&[], &[origin, method]).err(), Some(ErrorCode::CorsPreflightFailure));
}

/// `Vary`, `Access-Control-Allow-Origin`, `-Expose-Headers` and `-Allow-Credentials` of an answer.
fn marked(rules: &[CorsRule], method: &str, origin: Option<&str>) -> [String; 4] {
    let headers: Vec<_> = origin.map(|origin| ("origin", origin)).into_iter().collect();
    let actual = Actual::of(&head(ServiceKind::Blob, method, "/acc/con/any", &headers)).unwrap();
    let mut answer = HeaderMap::new();
    answer.insert("x-ms-meta-a", HeaderValue::from_static("1"));
    answer.insert("etag", HeaderValue::from_static("1"));
    actual.mark(rules, &mut answer);
    [
        header::VARY,
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ]
    .map(|name| answer.get(name).map_or_else(String::new, |value| value.to_str().unwrap().to_owned()))
}

#[test]
fn reads_vary_by_origin_unless_all_origins_are_alike() {
    let exact = [rule(&["http://a"], &["GET"], &[], &["etag"])];
    let any = [rule(&["*"], &["GET"], &[], &["etag"])];
    let none = ["", "", "", ""].map(str::to_owned);
    let only_vary = ["Origin", "", "", ""].map(str::to_owned);
    let all = ["", "*", "etag", ""].map(str::to_owned);
    assert_eq!(marked(&[], "GET", None), none);
    assert_eq!(marked(&exact, "GET", None), only_vary);
    assert_eq!(marked(&any, "GET", None), all);
    assert_eq!(marked(&[], "GET", Some("http://a")), none);
    assert_eq!(marked(&exact, "GET", Some("http://a")), ["Origin", "http://a", "etag", "true"]);
    assert_eq!(marked(&exact, "HEAD", Some("http://a")), only_vary);
    assert_eq!(marked(&exact, "GET", Some("http://b")), only_vary);
    assert_eq!(marked(&any, "GET", Some("http://b")), all);
}

#[test]
fn other_verbs_never_vary_and_need_an_origin() {
    let rules = [rule(&["http://a"], &["PUT"], &[], &["x-ms-meta-*", "x-other"])];
    assert_eq!(marked(&rules, "PUT", None), ["", "", "", ""]);
    assert_eq!(marked(&rules, "PUT", Some("http://b")), ["", "", "", ""]);
    assert_eq!(marked(&rules, "PUT", Some("http://a")), ["", "http://a", "x-other,x-ms-meta-a", "true"]);
}

#[test]
fn an_origin_is_exact_unless_it_has_a_star() {
    for (allowed, origin, is) in [
        ("http://a", "http://a", true),
        ("http://a", "http://A", false),
        ("*", "null", true),
        ("https://*.a.com", "https://b.a.com", true),
        ("https://*.a.com", "https://.a.com", false),
        ("https://*.a.com", "https://a.com", false),
    ] {
        assert_eq!(includes(allowed, origin), is, "{allowed} {origin}");
    }
}
