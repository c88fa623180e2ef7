//! Tests of the real process, from the outside.
//!
//! Everything in this binary starts `linarite` itself, on port 0 and in a folder of its own, and talks to it over
//! sockets. Nothing of the `api` or `storage-engine` crates is used, but the table of operations in [`matrix`]: the
//! client signs with code of its own ([`client`]), so a mistake in the server's string to sign cannot cancel itself
//! out, and what is asserted comes from the vendor's documentation, not from the server's types.
//!
//! One binary for all, because each would be linked by itself otherwise, and its tests run side by side: so no test may
//! count on a port, a folder or a quiet machine. The three that everything stands on are [`node`], which runs the
//! process and reads its log to the end, [`client`] and [`sign`]. What each of the others is about stands at its head.
//!
//! Long tests are `#[ignore]`d; `.ci/run` runs them too (`cargo test --test it -- --include-ignored`).
#![expect(
    clippy::indexing_slicing,
    reason = "a test that indexes wrongly fails, which is what a test is for"
)]
#![expect(clippy::format_push_string, reason = "requests of a test are built for the eye, not for speed")]

mod access;
mod account;
mod bad_input;
mod behaviour;
mod big;
mod bodies;
mod client;
mod copies;
mod coverage;
mod crash;
mod disks;
mod encryption;
mod growth;
mod matrix;
mod node;
mod random;
mod sdk;
mod secrets;
mod services;
mod sign;
mod smoke;
mod spelling;
mod tables;
mod tls;
mod token;
mod tools;
mod tricks;
mod unauthorized;
mod wire;
