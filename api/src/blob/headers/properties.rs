//! What a blob shows of itself in the headers of *Get Blob* and *Get Blob Properties*.
//!
//! One function for both: the older answers of *Get Blob* that leave out the tier are no use to anybody, and clients
//! skip what they do not know. What a blob does not have is left out, and a snapshot or former version has no lease.

use super::{set, set_some, set_stamp, set_version_id};
use crate::blob::new_blob::tier_name;
use crate::body::Body;
use crate::header::answer;
use crate::{encryption, guid, metadata, time};
use http::header::IntoHeaderName;
use http::{HeaderMap, Response};
use storage_engine::blob::{
    AccessTier, BlobKind, BlobProperties, CopyState, CopyStatus, ImmutabilityPolicy, Lease, LeaseState, Stamp,
};
use storage_engine::clock::Timestamp;

/// As many headers as an answer about a blob has in the end, but for metadata: so that the map grows once.
const HEADERS_USUAL: usize = 24;

/// All headers of a blob's properties at this moment but its length and its MD5, which depend on what is answered.
pub(in crate::blob) fn set_properties(
    response: &mut Response<Body>,
    properties: &BlobProperties,
    now: Timestamp,
) {
    let headers = response.headers_mut();
    headers.reserve(HEADERS_USUAL);
    let BlobProperties { etag, modified, version, .. } = *properties;
    set_stamp(headers, Stamp { etag, modified, version });
    set_version_id(headers, version);
    if version.is_some() && properties.current {
        set(headers, answer::X_MS_IS_CURRENT_VERSION, "true");
    }
    set(headers, answer::X_MS_CREATION_TIME, &time::rfc1123(properties.created));
    set_content(headers, properties);
    set(headers, answer::X_MS_SERVER_ENCRYPTED, "false");
    encryption::set(headers, properties.encryption.as_deref());
    set_kind(headers, properties.kind);
    if properties.snapshot.is_none() && (version.is_none() || properties.current) {
        set_lease(headers, &properties.lease, now);
    }
    set_tier(headers, properties.kind, properties.tier);
    set_protection(headers, properties);
    if !properties.tags.is_empty() {
        set(headers, answer::X_MS_TAG_COUNT, &properties.tags.len().to_string());
    }
    set_moment(headers, answer::X_MS_LAST_ACCESS_TIME, properties.accessed);
    set_moment(headers, answer::X_MS_EXPIRY_TIME, properties.expires);
    if let Some(copy) = &properties.copy {
        set_copy(headers, copy);
    }
    metadata::write(&properties.metadata, response);
}

/// The state of a lease at this moment.
pub(in crate::blob) fn set_lease(headers: &mut HeaderMap, lease: &Lease, now: Timestamp) {
    let (status, state) = lease_words(lease.state(now));
    set(headers, answer::X_MS_LEASE_STATUS, status);
    set(headers, answer::X_MS_LEASE_STATE, state);
    if lease.state(now) == LeaseState::Leased {
        let duration = if lease.is_infinite() { "infinite" } else { "fixed" };
        set(headers, answer::X_MS_LEASE_DURATION, duration);
    }
}

/// Status and state, as they are spelled.
pub(in crate::blob) const fn lease_words(state: LeaseState) -> (&'static str, &'static str) {
    match state {
        LeaseState::Available => ("unlocked", "available"),
        LeaseState::Leased => ("locked", "leased"),
        LeaseState::Breaking => ("locked", "breaking"),
        LeaseState::Broken => ("unlocked", "broken"),
        LeaseState::Expired => ("unlocked", "expired"),
    }
}

fn set_content(headers: &mut HeaderMap, properties: &BlobProperties) {
    let content = &properties.headers;
    set_some(headers, answer::CONTENT_TYPE, &content.content_type);
    set_some(headers, answer::CONTENT_ENCODING, &content.encoding);
    set_some(headers, answer::CONTENT_LANGUAGE, &content.language);
    set_some(headers, answer::CONTENT_DISPOSITION, &content.disposition);
    set_some(headers, answer::CACHE_CONTROL, &content.cache_control);
    set(headers, answer::ACCEPT_RANGES, "bytes");
}

