//! How tables and entities are kept.
//!
//! | record | family | key | fields, version 1 |
//! |---|---|---|---|
//! | a table's payload | `Catalog` | see [`crate::catalog`] | its name as it was created; policies |
//! | an entity | `Entity` | table id, partition key, row key | timestamp; count of properties; name, type, value of each |
//!
//! Names stand in every row: a dictionary per table would save a few bytes each and be shared by all
//! partitions, so no scope could own it.

use super::filter::Seen;
use super::{Entity, EntityKey, Properties, Value};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::meta::key::{KeyBuilder, KeyReader};
use crate::meta::record::{Decoder, Encoder};
use crate::policy::{self, StoredPolicy};
use bytes::Bytes;
use std::cmp::Ordering;

const VERSION: u8 = 1;

const STRING: u8 = 1;
const INT32: u8 = 2;
const INT64: u8 = 3;
const DOUBLE: u8 = 4;
const BOOLEAN: u8 = 5;
const DATE_TIME: u8 = 6;
const GUID: u8 = 7;
const BINARY: u8 = 8;

/// How the keys of a partition's entities begin.
pub(super) fn partition_key(table: u64, partition: &str) -> Vec<u8> {
    KeyBuilder::new().u64(table).text(partition).finish()
}

/// The key of an entity.
pub(super) fn entity_key(table: u64, key: &EntityKey) -> Vec<u8> {
    KeyBuilder::new().u64(table).text(&key.partition).text(&key.row).finish()
}

/// The keys of the entity that is kept at `place`.
pub(super) fn keys_at(place: &[u8]) -> Result<EntityKey> {
    let mut pieces = KeyReader::new(place);
    pieces.u64()?;
    let key = EntityKey { partition: pieces.text()?, row: pieces.text()? };
    pieces.finish()?;
    Ok(key)
}

/// An entity's row.
pub(super) fn encode_entity(timestamp: Timestamp, properties: &Properties) -> Vec<u8> {
    let mut fields = Encoder::new(VERSION);
    fields.timestamp(timestamp).count(properties.len());
    for (name, value) in properties {
        fields.str(name);
        encode_value(&mut fields, value);
    }
    fields.finish()
}

/// The entity in the row `record`; only with the properties of these names, if there are any.
pub(super) fn decode_entity(key: EntityKey, record: &[u8], only: Option<&[String]>) -> Result<Entity> {
    let (_, mut fields) = Decoder::versioned("entity", VERSION, record)?;
    let timestamp = fields.timestamp()?;
    let count = fields.count()?;
    let mut properties = Vec::with_capacity(count.min(super::PROPERTIES_MAX));
    for _ in 0..count {
        let name = fields.str()?;
        if only.is_none_or(|only| only.iter().any(|wanted| wanted == name)) {
            properties.push((name.to_owned(), decode_value(&mut fields)?));
        } else {
            skip(&mut fields)?;
        }
    }
    fields.finish()?;
    Ok(Entity { key, timestamp, properties })
}

/// A row without its values taken out: where those of some properties stand.
///
/// A query that passes over rows reads of each what its filter asks for and nothing else: no text is copied,
/// and a row is read no further than to the last property that is wanted.
#[derive(Debug)]
pub(super) struct Glance<'q> {
    wanted: Vec<&'q str>,
    /// Where the value of each begins in the record that was looked at last; none if it has none.
    places: Vec<Option<usize>>,
}

impl<'q> Glance<'q> {
    /// For the properties of these names, in the order of [`by_length`] and each once.
    pub(super) fn new(wanted: Vec<&'q str>) -> Self {
        let places = vec![None; wanted.len()];
        Self { wanted, places }
    }

    /// Looks at a row; gives its timestamp.
    pub(super) fn at(&mut self, record: &[u8]) -> Result<Timestamp> {
        let (_, mut fields) = Decoder::versioned("entity", VERSION, record)?;
        let timestamp = fields.timestamp()?;
        let count = fields.count()?;
        self.places.fill(None);
        let mut missing = self.wanted.len();
        for _ in 0..if missing == 0 { 0 } else { count } {
            let name = fields.bytes()?;
            let found = self.wanted.binary_search_by(|wanted| by_length(wanted.as_bytes(), name));
            if let Some(place) = found.ok().and_then(|index| self.places.get_mut(index)) {
                *place = Some(record.len() - fields.rest().len());
                missing -= 1;
                if missing == 0 {
                    break;
                }
            }
            skip(&mut fields)?;
        }
        Ok(timestamp)
    }

