//! *Get Account Information*: what kind of account it is, at every address of the service.

use crate::blob::BlobService;
use crate::body::{Body, Payload};
use crate::error::StorageError;
use crate::head::Head;
use crate::operation::Operation;
use crate::service;
use crate::version::Version;

/// *Get Account Information*.
pub(crate) struct GetAccountInformation;

impl Operation for GetAccountInformation {
    type Service = BlobService;
    type Request = Version;
    type Response = Version;

    fn decode(head: &Head, _: Payload) -> Result<Version, StorageError> {
        Ok(head.version)
    }

    async fn execute(_: &BlobService, version: Version) -> Result<Version, StorageError> {
        Ok(version)
    }

    fn encode(version: Version) -> http::Response<Body> {
        service::account_information(version)
    }
}
