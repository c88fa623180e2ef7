//! What is wrong with a source, in the words of the copy: the client asked us, not it.

use crate::error::{ErrorCode, StorageError};
use crate::header;
use crate::source::SourceError;

/// A refusal by ourselves, as the refusal of a source.
pub(super) fn of_own(error: StorageError) -> StorageError {
    match error.code {
        ErrorCode::ConditionNotMetOnRead | ErrorCode::ConditionNotMetOnWrite => {
            StorageError::new(ErrorCode::SourceConditionNotMet)
        }
        code if code.status() >= 500 => error,
        code => cannot_verify(code.status(), code.wire(), code.message()).caused_by(error),
    }
}

/// A source that cannot be used, whatever it answered.
pub(super) fn unusable(code: ErrorCode, reason: &str) -> StorageError {
    let mut error = StorageError::new(code);
    error.message = Some(reason.to_owned());
    error
}

/// A source that may not be asked, or does not answer.
pub(super) fn unanswered(error: SourceError) -> StorageError {
    let code = match error {
        SourceError::Forbidden(_) => ErrorCode::CannotVerifyCopySourceForbidden,
        SourceError::Unreachable(_) => ErrorCode::CannotVerifyCopySource,
    };
    unusable(code, &error.to_string()).caused_by(error)
}

/// `CannotVerifyCopySource`, as the source has it. Its own failures are a conflict to us and no failure of ours.
pub(super) fn cannot_verify(status: u16, code: &str, message: &str) -> StorageError {
    let kind = match status {
        400 => ErrorCode::CannotVerifyCopySourceBadRequest,
        401 => ErrorCode::CannotVerifyCopySourceUnauthorized,
        403 => ErrorCode::CannotVerifyCopySourceForbidden,
        404 => ErrorCode::CannotVerifyCopySourceNotFound,
        412 => ErrorCode::CannotVerifyCopySourcePrecondition,
        416 => ErrorCode::CannotVerifyCopySourceRange,
        _ => ErrorCode::CannotVerifyCopySource,
    };
    let mut error = StorageError::new(kind)
        .with("CopySourceStatusCode", status.to_string())
        .with("CopySourceErrorCode", code)
        .with("CopySourceErrorMessage", message);
    error.headers.push((header::X_MS_COPY_SOURCE_STATUS_CODE, status.to_string()));
    if !code.is_empty() {
        error.headers.push((header::X_MS_COPY_SOURCE_ERROR_CODE, code.to_owned()));
    }
    error.message = Some(message.to_owned()).filter(|message| !message.is_empty());
    error
}

/// A source that has more bytes than the operation takes.
pub(in crate::blob) fn too_large(bytes_max: u64) -> StorageError {
    let reason =
        format!("The source is larger than {bytes_max} bytes, which is the most that is copied at once.");
    unusable(ErrorCode::CannotVerifyCopySource, &reason)
}

/// Whether the bytes of a source broke off, which is nothing that is wrong with the bytes before.
pub(in crate::blob) fn is_broken_off(error: &StorageError) -> bool {
    matches!(error.code, ErrorCode::InvalidInput | ErrorCode::RequestTimedOut)
}

/// What the reading of a source failed with, in terms of the copy: a source that breaks off is no mistake of the body
/// that the client did not send.
pub(in crate::blob) fn broken_off(error: StorageError) -> StorageError {
    if is_broken_off(&error) { cut_short().caused_by(error) } else { error }
}

/// A source that has fewer bytes than it said.
pub(in crate::blob) fn cut_short() -> StorageError {
    unusable(ErrorCode::CannotVerifyCopySource, "The source broke off.")
}

/// A source that was written while it was copied.
pub(in crate::blob) fn changed() -> StorageError {
    unusable(ErrorCode::SourceConditionNotMet, "The source was changed while it was copied.")
}
