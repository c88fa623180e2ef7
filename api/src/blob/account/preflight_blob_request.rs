//! *Preflight Blob Request*: whether a browser may make a request for a page of another origin.

use crate::blob::BlobService;
use crate::body::{Body, Payload};
use crate::cors::{Allowed, Preflight};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use storage_engine::name::AccountName;
use storage_engine::settings::Service;

/// *Preflight Blob Request*.
pub(crate) struct PreflightBlobRequest;

impl Operation for PreflightBlobRequest {
    type Service = BlobService;
    type Request = (AccountName, Preflight);
    type Response = Allowed;

    fn decode(head: &Head, _: Payload) -> Result<Self::Request, StorageError> {
        Ok((head.account.clone(), Preflight::read(head)?))
    }

    async fn execute(
        service: &BlobService,
        (account, asked): Self::Request,
    ) -> Result<Allowed, StorageError> {
        let settings = service.settings.get(&account, Service::Blob).await;
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
        let sent = head(ServiceKind::Blob, "OPTIONS", "/acc", &headers);
        let (account, _) = PreflightBlobRequest::decode(&sent, Payload::None).unwrap();
        assert_eq!(account.as_str(), "acc");
    }
}
