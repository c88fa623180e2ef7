//! *Put Blob*, of block blobs. The MD5 of the body is always kept with the blob, as the service does; one that
//! the client gave, for the body or to keep, must be the same.

use crate::blob::{BlobService, address, headers, new_blob};
use crate::body::{Body, Payload};
use crate::content::{self, Received, Receiving, blob_bytes_max};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{checksum, condition, encryption, header};
use storage_engine::blob::{BlobAddress, BlobKind, Conditions, Encryption, NewBlob, Stamp};
use storage_engine::seal::EncryptionWish;

pub(crate) struct PutBlob;

pub(crate) struct Request {
    at: BlobAddress,
    new: NewBlob,
    wish: EncryptionWish,
    conditions: Conditions,
    body: Receiving,
}

/// What is answered, also when the bytes came from a source.
pub(crate) struct Response {
    pub(in crate::blob) stamp: Stamp,
    pub(in crate::blob) received: Received,
    pub(in crate::blob) encryption: Option<Encryption>,
}

impl Operation for PutBlob {
    type Service = BlobService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, body: Payload) -> Result<Request, StorageError> {
        let at = address::encrypted_blob(head)?;
        let headers = headers::whole_content_headers(head)?;
        let conditions = condition::of_write(head)?;
        let body = Receiving::decode(head, body, blob_bytes_max(head.version))?.keeping_md5(headers.md5);
        let new = new_blob::read(head, headers, BlobKind::Block)?;
        Ok(Request { at, new, wish: encryption::of(head)?, conditions, body })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Response, StorageError> {
        let Request { at, mut new, wish, conditions, body } = request;
        let sealing = service.sealing(&at, wish).await?;
        let upload = service.store.upload_sealed(&sealing);
        let (staged, received) = content::stage(body, upload, &service.md5).await?;
        new.headers.md5 = received.md5;
        let protection = service.protection(&at.account).await?;
        let stamp = service
            .store
            .put_block_blob(&at, new, staged, conditions, protection)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Write))?;
        Ok(Response { stamp, received, encryption: sealing.encryption() })
    }

    fn encode(response: Response) -> http::Response<Body> {
        let Response { stamp, received, encryption } = response;
        let mut response = headers::written(stamp);
        let map = response.headers_mut();
        encryption::set(map, encryption.as_ref());
        headers::set_md5(map, header::CONTENT_MD5, received.md5);
        headers::set(map, header::X_MS_CONTENT_CRC64, &checksum::crc64_text(received.crc64));
        if let Some(structured) = &received.structured {
            headers::set(map, header::X_MS_STRUCTURED_BODY, structured);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing;
    use storage_engine::blob::EtagMatch;
    use storage_engine::clock::{Etag, Timestamp};

    fn decode(headers: &[(&str, &str)]) -> Result<Request, ErrorCode> {
        let head = testing::head(ServiceKind::Blob, "PUT", "/dev/con/b", headers);
        PutBlob::decode(&head, Payload::None).map_err(|error| error.code)
    }

    #[test]
    fn a_blob_is_made_of_its_headers() {
        let request = decode(&[
            ("x-ms-blob-content-type", "text/plain"),
            ("x-ms-meta-k", "v"),
            ("if-none-match", "*"),
            ("x-ms-version", "2021-12-02"),
        ])
        .unwrap();
        assert_eq!(request.new.headers.content_type, "text/plain");
        assert_eq!(request.new.metadata.len(), 1);
        assert_eq!(request.conditions.if_none_match, [EtagMatch::Any]);
    }

    #[test]
    fn limits_are_those_of_the_version() {
        for (version, most) in
            [("2015-02-21", 64_u64 << 20), ("2016-05-31", 256 << 20), ("2019-12-12", 5_000 << 20)]
        {
            let length = |bytes: u64| {
                decode(&[("x-ms-version", version), ("content-length", &bytes.to_string())]).err()
            };
            assert_eq!(length(most), None, "{version}");
            assert_eq!(length(most + 1), Some(ErrorCode::RequestBodyTooLarge), "{version}");
        }
    }

    #[test]
    fn what_is_not_built_is_refused() {
        for name in ["x-ms-copy-source", "x-ms-expiry-option"] {
            assert_eq!(decode(&[(name, "x")]).err(), Some(ErrorCode::NotImplemented), "{name}");
        }
    }

    #[test]
    fn both_checksums_are_answered() {
        let received =
            Received { md5: Some([0; 16]), crc64: 0, md5_given: false, structured: Some("x".into()) };
        let stamp = Stamp { etag: Etag(1), modified: Timestamp::from_unix_seconds(0), version: None };
        let response = PutBlob::encode(Response { stamp, received, encryption: None });
        for name in ["content-md5", "x-ms-content-crc64", "x-ms-structured-body", "etag"] {
            assert!(response.headers().contains_key(name), "{name}");
        }
    }
}
