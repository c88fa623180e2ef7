//! The source of a copy: what `x-ms-copy-source` means, and its bytes.
//!
//! The address is asked as a client would ask it, by a GET whose conditions are those that the request names for the
//! source (`x-ms-source-if-…`). If the address is this server's, that GET is made of nothing but its head: it passes
//! the same gate as a request that comes from outside, and is then read from the engine. So a source of our own is
//! exactly as readable as it is to whoever asks for it directly, and no rule is written twice.
//!
//! # Whose right it is
//! The right to read comes from the address (a shared access signature), from `x-ms-copy-source-authorization`, from
//! the container being public, or, for [*Copy Blob*](super::copy::CopyBlob) within one account alone, from the caller's
//! key or token. Page "Copy Blob"; the pages of the other operations know no such loan.
//!
//! # Which address is ours
//! The one by which the client reached us, which its `Host` header names (behind a mapped port nobody else knows it),
//! with any account in front of it; and those that [`crate::source::Sources::is_own`] knows. That a client can lie
//! about its `Host` is no harm: it makes us look at our own blobs, with the same gate.

use crate::auth::{Caller, Principal, sas};
use crate::blob::{BlobService, address};
use crate::body::{Body, Incoming};
use crate::checksum::Checksums;
use crate::content::{self, Receiving};
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::{Arrival, Head, Headers};
use crate::operation::{Access, Asked};
use crate::target::{Level, ServiceKind};
use crate::version::{SOURCE_KEYS, Version};
use crate::{condition, encryption, header, metadata, range, time};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use storage_engine::blob::{
    BlobAddress, BlobKind, BlobRead, Block, ByteRange, Conditions, ContentHeaders, Tags, Tier, Which,
};
use storage_engine::clock::{Etag, Timestamp};
use storage_engine::name::{AccountName, Metadata};

mod beside;
mod refusal;
mod rest;
use beside::Beside;
pub(super) use refusal::{broken_off, changed, cut_short, is_broken_off, too_large};
use refusal::{cannot_verify, of_own, unanswered, unusable};
use rest::Rest;

/// Most bytes of an address (page "Copy Blob").
const ADDRESS_BYTES_MAX: usize = 2 << 10;

/// What is asked of a source, by the name of the header in the request, and what the source calls it.
const PASSED_ON: [(&str, &str); 11] = [
    (header::X_MS_SOURCE_IF_MATCH, header::IF_MATCH),
    (header::X_MS_SOURCE_IF_NONE_MATCH, header::IF_NONE_MATCH),
    (header::X_MS_SOURCE_IF_MODIFIED_SINCE, header::IF_MODIFIED_SINCE),
    (header::X_MS_SOURCE_IF_UNMODIFIED_SINCE, header::IF_UNMODIFIED_SINCE),
    (header::X_MS_SOURCE_IF_TAGS, header::X_MS_IF_TAGS),
    (header::X_MS_SOURCE_RANGE, header::X_MS_RANGE),
    (header::X_MS_SOURCE_RANGE, header::RANGE),
    (header::X_MS_COPY_SOURCE_AUTHORIZATION, header::AUTHORIZATION),
    (header::X_MS_SOURCE_ENCRYPTION_KEY, header::X_MS_ENCRYPTION_KEY),
    (header::X_MS_SOURCE_ENCRYPTION_KEY_SHA256, header::X_MS_ENCRYPTION_KEY_SHA256),
    (header::X_MS_SOURCE_ENCRYPTION_ALGORITHM, header::X_MS_ENCRYPTION_ALGORITHM),
];
/// How often a source of our own is opened again because it was written between two looks at it.
const ATTEMPTS_MAX: u32 = 4;

/// A source that was asked for and not looked at yet.
#[derive(Debug)]
pub(super) struct SourceRequest {
    uri: Uri,
    authority: Authority,
    /// What the GET says.
    headers: HeaderMap,
    /// Which part is wanted; none for all.
    range: Option<ByteRange>,
    /// By what name the client reached us.
    host: Option<String>,
    arrival: Arrival,
    version: Version,
    received: Timestamp,
    request_id: String,
    /// Whose right counts within the account, if it does.
    lender: Option<(AccountName, Caller)>,
    /// Whether the tags are wanted too.
    tags: bool,
    /// Whether the list of blocks is wanted too.
    blocks: bool,
    /// Whether it may lie in the archive.
    archived: bool,
}

