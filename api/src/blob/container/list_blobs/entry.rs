//! What a listing shows of a blob, as names and values in the order of the clients' models.
//!
//! Both forms of the answer, the document and the table, are written from this one list, so they cannot tell
//! different things. A value has the kind that its column has in the table; the document spells all of them as text.

use crate::blob::headers::{copy_word, kind_name, lease_words};
use crate::blob::new_blob::tier_name;
use crate::{checksum, etag, guid, header, time};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;
use storage_engine::blob::{
    AccessTier, BlobEntry, BlobKind, BlobProperties, CopyState, Encryption, EncryptionKey, LeaseState,
};
use storage_engine::clock::Timestamp;

/// What `include` asks for besides the states to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one of the words of the parameter `include`")]
pub(super) struct Details {
    /// The copy that made the blob.
    pub(super) copy: bool,
    /// Its user metadata.
    pub(super) metadata: bool,
    /// Its tags.
    pub(super) tags: bool,
    /// Ids of versions.
    pub(super) versions: bool,
    /// Until when it must stay as it is.
    pub(super) policy: bool,
    /// Whether it must stay as it is.
    pub(super) hold: bool,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A text, perhaps an empty one.
    Text(Cow<'a, str>),
    /// A number.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// A moment, in whole seconds.
    Moment(Timestamp),
}

impl Value<'_> {
    /// As the document spells it.
    pub(super) fn spelled(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Number(number) => number.to_string().into(),
            Self::Flag(flag) => if *flag { "true" } else { "false" }.into(),
            Self::Moment(moment) => time::rfc1123(*moment).into(),
        }
    }
}

/// Names and values, in order.
pub(super) type Fields<'a> = Vec<(&'static str, Value<'a>)>;

fn text<'a>(text: impl Into<Cow<'a, str>>) -> Value<'a> {
    Value::Text(text.into())
}

/// What stands beside a blob's name: which state it is.
pub(super) fn state(properties: &BlobProperties, details: Details) -> Fields<'_> {
    let mut fields = Fields::new();
    if let Some(snapshot) = properties.snapshot {
        fields.push(("Snapshot", text(time::iso8601(snapshot))));
    }
    if details.versions
        && let Some(version) = properties.version
    {
        fields.push(("VersionId", text(time::iso8601(version))));
        if properties.current {
            fields.push(("IsCurrentVersion", Value::Flag(true)));
        }
    }
    if properties.deletion.is_some() {
        fields.push(("Deleted", Value::Flag(true)));
    }
    fields
}

/// The same, of any entry that has these properties. A name that has former versions and no blob says only that.
pub(super) fn state_of<'a>(
    entry: &BlobEntry,
    properties: &'a BlobProperties,
    details: Details,
) -> Fields<'a> {
    match entry {
        BlobEntry::VersionsOnly(..) => vec![("HasVersionsOnly", Value::Flag(true))],
        BlobEntry::Blob(..) | BlobEntry::Prefix(_) | BlobEntry::Uncommitted(_) => state(properties, details),
    }
}

/// The properties of a blob that has only staged blocks.
pub(super) fn uncommitted<'a>() -> Fields<'a> {
    vec![("Content-Length", Value::Number(0)), ("BlobType", text("BlockBlob"))]
}

/// A blob's properties at this moment.
pub(super) fn properties(properties: &BlobProperties, details: Details, now: Timestamp) -> Fields<'_> {
    let content = &properties.headers;
    let mut fields = Fields::with_capacity(24);
    fields.extend([
        ("Creation-Time", Value::Moment(properties.created)),
        ("Last-Modified", Value::Moment(properties.modified)),
        ("Etag", text(etag::plain(properties.etag))),
        ("Content-Length", Value::Number(properties.length)),
        ("Content-Type", text(&content.content_type)),
        ("Content-Encoding", text(&content.encoding)),
        ("Content-Language", text(&content.language)),
        ("Content-MD5", text(content.md5.map(checksum::md5_text).unwrap_or_default())),
        ("Content-Disposition", text(&content.disposition)),
        ("Cache-Control", text(&content.cache_control)),
    ]);
    if let BlobKind::Page { sequence_number } = properties.kind {
        fields.push((header::X_MS_BLOB_SEQUENCE_NUMBER, Value::Number(sequence_number)));
    }
    fields.push(("BlobType", text(kind_name(properties.kind))));
    add_lease(&mut fields, properties, now);
    let copy = properties.copy.as_deref().filter(|_| details.copy);
    if let Some(copy) = copy {
        add_copy(&mut fields, copy);
    }
    fields.push(("ServerEncrypted", Value::Flag(properties.encryption.is_some())));
    if let Some(copy) = copy {
        add_incremental_copy(&mut fields, copy);
    }
    if let Some(deletion) = properties.deletion {
        fields.push(("DeletedTime", Value::Moment(deletion.at)));
        fields.push(("RemainingRetentionDays", Value::Number(deletion.days_left(now))));
    }
    add_tier(&mut fields, properties);
    add_encryption(&mut fields, properties.encryption.as_deref());
    if let Some(changed) = properties.tier.and_then(|tier| tier.changed) {
        fields.push(("AccessTierChangeTime", Value::Moment(changed)));
    }
    add_rest(&mut fields, properties, details);
    fields
}

