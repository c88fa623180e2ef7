//! Service signatures: one container, blob, queue or table. Page "Create a service SAS".
//!
//! The resource is part of what is signed, but the request says which one it is: a signature for another resource
//! simply does not match. What the request cannot say (`sr`, `sdd`, `tn`) is read from the fields.

use super::fields::Fields;
use super::{
    Presented, SINCE_2012_02_12, SINCE_2013_08_15, SINCE_2015_02_21, SINCE_2015_04_05, SINCE_2018_11_09,
    SINCE_2019_12_12, SINCE_2020_02_10, SINCE_2020_12_06,
};
use crate::auth::failed;
use crate::auth::grant::{KeyRange, Scope};
use crate::auth::policy::PolicyHolder;
use crate::error::StorageError;
use crate::head::Head;
use crate::target::{Resource, ServiceKind};

/// Fields that say how a blob that is read is answered.
pub(super) const OVERRIDES: [&str; 5] = ["rscc", "rscd", "rsce", "rscl", "rsct"];

/// The resource that a signature names.
pub(super) struct Named {
    pub(super) scope: Scope,
    /// As it is signed. Clients spell a container's root directory in two ways.
    pub(super) canonical: Vec<String>,
    /// Which snapshot or version; empty for a blob as it is.
    pub(super) at: String,
    /// Where its policies are.
    pub(super) holder: PolicyHolder,
}

/// Reads a service's signature.
///
/// # Errors
/// `AuthenticationFailed` if it is no such thing.
pub(super) fn read(head: &Head, fields: &Fields<'_>) -> Result<Presented, StorageError> {
    let named = named(head, fields)?;
    let texts = named.canonical.iter().map(|canonical| {
        let mut lines = vec![fields.text("sp"), fields.text("st"), fields.text("se"), canonical];
        lines.push(fields.text("si"));
        if fields.version >= SINCE_2015_04_05 {
            lines.extend([fields.text("sip"), fields.text("spr")]);
        }
        if fields.version >= SINCE_2012_02_12 {
            lines.push(fields.text("sv"));
        }
        match head.target.service {
            ServiceKind::Blob => push_blob_lines(fields, &named.at, &mut lines),
            ServiceKind::Queue => {}
            ServiceKind::Table => lines.extend(["spk", "srk", "epk", "erk"].map(|name| fields.text(name))),
        }
        lines.join("\n")
    });
    let texts = texts.collect();
    let keys = if head.target.service == ServiceKind::Table { key_range(fields)? } else { None };
    let policy = fields.some("si").map(|id| (named.holder, id.to_owned()));
    Ok(Presented { keys, policy, ..Presented::by_account(named.scope, texts) })
}

fn push_blob_lines<'a>(fields: &Fields<'a>, at: &'a str, lines: &mut Vec<&'a str>) {
    if fields.version >= SINCE_2018_11_09 {
        lines.extend([fields.text("sr"), at]);
    }
    if fields.version >= SINCE_2020_12_06 {
        lines.push(fields.text("ses"));
    }
    if fields.version >= SINCE_2013_08_15 {
        lines.extend(OVERRIDES.map(|name| fields.text(name)));
    }
}

/// The resource that the signature is for, given the request's.
///
/// # Errors
/// `AuthenticationFailed` if the request is about nothing that the signature could be for.
pub(super) fn named(head: &Head, fields: &Fields<'_>) -> Result<Named, StorageError> {
    match head.target.service {
        ServiceKind::Blob => named_blob(head, fields),
        _ if fields.version < SINCE_2012_02_12 => Err(failed("sv is missing.")),
        ServiceKind::Queue => named_queue(head, fields),
        ServiceKind::Table => named_table(head, fields),
    }
}

fn elsewhere() -> StorageError {
    failed("The signature is not for the resource of the address.")
}

/// `/blob/account/…`; before the service was part of it, `/account/…`.
fn canonical(head: &Head, fields: &Fields<'_>, path: &str) -> String {
    let account = &head.account;
    if fields.version < SINCE_2015_02_21 {
        return format!("/{account}/{path}");
    }
    format!("/{}/{account}/{path}", head.target.service.label())
}

