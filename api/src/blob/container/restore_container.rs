//! *Restore Container*: under the name that it had. Older clients offer another one, which the vendor's service does
//! not take any more either.

use crate::blob::address::{self, ContainerAddress};
use crate::blob::{BlobService, headers};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, header};
use storage_engine::blob::Stamp;

pub(crate) struct RestoreContainer;

pub(crate) struct Request {
    at: ContainerAddress,
    version: u64,
}

impl Operation for RestoreContainer {
    type Service = BlobService;
    type Request = Request;
    type Response = Stamp;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::container(head)?;
        condition::none(head)?;
        let name = head.required(header::X_MS_DELETED_CONTAINER_NAME)?;
        if name != at.container.as_str() {
            return Err(StorageError::invalid_header(header::X_MS_DELETED_CONTAINER_NAME, name));
        }
        let text = head.required(header::X_MS_DELETED_CONTAINER_VERSION)?;
        let invalid = |_| StorageError::invalid_header(header::X_MS_DELETED_CONTAINER_VERSION, text);
        Ok(Request { at, version: u64::from_str_radix(text, 16).map_err(invalid)? })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Stamp, StorageError> {
        let Request { at, version } = request;
        let restored = service.store.restore_container(&at.account, &at.container, version).await;
        restored.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode(stamp: Stamp) -> http::Response<Body> {
        headers::stamped(stamp)
    }
}

/// By what a listing names a deleted container, for it to be restored.
pub(in crate::blob) fn version_text(version: u64) -> String {
    format!("{version:016X}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing;

    fn decode(name: &str, version: &str) -> Result<u64, ErrorCode> {
        let headers = [("x-ms-deleted-container-name", name), ("x-ms-deleted-container-version", version)];
        let url = "/dev/con?restype=container&comp=undelete";
        let head = testing::head(ServiceKind::Blob, "PUT", url, &headers);
        RestoreContainer::decode(&head, Payload::None)
            .map(|request| request.version)
            .map_err(|error| error.code)
    }

    #[test]
    fn a_container_comes_back_under_its_own_name() {
        assert_eq!(decode("con", &version_text(0x1D)), Ok(0x1D));
        assert_eq!(decode("other", "1D"), Err(ErrorCode::InvalidHeaderValue));
        assert_eq!(decode("con", "x"), Err(ErrorCode::InvalidHeaderValue));
        assert_eq!(decode("con", ""), Err(ErrorCode::MissingRequiredHeader));
    }
}
