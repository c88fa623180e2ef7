//! The value of an expression for one record.
//!
//! Truth has three values: what is asked of nothing is neither true nor false, and a record is taken only if its
//! condition is true.

use super::expression::{Expression, Operator, Type};
use super::{Fault, Record, Value, function, moment};
use chrono::{DateTime, Days, FixedOffset};
use std::cmp::Ordering;

/// Where expressions are evaluated: a record, and the time of the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'r> {
    /// The record.
    pub(crate) record: &'r Record,
    /// What `UTCNOW` gives.
    pub(crate) now: DateTime<FixedOffset>,
}

impl Scene<'_> {
    /// Whether the condition is true of the record.
    ///
    /// # Errors
    /// A fault of the record.
    pub(crate) fn holds(self, condition: &Expression) -> Result<bool, Fault> {
        Ok(self.truth(condition)? == Some(true))
    }

    /// The expression's value.
    ///
    /// # Errors
    /// A fault of the record.
    pub(crate) fn value(self, expression: &Expression) -> Result<Value, Fault> {
        Ok(match expression {
            Expression::Literal(value) => value.clone(),
            Expression::Path(path) => self.record.get(path)?,
            Expression::Negated(inner) => {
                arithmetic(Operator::Subtract, &Value::Int(0), &self.value(inner)?)?
            }
            Expression::Two(operator, sides) if is_arithmetic(*operator) => {
                arithmetic(*operator, &self.value(&sides.0)?, &self.value(&sides.1)?)?
            }
            Expression::Cast(inner, to) => self.value(inner)?.cast(*to)?,
            Expression::Extract(part, inner) => match self.value(inner)?.cast(Type::Timestamp)? {
                Value::Timestamp(time) => Value::Int(moment::extract(*part, time)),
                nothing => nothing,
            },
            Expression::Trim(side, characters, inner) => {
                let characters = characters.as_ref().map(|set| self.value(set)).transpose()?;
                function::trim(*side, characters.as_ref(), &self.value(inner)?)
            }
            Expression::Call(function, arguments) => {
                let values =
                    arguments.iter().map(|argument| self.value(argument)).collect::<Result<_, _>>()?;
                function::call(*function, values, self.now)?
            }
            truth => self.truth(truth)?.map_or(Value::Null, Value::Boolean),
        })
    }

    /// The expression as a truth; none if it is neither true nor false.
    fn truth(self, expression: &Expression) -> Result<Option<bool>, Fault> {
        Ok(match expression {
            Expression::Not(inner) => self.truth(inner)?.map(|truth| !truth),
            Expression::Two(Operator::And, sides) => match self.truth(&sides.0)? {
                Some(false) => Some(false),
                left => match (left, self.truth(&sides.1)?) {
                    (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                },
            },
            Expression::Two(Operator::Or, sides) => match self.truth(&sides.0)? {
                Some(true) => Some(true),
                left => match (left, self.truth(&sides.1)?) {
                    (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                },
            },
            Expression::Two(operator, sides) if !is_arithmetic(*operator) => {
                let order = self.value(&sides.0)?.compare(&self.value(&sides.1)?)?;
                order.map(|order| satisfies(*operator, order))
            }
            Expression::Between(sides) => {
                let (value, low, high) =
                    (self.value(&sides.0)?, self.value(&sides.1)?, self.value(&sides.2)?);
                match (value.compare(&low)?, value.compare(&high)?) {
                    (Some(low), Some(high)) => Some(low.is_ge() && high.is_le()),
                    _ => None,
                }
            }
            Expression::In(value, list) => self.is_in(&self.value(value)?, list)?,
            Expression::IsNull(inner) => Some(self.value(inner)?.is_null()),
            Expression::IsMissing(inner) => Some(self.value(inner)? == Value::Missing),
            Expression::Like(sides, escape) => {
                let (value, pattern) = (self.value(&sides.0)?, self.value(&sides.1)?);
                let known = !value.is_null() && !pattern.is_null();
                known.then(|| function::like(&value.text(), &pattern.text(), *escape))
            }
            value => match self.value(value)?.cast(Type::Boolean)? {
                Value::Boolean(truth) => Some(truth),
                _ => None,
            },
        })
    }

    fn is_in(self, value: &Value, list: &[Expression]) -> Result<Option<bool>, Fault> {
        let mut outcome = Some(false);
        for other in list {
            match value.compare(&self.value(other)?)? {
                Some(Ordering::Equal) => return Ok(Some(true)),
                Some(_) => {}
                None => outcome = None,
            }
        }
        Ok(outcome)
    }
}

const fn is_arithmetic(operator: Operator) -> bool {
    matches!(
        operator,
        Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Remainder
    )
}

const fn satisfies(operator: Operator, order: Ordering) -> bool {
    match operator {
        Operator::Equal => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        _ => false,
    }
}

/// Adds, subtracts and so on. Whole numbers stay whole; a number added to a time is days.
fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Result<Value, Fault> {
    if left.is_null() || right.is_null() {
        return Ok(Value::Null);
    }
    if let (Value::Timestamp(time), Operator::Add | Operator::Subtract) = (left, operator) {
        return days(operator, *time, right);
    }
    let (left, right) = (number(left)?, number(right)?);
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => {
            let result = match operator {
                Operator::Add => a.checked_add(b),
                Operator::Subtract => a.checked_sub(b),
                Operator::Multiply => a.checked_mul(b),
                Operator::Divide => a.checked_div(b),
                _ => a.checked_rem(b),
            };
            let by_zero = b == 0 && matches!(operator, Operator::Divide | Operator::Remainder);
            result.map(Value::Int).ok_or_else(|| {
                let what =
                    if by_zero { "A number is divided by zero." } else { "A number has more than 64 bits." };
                Fault::of_record("ArithmeticOverflow", what)
            })
        }
        (a, b) => {
            let (Value::Float(a), Value::Float(b)) = (float(&a)?, float(&b)?) else { return Ok(Value::Null) };
            Ok(Value::Float(match operator {
                Operator::Add => a + b,
                Operator::Subtract => a - b,
                Operator::Multiply => a * b,
                Operator::Divide => a / b,
                _ => a % b,
            }))
        }
    }
}

fn float(value: &Value) -> Result<Value, Fault> {
    value.cast(Type::Float)
}

/// The value as a number: whole if it can be.
fn number(value: &Value) -> Result<Value, Fault> {
    match value {
        Value::Int(_) | Value::Float(_) => Ok(value.clone()),
        Value::Text(text) if text.trim().parse::<i64>().is_ok() => value.cast(Type::Int),
        other => float(other),
    }
}

fn days(operator: Operator, time: DateTime<FixedOffset>, count: &Value) -> Result<Value, Fault> {
    let Value::Int(count) = count.cast(Type::Int)? else { return Ok(Value::Null) };
    let forward = (count >= 0) == (operator == Operator::Add);
    let step = Days::new(count.unsigned_abs());
    let moved = if forward { time.checked_add_days(step) } else { time.checked_sub_days(step) };
    moved
        .map(Value::Timestamp)
        .ok_or_else(|| Fault::of_record("ArithmeticOverflow", "No calendar has that date."))
}
