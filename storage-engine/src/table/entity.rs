//! The verbs on entities, as they run on the store's thread: one read, the checks, one write.
//!
//! All changes of one verb bear its time as their version. Two changes of the same entity in one batch would
//! hence make the same version twice; the front refuses such batches, as the service does.

use super::record::{decode_entity, encode_entity, entity_key};
use super::{Change, ENTITY_BYTES_MAX, Entity, EntityKey, Expected, PROPERTIES_MAX, Properties, Value};
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::meta::{Family, Transaction, View};

/// The entity, if there is one.
pub(super) fn find<V: View + ?Sized>(view: &V, table: u64, key: &EntityKey) -> Result<Option<Entity>> {
    let row = view.get(Family::Entity, &entity_key(table, key))?;
    row.map(|row| decode_entity(key.clone(), &row, None)).transpose()
}

/// Makes one change; gives the entity's new version.
pub(super) fn change(
    transaction: &mut dyn Transaction,
    table: u64,
    key: &EntityKey,
    change: &Change,
) -> Result<Timestamp> {
    let held = find(transaction, table, key)?;
    let new = match change {
        Change::Insert(_) if held.is_some() => return Err(EngineError::EntityExists),
        Change::Insert(properties) => Some(properties.clone()),
        Change::Replace(expected, properties) => {
            check(*expected, held.as_ref())?;
            Some(properties.clone())
        }
        Change::Merge(expected, properties) => {
            check(*expected, held.as_ref())?;
            Some(merged(held.map(|entity| entity.properties).unwrap_or_default(), properties))
        }
        Change::Delete(expected) => {
            // There is no such thing as a removal of what need not be there.
            check(*expected, held.as_ref())?;
            held.ok_or(EngineError::EntityNotFound)?;
            None
        }
    };
    let (place, now) = (entity_key(table, key), transaction.now());
    match new {
        Some(properties) => {
            measure(key, &properties)?;
            transaction.put(Family::Entity, &place, &encode_entity(now, &properties));
        }
        None => transaction.delete(Family::Entity, &place),
    }
    Ok(now)
}

/// Makes all changes of one partition, in order, or fails with the position of the one that cannot be made.
pub(super) fn batch(
    transaction: &mut dyn Transaction,
    table: u64,
    changes: &[(EntityKey, Change)],
) -> Result<Vec<Timestamp>> {
    let made = changes.iter().enumerate().map(|(index, (key, wanted))| {
        change(transaction, table, key, wanted)
            .map_err(|source| EngineError::Batch { index, source: Box::new(source) })
    });
    made.collect()
}

fn check(expected: Expected, held: Option<&Entity>) -> Result<()> {
    match (expected, held) {
        (Expected::Whatever, _) | (Expected::Existing, Some(_)) => Ok(()),
        (Expected::Version(version), Some(entity)) if entity.timestamp == version => Ok(()),
        (Expected::Existing | Expected::Version(_), None) => Err(EngineError::EntityNotFound),
        (Expected::Version(_), Some(_)) => Err(EngineError::EntityChanged),
    }
}

/// The properties held, with those given in place of their namesakes or behind the others.
fn merged(mut held: Properties, given: &Properties) -> Properties {
    for (name, value) in given {
        match held.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value.clone(),
            None => held.push((name.clone(), value.clone())),
        }
    }
    held
}

/// Whether an entity may be so large, by the service's own way of counting: names and texts at two bytes a
/// UTF-16 unit, four for the entity and eight for each property.
fn measure(key: &EntityKey, properties: &Properties) -> Result<()> {
    if properties.len() > PROPERTIES_MAX {
        return Err(EngineError::TooManyProperties);
    }
    let sizes = properties.iter().map(|(name, value)| 8 + utf16_bytes(name) + value_bytes(value));
    let bytes = 4 + utf16_bytes(&key.partition) + utf16_bytes(&key.row) + sizes.sum::<usize>();
    if bytes > ENTITY_BYTES_MAX { Err(EngineError::EntityTooLarge) } else { Ok(()) }
}

fn utf16_bytes(text: &str) -> usize {
    2 * text.encode_utf16().count()
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => 4 + utf16_bytes(text),
        Value::Binary(bytes) => 4 + bytes.len(),
        Value::Boolean(_) => 1,
        Value::Int32(_) => 4,
        Value::Int64(_) | Value::Double(_) | Value::DateTime(_) => 8,
        Value::Guid(_) => 16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held() -> Entity {
        let key = EntityKey { partition: "p".into(), row: "r".into() };
        Entity { key, timestamp: Timestamp::from_ticks(5), properties: Vec::new() }
    }

    #[test]
    fn a_write_is_for_the_version_it_names() {
        let there = held();
        assert!(check(Expected::Whatever, None).is_ok() && check(Expected::Whatever, Some(&there)).is_ok());
        assert!(check(Expected::Existing, Some(&there)).is_ok());
        assert!(check(Expected::Version(Timestamp::from_ticks(5)), Some(&there)).is_ok());
        let other = Expected::Version(Timestamp::from_ticks(6));
        assert!(matches!(check(other, Some(&there)), Err(EngineError::EntityChanged)));
        for expected in [Expected::Existing, Expected::Version(Timestamp::from_ticks(5))] {
            assert!(matches!(check(expected, None), Err(EngineError::EntityNotFound)));
        }
    }

    #[test]
    fn merging_keeps_what_is_not_given() {
        let one = |name: &str, number| (name.to_owned(), Value::Int32(number));
        let result = merged(vec![one("A", 1), one("B", 2)], &vec![one("C", 3), one("A", 4)]);
        assert_eq!(result, [one("A", 4), one("B", 2), one("C", 3)]);
    }

    #[test]
    fn an_entity_may_have_just_so_many_properties_and_bytes() {
        let key = held().key;
        let many = |count: usize| (0..count).map(|n| (format!("P{n}"), Value::Boolean(true))).collect();
        assert!(measure(&key, &many(PROPERTIES_MAX)).is_ok());
        assert!(matches!(measure(&key, &many(PROPERTIES_MAX + 1)), Err(EngineError::TooManyProperties)));
        // 4 for the entity, 2 for each key, 8 + 2 + 4 for the property.
        let fitting = ENTITY_BYTES_MAX - 4 - 4 - 14;
        let binary = |bytes: usize| vec![("A".to_owned(), Value::Binary(vec![0; bytes].into()))];
        assert!(measure(&key, &binary(fitting)).is_ok());
        assert!(matches!(measure(&key, &binary(fitting + 1)), Err(EngineError::EntityTooLarge)));
    }
}
