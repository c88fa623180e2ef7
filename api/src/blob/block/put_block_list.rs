//! *Put Block List*. The list is read in its order, across all three kinds of entries: that order is the blob.
//! `x-ms-blob-content-md5` is kept unverified, because the blob's bytes do not pass by here.

use super::put_block::block_id;
use crate::blob::{BlobService, address, headers, new_blob};
use crate::body::{Body, Payload};
use crate::checksum::{self, Checksums};
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, encryption, header, xml};
use storage_engine::blob::{
    BLOCKS_MAX, BlobAddress, BlobKind, BlockChoice, Conditions, Encryption, NewBlob, Stamp,
};
use storage_engine::seal::EncryptionWish;

pub(crate) struct PutBlockList;

pub(crate) struct Request {
    at: BlobAddress,
    blocks: Vec<BlockChoice>,
    new: NewBlob,
    wish: EncryptionWish,
    conditions: Conditions,
    /// Name and value of the list's checksum.
    checksum: (&'static str, String),
}

pub(crate) struct Response {
    stamp: Stamp,
    encryption: Option<Encryption>,
    checksum: (&'static str, String),
}

impl Operation for PutBlockList {
    type Service = BlobService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, body: Payload) -> Result<Request, StorageError> {
        let at = address::encrypted_blob(head)?;
        let headers = headers::new_content_headers(head)?;
        let new = new_blob::read(head, headers, BlobKind::Block)?;
        let conditions = condition::of_write(head)?;
        let checksums = Checksums::read(head)?;
        let document = body.whole();
        checksums.verify_whole(&document)?;
        let checksum = match checksums.md5 {
            Some(md5) => (header::CONTENT_MD5, checksum::md5_text(md5)),
            None => (header::X_MS_CONTENT_CRC64, checksum::crc64_text(checksum::crc64(&document))),
        };
        let blocks = block_list(&document)?;
        Ok(Request { at, blocks, new, wish: encryption::of(head)?, conditions, checksum })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Response, StorageError> {
        let Request { at, blocks, mut new, wish, conditions, checksum } = request;
        new.encryption = service.sealing(&at, wish).await?.encryption();
        let encryption = new.encryption.clone();
        let protection = service.protection(&at.account).await?;
        let stamp = service
            .store
            .commit_block_list(&at, blocks, new, conditions, protection)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Write))?;
        Ok(Response { stamp, encryption, checksum })
    }

    fn encode(response: Response) -> http::Response<Body> {
        let Response { stamp, encryption, checksum: (name, value) } = response;
        let mut response = headers::written(stamp);
        headers::set(response.headers_mut(), name, &value);
        encryption::set(response.headers_mut(), encryption.as_ref());
        response
    }
}

fn block_list(document: &[u8]) -> Result<Vec<BlockChoice>, StorageError> {
    // An entry has two tags. Counting them first keeps a huge list from becoming a tree.
    let tags = document.split(|byte| *byte == b'<').count();
    if tags > 2 * BLOCKS_MAX + 100 {
        return Err(StorageError::new(ErrorCode::BlockListTooLong));
    }
    let list = xml::parse(document)?;
    if list.name != "BlockList" {
        return Err(StorageError::new(ErrorCode::InvalidXmlDocument));
    }
    if list.children.len() > BLOCKS_MAX {
        return Err(StorageError::new(ErrorCode::BlockListTooLong));
    }
    let entry = |element: &xml::Element| {
        let choice = match element.name.as_str() {
            "Committed" => BlockChoice::Committed,
            "Uncommitted" => BlockChoice::Uncommitted,
            "Latest" => BlockChoice::Latest,
            _ => return Err(StorageError::new(ErrorCode::InvalidXmlDocument)),
        };
        block_id(element.text.trim()).map(choice)
    };
    list.children.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;
    use storage_engine::name::BlockId;

    fn decode(document: &str, headers: &[(&str, &str)]) -> Result<Request, ErrorCode> {
        let head = testing::head(ServiceKind::Blob, "PUT", "/dev/con/b?comp=blocklist", headers);
        let body = Payload::Whole(document.to_owned().into());
        PutBlockList::decode(&head, body).map_err(|error| error.code)
    }

    #[test]
    fn entries_keep_their_order_across_kinds() {
        let document = "<?xml version='1.0'?><BlockList>\n <Latest>AQ==</Latest><Committed>Ag==</Committed>\
            <Uncommitted> AQ== </Uncommitted></BlockList>";
        let id = |byte| BlockId::new(&[byte]).unwrap();
        let request = decode(document, &[]).unwrap();
        assert_eq!(
            request.blocks,
            [BlockChoice::Latest(id(1)), BlockChoice::Committed(id(2)), BlockChoice::Uncommitted(id(1))]
        );
        assert_eq!(request.checksum.0, "x-ms-content-crc64");
        assert_eq!(decode("<BlockList/>", &[]).unwrap().blocks, []);
    }

    #[test]
    fn a_list_that_is_none_is_refused() {
        for (document, code) in [
            ("", ErrorCode::InvalidXmlDocument),
            ("<List/>", ErrorCode::InvalidXmlDocument),
            ("<BlockList><Other>AQ==</Other></BlockList>", ErrorCode::InvalidXmlDocument),
            ("<BlockList><Latest>?</Latest></BlockList>", ErrorCode::InvalidBlockId),
        ] {
            assert_eq!(decode(document, &[]).err(), Some(code), "{document}");
        }
        let list = |entries| format!("<BlockList>{}</BlockList>", "<Latest>AQ==</Latest>".repeat(entries));
        assert_eq!(decode(&list(BLOCKS_MAX), &[]).unwrap().blocks.len(), BLOCKS_MAX);
        assert_eq!(decode(&list(BLOCKS_MAX + 1), &[]).err(), Some(ErrorCode::BlockListTooLong));
        assert_eq!(decode(&list(3 * BLOCKS_MAX), &[]).err(), Some(ErrorCode::BlockListTooLong));
    }

    #[test]
    fn the_lists_own_checksum_is_verified_and_answered() {
        let md5 = checksum::md5_text(checksum::md5(b"<BlockList/>"));
        let request = decode("<BlockList/>", &[("content-md5", &md5)]).unwrap();
        assert_eq!(request.checksum, ("content-md5", md5.clone()));
        assert_eq!(decode("<BlockList />", &[("content-md5", &md5)]).err(), Some(ErrorCode::Md5Mismatch));
        let crc = [("x-ms-content-crc64", "iJh5CoYUi64=")];
        assert_eq!(decode("<BlockList/>", &crc).err(), Some(ErrorCode::Crc64Mismatch));
    }
}
