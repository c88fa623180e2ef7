//! *Append Blob Seal*: after it, nothing can be appended. Sealing a sealed blob is no mistake.

use crate::blob::{BlobService, address, headers};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, header};
use storage_engine::blob::{AppendConditions, BlobAddress, Conditions, Stamp};

pub(crate) struct AppendBlobSeal;

pub(crate) struct Request {
    at: BlobAddress,
    append: AppendConditions,
    conditions: Conditions,
}

impl Operation for AppendBlobSeal {
    type Service = BlobService;
    type Request = Request;
    type Response = Stamp;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let position = head.number(header::X_MS_BLOB_CONDITION_APPENDPOS)?;
        Ok(Request {
            at: address::blob(head)?,
            append: AppendConditions { position, length_max: None },
            conditions: condition::of_write(head)?,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Stamp, StorageError> {
        let Request { at, append, conditions } = request;
        service
            .store
            .seal(&at, append, conditions)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode(stamp: Stamp) -> http::Response<Body> {
        let mut response = headers::stamped(stamp);
        headers::set(response.headers_mut(), header::X_MS_BLOB_SEALED, "true");
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage_engine::clock::{Etag, Timestamp};

    #[test]
    fn the_answer_says_that_it_is_sealed() {
        let stamp = Stamp { etag: Etag(1), modified: Timestamp::from_unix_seconds(0), version: None };
        let response = AppendBlobSeal::encode(stamp);
        assert_eq!(response.headers().get("x-ms-blob-sealed").unwrap(), "true");
        assert_eq!(response.headers().get("etag").unwrap(), "\"0x1\"");
    }
}