/// How a kind is spelled.
pub(in crate::blob) const fn kind_name(kind: BlobKind) -> &'static str {
    match kind {
        BlobKind::Block => "BlockBlob",
        BlobKind::Append { .. } => "AppendBlob",
        BlobKind::Page { .. } => "PageBlob",
    }
}

fn set_kind(headers: &mut HeaderMap, kind: BlobKind) {
    set(headers, answer::X_MS_BLOB_TYPE, kind_name(kind));
    match kind {
        BlobKind::Block => {}
        BlobKind::Append { blocks, sealed } => {
            set(headers, answer::X_MS_BLOB_COMMITTED_BLOCK_COUNT, &blocks.to_string());
            if sealed {
                set(headers, answer::X_MS_BLOB_SEALED, "true");
            }
        }
        BlobKind::Page { sequence_number } => {
            set(headers, answer::X_MS_BLOB_SEQUENCE_NUMBER, &sequence_number.to_string());
        }
    }
}

/// A blob that was given no tier has the account's, which is hot, and says that it is not its own. Page blobs have
/// tiers only if they were given one.
fn set_tier(headers: &mut HeaderMap, kind: BlobKind, tier: Option<AccessTier>) {
    let Some(AccessTier { tier, changed, rehydration }) = tier else {
        if !matches!(kind, BlobKind::Page { .. }) {
            set(headers, answer::X_MS_ACCESS_TIER, "Hot");
            set(headers, answer::X_MS_ACCESS_TIER_INFERRED, "true");
        }
        return;
    };
    set(headers, answer::X_MS_ACCESS_TIER, tier_name(tier));
    set_moment(headers, answer::X_MS_ACCESS_TIER_CHANGE_TIME, changed);
    if let Some(way) = rehydration {
        let status = format!("rehydrate-pending-to-{}", tier_name(way.to).to_ascii_lowercase());
        set(headers, answer::X_MS_ARCHIVE_STATUS, &status);
        set(headers, answer::X_MS_REHYDRATE_PRIORITY, if way.high { "High" } else { "Standard" });
    }
}

fn set_protection(headers: &mut HeaderMap, properties: &BlobProperties) {
    set_policy(headers, properties.policy);
    if properties.legal_hold {
        set(headers, answer::X_MS_LEGAL_HOLD, "true");
    }
}

/// An immutability policy, if there is one.
pub(in crate::blob) fn set_policy(headers: &mut HeaderMap, policy: Option<ImmutabilityPolicy>) {
    if let Some(ImmutabilityPolicy { until, locked }) = policy {
        set_moment(headers, answer::X_MS_IMMUTABILITY_POLICY_UNTIL_DATE, Some(until));
        let mode = if locked { "locked" } else { "unlocked" };
        set(headers, answer::X_MS_IMMUTABILITY_POLICY_MODE, mode);
    }
}

fn set_copy(headers: &mut HeaderMap, copy: &CopyState) {
    set(headers, answer::X_MS_COPY_ID, &guid::print(copy.id));
    set_some(headers, answer::X_MS_COPY_SOURCE, &copy.source);
    set(headers, answer::X_MS_COPY_STATUS, copy_word(copy.status));
    set(headers, answer::X_MS_COPY_PROGRESS, &format!("{}/{}", copy.copied, copy.total));
    set_some(headers, answer::X_MS_COPY_STATUS_DESCRIPTION, &copy.description);
    set_moment(headers, answer::X_MS_COPY_COMPLETION_TIME, copy.completed);
    if copy.incremental.is_some() {
        set(headers, answer::X_MS_INCREMENTAL_COPY, "true");
    }
    if let Some(snapshot) = copy.snapshot {
        set(headers, answer::X_MS_COPY_DESTINATION_SNAPSHOT, &time::iso8601(snapshot));
    }
}

/// How the state of a copy is spelled.
pub(in crate::blob) const fn copy_word(status: CopyStatus) -> &'static str {
    match status {
        CopyStatus::Pending => "pending",
        CopyStatus::Success => "success",
        CopyStatus::Aborted => "aborted",
        CopyStatus::Failed => "failed",
    }
}

