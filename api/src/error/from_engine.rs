//! The one mapping from the engine's errors to codes. It has no wildcard: an error that the engine learns does
//! not compile until it has a code.

use super::{ErrorCode, StorageError};
use crate::{etag, header, time};
use storage_engine::EngineError;
use storage_engine::blob::{LeaseError, Leased};

/// What an operation was about, as far as it decides between codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// It read: an unmet condition may mean "not modified".
    Read,
    /// It wrote.
    Write,
}

impl StorageError {
    /// The engine's error as an operation of this intent reports it.
    pub fn from_engine(error: EngineError, intent: Intent) -> Self {
        if let EngineError::Batch { index, source } = &error {
            let mut inner = Self::from_engine(EngineError::clone(source), intent);
            inner.index = Some(*index);
            return inner;
        }
        let code = code_of(&error, intent);
        let mut headers = Vec::new();
        if let EngineError::RangeNotSatisfiable { length } = &error {
            headers.push((header::CONTENT_RANGE, format!("bytes */{length}")));
        }
        if let EngineError::NotModified { etag, modified } = &error {
            headers.push((header::ETAG, etag::quoted(*etag)));
            headers.push((header::LAST_MODIFIED, time::rfc1123(*modified)));
        }
        Self { headers, ..Self::new(code).caused_by(error) }
    }
}

fn code_of(error: &EngineError, intent: Intent) -> ErrorCode {
    match error {
        // Only the administration's verbs are about accounts; a request's account was found before it ran.
        EngineError::AccountNotFound
        | EngineError::AccountExists
        | EngineError::AccountNotEmpty
        | EngineError::AccountProtected => ErrorCode::AccountNotFound,
        EngineError::ContainerNotFound | EngineError::DeletedContainerNotFound => {
            ErrorCode::ContainerNotFound
        }
        EngineError::ContainerExists => ErrorCode::ContainerAlreadyExists,
        EngineError::ContainerProtected => ErrorCode::ContainerImmutableStorageWithVersioningEnabled,
        // A page blob's volume goes with its blob: who finds it gone has read a record that is gone too.
        EngineError::BlobNotFound | EngineError::VolumeNotFound => ErrorCode::BlobNotFound,
        EngineError::BlobExists => ErrorCode::BlobAlreadyExists,
        EngineError::NotModified { .. } => not_modified(intent),
        EngineError::PreconditionFailed => ErrorCode::ConditionNotMetOnWrite,
        EngineError::BlockMissing => ErrorCode::InvalidBlockList,
        EngineError::BlockIdLength => ErrorCode::InvalidBlobOrBlock,
        EngineError::TooManyBlocks | EngineError::TooManyAppends => ErrorCode::BlockCountExceedsLimit,
        EngineError::RangeNotSatisfiable { .. } => ErrorCode::InvalidRange,
        EngineError::Lease(error) => of_lease(*error),
        EngineError::CustomerKeyMismatch { encrypted } => of_customer_key(*encrypted),
        EngineError::EncryptionScopeNotFound => ErrorCode::InvalidHeaderValue,
        EngineError::EncryptionScopeDisabled => ErrorCode::AuthorizationFailure,
        EngineError::EncryptionScopeFixed => ErrorCode::RequestForbiddenByContainerEncryptionPolicy,
        EngineError::SnapshotsPresent => ErrorCode::SnapshotsPresent,
        EngineError::BlobKindMismatch | EngineError::PagesUnavailable => ErrorCode::InvalidBlobType,
        EngineError::StateMismatch | EngineError::HiddenPastExpiry => ErrorCode::InvalidQueryParameterValue,
        EngineError::CurrentVersion => ErrorCode::OperationNotAllowedOnRootBlob,
        EngineError::PermanentDeleteRefused => ErrorCode::PermanentDeleteRefused,
        EngineError::BlobArchived => ErrorCode::BlobArchived,
        EngineError::BlobBeingRehydrated => ErrorCode::BlobBeingRehydrated,
        EngineError::TierLowered => ErrorCode::CannotChangeToLowerTier,
        EngineError::TierTooSmall => ErrorCode::BlobTierInadequateForContentLength,
        EngineError::TierKindMismatch => ErrorCode::AccessTierNotSupportedForBlobType,
        EngineError::ImmutableByPolicy => ErrorCode::BlobImmutableDueToPolicy,
        EngineError::ImmutableByLegalHold => ErrorCode::BlobImmutableDueToLegalHold,
        EngineError::AppendPositionMismatch => ErrorCode::AppendPositionConditionNotMet,
        EngineError::AppendSizeExceeded => ErrorCode::MaxBlobSizeConditionNotMet,
        EngineError::BlobSealed => ErrorCode::BlobIsSealed,
        EngineError::SequenceNumberMismatch => ErrorCode::SequenceNumberConditionNotMet,
        EngineError::SequenceNumberTooLarge => ErrorCode::SequenceNumberIncrementTooLarge,
        EngineError::CopyPending => ErrorCode::PendingCopyOperation,
        EngineError::NoCopyPending => ErrorCode::NoPendingCopyOperation,
        EngineError::CopyIdMismatch => ErrorCode::CopyIdMismatch,
        EngineError::IncrementalCopy => ErrorCode::OperationNotAllowedOnIncrementalCopyBlob,
        EngineError::IncrementalCopyMismatch => ErrorCode::IncrementalCopyBlobMismatch,
        EngineError::IncrementalCopyEarlier => ErrorCode::IncrementalCopyOfEarlierSnapshotNotAllowed,
        EngineError::PreviousSnapshotNotFound => ErrorCode::PreviousSnapshotNotFound,
        EngineError::PreviousSnapshotNewer => ErrorCode::PreviousSnapshotCannotBeNewer,
        EngineError::BlobOverwritten => ErrorCode::BlobOverwritten,
        EngineError::QueueNotFound => ErrorCode::QueueNotFound,
        EngineError::QueueExists => ErrorCode::QueueAlreadyExists,
        EngineError::MessageNotFound => ErrorCode::MessageNotFound,
        EngineError::PopReceiptMismatch => ErrorCode::PopReceiptMismatch,
        EngineError::TableNotFound => ErrorCode::TableNotFound,
        EngineError::TableExists => ErrorCode::TableAlreadyExists,
        EngineError::EntityNotFound => ErrorCode::ResourceNotFound,
        EngineError::EntityExists => ErrorCode::EntityAlreadyExists,
        EngineError::EntityChanged => ErrorCode::UpdateConditionNotSatisfied,
        EngineError::EntityTooLarge => ErrorCode::EntityTooLarge,
        EngineError::TooManyProperties => ErrorCode::TooManyProperties,
        EngineError::Batch { source, .. } => code_of(source, intent),
        EngineError::InvalidPageRange => ErrorCode::InvalidPageRange,
        EngineError::NoSpace => ErrorCode::StorageFull,
        EngineError::Corrupt { .. } | EngineError::Disk(_) | EngineError::Meta(_) => ErrorCode::InternalError,
        EngineError::Closed => ErrorCode::ServerBusy,
    }
}

