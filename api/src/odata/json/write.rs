//! Writing: entities and tables at the three metadata levels.
//!
//! An entity's `odata.etag` is written at the minimal level too, though the page lists it for the full one only:
//! clients read the tags of listed entities from there. A double always has its point, or it would come back as
//! an integer.

use crate::error::StorageError;
use crate::head::Head;
use crate::odata::metadata_level::MetadataLevel;
use crate::odata::{address, select, tag};
use crate::{guid, time};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;
use storage_engine::table::{Entity, Value};

/// What an answer says around the data.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// How much it says.
    pub(crate) level: MetadataLevel,
    /// The service's address, with a `/` at its end.
    pub(crate) endpoint: String,
    account: String,
    table: String,
    /// The properties to give; none for all.
    pub(crate) select: Option<Vec<String>>,
}

impl Frame {
    /// As the request asks for, for entities of `table` (empty for tables).
    ///
    /// # Errors
    /// Those of the level's negotiation and of `$select`.
    pub(crate) fn new(head: &Head, table: &str) -> Result<Self, StorageError> {
        Ok(Self {
            level: MetadataLevel::negotiate(head)?,
            endpoint: head.endpoint(),
            account: head.account.to_string(),
            table: table.to_owned(),
            select: select(head)?,
        })
    }

    /// A frame for tests.
    #[cfg(test)]
    pub(crate) fn sample(level: MetadataLevel) -> Self {
        let (endpoint, account, table) = ("http://h/acc/".into(), "acc".into(), "tab".into());
        Self { level, endpoint, account, table, select: None }
    }
}

/// Writes one entity.
pub(crate) fn write_entity(frame: &Frame, entity: &Entity) -> String {
    let mut object = Object::open(String::with_capacity(512));
    if frame.level >= MetadataLevel::Minimal {
        let context = format!("{}$metadata#{}/@Element", frame.endpoint, frame.table);
        object.text("odata.metadata", &context);
    }
    entity_members(frame, entity, &mut object);
    object.close()
}

/// Writes a page of entities.
pub(crate) fn write_entities(frame: &Frame, entities: &[Entity]) -> String {
    collection(frame, &frame.table, entities, 256, entity_members)
}

/// Writes one table.
pub(crate) fn write_table(frame: &Frame, name: &str) -> String {
    let mut object = Object::open(String::with_capacity(256));
    if frame.level >= MetadataLevel::Minimal {
        object.text("odata.metadata", &format!("{}$metadata#Tables/@Element", frame.endpoint));
    }
    table_members(frame, &name, &mut object);
    object.close()
}

/// Writes a page of tables.
pub(crate) fn write_tables(frame: &Frame, names: &[&str]) -> String {
    collection(frame, "Tables", names, 64, table_members)
}

fn collection<T>(
    frame: &Frame,
    kind: &str,
    items: &[T],
    bytes_each: usize,
    members: fn(&Frame, &T, &mut Object),
) -> String {
    let mut object = Object::open(String::with_capacity(256 + items.len() * bytes_each));
    if frame.level >= MetadataLevel::Minimal {
        object.text("odata.metadata", &format!("{}$metadata#{kind}", frame.endpoint));
    }
    object.key("value");
    object.out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            object.out.push(',');
        }
        let mut inner = Object::open(std::mem::take(&mut object.out));
        members(frame, item, &mut inner);
        object.out = inner.close();
    }
    object.out.push(']');
    object.close()
}

fn table_members(frame: &Frame, name: &&str, object: &mut Object) {
    if frame.level == MetadataLevel::Full {
        object.text("odata.type", &format!("{}.Tables", frame.account));
        object.text("odata.id", &format!("{}Tables('{name}')", frame.endpoint));
        object.text("odata.editLink", &format!("Tables('{name}')"));
    }
    object.text("TableName", name);
}

fn entity_members(frame: &Frame, entity: &Entity, object: &mut Object) {
    let link = (frame.level == MetadataLevel::Full).then(|| address::print(&frame.table, &entity.key));
    if let Some(link) = &link {
        object.text("odata.type", &format!("{}.{}", frame.account, frame.table));
        object.text("odata.id", &format!("{}{link}", frame.endpoint));
    }
    if frame.level >= MetadataLevel::Minimal {
        object.text("odata.etag", &tag::print(entity.timestamp));
    }
    if let Some(link) = &link {
        object.text("odata.editLink", link);
    }
    let Some(selected) = &frame.select else {
        for name in ["PartitionKey", "RowKey", "Timestamp"] {
            own_member(frame, entity, name, object);
        }
        for (name, value) in &entity.properties {
            property(frame.level, name, value, object);
        }
        return;
    };
    for name in selected {
        if own_member(frame, entity, name, object) {
            continue;
        }
        match entity.properties.iter().find(|(other, _)| other == name) {
            Some((_, value)) => property(frame.level, name, value, object),
            // What the entity lacks is told to be so.
            None => object.bare(name, "null"),
        }
    }
}

