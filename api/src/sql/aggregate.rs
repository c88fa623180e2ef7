//! Sums over all records.

use super::evaluate::Scene;
use super::expression::{Aggregate, AggregateKind, Type};
use super::{Fault, Value};

/// What has come together so far.
#[derive(Debug)]
pub(crate) struct Sum {
    aggregate: Aggregate,
    /// Values that were not nothing, or records for `COUNT(*)`.
    count: i64,
    total: Total,
    extreme: Value,
}

/// A total. Whole as long as all that was added is, so that large whole numbers stay exact.
#[derive(Debug, Clone, Copy)]
enum Total {
    Int(i64),
    Float(f64),
}

impl Sum {
    /// Of no record yet.
    pub(crate) fn new(aggregate: Aggregate) -> Self {
        Self { aggregate, count: 0, total: Total::Int(0), extreme: Value::Null }
    }

    /// Takes a record in.
    ///
    /// # Errors
    /// A fault of the record, which then counts for nothing.
    pub(crate) fn add(&mut self, scene: Scene<'_>) -> Result<(), Fault> {
        let Some(of) = &self.aggregate.of else {
            self.count = self.count.saturating_add(1);
            return Ok(());
        };
        let value = scene.value(of)?;
        if value.is_null() {
            return Ok(());
        }
        match self.aggregate.kind {
            AggregateKind::Count => {}
            AggregateKind::Sum | AggregateKind::Average => self.total = self.total.plus(&value)?,
            AggregateKind::Min | AggregateKind::Max => {
                let value = numeric(value);
                let better = match value.compare(&self.extreme)? {
                    None => self.extreme.is_null(),
                    Some(order) if self.aggregate.kind == AggregateKind::Min => order.is_lt(),
                    Some(order) => order.is_gt(),
                };
                if better {
                    self.extreme = value;
                }
            }
        }
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// The outcome. Of nothing there is nothing, but its count is 0.
    pub(crate) fn finish(self) -> Value {
        match self.aggregate.kind {
            AggregateKind::Count => Value::Int(self.count),
            AggregateKind::Min | AggregateKind::Max => self.extreme,
            _ if self.count == 0 => Value::Null,
            AggregateKind::Sum => match self.total {
                Total::Int(total) => Value::Int(total),
                Total::Float(total) => Value::Float(total),
            },
            #[expect(clippy::cast_precision_loss, reason = "an average is a fraction")]
            AggregateKind::Average => Value::Float(self.total.float() / self.count as f64),
        }
    }
}

impl Total {
    fn plus(self, value: &Value) -> Result<Self, Fault> {
        let whole = match (self, value) {
            (Self::Int(total), Value::Int(number)) => total.checked_add(*number),
            (Self::Int(total), Value::Text(text)) => {
                text.trim().parse().ok().and_then(|number| total.checked_add(number))
            }
            _ => None,
        };
        if let Some(total) = whole {
            return Ok(Self::Int(total));
        }
        match value.cast(Type::Float)? {
            Value::Float(number) => Ok(Self::Float(self.float() + number)),
            _ => Ok(self),
        }
    }

    const fn float(self) -> f64 {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "whoever asks for a fraction gets one")]
            Self::Int(total) => total as f64,
            Self::Float(total) => total,
        }
    }
}

/// Text that is a number is compared as one: the least of `9` and `10` is `9`.
fn numeric(value: Value) -> Value {
    match &value {
        Value::Text(text) => {
            let text = text.trim();
            let whole = text.parse().ok().map(Value::Int);
            whole.or_else(|| text.parse().ok().map(Value::Float)).unwrap_or(value)
        }
        _ => value,
    }
}