/// A past or deleted state has no lease.
fn add_lease(fields: &mut Fields<'_>, properties: &BlobProperties, now: Timestamp) {
    if !properties.current {
        return;
    }
    let state = properties.lease.state(now);
    let (status, word) = lease_words(state);
    fields.extend([("LeaseStatus", text(status)), ("LeaseState", text(word))]);
    if state == LeaseState::Leased {
        let duration = if properties.lease.is_infinite() { "infinite" } else { "fixed" };
        fields.push(("LeaseDuration", text(duration)));
    }
}

fn add_copy<'a>(fields: &mut Fields<'a>, copy: &'a CopyState) {
    fields.extend([
        ("CopyId", text(guid::print(copy.id))),
        ("CopyStatus", text(copy_word(copy.status))),
        ("CopySource", text(&copy.source)),
        ("CopyProgress", text(format!("{}/{}", copy.copied, copy.total))),
    ]);
    if let Some(completed) = copy.completed {
        fields.push(("CopyCompletionTime", Value::Moment(completed)));
    }
    if !copy.description.is_empty() {
        fields.push(("CopyStatusDescription", text(&copy.description)));
    }
}

fn add_incremental_copy(fields: &mut Fields<'_>, copy: &CopyState) {
    if copy.incremental.is_some() {
        fields.push(("IncrementalCopy", Value::Flag(true)));
    }
    if let Some(snapshot) = copy.snapshot {
        fields.push(("CopyDestinationSnapshot", text(time::iso8601(snapshot))));
    }
}

/// A blob that was given no tier has the account's, which is hot. Page blobs have tiers only if they were given one.
fn add_tier(fields: &mut Fields<'_>, properties: &BlobProperties) {
    let Some(AccessTier { tier, rehydration, .. }) = properties.tier else {
        if !matches!(properties.kind, BlobKind::Page { .. }) {
            fields.extend([("AccessTier", text("Hot")), ("AccessTierInferred", Value::Flag(true))]);
        }
        return;
    };
    fields.push(("AccessTier", text(tier_name(tier))));
    if let Some(way) = rehydration {
        let to = tier_name(way.to).to_ascii_lowercase();
        fields.push(("ArchiveStatus", text(format!("rehydrate-pending-to-{to}"))));
    }
}

fn add_encryption<'a>(fields: &mut Fields<'a>, encryption: Option<&'a Encryption>) {
    match encryption.map(|encryption| &encryption.key) {
        None => {}
        Some(EncryptionKey::Customer(sum)) => {
            fields.push(("CustomerProvidedKeySha256", text(STANDARD.encode(sum))));
        }
        Some(EncryptionKey::Scope(name)) => fields.push(("EncryptionScope", text(name))),
    }
}

fn add_rest(fields: &mut Fields<'_>, properties: &BlobProperties, details: Details) {
    if let Ok(tags) = u64::try_from(properties.tags.len())
        && tags > 0
    {
        fields.push(("TagCount", Value::Number(tags)));
    }
    if let Some(expires) = properties.expires {
        fields.push(("Expiry-Time", Value::Moment(expires)));
    }
    if let BlobKind::Append { sealed: true, .. } = properties.kind {
        fields.push(("Sealed", Value::Flag(true)));
    }
    if let Some(way) = properties.tier.and_then(|tier| tier.rehydration) {
        fields.push(("RehydratePriority", text(if way.high { "High" } else { "Standard" })));
    }
    if let Some(accessed) = properties.accessed {
        fields.push(("LastAccessTime", Value::Moment(accessed)));
    }
    if let Some(policy) = properties.policy.filter(|_| details.policy) {
        fields.push(("ImmutabilityPolicyUntilDate", Value::Moment(policy.until)));
        let mode = if policy.locked { "locked" } else { "unlocked" };
        fields.push(("ImmutabilityPolicyMode", text(mode)));
    }
    if details.hold {
        fields.push(("LegalHold", Value::Flag(properties.legal_hold)));
    }
}
