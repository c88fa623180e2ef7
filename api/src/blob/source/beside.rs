//! What another server says of a source beside its bytes: its tags, and its list of blocks.
//!
//! Both are asked for at the source's address, with the same signature or token, as *Get Blob Tags* and *Get Block
//! List*. **Tags** were asked for by the client, so a source that does not give them fails the copy. **Blocks** were
//! not: the service copies them because it has them at hand. A server that says that its file is a block blob is asked
//! for them, and if it does not tell, or tells of another version, the copy has all bytes and no blocks.

use super::{cannot_verify, unanswered};
use crate::blob::tag_document;
use crate::body::Incoming;
use crate::error::StorageError;
use crate::source::Sources;
use crate::{header, xml};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use storage_engine::blob::{BLOCKS_MAX, Block, Tags};
use storage_engine::name::BlockId;

/// Most bytes of a list of blocks: 50,000 ids of 64 bytes with their lengths, each with white space around it.
const LIST_BYTES_MAX: u64 = 16 << 20;

/// Whom to ask, and with what right.
pub(super) struct Beside<'a> {
    sources: &'a dyn Sources,
    uri: Uri,
    headers: HeaderMap,
}

impl<'a> Beside<'a> {
    /// The source at this address, to which these headers would go.
    pub(super) fn new(sources: &'a dyn Sources, uri: Uri, all: &HeaderMap) -> Self {
        let kept = [header::AUTHORIZATION, header::X_MS_VERSION];
        let kept = kept.into_iter().filter_map(|name| Some((name, all.get(name)?.clone())));
        let mut headers = HeaderMap::new();
        kept.for_each(|(name, value)| drop(headers.insert(name, value)));
        Self { sources, uri, headers }
    }

    /// Its tags.
    ///
    /// # Errors
    /// `CannotVerifyCopySource` if it does not tell them.
    pub(super) async fn tags(&self) -> Result<Tags, StorageError> {
        let (_, document) = self.ask("comp=tags", tag_document::DOCUMENT_BYTES_MAX).await?;
        tag_document::read(&document).map_err(|error| {
            cannot_verify(StatusCode::OK.as_u16(), "", "The source does not tell its tags.").caused_by(error)
        })
    }

    /// Its committed blocks, if it tells those of this version and they are so long together.
    pub(super) async fn blocks(&self, etag: Option<&HeaderValue>, length: u64) -> Vec<Block> {
        let answer = self.ask("comp=blocklist&blocklisttype=committed", LIST_BYTES_MAX).await;
        let told = answer.ok().filter(|(headers, _)| etag.is_some() && headers.get(header::ETAG) == etag);
        told.and_then(|(_, document)| read_list(&document, length)).unwrap_or_default()
    }

    async fn ask(&self, query: &str, bytes_max: u64) -> Result<(HeaderMap, Bytes), StorageError> {
        let joint = if self.uri.query().is_some() { '&' } else { '?' };
        let mut request = Request::new(());
        let uri = format!("{}{joint}{query}", self.uri).parse();
        *request.uri_mut() = uri.map_err(|_| cannot_verify(400, "", "The address is too long."))?;
        *request.headers_mut() = self.headers.clone();
        let answer = self.sources.ask(request).await.map_err(unanswered)?;
        let (parts, body) = answer.into_parts();
        if parts.status != StatusCode::OK {
            let code = parts.headers.get(header::X_MS_ERROR_CODE).and_then(|code| code.to_str().ok());
            let reason = format!("The source answers {}.", parts.status);
            return Err(cannot_verify(parts.status.as_u16(), code.unwrap_or_default(), &reason));
        }
        let document = Incoming::new(body, bytes_max).collect().await.map_err(super::broken_off)?;
        Ok((parts.headers, document))
    }
}

/// The committed blocks of a document; none unless all of it is understood and they are so long together.
fn read_list(document: &[u8], length: u64) -> Option<Vec<Block>> {
    let root = xml::parse(document).ok()?;
    let committed = root.child("CommittedBlocks").filter(|_| root.name == "BlockList")?;
    let block = |element: &xml::Element| {
        let id = STANDARD.decode(&element.child("Name")?.text).ok()?;
        Some(Block { id: BlockId::new(&id).ok()?, length: element.child("Size")?.text.parse().ok()? })
    };
    let blocks: Vec<_> = committed.children.iter().map(block).collect::<Option<_>>()?;
    let sum = blocks.iter().try_fold(0_u64, |sum, block| sum.checked_add(block.length));
    (sum == Some(length) && blocks.len() <= BLOCKS_MAX).then_some(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_counts_if_it_is_of_all_bytes() {
        let block = "<Block><Name>AQ==</Name><Size>7</Size></Block>";
        let list =
            |blocks: &str| format!("<BlockList><CommittedBlocks>{blocks}</CommittedBlocks></BlockList>");
        let read = |text: &str, length| read_list(text.as_bytes(), length).map(|blocks| blocks.len());
        assert_eq!(read(&list(&block.repeat(2)), 14), Some(2));
        assert_eq!(read(&list(&block.repeat(2)), 13), None);
        assert_eq!(read(&list("<Block><Name>AQ==</Name></Block>"), 0), None);
        assert_eq!(read("<html><body>hello</body></html>", 5), None);
        assert_eq!(read("hello", 5), None);
    }
}
