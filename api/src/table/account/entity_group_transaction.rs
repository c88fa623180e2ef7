//! *Performing entity group transactions*: makes all changes of a batch, or none; or carries out one query.

use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::header::{self, answer};
use crate::multipart::{self, Batch, SubResponse};
use crate::odata::MetadataLevel;
use crate::operation::{Operation, Row};
use crate::reply;
use crate::table::batch::{self, Changes};
use crate::table::change::{Changed, Outcome};
use crate::table::{DATA_SERVICE_VERSION, TableService};
use crate::time;
use http::HeaderValue;

/// Most bytes of a batch.
pub(crate) const BATCH_BYTES_MAX: u64 = 4 << 20;

/// *Performing entity group transactions*.
pub(crate) struct EntityGroupTransaction;

/// What to do, and what an error needs to be told.
pub(crate) struct Request {
    work: Work,
    id: String,
    time: String,
}

enum Work {
    Changes(Changes),
    /// Changes of which one is wrong already: that is answered as if it had been tried.
    Refused(StorageError),
    Query(&'static Row<TableService>, Box<Head>, Option<HeaderValue>),
}

/// What was done.
pub(crate) struct Response {
    id: String,
    parts: Parts,
}

enum Parts {
    Changes(Vec<SubResponse>),
    Query(SubResponse),
}

impl Operation for EntityGroupTransaction {
    type Service = TableService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, body: Payload) -> Result<Request, StorageError> {
        let work = match multipart::parse(head.required(header::CONTENT_TYPE)?, &body.whole())? {
            Batch::Changes(parts) => match batch::changes(head, &parts) {
                Ok(changes) => Work::Changes(changes),
                Err(error) if error.index.is_some() => Work::Refused(error),
                Err(error) => return Err(error),
            },
            Batch::Query(request) => {
                let content_id = request.content_id.clone();
                let (row, head) = batch::query(head, *request)?;
                Work::Query(row, Box::new(head), content_id)
            }
        };
        Ok(Request { work, id: head.request_id.clone(), time: time::iso8601(head.received) })
    }

    async fn execute(service: &TableService, request: Request) -> Result<Response, StorageError> {
        let Request { work, id, time } = request;
        let refusal = |error: &StorageError| {
            let json = error.to_json(&id, &time);
            let mut response = error.to_response(MetadataLevel::Minimal.content_type(), json);
            reply::set(&mut response, answer::DATA_SERVICE_VERSION, DATA_SERVICE_VERSION);
            response
        };
        let refused = |error| SubResponse { content_id: None, response: refusal(&error) };
        let parts = match work {
            Work::Refused(error) => Parts::Changes(vec![refused(error)]),
            Work::Changes(changes) => match make(service, changes).await {
                Ok(responses) => Parts::Changes(responses),
                // What is the server's fault is told as such, so that the client tries again.
                Err(error) if error.code.status() >= 500 => return Err(error),
                Err(mut error) => {
                    error.index = error.index.or(Some(0));
                    Parts::Changes(vec![refused(error)])
                }
            },
            Work::Query(row, head, content_id) => {
                let answer = row.run(service, &head, Payload::None).await;
                Parts::Query(SubResponse {
                    content_id,
                    response: answer.unwrap_or_else(|error| refusal(&error)),
                })
            }
        };
        Ok(Response { id, parts })
    }

    fn encode(Response { id, parts }: Response) -> http::Response<Body> {
        let (content_type, body) = match parts {
            Parts::Changes(responses) => multipart::write_changes(&id, responses),
            Parts::Query(response) => multipart::write_query(&id, response),
        };
        let mut response = http::Response::new(Body::full(body));
        reply::set(&mut response, answer::CONTENT_TYPE, &content_type);
        reply::set(&mut response, answer::DATA_SERVICE_VERSION, DATA_SERVICE_VERSION);
        response
    }
}

async fn make(service: &TableService, changes: Changes) -> Result<Vec<SubResponse>, StorageError> {
    let Changes { at, partition, by_row, outcomes } = changes;
    let versions = service.store.batch(&at, partition, by_row).await;
    let versions = versions.map_err(|error| StorageError::from_engine(error, Intent::Write))?;
    let answer = |((content_id, outcome), version): ((Option<HeaderValue>, Outcome), _)| {
        let response = Changed { version, outcome }.encode();
        SubResponse { content_id, response }
    };
    Ok(outcomes.into_iter().zip(versions).map(answer).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::reply::tests::{text, value};
    use crate::target::ServiceKind;
    use crate::testing::head;
    use storage_engine::clock::Timestamp;

    fn decode(content_type: &str, parts: &str) -> Result<Request, StorageError> {
        let body =
            format!("--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n{parts}\r\n--c--\r\n--b--\r\n");
        let sent = head(ServiceKind::Table, "POST", "/acc/$batch", &[("content-type", content_type)]);
        EntityGroupTransaction::decode(&sent, Payload::Whole(body.into()))
    }

    const DELETE: &str = "--c\r\n\r\nDELETE /tab(PartitionKey='p',RowKey='r') HTTP/1.1\r\n";

    #[test]
    fn changes_are_told_from_malformed_batches_and_from_wrong_changes() {
        let kind = "multipart/mixed; boundary=b";
        let request = decode(kind, &format!("{DELETE}If-Match: *\r\n")).unwrap();
        assert!(matches!(request.work, Work::Changes(changes) if changes.by_row.len() == 1));
        let request = decode(kind, DELETE).unwrap();
        assert!(matches!(request.work, Work::Refused(error) if error.index == Some(0)));
        for (kind, parts) in [(kind, ""), ("multipart/mixed; boundary=x", DELETE), ("text/plain", DELETE)] {
            let error = decode(kind, parts).err().unwrap();
            assert_eq!(error.code, ErrorCode::InvalidInput, "{kind} {parts}");
        }
        assert_eq!(decode("", DELETE).err().unwrap().code, ErrorCode::MissingRequiredHeader);
    }

    #[test]
    fn a_wrong_change_is_answered_inside_the_batch() {
        let mut error = StorageError::new(ErrorCode::EntityAlreadyExists);
        error.index = Some(2);
        let json = MetadataLevel::Minimal.content_type();
        let response = error.to_response(json, error.to_json("id", "now"));
        let part = SubResponse { content_id: None, response };
        let response = Response { id: "id".into(), parts: Parts::Changes(vec![part]) };
        let response = EntityGroupTransaction::encode(response);
        assert_eq!(value(&response, header::CONTENT_TYPE), "multipart/mixed; boundary=batchresponse_id");
        let body = text(response);
        assert!(body.contains("HTTP/1.1 409 Conflict\r\n"));
        assert!(body.contains(r#""value":"2:The specified entity already exists.\nRequestId:id\nTime:now""#));
    }

    #[test]
    fn each_change_is_answered_under_its_own_name() {
        let response =
            Changed { version: Timestamp::from_unix_seconds(0), outcome: Outcome::Written }.encode();
        let part = SubResponse { content_id: Some(HeaderValue::from_static("7")), response };
        let response = Response { id: "id".into(), parts: Parts::Changes(vec![part]) };
        let body = text(EntityGroupTransaction::encode(response));
        assert!(body.contains("HTTP/1.1 204 No Content\r\nContent-ID: 7\r\n"));
        assert!(body.contains("\r\nETag: W/\"datetime'1970-01-01T00%3A00%3A00.0000000Z'\"\r\n"));
    }
}
