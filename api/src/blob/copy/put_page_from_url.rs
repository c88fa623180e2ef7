//! *Put Page From URL*: writes pages with bytes of a source. At most 4 MiB, so they are held in memory whole.

use crate::blob::source::{SourceRequest, broken_off, cut_short, too_large};
use crate::blob::{BlobService, address, headers};
use crate::body::{Body, Payload};
use crate::checksum::{self, Checksums, Md5Sum};
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, encryption, header, range};
use storage_engine::blob::{BlobAddress, ByteRange, Conditions, Encryption, PageWritten, SequenceConditions};
use storage_engine::seal::EncryptionWish;

/// Most bytes of one write.
const BYTES_MAX: u64 = 4 << 20;

pub(crate) struct PutPageFromUrl;

pub(crate) struct Request {
    at: BlobAddress,
    offset: u64,
    length: u64,
    source: SourceRequest,
    checksums: Checksums,
    sequence: SequenceConditions,
    wish: EncryptionWish,
    conditions: Conditions,
}

pub(crate) struct Response {
    written: PageWritten,
    md5: Option<Md5Sum>,
    crc64: u64,
    encryption: Option<Encryption>,
}

impl Operation for PutPageFromUrl {
    type Service = BlobService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::encrypted_blob_from_source(head)?;
        let destination =
            range::read(head)?.ok_or_else(|| StorageError::missing_header(header::X_MS_RANGE))?;
        head.required(header::X_MS_SOURCE_RANGE)?;
        let (offset, length) = pages(destination)?;
        Ok(Request {
            at,
            offset,
            length,
            source: SourceRequest::decode_with_key(head)?,
            checksums: Checksums::of_source(head)?,
            sequence: SequenceConditions {
                at_most: head.number(header::X_MS_IF_SEQUENCE_NUMBER_LE)?,
                less_than: head.number(header::X_MS_IF_SEQUENCE_NUMBER_LT)?,
                equal: head.number(header::X_MS_IF_SEQUENCE_NUMBER_EQ)?,
            },
            wish: encryption::of(head)?,
            conditions: condition::of_write(head)?,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Response, StorageError> {
        let Request { at, offset, length, source, checksums, sequence, wish, conditions } = request;
        let encryption = service.sealing_of(&at, wish).await?.encryption();
        let source = source.open(service).await?;
        if source.length > BYTES_MAX {
            return Err(too_large(BYTES_MAX));
        }
        if source.length != length {
            let name = header::X_MS_SOURCE_RANGE;
            return Err(StorageError::invalid_header(name, &source.length.to_string()));
        }
        let bytes = source.bytes.collect().await.map_err(broken_off)?;
        if bytes.len() as u64 != length {
            return Err(cut_short());
        }
        checksums.verify_whole(&bytes)?;
        let (md5, crc64) = (checksums.md5, checksum::crc64(&bytes));
        let written = service.store.write_pages(&at, offset, vec![bytes], sequence, conditions).await;
        let written = written.map_err(|error| StorageError::from_engine(error, Intent::Write))?;
        Ok(Response { written, md5, crc64, encryption })
    }

    fn encode(response: Response) -> http::Response<Body> {
        let Response { written, md5, crc64, encryption } = response;
        let mut response = headers::written(written.stamp);
        let map = response.headers_mut();
        encryption::set(map, encryption.as_ref());
        headers::set(map, header::X_MS_BLOB_SEQUENCE_NUMBER, &written.sequence_number.to_string());
        match md5 {
            Some(md5) => headers::set_md5(map, header::CONTENT_MD5, Some(md5)),
            None => headers::set(map, header::X_MS_CONTENT_CRC64, &checksum::crc64_text(crc64)),
        }
        response
    }
}

/// First byte and number of bytes of a range of whole pages.
fn pages(range: ByteRange) -> Result<(u64, u64), StorageError> {
    let end = range.last.and_then(|last| last.checked_add(1));
    let length = end.and_then(|end| end.checked_sub(range.first));
    let whole = |number: u64| number.is_multiple_of(512);
    match length {
        Some(length) if length > BYTES_MAX => Err(StorageError::too_large(BYTES_MAX)),
        Some(length) if length > 0 && whole(length) && whole(range.first) => Ok((range.first, length)),
        _ => Err(StorageError::new(ErrorCode::InvalidPageRange)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_pages_are_written() {
        let code = |first, last| pages(ByteRange { first, last }).map_err(|error| error.code);
        assert_eq!(code(512, Some(1023)), Ok((512, 512)));
        for (first, last) in [(1, Some(512)), (0, Some(510)), (0, None), (512, Some(511))] {
            assert_eq!(code(first, last), Err(ErrorCode::InvalidPageRange), "{first} {last:?}");
        }
        assert_eq!(code(0, Some(BYTES_MAX + 511)), Err(ErrorCode::RequestBodyTooLarge));
    }
}
