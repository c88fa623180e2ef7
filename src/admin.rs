//! The admin port: `/healthz` and `/metrics`. No credentials, so it listens on the same address as the
//! services, by default loopback only, and changes nothing.

use crate::listener::Answer;
use crate::telemetry::Telemetry;
use api::Body;
use http::{Request, Response, StatusCode};
use std::net::SocketAddr;
use std::sync::Arc;

/// Answers on the admin port.
pub(crate) struct Admin {
    telemetry: Arc<Telemetry>,
}

impl Admin {
    /// Shows what `telemetry` counts.
    pub(crate) fn new(telemetry: Arc<Telemetry>) -> Self {
        Self { telemetry }
    }
}

impl Answer for Admin {
    async fn answer(&self, _peer: SocketAddr, request: Request<Body>) -> Response<Body> {
        let (status, text) = match (request.method(), request.uri().path()) {
            (&http::Method::GET | &http::Method::HEAD, "/healthz") => (StatusCode::OK, "ok\n".to_owned()),
            (&http::Method::GET, "/metrics") => (StatusCode::OK, self.telemetry.metrics()),
            _ => (StatusCode::NOT_FOUND, "here are /healthz and /metrics\n".to_owned()),
        };
        let mut response = Response::new(Body::full(text));
        *response.status_mut() = status;
        response
    }
}
