//! *Set Queue ACL*: replaces the stored access policies of a queue.

use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::queue::{QueueService, address};
use crate::reply;
use crate::service::policies::{self, QUEUE_LETTERS};
use storage_engine::policy::StoredPolicy;
use storage_engine::queue::QueueAddress;

/// *Set Queue ACL*.
pub(crate) struct SetQueueAcl;

/// Which queue, and its policies from now on.
#[derive(Debug)]
pub(crate) struct Request {
    at: QueueAddress,
    policies: Vec<StoredPolicy>,
}

impl Operation for SetQueueAcl {
    type Service = QueueService;
    type Request = Request;
    type Response = ();

    fn decode(head: &Head, body: Payload) -> Result<Request, StorageError> {
        Ok(Request { at: address(head)?, policies: policies::read(&body.whole(), QUEUE_LETTERS)? })
    }

    async fn execute(service: &QueueService, request: Request) -> Result<(), StorageError> {
        let set = service.store.set_policies(&request.at, request.policies).await;
        set.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode((): ()) -> http::Response<Body> {
        reply::empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing::head;

    #[test]
    fn permissions_are_those_of_a_queue() {
        let decode = |letters: &str| {
            let document = format!(
                "<SignedIdentifiers><SignedIdentifier><Id>a</Id><AccessPolicy><Permission>{letters}</Permission>\
                 </AccessPolicy></SignedIdentifier></SignedIdentifiers>"
            );
            let sent = head(ServiceKind::Queue, "PUT", "/acc/que?comp=acl", &[]);
            SetQueueAcl::decode(&sent, Payload::Whole(document.into()))
        };
        assert_eq!(decode(QUEUE_LETTERS).unwrap().policies.len(), 1);
        assert!(decode("rl").is_err());
    }
}
