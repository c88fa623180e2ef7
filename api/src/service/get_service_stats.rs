//! *Get Blob Service Stats*, *Get Queue Service Stats*, *Get Table Service Stats*: until when the secondary address has
//! everything, told by that address alone.

use super::StorageService;
use crate::body::{Body, Payload};
use crate::error::StorageError;
use crate::head::Head;
use crate::operation::Operation;
use crate::xml::XmlWriter;
use crate::{reply, time};
use std::marker::PhantomData;
use storage_engine::clock::Timestamp;

/// *Get Blob Service Stats* and its siblings.
pub(crate) struct GetServiceStats<S>(PhantomData<S>);

impl<S: StorageService> Operation for GetServiceStats<S> {
    type Service = S;
    type Request = Timestamp;
    type Response = Timestamp;

    /// The moment of which the secondary address has everything. It reads the same store as the primary, so that is
    /// when the request came.
    fn decode(head: &Head, _: Payload) -> Result<Timestamp, StorageError> {
        if head.target.secondary {
            return Ok(head.received);
        }
        let reason = "Statistics of replication are told by the secondary address.";
        Err(StorageError::invalid_query("comp", "stats", reason))
    }

    async fn execute(_: &S, last_sync: Timestamp) -> Result<Timestamp, StorageError> {
        Ok(last_sync)
    }

    fn encode(last_sync: Timestamp) -> http::Response<Body> {
        let mut xml = XmlWriter::new();
        xml.open("StorageServiceStats");
        xml.open("GeoReplication");
        xml.text("Status", "live");
        xml.text("LastSyncTime", &time::rfc1123(last_sync));
        xml.close("GeoReplication");
        xml.close("StorageServiceStats");
        reply::xml(xml.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::queue::QueueService;
    use crate::reply::tests::text;
    use crate::testing::head;

    type GetQueueServiceStats = GetServiceStats<QueueService>;

    #[test]
    fn statistics_are_those_of_the_secondary_address() {
        let decode = |account: &str| {
            let url = format!("/{account}?restype=service&comp=stats");
            GetQueueServiceStats::decode(&head(QueueService::KIND, "GET", &url, &[]), Payload::None)
        };
        assert_eq!(decode("acc").unwrap_err().code, ErrorCode::InvalidQueryParameterValue);
        let document = text(GetQueueServiceStats::encode(decode("acc-secondary").unwrap()));
        let end = "<StorageServiceStats><GeoReplication><Status>live</Status>\
            <LastSyncTime>Tue, 14 Nov 2023 22:13:20 GMT</LastSyncTime></GeoReplication></StorageServiceStats>";
        assert!(document.ends_with(end), "{document}");
    }
}
