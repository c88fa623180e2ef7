//! *Query Tables* by name: one table.

use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::header;
use crate::odata::json::{Frame, write_table};
use crate::operation::Operation;
use crate::reply;
use crate::table::{DATA_SERVICE_VERSION, TableService, address};
use storage_engine::name::TableName;
use storage_engine::table::TableAddress;

/// *Query Tables* by name.
pub(crate) struct GetTable;

/// Which table, and how to tell it.
#[derive(Debug)]
pub(crate) struct Request {
    at: TableAddress,
    frame: Frame,
}

impl Operation for GetTable {
    type Service = TableService;
    type Request = Request;
    type Response = (Frame, TableName);

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        Ok(Request { at: address(head)?, frame: Frame::new(head, "")? })
    }

    async fn execute(service: &TableService, request: Request) -> Result<(Frame, TableName), StorageError> {
        let name = service.store.table(&request.at).await;
        let name = name.map_err(|error| crate::table::item_error(error, Intent::Read))?;
        Ok((request.frame, name))
    }

    fn encode((frame, name): (Frame, TableName)) -> http::Response<Body> {
        let mut response = reply::document(frame.level.content_type(), write_table(&frame, name.as_str()));
        reply::set(&mut response, header::DATA_SERVICE_VERSION, DATA_SERVICE_VERSION);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::tests::text;
    use crate::target::ServiceKind;
    use crate::testing::head;

    #[test]
    fn a_table_is_told_as_it_was_named_when_it_was_made() {
        let accept = [("accept", "application/json;odata=nometadata")];
        let sent = head(ServiceKind::Table, "GET", "/acc/Tables('tab')", &accept);
        let request = GetTable::decode(&sent, Payload::None).unwrap();
        assert_eq!(request.at.table.as_str(), "tab");
        let response = GetTable::encode((request.frame, TableName::parse("Tab").unwrap()));
        assert_eq!(text(response), r#"{"TableName":"Tab"}"#);
    }
}
