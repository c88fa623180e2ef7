//! *Clear Messages*: deletes all messages of a queue.

use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::queue::{QueueService, address};
use crate::reply;
use storage_engine::queue::QueueAddress;

/// *Clear Messages*.
pub(crate) struct ClearMessages;

impl Operation for ClearMessages {
    type Service = QueueService;
    type Request = QueueAddress;
    type Response = ();

    fn decode(head: &Head, _: Payload) -> Result<QueueAddress, StorageError> {
        address(head)
    }

    async fn execute(service: &QueueService, request: QueueAddress) -> Result<(), StorageError> {
        let cleared = service.store.clear(&request).await;
        cleared.map_err(|error| StorageError::from_engine(error, Intent::Write))
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
        let sent = head(ServiceKind::Queue, "DELETE", "/acc/que/messages", &[]);
        assert_eq!(ClearMessages::decode(&sent, Payload::None).unwrap().queue.as_str(), "que");
    }
}
