//! A blob to show: what the tests of its headers and of its lines in listings have in common.

use storage_engine::blob::{
    AccessTier, BlobKind, BlobProperties, ContentHeaders, CopyState, Encryption, EncryptionKey,
    ImmutabilityPolicy, Rehydration, Tags, Tier,
};
use storage_engine::clock::{Etag, Timestamp};

/// A moment so many seconds after 2023-11-14 22:13:20.
pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(1_700_000_000 + seconds)
}

/// A blob that has of everything something, but a lease.
pub(crate) fn full_blob() -> BlobProperties {
    BlobProperties {
        etag: Etag(0x1F),
        created: at(0),
        modified: at(1),
        length: 5,
        headers: ContentHeaders {
            content_type: "text/plain".into(),
            md5: Some([0; 16]),
            ..ContentHeaders::default()
        },
        metadata: vec![("k".into(), "v<".into())],
        kind: BlobKind::Append { blocks: 1, sealed: true },
        version: Some(at(2)),
        current: true,
        tags: Tags::new(vec![("t".into(), "1".into())]).unwrap(),
        tier: Some(AccessTier {
            tier: Tier::Archive,
            changed: Some(at(3)),
            rehydration: Some(Rehydration { to: Tier::Cool, high: true, ends: at(900) }),
        }),
        copy: Some(Box::new(CopyState {
            source: "http://s".into(),
            copied: 1,
            total: 2,
            ..CopyState::default()
        })),
        policy: Some(ImmutabilityPolicy { until: at(9), locked: true }),
        legal_hold: true,
        expires: Some(at(10)),
        accessed: Some(at(11)),
        encryption: Some(Box::new(Encryption {
            key: EncryptionKey::Scope("scope".into()),
            wrapped: Vec::new(),
        })),
        ..BlobProperties::default()
    }
}
