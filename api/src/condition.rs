//! Preconditions: the `If-` headers. Page "Specifying conditional headers for Blob service operations".
//!
//! Which headers may stand together is the protocol's affair and is judged here; what they mean for a resource
//! is the engine's. A date that is none is refused, not ignored as in plain HTTP: a write that was to happen
//! only under a condition must not happen without it. An operation that takes no conditions refuses them.
//!
//! The lease under which a request comes, and what a blob's tags must be, are conditions too, which stand beside any
//! others.

use crate::encryption;
use crate::error::{ErrorCode, StorageError};
use crate::etag;
use crate::head::Head;
use crate::time::parse_rfc1123;
use crate::{guid, header, tags};
use storage_engine::blob::{Conditions, EtagMatch, LeaseId};
use storage_engine::clock::Timestamp;

/// Conditions of writes to pages.
const SEQUENCE_NUMBERS: [&str; 3] = [
    header::X_MS_IF_SEQUENCE_NUMBER_EQ,
    header::X_MS_IF_SEQUENCE_NUMBER_LE,
    header::X_MS_IF_SEQUENCE_NUMBER_LT,
];

/// Conditions of operations on tags, on the blob that has them.
const BEHIND_TAGS: [&str; 4] = [
    header::X_MS_BLOB_IF_MATCH,
    header::X_MS_BLOB_IF_MODIFIED_SINCE,
    header::X_MS_BLOB_IF_NONE_MATCH,
    header::X_MS_BLOB_IF_UNMODIFIED_SINCE,
];

/// Conditions on what is copied.
const OF_SOURCES: [&str; 5] = [
    header::X_MS_SOURCE_IF_MATCH,
    header::X_MS_SOURCE_IF_MODIFIED_SINCE,
    header::X_MS_SOURCE_IF_NONE_MATCH,
    header::X_MS_SOURCE_IF_TAGS,
    header::X_MS_SOURCE_IF_UNMODIFIED_SINCE,
];

/// The conditions of a read. All may stand together, and tags may be lists.
///
/// # Errors
/// `UnsatisfiableCondition` for `If-None-Match: *`; `InvalidHeaderValue`.
pub(crate) fn of_read(head: &Head) -> Result<Conditions, StorageError> {
    refuse_tier_age(head)?;
    let conditions = read(head)?;
    if conditions.if_none_match.contains(&EtagMatch::Any) {
        return Err(StorageError::new(ErrorCode::UnsatisfiableCondition));
    }
    Ok(conditions)
}

/// The conditions of a write: one tag or one date. A tag may stand beside the date that it makes superfluous. A
/// caller who may only create writes under the condition that nothing is there, besides their own.
///
/// # Errors
/// `MultipleConditionHeadersNotSupported` for other pairs; `InvalidHeaderValue`, also for a list of tags.
pub(crate) fn of_write(head: &Head) -> Result<Conditions, StorageError> {
    refuse_tier_age(head)?;
    judged(head)
}

fn judged(head: &Head) -> Result<Conditions, StorageError> {
    let mut conditions = read(head)?;
    for (name, tags) in
        [(header::IF_MATCH, &conditions.if_match), (header::IF_NONE_MATCH, &conditions.if_none_match)]
    {
        if tags.len() > 1 {
            return Err(StorageError::invalid_header(name, head.text(name)?.unwrap_or_default()));
        }
    }
    if !conditions.if_none_match.is_empty() {
        conditions.if_modified_since = None;
    }
    if !conditions.if_match.is_empty() {
        conditions.if_unmodified_since = None;
    }
    let given = [
        !conditions.if_match.is_empty(),
        !conditions.if_none_match.is_empty(),
        conditions.if_modified_since.is_some(),
        conditions.if_unmodified_since.is_some(),
    ];
    if given.into_iter().filter(|given| *given).count() > 1 {
        return Err(StorageError::new(ErrorCode::MultipleConditionHeadersNotSupported));
    }
    if head.caller.create_only() {
        conditions.if_none_match.push(EtagMatch::Any);
    }
    Ok(conditions)
}

