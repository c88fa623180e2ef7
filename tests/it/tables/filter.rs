//! Filters of the model: a random tree, a text that means it, and whether it holds.

use std::cmp::Ordering;

use super::value::{Properties, Value};
use super::{KEYS, NAMES, pick};
use crate::random::Random;

#[derive(Clone, Debug)]
pub(super) enum Tree {
    And(Box<Tree>, Box<Tree>),
    Or(Box<Tree>, Box<Tree>),
    Not(Box<Tree>),
    Compare(Side, &'static str, Side),
    Alone(&'static str),
}

#[derive(Clone, Debug)]
pub(super) enum Side {
    Property(&'static str),
    Literal(Value),
}

const OPERATORS: [&str; 6] = ["eq", "ne", "gt", "ge", "lt", "le"];

impl Tree {
    pub(super) fn random(random: &mut Random, depth: u32) -> Self {
        let choice = if depth == 0 { 10 } else { random.below(14) };
        let mut inner = || Box::new(Self::random(random, depth.saturating_sub(1)));
        match choice {
            0..=2 => Self::And(inner(), inner()),
            3..=4 => Self::Or(inner(), inner()),
            5 => Self::Not(inner()),
            6..=8 => {
                let key = Side::Property(pick(random, &["PartitionKey", "RowKey"]));
                let text = Side::Literal(Value::Text(pick(random, &KEYS).to_owned()));
                Self::either_way(random, key, text)
            }
            9 => Self::Alone(pick(random, &NAMES)),
            10 if random.below(8) == 0 => {
                let (one, other) =
                    (Side::Property(pick(random, &NAMES)), Side::Property(pick(random, &NAMES)));
                Self::either_way(random, one, other)
            }
            _ => {
                let literal = Side::Literal(Value::random(random));
                let property = Side::Property(pick(random, &NAMES));
                Self::either_way(random, property, literal)
            }
        }
    }

    fn either_way(random: &mut Random, one: Side, other: Side) -> Self {
        let operator = pick(random, &OPERATORS);
        if random.below(3) == 0 {
            Self::Compare(other, operator, one)
        } else {
            Self::Compare(one, operator, other)
        }
    }

    /// A text that means this tree. Parentheses stand where precedence asks for them, and by chance elsewhere.
    pub(super) fn print(&self, random: &mut Random) -> String {
        match self {
            Self::Or(one, other) => {
                format!("{} or {}", one.print_in(random, 0), other.print_in(random, 1))
            }
            Self::And(one, other) => {
                format!("{} and {}", one.print_in(random, 1), other.print_in(random, 2))
            }
            // Whether `not` binds tighter than a comparison is told differently; so it always has parentheses.
            Self::Not(inner) => format!("not{}({})", pick(random, &[" ", ""]), inner.print(random)),
            Self::Compare(one, operator, other) => {
                let (one, other) = (one.print(random), other.print(random));
                let space = pick(random, &[" ", "  "]);
                format!("{one}{space}{operator}{space}{other}")
            }
            Self::Alone(name) => (*name).to_owned(),
        }
    }

    /// As [`Tree::print`], inside of what binds as tight as this: 0 `or`, 1 `and`, 2 what is in it.
    fn print_in(&self, random: &mut Random, tightness: u32) -> String {
        let own = match self {
            Self::Or(..) => 0,
            Self::And(..) => 1,
            _ => 2,
        };
        let text = self.print(random);
        if own < tightness || random.below(4) == 0 { format!("({text})") } else { text }
    }

    /// Whether it holds for an entity.
    pub(super) fn holds(&self, entity: &Properties) -> bool {
        match self {
            Self::And(one, other) => one.holds(entity) && other.holds(entity),
            Self::Or(one, other) => one.holds(entity) || other.holds(entity),
            Self::Not(inner) => !inner.holds(entity),
            Self::Alone(name) => entity.get(*name) == Some(&Value::Boolean(true)),
            Self::Compare(one, operator, other) => {
                let (Some(one), Some(other)) = (one.of(entity), other.of(entity)) else { return false };
                let Some(order) = one.compare(other) else { return false };
                match *operator {
                    "eq" => order == Some(Ordering::Equal),
                    "ne" => order != Some(Ordering::Equal),
                    "gt" => order == Some(Ordering::Greater),
                    "ge" => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
                    "lt" => order == Some(Ordering::Less),
                    _ => matches!(order, Some(Ordering::Less | Ordering::Equal)),
                }
            }
        }
    }
}

impl Side {
    fn of<'a>(&'a self, entity: &'a Properties) -> Option<&'a Value> {
        match self {
            Self::Property(name) => entity.get(*name),
            Self::Literal(value) => Some(value),
        }
    }

    fn print(&self, random: &mut Random) -> String {
        let text = match self {
            Self::Property(name) => (*name).to_owned(),
            Self::Literal(value) => value.literal(random),
        };
        if random.below(8) == 0 { format!("({text})") } else { text }
    }
}