/// Writes one of the three members that every entity has; false if `name` is none of them.
fn own_member(frame: &Frame, entity: &Entity, name: &str, object: &mut Object) -> bool {
    match name {
        "PartitionKey" => object.text(name, &entity.key.partition),
        "RowKey" => object.text(name, &entity.key.row),
        "Timestamp" => {
            if frame.level == MetadataLevel::Full {
                object.text("Timestamp@odata.type", "Edm.DateTime");
            }
            object.text(name, &time::iso8601(entity.timestamp));
        }
        _ => return false,
    }
    true
}

fn property(level: MetadataLevel, name: &str, value: &Value, object: &mut Object) {
    let annotated = match value {
        Value::String(_) | Value::Int32(_) | Value::Boolean(_) => None,
        Value::Double(number) => (!number.is_finite()).then_some("Edm.Double"),
        Value::Int64(_) => Some("Edm.Int64"),
        Value::DateTime(_) => Some("Edm.DateTime"),
        Value::Guid(_) => Some("Edm.Guid"),
        Value::Binary(_) => Some("Edm.Binary"),
    };
    if let Some(edm) = annotated.filter(|_| level >= MetadataLevel::Minimal) {
        object.annotation(name, edm);
    }
    match value {
        Value::String(text) => object.text(name, text),
        Value::Int32(number) => object.bare(name, &number.to_string()),
        Value::Int64(number) => object.text(name, &number.to_string()),
        Value::Double(number) if number.is_finite() => object.bare(name, &pointed(*number)),
        Value::Double(number) if number.is_nan() => object.text(name, "NaN"),
        Value::Double(number) => object.text(name, if *number > 0.0 { "Infinity" } else { "-Infinity" }),
        Value::Boolean(truth) => object.bare(name, if *truth { "true" } else { "false" }),
        Value::DateTime(time) => object.text(name, &date(*time)),
        Value::Guid(bits) => object.text(name, &guid::print(*bits)),
        Value::Binary(bytes) => object.text(name, &STANDARD.encode(bytes)),
    }
}

/// The shortest digits that read back as this number, with a point among them.
fn pointed(number: f64) -> String {
    let digits = format!("{number:?}");
    match digits.split_once('e') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0e{exponent}"),
        _ => digits,
    }
}

/// A date without the zeros at the end of its fraction, as the service writes those that users store.
fn date(time: storage_engine::clock::Timestamp) -> String {
    let text = time::iso8601(time);
    let short = text.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
    // The zeros of a fraction end at its point, so a whole second keeps its own.
    format!("{short}Z")
}

/// An object being written.
struct Object {
    out: String,
    first: bool,
}

