//! *Put Page*, with `update`: whole pages, at most 4 MiB, as many bytes as the range says.

use crate::blob::{BlobService, address, headers, page};
use crate::body::{Body, Payload};
use crate::condition;
use crate::content::{self, PAGES_BYTES_MAX, Received, Receiving};
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use bytes::Bytes;
use storage_engine::blob::{BlobAddress, Conditions, PageWritten, SequenceConditions};
use storage_engine::page::PageRange;

pub(crate) struct PutPage;

pub(crate) struct Request {
    at: BlobAddress,
    range: PageRange,
    sequence: SequenceConditions,
    conditions: Conditions,
    body: Receiving,
}

pub(crate) struct Response {
    written: PageWritten,
    received: Received,
}

impl Operation for PutPage {
    type Service = BlobService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, body: Payload) -> Result<Request, StorageError> {
        let at = address::blob(head)?;
        let body = Receiving::decode(head, body, PAGES_BYTES_MAX)?;
        let range = page::written_range(head)?;
        fits(range, body.announced().unwrap_or(range.length()))?;
        Ok(Request {
            at,
            range,
            sequence: page::sequence_conditions(head)?,
            conditions: condition::of_write(head)?,
            body,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Response, StorageError> {
        let Request { at, range, sequence, conditions, body } = request;
        let (parts, received) = content::gather(body, &service.md5).await?;
        fits(range, parts.iter().map(Bytes::len).fold(0, |sum, bytes| sum + bytes as u64))?;
        let written = service
            .store
            .write_pages(&at, range.offset(), parts, sequence, conditions)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Write))?;
        Ok(Response { written, received })
    }

    fn encode(response: Response) -> http::Response<Body> {
        let Response { written, received } = response;
        let mut response = page::written(written);
        let map = response.headers_mut();
        received.tell(map);
        headers::set_written_encrypted(map);
        response
    }
}

/// Refuses a body that is longer or shorter than the range.
fn fits(range: PageRange, bytes: u64) -> Result<(), StorageError> {
    if range.length() == bytes { Ok(()) } else { Err(StorageError::new(ErrorCode::InvalidPageRange)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;

    #[test]
    fn the_body_is_as_long_as_the_range() {
        let decode = |range: &str, length: &str| {
            let headers = [("x-ms-range", range), ("content-length", length)];
            let head = testing::head(ServiceKind::Blob, "PUT", "/dev/con/b?comp=page", &headers);
            PutPage::decode(&head, Payload::None).map(drop).map_err(|error| error.code)
        };
        assert_eq!(decode("bytes=0-4194303", "4194304"), Ok(()));
        assert_eq!(decode("bytes=0-4194815", "4194816"), Err(ErrorCode::RequestBodyTooLarge));
        assert_eq!(decode("bytes=0-511", "1024"), Err(ErrorCode::InvalidPageRange));
        assert_eq!(decode("bytes=0-511", "0"), Err(ErrorCode::InvalidPageRange));
    }
}
