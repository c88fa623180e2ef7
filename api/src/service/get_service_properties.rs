//! *Get Blob Service Properties*, *Get Queue Service Properties*, *Get Table Service Properties*: all settings, in the
//! form of the request's version.

use super::{StorageService, properties};
use crate::body::{Body, Payload};
use crate::error::StorageError;
use crate::head::Head;
use crate::operation::Operation;
use crate::reply;
use crate::version::Version;
use std::marker::PhantomData;
use std::sync::Arc;
use storage_engine::name::AccountName;
use storage_engine::settings::ServiceSettings;

/// *Get Blob Service Properties* and its siblings.
pub(crate) struct GetServiceProperties<S>(PhantomData<S>);

impl<S: StorageService> Operation for GetServiceProperties<S> {
    type Service = S;
    type Request = (AccountName, Version);
    type Response = (Arc<ServiceSettings>, Version);

    fn decode(head: &Head, _: Payload) -> Result<Self::Request, StorageError> {
        Ok((head.account.clone(), head.version))
    }

    async fn execute(service: &S, (account, version): Self::Request) -> Result<Self::Response, StorageError> {
        Ok((service.settings_of(&account).await?, version))
    }

    fn encode((settings, version): Self::Response) -> http::Response<Body> {
        reply::xml(properties::write(&settings, S::KIND, version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::BlobService;
    use crate::queue::QueueService;
    use crate::reply::tests::text;
    use crate::table::TableService;

    fn told<S: StorageService>(version: &str) -> String {
        let version = Version::parse(version).unwrap();
        text(GetServiceProperties::<S>::encode((Arc::default(), version)))
    }

    #[test]
    fn an_old_client_is_told_in_the_old_form() {
        for told in [told::<BlobService>, told::<QueueService>, told::<TableService>] {
            assert!(told("2012-02-12").contains("<Metrics>"));
            assert!(told("2026-10-06").contains("<HourMetrics>"));
        }
    }

    #[test]
    fn only_blobs_have_a_policy_of_deletion() {
        let policy = "<DeleteRetentionPolicy>";
        assert!(told::<BlobService>("2026-10-06").contains(policy));
        assert!(!told::<QueueService>("2026-10-06").contains(policy));
        assert!(!told::<TableService>("2026-10-06").contains(policy));
    }
}
