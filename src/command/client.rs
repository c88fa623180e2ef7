//! A client of the admin port, for commands: one request, one answer, one connection.
//!
//! By hand, because it is sixty lines: the answers are ours, of a known length, and end with the connection. An HTTP
//! client library would be the larger part of the program for this.

use crate::admin::access::Pass;
use crate::files::ServerFolder;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long the server may take. Deleting an account with all it holds is the longest.
const PATIENCE: Duration = Duration::from_mins(10);
/// How long connecting may take.
const CONNECTING: Duration = Duration::from_secs(5);

/// A running server, to be administered.
pub(super) struct AdminClient {
    pass: Pass,
}

impl AdminClient {
    /// The server that has the folder open.
    ///
    /// # Errors
    /// A sentence for the user.
    pub(super) fn of(folder: &ServerFolder) -> Result<Self, String> {
        Ok(Self { pass: Pass::read(folder)? })
    }

    /// Sends a request without a body.
    ///
    /// # Errors
    /// A sentence for the user: the server's refusal, or why there is no answer.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        decode(&self.send("GET", path, "")?)
    }

    /// Sends a request with a document.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(super) fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        document: &impl Serialize,
    ) -> Result<T, String> {
        let document = serde_json::to_string(document).map_err(|error| error.to_string())?;
        decode(&self.send(method, path, &document)?)
    }

    /// Sends a request whose answer says nothing.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(super) fn delete(&self, path: &str) -> Result<(), String> {
        self.send("DELETE", path, "").map(drop)
    }

    /// The body of the answer to a request, if it is a success.
    fn send(&self, method: &str, path: &str, body: &str) -> Result<String, String> {
        let Pass { address, token } = &self.pass;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let answer = self.exchange(&request).map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                format!("no server answers at {address}; the one that had this data folder has ended")
            }
            _ => format!("the server at {address} does not answer: {error}"),
        })?;
        let no_http = || format!("what answers at {address} is not a Linarite server");
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(no_http)?;
        let status = head.split(' ').nth(1).and_then(|text| text.parse::<u16>().ok()).ok_or_else(no_http)?;
        if (200..300).contains(&status) {
            return Ok(body.to_owned());
        }
        let refusal: Option<serde_json::Value> = serde_json::from_str(body).ok();
        let text = refusal.as_ref().and_then(|refusal| refusal.get("error")?.as_str());
        Err(text.map_or_else(|| format!("the server answers {status}"), str::to_owned))
    }

    fn exchange(&self, request: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.pass.address, CONNECTING)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

fn decode<T: DeserializeOwned>(body: &str) -> Result<T, String> {
    serde_json::from_str(body).map_err(|error| format!("the server's answer is not understood: {error}"))
}
