//! Account signatures: what is signed, and on what they grant. Page "Create an account SAS".

use super::fields::Fields;
use super::{Presented, SINCE_2015_04_05, SINCE_2020_12_06};
use crate::auth::failed;
use crate::auth::grant::Scope;
use crate::error::StorageError;
use crate::head::Head;

/// Services that there can be, files among them, which are not ours.
const SERVICES: &str = "bqtf";
/// Services, containers, objects.
const TYPES: &str = "sco";

/// Reads an account's signature.
///
/// # Errors
/// `AuthenticationFailed` if it is no such thing.
pub(super) fn read(head: &Head, fields: &Fields<'_>) -> Result<Presented, StorageError> {
    if fields.version < SINCE_2015_04_05 {
        return Err(failed("There are no account signatures in the version of sv."));
    }
    if fields.some("si").is_some() {
        return Err(failed("An account's signature cannot name a stored access policy."));
    }
    let services = fields.known_letters("ss", SERVICES)?;
    let types = fields.known_letters("srt", TYPES)?;
    let mut lines = vec![head.account.as_str()];
    lines.extend(["sp", "ss", "srt", "st", "se", "sip", "spr", "sv"].map(|name| fields.text(name)));
    if fields.version >= SINCE_2020_12_06 {
        lines.push(fields.text("ses"));
    }
    // Each line has an end, the last one too.
    lines.push("");
    Ok(Presented::by_account(Scope::Account(services, types), vec![lines.join("\n")]))
}
