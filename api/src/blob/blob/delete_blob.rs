//! *Delete Blob*. There are no snapshots, so `x-ms-delete-snapshots: include` adds nothing, and `only` deletes
//! nothing: the blob has to be there and to meet the conditions, and stays.

use crate::blob::{BlobService, address, headers};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, header};
use storage_engine::blob::{BlobAddress, Conditions, DeleteSnapshots, Deleted};

pub(crate) struct DeleteBlob;

pub(crate) struct Request {
    at: BlobAddress,
    conditions: Conditions,
    snapshots: DeleteSnapshots,
}

impl Operation for DeleteBlob {
    type Service = BlobService;
    type Request = Request;
    type Response = Deleted;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::blob(head)?;
        let snapshots = match head.text(header::X_MS_DELETE_SNAPSHOTS)? {
            None => DeleteSnapshots::Refuse,
            Some(text) if text.eq_ignore_ascii_case("include") => DeleteSnapshots::Include,
            Some(text) if text.eq_ignore_ascii_case("only") => DeleteSnapshots::Only,
            Some(text) => return Err(StorageError::invalid_header(header::X_MS_DELETE_SNAPSHOTS, text)),
        };
        Ok(Request { at, conditions: condition::of_write(head)?, snapshots })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Deleted, StorageError> {
        let Request { at, conditions, snapshots } = request;
        let protection = service.protection(&at.account).await?;
        let done = service.store.delete(&at, snapshots, conditions, protection).await;
        done.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode(deleted: Deleted) -> http::Response<Body> {
        let permanent = if deleted.permanent { "true" } else { "false" };
        let mut response = headers::empty();
        headers::set(response.headers_mut(), header::X_MS_DELETE_TYPE_PERMANENT, permanent);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing;

    #[test]
    fn what_becomes_of_snapshots_is_one_of_two_words() {
        let decode = |headers: &[(&str, &str)]| {
            let head = testing::head(ServiceKind::Blob, "DELETE", "/dev/con/b", headers);
            DeleteBlob::decode(&head, Payload::None).map_err(|error| error.code)
        };
        assert_eq!(decode(&[]).unwrap().snapshots, DeleteSnapshots::Refuse);
        let include = decode(&[("x-ms-delete-snapshots", "include")]).unwrap();
        assert_eq!(include.snapshots, DeleteSnapshots::Include);
        let only = decode(&[("x-ms-delete-snapshots", "Only")]).unwrap();
        assert_eq!(only.snapshots, DeleteSnapshots::Only);
        assert_eq!(decode(&[("x-ms-delete-snapshots", "all")]).err(), Some(ErrorCode::InvalidHeaderValue));
        let tier = [("x-ms-access-tier-if-modified-since", "Sun, 22 Nov 2026 01:02:03 GMT")];
        assert_eq!(decode(&tier).err(), Some(ErrorCode::NotImplemented));
    }
}
