//! *Get Blob Properties*, by HEAD: the length is the blob's, though no body follows.

use crate::blob::{BlobService, address, headers};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, header};
use storage_engine::blob::{BlobAddress, BlobProperties, Conditions, Which};
use storage_engine::clock::Timestamp;

pub(crate) struct GetBlobProperties;

pub(crate) struct Request {
    at: BlobAddress,
    which: Which,
    conditions: Conditions,
    now: Timestamp,
}

impl Operation for GetBlobProperties {
    type Service = BlobService;
    type Request = Request;
    type Response = (BlobProperties, Timestamp);

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        Ok(Request {
            at: address::encrypted_blob(head)?,
            which: address::which(head)?,
            conditions: condition::of_read(head)?,
            now: head.received,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Self::Response, StorageError> {
        let Request { at, which, conditions, now } = request;
        let properties = service.store.properties(&at, which, conditions).await;
        let properties = properties.map_err(|error| StorageError::from_engine(error, Intent::Read))?;
        Ok((properties, now))
    }

    fn encode((properties, now): Self::Response) -> http::Response<Body> {
        let mut response = headers::empty();
        headers::set_properties(&mut response, &properties, now);
        let map = response.headers_mut();
        headers::set(map, header::CONTENT_LENGTH, &properties.length.to_string());
        headers::set_md5(map, header::CONTENT_MD5, properties.headers.md5);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage_engine::blob::ContentHeaders;
    use storage_engine::clock::Etag;

    #[test]
    fn the_length_is_the_blobs() {
        let response = GetBlobProperties::encode((
            BlobProperties {
                etag: Etag(1),
                created: Timestamp::from_unix_seconds(0),
                modified: Timestamp::from_unix_seconds(0),
                length: 1 << 40,
                headers: ContentHeaders::default(),
                metadata: Vec::new(),
                ..BlobProperties::default()
            },
            Timestamp::from_unix_seconds(0),
        ));
        let get =
            |name| response.headers().get(name).map(|value: &http::HeaderValue| value.to_str().unwrap());
        assert_eq!((get("content-length"), get("content-md5")), (Some("1099511627776"), None));
        assert_eq!((get("x-ms-blob-type"), get("accept-ranges")), (Some("BlockBlob"), Some("bytes")));
    }
}
