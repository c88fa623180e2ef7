//! `linarite role …`: who may do what on a running server, by the token that they show.

use super::client::AdminClient;
use super::print;
use crate::admin::role::{Changed, ShownAssignment, ShownAssignments};
use crate::files::ServerFolder;
use clap::{Args, Subcommand};

/// What to do with roles.
#[derive(Debug, Subcommand)]
pub(crate) enum RoleCommand {
    /// Assigns a role to the holder of tokens
    Assign(Which),
    /// Lists who holds which role, and where
    List {
        /// Only in this account
        #[arg(long, value_name = "NAME")]
        account: Option<String>,
    },
    /// Takes a role away
    Remove(Which),
}

/// An assignment.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The role's name, as "Storage Blob Data Reader", or its id
    role: String,
    /// The object id of the holder's tokens (`oid`, or `sub` where they have none)
    #[arg(long, value_name = "ID")]
    principal: String,
    /// The account
    #[arg(long = "account", value_name = "NAME")]
    in_account: String,
    /// Only for this container
    #[arg(long, value_name = "NAME", conflicts_with_all = ["queue", "table"])]
    container: Option<String>,
    /// Only for this queue
    #[arg(long, value_name = "NAME", conflicts_with = "table")]
    queue: Option<String>,
    /// Only for this table
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
}

impl RoleCommand {
    /// Does it.
    ///
    /// # Errors
    /// A sentence for the user.
    pub(crate) fn run(self, folder: &ServerFolder) -> Result<(), String> {
        let client = AdminClient::of(folder)?;
        match self {
            Self::Assign(which) => {
                let answer: Changed = client.call("POST", "/roles", &ShownAssignment::from(which))?;
                eprintln!("{}", if answer.changed { "assigned" } else { "it was assigned before" });
                Ok(())
            }
            Self::Remove(which) => {
                let answer: Changed = client.call("DELETE", "/roles", &ShownAssignment::from(which))?;
                if answer.changed {
                    eprintln!("removed");
                    return Ok(());
                }
                Err("there is no such assignment (`linarite role list` shows all)".to_owned())
            }
            Self::List { account } => {
                let query = account.map(|account| format!("?account={account}")).unwrap_or_default();
                let answer: ShownAssignments = client.get(&format!("/roles{query}"))?;
                print(&answer.assignments.iter().map(line).collect::<String>())
            }
        }
    }
}

impl From<Which> for ShownAssignment {
    fn from(which: Which) -> Self {
        let Which { role, principal, in_account, container, queue, table } = which;
        Self { role, principal, account: in_account, container, queue, table }
    }
}

/// Account, place, holder, role, with tabs between them.
fn line(assignment: &ShownAssignment) -> String {
    let ShownAssignment { role, principal, account, container, queue, table } = assignment;
    let at = |kind: &str, name: &Option<String>| name.as_ref().map(|name| format!("{kind} {name}"));
    let place = at("container", container).or_else(|| at("queue", queue)).or_else(|| at("table", table));
    format!("{account}\t{}\t{principal}\t{role}\n", place.as_deref().unwrap_or("-"))
}
