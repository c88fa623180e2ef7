//! *Set Blob Service Properties*, *Set Queue Service Properties*, *Set Table Service Properties*: changes the settings
//! that the document holds, and no others.

use super::StorageService;
use super::properties::Change;
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::reply;
use std::marker::PhantomData;
use storage_engine::name::AccountName;

/// *Set Blob Service Properties* and its siblings.
pub(crate) struct SetServiceProperties<S>(PhantomData<S>);

/// Whose settings, and what becomes of them.
#[derive(Debug)]
pub(crate) struct Request {
    account: AccountName,
    change: Change,
}

impl<S: StorageService> Operation for SetServiceProperties<S> {
    type Service = S;
    type Request = Request;
    type Response = ();

    fn decode(head: &Head, body: Payload) -> Result<Request, StorageError> {
        let change = Change::read(&body.whole(), S::KIND, head.version)?;
        Ok(Request { account: head.account.clone(), change })
    }

    async fn execute(service: &S, Request { account, change }: Request) -> Result<(), StorageError> {
        service.prepare(&account, &change).await?;
        let apply = move |settings: &mut _| change.apply(settings);
        let changed = service.settings().change(&account, S::KIND.settings(), apply).await;
        changed.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode((): ()) -> http::Response<Body> {
        reply::empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::BlobService;
    use crate::error::ErrorCode;
    use crate::queue::QueueService;
    use crate::table::TableService;
    use crate::testing::head;

    fn decode<S: StorageService>(document: &str) -> Result<Request, ErrorCode> {
        let headers = [("x-ms-version", "2026-10-06")];
        let sent = head(S::KIND, "PUT", "/acc?restype=service&comp=properties", &headers);
        let document = format!("<StorageServiceProperties>{document}</StorageServiceProperties>");
        SetServiceProperties::<S>::decode(&sent, Payload::Whole(document.into())).map_err(|error| error.code)
    }

    #[test]
    fn the_document_is_for_the_account_of_the_address() {
        for decode in [decode::<BlobService>, decode::<QueueService>, decode::<TableService>] {
            assert_eq!(decode("<Cors/>").unwrap().account.as_str(), "acc");
            assert_eq!(decode("<Corse/>").err(), Some(ErrorCode::InvalidXmlDocument));
        }
    }

    #[test]
    fn the_document_is_judged_for_its_service() {
        let deletion = "<DeleteRetentionPolicy><Enabled>false</Enabled></DeleteRetentionPolicy>";
        assert!(decode::<BlobService>(deletion).is_ok());
        assert_eq!(decode::<QueueService>(deletion).err(), Some(ErrorCode::InvalidXmlDocument));
        assert_eq!(decode::<TableService>(deletion).err(), Some(ErrorCode::InvalidXmlDocument));
    }
}
