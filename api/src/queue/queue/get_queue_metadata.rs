//! *Get Queue Metadata*: a queue's metadata, and how many messages it holds.

use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::header;
use crate::metadata;
use crate::operation::Operation;
use crate::queue::{QueueService, address};
use crate::reply;
use storage_engine::queue::{Queue, QueueAddress};

/// *Get Queue Metadata*.
pub(crate) struct GetQueueMetadata;

impl Operation for GetQueueMetadata {
    type Service = QueueService;
    type Request = QueueAddress;
    type Response = (Queue, u64);

    fn decode(head: &Head, _: Payload) -> Result<QueueAddress, StorageError> {
        address(head)
    }

    async fn execute(service: &QueueService, request: QueueAddress) -> Result<(Queue, u64), StorageError> {
        let found = service.store.queue(&request).await;
        found.map_err(|error| StorageError::from_engine(error, Intent::Read))
    }

    fn encode((queue, messages): (Queue, u64)) -> http::Response<Body> {
        let mut response = reply::empty();
        metadata::write(&queue.metadata, &mut response);
        reply::set(&mut response, header::X_MS_APPROXIMATE_MESSAGES_COUNT, &messages.to_string());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::tests::value;
    use storage_engine::name::QueueName;

    #[test]
    fn metadata_and_count_are_headers() {
        let queue =
            Queue { name: QueueName::parse("que").unwrap(), metadata: vec![("k".into(), "v".into())] };
        let response = GetQueueMetadata::encode((queue, 7));
        assert_eq!(value(&response, "x-ms-meta-k"), "v");
        assert_eq!(value(&response, header::X_MS_APPROXIMATE_MESSAGES_COUNT), "7");
    }
}
