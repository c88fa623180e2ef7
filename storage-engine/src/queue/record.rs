//! How queues and messages are kept.
//!
//! | record | family | key | fields, version 1 |
//! |---|---|---|---|
//! | a queue's payload | `Catalog` | see [`crate::catalog`] | pairs of metadata: their count, then name and value of each; policies |
//! | a message | `Message` | queue id, message id | inserted, expires, visible, receipt, dequeued, text to the end |

use super::index::Times;
use super::{Message, MessageId, PopReceipt};
use crate::error::Result;
use crate::meta::key::{KeyBuilder, KeyReader};
use crate::meta::record::{Decoder, Encoder};
use crate::name::Metadata;
use crate::policy::{self, StoredPolicy};
use bytes::Bytes;

const VERSION: u8 = 1;

/// The key of a message.
pub(super) fn message_key(queue: u64, id: MessageId) -> Vec<u8> {
    KeyBuilder::new().u64(queue).u128(id.0).finish()
}

/// The message whose key this is.
pub(super) fn message_id(key: &[u8]) -> Result<MessageId> {
    let mut pieces = KeyReader::new(key);
    pieces.u64()?;
    let id = pieces.u128()?;
    pieces.finish()?;
    Ok(MessageId(id))
}

/// A message's row.
pub(super) fn encode_message(message: &Message) -> Vec<u8> {
    let mut fields = Encoder::new(VERSION);
    fields.timestamp(message.inserted).timestamp(message.expires).timestamp(message.visible);
    fields.u64(message.receipt.0).u32(message.dequeued).raw(&message.text);
    fields.finish()
}

/// The message in the row `record`.
pub(super) fn decode_message(id: MessageId, record: &Bytes) -> Result<Message> {
    let (_, mut fields) = Decoder::versioned("message", VERSION, record)?;
    Ok(Message {
        id,
        inserted: fields.timestamp()?,
        expires: fields.timestamp()?,
        visible: fields.timestamp()?,
        receipt: PopReceipt(fields.u64()?),
        dequeued: fields.u32()?,
        text: record.slice_ref(fields.rest()),
    })
}

/// What the index needs of a message's row.
pub(super) fn decode_times(record: &[u8]) -> Result<Times> {
    let (_, mut fields) = Decoder::versioned("message", VERSION, record)?;
    fields.timestamp()?;
    Ok(Times { expires: fields.timestamp()?, visible: fields.timestamp()? })
}

/// What the catalogue keeps about a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct QueueRecord {
    pub(super) metadata: Metadata,
    pub(super) policies: Vec<StoredPolicy>,
}

impl QueueRecord {
    /// A queue's payload in the catalogue.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut fields = Encoder::new(VERSION);
        fields.count(self.metadata.len());
        for (name, value) in &self.metadata {
            fields.str(name).str(value);
        }
        policy::encode(&mut fields, &self.policies);
        fields.finish()
    }

    /// The queue in a payload.
    pub(super) fn decode(payload: &[u8]) -> Result<Self> {
        let (_, mut fields) = Decoder::versioned("queue", VERSION, payload)?;
        let pairs = (0..fields.count()?).map(|_| Ok((fields.str()?.to_owned(), fields.str()?.to_owned())));
        let metadata = pairs.collect::<Result<_>>()?;
        let policies = policy::decode(&mut fields)?;
        fields.finish()?;
        Ok(Self { metadata, policies })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::policy::tests::some_policies;
    use proptest::prelude::{any, proptest};
    use proptest::{collection, prop_assert_eq};

    proptest! {
        #[test]
        fn a_message_comes_back_as_it_was_kept(
            id in any::<u128>(), times in any::<[u64; 3]>(), receipt in any::<u64>(), dequeued in any::<u32>(),
            text in collection::vec(any::<u8>(), 0..50),
        ) {
            let [inserted, expires, visible] = times.map(Timestamp::from_ticks);
            let id = MessageId(id);
            let receipt = PopReceipt(receipt);
            let message = Message { id, inserted, expires, visible, receipt, dequeued, text: text.into() };
            let record = Bytes::from(encode_message(&message));
            prop_assert_eq!(decode_message(id, &record).unwrap(), message);
            prop_assert_eq!(decode_times(&record).unwrap(), Times { visible, expires });
            prop_assert_eq!(message_id(&message_key(7, id)).unwrap(), id);
        }

        #[test]
        fn damaged_records_are_errors_or_values_but_never_panics(record in collection::vec(any::<u8>(), 0..60)) {
            let _ = (decode_message(MessageId(1), &record.clone().into()), decode_times(&record));
            let _ = (QueueRecord::decode(&record), message_id(&record));
        }
    }

    #[test]
    fn a_queue_comes_back_with_its_metadata_in_their_order() {
        let metadata = vec![("b".to_owned(), "1".to_owned()), ("a".to_owned(), String::new())];
        let record = QueueRecord { metadata, policies: some_policies() };
        assert_eq!(QueueRecord::decode(&record.encode()).unwrap(), record);
    }
}
