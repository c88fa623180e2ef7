//! Two real processes, one in the clear and one behind TLS, with an account, an issuer and holders of roles.
//!
//! Behind TLS the client is `rustls`, which trusts nothing but the authority that the process made; it is the server's
//! library too, so whether other clients shake hands with it is the matter of [`crate::tls`].

use super::rights::{REFUSALS, ROLES, Refusal};
use super::sign::{self, Delegation};
use crate::client::{ACCOUNT as OTHER_ACCOUNT, Response, between, read_body, read_head};
use crate::node::Node;
use crate::random;
use crate::sign::iso_date;
use crate::token;
use api::ServiceKind;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;
use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// The account of all requests. Its keys are chosen by the process.
pub(crate) const ACCOUNT: &str = "devaccount";
/// An account of other keys.
pub(crate) const OTHER: &str = OTHER_ACCOUNT;

/// Both ways to a process.
trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

type Connection = BufReader<Box<dyn Stream>>;

/// One process, and a kept connection to each of its services.
pub(crate) struct Process {
    node: Node,
    pub(crate) keys: [Vec<u8>; 2],
    authority: Option<Arc<ClientConfig>>,
    connections: HashMap<&'static str, Connection>,
}

/// How whoever asked was refused; none if they were let in, whatever came of it.
pub(crate) fn refusal(answer: &Response) -> Refusal {
    let code = REFUSALS.into_iter().find(|code| answer.header("x-ms-error-code") == Some(code))?;
    Some((answer.status, code))
}

impl Process {
    /// Starts a process with the account of the tests, and holders of roles in it.
    fn start(way: Way) -> Self {
        let issuer = token::issuer_arguments();
        let more: &[&str] = if way == Way::Tls { &["--tls"] } else { &[] };
        let node = Node::start_with(&[&issuer[..], more].concat());
        let made = node.succeeds(&["account", "create", ACCOUNT, "--anonymous"]);
        let keys = ["key 1", "key 2"].map(|name| {
            let key = made.lines().find_map(|line| line.strip_prefix(name)).expect("the account's keys");
            STANDARD.decode(key.trim()).expect("a key in Base64")
        });
        for (short, role) in ROLES {
            for holder in [short, "all"] {
                node.succeeds(&["role", "assign", role, "--principal", holder, "--account", ACCOUNT]);
            }
        }
        let authority = (way == Way::Tls).then(|| trusting(&node));
        Self { node, keys, authority, connections: HashMap::new() }
    }

