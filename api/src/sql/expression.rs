//! What a statement says, once parsed.

use super::Value;
use super::moment::Part;

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    /// What is wanted of each record.
    pub(crate) selection: Selection,
    /// Where in a JSON value the records are, behind `BlobStorage`.
    pub(crate) from: Vec<Step>,
    /// Which records.
    pub(crate) condition: Option<Expression>,
    /// At most so many.
    pub(crate) limit: Option<u64>,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Selection {
    /// The record as it is.
    All,
    /// New records of these items.
    Items(Vec<Item>),
    /// One record of sums over all.
    Aggregates(Vec<(Aggregate, String)>),
    /// Lengths of parts that end with a record and have at least so many bytes.
    Split(u64),
}

/// A column of the answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    /// Its value.
    pub(crate) expression: Expression,
    /// Its name.
    pub(crate) name: String,
}

/// A sum over all records.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Aggregate {
    /// Which.
    pub(crate) kind: AggregateKind,
    /// Of what; none for `COUNT(*)`.
    pub(crate) of: Option<Expression>,
}

/// Which sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AggregateKind {
    Count,
    Average,
    Min,
    Max,
    Sum,
}

/// A step into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Of an object, the member of this name; without quotes, in any case.
    Member {
        /// The name.
        name: String,
        /// Whether it was quoted, and so means just this spelling.
        exact: bool,
    },
    /// Of an array, the element at this place.
    Element(usize),
    /// Of an array, every element.
    Every,
}

/// Two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// The type that a cast names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Int,
    Float,
    Text,
    Timestamp,
    Boolean,
}

/// A function with its arguments between parentheses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    CharLength,
    Lower,
    Upper,
    Substring,
    NullIf,
    Coalesce,
    DateAdd(Part),
    DateDiff(Part),
    ToString,
    ToTimestamp,
    UtcNow,
}

/// Which ends `TRIM` works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Both,
    Leading,
    Trailing,
}

/// A value to be found for each record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    /// Always the same.
    Literal(Value),
    /// Taken out of the record. Never empty; the first step is a member.
    Path(Vec<Step>),
    /// `-e`.
    Negated(Box<Expression>),
    /// `NOT e`.
    Not(Box<Expression>),
    /// `a op b`.
    Two(Operator, Box<(Expression, Expression)>),
    /// `a BETWEEN b AND c`.
    Between(Box<(Expression, Expression, Expression)>),
    /// `a IN (b, …)`.
    In(Box<Expression>, Vec<Expression>),
    /// `a IS NULL`: null or missing.
    IsNull(Box<Expression>),
    /// `a IS MISSING`.
    IsMissing(Box<Expression>),
    /// `a LIKE pattern`, with the character that escapes `%` and `_`.
    Like(Box<(Expression, Expression)>, Option<char>),
    /// `CAST(a AS type)`.
    Cast(Box<Expression>, Type),
    /// `EXTRACT(part FROM a)`.
    Extract(Part, Box<Expression>),
    /// `TRIM([side] [characters FROM] a)`.
    Trim(Side, Option<Box<Expression>>, Box<Expression>),
    /// `F(a, …)`.
    Call(Function, Vec<Expression>),
}
