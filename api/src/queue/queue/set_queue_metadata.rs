//! *Set Queue Metadata*: replaces a queue's metadata.

use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::metadata;
use crate::operation::Operation;
use crate::queue::{QueueService, address};
use crate::reply;
use storage_engine::name::Metadata;
use storage_engine::queue::QueueAddress;

/// *Set Queue Metadata*.
pub(crate) struct SetQueueMetadata;

/// The queue and its new metadata.
#[derive(Debug)]
pub(crate) struct Request {
    at: QueueAddress,
    metadata: Metadata,
}

impl Operation for SetQueueMetadata {
    type Service = QueueService;
    type Request = Request;
    type Response = ();

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        Ok(Request { at: address(head)?, metadata: metadata::read(&head.headers)? })
    }

    async fn execute(service: &QueueService, request: Request) -> Result<(), StorageError> {
        let set = service.store.set_metadata(&request.at, request.metadata).await;
        set.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode((): ()) -> http::Response<Body> {
        reply::empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing::head;

    fn decode(headers: &[(&str, &str)]) -> Result<Request, StorageError> {
        SetQueueMetadata::decode(&head(ServiceKind::Queue, "PUT", "/acc/que", headers), Payload::None)
    }

    #[test]
    fn no_metadata_means_none_and_bad_metadata_is_refused() {
        let request = decode(&[]).unwrap();
        assert!(request.metadata.is_empty() && request.at.queue.as_str() == "que");
        let error = decode(&[("x-ms-meta-a-b", "v")]).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidMetadata);
    }
}
