//! Filter expressions over entities: the tree, and when a comparison holds. Parsing is the front's, and how many rows
//! are asked at little cost is in [`super::condition`].
//!
//! # When a comparison holds
//! Both sides must be there and of one kind, else it is false, whatever the operator, `ne` included: a table
//! has no schema, so an entity without the property, or with another type under its name, is simply none of
//! those that were asked for. The kinds are text, number (all three widths, compared by value and not by
//! first rounding one to the other's type), Boolean, moment, GUID and bytes. Text compares by UTF-16 code
//! units, as keys are ordered, so `PartitionKey ge 'x'` names the same entities whether it became a bound of
//! the scan or is evaluated. NaN differs from every number and is in no order with any.
//!
//! # Depth
//! Evaluation recurses as deep as the tree is. The tree's depth is bounded by whoever builds it: the front
//! refuses filters of more than a few comparisons.

use super::condition::{Condition, Decoded};
use super::{Entity, Value};
use crate::meta::key::raised;
use std::cmp::Ordering;

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `eq`
    Equal,
    /// `ne`
    NotEqual,
    /// `gt`
    Greater,
    /// `ge`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `le`
    LessOrEqual,
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A property, by name; `PartitionKey`, `RowKey` and `Timestamp` included.
    Property(String),
    /// A constant.
    Literal(Value),
}

/// A condition on an entity.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Both hold.
    And(Box<Filter>, Box<Filter>),
    /// One holds.
    Or(Box<Filter>, Box<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// A comparison. False if a property is missing or the types cannot be compared.
    Compare(Operand, Comparison, Operand),
    /// A Boolean property, or `true` or `false`, by itself.
    Bare(Operand),
}

impl Comparison {
    /// All of them.
    #[cfg(test)]
    pub(super) const ALL: [Self; 6] =
        [Self::Equal, Self::NotEqual, Self::Greater, Self::GreaterOrEqual, Self::Less, Self::LessOrEqual];

    /// The operator that says the same when the sides are exchanged.
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::Equal | Self::NotEqual => self,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
        }
    }

    /// Whether the operator holds between two values, of which either may be missing.
    pub(super) fn holds_between(self, left: Option<Seen<'_>>, right: Option<Seen<'_>>) -> bool {
        let (Some(left), Some(right)) = (left, right) else { return false };
        left.compare(&right).is_some_and(|order| self.holds(order))
    }

    /// Whether the operator holds between sides of this order; none: they are numbers in no order.
    fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::NotEqual => order != Some(Ordering::Equal),
            Self::Greater => order == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            Self::Less => order == Some(Ordering::Less),
            Self::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        }
    }
}

impl Filter {
    /// Whether the condition holds for `entity`.
    pub fn matches(&self, entity: &Entity) -> bool {
        let condition = Condition::of(self);
        // An entity that is decoded has nothing left that could be damaged.
        condition.holds(&Decoded(entity, condition.names())).unwrap_or(false)
    }

    /// Adds the names of the properties that the condition looks at, each as often as it does.
    pub(super) fn names<'a>(&'a self, into: &mut Vec<&'a str>) {
        let mut operand = |operand: &'a Operand| {
            if let Operand::Property(name) = operand {
                into.push(name);
            }
        };
        match self {
            Self::And(left, right) | Self::Or(left, right) => {
                left.names(into);
                right.names(into);
            }
            Self::Not(inner) => inner.names(into),
            Self::Compare(left, _, right) => {
                operand(left);
                operand(right);
            }
            Self::Bare(only) => operand(only),
        }
    }
}

