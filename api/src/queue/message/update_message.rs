//! *Update Message*: changes when a message that was got can be got again, and perhaps its text.

use super::{message_id, print_receipt, receipt, text, visibility_seconds};
use crate::body::{Body, Payload};
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::header::answer;
use crate::operation::Operation;
use crate::queue::{QueueService, address};
use crate::reply;
use crate::time::rfc1123;
use crate::version::LARGE_MESSAGES;
use bytes::Bytes;
use std::time::Duration;
use storage_engine::EngineError;
use storage_engine::clock::Timestamp;
use storage_engine::queue::{MessageId, PopReceipt, QueueAddress};

/// *Update Message*.
pub(crate) struct UpdateMessage;

/// Which message, and what becomes of it.
#[derive(Debug)]
pub(crate) struct Request {
    at: QueueAddress,
    id: MessageId,
    receipt: PopReceipt,
    timeout: Duration,
    text: Option<Bytes>,
}

impl Operation for UpdateMessage {
    type Service = QueueService;
    type Request = Request;
    type Response = (PopReceipt, Timestamp);

    fn decode(head: &Head, body: Payload) -> Result<Request, StorageError> {
        if head.version < LARGE_MESSAGES {
            // The versions before know only the verb that deletes a message.
            return Err(StorageError::new(ErrorCode::UnsupportedHttpVerb));
        }
        let receipt = receipt(head)?;
        let timeout =
            visibility_seconds(head, 0)?.ok_or_else(|| StorageError::missing_query("visibilitytimeout"))?;
        let document = body.whole();
        let text = if document.is_empty() { None } else { Some(text(head, &document)?) };
        let (at, id) = (address(head)?, message_id(head)?);
        Ok(Request { at, id, receipt, timeout: Duration::from_secs(timeout), text })
    }

    async fn execute(
        service: &QueueService,
        request: Request,
    ) -> Result<(PopReceipt, Timestamp), StorageError> {
        let Request { at, id, receipt, timeout, text } = request;
        let updated = service.store.update(&at, id, receipt, timeout, text).await;
        updated.map_err(|error| match error {
            EngineError::HiddenPastExpiry => {
                let reason = "The message would expire before it is visible again.";
                StorageError::invalid_query("visibilitytimeout", &timeout.as_secs().to_string(), reason)
            }
            error => StorageError::from_engine(error, Intent::Write),
        })
    }

    fn encode((receipt, visible): (PopReceipt, Timestamp)) -> http::Response<Body> {
        let mut response = reply::empty();
        reply::set(&mut response, answer::X_MS_POPRECEIPT, &print_receipt(receipt));
        reply::set(&mut response, answer::X_MS_TIME_NEXT_VISIBLE, &rfc1123(visible));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header;
    use crate::reply::tests::value;
    use crate::target::ServiceKind;
    use crate::testing::head;

    fn decode(query: &str, body: &'static str) -> Result<Request, StorageError> {
        let url = format!("/acc/que/messages/00000000-0000-0000-0000-0000000000ff?{query}");
        decode_in("2021-12-02", &url, body)
    }

    fn decode_in(version: &str, url: &str, body: &'static str) -> Result<Request, StorageError> {
        let sent = head(ServiceKind::Queue, "PUT", url, &[("x-ms-version", version)]);
        UpdateMessage::decode(&sent, Payload::Whole(body.into()))
    }

    #[test]
    fn old_versions_have_no_such_operation() {
        let url = "/acc/que/messages/00000000-0000-0000-0000-0000000000ff?popreceipt=AAAAAAAAAAc=&visibilitytimeout=0";
        assert_eq!(decode_in("2009-09-19", url, "").unwrap_err().code, ErrorCode::UnsupportedHttpVerb);
        assert!(decode_in("2011-08-18", url, "").is_ok());
    }

    #[test]
    fn the_text_stays_unless_there_is_a_body() {
        let request = decode("popreceipt=AAAAAAAAAAc=&visibilitytimeout=0", "").unwrap();
        assert_eq!((request.text, request.timeout), (None, Duration::ZERO));
        let body = "<QueueMessage><MessageText /></QueueMessage>";
        let request = decode("popreceipt=AAAAAAAAAAc=&visibilitytimeout=9", body).unwrap();
        assert_eq!((request.text, request.timeout.as_secs()), (Some(Bytes::new()), 9));
    }

    #[test]
    fn receipt_and_timeout_must_be_there() {
        for query in ["popreceipt=AAAAAAAAAAc=", "visibilitytimeout=0"] {
            let error = decode(query, "").unwrap_err();
            assert_eq!(error.code, ErrorCode::MissingRequiredQueryParameter, "{query}");
        }
        let error = decode("popreceipt=AAAAAAAAAAc=&visibilitytimeout=0", "<x/>").unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidXmlDocument);
    }

    #[test]
    fn the_new_receipt_and_time_are_headers() {
        let response = UpdateMessage::encode((PopReceipt(7), Timestamp::from_unix_seconds(0)));
        assert_eq!(value(&response, header::X_MS_POPRECEIPT), "AAAAAAAAAAc=");
        assert_eq!(value(&response, header::X_MS_TIME_NEXT_VISIBLE), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
