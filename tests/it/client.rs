//! A small blocking client over one kept-alive socket.
//!
//! HTTP/1.1 by hand: a test must be able to send what no HTTP library would (a wrong length, a name that is not
//! escaped, half a body) and to see every header as it came. Signing is [`crate::sign`].
//!
//! A request is never sent twice. The crash tests depend on it: an answer that did not come means "in flight", not
//! "please again". An idle connection that the server closed is noticed before the next request is written.

use std::fmt::Debug;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::node::Node;
use crate::random;
use crate::sign::{Signable, http_date, percent_encoded};
use crate::token;

/// The account every node knows.
pub(crate) const ACCOUNT: &str = "devstoreaccount1";
/// The account's published key.
pub(crate) const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Blob,
    Queue,
    Table,
}

impl Service {
    pub(crate) const ALL: [Self; 3] = [Self::Blob, Self::Queue, Self::Table];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Blob => "blob",
            Self::Queue => "queue",
            Self::Table => "table",
        }
    }

    /// The version that the newest official client of the service sends.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::Blob => "2026-10-06",
            Self::Queue => "2026-06-06",
            Self::Table => "2019-02-02",
        }
    }
}

/// How a request proves who it is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    Right,
    /// A signature of the right shape, made with another key.
    WrongKey,
    /// A token that holds, of somebody who was given no role.
    Stranger,
    None,
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Encoded path and query below the account, beginning with a slash.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) credentials: Credentials,
}

impl Request {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            credentials: Credentials::Right,
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name))
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The error code: of the header, else of the body in either of its two forms.
    pub(crate) fn code(&self) -> String {
        if let Some(code) = self.header("x-ms-error-code") {
            return code.to_owned();
        }
        let text = self.text();
        between(&text, "<Code>", "</Code>")
            .or_else(|| between(&text, "\"code\":\"", "\""))
            .unwrap_or_default()
    }

    /// Fails unless the answer has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?}\n{}", self.headers, self.text());
        self
    }
}

/// The text between two marks, at the first place it occurs.
pub(crate) fn between(text: &str, open: &str, close: &str) -> Option<String> {
    let (_, rest) = text.split_once(open)?;
    rest.split_once(close).map(|(inner, _)| inner.to_owned())
}

/// A message as Get Messages answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) pop_receipt: String,
    pub(crate) text: String,
}

pub(crate) struct Client {
    service: Service,
    address: String,
    base: String,
    account: String,
    key: Vec<u8>,
    stream: Option<BufReader<TcpStream>>,
}

impl Client {
    pub(crate) fn new(node: &Node, service: Service) -> Self {
        Self::at(service, node.endpoint(service.name()))
    }

    /// A client of an address such as `127.0.0.1:10000/devstoreaccount1`.
    pub(crate) fn at(service: Service, endpoint: &str) -> Self {
        let (address, path) = endpoint.split_once('/').unwrap_or((endpoint, ACCOUNT));
        let key = STANDARD.decode(KEY).expect("the published key is Base64");
        let (account, base) = (ACCOUNT.to_owned(), format!("/{path}"));
        Self { service, address: address.to_owned(), base, account, key, stream: None }
    }

    /// A client of another account of the node, with its key in Base64.
    pub(crate) fn of_account(node: &Node, service: Service, account: &str, key: &str) -> Self {
        let key = STANDARD.decode(key).expect("a key in Base64");
        Self { account: account.to_owned(), base: format!("/{account}"), key, ..Self::new(node, service) }
    }

    /// The next request goes over a new connection.
    pub(crate) fn disconnect(&mut self) {
        self.stream = None;
    }

