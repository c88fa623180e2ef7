//! *Set Blob Tags*: replaces all tags of the blob or of a version. A snapshot keeps those that it was taken with.

use crate::blob::{BlobService, address, headers, tag_document};
use crate::body::{Body, Payload};
use crate::checksum::Checksums;
use crate::condition;
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use storage_engine::blob::{BlobAddress, Conditions, Tags, Which};

pub(crate) struct SetBlobTags;

pub(crate) struct Request {
    at: BlobAddress,
    which: Which,
    tags: Tags,
    conditions: Conditions,
}

impl Operation for SetBlobTags {
    type Service = BlobService;
    type Request = Request;
    type Response = ();

    fn decode(head: &Head, body: Payload) -> Result<Request, StorageError> {
        let (at, which) = (address::blob(head)?, address::which(head)?);
        if let (Which::Snapshot(_), Some(id)) = (which, head.query.get("snapshot")) {
            let reason = "The tags of a snapshot cannot be changed.";
            return Err(StorageError::invalid_query("snapshot", id, reason));
        }
        let (conditions, body) = (condition::beside_tags(head)?, body.whole());
        Checksums::read(head)?.verify_whole(&body)?;
        Ok(Request { at, which, tags: tag_document::read(&body)?, conditions })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<(), StorageError> {
        let Request { at, which, tags, conditions } = request;
        let done = service.store.set_tags(&at, which, tags, conditions).await;
        done.map(drop).map_err(|error| StorageError::from_engine(error, Intent::Write))
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

    fn decode(query: &str, headers: &[(&str, &str)]) -> Result<Request, ErrorCode> {
        let url = format!("/dev/con/b?comp=tags{query}");
        let head = testing::head(ServiceKind::Blob, "PUT", &url, headers);
        let body = "<Tags><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tags>";
        SetBlobTags::decode(&head, Payload::Whole(body.into())).map_err(|error| error.code)
    }

    #[test]
    fn what_is_sent_is_judged_as_a_whole() {
        let id = "2026-01-02T03:04:05.1234567Z";
        let request = decode(&format!("&versionid={id}"), &[]).unwrap();
        assert_eq!(request.tags.get("a"), Some("1"));
        assert!(matches!(request.which, Which::Version(_)));
        let snapshot = decode(&format!("&snapshot={id}"), &[]);
        assert_eq!(snapshot.err(), Some(ErrorCode::InvalidQueryParameterValue));
        let md5 = decode("", &[("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")]);
        assert_eq!(md5.err(), Some(ErrorCode::Md5Mismatch));
        let crc64 = decode("", &[("x-ms-content-crc64", "AAAAAAAAAAA=")]);
        assert_eq!(crc64.err(), Some(ErrorCode::Crc64Mismatch));
    }

    #[test]
    fn conditions_are_those_on_the_blob_behind_the_tags() {
        let request = decode("", &[("x-ms-blob-if-match", "0x1"), ("x-ms-if-tags", "a = '0'")]).unwrap();
        assert_eq!((request.conditions.if_match.len(), request.conditions.if_tags.is_some()), (1, true));
        let plain = decode("", &[("if-match", "0x1")]);
        assert_eq!(plain.err(), Some(ErrorCode::ConditionHeadersNotSupported));
    }
}
