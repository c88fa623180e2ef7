//! Whether a caller who has proved who they are may do what they ask for.
//!
//! What an operation requires follows from three facts of its row: service, level and [`Access`]. The vendor's
//! pages list it operation by operation; here it is one table, [`REQUIREMENTS`], with a line per kind of right, and
//! everything reads it: this module, anonymous access, tests that try every operation with every set of rights.
//! Letters in the operation rows themselves were the alternative. They would have been written a hundred times, and
//! a new operation could have been given letters that no page knows; this way it can only be given a right.
//!
//! A row that has no line here is refused to everybody but the account's owner.

use super::delegation::service_letter;
use super::grant::{Grant, Letters, Scope};
use super::role::Roles;
use super::{Identity, Principal};
use crate::error::{ErrorCode, StorageError};
use crate::head::Head;
use crate::header;
use crate::operation::{Access, Asked};
use crate::target::{Level, Resource, ServiceKind};
use std::fmt;
use std::sync::Arc;
use storage_engine::blob::PublicAccess;

/// What is required of signatures, and of nobody in particular, for one kind of right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    /// Resource types (`srt`) of an account signature, one of which it must have.
    pub types: &'static str,
    /// Sets of letters, one of which an account signature must have whole. None of them: such a signature never
    /// suffices. An empty set: any does.
    pub account: &'static [&'static str],
    /// The same for a service's or a user delegation signature.
    pub resource: &'static [&'static str],
    /// How public a container must be for anybody to do it; [`PublicAccess::None`]: nobody may.
    pub anonymous: PublicAccess,
}

/// A line of the table: to what it applies, and what is required.
pub type Line = (ServiceKind, Level, Access, Requirement);

const fn line(
    at: (ServiceKind, Level, Access),
    types: &'static str,
    account: &'static [&'static str],
    resource: &'static [&'static str],
) -> Line {
    let anonymous = match at {
        (ServiceKind::Blob, Level::Blob, Access::Read) => PublicAccess::Blob,
        (ServiceKind::Blob, Level::Container, Access::Read | Access::List) => PublicAccess::Container,
        _ => PublicAccess::None,
    };
    (at.0, at.1, at.2, Requirement { types, account, resource, anonymous })
}

/// Any signature: who it is suffices.
static KNOWN: Requirement =
    Requirement { types: "sco", account: &[""], resource: &[""], anonymous: PublicAccess::None };
/// No signature.
static NEVER: Requirement =
    Requirement { types: "sco", account: &[], resource: &[], anonymous: PublicAccess::None };

use Access::{
    Add, Append, BreakLease, Create, Delete, DeleteVersion, Filter, Immutability, List, PermanentDelete,
    Process, Read, Tags, Update, Upsert, Write,
};
use ServiceKind::{Blob, Queue, Table};

/// Pages "Create an account SAS", "Create a service SAS", "Configure anonymous read access". Rights that any
/// signature has, or none, are not in it: see [`requirement`].
#[rustfmt::skip]
pub static REQUIREMENTS: &[Line] = &[
    line((Blob, Level::Service, List), "s", &["l"], &[]),
    line((Blob, Level::Service, Read), "s", &["r"], &[]),
    line((Blob, Level::Service, Write), "s", &["w"], &[]),
    line((Blob, Level::Service, Filter), "so", &["f"], &[]),
    line((Blob, Level::Container, Create), "c", &["c", "w"], &[]),
    line((Blob, Level::Container, Read), "c", &["r"], &[]),
    line((Blob, Level::Container, Write), "c", &["w"], &[]),
    line((Blob, Level::Container, Delete), "c", &["d"], &[]),
    line((Blob, Level::Container, BreakLease), "c", &["w", "d"], &["d"]),
    line((Blob, Level::Container, List), "c", &["l"], &["l"]),
    line((Blob, Level::Container, Filter), "co", &["f"], &["f"]),
    line((Blob, Level::Blob, Read), "o", &["r"], &["r"]),
    line((Blob, Level::Blob, Create), "o", &["c", "w"], &["c", "w"]),
    line((Blob, Level::Blob, Write), "o", &["w"], &["w"]),
    line((Blob, Level::Blob, Append), "o", &["a", "w"], &["a", "w"]),
    line((Blob, Level::Blob, Delete), "o", &["d"], &["d"]),
    line((Blob, Level::Blob, DeleteVersion), "o", &["x"], &["x"]),
    line((Blob, Level::Blob, PermanentDelete), "o", &["y"], &["y"]),
    line((Blob, Level::Blob, BreakLease), "o", &["w", "d"], &["w", "d"]),
    line((Blob, Level::Blob, Tags), "o", &["t"], &["t"]),
    line((Blob, Level::Blob, Immutability), "o", &["i"], &["i"]),

    line((Queue, Level::Service, List), "s", &["l"], &[]),
    line((Queue, Level::Service, Read), "s", &["r"], &[]),
    line((Queue, Level::Service, Write), "s", &["w"], &[]),
    line((Queue, Level::Queue, Create), "c", &["c", "w"], &[]),
    line((Queue, Level::Queue, Read), "c", &["r"], &["r"]),
    line((Queue, Level::Queue, Write), "c", &["w"], &[]),
    line((Queue, Level::Queue, Delete), "c", &["d"], &[]),
    line((Queue, Level::Messages, Add), "o", &["a"], &["a"]),
    line((Queue, Level::Messages, Read), "o", &["r"], &["r"]),
    line((Queue, Level::Messages, Process), "o", &["p"], &["p"]),
    line((Queue, Level::Messages, Delete), "o", &["d"], &[]),
    line((Queue, Level::Message, Update), "o", &["u"], &["u"]),
    line((Queue, Level::Message, Process), "o", &["p"], &["p"]),

    line((Table, Level::Service, Read), "s", &["r"], &[]),
    line((Table, Level::Service, Write), "s", &["w"], &[]),
    // Older pages have listing tables as an act on the service.
    line((Table, Level::Tables, List), "sc", &["l"], &[]),
    line((Table, Level::TableItem, List), "sc", &["l"], &[]),
    line((Table, Level::Tables, Create), "c", &["c", "w"], &[]),
    line((Table, Level::TableItem, Delete), "c", &["d"], &[]),
    line((Table, Level::Table, Read), "o", &["r"], &["r"]),
    line((Table, Level::Table, Add), "o", &["a"], &["a"]),
    line((Table, Level::Entity, Read), "o", &["r"], &["r"]),
    line((Table, Level::Entity, Update), "o", &["u"], &["u"]),
    line((Table, Level::Entity, Upsert), "o", &["au"], &["au"]),
    line((Table, Level::Entity, Delete), "o", &["d"], &["d"]),
];

