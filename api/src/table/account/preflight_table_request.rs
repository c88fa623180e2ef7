//! *Preflight Table Request*: whether a browser may make a request for a page of another origin.

use crate::body::{Body, Payload};
use crate::cors::{Allowed, Preflight};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::table::TableService;
use storage_engine::name::AccountName;
use storage_engine::settings::Service;

/// *Preflight Table Request*.
pub(crate) struct PreflightTableRequest;

impl Operation for PreflightTableRequest {
    type Service = TableService;
    type Request = (AccountName, Preflight);
    type Response = Allowed;

    fn decode(head: &Head, _: Payload) -> Result<Self::Request, StorageError> {
        Ok((head.account.clone(), Preflight::read(head)?))
    }

    async fn execute(
        service: &TableService,
        (account, asked): Self::Request,
    ) -> Result<Allowed, StorageError> {
        let settings = service.settings.get(&account, Service::Table).await;
        let settings = settings.map_err(|error| StorageError::from_engine(error, Intent::Read))?;
        asked.judge(&settings.cors)
    }

    fn encode(allowed: Allowed) -> http::Response<Body> {
        allowed.answer()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing::head;

    #[test]
    fn it_is_for_the_account_of_the_address() {
        let headers = [("origin", "http://a"), ("access-control-request-method", "GET")];
        let sent = head(ServiceKind::Table, "OPTIONS", "/acc", &headers);
        let (account, _) = PreflightTableRequest::decode(&sent, Payload::None).unwrap();
        assert_eq!(account.as_str(), "acc");
    }
}
