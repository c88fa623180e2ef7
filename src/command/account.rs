//! `linarite account …`: accounts of a running server.

use super::client::AdminClient;
use super::print;
use super::sas::SasTerms;
use crate::admin::account::{AccountChange, NewAccount, NewKey, ShownAccount, ShownAccounts};
use crate::admin::behaviour::BlobChange;
use crate::files::{self, ServerFolder};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand, ValueEnum};
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use storage_engine::clock::{Clock as _, SystemClock};

/// What to do with accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Creates an account and prints its keys and its connection string
    Create {
        /// 3 to 24 lower-case letters and digits
        name: String,
        /// A key to bring along, in Base64; twice for both. Others are made
        #[arg(long = "use-key", value_name = "KEY")]
        keys: Vec<String>,
        /// Containers may be opened to everybody
        #[arg(long)]
        anonymous: bool,
    },
    /// Lists all accounts, without keys
    List,
    /// Prints an account with its keys and its connection string
    Show {
        /// The account
        name: String,
    },
    /// Changes what is named of an account, at once, and prints it. All but --anonymous also for accounts of the
    /// configuration
    Set {
        /// The account
        name: String,
        #[command(flatten)]
        terms: SetTerms,
    },
    /// Sets the rules by which blobs go to cheaper tiers and are deleted; without FILE prints them
    Lifecycle {
        /// The account
        name: String,
        /// A management policy in JSON, as the vendor's tools take it; - for standard input
        file: Option<PathBuf>,
        /// Removes all rules
        #[arg(long, conflicts_with = "file")]
        remove: bool,
    },
    /// Puts a new key in place of one of the two and prints it. The other one stays valid
    Rotate {
        /// The account
        name: String,
        #[command(flatten)]
        key: KeyChoice,
        /// The new key, in Base64; without it one is made
        #[arg(long = "use-key", value_name = "KEY")]
        new: Option<String>,
    },
    /// Deletes an account
    Delete {
        /// The account
        name: String,
        /// Also if it holds containers, queues or tables, which are deleted with it; not what a hold or policy keeps
        #[arg(long)]
        with_content: bool,
    },
    /// Makes an account SAS and prints it, without a question mark
    Sas {
        /// The account
        name: String,
        #[command(flatten)]
        key: KeyChoice,
        #[command(flatten)]
        terms: Box<SasTerms>,
    },
    /// Prints the connection string for an account
    ConnectionString {
        /// The account
        name: String,
        #[command(flatten)]
        key: KeyChoice,
    },
}

/// What to change of an account.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct SetTerms {
    /// Containers may be opened to everybody: true or false
    #[arg(long, action = clap::ArgAction::Set, value_name = "BOOL")]
    anonymous: Option<bool>,
    /// Writes keep what was there as a version
    #[arg(long, value_name = "on|off")]
    versioning: Option<Switch>,
    /// For how many days (1 to 365) deleted containers can come back
    #[arg(long, value_name = "DAYS|off", value_parser = retention)]
    container_retention: Option<u32>,
    /// It is kept when a blob was last read
    #[arg(long, value_name = "on|off")]
    last_access: Option<Switch>,
    /// Changes of blobs are written to the change feed, which clients read in $blobchangefeed
    #[arg(long, value_name = "on|off")]
    change_feed: Option<Switch>,
    /// For how many days (1 to 146000) the change feed goes back; off: to its beginning
    #[arg(long, value_name = "DAYS|off", value_parser = change_feed_retention)]
    change_feed_retention: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

/// Days, or none for "off", which is 0 to the server.
fn retention(text: &str) -> Result<u32, String> {
    match text {
        "off" => Ok(0),
        text => text.parse().ok().filter(|days| *days > 0).ok_or_else(|| "1 to 365, or off".to_owned()),
    }
}

/// As [`retention`], of the change feed.
fn change_feed_retention(text: &str) -> Result<u32, String> {
    retention(text).map_err(|_| "1 to 146000, or off".to_owned())
}

impl SetTerms {
    fn change(self) -> AccountChange {
        let Self {
            anonymous,
            versioning,
            container_retention,
            last_access,
            change_feed,
            change_feed_retention,
        } = self;
        let on = |switch| switch == Switch::On;
        let blobs = BlobChange {
            versioning: versioning.map(on),
            container_retention_days: container_retention,
            last_access: last_access.map(on),
            change_feed: change_feed.map(on),
            change_feed_retention_days: change_feed_retention,
        };
        AccountChange { anonymous, blobs: Some(blobs).filter(|blobs| *blobs != BlobChange::default()) }
    }
}

/// Which of the two keys.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct KeyChoice {
    /// Which of the two keys
    #[arg(long = "key", value_name = "1|2", default_value = "1")]
    number: Number,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Number {
    #[value(name = "1")]
    First,
    #[value(name = "2")]
    Second,
}

impl KeyChoice {
    /// The chosen key, in Base64.
    fn of(self, account: &ShownAccount) -> Result<&str, String> {
        let index = match self.number {
            Number::First => 0,
            Number::Second => 1,
        };
        account.keys.get(index).map(String::as_str).ok_or_else(|| "the account has only one key".to_owned())
    }

    fn digit(self) -> char {
        match self.number {
            Number::First => '1',
            Number::Second => '2',
        }
    }
}

