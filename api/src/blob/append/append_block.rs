//! *Append Block*. The body is staged as it arrives; where it goes is found out by the verb, so appends that run at the
//! same time are put one behind the other and none is lost.

use crate::blob::{BlobService, address, headers};
use crate::body::{Body, Payload};
use crate::content::{self, Received, Receiving, append_bytes_max};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, encryption, header};
use storage_engine::blob::{AppendConditions, Appended, BlobAddress, Conditions, Encryption};
use storage_engine::seal::EncryptionWish;

pub(crate) struct AppendBlock;

pub(crate) struct Request {
    at: BlobAddress,
    append: AppendConditions,
    wish: EncryptionWish,
    conditions: Conditions,
    body: Receiving,
}

/// What is answered, also when the block came from a source.
pub(crate) struct Response {
    pub(in crate::blob) appended: Appended,
    pub(in crate::blob) received: Received,
    pub(in crate::blob) encryption: Option<Encryption>,
}

impl Operation for AppendBlock {
    type Service = BlobService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, body: Payload) -> Result<Request, StorageError> {
        let at = address::encrypted_blob(head)?;
        let conditions = condition::of_write(head)?;
        let append = AppendConditions {
            position: head.number(header::X_MS_BLOB_CONDITION_APPENDPOS)?,
            length_max: head.number(header::X_MS_BLOB_CONDITION_MAXSIZE)?,
        };
        let body = Receiving::decode(head, body, append_bytes_max(head.version))?;
        if body.announced() == Some(0) {
            return Err(StorageError::invalid_header(header::CONTENT_LENGTH, "0"));
        }
        Ok(Request { at, append, wish: encryption::of(head)?, conditions, body })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Response, StorageError> {
        let Request { at, append, wish, conditions, body } = request;
        let sealing = service.sealing_of(&at, wish).await?;
        let upload = service.store.upload_sealed(&sealing);
        let (staged, received) = content::stage_block(body, upload, &service.md5).await?;
        let appended = service
            .store
            .append_block(&at, staged, append, conditions)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Write))?;
        Ok(Response { appended, received, encryption: sealing.encryption() })
    }

    fn encode(response: Response) -> http::Response<Body> {
        let Response { appended, received, encryption } = response;
        let mut response = headers::written(appended.stamp);
        let map = response.headers_mut();
        received.tell(map);
        encryption::set(map, encryption.as_ref());
        headers::set(map, header::X_MS_BLOB_APPEND_OFFSET, &appended.offset.to_string());
        headers::set(map, header::X_MS_BLOB_COMMITTED_BLOCK_COUNT, &appended.blocks.to_string());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing;

    fn decode(headers: &[(&str, &str)]) -> Result<Request, ErrorCode> {
        let head = testing::head(ServiceKind::Blob, "PUT", "/dev/con/b?comp=appendblock", headers);
        AppendBlock::decode(&head, Payload::None).map_err(|error| error.code)
    }

    #[test]
    fn limits_are_those_of_the_version() {
        for (version, most) in [("2021-12-02", 4_u64 << 20), ("2022-11-02", 100 << 20)] {
            let length = |bytes: u64| {
                decode(&[("x-ms-version", version), ("content-length", &bytes.to_string())]).err()
            };
            assert_eq!(length(most), None, "{version}");
            assert_eq!(length(most + 1), Some(ErrorCode::RequestBodyTooLarge), "{version}");
            assert_eq!(length(0), Some(ErrorCode::InvalidHeaderValue), "{version}");
        }
    }

    #[test]
    fn conditions_on_the_length_are_numbers() {
        let request =
            decode(&[("x-ms-blob-condition-appendpos", "5"), ("x-ms-blob-condition-maxsize", "9")]).unwrap();
        assert_eq!(request.append, AppendConditions { position: Some(5), length_max: Some(9) });
        let bad = decode(&[("x-ms-blob-condition-appendpos", "-1")]);
        assert_eq!(bad.err(), Some(ErrorCode::InvalidHeaderValue));
    }
}
