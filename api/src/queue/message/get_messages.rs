//! *Get Messages*: takes messages from the front of a queue, which stay invisible to others for a while.

use super::{Detail, count, list, visibility_seconds};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::queue::{QueueService, address};
use crate::reply;
use std::time::Duration;
use storage_engine::queue::{Message, QueueAddress};

/// Seconds that a message stays invisible unless told otherwise.
const VISIBILITY_SECONDS: u64 = 30;

/// *Get Messages*.
pub(crate) struct GetMessages;

/// How many, and for how long.
#[derive(Debug)]
pub(crate) struct Request {
    at: QueueAddress,
    count: usize,
    timeout: Duration,
}

impl Operation for GetMessages {
    type Service = QueueService;
    type Request = Request;
    type Response = Vec<Message>;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        // What is not `true` is no peek; only `false` says so, and taking a message on a guess would hide it.
        if let Some(value) = head.query.get("peekonly").filter(|value| !value.eq_ignore_ascii_case("false")) {
            return Err(StorageError::invalid_query(
                "peekonly",
                value,
                "The value is neither true nor false.",
            ));
        }
        let timeout = visibility_seconds(head, 1)?.unwrap_or(VISIBILITY_SECONDS);
        Ok(Request { at: address(head)?, count: count(head)?, timeout: Duration::from_secs(timeout) })
    }

    async fn execute(service: &QueueService, request: Request) -> Result<Vec<Message>, StorageError> {
        let got = service.store.get(&request.at, request.count, request.timeout).await;
        got.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode(response: Vec<Message>) -> http::Response<Body> {
        reply::xml(list(&response, Detail::Got))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::reply::tests::text;
    use crate::target::ServiceKind;
    use crate::testing::head;

    fn decode(query: &str) -> Result<Request, StorageError> {
        let url = format!("/acc/que/messages{query}");
        GetMessages::decode(&head(ServiceKind::Queue, "GET", &url, &[]), Payload::None)
    }

    #[test]
    fn one_message_for_half_a_minute_unless_told_otherwise() {
        let request = decode("").unwrap();
        assert_eq!((request.count, request.timeout.as_secs()), (1, 30));
        let request = decode("?numofmessages=32&visibilitytimeout=1").unwrap();
        assert_eq!((request.count, request.timeout.as_secs()), (32, 1));
    }

    #[test]
    fn what_is_out_of_range_is_refused_with_its_range() {
        for query in
            ["?numofmessages=0", "?numofmessages=33", "?visibilitytimeout=0", "?visibilitytimeout=604801"]
        {
            let error = decode(query).unwrap_err();
            assert_eq!(error.code, ErrorCode::OutOfRangeQueryParameterValue, "{query}");
            assert!(error.details.iter().any(|(name, value)| *name == "MinimumAllowed" && value == "1"));
        }
        let url = "/acc/que/messages?visibilitytimeout=7201";
        let old = head(ServiceKind::Queue, "GET", url, &[("x-ms-version", "2009-09-19")]);
        let error = GetMessages::decode(&old, Payload::None).unwrap_err();
        assert!(error.details.contains(&("MaximumAllowed", "7200".to_owned())), "two hours in old versions");
        assert_eq!(decode("?numofmessages=a").unwrap_err().code, ErrorCode::InvalidQueryParameterValue);
    }

    #[test]
    fn an_empty_queue_gives_an_empty_list() {
        let expected = "<?xml version=\"1.0\" encoding=\"utf-8\"?><QueueMessagesList></QueueMessagesList>";
        assert_eq!(text(GetMessages::encode(Vec::new())), expected);
    }
}
