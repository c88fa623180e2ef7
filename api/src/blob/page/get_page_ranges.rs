//! *Get Page Ranges*: which pages of a page blob, or of a snapshot of it, are written.

use super::runs::{Asked, Listed};
use crate::blob::{BlobService, address};
use crate::body::{Body, Payload};
use crate::condition;
use crate::error::StorageError;
use crate::head::Head;
use crate::operation::Operation;
use storage_engine::blob::{BlobAddress, Conditions, Which};

pub(crate) struct GetPageRanges;

pub(crate) struct Request {
    at: BlobAddress,
    which: Which,
    asked: Asked,
    conditions: Conditions,
}

impl Operation for GetPageRanges {
    type Service = BlobService;
    type Request = Request;
    type Response = Listed;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        Ok(Request {
            at: address::blob(head)?,
            which: address::which(head)?,
            asked: Asked::read(head)?,
            conditions: condition::of_read(head)?,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Listed, StorageError> {
        let Request { at, which, asked, conditions } = request;
        asked.list(&service.store, &at, (which, None), conditions).await
    }

    fn encode(listed: Listed) -> http::Response<Body> {
        listed.encode()
    }
}
