//! *Get Queue Service Stats*: until when the secondary address has everything, told by that address alone.

use crate::body::{Body, Payload};
use crate::error::StorageError;
use crate::head::Head;
use crate::operation::Operation;
use crate::queue::QueueService;
use crate::service;
use storage_engine::clock::Timestamp;

/// *Get Queue Service Stats*.
pub(crate) struct GetQueueServiceStats;

impl Operation for GetQueueServiceStats {
    type Service = QueueService;
    type Request = Timestamp;
    type Response = Timestamp;

    fn decode(head: &Head, _: Payload) -> Result<Timestamp, StorageError> {
        service::last_sync(head)
    }

    async fn execute(_: &QueueService, last_sync: Timestamp) -> Result<Timestamp, StorageError> {
        Ok(last_sync)
    }

    fn encode(last_sync: Timestamp) -> http::Response<Body> {
        service::stats(last_sync)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing::head;

    #[test]
    fn only_the_secondary_address_tells() {
        let decode = |account: &str| {
            let url = format!("/{account}?restype=service&comp=stats");
            GetQueueServiceStats::decode(&head(ServiceKind::Queue, "GET", &url, &[]), Payload::None)
        };
        assert!(decode("acc").is_err());
        assert!(decode("acc-secondary").is_ok());
    }
}
