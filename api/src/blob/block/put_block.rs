//! *Put Block*. Takes no conditions but the lease. Its MD5 is computed only if the client gave one; otherwise the
//! answer carries the CRC-64.

use crate::blob::{BlobService, address, headers};
use crate::body::{Body, Payload};
use crate::content::{self, Received, Receiving, block_bytes_max};
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, encryption};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use storage_engine::blob::{BlobAddress, Encryption, LeaseId};
use storage_engine::name::BlockId;
use storage_engine::seal::EncryptionWish;

pub(crate) struct PutBlock;

/// What is answered, also when the block came from a source.
pub(crate) struct Response {
    pub(in crate::blob) received: Received,
    pub(in crate::blob) encryption: Option<Encryption>,
}

pub(crate) struct Request {
    at: BlobAddress,
    id: BlockId,
    lease: Option<LeaseId>,
    wish: EncryptionWish,
    body: Receiving,
}

impl Operation for PutBlock {
    type Service = BlobService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, body: Payload) -> Result<Request, StorageError> {
        let at = address::encrypted_blob(head)?;
        condition::none(head)?;
        let id = head.query.get("blockid").filter(|id| !id.is_empty());
        let id = block_id(id.ok_or_else(|| StorageError::missing_query("blockid"))?)?;
        let lease = condition::lease(head)?;
        let wish = encryption::of(head)?;
        Ok(Request {
            at,
            id,
            lease,
            wish,
            body: Receiving::decode(head, body, block_bytes_max(head.version))?,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Response, StorageError> {
        let Request { at, id, lease, wish, body } = request;
        let sealing = service.sealing(&at, wish).await?;
        let upload = service.store.upload_sealed(&sealing);
        let (staged, received) = content::stage_block(body, upload, &service.md5).await?;
        service
            .store
            .stage_block(&at, id, staged, lease)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Write))?;
        Ok(Response { received, encryption: sealing.encryption() })
    }

    fn encode(response: Response) -> http::Response<Body> {
        let Response { received, encryption } = response;
        let mut response = headers::empty();
        let map = response.headers_mut();
        received.tell(map);
        headers::set_written_encrypted(map);
        encryption::set(map, encryption.as_ref());
        response
    }
}

/// A block's id, as clients spell it.
///
/// # Errors
/// `InvalidBlockId` if it is not 1 to 64 bytes in Base64.
pub(in crate::blob) fn block_id(text: &str) -> Result<BlockId, StorageError> {
    let invalid = || StorageError::new(ErrorCode::InvalidBlockId);
    let bytes = STANDARD.decode(text).map_err(|_| invalid())?;
    BlockId::new(&bytes).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;

    fn decode(query: &str, headers: &[(&str, &str)]) -> Result<Request, ErrorCode> {
        let url = format!("/dev/con/b?comp=block{query}");
        let head = testing::head(ServiceKind::Blob, "PUT", &url, headers);
        PutBlock::decode(&head, Payload::None).map_err(|error| error.code)
    }

    #[test]
    fn ids_are_base64_of_up_to_64_bytes() {
        assert_eq!(decode("&blockid=%2B/8%3D", &[]).unwrap().id.as_bytes(), [0xFB, 0xFF]);
        assert_eq!(decode("&blockid=+/8=", &[]).unwrap().id.as_bytes(), [0xFB, 0xFF]);
        assert_eq!(decode("", &[]).err(), Some(ErrorCode::MissingRequiredQueryParameter));
        let long = format!("&blockid={}", STANDARD.encode([0; 65]));
        for bad in ["&blockid=*", "&blockid=AAA", long.as_str()] {
            assert_eq!(decode(bad, &[]).err(), Some(ErrorCode::InvalidBlockId), "{bad}");
        }
    }

    #[test]
    fn a_block_takes_no_conditions_and_has_its_own_limit() {
        let code = |headers: &[(&str, &str)]| decode("&blockid=AAAA", headers).err();
        assert_eq!(code(&[("if-match", "*")]), Some(ErrorCode::ConditionHeadersNotSupported));
        let old = [("x-ms-version", "2015-12-11"), ("content-length", "4194305")];
        assert_eq!(code(&old), Some(ErrorCode::RequestBodyTooLarge));
    }

    #[test]
    fn the_answer_has_the_checksum_that_the_client_used() {
        let header = |md5_given| {
            let received = Received { md5: Some([0; 16]), crc64: 0, md5_given, structured: None };
            let response = PutBlock::encode(Response { received, encryption: None });
            let has = |name| response.headers().contains_key(name);
            (has("content-md5"), has("x-ms-content-crc64"))
        };
        assert_eq!((header(true), header(false)), ((true, false), (false, true)));
    }
}
