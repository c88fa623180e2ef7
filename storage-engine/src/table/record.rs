//! How tables and entities are kept.
//!
//! | record | family | key | fields, version 1 |
//! |---|---|---|---|
//! | a table's payload | `Catalog` | see [`crate::catalog`] | its name as it was created; policies |
//! | an entity | `Entity` | table id, partition key, row key | timestamp; count of properties; name, type, value of each |
//!
//! Names stand in every row: a dictionary per table would save a few bytes each and be shared by all
//! partitions, so no scope could own it.

use super::{Entity, EntityKey, Properties, Value};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::meta::key::{KeyBuilder, KeyReader};
use crate::meta::record::{Decoder, Encoder};
use crate::policy::{self, StoredPolicy};
use bytes::Bytes;

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

/// The keys of the entity that is kept under `key`.
pub(super) fn decode_key(key: &[u8]) -> Result<EntityKey> {
    let mut pieces = KeyReader::new(key);
    pieces.u64()?;
    let decoded = EntityKey { partition: pieces.text()?, row: pieces.text()? };
    pieces.finish()?;
    Ok(decoded)
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

/// The entity in the row `record`.
pub(super) fn decode_entity(key: EntityKey, record: &[u8]) -> Result<Entity> {
    let (_, mut fields) = Decoder::versioned("entity", VERSION, record)?;
    let timestamp = fields.timestamp()?;
    let count = fields.count()?;
    let mut properties = Vec::with_capacity(count.min(super::PROPERTIES_MAX));
    for _ in 0..count {
        let name = fields.str()?.to_owned();
        properties.push((name, decode_value(&mut fields)?));
    }
    fields.finish()?;
    Ok(Entity { key, timestamp, properties })
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

fn encode_value(fields: &mut Encoder, value: &Value) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tests::some_policies;
    use crate::table::tests::{any_key, any_properties};
    use proptest::prelude::{any, proptest};
    use proptest::{collection, prop_assert_eq};

    proptest! {
        #[test]
        fn an_entity_comes_back_as_it_was_kept(key in any_key(), ticks in any::<u64>(), properties in any_properties()) {
            let timestamp = Timestamp::from_ticks(ticks);
            let back = decode_entity(key.clone(), &encode_entity(timestamp, &properties)).unwrap();
            // By their text, because NaN is not equal to itself.
            prop_assert_eq!(format!("{:?}", back.properties), format!("{properties:?}"));
            prop_assert_eq!(back.timestamp, timestamp);
            prop_assert_eq!(decode_key(&entity_key(7, &key)).unwrap(), key);
        }

        #[test]
        fn damaged_records_are_errors_or_values_but_never_panics(record in collection::vec(any::<u8>(), 0..60)) {
            let key = EntityKey { partition: String::new(), row: String::new() };
            let _ = (decode_entity(key, &record), TableRecord::decode(&record), decode_key(&record));
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
