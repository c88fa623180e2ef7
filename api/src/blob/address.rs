//! Which resource an operation means, and what it must not ask of it.
//!
//! Every operation takes its address from here, so none can forget to refuse what is not built: a client that
//! asks for a tag, a tier, a key of its own or a hold must not be told that it has got one.

use crate::error::{ErrorCode, StorageError};
use crate::head::Head;
use crate::header;
use crate::target::Resource;
use storage_engine::blob::BlobAddress;
use storage_engine::name::{AccountName, BlobName, ContainerName};

/// Headers that ask for what is not built. The one list.
const UNBUILT: [&str; 18] = [
    header::X_MS_ACCESS_TIER,
    header::X_MS_ACCESS_TIER_IF_MODIFIED_SINCE,
    header::X_MS_ACCESS_TIER_IF_UNMODIFIED_SINCE,
    header::X_MS_COPY_SOURCE,
    header::X_MS_DEFAULT_ENCRYPTION_SCOPE,
    header::X_MS_DENY_ENCRYPTION_SCOPE_OVERRIDE,
    header::X_MS_ENCRYPTION_ALGORITHM,
    header::X_MS_ENCRYPTION_KEY,
    header::X_MS_ENCRYPTION_KEY_SHA256,
    header::X_MS_ENCRYPTION_SCOPE,
    header::X_MS_EXPIRY_OPTION,
    header::X_MS_EXPIRY_TIME,
    header::X_MS_IF_TAGS,
    header::X_MS_IMMUTABILITY_POLICY_MODE,
    header::X_MS_IMMUTABILITY_POLICY_UNTIL_DATE,
    header::X_MS_LEGAL_HOLD,
    header::X_MS_SEQUENCE_NUMBER_ACTION,
    header::X_MS_TAGS,
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
/// `NotImplemented`, `LeaseNotPresentWithContainerOperation`, `InvalidResourceName`.
pub(super) fn container(head: &Head) -> Result<ContainerAddress, StorageError> {
    refuse_unbuilt(head)?;
    refuse_lease(head, ErrorCode::LeaseNotPresentWithContainerOperation)?;
    let Resource::Container(name) = &head.target.resource else {
        return Err(StorageError::new(ErrorCode::InvalidUri));
    };
    let container = ContainerName::parse(name).map_err(Head::invalid_name)?;
    Ok(ContainerAddress { account: head.account.clone(), container })
}

/// The blob that is meant.
///
/// # Errors
/// `NotImplemented`, `LeaseNotPresentWithBlobOperation`, `InvalidResourceName` for the container's name,
/// `InvalidUri` for the blob's.
pub(super) fn blob(head: &Head) -> Result<BlobAddress, StorageError> {
    refuse_unbuilt(head)?;
    refuse_lease(head, ErrorCode::LeaseNotPresentWithBlobOperation)?;
    let Resource::Blob(container, blob) = &head.target.resource else {
        return Err(StorageError::new(ErrorCode::InvalidUri));
    };
    let container = ContainerName::parse(container).map_err(Head::invalid_name)?;
    let blob =
        BlobName::parse(blob).map_err(|error| StorageError::new(ErrorCode::InvalidUri).caused_by(error))?;
    Ok(BlobAddress { account: head.account.clone(), container, blob })
}

fn refuse_unbuilt(head: &Head) -> Result<(), StorageError> {
    match UNBUILT.iter().find(|name| head.headers.contains_key(**name)) {
        Some(name) => Err(StorageError::new(ErrorCode::NotImplemented).with("HeaderName", *name)),
        None => Ok(()),
    }
}

/// Nothing is ever leased yet, so whoever names a lease names one that is not there.
fn refuse_lease(head: &Head, code: ErrorCode) -> Result<(), StorageError> {
    match head.text(header::X_MS_LEASE_ID)? {
        Some(_) => Err(StorageError::new(code)),
        None => Ok(()),
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
        let container = container(&testing::head(ServiceKind::Blob, "PUT", "/dev/con", &[])).unwrap();
        assert_eq!(container.container.as_str(), "con");
    }

    #[test]
    fn what_is_not_built_is_refused_and_never_ignored() {
        for name in UNBUILT {
            assert_eq!(blob_code("/dev/con/b", &[(name, "x")]), Some(ErrorCode::NotImplemented), "{name}");
        }
    }

    #[test]
    fn a_lease_that_is_not_there_is_said_so() {
        let lease = [("x-ms-lease-id", "00000000-0000-0000-0000-000000000000")];
        assert_eq!(blob_code("/dev/con/b", &lease), Some(ErrorCode::LeaseNotPresentWithBlobOperation));
        let head = testing::head(ServiceKind::Blob, "DELETE", "/dev/con", &lease);
        assert_eq!(container(&head).unwrap_err().code, ErrorCode::LeaseNotPresentWithContainerOperation);
    }
}
