//! *Get Table Service Properties*: all settings, in the form of the request's version.

use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::reply;
use crate::service::properties;
use crate::table::TableService;
use crate::target::ServiceKind;
use crate::version::Version;
use std::sync::Arc;
use storage_engine::name::AccountName;
use storage_engine::settings::{Service, ServiceSettings};

/// *Get Table Service Properties*.
pub(crate) struct GetTableServiceProperties;

impl Operation for GetTableServiceProperties {
    type Service = TableService;
    type Request = (AccountName, Version);
    type Response = (Arc<ServiceSettings>, Version);

    fn decode(head: &Head, _: Payload) -> Result<Self::Request, StorageError> {
        Ok((head.account.clone(), head.version))
    }

    async fn execute(
        service: &TableService,
        (account, version): Self::Request,
    ) -> Result<Self::Response, StorageError> {
        let settings = service.settings.get(&account, Service::Table).await;
        settings
            .map(|settings| (settings, version))
            .map_err(|error| StorageError::from_engine(error, Intent::Read))
    }

    fn encode((settings, version): Self::Response) -> http::Response<Body> {
        reply::xml(properties::write(&settings, ServiceKind::Table, version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::tests::text;

    #[test]
    fn an_old_client_is_told_in_the_old_form() {
        let told = |version: &str| {
            let version = Version::parse(version).unwrap();
            text(GetTableServiceProperties::encode((Arc::default(), version)))
        };
        assert!(told("2012-02-12").contains("<Metrics>"));
        assert!(told("2026-10-06").contains("<HourMetrics>"));
    }
}
