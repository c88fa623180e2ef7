//! *Set Blob Legal Hold*, of the blob, a snapshot or a version.

use crate::blob::{BlobService, address, headers};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, header};
use storage_engine::blob::{BlobAddress, Conditions, Which};

pub(crate) struct SetBlobLegalHold;

pub(crate) struct Request {
    at: BlobAddress,
    which: Which,
    hold: bool,
    conditions: Conditions,
}

impl Operation for SetBlobLegalHold {
    type Service = BlobService;
    type Request = Request;
    type Response = bool;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        head.required(header::X_MS_LEGAL_HOLD)?;
        Ok(Request {
            at: address::blob(head)?,
            which: address::which(head)?,
            hold: head.flag(header::X_MS_LEGAL_HOLD)?,
            conditions: condition::of_write(head)?,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<bool, StorageError> {
        let Request { at, which, hold, conditions } = request;
        let set = service.store.set_legal_hold(&at, which, hold, conditions).await;
        set.map(|()| hold).map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode(hold: bool) -> http::Response<Body> {
        let mut response = headers::empty();
        let word = if hold { "true" } else { "false" };
        headers::set(response.headers_mut(), header::X_MS_LEGAL_HOLD, word);
        response
    }
}