/// Headers that ask for more than the operation that they stand at: a signature must have these letters as well, and
/// the holder of a token this right to the blob.
pub const HEADER_RIGHTS: &[(&str, &str, Access)] = &[
    (header::X_MS_TAGS, "t", Tags),
    (header::X_MS_IF_TAGS, "t", Tags),
    (header::X_MS_IMMUTABILITY_POLICY_UNTIL_DATE, "i", Immutability),
    (header::X_MS_IMMUTABILITY_POLICY_MODE, "i", Immutability),
    (header::X_MS_LEGAL_HOLD, "i", Immutability),
];

/// What is required for this right; none if there is no such right.
pub fn requirement(service: ServiceKind, level: Level, access: Access) -> Option<&'static Requirement> {
    match access {
        Access::Open | Access::Known | Access::Batch => Some(&KNOWN),
        Access::Policies | Access::DelegationKey => Some(&NEVER),
        _ => {
            let is = |line: &&Line| (line.0, line.1, line.2) == (service, level, access);
            REQUIREMENTS.iter().find(is).map(|line| &line.3)
        }
    }
}

impl Requirement {
    /// Whether one of the sets of letters is in `letters`.
    fn held(sets: &[&str], letters: Letters) -> bool {
        sets.iter().any(|set| letters.contains(Letters::of(set)))
    }
}

/// Who sent a request, and what of it is allowed to them.
#[derive(Clone, Default)]
pub struct Caller {
    principal: Principal,
    roles: Option<Arc<dyn Roles>>,
    create_only: bool,
}

impl Caller {
    /// A caller who has proved to be `principal`. `roles` says what identities may; without it they may nothing.
    pub fn new(principal: Principal, roles: Option<Arc<dyn Roles>>) -> Self {
        Self { principal, roles, create_only: false }
    }

    /// Who it is.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What the caller's signature grants, if that is what they have.
    pub fn grant(&self) -> Option<&Grant> {
        if let Principal::Signature(grant) = &self.principal { Some(grant) } else { None }
    }

    /// Whose token the caller holds, if that is what they have.
    pub fn identity(&self) -> Option<&Identity> {
        if let Principal::Identity(identity) = &self.principal { Some(identity) } else { None }
    }

    /// Whether what is written must not be there yet: the caller may create, but not overwrite.
    pub const fn create_only(&self) -> bool {
        self.create_only
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("principal", &self.principal)
            .field("create_only", &self.create_only)
            .finish_non_exhaustive()
    }
}

