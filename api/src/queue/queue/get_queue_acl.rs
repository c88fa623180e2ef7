//! *Get Queue ACL*: the stored access policies of a queue.

use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::queue::{QueueService, address};
use crate::reply;
use crate::service::policies;
use storage_engine::policy::StoredPolicy;
use storage_engine::queue::QueueAddress;

/// *Get Queue ACL*.
pub(crate) struct GetQueueAcl;

impl Operation for GetQueueAcl {
    type Service = QueueService;
    type Request = QueueAddress;
    type Response = Vec<StoredPolicy>;

    fn decode(head: &Head, _: Payload) -> Result<QueueAddress, StorageError> {
        address(head)
    }

    async fn execute(service: &QueueService, at: QueueAddress) -> Result<Vec<StoredPolicy>, StorageError> {
        service.store.policies(&at).await.map_err(|error| StorageError::from_engine(error, Intent::Read))
    }

    fn encode(policies: Vec<StoredPolicy>) -> http::Response<Body> {
        reply::xml(policies::write(&policies))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::tests::text;

    #[test]
    fn no_policies_are_an_empty_document() {
        let document = text(GetQueueAcl::encode(Vec::new()));
        assert!(document.ends_with("<SignedIdentifiers></SignedIdentifiers>"), "{document}");
    }
}
