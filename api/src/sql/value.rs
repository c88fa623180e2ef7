//! Values and what they become when types meet.

use super::Fault;
use super::expression::Type;
use super::moment;
use chrono::{DateTime, FixedOffset};
use std::borrow::Cow;
use std::cmp::Ordering;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Not in the record at all.
    Missing,
    /// In the record, and nothing.
    Null,
    /// True or false.
    Boolean(bool),
    /// 64 bits with a sign.
    Int(i64),
    /// 64 bits with a fraction.
    Float(f64),
    /// Text.
    Text(String),
    /// A point in time, with the offset that it was written with.
    Timestamp(DateTime<FixedOffset>),
    /// An object or an array.
    Tree(serde_json::Value),
}

impl Value {
    /// Whether there is nothing to work with.
    pub(crate) const fn is_null(&self) -> bool {
        matches!(self, Self::Missing | Self::Null)
    }

    /// A JSON value as one of ours.
    pub(crate) fn of_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(truth) => Self::Boolean(*truth),
            serde_json::Value::Number(number) => {
                number.as_i64().map_or_else(|| Self::Float(number.as_f64().unwrap_or(f64::NAN)), Self::Int)
            }
            serde_json::Value::String(text) => Self::Text(text.clone()),
            tree => Self::Tree(tree.clone()),
        }
    }

    /// As JSON writes it; nothing if it is missing.
    pub(crate) fn into_json(self) -> Option<serde_json::Value> {
        Some(match self {
            Self::Missing => return None,
            Self::Null => serde_json::Value::Null,
            Self::Boolean(truth) => truth.into(),
            Self::Int(number) => number.into(),
            // JSON has no word for what is no number.
            Self::Float(number) => serde_json::Number::from_f64(number)
                .map_or(serde_json::Value::Null, serde_json::Value::Number),
            Self::Text(text) => text.into(),
            Self::Timestamp(time) => moment::text(time).into(),
            Self::Tree(tree) => tree,
        })
    }

    /// As delimited text writes it; nothing is empty.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Missing | Self::Null => Cow::Borrowed(""),
            Self::Boolean(truth) => Cow::Borrowed(if *truth { "true" } else { "false" }),
            Self::Int(number) => Cow::Owned(number.to_string()),
            Self::Float(number) => Cow::Owned(number.to_string()),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Timestamp(time) => Cow::Owned(moment::text(*time)),
            Self::Tree(tree) => Cow::Owned(tree.to_string()),
        }
    }

    /// Itself as this type. Nothing stays nothing.
    ///
    /// # Errors
    /// `InvalidTypeConversion`.
    pub(crate) fn cast(&self, to: Type) -> Result<Self, Fault> {
        if self.is_null() {
            return Ok(self.clone());
        }
        let cast = match to {
            Type::Int => self.int().map(Self::Int),
            Type::Float => self.float().map(Self::Float),
            Type::Text => Some(Self::Text(self.text().into_owned())),
            Type::Timestamp => self.timestamp().map(Self::Timestamp),
            Type::Boolean => self.boolean().map(Self::Boolean),
        };
        cast.ok_or_else(|| no_conversion(self, to))
    }

    fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Boolean(truth) => Some(i64::from(*truth)),
            Self::Float(number) => whole(*number),
            Self::Text(text) => {
                let text = text.trim();
                text.parse().ok().or_else(|| whole(text.parse().ok()?))
            }
            _ => None,
        }
    }

    fn float(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "that is what this conversion is")]
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            Self::Boolean(truth) => Some(f64::from(*truth)),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    fn boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(truth) => Some(*truth),
            Self::Int(number) => Some(*number != 0),
            Self::Float(number) => Some(*number != 0.0),
            Self::Text(text) => match text.trim() {
                "1" => Some(true),
                "0" => Some(false),
                word if word.eq_ignore_ascii_case("true") => Some(true),
                word if word.eq_ignore_ascii_case("false") => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    fn timestamp(&self) -> Option<DateTime<FixedOffset>> {
        match self {
            Self::Timestamp(time) => Some(*time),
            Self::Text(text) => moment::parse(text.trim()),
            _ => None,
        }
    }

    /// How two values compare once they are of one type; none if one is nothing.
    ///
    /// # Errors
    /// `InvalidTypeConversion` if there is no such type.
    pub(crate) fn compare(&self, other: &Self) -> Result<Option<Ordering>, Fault> {
        if self.is_null() || other.is_null() {
            return Ok(None);
        }
        Ok(match (self, other) {
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Tree(a), Self::Tree(b)) => (a == b).then_some(Ordering::Equal),
            (a, b) => {
                let common = common(a, b);
                match (a.cast(common)?, b.cast(common)?) {
                    (Self::Timestamp(a), Self::Timestamp(b)) => Some(a.cmp(&b)),
                    (Self::Boolean(a), Self::Boolean(b)) => Some(a.cmp(&b)),
                    (Self::Int(a), Self::Int(b)) => Some(a.cmp(&b)),
                    (Self::Float(a), Self::Float(b)) => a.partial_cmp(&b),
                    (a, b) => Some(a.text().cmp(&b.text())),
                }
            }
        })
    }
}

