//! Reading: members in their order, their types, the rules for names and values.
//!
//! A property's type is that of its `@odata.type` member, which may come before or after it, or else the one
//! that its JSON has. `null` stands for a property that is not there. Members about the entity itself
//! (`odata.etag` and the like), which a client sends back when it writes what it has read, are passed over, and
//! so is `Timestamp`, which only the service sets.

use crate::error::{ErrorCode, StorageError};
use crate::odata::address::check_key;
use crate::odata::{invalid, parse_double};
use crate::{guid, time};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use std::collections::{HashMap, HashSet};
use std::fmt;
use storage_engine::clock::Timestamp;
use storage_engine::table::{PROPERTIES_MAX, Properties, Value};

/// Most members of a document: every property with its type, and what comes with the entity.
const MEMBERS_MAX: usize = 2 * (PROPERTIES_MAX + 3) + 16;
/// Most UTF-16 units of a property's name.
const NAME_UNITS_MAX: usize = 255;
/// Most UTF-16 units of a string: 64 KiB.
const STRING_UNITS_MAX: usize = 32 << 10;
/// Most bytes of a binary.
const BINARY_BYTES_MAX: usize = 64 << 10;
/// 1601-01-01, the first date.
const FIRST_DATE: Timestamp = Timestamp::from_ticks(504_911_232_000_000_000);
const TYPE_SUFFIX: &str = "@odata.type";

/// An entity as it was sent. Keys may be missing where the address has them.
#[derive(Debug, PartialEq)]
pub(crate) struct EntityDocument {
    /// `PartitionKey`
    pub(crate) partition: Option<String>,
    /// `RowKey`
    pub(crate) row: Option<String>,
    /// Everything else.
    pub(crate) properties: Properties,
}

/// Reads an entity.
///
/// # Errors
/// `InvalidInput` for what is no JSON object of properties; the vendor's own error for a property that breaks
/// a rule.
pub(crate) fn read_entity(document: &[u8]) -> Result<EntityDocument, StorageError> {
    let members = members(document)?;
    let types = types(&members)?;
    let mut entity = EntityDocument { partition: None, row: None, properties: Vec::new() };
    for ((name, value), edm) in members.into_iter().zip(types) {
        if name.starts_with("odata.") || name.contains("@odata.") || name == "Timestamp" {
            continue;
        }
        check_name(&name)?;
        let wrong = || invalid(format_args!("The value of the property '{name}' is not of its type."));
        if matches!(value, Json::Null) {
            continue;
        }
        let value = typed(edm, value).ok_or_else(wrong)?;
        if matches!(value, Value::DateTime(time) if time < FIRST_DATE) {
            // What every client's empty date meets, so the service's own code for it matters.
            return Err(StorageError::new(ErrorCode::OutOfRangeInput));
        }
        match (name.as_str(), value) {
            ("PartitionKey", Value::String(key)) => entity.partition = Some(checked_key(key)?),
            ("RowKey", Value::String(key)) => entity.row = Some(checked_key(key)?),
            ("PartitionKey" | "RowKey", _) => return Err(wrong()),
            (_, value) => {
                check_size(&value)?;
                entity.properties.push((name, value));
            }
        }
    }
    if entity.properties.len() > PROPERTIES_MAX {
        return Err(StorageError::new(ErrorCode::TooManyProperties));
    }
    Ok(entity)
}

/// Reads the name of a table that is to be made.
///
/// # Errors
/// `InvalidInput` for what is no JSON object, `PropertiesNeedValue` if it has no name.
pub(crate) fn read_table_name(document: &[u8]) -> Result<String, StorageError> {
    let name = members(document)?.into_iter().find(|(name, _)| name == "TableName");
    match name {
        Some((_, Json::Text(name))) => Ok(name),
        _ => Err(StorageError::new(ErrorCode::PropertiesNeedValue)),
    }
}

/// A value as JSON has it.
#[derive(Debug)]
enum Json {
    Null,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(String),
}

