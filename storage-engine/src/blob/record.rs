//! The values of the records of blobs and containers, and how they are encoded.
//!
//! | record | fields behind the version |
//! |---|---|
//! | container | etag, modified, access, metadata, policies |
//! | blob | etag, created, modified, length, headers, metadata, where its content is |
//! | mark | when a block was staged last, bytes of a block id, number of staged blocks |
//! | staged block | length, chunks |
//!
//! Pages of content are in [`super::content`].

use super::{BlobProperties, Container, ContentHeaders, NewBlob, PublicAccess, Stamp};
use crate::chunk::ChunkRef;
use crate::clock::{Etag, Timestamp};
use crate::error::Result;
use crate::meta::Transaction;
use crate::meta::record::{Decoder, Encoder};
use crate::name::{ContainerName, Metadata};
use crate::policy::{self, StoredPolicy};

/// The newest version of each record of this file.
const VERSION: u8 = 1;

/// Where a blob's content is. The id makes pages of one content immutable: another content has another id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// It has no bytes.
    Empty,
    /// In the first and only page, which is the bytes.
    Inline(u64),
    /// In chunks that so many pages list.
    Chunks(u64, u32),
}

/// A blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlobRecord {
    /// What the blob shows of itself.
    pub(crate) properties: BlobProperties,
    /// Where its content is.
    pub(crate) form: Form,
}

impl BlobRecord {
    /// A blob as a verb makes it now.
    pub(super) fn new(now: Timestamp, created: Timestamp, length: u64, new: &NewBlob, form: Form) -> Self {
        let NewBlob { headers, metadata } = new.clone();
        let properties =
            BlobProperties { etag: Etag::from(now), created, modified: now, length, headers, metadata };
        Self { properties, form }
    }

    /// Its version and age, as conditions want them.
    pub(super) const fn version(&self) -> (Etag, Timestamp) {
        (self.properties.etag, self.properties.modified)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let BlobProperties { etag, created, modified, length, headers, metadata } = &self.properties;
        let mut fields = Encoder::new(VERSION);
        fields.u64(etag.0).timestamp(*created).timestamp(*modified).varint(*length);
        encode_headers(&mut fields, headers);
        encode_metadata(&mut fields, metadata);
        match self.form {
            Form::Empty => fields.u8(0),
            Form::Inline(content) => fields.u8(1).u64(content),
            Form::Chunks(content, pages) => fields.u8(2).u64(content).u32(pages),
        };
        fields.finish()
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self> {
        let (_, mut fields) = Decoder::versioned("blob", VERSION, value)?;
        let properties = BlobProperties {
            etag: Etag(fields.u64()?),
            created: fields.timestamp()?,
            modified: fields.timestamp()?,
            length: fields.varint()?,
            headers: decode_headers(&mut fields)?,
            metadata: decode_metadata(&mut fields)?,
        };
        let form = match fields.u8()? {
            0 => Form::Empty,
            1 => Form::Inline(fields.u64()?),
            2 => Form::Chunks(fields.u64()?, fields.u32()?),
            _ => return Err(fields.damaged()),
        };
        fields.finish()?;
        Ok(Self { properties, form })
    }
}

/// The mark that blocks are staged. It is there exactly while there are some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StagingRecord {
    /// When the last one came.
    pub(crate) modified: Timestamp,
    /// Bytes that the id of each has.
    pub(crate) id_bytes: u64,
    /// How many there are.
    pub(crate) blocks: u64,
}

impl StagingRecord {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut fields = Encoder::new(VERSION);
        fields.timestamp(self.modified).varint(self.id_bytes).varint(self.blocks);
        fields.finish()
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self> {
        let (_, mut fields) = Decoder::versioned("staging mark", VERSION, value)?;
        let record =
            Self { modified: fields.timestamp()?, id_bytes: fields.varint()?, blocks: fields.varint()? };
        fields.finish()?;
        Ok(record)
    }
}

/// A staged block's content, or a committed block's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BlockRecord {
    /// Its bytes.
    pub(crate) length: u64,
    /// Where they are, in order.
    pub(crate) chunks: Vec<ChunkRef>,
}

impl BlockRecord {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut fields = Encoder::new(VERSION);
        fields.varint(self.length).count(self.chunks.len());
        for chunk in &self.chunks {
            encode_chunk(&mut fields, *chunk);
        }
        fields.finish()
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self> {
        let (_, mut fields) = Decoder::versioned("staged block", VERSION, value)?;
        let length = fields.varint()?;
        let count = fields.count()?;
        let chunks = (0..count).map(|_| decode_chunk(&mut fields)).collect::<Result<_>>()?;
        fields.finish()?;
        Ok(Self { length, chunks })
    }
}

/// What the catalogue keeps about a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContainerRecord {
    pub(super) stamp: Stamp,
    pub(super) metadata: Metadata,
    pub(super) public_access: PublicAccess,
    pub(super) policies: Vec<StoredPolicy>,
}

impl ContainerRecord {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut fields = Encoder::new(VERSION);
        fields.u64(self.stamp.etag.0).timestamp(self.stamp.modified);
        fields.u8(match self.public_access {
            PublicAccess::None => 0,
            PublicAccess::Blob => 1,
            PublicAccess::Container => 2,
        });
        encode_metadata(&mut fields, &self.metadata);
        policy::encode(&mut fields, &self.policies);
        fields.finish()
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self> {
        let (_, mut fields) = Decoder::versioned("container", VERSION, value)?;
        let stamp = Stamp { etag: Etag(fields.u64()?), modified: fields.timestamp()? };
        let public_access = match fields.u8()? {
            0 => PublicAccess::None,
            1 => PublicAccess::Blob,
            2 => PublicAccess::Container,
            _ => return Err(fields.damaged()),
        };
        let metadata = decode_metadata(&mut fields)?;
        let policies = policy::decode(&mut fields)?;
        fields.finish()?;
        Ok(Self { stamp, metadata, public_access, policies })
    }

