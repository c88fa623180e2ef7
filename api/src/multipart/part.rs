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

/// The head of a request inside a batch. It is sent by nobody yet: whoever trusts the batch's caller says so.
///
/// # Errors
/// What is wrong with the address or the verb; `InvalidInput` for another account than the batch's.
pub(crate) fn head(outer: &Head, request: SubRequest) -> Result<Head, StorageError> {
    let (path, query) = path_and_query(outer, &request.url);
    let host = outer.headers.get(header::HOST);
    let query = Query::parse(query)?;
    let target = Target::parse(outer.target.service, host.and_then(|host| host.to_str().ok()), &path)?;
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

/// The path, in the style of the batch's own address, and the query. The host of an absolute address does not
/// count: clients behind a forwarded port have another name for us than we have. A relative address may begin at
/// the account or at the service.
fn path_and_query<'a>(outer: &Head, url: &'a str) -> (String, &'a str) {
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let absolute = ["http://", "https://"].into_iter().find_map(|scheme| address.strip_prefix(scheme));
    if let Some(behind_scheme) = absolute {
        let path = behind_scheme.split_once('/').map_or("", |(_, path)| path);
        return (format!("/{path}"), query);
    }
    let path = address.trim_start_matches('/');
    let begins_at_account = path
        .strip_prefix(outer.target.account.as_str())
        .is_some_and(|rest| rest.starts_with('/') || rest.starts_with("-secondary/"));
    if outer.target.host_style || begins_at_account {
        (format!("/{path}"), query)
    } else {
        (format!("/{}/{path}", outer.target.account), query)
    }
}
