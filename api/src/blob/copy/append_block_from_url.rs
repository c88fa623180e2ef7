//! *Append Block From URL*: adds bytes of a source to the end of an append blob.

use crate::blob::append::AppendBlock;
use crate::blob::append::append_block::Response;
use crate::blob::source::{SourceRequest, broken_off};
use crate::blob::{BlobService, address};
use crate::body::{Body, Payload};
use crate::checksum::Checksums;
use crate::content::{self, append_bytes_max};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, encryption, header};
use storage_engine::blob::{AppendConditions, BlobAddress, Conditions};
use storage_engine::seal::EncryptionWish;

pub(crate) struct AppendBlockFromUrl;

pub(crate) struct Request {
    at: BlobAddress,
    source: SourceRequest,
    checksums: Checksums,
    append: AppendConditions,
    wish: EncryptionWish,
    conditions: Conditions,
    bytes_max: u64,
}

impl Operation for AppendBlockFromUrl {
    type Service = BlobService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        Ok(Request {
            at: address::encrypted_blob_from_source(head)?,
            source: SourceRequest::decode_with_key(head)?,
            checksums: Checksums::of_source(head)?,
            append: AppendConditions {
                position: head.number(header::X_MS_BLOB_CONDITION_APPENDPOS)?,
                length_max: head.number(header::X_MS_BLOB_CONDITION_MAXSIZE)?,
            },
            wish: encryption::of(head)?,
            conditions: condition::of_write(head)?,
            bytes_max: append_bytes_max(head.version),
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Response, StorageError> {
        let Request { at, source, checksums, append, wish, conditions, bytes_max } = request;
        let body = source.open(service).await?.receiving(bytes_max, checksums)?;
        let sealing = service.sealing_of(&at, wish).await?;
        let staged = content::stage_block(body, service.store.upload_sealed(&sealing), &service.md5).await;
        let (staged, received) = staged.map_err(broken_off)?;
        let appended = service.store.append_block(&at, staged, append, conditions).await;
        let appended = appended.map_err(|error| StorageError::from_engine(error, Intent::Write))?;
        Ok(Response { appended, received, encryption: sealing.encryption() })
    }

    fn encode(response: Response) -> http::Response<Body> {
        AppendBlock::encode(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;

    #[test]
    fn what_the_destination_must_be_is_read() {
        let headers = [
            ("x-ms-copy-source", "http://127.0.0.1/dev/con/source"),
            ("x-ms-blob-condition-appendpos", "5"),
            ("x-ms-blob-condition-maxsize", "7"),
            ("x-ms-version", "2021-12-02"),
        ];
        let head = testing::head(ServiceKind::Blob, "PUT", "/dev/con/b?comp=appendblock", &headers);
        let request = AppendBlockFromUrl::decode(&head, Payload::None).unwrap();
        assert_eq!(request.append, AppendConditions { position: Some(5), length_max: Some(7) });
        assert_eq!(request.bytes_max, 4 << 20);
    }
}
