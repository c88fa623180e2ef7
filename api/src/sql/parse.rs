//! From words to a statement, by recursive descent with one function per level of binding.
//!
//! A statement's frame is here, its expressions are in [`expression`](self::expression), and what both ask of the words
//! in front of them in [`words`]. Bounds are part of the grammar: whoever sends a statement chooses how deep it is, and
//! the stack is ours.

use super::expression::{Aggregate, AggregateKind, Expression, Item, Selection, Statement, Step};
use super::token::{Token, tokens};
use words::shown;

mod expression;
mod words;

/// Most levels of parentheses and calls, and most steps of a path.
pub(crate) const DEPTH_MAX: usize = 64;
/// Most columns that a statement may ask for by name (page "Query acceleration SQL language reference").
const ITEMS_MAX: usize = 49;

/// Reads a statement.
///
/// # Errors
/// A sentence about what is wrong.
pub(crate) fn parse(text: &str) -> Result<Statement, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0, operators: 0 };
    let statement = parser.statement()?;
    match parser.peek() {
        None => Ok(statement),
        Some(token) => Err(format!("{} comes behind the end.", shown(token))),
    }
}

/// Words, and how far they are read.
struct Parser {
    tokens: Vec<Token>,
    at: usize,
    /// Levels that are open.
    depth: usize,
    /// Operators so far.
    operators: usize,
}
impl Parser {
    fn statement(&mut self) -> Result<Statement, String> {
        self.expect("SELECT")?;
        let selection = self.selection()?;
        self.expect("FROM")?;
        self.expect("BlobStorage")?;
        let mut from = self.steps()?;
        // `BlobStorage` and `BlobStorage[*]` are the same: each value of the blob.
        if from.first() == Some(&Step::Every) {
            from.remove(0);
        } else if !from.is_empty() {
            return Err("A path behind BlobStorage begins with [*].".to_owned());
        }
        let condition = if self.take("WHERE") { Some(self.expression()?) } else { None };
        let limit = if self.take("LIMIT") { Some(self.count()?) } else { None };
        Ok(Statement { selection, from, condition, limit })
    }

    fn selection(&mut self) -> Result<Selection, String> {
        if self.sign("*") {
            return Ok(Selection::All);
        }
        if let Some(bytes) = self.split()? {
            return Ok(Selection::Split(bytes));
        }
        let (mut items, mut aggregates) = (Vec::new(), Vec::new());
        loop {
            let place = items.len() + aggregates.len() + 1;
            if let Some(aggregate) = self.aggregate()? {
                aggregates.push((aggregate, self.alias()?.unwrap_or_else(|| format!("_{place}"))));
            } else {
                let expression = self.expression()?;
                let name = self.alias()?.unwrap_or_else(|| natural_name(&expression, place));
                items.push(Item { expression, name });
            }
            if place > ITEMS_MAX {
                return Err(format!("No more than {ITEMS_MAX} columns can be selected by name."));
            }
            if !self.sign(",") {
                break;
            }
        }
        match (items.is_empty(), aggregates.is_empty()) {
            (false, false) => Err("Columns and aggregates cannot be selected together.".to_owned()),
            (true, _) => Ok(Selection::Aggregates(aggregates)),
            (false, true) => Ok(Selection::Items(items)),
        }
    }

    /// `sys.split(bytes)`.
    fn split(&mut self) -> Result<Option<u64>, String> {
        if !(self.is_word(0, "sys") && self.is_sign(1, ".") && self.is_word(2, "split")) {
            return Ok(None);
        }
        self.at += 3;
        self.expect_sign("(")?;
        let bytes = self.count()?;
        self.expect_sign(")")?;
        if bytes == 0 { Err("A part has at least one byte.".to_owned()) } else { Ok(Some(bytes)) }
    }

    fn aggregate(&mut self) -> Result<Option<Aggregate>, String> {
        let named = [
            ("COUNT", AggregateKind::Count),
            ("AVERAGE", AggregateKind::Average),
            ("AVG", AggregateKind::Average),
            ("MIN", AggregateKind::Min),
            ("MAX", AggregateKind::Max),
            ("SUM", AggregateKind::Sum),
        ];
        let kind = named.into_iter().find(|(name, _)| self.is_word(0, name) && self.is_sign(1, "("));
        let Some((_, kind)) = kind else { return Ok(None) };
        self.at += 2;
        let of = if kind == AggregateKind::Count && self.sign("*") { None } else { Some(self.expression()?) };
        self.expect_sign(")")?;
        Ok(Some(Aggregate { kind, of }))
    }

    fn alias(&mut self) -> Result<Option<String>, String> {
        if self.take("AS") { self.name().map(|(name, _)| Some(name)) } else { Ok(None) }
    }
}

/// The name of a column that was given none: a path's last member, or its place.
fn natural_name(expression: &Expression, place: usize) -> String {
    let last = match expression {
        Expression::Path(path) => path.iter().rev().find_map(|step| match step {
            Step::Member { name, .. } => Some(name.clone()),
            _ => None,
        }),
        _ => None,
    };
    last.unwrap_or_else(|| format!("_{place}"))
}
