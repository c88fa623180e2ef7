//! Where copies read from when the source is not this server.
//!
//! This crate opens no socket, so whoever puts the server together says how a source is asked, and which addresses are
//! this server's own. A source of our own is never asked through a socket: it is read from the engine after the same
//! gate that requests pass ([`crate::blob`]), which costs no second connection and cannot be turned against us.
//!
//! Whoever implements [`Sources`] decides what may be asked at all. A server that fetches addresses for its clients is
//! a way into networks that those clients do not reach; the place to bar it is where the connection is made, because a
//! name means an address only then.

use crate::body::{Body, BodyError};
use futures_util::future::BoxFuture;
use http::uri::Authority;
use http::{Request, Response};
use std::fmt;

/// Why a source gave no answer.
#[derive(Debug)]
pub enum SourceError {
    /// The address may not be asked; for people.
    Forbidden(String),
    /// Nobody answered, or not in time.
    Unreachable(BodyError),
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden(reason) => f.write_str(reason),
            Self::Unreachable(_) => f.write_str("The source does not answer."),
        }
    }
}

impl std::error::Error for SourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Forbidden(_) => None,
            Self::Unreachable(cause) => Some(&**cause),
        }
    }
}

/// Sources of copies that are other servers.
pub trait Sources: Send + Sync + 'static {
    /// The answer to a request, whatever its status. A redirect is an answer and is not followed. The body fails when
    /// nothing comes for a while.
    fn ask(&self, request: Request<()>) -> BoxFuture<'_, Result<Response<Body>, SourceError>>;

    /// A moment in which a source that broke off may come to itself, before it is asked again.
    fn pause(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Whether the blobs of this server are reached under this host and port.
    fn is_own(&self, authority: &Authority) -> bool;

    /// Runs a copy that takes its time beside the requests, until it ends or the server does.
    fn run(&self, copy: BoxFuture<'static, ()>);
}

/// No source but this server's own blobs.
#[derive(Debug, Clone, Copy)]
pub struct OwnOnly;

impl Sources for OwnOnly {
    fn ask(&self, _: Request<()>) -> BoxFuture<'_, Result<Response<Body>, SourceError>> {
        let refused = SourceError::Forbidden("Other servers are not asked.".to_owned());
        Box::pin(async move { Err(refused) })
    }

    fn is_own(&self, _: &Authority) -> bool {
        false
    }

    /// There is nowhere to run it, so it stays pending until the store is opened again.
    fn run(&self, copy: BoxFuture<'static, ()>) {
        drop(copy);
    }
}