    /// Whether the last answer left the connection for a next request.
    pub(crate) fn is_connected(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| is_open(stream.get_ref()))
    }

    /// Sends one request and reads the whole answer.
    pub(crate) fn send(&mut self, request: &Request) -> io::Result<Response> {
        let bytes = self.encode(request);
        self.exchange(&bytes, request.method == "HEAD")
    }

    /// As [`Client::send`], for tests in which the server must answer.
    #[track_caller]
    pub(crate) fn call(&mut self, request: &Request) -> Response {
        let answer = self.send(request);
        answer.unwrap_or_else(|error| panic!("{} {}: {error}", request.method, request.target))
    }

    /// The bytes of a request, signed, with the headers every client sends.
    pub(crate) fn encode(&self, request: &Request) -> Vec<u8> {
        // Whoever names a host means one that names the account.
        let base = if request.has("host") { "" } else { &self.base };
        let target = format!("{base}{}", request.target);
        let mut headers = request.headers.clone();
        let mut add = |name: &str, value: &str| {
            if !request.has(name) {
                headers.push((name.to_owned(), value.to_owned()));
            }
        };
        add("host", &self.address);
        add("x-ms-version", self.service.version());
        add("x-ms-date", &http_date(random::now().as_secs()));
        if !request.has("transfer-encoding") && (!request.body.is_empty() || request.method != "GET") {
            add("content-length", &request.body.len().to_string());
        }
        if self.service == Service::Table && !request.body.is_empty() {
            add("content-type", "application/json");
        }
        if self.service == Service::Table {
            add("accept", "application/json;odata=minimalmetadata");
        }
        headers.retain(|(_, value)| value != "{absent}");
        if !request.has("authorization")
            && let Some(value) = self.authorization(request, &target, &headers)
        {
            headers.push(("authorization".to_owned(), value));
        }
        let mut bytes = format!("{} {target} HTTP/1.1\r\n", request.method).into_bytes();
        for (name, value) in &headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&request.body);
        bytes
    }

    fn authorization(&self, request: &Request, target: &str, headers: &[(String, String)]) -> Option<String> {
        let key = match request.credentials {
            Credentials::None => return None,
            Credentials::Stranger => return Some(format!("Bearer {}", token::of_role("stranger"))),
            Credentials::WrongKey => b"not the key of this account".to_vec(),
            Credentials::Right => self.key.clone(),
        };
        let signable = Signable { method: &request.method, target, headers };
        Some(match self.service {
            Service::Table => signable.for_table(&self.account, &key),
            Service::Blob | Service::Queue => signable.for_blob_or_queue(&self.account, &key),
        })
    }

    /// Writes bytes as they are and reads one answer; for requests that are no requests.
    pub(crate) fn exchange(&mut self, bytes: &[u8], head: bool) -> io::Result<Response> {
        let mut stream = self.connection()?;
        let written = stream.get_mut().write_all(bytes);
        // A server may refuse in the middle of a body and close; its answer is then still worth reading.
        let answer = match read_head(&mut stream) {
            Ok(answer) => answer,
            Err(error) => return Err(written.err().unwrap_or(error)),
        };
        let mut response = answer;
        if !(head || response.status == 204 || response.status == 304) {
            response.body = read_body(&mut stream, &response.headers)?;
        }
        let closes = response.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if written.is_ok() && !closes {
            self.stream = Some(stream);
        }
        Ok(response)
    }

    /// Sends a GET and hands the body over in pieces, never holding more than one of them.
    pub(crate) fn read_streamed(
        &mut self,
        request: &Request,
        mut sink: impl FnMut(&[u8]),
    ) -> io::Result<Response> {
        let bytes = self.encode(request);
        let mut stream = self.connection()?;
        stream.get_mut().write_all(&bytes)?;
        let response = read_head(&mut stream)?;
        let length = response.header("content-length").and_then(|text| text.parse::<u64>().ok());
        let mut left = length.ok_or_else(|| io::Error::other("Get Blob without a Content-Length"))?;
        let mut piece = vec![0; 1 << 20];
        while left > 0 {
            let room = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
            let read = stream.read(&mut piece[..room])?;
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            sink(&piece[..read]);
            left -= read as u64;
        }
        self.stream = Some(stream);
        Ok(response)
    }

    fn connection(&mut self) -> io::Result<BufReader<TcpStream>> {
        if let Some(stream) = self.stream.take().filter(|stream| is_open(stream.get_ref())) {
            return Ok(stream);
        }
        let stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_mins(2)))?;
        stream.set_write_timeout(Some(Duration::from_mins(2)))?;
        Ok(BufReader::with_capacity(64 << 10, stream))
    }
}

/// Whether the other side has not closed an idle connection.
fn is_open(stream: &TcpStream) -> bool {
    let quiet = stream.set_nonblocking(true).is_ok()
        && stream.peek(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
    quiet && stream.set_nonblocking(false).is_ok()
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    if stream.read_until(b'\n', &mut line)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    // Header bytes are Latin-1, one character each.
    Ok(line.iter().map(|&byte| char::from(byte)).collect::<String>().trim_end().to_owned())
}

/// Reads an answer up to its body.
pub(crate) fn read_head(stream: &mut impl BufRead) -> io::Result<Response> {
    loop {
        let line = read_line(stream)?;
        let status = line.split(' ').nth(1).and_then(|text| text.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("not a status line: {line:?}")))?;
        let mut response = Response { status, ..Response::default() };
        loop {
            let line = read_line(stream)?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                response.headers.push((name.to_owned(), value.trim().to_owned()));
            }
        }
        // 100 Continue announces the answer, it is not one.
        if status >= 200 {
            return Ok(response);
        }
    }
}

