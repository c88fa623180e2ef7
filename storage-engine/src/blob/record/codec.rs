//! How the parts of blobs' and containers' records are spelled.
//!
//! What most blobs do not have stands behind one number whose bits say which of it follows, in the order of the
//! bits. So a plain blob pays one byte for all of it, and something new is a new bit: a build that does not know
//! the bit refuses the record instead of misreading it, because bits above [`BITS`] are damage.

use crate::blob::record::lease::{Lease, LeaseId};
use crate::blob::record::properties::{
    AccessTier, BlobKind, BlobProperties, ContentHeaders, CopyState, CopyStatus, Deletion, Encryption,
    EncryptionKey, ImmutabilityPolicy, Increment, Rehydration, Tier,
};
use crate::blob::record::tags::Tags;
use crate::chunk::ChunkRef;
use crate::error::Result;
use crate::meta::record::{Decoder, Encoder};
use crate::name::Metadata;

const APPEND: u64 = 1;
const PAGE: u64 = 1 << 1;
const SNAPSHOT: u64 = 1 << 2;
const VERSION: u64 = 1 << 3;
const DELETION: u64 = 1 << 4;
const LEASE: u64 = 1 << 5;
const TAGS: u64 = 1 << 6;
const TIER: u64 = 1 << 7;
const COPY: u64 = 1 << 8;
const POLICY: u64 = 1 << 9;
const HOLD: u64 = 1 << 10;
const EXPIRES: u64 = 1 << 11;
const ACCESSED: u64 = 1 << 12;
const ENCRYPTION: u64 = 1 << 13;
const BITS: u64 = (1 << 14) - 1;

/// Writes what a blob may have besides what every blob has.
pub(super) fn encode_rare(fields: &mut Encoder, blob: &BlobProperties) {
    fields.varint(bits(blob));
    match blob.kind {
        BlobKind::Block => {}
        BlobKind::Append { blocks, sealed } => {
            fields.varint(blocks.into()).flag(sealed);
        }
        BlobKind::Page { sequence_number } => {
            fields.varint(sequence_number);
        }
    }
    for moment in [blob.snapshot, blob.version].into_iter().flatten() {
        fields.timestamp(moment);
    }
    if let Some(Deletion { at, purge }) = blob.deletion {
        fields.timestamp(at).timestamp(purge);
    }
    if blob.lease != Lease::None {
        encode_lease(fields, blob.lease);
    }
    if !blob.tags.is_empty() {
        fields.count(blob.tags.len());
        for (key, value) in blob.tags.iter() {
            fields.str(key).str(value);
        }
    }
    if let Some(tier) = &blob.tier {
        encode_tier(fields, tier);
    }
    if let Some(copy) = &blob.copy {
        encode_copy(fields, copy);
    }
    if let Some(policy) = blob.policy {
        fields.timestamp(policy.until).flag(policy.locked);
    }
    for moment in [blob.expires, blob.accessed].into_iter().flatten() {
        fields.timestamp(moment);
    }
    if let Some(encryption) = &blob.encryption {
        encode_encryption(fields, encryption);
    }
}

/// Reads it into `blob`.
pub(super) fn decode_rare(fields: &mut Decoder<'_>, blob: &mut BlobProperties) -> Result<()> {
    let bits = fields.varint()?;
    if bits & !BITS != 0 || bits & (APPEND | PAGE) == APPEND | PAGE {
        return Err(fields.damaged());
    }
    if bits & APPEND != 0 {
        let blocks = u32::try_from(fields.varint()?).map_err(|_| fields.damaged())?;
        blob.kind = BlobKind::Append { blocks, sealed: fields.flag()? };
    }
    if bits & PAGE != 0 {
        blob.kind = BlobKind::Page { sequence_number: fields.varint()? };
    }
    blob.snapshot = when(bits & SNAPSHOT, fields, Decoder::timestamp)?;
    blob.version = when(bits & VERSION, fields, Decoder::timestamp)?;
    blob.deletion = when(bits & DELETION, fields, |fields| {
        Ok(Deletion { at: fields.timestamp()?, purge: fields.timestamp()? })
    })?;
    blob.lease = when(bits & LEASE, fields, decode_lease)?.unwrap_or_default();
    blob.tags = when(bits & TAGS, fields, decode_tags)?.unwrap_or_default();
    blob.tier = when(bits & TIER, fields, decode_tier)?;
    blob.copy = when(bits & COPY, fields, decode_copy)?.map(Box::new);
    blob.policy = when(bits & POLICY, fields, |fields| {
        Ok(ImmutabilityPolicy { until: fields.timestamp()?, locked: fields.flag()? })
    })?;
    blob.legal_hold = bits & HOLD != 0;
    blob.expires = when(bits & EXPIRES, fields, Decoder::timestamp)?;
    blob.accessed = when(bits & ACCESSED, fields, Decoder::timestamp)?;
    blob.encryption = when(bits & ENCRYPTION, fields, decode_encryption)?.map(Box::new);
    Ok(())
}

