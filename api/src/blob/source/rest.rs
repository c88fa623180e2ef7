//! The rest of a source that is another server's, when its answer has broken off in the middle.
//!
//! A copy of a terabyte takes hours, and before that it may wait for its turn with the connection open: few connections
//! live so long. So the bytes that are missing are asked for by a range, on the condition that the source is the
//! version that it was. A server that names no version cannot be held to one, and one that does not give the right
//! range of it is believed nothing: then the copy fails, as it did when the answer broke off.

use super::{cannot_verify, changed, unanswered, unusable};
use crate::body::{Body, Incoming};
use crate::error::{ErrorCode, StorageError};
use crate::header;
use crate::source::{SourceError, Sources};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use std::fmt;
use std::sync::Arc;

/// Whom to ask for it, and of what.
pub(in crate::blob) struct Rest {
    sources: Arc<dyn Sources>,
    uri: Uri,
    headers: HeaderMap,
    etag: HeaderValue,
    length: u64,
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rest")
    }
}

impl Rest {
    /// Of the source of `length` bytes at this address, to which these headers went and which says that this is its
    /// version; none if that may be the version of other bytes too.
    pub(super) fn new(
        sources: &Arc<dyn Sources>,
        (uri, sent): (Uri, &HeaderMap),
        (etag, length): (Option<HeaderValue>, u64),
    ) -> Option<Self> {
        let etag = etag.filter(|etag| etag.as_bytes().starts_with(b"\""))?;
        let kept = [header::AUTHORIZATION, header::X_MS_VERSION];
        let kept = kept.into_iter().filter_map(|name| Some((name, sent.get(name)?.clone())));
        let mut headers = HeaderMap::new();
        kept.for_each(|(name, value)| drop(headers.insert(name, value)));
        headers.insert(header::IF_MATCH, etag.clone());
        Some(Self { sources: Arc::clone(sources), uri, headers, etag, length })
    }

    /// The bytes from `first` on; none of them if the source is not there for the moment.
    ///
    /// # Errors
    /// `SourceConditionNotMet` if the source has changed; `CannotVerifyCopySource`.
    pub(in crate::blob) async fn from(&self, first: u64) -> Result<Incoming, StorageError> {
        let mut request = Request::new(());
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if first > 0
            && let Ok(range) = HeaderValue::from_str(&format!("bytes={first}-"))
        {
            request.headers_mut().insert(header::RANGE, range.clone());
            request.headers_mut().insert(header::X_MS_RANGE, range);
        }
        self.sources.pause().await;
        let nothing = || Incoming::new(Body::empty(), 0);
        let (parts, body) = match self.sources.ask(request).await {
            Ok(answer) if answer.status().is_server_error() => return Ok(nothing()),
            Ok(answer) => answer.into_parts(),
            Err(SourceError::Unreachable(_)) => return Ok(nothing()),
            Err(forbidden) => return Err(unanswered(forbidden)),
        };
        let expected = if first > 0 { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        match parts.status {
            StatusCode::PRECONDITION_FAILED => return Err(changed()),
            status if status != expected => {
                let reason = format!("The source broke off, and answers {status} to who asks for the rest.");
                return Err(cannot_verify(status.as_u16(), "", &reason));
            }
            _ => {}
        }
        if parts.headers.get(header::ETAG) != Some(&self.etag) {
            return Err(changed());
        }
        let given = parts.headers.get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
        let wanted = format!("bytes {first}-{}/{}", self.length.saturating_sub(1), self.length);
        if first > 0 && given != Some(wanted.as_str()) {
            let reason = "The source broke off, and gives another part than its rest.";
            return Err(unusable(ErrorCode::CannotVerifyCopySource, reason));
        }
        Ok(Incoming::new(body, self.length.saturating_sub(first)))
    }
}
