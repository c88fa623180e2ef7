//! *Query Entities* by keys: one entity.

use super::key;
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::header::answer;
use crate::odata::json::{Frame, write_entity};
use crate::odata::{self, tag};
use crate::operation::Operation;
use crate::reply;
use crate::table::{DATA_SERVICE_VERSION, TableService, address};
use storage_engine::table::{Entity, EntityKey, TableAddress};

/// *Query Entities* by keys.
pub(crate) struct GetEntity;

/// Which entity, and how to tell it.
#[derive(Debug)]
pub(crate) struct Request {
    at: TableAddress,
    key: EntityKey,
    frame: Frame,
}

impl Operation for GetEntity {
    type Service = TableService;
    type Request = Request;
    type Response = (Frame, Entity);

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        odata::refuse_options_but(&["$format", "$select"], head)?;
        let at = address(head)?;
        let frame = Frame::new(head, at.table.as_str())?;
        Ok(Request { at, key: key(head)?, frame })
    }

    async fn execute(service: &TableService, request: Request) -> Result<(Frame, Entity), StorageError> {
        let entity = service.store.get(&request.at, request.key).await;
        let entity = entity.map_err(|error| crate::table::item_error(error, Intent::Read))?;
        Ok((request.frame, entity))
    }

    fn encode((frame, entity): (Frame, Entity)) -> http::Response<Body> {
        let mut response = reply::document(frame.level.content_type(), write_entity(&frame, &entity));
        reply::set(&mut response, answer::ETAG, &tag::print(entity.timestamp));
        reply::set(&mut response, answer::DATA_SERVICE_VERSION, DATA_SERVICE_VERSION);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::header;
    use crate::reply::tests::{text, value};
    use crate::target::ServiceKind;
    use crate::testing::head;
    use storage_engine::clock::Timestamp;

    fn decode(url: &str) -> Result<Request, StorageError> {
        let json = [("accept", "application/json;odata=nometadata")];
        GetEntity::decode(&head(ServiceKind::Table, "GET", url, &json), Payload::None)
    }

    #[test]
    fn what_is_selected_is_given_with_its_version() {
        let request = decode("/acc/tab(PartitionKey='p',RowKey='r')?$select=A,RowKey").unwrap();
        let timestamp = Timestamp::from_unix_seconds(0);
        let entity = Entity { key: request.key, timestamp, properties: Vec::new() };
        let response = GetEntity::encode((request.frame, entity));
        assert!(value(&response, header::ETAG).starts_with("W/\"datetime'1970"));
        assert!(value(&response, header::CONTENT_TYPE).starts_with("application/json;odata=nometadata;"));
        assert_eq!(text(response), r#"{"A":null,"RowKey":"r"}"#);
    }

    #[test]
    fn keys_that_are_none_are_refused() {
        assert_eq!(decode("/acc/tab(1)").unwrap_err().code, ErrorCode::InvalidInput);
    }
}
