//! Events as records of Avro files: schema version 5 of the page "Change feed in Blob Storage".
//!
//! What an event may lack is a union with null, in the order *null, value*. Clients know fields by name and take absent
//! ones for null, so fields that only accounts with a hierarchical namespace have are left out. Texts are texts where
//! the service may have enumerations: readers make the same of both.

use super::event::{Event, Pairs};
use crate::avro::{self, length, long, text};
use storage_engine::blob::Tags;

/// The version of the schema, which events name.
pub(super) const SCHEMA_VERSION: i64 = 5;

/// The schema.
pub(super) const SCHEMA: &str = concat!(
    r#"{"type":"record","name":"BlobChangeEvent","fields":["#,
    r#"{"name":"schemaVersion","type":"int"},{"name":"topic","type":"string"},{"name":"subject","type":"string"},"#,
    r#"{"name":"eventType","type":"string"},{"name":"eventTime","type":"string"},{"name":"id","type":"string"},"#,
    r#"{"name":"data","type":{"type":"record","name":"BlobChangeEventData","fields":["#,
    r#"{"name":"api","type":"string"},{"name":"clientRequestId","type":"string"},{"name":"requestId","type":"string"},"#,
    r#"{"name":"etag","type":"string"},{"name":"contentType","type":"string"},{"name":"contentLength","type":"long"},"#,
    r#"{"name":"blobType","type":"string"},{"name":"blobVersion","type":["null","string"]},"#,
    r#"{"name":"containerVersion","type":"string"},{"name":"blobTier","type":["null","string"]},"#,
    r#"{"name":"url","type":"string"},{"name":"sequencer","type":"string"},"#,
    r#"{"name":"previousInfo","type":["null",{"type":"map","values":"string"}]},"#,
    r#"{"name":"snapshot","type":["null","string"]},"#,
    r#"{"name":"blobPropertiesUpdated","type":["null",{"type":"map","values":{"type":"map","values":"string"}}]},"#,
    r#"{"name":"asyncOperationInfo","type":["null",{"type":"map","values":"string"}]},"#,
    r#"{"name":"blobTagsUpdated","type":["null",{"type":"map","values":{"type":"map","values":"string"}}]},"#,
    r#"{"name":"restorePointMarker","type":["null",{"type":"map","values":"string"}]},"#,
    r#"{"name":"storageDiagnostics","type":["null",{"type":"map","values":"string"}]}"#,
    r#"]}}]}"#
);

/// Adds an event.
pub(super) fn write(into: &mut Vec<u8>, event: &Event) {
    long(into, SCHEMA_VERSION);
    for field in [&event.topic, &event.subject] {
        text(into, field);
    }
    text(into, event.kind);
    text(into, &event.time);
    text(into, &event.id);
    text(into, event.api);
    for field in [&event.client_request_id, &event.request_id, &event.etag, &event.content_type] {
        text(into, field);
    }
    length(into, event.content_length);
    text(into, event.blob_type);
    optional(into, event.blob_version.as_deref());
    text(into, &event.container_version);
    optional(into, event.blob_tier);
    // As on the service: the address is empty, for an account has several.
    text(into, "");
    text(into, &event.sequencer);
    pairs(into, &event.previous_info);
    optional(into, event.snapshot.as_deref());
    properties(into, event);
    pairs(into, &event.async_operation);
    tags(into, event.tags_updated.as_ref());
    // Points of restoring are not made here, and there are no diagnostics.
    long(into, 0);
    long(into, 0);
}

fn optional(into: &mut Vec<u8>, value: Option<&str>) {
    long(into, i64::from(value.is_some()));
    if let Some(value) = value {
        text(into, value);
    }
}

/// A map or, without entries, null.
fn nullable_map<T>(into: &mut Vec<u8>, entries: &[T], write: impl FnMut(&mut Vec<u8>, &T)) {
    long(into, i64::from(!entries.is_empty()));
    if !entries.is_empty() {
        map(into, entries, write);
    }
}

fn map<T>(into: &mut Vec<u8>, entries: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
    if !entries.is_empty() {
        length(into, entries.len() as u64);
        for entry in entries {
            write(into, entry);
        }
    }
    long(into, 0);
}

fn pair(into: &mut Vec<u8>, name: &str, value: &str) {
    text(into, name);
    text(into, value);
}

fn pairs(into: &mut Vec<u8>, pairs: &Pairs) {
    nullable_map(into, pairs, |into, (name, value)| pair(into, name, value));
}

fn properties(into: &mut Vec<u8>, event: &Event) {
    nullable_map(into, &event.properties_updated, |into, (name, new, former)| {
        text(into, name);
        map(into, &[("current", new), ("previous", former)], |into, (name, value)| pair(into, name, value));
    });
}

