//! Functions of values.

use super::expression::{Function, Side, Type};
use super::{Fault, Value, moment};
use chrono::{DateTime, FixedOffset};

/// Calls a function. The parser has counted the arguments.
///
/// # Errors
/// A fault of the record.
pub(super) fn call(
    function: Function,
    arguments: Vec<Value>,
    now: DateTime<FixedOffset>,
) -> Result<Value, Fault> {
    let mut arguments = arguments.into_iter();
    if function == Function::Coalesce {
        return Ok(arguments.find(|value| !value.is_null()).unwrap_or(Value::Null));
    }
    let mut next = move || arguments.next().unwrap_or(Value::Missing);
    let (first, second) = (next(), next());
    match function {
        Function::Coalesce | Function::UtcNow => Ok(Value::Timestamp(now)),
        Function::NullIf => Ok(if first.compare(&second)?.is_some_and(std::cmp::Ordering::is_eq) {
            Value::Null
        } else {
            first
        }),
        Function::DateAdd(part) => match (first.cast(Type::Int)?, second.cast(Type::Timestamp)?) {
            (Value::Int(count), Value::Timestamp(time)) => moment::add(part, count, time)
                .map(Value::Timestamp)
                .ok_or_else(|| Fault::of_record("ArithmeticOverflow", "No calendar has that date.")),
            _ => Ok(Value::Null),
        },
        Function::DateDiff(part) => match (first.cast(Type::Timestamp)?, second.cast(Type::Timestamp)?) {
            (Value::Timestamp(from), Value::Timestamp(to)) => {
                Ok(moment::difference(part, from, to).map_or(Value::Null, Value::Int))
            }
            _ => Ok(Value::Null),
        },
        Function::ToTimestamp => first.cast(Type::Timestamp),
        Function::ToString => match (first.cast(Type::Timestamp)?, second) {
            (Value::Timestamp(time), Value::Text(pattern)) => {
                moment::format(time, &pattern).map(Value::Text).map_err(|letters| {
                    Fault::of_record("InvalidFormat", format!("'{letters}' is no part of a time's format."))
                })
            }
            _ => Ok(Value::Null),
        },
        Function::CharLength => {
            let characters = |text: &str| Value::Int(i64::try_from(text.chars().count()).unwrap_or(i64::MAX));
            Ok(of_text(&first, characters))
        }
        Function::Lower => Ok(of_text(&first, |text| Value::Text(text.to_lowercase()))),
        Function::Upper => Ok(of_text(&first, |text| Value::Text(text.to_uppercase()))),
        Function::Substring => substring(&first, &second, &next()),
    }
}

fn of_text(value: &Value, with: impl FnOnce(&str) -> Value) -> Value {
    if value.is_null() { Value::Null } else { with(&value.text()) }
}

/// Characters are counted from 0, as the page's example does, not from 1 as the standard does.
fn substring(value: &Value, from: &Value, count: &Value) -> Result<Value, Fault> {
    let number = |value: &Value| match value.cast(Type::Int)? {
        Value::Int(number) => usize::try_from(number)
            .map(Some)
            .map_err(|_| Fault::of_record("InvalidArgument", "SUBSTRING counts from 0 on.")),
        _ => Ok(None),
    };
    let (Some(from), count) = (number(from)?, number(count)?) else { return Ok(Value::Null) };
    Ok(of_text(value, |text| {
        Value::Text(text.chars().skip(from).take(count.unwrap_or(usize::MAX)).collect())
    }))
}

/// The text without those characters at its ends.
pub(super) fn trim(side: Side, characters: Option<&Value>, value: &Value) -> Value {
    let set: Vec<char> = characters.map_or_else(|| vec![' '], |value| value.text().chars().collect());
    of_text(value, |text| {
        let trimmed = match side {
            Side::Both => text.trim_matches(set.as_slice()),
            Side::Leading => text.trim_start_matches(set.as_slice()),
            Side::Trailing => text.trim_end_matches(set.as_slice()),
        };
        Value::Text(trimmed.to_owned())
    })
}

/// Whether a text fits a pattern, in which `%` stands for any text and `_` for any character, and `escape` makes the
/// next one stand for itself. Takes time by the product of both lengths at most.
pub(super) fn like(text: &str, pattern: &str, escape: Option<char>) -> bool {
    let mut wanted = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        wanted.push(match character {
            escaping if Some(escaping) == escape => characters.next().map(Wanted::Only),
            '%' => Some(Wanted::Any),
            '_' => Some(Wanted::One),
            only => Some(Wanted::Only(only)),
        });
    }
    // Greedy with one way back: to the last `%`, taking one character more.
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut place, mut back) = (0, 0, None);
    while let Some(character) = text.get(at) {
        match wanted.get(place) {
            Some(Some(Wanted::Any)) => {
                back = Some((place, at));
                place += 1;
            }
            Some(Some(Wanted::One)) => (at, place) = (at + 1, place + 1),
            Some(Some(Wanted::Only(only))) if only == character => (at, place) = (at + 1, place + 1),
            _ => {
                let Some((any, taken)) = back else { return false };
                back = Some((any, taken + 1));
                (place, at) = (any + 1, taken + 1);
            }
        }
    }
    wanted.iter().skip(place).all(|rest| matches!(rest, Some(Wanted::Any)))
}

/// A part of a pattern.
enum Wanted {
    /// Any text.
    Any,
    /// Any character.
    One,
    /// This character.
    Only(char),
}
