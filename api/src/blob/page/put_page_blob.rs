//! *Put Blob*, of page blobs: made of a length and nothing else, so a body is a mistake.

use crate::blob::{BlobService, address, headers, new_blob, page};
use crate::body::{Body, Payload};
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, content, header};
use storage_engine::blob::{BlobAddress, BlobKind, Conditions, NewBlob, Stamp};

pub(crate) struct PutPageBlob;

pub(crate) struct Request {
    at: BlobAddress,
    new: NewBlob,
    length: u64,
    sequence_number: u64,
    conditions: Conditions,
}

impl Operation for PutPageBlob {
    type Service = BlobService;
    type Request = Request;
    type Response = Stamp;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::blob(head)?;
        content::refuse_body(head)?;
        let length = page::length(head)?
            .ok_or_else(|| StorageError::missing_header(header::X_MS_BLOB_CONTENT_LENGTH))?;
        let sequence_number = page::sequence_number(head)?.unwrap_or(0);
        let conditions = condition::of_write(head)?;
        let headers = headers::whole_content_headers(head)?;
        let new = new_blob::read(head, headers, BlobKind::Page { sequence_number })?;
        if new.tier.and_then(|tier| tier.bytes_max()).is_some_and(|room| length > room) {
            return Err(StorageError::new(ErrorCode::BlobTierInadequateForContentLength));
        }
        Ok(Request { at, new, length, sequence_number, conditions })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Stamp, StorageError> {
        let Request { at, new, length, sequence_number, conditions } = request;
        let protection = service.protection(&at.account).await?;
        service
            .store
            .create_page_blob(&at, new, (length, sequence_number), conditions, protection)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode(stamp: Stamp) -> http::Response<Body> {
        headers::written(stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;

    fn decode(headers: &[(&str, &str)]) -> Result<Request, ErrorCode> {
        let head = testing::head(ServiceKind::Blob, "PUT", "/dev/con/b", headers);
        PutPageBlob::decode(&head, Payload::None).map_err(|error| error.code)
    }

    #[test]
    fn a_page_blob_is_made_of_a_length_and_a_number() {
        let length = ("x-ms-blob-content-length", "1024");
        let request = decode(&[length]).unwrap();
        assert_eq!((request.length, request.sequence_number), (1024, 0));
        assert_eq!(decode(&[length, ("x-ms-blob-sequence-number", "7")]).unwrap().sequence_number, 7);
        assert_eq!(decode(&[]).err(), Some(ErrorCode::MissingRequiredHeader));
        assert_eq!(decode(&[("x-ms-blob-content-length", "1")]).err(), Some(ErrorCode::InvalidHeaderValue));
        assert_eq!(decode(&[length, ("content-length", "512")]).err(), Some(ErrorCode::InvalidHeaderValue));
    }
}
