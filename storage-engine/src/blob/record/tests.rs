//! Records come back as they were, also those of older builds, and damage is an error.

use super::*;
use crate::blob::PublicAccess;
use crate::blob::record::lease::{Lease, LeaseId};
use crate::blob::record::properties::{
    ContentHeaders, CopyState, CopyStatus, Deletion, Encryption, EncryptionKey, ImmutabilityPolicy,
    Increment, Rehydration, Tier,
};
use crate::blob::record::tags::Tags;
use crate::chunk::ChunkRef;
use crate::name::Metadata;
use crate::policy::tests::some_policies;
use proptest::prelude::*;

fn metadata() -> impl Strategy<Value = Metadata> {
    proptest::collection::vec((any::<String>(), any::<String>()), 0..4)
}

fn forms() -> impl Strategy<Value = Form> {
    prop_oneof![
        Just(Form::Empty),
        any::<u64>().prop_map(Form::Inline),
        any::<(u64, u32)>().prop_map(|(content, pages)| Form::Chunks(content, pages)),
        any::<(u128, Option<u64>)>()
            .prop_map(|(volume, epoch)| Form::Volume(VolumeId(volume), epoch.map(Epoch))),
    ]
}

/// A blob that has of all that is rare what the bits say.
fn rare(mut blob: BlobProperties, bits: u16, (ticks, count, id): (u64, u32, u128)) -> BlobProperties {
    let (now, has) = (Timestamp::from_ticks(ticks), |bit: u32| bits & (1 << bit) != 0);
    let tier = Tier::ALL[usize::from(bits) % Tier::ALL.len()];
    let rehydration = Rehydration { to: tier, high: has(2), ends: now };
    let copy = CopyState {
        id,
        source: "source".to_owned(),
        status: CopyStatus::Aborted,
        copied: ticks,
        incremental: has(5).then(|| Increment { origin: "origin".to_owned(), copied: has(6).then_some(now) }),
        ..CopyState::default()
    };
    let key = if has(4) { EncryptionKey::Customer([7; 32]) } else { EncryptionKey::Scope("s".to_owned()) };
    blob.kind = match bits % 3 {
        0 => BlobKind::Block,
        1 => BlobKind::Append { blocks: count, sealed: has(3) },
        _ => BlobKind::Page { sequence_number: ticks },
    };
    blob.lease = match bits % 5 {
        0 => Lease::None,
        1 | 2 => Lease::Held { id: LeaseId(id), seconds: has(6).then_some(count), until: now },
        _ => Lease::Breaking { id: LeaseId(id), until: now },
    };
    blob.snapshot = has(0).then_some(now);
    blob.version = has(1).then_some(now);
    blob.deletion = has(2).then_some(Deletion { at: now, purge: now });
    blob.tags = Tags::new(if has(3) { vec![("k".to_owned(), "v".to_owned())] } else { Vec::new() }).unwrap();
    blob.tier = has(4).then_some(AccessTier {
        tier,
        changed: has(5).then_some(now),
        rehydration: has(6).then_some(rehydration),
    });
    blob.copy = has(7).then(|| Box::new(copy));
    blob.policy = has(8).then_some(ImmutabilityPolicy { until: now, locked: has(9) });
    blob.legal_hold = has(10);
    blob.expires = has(11).then_some(now);
    blob.accessed = has(12).then_some(now);
    blob.encryption = has(13).then(|| Box::new(Encryption { key, wrapped: vec![1; usize::from(bits % 9)] }));
    blob
}

/// What the first version of this build wrote.
fn encode_version_1(record: &BlobRecord) -> Vec<u8> {
    let mut value = record.encode();
    assert_eq!(value.pop(), Some(0), "a plain blob pays one byte for all that is rare");
    value[0] = 1;
    value
}