/// A source that is open.
#[derive(Debug)]
pub(super) struct Source {
    /// What kind of blob it is. What is no blob counts as a block blob.
    pub(super) kind: BlobKind,
    /// Its HTTP headers.
    pub(super) headers: ContentHeaders,
    /// Its metadata.
    pub(super) metadata: Metadata,
    /// Its tags, if they were wanted.
    pub(super) tags: Tags,
    /// Its committed blocks, if they were wanted and are known. Together they are as long as the source.
    pub(super) blocks: Vec<Block>,
    /// Whether it lies in the archive.
    pub(super) archived: bool,
    /// Bytes that it gives.
    pub(super) length: u64,
    /// The bytes.
    pub(super) bytes: Incoming,
    /// Whom to ask for the rest when the bytes break off.
    pub(super) rest: Option<Rest>,
    /// Which blob of ours it is.
    pub(super) own: Option<(BlobAddress, Which, Etag)>,
}

impl SourceRequest {
    /// Reads what the request says of its source, which is not encrypted with a key of the client's.
    ///
    /// # Errors
    /// `InvalidHeaderValue` for what is no address of the web, or no range; `UnsupportedHeader` for a key.
    pub(super) fn decode(head: &Head) -> Result<Self, StorageError> {
        encryption::refuse_source_key(head)?;
        Self::read(head)
    }

    /// As [`Self::decode`], of a source that may be encrypted with a key that the request brings.
    ///
    /// # Errors
    /// `InvalidHeaderValue`; those of a customer's key.
    pub(super) fn decode_with_key(head: &Head) -> Result<Self, StorageError> {
        if head.version < SOURCE_KEYS {
            return Self::decode(head);
        }
        // Only whether it is one: it goes to the source as it came.
        encryption::source_key(head)?;
        Self::read(head)
    }

    fn read(head: &Head) -> Result<Self, StorageError> {
        let text = head.required(header::X_MS_COPY_SOURCE)?;
        // The value may hold a signature, so it is not repeated.
        let invalid = || StorageError::invalid_header(header::X_MS_COPY_SOURCE, "");
        let uri: Uri = text.parse().map_err(|_| invalid())?;
        let web = matches!(uri.scheme_str(), Some("http" | "https"));
        let authority = uri.authority().cloned().filter(|authority| !authority.as_str().contains('@'));
        let authority = authority.filter(|_| web && text.len() <= ADDRESS_BYTES_MAX).ok_or_else(invalid)?;
        let mut headers = HeaderMap::new();
        for (given, passed) in PASSED_ON {
            if head.text(given)?.is_some()
                && let Some(value) = head.headers.get(given)
            {
                // Some are secrets, so none is shown.
                let mut value = value.clone();
                value.set_sensitive(true);
                headers.insert(passed, value);
            }
        }
        if let Some(value) = headers.get(header::AUTHORIZATION)
            && !value.as_bytes().get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
        {
            return Err(StorageError::invalid_header(header::X_MS_COPY_SOURCE_AUTHORIZATION, ""));
        }
        if let Ok(version) = HeaderValue::from_str(&head.version.to_string()) {
            headers.insert(header::X_MS_VERSION, version);
        }
        // Of a form that the service does not know there would be all bytes, and the client would never see that.
        let range = head.text(header::X_MS_SOURCE_RANGE)?.map(|text| {
            range::of_text(text).ok_or_else(|| StorageError::invalid_header(header::X_MS_SOURCE_RANGE, text))
        });
        let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
        Ok(Self {
            uri,
            authority,
            headers,
            range: range.transpose()?,
            host,
            arrival: head.arrival,
            version: head.version,
            received: head.received,
            request_id: head.request_id.clone(),
            lender: None,
            tags: false,
            blocks: false,
            archived: false,
        })
    }

    /// Within the account, the caller's own right to read counts.
    pub(super) fn lent_by(mut self, head: &Head) -> Self {
        if matches!(head.caller.principal(), Principal::Owner | Principal::Identity(_)) {
            self.lender = Some((head.account.clone(), head.caller.clone()));
        }
        self
    }

    /// The tags are wanted too.
    pub(super) fn with_tags(mut self, wanted: bool) -> Self {
        self.tags = wanted;
        self
    }

    /// The list of blocks is wanted too, as far as it can be had.
    pub(super) fn with_blocks(mut self) -> Self {
        self.blocks = true;
        self
    }

