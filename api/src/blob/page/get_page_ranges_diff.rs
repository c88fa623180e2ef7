//! *Get Page Ranges* with a snapshot to compare with: what was written or cleared since then.
//!
//! The snapshot is named by its time, or by its whole address: disks are addressed so. An address of another blob has
//! no pages in common with this one.

use super::runs::{Asked, Listed};
use crate::blob::{BlobService, address};
use crate::body::{Body, Payload};
use crate::error::StorageError;
use crate::head::Head;
use crate::operation::Operation;
use crate::query::Query;
use crate::target::Target;
use crate::{condition, header, time};
use storage_engine::blob::{BlobAddress, Conditions, Which};
use storage_engine::clock::Timestamp;

pub(crate) struct GetPageRangesDiff;

pub(crate) struct Request {
    at: BlobAddress,
    which: Which,
    since: Timestamp,
    asked: Asked,
    conditions: Conditions,
}

impl Operation for GetPageRangesDiff {
    type Service = BlobService;
    type Request = Request;
    type Response = Listed;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        Ok(Request {
            at: address::encrypted_blob(head)?,
            which: address::which(head)?,
            since: previous(head)?,
            asked: Asked::read(head)?,
            conditions: condition::of_read(head)?,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Listed, StorageError> {
        let Request { at, which, since, asked, conditions } = request;
        asked.list(&service.store, &at, (which, Some(since)), conditions).await
    }

    fn encode(listed: Listed) -> http::Response<Body> {
        listed.encode()
    }
}

/// The snapshot to compare with.
///
/// # Errors
/// `InvalidQueryParameterValue`, `InvalidHeaderValue`.
fn previous(head: &Head) -> Result<Timestamp, StorageError> {
    if let Some(text) = head.query.get("prevsnapshot") {
        let reason = "The value is not the time of a snapshot.";
        return time::parse_iso8601(text)
            .ok_or_else(|| StorageError::invalid_query("prevsnapshot", text, reason));
    }
    let url = head.required(header::X_MS_PREVIOUS_SNAPSHOT_URL)?;
    of_url(head, url).ok_or_else(|| StorageError::invalid_header(header::X_MS_PREVIOUS_SNAPSHOT_URL, "?"))
}

fn of_url(head: &Head, url: &str) -> Option<Timestamp> {
    let url: http::Uri = url.parse().ok()?;
    let query = Query::parse(url.query()?).ok()?;
    let target = Target::parse(head.target.service, url.host(), url.path()).ok()?.in_query(&query);
    let same = target.account == head.target.account && target.resource == head.target.resource;
    time::parse_iso8601(query.get("snapshot").filter(|_| same)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing;

    const ID: &str = "2026-11-22T01:02:03.0000004Z";

    fn found(query: &str, headers: &[(&str, &str)]) -> Result<String, ErrorCode> {
        let url = format!("/dev/con/b?comp=pagelist{query}");
        let head = testing::head(ServiceKind::Blob, "GET", &url, headers);
        previous(&head).map(time::iso8601).map_err(|error| error.code)
    }

    #[test]
    fn a_snapshot_is_named_by_its_time_or_by_its_address() {
        assert_eq!(found(&format!("&prevsnapshot={ID}"), &[]).as_deref(), Ok(ID));
        assert_eq!(found("&prevsnapshot=x", &[]), Err(ErrorCode::InvalidQueryParameterValue));
        let address = |url: &str| found("", &[("x-ms-previous-snapshot-url", url)]);
        let encoded = ID.replace(':', "%3A");
        assert_eq!(address(&format!("http://127.0.0.1:1/dev/con/b?snapshot={encoded}")).as_deref(), Ok(ID));
        let host = format!("https://dev.blob.localhost/con/b?snapshot={ID}&sig=secret");
        assert_eq!(address(&host).as_deref(), Ok(ID));
        let other = format!("http://127.0.0.1:1/dev/con/c?snapshot={ID}");
        for bad in [other.as_str(), "http://127.0.0.1:1/dev/con/b", "not a url"] {
            assert_eq!(address(bad), Err(ErrorCode::InvalidHeaderValue), "{bad}");
        }
    }
}
