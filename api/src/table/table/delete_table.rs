//! *Delete Table*: removes a table with its entities.

use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::reply;
use crate::table::{TableService, address};
use storage_engine::table::TableAddress;

/// *Delete Table*.
pub(crate) struct DeleteTable;

impl Operation for DeleteTable {
    type Service = TableService;
    type Request = TableAddress;
    type Response = ();

    fn decode(head: &Head, _: Payload) -> Result<TableAddress, StorageError> {
        address(head)
    }

    async fn execute(service: &TableService, request: TableAddress) -> Result<(), StorageError> {
        let deleted = service.store.delete(&request).await;
        deleted.map_err(|error| crate::table::item_error(error, Intent::Write))
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
    fn the_table_is_the_item_of_the_address() {
        let sent = head(ServiceKind::Table, "DELETE", "/acc/Tables('tab')", &[]);
        assert_eq!(DeleteTable::decode(&sent, Payload::None).unwrap().table.as_str(), "tab");
    }
}