    /// It may lie in the archive, if it is ours.
    pub(super) fn also_archived(mut self, archived: bool) -> Self {
        self.archived = archived;
        self
    }

    /// Whether only a part is wanted.
    pub(super) fn is_ranged(&self) -> bool {
        self.range.is_some()
    }

    /// The address for everybody to see: without the signature.
    pub(super) fn shown(&self) -> String {
        let state = self.uri.query().unwrap_or_default().split('&').find(|pair| {
            ["snapshot=", "versionid="]
                .iter()
                .any(|name| pair.get(..name.len()).is_some_and(|given| given.eq_ignore_ascii_case(name)))
        });
        let query = state.map(|pair| format!("?{pair}")).unwrap_or_default();
        format!("{}{query}", self.place())
    }

    /// Which snapshot of the source is meant, if one is.
    ///
    /// # Errors
    /// `InvalidHeaderValue` for what is no time of a snapshot.
    pub(super) fn snapshot(&self) -> Result<Option<Timestamp>, StorageError> {
        let pairs = self.uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        let Some((_, text)) = pairs.clone().find(|(name, _)| name.eq_ignore_ascii_case("snapshot")) else {
            return Ok(None);
        };
        let text = text.replace("%3A", ":").replace("%3a", ":");
        let moment = time::parse_iso8601(&text);
        let invalid = || StorageError::invalid_header(header::X_MS_COPY_SOURCE, "");
        moment.map(Some).ok_or_else(invalid)
    }

    /// The address without anything that names a state or gives a right.
    pub(super) fn place(&self) -> String {
        format!("{}://{}{}", self.uri.scheme_str().unwrap_or("http"), self.authority, self.uri.path())
    }

    /// Asks the source.
    ///
    /// # Errors
    /// `CannotVerifyCopySource` if it is not there, may not be read or does not answer; `SourceConditionNotMet`.
    pub(super) async fn open(self, service: &BlobService) -> Result<Source, StorageError> {
        let sources = &service.copying.sources;
        let ours = self.host.as_deref().is_some_and(|host| same_server(host, self.authority.as_str()))
            || sources.is_own(&self.authority);
        if ours {
            return self.open_own(service).await;
        }
        if self.headers.contains_key(header::X_MS_ENCRYPTION_KEY) && self.uri.scheme_str() != Some("https") {
            return Err(StorageError::new(ErrorCode::AccountRequiresHttps));
        }
        let beside = Beside::new(&**sources, self.uri.clone(), &self.headers);
        let (ranged, tags, blocks) = (self.is_ranged(), self.tags, self.blocks);
        let mut request = Request::new(());
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let answer = sources.ask(request).await.map_err(unanswered)?;
        let etag = answer.headers().get(header::ETAG).cloned();
        let is_block_blob =
            answer.headers().get(header::X_MS_BLOB_TYPE).is_some_and(|kind| kind == "BlockBlob");
        let part = answer.headers().get(header::CONTENT_RANGE).cloned();
        let mut source = Source::of_answer(answer, ranged)?;
        if self.range.is_some_and(|range| !is_part(range, part.as_ref())) {
            let reason = "The source gives another part of itself than it was asked for.";
            return Err(unusable(ErrorCode::CannotVerifyCopySource, reason));
        }
        if tags {
            source.tags = beside.tags().await?;
        }
        if blocks && is_block_blob && !ranged {
            source.blocks = beside.blocks(etag.as_ref(), source.length).await;
        }
        if !ranged {
            source.rest = Rest::new(sources, (self.uri, &self.headers), (etag, source.length));
        }
        Ok(source)
    }

    async fn open_own(self, service: &BlobService) -> Result<Source, StorageError> {
        let (head, at, which) = self.admitted(service).await.map_err(of_own)?;
        let conditions = condition::of_read(&head)?;
        let (read, blocks) = self.read_own(service, (&at, which), &conditions).await?;
        let properties = read.properties;
        let framed = content::body(read.reader, read.length, false).await;
        let framed = framed.map_err(|error| StorageError::from_engine(error, Intent::Read))?;
        Ok(Source {
            kind: properties.kind,
            headers: properties.headers,
            metadata: properties.metadata,
            archived: properties.tier.is_some_and(|tier| tier.tier == Tier::Archive),
            tags: if self.tags { properties.tags } else { Tags::default() },
            blocks,
            length: read.length,
            bytes: Incoming::new(framed.body, read.length),
            rest: None,
            own: Some((at, which, properties.etag)),
        })
    }