    fn connect(&self, service: &str) -> io::Result<Connection> {
        let (address, _) = self.node.endpoint(service).split_once('/').expect("an endpoint has a path");
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_mins(2)))?;
        let Some(authority) = &self.authority else { return Ok(BufReader::new(Box::new(stream))) };
        let name = ServerName::try_from("127.0.0.1").expect("an address");
        let session = ClientConnection::new(Arc::clone(authority), name).map_err(io::Error::other)?;
        Ok(BufReader::new(Box::new(StreamOwned::new(session, stream))))
    }

    /// Sends a request and reads the whole answer, over the connection that the last one left open.
    pub(crate) fn send(&mut self, service: ServiceKind, request: &http::Request<()>, body: &str) -> Response {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri()).into_bytes();
        for (name, value) in request.headers() {
            bytes.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body.as_bytes());
        let head = request.method() == http::Method::HEAD;
        if let Some(kept) = self.connections.remove(service.label())
            && let Ok(answer) = self.exchange(service, kept, &bytes, head)
        {
            return answer;
        }
        // The server may have closed it meanwhile.
        let answer = self.connect(service.label()).and_then(|new| self.exchange(service, new, &bytes, head));
        answer.unwrap_or_else(|error| panic!("{} {}: {error}", request.method(), request.uri()))
    }

    fn exchange(
        &mut self,
        service: ServiceKind,
        mut stream: Connection,
        bytes: &[u8],
        head: bool,
    ) -> io::Result<Response> {
        stream.get_mut().write_all(bytes)?;
        stream.get_mut().flush()?;
        let mut answer = read_head(&mut stream)?;
        if !(head || answer.status == 204 || answer.status == 304) {
            answer.body = read_body(&mut stream, &answer.headers)?;
        }
        if answer.header("connection").is_none_or(|value| !value.eq_ignore_ascii_case("close")) {
            self.connections.insert(service.label(), stream);
        }
        Ok(answer)
    }

    /// As [`Process::send`], signed with the account's first key.
    #[track_caller]
    pub(crate) fn succeeds(&mut self, service: ServiceKind, method: &str, target: &str, body: &str) {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("/{ACCOUNT}{target}"))
            .header("host", "localhost")
            .header("x-ms-version", sign::VERSION)
            .header("x-ms-date", crate::sign::http_date(random::now().as_secs()))
            .header("content-length", body.len().to_string())
            .header(
                "content-type",
                if body.starts_with('{') { "application/json" } else { "application/xml" },
            );
        let mut request = request.body(()).expect("a request");
        // The lite form does not have the length in it.
        let table = service == ServiceKind::Table;
        let date = request.headers()["x-ms-date"].to_str().expect("a date").to_owned();
        let text = sign::string_to_sign(table, true, &request, ACCOUNT, &date);
        let value = format!("SharedKeyLite {ACCOUNT}:{}", sign::mac(&self.keys[0], &text));
        request.headers_mut().insert("authorization", value.parse().expect("visible ASCII"));
        let answer = self.send(service, &request, body);
        assert!(
            (200..300).contains(&answer.status),
            "{method} {target}: {} {}",
            answer.status,
            answer.text()
        );
    }

    /// Ends the process, so that all of its log has been read.
    pub(crate) fn stop(&mut self) {
        assert!(self.node.stop().success(), "it ends when it is asked to");
    }

    /// How often the log names this operation.
    pub(crate) fn logged(&self, operation: &str) -> usize {
        self.node.logged(&format!("\"{operation}\""))
    }

    /// The key that the holder of a token gets who asks for one.
    pub(crate) fn delegation(&mut self, service: ServiceKind, object: &str) -> Delegation {
        let (start, expiry) = ("2020-01-01T00:00:00Z", iso_date(random::now().as_secs() + 86_400));
        let body = format!("<KeyInfo><Start>{start}</Start><Expiry>{expiry}</Expiry></KeyInfo>");
        let request = http::Request::post(format!("/{ACCOUNT}/?restype=service&comp=userdelegationkey"))
            .header("host", "localhost")
            .header("x-ms-version", sign::VERSION)
            .header("content-length", body.len().to_string())
            .header("authorization", format!("Bearer {}", token::of_claims(object, &json!({}))));
        let answer = self.send(service, &request.body(()).expect("a request"), &body).expect(200).text();
        let element = |name: &str| {
            let found = between(&answer, &format!("<{name}>"), "<");
            found.unwrap_or_else(|| panic!("no {name} in {answer}"))
        };
        Delegation {
            object: element("SignedOid"),
            tenant: element("SignedTid"),
            start: element("SignedStart"),
            expiry: element("SignedExpiry"),
            service: element("SignedService"),
            version: element("SignedVersion"),
            key: STANDARD.decode(element("Value")).expect("a key in Base64"),
        }
    }
}

/// A client that believes the authority of this node, and nobody else.
fn trusting(node: &Node) -> Arc<ClientConfig> {
    let file = node.folder().join("server/ca.pem");
    let authority = CertificateDer::from_pem_file(file).expect("the authority's certificate");
    let mut roots = RootCertStore::empty();
    roots.add(authority).expect("a certificate");
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// How a request comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// In the clear.
    Clear,
    /// Over TLS.
    Tls,
}

/// Both processes.
pub(crate) struct World {
    pub(crate) plain: Process,
    pub(crate) secure: Process,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { plain: Process::start(Way::Clear), secure: Process::start(Way::Tls) }
    }

    pub(crate) const fn process(&mut self, way: Way) -> &mut Process {
        match way {
            Way::Clear => &mut self.plain,
            Way::Tls => &mut self.secure,
        }
    }
}
