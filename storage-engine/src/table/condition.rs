//! A filter made ready to be asked of very many rows.
//!
//! Names become places in a list before the first row, so that no row compares them again, and literals become what
//! they compare as. Inside one partition what is said of the partition key is decided once, and all that this decides
//! goes with it ([`Condition::in_partition`]); most queries name a partition.
//!
//! It is asked of one row by a walk over its tree ([`Condition::holds`]), which is a tenth of what it takes to come to
//! the row and find its values, and of up to 64 rows at once by the same walk over their columns
//! ([`Condition::among`]).

use super::column::{Columns, Values, compared, true_by_itself};
use super::filter::Seen;
use super::record::by_length;
use super::{Comparison, Entity, Filter, Operand, Value};
use crate::error::Result;

/// What an operand looks at in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    PartitionKey,
    RowKey,
    Timestamp,
    /// The property of this place among [`Condition::names`].
    Property(usize),
}

/// What a condition is asked of.
pub(super) trait Fields {
    /// The field's value; none if there is none.
    fn field(&self, field: Field) -> Result<Option<Seen<'_>>>;
}

/// A filter whose names are looked up.
#[derive(Debug, Clone)]
pub(super) struct Condition<'q> {
    names: Vec<&'q str>,
    node: Node<'q>,
}

#[derive(Debug, Clone)]
enum Node<'q> {
    Known(bool),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Compare(Term<'q>, Comparison, Term<'q>),
    Bare(Term<'q>),
}

#[derive(Debug, Clone, Copy)]
enum Term<'q> {
    Literal(Seen<'q>),
    Field(Field),
}

impl<'q> Condition<'q> {
    /// The condition that `filter` is.
    pub(super) fn of(filter: &'q Filter) -> Self {
        let mut names = Vec::new();
        filter.names(&mut names);
        names.retain(|name| key_or_timestamp(name).is_none());
        names.sort_unstable_by(|a, b| by_length(a.as_bytes(), b.as_bytes()));
        names.dedup();
        let node = Node::of(filter, &names);
        Self { names, node }
    }

    /// The properties that it looks at, keys and timestamp left out: in the order of [`by_length`], each once.
    pub(super) fn names(&self) -> &[&'q str] {
        &self.names
    }

    /// Whether it looks at this field.
    pub(super) fn looks_at(&self, field: Field) -> bool {
        self.node.looks_at(field)
    }

    /// Whether it holds for what has these fields.
    ///
    /// # Errors
    /// Those of reading the fields.
    pub(super) fn holds<F: Fields>(&self, fields: &F) -> Result<bool> {
        self.node.holds(fields)
    }

    /// In which of the entities it holds: a bit for each, the lowest for the first.
    ///
    /// # Errors
    /// If a column is damaged.
    pub(super) fn among(&self, entities: Columns<'_>) -> Result<u64> {
        let others = u64::MAX.checked_shl(u32::try_from(entities.rows).unwrap_or(u32::MAX)).unwrap_or(0);
        Ok(self.node.among(entities)? & !others)
    }

    /// The condition as it is among entities of one partition. It may look at less, but has the same names.
    pub(super) fn in_partition(&self, partition: &str) -> Self {
        Self { names: self.names.clone(), node: self.node.in_partition(&OnlyPartition(partition)) }
    }
}

