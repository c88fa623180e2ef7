//! *Create Queue*: makes a queue, or finds that the same one is there already.

use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::metadata;
use crate::operation::Operation;
use crate::queue::{QueueService, address};
use crate::reply;
use storage_engine::name::Metadata;
use storage_engine::queue::{Creation, QueueAddress};

/// *Create Queue*.
pub(crate) struct CreateQueue;

/// The queue to make.
#[derive(Debug)]
pub(crate) struct Request {
    at: QueueAddress,
    metadata: Metadata,
}

impl Operation for CreateQueue {
    type Service = QueueService;
    type Request = Request;
    type Response = Creation;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        Ok(Request { at: address(head)?, metadata: metadata::read(&head.headers)? })
    }

    async fn execute(service: &QueueService, request: Request) -> Result<Creation, StorageError> {
        let created = service.store.create(&request.at, request.metadata).await;
        created.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode(response: Creation) -> http::Response<Body> {
        match response {
            Creation::Created => reply::empty(),
            Creation::AlreadyThere => reply::status(http::StatusCode::NO_CONTENT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing::head;

    #[test]
    fn a_queue_takes_its_name_from_the_address_and_its_metadata_from_headers() {
        let sent = head(ServiceKind::Queue, "PUT", "/acc/que", &[("x-ms-meta-k", "v")]);
        let request = CreateQueue::decode(&sent, Payload::None).unwrap();
        assert_eq!(request.at.queue.as_str(), "que");
        assert_eq!(request.metadata, [("k".to_owned(), "v".to_owned())]);
    }

    #[test]
    fn bad_names_are_refused() {
        let (length, characters) = (ErrorCode::OutOfRangeInput, ErrorCode::InvalidResourceName);
        for (name, code) in [("ab", length), ("a--b", characters), ("UPPER", characters)] {
            let sent = head(ServiceKind::Queue, "PUT", &format!("/acc/{name}"), &[]);
            let error = CreateQueue::decode(&sent, Payload::None).unwrap_err();
            assert_eq!(error.code, code, "{name}");
        }
    }

    #[test]
    fn one_that_was_there_is_told_from_a_new_one() {
        assert_eq!(CreateQueue::encode(Creation::AlreadyThere).status(), 204);
        assert_eq!(CreateQueue::encode(Creation::Created).status(), 200, "which the row turns into 201");
    }
}
