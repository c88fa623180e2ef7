//! *Delete Message*: removes a message that was got, for whoever has its newest receipt.

use super::{message_id, receipt};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::queue::{QueueService, address};
use crate::reply;
use storage_engine::queue::{MessageId, PopReceipt, QueueAddress};

/// *Delete Message*.
pub(crate) struct DeleteMessage;

/// Which message, and the proof of having got it.
#[derive(Debug)]
pub(crate) struct Request {
    at: QueueAddress,
    id: MessageId,
    receipt: PopReceipt,
}

impl Operation for DeleteMessage {
    type Service = QueueService;
    type Request = Request;
    type Response = ();

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let receipt = receipt(head)?;
        Ok(Request { at: address(head)?, id: message_id(head)?, receipt })
    }

    async fn execute(service: &QueueService, request: Request) -> Result<(), StorageError> {
        let deleted = service.store.delete_message(&request.at, request.id, request.receipt).await;
        deleted.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode((): ()) -> http::Response<Body> {
        reply::empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing::head;

    fn decode(rest: &str) -> Result<Request, StorageError> {
        let url = format!("/acc/que/messages/{rest}");
        DeleteMessage::decode(&head(ServiceKind::Queue, "DELETE", &url, &[]), Payload::None)
    }

    #[test]
    fn a_message_is_named_by_its_id_and_its_receipt() {
        let request = decode("00000000-0000-0000-0000-0000000000ff?popreceipt=AAAAAAAAAAc%3D").unwrap();
        assert_eq!((request.id, request.receipt), (MessageId(255), PopReceipt(7)));
    }

    #[test]
    fn receipts_must_be_there_and_ids_that_are_none_are_not_found() {
        let code = |rest: &str| decode(rest).unwrap_err().code;
        let id = "00000000-0000-0000-0000-0000000000ff";
        assert_eq!(code(id), ErrorCode::MissingRequiredQueryParameter);
        assert_eq!(code(&format!("{id}?popreceipt=xyz")), ErrorCode::InvalidQueryParameterValue);
        assert_eq!(code(&format!("{id}?popreceipt=AAAA")), ErrorCode::InvalidQueryParameterValue);
        assert_eq!(decode("7?popreceipt=AAAAAAAAAAc=").unwrap().id, MessageId(0), "which no message has");
    }
}
