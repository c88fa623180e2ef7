//! User metadata: the `x-ms-meta-` headers. Page "Setting and retrieving properties and metadata".

use crate::error::{ErrorCode, StorageError};
use crate::header;
use http::{HeaderMap, HeaderName, HeaderValue};
use storage_engine::name::Metadata;

/// Most bytes of all names and values.
const BYTES_MAX: usize = 8 << 10;

/// Reads a request's metadata.
///
/// # Errors
/// `EmptyMetadataKey`, `InvalidMetadata` for a name that is not an identifier or occurs twice, `MetadataTooLarge`.
pub(crate) fn read(headers: &HeaderMap) -> Result<Metadata, StorageError> {
    let mut metadata = Metadata::new();
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix(header::X_MS_META) else { continue };
        if name.is_empty() {
            return Err(StorageError::new(ErrorCode::EmptyMetadataKey));
        }
        if !is_identifier(name) || metadata.iter().any(|(other, _)| other == name) {
            return Err(StorageError::new(ErrorCode::InvalidMetadata));
        }
        // Bytes beyond ASCII are kept one to one: what was sent is given back.
        let value = value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
        metadata.push((name.to_owned(), value));
    }
    let bytes: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > BYTES_MAX { Err(StorageError::new(ErrorCode::MetadataTooLarge)) } else { Ok(metadata) }
}

/// Writes metadata as headers.
pub(crate) fn write(metadata: &Metadata, headers: &mut HeaderMap) {
    for (name, value) in metadata {
        let bytes: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(c).ok()).collect();
        let name = HeaderName::try_from(format!("{}{name}", header::X_MS_META));
        let value = bytes.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok());
        if let (Ok(name), Some(value)) = (name, value) {
            headers.insert(name, value);
        }
    }
}

fn is_identifier(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &[u8])]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value).unwrap());
        }
        map
    }

    #[test]
    fn values_come_back_byte_for_byte() {
        let sent = headers(&[("x-ms-meta-a", b"1"), ("x-ms-meta-b_2", b"caf\xe9"), ("x-ms-date", b"x")]);
        let metadata = read(&sent).unwrap();
        assert_eq!(metadata.len(), 2);
        let mut back = HeaderMap::new();
        write(&metadata, &mut back);
        assert_eq!(back.get("x-ms-meta-b_2").unwrap().as_bytes(), b"caf\xe9");
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
