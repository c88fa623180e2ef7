//! *Blob Batch*: many requests in one, of an account or of one of its containers. Page "Blob Batch".
//!
//! A part is a request like any other: it gets a head of its own, the table of operations says which one it is, and
//! the gate asks who sends it and whether they may. What the sender of the batch may decides nothing about its parts;
//! they only had to prove who they are. So a batch opens no way that a single request would not have, and its parts
//! need no rules here but two: all must be of one kind, and of a container's batch all must be in it.
//!
//! A batch that is malformed, too long or mixed is refused as a whole before anything is done. After that each part
//! succeeds or fails by itself. Parts are carried out side by side, so that they share syncs of the disk; their
//! answers stand in the order of the requests.

use super::BlobService;
use super::operations::OPERATIONS;
use crate::body::{Body, Payload};
use crate::error::{ErrorCode, StorageError};
use crate::front::{readable, spare_change_feed};
use crate::head::Head;
use crate::multipart::{self, SubRequest, SubResponse};
use crate::odata::invalid;
use crate::operation::{Operation, Row, resolve};
use crate::target::{Resource, ServiceKind};
use crate::version::Version;
use crate::{header, reply, time};
use futures_util::stream::{self, StreamExt as _};
use http::{HeaderValue, Response};

/// Most bytes of a batch.
pub(super) const BATCH_BYTES_MAX: u64 = 4 << 20;
/// Most requests in a batch.
const REQUESTS_MAX: usize = 256;
/// How many requests of a batch are carried out at a time.
const REQUESTS_AT_ONCE: usize = 32;
/// The operations that may stand in a batch, each among its own kind.
const OPERATIONS_OF_BATCHES: [&str; 2] = ["DeleteBlob", "SetBlobTier"];

/// *Blob Batch*.
pub(crate) struct BlobBatch;

/// What to do, and what the answers to the parts say in common.
pub(crate) struct Request {
    parts: Vec<Part>,
    id: String,
    version: Version,
    time: String,
}

struct Part {
    content_id: Option<HeaderValue>,
    client_request_id: Option<HeaderValue>,
    /// What to carry out, or why not.
    work: Result<(&'static Row<BlobService>, Box<Head>), StorageError>,
}

/// What was done.
pub(crate) struct Answers {
    id: String,
    responses: Vec<SubResponse>,
}

impl Operation for BlobBatch {
    type Service = BlobService;
    type Request = Request;
    type Response = Answers;

    fn decode(head: &Head, body: Payload) -> Result<Request, StorageError> {
        let requests = multipart::parse_flat(head.required(header::CONTENT_TYPE)?, &body.whole())?;
        if requests.is_empty() {
            return Err(invalid("The batch is empty."));
        }
        if requests.len() > REQUESTS_MAX {
            return Err(StorageError::new(ErrorCode::ExceedsMaxBatchRequestCount));
        }
        let parts: Vec<Part> = requests.into_iter().map(|request| Part::read(head, request)).collect();
        check_kinds(&parts)?;
        let time = time::iso8601(head.received);
        Ok(Request { parts, id: head.request_id.clone(), version: head.version, time })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Answers, StorageError> {
        let Request { parts, id, version, time } = request;
        let common = Common { id: &id, version: &version.to_string(), time: &time };
        let answers = parts.into_iter().map(|part| part.answer(service, common));
        let responses = stream::iter(answers).buffered(REQUESTS_AT_ONCE).collect().await;
        Ok(Answers { id, responses })
    }

    fn encode(Answers { id, responses }: Answers) -> Response<Body> {
        let (content_type, body) = multipart::write_flat(&id, responses);
        let mut response = Response::new(Body::full(body));
        reply::set(&mut response, header::CONTENT_TYPE, &content_type);
        response
    }
}

/// Refuses a batch of operations that do not belong into one, or not together. A part that is no operation at all is
/// told so in its own answer.
fn check_kinds(parts: &[Part]) -> Result<(), StorageError> {
    let mut kind = None;
    for (row, _) in parts.iter().filter_map(|part| part.work.as_ref().ok()) {
        if !OPERATIONS_OF_BATCHES.contains(&row.name) {
            return Err(invalid("A batch may only have requests of Delete Blob or of Set Blob Tier."));
        }
        if *kind.get_or_insert(row.name) != row.name {
            return Err(invalid("All requests of a batch must be of one operation."));
        }
    }
    Ok(())
}

/// What the answers to all parts say.
#[derive(Clone, Copy)]
struct Common<'a> {
    id: &'a str,
    version: &'a str,
    time: &'a str,
}

impl Part {
    fn read(outer: &Head, request: SubRequest) -> Self {
        let content_id = request.content_id.clone();
        let client_request_id = request.headers.get(header::X_MS_CLIENT_REQUEST_ID).cloned();
        Self { content_id, client_request_id, work: Self::work(outer, request) }
    }

