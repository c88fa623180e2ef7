//! *Lease Blob*: acquire, renew, change, release and break, of which each is a row. A snapshot or former version has
//! no lease, which the rows say.

use crate::blob::lease::{self, Action};
use crate::blob::{BlobService, address};
use crate::body::{Body, Payload};
use crate::condition;
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use std::marker::PhantomData;
use storage_engine::blob::{BlobAddress, Conditions, LeaseOutcome, LeaseRequest, Stamp};

pub(crate) struct LeaseBlob<A>(PhantomData<A>);

pub(crate) struct Request {
    at: BlobAddress,
    lease: LeaseRequest,
    conditions: Conditions,
}

impl<A: Action> Operation for LeaseBlob<A> {
    type Service = BlobService;
    type Request = Request;
    type Response = (Stamp, LeaseOutcome);

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::blob(head)?;
        Ok(Request { at, lease: A::read(head)?, conditions: condition::of_write(head)? })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Self::Response, StorageError> {
        let Request { at, lease, conditions } = request;
        let done = service.store.lease(&at, lease, conditions).await;
        done.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode((stamp, outcome): Self::Response) -> http::Response<Body> {
        lease::answer::<A>(stamp, outcome)
    }
}
