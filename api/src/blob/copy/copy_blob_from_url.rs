//! *Copy Blob From URL*: a copy that is done when it is answered, of block blobs of at most 256 MiB.

use super::{Gifts, TagOption, accepted, refuse_unheeded, stage};
use crate::blob::source::SourceRequest;
use crate::blob::{BlobService, address, headers, new_blob};
use crate::body::{Body, Payload};
use crate::checksum::{self, Checksums};
use crate::content::Received;
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, encryption, header};
use storage_engine::blob::{
    BlobAddress, BlobKind, Conditions, ContentHeaders, CopyState, CopyStatus, Encryption, NewBlob, Stamp,
};
use storage_engine::clock::Timestamp;
use storage_engine::seal::EncryptionWish;

/// Most bytes of a source.
const BYTES_MAX: u64 = 256 << 20;

pub(crate) struct CopyBlobFromUrl;

pub(crate) struct Request {
    at: BlobAddress,
    new: NewBlob,
    tags: TagOption,
    source: SourceRequest,
    checksums: Checksums,
    wish: EncryptionWish,
    conditions: Conditions,
    received: Timestamp,
}

pub(crate) struct Response {
    stamp: Stamp,
    id: u128,
    received: Received,
    encryption: Option<Encryption>,
}

impl Operation for CopyBlobFromUrl {
    type Service = BlobService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        refuse_unheeded(head, &[header::X_MS_SOURCE_RANGE, header::X_MS_SEAL_BLOB])?;
        let tags = TagOption::read(head)?;
        Ok(Request {
            at: address::encrypted_blob_from_source(head)?,
            new: new_blob::read(head, ContentHeaders::default(), BlobKind::Block)?,
            tags,
            source: SourceRequest::decode(head)?.with_tags(tags == TagOption::Copy).with_blocks(),
            checksums: Checksums::of_source(head)?,
            wish: encryption::scope_of(head)?,
            conditions: condition::of_write(head)?,
            received: head.received,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Response, StorageError> {
        let Request { at, mut new, tags, source, checksums, wish, conditions, received: now } = request;
        let shown = source.shown();
        let mut source = source.open(service).await?;
        if source.kind != BlobKind::Block {
            return Err(StorageError::new(ErrorCode::InvalidSourceBlobType));
        }
        Gifts { properties: true, tags }.give(&mut new, &mut source);
        let (id, total) = (service.copying.entropy.bits(), source.length);
        let blocks = std::mem::take(&mut source.blocks);
        let body = source.receiving(BYTES_MAX, checksums)?;
        let sealing = service.sealing(&at, wish).await?;
        let (staged, received) = stage(service, body, &sealing, (BlobKind::Block, &blocks)).await?;
        new.copy = Some(CopyState {
            id,
            source: shown,
            status: CopyStatus::Success,
            copied: total,
            total,
            completed: Some(now),
            ..CopyState::default()
        });
        let protection = service.protection(&at.account).await?;
        let content = (BlobKind::Block, staged, blocks);
        let put = service.store.put_copied_blob(&at, new, content, conditions, protection).await;
        let stamp = put.map_err(|error| StorageError::from_engine(error, Intent::Write))?;
        Ok(Response { stamp, id, received, encryption: sealing.encryption() })
    }

    fn encode(response: Response) -> http::Response<Body> {
        let Response { stamp, id, received, encryption } = response;
        let mut response = accepted(stamp, id, CopyStatus::Success);
        let map = response.headers_mut();
        encryption::set(map, encryption.as_ref());
        headers::set_md5(map, header::CONTENT_MD5, received.md5);
        headers::set(map, header::X_MS_CONTENT_CRC64, &checksum::crc64_text(received.crc64));
        response
    }
}
