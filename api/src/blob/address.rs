//! Which resource an operation means, and what it must not ask of it.
//!
//! Every operation takes its address from here, so none can forget to refuse what is not built: a client that
//! asks for a key of its own must not be told that it has got one where it has not.

use crate::error::{ErrorCode, StorageError};
use crate::head::Head;
use crate::target::Resource;
use crate::{header, time};
use storage_engine::blob::{BlobAddress, Which};
use storage_engine::name::{AccountName, BlobName, ContainerName};

/// Headers that ask for what is not built. The one list.
const UNBUILT: [&str; 6] = [
    header::X_MS_DEFAULT_ENCRYPTION_SCOPE,
    header::X_MS_DENY_ENCRYPTION_SCOPE_OVERRIDE,
    header::X_MS_ENCRYPTION_ALGORITHM,
    header::X_MS_ENCRYPTION_KEY,
    header::X_MS_ENCRYPTION_KEY_SHA256,
    header::X_MS_ENCRYPTION_SCOPE,
];

/// Which container: account and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContainerAddress {
    /// The account.
    pub(crate) account: AccountName,
    /// The container.
    pub(crate) container: ContainerName,
}

/// The container that is meant.
///
/// # Errors
/// `NotImplemented`, `InvalidResourceName`.
pub(super) fn container(head: &Head) -> Result<ContainerAddress, StorageError> {
    refuse_unbuilt(head)?;
    new_container(head)
}

/// As [`container`], for an operation that heeds what the headers say of its encryption.
///
/// # Errors
/// `InvalidResourceName`.
pub(super) fn new_container(head: &Head) -> Result<ContainerAddress, StorageError> {
    let Resource::Container(name) = &head.target.resource else {
        return Err(StorageError::new(ErrorCode::InvalidUri));
    };
    let container = ContainerName::parse(name).map_err(Head::invalid_name)?;
    Ok(ContainerAddress { account: head.account.clone(), container })
}

/// The blob that is meant.
///
/// # Errors
/// `NotImplemented`, `InvalidResourceName` for the container's name, `InvalidUri` for the blob's.
pub(super) fn blob(head: &Head) -> Result<BlobAddress, StorageError> {
    head.refuse(&[header::X_MS_COPY_SOURCE], ErrorCode::NotImplemented)?;
    blob_from_source(head)
}

/// The blob that is meant by an operation that takes its bytes from an address.
///
/// # Errors
/// As [`blob`].
pub(super) fn blob_from_source(head: &Head) -> Result<BlobAddress, StorageError> {
    refuse_unbuilt(head)?;
    refuse_demanded_scope(head)?;
    named(head)
}

/// As [`blob`], for an operation that heeds what the headers say of encryption.
///
/// # Errors
/// As [`blob`].
pub(super) fn encrypted_blob(head: &Head) -> Result<BlobAddress, StorageError> {
    head.refuse(&[header::X_MS_COPY_SOURCE], ErrorCode::NotImplemented)?;
    named(head)
}

/// As [`blob_from_source`], for an operation that heeds what the headers say of encryption.
///
/// # Errors
/// As [`blob`].
pub(super) fn encrypted_blob_from_source(head: &Head) -> Result<BlobAddress, StorageError> {
    named(head)
}

fn named(head: &Head) -> Result<BlobAddress, StorageError> {
    let Resource::Blob(container, blob) = &head.target.resource else {
        return Err(StorageError::new(ErrorCode::InvalidUri));
    };
    let container = ContainerName::parse(container).map_err(Head::invalid_name)?;
    let blob =
        BlobName::parse(blob).map_err(|error| StorageError::new(ErrorCode::InvalidUri).caused_by(error))?;
    Ok(BlobAddress { account: head.account.clone(), container, blob })
}

fn refuse_unbuilt(head: &Head) -> Result<(), StorageError> {
    head.refuse(&UNBUILT, ErrorCode::NotImplemented)
}

/// A signature may demand a scope for what is written. An operation that takes its address without heeding encryption
/// must not write content with such a signature.
fn refuse_demanded_scope(head: &Head) -> Result<(), StorageError> {
    let demanded = head.caller.grant().is_some_and(|grant| grant.encryption_scope.is_some());
    let writes_content = head.method == http::Method::PUT
        && matches!(
            head.query.get("comp"),
            None | Some("appendblock" | "block" | "incrementalcopy" | "page")
        );
    if demanded && writes_content {
        return Err(StorageError::new(ErrorCode::NotImplemented).with("QueryParameterName", "ses"));
    }
    Ok(())
}

/// Which state of the blob is meant: the query names a snapshot, a version, or neither.
///
/// # Errors
/// `InvalidQueryParameterValue` for both at once, or for what is no moment.
pub(super) fn which(head: &Head) -> Result<Which, StorageError> {
    let given = |name| head.query.get(name).filter(|text| !text.is_empty());
    let moment = |name, text| {
        let invalid = || StorageError::invalid_query(name, text, "The value is not the id of a state.");
        time::parse_iso8601(text).ok_or_else(invalid)
    };
    match (given("snapshot"), given("versionid")) {
        (None, None) => Ok(Which::Base),
        (Some(text), None) => moment("snapshot", text).map(Which::Snapshot),
        (None, Some(text)) => moment("versionid", text).map(Which::Version),
        (Some(_), Some(text)) => {
            let reason = "A snapshot and a version cannot both be meant.";
            Err(StorageError::invalid_query("versionid", text, reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;

    fn blob_code(url: &str, headers: &[(&str, &str)]) -> Option<ErrorCode> {
        blob(&testing::head(ServiceKind::Blob, "PUT", url, headers)).err().map(|error| error.code)
    }

    #[test]
    fn names_are_judged_by_the_rules_of_their_kind() {
        let head = testing::head(ServiceKind::Blob, "PUT", "/dev/$root/a%20b/%C3%A9", &[]);
        let at = blob(&head).unwrap();
        assert_eq!((at.container.as_str(), at.blob.as_str()), ("$root", "a b/é"));
        assert_eq!(blob_code("/dev/Upper/b", &[]), Some(ErrorCode::InvalidResourceName));
        assert_eq!(blob_code("/dev/con/%01", &[]), Some(ErrorCode::InvalidUri));
        let container =
            container(&testing::head(ServiceKind::Blob, "PUT", "/dev/con?restype=container", &[])).unwrap();
        assert_eq!(container.container.as_str(), "con");
    }

    #[test]
    fn what_is_not_built_is_refused_and_never_ignored() {
        for name in UNBUILT {
            assert_eq!(blob_code("/dev/con/b", &[(name, "x")]), Some(ErrorCode::NotImplemented), "{name}");
        }
    }

    #[test]
    fn a_state_is_named_by_one_moment() {
        let named = |query: &str| {
            let url = format!("/dev/con/b?{query}");
            which(&testing::head(ServiceKind::Blob, "GET", &url, &[])).map_err(|error| error.code)
        };
        let id = "2026-01-02T03:04:05.1234567Z";
        let moment = time::parse_iso8601(id).unwrap();
        assert_eq!(named("comp=metadata&versionid="), Ok(Which::Base));
        assert_eq!(named(&format!("snapshot={id}")), Ok(Which::Snapshot(moment)));
        assert_eq!(named(&format!("versionId={id}")), Ok(Which::Version(moment)));
        let refused = Err(ErrorCode::InvalidQueryParameterValue);
        assert_eq!(named(&format!("snapshot={id}&versionid={id}")), refused);
        assert_eq!(named("snapshot=yesterday"), refused);
    }
}
