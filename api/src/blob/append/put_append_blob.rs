//! *Put Blob*, of append blobs: made empty, so a body is a mistake.

use crate::blob::{BlobService, address, headers, new_blob};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, content};
use storage_engine::blob::{BlobAddress, BlobKind, Conditions, NewBlob, Stamp};

pub(crate) struct PutAppendBlob;

pub(crate) struct Request {
    at: BlobAddress,
    new: NewBlob,
    conditions: Conditions,
}

impl Operation for PutAppendBlob {
    type Service = BlobService;
    type Request = Request;
    type Response = Stamp;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::blob(head)?;
        content::refuse_body(head)?;
        let conditions = condition::of_write(head)?;
        let headers = headers::whole_content_headers(head)?;
        let new = new_blob::read(head, headers, BlobKind::Append { blocks: 0, sealed: false })?;
        Ok(Request { at, new, conditions })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Stamp, StorageError> {
        let Request { at, new, conditions } = request;
        let protection = service.protection(&at.account).await?;
        service
            .store
            .create_append_blob(&at, new, conditions, protection)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode(stamp: Stamp) -> http::Response<Body> {
        headers::written(stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing;

    #[test]
    fn a_new_append_blob_has_headers_and_no_body() {
        let decode = |headers: &[(&str, &str)]| {
            let head = testing::head(ServiceKind::Blob, "PUT", "/dev/con/b", headers);
            PutAppendBlob::decode(&head, Payload::None).map_err(|error| error.code)
        };
        let request = decode(&[("x-ms-blob-content-type", "text/plain"), ("content-length", "0")]).unwrap();
        assert_eq!(request.new.headers.content_type, "text/plain");
        assert_eq!(decode(&[("content-length", "1")]).err(), Some(ErrorCode::InvalidHeaderValue));
    }
}
