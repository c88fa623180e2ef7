//! Names of headers: the only place in which one is spelled. A request is asked for one by its text; an answer is given
//! one as [`answer`] has it.

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        $($(#[$doc])* pub const $name: &str = $text;)+

        /// The same names as an answer takes them: read when this is compiled, and not when a header is set.
        pub mod answer {
            use http::HeaderName;
            $($(#[$doc])* pub const $name: HeaderName = HeaderName::from_static($text);)+
        }
    };
}

names! {
    /// `Accept`: of tables, the metadata level.
    ACCEPT = "accept";
    /// `Accept-Ranges`
    ACCEPT_RANGES = "accept-ranges";
    /// `Access-Control-Allow-Credentials`
    ACCESS_CONTROL_ALLOW_CREDENTIALS = "access-control-allow-credentials";
    /// `Access-Control-Allow-Headers`
    ACCESS_CONTROL_ALLOW_HEADERS = "access-control-allow-headers";
    /// `Access-Control-Allow-Methods`
    ACCESS_CONTROL_ALLOW_METHODS = "access-control-allow-methods";
    /// `Access-Control-Allow-Origin`
    ACCESS_CONTROL_ALLOW_ORIGIN = "access-control-allow-origin";
    /// `Access-Control-Expose-Headers`
    ACCESS_CONTROL_EXPOSE_HEADERS = "access-control-expose-headers";
    /// `Access-Control-Max-Age`
    ACCESS_CONTROL_MAX_AGE = "access-control-max-age";
    /// `Access-Control-Request-Headers`
    ACCESS_CONTROL_REQUEST_HEADERS = "access-control-request-headers";
    /// `Access-Control-Request-Method`
    ACCESS_CONTROL_REQUEST_METHOD = "access-control-request-method";
    /// `Authorization`
    AUTHORIZATION = "authorization";
    /// `Cache-Control`
    CACHE_CONTROL = "cache-control";
    /// `Content-Disposition`
    CONTENT_DISPOSITION = "content-disposition";
    /// `Content-Encoding`
    CONTENT_ENCODING = "content-encoding";
    /// `Content-ID`: of a batch's part.
    CONTENT_ID = "content-id";
    /// `Content-Language`
    CONTENT_LANGUAGE = "content-language";
    /// `Content-Length`
    CONTENT_LENGTH = "content-length";
    /// `Content-MD5`
    CONTENT_MD5 = "content-md5";
    /// `Content-Range`
    CONTENT_RANGE = "content-range";
    /// `Content-Type`
    CONTENT_TYPE = "content-type";
    /// `DataServiceId`: the entity an insert made.
    DATA_SERVICE_ID = "dataserviceid";
    /// `DataServiceVersion`
    DATA_SERVICE_VERSION = "dataserviceversion";
    /// `Date`
    DATE = "date";
    /// `ETag`
    ETAG = "etag";
    /// `Host`
    HOST = "host";
    /// `If-Match`
    IF_MATCH = "if-match";
    /// `If-Modified-Since`
    IF_MODIFIED_SINCE = "if-modified-since";
    /// `If-None-Match`
    IF_NONE_MATCH = "if-none-match";
    /// `If-Unmodified-Since`
    IF_UNMODIFIED_SINCE = "if-unmodified-since";
    /// `Last-Modified`
    LAST_MODIFIED = "last-modified";
    /// `Location`
    LOCATION = "location";
    /// `Origin`: of the page that makes a request.
    ORIGIN = "origin";
    /// `Prefer`
    PREFER = "prefer";
    /// `Preference-Applied`
    PREFERENCE_APPLIED = "preference-applied";
    /// `Range`
    RANGE = "range";
    /// `Server`
    SERVER = "server";
    /// `Transfer-Encoding`
    TRANSFER_ENCODING = "transfer-encoding";
    /// `Vary`
    VARY = "vary";
    /// `WWW-Authenticate`
    WWW_AUTHENTICATE = "www-authenticate";
    /// `X-Content-Type-Options`
    X_CONTENT_TYPE_OPTIONS = "x-content-type-options";
    /// `X-HTTP-Method`: the verb that a POST stands for.
    X_HTTP_METHOD = "x-http-method";
    /// Common prefix of the vendor's own headers.
    X_MS = "x-ms-";
    /// Hot, cool and so on.
    X_MS_ACCESS_TIER = "x-ms-access-tier";
    /// When the tier was changed.
    X_MS_ACCESS_TIER_CHANGE_TIME = "x-ms-access-tier-change-time";
    /// A condition on when the tier was changed.
    X_MS_ACCESS_TIER_IF_MODIFIED_SINCE = "x-ms-access-tier-if-modified-since";
    /// A condition on when the tier was changed.
    X_MS_ACCESS_TIER_IF_UNMODIFIED_SINCE = "x-ms-access-tier-if-unmodified-since";
    /// Whether the tier is the account's and not the blob's own.
    X_MS_ACCESS_TIER_INFERRED = "x-ms-access-tier-inferred";
    /// What kind of account it is.
    X_MS_ACCOUNT_KIND = "x-ms-account-kind";
    /// Messages in a queue, roughly.
    X_MS_APPROXIMATE_MESSAGES_COUNT = "x-ms-approximate-messages-count";
    /// That a blob is on its way out of the archive.
    X_MS_ARCHIVE_STATUS = "x-ms-archive-status";
    /// Where an appended block begins.
    X_MS_BLOB_APPEND_OFFSET = "x-ms-blob-append-offset";
    /// `Cache-Control` to keep with a blob.
    X_MS_BLOB_CACHE_CONTROL = "x-ms-blob-cache-control";
    /// Blocks of an append blob.
    X_MS_BLOB_COMMITTED_BLOCK_COUNT = "x-ms-blob-committed-block-count";
    /// The length that an append blob must have.
    X_MS_BLOB_CONDITION_APPENDPOS = "x-ms-blob-condition-appendpos";
    /// The length that an append blob must not exceed.
    X_MS_BLOB_CONDITION_MAXSIZE = "x-ms-blob-condition-maxsize";
    /// `Content-Disposition` to keep with a blob.
    X_MS_BLOB_CONTENT_DISPOSITION = "x-ms-blob-content-disposition";
    /// `Content-Encoding` to keep with a blob.
    X_MS_BLOB_CONTENT_ENCODING = "x-ms-blob-content-encoding";
    /// `Content-Language` to keep with a blob.
    X_MS_BLOB_CONTENT_LANGUAGE = "x-ms-blob-content-language";
    /// Bytes of a blob.
    X_MS_BLOB_CONTENT_LENGTH = "x-ms-blob-content-length";
    /// `Content-MD5` to keep with a blob; on a ranged read, the one that is kept.
    X_MS_BLOB_CONTENT_MD5 = "x-ms-blob-content-md5";
    /// `Content-Type` to keep with a blob.
    X_MS_BLOB_CONTENT_TYPE = "x-ms-blob-content-type";
    /// `If-Match` for the blob whose tags are meant.
    X_MS_BLOB_IF_MATCH = "x-ms-blob-if-match";
    /// `If-Modified-Since` for the blob whose tags are meant.
    X_MS_BLOB_IF_MODIFIED_SINCE = "x-ms-blob-if-modified-since";
    /// `If-None-Match` for the blob whose tags are meant.
    X_MS_BLOB_IF_NONE_MATCH = "x-ms-blob-if-none-match";
    /// `If-Unmodified-Since` for the blob whose tags are meant.
    X_MS_BLOB_IF_UNMODIFIED_SINCE = "x-ms-blob-if-unmodified-since";
    /// Anonymous access to a container.
    X_MS_BLOB_PUBLIC_ACCESS = "x-ms-blob-public-access";
    /// Whether an append blob is sealed.
    X_MS_BLOB_SEALED = "x-ms-blob-sealed";
    /// Of a page blob.
    X_MS_BLOB_SEQUENCE_NUMBER = "x-ms-blob-sequence-number";
    /// Block, page or append blob.
    X_MS_BLOB_TYPE = "x-ms-blob-type";
    /// The client's own id of the request.
    X_MS_CLIENT_REQUEST_ID = "x-ms-client-request-id";
    /// CRC-64/NVME of the body, eight bytes little-endian in Base64.
    X_MS_CONTENT_CRC64 = "x-ms-content-crc64";
    /// Where a query of entities goes on: partition key.
    X_MS_CONTINUATION_NEXT_PARTITION_KEY = "x-ms-continuation-nextpartitionkey";
    /// Where a query of entities goes on: row key.
    X_MS_CONTINUATION_NEXT_ROW_KEY = "x-ms-continuation-nextrowkey";
    /// Where a query of tables goes on.
    X_MS_CONTINUATION_NEXT_TABLE_NAME = "x-ms-continuation-nexttablename";
    /// What to do with a copy.
    X_MS_COPY_ACTION = "x-ms-copy-action";
    /// When a copy ended.
    X_MS_COPY_COMPLETION_TIME = "x-ms-copy-completion-time";
    /// The snapshot that an incremental copy ended with.
    X_MS_COPY_DESTINATION_SNAPSHOT = "x-ms-copy-destination-snapshot";
    /// The id of a copy.
    X_MS_COPY_ID = "x-ms-copy-id";
    /// Bytes copied, of how many.
    X_MS_COPY_PROGRESS = "x-ms-copy-progress";
    /// Where to copy from.
    X_MS_COPY_SOURCE = "x-ms-copy-source";
    /// A token for the source of a copy.
    X_MS_COPY_SOURCE_AUTHORIZATION = "x-ms-copy-source-authorization";
    /// Whether the source's properties are copied.
    X_MS_COPY_SOURCE_BLOB_PROPERTIES = "x-ms-copy-source-blob-properties";
    /// What the source of a copy refused with.
    X_MS_COPY_SOURCE_ERROR_CODE = "x-ms-copy-source-error-code";
    /// The status that the source of a copy answered.
    X_MS_COPY_SOURCE_STATUS_CODE = "x-ms-copy-source-status-code";
    /// Whether the source's tags are copied.
    X_MS_COPY_SOURCE_TAG_OPTION = "x-ms-copy-source-tag-option";
    /// Where a copy stands.
    X_MS_COPY_STATUS = "x-ms-copy-status";
    /// What went wrong with a copy.
    X_MS_COPY_STATUS_DESCRIPTION = "x-ms-copy-status-description";
    /// When a blob came to be.
    X_MS_CREATION_TIME = "x-ms-creation-time";
    /// When the client sent the request.
    X_MS_DATE = "x-ms-date";
    /// The encryption scope of a container's blobs.
    X_MS_DEFAULT_ENCRYPTION_SCOPE = "x-ms-default-encryption-scope";
    /// Which container to restore.
    X_MS_DELETED_CONTAINER_NAME = "x-ms-deleted-container-name";
    /// Which of the deleted containers of a name.
    X_MS_DELETED_CONTAINER_VERSION = "x-ms-deleted-container-version";
    /// What to do with a blob's snapshots.
    X_MS_DELETE_SNAPSHOTS = "x-ms-delete-snapshots";
    /// Whether a deleted blob can come back.
    X_MS_DELETE_TYPE_PERMANENT = "x-ms-delete-type-permanent";
    /// Whether blobs may have another encryption scope.
    X_MS_DENY_ENCRYPTION_SCOPE_OVERRIDE = "x-ms-deny-encryption-scope-override";
    /// Of a key that the client provides.
    X_MS_ENCRYPTION_ALGORITHM = "x-ms-encryption-algorithm";
    /// A key that the client provides.
    X_MS_ENCRYPTION_KEY = "x-ms-encryption-key";
    /// Digest of a key that the client provides.
    X_MS_ENCRYPTION_KEY_SHA256 = "x-ms-encryption-key-sha256";
    /// Which of the service's keys to encrypt with.
    X_MS_ENCRYPTION_SCOPE = "x-ms-encryption-scope";
    /// The error's code.
    X_MS_ERROR_CODE = "x-ms-error-code";
    /// How a blob's expiry is counted.
    X_MS_EXPIRY_OPTION = "x-ms-expiry-option";
    /// When a blob expires.
    X_MS_EXPIRY_TIME = "x-ms-expiry-time";
    /// Whether a container has an immutability policy.
    X_MS_HAS_IMMUTABILITY_POLICY = "x-ms-has-immutability-policy";
    /// Whether a container has a legal hold.
    X_MS_HAS_LEGAL_HOLD = "x-ms-has-legal-hold";
    /// What a sequence number must be.
    X_MS_IF_SEQUENCE_NUMBER_EQ = "x-ms-if-sequence-number-eq";
    /// What a sequence number must be at most.
    X_MS_IF_SEQUENCE_NUMBER_LE = "x-ms-if-sequence-number-le";
    /// What a sequence number must be less than.
    X_MS_IF_SEQUENCE_NUMBER_LT = "x-ms-if-sequence-number-lt";
    /// A condition on a blob's tags.
    X_MS_IF_TAGS = "x-ms-if-tags";
    /// Locked or unlocked.
    X_MS_IMMUTABILITY_POLICY_MODE = "x-ms-immutability-policy-mode";
    /// Until when a blob must not change.
    X_MS_IMMUTABILITY_POLICY_UNTIL_DATE = "x-ms-immutability-policy-until-date";
    /// Whether blobs of a container may have policies of their own.
    X_MS_IMMUTABLE_STORAGE_WITH_VERSIONING_ENABLED = "x-ms-immutable-storage-with-versioning-enabled";
    /// Whether a blob is the target of incremental copies.
    X_MS_INCREMENTAL_COPY = "x-ms-incremental-copy";
    /// Whether a version is the current one.
    X_MS_IS_CURRENT_VERSION = "x-ms-is-current-version";
    /// Whether the account has a hierarchical namespace.
    X_MS_IS_HNS_ENABLED = "x-ms-is-hns-enabled";
    /// When a blob was last read.
    X_MS_LAST_ACCESS_TIME = "x-ms-last-access-time";
    /// What to do with a lease.
    X_MS_LEASE_ACTION = "x-ms-lease-action";
    /// Seconds until a broken lease ends.
    X_MS_LEASE_BREAK_PERIOD = "x-ms-lease-break-period";
    /// Seconds of a lease, or whether it has an end.
    X_MS_LEASE_DURATION = "x-ms-lease-duration";
    /// The lease that the client holds.
    X_MS_LEASE_ID = "x-ms-lease-id";
    /// `available`, `leased` and so on.
    X_MS_LEASE_STATE = "x-ms-lease-state";
    /// `locked` or `unlocked`.
    X_MS_LEASE_STATUS = "x-ms-lease-status";
    /// Seconds that are left of a broken lease.
    X_MS_LEASE_TIME = "x-ms-lease-time";
    /// Whether a blob must not change until this is lifted.
    X_MS_LEGAL_HOLD = "x-ms-legal-hold";
    /// Common prefix of user metadata.
    X_MS_META = "x-ms-meta-";
    /// Whether pages are written or cleared.
    X_MS_PAGE_WRITE = "x-ms-page-write";
    /// The proof of having got a message.
    X_MS_POPRECEIPT = "x-ms-popreceipt";
    /// The address of a snapshot to compare with.
    X_MS_PREVIOUS_SNAPSHOT_URL = "x-ms-previous-snapshot-url";
    /// The id that a lease is to have.
    X_MS_PROPOSED_LEASE_ID = "x-ms-proposed-lease-id";
    /// Bytes to read; wins over `Range`.
    X_MS_RANGE = "x-ms-range";
    /// Whether to answer a ranged read with its CRC-64.
    X_MS_RANGE_GET_CONTENT_CRC64 = "x-ms-range-get-content-crc64";
    /// Whether to answer a ranged read with its MD5.
    X_MS_RANGE_GET_CONTENT_MD5 = "x-ms-range-get-content-md5";
    /// How soon a blob leaves the archive.
    X_MS_REHYDRATE_PRIORITY = "x-ms-rehydrate-priority";
    /// Our id of the request.
    X_MS_REQUEST_ID = "x-ms-request-id";
    /// Whether what was written is encrypted at rest by the service.
    X_MS_REQUEST_SERVER_ENCRYPTED = "x-ms-request-server-encrypted";
    /// Whether a copy is to be done when it is answered.
    X_MS_REQUIRES_SYNC = "x-ms-requires-sync";
    /// Whether a copied append blob is sealed.
    X_MS_SEAL_BLOB = "x-ms-seal-blob";
    /// What to do with a page blob's sequence number.
    X_MS_SEQUENCE_NUMBER_ACTION = "x-ms-sequence-number-action";
    /// Whether what is read is encrypted at rest by the service.
    X_MS_SERVER_ENCRYPTED = "x-ms-server-encrypted";
    /// How the account's data is replicated.
    X_MS_SKU_NAME = "x-ms-sku-name";
    /// The id of a snapshot.
    X_MS_SNAPSHOT = "x-ms-snapshot";
    /// The container to rename.
    X_MS_SOURCE_CONTAINER_NAME = "x-ms-source-container-name";
    /// Digest of what is copied.
    X_MS_SOURCE_CONTENT_CRC64 = "x-ms-source-content-crc64";
    /// Digest of what is copied.
    X_MS_SOURCE_CONTENT_MD5 = "x-ms-source-content-md5";
    /// Algorithm of a key that the client provides for the source.
    X_MS_SOURCE_ENCRYPTION_ALGORITHM = "x-ms-source-encryption-algorithm";
    /// A key that the client provides for the source.
    X_MS_SOURCE_ENCRYPTION_KEY = "x-ms-source-encryption-key";
    /// Digest of a key that the client provides for the source.
    X_MS_SOURCE_ENCRYPTION_KEY_SHA256 = "x-ms-source-encryption-key-sha256";
    /// A condition on the source of a copy.
    X_MS_SOURCE_IF_MATCH = "x-ms-source-if-match";
    /// A condition on the source of a copy.
    X_MS_SOURCE_IF_MODIFIED_SINCE = "x-ms-source-if-modified-since";
    /// A condition on the source of a copy.
    X_MS_SOURCE_IF_NONE_MATCH = "x-ms-source-if-none-match";
    /// A condition on the tags of the source of a copy.
    X_MS_SOURCE_IF_TAGS = "x-ms-source-if-tags";
    /// A condition on the source of a copy.
    X_MS_SOURCE_IF_UNMODIFIED_SINCE = "x-ms-source-if-unmodified-since";
    /// The lease of the source.
    X_MS_SOURCE_LEASE_ID = "x-ms-source-lease-id";
    /// Bytes of the source to copy.
    X_MS_SOURCE_RANGE = "x-ms-source-range";
    /// Framing of a body with checksums.
    X_MS_STRUCTURED_BODY = "x-ms-structured-body";
    /// Bytes inside such a framing.
    X_MS_STRUCTURED_CONTENT_LENGTH = "x-ms-structured-content-length";
    /// A blob's tags.
    X_MS_TAGS = "x-ms-tags";
    /// Tags of a blob.
    X_MS_TAG_COUNT = "x-ms-tag-count";
    /// When a message can be got again.
    X_MS_TIME_NEXT_VISIBLE = "x-ms-time-next-visible";
    /// The version of the protocol.
    X_MS_VERSION = "x-ms-version";
    /// The id of a version of a blob.
    X_MS_VERSION_ID = "x-ms-version-id";
}
