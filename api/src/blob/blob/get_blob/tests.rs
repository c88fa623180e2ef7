//! What *Get Blob* asks and answers.

use super::*;
use crate::error::ErrorCode;
use crate::target::ServiceKind;
use crate::testing;
use bytes::Bytes;
use http::HeaderValue;
use storage_engine::blob::ContentHeaders;
use storage_engine::clock::{Etag, Timestamp};

fn decode(headers: &[(&str, &str)]) -> Result<Request, ErrorCode> {
    let head = testing::head(ServiceKind::Blob, "GET", "/dev/con/b", headers);
    GetBlob::decode(&head, Payload::None).map_err(|error| error.code)
}

fn response(range: Option<(u64, u64)>, structured: Option<String>) -> http::Response<Body> {
    let properties = BlobProperties {
        etag: Etag(1),
        created: Timestamp::from_unix_seconds(0),
        modified: Timestamp::from_unix_seconds(0),
        length: 10,
        headers: ContentHeaders { md5: Some([0; 16]), ..ContentHeaders::default() },
        metadata: Vec::new(),
        ..BlobProperties::default()
    };
    let length = range.map_or(10, |(_, bytes)| bytes);
    let pieces = vec![Bytes::from_static(b"0123456789").slice(..usize::try_from(length).unwrap())];
    let content = content::body_of(pieces, length, structured.is_some());
    GetBlob::encode(Response {
        properties,
        now: Timestamp::from_unix_seconds(0),
        range,
        length,
        checksum: None,
        structured,
        content,
    })
}

fn get<'a>(response: &'a http::Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value: &HeaderValue| value.to_str().unwrap())
}

#[test]
fn a_checksum_is_asked_for_a_range_only_and_one_at_a_time() {
    let (range, md5) = (("range", "bytes=0-3"), ("x-ms-range-get-content-md5", "true"));
    assert_eq!(decode(&[range, md5]).unwrap().hash, Some("x-ms-range-get-content-md5"));
    assert_eq!(decode(&[range]).unwrap().hash, None);
    assert_eq!(decode(&[md5]).err(), Some(ErrorCode::InvalidHeaderValue));
    let both = [range, md5, ("x-ms-range-get-content-crc64", "true")];
    assert_eq!(decode(&both).err(), Some(ErrorCode::InvalidHeaderValue));
    assert_eq!(decode(&[("if-none-match", "*")]).err(), Some(ErrorCode::UnsatisfiableCondition));
    assert!(decode(&[("x-ms-if-tags", "\"a\" = 'b'")]).unwrap().conditions.if_tags.is_some());
}

#[test]
fn checksums_of_ranges_run_over_all_pieces() {
    let pieces = [Bytes::from_static(b"12345"), Bytes::from_static(b"6789")];
    let crc64 = hashed(header::X_MS_RANGE_GET_CONTENT_CRC64, &pieces);
    assert_eq!(crc64, ("x-ms-content-crc64", "iJh5CoYUi64=".to_owned()));
    let md5 = hashed(header::X_MS_RANGE_GET_CONTENT_MD5, &pieces);
    assert_eq!(md5, ("content-md5", checksum::md5_text(checksum::md5(b"123456789"))));
}

#[test]
fn a_whole_blob_has_its_md5_and_a_range_has_it_elsewhere() {
    let whole = response(None, None);
    assert_eq!((whole.status().as_u16(), get(&whole, "content-length")), (200, Some("10")));
    assert!(get(&whole, "content-md5").is_some() && get(&whole, "content-range").is_none());
    let part = response(Some((2, 4)), None);
    assert_eq!((part.status().as_u16(), get(&part, "content-length")), (206, Some("4")));
    assert_eq!(get(&part, "content-range"), Some("bytes 2-5/10"));
    assert!(get(&part, "content-md5").is_none() && get(&part, "x-ms-blob-content-md5").is_some());
}

#[test]
fn a_framing_is_echoed_and_says_both_lengths() {
    let framed = response(None, Some("XSM/1.0; properties=crc64".into()));
    assert_eq!(get(&framed, "x-ms-structured-body"), Some("XSM/1.0; properties=crc64"));
    assert_eq!(get(&framed, "x-ms-structured-content-length"), Some("10"));
    assert_eq!(get(&framed, "content-length"), Some("49"));
}