/// Lets the caller do what they ask for, perhaps under conditions, which are noted in the head.
///
/// # Errors
/// `AuthorizationFailure` or one of its kin; `NoAuthenticationInformation` for nobody.
pub fn admit(asked: Asked, head: &mut Head) -> Result<(), StorageError> {
    if asked.access == Access::Open {
        return Ok(());
    }
    let create_only = match &head.caller.principal {
        Principal::Owner => false,
        Principal::Identity(identity) => {
            check_roles(asked, head, identity)?;
            false
        }
        Principal::Signature(grant) => {
            check_grant(asked, head, grant)?;
            if let Some(identity) = &grant.delegated_by {
                check_roles(asked, head, identity).map_err(|error| grant.refusal(error.code))?;
            }
            creates(asked) && !grant.letters.contains(Letters::of("w"))
        }
        Principal::Anonymous(public) => {
            check_anonymous(asked, head, *public)?;
            false
        }
    };
    head.caller.create_only = create_only;
    Ok(())
}

/// Whether it makes the blob of the address. A snapshot is new whatever is there.
fn creates(asked: Asked) -> bool {
    (asked.level, asked.access) == (Level::Blob, Access::Create) && asked.comp != Some("snapshot")
}

fn check_roles(asked: Asked, head: &Head, identity: &Identity) -> Result<(), StorageError> {
    let more = HEADER_RIGHTS.iter().filter(|(name, ..)| head.headers.contains_key(name));
    let more = more.map(|(.., access)| Asked { method: "PUT", level: Level::Blob, access: *access, ..asked });
    let own = std::iter::once(asked).chain(more).map(|asked| (asked, &head.target.resource));
    let source = renamed(asked, head)?;
    let mut all = own.chain(source.iter().map(|source| (asked, source)));
    let allowed = head.caller.roles.as_ref().is_some_and(|roles| {
        all.all(|(asked, resource)| roles.allows(identity, &head.account, asked, resource))
    });
    if allowed { Ok(()) } else { Err(StorageError::new(ErrorCode::AuthorizationPermissionMismatch)) }
}

/// The container that the request gives its address as a name: the right to that name must not be a way to any other's
/// content.
fn renamed(asked: Asked, head: &Head) -> Result<Option<Resource>, StorageError> {
    if (asked.service, asked.level, asked.comp) != (Blob, Level::Container, Some("rename")) {
        return Ok(None);
    }
    let source = head.text(header::X_MS_SOURCE_CONTAINER_NAME)?;
    Ok(source.map(|name| Resource::Container(name.to_owned())))
}

fn check_anonymous(asked: Asked, head: &Head, public: PublicAccess) -> Result<(), StorageError> {
    let required = requirement(asked.service, asked.level, asked.access).map(|needed| needed.anonymous);
    let enough = match (required, public) {
        (Some(PublicAccess::Blob), PublicAccess::Blob | PublicAccess::Container)
        | (Some(PublicAccess::Container), PublicAccess::Container) => asked_reads(asked),
        _ => false,
    };
    if enough { Ok(()) } else { Err(super::anonymous::nobody(head)) }
}

/// Whether the verb is one of reading: a query that is posted is a right of its own kind.
pub(super) fn asked_reads(asked: Asked) -> bool {
    matches!(asked.method, "GET" | "HEAD")
}

fn check_grant(asked: Asked, head: &Head, grant: &Grant) -> Result<(), StorageError> {
    let refuse = |code| Err(grant.refusal(code));
    let Some(needed) = requirement(asked.service, asked.level, asked.access) else {
        return refuse(ErrorCode::AuthorizationFailure);
    };
    let sets = match &grant.scope {
        Scope::Account(services, types) => {
            if !services.meets(Letters::of(service_letter(asked.service))) {
                return refuse(ErrorCode::AuthorizationServiceMismatch);
            }
            if !needed.account.is_empty() && !types.meets(Letters::of(needed.types)) {
                return refuse(ErrorCode::AuthorizationResourceTypeMismatch);
            }
            needed.account
        }
        _ => needed.resource,
    };
    if sets.is_empty() || !grant.scope.covers(head) {
        return refuse(ErrorCode::AuthorizationFailure);
    }
    let more = HEADER_RIGHTS.iter().filter(|(name, ..)| head.headers.contains_key(name));
    let more_held = |(_, letters, _): &(&str, &str, Access)| grant.letters.contains(Letters::of(letters));
    if !Requirement::held(sets, grant.letters) || !more.clone().all(more_held) {
        return refuse(ErrorCode::AuthorizationPermissionMismatch);
    }
    check_encryption_scope(asked, head, grant)
}

/// A signature may demand that what is written gets an encryption scope, and then no other may be asked for.
/// [`crate::encryption::of`] sees to it that the content gets it.
fn check_encryption_scope(asked: Asked, head: &Head, grant: &Grant) -> Result<(), StorageError> {
    let Some(scope) = &grant.encryption_scope else { return Ok(()) };
    if asked.level != Level::Blob || !matches!(asked.access, Access::Create | Access::Write | Access::Append)
    {
        return Ok(());
    }
    match head.text(header::X_MS_ENCRYPTION_SCOPE)? {
        Some(other) if other != scope => {
            Err(StorageError::invalid_header(header::X_MS_ENCRYPTION_SCOPE, other))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