fn bits(blob: &BlobProperties) -> u64 {
    let kind = match blob.kind {
        BlobKind::Block => 0,
        BlobKind::Append { .. } => APPEND,
        BlobKind::Page { .. } => PAGE,
    };
    let present = [
        (SNAPSHOT, blob.snapshot.is_some()),
        (VERSION, blob.version.is_some()),
        (DELETION, blob.deletion.is_some()),
        (LEASE, blob.lease != Lease::None),
        (TAGS, !blob.tags.is_empty()),
        (TIER, blob.tier.is_some()),
        (COPY, blob.copy.is_some()),
        (POLICY, blob.policy.is_some()),
        (HOLD, blob.legal_hold),
        (EXPIRES, blob.expires.is_some()),
        (ACCESSED, blob.accessed.is_some()),
        (ENCRYPTION, blob.encryption.is_some()),
    ];
    present.into_iter().filter(|(_, present)| *present).fold(kind, |bits, (bit, _)| bits | bit)
}

fn when<'a, T>(
    bit: u64,
    fields: &mut Decoder<'a>,
    read: impl FnOnce(&mut Decoder<'a>) -> Result<T>,
) -> Result<Option<T>> {
    if bit == 0 { Ok(None) } else { read(fields).map(Some) }
}

/// Writes a lease.
pub(super) fn encode_lease(fields: &mut Encoder, lease: Lease) {
    match lease {
        Lease::None => fields.u8(0),
        Lease::Held { id, seconds, until } => {
            fields.u8(1).u128(id.0).timestamp(until).option(seconds, |fields, seconds| {
                fields.varint(seconds.into());
            })
        }
        Lease::Breaking { id, until } => fields.u8(2).u128(id.0).timestamp(until),
    };
}

/// Reads a lease.
pub(super) fn decode_lease(fields: &mut Decoder<'_>) -> Result<Lease> {
    let kind = fields.u8()?;
    if kind == 0 {
        return Ok(Lease::None);
    }
    let id = LeaseId(fields.u128()?);
    let until = fields.timestamp()?;
    match kind {
        1 => {
            let seconds = fields.option(Decoder::varint)?.map(u32::try_from).transpose();
            Ok(Lease::Held { id, seconds: seconds.map_err(|_| fields.damaged())?, until })
        }
        2 => Ok(Lease::Breaking { id, until }),
        _ => Err(fields.damaged()),
    }
}

fn decode_tags(fields: &mut Decoder<'_>) -> Result<Tags> {
    Tags::new(decode_metadata(fields)?).ok_or_else(|| fields.damaged())
}