    /// Opens a blob of ours, and gives its blocks as they are in what was opened.
    async fn read_own(
        &self,
        service: &BlobService,
        (at, which): (&BlobAddress, Which),
        conditions: &Conditions,
    ) -> Result<(BlobRead, Vec<Block>), StorageError> {
        let store = &service.store;
        let refused = |error| of_own(StorageError::from_engine(error, Intent::Read));
        for _ in 0..ATTEMPTS_MAX {
            let read = if self.archived {
                store.read_archived(at, which, self.range, conditions.clone()).await
            } else {
                store.read(at, which, self.range, conditions.clone()).await
            };
            let read = read.map_err(refused)?;
            if !self.blocks || read.properties.kind != BlobKind::Block {
                return Ok((read, Vec::new()));
            }
            let list = store.block_list(at, which, Conditions::default()).await.map_err(refused)?;
            if list.blob.is_some_and(|(stamp, _)| stamp.etag == read.properties.etag) {
                return Ok((read, list.committed));
            }
        }
        Err(changed())
    }

    /// The head of the GET, once whoever it comes from may have it carried out.
    async fn admitted(&self, service: &BlobService) -> Result<(Head, BlobAddress, Which), StorageError> {
        let mut request = Request::new(());
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if let Ok(host) = HeaderValue::from_str(self.authority.as_str()) {
            request.headers_mut().insert(header::HOST, host);
        }
        let parts = request.into_parts().0;
        let mut head = Head::read(ServiceKind::Blob, self.arrival, parts, &self.request_id, self.received)?;
        head.version = self.version;
        let asks_more = head.query.get("comp").is_some() || head.query.get("restype").is_some();
        let blob = (head.target.service, head.target.resource.level()) == (ServiceKind::Blob, Level::Blob);
        if asks_more || !blob {
            return Err(StorageError::new(ErrorCode::InvalidUri));
        }
        let gate = &service.gate;
        head.caller = match self.lender_for(&head) {
            Some(caller) => caller,
            None => gate.enter(&head, Some(asked(Access::Read, None))).await?,
        };
        gate.admit(asked(Access::Read, None), &mut head)?;
        if self.tags {
            gate.admit(asked(Access::Tags, Some("tags")), &mut head)?;
        }
        let (at, which) = (address::encrypted_blob(&head)?, address::which(&head)?);
        Ok((head, at, which))
    }

    /// Whoever lends their right, if the source is in their account and brings no right of its own.
    fn lender_for(&self, head: &Head) -> Option<Caller> {
        let brings_its_own = head.headers.contains_key(header::AUTHORIZATION) || sas::is_in(&head.query);
        let (account, caller) = self.lender.as_ref()?;
        (*account == head.account && !brings_its_own).then(|| caller.clone())
    }
}

/// What the GET of a source asks for.
const fn asked(access: Access, comp: Option<&'static str>) -> Asked {
    Asked { service: ServiceKind::Blob, method: "GET", level: Level::Blob, access, comp }
}

