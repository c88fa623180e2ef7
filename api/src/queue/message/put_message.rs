//! *Put Message*: adds a message at the end of a queue.

use super::{Detail, list, text, visibility_seconds};
use crate::body::{Body, Payload};
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::queue::{QueueService, address};
use crate::reply;
use crate::version::{EMPTY_HEADERS_SIGNED, LARGE_MESSAGES, LONG_LIVED_MESSAGES};
use std::time::Duration;
use storage_engine::queue::{Message, NewMessage, QueueAddress};

/// Seconds that a message lives unless told otherwise, and at most in old versions: seven days.
const LIFE_SECONDS: i64 = 7 * 24 * 60 * 60;

/// *Put Message*.
pub(crate) struct PutMessage;

/// The message and its queue.
#[derive(Debug)]
pub(crate) struct Request {
    at: QueueAddress,
    message: NewMessage,
    tells: bool,
}

impl Operation for PutMessage {
    type Service = QueueService;
    type Request = Request;
    type Response = Option<Message>;

    fn decode(head: &Head, body: Payload) -> Result<Request, StorageError> {
        let delay = delay_seconds(head)?;
        let life = life_seconds(head)?;
        if life.is_some_and(|life| delay >= life) {
            let value = head.query.get("visibilitytimeout").unwrap_or_default();
            let reason = "The visibility timeout must be shorter than the message's time to live.";
            return Err(StorageError::invalid_query("visibilitytimeout", value, reason));
        }
        let message = NewMessage {
            text: text(head, &body.whole())?,
            delay: Duration::from_secs(delay),
            time_to_live: life.map(Duration::from_secs),
        };
        Ok(Request { at: address(head)?, message, tells: head.version >= EMPTY_HEADERS_SIGNED })
    }

    async fn execute(service: &QueueService, request: Request) -> Result<Option<Message>, StorageError> {
        let put = service.store.put(&request.at, request.message).await;
        let message = put.map_err(|error| StorageError::from_engine(error, Intent::Write))?;
        Ok(request.tells.then_some(message))
    }

    fn encode(response: Option<Message>) -> http::Response<Body> {
        // Before 2016-05-31 the answer had no body.
        response.map_or_else(reply::empty, |message| reply::xml(list(&[message], Detail::Put)))
    }
}

/// How long the message stays invisible at first, which old versions have no way to say.
fn delay_seconds(head: &Head) -> Result<u64, StorageError> {
    let delay = visibility_seconds(head, 0)?;
    if delay.is_some() && head.version < LARGE_MESSAGES {
        let error = StorageError::new(ErrorCode::UnsupportedQueryParameter);
        return Err(error.with("QueryParameterName", "visibilitytimeout"));
    }
    Ok(delay.unwrap_or(0))
}

/// How long the message lives; none for ever.
fn life_seconds(head: &Head) -> Result<Option<u64>, StorageError> {
    let (minimum, maximum) =
        if head.version >= LONG_LIVED_MESSAGES { (-1, i64::from(i32::MAX)) } else { (1, LIFE_SECONDS) };
    let asked = head.query_number("messagettl", minimum, maximum)?.unwrap_or(LIFE_SECONDS);
    if asked == 0 {
        return Err(StorageError::out_of_range_query("messagettl", "0", 1, maximum));
    }
    Ok(u64::try_from(asked).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing::head;

    fn decode(version: &str, query: &str) -> Result<Request, StorageError> {
        let url = format!("/acc/que/messages?{query}");
        let sent = head(ServiceKind::Queue, "POST", &url, &[("x-ms-version", version)]);
        let body: &[u8] = b"<QueueMessage><MessageText> a&#xD;</MessageText></QueueMessage>";
        PutMessage::decode(&sent, Payload::Whole(body.into()))
    }

    #[test]
    fn a_message_lives_seven_days_and_is_visible_at_once_unless_told_otherwise() {
        let request = decode("2021-12-02", "").unwrap();
        assert_eq!(&request.message.text[..], b" a\r");
        assert_eq!(request.message.delay, Duration::ZERO);
        assert_eq!(request.message.time_to_live, Some(Duration::from_hours(7 * 24)));
        let request = decode("2021-12-02", "visibilitytimeout=5&messagettl=-1").unwrap();
        assert_eq!((request.message.delay.as_secs(), request.message.time_to_live), (5, None));
        assert!(request.tells && !decode("2015-12-11", "").unwrap().tells);
    }

    #[test]
    fn what_long_lives_are_allowed_depends_on_the_version() {
        let code = |version, query| decode(version, query).unwrap_err().code;
        let out = ErrorCode::OutOfRangeQueryParameterValue;
        assert!(decode("2017-07-29", "messagettl=700000").is_ok());
        assert_eq!(code("2017-04-17", "messagettl=700000"), out);
        assert_eq!(code("2017-04-17", "messagettl=-1"), out);
        assert_eq!(code("2021-12-02", "messagettl=0"), out);
        assert_eq!(code("2021-12-02", "messagettl=-2"), out);
        assert_eq!(code("2021-12-02", "visibilitytimeout=604801"), out);
        let invalid = ErrorCode::InvalidQueryParameterValue;
        assert_eq!(code("2021-12-02", "visibilitytimeout=10&messagettl=10"), invalid);
        assert_eq!(code("2021-12-02", "visibilitytimeout=x"), invalid);
        assert!(decode("2011-08-18", "visibilitytimeout=604799").is_ok());
        assert_eq!(code("2009-09-19", "visibilitytimeout=0"), ErrorCode::UnsupportedQueryParameter);
    }
}