    /// Where in the row that was looked at last the values are, in the order of their names; none for one that is
    /// missing.
    pub(super) fn places(&self) -> &[Option<usize>] {
        &self.places
    }
}

/// The value that is encoded at `place`.
#[inline]
pub(super) fn value_at(record: &[u8], place: usize) -> Result<Seen<'_>> {
    see(&mut fields_at(record, place))
}

/// The bytes of the value that is encoded at `place`.
pub(super) fn encoded_at(record: &[u8], place: usize) -> Result<&[u8]> {
    let mut fields = fields_at(record, place);
    let from = fields.rest();
    skip(&mut fields)?;
    Ok(from.get(..from.len() - fields.rest().len()).unwrap_or_default())
}

/// A timestamp, encoded as a value.
pub(super) fn encoded_timestamp(timestamp: Timestamp) -> Vec<u8> {
    [[DATE_TIME].as_slice(), &timestamp.ticks().to_be_bytes()].concat()
}

#[inline]
fn fields_at(record: &[u8], place: usize) -> Decoder<'_> {
    Decoder::amid("entity", record.get(place..).unwrap_or_default())
}

/// An order of names that seldom has to look into them: most names of a row are told apart by their length.
pub(super) fn by_length(left: &[u8], right: &[u8]) -> Ordering {
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

/// What the catalogue keeps about a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TableRecord {
    /// Its name as it was given when it was made.
    pub(super) name: String,
    pub(super) policies: Vec<StoredPolicy>,
}

impl TableRecord {
    /// A table's payload in the catalogue.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut fields = Encoder::new(VERSION);
        fields.str(&self.name);
        policy::encode(&mut fields, &self.policies);
        fields.finish()
    }

    /// The table in a payload.
    pub(super) fn decode(payload: &[u8]) -> Result<Self> {
        let (_, mut fields) = Decoder::versioned("table", VERSION, payload)?;
        let name = fields.str()?.to_owned();
        let policies = policy::decode(&mut fields)?;
        fields.finish()?;
        Ok(Self { name, policies })
    }
}

pub(super) fn encode_value(fields: &mut Encoder, value: &Value) {
    match value {
        Value::String(text) => fields.u8(STRING).str(text),
        Value::Int32(number) => fields.u8(INT32).raw(&number.to_be_bytes()),
        Value::Int64(number) => fields.u8(INT64).raw(&number.to_be_bytes()),
        Value::Double(number) => fields.u8(DOUBLE).u64(number.to_bits()),
        Value::Boolean(truth) => fields.u8(BOOLEAN).flag(*truth),
        Value::DateTime(moment) => fields.u8(DATE_TIME).timestamp(*moment),
        Value::Guid(guid) => fields.u8(GUID).u128(*guid),
        Value::Binary(bytes) => fields.u8(BINARY).bytes(bytes),
    };
}

fn decode_value(fields: &mut Decoder<'_>) -> Result<Value> {
    Ok(match fields.u8()? {
        STRING => Value::String(fields.str()?.to_owned()),
        INT32 => Value::Int32(i32::from_be_bytes(fields.array()?)),
        INT64 => Value::Int64(i64::from_be_bytes(fields.array()?)),
        DOUBLE => Value::Double(f64::from_bits(fields.u64()?)),
        BOOLEAN => Value::Boolean(fields.flag()?),
        DATE_TIME => Value::DateTime(fields.timestamp()?),
        GUID => Value::Guid(fields.u128()?),
        BINARY => Value::Binary(Bytes::copy_from_slice(fields.bytes()?)),
        _ => return Err(fields.damaged()),
    })
}

/// The next value, borrowed from the record.
#[inline]
pub(super) fn see<'r>(fields: &mut Decoder<'r>) -> Result<Seen<'r>> {
    Ok(match fields.u8()? {
        STRING => Seen::Text(fields.str()?),
        INT32 => Seen::Integer(i64::from(i32::from_be_bytes(fields.array()?))),
        INT64 => Seen::Integer(i64::from_be_bytes(fields.array()?)),
        DOUBLE => Seen::Double(f64::from_bits(fields.u64()?)),
        BOOLEAN => Seen::Boolean(fields.flag()?),
        DATE_TIME => Seen::Moment(fields.timestamp()?.ticks()),
        GUID => Seen::Guid(fields.u128()?),
        BINARY => Seen::Bytes(fields.bytes()?),
        _ => return Err(fields.damaged()),
    })
}

