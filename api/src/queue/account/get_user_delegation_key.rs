//! *Get User Delegation Key*: a key with which the holder of a token signs shared access signatures that can do no more
//! than its roles allow.

use crate::auth::delegation::{Issued, KeyInfo};
use crate::body::{Body, Payload};
use crate::error::StorageError;
use crate::head::Head;
use crate::operation::Operation;
use crate::queue::QueueService;
use crate::reply;

pub(crate) struct GetUserDelegationKey;

impl Operation for GetUserDelegationKey {
    type Service = QueueService;
    type Request = KeyInfo;
    type Response = Issued;

    fn decode(head: &Head, body: Payload) -> Result<KeyInfo, StorageError> {
        KeyInfo::read(head, &body.whole())
    }

    async fn execute(service: &QueueService, request: KeyInfo) -> Result<Issued, StorageError> {
        Ok(request.issue(&service.delegation))
    }

    fn encode(response: Issued) -> http::Response<Body> {
        reply::xml(response.document())
    }
}
