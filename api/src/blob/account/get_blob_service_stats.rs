//! *Get Blob Service Stats*: until when the secondary address has everything, told by that address alone.

use crate::blob::BlobService;
use crate::body::{Body, Payload};
use crate::error::StorageError;
use crate::head::Head;
use crate::operation::Operation;
use crate::service;
use storage_engine::clock::Timestamp;

/// *Get Blob Service Stats*.
pub(crate) struct GetBlobServiceStats;

impl Operation for GetBlobServiceStats {
    type Service = BlobService;
    type Request = Timestamp;
    type Response = Timestamp;

    fn decode(head: &Head, _: Payload) -> Result<Timestamp, StorageError> {
        service::last_sync(head)
    }

    async fn execute(_: &BlobService, last_sync: Timestamp) -> Result<Timestamp, StorageError> {
        Ok(last_sync)
    }

    fn encode(last_sync: Timestamp) -> http::Response<Body> {
        service::stats(last_sync)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing::head;

    #[test]
    fn only_the_secondary_address_tells() {
        let decode = |account: &str| {
            let url = format!("/{account}?restype=service&comp=stats");
            GetBlobServiceStats::decode(&head(ServiceKind::Blob, "GET", &url, &[]), Payload::None)
        };
        assert!(decode("acc").is_err());
        assert!(decode("acc-secondary").is_ok());
    }
}