/// A type that a member names.
#[derive(Debug, Clone, Copy)]
enum Edm {
    String,
    Int32,
    Int64,
    Double,
    Boolean,
    DateTime,
    Guid,
    Binary,
}

impl Edm {
    fn of_name(name: &str) -> Option<Self> {
        Some(match name.strip_prefix("Edm.")? {
            "String" => Self::String,
            "Int32" => Self::Int32,
            "Int64" => Self::Int64,
            "Double" => Self::Double,
            "Boolean" => Self::Boolean,
            "DateTime" => Self::DateTime,
            "Guid" => Self::Guid,
            "Binary" => Self::Binary,
            _ => return None,
        })
    }
}

fn members(document: &[u8]) -> Result<Vec<(String, Json)>, StorageError> {
    let document = document.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(document);
    let Members(members) = serde_json::from_slice(document)
        .map_err(|error| invalid("The body is not a JSON object of simple values.").caused_by(error))?;
    if members.len() > MEMBERS_MAX {
        return Err(StorageError::new(ErrorCode::TooManyProperties));
    }
    Ok(members)
}

/// The type that each member has by another member.
fn types(members: &[(String, Json)]) -> Result<Vec<Option<Edm>>, StorageError> {
    let mut names = HashSet::with_capacity(members.len());
    let mut named_types: HashMap<&str, Edm> = HashMap::new();
    for (name, value) in members {
        if !names.insert(name.as_str()) {
            return Err(StorageError::new(ErrorCode::DuplicatePropertiesSpecified));
        }
        let Some(property) = name.strip_suffix(TYPE_SUFFIX) else { continue };
        let edm = if let Json::Text(text) = value { Edm::of_name(text) } else { None };
        let edm =
            edm.ok_or_else(|| invalid(format_args!("The type of the property '{property}' is not known.")))?;
        named_types.insert(property, edm);
    }
    Ok(members.iter().map(|(name, _)| named_types.get(name.as_str()).copied()).collect())
}

/// The value in its type; none if the type cannot have it.
fn typed(edm: Option<Edm>, json: Json) -> Option<Value> {
    Some(match (edm, json) {
        (_, Json::Null) => return None,
        (None | Some(Edm::Boolean), Json::Boolean(truth)) => Value::Boolean(truth),
        // A number that is too wide for its own type is the nearest double, as the service reads it.
        (None, Json::Integer(number)) => {
            i32::try_from(number).map_or_else(|_| Value::Double(widened(number)), Value::Int32)
        }
        (None | Some(Edm::Double), Json::Number(number)) => Value::Double(number),
        (None | Some(Edm::String), Json::Text(text)) => Value::String(text),
        (Some(Edm::Int32), Json::Integer(number)) => Value::Int32(i32::try_from(number).ok()?),
        (Some(Edm::Int32), Json::Text(text)) => Value::Int32(text.parse().ok()?),
        (Some(Edm::Int64), Json::Integer(number)) => Value::Int64(number),
        (Some(Edm::Int64), Json::Text(text)) => Value::Int64(text.parse().ok()?),
        (Some(Edm::Double), Json::Integer(number)) => Value::Double(widened(number)),
        (Some(Edm::Double), Json::Text(text)) => Value::Double(double(&text)?),
        (Some(Edm::DateTime), Json::Text(text)) => Value::DateTime(time::parse_iso8601(&text)?),
        (Some(Edm::Guid), Json::Text(text)) => Value::Guid(guid::parse(&text)?),
        (Some(Edm::Binary), Json::Text(text)) => Value::Binary(STANDARD.decode(text).ok()?.into()),
        (Some(_), Json::Boolean(_) | Json::Number(_) | Json::Integer(_) | Json::Text(_)) => {
            return None;
        }
    })
}

fn double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" | "INF" => Some(f64::INFINITY),
        "-Infinity" | "-INF" => Some(f64::NEG_INFINITY),
        _ => parse_double(text),
    }
}

#[expect(clippy::cast_precision_loss, reason = "the nearest double is what is asked for")]
fn widened(number: i64) -> f64 {
    number as f64
}

