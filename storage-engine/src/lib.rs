//! Linarite's storage engine: accounts, and their blobs, messages and entities on local disks.

pub mod account;
pub mod assignment;
pub mod blob;
mod catalog;
pub mod chunk;
pub mod clock;
pub mod config;
pub mod disk;
pub mod encryption_scope;
pub mod engine;
pub mod error;
mod keeper;
pub mod lifecycle;
pub mod meta;
pub mod name;
mod newest;
pub mod page;
pub mod policy;
pub mod queue;
pub mod seal;
pub mod secret;
pub mod settings;
pub mod sweep;
pub mod table;
mod wait;

pub use engine::Engine;
pub use error::EngineError;
