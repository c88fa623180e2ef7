//! The one table of error codes: variant, status, wire code, message.
//!
//! The variant is the key, because a wire code is not unique: `ConditionNotMet` is 304 to a read and 412 to a
//! write. Codes are those of the vendor's "Common", "Blob", "Queue" and "Table" error code pages.

macro_rules! error_codes {
    ($($variant:ident $status:literal $wire:literal $message:literal;)+) => {
        /// An error as the protocol knows it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = concat!("`", $wire, "`, ", stringify!($status), ": ", $message)] $variant,)+
        }

        impl ErrorCode {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }

            /// The code on the wire.
            pub const fn wire(self) -> &'static str {
                match self { $(Self::$variant => $wire,)+ }
            }

            /// The message, in the service's words.
            pub const fn message(self) -> &'static str {
                match self { $(Self::$variant => $message,)+ }
            }
        }

        $(const _: () = assert!(
            $status == 304 || ($status >= 400 && $status < 600),
            "an error has the status of an error"
        );)+
    };
}

error_codes! {
    AccessTierNotSupportedForBlobType 400 "AccessTierNotSupportedForBlobType" "The access tier is not supported for this blob type.";
    AccountNotFound 404 "ResourceNotFound" "The specified resource does not exist.";
    AppendPositionConditionNotMet 412 "AppendPositionConditionNotMet" "The append position condition specified was not met.";
    AtomFormatNotSupported 415 "AtomFormatNotSupported" "Atom format is not supported.";
    AccountRequiresHttps 400 "AccountRequiresHttps" "The account being accessed does not support http.";
    AuthenticationFailed 403 "AuthenticationFailed" "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.";
    AuthorizationFailure 403 "AuthorizationFailure" "This request is not authorized to perform this operation.";
    AuthorizationPermissionMismatch 403 "AuthorizationPermissionMismatch" "This request is not authorized to perform this operation using this permission.";
    AuthorizationProtocolMismatch 403 "AuthorizationProtocolMismatch" "This request is not authorized to perform this operation using this protocol.";
    AuthorizationResourceTypeMismatch 403 "AuthorizationResourceTypeMismatch" "This request is not authorized to perform this operation using this resource type.";
    AuthorizationServiceMismatch 403 "AuthorizationServiceMismatch" "This request is not authorized to perform this operation using this service.";
    AuthorizationSourceIPMismatch 403 "AuthorizationSourceIPMismatch" "This request is not authorized to perform this operation using this source IP.";
    BlobAlreadyExists 409 "BlobAlreadyExists" "The specified blob already exists.";
    BlobArchived 409 "BlobArchived" "This operation is not permitted on an archived blob.";
    BlobBeingRehydrated 409 "BlobBeingRehydrated" "This operation is not permitted because the blob is being rehydrated.";
    BlobDoesNotUseCustomerSpecifiedEncryption 409 "BlobDoesNotUseCustomerSpecifiedEncryption" "The given customer specified encryption does not match the encryption used to encrypt the blob.";
    BlobImmutableDueToLegalHold 409 "BlobImmutableDueToLegalHold" "This operation is not permitted as the blob is immutable due to a legal hold.";
    BlobImmutableDueToPolicy 409 "BlobImmutableDueToPolicy" "This operation is not permitted as the blob is immutable due to a policy.";
    BlobIsSealed 409 "BlobIsSealed" "The specified blob is sealed and its contents can't be modified unless the blob is re-created after a delete.";
    BlobNotFound 404 "BlobNotFound" "The specified blob does not exist.";
    BlobOverwritten 409 "BlobOverwritten" "The blob has been recreated since the previous snapshot was taken.";
    BlobTierInadequateForContentLength 409 "BlobTierInadequateForContentLength" "Specified blob tier size limit cannot be less than content length.";
    BlobUsesCustomerSpecifiedEncryption 409 "BlobUsesCustomerSpecifiedEncryption" "The blob is encrypted with customer specified encryption, but it was not provided in the request.";
    BlockCountExceedsLimit 409 "BlockCountExceedsLimit" "The uncommitted block count cannot exceed the maximum limit of 100,000 blocks.";
    BlockListTooLong 400 "BlockListTooLong" "The block list may not contain more than 50,000 blocks.";
    BothCrc64AndMd5HeaderPresent 400 "BothCrc64AndMd5HeaderPresent" "Both x-ms-content-crc64 header and Content-MD5 header are present.";
    BothUserTagsAndSourceTagsCopyPresent 400 "BothUserTagsAndSourceTagsCopyPresentException" "Tags are given and to be copied from the source as well.";
    CannotChangeToLowerTier 409 "CannotChangeToLowerTier" "A higher blob tier has already been explicitly set.";
    CannotVerifyCopySource 409 "CannotVerifyCopySource" "Could not verify the copy source within the specified time. Examine the HTTP status code and message for more information about the failure.";
    CannotVerifyCopySourceBadRequest 400 "CannotVerifyCopySource" "Could not verify the copy source within the specified time. Examine the HTTP status code and message for more information about the failure.";
    CannotVerifyCopySourceForbidden 403 "CannotVerifyCopySource" "Could not verify the copy source within the specified time. Examine the HTTP status code and message for more information about the failure.";
    CannotVerifyCopySourceNotFound 404 "CannotVerifyCopySource" "Could not verify the copy source within the specified time. Examine the HTTP status code and message for more information about the failure.";
    CannotVerifyCopySourcePrecondition 412 "CannotVerifyCopySource" "Could not verify the copy source within the specified time. Examine the HTTP status code and message for more information about the failure.";
    CannotVerifyCopySourceRange 416 "CannotVerifyCopySource" "Could not verify the copy source within the specified time. Examine the HTTP status code and message for more information about the failure.";
    CannotVerifyCopySourceUnauthorized 401 "CannotVerifyCopySource" "Could not verify the copy source within the specified time. Examine the HTTP status code and message for more information about the failure.";
    CommandsInBatchActOnDifferentPartitions 400 "CommandsInBatchActOnDifferentPartitions" "All commands in a batch must operate on same entity group.";
    ConditionHeadersNotSupported 400 "ConditionHeadersNotSupported" "Condition headers are not supported.";
    ConditionNotMetOnRead 304 "ConditionNotMet" "The condition specified using HTTP conditional header(s) is not met.";
    ConditionNotMetOnWrite 412 "ConditionNotMet" "The condition specified using HTTP conditional header(s) is not met.";
    ContainerAlreadyExists 409 "ContainerAlreadyExists" "The specified container already exists.";
    ContainerImmutableStorageWithVersioningEnabled 409 "ContainerImmutableStorageWithVersioningEnabled" "The requested operation is not allowed as the container has a immutable storage with versioning enabled.";
    ContainerNotFound 404 "ContainerNotFound" "The specified container does not exist.";
    CorsPreflightFailure 403 "CorsPreflightFailure" "CORS not enabled or no matching rule found for this request.";
    CopyIdMismatch 409 "CopyIdMismatch" "The specified copy ID did not match the copy ID for the pending copy operation.";
    Crc64Mismatch 400 "Crc64Mismatch" "The CRC64 value specified in the request did not match with the CRC64 value calculated by the server.";
    DuplicatePropertiesSpecified 400 "DuplicatePropertiesSpecified" "A property is specified more than one time.";
    DuplicateTagNames 400 "DuplicateTagNames" "The tags specified contain duplicate names.";
    EmptyMetadataKey 400 "EmptyMetadataKey" "The key for one of the metadata key-value pairs is empty.";
    EmptyTagName 400 "EmptyTagName" "The name of one of the tag key-value pairs is empty.";
    EntityAlreadyExists 409 "EntityAlreadyExists" "The specified entity already exists.";
    EntityTooLarge 400 "EntityTooLarge" "The entity is larger than the maximum size permitted.";
    ExceedsMaxBatchRequestCount 400 "ExceedsMaxBatchRequestCount" "The batch operation exceeds maximum number of allowed subrequests.";
    FeatureVersionMismatch 409 "FeatureVersionMismatch" "The version of the operation does not support a feature that the resource uses.";
    InsufficientAccountPermissions 403 "InsufficientAccountPermissions" "Write operations are not allowed.";
    InfiniteLeaseDurationRequired 412 "InfiniteLeaseDurationRequired" "The lease ID matched, but the specified lease must be an infinite-duration lease.";
    InternalError 500 "InternalError" "The server encountered an internal error. Please retry the request.";
    IncrementalCopyBlobMismatch 409 "IncrementalCopyBlobMismatch" "The specified source blob is different than the copy source of the existing incremental copy blob.";
    IncrementalCopyOfEarlierSnapshotNotAllowed 409 "IncrementalCopyOfEarlierSnapshotNotAllowed" "The specified snapshot is earlier than the last snapshot copied into the incremental copy blob.";
    IncrementalCopySourceMustBeSnapshot 409 "IncrementalCopySourceMustBeSnapshot" "The source for incremental copy request must be a snapshot.";
    InvalidAuthenticationInfo 400 "InvalidAuthenticationInfo" "Authentication information is not given in the correct format. Check the value of Authorization header.";
    InvalidBlobOrBlock 400 "InvalidBlobOrBlock" "The specified blob or block content is invalid.";
    InvalidBlobType 409 "InvalidBlobType" "The blob type is invalid for this operation.";
    InvalidBlockId 400 "InvalidBlockId" "The specified block ID is invalid. The block ID must be Base64-encoded.";
    InvalidBlockList 400 "InvalidBlockList" "The specified block list is invalid.";
    InvalidDuplicateRow 400 "InvalidDuplicateRow" "A command with RowKey is already present in the batch. An entity can appear only once in a batch.";
    InvalidHeaderValue 400 "InvalidHeaderValue" "The value for one of the HTTP headers is not in the correct format.";
    InvalidInput 400 "InvalidInput" "One of the request inputs is not valid.";
    InvalidMarker 400 "InvalidMarker" "The specified marker is invalid.";
    InvalidMd5 400 "InvalidMd5" "The MD5 value specified in the request is invalid. The MD5 value must be 128 bits and Base64-encoded.";
    InvalidMetadata 400 "InvalidMetadata" "The metadata specified is invalid. It has characters that are not permitted.";
    InvalidQueryParameterValue 400 "InvalidQueryParameterValue" "Value for one of the query parameters specified in the request URI is invalid.";
    InvalidPageRange 416 "InvalidPageRange" "The page range specified is invalid.";
    InvalidRange 416 "InvalidRange" "The range specified is invalid for the current size of the resource.";
    InvalidResourceName 400 "InvalidResourceName" "The specified resource name contains invalid characters.";
    InvalidSourceBlobType 409 "InvalidSourceBlobType" "The copy source blob type is invalid for this operation.";
    InvalidTag 400 "InvalidTag" "The tags specified are invalid. They contain characters that are not permitted.";
    InvalidToken 401 "InvalidAuthenticationInfo" "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.";
    InvalidUri 400 "InvalidUri" "The requested URI does not represent any resource on the server.";
    InvalidValueType 400 "InvalidValueType" "The value specified is invalid.";
    InvalidXmlDocument 400 "InvalidXmlDocument" "XML specified is not syntactically valid.";
    InvalidXmlNodeValue 400 "InvalidXmlNodeValue" "The value for one of the XML nodes is not in the correct format.";
    JsonFormatNotSupported 415 "JsonFormatNotSupported" "JSON format is not supported.";
    KeyValueTooLarge 400 "KeyValueTooLarge" "The key value is larger than the maximum size permitted.";
    LeaseAlreadyPresent 409 "LeaseAlreadyPresent" "There is already a lease present.";
    LeaseIdMismatchWithBlobOperation 412 "LeaseIdMismatchWithBlobOperation" "The lease ID specified did not match the lease ID for the blob.";
    LeaseIdMismatchWithContainerOperation 412 "LeaseIdMismatchWithContainerOperation" "The lease ID specified did not match the lease ID for the container.";
    LeaseIdMismatchWithLeaseOperation 409 "LeaseIdMismatchWithLeaseOperation" "The lease ID specified did not match the lease ID for the resource.";
    LeaseIdMissing 412 "LeaseIdMissing" "There is currently a lease on the resource and no lease ID was specified in the request.";
    LeaseIsBreakingAndCannotBeAcquired 409 "LeaseIsBreakingAndCannotBeAcquired" "The lease ID matched, but the lease is currently in breaking state and cannot be acquired until it is broken.";
    LeaseIsBreakingAndCannotBeChanged 409 "LeaseIsBreakingAndCannotBeChanged" "The lease ID matched, but the lease is currently in breaking state and cannot be changed.";
    LeaseIsBrokenAndCannotBeRenewed 409 "LeaseIsBrokenAndCannotBeRenewed" "The lease ID matched, but the lease has been broken explicitly and cannot be renewed.";
    LeaseLost 412 "LeaseLost" "A lease ID was specified, but the lease for the resource has expired.";
    LeaseNotPresentWithBlobOperation 412 "LeaseNotPresentWithBlobOperation" "There is currently no lease on the blob.";
    LeaseNotPresentWithContainerOperation 412 "LeaseNotPresentWithContainerOperation" "There is currently no lease on the container.";
    LeaseNotPresentWithLeaseOperation 409 "LeaseNotPresentWithLeaseOperation" "There is currently no lease on the resource.";
    MaxBlobSizeConditionNotMet 412 "MaxBlobSizeConditionNotMet" "The max blob size condition specified was not met.";
    Md5Mismatch 400 "Md5Mismatch" "The MD5 value specified in the request did not match with the MD5 value calculated by the server.";
    MessageNotFound 404 "MessageNotFound" "The specified message does not exist.";
    MessageTooLarge 400 "MessageTooLarge" "The message exceeds the maximum allowed size.";
    MetadataTooLarge 400 "MetadataTooLarge" "The metadata specified exceeds the maximum permissible limit.";
    MissingContentLengthHeader 411 "MissingContentLengthHeader" "The Content-Length header was not specified.";
    MissingRequiredHeader 400 "MissingRequiredHeader" "An HTTP header that's mandatory for this request is not specified.";
    MissingRequiredQueryParameter 400 "MissingRequiredQueryParameter" "A query parameter that's mandatory for this request is not specified.";
    MissingRequiredXmlNode 400 "MissingRequiredXmlNode" "An XML node that's mandatory for this request is not specified.";
    MultipleConditionHeadersNotSupported 400 "MultipleConditionHeadersNotSupported" "Multiple condition headers are not supported.";
    NoAuthenticationInformation 401 "NoAuthenticationInformation" "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.";
    NoPendingCopyOperation 409 "NoPendingCopyOperation" "There is currently no pending copy operation.";
    NotImplemented 501 "NotImplemented" "The requested operation is not implemented on the specified resource.";
    OperationNotAllowedOnIncrementalCopyBlob 409 "OperationNotAllowedOnIncrementalCopyBlob" "The specified operation is not allowed on an incremental copy blob.";
    OperationNotAllowedOnRootBlob 403 "OperationNotAllowedOnRootBlob" "The specified operation is not allowed on the current version of the blob.";
    OutOfRangeInput 400 "OutOfRangeInput" "One of the request inputs is out of range.";
    OutOfRangeQueryParameterValue 400 "OutOfRangeQueryParameterValue" "One of the query parameters specified in the request URI is outside the permissible range.";
    PendingCopyOperation 409 "PendingCopyOperation" "There is currently a pending copy operation.";
    PermanentDeleteRefused 409 "OperationNotAllowed" "The specified state of the blob is not soft-deleted, or permanent deletion is not enabled.";
    PopReceiptMismatch 400 "PopReceiptMismatch" "The specified pop receipt did not match the pop receipt for a dequeued message.";
    PreviousSnapshotCannotBeNewer 400 "PreviousSnapshotCannotBeNewer" "The prevsnapshot query parameter value cannot be newer than snapshot query parameter value.";
    PreviousSnapshotNotFound 409 "PreviousSnapshotNotFound" "The previous snapshot is not found.";
    PropertiesNeedValue 400 "PropertiesNeedValue" "The values are not specified for all properties in the entity.";
    PropertyNameInvalid 400 "PropertyNameInvalid" "The property name is invalid.";
    PropertyNameTooLong 400 "PropertyNameTooLong" "The property name exceeds the maximum allowed length.";
    PropertyValueTooLarge 400 "PropertyValueTooLarge" "The property value exceeds the maximum allowed size (64KB). If the property value is a string, it is UTF-16 encoded and the maximum number of characters should be 32K or less.";
    PublicAccessNotPermitted 409 "PublicAccessNotPermitted" "Public access is not permitted on this storage account.";
    QueueAlreadyExists 409 "QueueAlreadyExists" "The specified queue already exists.";
    QueueNotFound 404 "QueueNotFound" "The specified queue does not exist.";
    RequestBodyTooLarge 413 "RequestBodyTooLarge" "The request body is too large and exceeds the maximum permissible limit.";
    RequestForbiddenByContainerEncryptionPolicy 403 "RequestForbiddenByContainerEncryptionPolicy" "The request is forbidden by the container encryption policy.";
    RequestTimedOut 408 "RequestTimedOut" "The request body was not received in time.";
    ResourceNotFound 404 "ResourceNotFound" "The specified resource does not exist.";
    SequenceNumberConditionNotMet 412 "SequenceNumberConditionNotMet" "The sequence number condition specified was not met.";
    SequenceNumberIncrementTooLarge 409 "SequenceNumberIncrementTooLarge" "The sequence number increment cannot be performed because it would result in overflow of the sequence number.";
    ServerBusy 503 "ServerBusy" "The server is busy.";
    SnapshotsPresent 409 "SnapshotsPresent" "This operation is not permitted while the blob has snapshots.";
    SourceConditionNotMet 412 "SourceConditionNotMet" "The source condition specified using HTTP conditional header(s) is not met.";
    StorageFull 507 "InsufficientStorage" "There is not enough space on the disks to complete the operation.";
    TableAlreadyExists 409 "TableAlreadyExists" "The table specified already exists.";
    TableNotFound 404 "TableNotFound" "The table specified does not exist.";
    TagsTooLarge 400 "TagsTooLarge" "The tags specified exceed the maximum permissible limit.";
    TooManyProperties 400 "TooManyProperties" "The entity contains more properties than allowed.";
    UnauthorizedBlobOverwrite 403 "UnauthorizedBlobOverwrite" "This request is not authorized to perform blob overwrites.";
    UnsatisfiableCondition 400 "UnsatisfiableCondition" "The request includes an unsatisfiable condition for this operation.";
    UnsupportedHeader 400 "UnsupportedHeader" "One of the HTTP headers specified in the request is not supported.";
    UnsupportedHttpVerb 405 "UnsupportedHttpVerb" "The resource doesn't support specified Http Verb.";
    UnsupportedQueryParameter 400 "UnsupportedQueryParameter" "One of the query parameters specified in the request URI is not supported.";
    UnsupportedXmlNode 400 "UnsupportedXmlNode" "One of the XML nodes specified in the request body is not supported.";
    UpdateConditionNotSatisfied 412 "UpdateConditionNotSatisfied" "The update condition specified in the request was not satisfied.";
    WebContentNotFound 404 "WebContentNotFound" "The requested content does not exist.";
    XMethodIncorrectCount 400 "XMethodIncorrectCount" "More than one X-HTTP-Method is specified.";
    XMethodIncorrectValue 400 "XMethodIncorrectValue" "The value specified for X-HTTP-Method is not valid.";
    XMethodNotUsingPost 400 "XMethodNotUsingPost" "The request uses X-HTTP-Method with an HTTP verb other than POST.";
}
