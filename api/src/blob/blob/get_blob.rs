//! *Get Blob*: the whole, or a range of it. A range whose checksum is asked for is read whole before the answer
//! begins, which is why it may have at most 4 MiB. A framing counts on the wire, not in the range.

use crate::blob::{BlobService, address, headers};
use crate::body::{Body, Payload};
use crate::content::{self, Framed};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::header::answer;
use crate::operation::Operation;
use crate::{checksum, condition, header, range, structured};
use md5::{Digest as _, Md5};
use storage_engine::EngineError;
use storage_engine::blob::{BlobAddress, BlobProperties, BlobRead, ByteRange, Conditions, Which};
use storage_engine::clock::Timestamp;

/// Most bytes of a range whose checksum is asked for.
const HASHED_BYTES_MAX: u64 = 4 << 20;

pub(crate) struct GetBlob;

pub(crate) struct Request {
    at: BlobAddress,
    which: Which,
    range: Option<ByteRange>,
    conditions: Conditions,
    /// The header that asks for the range's checksum.
    hash: Option<&'static str>,
    structured: Option<String>,
    now: Timestamp,
}

pub(crate) struct Response {
    properties: BlobProperties,
    now: Timestamp,
    /// First byte and number of bytes, if a range was asked for.
    range: Option<(u64, u64)>,
    /// Bytes of data.
    length: u64,
    /// Name and value.
    checksum: Option<(&'static str, String)>,
    structured: Option<String>,
    content: Framed,
}

impl Operation for GetBlob {
    type Service = BlobService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::encrypted_blob(head)?;
        let conditions = condition::of_read(head)?;
        let range = range::read(head)?;
        let md5 = head.flag(header::X_MS_RANGE_GET_CONTENT_MD5)?;
        let crc64 = head.flag(header::X_MS_RANGE_GET_CONTENT_CRC64)?;
        let hash = match (md5, crc64) {
            (false, false) => None,
            (true, false) => Some(header::X_MS_RANGE_GET_CONTENT_MD5),
            (false, true) => Some(header::X_MS_RANGE_GET_CONTENT_CRC64),
            (true, true) => return Err(not_hashable(header::X_MS_RANGE_GET_CONTENT_CRC64)),
        };
        match hash {
            Some(name) if range.is_none() => Err(not_hashable(name)),
            _ => Ok(Request {
                at,
                which: address::which(head)?,
                range,
                conditions,
                hash,
                structured: structured::asked(head)?,
                now: head.received,
            }),
        }
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Response, StorageError> {
        let Request { at, which, range, conditions, hash, structured, now } = request;
        let BlobRead { properties, first, length, reader } =
            service.store.read(&at, which, range, conditions).await.map_err(engine)?;
        if properties.current {
            service.track_access(&at, properties.accessed).await;
        }
        let range = range.map(|_| (first, length));
        let framing = structured.is_some();
        let (checksum, content) = match hash {
            None => (None, content::body(reader, length, framing).await.map_err(engine)?),
            Some(name) if length > HASHED_BYTES_MAX => return Err(not_hashable(name)),
            Some(name) => {
                let pieces = content::collect(reader).await.map_err(engine)?;
                (Some(hashed(name, &pieces)), content::body_of(pieces, length, framing))
            }
        };
        Ok(Response { properties, now, range, length, checksum, structured, content })
    }

    fn encode(response: Response) -> http::Response<Body> {
        let Response { properties, now, range, length, checksum, structured, content } = response;
        let mut answer = http::Response::new(content.body);
        if range.is_some() {
            *answer.status_mut() = http::StatusCode::PARTIAL_CONTENT;
        }
        headers::set_properties(&mut answer, &properties, now);
        let map = answer.headers_mut();
        headers::set(map, answer::CONTENT_LENGTH, &content.length.to_string());
        match range {
            None => headers::set_md5(map, answer::CONTENT_MD5, properties.headers.md5),
            Some((first, bytes)) => {
                let range = range::content_range(first, bytes, properties.length);
                headers::set(map, answer::CONTENT_RANGE, &range);
                headers::set_md5(map, answer::X_MS_BLOB_CONTENT_MD5, properties.headers.md5);
            }
        }
        if let Some((name, value)) = checksum {
            headers::set(map, name, &value);
        }
        if let Some(structured) = structured {
            headers::set(map, answer::X_MS_STRUCTURED_BODY, &structured);
            headers::set(map, answer::X_MS_STRUCTURED_CONTENT_LENGTH, &length.to_string());
        }
        answer
    }
}

fn hashed(asked: &'static str, pieces: &[bytes::Bytes]) -> (&'static str, String) {
    if asked == header::X_MS_RANGE_GET_CONTENT_MD5 {
        let md5 = pieces.iter().fold(Md5::new(), Md5::chain_update);
        return (header::CONTENT_MD5, checksum::md5_text(md5.finalize().into()));
    }
    let mut crc64 = checksum::crc64_digest();
    for piece in pieces {
        crc64.update(piece);
    }
    (header::X_MS_CONTENT_CRC64, checksum::crc64_text(crc64.finalize()))
}

fn not_hashable(name: &'static str) -> StorageError {
    StorageError::invalid_header(name, "true")
}

fn engine(error: EngineError) -> StorageError {
    StorageError::from_engine(error, Intent::Read)
}

#[cfg(test)]
mod tests;
