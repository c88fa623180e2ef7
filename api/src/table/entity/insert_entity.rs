//! *Insert Entity*: makes an entity that is not there yet.

use super::permitted;
use crate::body::{Body, Payload};
use crate::error::StorageError;
use crate::head::Head;
use crate::odata::json::{Frame, read_entity};
use crate::odata::{address as entity_address, metadata_level};
use crate::operation::Operation;
use crate::table::change::{Changed, EntityChange, Inserted, Outcome, Preference, keys_missing};
use crate::table::{TableService, address};
use storage_engine::table::{Change, EntityKey};

/// *Insert Entity*.
pub(crate) struct InsertEntity;

impl Operation for InsertEntity {
    type Service = TableService;
    type Request = EntityChange;
    type Response = Changed;

    fn decode(head: &Head, body: Payload) -> Result<EntityChange, StorageError> {
        metadata_level::check_content_type(head)?;
        let at = address(head)?;
        let frame = Frame::new(head, at.table.as_str())?;
        let preference = Preference::of(head)?;
        let document = read_entity(&body.whole())?;
        let (Some(partition), Some(row)) = (document.partition, document.row) else {
            return Err(keys_missing());
        };
        let key = permitted(head, EntityKey { partition, row })?;
        let echoed = preference != Some(Preference::NoContent);
        let inserted = Inserted {
            frame,
            link: entity_address::print(at.table.as_str(), &key),
            preference,
            echo: echoed.then(|| (key.clone(), document.properties.clone())),
        };
        let (change, outcome) = (Change::Insert(document.properties), Outcome::Inserted(Box::new(inserted)));
        Ok(EntityChange { at, key, change, outcome })
    }

    async fn execute(service: &TableService, request: EntityChange) -> Result<Changed, StorageError> {
        request.execute(service).await
    }

    fn encode(response: Changed) -> http::Response<Body> {
        response.encode()
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

    const BODY: &str = r#"{"PartitionKey":"p q","RowKey":"O'B","A":5}"#;

    fn decode(headers: &[(&str, &str)], body: &'static str) -> Result<EntityChange, StorageError> {
        let sent = head(ServiceKind::Table, "POST", "http://h/acc/tab", headers);
        InsertEntity::decode(&sent, Payload::Whole(body.into()))
    }

    fn answer(change: EntityChange) -> http::Response<Body> {
        let version = Timestamp::from_unix_seconds(0);
        InsertEntity::encode(Changed { version, outcome: change.outcome })
    }

    #[test]
    fn the_entity_comes_back_with_its_version_and_address() {
        let response = answer(decode(&[("host", "h"), ("accept", "application/json")], BODY).unwrap());
        assert_eq!(response.status(), 201);
        let url = "http://h/acc/tab(PartitionKey='p%20q',RowKey='O%27%27B')";
        assert_eq!(value(&response, header::LOCATION), url);
        assert_eq!(value(&response, header::DATA_SERVICE_ID), url);
        assert_eq!(value(&response, header::PREFERENCE_APPLIED), "");
        assert!(value(&response, header::ETAG).starts_with("W/\"datetime'1970"));
        let body = text(response);
        assert!(body.starts_with(r#"{"odata.metadata":"http://h/acc/$metadata#tab/@Element","odata.etag":"#));
        assert!(body.ends_with(r#""Timestamp":"1970-01-01T00:00:00.0000000Z","A":5}"#));
    }

    #[test]
    fn a_client_that_prefers_so_gets_nothing_back() {
        let response = answer(decode(&[("prefer", "return-no-content")], BODY).unwrap());
        assert_eq!(response.status(), 204);
        assert_eq!(value(&response, header::PREFERENCE_APPLIED), "return-no-content");
        assert_eq!(value(&response, header::CONTENT_TYPE), "");
        assert_eq!(text(response), "");
    }

    #[test]
    fn both_keys_must_be_there() {
        for bad in ["{}", r#"{"PartitionKey":"p"}"#, r#"{"PartitionKey":"p","RowKey":null}"#] {
            assert_eq!(decode(&[], bad).unwrap_err().code, ErrorCode::PropertiesNeedValue, "{bad}");
        }
        let atom = [("content-type", "application/atom+xml")];
        assert_eq!(decode(&atom, BODY).unwrap_err().code, ErrorCode::AtomFormatNotSupported);
    }
}
