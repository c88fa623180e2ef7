//! *Undelete Blob*: all of the name that is deleted and kept comes back, its snapshots as well.

use crate::blob::{BlobService, address, headers};
use crate::body::{Body, Payload};
use crate::condition;
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use storage_engine::blob::BlobAddress;

pub(crate) struct UndeleteBlob;

impl Operation for UndeleteBlob {
    type Service = BlobService;
    type Request = BlobAddress;
    type Response = ();

    fn decode(head: &Head, _: Payload) -> Result<BlobAddress, StorageError> {
        condition::none(head)?;
        address::blob(head)
    }

    async fn execute(service: &BlobService, at: BlobAddress) -> Result<(), StorageError> {
        let restored = service.store.undelete(&at).await;
        restored.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode((): ()) -> http::Response<Body> {
        headers::empty()
    }
}
