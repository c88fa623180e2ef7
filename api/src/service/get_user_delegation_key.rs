//! *Get User Delegation Key*, of blobs and of queues: a key with which the holder of a token signs shared access
//! signatures that can do no more than its roles allow.
//!
//! What tells the keys of the two services apart is in the head already, and so in the facts that the key is made of.

use crate::auth::delegation::{DelegationKeys, Issued, KeyInfo};
use crate::body::{Body, Payload};
use crate::error::StorageError;
use crate::head::Head;
use crate::operation::Operation;
use crate::reply;
use std::marker::PhantomData;

/// Most bytes of what a key is asked for with: several times what the longest valid document has.
pub(crate) const KEY_INFO_BYTES_MAX: u64 = 64 << 10;

/// A service that issues keys.
pub(crate) trait Delegating: Sync + 'static {
    /// What makes them.
    fn delegation(&self) -> &DelegationKeys;
}

/// *Get User Delegation Key*.
pub(crate) struct GetUserDelegationKey<S>(PhantomData<S>);

impl<S: Delegating> Operation for GetUserDelegationKey<S> {
    type Service = S;
    type Request = KeyInfo;
    type Response = Issued;

    fn decode(head: &Head, body: Payload) -> Result<KeyInfo, StorageError> {
        KeyInfo::read(head, &body.whole())
    }

    async fn execute(service: &S, request: KeyInfo) -> Result<Issued, StorageError> {
        Ok(request.issue(service.delegation()))
    }

    fn encode(issued: Issued) -> http::Response<Body> {
        reply::xml(issued.document())
    }
}
