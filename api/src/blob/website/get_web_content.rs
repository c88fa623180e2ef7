//! A page of a static website, by GET and by HEAD. Page "Static website hosting in Azure Storage".
//!
//! The path is a blob's name in `$web`; one that is empty or ends with a slash is a directory, for which the website's
//! index is shown. What is not there is answered with the error document and status 404. Anybody may read, whatever
//! access `$web` gives under the service's own address, and the query means nothing. Only headers that browsers know
//! are told: metadata and the like are for clients.

use super::CONTAINER;
use crate::blob::{BlobService, headers};
use crate::body::{Body, Payload};
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::service::StorageService;
use crate::target::Resource;
use crate::{condition, content, header, range};
use http::StatusCode;
use storage_engine::EngineError;
use storage_engine::blob::{BlobAddress, BlobProperties, BlobRead, ByteRange, Conditions, Stamp, Which};
use storage_engine::name::{AccountName, BlobName, ContainerName};
use storage_engine::settings::{StaticWebsite, WebsiteIndex};

pub(crate) struct GetWebContent;

pub(crate) struct Request {
    account: AccountName,
    path: String,
    range: Option<ByteRange>,
    conditions: Conditions,
    /// Whether only headers are wanted.
    bare: bool,
}

pub(crate) struct Response {
    status: StatusCode,
    properties: BlobProperties,
    /// First byte and number of bytes, if a range was asked for.
    range: Option<(u64, u64)>,
    length: u64,
    body: Body,
}

impl Operation for GetWebContent {
    type Service = BlobService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let Resource::Website(path) = &head.target.resource else {
            return Err(StorageError::new(ErrorCode::InvalidUri));
        };
        Ok(Request {
            account: head.account.clone(),
            path: path.clone(),
            range: range::read(head)?,
            conditions: condition::of_read(head)?,
            bare: head.method == http::Method::HEAD,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Response, StorageError> {
        let Request { account, path, range, conditions, bare } = request;
        let settings = service.settings_of(&account).await?;
        let website = settings.blob.website.as_ref().ok_or_else(not_found)?;
        if let Some(read) = open(service, &account, page(website, &path), range, conditions).await? {
            let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
            let range = range.map(|_| (read.first, read.length));
            return answer(status, read, range, bare).await;
        }
        let error = website.error_document_404.clone();
        match open(service, &account, error, None, Conditions::default()).await? {
            Some(read) => answer(StatusCode::NOT_FOUND, read, None, bare).await,
            None => Err(not_found()),
        }
    }

    fn encode(response: Response) -> http::Response<Body> {
        let Response { status, properties, range, length, body } = response;
        let mut answer = http::Response::new(body);
        *answer.status_mut() = status;
        let map = answer.headers_mut();
        headers::set_stamp(
            map,
            Stamp { etag: properties.etag, modified: properties.modified, version: None },
        );
        let content = &properties.headers;
        headers::set_some(map, header::CONTENT_TYPE, &content.content_type);
        headers::set_some(map, header::CONTENT_ENCODING, &content.encoding);
        headers::set_some(map, header::CONTENT_LANGUAGE, &content.language);
        headers::set_some(map, header::CONTENT_DISPOSITION, &content.disposition);
        headers::set_some(map, header::CACHE_CONTROL, &content.cache_control);
        headers::set(map, header::ACCEPT_RANGES, "bytes");
        headers::set(map, header::CONTENT_LENGTH, &length.to_string());
        if let Some((first, bytes)) = range {
            headers::set(map, header::CONTENT_RANGE, &range::content_range(first, bytes, properties.length));
        } else {
            headers::set_md5(map, header::CONTENT_MD5, content.md5);
        }
        answer
    }
}

/// The blob that a path shows; none for a directory without an index.
fn page(website: &StaticWebsite, path: &str) -> Option<String> {
    if !path.is_empty() && !path.ends_with('/') {
        return Some(path.to_owned());
    }
    match &website.index {
        WebsiteIndex::None => None,
        WebsiteIndex::InEach(name) => Some(format!("{path}{name}")),
        WebsiteIndex::Same(name) => Some(name.trim_start_matches('/').to_owned()),
    }
}

/// Opens a blob of the website; none if there is no such blob, or none can have this name.
async fn open(
    service: &BlobService,
    account: &AccountName,
    name: Option<String>,
    range: Option<ByteRange>,
    conditions: Conditions,
) -> Result<Option<BlobRead>, StorageError> {
    let Some(blob) = name.and_then(|name| BlobName::parse(&name).ok()) else { return Ok(None) };
    let container = ContainerName::parse(CONTAINER).map_err(Head::invalid_name)?;
    let at = BlobAddress { account: account.clone(), container, blob };
    match service.store.read(&at, Which::Base, range, conditions).await {
        Ok(read) => {
            service.track_access(&at, read.properties.accessed).await;
            Ok(Some(read))
        }
        Err(EngineError::BlobNotFound | EngineError::ContainerNotFound) => Ok(None),
        Err(error) => Err(engine(error)),
    }
}

async fn answer(
    status: StatusCode,
    read: BlobRead,
    range: Option<(u64, u64)>,
    bare: bool,
) -> Result<Response, StorageError> {
    let BlobRead { properties, length, reader, .. } = read;
    let body =
        if bare { Body::empty() } else { content::body(reader, length, false).await.map_err(engine)?.body };
    Ok(Response { status, properties, range, length, body })
}

fn not_found() -> StorageError {
    StorageError::new(ErrorCode::WebContentNotFound)
}

fn engine(error: EngineError) -> StorageError {
    StorageError::from_engine(error, Intent::Read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn website(index: WebsiteIndex) -> StaticWebsite {
        StaticWebsite { index, error_document_404: None }
    }

    #[test]
    fn a_directory_shows_its_index_and_a_file_itself() {
        let each = website(WebsiteIndex::InEach("index.html".to_owned()));
        let same = website(WebsiteIndex::Same("/app/main.html".to_owned()));
        for (path, of_each, of_same) in [
            ("", "index.html", "app/main.html"),
            ("docs/", "docs/index.html", "app/main.html"),
            ("docs", "docs", "docs"),
        ] {
            assert_eq!(page(&each, path).as_deref(), Some(of_each));
            assert_eq!(page(&same, path).as_deref(), Some(of_same));
        }
        assert_eq!(page(&website(WebsiteIndex::None), "docs/"), None);
    }
}
