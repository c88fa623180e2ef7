//! User metadata: the `x-ms-meta-` headers. Page "Setting and retrieving properties and metadata".
//!
//! A name is kept as it was sent and given back so; two names that differ in case alone are one name twice.

use crate::body::Body;
use crate::error::{ErrorCode, StorageError};
use crate::head::Headers;
use crate::header;
use crate::spelling::Spelling;
use http::{HeaderName, HeaderValue, Response};
use storage_engine::name::Metadata;

/// Most bytes of all names and values.
const BYTES_MAX: usize = 8 << 10;

/// Reads a request's metadata.
///
/// # Errors
/// `EmptyMetadataKey`, `InvalidMetadata` for a name that is not an identifier or occurs twice, `MetadataTooLarge`.
pub(crate) fn read(headers: &Headers) -> Result<Metadata, StorageError> {
    let mut metadata = Metadata::new();
    for (name, value) in headers.iter() {
        let Some(lower) = name.as_str().strip_prefix(header::X_MS_META) else { continue };
        let spelled = headers.spelling().of(name.as_str());
        let name = spelled.and_then(|name| name.strip_prefix(header::X_MS_META)).unwrap_or(lower);
        if name.is_empty() {
            return Err(StorageError::new(ErrorCode::EmptyMetadataKey));
        }
        if !is_identifier(name) || metadata.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            return Err(StorageError::new(ErrorCode::InvalidMetadata));
        }
        // Bytes beyond ASCII are kept one to one: what was sent is given back.
        let value = value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
        metadata.push((name.to_owned(), value));
    }
    let bytes: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > BYTES_MAX { Err(StorageError::new(ErrorCode::MetadataTooLarge)) } else { Ok(metadata) }
}

/// Writes metadata as headers of an answer.
pub(crate) fn write(metadata: &Metadata, answer: &mut Response<Body>) {
    let mut spelling = Spelling::default();
    for (name, value) in metadata {
        let bytes: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(c).ok()).collect();
        let name = format!("{}{name}", header::X_MS_META);
        spelling.note(name.as_bytes());
        let value = bytes.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok());
        if let (Ok(name), Some(value)) = (HeaderName::try_from(name), value) {
            answer.headers_mut().insert(name, value);
        }
    }
    if !spelling.is_empty() {
        answer.extensions_mut().insert(spelling);
    }
}

fn is_identifier(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply;
    use http::HeaderMap;

    fn headers(pairs: &[(&str, &[u8])]) -> Headers {
        let (mut map, mut spelling) = (HeaderMap::new(), Spelling::default());
        for (name, value) in pairs {
            map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value).unwrap());
            spelling.note(name.as_bytes());
        }
        Headers::from(map).spelled(spelling)
    }

    #[test]
    fn values_come_back_byte_for_byte() {
        let sent = headers(&[("x-ms-meta-a", b"1"), ("x-ms-meta-b_2", b"caf\xe9"), ("x-ms-date", b"x")]);
        let metadata = read(&sent).unwrap();
        assert_eq!(metadata.len(), 2);
        let mut back = reply::empty();
        write(&metadata, &mut back);
        assert_eq!(back.headers().get("x-ms-meta-b_2").unwrap().as_bytes(), b"caf\xe9");
        assert_eq!(back.extensions().get::<Spelling>(), None);
    }

    #[test]
    fn names_come_back_as_they_were_spelled() {
        let sent = headers(&[("X-MS-Meta-Category", b"1"), ("x-ms-meta-plain", b"2")]);
        let metadata = read(&sent).unwrap();
        assert_eq!(metadata, [("Category".into(), "1".into()), ("plain".into(), "2".into())]);
        let mut back = reply::empty();
        write(&metadata, &mut back);
        assert_eq!(back.headers().get("x-ms-meta-category").unwrap(), "1");
        let spelling = back.extensions().get::<Spelling>().unwrap();
        assert_eq!(spelling.of("x-ms-meta-category"), Some("x-ms-meta-Category"));
        assert_eq!(spelling.of("x-ms-meta-plain"), None);
    }

    #[test]
    fn names_must_be_identifiers_and_occur_once() {
        for bad in [
            &[("x-ms-meta-", &b"1"[..])][..],
            &[("x-ms-meta-1a", b"")],
            &[("x-ms-meta-a-b", b"")],
            &[("x-ms-meta-a", b""), ("X-MS-META-A", b"")],
        ] {
            assert!(read(&headers(bad)).is_err(), "{bad:?}");
        }
        assert!(read(&headers(&[("x-ms-meta-a", &[b'x'; 9000])])).is_err());
    }
}
