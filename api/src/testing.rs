//! Heads of requests, for the tests of this crate: read as the front reads them, without a socket. They come from
//! the account's owner.

use crate::auth::{Caller, Principal};
use crate::head::{Arrival, Head};
use crate::target::ServiceKind;
use http::{HeaderMap, HeaderName, HeaderValue};
use storage_engine::clock::Timestamp;

/// A request's head. `url` is path and query, with or without scheme and host; the account is the path's first
/// segment, or the host's first label. Panics on what no request could be.
pub(crate) fn head(service: ServiceKind, method: &str, url: &str, headers: &[(&str, &str)]) -> Head {
    let uri: http::Uri = url.parse().unwrap();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        map.append(HeaderName::try_from(*name).unwrap(), value);
    }
    let mut request = http::Request::builder().method(method).uri(uri).body(()).unwrap();
    *request.headers_mut() = map;
    let id = "00000000-0000-4000-8000-000000000000";
    let received = Timestamp::from_unix_seconds(1_700_000_000);
    let mut head = Head::read(service, Arrival::default(), request.into_parts().0, id, received).unwrap();
    head.caller = Caller::new(Principal::Owner, None);
    head
}
