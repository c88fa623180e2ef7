//! Operations on a queue's messages. One file, one operation; here is what they share: how ids, receipts,
//! texts and lists of messages are spelled.
//!
//! A text is never interpreted. It arrives and leaves inside XML, so it is kept as the characters that the XML
//! stands for, white space and carriage returns included.

mod clear_messages;
mod delete_message;
mod get_messages;
mod peek_messages;
mod put_message;
mod update_message;

pub(super) use clear_messages::ClearMessages;
pub(super) use delete_message::DeleteMessage;
pub(super) use get_messages::GetMessages;
pub(super) use peek_messages::PeekMessages;
pub(super) use put_message::PutMessage;
pub(super) use update_message::UpdateMessage;

use crate::error::{ErrorCode, StorageError};
use crate::guid;
use crate::head::Head;
use crate::target::Resource;
use crate::time::rfc1123;
use crate::version::LARGE_MESSAGES;
use crate::xml::{XmlWriter, parse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use storage_engine::queue::{MESSAGE_BYTES_MAX, Message, MessageId, PopReceipt};

/// Most bytes of a message's document: each byte of its text may come as a reference (`&#x22;`).
pub(super) const DOCUMENT_BYTES_MAX: u64 = 8 * MESSAGE_BYTES_MAX as u64;
/// Most bytes of a message's text in versions before 2011-08-18.
const OLD_MESSAGE_BYTES_MAX: usize = 8 << 10;
/// Most seconds of a visibility timeout: seven days.
const VISIBILITY_SECONDS_MAX: i64 = 7 * 24 * 60 * 60;
/// Most seconds of a visibility timeout in versions before 2011-08-18: two hours.
const OLD_VISIBILITY_SECONDS_MAX: i64 = 2 * 60 * 60;
/// Most messages that one request gets or peeks at.
const MESSAGES_MAX: i64 = 32;

/// The message of the address. A text that is no id of ours is the id of no message: nothing is put at time 0.
/// So it is not refused here, and a queue that is missing is named first, as for any other id.
fn message_id(head: &Head) -> Result<MessageId, StorageError> {
    let Resource::Message(_, id) = &head.target.resource else {
        return Err(StorageError::new(ErrorCode::InvalidUri));
    };
    Ok(MessageId(guid::parse(id).unwrap_or_default()))
}

fn print_receipt(receipt: PopReceipt) -> String {
    STANDARD.encode(receipt.0.to_be_bytes())
}

/// The receipt of the query, which must be there.
fn receipt(head: &Head) -> Result<PopReceipt, StorageError> {
    let text = head.query.get("popreceipt").filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| StorageError::missing_query("popreceipt"))?;
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    bytes
        .map(|bytes| PopReceipt(u64::from_be_bytes(bytes)))
        .ok_or_else(|| StorageError::invalid_query("popreceipt", text, "The pop receipt is not one."))
}

/// How many messages are asked for.
fn count(head: &Head) -> Result<usize, StorageError> {
    let asked = head.query_number("numofmessages", 1, MESSAGES_MAX)?;
    Ok(asked.and_then(|asked| usize::try_from(asked).ok()).unwrap_or(1))
}

/// The query's visibility timeout in seconds, at least `minimum`.
fn visibility_seconds(head: &Head, minimum: i64) -> Result<Option<u64>, StorageError> {
    let old = head.version < LARGE_MESSAGES;
    let maximum = if old { OLD_VISIBILITY_SECONDS_MAX } else { VISIBILITY_SECONDS_MAX };
    let asked = head.query_number("visibilitytimeout", minimum, maximum)?;
    Ok(asked.and_then(|asked| u64::try_from(asked).ok()))
}

