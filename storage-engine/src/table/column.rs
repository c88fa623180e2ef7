//! Columns: what some entities, behind one another, hold under one name, and what a comparison says of all of them at
//! once.
//!
//! The answer is a bit for each entity, so `and`, `or` and `not` of 64 entities are one instruction. Numbers and
//! moments, of which the properties that programs search by mostly are, stand as plain words and are compared in a loop
//! that has no branch; all others, and columns of several kinds, stay as their records encode them and are compared one
//! by one, by the rules of [`super::filter`].

use super::Comparison;
use super::condition::Field;
use super::filter::Seen;
use super::record::see;
use crate::error::Result;
use crate::meta::record::Decoder;
use std::slice;

/// Most entities of a column: the bits of an answer.
pub(super) const ROWS_MAX: usize = 64;
/// In place of a value that an entity does not have; no value's encoding begins so.
pub(super) const MISSING: u8 = 0;

/// Values under one name.
#[derive(Debug)]
pub(super) enum Column {
    /// Only integers, of either width.
    Integers(Box<[i64]>),
    /// Only moments, in ticks.
    Moments(Box<[u64]>),
    /// Any, encoded.
    Encoded(Box<[u8]>),
}

impl Column {
    /// The column of these values, each encoded or [`MISSING`].
    pub(super) fn of(encoded: &[u8]) -> Self {
        let integer = |seen: Seen<'_>| if let Seen::Integer(number) = seen { Some(number) } else { None };
        let moment = |seen: Seen<'_>| if let Seen::Moment(ticks) = seen { Some(ticks) } else { None };
        if let Some(integers) = all(encoded, integer) {
            return Self::Integers(integers);
        }
        all(encoded, moment).map_or_else(|| Self::Encoded(encoded.into()), Self::Moments)
    }

    /// Its bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Integers(values) => size_of_val(&**values),
                Self::Moments(values) => size_of_val(&**values),
                Self::Encoded(values) => values.len(),
            }
    }

    fn values(&self) -> Values<'_> {
        match self {
            Self::Integers(values) => Values::Integers(values.iter()),
            Self::Moments(values) => Values::Moments(values.iter()),
            Self::Encoded(values) => Values::Encoded(Decoder::amid("excerpt", values)),
        }
    }
}

/// All values, if `take` takes every one of them.
fn all<T>(encoded: &[u8], take: impl Fn(Seen<'_>) -> Option<T>) -> Option<Box<[T]>> {
    let mut fields = Decoder::amid("excerpt", encoded);
    let mut values = Vec::with_capacity(ROWS_MAX);
    while !fields.rest().is_empty() {
        values.push(take(see_or_miss(&mut fields).ok()??)?);
    }
    Some(values.into())
}

fn see_or_miss<'r>(fields: &mut Decoder<'r>) -> Result<Option<Seen<'r>>> {
    if let [MISSING, rest @ ..] = fields.rest() {
        *fields = Decoder::amid("excerpt", rest);
        return Ok(None);
    }
    see(fields).map(Some)
}

/// The columns of some entities of a partition. There is none of row keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns<'a> {
    /// How many entities.
    pub(super) rows: usize,
    /// Their partition key.
    pub(super) partition: &'a str,
    /// The properties, in the order of their names, and behind them, if it is looked at, the timestamp.
    pub(super) held: &'a [Column],
}

impl<'a> Columns<'a> {
    /// The values of a field.
    pub(super) fn values(&self, field: Field) -> Values<'a> {
        let column = match field {
            Field::PartitionKey => return Values::Same(Some(Seen::Text(self.partition))),
            Field::RowKey => None,
            Field::Timestamp => self.held.last(),
            Field::Property(place) => self.held.get(place),
        };
        column.map_or(Values::Same(None), Column::values)
    }
}

