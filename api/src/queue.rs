//! The Queue service: what its operations are given.

use crate::auth::delegation::DelegationKeys;
use crate::condition;
use crate::error::StorageError;
use crate::head::Head;
use crate::operation::Service;
use crate::service::policies::{PolicyHolder, QUEUE_LETTERS};
use crate::service::{Delegating, StorageService};
use crate::target::{Resource, ServiceKind};
use std::sync::Arc;
use storage_engine::EngineError;
use storage_engine::name::QueueName;
use storage_engine::policy::StoredPolicy;
use storage_engine::queue::{QueueAddress, QueueStore};
use storage_engine::settings::SettingsStore;

mod account;
mod message;
pub mod operations;
#[expect(clippy::module_inception, reason = "the service and the resource have the same name")]
mod queue;

/// The Queue service.
#[derive(Debug)]
pub struct QueueService {
    /// The engine's part.
    pub store: QueueStore,
    /// Makes user delegation keys.
    delegation: Arc<DelegationKeys>,
    /// Settings of all services.
    settings: SettingsStore,
}

impl QueueService {
    /// The service on this store.
    pub fn new(store: QueueStore, settings: SettingsStore, delegation: Arc<DelegationKeys>) -> Self {
        Self { store, delegation, settings }
    }
}

impl StorageService for QueueService {
    const KIND: ServiceKind = ServiceKind::Queue;

    fn settings(&self) -> &SettingsStore {
        &self.settings
    }
}

impl Delegating for QueueService {
    fn delegation(&self) -> &DelegationKeys {
        &self.delegation
    }
}

impl PolicyHolder for QueueService {
    type Address = QueueAddress;
    const LETTERS: &'static str = QUEUE_LETTERS;

    fn address(head: &Head) -> Result<QueueAddress, StorageError> {
        address(head)
    }

    async fn policies(&self, at: &QueueAddress) -> Result<Vec<StoredPolicy>, EngineError> {
        self.store.policies(at).await
    }

    async fn set_policies(&self, at: &QueueAddress, policies: Vec<StoredPolicy>) -> Result<(), EngineError> {
        self.store.set_policies(at, policies).await
    }
}

impl Service for QueueService {}

/// The queue of the address. No operation of this service takes conditions, and a write that was to happen only
/// under one must not happen without it; so they are refused here, where all operations come by.
fn address(head: &Head) -> Result<QueueAddress, StorageError> {
    condition::none(head)?;
    let name = match &head.target.resource {
        Resource::Queue(queue) | Resource::Messages(queue) | Resource::Message(queue, _) => queue.as_str(),
        _ => "",
    };
    let queue = QueueName::parse(name).map_err(Head::invalid_name)?;
    Ok(QueueAddress { account: head.account.clone(), queue })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::testing::head;

    #[test]
    fn a_queue_is_addressed_by_itself_its_messages_and_each_of_them() {
        for url in ["/acc/my-q", "/acc/my-q/messages", "/acc/my-q/messages/7"] {
            let at = address(&head(ServiceKind::Queue, "GET", url, &[])).unwrap();
            assert_eq!((at.account.as_str(), at.queue.as_str()), ("acc", "my-q"), "{url}");
        }
        let error = address(&head(ServiceKind::Queue, "GET", "/acc/My_Q", &[])).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidResourceName);
        let conditional = head(ServiceKind::Queue, "DELETE", "/acc/que", &[("if-match", "*")]);
        assert_eq!(address(&conditional).unwrap_err().code, ErrorCode::ConditionHeadersNotSupported);
    }
}