fn tags(into: &mut Vec<u8>, updated: Option<&(Tags, Tags)>) {
    let entries = updated.map(|(new, former)| [("previous", former), ("current", new)]);
    let entries = entries.as_ref().map_or(&[][..], |entries| entries);
    nullable_map(into, entries, |into, (name, tags)| {
        text(into, name);
        let tags: Vec<_> = tags.iter().collect();
        map(into, &tags, |into, (name, value)| pair(into, name, value));
    });
}

/// A block of a file: these events.
pub(super) fn block(events: &[Event], sync: &avro::Sync) -> Vec<u8> {
    let (mut records, mut block) = (Vec::new(), Vec::new());
    for event in events {
        write(&mut records, event);
    }
    avro::block(&mut block, events.len(), &records, sync);
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, Value, json};

    fn number(bytes: &mut &[u8]) -> i64 {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let (byte, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            value |= u64::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return (value >> 1).cast_signed() ^ -(value & 1).cast_signed();
            }
        }
    }

    fn string(bytes: &mut &[u8]) -> String {
        let length = usize::try_from(number(bytes)).unwrap();
        let (text, rest) = bytes.split_at(length);
        *bytes = rest;
        String::from_utf8(text.to_vec()).unwrap()
    }

    /// What a reader that knows nothing but the schema makes of the bytes.
    fn value(schema: &Value, bytes: &mut &[u8]) -> Value {
        if let Value::Array(branches) = schema {
            let branch = usize::try_from(number(bytes)).unwrap();
            return value(&branches[branch], bytes);
        }
        match schema.get("type").unwrap_or(schema).as_str().unwrap() {
            "null" => Value::Null,
            "int" | "long" => json!(number(bytes)),
            "string" => json!(string(bytes)),
            "record" => {
                let fields = schema["fields"].as_array().unwrap().iter();
                let field = |field: &Value| {
                    let name = field["name"].as_str().unwrap().to_owned();
                    (name, value(&field["type"], bytes))
                };
                Value::Object(fields.map(field).collect())
            }
            "map" => {
                let mut entries = Map::new();
                loop {
                    let count = number(bytes);
                    if count == 0 {
                        return Value::Object(entries);
                    }
                    for _ in 0..count {
                        let name = string(bytes);
                        entries.insert(name, value(&schema["values"], bytes));
                    }
                }
            }
            other => panic!("{other}"),
        }
    }

    fn read(event: &Event) -> Value {
        let mut bytes = Vec::new();
        write(&mut bytes, event);
        let mut rest = bytes.as_slice();
        let read = value(&serde_json::from_str(SCHEMA).unwrap(), &mut rest);
        assert!(rest.is_empty(), "bytes that the schema does not know");
        read
    }

    #[test]
    fn what_an_event_lacks_is_null_and_the_schema_describes_every_byte() {
        let read = read(&Event { kind: "BlobCreated", content_length: 1 << 40, ..Event::default() });
        assert_eq!((&read["schemaVersion"], &read["eventType"]), (&json!(5), &json!("BlobCreated")));
        let data = &read["data"];
        assert_eq!((&data["contentLength"], &data["url"]), (&json!(1_u64 << 40), &json!("")));
        for name in [
            "blobVersion",
            "blobTier",
            "previousInfo",
            "snapshot",
            "blobPropertiesUpdated",
            "blobTagsUpdated",
        ] {
            assert_eq!(data[name], Value::Null, "{name}");
        }
        for name in ["asyncOperationInfo", "restorePointMarker", "storageDiagnostics"] {
            assert_eq!(data[name], Value::Null, "{name}");
        }
    }

    #[test]
    fn what_an_event_has_stands_under_the_names_that_clients_know() {
        let tags = Tags::new(vec![("k".into(), "é".into())]).unwrap();
        let event = Event {
            subject: "s".into(),
            etag: "0x8D".into(),
            blob_version: Some("v".into()),
            blob_tier: Some("Cool"),
            snapshot: Some("t".into()),
            previous_info: vec![("PreviousTier", "Hot".into()), ("LastVersion", "u".into())],
            async_operation: vec![("CopyId", "7".into())],
            properties_updated: vec![("ContentType", "new".into(), "old".into())],
            tags_updated: Some((tags, Tags::default())),
            ..Event::default()
        };
        let read = read(&event);
        assert_eq!(read["subject"], "s");
        let data = &read["data"];
        assert_eq!((&data["etag"], &data["blobVersion"]), (&json!("0x8D"), &json!("v")));
        assert_eq!((&data["blobTier"], &data["snapshot"]), (&json!("Cool"), &json!("t")));
        assert_eq!(data["previousInfo"], json!({"PreviousTier": "Hot", "LastVersion": "u"}));
        assert_eq!(data["asyncOperationInfo"], json!({"CopyId": "7"}));
        let updated = json!({"ContentType": {"current": "new", "previous": "old"}});
        assert_eq!(data["blobPropertiesUpdated"], updated);
        assert_eq!(data["blobTagsUpdated"], json!({"current": {"k": "é"}, "previous": {}}));
    }
}