impl AccountCommand {
    /// Asks the server that has the folder open.
    ///
    /// # Errors
    /// A sentence for the user.
    pub(super) fn run(self, folder: &ServerFolder) -> Result<(), String> {
        let server = AdminClient::of(folder)?;
        match self {
            Self::Create { name, keys, anonymous } => {
                let account = server.call("POST", "/accounts", &NewAccount { name, keys, anonymous })?;
                print(&described(&account)?)
            }
            Self::List => print(&table(&server.get("/accounts")?)),
            Self::Show { name } => print(&described(&server.get(&path(&name)?)?)?),
            Self::Set { name, terms } => {
                let account = server.call("PATCH", &path(&name)?, &terms.change())?;
                print(&described(&account)?)
            }
            Self::Lifecycle { name, file, remove } => {
                let path = path(&name)? + "/lifecycle";
                let policy: serde_json::Value = match file {
                    Some(file) => server.call("PUT", &path, &policy(&file)?)?,
                    None if remove => server.call("DELETE", &path, &serde_json::json!({}))?,
                    None => server.get(&path)?,
                };
                print(&format!("{policy:#}\n"))
            }
            Self::Rotate { name, key, new } => {
                let path = format!("{}/keys/{}", path(&name)?, key.digit());
                let account: ShownAccount = server.call("POST", &path, &NewKey { key: new })?;
                print(&format!("{}\n", key.of(&account)?))?;
                eprintln!("this is the new key {}; the old one is worth nothing any more", key.digit());
                Ok(())
            }
            Self::Delete { name, with_content } => {
                server.delete(&(path(&name)? + if with_content { "?content=delete" } else { "" }))
            }
            Self::Sas { name, key, terms } => {
                let account: ShownAccount = server.get(&path(&name)?)?;
                let secret = STANDARD.decode(key.of(&account)?).map_err(|error| error.to_string())?;
                print(&format!("{}\n", terms.sign(&name, &secret, SystemClock.now())?))
            }
            Self::ConnectionString { name, key } => {
                let account = server.get(&path(&name)?)?;
                print(&format!("{}\n", connection_string(&account, key.of(&account)?)?))
            }
        }
    }
}

/// Where the account is administered. A name that could be anything else in a path is refused here.
fn path(name: &str) -> Result<String, String> {
    let plain =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if plain {
        Ok(format!("/accounts/{name}"))
    } else {
        Err("an account's name is 3 to 24 lower-case letters and digits".to_owned())
    }
}

fn policy(file: &Path) -> Result<serde_json::Value, String> {
    let text = if file == Path::new("-") {
        let mut text = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut text);
        read.map(|_| text).map_err(|error| format!("cannot read standard input: {error}"))
    } else {
        files::read(file)
    };
    let document: serde_json::Value =
        serde_json::from_slice(&text?).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(bare_policy(document))
}

/// The policy of a document that is one, or that has one in it, as the vendor's tools show and templates have it:
/// `{"policy": …}`, perhaps below `properties`.
fn bare_policy(mut document: serde_json::Value) -> serde_json::Value {
    for name in ["properties", "policy"] {
        if let Some(inner) = document.get_mut(name).filter(|inner| inner.is_object()) {
            document = inner.take();
        }
    }
    document
}

fn connection_string(account: &ShownAccount, key: &str) -> Result<String, String> {
    let endpoints = account.endpoints.as_ref().ok_or("the server named no endpoints")?;
    Ok(endpoints.connection_string(&account.name, key))
}

fn described(account: &ShownAccount) -> Result<String, String> {
    let mut text = format!("name       {}\n", account.name);
    // Writing into a string cannot fail.
    let _ = writeln!(text, "created    {}", account.created.as_deref().unwrap_or("in the configuration"));
    let _ = writeln!(text, "anonymous  {}", account.anonymous);
    if let Some(blobs) = account.blobs {
        let days = |days: Option<u32>| days.map_or_else(|| "off".to_owned(), |days| format!("{days} days"));
        let on = |on| if on { "on" } else { "off" };
        let _ = writeln!(text, "versioning {}", on(blobs.versioning));
        let _ = writeln!(text, "retention of deleted blobs       {}", days(blobs.blob_retention_days));
        let _ = writeln!(text, "retention of deleted containers  {}", days(blobs.container_retention_days));
        let _ = writeln!(text, "last access {}", on(blobs.last_access));
        let _ = writeln!(text, "lifecycle rules {}", blobs.lifecycle_rules);
        let _ = writeln!(text, "change feed {}", on(blobs.change_feed));
        if blobs.change_feed {
            let kept =
                blobs.change_feed_retention_days.map_or("for ever".to_owned(), |kept| format!("{kept} days"));
            let _ = writeln!(text, "retention of changes             {kept}");
        }
    }
    for (number, key) in (1..).zip(&account.keys) {
        let _ = writeln!(text, "key {number}      {key}");
    }
    if let Some(first) = account.keys.first() {
        let _ = writeln!(text, "connection string: {}", connection_string(account, first)?);
    }
    Ok(text)
}

fn table(all: &ShownAccounts) -> String {
    let mut text = format!("{:<24}  {:<9}  CREATED\n", "NAME", "ANONYMOUS");
    for account in &all.accounts {
        let created = account.created.as_deref().unwrap_or("in the configuration");
        let _ = writeln!(text, "{:<24}  {:<9}  {created}", account.name, account.anonymous);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_policy_is_found_in_what_the_vendors_tools_show() {
        let policy = json!({"rules": [{"name": "one"}]});
        for document in [
            policy.clone(),
            json!({"policy": policy}),
            json!({"id": "x", "name": "default", "policy": policy}),
            json!({"properties": {"policy": policy}}),
        ] {
            assert_eq!(bare_policy(document), policy);
        }
        assert_eq!(bare_policy(json!({"policy": 1})), json!({"policy": 1}), "the server says what is wrong");
    }
}
