//! Tests of the real process, from the outside.
//!
//! Everything in this binary starts `linarite` itself, on port 0 and in a folder of its own, and talks to it over
//! sockets. Nothing of the `api` or `storage-engine` crates is used, but the table of operations in [`matrix`]: the client signs with code of its own
//! ([`client`]), so a mistake in the server's string to sign cannot cancel itself out, and what is asserted comes
//! from the vendor's documentation, not from the server's types.
//!
//! The modules: [`node`] runs the process, [`client`] speaks to it; [`wire`] replays `fixtures/wire/**`,
//! [`tables`] compares the Table service with a model, [`coverage`] demands a fixture for every operation the binary knows, [`unauthorized`] sends each of them
//! without a valid signature, [`matrix`] with credentials of every kind, [`access`] with shared access signatures, [`tricks`] with what a holder of little would try to make of it, [`bad_input`] sends what no client would, [`crash`] kills the process under load,
//! [`token`] signs tokens and gives roles, [`services`] sets what the services share across a kill and at once,
//! [`copies`] ends copies that were under way, [`disks`] takes page blobs for disks, [`big`] moves one large blob at a fixed memory cost,
//! [`tls`] speaks HTTPS and HTTP/2 through curl, [`account`] uses the commands that administer accounts, [`behaviour`] shows
//! what an account does by itself, [`encryption`] searches the disk for what must not be there, [`secrets`] looks for secrets where
//! they must not be, [`growth`] fills and wears a queue, [`sdk`] runs the vendor's own client libraries.
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
mod tables;
mod tls;
mod token;
mod tricks;
mod unauthorized;
mod wire;
