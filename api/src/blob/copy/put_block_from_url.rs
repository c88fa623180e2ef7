//! *Put Block From URL*. As [*Put Block*](crate::blob::block::PutBlock), with bytes of a source.

use crate::blob::block::PutBlock;
use crate::blob::block::put_block::{Response, block_id};
use crate::blob::source::{SourceRequest, broken_off};
use crate::blob::{BlobService, address};
use crate::body::{Body, Payload};
use crate::checksum::Checksums;
use crate::content::{self, block_bytes_max};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, encryption};
use storage_engine::blob::{BlobAddress, LeaseId};
use storage_engine::name::BlockId;
use storage_engine::seal::EncryptionWish;

pub(crate) struct PutBlockFromUrl;

pub(crate) struct Request {
    at: BlobAddress,
    id: BlockId,
    lease: Option<LeaseId>,
    source: SourceRequest,
    checksums: Checksums,
    wish: EncryptionWish,
    bytes_max: u64,
}

impl Operation for PutBlockFromUrl {
    type Service = BlobService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::encrypted_blob_from_source(head)?;
        condition::none(head)?;
        let id = head.query.get("blockid").filter(|id| !id.is_empty());
        let id = block_id(id.ok_or_else(|| StorageError::missing_query("blockid"))?)?;
        Ok(Request {
            at,
            id,
            lease: condition::lease(head)?,
            source: SourceRequest::decode_with_key(head)?,
            checksums: Checksums::of_source(head)?,
            wish: encryption::of(head)?,
            bytes_max: block_bytes_max(head.version),
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Response, StorageError> {
        let Request { at, id, lease, source, checksums, wish, bytes_max } = request;
        let body = source.open(service).await?.receiving(bytes_max, checksums)?;
        let sealing = service.sealing(&at, wish).await?;
        let staged = content::stage_block(body, service.store.upload_sealed(&sealing), &service.md5).await;
        let (staged, received) = staged.map_err(broken_off)?;
        let put = service.store.stage_block(&at, id, staged, lease).await;
        put.map_err(|error| StorageError::from_engine(error, Intent::Write))?;
        Ok(Response { received, encryption: sealing.encryption() })
    }

    fn encode(response: Response) -> http::Response<Body> {
        PutBlock::encode(response)
    }
}
