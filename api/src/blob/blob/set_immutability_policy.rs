//! *Set Blob Immutability Policy*, of the blob, a snapshot or a version. That a locked policy may only be extended is
//! the engine's affair.

use crate::blob::{BlobService, address, headers, new_blob};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, header};
use storage_engine::blob::{BlobAddress, Conditions, ImmutabilityPolicy, Which};

pub(crate) struct SetImmutabilityPolicy;

pub(crate) struct Request {
    at: BlobAddress,
    which: Which,
    policy: ImmutabilityPolicy,
    conditions: Conditions,
}

impl Operation for SetImmutabilityPolicy {
    type Service = BlobService;
    type Request = Request;
    type Response = Option<ImmutabilityPolicy>;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let missing = || StorageError::missing_header(header::X_MS_IMMUTABILITY_POLICY_UNTIL_DATE);
        Ok(Request {
            at: address::blob(head)?,
            which: address::which(head)?,
            policy: new_blob::policy(head)?.ok_or_else(missing)?,
            conditions: condition::of_write(head)?,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Self::Response, StorageError> {
        let Request { at, which, policy, conditions } = request;
        let set = service.store.set_policy(&at, which, Some(policy), conditions).await;
        set.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode(policy: Option<ImmutabilityPolicy>) -> http::Response<Body> {
        let mut response = headers::empty();
        headers::set_policy(response.headers_mut(), policy);
        response
    }
}
