//! The query language of *Query Blob Contents*: one `SELECT` over the records of a blob.
//!
//! ```text
//! statement  := SELECT ( '*' | item (',' item)* | sys.split(bytes) ) FROM BlobStorage path? [WHERE e] [LIMIT n]
//! item       := e [AS name]
//! e          := or, and, not, comparison, sum, product, sign, primary, in the usual order of binding
//! path       := ( '.' name | '[' number ']' | '[*]' )*
//! ```
//!
//! # What a value is
//! A field of delimited text is text until something asks for another type; JSON and Parquet bring types of their
//! own. Where two types meet, the one that is narrower in what it can say is converted: text to a number, a time
//! or a truth, and a whole number to a fraction (page "Query acceleration SQL language reference").
//!
//! # When a record cannot be judged
//! A [`Fault`] says so. Most concern that record only: it is left out and the answer goes on, with an error in it
//! for whoever wants to know. Stopping at the first bad line of a large file was rejected: the vendor does not
//! either, and its clients have a callback for it.
//!
//! # Bounds
//! The statement comes from the network: its length is bounded by the operation, its depth and its
//! operators by the parser, so no statement can exhaust the stack of whoever evaluates it.

pub(crate) mod aggregate;
pub(crate) mod evaluate;
pub(crate) mod expression;
pub(crate) mod format;
mod function;
pub(crate) mod moment;
pub(crate) mod parse;
pub(crate) mod record;
mod token;
pub(crate) mod value;

#[cfg(test)]
mod tests;

pub(crate) use expression::{Selection, Statement};
pub(crate) use parse::parse;
pub(crate) use record::Record;
pub(crate) use value::Value;

use std::borrow::Cow;

/// Why a record, or the rest of the blob, could not be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Its name on the wire.
    pub(crate) name: &'static str,
    /// What was wrong, for people.
    pub(crate) description: Cow<'static, str>,
    /// Whether nothing can follow it.
    pub(crate) fatal: bool,
}

impl Fault {
    /// Something about one record.
    pub(crate) fn of_record(name: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self { name, description: description.into(), fatal: false }
    }

    /// Something that ends the answer.
    pub(crate) fn fatal(name: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self { name, description: description.into(), fatal: true }
    }
}
