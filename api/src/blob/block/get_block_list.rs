//! *Get Block List*. Takes no conditions but the lease and the blob's tags. A blob of staged blocks alone has no
//! version yet, so none is answered.

use crate::blob::{BlobService, address, headers};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::xml::XmlWriter;
use crate::{condition, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use storage_engine::blob::{BlobAddress, Block, BlockList, Conditions, Which};

/// About the bytes of one block in the document.
const ENTRY_BYTES: usize = 160;

pub(crate) struct GetBlockList;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Committed,
    Uncommitted,
    All,
}

pub(crate) struct Request {
    at: BlobAddress,
    which: Which,
    asked: Asked,
    conditions: Conditions,
}

pub(crate) struct Response {
    asked: Asked,
    list: BlockList,
}

impl Operation for GetBlockList {
    type Service = BlobService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::blob(head)?;
        let conditions = condition::of_lease_and_tags(head)?;
        let text = head.query.get("blocklisttype").unwrap_or_default();
        let asked = match text.to_ascii_lowercase().as_str() {
            "" | "committed" => Asked::Committed,
            "uncommitted" => Asked::Uncommitted,
            "all" => Asked::All,
            _ => return Err(StorageError::invalid_query("blocklisttype", text, "There is no such list.")),
        };
        Ok(Request { at, which: address::which(head)?, asked, conditions })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Response, StorageError> {
        let list = service
            .store
            .block_list(&request.at, request.which, request.conditions)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Read))?;
        Ok(Response { asked: request.asked, list })
    }

    fn encode(response: Response) -> http::Response<Body> {
        let Response { asked, list } = response;
        let blocks = list.committed.len() + list.staged.len();
        let mut xml = XmlWriter::with_capacity(256 + blocks * ENTRY_BYTES);
        xml.open("BlockList");
        if asked != Asked::Uncommitted {
            write_blocks(&mut xml, "CommittedBlocks", &list.committed);
        }
        if asked != Asked::Committed {
            write_blocks(&mut xml, "UncommittedBlocks", &list.staged);
        }
        xml.close("BlockList");
        let mut response = headers::document(xml.finish());
        let map = response.headers_mut();
        let length = list.blob.map_or(0, |(_, length)| length);
        headers::set(map, header::X_MS_BLOB_CONTENT_LENGTH, &length.to_string());
        if let Some((stamp, _)) = list.blob {
            headers::set_stamp(map, stamp);
        }
        response
    }
}

fn write_blocks(xml: &mut XmlWriter, name: &str, blocks: &[Block]) {
    if blocks.is_empty() {
        return xml.empty(name);
    }
    xml.open(name);
    for block in blocks {
        xml.open("Block");
        xml.text("Name", &STANDARD.encode(block.id.as_bytes()));
        xml.text("Size", &block.length.to_string());
        xml.close("Block");
    }
    xml.close(name);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;
    use http_body_util::BodyExt as _;
    use storage_engine::blob::Stamp;
    use storage_engine::clock::{Etag, Timestamp};
    use storage_engine::name::BlockId;

    #[test]
    fn the_committed_list_is_the_one_meant_if_none_is_named() {
        let decode = |query: &str| {
            let url = format!("/dev/con/b?comp=blocklist{query}");
            let head = testing::head(ServiceKind::Blob, "GET", &url, &[]);
            GetBlockList::decode(&head, Payload::None).map(|request| request.asked)
        };
        assert_eq!(decode("").unwrap(), Asked::Committed);
        assert_eq!(decode("&blocklisttype=All").unwrap(), Asked::All);
        assert!(decode("&blocklisttype=some").is_err());
    }

    #[tokio::test]
    async fn lists_are_spelled_by_what_is_asked() {
        let block = |byte, length| Block { id: BlockId::new(&[byte]).unwrap(), length };
        let stamp = Stamp { etag: Etag(1), modified: Timestamp::from_unix_seconds(0), version: None };
        let list = BlockList { blob: Some((stamp, 7)), committed: vec![block(1, 7)], staged: Vec::new() };
        let response = GetBlockList::encode(Response { asked: Asked::All, list });
        assert_eq!(response.headers().get("x-ms-blob-content-length").unwrap(), "7");
        assert_eq!(response.headers().get("etag").unwrap(), "\"0x1\"");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let expected = "<BlockList><CommittedBlocks><Block><Name>AQ==</Name><Size>7</Size></Block>\
            </CommittedBlocks><UncommittedBlocks /></BlockList>";
        assert!(body.ends_with(expected.as_bytes()), "{body:?}");
    }
}