    fn work(
        outer: &Head,
        request: SubRequest,
    ) -> Result<(&'static Row<BlobService>, Box<Head>), StorageError> {
        let head = multipart::part::head(outer, request)?;
        let row = readable(resolve(OPERATIONS, &head), &head)?;
        let inside = match (&outer.target.resource, &head.target.resource) {
            (Resource::Container(outer), Resource::Blob(container, _)) => outer == container,
            _ => true,
        };
        if !inside {
            return Err(invalid("The blob is not in the container of the batch."));
        }
        Ok((row, Box::new(head)))
    }

    async fn answer(self, service: &BlobService, common: Common<'_>) -> SubResponse {
        let done = match self.work {
            Ok((row, head)) => carry_out(service, row, *head).await,
            Err(error) => Err(error),
        };
        let mut response = done.unwrap_or_else(|error| {
            let mut response = error.to_response("application/xml", error.to_xml(common.id, common.time));
            service.gate.challenge_if_unknown(&error, &mut response);
            response
        });
        reply::set(&mut response, header::X_MS_REQUEST_ID, common.id);
        reply::set(&mut response, header::X_MS_VERSION, common.version);
        reply::set(&mut response, header::SERVER, ServiceKind::Blob.server());
        if let Some(id) = self.client_request_id.filter(|id| id.to_str().is_ok()) {
            response.headers_mut().insert(header::X_MS_CLIENT_REQUEST_ID, id);
        }
        SubResponse { content_id: self.content_id, response }
    }
}

async fn carry_out(
    service: &BlobService,
    row: &Row<BlobService>,
    mut head: Head,
) -> Result<Response<Body>, StorageError> {
    let asked = row.asked(ServiceKind::Blob);
    head.caller = service.gate.enter(&head, Some(asked)).await?;
    service.gate.admit(asked, &mut head)?;
    spare_change_feed(row, &head)?;
    row.run(service, &head, Payload::None).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn decode(url: &str, lines: &[&str]) -> Result<Request, ErrorCode> {
        let part =
            |line: &&str| format!("--b\r\nContent-ID: 1\r\n\r\n{line} HTTP/1.1\r\nx-ms-date: now\r\n\r\n");
        let body = lines.iter().map(part).collect::<String>() + "--b--\r\n";
        let headers = [("content-type", "multipart/mixed; boundary=b"), ("host", "h")];
        let head = testing::head(ServiceKind::Blob, "POST", url, &headers);
        BlobBatch::decode(&head, Payload::Whole(body.into())).map_err(|error| error.code)
    }

    fn works(url: &str, lines: &[&str]) -> Vec<Result<&'static str, ErrorCode>> {
        let works = decode(url, lines).unwrap().parts.into_iter().map(|part| part.work);
        works.map(|work| work.map(|(row, _)| row.name).map_err(|error| error.code)).collect()
    }

    #[test]
    fn parts_are_operations_and_wrong_ones_fail_by_themselves() {
        let lines = [
            "DELETE /dev/con/a",
            "DELETE /con/a",
            "DELETE /dev/con/a?comp=nothing",
            "DELETE http://h/other/con/a",
        ];
        let expected = [
            Ok("DeleteBlob"),
            Ok("DeleteBlob"),
            Err(ErrorCode::InvalidQueryParameterValue),
            Err(ErrorCode::InvalidInput),
        ];
        assert_eq!(works("/dev?comp=batch", &lines), expected);
    }

    #[test]
    fn the_batch_of_a_container_stays_in_it() {
        let lines = ["DELETE /dev/con/a", "DELETE /dev/other/a"];
        let expected = [Ok("DeleteBlob"), Err(ErrorCode::InvalidInput)];
        assert_eq!(works("/dev/con?restype=container&comp=batch", &lines), expected);
    }

    #[test]
    fn a_batch_of_anything_else_is_refused_as_a_whole() {
        let delete = "DELETE /dev/con/a";
        for lines in [
            &["GET /dev/con/a"][..],
            &[delete, "HEAD /dev/con/b"],
            &[delete, "PUT /dev/con/a?comp=metadata"],
            &[],
        ] {
            assert_eq!(decode("/dev?comp=batch", lines).err(), Some(ErrorCode::InvalidInput), "{lines:?}");
        }
        assert!(decode("/dev?comp=batch", &vec![delete; REQUESTS_MAX]).is_ok());
        let many = decode("/dev?comp=batch", &vec![delete; REQUESTS_MAX + 1]);
        assert_eq!(many.err(), Some(ErrorCode::ExceedsMaxBatchRequestCount));
    }

    #[test]
    fn nobody_stands_behind_a_part_until_it_proves_who_does() {
        let request = decode("/dev?comp=batch", &["DELETE /dev/con/a"]).unwrap();
        let (_, head) = request.parts.into_iter().next().unwrap().work.ok().unwrap();
        assert_eq!(*head.caller.principal(), crate::auth::Principal::default());
    }
}
