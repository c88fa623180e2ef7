//! *Abort Copy Blob*: calls off a copy that is under way. An empty blob with the metadata of the copy remains.

use crate::blob::{BlobService, address, headers};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, guid};
use storage_engine::blob::{BlobAddress, LeaseId};

pub(crate) struct AbortCopyBlob;

pub(crate) struct Request {
    at: BlobAddress,
    id: u128,
    lease: Option<LeaseId>,
}

impl Operation for AbortCopyBlob {
    type Service = BlobService;
    type Request = Request;
    type Response = ();

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::blob(head)?;
        condition::none(head)?;
        let text = head.query.get("copyid").filter(|id| !id.is_empty());
        let text = text.ok_or_else(|| StorageError::missing_query("copyid"))?;
        let id = guid::parse(text).ok_or_else(|| {
            StorageError::invalid_query("copyid", text, "The value is not the id of a copy.")
        })?;
        Ok(Request { at, id, lease: condition::lease(head)? })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<(), StorageError> {
        let Request { at, id, lease } = request;
        let aborted = service.store.abort_copy(&at, id, lease).await;
        aborted.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode((): ()) -> http::Response<Body> {
        headers::empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing;

    #[test]
    fn a_copy_is_named_by_its_id() {
        let decode = |query: &str| {
            let url = format!("/dev/con/b?comp=copy{query}");
            let head = testing::head(ServiceKind::Blob, "PUT", &url, &[]);
            AbortCopyBlob::decode(&head, Payload::None).map(|request| request.id).map_err(|error| error.code)
        };
        assert_eq!(decode("&copyid=00000000-0000-0000-0000-000000000007"), Ok(7));
        assert_eq!(decode(""), Err(ErrorCode::MissingRequiredQueryParameter));
        assert_eq!(decode("&copyid=7"), Err(ErrorCode::InvalidQueryParameterValue));
    }
}
