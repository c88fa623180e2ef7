//! A listing as a table: a stream of Apache Arrow, which clients ask for because it is read much faster than XML.
//!
//! Columns bear the names of the document's elements, of `Properties` and beside it alike; `ResourceType` tells blobs
//! from common beginnings of names. What a row does not have, or has as an empty text, is null. `Metadata` and `Tags`
//! are maps and are there if they were asked for. The marker of the next page stands in the metadata of the schema.
//! All other columns are always there, so the schema of a listing does not depend on what is in its container. Numbers
//! have no sign: the vendor's client for Go, which rclone has, passes over counts in columns that have one.

use super::Request;
use super::entry::{self, Details, Fields, Value};
use crate::blob::listing;
use crate::error::StorageError;
use crate::header;
use arrow_array::builder::{
    BooleanBuilder, MapBuilder, MapFieldNames, StringBuilder, TimestampSecondBuilder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use std::collections::HashMap;
use std::sync::Arc;
use storage_engine::blob::{BlobEntry, Page};

/// What a column holds.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Number,
    Flag,
    Moment,
}

/// All columns but those that are maps.
#[rustfmt::skip]
const COLUMNS: [(&str, Kind); 47] = [
    ("ResourceType", Kind::Text), ("Name", Kind::Text), ("Snapshot", Kind::Text), ("VersionId", Kind::Text),
    ("IsCurrentVersion", Kind::Flag), ("Deleted", Kind::Flag), ("HasVersionsOnly", Kind::Flag),
    ("Creation-Time", Kind::Moment), ("Last-Modified", Kind::Moment), ("Etag", Kind::Text),
    ("Content-Length", Kind::Number), ("Content-Type", Kind::Text), ("Content-Encoding", Kind::Text),
    ("Content-Language", Kind::Text), ("Content-MD5", Kind::Text), ("Content-Disposition", Kind::Text),
    ("Cache-Control", Kind::Text), (header::X_MS_BLOB_SEQUENCE_NUMBER, Kind::Number), ("BlobType", Kind::Text),
    ("LeaseStatus", Kind::Text), ("LeaseState", Kind::Text), ("LeaseDuration", Kind::Text),
    ("CopyId", Kind::Text), ("CopyStatus", Kind::Text), ("CopySource", Kind::Text), ("CopyProgress", Kind::Text),
    ("CopyCompletionTime", Kind::Moment), ("CopyStatusDescription", Kind::Text), ("ServerEncrypted", Kind::Flag),
    ("IncrementalCopy", Kind::Flag), ("CopyDestinationSnapshot", Kind::Text), ("DeletedTime", Kind::Moment),
    ("RemainingRetentionDays", Kind::Number), ("AccessTier", Kind::Text), ("AccessTierInferred", Kind::Flag),
    ("ArchiveStatus", Kind::Text), ("CustomerProvidedKeySha256", Kind::Text), ("EncryptionScope", Kind::Text),
    ("AccessTierChangeTime", Kind::Moment), ("TagCount", Kind::Number), ("Expiry-Time", Kind::Moment),
    ("Sealed", Kind::Flag), ("RehydratePriority", Kind::Text), ("LastAccessTime", Kind::Moment),
    ("ImmutabilityPolicyUntilDate", Kind::Moment), ("ImmutabilityPolicyMode", Kind::Text),
    ("LegalHold", Kind::Flag),
];

/// Writes a page.
///
/// # Errors
/// `InternalError` if the columns do not fit together, which their making rules out.
pub(super) fn write(request: &Request, page: &Page<BlobEntry>) -> Result<Vec<u8>, StorageError> {
    let mut table = Table::new(page.entries.len(), request.details);
    for entry in &page.entries {
        table.add(entry, request);
    }
    let marker = listing::marker_text(page.next.as_deref());
    table
        .finish(marker)
        .map_err(|error| StorageError::new(crate::error::ErrorCode::InternalError).caused_by(error))
}

enum Column {
    Text(StringBuilder),
    Number(UInt64Builder),
    Flag(BooleanBuilder),
    Moment(TimestampSecondBuilder),
}

impl Column {
    fn new(kind: Kind, rows: usize) -> Self {
        match kind {
            Kind::Text => Self::Text(StringBuilder::with_capacity(rows, rows * 16)),
            Kind::Number => Self::Number(UInt64Builder::with_capacity(rows)),
            Kind::Flag => Self::Flag(BooleanBuilder::with_capacity(rows)),
            Kind::Moment => Self::Moment(TimestampSecondBuilder::with_capacity(rows).with_timezone("UTC")),
        }
    }