/// Reads an answer's body, whose length its headers say.
pub(crate) fn read_body(stream: &mut impl BufRead, headers: &[(String, String)]) -> io::Result<Vec<u8>> {
    let header = |name: &str| headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v);
    let mut body = Vec::new();
    if header("transfer-encoding").is_some() {
        loop {
            let line = read_line(stream)?;
            let size = usize::from_str_radix(line.trim(), 16);
            let size = size.map_err(|_| io::Error::other(format!("not a chunk size: {line:?}")))?;
            let start = body.len();
            body.resize(start + size, 0);
            stream.read_exact(&mut body[start..])?;
            read_line(stream)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    if let Some(length) = header("content-length").and_then(|text| text.parse().ok()) {
        body.resize(length, 0);
        stream.read_exact(&mut body)?;
    }
    Ok(body)
}

/// The requests that several tests need, by name.
pub(crate) mod request {
    use super::{Debug, Request, STANDARD, percent_encoded};
    use base64::Engine as _;

    pub(crate) fn create_container(container: &str) -> Request {
        Request::new("PUT", &format!("/{container}?restype=container"))
    }

    pub(crate) fn put_blob(container: &str, blob: &str, body: &[u8]) -> Request {
        Request::new("PUT", &format!("/{container}/{blob}")).header("x-ms-blob-type", "BlockBlob").body(body)
    }

    pub(crate) fn get_blob(container: &str, blob: &str) -> Request {
        Request::new("GET", &format!("/{container}/{blob}"))
    }

    /// The identifier of a block from its number: all of one length, as the service demands.
    pub(crate) fn block_id(number: impl Debug) -> String {
        STANDARD.encode(format!("{number:0>12?}"))
    }

    pub(crate) fn put_block(container: &str, blob: &str, id: &str, body: &[u8]) -> Request {
        let id = percent_encoded(id);
        Request::new("PUT", &format!("/{container}/{blob}?comp=block&blockid={id}")).body(body)
    }

    pub(crate) fn put_block_list(container: &str, blob: &str, ids: &[String]) -> Request {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
        for id in ids {
            xml.push_str(&format!("<Latest>{id}</Latest>"));
        }
        xml.push_str("</BlockList>");
        Request::new("PUT", &format!("/{container}/{blob}?comp=blocklist")).body(xml)
    }

    pub(crate) fn create_queue(queue: &str) -> Request {
        Request::new("PUT", &format!("/{queue}"))
    }

    pub(crate) fn put_message(queue: &str, text: &str) -> Request {
        let xml = format!("<QueueMessage><MessageText>{text}</MessageText></QueueMessage>");
        Request::new("POST", &format!("/{queue}/messages")).body(xml)
    }

    pub(crate) fn get_messages(queue: &str, count: u32, visibility_timeout_seconds: u32) -> Request {
        let query = format!("numofmessages={count}&visibilitytimeout={visibility_timeout_seconds}");
        Request::new("GET", &format!("/{queue}/messages?{query}"))
    }

    pub(crate) fn peek_messages(queue: &str, count: u32) -> Request {
        Request::new("GET", &format!("/{queue}/messages?peekonly=true&numofmessages={count}"))
    }

    pub(crate) fn delete_message(queue: &str, id: &str, pop_receipt: &str) -> Request {
        let receipt = percent_encoded(pop_receipt);
        Request::new("DELETE", &format!("/{queue}/messages/{id}?popreceipt={receipt}"))
    }

    pub(crate) fn create_table(table: &str) -> Request {
        Request::new("POST", "/Tables").body(format!("{{\"TableName\":\"{table}\"}}"))
    }

    pub(crate) fn insert_entity(table: &str, json: &str) -> Request {
        Request::new("POST", &format!("/{table}")).header("prefer", "return-no-content").body(json)
    }

    pub(crate) fn entity_target(table: &str, partition: &str, row: &str) -> String {
        format!("/{table}(PartitionKey='{}',RowKey='{}')", percent_encoded(partition), percent_encoded(row))
    }

    pub(crate) fn get_entity(table: &str, partition: &str, row: &str) -> Request {
        Request::new("GET", &entity_target(table, partition, row))
    }

    /// Merge Entity when `if_match` is given, Insert Or Merge Entity when not.
    pub(crate) fn merge_entity(
        table: &str,
        partition: &str,
        row: &str,
        json: &str,
        if_match: Option<&str>,
    ) -> Request {
        let request = Request::new("MERGE", &entity_target(table, partition, row)).body(json);
        match if_match {
            Some(etag) => request.header("if-match", etag),
            None => request,
        }
    }

    /// An entity group transaction that inserts or replaces `(row, json)` pairs of one partition.
    pub(crate) fn upsert_batch(
        endpoint: &str,
        table: &str,
        partition: &str,
        rows: &[(String, String)],
    ) -> Request {
        let mut text =
            String::from("--batch_1\r\nContent-Type: multipart/mixed; boundary=changeset_1\r\n\r\n");
        for (row, json) in rows {
            let target = entity_target(table, partition, row);
            text.push_str("--changeset_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n");
            text.push_str(&format!("PUT http://{endpoint}{target} HTTP/1.1\r\nAccept: application/json\r\n"));
            text.push_str(&format!("Content-Type: application/json\r\n\r\n{json}\r\n"));
        }
        text.push_str("--changeset_1--\r\n--batch_1--\r\n");
        Request::new("POST", "/$batch").header("content-type", "multipart/mixed; boundary=batch_1").body(text)
    }
}

/// The messages of a Get Messages or Peek Messages answer. Texts are taken as they are: tests send nothing that
/// XML would escape.
pub(crate) fn messages(response: &Response) -> Vec<Message> {
    let text = response.text();
    let mut found = Vec::new();
    for part in text.split("<QueueMessage>").skip(1) {
        let field =
            |name: &str| between(part, &format!("<{name}>"), &format!("</{name}>")).unwrap_or_default();
        found.push(Message {
            id: field("MessageId"),
            pop_receipt: field("PopReceipt"),
            text: field("MessageText"),
        });
    }
    found
}