/// The text of a message's document, at most as long as the request's version allows.
///
/// White space, also at the ends and by itself, is part of it; sections of character data stand for their
/// content. A carriage return is kept as it is, though XML would have a reader make a line feed of it.
/// Characters that XML cannot hold are refused even when written as references: they could never be given back.
fn text(head: &Head, document: &[u8]) -> Result<Bytes, StorageError> {
    let root = parse(document)?;
    if root.name != "QueueMessage" {
        return Err(StorageError::new(ErrorCode::InvalidXmlDocument));
    }
    let missing = || StorageError::new(ErrorCode::MissingRequiredXmlNode).with("XmlNodeName", "MessageText");
    let mut nodes = root.children.into_iter().filter(|child| child.name == "MessageText");
    let node = nodes.next().ok_or_else(missing)?;
    if nodes.next().is_some() || !node.children.is_empty() || !crate::xml::representable(&node.text) {
        return Err(StorageError::new(ErrorCode::InvalidXmlDocument));
    }
    let limit = if head.version < LARGE_MESSAGES { OLD_MESSAGE_BYTES_MAX } else { MESSAGE_BYTES_MAX };
    if node.text.len() > limit {
        return Err(StorageError::new(ErrorCode::MessageTooLarge).with("MaxLimit", limit.to_string()));
    }
    Ok(node.text.into())
}

/// How much of its messages an answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// What was put, for which a receipt is given but no text.
    Put,
    /// What was got.
    Got,
    /// What was only looked at, so there is no receipt.
    Peeked,
}