/// The values of one side of a comparison, one entity after the other.
#[derive(Debug, Clone)]
pub(super) enum Values<'a> {
    /// The same one every time.
    Same(Option<Seen<'a>>),
    Integers(slice::Iter<'a, i64>),
    Moments(slice::Iter<'a, u64>),
    Encoded(Decoder<'a>),
}

impl<'a> Values<'a> {
    fn next(&mut self) -> Result<Option<Seen<'a>>> {
        match self {
            Self::Same(seen) => Ok(*seen),
            Self::Integers(values) => Ok(values.next().copied().map(Seen::Integer)),
            Self::Moments(values) => Ok(values.next().copied().map(Seen::Moment)),
            Self::Encoded(values) => see_or_miss(values),
        }
    }
}

/// In which of the first `rows` entities the comparison holds: a bit for each, the lowest for the first. What the
/// others are, is not said.
pub(super) fn compared(
    left: Values<'_>,
    comparison: Comparison,
    right: Values<'_>,
    rows: usize,
) -> Result<u64> {
    match (left, right) {
        (Values::Integers(left), Values::Same(Some(Seen::Integer(right)))) => {
            Ok(compared_with(left.as_slice(), comparison, right))
        }
        (Values::Moments(left), Values::Same(Some(Seen::Moment(right)))) => {
            Ok(compared_with(left.as_slice(), comparison, right))
        }
        (left @ Values::Same(_), right @ (Values::Integers(_) | Values::Moments(_))) => {
            compared(right, comparison.mirrored(), left, rows)
        }
        (left, right) => one_by_one(left, right, rows, |left, right| comparison.holds_between(left, right)),
    }
}

/// The same for a value that has to be true by itself.
pub(super) fn true_by_itself(values: Values<'_>, rows: usize) -> Result<u64> {
    one_by_one(values, Values::Same(None), rows, |value, _| matches!(value, Some(Seen::Boolean(true))))
}

fn compared_with<T: Copy + PartialOrd>(values: &[T], comparison: Comparison, with: T) -> u64 {
    match comparison {
        Comparison::Equal => bits(values, |value| value == with),
        Comparison::NotEqual => bits(values, |value| value != with),
        Comparison::Greater => bits(values, |value| value > with),
        Comparison::GreaterOrEqual => bits(values, |value| value >= with),
        Comparison::Less => bits(values, |value| value < with),
        Comparison::LessOrEqual => bits(values, |value| value <= with),
    }
}

fn bits<T: Copy>(values: &[T], holds: impl Fn(T) -> bool) -> u64 {
    values.iter().rev().fold(0, |bits, value| bits << 1 | u64::from(holds(*value)))
}

fn one_by_one(
    mut left: Values<'_>,
    mut right: Values<'_>,
    rows: usize,
    holds: impl Fn(Option<Seen<'_>>, Option<Seen<'_>>) -> bool,
) -> Result<u64> {
    let mut bits = 0;
    for row in 0..rows {
        bits |= u64::from(holds(left.next()?, right.next()?)) << row;
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::meta::record::Encoder;
    use crate::table::Value;
    use crate::table::record::encode_value;
    use crate::table::tests::{any_comparison, any_value};
    use proptest::prelude::{Strategy, any, proptest};
    use proptest::{collection, option, prop_assert_eq, prop_oneof};

    /// Values of one kind, of another, or of any, of which some may be missing.
    fn any_values() -> impl Strategy<Value = Vec<Option<Value>>> {
        let integer = || prop_oneof![(-2_i32..3).prop_map(Value::Int32), (-2_i64..3).prop_map(Value::Int64)];
        let moment = (0_u64..3).prop_map(|ticks| Value::DateTime(Timestamp::from_ticks(ticks)));
        prop_oneof![
            collection::vec(integer().prop_map(Some), 0..=ROWS_MAX),
            collection::vec(moment.prop_map(Some), 0..=ROWS_MAX),
            collection::vec(option::weighted(0.9, integer()), 0..=ROWS_MAX),
            collection::vec(option::weighted(0.9, any_value()), 0..=ROWS_MAX),
        ]
    }

    fn column(values: &[Option<Value>]) -> Column {
        let mut encoded = Vec::new();
        for value in values {
            match value {
                Some(value) => {
                    let mut fields = Encoder::new(1);
                    encode_value(&mut fields, value);
                    encoded.extend_from_slice(&fields.finish()[1..]);
                }
                None => encoded.push(MISSING),
            }
        }
        Column::of(&encoded)
    }

    proptest! {
        #[test]
        fn all_at_once_are_compared_as_one_by_one(
            values in any_values(),
            others in any_values(),
            comparison in any_comparison(),
            literal in prop_oneof![any_value(), (-2_i32..3).prop_map(Value::Int32)],
            on_the_left in any::<bool>(),
        ) {
            let (column, other) = (column(&values), column(&others));
            let holds = |left: Option<&Value>, right: Option<&Value>| {
                comparison.holds_between(left.map(Seen::from), right.map(Seen::from))
            };
            let bit = |row: usize, bits: u64| bits >> row & 1 == 1;
            let same = || Values::Same(Some(Seen::from(&literal)));
            let (left, right) = if on_the_left { (same(), column.values()) } else { (column.values(), same()) };
            let bits = compared(left, comparison, right, values.len()).unwrap();
            for (row, value) in values.iter().enumerate() {
                let (value, literal) = (value.as_ref(), Some(&literal));
                let expected = if on_the_left { holds(literal, value) } else { holds(value, literal) };
                prop_assert_eq!(bit(row, bits), expected);
            }
            let rows = values.len().min(others.len());
            let bits = compared(column.values(), comparison, other.values(), rows).unwrap();
            for (row, (value, other)) in values.iter().zip(&others).enumerate() {
                prop_assert_eq!(bit(row, bits), holds(value.as_ref(), other.as_ref()));
            }
            let bits = true_by_itself(column.values(), values.len()).unwrap();
            for (row, value) in values.iter().enumerate() {
                prop_assert_eq!(bit(row, bits), *value == Some(Value::Boolean(true)));
            }
        }
    }

    #[test]
    fn columns_of_one_kind_stand_as_words() {
        let integers = [Value::Int32(-1), Value::Int64(i64::MAX)].map(Some);
        assert!(matches!(column(&integers), Column::Integers(values) if *values == [-1, i64::MAX]));
        let moment = Some(Value::DateTime(Timestamp::from_ticks(7)));
        assert!(matches!(column(std::slice::from_ref(&moment)), Column::Moments(values) if *values == [7]));
        assert!(matches!(column(&[moment.clone(), None]), Column::Encoded(_)));
        assert!(matches!(column(&[moment, Some(Value::Int32(1))]), Column::Encoded(_)));
    }
}
