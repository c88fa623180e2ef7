//! The small part of XML that the services use.
//!
//! Written by hand: an escaping writer of nested elements is a page of code, and the listings that it writes
//! are a hot path. Read with `quick-xml`, into a tree of elements with limits on depth and size: documents are
//! small, and their order of elements carries meaning (block lists).

mod read;
mod write;

pub use read::{Element, parse};
pub use write::XmlWriter;
pub(crate) use write::representable;
