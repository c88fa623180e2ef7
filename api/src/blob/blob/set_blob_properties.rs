//! *Set Blob Properties*: replaces all HTTP headers of a blob; those not given are cleared. Sizes and sequence
//! numbers belong to page blobs, and the row refuses them.

use crate::blob::{BlobService, address, headers};
use crate::body::{Body, Payload};
use crate::condition;
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use storage_engine::blob::{BlobAddress, Conditions, ContentHeaders, Stamp};

pub(crate) struct SetBlobProperties;

pub(crate) struct Request {
    at: BlobAddress,
    headers: ContentHeaders,
    conditions: Conditions,
}

impl Operation for SetBlobProperties {
    type Service = BlobService;
    type Request = Request;
    type Response = Stamp;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        Ok(Request {
            at: address::blob(head)?,
            headers: headers::content_headers(head)?,
            conditions: condition::of_write(head)?,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Stamp, StorageError> {
        let Request { at, headers, conditions } = request;
        service
            .store
            .set_headers(&at, headers, conditions)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode(stamp: Stamp) -> http::Response<Body> {
        headers::stamped(stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing;

    #[test]
    fn headers_not_given_are_cleared_and_the_requests_own_do_not_count() {
        let decode = |headers: &[(&str, &str)]| {
            let head = testing::head(ServiceKind::Blob, "PUT", "/dev/con/b?comp=properties", headers);
            SetBlobProperties::decode(&head, Payload::None).map_err(|error| error.code)
        };
        let request =
            decode(&[("x-ms-blob-cache-control", "no-store"), ("content-type", "text/plain")]).unwrap();
        let expected = ContentHeaders { cache_control: "no-store".into(), ..ContentHeaders::default() };
        assert_eq!(request.headers, expected);
        assert_eq!(decode(&[("x-ms-blob-content-md5", "x")]).err(), Some(ErrorCode::InvalidMd5));
    }
}
