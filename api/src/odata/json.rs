//! Entities and tables as JSON. Page "Payload format for Table service operations".
//!
//! Read with `serde_json` into a list of members, because a map would hide a property that occurs twice, and
//! written by hand into one string, because entities are the hot path of every query.

mod read;
mod write;

pub(crate) use read::{read_entity, read_table_name};
pub(crate) use write::{Frame, write_entities, write_entity, write_table, write_tables};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::odata::MetadataLevel;
    use proptest::prelude::*;
    use storage_engine::clock::Timestamp;
    use storage_engine::table::{Entity, EntityKey, Properties, Value};

    /// Ticks of 1601-01-01, before which there are no dates.
    const FIRST_TICKS: u64 = 504_911_232_000_000_000;

    fn values() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<String>().prop_map(Value::String),
            any::<i32>().prop_map(Value::Int32),
            any::<i64>().prop_map(Value::Int64),
            (prop::num::f64::ANY.prop_filter("not a number", |number| !number.is_nan()))
                .prop_map(Value::Double),
            any::<bool>().prop_map(Value::Boolean),
            (FIRST_TICKS..=Timestamp::MAX.ticks())
                .prop_map(|ticks| Value::DateTime(Timestamp::from_ticks(ticks))),
            any::<u128>().prop_map(Value::Guid),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Value::Binary(bytes.into())),
        ]
    }

    fn entity(properties: Vec<Value>) -> Entity {
        let named = properties.into_iter().enumerate().map(|(index, value)| (format!("P{index}"), value));
        Entity {
            key: EntityKey { partition: "O'Brien".into(), row: "\"r\"".into() },
            timestamp: Timestamp::from_unix_seconds(1_700_000_000),
            properties: named.collect(),
        }
    }

    proptest! {
        #[test]
        fn what_is_written_with_its_types_reads_back(values in prop::collection::vec(values(), 0..12)) {
            let entity = entity(values);
            for level in [MetadataLevel::Minimal, MetadataLevel::Full] {
                let text = write_entity(&Frame::sample(level), &entity);
                let read = read_entity(text.as_bytes()).unwrap();
                prop_assert_eq!(read.partition.as_ref(), Some(&entity.key.partition));
                prop_assert_eq!(read.row.as_ref(), Some(&entity.key.row));
                prop_assert_eq!(&read.properties, &entity.properties, "{}", text);
            }
        }

        #[test]
        fn without_types_only_the_guessable_ones_come_back(values in prop::collection::vec(values(), 0..12)) {
            let entity = entity(values);
            let text = write_entity(&Frame::sample(MetadataLevel::None), &entity);
            let guessed: Properties = read_entity(text.as_bytes()).unwrap().properties;
            for ((name, read), (_, written)) in guessed.iter().zip(&entity.properties) {
                let finite = !matches!(written, Value::Double(number) if !number.is_finite());
                let guessable = matches!(
                    written,
                    Value::String(_) | Value::Int32(_) | Value::Double(_) | Value::Boolean(_)
                );
                prop_assert_eq!(read == written, finite && guessable, "{} {:?}", name, read);
            }
        }

        #[test]
        fn nothing_is_too_odd_to_be_refused(bytes: Vec<u8>, text in "[{}\\[\\]\",:@a-z0-9.\\\\-]{0,60}") {
            let _ = (read_entity(&bytes).is_ok(), read_entity(text.as_bytes()).is_ok());
            let _ = read_table_name(text.as_bytes());
        }
    }
}
