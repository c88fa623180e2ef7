//! A request inside a batch, as a head of its own: made of its line and headers and, for the rest, of the head of the
//! batch. So a part can never mean anything else than the same request would mean by itself.

use super::SubRequest;
use crate::auth::Caller;
use crate::error::StorageError;
use crate::head::{Head, Headers, hide_secrets, meant_method};
use crate::header;
use crate::odata::invalid;
use crate::query::Query;
use crate::target::Target;
use std::borrow::Cow;

/// The head of a request inside a batch. It is sent by nobody yet: whoever trusts the batch's caller says so.
///
/// # Errors
/// What is wrong with the address or the verb; `InvalidInput` for another account than the batch's.
pub(crate) fn head(outer: &Head, request: SubRequest) -> Result<Head, StorageError> {
    let (path, query) = path_and_query(&request.url);
    let host = outer.headers.get(header::HOST);
    let query = Query::parse(query)?;
    let full = from_account(outer, &request.url, &path);
    let target = Target::parse(outer.target.service, host.and_then(|host| host.to_str().ok()), &full)?;
    let target = target.in_query(&query);
    if target.account != outer.target.account {
        return Err(invalid("All parts of a batch must be about one account."));
    }
    let mut headers = request.headers;
    if let Some(host) = host {
        headers.insert(header::HOST, host.clone());
    }
    hide_secrets(&mut headers);
    let headers = Headers::from(headers);
    Ok(Head {
        method: meant_method(&target, &request.method, &headers)?,
        sent_method: request.method,
        target,
        account: outer.account.clone(),
        query,
        path,
        headers,
        version: outer.version,
        request_id: outer.request_id.clone(),
        received: outer.received,
        arrival: outer.arrival,
        caller: Caller::default(),
    })
}

/// The path, as it was sent and signed, and the query. The host of an absolute address does not count: clients behind a
/// forwarded port have another name for us than we have.
fn path_and_query(url: &str) -> (String, &str) {
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let path = match behind_scheme(address) {
        Some(rest) => rest.split_once('/').map_or("", |(_, path)| path),
        None => address.trim_start_matches('/'),
    };
    (format!("/{path}"), query)
}

fn behind_scheme(url: &str) -> Option<&str> {
    ["http://", "https://"].into_iter().find_map(|scheme| url.strip_prefix(scheme))
}

/// The path in the style of the batch's own address. A relative address may begin at the account or at the service,
/// whatever the style: before version 12.23, the vendor's Python client leaves the account out, and signs the address
/// without it. So what is signed is never this.
fn from_account<'a>(outer: &Head, url: &str, path: &'a str) -> Cow<'a, str> {
    let account = outer.target.account.as_str();
    let begins_at_account = path
        .strip_prefix('/')
        .and_then(|path| path.strip_prefix(account))
        .is_some_and(|rest| rest.starts_with('/') || rest.starts_with("-secondary/"));
    if outer.target.host_style || begins_at_account || behind_scheme(url).is_some() {
        Cow::Borrowed(path)
    } else {
        Cow::Owned(format!("/{account}{path}"))
    }
}
