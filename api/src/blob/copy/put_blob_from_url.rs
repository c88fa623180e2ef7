//! *Put Blob From URL*. As [*Put Blob*](crate::blob::blob::PutBlob), with bytes of a source, whatever that is: a block
//! blob comes of it. The source's HTTP headers and metadata come along unless the request gives its own, or says that
//! it does not want them. No state of a copy is kept: the blob is as if it had been written.

use super::{Gifts, TagOption, refuse_unheeded};
use crate::blob::blob::PutBlob;
use crate::blob::blob::put_blob::Response;
use crate::blob::source::{SourceRequest, broken_off};
use crate::blob::{BlobService, address, headers, new_blob};
use crate::body::{Body, Payload};
use crate::checksum::Checksums;
use crate::content::{self, BLOB_BYTES_MAX};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, encryption, header};
use storage_engine::blob::{BlobAddress, BlobKind, Conditions, NewBlob};
use storage_engine::seal::EncryptionWish;

pub(crate) struct PutBlobFromUrl;

pub(crate) struct Request {
    at: BlobAddress,
    new: NewBlob,
    gifts: Gifts,
    source: SourceRequest,
    checksums: Checksums,
    wish: EncryptionWish,
    conditions: Conditions,
}

impl Operation for PutBlobFromUrl {
    type Service = BlobService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        refuse_unheeded(head, &[header::X_MS_SOURCE_RANGE, header::X_MS_SEAL_BLOB])?;
        let at = address::encrypted_blob_from_source(head)?;
        let new = new_blob::read(head, headers::content_headers(head)?, BlobKind::Block)?;
        let tags = TagOption::read(head)?;
        let gifts = Gifts {
            properties: head.text(header::X_MS_COPY_SOURCE_BLOB_PROPERTIES)?.is_none()
                || head.flag(header::X_MS_COPY_SOURCE_BLOB_PROPERTIES)?,
            tags,
        };
        let source = SourceRequest::decode_with_key(head)?.with_tags(tags == TagOption::Copy);
        let checksums = Checksums::of_source(head)?;
        let wish = encryption::of(head)?;
        Ok(Request { at, new, gifts, source, checksums, wish, conditions: condition::of_write(head)? })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Response, StorageError> {
        let Request { at, mut new, gifts, source, checksums, wish, conditions } = request;
        let mut source = source.open(service).await?;
        let kept_md5 = new.headers.md5;
        gifts.give(&mut new, &mut source);
        let body = source.receiving(BLOB_BYTES_MAX, checksums)?.keeping_md5(kept_md5);
        let sealing = service.sealing(&at, wish).await?;
        let staged = content::stage(body, service.store.upload_sealed(&sealing), &service.md5).await;
        let (staged, received) = staged.map_err(broken_off)?;
        new.headers.md5 = received.md5;
        let protection = service.protection(&at.account).await?;
        let put = service.store.put_block_blob(&at, new, staged, conditions, protection).await;
        let stamp = put.map_err(|error| StorageError::from_engine(error, Intent::Write))?;
        Ok(Response { stamp, received, encryption: sealing.encryption() })
    }

    fn encode(response: Response) -> http::Response<Body> {
        PutBlob::encode(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing;

    fn decode(headers: &[(&str, &str)]) -> Result<Request, ErrorCode> {
        let mut all = vec![("x-ms-copy-source", "http://127.0.0.1/dev/con/source")];
        all.extend_from_slice(headers);
        let head = testing::head(ServiceKind::Blob, "PUT", "/dev/con/b", &all);
        PutBlobFromUrl::decode(&head, Payload::None).map_err(|error| error.code)
    }

    #[test]
    fn the_source_gives_its_properties_unless_they_are_not_wanted() {
        let gifts = |headers| decode(headers).unwrap().gifts.properties;
        assert!(gifts(&[]) && gifts(&[("x-ms-copy-source-blob-properties", "true")]));
        assert!(!gifts(&[("x-ms-copy-source-blob-properties", "false")]));
    }

    #[test]
    fn tags_are_given_or_copied() {
        let both = decode(&[("x-ms-tags", "a=1"), ("x-ms-copy-source-tag-option", "COPY")]);
        assert_eq!(both.err(), Some(ErrorCode::BothUserTagsAndSourceTagsCopyPresent));
        assert_eq!(
            decode(&[("x-ms-copy-source-tag-option", "x")]).err(),
            Some(ErrorCode::InvalidHeaderValue)
        );
        assert!(decode(&[("x-ms-tags", "a=1"), ("x-ms-copy-source-tag-option", "REPLACE")]).is_ok());
    }
}
