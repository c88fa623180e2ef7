//! What *List Blobs* asks and answers.

use super::*;
use crate::blob::testing::{at, full_blob};
use crate::error::ErrorCode;
use crate::target::ServiceKind;
use crate::testing;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{TimestampSecondType, UInt64Type};
use arrow_array::{Array as _, RecordBatch};
use arrow_ipc::reader::StreamReader;
use storage_engine::blob::{
    BlobEntry, BlobKind, BlobProperties, CopyState, Deletion, Encryption, EncryptionKey, Increment, Page,
};
use storage_engine::name::BlobName;

const NEWEST: (&str, &str) = ("x-ms-version", "2026-10-06");
const AS_TABLE: (&str, &str) = ("accept", "application/vnd.apache.arrow.stream,application/xml");
const EVERYTHING: &str = "include=copy,metadata,tags,versions,immutabilitypolicy,legalhold";

fn decode_with(query: &str, headers: &[(&str, &str)]) -> Result<Request, ErrorCode> {
    let url = format!("/dev/con?restype=container&comp=list&{query}");
    let headers = [headers, &[("host", "localhost:1")]].concat();
    let head = testing::head(ServiceKind::Blob, "GET", &url, &headers);
    ListBlobs::decode(&head, Payload::None).map_err(|error| error.code)
}

fn decode(query: &str) -> Result<Request, ErrorCode> {
    decode_with(query, &[NEWEST])
}

fn document(query: &str, entries: Vec<BlobEntry>, next: Option<Vec<u8>>) -> String {
    let text = document::write(&decode(query).unwrap(), &Page { entries, next });
    crate::xml::parse(text.as_bytes()).unwrap();
    text.split_once("?>").unwrap().1.to_owned()
}

fn table(query: &str, entries: Vec<BlobEntry>, next: Option<Vec<u8>>) -> RecordBatch {
    let request = decode_with(query, &[NEWEST, AS_TABLE]).unwrap();
    assert!(request.table);
    let bytes = table::write(&request, &Page { entries, next }).unwrap();
    StreamReader::try_new(bytes.as_slice(), None).unwrap().next().unwrap().unwrap()
}

fn blob(name: &str, properties: BlobProperties) -> BlobEntry {
    BlobEntry::Blob(BlobName::parse(name).unwrap(), Box::new(properties))
}

#[test]
fn a_listing_is_asked_by_words_and_bounds() {
    let query = "delimiter=/&include=metadata,uncommittedblobs,tags&prefix=a&startFrom=b&endBefore=c&showonly=Deleted";
    let request = decode(query).unwrap();
    assert_eq!(request.list.delimiter.as_deref(), Some("/"));
    assert_eq!((request.list.start_from.as_str(), request.list.end_before.as_str()), ("b", "c"));
    assert!(request.details.metadata && request.details.tags && !request.details.copy);
    assert!(request.list.include.uncommitted && request.list.only_deleted && !request.list.include.versions);
    assert_eq!(decode("delimiter=").unwrap().list.delimiter, None);
    let states = decode("include=snapshots,versions,deleted,deletedwithversions").unwrap().list.include;
    assert!(states.snapshots && states.versions && states.deleted && states.deleted_with_versions);
    for (query, code) in [
        ("delimiter=/&include=snapshots", ErrorCode::InvalidQueryParameterValue),
        ("include=everything", ErrorCode::InvalidQueryParameterValue),
        ("showonly=files", ErrorCode::InvalidQueryParameterValue),
        ("maxresults=-1", ErrorCode::OutOfRangeQueryParameterValue),
        ("marker=%2F%2F", ErrorCode::InvalidQueryParameterValue),
    ] {
        assert_eq!(decode(query).err(), Some(code), "{query}");
    }
}

#[test]
fn a_table_is_given_to_who_takes_one_and_speaks_a_version_that_has_it() {
    assert!(decode_with("", &[NEWEST, AS_TABLE]).unwrap().table);
    assert!(!decode_with("", &[("x-ms-version", "2026-04-06"), AS_TABLE]).unwrap().table);
    assert!(!decode_with("", &[NEWEST, ("accept", "application/xml")]).unwrap().table);
    assert!(!decode_with("", &[NEWEST]).unwrap().table);
}

#[test]
fn an_empty_page_still_has_its_marker() {
    assert_eq!(
        document("", Vec::new(), None),
        "<EnumerationResults ServiceEndpoint=\"http://localhost:1/dev/\" ContainerName=\"con\">\
         <Blobs></Blobs><NextMarker /></EnumerationResults>"
    );
    let table = table("", Vec::new(), None);
    assert_eq!((table.num_rows(), table.schema().metadata()["NextMarker"].as_str()), (0, ""));
}

