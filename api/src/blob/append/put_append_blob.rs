//! *Put Blob*, of append blobs: made empty, so a body is a mistake.

use crate::blob::{BlobService, address, headers, new_blob};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, content, encryption};
use storage_engine::blob::{BlobAddress, BlobKind, Conditions, Encryption, NewBlob, Stamp};
use storage_engine::seal::EncryptionWish;

pub(crate) struct PutAppendBlob;

pub(crate) struct Request {
    at: BlobAddress,
    new: NewBlob,
    wish: EncryptionWish,
    conditions: Conditions,
}

impl Operation for PutAppendBlob {
    type Service = BlobService;
    type Request = Request;
    type Response = (Stamp, Option<Encryption>);

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::encrypted_blob(head)?;
        content::refuse_body(head)?;
        let conditions = condition::of_write(head)?;
        let headers = headers::whole_content_headers(head)?;
        let new = new_blob::read(head, headers, BlobKind::Append { blocks: 0, sealed: false })?;
        Ok(Request { at, new, wish: encryption::of(head)?, conditions })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Self::Response, StorageError> {
        let Request { at, mut new, wish, conditions } = request;
        new.encryption = service.sealing(&at, wish).await?.encryption();
        let encryption = new.encryption.clone();
        let protection = service.protection(&at.account).await?;
        let stamp = service
            .store
            .create_append_blob(&at, new, conditions, protection)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Write))?;
        Ok((stamp, encryption))
    }

    fn encode((stamp, encryption): Self::Response) -> http::Response<Body> {
        let mut response = headers::written(stamp);
        encryption::set(response.headers_mut(), encryption.as_ref());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing;

    #[test]
    fn a_new_append_blob_has_headers_and_no_body() {
        let decode = |headers: &[(&str, &str)]| {
            let head = testing::head(ServiceKind::Blob, "PUT", "/dev/con/b", headers);
            PutAppendBlob::decode(&head, Payload::None).map_err(|error| error.code)
        };
        let request = decode(&[("x-ms-blob-content-type", "text/plain"), ("content-length", "0")]).unwrap();
        assert_eq!(request.new.headers.content_type, "text/plain");
        assert_eq!(decode(&[("content-length", "1")]).err(), Some(ErrorCode::InvalidHeaderValue));
    }
}