    /// The container of this name.
    pub(super) fn named(self, name: ContainerName) -> Container {
        let Stamp { etag, modified } = self.stamp;
        Container { name, etag, modified, metadata: self.metadata, public_access: self.public_access }
    }
}

/// Writes where a chunk is.
pub(super) fn encode_chunk(fields: &mut Encoder, chunk: ChunkRef) {
    fields.varint(chunk.segment).varint(chunk.offset).varint(chunk.len.into());
}

/// Reads where a chunk is.
pub(super) fn decode_chunk(fields: &mut Decoder<'_>) -> Result<ChunkRef> {
    let (segment, offset) = (fields.varint()?, fields.varint()?);
    let len = u32::try_from(fields.varint()?).map_err(|_| fields.damaged())?;
    ChunkRef::checked(segment, offset, len).ok_or_else(|| fields.damaged())
}

fn encode_headers(fields: &mut Encoder, headers: &ContentHeaders) {
    let ContentHeaders { content_type, encoding, language, disposition, cache_control, md5 } = headers;
    fields.str(content_type).str(encoding).str(language).str(disposition).str(cache_control);
    fields.option(md5.as_ref(), |fields, md5| {
        fields.raw(md5);
    });
}

fn decode_headers(fields: &mut Decoder<'_>) -> Result<ContentHeaders> {
    Ok(ContentHeaders {
        content_type: fields.str()?.to_owned(),
        encoding: fields.str()?.to_owned(),
        language: fields.str()?.to_owned(),
        disposition: fields.str()?.to_owned(),
        cache_control: fields.str()?.to_owned(),
        md5: fields.option(Decoder::array)?,
    })
}

fn encode_metadata(fields: &mut Encoder, metadata: &Metadata) {
    fields.count(metadata.len());
    for (name, value) in metadata {
        fields.str(name).str(value);
    }
}

fn decode_metadata(fields: &mut Decoder<'_>) -> Result<Metadata> {
    let count = fields.count()?;
    (0..count).map(|_| Ok((fields.str()?.to_owned(), fields.str()?.to_owned()))).collect()
}

/// The stamp of a verb that runs now.
pub(super) fn stamp(transaction: &dyn Transaction) -> Stamp {
    let now = transaction.now();
    Stamp { etag: Etag::from(now), modified: now }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        ]
    }

    proptest! {
        #[test]
        fn blobs_come_back_as_they_were(
            (etag, created, modified, length) in any::<(u64, u64, u64, u64)>(),
            (content_type, encoding, language) in any::<(String, String, String)>(),
            (disposition, cache_control, md5) in any::<(String, String, Option<[u8; 16]>)>(),
            metadata in metadata(),
            form in forms(),
        ) {
            let headers =
                ContentHeaders { content_type, encoding, language, disposition, cache_control, md5 };
            let (created, modified) = (Timestamp::from_ticks(created), Timestamp::from_ticks(modified));
            let properties =
                BlobProperties { etag: Etag(etag), created, modified, length, headers, metadata };
            let record = BlobRecord { properties, form };
            prop_assert_eq!(BlobRecord::decode(&record.encode()).unwrap(), record);
        }

        #[test]
        fn containers_come_back_as_they_were(etag: u64, modified: u64, metadata in metadata(), access in 0..3) {
            let public_access =
                [PublicAccess::None, PublicAccess::Blob, PublicAccess::Container][usize::try_from(access).unwrap()];
            let stamp = Stamp { etag: Etag(etag), modified: Timestamp::from_ticks(modified) };
            let record = ContainerRecord { stamp, metadata, public_access, policies: some_policies() };
            prop_assert_eq!(ContainerRecord::decode(&record.encode()).unwrap(), record);
        }

        #[test]
        fn blocks_and_marks_come_back_as_they_were(
            length: u64,
            modified: u64,
            chunks in proptest::collection::vec((any::<u64>(), 0..1_u64 << 48, 1..=1_u32 << 20), 0..8),
        ) {
            let chunk = |(segment, offset, len)| ChunkRef { segment, offset, len };
            let block = BlockRecord { length, chunks: chunks.into_iter().map(chunk).collect() };
            prop_assert_eq!(BlockRecord::decode(&block.encode()).unwrap(), block);
            let mark = StagingRecord { modified: Timestamp::from_ticks(modified), id_bytes: 64, blocks: length };
            prop_assert_eq!(StagingRecord::decode(&mark.encode()).unwrap(), mark);
        }

        #[test]
        fn a_chunk_that_cannot_be_is_damage(len in prop_oneof![Just(0_u32), (1_u32 << 20) + 1..]) {
            let block = BlockRecord { length: 1, chunks: vec![ChunkRef { segment: 1, offset: 0, len }] };
            prop_assert!(BlockRecord::decode(&block.encode()).is_err());
        }

        #[test]
        fn damaged_records_are_errors_and_never_panics(value: Vec<u8>) {
            let _ = BlobRecord::decode(&value);
            let _ = ContainerRecord::decode(&value);
            let _ = BlockRecord::decode(&value);
            let _ = StagingRecord::decode(&value);
        }
    }
}
