//! Events as records of Avro files: schema version 5 of the page "Change feed in Blob Storage".
//!
//! What an event may lack is a union with null, in the order *null, value*. Clients know fields by name and take absent
//! ones for null, so fields that only accounts with a hierarchical namespace have are left out. Texts are texts where the
//! service may have enumerations: readers make the same of both.

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
    text(into, event.event_type);
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
        entries.iter().for_each(|entry| write(into, entry));
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
    events.iter().for_each(|event| write(&mut records, event));
    avro::block(&mut block, events.len(), &records, sync);
    block
}
