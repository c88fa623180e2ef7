//! *Query Blob Contents*: a `SELECT` over the records of a blob.
//!
//! The query runs on a thread that may block, because the libraries that read its formats do. It hands the answer on
//! piece by piece through a channel of a few pieces, so a client that reads slowly slows the query down and nothing
//! gathers; a client that hangs up ends it at the next piece.
//!
//! The answer's status is sent before a record is read. What goes wrong later is told in the answer, which has a word
//! for it; an answer without its last word was cut off.

mod answer;
mod request;
mod source;

use crate::blob::{BlobService, address, headers};
use crate::body::{Body, BodyError, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, header, xml};
use answer::Query;
use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use source::Source;
use std::panic::{AssertUnwindSafe, catch_unwind};
use storage_engine::EngineError;
use storage_engine::blob::{BlobAddress, BlobProperties, Conditions, Which};
use storage_engine::clock::Timestamp;
use tokio::sync::mpsc;

/// Most bytes of the document: an expression of 256 KiB and the rest of it.
pub(crate) const DOCUMENT_BYTES_MAX: u64 = 320 << 10;
/// Pieces between the query and the client.
const PIECES_MAX: usize = 4;

pub(crate) struct QueryBlobContents;

pub(crate) struct Request {
    at: BlobAddress,
    which: Which,
    conditions: Conditions,
    query: Query,
    now: Timestamp,
}

pub(crate) struct Response {
    properties: BlobProperties,
    now: Timestamp,
    pieces: mpsc::Receiver<Result<Bytes, BodyError>>,
}

impl Operation for QueryBlobContents {
    type Service = BlobService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, body: Payload) -> Result<Request, StorageError> {
        let at = address::encrypted_blob(head)?;
        let conditions = condition::of_read(head)?;
        let query = request::read(&xml::parse(&body.whole())?)?;
        Ok(Request { at, which: address::which(head)?, conditions, query, now: head.received })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Response, StorageError> {
        let Request { at, which, conditions, query, now } = request;
        let engine = |error: EngineError| StorageError::from_engine(error, Intent::Read);
        let read = service.store.read(&at, which, None, conditions).await.map_err(engine)?;
        let properties = read.properties.clone();
        if properties.current {
            service.track_access(&at, properties.accessed).await;
        }
        let source = Source::new(service.store.clone(), (at, which), read);
        let (pieces_in, pieces) = mpsc::channel(PIECES_MAX);
        tokio::task::spawn_blocking(move || {
            let send = |piece: Vec<u8>| pieces_in.blocking_send(Ok(piece.into())).is_ok();
            // A library that panics on a malformed file must not look like the answer's end.
            if catch_unwind(AssertUnwindSafe(|| query.run(source, now, &send))).is_err() {
                tracing::error!("a query panicked");
                let _ = pieces_in.blocking_send(Err("the query failed".into()));
            }
        });
        Ok(Response { properties, now, pieces })
    }

    fn encode(response: Response) -> http::Response<Body> {
        let Response { properties, now, pieces } = response;
        let frames = stream::unfold(pieces, |mut pieces| async move {
            let piece = pieces.recv().await?;
            Some((piece.map(Frame::data), pieces))
        });
        let mut answer = http::Response::new(Body::stream(StreamBody::new(frames)));
        headers::set_properties(&mut answer, &properties, now);
        let map = answer.headers_mut();
        headers::set(map, header::CONTENT_TYPE, "avro/binary");
        map.remove(header::CONTENT_ENCODING);
        headers::set_md5(map, header::X_MS_BLOB_CONTENT_MD5, properties.headers.md5);
        answer
    }
}
