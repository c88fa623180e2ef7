//! *Delete Blob*: of the blob, or of a snapshot or former version. What is deleted softly can be deleted for good only
//! by naming it so.

use crate::blob::{BlobService, address, headers};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, header};
use storage_engine::blob::{BlobAddress, Conditions, DeleteSnapshots, Deleted, Which};

pub(crate) struct DeleteBlob;

pub(crate) struct Request {
    at: BlobAddress,
    which: Which,
    permanently: bool,
    conditions: Conditions,
    snapshots: DeleteSnapshots,
}

impl Operation for DeleteBlob {
    type Service = BlobService;
    type Request = Request;
    type Response = Deleted;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::blob(head)?;
        let which = address::which(head)?;
        let permanently = permanently(head, which)?;
        let snapshots = match head.text(header::X_MS_DELETE_SNAPSHOTS)? {
            None => DeleteSnapshots::Refuse,
            // A past state has no snapshots.
            Some(text) if which != Which::Base => {
                return Err(StorageError::invalid_header(header::X_MS_DELETE_SNAPSHOTS, text));
            }
            Some(text) if text.eq_ignore_ascii_case("include") => DeleteSnapshots::Include,
            Some(text) if text.eq_ignore_ascii_case("only") => DeleteSnapshots::Only,
            Some(text) => return Err(StorageError::invalid_header(header::X_MS_DELETE_SNAPSHOTS, text)),
        };
        Ok(Request { at, which, permanently, conditions: condition::of_delete(head)?, snapshots })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Deleted, StorageError> {
        let Request { at, which, permanently, conditions, snapshots } = request;
        let protection = service.protection(&at.account).await?;
        let deleted = match which {
            Which::Base => service.store.delete(&at, snapshots, conditions, protection).await,
            _ => service.store.delete_past(&at, which, permanently, conditions, protection).await,
        };
        deleted.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode(deleted: Deleted) -> http::Response<Body> {
        let permanent = if deleted.permanent { "true" } else { "false" };
        let mut response = headers::empty();
        headers::set(response.headers_mut(), header::X_MS_DELETE_TYPE_PERMANENT, permanent);
        response
    }
}

/// Whether `deletetype` asks for a deletion for good, which only past states can be given. The rows of the table that
/// look for a snapshot or version see that it is there, and not that it is one.
///
/// # Errors
/// `InvalidQueryParameterValue`.
fn permanently(head: &Head, which: Which) -> Result<bool, StorageError> {
    let past = which != Which::Base;
    for name in ["snapshot", "versionid"] {
        if let (Some(text), false) = (head.query.get(name), past) {
            return Err(StorageError::invalid_query(name, text, "The value is not the id of a state."));
        }
    }
    match head.query.get("deletetype") {
        None => Ok(false),
        Some(text) if text.eq_ignore_ascii_case("permanent") && past => Ok(true),
        Some(text) => {
            let reason = "Only a snapshot or version can be deleted for good.";
            Err(StorageError::invalid_query("deletetype", text, reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing;

    const ID: &str = "2026-01-02T03:04:05.1234567Z";

    fn decode(query: &str, headers: &[(&str, &str)]) -> Result<Request, ErrorCode> {
        let head = testing::head(ServiceKind::Blob, "DELETE", &format!("/dev/con/b?{query}"), headers);
        DeleteBlob::decode(&head, Payload::None).map_err(|error| error.code)
    }

    #[test]
    fn what_becomes_of_snapshots_is_one_of_two_words() {
        assert_eq!(decode("", &[]).unwrap().snapshots, DeleteSnapshots::Refuse);
        let include = decode("", &[("x-ms-delete-snapshots", "include")]).unwrap();
        assert_eq!(include.snapshots, DeleteSnapshots::Include);
        let only = decode("", &[("x-ms-delete-snapshots", "Only")]).unwrap();
        assert_eq!(only.snapshots, DeleteSnapshots::Only);
        let refused = Some(ErrorCode::InvalidHeaderValue);
        assert_eq!(decode("", &[("x-ms-delete-snapshots", "all")]).err(), refused);
        let past = decode(&format!("snapshot={ID}"), &[("x-ms-delete-snapshots", "only")]);
        assert_eq!(past.err(), refused);
    }

    #[test]
    fn only_a_named_past_state_is_deleted_for_good() {
        let request = decode(&format!("versionid={ID}&deletetype=Permanent"), &[]).unwrap();
        assert!(request.permanently && matches!(request.which, Which::Version(_)));
        assert!(!decode(&format!("snapshot={ID}"), &[]).unwrap().permanently);
        for bad in ["deletetype=permanent", "snapshot=", "versionid=", "snapshot=x"] {
            assert_eq!(decode(bad, &[]).err(), Some(ErrorCode::InvalidQueryParameterValue), "{bad}");
        }
        let other = decode(&format!("snapshot={ID}&deletetype=soft"), &[]);
        assert_eq!(other.err(), Some(ErrorCode::InvalidQueryParameterValue));
    }
}