#[test]
fn a_blobs_properties_stand_in_the_order_of_the_clients_model() {
    let text = document(&format!("{EVERYTHING}&maxresults=1"), vec![blob("a&b", full_blob())], Some(vec![1]));
    let expected = "<MaxResults>1</MaxResults><Blobs><Blob><Name>a&amp;b</Name>\
        <VersionId>2023-11-14T22:13:22.0000000Z</VersionId><IsCurrentVersion>true</IsCurrentVersion><Properties>\
        <Creation-Time>Tue, 14 Nov 2023 22:13:20 GMT</Creation-Time>\
        <Last-Modified>Tue, 14 Nov 2023 22:13:21 GMT</Last-Modified><Etag>0x1F</Etag>\
        <Content-Length>5</Content-Length><Content-Type>text/plain</Content-Type><Content-Encoding />\
        <Content-Language /><Content-MD5>AAAAAAAAAAAAAAAAAAAAAA==</Content-MD5><Content-Disposition />\
        <Cache-Control /><BlobType>AppendBlob</BlobType><LeaseStatus>unlocked</LeaseStatus>\
        <LeaseState>available</LeaseState><CopyId>00000000-0000-0000-0000-000000000000</CopyId>\
        <CopyStatus>pending</CopyStatus><CopySource>http://s</CopySource><CopyProgress>1/2</CopyProgress>\
        <ServerEncrypted>true</ServerEncrypted><AccessTier>Archive</AccessTier>\
        <ArchiveStatus>rehydrate-pending-to-cool</ArchiveStatus><EncryptionScope>scope</EncryptionScope>\
        <AccessTierChangeTime>Tue, 14 Nov 2023 22:13:23 GMT</AccessTierChangeTime><TagCount>1</TagCount>\
        <Expiry-Time>Tue, 14 Nov 2023 22:13:30 GMT</Expiry-Time><Sealed>true</Sealed>\
        <RehydratePriority>High</RehydratePriority>\
        <LastAccessTime>Tue, 14 Nov 2023 22:13:31 GMT</LastAccessTime>\
        <ImmutabilityPolicyUntilDate>Tue, 14 Nov 2023 22:13:29 GMT</ImmutabilityPolicyUntilDate>\
        <ImmutabilityPolicyMode>locked</ImmutabilityPolicyMode><LegalHold>true</LegalHold></Properties>\
        <Metadata><k>v&lt;</k></Metadata><Tags><TagSet><Tag><Key>t</Key><Value>1</Value></Tag></TagSet></Tags>\
        </Blob></Blobs><NextMarker>AQ</NextMarker></EnumerationResults>";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn what_was_not_asked_for_is_not_told() {
    let text = document("", vec![blob("a", full_blob())], None);
    for element in ["VersionId", "CopyId", "<Metadata", "<Tags", "ImmutabilityPolicy", "LegalHold"] {
        assert!(!text.contains(element), "{element} in {text}");
    }
    assert!(text.contains("<TagCount>1</TagCount>"));
    let table = table("", vec![blob("a", full_blob())], None);
    assert!(table.column_by_name("Metadata").is_none() && table.column_by_name("Tags").is_none());
    assert!(table.column_by_name("CopyId").unwrap().is_null(0));
}

#[test]
fn past_and_deleted_states_say_what_they_are_and_have_no_lease() {
    let deletion = Deletion { at: at(0), purge: at(3 * 86_400 - 1) };
    let properties = BlobProperties {
        snapshot: Some(at(5)),
        deletion: Some(deletion),
        kind: BlobKind::Page { sequence_number: 7 },
        ..BlobProperties::default()
    };
    let text = document("include=snapshots,deleted", vec![blob("a", properties)], None);
    let state = "<Name>a</Name><Snapshot>2023-11-14T22:13:25.0000000Z</Snapshot><Deleted>true</Deleted>";
    assert!(text.contains(state), "{text}");
    assert!(
        text.contains(
            "<x-ms-blob-sequence-number>7</x-ms-blob-sequence-number><BlobType>PageBlob</BlobType>"
        )
    );
    assert!(
        text.contains("<DeletedTime>Tue, 14 Nov 2023 22:13:20 GMT</DeletedTime><RemainingRetentionDays>2</")
    );
    assert!(!text.contains("Lease") && !text.contains("AccessTier"), "{text}");
}

#[test]
fn prefixes_uncommitted_blobs_and_names_of_versions_are_entries_too() {
    let name = |name: &str| BlobName::parse(name).unwrap();
    let entries = || {
        let prefix = BlobEntry::Prefix("a/\u{FFFF}".into());
        let newest =
            BlobProperties { current: true, length: 7, version: Some(at(1)), ..BlobProperties::default() };
        vec![prefix, BlobEntry::Uncommitted(name("b")), BlobEntry::VersionsOnly(name("c"), Box::new(newest))]
    };
    let text = document("delimiter=/", entries(), None);
    let expected = "<Delimiter>/</Delimiter><Blobs>\
        <BlobPrefix><Name Encoded=\"true\">a/%EF%BF%BF</Name></BlobPrefix>\
        <Blob><Name>b</Name><Properties><Content-Length>0</Content-Length><BlobType>BlockBlob</BlobType>\
        </Properties></Blob><Blob><Name>c</Name><HasVersionsOnly>true</HasVersionsOnly><Properties><Creation-Time>";
    assert!(text.contains(expected), "{text}");
    for told in ["<Content-Length>7<", "<LeaseStatus>unlocked<", "<LeaseState>available<", "<AccessTier>Hot<"]
    {
        assert!(text.contains(told), "{told} of the newest version: {text}");
    }
    let old = decode_with("delimiter=/", &[("x-ms-version", "2020-10-02")]).unwrap();
    let text = document::write(&old, &Page { entries: entries(), next: None });
    assert!(text.contains("<Name>a/\u{FFFF}</Name>"), "before names were escaped: {text}");
    let table = table("delimiter=/", entries(), None);
    let text = |column: &str, row: usize| {
        table.column_by_name(column).unwrap().as_string::<i32>().value(row).to_owned()
    };
    assert_eq!((text("ResourceType", 0), text("Name", 0)), ("blobprefix".into(), "a/\u{FFFF}".into()));
    assert_eq!((text("ResourceType", 1), text("Name", 1)), ("blob".into(), "b".into()));
    assert!(table.column_by_name("HasVersionsOnly").unwrap().as_boolean().value(2));
    assert_eq!(text("BlobType", 2), "BlockBlob");
}

#[test]
fn a_table_has_a_column_of_its_kind_for_everything() {
    let entries = vec![blob("a", full_blob()), BlobEntry::Prefix("p/".into())];
    let table = table(EVERYTHING, entries, Some(vec![1]));
    assert_eq!(table.schema().metadata()["NextMarker"], "AQ");
    let column = |name: &str| table.column_by_name(name).unwrap_or_else(|| panic!("{name}"));
    let text = |name: &str| column(name).as_string::<i32>().value(0).to_owned();
    assert_eq!(
        (text("Name"), text("BlobType"), text("Etag")),
        ("a".into(), "AppendBlob".into(), "0x1F".into())
    );
    assert_eq!(text("VersionId"), "2023-11-14T22:13:22.0000000Z");
    assert_eq!(column("Content-Length").as_primitive::<UInt64Type>().value(0), 5);
    assert_eq!(column("Last-Modified").as_primitive::<TimestampSecondType>().value(0), 1_700_000_001);
    assert!(column("Sealed").as_boolean().value(0) && column("Content-Language").is_null(0));
    for name in ["Metadata", "Tags"] {
        let map = column(name).as_map();
        assert_eq!((map.value_length(0), map.is_null(1)), (1, true), "{name}");
    }
    assert_eq!(column("Metadata").as_map().values().as_string::<i32>().value(0), "v<");
}

#[test]
fn every_field_of_a_document_is_a_column_of_its_kind() {
    let request = decode(EVERYTHING).unwrap();
    let copy = CopyState {
        completed: Some(at(1)),
        description: "d".into(),
        incremental: Some(Increment::default()),
        snapshot: Some(at(1)),
        ..CopyState::default()
    };
    let more = BlobProperties {
        snapshot: Some(at(1)),
        deletion: Some(Deletion { at: at(0), purge: at(9) }),
        kind: BlobKind::Page { sequence_number: 1 },
        copy: Some(Box::new(copy)),
        encryption: Some(Box::new(Encryption { key: EncryptionKey::Customer([1; 32]), wrapped: Vec::new() })),
        tier: None,
        ..full_blob()
    };
    let inferred = BlobProperties { kind: BlobKind::Block, current: true, ..BlobProperties::default() };
    for properties in [full_blob(), more, inferred] {
        let table = table(EVERYTHING, vec![blob("a", properties.clone())], None);
        let mut fields = entry::state(&properties, request.details);
        fields.extend(entry::properties(&properties, request.details, request.now));
        for (name, value) in fields {
            let column = table.column_by_name(name).unwrap_or_else(|| panic!("{name} is no column"));
            let empty = value.spelled().is_empty();
            assert_eq!(column.is_null(0), empty, "{name} is {value:?}");
        }
    }
}
