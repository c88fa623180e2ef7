//! Requests that this server makes of others: over TLS, or to this machine itself.
//!
//! Small on purpose: `hyper`, which serves already, turned around, with `rustls` and the machine's own certificate
//! store (a private cloud's servers are mostly signed by a private authority, which is installed there). A client
//! library such as `reqwest` would add redirects, cookies, proxies and a second way of everything; we want none of
//! them:
//! - **A redirect is a failure.** Whoever configured an address trusts that address.
//! - **Time and size are bounded**, so that a slow or endless answer costs little.
//! - Bodies of [`Outbound::get`] are streams: nothing is gathered unless [`Outbound::document`] is asked to.

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;

/// How long connecting may take, without TLS.
const CONNECTING: Duration = Duration::from_secs(5);
/// How long it may take until the head of the answer is there.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no answer that can be used.
#[derive(Debug)]
pub(crate) enum OutboundError {
    /// The address may not be asked.
    Forbidden(String),
    /// It does not answer, or not in time.
    Unreachable(Box<dyn std::error::Error + Send + Sync>),
    /// It answers something else than 200.
    Status(StatusCode),
    /// Its answer breaks off, or is larger than allowed.
    Body(Box<dyn std::error::Error + Send + Sync>),
}

impl std::fmt::Display for OutboundError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Forbidden(address) => {
                write!(f, "{address} is asked only over https, or over http on this machine")
            }
            Self::Unreachable(_) => f.write_str("no answer"),
            Self::Status(status) => write!(f, "the answer is {status}"),
            Self::Body(_) => f.write_str("the answer cannot be read"),
        }
    }
}

impl std::error::Error for OutboundError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Forbidden(_) | Self::Status(_) => None,
            Self::Unreachable(cause) | Self::Body(cause) => Some(&**cause),
        }
    }
}

/// What connects as `tcp` does, with TLS where an address asks for it, and trusts the authorities that this machine
/// trusts.
///
/// # Errors
/// A sentence for the user, if there are none.
pub(crate) fn with_tls<R>(mut tcp: HttpConnector<R>) -> Result<HttpsConnector<HttpConnector<R>>, String> {
    tcp.enforce_http(false);
    let builder = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
        .map_err(|error| format!("this machine's trusted certificates cannot be read: {error}"))?;
    Ok(builder.https_or_http().enable_http1().wrap_connector(tcp))
}

/// Makes requests. Connections are kept and used again.
#[derive(Debug, Clone)]
pub(crate) struct Outbound {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl Outbound {
    /// With the certificate authorities that this machine trusts.
    ///
    /// # Errors
    /// A sentence for the user, if there are none.
    pub(crate) fn new() -> Result<Self, String> {
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(CONNECTING));
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(with_tls(tcp)?) })
    }

    /// The answer to a GET, if it is 200. Its body is a stream, for whose pace the caller is responsible.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub(crate) async fn get(&self, uri: &Uri) -> Result<Response<Incoming>, OutboundError> {
        if !may_be_asked(uri) {
            return Err(OutboundError::Forbidden(uri.to_string()));
        }
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = uri.clone();
        let answer = tokio::time::timeout(PATIENCE, self.client.request(request)).await;
        let response = answer
            .map_err(|late| OutboundError::Unreachable(late.into()))?
            .map_err(|error| OutboundError::Unreachable(error.into()))?;
        if response.status() == StatusCode::OK {
            Ok(response)
        } else {
            Err(OutboundError::Status(response.status()))
        }
    }

    /// The whole of a document of at most so many bytes.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub(crate) async fn document(&self, uri: &Uri, bytes_max: usize) -> Result<Bytes, OutboundError> {
        let body = Limited::new(self.get(uri).await?.into_body(), bytes_max);
        let collected = tokio::time::timeout(PATIENCE, body.collect()).await;
        let collected = collected.map_err(|late| OutboundError::Body(late.into()))?;
        Ok(collected.map_err(OutboundError::Body)?.to_bytes())
    }
}

/// Whether nobody in between can read or change what is said.
pub(crate) fn may_be_asked(uri: &Uri) -> bool {
    let local = || matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match uri.scheme_str() {
        Some("https") => uri.host().is_some(),
        Some("http") => local(),
        _ => false,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener};

    /// Answers connections with these texts, one each, and then no more.
    pub(crate) fn server(answers: Vec<String>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        address
    }

    /// An answer with a body.
    pub(crate) fn ok(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    }

    async fn asked(answer: &str, bytes_max: usize) -> Result<Bytes, OutboundError> {
        let uri = format!("http://{}/", server(vec![answer.to_owned()])).parse().unwrap();
        Outbound::new().unwrap().document(&uri, bytes_max).await
    }

    #[tokio::test]
    async fn a_document_is_read_whole_and_no_larger_than_allowed() {
        assert_eq!(asked(&ok("hello"), 5).await.unwrap(), "hello");
        assert!(matches!(asked(&ok("hello"), 4).await, Err(OutboundError::Body(_))));
        let endless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
        assert!(matches!(asked(endless, 4).await, Err(OutboundError::Body(_))));
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let target = server(vec![ok("elsewhere")]);
        let answer = format!("HTTP/1.1 302 Found\r\nLocation: http://{target}/\r\nContent-Length: 0\r\n\r\n");
        assert!(matches!(asked(&answer, 100).await, Err(OutboundError::Status(StatusCode::FOUND))));
    }

    #[test]
    fn only_this_machine_is_asked_without_tls() {
        for (uri, allowed) in [
            ("https://example.org/keys", true),
            ("http://127.0.0.1:8080/keys", true),
            ("http://localhost/keys", true),
            ("http://[::1]/keys", true),
            ("http://example.org/keys", false),
            ("http://127.0.0.1.example.org/", false),
            ("ftp://localhost/", false),
            ("/keys", false),
        ] {
            assert_eq!(may_be_asked(&uri.parse().unwrap()), allowed, "{uri}");
        }
    }
}