impl<'q> Node<'q> {
    fn of(filter: &'q Filter, names: &[&'q str]) -> Self {
        let node = |inner| Box::new(Self::of(inner, names));
        match filter {
            Filter::And(left, right) => Self::And(node(left), node(right)),
            Filter::Or(left, right) => Self::Or(node(left), node(right)),
            Filter::Not(inner) => Self::Not(node(inner)),
            Filter::Compare(left, comparison, right) => {
                Self::Compare(Term::of(left, names), *comparison, Term::of(right, names))
            }
            Filter::Bare(operand) => Self::Bare(Term::of(operand, names)),
        }
    }

    fn holds<F: Fields>(&self, fields: &F) -> Result<bool> {
        Ok(match self {
            Self::Known(truth) => *truth,
            Self::And(left, right) => left.holds(fields)? && right.holds(fields)?,
            Self::Or(left, right) => left.holds(fields)? || right.holds(fields)?,
            Self::Not(inner) => !inner.holds(fields)?,
            Self::Compare(left, comparison, right) => {
                comparison.holds_between(left.see(fields)?, right.see(fields)?)
            }
            Self::Bare(term) => matches!(term.see(fields)?, Some(Seen::Boolean(true))),
        })
    }

    fn among(&self, entities: Columns<'_>) -> Result<u64> {
        let rows = entities.rows;
        Ok(match self {
            Self::Known(truth) => {
                if *truth {
                    u64::MAX
                } else {
                    0
                }
            }
            Self::And(left, right) => match left.among(entities)? {
                0 => 0,
                bits => bits & right.among(entities)?,
            },
            Self::Or(left, right) => left.among(entities)? | right.among(entities)?,
            Self::Not(inner) => !inner.among(entities)?,
            Self::Compare(left, comparison, right) => {
                compared(left.among(entities), *comparison, right.among(entities), rows)?
            }
            Self::Bare(term) => true_by_itself(term.among(entities), rows)?,
        })
    }

    fn in_partition(&self, partition: &OnlyPartition<'_>) -> Self {
        let inside = |inner: &Self| inner.in_partition(partition);
        match self {
            Self::And(left, right) => match (inside(left), inside(right)) {
                (Self::Known(true), other) | (other, Self::Known(true)) => other,
                (Self::Known(false), _) | (_, Self::Known(false)) => Self::Known(false),
                (left, right) => Self::And(Box::new(left), Box::new(right)),
            },
            Self::Or(left, right) => match (inside(left), inside(right)) {
                (Self::Known(false), other) | (other, Self::Known(false)) => other,
                (Self::Known(true), _) | (_, Self::Known(true)) => Self::Known(true),
                (left, right) => Self::Or(Box::new(left), Box::new(right)),
            },
            Self::Not(inner) => match inside(inner) {
                Self::Known(truth) => Self::Known(!truth),
                inner => Self::Not(Box::new(inner)),
            },
            Self::Compare(left, _, right) if left.is_known() && right.is_known() => self.known(partition),
            Self::Bare(term) if term.is_known() => self.known(partition),
            Self::Known(_) | Self::Compare(..) | Self::Bare(_) => self.clone(),
        }
    }

    fn known(&self, partition: &OnlyPartition<'_>) -> Self {
        // Literals and the name of a partition have been read: nothing is left that could be damaged.
        Self::Known(self.holds(partition).unwrap_or(false))
    }

    fn looks_at(&self, field: Field) -> bool {
        match self {
            Self::Known(_) => false,
            Self::And(left, right) | Self::Or(left, right) => left.looks_at(field) || right.looks_at(field),
            Self::Not(inner) => inner.looks_at(field),
            Self::Compare(left, _, right) => left.is(field) || right.is(field),
            Self::Bare(term) => term.is(field),
        }
    }
}

impl<'q> Term<'q> {
    fn of(operand: &'q Operand, names: &[&'q str]) -> Self {
        match operand {
            Operand::Literal(value) => Self::Literal(Seen::from(value)),
            Operand::Property(name) => Self::Field(key_or_timestamp(name).unwrap_or_else(|| {
                let place = names.iter().position(|known| known == name);
                // All names were gathered from the same filter, so it is there.
                Field::Property(place.unwrap_or(usize::MAX))
            })),
        }
    }

    fn see<'s, F: Fields>(&'s self, fields: &'s F) -> Result<Option<Seen<'s>>> {
        match self {
            Self::Literal(seen) => Ok(Some(*seen)),
            Self::Field(field) => fields.field(*field),
        }
    }

    fn among<'s>(&'s self, entities: Columns<'s>) -> Values<'s> {
        match self {
            Self::Literal(seen) => Values::Same(Some(*seen)),
            Self::Field(field) => entities.values(*field),
        }
    }

    fn is(&self, field: Field) -> bool {
        matches!(self, Self::Field(own) if *own == field)
    }

    /// Whether nothing but the partition has to be known to know it.
    fn is_known(&self) -> bool {
        matches!(self, Self::Literal(_) | Self::Field(Field::PartitionKey))
    }
}

