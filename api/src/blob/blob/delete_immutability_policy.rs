//! *Delete Blob Immutability Policy*, of the blob, a snapshot or a version; not one that is locked.

use crate::blob::{BlobService, address, headers};
use crate::body::{Body, Payload};
use crate::condition;
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use storage_engine::blob::{BlobAddress, Conditions, Which};

pub(crate) struct DeleteImmutabilityPolicy;

pub(crate) struct Request {
    at: BlobAddress,
    which: Which,
    conditions: Conditions,
}

impl Operation for DeleteImmutabilityPolicy {
    type Service = BlobService;
    type Request = Request;
    type Response = ();

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let conditions = condition::of_write(head)?;
        Ok(Request { at: address::blob(head)?, which: address::which(head)?, conditions })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<(), StorageError> {
        let Request { at, which, conditions } = request;
        let removed = service.store.set_policy(&at, which, None, conditions).await;
        removed.map(drop).map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode((): ()) -> http::Response<Body> {
        headers::empty()
    }
}
