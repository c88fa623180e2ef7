//! *Delete Queue*: removes a queue with its messages.

use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::queue::{QueueService, address};
use crate::reply;
use storage_engine::queue::QueueAddress;

/// *Delete Queue*.
pub(crate) struct DeleteQueue;

impl Operation for DeleteQueue {
    type Service = QueueService;
    type Request = QueueAddress;
    type Response = ();

    fn decode(head: &Head, _: Payload) -> Result<QueueAddress, StorageError> {
        address(head)
    }

    async fn execute(service: &QueueService, request: QueueAddress) -> Result<(), StorageError> {
        let deleted = service.store.delete(&request).await;
        deleted.map_err(|error| StorageError::from_engine(error, Intent::Write))
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
    fn the_queue_is_that_of_the_address() {
        let at =
            DeleteQueue::decode(&head(ServiceKind::Queue, "DELETE", "/acc/que", &[]), Payload::None).unwrap();
        assert_eq!(at.queue.as_str(), "que");
    }
}