const fn not_modified(intent: Intent) -> ErrorCode {
    match intent {
        Intent::Read => ErrorCode::ConditionNotMetOnRead,
        Intent::Write => ErrorCode::ConditionNotMetOnWrite,
    }
}

const fn of_customer_key(encrypted: bool) -> ErrorCode {
    if encrypted {
        ErrorCode::BlobUsesCustomerSpecifiedEncryption
    } else {
        ErrorCode::BlobDoesNotUseCustomerSpecifiedEncryption
    }
}

fn of_lease(error: LeaseError) -> ErrorCode {
    match error {
        LeaseError::AlreadyPresent => ErrorCode::LeaseAlreadyPresent,
        LeaseError::IsBreakingAndCannotBeAcquired => ErrorCode::LeaseIsBreakingAndCannotBeAcquired,
        LeaseError::IsBreakingAndCannotBeChanged => ErrorCode::LeaseIsBreakingAndCannotBeChanged,
        LeaseError::IsBrokenAndCannotBeRenewed => ErrorCode::LeaseIsBrokenAndCannotBeRenewed,
        LeaseError::NotPresentWithLeaseOperation => ErrorCode::LeaseNotPresentWithLeaseOperation,
        LeaseError::IdMismatchWithLeaseOperation => ErrorCode::LeaseIdMismatchWithLeaseOperation,
        LeaseError::IdMissing => ErrorCode::LeaseIdMissing,
        LeaseError::IdMismatch(Leased::Blob) => ErrorCode::LeaseIdMismatchWithBlobOperation,
        LeaseError::IdMismatch(Leased::Container) => ErrorCode::LeaseIdMismatchWithContainerOperation,
        LeaseError::NotPresent(Leased::Blob) => ErrorCode::LeaseNotPresentWithBlobOperation,
        LeaseError::NotPresent(Leased::Container) => ErrorCode::LeaseNotPresentWithContainerOperation,
        LeaseError::Lost => ErrorCode::LeaseLost,
        LeaseError::InfiniteDurationRequired => ErrorCode::InfiniteLeaseDurationRequired,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage_engine::clock::{Etag, Timestamp};

    fn unchanged() -> EngineError {
        EngineError::NotModified { etag: Etag(16), modified: Timestamp::from_unix_seconds(0) }
    }

    #[test]
    fn an_unchanged_resource_is_named_by_its_version() {
        let mapped = StorageError::from_engine(unchanged(), Intent::Read);
        assert!(mapped.headers.contains(&(header::ETAG, "\"0x10\"".to_owned())));
    }

    #[test]
    fn an_unmet_condition_is_a_304_only_to_a_read() {
        let status = |intent| StorageError::from_engine(unchanged(), intent).code.status();
        assert_eq!((status(Intent::Read), status(Intent::Write)), (304, 412));
    }

    #[test]
    fn a_failed_batch_names_the_change() {
        let error = EngineError::Batch { index: 3, source: Box::new(EngineError::EntityExists) };
        let mapped = StorageError::from_engine(error, Intent::Write);
        assert_eq!((mapped.code, mapped.index), (ErrorCode::EntityAlreadyExists, Some(3)));
    }
}
