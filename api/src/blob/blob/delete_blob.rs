//! *Delete Blob*. There are no snapshots, so `x-ms-delete-snapshots: include` adds nothing, and `only` deletes
//! nothing: the blob has to be there and to meet the conditions, and stays.

use crate::blob::{BlobService, address, headers};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, header};
use storage_engine::blob::{BlobAddress, Conditions};

pub(crate) struct DeleteBlob;

pub(crate) struct Request {
    at: BlobAddress,
    conditions: Conditions,
    snapshots_only: bool,
}

impl Operation for DeleteBlob {
    type Service = BlobService;
    type Request = Request;
    type Response = ();

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::blob(head)?;
        let snapshots_only = match head.text(header::X_MS_DELETE_SNAPSHOTS)? {
            None => false,
            Some(text) if text.eq_ignore_ascii_case("include") => false,
            Some(text) if text.eq_ignore_ascii_case("only") => true,
            Some(text) => return Err(StorageError::invalid_header(header::X_MS_DELETE_SNAPSHOTS, text)),
        };
        Ok(Request { at, conditions: condition::of_write(head)?, snapshots_only })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<(), StorageError> {
        let Request { at, conditions, snapshots_only } = request;
        let done = if snapshots_only {
            service.store.properties(&at, conditions).await.map(|_| ())
        } else {
            service.store.delete(&at, conditions).await
        };
        done.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode((): ()) -> http::Response<Body> {
        let mut response = headers::empty();
        headers::set(response.headers_mut(), header::X_MS_DELETE_TYPE_PERMANENT, "true");
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
        assert!(!decode(&[]).unwrap().snapshots_only);
        assert!(!decode(&[("x-ms-delete-snapshots", "include")]).unwrap().snapshots_only);
        assert!(decode(&[("x-ms-delete-snapshots", "Only")]).unwrap().snapshots_only);
        assert_eq!(decode(&[("x-ms-delete-snapshots", "all")]).err(), Some(ErrorCode::InvalidHeaderValue));
        let tier = [("x-ms-access-tier-if-modified-since", "Sun, 22 Nov 2026 01:02:03 GMT")];
        assert_eq!(decode(&tier).err(), Some(ErrorCode::NotImplemented));
    }
}
