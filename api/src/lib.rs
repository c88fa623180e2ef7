//! The Azure Storage wire on Linarite's engine: requests in, responses out.
//!
//! This crate opens no socket and no file. It turns an [`http::Request`] into a typed request, has the engine
//! carry it out, and turns the answer into an [`http::Response`]. The path of a request is [`front`], from top
//! to bottom; each step before the last is pure:
//!
//! ```text
//! target     which account, service and resource the address means
//! row        which operation it is: one row of a service's table
//! auth       who asks (Shared Key, shared access signature, anybody), or 401/403
//! permit     whether they may
//! decode     typed request; names, sizes, headers and bodies are judged here
//! execute    the engine's verb
//! encode     typed answer -> response; the common headers are stamped in front
//! ```
//!
//! What is spelled (names of headers, formats, codes, versions) lives here and nowhere else; what must be
//! atomic or durable lives in the engine, which knows no header.

pub mod auth;
pub mod blob;
pub mod body;
mod encryption;
pub mod error;
pub mod front;
#[doc(hidden)]
pub mod fuzz;
pub mod head;
pub mod header;
pub mod operation;
pub mod query;
pub mod queue;
pub mod spelling;
pub mod table;
pub mod target;
pub mod time;
pub mod version;
pub mod xml;

mod avro;
mod checksum;
mod condition;
mod content;
mod cors;
mod etag;
mod guid;
mod md5;
mod metadata;
mod multipart;
mod odata;
mod range;
mod reply;
mod service;
pub mod source;
mod sql;
mod structured;
mod tags;
#[cfg(test)]
mod testing;

pub use blob::ChangeFeed;
pub use body::Body;
pub use front::{Front, Observer, Summary};
pub use head::Arrival;
pub use spelling::Spelling;
pub use target::ServiceKind;

/// Every operation that is built: its logged name, and what it asks for.
pub fn operations() -> Vec<(&'static str, operation::Asked)> {
    let blob = blob::operations::OPERATIONS.iter().map(|row| (row.name, row.asked(ServiceKind::Blob)));
    let queue = queue::operations::OPERATIONS.iter().map(|row| (row.name, row.asked(ServiceKind::Queue)));
    let table = table::operations::OPERATIONS.iter().map(|row| (row.name, row.asked(ServiceKind::Table)));
    blob.chain(queue).chain(table).collect()
}
