//! *Create Table*: makes a table that is not there yet.

use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::odata::json::{Frame, read_table_name, write_table};
use crate::odata::metadata_level;
use crate::operation::Operation;
use crate::reply;
use crate::table::change::{Preference, made};
use crate::table::{TableService, named};
use storage_engine::table::TableAddress;

/// *Create Table*.
pub(crate) struct CreateTable;

/// The table to make, and what to tell of it.
#[derive(Debug)]
pub(crate) struct Request {
    at: TableAddress,
    frame: Frame,
    preference: Option<Preference>,
}

impl Operation for CreateTable {
    type Service = TableService;
    type Request = Request;
    type Response = Request;

    fn decode(head: &Head, body: Payload) -> Result<Request, StorageError> {
        metadata_level::check_content_type(head)?;
        let frame = Frame::new(head, "")?;
        let at = named(head, &read_table_name(&body.whole())?)?;
        Ok(Request { at, frame, preference: Preference::of(head)? })
    }

    async fn execute(service: &TableService, request: Request) -> Result<Request, StorageError> {
        let created = service.store.create(&request.at).await;
        created.map_err(|error| StorageError::from_engine(error, Intent::Write))?;
        Ok(request)
    }

    fn encode(Request { at, frame, preference }: Request) -> http::Response<Body> {
        let name = at.table.as_str();
        let mut response = if preference == Some(Preference::NoContent) {
            reply::status(http::StatusCode::NO_CONTENT)
        } else {
            reply::document(frame.level.content_type(), write_table(&frame, name))
        };
        made(&mut response, &format!("{}Tables('{name}')", frame.endpoint), preference);
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

    fn decode(prefer: &str, body: &'static str) -> Result<Request, StorageError> {
        let headers = [("host", "h"), ("prefer", prefer)];
        let sent = head(ServiceKind::Table, "POST", "http://h/acc/Tables", &headers);
        CreateTable::decode(&sent, Payload::Whole(body.into()))
    }

    #[test]
    fn the_table_comes_back_unless_the_client_prefers_otherwise() {
        let response = CreateTable::encode(decode("", r#"{"TableName":"Tab"}"#).unwrap());
        assert_eq!(value(&response, header::LOCATION), "http://h/acc/Tables('Tab')");
        let body = r#"{"odata.metadata":"http://h/acc/$metadata#Tables/@Element","TableName":"Tab"}"#;
        assert_eq!(text(response), body);
        let response = CreateTable::encode(decode("return-no-content", r#"{"TableName":"Tab"}"#).unwrap());
        assert_eq!(response.status(), 204);
        assert_eq!(value(&response, header::PREFERENCE_APPLIED), "return-no-content");
    }

    #[test]
    fn names_must_be_there_and_good() {
        for (bad, code) in [
            ("", ErrorCode::InvalidInput),
            ("{}", ErrorCode::PropertiesNeedValue),
            (r#"{"TableName":"a-b"}"#, ErrorCode::InvalidResourceName),
            (r#"{"TableName":"tables"}"#, ErrorCode::InvalidResourceName),
        ] {
            assert_eq!(decode("", bad).unwrap_err().code, code, "{bad}");
        }
    }
}