/// Passes over the next value.
#[inline]
fn skip(fields: &mut Decoder<'_>) -> Result<()> {
    match fields.u8()? {
        STRING | BINARY => fields.bytes().map(|_| ()),
        INT32 => fields.array::<4>().map(|_| ()),
        INT64 | DOUBLE | DATE_TIME => fields.array::<8>().map(|_| ()),
        BOOLEAN => fields.u8().map(|_| ()),
        GUID => fields.array::<16>().map(|_| ()),
        _ => Err(fields.damaged()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tests::some_policies;
    use crate::table::tests::{any_key, any_properties};
    use proptest::prelude::{any, proptest};
    use proptest::{collection, prop_assert_eq};
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn an_entity_comes_back_as_it_was_kept(key in any_key(), ticks in any::<u64>(), properties in any_properties()) {
            let timestamp = Timestamp::from_ticks(ticks);
            let back = decode_entity(key.clone(), &encode_entity(timestamp, &properties), None).unwrap();
            // By their text, because NaN is not equal to itself.
            prop_assert_eq!(format!("{:?}", back.properties), format!("{properties:?}"));
            prop_assert_eq!(back.timestamp, timestamp);
            prop_assert_eq!(keys_at(&entity_key(7, &key)).unwrap(), key);
        }

        #[test]
        fn damaged_records_are_errors_or_values_but_never_panics(record in collection::vec(any::<u8>(), 0..60)) {
            let key = EntityKey { partition: String::new(), row: String::new() };
            let mut glance = Glance::new(vec!["", "A"]);
            if glance.at(&record).is_ok() {
                for place in glance.places().iter().flatten() {
                    let _ = (value_at(&record, *place), encoded_at(&record, *place));
                }
            }
            let _ = (decode_entity(key, &record, Some(&[])), TableRecord::decode(&record), keys_at(&record));
        }
    }

    proptest! {
        #[test]
        fn a_glance_sees_what_decoding_gives(properties in any_properties(), wanted in collection::vec("[A-D]", 0..4)) {
            let record = encode_entity(Timestamp::from_ticks(9), &properties);
            let names = wanted.iter().map(String::as_str).collect::<BTreeSet<_>>();
            let mut glance = Glance::new(names.iter().copied().collect());
            // Twice, because it is used for one row after the other.
            for _ in 0..2 {
                prop_assert_eq!(glance.at(&record).unwrap(), Timestamp::from_ticks(9));
                for (name, place) in names.iter().zip(glance.places()) {
                    let value = properties.iter().find(|(held, _)| held == name).map(|(_, value)| value);
                    let seen = place.map(|place| value_at(&record, place).unwrap());
                    prop_assert_eq!(format!("{seen:?}"), format!("{:?}", value.map(Seen::from)));
                    let encoded = place.map(|place| encoded_at(&record, place).unwrap().to_vec());
                    let expected = value.map(|value| {
                        let mut fields = Encoder::new(VERSION);
                        encode_value(&mut fields, value);
                        fields.finish().split_off(1)
                    });
                    prop_assert_eq!(encoded, expected);
                }
            }
            let key = EntityKey { partition: String::new(), row: String::new() };
            let part = decode_entity(key, &record, Some(&wanted)).unwrap().properties;
            let expected: Properties = properties.into_iter().filter(|(name, _)| wanted.contains(name)).collect();
            prop_assert_eq!(format!("{part:?}"), format!("{expected:?}"));
        }
    }

    #[test]
    fn a_table_comes_back_with_its_policies() {
        let record = TableRecord { name: "Tab".to_owned(), policies: some_policies() };
        assert_eq!(TableRecord::decode(&record.encode()).unwrap(), record);
    }

    #[test]
    fn entities_of_a_partition_begin_with_its_key_and_those_of_others_do_not() {
        let key = |partition: &str, row: &str| {
            entity_key(7, &EntityKey { partition: partition.into(), row: row.into() })
        };
        assert!(key("a", "x").starts_with(&partition_key(7, "a")));
        assert!(!key("ab", "x").starts_with(&partition_key(7, "a")));
        assert!(key("a", "z") < key("ab", "a") && key("a", "z") < key("a\0", ""));
    }
}
