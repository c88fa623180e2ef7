//! *Copy Blob*: a copy that is accepted, and done when it is done.
//!
//! Three ways, by what there is to do. A blob's own past (or itself, to change its tier or metadata) becomes the blob
//! without a byte being moved. A block or append blob of this server, of at most [`AT_ONCE_BYTES_MAX`], is copied
//! before the answer, and the destination changes in one verb. All else is pending: the destination is replaced by an
//! empty blob, which other writers must leave alone, and [`Transfer`] moves the bytes beside the requests.
//!
//! As a copy may take longer than any lease that ends, a destination that is leased must be leased for ever, however
//! soon the copy is done: whether a copy is short is not for the client to guess.

use super::transfer::{Promise, Transfer};
use super::{Gifts, TagOption, accepted, refuse_unheeded, stage};
use crate::blob::source::{Source, SourceRequest, changed};
use crate::blob::{BlobService, address, new_blob};
use crate::body::{Body, Payload};
use crate::checksum::Checksums;
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::version::{ARCHIVE_ACROSS_ACCOUNTS, Version};
use crate::{condition, header};
use storage_engine::EngineError;
use storage_engine::blob::{
    BlobAddress, BlobKind, Conditions, ContentHeaders, CopyState, CopyStatus, NewBlob, Origin, Protection,
    Rehydration, Stamp, Tier, Which,
};
use storage_engine::clock::Timestamp;
use storage_engine::seal::EncryptionWish;

/// Most bytes of a source of our own that are copied before the answer.
const AT_ONCE_BYTES_MAX: u64 = 64 << 20;

pub(crate) struct CopyBlob;

pub(crate) struct Request {
    at: BlobAddress,
    new: NewBlob,
    /// Whether it leaves the archive in haste.
    high: bool,
    seal: Option<bool>,
    source: SourceRequest,
    conditions: Conditions,
    received: Timestamp,
    version: Version,
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
        let high = new_blob::in_haste(head)?;
        let seal =
            head.text(header::X_MS_SEAL_BLOB)?.map(|_| head.flag(header::X_MS_SEAL_BLOB)).transpose()?;
        let new = new_blob::read(head, ContentHeaders::default(), BlobKind::Block)?;
        let leaves_archive = new.tier.is_some_and(|tier| tier != Tier::Archive);
        let source = SourceRequest::decode(head)?.lent_by(head).with_blocks().also_archived(leaves_archive);
        Ok(Request {
            at: address::blob_from_source(head)?,
            new,
            high,
            seal,
            source,
            conditions: Conditions { lease_without_end: true, ..condition::of_write(head)? },
            received: head.received,
            version: head.version,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Response, StorageError> {
        let Request { at, mut new, high, seal, source, conditions, received, version } = request;
        let id = service.copying.entropy.bits();
        let mut copy = CopyState { id, source: source.shown(), ..CopyState::default() };
        let mut source = source.open(service).await?;
        let kind = kind_of_copy(source.kind, seal)?;
        if new.tier.is_some() && kind != BlobKind::Block {
            return Err(StorageError::new(ErrorCode::AccessTierNotSupportedForBlobType));
        }
        new.rehydration = rehydration(&at, &source, new.tier, (high, received, version))?;
        Gifts { properties: true, tags: TagOption::Replace }.give(&mut new, &mut source);
        copy.total = source.length;
        let protection = service.protection(&at.account).await?;
        let page = matches!(kind, BlobKind::Page { .. });
        let at_once = !page && source.own.is_some() && source.length <= AT_ONCE_BYTES_MAX;
        // The past of a page blob is in the same volume as the blob, and is copied from there as from any other source.
        let itself =
            source.own.as_ref().is_some_and(|(own, which, _)| *own == at && (!page || *which == Which::Base));
        if at_once || itself {
            (copy.status, copy.copied, copy.completed) = (CopyStatus::Success, copy.total, Some(received));
        }
        new.copy = Some(copy);
        let written = if itself {
            become_own_past(service, &at, (new, source, seal), (conditions, protection)).await
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

/// The way that the copy of a blob in the archive takes out of there: it begins in the archive itself, as a copy that
/// is done (page "Rehydrate an archived blob to an online tier").
///
/// # Errors
/// `BlobArchived` for a copy that would be in its source's place, or, before 2021-02-12, in another account.
fn rehydration(
    at: &BlobAddress,
    source: &Source,
    to: Option<Tier>,
    (high, now, version): (bool, Timestamp, Version),
) -> Result<Option<Rehydration>, StorageError> {
    let Some(to) = to.filter(|_| source.archived) else { return Ok(None) };
    let elsewhere =
        |own: &BlobAddress| own != at && (own.account == at.account || version >= ARCHIVE_ACROSS_ACCOUNTS);
    if !source.own.as_ref().is_some_and(|(own, ..)| elsewhere(own)) {
        return Err(StorageError::new(ErrorCode::BlobArchived));
    }
    Ok(Some(Rehydration { to, high, ends: now.after(new_blob::rehydration(high)) }))
}

fn engine(error: EngineError) -> StorageError {
    StorageError::from_engine(error, Intent::Write)
}

async fn become_own_past(
    service: &BlobService,
    at: &BlobAddress,
    (new, source, sealed): (NewBlob, Source, Option<bool>),
    (conditions, protection): (Conditions, Protection),
) -> Result<Stamp, StorageError> {
    let (which, etag) = source.own.map_or((Which::Base, None), |(_, which, etag)| (which, Some(etag)));
    let origin = Origin { which, etag, sealed };
    match service.store.promote(at, origin, new, conditions, protection).await {
        Err(EngineError::BlobOverwritten) => Err(changed()),
        promoted => promoted.map_err(engine),
    }
}

async fn copy_now(
    service: &BlobService,
    at: &BlobAddress,
    (new, kind, source): (NewBlob, BlobKind, Source),
    (conditions, protection): (Conditions, Protection),
) -> Result<Stamp, StorageError> {
    let blocks = source.blocks.clone();
    let body = source.receiving(AT_ONCE_BYTES_MAX, Checksums::default())?;
    let sealing = service.sealing(at, EncryptionWish::default()).await?;
    let (staged, _) = stage(service, body, &sealing, (kind, &blocks)).await?;
    let content = (kind, staged, blocks);
    service.store.put_copied_blob(at, new, content, conditions, protection).await.map_err(engine)
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
    let transfer = Transfer { store: store.clone(), at: at.clone(), id, kind, source, difference: None };
    let promise = Promise::new(transfer, &service.copying.sources);
    let stamp = if let BlobKind::Page { sequence_number } = kind {
        store.create_page_blob(at, new, (length, sequence_number), conditions, protection).await
    } else {
        let nothing = store.upload_sealed(&sealing).finish_in_chunks().await.map_err(engine)?;
        store.put_copied_blob(at, new, (kind, nothing, Vec::new()), conditions, protection).await
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
