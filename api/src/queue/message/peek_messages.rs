//! *Peek Messages*: looks at the messages at the front of a queue without taking them.

use super::{Detail, count, list};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::queue::{QueueService, address};
use crate::reply;
use storage_engine::queue::{Message, QueueAddress};

/// *Peek Messages*.
pub(crate) struct PeekMessages;

/// How many.
#[derive(Debug)]
pub(crate) struct Request {
    at: QueueAddress,
    count: usize,
}

impl Operation for PeekMessages {
    type Service = QueueService;
    type Request = Request;
    type Response = Vec<Message>;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        Ok(Request { at: address(head)?, count: count(head)? })
    }

    async fn execute(service: &QueueService, request: Request) -> Result<Vec<Message>, StorageError> {
        let seen = service.store.peek(&request.at, request.count).await;
        seen.map_err(|error| StorageError::from_engine(error, Intent::Read))
    }

    fn encode(response: Vec<Message>) -> http::Response<Body> {
        reply::xml(list(&response, Detail::Peeked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing::head;

    #[test]
    fn up_to_thirty_two_messages_can_be_seen() {
        let decode = |count: &str| {
            let url = format!("/acc/que/messages?peekonly=true{count}");
            PeekMessages::decode(&head(ServiceKind::Queue, "GET", &url, &[]), Payload::None)
        };
        assert_eq!(decode("").unwrap().count, 1);
        assert_eq!(decode("&numofmessages=32").unwrap().count, 32);
        let error = decode("&numofmessages=33").unwrap_err();
        assert_eq!(error.code, ErrorCode::OutOfRangeQueryParameterValue);
    }
}
