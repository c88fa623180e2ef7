//! Requests as bytes.
//!
//! Everything is written into buffers that the connection keeps: the target, the text to sign, and the head
//! with a small body behind it, so that a small request is one write and a large body is never copied. In the
//! steady state a request allocates nothing.

use super::{Call, Failure, transport};
use crate::sign::{DateLine, Signable};
use crate::subject::{Service, Subject};
use http::Method;
use std::fmt::Write as _;
use std::io::Write as _;

/// Bodies up to this size are copied behind the head; larger ones are sent from where they lie.
const COPIED_BYTES_MAX: usize = 16 * 1024;

/// The buffers requests of one connection are written in.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    date: DateLine,
    target: String,
    signed_text: String,
    bytes: Vec<u8>,
}

impl Outbound {
    /// What was written last: the head, with the body if that is small.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Signs and writes `call`; gives the body if it is to be sent after the bytes.
    pub(super) fn write<'a>(
        &mut self,
        subject: &Subject,
        service: Service,
        call: &'a Call<'_>,
    ) -> Result<&'a [u8], Failure> {
        let endpoint = subject.endpoint(service);
        let path_bytes = self.write_target(&endpoint.prefix, call)?;
        let (date, version) = (self.date.now(), service.version());
        let out = &mut self.bytes;
        out.clear();
        for piece in [call.method.as_str(), " ", &self.target, " HTTP/1.1\r\nhost: "] {
            out.extend_from_slice(piece.as_bytes());
        }
        out.extend_from_slice(endpoint.authority.as_bytes());
        for piece in ["\r\nx-ms-date: ", date, "\r\nx-ms-version: ", version, "\r\nauthorization: "] {
            out.extend_from_slice(piece.as_bytes());
        }
        let signable = Signable {
            method: call.method.as_str(),
            path: self.target.get(..path_bytes).unwrap_or_default(),
            query: call.query,
            headers: call.headers,
            date,
            version,
            body_bytes: call.body.len(),
        };
        subject.signer.authorize(service.form(), &signable, &mut self.signed_text, out);
        if !call.body.is_empty() || call.method == Method::PUT || call.method == Method::POST {
            // Writing into a Vec cannot fail.
            write!(out, "\r\ncontent-length: {}", call.body.len()).ok();
        }
        for (name, value) in call.headers {
            for piece in ["\r\n", name, ": ", value] {
                out.extend_from_slice(piece.as_bytes());
            }
        }
        out.extend_from_slice(b"\r\n\r\n");
        if call.body.len() > COPIED_BYTES_MAX {
            return Ok(&call.body);
        }
        out.extend_from_slice(&call.body);
        Ok(&[])
    }

    /// Writes the request's target and gives the length of its path.
    fn write_target(&mut self, prefix: &str, call: &Call<'_>) -> Result<usize, Failure> {
        let target = &mut self.target;
        target.clear();
        target.push_str(prefix);
        target.push_str(call.path);
        let path_bytes = target.len();
        for (index, (name, value)) in call.query.iter().enumerate() {
            target.push(if index == 0 { '?' } else { '&' });
            target.push_str(name);
            target.push('=');
            percent_encode(value, target);
        }
        // Paths may carry what a server answered before; a space or a line end would break the request.
        if target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(path_bytes);
        }
        Err(transport(format_args!("{target:?} is no request target")))
    }
}

/// Appends `value` to `target`, with everything but unreserved characters encoded.
fn percent_encode(value: &str, target: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            target.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            write!(target, "%{byte:02X}").ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::Address;
    use bytes::Bytes;

    fn call(method: Method, body: impl Into<Bytes>) -> Call<'static> {
        Call {
            method,
            path: "/c/b",
            query: &[("blockid", "AAA="), ("comp", "block")],
            headers: &[("x-ms-blob-type", "BlockBlob")],
            body: body.into(),
        }
    }

    /// The lines of the head, and what follows it.
    fn written(service: Service, call: &Call<'_>) -> (Vec<String>, String) {
        let mut outbound = Outbound::default();
        let subject = Address::default().resolve().unwrap();
        outbound.write(&subject, service, &Call { path: "/longer/than/before", ..call.clone() }).unwrap();
        outbound.write(&subject, service, call).unwrap();
        let text = String::from_utf8(outbound.bytes().to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split("\r\n").map(str::to_owned).collect(), body.to_owned())
    }

    #[test]
    fn a_request_encodes_its_query_and_states_its_length() {
        let (head, body) = written(Service::Blob, &call(Method::PUT, "hello"));
        assert_eq!(head[0], "PUT /devstoreaccount1/c/b?blockid=AAA%3D&comp=block HTTP/1.1");
        for line in [
            "host: 127.0.0.1:10000",
            "x-ms-version: 2021-12-02",
            "content-length: 5",
            "x-ms-blob-type: BlockBlob",
        ] {
            assert!(head.iter().any(|other| other == line), "{line}");
        }
        assert!(head.iter().any(|line| line.starts_with("authorization: SharedKey devstoreaccount1:")));
        assert_eq!(body, "hello");
    }

    #[test]
    fn an_empty_put_says_so_and_an_empty_get_says_nothing() {
        let (put, _) = written(Service::Queue, &call(Method::PUT, ""));
        assert!(put.iter().any(|line| line == "content-length: 0"));
        let (get, _) = written(Service::Table, &call(Method::GET, ""));
        assert!(!get.iter().any(|line| line.starts_with("content-length")));
        assert!(get.iter().any(|line| line == "x-ms-version: 2019-02-02"));
    }

    #[test]
    fn a_large_body_is_not_copied() {
        let mut outbound = Outbound::default();
        let subject = Address::default().resolve().unwrap();
        let call = call(Method::PUT, vec![7; COPIED_BYTES_MAX + 1]);
        let rest = outbound.write(&subject, Service::Blob, &call).unwrap();
        assert_eq!(rest.as_ptr(), call.body.as_ptr());
        assert!(outbound.bytes().ends_with(b"\r\n\r\n"));
    }

    #[test]
    fn a_target_that_would_break_the_request_is_refused() {
        let mut outbound = Outbound::default();
        let subject = Address::default().resolve().unwrap();
        for path in ["/q/a b", "/q/a\r\nx: y", "/q/é"] {
            let call = Call { path, ..call(Method::GET, "") };
            assert!(outbound.write(&subject, Service::Queue, &call).is_err(), "{path}");
        }
    }

    #[test]
    fn only_unreserved_characters_pass_unencoded() {
        let mut text = String::new();
        percent_encode("a-Z_0.~ /+='é", &mut text);
        assert_eq!(text, "a-Z_0.~%20%2F%2B%3D%27%C3%A9");
    }
}