/// The type that two values meet in: the one that is furthest from text.
fn common(a: &Value, b: &Value) -> Type {
    let is = |wanted: fn(&Value) -> bool| wanted(a) || wanted(b);
    if is(|v| matches!(v, Value::Timestamp(_))) {
        Type::Timestamp
    } else if is(|v| matches!(v, Value::Float(_))) || fraction(a) || fraction(b) {
        Type::Float
    } else if is(|v| matches!(v, Value::Int(_))) {
        Type::Int
    } else if is(|v| matches!(v, Value::Boolean(_))) {
        Type::Boolean
    } else {
        Type::Text
    }
}

/// Whether a text is a number that is not whole: compared with a whole one it must not lose its fraction.
fn fraction(value: &Value) -> bool {
    matches!(value, Value::Text(text) if text.trim().parse::<i64>().is_err() && text.trim().parse::<f64>().is_ok())
}

/// The number without its fraction, if it has so few digits that it is one.
fn whole(number: f64) -> Option<i64> {
    /// The first number behind all of them.
    const BEHIND: f64 = 9_223_372_036_854_775_808.0;
    let number = number.trunc();
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
    (-BEHIND..BEHIND).contains(&number).then_some(number as i64)
}

fn no_conversion(value: &Value, to: Type) -> Fault {
    let text: String = value.text().chars().take(64).collect();
    Fault::of_record("InvalidTypeConversion", format!("'{text}' cannot be converted to {to:?}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn text_becomes_what_it_meets() {
        let cases = [
            (text("10"), Value::Int(9), Ordering::Greater),
            (text("10"), text("9"), Ordering::Less),
            (text("9.5"), Value::Int(9), Ordering::Greater),
            (text("true"), Value::Boolean(true), Ordering::Equal),
            (Value::Int(1), Value::Float(1.5), Ordering::Less),
            (text("2020-01-01"), text("2020-01-01").cast(Type::Timestamp).unwrap(), Ordering::Equal),
        ];
        for (a, b, expected) in cases {
            assert_eq!(a.compare(&b).unwrap(), Some(expected), "{a:?} {b:?}");
            assert_eq!(b.compare(&a).unwrap(), Some(expected.reverse()), "{b:?} {a:?}");
        }
    }

    #[test]
    fn nothing_compares_with_nothing() {
        assert_eq!(Value::Null.compare(&Value::Null).unwrap(), None);
        assert_eq!(Value::Missing.compare(&Value::Int(1)).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_converted_is_a_fault_of_the_record() {
        let fault = text("abc").compare(&Value::Int(1)).unwrap_err();
        assert_eq!((fault.name, fault.fatal), ("InvalidTypeConversion", false));
        assert!(Value::Float(1e300).cast(Type::Int).is_err());
        assert_eq!(text(" 12.9 ").cast(Type::Int).unwrap(), Value::Int(12));
    }
}
