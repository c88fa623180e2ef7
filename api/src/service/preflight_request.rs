//! *Preflight Blob Request*, *Preflight Queue Request*, *Preflight Table Request*: whether a browser may make a request
//! for a page of another origin.

use super::StorageService;
use crate::body::{Body, Payload};
use crate::cors::{Allowed, Preflight};
use crate::error::StorageError;
use crate::head::Head;
use crate::operation::Operation;
use std::marker::PhantomData;
use storage_engine::name::AccountName;

/// *Preflight Blob Request* and its siblings.
pub(crate) struct PreflightRequest<S>(PhantomData<S>);

impl<S: StorageService> Operation for PreflightRequest<S> {
    type Service = S;
    type Request = (AccountName, Preflight);
    type Response = Allowed;

    fn decode(head: &Head, _: Payload) -> Result<Self::Request, StorageError> {
        Ok((head.account.clone(), Preflight::read(head)?))
    }

    async fn execute(service: &S, (account, asked): Self::Request) -> Result<Allowed, StorageError> {
        asked.judge(&service.settings_of(&account).await?.cors)
    }

    fn encode(allowed: Allowed) -> http::Response<Body> {
        allowed.answer()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::TableService;
    use crate::testing::head;

    #[test]
    fn it_is_for_the_account_of_the_address() {
        let headers = [("origin", "http://a"), ("access-control-request-method", "GET")];
        let sent = head(TableService::KIND, "OPTIONS", "/acc", &headers);
        let (account, _) = PreflightRequest::<TableService>::decode(&sent, Payload::None).unwrap();
        assert_eq!(account.as_str(), "acc");
    }
}