fn named_blob(head: &Head, fields: &Fields<'_>) -> Result<Named, StorageError> {
    let (container, blob) = match &head.target.resource {
        Resource::Container(container) => (container, None),
        Resource::Blob(container, blob) => (container, Some(blob)),
        _ => return Err(elsewhere()),
    };
    let holder = PolicyHolder::Container(container.clone());
    let of = |scope, path: &str, at: &str| Named {
        scope,
        canonical: vec![canonical(head, fields, path)],
        at: at.to_owned(),
        holder: holder.clone(),
    };
    let past = |parameter: &'static str| {
        let blob = blob.ok_or_else(elsewhere)?;
        let at = fields.some(parameter).ok_or_else(elsewhere)?;
        let scope = Scope::Past(container.clone(), blob.clone(), parameter, at.to_owned());
        Ok(of(scope, &format!("{container}/{blob}"), at))
    };
    match fields.text("sr") {
        "c" => Ok(of(Scope::Container(container.clone()), container, "")),
        "b" => {
            let blob = blob.ok_or_else(elsewhere)?;
            Ok(of(Scope::Blob(container.clone(), blob.clone()), &format!("{container}/{blob}"), ""))
        }
        "bs" if fields.version >= SINCE_2018_11_09 => past("snapshot"),
        "bv" if fields.version >= SINCE_2019_12_12 => past("versionid"),
        "d" if fields.version >= SINCE_2020_02_10 => {
            let directory = directory(blob.ok_or_else(elsewhere)?, fields)?;
            let mut named = of(Scope::Directory(container.clone(), directory.clone()), container, "");
            if directory.is_empty() {
                named.canonical.push(canonical(head, fields, &format!("{container}/")));
            } else {
                named.canonical = vec![canonical(head, fields, &format!("{container}/{directory}"))];
            }
            Ok(named)
        }
        other => Err(failed(format!("sr cannot be read: '{other}'."))),
    }
}

/// The first segments of the path, as many as `sdd` says.
fn directory(blob: &str, fields: &Fields<'_>) -> Result<String, StorageError> {
    let text = fields.text("sdd");
    let depth: usize = text.parse().map_err(|_| failed(format!("sdd cannot be read: '{text}'.")))?;
    let segments: Vec<&str> = blob.split('/').take(depth).collect();
    if segments.len() < depth { Err(elsewhere()) } else { Ok(segments.join("/")) }
}

fn named_queue(head: &Head, fields: &Fields<'_>) -> Result<Named, StorageError> {
    let (Resource::Queue(queue) | Resource::Messages(queue) | Resource::Message(queue, _)) =
        &head.target.resource
    else {
        return Err(elsewhere());
    };
    Ok(Named {
        scope: Scope::Queue(queue.clone()),
        canonical: vec![canonical(head, fields, queue)],
        at: String::new(),
        holder: PolicyHolder::Queue(queue.clone()),
    })
}

/// A batch's address names no table, so `tn` says which. Where the address has one, it must be the same.
fn named_table(head: &Head, fields: &Fields<'_>) -> Result<Named, StorageError> {
    let table = fields.some("tn").ok_or_else(|| failed("tn is missing."))?;
    match &head.target.resource {
        Resource::Table(name) | Resource::Entity(name, _) if !name.eq_ignore_ascii_case(table) => {
            return Err(elsewhere());
        }
        _ => {}
    }
    Ok(Named {
        scope: Scope::Table(table.to_owned()),
        canonical: vec![canonical(head, fields, &table.to_ascii_lowercase())],
        at: String::new(),
        holder: PolicyHolder::Table(table.to_owned()),
    })
}

fn key_range(fields: &Fields<'_>) -> Result<Option<KeyRange>, StorageError> {
    let end = |partition: &str, row: &str| match (fields.some(partition), fields.some(row)) {
        (None, None) => Ok(None),
        (Some(partition), row) => Ok(Some((partition.to_owned(), row.map(str::to_owned)))),
        (None, Some(_)) => Err(failed(format!("{row} stands without {partition}."))),
    };
    let (from, to) = (end("spk", "srk")?, end("epk", "erk")?);
    Ok((from.is_some() || to.is_some()).then_some(KeyRange { from, to }))
}