fn tier_number(tier: Tier) -> u8 {
    let place = Tier::ALL.into_iter().position(|other| other == tier);
    place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

fn decode_tier_number(fields: &mut Decoder<'_>) -> Result<Tier> {
    let place = usize::from(fields.u8()?);
    Tier::ALL.get(place).copied().ok_or_else(|| fields.damaged())
}

fn encode_tier(fields: &mut Encoder, AccessTier { tier, changed, rehydration }: &AccessTier) {
    fields.u8(tier_number(*tier));
    fields.option(*changed, |fields, changed| {
        fields.timestamp(changed);
    });
    fields.option(*rehydration, |fields, Rehydration { to, high, ends }| {
        fields.u8(tier_number(to)).flag(high).timestamp(ends);
    });
}

fn decode_tier(fields: &mut Decoder<'_>) -> Result<AccessTier> {
    let tier = decode_tier_number(fields)?;
    let changed = fields.option(Decoder::timestamp)?;
    let rehydration = fields.option(|fields| {
        let to = decode_tier_number(fields)?;
        Ok(Rehydration { to, high: fields.flag()?, ends: fields.timestamp()? })
    })?;
    Ok(AccessTier { tier, changed, rehydration })
}

fn encode_copy(fields: &mut Encoder, copy: &CopyState) {
    fields.u128(copy.id).str(&copy.source).u8(match copy.status {
        CopyStatus::Pending => 0,
        CopyStatus::Success => 1,
        CopyStatus::Aborted => 2,
        CopyStatus::Failed => 3,
    });
    fields.varint(copy.copied).varint(copy.total).str(&copy.description).flag(copy.incremental.is_some());
    for moment in [copy.completed, copy.snapshot] {
        fields.option(moment, |fields, moment| {
            fields.timestamp(moment);
        });
    }
    if let Some(Increment { origin, copied }) = &copy.incremental {
        fields.str(origin).option(*copied, |fields, moment| {
            fields.timestamp(moment);
        });
    }
}

fn decode_copy(fields: &mut Decoder<'_>) -> Result<CopyState> {
    let (id, source) = (fields.u128()?, fields.str()?.to_owned());
    let status = match fields.u8()? {
        0 => CopyStatus::Pending,
        1 => CopyStatus::Success,
        2 => CopyStatus::Aborted,
        3 => CopyStatus::Failed,
        _ => return Err(fields.damaged()),
    };
    let (copied, total, description) = (fields.varint()?, fields.varint()?, fields.str()?.to_owned());
    let is_incremental = fields.flag()?;
    let completed = fields.option(Decoder::timestamp)?;
    let snapshot = fields.option(Decoder::timestamp)?;
    let incremental = if is_incremental { Some(decode_increment(fields)?) } else { None };
    Ok(CopyState { id, source, status, copied, total, completed, description, incremental, snapshot })
}

fn decode_increment(fields: &mut Decoder<'_>) -> Result<Increment> {
    Ok(Increment { origin: fields.str()?.to_owned(), copied: fields.option(Decoder::timestamp)? })
}

fn encode_encryption(fields: &mut Encoder, Encryption { key, wrapped }: &Encryption) {
    encode_key(fields, key);
    fields.bytes(wrapped);
}

/// Writes whose key it is.
pub(super) fn encode_key(fields: &mut Encoder, key: &EncryptionKey) {
    match key {
        EncryptionKey::Customer(sum) => fields.u8(0).raw(sum),
        EncryptionKey::Scope(name) => fields.u8(1).str(name),
    };
}

/// Reads whose key it is.
pub(super) fn decode_key(fields: &mut Decoder<'_>) -> Result<EncryptionKey> {
    Ok(match fields.u8()? {
        0 => EncryptionKey::Customer(fields.array()?),
        1 => EncryptionKey::Scope(fields.str()?.to_owned()),
        _ => return Err(fields.damaged()),
    })
}

fn decode_encryption(fields: &mut Decoder<'_>) -> Result<Encryption> {
    let key = decode_key(fields)?;
    Ok(Encryption { key, wrapped: fields.bytes()?.to_vec() })
}

/// Writes where a chunk is.
pub(in crate::blob) fn encode_chunk(fields: &mut Encoder, chunk: ChunkRef) {
    fields.varint(chunk.segment).varint(chunk.offset).varint(chunk.len.into());
}

/// Reads where a chunk is.
pub(in crate::blob) fn decode_chunk(fields: &mut Decoder<'_>) -> Result<ChunkRef> {
    let (segment, offset) = (fields.varint()?, fields.varint()?);
    let len = u32::try_from(fields.varint()?).map_err(|_| fields.damaged())?;
    ChunkRef::checked(segment, offset, len).ok_or_else(|| fields.damaged())
}

/// Writes HTTP headers.
pub(super) fn encode_headers(fields: &mut Encoder, headers: &ContentHeaders) {
    let ContentHeaders { content_type, encoding, language, disposition, cache_control, md5 } = headers;
    fields.str(content_type).str(encoding).str(language).str(disposition).str(cache_control);
    fields.option(md5.as_ref(), |fields, md5| {
        fields.raw(md5);
    });
}

/// Reads HTTP headers.
pub(super) fn decode_headers(fields: &mut Decoder<'_>) -> Result<ContentHeaders> {
    Ok(ContentHeaders {
        content_type: fields.str()?.to_owned(),
        encoding: fields.str()?.to_owned(),
        language: fields.str()?.to_owned(),
        disposition: fields.str()?.to_owned(),
        cache_control: fields.str()?.to_owned(),
        md5: fields.option(Decoder::array)?,
    })
}

/// Writes metadata.
pub(super) fn encode_metadata(fields: &mut Encoder, metadata: &Metadata) {
    fields.count(metadata.len());
    for (name, value) in metadata {
        fields.str(name).str(value);
    }
}

/// Reads metadata.
pub(super) fn decode_metadata(fields: &mut Decoder<'_>) -> Result<Metadata> {
    let count = fields.count()?;
    (0..count).map(|_| Ok((fields.str()?.to_owned(), fields.str()?.to_owned()))).collect()
}