fn set_moment(headers: &mut HeaderMap, name: impl IntoHeaderName, moment: Option<Timestamp>) {
    if let Some(moment) = moment {
        set(headers, name, &time::rfc1123(moment));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::testing::{at, full_blob};
    use crate::reply;
    use http::HeaderValue;
    use storage_engine::blob::{ContentHeaders, LeaseId};
    use storage_engine::clock::Etag;

    fn shown(properties: &BlobProperties) -> impl Fn(&str) -> Option<String> + use<> {
        let mut response = reply::empty();
        set_properties(&mut response, properties, at(100));
        move |name| response.headers().get(name).map(|value: &HeaderValue| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn properties_leave_out_what_is_not_set() {
        let get = shown(&BlobProperties {
            etag: Etag(0x1A),
            created: at(0),
            modified: at(1),
            length: 3,
            headers: ContentHeaders { language: "en".into(), ..ContentHeaders::default() },
            metadata: vec![("k".into(), "v".into())],
            ..BlobProperties::default()
        });
        for (name, value) in [
            ("etag", "\"0x1A\""),
            ("last-modified", "Tue, 14 Nov 2023 22:13:21 GMT"),
            ("content-language", "en"),
            ("x-ms-meta-k", "v"),
            ("x-ms-lease-state", "available"),
            ("x-ms-blob-type", "BlockBlob"),
            ("x-ms-access-tier", "Hot"),
            ("x-ms-access-tier-inferred", "true"),
        ] {
            assert_eq!(get(name).as_deref(), Some(value), "{name}");
        }
        for name in ["content-type", "x-ms-version-id", "x-ms-tag-count", "x-ms-legal-hold", "x-ms-copy-id"] {
            assert_eq!(get(name), None, "{name}");
        }
    }

    #[test]
    fn all_that_is_set_is_shown() {
        let lease = Lease::Held { id: LeaseId(1), seconds: Some(15), until: at(101) };
        let get = shown(&BlobProperties { lease, ..full_blob() });
        for (name, value) in [
            ("x-ms-blob-type", "AppendBlob"),
            ("x-ms-blob-committed-block-count", "1"),
            ("x-ms-blob-sealed", "true"),
            ("x-ms-version-id", "2023-11-14T22:13:22.0000000Z"),
            ("x-ms-is-current-version", "true"),
            ("x-ms-lease-status", "locked"),
            ("x-ms-lease-duration", "fixed"),
            ("x-ms-tag-count", "1"),
            ("x-ms-access-tier", "Archive"),
            ("x-ms-access-tier-change-time", "Tue, 14 Nov 2023 22:13:23 GMT"),
            ("x-ms-archive-status", "rehydrate-pending-to-cool"),
            ("x-ms-rehydrate-priority", "High"),
            ("x-ms-copy-status", "pending"),
            ("x-ms-copy-progress", "1/2"),
            ("x-ms-copy-source", "http://s"),
            ("x-ms-immutability-policy-mode", "locked"),
            ("x-ms-immutability-policy-until-date", "Tue, 14 Nov 2023 22:13:29 GMT"),
            ("x-ms-legal-hold", "true"),
            ("x-ms-expiry-time", "Tue, 14 Nov 2023 22:13:30 GMT"),
            ("x-ms-last-access-time", "Tue, 14 Nov 2023 22:13:31 GMT"),
            ("x-ms-encryption-scope", "scope"),
        ] {
            assert_eq!(get(name).as_deref(), Some(value), "{name}");
        }
        assert_eq!(get("x-ms-access-tier-inferred"), None);
    }

    #[test]
    fn a_past_state_has_no_lease() {
        let snapshot = shown(&BlobProperties { snapshot: Some(at(1)), ..BlobProperties::default() });
        let former = shown(&BlobProperties { version: Some(at(1)), ..BlobProperties::default() });
        assert_eq!((snapshot("x-ms-lease-state"), former("x-ms-lease-state")), (None, None));
        assert_eq!(former("x-ms-is-current-version"), None);
        let page = shown(&BlobProperties {
            kind: BlobKind::Page { sequence_number: 4 },
            ..BlobProperties::default()
        });
        assert_eq!(page("x-ms-blob-sequence-number").as_deref(), Some("4"));
        assert_eq!(page("x-ms-access-tier"), None);
    }
}
