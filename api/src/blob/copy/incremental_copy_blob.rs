//! *Incremental Copy Blob*: brings a page blob up to a snapshot of another one, by what has changed since the snapshot
//! that was copied last, and takes a snapshot of it.
//!
//! The destination is for these copies only; its snapshots are what is read. The copy is always pending when it is
//! answered, as that of a page blob is with [*Copy Blob*](super::CopyBlob).
//!
//! # Which source?
//! The destination remembers of which blob it has copied snapshots: of a blob of this server by account, container and
//! name, however the server is called; of another server's by its address without the query, so that a new signature is
//! no new source. Two snapshots of ours are compared before anything is begun, so a source that was made anew since, or
//! whose former snapshot is gone, is refused with the codes of *Get Page Ranges*. Another server is not asked to
//! compare, because all bytes come from there ([`super::transfer`]).

use super::transfer::{Difference, Promise, Transfer};
use super::{Gifts, TagOption, accepted};
use crate::blob::source::SourceRequest;
use crate::blob::{BlobService, address};
use crate::body::{Body, Payload};
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, header};
use std::num::NonZeroUsize;
use storage_engine::EngineError;
use storage_engine::blob::{
    BlobAddress, BlobKind, Conditions, CopyState, CopyStatus, IncrementalCopy, NewBlob, PageQuery, Stamp,
    Which,
};
use storage_engine::clock::Timestamp;
use storage_engine::seal::EncryptionWish;

pub(crate) struct IncrementalCopyBlob;

pub(crate) struct Request {
    at: BlobAddress,
    source: SourceRequest,
    snapshot: Timestamp,
    conditions: Conditions,
}

pub(crate) struct Response {
    stamp: Stamp,
    id: u128,
}

impl Operation for IncrementalCopyBlob {
    type Service = BlobService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::blob_from_source(head)?;
        let source = SourceRequest::decode(head)?.lent_by(head);
        if source.is_ranged() {
            return Err(StorageError::invalid_header(header::X_MS_SOURCE_RANGE, ""));
        }
        let snapshot = source.snapshot()?;
        let snapshot =
            snapshot.ok_or_else(|| StorageError::new(ErrorCode::IncrementalCopySourceMustBeSnapshot))?;
        Ok(Request { at, source, snapshot, conditions: condition::of_write(head)? })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Response, StorageError> {
        let Request { at, source, snapshot, conditions } = request;
        let (shown, place) = (source.shown(), source.place());
        let mut source = source.open(service).await?;
        let kind = source.kind;
        let BlobKind::Page { sequence_number } = kind else {
            return Err(StorageError::new(ErrorCode::InvalidSourceBlobType));
        };
        let origin = match &source.own {
            Some((own, ..)) => format!("{}/{}/{}", own.account, own.container, own.blob),
            None => place,
        };
        if let Some((own, which, _)) = source.own.clone() {
            compare(service, &at, (&own, which), (&origin, snapshot)).await?;
        }
        let sealing = service.sealing(&at, EncryptionWish::default()).await?;
        let mut new = NewBlob { encryption: sealing.encryption(), ..NewBlob::default() };
        Gifts { properties: true, tags: TagOption::Replace }.give(&mut new, &mut source);
        let (id, total) = (service.copying.entropy.bits(), source.length);
        let copy = CopyState { id, source: shown, total, ..CopyState::default() };
        let copy = IncrementalCopy { new, copy, origin, snapshot, size: (total, sequence_number) };
        let protection = service.protection(&at.account).await?;
        let difference = Some(Difference { snapshot, since: None });
        let transfer =
            Transfer { store: service.store.clone(), at: at.clone(), id, kind, source, difference };
        let mut promise = Promise::new(transfer, &service.copying.sources);
        match service.store.begin_incremental_copy(&at, copy, conditions, protection).await {
            Ok(begun) => {
                promise.since(begun.since);
                promise.keep();
                Ok(Response { stamp: begun.stamp, id })
            }
            Err(error) => {
                promise.forget();
                Err(engine(error))
            }
        }
    }

    fn encode(response: Response) -> http::Response<Body> {
        accepted(response.stamp, response.id, CopyStatus::Pending)
    }
}

fn engine(error: EngineError) -> StorageError {
    StorageError::from_engine(error, Intent::Write)
}

/// Refuses a snapshot of ours that cannot be compared with the one that was copied last.
///
/// # Errors
/// `PreviousSnapshotNotFound`, `BlobOverwritten`.
async fn compare(
    service: &BlobService,
    at: &BlobAddress,
    (own, which): (&BlobAddress, Which),
    (origin, snapshot): (&str, Timestamp),
) -> Result<(), StorageError> {
    // What else is wrong with the destination is said by the verb that begins the copy.
    let Ok(blob) = service.store.properties(at, Which::Base, Conditions::default()).await else {
        return Ok(());
    };
    let copy = blob.copy.as_ref().filter(|copy| copy.status == CopyStatus::Success);
    let former = copy.and_then(|copy| copy.incremental.as_ref());
    let since = former.filter(|former| former.origin == origin).and_then(|former| former.copied);
    let Some(since) = since.filter(|since| *since < snapshot) else { return Ok(()) };
    let query = PageQuery { which, since: Some(since), range: None, after: None, limit: NonZeroUsize::MIN };
    service.store.page_runs(own, query, Conditions::default()).await.map(drop).map_err(engine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;
    use crate::time;

    fn decode(source: &str) -> Result<String, ErrorCode> {
        let url = "/dev/con/b?comp=incrementalcopy";
        let head = testing::head(ServiceKind::Blob, "PUT", url, &[("x-ms-copy-source", source)]);
        let request = IncrementalCopyBlob::decode(&head, Payload::None);
        request.map(|request| time::iso8601(request.snapshot)).map_err(|error| error.code)
    }

    #[test]
    fn the_source_is_a_snapshot() {
        let of = |query: &str| decode(&format!("http://127.0.0.1/dev/con/disk{query}"));
        let id = "2026-01-02T03:04:05.1234567Z";
        assert_eq!(of(&format!("?snapshot={id}")).as_deref(), Ok(id));
        assert_eq!(of("?sv=2026-02-06&Snapshot=2026-01-02T03%3A04%3A05.1234567Z").as_deref(), Ok(id));
        assert_eq!(of("").err(), Some(ErrorCode::IncrementalCopySourceMustBeSnapshot));
        assert_eq!(
            of(&format!("?versionid={id}")).err(),
            Some(ErrorCode::IncrementalCopySourceMustBeSnapshot)
        );
        assert_eq!(of("?snapshot=yesterday").err(), Some(ErrorCode::InvalidHeaderValue));
    }
}