fn checked_key(key: String) -> Result<String, StorageError> {
    check_key(&key).map(|()| key)
}

/// A name is an identifier: a letter or `_`, then letters, digits and `_`.
fn check_name(name: &str) -> Result<(), StorageError> {
    if name.encode_utf16().count() > NAME_UNITS_MAX {
        return Err(StorageError::new(ErrorCode::PropertyNameTooLong));
    }
    let starts = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    if !starts || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return Err(StorageError::new(ErrorCode::PropertyNameInvalid));
    }
    Ok(())
}

fn check_size(value: &Value) -> Result<(), StorageError> {
    let fits = match value {
        // Counting is needed only for what may be too long.
        Value::String(text) => {
            text.len() <= STRING_UNITS_MAX || text.encode_utf16().count() <= STRING_UNITS_MAX
        }
        Value::Binary(bytes) => bytes.len() <= BINARY_BYTES_MAX,
        _ => true,
    };
    if fits { Ok(()) } else { Err(StorageError::new(ErrorCode::PropertyValueTooLarge)) }
}

/// The members of an object, in their order; a few more than allowed, if there are more.
struct Members(Vec<(String, Json)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while members.len() <= MEMBERS_MAX {
            let Some(member) = map.next_entry()? else { return Ok(Members(members)) };
            members.push(member);
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Members(members))
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl Visitor<'_> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number, true, false or null")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Json, E> {
        Ok(Json::Boolean(truth))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Integer(number))
    }

    #[expect(clippy::cast_precision_loss, reason = "the nearest double is what is asked for")]
    fn visit_u64<E: Error>(self, number: u64) -> Result<Json, E> {
        Ok(i64::try_from(number).map_or(Json::Number(number as f64), Json::Integer))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(json: &str) -> Properties {
        read_entity(json.as_bytes()).unwrap().properties
    }

    fn code(json: &str) -> ErrorCode {
        read_entity(json.as_bytes()).unwrap_err().code
    }

    #[test]
    fn json_kinds_give_types_and_annotations_give_the_others() {
        let json = r#"{"odata.etag":"x","PartitionKey":"p","A":"s","B":5,"C":5.0,"D":true,"E":null,"F":3000000000,
            "G@odata.type":"Edm.Int64","G":"9007199254740993","H":"NaN","H@odata.type":"Edm.Double",
            "I":7,"I@odata.type":"Edm.Double","Timestamp":"nonsense","Timestamp@odata.type":"Edm.DateTime"}"#;
        let entity = read_entity(json.as_bytes()).unwrap();
        assert_eq!((entity.partition.as_deref(), entity.row), (Some("p"), None));
        let mut properties = entity.properties;
        let nan = properties.remove(6);
        assert!(matches!(nan, (name, Value::Double(number)) if name == "H" && number.is_nan()));
        let expected = [
            ("A", Value::String("s".into())),
            ("B", Value::Int32(5)),
            ("C", Value::Double(5.0)),
            ("D", Value::Boolean(true)),
            ("F", Value::Double(3e9)),
            ("G", Value::Int64(9_007_199_254_740_993)),
            ("I", Value::Double(7.0)),
        ];
        assert_eq!(properties, expected.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn values_that_their_type_cannot_have_are_refused() {
        for (edm, value) in [
            ("Edm.Int32", "3000000000"),
            ("Edm.Int32", "true"),
            ("Edm.Int64", "\"9223372036854775808\""),
            ("Edm.Int64", "1.5"),
            ("Edm.Double", "\"inf\""),
            ("Edm.Boolean", "\"true\""),
            ("Edm.DateTime", "\"2026-11-22T01:02:03.12345678Z\""),
            ("Edm.Guid", "\"1\""),
            ("Edm.Binary", "\"?\""),
            ("Edm.String", "5"),
            ("Edm.Byte", "5"),
        ] {
            let json = format!(r#"{{"A@odata.type":"{edm}","A":{value}}}"#);
            assert_eq!(code(&json), ErrorCode::InvalidInput, "{json}");
        }
        for (date, expected) in [
            ("0001-01-01T00:00:00Z", Err(ErrorCode::OutOfRangeInput)),
            ("1600-12-31T23:59:59.9999999Z", Err(ErrorCode::OutOfRangeInput)),
            ("1601-01-01T00:00:00Z", Ok(())),
            ("9999-12-31T23:59:59.9999999Z", Ok(())),
        ] {
            let json = format!(r#"{{"A@odata.type":"Edm.DateTime","A":"{date}"}}"#);
            let read = read_entity(json.as_bytes()).map(|_| ()).map_err(|error| error.code);
            assert_eq!(read, expected, "{date}");
        }
    }

    #[test]
    fn what_is_not_an_object_of_simple_values_is_refused() {
        for bad in
            ["", "[]", "5", "{", "{}x", r#"{"A":[]}"#, r#"{"A":{}}"#, r#"{"A":1e999}"#, "{\"A\":\"\u{1}\"}"]
        {
            assert_eq!(code(bad), ErrorCode::InvalidInput, "{bad}");
        }
        assert_eq!(code(r#"{"PartitionKey":5}"#), ErrorCode::InvalidInput);
        assert_eq!(code(r#"{"A":1,"A@odata.type":5}"#), ErrorCode::InvalidInput);
        assert!(read_entity(b"\xEF\xBB\xBF{}").is_ok());
    }

    #[test]
    fn names_are_identifiers_that_occur_once() {
        assert_eq!(code(r#"{"A":1,"A":2}"#), ErrorCode::DuplicatePropertiesSpecified);
        assert_eq!(properties(r#"{"A":1,"a":2,"_é1":3}"#).len(), 3);
        for bad in ["", "1a", "a-b", "a b", "a@b", "."] {
            assert_eq!(code(&format!(r#"{{"{bad}":1}}"#)), ErrorCode::PropertyNameInvalid, "{bad}");
        }
        let named = |units| format!(r#"{{"{}":1}}"#, "a".repeat(units));
        assert_eq!(properties(&named(255)).len(), 1);
        assert_eq!(code(&named(256)), ErrorCode::PropertyNameTooLong);
    }

    #[test]
    fn entities_are_bounded_in_width_and_values_in_length() {
        let wide = |count: usize| {
            let members: Vec<_> = (0..count).map(|index| format!("\"P{index}\":{index}")).collect();
            format!("{{{}}}", members.join(","))
        };
        assert_eq!(properties(&wide(252)).len(), 252);
        assert_eq!(code(&wide(253)), ErrorCode::TooManyProperties);
        assert_eq!(code(&wide(50_000)), ErrorCode::TooManyProperties);
        let long = |units| format!(r#"{{"A":"{}"}}"#, "é".repeat(units));
        assert_eq!(properties(&long(32 << 10)).len(), 1);
        assert_eq!(code(&long((32 << 10) + 1)), ErrorCode::PropertyValueTooLarge);
        let binary =
            |bytes| format!(r#"{{"A@odata.type":"Edm.Binary","A":"{}"}}"#, STANDARD.encode(vec![0; bytes]));
        assert_eq!(properties(&binary(64 << 10)).len(), 1);
        assert_eq!(code(&binary((64 << 10) + 1)), ErrorCode::PropertyValueTooLarge);
        assert_eq!(code(r#"{"RowKey":"a/b"}"#), ErrorCode::OutOfRangeInput);
    }

    #[test]
    fn tables_have_a_name() {
        assert_eq!(read_table_name(br#"{"TableName":"t"}"#).unwrap(), "t");
        for (bad, code) in [
            (&b"{}"[..], ErrorCode::PropertiesNeedValue),
            (br#"{"TableName":5}"#, ErrorCode::PropertiesNeedValue),
            (b"t", ErrorCode::InvalidInput),
        ] {
            assert_eq!(read_table_name(bad).unwrap_err().code, code);
        }
    }
}