impl Object {
    /// An object behind what is written already.
    fn open(mut out: String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    fn separate(&mut self) {
        if !self.first {
            self.out.push(',');
        }
        self.first = false;
    }

    fn key(&mut self, name: &str) {
        self.separate();
        quote(name, &mut self.out);
        self.out.push(':');
    }

    /// A member whose value is a text.
    fn text(&mut self, name: &str, text: &str) {
        self.key(name);
        quote(text, &mut self.out);
    }

    /// A member whose value is JSON already.
    fn bare(&mut self, name: &str, json: &str) {
        self.key(name);
        self.out.push_str(json);
    }

    /// The member that tells another's type.
    fn annotation(&mut self, name: &str, edm: &str) {
        self.separate();
        // Names of properties are identifiers, which need no escape.
        self.out.extend(["\"", name, "@odata.type\":\"", edm, "\""]);
    }

    fn close(mut self) -> String {
        self.out.push('}');
        self.out
    }
}

/// Writes a JSON string. What needs an escape is one byte, and no part of a longer character, so bytes are looked
/// at and what is between two escapes is copied as it is.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        let (plain, behind) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(plain);
        let mut behind = behind.chars();
        match behind.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            // Writing to a string cannot fail.
            Some(other) => _ = write!(out, "\\u{:04x}", u32::from(other)),
            None => {}
        }
        rest = behind.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage_engine::table::EntityKey;

    fn entity() -> Entity {
        Entity {
            key: EntityKey { partition: "a b'c".into(), row: "r".into() },
            timestamp: time::parse_iso8601("2026-01-02T03:04:05.1234567Z").unwrap(),
            properties: vec![
                ("I".into(), Value::Int64(5)),
                ("D".into(), Value::Double(1.0)),
                ("N".into(), Value::Double(f64::NAN)),
            ],
        }
    }

    #[test]
    fn the_minimal_level_tells_where_which_version_and_the_types_that_cannot_be_guessed() {
        let expected = concat!(
            r#"{"odata.metadata":"http://h/acc/$metadata#tab/@Element","#,
            r#""odata.etag":"W/\"datetime'2026-01-02T03%3A04%3A05.1234567Z'\"","#,
            r#""PartitionKey":"a b'c","RowKey":"r","Timestamp":"2026-01-02T03:04:05.1234567Z","#,
            r#""I@odata.type":"Edm.Int64","I":"5","D":1.0,"N@odata.type":"Edm.Double","N":"NaN"}"#,
        );
        assert_eq!(write_entity(&Frame::sample(MetadataLevel::Minimal), &entity()), expected);
    }

    #[test]
    fn the_full_level_adds_addresses_and_none_leaves_only_data() {
        let full = write_entity(&Frame::sample(MetadataLevel::Full), &entity());
        for part in [
            r#""odata.type":"acc.tab","odata.id":"http://h/acc/tab(PartitionKey='a%20b%27%27c',RowKey='r')""#,
            r#""odata.editLink":"tab(PartitionKey='a%20b%27%27c',RowKey='r')""#,
            r#""Timestamp@odata.type":"Edm.DateTime""#,
        ] {
            assert!(full.contains(part), "{part} in {full}");
        }
        let none = write_entity(&Frame::sample(MetadataLevel::None), &entity());
        assert!(!none.contains("odata"));
        assert!(none.ends_with(r#""I":"5","D":1.0,"N":"NaN"}"#));
    }

    #[test]
    fn what_is_selected_is_all_that_is_given_and_what_is_missing_is_null() {
        let mut frame = Frame::sample(MetadataLevel::None);
        frame.select = Some(vec!["D".into(), "Missing".into(), "RowKey".into()]);
        let page = write_entities(&frame, &[entity(), entity()]);
        let one = r#"{"D":1.0,"Missing":null,"RowKey":"r"}"#;
        assert_eq!(page, format!(r#"{{"value":[{one},{one}]}}"#));
    }

    #[test]
    fn collections_are_framed_and_may_be_empty() {
        let frame = Frame::sample(MetadataLevel::Minimal);
        let empty = r#"{"odata.metadata":"http://h/acc/$metadata#tab","value":[]}"#;
        assert_eq!(write_entities(&frame, &[]), empty);
        let tables = r#"{"odata.metadata":"http://h/acc/$metadata#Tables","value":[{"TableName":"a"},{"TableName":"b"}]}"#;
        assert_eq!(write_tables(&frame, &["a", "b"]), tables);
        let full = write_table(&Frame::sample(MetadataLevel::Full), "a");
        assert!(full.starts_with(
            r#"{"odata.metadata":"http://h/acc/$metadata#Tables/@Element","odata.type":"acc.Tables""#
        ));
        assert!(full.ends_with(
            r#""odata.id":"http://h/acc/Tables('a')","odata.editLink":"Tables('a')","TableName":"a"}"#
        ));
    }

    #[test]
    fn doubles_have_a_point_and_dates_no_needless_zeros() {
        for (number, text) in
            [(1.0, "1.0"), (-0.0, "-0.0"), (1e300, "1.0e300"), (1.5e-9, "1.5e-9"), (0.1, "0.1")]
        {
            assert_eq!(pointed(number), text);
        }
        for (sent, text) in [
            ("2008-07-10T00:00:00Z", "2008-07-10T00:00:00Z"),
            ("2008-07-10T10:20:30.1200000Z", "2008-07-10T10:20:30.12Z"),
            ("2008-07-10T10:20:30.0000001Z", "2008-07-10T10:20:30.0000001Z"),
        ] {
            assert_eq!(date(time::parse_iso8601(sent).unwrap()), text);
        }
    }

    #[test]
    fn strings_are_escaped_where_json_asks_for_it() {
        let mut out = String::new();
        quote("a\"b\\c\n\r\t\u{1}é\u{2028}/", &mut out);
        assert_eq!(out, "\"a\\\"b\\\\c\\n\\r\\t\\u0001é\u{2028}/\"");
    }
}
