//! A record as the statement sees it, whatever format it came in.

use super::expression::Step;
use super::{Fault, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// Names of columns.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    in_order: Vec<String>,
    exact: HashMap<String, usize>,
    folded: HashMap<String, usize>,
}

impl Names {
    /// Of two columns with one name the first is meant.
    pub(crate) fn new(names: Vec<String>) -> Self {
        let mut exact = HashMap::with_capacity(names.len());
        let mut folded = HashMap::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            exact.entry(name.clone()).or_insert(index);
            folded.entry(name.to_lowercase()).or_insert(index);
        }
        Self { in_order: names, exact, folded }
    }

    /// The names, in their order.
    pub(crate) fn all(&self) -> &[String] {
        &self.in_order
    }

    fn find(&self, name: &str, exact: bool) -> Option<usize> {
        if exact { self.exact.get(name).copied() } else { self.folded.get(&name.to_lowercase()).copied() }
    }
}

/// A record.
#[derive(Debug, Clone)]
pub(crate) enum Record {
    /// A line of delimited text; names only if the blob has a line of them.
    Delimited(csv::ByteRecord, Option<Arc<Names>>),
    /// A row of columns.
    Columns(Arc<Names>, Vec<Value>),
    /// A JSON value.
    Tree(serde_json::Value),
}

impl Record {
    /// What is at a path.
    ///
    /// # Errors
    /// `InvalidColumnOrdinal` for a field behind the record's last.
    pub(crate) fn get(&self, path: &[Step]) -> Result<Value, Fault> {
        let Some((first, rest)) = path.split_first() else { return Ok(Value::Missing) };
        match (self, first) {
            (Self::Delimited(fields, names), Step::Member { name, exact }) => {
                if let Some(index) = names.as_ref().and_then(|names| names.find(name, *exact)) {
                    return Ok(fields.get(index).map_or(Value::Missing, lossy));
                }
                let Some(ordinal) = ordinal(name) else { return Ok(Value::Missing) };
                fields.get(ordinal).map(lossy).ok_or_else(|| {
                    Fault::of_record("InvalidColumnOrdinal", format!("The record has no field {name}."))
                })
            }
            (Self::Columns(names, values), Step::Member { name, exact }) => {
                let index = names.find(name, *exact).or_else(|| ordinal(name));
                let value = index.and_then(|index| values.get(index));
                Ok(match (value, rest) {
                    (Some(value), []) => value.clone(),
                    (Some(Value::Tree(tree)), rest) => step_into(tree, rest),
                    _ => Value::Missing,
                })
            }
            (Self::Tree(tree), _) => Ok(step_into(tree, path)),
            _ => Ok(Value::Missing),
        }
    }
}

fn lossy(field: &[u8]) -> Value {
    Value::Text(String::from_utf8_lossy(field).into_owned())
}

/// `_1` is the first field.
fn ordinal(name: &str) -> Option<usize> {
    name.strip_prefix('_')?.parse::<usize>().ok()?.checked_sub(1)
}

fn step_into(tree: &serde_json::Value, path: &[Step]) -> Value {
    path.iter().try_fold(tree, one_step).map_or(Value::Missing, Value::of_json)
}

fn one_step<'t>(tree: &'t serde_json::Value, step: &Step) -> Option<&'t serde_json::Value> {
    match step {
        Step::Member { name, exact } => {
            let object = tree.as_object()?;
            let folded = || object.iter().find(|(member, _)| member.to_lowercase() == name.to_lowercase());
            object.get(name).or_else(|| if *exact { None } else { folded().map(|(_, value)| value) })
        }
        Step::Element(index) => tree.as_array()?.get(*index),
        Step::Every => None,
    }
}

/// Hands the values at `path` to `visit`: one, none, or as many as the arrays have that the path goes through.
///
/// # Errors
/// The visitor's.
pub(crate) fn unfold(
    tree: serde_json::Value,
    path: &[Step],
    visit: &mut dyn FnMut(serde_json::Value) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let Some((step, rest)) = path.split_first() else { return visit(tree) };
    match (step, tree) {
        (Step::Every, serde_json::Value::Array(elements)) => {
            elements.into_iter().try_for_each(|element| unfold(element, rest, visit))
        }
        (Step::Every, _) => Ok(()),
        (step, tree) => match one_step(&tree, step) {
            Some(inner) => unfold(inner.clone(), rest, visit),
            None => Ok(()),
        },
    }
}
