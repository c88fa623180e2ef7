//! *Lease Container*: acquire, renew, change, release and break, of which each is a row. The lease guards the
//! container's deletion and nothing that it holds.

use crate::blob::BlobService;
use crate::blob::address::{self, ContainerAddress};
use crate::blob::lease::{self, Action};
use crate::body::{Body, Payload};
use crate::condition;
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use std::marker::PhantomData;
use storage_engine::blob::{Conditions, LeaseOutcome, LeaseRequest, Stamp};

pub(crate) struct LeaseContainer<A>(PhantomData<A>);

pub(crate) struct Request {
    at: ContainerAddress,
    lease: LeaseRequest,
    conditions: Conditions,
}

impl<A: Action> Operation for LeaseContainer<A> {
    type Service = BlobService;
    type Request = Request;
    type Response = (Stamp, LeaseOutcome);

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::container(head)?;
        Ok(Request { at, lease: A::read(head)?, conditions: condition::of_container_write(head)? })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Self::Response, StorageError> {
        let Request { at, lease, conditions } = request;
        let done = service.store.lease_container(&at.account, &at.container, lease, conditions).await;
        done.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode((stamp, outcome): Self::Response) -> http::Response<Body> {
        lease::answer::<A>(stamp, outcome)
    }
}
