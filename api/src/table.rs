//! The Table service: what its operations are given.

use crate::condition;
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::operation::Service;
use crate::service::StorageService;
use crate::service::policies::{PolicyHolder, TABLE_LETTERS};
use crate::target::{Resource, ServiceKind};
use storage_engine::EngineError;
use storage_engine::name::TableName;
use storage_engine::policy::StoredPolicy;
use storage_engine::settings::SettingsStore;
use storage_engine::table::{TableAddress, TableStore};

mod account;
mod batch;
mod change;
mod entity;
pub mod operations;
#[expect(clippy::module_inception, reason = "the service and the resource have the same name")]
mod table;

/// The Table service.
#[derive(Debug)]
pub struct TableService {
    /// The engine's part.
    pub store: TableStore,
    /// Settings of all services.
    settings: SettingsStore,
}

impl TableService {
    /// The service on this store.
    pub fn new(store: TableStore, settings: SettingsStore) -> Self {
        Self { store, settings }
    }
}

impl Service for TableService {}

impl StorageService for TableService {
    const KIND: ServiceKind = ServiceKind::Table;

    fn settings(&self) -> &SettingsStore {
        &self.settings
    }
}

impl PolicyHolder for TableService {
    type Address = TableAddress;
    const LETTERS: &'static str = TABLE_LETTERS;

    fn address(head: &Head) -> Result<TableAddress, StorageError> {
        address(head)
    }

    async fn policies(&self, at: &TableAddress) -> Result<Vec<StoredPolicy>, EngineError> {
        self.store.policies(at).await
    }

    async fn set_policies(&self, at: &TableAddress, policies: Vec<StoredPolicy>) -> Result<(), EngineError> {
        self.store.set_policies(at, policies).await
    }
}

/// The version of `OData` that answers are in.
const DATA_SERVICE_VERSION: &str = "3.0;";

/// The table of the address.
fn address(head: &Head) -> Result<TableAddress, StorageError> {
    let name = match &head.target.resource {
        Resource::TableItem(table) | Resource::Table(table) | Resource::Entity(table, _) => table.as_str(),
        _ => "",
    };
    named(head, name)
}

/// The table of this name. A write under a condition that this service does not know is refused here.
fn named(head: &Head, name: &str) -> Result<TableAddress, StorageError> {
    condition::none_but_if_match(head)?;
    let table = TableName::parse(name).map_err(Head::invalid_name)?;
    Ok(TableAddress { account: head.account.clone(), table })
}

/// The engine's error where the address names a thing in a table, or a table as a thing: a missing table is
/// then a missing resource, as it is to the service.
pub(crate) fn item_error(error: EngineError, intent: Intent) -> StorageError {
    match error {
        EngineError::TableNotFound => StorageError::new(ErrorCode::ResourceNotFound),
        error => StorageError::from_engine(error, intent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::testing::head;

    #[test]
    fn a_table_is_addressed_as_an_item_as_a_set_and_by_its_entities() {
        for url in ["/acc/Tables('Tab')", "/acc/Tab", "/acc/Tab()", "/acc/Tab(PartitionKey='p',RowKey='r')"] {
            let at = address(&head(ServiceKind::Table, "GET", url, &[])).unwrap();
            assert_eq!((at.account.as_str(), at.table.as_str()), ("acc", "Tab"), "{url}");
        }
        let code = |name: &str| named(&head(ServiceKind::Table, "GET", "/acc", &[]), name).unwrap_err().code;
        for bad in ["a-b", "1ab", "a.b", "tables", "TABLES", "täb"] {
            assert_eq!(code(bad), ErrorCode::InvalidResourceName, "{bad}");
        }
        for bad in ["", "ab", &"a".repeat(64)] {
            assert_eq!(code(bad), ErrorCode::OutOfRangeInput, "{bad}");
        }
    }
}
