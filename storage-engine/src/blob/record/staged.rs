//! What is kept of blocks that are staged: a record each, and a mark by the blob that there are some.

use crate::blob::record::codec::{decode_chunk, decode_key, encode_chunk, encode_key};
use crate::chunk::ChunkRef;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::meta::record::{Decoder, Encoder};
use crate::seal::EncryptionKey;
use std::time::Duration;

/// The mark that blocks are staged. It is there exactly while there are some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StagingRecord {
    /// When the last one came.
    pub(crate) modified: Timestamp,
    /// Bytes that the id of each has.
    pub(crate) id_bytes: u64,
    /// How many there are.
    pub(crate) blocks: u64,
    /// When the background looks whether they are over. Nobody looks at those of a record of version 1, which had no
    /// such time, until another block comes to them.
    pub(crate) due: Option<Timestamp>,
}

/// How long staged blocks are kept from when the last of them came (page "Put Block": a week).
const STAGED_KEPT: Duration = Duration::from_hours(7 * 24);
/// The version of a mark.
const MARK_VERSION: u8 = 2;

impl StagingRecord {
    /// When the blocks are over, if none comes any more.
    pub(in crate::blob) fn ends(&self) -> Timestamp {
        self.modified.after(STAGED_KEPT)
    }

    pub(in crate::blob) fn encode(self) -> Vec<u8> {
        let mut fields = Encoder::new(MARK_VERSION);
        fields.timestamp(self.modified).varint(self.id_bytes).varint(self.blocks);
        fields.option(self.due, |fields, due| {
            fields.timestamp(due);
        });
        fields.finish()
    }

    pub(in crate::blob) fn decode(value: &[u8]) -> Result<Self> {
        let (version, mut fields) = Decoder::versioned("staging mark", MARK_VERSION, value)?;
        let (modified, id_bytes, blocks) = (fields.timestamp()?, fields.varint()?, fields.varint()?);
        let due = if version < MARK_VERSION { None } else { fields.option(Decoder::timestamp)? };
        fields.finish()?;
        Ok(Self { modified, id_bytes, blocks, due })
    }
}

/// A staged block's content, or a committed block's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BlockRecord {
    /// Its bytes.
    pub(crate) length: u64,
    /// Where they are, in order.
    pub(crate) chunks: Vec<ChunkRef>,
    /// With whose key they are encrypted.
    pub(crate) key: Option<EncryptionKey>,
}

/// The version of a staged block that is not encrypted.
const BLOCK_VERSION: u8 = 1;
/// The version of one that is.
const SEALED_BLOCK_VERSION: u8 = 2;

impl BlockRecord {
    pub(in crate::blob) fn encode(&self) -> Vec<u8> {
        let version = if self.key.is_some() { SEALED_BLOCK_VERSION } else { BLOCK_VERSION };
        let mut fields = Encoder::new(version);
        fields.varint(self.length).count(self.chunks.len());
        for chunk in &self.chunks {
            encode_chunk(&mut fields, *chunk);
        }
        if let Some(key) = &self.key {
            encode_key(&mut fields, key);
        }
        fields.finish()
    }

    pub(in crate::blob) fn decode(value: &[u8]) -> Result<Self> {
        let (version, mut fields) = Decoder::versioned("staged block", SEALED_BLOCK_VERSION, value)?;
        let length = fields.varint()?;
        let count = fields.count()?;
        let chunks = (0..count).map(|_| decode_chunk(&mut fields)).collect::<Result<_>>()?;
        let key = if version == BLOCK_VERSION { None } else { Some(decode_key(&mut fields)?) };
        fields.finish()?;
        Ok(Self { length, chunks, key })
    }
}