    /// Adds a value; one that is empty, missing or of another kind is null.
    fn add(&mut self, value: Option<&Value<'_>>) {
        match (self, value) {
            (Self::Text(column), Some(Value::Text(text))) if !text.is_empty() => column.append_value(text),
            (Self::Text(column), _) => column.append_null(),
            (Self::Number(column), Some(Value::Number(number))) => column.append_value(*number),
            (Self::Number(column), _) => column.append_null(),
            (Self::Flag(column), Some(Value::Flag(flag))) => column.append_value(*flag),
            (Self::Flag(column), _) => column.append_null(),
            (Self::Moment(column), Some(Value::Moment(moment))) => {
                column.append_option(i64::try_from(moment.unix_seconds()).ok());
            }
            (Self::Moment(column), _) => column.append_null(),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Text(mut column) => Arc::new(column.finish()),
            Self::Number(mut column) => Arc::new(column.finish()),
            Self::Flag(mut column) => Arc::new(column.finish()),
            Self::Moment(mut column) => Arc::new(column.finish()),
        }
    }
}

type Map = MapBuilder<StringBuilder, StringBuilder>;

struct Table {
    columns: Vec<(&'static str, Kind, Column)>,
    metadata: Option<Map>,
    tags: Option<Map>,
}

impl Table {
    fn new(rows: usize, details: Details) -> Self {
        let map = |wanted: bool| {
            let names = || MapFieldNames {
                entry: "entries".to_owned(),
                key: "key".to_owned(),
                value: "value".to_owned(),
            };
            wanted.then(|| MapBuilder::new(Some(names()), StringBuilder::new(), StringBuilder::new()))
        };
        let columns = COLUMNS.iter().map(|(name, kind)| (*name, *kind, Column::new(*kind, rows))).collect();
        Self { columns, metadata: map(details.metadata), tags: map(details.tags) }
    }

    fn add(&mut self, entry: &BlobEntry, request: &Request) {
        let mut fields = Fields::new();
        let (name, resource) = match entry {
            BlobEntry::Prefix(prefix) => (prefix.as_str(), "blobprefix"),
            BlobEntry::Uncommitted(name) => {
                fields = entry::uncommitted();
                (name.as_str(), "blob")
            }
            BlobEntry::Blob(name, properties) | BlobEntry::VersionsOnly(name, properties) => {
                fields = entry::state_of(entry, properties, request.details);
                fields.extend(entry::properties(properties, request.details, request.now));
                (name.as_str(), "blob")
            }
        };
        fields.push(("ResourceType", Value::Text(resource.into())));
        fields.push(("Name", Value::Text(name.into())));
        for (name, _, column) in &mut self.columns {
            column.add(fields.iter().find(|(other, _)| other == name).map(|(_, value)| value));
        }
        let properties = match entry {
            BlobEntry::Blob(_, properties) | BlobEntry::VersionsOnly(_, properties) => Some(properties),
            BlobEntry::Prefix(_) | BlobEntry::Uncommitted(_) => None,
        };
        let metadata =
            properties.map(|p| p.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        add_map(self.metadata.as_mut(), metadata);
        add_map(self.tags.as_mut(), properties.map(|properties| properties.tags.iter()));
    }

    fn finish(self, marker: String) -> Result<Vec<u8>, ArrowError> {
        let mut fields = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for (name, kind, column) in self.columns {
            let kind = match kind {
                Kind::Text => DataType::Utf8,
                Kind::Number => DataType::UInt64,
                Kind::Flag => DataType::Boolean,
                Kind::Moment => DataType::Timestamp(TimeUnit::Second, Some("UTC".into())),
            };
            fields.push(Field::new(name, kind, true));
            arrays.push(column.finish());
        }
        for (name, map) in [("Metadata", self.metadata), ("Tags", self.tags)] {
            let Some(mut map) = map else { continue };
            let array: ArrayRef = Arc::new(map.finish());
            fields.push(Field::new(name, array.data_type().clone(), true));
            arrays.push(array);
        }
        let metadata = HashMap::from([("NextMarker".to_owned(), marker)]);
        let schema = Arc::new(Schema::new(fields).with_metadata(metadata));
        let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
        writer.write(&RecordBatch::try_new(schema, arrays)?)?;
        writer.into_inner()
    }
}

/// Adds a row to a column of maps, if there is one: null if the row has none.
fn add_map<'a>(map: Option<&mut Map>, pairs: Option<impl Iterator<Item = (&'a str, &'a str)>>) {
    let Some(map) = map else { return };
    let there = pairs.is_some();
    for (name, value) in pairs.into_iter().flatten() {
        map.keys().append_value(name);
        map.values().append_value(value);
    }
    // Keys and values are added in pairs, so the lengths that this checks are equal.
    let _ = map.append(there);
}