proptest! {
    #[test]
    fn blobs_come_back_as_they_were(
        (etag, created, modified, length) in any::<(u64, u64, u64, u64)>(),
        (content_type, encoding, language) in any::<(String, String, String)>(),
        (disposition, cache_control, md5) in any::<(String, String, Option<[u8; 16]>)>(),
        metadata in metadata(),
        form in forms(),
        bits: u16,
        numbers: (u64, u32, u128),
    ) {
        let headers =
            ContentHeaders { content_type, encoding, language, disposition, cache_control, md5 };
        let (created, modified) = (Timestamp::from_ticks(created), Timestamp::from_ticks(modified));
        let plain = BlobProperties {
            etag: Etag(etag),
            created,
            modified,
            length,
            headers,
            metadata,
            ..BlobProperties::default()
        };
        let properties = rare(plain.clone(), bits, numbers);
        let record = BlobRecord { properties, form };
        prop_assert_eq!(BlobRecord::decode(&record.encode()).unwrap(), record);
        let old = encode_version_1(&BlobRecord { properties: plain.clone(), form });
        prop_assert_eq!(BlobRecord::decode(&old).unwrap(), BlobRecord { properties: plain, form });
    }

    #[test]
    fn containers_come_back_as_they_were(etag: u64, modified: u64, metadata in metadata(), access in 0..3) {
        let public_access =
            [PublicAccess::None, PublicAccess::Blob, PublicAccess::Container][usize::try_from(access).unwrap()];
        let now = Timestamp::from_ticks(modified);
        let stamp = Stamp { etag: Etag(etag), modified: now, version: None };
        let plain = ContainerRecord::new(stamp, metadata, public_access);
        prop_assert_eq!(&ContainerRecord::decode(&plain.encode()).unwrap(), &plain);
        let record = ContainerRecord {
            lease: Lease::Breaking { id: LeaseId(5), until: now },
            deletion: Some(Deletion { at: now, purge: now }),
            encryption_scope: "scope".to_owned(),
            deny_scope_override: access == 0,
            policies: some_policies(),
            ..plain
        };
        prop_assert_eq!(ContainerRecord::decode(&record.encode()).unwrap(), record);
    }

    #[test]
    fn blocks_and_marks_come_back_as_they_were(
        length: u64,
        modified: u64,
        chunks in proptest::collection::vec((any::<u64>(), 0..1_u64 << 48, 1..=1_u32 << 20), 0..8),
    ) {
        let chunk = |(segment, offset, len)| ChunkRef { segment, offset, len };
        let block = BlockRecord { length, chunks: chunks.into_iter().map(chunk).collect(), key: Some(EncryptionKey::Customer([3; 32])) };
        prop_assert_eq!(BlockRecord::decode(&block.encode()).unwrap(), block.clone());
        let block = BlockRecord { key: None, ..block };
        prop_assert_eq!(BlockRecord::decode(&block.encode()).unwrap(), block);
        let modified = Timestamp::from_ticks(modified);
        let mark = StagingRecord { modified, id_bytes: 64, blocks: length, due: Some(modified) };
        prop_assert_eq!(StagingRecord::decode(&mark.encode()).unwrap(), mark);
        let mut fields = Encoder::new(1);
        fields.timestamp(modified).varint(64).varint(length);
        let first = StagingRecord::decode(&fields.finish()).unwrap();
        prop_assert_eq!(first, StagingRecord { due: None, ..mark });
    }

    #[test]
    fn volumes_come_back_as_they_were(leaving: bool, owners: u64, marks: Vec<u64>, doomed: Vec<u64>) {
        let marks = marks.into_iter().map(Timestamp::from_ticks).collect();
        let doomed = doomed.into_iter().map(Epoch).collect();
        let record = VolumeRecord { leaving, born: Timestamp::from_ticks(owners), owners, marks, doomed };
        prop_assert_eq!(VolumeRecord::decode(&record.encode()).unwrap(), record);
    }

    #[test]
    fn a_chunk_that_cannot_be_is_damage(len in prop_oneof![Just(0_u32), (1_u32 << 20) + 1..]) {
        let block = BlockRecord { length: 1, chunks: vec![ChunkRef { segment: 1, offset: 0, len }], key: None };
        prop_assert!(BlockRecord::decode(&block.encode()).is_err());
    }

    #[test]
    fn damaged_records_are_errors_and_never_panics(value: Vec<u8>) {
        let _ = BlobRecord::decode(&value);
        let _ = ContainerRecord::decode(&value);
        let _ = BlockRecord::decode(&value);
        let _ = StagingRecord::decode(&value);
        let _ = VolumeRecord::decode(&value);
    }
}