/// An operand's value, borrowed, with the types that compare as one made one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Seen<'a> {
    Text(&'a str),
    Integer(i64),
    Double(f64),
    Boolean(bool),
    Moment(u64),
    Guid(u128),
    Bytes(&'a [u8]),
}

impl Seen<'_> {
    /// The order of the two: none if they are of different kinds, `Some(None)` if they are numbers of which
    /// one is NaN.
    #[expect(clippy::option_option, reason = "not comparable and unordered are different answers")]
    fn compare(&self, other: &Self) -> Option<Option<Ordering>> {
        Some(match (*self, *other) {
            (Self::Text(left), Self::Text(right)) => Some(compare_text(left, right)),
            (Self::Integer(left), Self::Integer(right)) => Some(left.cmp(&right)),
            (Self::Double(left), Self::Double(right)) => left.partial_cmp(&right),
            (Self::Integer(left), Self::Double(right)) => compare_integer(left, right),
            (Self::Double(left), Self::Integer(right)) => compare_integer(right, left).map(Ordering::reverse),
            (Self::Boolean(left), Self::Boolean(right)) => Some(left.cmp(&right)),
            (Self::Moment(left), Self::Moment(right)) => Some(left.cmp(&right)),
            (Self::Guid(left), Self::Guid(right)) => Some(left.cmp(&right)),
            (Self::Bytes(left), Self::Bytes(right)) => Some(left.cmp(right)),
            _ => return None,
        })
    }
}

impl<'a> From<&'a Value> for Seen<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text),
            Value::Int32(number) => Self::Integer(i64::from(*number)),
            Value::Int64(number) => Self::Integer(*number),
            Value::Double(number) => Self::Double(*number),
            Value::Boolean(truth) => Self::Boolean(*truth),
            Value::DateTime(moment) => Self::Moment(moment.ticks()),
            Value::Guid(guid) => Self::Guid(*guid),
            Value::Binary(bytes) => Self::Bytes(bytes),
        }
    }
}

/// The order of two texts by UTF-16 code units, which is that of keys, told from their bytes as keys tell it.
pub(super) fn compare_text(left: &str, right: &str) -> Ordering {
    left.bytes().map(raised).cmp(right.bytes().map(raised))
}

