//! Credentials that are none: malformed, of somebody else, out of date.

use super::{Case, case, coded, get, with_authorization};
use crate::client::{Credentials, Service};
use crate::random;
use crate::sign::http_date;

pub(super) fn cases(service: Service) -> Vec<Case> {
    let target = match service {
        Service::Blob | Service::Queue => "/?comp=list",
        Service::Table => "/Tables",
    };
    let signed_at = |seconds: u64| get(target).header("x-ms-date", &http_date(seconds));
    let now = random::now().as_secs();
    vec![
        case("a scheme without more", with_authorization("SharedKey"), &[400, 403]),
        case("an empty header", with_authorization(""), &[400, 401, 403]),
        case("no account", with_authorization("SharedKey :c2ln"), &[400, 403]),
        case("no signature", with_authorization("SharedKey devstoreaccount1:"), &[400, 403]),
        case("no colon", with_authorization("SharedKey devstoreaccount1"), &[400, 403]),
        case(
            "a signature that is not Base64",
            with_authorization("SharedKey devstoreaccount1:%%%"),
            &[400, 403],
        ),
        case("an account nobody knows", with_authorization("SharedKey nobody:c2lnbmF0dXJl"), &[403]),
        case("an account in capitals", with_authorization("SharedKey DEVSTOREACCOUNT1:c2ln"), &[403]),
        case(
            "a lite signature of nothing",
            with_authorization("SharedKeyLite devstoreaccount1:c2ln"),
            &[400, 403],
        ),
        case("another scheme", with_authorization("Basic dXNlcjpwYXNzd29yZA=="), &[400, 401, 403]),
        case("a token that is none", with_authorization("Bearer not.a.token"), &[400, 401, 403]),
        case("an unknown scheme", with_authorization("Open Sesame"), &[400, 401, 403]),
        case(
            "a very long header",
            with_authorization(&format!("SharedKey devstoreaccount1:{}", "A".repeat(8_000))),
            &[400, 403],
        ),
        case("bytes that are no ASCII", with_authorization("SharedKey devstöreaccount1:ü"), &[400, 403]),
        coded("another key", get(target).credentials(Credentials::WrongKey), &[403], "AuthenticationFailed"),
        coded("a date an hour ago", signed_at(now - 3_600), &[403], "AuthenticationFailed"),
        coded("a date in an hour", signed_at(now + 3_600), &[403], "AuthenticationFailed"),
        case("a date that is none", get(target).header("x-ms-date", "yesterday"), &[400, 403]),
        case("a date of long ago", get(target).header("x-ms-date", "Thu, 01 Jan 1970 00:00:00 GMT"), &[403]),
        case(
            "a month that does not exist",
            get(target).header("x-ms-date", "Thu, 32 Foo 2026 25:61:61 GMT"),
            &[400, 403],
        ),
    ]
}
