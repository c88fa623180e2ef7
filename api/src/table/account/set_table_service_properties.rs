//! *Set Table Service Properties*: changes the settings that the document holds, and no others.

use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::reply;
use crate::service::properties::Change;
use crate::table::TableService;
use storage_engine::name::AccountName;
use storage_engine::settings::Service;

/// *Set Table Service Properties*.
pub(crate) struct SetTableServiceProperties;

/// Whose settings, and what becomes of them.
#[derive(Debug)]
pub(crate) struct Request {
    account: AccountName,
    change: Change,
}

impl Operation for SetTableServiceProperties {
    type Service = TableService;
    type Request = Request;
    type Response = ();

    fn decode(head: &Head, body: Payload) -> Result<Request, StorageError> {
        let change = Change::read(&body.whole(), head.target.service, head.version)?;
        Ok(Request { account: head.account.clone(), change })
    }

    async fn execute(service: &TableService, request: Request) -> Result<(), StorageError> {
        let Request { account, change } = request;
        let changed =
            service.settings.change(&account, Service::Table, move |settings| change.apply(settings));
        changed.await.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode((): ()) -> http::Response<Body> {
        reply::empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing::head;

    #[test]
    fn the_document_is_judged_for_this_service() {
        let decode = |document: &'static str| {
            let headers = [("x-ms-version", "2026-10-06")];
            let sent = head(ServiceKind::Table, "PUT", "/acc?restype=service&comp=properties", &headers);
            SetTableServiceProperties::decode(&sent, Payload::Whole(document.into()))
        };
        let request = decode("<StorageServiceProperties><Cors/></StorageServiceProperties>").unwrap();
        assert_eq!(request.account.as_str(), "acc");
        let error = decode("<StorageServiceProperties><Corse/></StorageServiceProperties>").unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidXmlDocument);
    }
}
