//! *Copy Blob*: a copy that is accepted, and done when it is done.
//!
//! Three ways, by what there is to do. A blob's own past (or itself, to change its tier) becomes the blob without a byte
//! being moved. A block or append blob of this server, of at most [`AT_ONCE_BYTES_MAX`], is copied before the answer, and
//! the destination changes in one verb. All else is pending: the destination is replaced by an empty blob, which other
//! writers must leave alone, and [`Transfer`] moves the bytes beside the requests.
//!
//! As a copy may take longer than any lease that ends, a destination that is leased must be leased for ever, however soon the copy is
//! done: whether a copy is short is not for the client to guess.

use super::transfer::{Promise, Transfer};
use super::{Gifts, TagOption, accepted, refuse_unheeded};
use crate::blob::source::{Source, SourceRequest, broken_off};
use crate::blob::{BlobService, address, new_blob};
use crate::body::{Body, Payload};
use crate::checksum::Checksums;
use crate::content;
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, header};
use storage_engine::EngineError;
use storage_engine::blob::{
    BlobAddress, BlobKind, Conditions, ContentHeaders, CopyState, CopyStatus, NewBlob, Protection, Stamp,
};
use storage_engine::clock::Timestamp;
use storage_engine::seal::EncryptionWish;

/// Most bytes of a source of our own that are copied before the answer.
const AT_ONCE_BYTES_MAX: u64 = 64 << 20;

pub(crate) struct CopyBlob;

pub(crate) struct Request {
    at: BlobAddress,
    new: NewBlob,
    seal: Option<bool>,
    source: SourceRequest,
    conditions: Conditions,
    received: Timestamp,
}

pub(crate) struct Response {
    stamp: Stamp,
    id: u128,
    status: CopyStatus,
}

