//! Queues: the cycle that a worker lives on.
//!
//! All connections share one queue by default, as workers do; a connection may therefore get another one's
//! message, but since everyone puts before getting there is always one to get. An empty answer is an error.

use super::{Seat, Stage, between};
use crate::client::{Call, Connection, Failure, Keep};
use bytes::Bytes;
use http::Method;

/// Creates the stage's queues.
pub(super) async fn create(stage: &Stage, connection: &mut Connection) -> Result<(), Failure> {
    each(stage, connection, Method::PUT).await
}

/// Deletes the stage's queues.
pub(super) async fn remove(stage: &Stage, connection: &mut Connection) -> Result<(), Failure> {
    each(stage, connection, Method::DELETE).await
}

async fn each(stage: &Stage, connection: &mut Connection, method: Method) -> Result<(), Failure> {
    for number in 0..stage.furniture.queues {
        let path = format!("/{}-{number}", stage.name);
        let call = Call { method: method.clone(), path: &path, query: &[], headers: &[], body: Bytes::new() };
        connection.send(&call, Keep::Length).await?;
    }
    Ok(())
}

/// Put Message, Get Messages, Delete Message.
pub(super) async fn cycle(seat: &mut Seat) -> Result<u64, Failure> {
    let queue = seat.number % seat.stage.furniture.queues;
    let path = format!("/{}-{queue}/messages", seat.stage.name);
    let message = format!("<QueueMessage><MessageText>{}</MessageText></QueueMessage>", seat.stage.text);
    let headers = &[("content-type", "application/xml")];
    let put = Call { method: Method::POST, path: &path, query: &[], headers, body: message.into() };
    seat.send(&put, Keep::Length).await?;

    let query = &[("numofmessages", "1"), ("visibilitytimeout", "60")];
    let get = Call { method: Method::GET, path: &path, query, headers: &[], body: Bytes::new() };
    let reply = seat.send(&get, Keep::Body).await?;
    let part = |open, close| {
        let found = between(reply.text(), open, close);
        found.ok_or_else(|| Failure::Wrong(format!("the messages have no {open}")))
    };
    let id = part("<MessageId>", "</MessageId>")?;
    let receipt = part("<PopReceipt>", "</PopReceipt>")?;
    if part("<MessageText>", "</MessageText>")? != seat.stage.text {
        return Err(Failure::Wrong("the message's text is another".to_owned()));
    }

    let path = format!("{path}/{id}");
    let query = &[("popreceipt", receipt)];
    let delete = Call { method: Method::DELETE, path: &path, query, headers: &[], body: Bytes::new() };
    seat.send(&delete, Keep::Length).await?;
    Ok(seat.stage.payload_bytes())
}