/// The conditions of a write to a container, which knows only dates and its lease.
///
/// # Errors
/// `ConditionHeadersNotSupported` for tags, or as [`of_write`].
pub(crate) fn of_container_write(head: &Head) -> Result<Conditions, StorageError> {
    refuse(head, &[header::IF_MATCH, header::IF_NONE_MATCH, header::X_MS_IF_TAGS])?;
    of_write(head)
}

/// The conditions of an operation that knows only the lease and the blob's tags.
///
/// # Errors
/// `ConditionHeadersNotSupported` for others; `InvalidHeaderValue`.
pub(crate) fn of_lease_and_tags(head: &Head) -> Result<Conditions, StorageError> {
    refuse_version_and_age(head)?;
    refuse_tier_age(head)?;
    read(head)
}

/// The conditions of an operation on a blob's tags: as [`of_lease_and_tags`], and version and age of the blob behind
/// them in headers of their own.
///
/// # Errors
/// As [`of_lease_and_tags`].
pub(crate) fn beside_tags(head: &Head) -> Result<Conditions, StorageError> {
    let tags = |name| head.text(name).map(|text| text.map(etag::parse_list).unwrap_or_default());
    Ok(Conditions {
        if_match: tags(header::X_MS_BLOB_IF_MATCH)?,
        if_none_match: tags(header::X_MS_BLOB_IF_NONE_MATCH)?,
        if_modified_since: date(head, header::X_MS_BLOB_IF_MODIFIED_SINCE)?,
        if_unmodified_since: date(head, header::X_MS_BLOB_IF_UNMODIFIED_SINCE)?,
        ..of_lease_and_tags(head)?
    })
}

/// The conditions of a deletion: as [`of_write`], and when the tier changed.
///
/// # Errors
/// As [`of_write`].
pub(crate) fn of_delete(head: &Head) -> Result<Conditions, StorageError> {
    refuse_foreign(head)?;
    Ok(Conditions {
        if_tier_modified_since: date(head, header::X_MS_ACCESS_TIER_IF_MODIFIED_SINCE)?,
        if_tier_unmodified_since: date(head, header::X_MS_ACCESS_TIER_IF_UNMODIFIED_SINCE)?,
        ..judged(head)?
    })
}

/// The id of the lease under which a request comes.
///
/// # Errors
/// `InvalidHeaderValue` if it is none.
pub(crate) fn lease(head: &Head) -> Result<Option<LeaseId>, StorageError> {
    lease_id(head, header::X_MS_LEASE_ID)
}

/// The id of a lease in a header.
///
/// # Errors
/// `InvalidHeaderValue` if it is none.
pub(crate) fn lease_id(head: &Head, name: &'static str) -> Result<Option<LeaseId>, StorageError> {
    let parse =
        |text| guid::parse_any(text).map(LeaseId).ok_or_else(|| StorageError::invalid_header(name, text));
    head.text(name)?.map(parse).transpose()
}

/// For an operation that takes no conditions, except perhaps the lease.
///
/// # Errors
/// `ConditionHeadersNotSupported` if there is one.
pub(crate) fn none(head: &Head) -> Result<(), StorageError> {
    refuse_version_and_age(head)?;
    refuse_tier_age(head)?;
    refuse(head, &[header::X_MS_IF_TAGS])
}

/// For an operation on tables or entities: a write knows no condition but `If-Match`. Conditions of reads are left to
/// whoever keeps answers: browsers add them unasked, and an answer in full is always right.
///
/// # Errors
/// `ConditionHeadersNotSupported` for another condition of a write.
pub(crate) fn none_but_if_match(head: &Head) -> Result<(), StorageError> {
    if matches!(head.method, http::Method::GET | http::Method::HEAD) {
        return Ok(());
    }
    refuse(head, &[header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::IF_UNMODIFIED_SINCE])
}

/// When the tier changed is a condition of a deletion only.
fn refuse_tier_age(head: &Head) -> Result<(), StorageError> {
    refuse(
        head,
        &[header::X_MS_ACCESS_TIER_IF_MODIFIED_SINCE, header::X_MS_ACCESS_TIER_IF_UNMODIFIED_SINCE],
    )?;
    refuse_foreign(head)
}