impl Operation for CopyBlob {
    type Service = BlobService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        head.flag(header::X_MS_REQUIRES_SYNC)?;
        refuse_unheeded(head, &[header::X_MS_SOURCE_RANGE, header::X_MS_SOURCE_CONTENT_MD5])?;
        refuse_unheeded(head, &[header::X_MS_COPY_SOURCE_TAG_OPTION])?;
        // Only sources in the archive would leave it by this, and those are refused.
        if let Some(word) = head.text(header::X_MS_REHYDRATE_PRIORITY)?
            && !["standard", "high"].iter().any(|known| word.eq_ignore_ascii_case(known))
        {
            return Err(StorageError::invalid_header(header::X_MS_REHYDRATE_PRIORITY, word));
        }
        let seal =
            head.text(header::X_MS_SEAL_BLOB)?.map(|_| head.flag(header::X_MS_SEAL_BLOB)).transpose()?;
        Ok(Request {
            at: address::blob_from_source(head)?,
            new: new_blob::read(head, ContentHeaders::default(), BlobKind::Block)?,
            seal,
            source: SourceRequest::decode(head)?.lent_by(head),
            conditions: Conditions { lease_without_end: true, ..condition::of_write(head)? },
            received: head.received,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Response, StorageError> {
        let Request { at, mut new, seal, source, conditions, received } = request;
        let id = service.copying.entropy.bits();
        let mut copy = CopyState { id, source: source.shown(), ..CopyState::default() };
        let mut source = source.open(service).await?;
        let kind = kind_of_copy(source.kind, seal)?;
        if new.tier.is_some() && kind != BlobKind::Block {
            return Err(StorageError::new(ErrorCode::AccessTierNotSupportedForBlobType));
        }
        Gifts { properties: true, tags: TagOption::Replace }.give(&mut new, &mut source);
        copy.total = source.length;
        let protection = service.protection(&at.account).await?;
        let page = matches!(kind, BlobKind::Page { .. });
        let at_once = !page && source.own.is_some() && source.length <= AT_ONCE_BYTES_MAX;
        let itself = source.own.as_ref().is_some_and(|(own, ..)| *own == at) && seal.is_none() && !page;
        if at_once || itself {
            (copy.status, copy.copied, copy.completed) = (CopyStatus::Success, copy.total, Some(received));
        }
        new.copy = Some(copy);
        let written = if itself {
            become_own_past(service, &at, (new, source), (conditions, protection)).await
        } else if at_once {
            copy_now(service, &at, (new, kind, source), (conditions, protection)).await
        } else {
            begin(service, &at, (id, new, kind, source), (conditions, protection)).await
        };
        let status = if at_once || itself { CopyStatus::Success } else { CopyStatus::Pending };
        Ok(Response { stamp: written?, id, status })
    }

    fn encode(response: Response) -> http::Response<Body> {
        accepted(response.stamp, response.id, response.status)
    }
}

/// What the copy of such a blob is, sealed or not as the request says.
///
/// # Errors
/// `InvalidBlobType` for sealing what is no append blob.
fn kind_of_copy(kind: BlobKind, seal: Option<bool>) -> Result<BlobKind, StorageError> {
    match (kind, seal) {
        (BlobKind::Append { blocks, .. }, Some(sealed)) => Ok(BlobKind::Append { blocks, sealed }),
        (kind, None | Some(false)) => Ok(kind),
        (_, Some(true)) => Err(StorageError::new(ErrorCode::InvalidBlobType)),
    }
}

fn engine(error: EngineError) -> StorageError {
    StorageError::from_engine(error, Intent::Write)
}

async fn become_own_past(
    service: &BlobService,
    at: &BlobAddress,
    (new, source): (NewBlob, Source),
    (conditions, protection): (Conditions, Protection),
) -> Result<Stamp, StorageError> {
    let which = source.own.map(|(_, which, _)| which).unwrap_or_default();
    service.store.promote(at, which, new, conditions, protection).await.map_err(engine)
}

async fn copy_now(
    service: &BlobService,
    at: &BlobAddress,
    (new, kind, source): (NewBlob, BlobKind, Source),
    (conditions, protection): (Conditions, Protection),
) -> Result<Stamp, StorageError> {
    let body = source.receiving(AT_ONCE_BYTES_MAX, Checksums::default())?;
    let sealing = service.sealing(at, EncryptionWish::default()).await?;
    let upload = service.store.upload_sealed(&sealing);
    // Content of an append blob is never inline.
    let staged = match kind {
        BlobKind::Append { .. } => content::stage_block(body, upload, &service.md5).await,
        BlobKind::Block | BlobKind::Page { .. } => content::stage(body, upload, &service.md5).await,
    };
    let (staged, _) = staged.map_err(broken_off)?;
    service.store.put_copied_blob(at, new, (kind, staged), conditions, protection).await.map_err(engine)
}

async fn begin(
    service: &BlobService,
    at: &BlobAddress,
    (id, mut new, kind, source): (u128, NewBlob, BlobKind, Source),
    (conditions, protection): (Conditions, Protection),
) -> Result<Stamp, StorageError> {
    let store = &service.store;
    let sealing = service.sealing(at, EncryptionWish::default()).await?;
    new.encryption = sealing.encryption();
    let length = source.length;
    let transfer = Transfer { store: store.clone(), at: at.clone(), id, kind, source };
    let promise = Promise::new(transfer, &service.copying.sources);
    let stamp = if let BlobKind::Page { sequence_number } = kind {
        store.create_page_blob(at, new, (length, sequence_number), conditions, protection).await
    } else {
        let nothing = store.upload_sealed(&sealing).finish_in_chunks().await.map_err(engine)?;
        store.put_copied_blob(at, new, (kind, nothing), conditions, protection).await
    };
    match stamp {
        Ok(stamp) => {
            promise.keep();
            Ok(stamp)
        }
        Err(error) => {
            promise.forget();
            Err(engine(error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_append_blobs_are_sealed() {
        let append = |sealed| BlobKind::Append { blocks: 3, sealed };
        let copied = |kind, seal| kind_of_copy(kind, seal).map_err(|error| error.code);
        assert_eq!(copied(append(true), None), Ok(append(true)));
        assert_eq!(copied(append(true), Some(false)), Ok(append(false)));
        assert_eq!(copied(append(false), Some(true)), Ok(append(true)));
        assert_eq!(copied(BlobKind::Block, Some(false)), Ok(BlobKind::Block));
        assert_eq!(copied(BlobKind::Block, Some(true)), Err(ErrorCode::InvalidBlobType));
    }
}