impl Source {
    /// What another server answered.
    fn of_answer(answer: Response<Body>, ranged: bool) -> Result<Self, StorageError> {
        let status = answer.status();
        let (parts, body) = answer.into_parts();
        // Names of metadata are in lower case by now: the client that we ask with tells no other.
        let told = Headers::from(parts.headers);
        let text = |name| told.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let expected = if ranged { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        match status {
            StatusCode::NOT_MODIFIED | StatusCode::PRECONDITION_FAILED => {
                return Err(StorageError::new(ErrorCode::SourceConditionNotMet));
            }
            _ if status == expected => {}
            StatusCode::OK => {
                let reason = "The source does not give parts of itself.";
                return Err(unusable(ErrorCode::CannotVerifyCopySource, reason));
            }
            _ => {
                let code = text(header::X_MS_ERROR_CODE).unwrap_or_default();
                let reason = format!("The source answers {status}.");
                return Err(cannot_verify(status.as_u16(), code, &reason));
            }
        }
        let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let length: u64 = length.ok_or_else(|| {
            unusable(ErrorCode::CannotVerifyCopySource, "The source does not say how long it is.")
        })?;
        let own = |name| text(name).unwrap_or_default().to_owned();
        // The MD5 beside a part is that of the part.
        let md5_of_blob = if ranged { None } else { text(header::CONTENT_MD5) };
        let md5 = text(header::X_MS_BLOB_CONTENT_MD5).or(md5_of_blob);
        Ok(Self {
            kind: kind_of(&told),
            headers: ContentHeaders {
                content_type: own(header::CONTENT_TYPE),
                encoding: own(header::CONTENT_ENCODING),
                language: own(header::CONTENT_LANGUAGE),
                disposition: own(header::CONTENT_DISPOSITION),
                cache_control: own(header::CACHE_CONTROL),
                md5: md5.and_then(|text| STANDARD.decode(text).ok()?.try_into().ok()),
            },
            metadata: metadata::read(&told).unwrap_or_default(),
            tags: Tags::default(),
            blocks: Vec::new(),
            archived: false,
            length,
            bytes: Incoming::new(body, length),
            rest: None,
            own: None,
        })
    }

    /// The source as a body of at most `bytes_max` bytes that has to have these checksums.
    ///
    /// # Errors
    /// `CannotVerifyCopySource` if it is larger.
    pub(super) fn receiving(self, bytes_max: u64, checksums: Checksums) -> Result<Receiving, StorageError> {
        if self.length > bytes_max {
            return Err(too_large(bytes_max));
        }
        Ok(Receiving::of_source(self.bytes, self.length, checksums))
    }
}

/// Whether the part that is given is the one that was asked for, as far as there is of it. Bytes of another one would
/// be written in the place of those that are meant.
fn is_part(asked: ByteRange, given: Option<&HeaderValue>) -> bool {
    let bounds = || {
        let (first, rest) = given?.to_str().ok()?.strip_prefix("bytes ")?.split_once('-')?;
        Some((first.parse::<u64>().ok()?, rest.split('/').next()?.parse::<u64>().ok()?))
    };
    bounds().is_some_and(|(first, last)| first == asked.first && asked.last.is_none_or(|asked| last <= asked))
}

/// The kind of blob that an answer is of.
fn kind_of(headers: &HeaderMap) -> BlobKind {
    let number =
        |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()?.parse::<u64>().ok());
    match headers.get(header::X_MS_BLOB_TYPE).map(HeaderValue::as_bytes) {
        Some(b"AppendBlob") => BlobKind::Append {
            blocks: number(header::X_MS_BLOB_COMMITTED_BLOCK_COUNT)
                .and_then(|blocks| u32::try_from(blocks).ok())
                .unwrap_or_default(),
            sealed: headers.get(header::X_MS_BLOB_SEALED).is_some_and(|value| value == "true"),
        },
        Some(b"PageBlob") => {
            BlobKind::Page { sequence_number: number(header::X_MS_BLOB_SEQUENCE_NUMBER).unwrap_or_default() }
        }
        _ => BlobKind::Block,
    }
}

/// Whether two hosts are this one server: the same, but perhaps for the account in front of it.
fn same_server(host: &str, other: &str) -> bool {
    let behind_account = |text: &str| {
        let rest = text.split_once('.').map(|(_, rest)| rest.to_ascii_lowercase());
        rest.filter(|rest| rest.starts_with("blob."))
    };
    host.eq_ignore_ascii_case(other)
        || behind_account(host).is_some_and(|rest| behind_account(other) == Some(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_that_was_asked_for_is_one() {
        let is = |asked: &str, given: &str| {
            is_part(range::of_text(asked).unwrap(), Some(&HeaderValue::from_str(given).unwrap()))
        };
        assert!(is("bytes=5-9", "bytes 5-9/100") && is("bytes=5-", "bytes 5-99/100"));
        assert!(is("bytes=5-9", "bytes 5-7/8") && is("bytes=5-9", "bytes 5-9/*"));
        for given in ["bytes 4-8/100", "bytes 5-10/100", "bytes */100", "pages 5-9/100"] {
            assert!(!is("bytes=5-9", given), "{given}");
        }
        assert!(!is_part(ByteRange { first: 5, last: None }, None), "several parts, or a mistake");
    }

    #[test]
    fn a_server_is_the_same_under_another_account_of_the_blob_service_only() {
        assert!(same_server("localhost:10000", "LOCALHOST:10000"));
        assert!(same_server("one.blob.storage.test:80", "two.Blob.storage.test:80"));
        for other in
            ["two.storage.test:80", "two.queue.storage.test:80", "two.blob.storage.test", "storage.test:80"]
        {
            assert!(!same_server("one.storage.test:80", other), "{other}");
            assert!(!same_server("one.blob.storage.test:80", other), "{other}");
        }
    }
}