/// Conditions that only some operations know, by what those have in their address: a request that has one of another
/// operation was to happen under it, and would happen without.
fn refuse_foreign(head: &Head) -> Result<(), StorageError> {
    let comp = head.query.get("comp").unwrap_or_default();
    let is = |name: &str| comp.eq_ignore_ascii_case(name);
    let refuse_unless = |known: bool, names| if known { Ok(()) } else { refuse(head, names) };
    refuse_unless(is("page"), &SEQUENCE_NUMBERS)?;
    refuse_unless(is("appendblock") || is("seal"), &[header::X_MS_BLOB_CONDITION_APPENDPOS])?;
    refuse_unless(is("appendblock"), &[header::X_MS_BLOB_CONDITION_MAXSIZE])?;
    refuse_unless(is("tags"), &BEHIND_TAGS)?;
    refuse_unless(head.headers.contains_key(header::X_MS_COPY_SOURCE), &OF_SOURCES)
}

fn refuse_version_and_age(head: &Head) -> Result<(), StorageError> {
    refuse(head, &[header::IF_MODIFIED_SINCE, header::IF_UNMODIFIED_SINCE])?;
    refuse(head, &[header::IF_MATCH, header::IF_NONE_MATCH])
}

fn refuse(head: &Head, names: &[&'static str]) -> Result<(), StorageError> {
    head.refuse(names, ErrorCode::ConditionHeadersNotSupported)
}

fn read(head: &Head) -> Result<Conditions, StorageError> {
    Ok(Conditions {
        lease: lease(head)?,
        customer_key: encryption::customer_key(head)?,
        if_tags: tags::expression::of_header(head)?,
        if_match: head.text(header::IF_MATCH)?.map(etag::parse_list).unwrap_or_default(),
        if_none_match: head.text(header::IF_NONE_MATCH)?.map(etag::parse_list).unwrap_or_default(),
        if_modified_since: date(head, header::IF_MODIFIED_SINCE)?,
        if_unmodified_since: date(head, header::IF_UNMODIFIED_SINCE)?,
        ..Conditions::default()
    })
}

fn date(head: &Head, name: &'static str) -> Result<Option<Timestamp>, StorageError> {
    let parse = |text| parse_rfc1123(text).ok_or_else(|| StorageError::invalid_header(name, text));
    head.text(name)?.map(parse).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;
    use storage_engine::clock::Etag;

    const DATE: &str = "Sun, 22 Nov 2026 01:02:03 GMT";
    type Pairs<'a> = &'a [(&'a str, &'a str)];

    fn head(headers: Pairs<'_>) -> Head {
        testing::head(ServiceKind::Blob, "GET", "/dev/c/b", headers)
    }

    fn refusal(conditions: Result<Conditions, StorageError>) -> ErrorCode {
        conditions.unwrap_err().code
    }

    #[test]
    fn reads_take_lists_and_all_headers_at_once() {
        let all: Pairs<'_> = &[
            ("if-match", "\"0x1\", 0x2"),
            ("if-none-match", "0x3"),
            ("if-modified-since", DATE),
            ("if-unmodified-since", DATE),
        ];
        let conditions = of_read(&head(all)).unwrap();
        assert_eq!(conditions.if_match, [EtagMatch::Exactly(Etag(1)), EtagMatch::Exactly(Etag(2))]);
        assert_eq!(conditions.if_modified_since, parse_rfc1123(DATE));
        assert_eq!(refusal(of_read(&head(&[("if-none-match", "*")]))), ErrorCode::UnsatisfiableCondition);
        assert_eq!(of_read(&head(&[])).unwrap(), Conditions::default());
    }

    #[test]
    fn writes_take_one_header_or_a_tag_with_its_date() {
        for pairs in [
            &[("if-match", "*"), ("if-unmodified-since", DATE)][..],
            &[("if-none-match", "*"), ("if-modified-since", DATE)],
        ] {
            let conditions = of_write(&head(pairs)).unwrap();
            assert_eq!((conditions.if_modified_since, conditions.if_unmodified_since), (None, None));
        }
        for pairs in [
            &[("if-match", "*"), ("if-none-match", "*")][..],
            &[("if-match", "*"), ("if-modified-since", DATE)],
            &[("if-none-match", "*"), ("if-unmodified-since", DATE)],
            &[("if-modified-since", DATE), ("if-unmodified-since", DATE)],
        ] {
            let code = refusal(of_write(&head(pairs)));
            assert_eq!(code, ErrorCode::MultipleConditionHeadersNotSupported, "{pairs:?}");
        }
        assert_eq!(refusal(of_write(&head(&[("if-match", "0x1,0x2")]))), ErrorCode::InvalidHeaderValue);
    }

    #[test]
    fn the_lease_and_tags_stand_beside_any_other_condition() {
        let pairs: Pairs<'_> = &[
            ("if-match", "0x1"),
            ("x-ms-if-tags", "a = '1'"),
            ("x-ms-lease-id", "{C9DA6455-213D-42C9-9A79-3E9149A57833}"),
        ];
        let conditions = of_write(&head(pairs)).unwrap();
        let id = guid::parse("c9da6455-213d-42c9-9a79-3e9149a57833").map(LeaseId);
        assert_eq!(
            (conditions.lease, conditions.if_tags.is_some(), conditions.if_match.len()),
            (id, true, 1)
        );
        assert_eq!(refusal(of_lease_and_tags(&head(pairs))), ErrorCode::ConditionHeadersNotSupported);
        let beside = pairs.get(1..).unwrap();
        assert!(of_lease_and_tags(&head(beside)).is_ok());
        assert_eq!(refusal(of_container_write(&head(beside))), ErrorCode::ConditionHeadersNotSupported);
        assert_eq!(none(&head(beside)).unwrap_err().code, ErrorCode::ConditionHeadersNotSupported);
        for bad in [("x-ms-if-tags", "a"), ("x-ms-lease-id", "mine")] {
            assert_eq!(refusal(of_read(&head(&[bad]))), ErrorCode::InvalidHeaderValue);
        }
    }

    #[test]
    fn when_the_tier_changed_is_a_condition_of_deletions_only() {
        let tier = head(&[("x-ms-access-tier-if-modified-since", DATE)]);
        assert_eq!(of_delete(&tier).unwrap().if_tier_modified_since, parse_rfc1123(DATE));
        for refused in [of_read(&tier), of_write(&tier), of_lease_and_tags(&tier)] {
            assert_eq!(refusal(refused), ErrorCode::ConditionHeadersNotSupported);
        }
    }

    #[test]
    fn a_condition_of_another_operation_is_refused() {
        let of = |url: &str, name: &str| {
            let sent = testing::head(ServiceKind::Blob, "PUT", url, &[(name, "1")]);
            (refuse_foreign(&sent).is_ok(), of_delete(&sent).is_ok())
        };
        for (name, comp) in [
            ("x-ms-if-sequence-number-eq", "page"),
            ("x-ms-blob-condition-appendpos", "seal"),
            ("x-ms-blob-condition-appendpos", "AppendBlock"),
            ("x-ms-blob-condition-maxsize", "appendblock"),
            ("x-ms-blob-if-match", "tags"),
        ] {
            assert!(of(&format!("/dev/c/b?comp={comp}"), name).0, "{name} {comp}");
            assert_eq!(of("/dev/c/b?comp=metadata", name), (false, false), "{name}");
        }
        assert_eq!(of("/dev/c/b", "x-ms-source-if-match"), (false, false));
        let source = [("x-ms-copy-source", "http://x"), ("x-ms-source-if-match", "0x1")];
        assert!(refuse_foreign(&head(&source)).is_ok());
    }

    #[test]
    fn a_date_that_is_none_is_refused() {
        for bad in ["yesterday", "Sun, 30 Feb 2026 01:02:03 GMT"] {
            assert_eq!(refusal(of_read(&head(&[("if-modified-since", bad)]))), ErrorCode::InvalidHeaderValue);
        }
    }

    #[test]
    fn containers_know_only_dates_and_blocks_nothing() {
        assert!(of_container_write(&head(&[("if-modified-since", DATE)])).is_ok());
        let tag = head(&[("if-match", "*")]);
        assert_eq!(refusal(of_container_write(&tag)), ErrorCode::ConditionHeadersNotSupported);
        assert!(none(&head(&[])).is_ok());
        assert!(none(&tag).is_err());
        assert!(none(&head(&[("if-unmodified-since", DATE)])).is_err());
    }
}