fn key_or_timestamp(name: &str) -> Option<Field> {
    match name {
        "PartitionKey" => Some(Field::PartitionKey),
        "RowKey" => Some(Field::RowKey),
        "Timestamp" => Some(Field::Timestamp),
        _ => None,
    }
}

/// A row of which nothing is known but its partition.
struct OnlyPartition<'a>(&'a str);

impl Fields for OnlyPartition<'_> {
    fn field(&self, field: Field) -> Result<Option<Seen<'_>>> {
        Ok((field == Field::PartitionKey).then_some(Seen::Text(self.0)))
    }
}

/// An entity that is decoded, and the names of a condition.
pub(super) struct Decoded<'a>(pub(super) &'a Entity, pub(super) &'a [&'a str]);

impl Fields for Decoded<'_> {
    fn field(&self, field: Field) -> Result<Option<Seen<'_>>> {
        let Self(entity, names) = self;
        let property = |name: &&str| entity.properties.iter().find(|(held, _)| held == name);
        Ok(match field {
            Field::PartitionKey => Some(Seen::Text(&entity.key.partition)),
            Field::RowKey => Some(Seen::Text(&entity.key.row)),
            Field::Timestamp => Some(Seen::Moment(entity.timestamp.ticks())),
            Field::Property(place) => {
                names.get(place).and_then(property).map(|(_, value): &(String, Value)| Seen::from(value))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::table::EntityKey;

    fn property(name: &str) -> Operand {
        Operand::Property(name.into())
    }

    proptest::proptest! {
        #[test]
        fn in_a_partition_a_condition_says_the_same(
            shape: Vec<u8>,
            partition in "[ab]",
            number in 0..2_i32,
        ) {
            let mut filter = Filter::Bare(property("Yes"));
            for step in shape.into_iter().take(12) {
                let text = if step & 1 == 0 { "a" } else { "b" };
                let literal = Operand::Literal(Value::String(text.into()));
                let leaf = match step >> 6 {
                    0 => Filter::Compare(property("PartitionKey"), Comparison::ALL[usize::from(step >> 3) % 6], literal),
                    1 => Filter::Compare(literal, Comparison::ALL[usize::from(step >> 3) % 6], property("PartitionKey")),
                    2 => Filter::Compare(property("N"), Comparison::Equal, Operand::Literal(Value::Int32(1))),
                    _ => Filter::Bare(Operand::Literal(Value::Boolean(step & 8 == 0))),
                };
                filter = match (step >> 1) & 3 {
                    0 => Filter::And(Box::new(leaf), Box::new(filter)),
                    1 => Filter::Or(Box::new(filter), Box::new(leaf)),
                    2 => Filter::And(Box::new(filter), Box::new(leaf)),
                    _ => Filter::Not(Box::new(Filter::Or(Box::new(leaf), Box::new(filter)))),
                };
            }
            let holder = Entity {
                key: EntityKey { partition: partition.clone(), row: "r".into() },
                timestamp: Timestamp::from_ticks(100),
                properties: vec![
                    ("N".to_owned(), Value::Int32(number)),
                    ("Yes".to_owned(), Value::Boolean(number == 0)),
                ],
            };
            let condition = Condition::of(&filter);
            let inside = condition.in_partition(&partition);
            proptest::prop_assert!(!inside.looks_at(Field::PartitionKey), "{inside:?}");
            let fields = Decoded(&holder, condition.names());
            proptest::prop_assert_eq!(inside.holds(&fields).unwrap(), condition.holds(&fields).unwrap());
            proptest::prop_assert_eq!(condition.holds(&fields).unwrap(), filter.matches(&holder));
        }
    }

    #[test]
    fn each_name_is_looked_up_once() {
        let bare = |name: &str| Box::new(Filter::Bare(property(name)));
        let filter = Filter::And(
            bare("B"),
            Box::new(Filter::Or(bare("RowKey"), Box::new(Filter::Or(bare("A"), bare("B"))))),
        );
        let condition = Condition::of(&filter);
        assert_eq!(condition.names(), ["A", "B"]);
        assert!(condition.looks_at(Field::RowKey) && condition.looks_at(Field::Property(1)));
        assert!(!condition.looks_at(Field::PartitionKey) && !condition.looks_at(Field::Timestamp));
    }
}