/// Messages as a document.
fn list(messages: &[Message], detail: Detail) -> String {
    let mut xml = XmlWriter::new();
    xml.open("QueueMessagesList");
    for message in messages {
        xml.open("QueueMessage");
        xml.text("MessageId", &guid::print(message.id.0));
        xml.text("InsertionTime", &rfc1123(message.inserted));
        xml.text("ExpirationTime", &rfc1123(message.expires));
        if detail != Detail::Peeked {
            xml.text("PopReceipt", &print_receipt(message.receipt));
            xml.text("TimeNextVisible", &rfc1123(message.visible));
        }
        if detail != Detail::Put {
            xml.text("DequeueCount", &message.dequeued.to_string());
            // What was stored came in as text, so nothing is ever replaced here.
            xml.text("MessageText", &String::from_utf8_lossy(&message.text));
        }
        xml.close("QueueMessage");
    }
    xml.close("QueueMessagesList");
    xml.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;
    use proptest::prelude::*;
    use storage_engine::clock::Timestamp;

    /// A message with this text.
    fn message(text: &str) -> Message {
        let time = Timestamp::from_unix_seconds(1_700_000_000);
        Message {
            id: MessageId(0x1234),
            inserted: time,
            expires: Timestamp::MAX,
            visible: time,
            receipt: PopReceipt(7),
            dequeued: 3,
            text: Bytes::from(text.to_owned()),
        }
    }

    #[test]
    fn each_answer_tells_just_what_it_may() {
        let put = list(&[message("t")], Detail::Put);
        assert!(put.contains("<PopReceipt>AAAAAAAAAAc=</PopReceipt>") && !put.contains("MessageText"));
        assert!(put.contains("<MessageId>00000000-0000-0000-0000-000000001234</MessageId>"));
        assert!(put.contains("<ExpirationTime>Fri, 31 Dec 9999 23:59:59 GMT</ExpirationTime>"));
        let got = list(&[message("t")], Detail::Got);
        assert!(got.contains("PopReceipt") && got.contains("<DequeueCount>3</DequeueCount>"));
        let peeked = list(&[message("t"), message("u")], Detail::Peeked);
        assert!(!peeked.contains("PopReceipt") && !peeked.contains("TimeNextVisible"));
        assert!(peeked.contains("<MessageText>u</MessageText>"));
    }

    /// The text of a document that is sent in this version.
    fn sent(version: &str, document: &[u8]) -> Result<Bytes, StorageError> {
        let url = "/acc/que/messages";
        text(&testing::head(ServiceKind::Queue, "POST", url, &[("x-ms-version", version)]), document)
    }

    proptest! {
        #[test]
        fn a_text_comes_back_as_it_was_sent(sent in "[\\t\\n\\r -~é-\u{10ffff}]{0,40}") {
            prop_assume!(crate::xml::representable(&sent));
            let listed = list(&[message(&sent)], Detail::Got);
            let read = parse(listed.as_bytes()).unwrap();
            prop_assert_eq!(&read.children[0].child("MessageText").unwrap().text, &sent);
            let mut xml = XmlWriter::new();
            xml.open("QueueMessage");
            xml.text("MessageText", &sent);
            xml.close("QueueMessage");
            prop_assert_eq!(super::tests::sent("2021-12-02", xml.finish().as_bytes()).unwrap(), sent.into_bytes());
        }

        #[test]
        fn a_receipt_comes_back(bits: u64) {
            let printed = print_receipt(PopReceipt(bits)).replace('+', "%2B").replace('=', "%3D");
            let url = format!("/acc/que/messages/x?popreceipt={printed}");
            let sent = testing::head(ServiceKind::Queue, "DELETE", &url, &[]);
            prop_assert_eq!(receipt(&sent).unwrap(), PopReceipt(bits));
        }
    }

    #[test]
    fn documents_that_hold_no_text_are_refused() {
        for (document, code) in [
            ("", ErrorCode::InvalidXmlDocument),
            ("<Message><MessageText>a</MessageText></Message>", ErrorCode::InvalidXmlDocument),
            ("<QueueMessage/>", ErrorCode::MissingRequiredXmlNode),
            ("<QueueMessage><MessageText><a/></MessageText></QueueMessage>", ErrorCode::InvalidXmlDocument),
            ("<QueueMessage><MessageText>&#x1;</MessageText></QueueMessage>", ErrorCode::InvalidXmlDocument),
        ] {
            assert_eq!(sent("2021-12-02", document.as_bytes()).unwrap_err().code, code, "{document}");
        }
        let of =
            |bytes| format!("<QueueMessage><MessageText>{}</MessageText></QueueMessage>", "a".repeat(bytes));
        for (version, limit) in [("2011-08-18", MESSAGE_BYTES_MAX), ("2009-09-19", OLD_MESSAGE_BYTES_MAX)] {
            assert_eq!(sent(version, of(limit).as_bytes()).unwrap().len(), limit);
            let error = sent(version, of(limit + 1).as_bytes()).unwrap_err();
            assert_eq!(error.code, ErrorCode::MessageTooLarge);
            assert!(error.details.contains(&("MaxLimit", limit.to_string())));
        }
    }

    #[test]
    fn a_text_may_be_written_in_all_the_ways_of_xml() {
        for (written, meant) in [
            ("<MessageText/>", ""),
            ("<MessageText></MessageText>", ""),
            ("<MessageText> \n\t </MessageText>", " \n\t "),
            ("<MessageText>a\r\nb&#xD;&#10;</MessageText>", "a\r\nb\r\n"),
            ("<MessageText><![CDATA[<a>&amp;]]>b</MessageText>", "<a>&amp;b"),
            ("<MessageText>a<!-- not this -->b</MessageText>", "ab"),
            ("<MessageText>&lt;&#x1F600;&quot;&apos;&gt;</MessageText>", "<\u{1f600}\"'>"),
            ("<Other>x</Other><MessageText>y</MessageText>", "y"),
        ] {
            let document = format!("<?xml version=\"1.0\"?> <QueueMessage> {written} </QueueMessage>");
            assert_eq!(sent("2021-12-02", document.as_bytes()).unwrap(), meant, "{written}");
        }
        for refused in ["\u{1}", "&#x1;", "&#0;", "&#xFFFE;", "&#xD800;", "a & b", "&nbsp;"] {
            let document = format!("<QueueMessage><MessageText>{refused}</MessageText></QueueMessage>");
            let code = sent("2021-12-02", document.as_bytes()).unwrap_err().code;
            assert_eq!(code, ErrorCode::InvalidXmlDocument, "{refused:?}");
        }
    }
}
