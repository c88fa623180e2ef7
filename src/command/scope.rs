//! `linarite scope …`: encryption scopes of a running server.

use super::client::AdminClient;
use super::print;
use crate::admin::role::Changed;
use crate::admin::scope::ShownScopes;
use crate::files::ServerFolder;
use clap::{Args, Subcommand};

/// What to do with encryption scopes.
#[derive(Debug, Subcommand)]
pub(crate) enum ScopeCommand {
    /// Makes an encryption scope, or enables it again
    Create(Which),
    /// Lists an account's encryption scopes
    List {
        /// The account
        account: String,
    },
    /// Disables an encryption scope: its blobs can be neither read nor written
    Disable(Which),
}

/// An encryption scope.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The account
    in_account: String,
    /// Its name: 3 to 63 letters, digits and hyphens
    name: String,
}

impl ScopeCommand {
    /// Does it.
    ///
    /// # Errors
    /// A sentence for the user.
    pub(crate) fn run(self, folder: &ServerFolder) -> Result<(), String> {
        let client = AdminClient::of(folder)?;
        match self {
            Self::Create(Which { in_account, name }) => {
                let answer: Changed = client.call("POST", &format!("/scopes/{in_account}/{name}"), &())?;
                eprintln!("{}", if answer.changed { "created" } else { "it was there, and is enabled" });
                Ok(())
            }
            Self::Disable(Which { in_account, name }) => {
                let _: Changed = client.call("POST", &format!("/scopes/{in_account}/{name}/disable"), &())?;
                eprintln!("disabled");
                Ok(())
            }
            Self::List { account } => {
                let answer: ShownScopes = client.get(&format!("/scopes/{account}"))?;
                let line = |scope: &crate::admin::scope::ShownScope| {
                    format!("{}\t{}\n", scope.name, if scope.disabled { "disabled" } else { "enabled" })
                };
                print(&answer.scopes.iter().map(line).collect::<String>())
            }
        }
    }
}
