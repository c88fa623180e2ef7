//! Queues: the cycle that a worker lives on.
//!
//! All connections share one queue by default, as workers do; a connection may therefore get another one's
//! message, but since everyone puts before getting there is always one to get. An empty answer is an error.
//! The same holds when messages wait in the queue: each cycle puts one at the end and takes one from the front,
//! and as many wait afterwards as before.

use super::{Seat, Stage, between, expect_equal};
use crate::client::{Call, Connection, Failure, Keep};
use bytes::Bytes;
use http::Method;

/// Creates the stage's queues.
pub(super) async fn create(stage: &Stage, connection: &mut Connection) -> Result<(), Failure> {
    each(stage, connection, Method::PUT, "").await
}

/// Deletes the stage's queues.
pub(super) async fn remove(stage: &Stage, connection: &mut Connection) -> Result<(), Failure> {
    each(stage, connection, Method::DELETE, "").await
}

/// Deletes all messages of the stage's queues.
pub(super) async fn clear(stage: &Stage, connection: &mut Connection) -> Result<(), Failure> {
    each(stage, connection, Method::DELETE, "/messages").await
}

/// Fails unless each of the stage's queues holds what is to wait there.
pub(super) async fn check(stage: &Stage, connection: &mut Connection) -> Result<(), Failure> {
    for number in 0..stage.furniture.queues {
        let path = format!("/{}-{number}", stage.name);
        let query = &[("comp", "metadata")];
        let call = Call { method: Method::GET, path: &path, query, headers: &[], body: Bytes::new() };
        let reply = connection.send(&call, Keep::Length).await?;
        let count = reply.messages.ok_or_else(|| Failure::Wrong("the queue has no count".to_owned()))?;
        expect_equal("messages wait", count, stage.furniture.waiting)?;
    }
    Ok(())
}

/// How many messages are put before the first operation.
pub(super) fn fill_steps(stage: &Stage) -> u64 {
    stage.furniture.waiting * stage.furniture.queues
}

/// Puts one of the messages that wait.
pub(super) async fn fill_step(stage: &Stage, connection: &mut Connection, step: u64) -> Result<(), Failure> {
    let (path, message) = (messages(stage, step), document(stage));
    connection.send(&put(&path, message), Keep::Length).await.map(|_| ())
}

/// The path of the messages that this seat or step has to do with.
fn messages(stage: &Stage, number: u64) -> String {
    format!("/{}-{}/messages", stage.name, number % stage.furniture.queues)
}

fn document(stage: &Stage) -> Bytes {
    format!("<QueueMessage><MessageText>{}</MessageText></QueueMessage>", stage.text).into()
}

fn put(path: &str, body: Bytes) -> Call<'_> {
    Call { method: Method::POST, path, query: &[], headers: &[("content-type", "application/xml")], body }
}

async fn each(
    stage: &Stage,
    connection: &mut Connection,
    method: Method,
    behind: &str,
) -> Result<(), Failure> {
    for number in 0..stage.furniture.queues {
        let path = format!("/{}-{number}{behind}", stage.name);
        let call = Call { method: method.clone(), path: &path, query: &[], headers: &[], body: Bytes::new() };
        connection.send(&call, Keep::Length).await?;
    }
    Ok(())
}

/// Put Message, Get Messages, Delete Message.
pub(super) async fn cycle(seat: &mut Seat) -> Result<u64, Failure> {
    let (path, message) = (messages(&seat.stage, seat.number), document(&seat.stage));
    seat.send(&put(&path, message), Keep::Length).await?;

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
