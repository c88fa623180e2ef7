//! What the program does instead of serving. Each command prints its answer on standard output, bare, so that a
//! script can take it; what it did for people to read goes to standard error.

use crate::config::Flags;
use crate::files::ServerFolder;
use clap::Subcommand;
use std::io::Write as _;

mod account;
mod client;
mod operations;
mod role;
mod sas;
mod scope;
mod trust;

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Creates, shows and changes accounts of a running server, and makes SAS tokens for them
    ///
    /// The server is found by its data folder (--disk), whose owner may administer it.
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Prints every operation that is served, and what it takes to be let in
    ///
    /// A line each, with tabs between the columns: service, name (as in the log), verb, kind of right; the letters that
    /// an account's shared access signature must have, with the resource types (srt) of which it must have one; the
    /// letters for every other signature; the roles of which each is enough for a token's holder.
    /// `-`: not at all; `any`: whichever. What is `Open` needs no credentials. The account's key opens everything.
    Operations,
    /// Assigns roles to the holders of tokens, on a running server
    ///
    /// The server is found by its data folder (--disk), whose owner may administer it.
    #[command(subcommand)]
    Role(role::RoleCommand),
    /// Makes encryption scopes for blobs, and disables them, on a running server
    ///
    /// The server is found by its data folder (--disk), whose owner may administer it.
    #[command(subcommand)]
    Scope(scope::ScopeCommand),
    /// Prints how to trust the local certificate authority of --tls
    Trust,
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// A sentence for the user.
    pub(crate) fn run(self, flags: &Flags) -> Result<(), String> {
        let folder = || flags.data_folder().map(|folder| ServerFolder::of(&folder));
        match self {
            Self::Account(command) => command.run(&folder()?),
            Self::Operations => print(&operations::operations()),
            Self::Role(command) => command.run(&folder()?),
            Self::Scope(command) => command.run(&folder()?),
            Self::Trust => print(&trust::instructions(&folder()?)?),
        }
    }
}

/// Writes a command's answer. A reader that went away early (`| head`) has what it wanted.
fn print(text: &str) -> Result<(), String> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write the answer: {error}"))
        }
        _ => Ok(()),
    }
}