/// The exact order of an integer and a double, none for NaN.
///
/// The integer is split into halves that are doubles without loss. Their sum is the double nearest to the
/// integer; since rounding keeps order, it decides unless it equals `double`. Then `double` differs from the
/// upper half by a whole number of at most 2^32, which the subtraction gives exactly.
fn compare_integer(integer: i64, double: f64) -> Option<Ordering> {
    let upper = f64::from(i32::try_from(integer >> 32).ok()?) * 4_294_967_296.0;
    let lower = f64::from(u32::try_from(integer & 0xFFFF_FFFF).ok()?);
    match (upper + lower).partial_cmp(&double)? {
        Ordering::Equal => lower.partial_cmp(&(double - upper)),
        decided => Some(decided),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::table::EntityKey;
    use bytes::Bytes;

    fn entity(properties: &[(&str, Value)]) -> Entity {
        Entity {
            key: EntityKey { partition: "p".into(), row: "r".into() },
            timestamp: Timestamp::from_ticks(100),
            properties: properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        }
    }

    fn property(name: &str) -> Operand {
        Operand::Property(name.into())
    }

    /// Which of eq, ne, gt, ge, lt, le hold between the values, as a text of six digits.
    fn truths(left: Value, right: Value) -> String {
        let (holder, right) = (entity(&[("A", left)]), Operand::Literal(right));
        let digit = |comparison: Comparison| {
            let filter = Filter::Compare(property("A"), comparison, right.clone());
            let mirror = Filter::Compare(right.clone(), comparison.mirrored(), property("A"));
            assert_eq!(filter.matches(&holder), mirror.matches(&holder));
            if filter.matches(&holder) { '1' } else { '0' }
        };
        Comparison::ALL.into_iter().map(digit).collect()
    }

    const EQUAL: &str = "100101";
    const GREATER: &str = "011100";
    const LESS: &str = "010011";
    const NEVER: &str = "000000";

    #[test]
    fn numbers_of_all_widths_compare_by_value() {
        assert_eq!(truths(Value::Int32(5), Value::Int64(5)), EQUAL);
        assert_eq!(truths(Value::Int64(-5), Value::Double(-5.0)), EQUAL);
        assert_eq!(truths(Value::Double(5.5), Value::Int32(5)), GREATER);
        assert_eq!(truths(Value::Int32(-1), Value::Double(f64::INFINITY)), LESS);
    }

    #[test]
    fn integers_next_to_large_doubles_are_told_apart() {
        let round = 9_007_199_254_740_992_i64; // 2^53: above it not every integer is a double
        assert_eq!(truths(Value::Int64(round), Value::Double(9_007_199_254_740_992.0)), EQUAL);
        assert_eq!(truths(Value::Int64(round + 1), Value::Double(9_007_199_254_740_992.0)), GREATER);
        assert_eq!(truths(Value::Int64(-round - 1), Value::Double(-9_007_199_254_740_992.0)), LESS);
        assert_eq!(truths(Value::Int64(i64::MAX), Value::Double(9_223_372_036_854_775_808.0)), LESS);
        assert_eq!(truths(Value::Int64(i64::MIN), Value::Double(-9_223_372_036_854_775_808.0)), EQUAL);
    }

    #[test]
    fn nan_differs_from_all_numbers_and_is_in_no_order() {
        for other in [Value::Int32(1), Value::Int64(1), Value::Double(1.0), Value::Double(f64::NAN)] {
            assert_eq!(truths(Value::Double(f64::NAN), other), "010000");
        }
    }

    #[test]
    fn values_of_different_kinds_never_compare() {
        let moment = Value::DateTime(Timestamp::from_ticks(1));
        assert_eq!(truths(Value::String("1".into()), Value::Int32(1)), NEVER);
        assert_eq!(truths(moment, Value::String("0001-01-01T00:00:00Z".into())), NEVER);
        assert_eq!(truths(Value::Guid(1), Value::Int64(1)), NEVER);
        assert_eq!(truths(Value::Boolean(true), Value::Int32(1)), NEVER);
        assert_eq!(truths(Value::Binary(Bytes::from_static(b"a")), Value::String("a".into())), NEVER);
    }

    #[test]
    fn a_missing_property_makes_every_comparison_false() {
        for comparison in Comparison::ALL {
            let filter = Filter::Compare(property("None"), comparison, Operand::Literal(Value::Int32(1)));
            assert!(!filter.matches(&entity(&[])));
            assert!(Filter::Not(Box::new(filter)).matches(&entity(&[])));
        }
    }

    #[test]
    fn text_is_ordered_by_utf16_code_units() {
        // U+FF5E is a greater unit than the first surrogate of U+1F600, though the smaller code point.
        assert_eq!(truths(Value::String("\u{ff5e}".into()), Value::String("\u{1f600}".into())), GREATER);
        assert_eq!(truths(Value::String("a".into()), Value::String("B".into())), GREATER);
        assert_eq!(truths(Value::String("a".into()), Value::String("ab".into())), LESS);
    }

    proptest::proptest! {
        #[test]
        fn texts_compare_as_their_units_do(left: String, right: String, both: String) {
            for (one, other) in [(left.clone(), right.clone()), (both.clone() + &left, both + &right)] {
                let units = |text: &str| text.encode_utf16().collect::<Vec<_>>();
                proptest::prop_assert_eq!(compare_text(&one, &other), units(&one).cmp(&units(&other)));
            }
        }
    }

    #[test]
    fn keys_and_timestamp_are_properties() {
        let holder = entity(&[]);
        let equal = |name: &str, value| {
            Filter::Compare(property(name), Comparison::Equal, Operand::Literal(value)).matches(&holder)
        };
        assert!(equal("PartitionKey", Value::String("p".into())));
        assert!(equal("RowKey", Value::String("r".into())));
        assert!(equal("Timestamp", Value::DateTime(Timestamp::from_ticks(100))));
        assert!(!equal("RowKey", Value::String("R".into())));
    }

    #[test]
    fn a_bare_operand_holds_only_when_it_is_true() {
        let holder =
            entity(&[("Yes", Value::Boolean(true)), ("No", Value::Boolean(false)), ("One", Value::Int32(1))]);
        assert!(Filter::Bare(property("Yes")).matches(&holder));
        for name in ["No", "One", "None"] {
            assert!(!Filter::Bare(property(name)).matches(&holder), "{name}");
        }
        assert!(Filter::Bare(Operand::Literal(Value::Boolean(true))).matches(&holder));
    }
}
