//! *Snapshot Blob*. Metadata in the request is the snapshot's, in place of the blob's. Conditions are combined as
//! those of a read, though an unmet one is told as that of a write.

use crate::blob::{BlobService, address, headers};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, header, metadata, time};
use storage_engine::blob::{BlobAddress, Conditions, Snapshot};
use storage_engine::name::Metadata;

pub(crate) struct SnapshotBlob;

pub(crate) struct Request {
    at: BlobAddress,
    metadata: Option<Metadata>,
    conditions: Conditions,
}

impl Operation for SnapshotBlob {
    type Service = BlobService;
    type Request = Request;
    type Response = Snapshot;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::blob(head)?;
        let metadata = Some(metadata::read(&head.headers)?).filter(|metadata| !metadata.is_empty());
        Ok(Request { at, metadata, conditions: condition::of_read(head)? })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Snapshot, StorageError> {
        let Request { at, metadata, conditions } = request;
        let protection = service.protection(&at.account).await?;
        let taken = service.store.snapshot(&at, metadata, conditions, protection).await;
        taken.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode(snapshot: Snapshot) -> http::Response<Body> {
        let mut response = headers::written(snapshot.stamp);
        headers::set(response.headers_mut(), header::X_MS_SNAPSHOT, &time::iso8601(snapshot.id));
        response
    }
}
