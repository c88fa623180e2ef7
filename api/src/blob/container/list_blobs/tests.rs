//! What *List Blobs* asks and answers.

use super::*;
use crate::error::ErrorCode;
use crate::target::ServiceKind;
use crate::testing;
use http_body_util::BodyExt as _;
use storage_engine::blob::ContentHeaders;
use storage_engine::clock::{Etag, Timestamp};
use storage_engine::name::BlobName;

fn decode(query: &str) -> Result<Request, ErrorCode> {
    let url = format!("/dev/con?restype=container&comp=list&{query}");
    let head = testing::head(ServiceKind::Blob, "GET", &url, &[("host", "localhost:1")]);
    ListBlobs::decode(&head, Payload::None).map_err(|error| error.code)
}

async fn document(query: &str, page: Page<BlobEntry>) -> String {
    let response = ListBlobs::encode(Response { request: decode(query).unwrap(), page });
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let text = std::str::from_utf8(&body).unwrap();
    crate::xml::parse(&body).unwrap();
    text.split_once("?>").unwrap().1.to_owned()
}

#[test]
fn a_listing_is_asked_by_prefix_delimiter_and_include() {
    let request = decode("delimiter=/&include=metadata,uncommittedblobs,tags&prefix=a").unwrap();
    assert_eq!(request.delimiter.as_deref(), Some("/"));
    assert!(request.metadata && request.uncommitted);
    assert_eq!(decode("delimiter=").unwrap().delimiter, None);
    for (query, code) in [
        ("delimiter=/&include=snapshots", ErrorCode::InvalidQueryParameterValue),
        ("include=everything", ErrorCode::InvalidQueryParameterValue),
        ("maxresults=-1", ErrorCode::OutOfRangeQueryParameterValue),
        ("startFrom=a", ErrorCode::UnsupportedQueryParameter),
        ("marker=%2F%2F", ErrorCode::InvalidQueryParameterValue),
    ] {
        assert_eq!(decode(query).err(), Some(code), "{query}");
    }
}

#[tokio::test]
async fn an_empty_page_still_has_its_marker() {
    let empty = document("", Page { entries: Vec::new(), next: None }).await;
    assert_eq!(
        empty,
        "<EnumerationResults ServiceEndpoint=\"http://localhost:1/dev/\" ContainerName=\"con\">\
         <Blobs></Blobs><NextMarker /></EnumerationResults>"
    );
}

#[tokio::test]
async fn a_blobs_properties_stand_in_the_order_of_the_clients_model() {
    let properties = BlobProperties {
        etag: Etag(0x1F),
        created: Timestamp::from_unix_seconds(0),
        modified: Timestamp::from_unix_seconds(1),
        length: 5,
        headers: ContentHeaders {
            content_type: "text/plain".into(),
            md5: Some([0; 16]),
            ..ContentHeaders::default()
        },
        metadata: Vec::new(),
        ..BlobProperties::default()
    };
    let name = BlobName::parse("a&b").unwrap();
    let page = Page { entries: vec![BlobEntry::Blob(name, Box::new(properties))], next: Some(vec![1]) };
    let text = document("include=metadata&maxresults=1", page).await;
    let expected = "<MaxResults>1</MaxResults><Blobs><Blob><Name>a&amp;b</Name><Properties>\
        <Creation-Time>Thu, 01 Jan 1970 00:00:00 GMT</Creation-Time>\
        <Last-Modified>Thu, 01 Jan 1970 00:00:01 GMT</Last-Modified><Etag>0x1F</Etag>\
        <Content-Length>5</Content-Length><Content-Type>text/plain</Content-Type><Content-Encoding />\
        <Content-Language /><Content-MD5>AAAAAAAAAAAAAAAAAAAAAA==</Content-MD5><Content-Disposition />\
        <Cache-Control /><BlobType>BlockBlob</BlobType><LeaseStatus>unlocked</LeaseStatus>\
        <LeaseState>available</LeaseState><ServerEncrypted>false</ServerEncrypted></Properties><Metadata />\
        </Blob></Blobs><NextMarker>AQ</NextMarker></EnumerationResults>";
    assert!(text.ends_with(expected), "{text}");
}

#[tokio::test]
async fn prefixes_and_uncommitted_blobs_are_entries_too() {
    let entries =
        vec![BlobEntry::Prefix("a/\u{FFFF}".into()), BlobEntry::Uncommitted(BlobName::parse("b").unwrap())];
    let text = document("delimiter=/", Page { entries, next: None }).await;
    let expected = "<Delimiter>/</Delimiter><Blobs>\
        <BlobPrefix><Name Encoded=\"true\">a/%EF%BF%BF</Name></BlobPrefix>\
        <Blob><Name>b</Name><Properties><Content-Length>0</Content-Length><BlobType>BlockBlob</BlobType>\
        </Properties></Blob></Blobs>";
    assert!(text.contains(expected), "{text}");
}
