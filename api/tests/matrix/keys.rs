//! Requests signed with a key of the account, in both schemes.

use crate::rights::{FAILED, MALFORMED};
use crate::world::{ACCOUNT, CLOSED, DATE, KEYS};
use crate::{Matrix, guarded, sign};
use api::ServiceKind;
use api::operation::Access;

/// The request with what a key of the account proves, in the form that leaves its length out.
pub(crate) fn signed_by_key(
    service: ServiceKind,
    request: http::request::Builder,
    body: &str,
) -> http::Request<()> {
    let mut request = request.header("x-ms-date", DATE).body(()).unwrap();
    let table = service == ServiceKind::Table;
    let text = sign::string_to_sign(table, true, &request, ACCOUNT, DATE);
    let value = format!("SharedKeyLite {ACCOUNT}:{}", sign::mac(&KEYS[0], &text));
    request.headers_mut().insert("authorization", value.parse().unwrap());
    assert!(request.headers()["content-length"] == body.len().to_string());
    request
}

#[test]
fn keys_of_the_account_open_everything_and_others_nothing() {
    let mut matrix = Matrix::new();
    for (fact, _) in guarded(&matrix) {
        // It is for whoever a token names.
        let right = if fact.access == Access::DelegationKey { FAILED } else { None };
        for lite in [false, true] {
            let sent =
                |date: &str, account: &str, key: &[u8]| fact.with_key(ACCOUNT, lite, date, (account, key));
            for (with, request, expected) in [
                ("key 1", sent(DATE, ACCOUNT, &KEYS[0]), right),
                ("key 2", sent(DATE, ACCOUNT, &KEYS[1]), right),
                ("another key", sent(DATE, ACCOUNT, &[3; 32]), FAILED),
                ("an old date", sent("Sun, 22 Nov 2026 11:44:59 GMT", ACCOUNT, &KEYS[0]), FAILED),
                ("a date to come", sent("Sun, 22 Nov 2026 12:15:01 GMT", ACCOUNT, &KEYS[0]), FAILED),
                ("another account", sent(DATE, CLOSED, &KEYS[0]), FAILED),
            ] {
                matrix.expect(&fact, &format!("{with}, lite: {lite}"), request, false, expected);
            }
            let mut changed = sent(DATE, ACCOUNT, &KEYS[0]);
            let (part, other) = if fact.service == ServiceKind::Table {
                ("x-ms-date", "Sun, 22 Nov 2026 12:00:01 GMT")
            } else {
                ("x-ms-version", "2026-04-06")
            };
            changed.headers_mut().insert(part, other.parse().unwrap());
            matrix.expect(&fact, &format!("a changed header, lite: {lite}"), changed, false, FAILED);
            let mut malformed = sent(DATE, ACCOUNT, &KEYS[0]);
            malformed.headers_mut().insert("authorization", "SharedKey devaccount".parse().unwrap());
            matrix.expect(&fact, "no signature", malformed, false, MALFORMED);
        }
    }
    matrix.end(1_000);
}
