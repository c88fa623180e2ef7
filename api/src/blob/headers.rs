//! Properties of containers and blobs as headers, both ways.

mod properties;

use crate::body::Body;
use crate::checksum::md5_header;
use crate::error::StorageError;
use crate::head::Head;
use crate::header::answer;
use crate::{checksum, etag, header, time};
use http::header::IntoHeaderName;
use http::{HeaderMap, HeaderValue, Response};
use storage_engine::blob::{ContentHeaders, PublicAccess, Stamp};
use storage_engine::clock::Timestamp;

pub(super) use properties::{copy_word, kind_name, lease_words, set_lease, set_policy, set_properties};

/// The type of a blob whose writer gave none.
const DEFAULT_CONTENT_TYPE: &str = "application/octet-stream";

/// Sets a header. A value that no header can have is left out.
pub(super) fn set(headers: &mut HeaderMap, name: impl IntoHeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Sets a header, unless the value is empty.
pub(super) fn set_some(headers: &mut HeaderMap, name: impl IntoHeaderName, value: &str) {
    if !value.is_empty() {
        set(headers, name, value);
    }
}

/// An answer without a body.
pub(super) fn empty() -> Response<Body> {
    Response::new(Body::empty())
}

/// An answer without a body that says which version was made or met.
pub(super) fn stamped(stamp: Stamp) -> Response<Body> {
    let mut response = empty();
    set_stamp(response.headers_mut(), stamp);
    response
}

/// An XML document as an answer.
pub(super) fn document(xml: String) -> Response<Body> {
    let mut response = Response::new(Body::full(xml));
    set(response.headers_mut(), answer::CONTENT_TYPE, "application/xml");
    response
}

/// `ETag` and `Last-Modified`.
pub(super) fn set_stamp(headers: &mut HeaderMap, stamp: Stamp) {
    set(headers, answer::ETAG, &etag::quoted(stamp.etag));
    set(headers, answer::LAST_MODIFIED, &time::rfc1123(stamp.modified));
}

/// What a write of content or metadata says of the encryption, unless it knows of one
/// ([`encryption::set`](crate::encryption::set)).
pub(super) fn set_written_encrypted(headers: &mut HeaderMap) {
    set(headers, answer::X_MS_REQUEST_SERVER_ENCRYPTED, "false");
}

/// An answer to a write of content or metadata: the version that it made, also by its id.
pub(super) fn written(stamp: Stamp) -> Response<Body> {
    let mut response = stamped(stamp);
    set_version_id(response.headers_mut(), stamp.version);
    set_written_encrypted(response.headers_mut());
    response
}

/// The id of a version, if there is one.
pub(super) fn set_version_id(headers: &mut HeaderMap, version: Option<Timestamp>) {
    if let Some(version) = version {
        set(headers, answer::X_MS_VERSION_ID, &time::iso8601(version));
    }
}

/// Tells anonymous access, if there is any.
pub(super) fn set_public_access(headers: &mut HeaderMap, access: PublicAccess) {
    match access {
        PublicAccess::None => {}
        PublicAccess::Blob => set(headers, answer::X_MS_BLOB_PUBLIC_ACCESS, "blob"),
        PublicAccess::Container => set(headers, answer::X_MS_BLOB_PUBLIC_ACCESS, "container"),
    }
}

/// The anonymous access that is asked for.
///
/// # Errors
/// `InvalidHeaderValue`.
pub(super) fn public_access(head: &Head) -> Result<PublicAccess, StorageError> {
    match head.text(header::X_MS_BLOB_PUBLIC_ACCESS)? {
        None => Ok(PublicAccess::None),
        Some(word) if word.eq_ignore_ascii_case("blob") => Ok(PublicAccess::Blob),
        Some(word) if word.eq_ignore_ascii_case("container") => Ok(PublicAccess::Container),
        Some(other) => Err(StorageError::invalid_header(header::X_MS_BLOB_PUBLIC_ACCESS, other)),
    }
}

/// Sets an MD5, if there is one.
pub(super) fn set_md5(headers: &mut HeaderMap, name: impl IntoHeaderName, md5: Option<checksum::Md5Sum>) {
    if let Some(md5) = md5 {
        set(headers, name, &checksum::md5_text(md5));
    }
}

/// The headers to keep with a blob, from the `x-ms-blob-` headers alone.
///
/// # Errors
/// `InvalidHeaderValue`, `InvalidMd5`.
pub(super) fn content_headers(head: &Head) -> Result<ContentHeaders, StorageError> {
    let text = |name| head.text(name).map(|text| text.unwrap_or_default().to_owned());
    Ok(ContentHeaders {
        content_type: text(header::X_MS_BLOB_CONTENT_TYPE)?,
        encoding: text(header::X_MS_BLOB_CONTENT_ENCODING)?,
        language: text(header::X_MS_BLOB_CONTENT_LANGUAGE)?,
        disposition: text(header::X_MS_BLOB_CONTENT_DISPOSITION)?,
        cache_control: text(header::X_MS_BLOB_CACHE_CONTROL)?,
        md5: md5_header(head, header::X_MS_BLOB_CONTENT_MD5)?,
    })
}

/// As [`content_headers`], with the type that a new blob has if none was given.
///
/// # Errors
/// As [`content_headers`].
pub(super) fn new_content_headers(head: &Head) -> Result<ContentHeaders, StorageError> {
    let mut headers = content_headers(head)?;
    or_else(&mut headers.content_type, Some(DEFAULT_CONTENT_TYPE));
    Ok(headers)
}

/// As [`new_content_headers`], for a body that is the blob: its own headers stand in for those not given.
///
/// # Errors
/// As [`content_headers`].
pub(super) fn whole_content_headers(head: &Head) -> Result<ContentHeaders, StorageError> {
    let mut headers = content_headers(head)?;
    or_else(&mut headers.content_type, head.text(header::CONTENT_TYPE)?);
    or_else(&mut headers.content_type, Some(DEFAULT_CONTENT_TYPE));
    or_else(&mut headers.encoding, head.text(header::CONTENT_ENCODING)?);
    or_else(&mut headers.language, head.text(header::CONTENT_LANGUAGE)?);
    or_else(&mut headers.cache_control, head.text(header::CACHE_CONTROL)?);
    Ok(headers)
}

fn or_else(value: &mut String, other: Option<&str>) {
    if value.is_empty() {
        other.unwrap_or_default().clone_into(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;

    fn head(headers: &[(&str, &str)]) -> Head {
        testing::head(ServiceKind::Blob, "PUT", "/dev/con/b", headers)
    }

    #[test]
    fn the_bodys_own_headers_stand_in_for_those_to_keep_only_if_it_is_the_blob() {
        let sent = head(&[
            ("content-type", "text/plain"),
            ("content-encoding", "gzip"),
            ("x-ms-blob-content-encoding", "br"),
            ("cache-control", "no-store"),
        ]);
        let whole = whole_content_headers(&sent).unwrap();
        assert_eq!((whole.content_type.as_str(), whole.encoding.as_str()), ("text/plain", "br"));
        assert_eq!(whole.cache_control, "no-store");
        let new = new_content_headers(&sent).unwrap();
        assert_eq!((new.content_type.as_str(), new.cache_control.as_str()), (DEFAULT_CONTENT_TYPE, ""));
        assert_eq!(content_headers(&sent).unwrap().content_type, "");
        assert!(content_headers(&head(&[("x-ms-blob-content-md5", "AAAA")])).is_err());
    }
}
