//! Batches: requests inside a request, answers inside an answer. Pages "Performing entity group transactions" and
//! "Blob Batch".
//!
//! ```text
//! multipart/mixed; boundary=batch_x
//!   of tables, one part,  either  multipart/mixed; boundary=changeset_y   whose parts are changes
//!                         or      application/http                        a query
//!   of blobs, many parts, each    application/http                        a request that stands for itself
//! ```
//!
//! Parts are found by lines that are a delimiter and nothing else; lines may end with or without a carriage
//! return. A body without its closing delimiters is refused, because a batch that was cut off must not be
//! carried out in part. Answers are written with the headers in the case of the vendor's examples: a client is
//! known that looks for `ETag: ` in that case only.

use crate::body::Body;
use crate::error::StorageError;
use crate::header;
use crate::odata::invalid;
use crate::reply::bytes_at_hand;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};

pub(crate) mod part;

/// Most headers of a part or of a request inside it.
const HEADERS_MAX: usize = 64;

/// A request inside a batch.
#[derive(Debug)]
pub(crate) struct SubRequest {
    /// What the client calls it.
    pub(crate) content_id: Option<HeaderValue>,
    /// Its verb.
    pub(crate) method: Method,
    /// Its address, absolute or not.
    pub(crate) url: String,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Bytes,
}

/// What a batch asks for.
#[derive(Debug)]
pub(crate) enum Batch {
    /// Changes, all of which are to be made, or none. Not read yet, so that each can be refused by its index.
    Changes(Vec<Bytes>),
    /// A query.
    Query(Box<SubRequest>),
}

/// Takes a batch apart.
///
/// # Errors
/// `InvalidInput` if it is malformed.
pub(crate) fn parse(content_type: &str, body: &Bytes) -> Result<Batch, StorageError> {
    let boundary = boundary(content_type).ok_or_else(|| invalid("The batch has no boundary."))?;
    let outer = split(body, boundary)?;
    let [part] = outer.as_slice() else {
        return Err(invalid("A batch must have one change set or one query."));
    };
    let (headers, content) = read_headers(part)?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if let Some(boundary) = self::boundary(kind) {
        return split(&content, boundary).map(Batch::Changes);
    }
    read_request(part).map(|request| Batch::Query(Box::new(request)))
}

/// Takes a batch of requests apart that do not depend on one another.
///
/// # Errors
/// `InvalidInput` if it is malformed.
pub(crate) fn parse_flat(content_type: &str, body: &Bytes) -> Result<Vec<SubRequest>, StorageError> {
    let boundary = boundary(content_type).ok_or_else(|| invalid("The batch has no boundary."))?;
    split(body, boundary)?.iter().map(read_request).collect()
}

/// Reads the request in a part.
///
/// # Errors
/// `InvalidInput` if it is malformed.
pub(crate) fn read_request(part: &Bytes) -> Result<SubRequest, StorageError> {
    let (part_headers, content) = read_headers(part)?;
    let start = content.len() - content.trim_ascii_start().len();
    let (line, rest) = split_line(&content.slice(start..));
    let malformed = || invalid("A part of the batch is not an HTTP request.");
    let line = std::str::from_utf8(&line).map_err(|_| malformed())?;
    // The address is whatever is between verb and version: some clients leave blanks in it.
    let (method, rest_of_line) = line.split_once(' ').ok_or_else(malformed)?;
    let (url, _) =
        rest_of_line.rsplit_once(' ').filter(|(_, v)| v.starts_with("HTTP/")).ok_or_else(malformed)?;
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| malformed())?;
    let (headers, body) = read_headers(&rest)?;
    let id = part_headers.get(header::CONTENT_ID).or_else(|| headers.get(header::CONTENT_ID));
    Ok(SubRequest { content_id: id.cloned(), method, url: url.trim().to_owned(), headers, body })
}

/// The boundary of a `multipart/mixed` type; none for other types.
fn boundary(content_type: &str) -> Option<&str> {
    let mut parts = content_type.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    let value = parts.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then_some(value.trim())
    })?;
    Some(value.trim_matches('"')).filter(|boundary| !boundary.is_empty())
}

/// The parts between delimiters.
fn split(body: &Bytes, boundary: &str) -> Result<Vec<Bytes>, StorageError> {
    let delimiter = format!("--{boundary}");
    let (mut parts, mut open, mut at) = (Vec::new(), None, 0);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let behind = line.trim_ascii_end().strip_prefix(delimiter.as_bytes());
        if let Some(end @ (b"" | b"--")) = behind {
            if let Some(start) = open {
                let part: &[u8] = body.get(start..at).unwrap_or_default();
                parts.push(body.slice_ref(without_line_end(part)));
            }
            if !end.is_empty() {
                return Ok(parts);
            }
            open = Some(at + line.len());
        }
        at += line.len();
    }
    Err(invalid("The batch has no closing delimiter."))
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The first line without its end, and what is behind it.
fn split_line(text: &Bytes) -> (Bytes, Bytes) {
    let end = text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |end| end + 1);
    let (line, rest) = text.split_at_checked(end).unwrap_or((text.as_ref(), &[]));
    (text.slice_ref(without_line_end(line)), text.slice_ref(rest))
}

/// Headers up to an empty line or the end, and what is behind.
fn read_headers(text: &Bytes) -> Result<(HeaderMap, Bytes), StorageError> {
    let malformed = || invalid("A part of the batch has a malformed header.");
    let (mut headers, mut rest) = (HeaderMap::new(), text.clone());
    loop {
        let (line, behind) = split_line(&rest);
        rest = behind;
        if line.is_empty() {
            return Ok((headers, rest));
        }
        let line = std::str::from_utf8(&line).map_err(|_| malformed())?;
        let (name, value) = line.split_once(':').ok_or_else(malformed)?;
        let name = HeaderName::try_from(name.trim()).map_err(|_| malformed())?;
        let value = HeaderValue::try_from(value.trim()).map_err(|_| malformed())?;
        if headers.len() >= HEADERS_MAX {
            return Err(malformed());
        }
        headers.append(name, value);
    }
}

/// The answer to one part.
#[derive(Debug)]
pub(crate) struct SubResponse {
    /// What the client calls the request.
    pub(crate) content_id: Option<HeaderValue>,
    /// The answer.
    pub(crate) response: Response<Body>,
}

/// Writes the answer to a batch; gives its content type and its body. `id` makes the boundaries unique.
pub(crate) fn write_query(id: &str, response: SubResponse) -> (String, Vec<u8>) {
    let mut out = format!("--batchresponse_{id}\r\n").into_bytes();
    write_response(response, &mut out);
    out.extend_from_slice(format!("--batchresponse_{id}--\r\n").as_bytes());
    (format!("multipart/mixed; boundary=batchresponse_{id}"), out)
}

/// Writes the answers to the requests of [`parse_flat`], as [`write_query`] does. What the client calls a request
/// stands before its answer and not in it: that is where clients of blobs look.
pub(crate) fn write_flat(id: &str, responses: Vec<SubResponse>) -> (String, Vec<u8>) {
    let mut out = Vec::new();
    for SubResponse { content_id, response } in responses {
        out.extend_from_slice(
            format!("--batchresponse_{id}\r\nContent-Type: application/http\r\n").as_bytes(),
        );
        if let Some(content_id) = content_id {
            out.extend_from_slice(format!("{}: ", spelled(header::CONTENT_ID)).as_bytes());
            out.extend_from_slice(content_id.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        write_message(&[], response, &mut out);
    }
    out.extend_from_slice(format!("--batchresponse_{id}--\r\n").as_bytes());
    (format!("multipart/mixed; boundary=batchresponse_{id}"), out)
}

/// Writes the answer to a change set, as [`write_query`] does.
pub(crate) fn write_changes(id: &str, responses: Vec<SubResponse>) -> (String, Vec<u8>) {
    let inner = format!("multipart/mixed; boundary=changesetresponse_{id}");
    let mut out = format!("--batchresponse_{id}\r\nContent-Type: {inner}\r\n\r\n").into_bytes();
    for response in responses {
        out.extend_from_slice(format!("--changesetresponse_{id}\r\n").as_bytes());
        write_response(response, &mut out);
    }
    out.extend_from_slice(format!("--changesetresponse_{id}--\r\n--batchresponse_{id}--\r\n").as_bytes());
    (format!("multipart/mixed; boundary=batchresponse_{id}"), out)
}

fn write_response(SubResponse { content_id, response }: SubResponse, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n");
    let nosniff = (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let no_cache = (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let id = content_id.map(|id| (header::CONTENT_ID, id));
    let common: Vec<_> = id.into_iter().chain([nosniff, no_cache]).collect();
    write_message(&common, response, out);
}

/// Writes an answer as HTTP/1.1 has it, `common` before its own headers.
fn write_message(common: &[(&str, HeaderValue)], response: Response<Body>, out: &mut Vec<u8>) {
    let (parts, body) = response.into_parts();
    let mut line = |bytes: &[&[u8]]| {
        for part in bytes {
            out.extend_from_slice(part);
        }
        out.extend_from_slice(b"\r\n");
    };
    let reason = parts.status.canonical_reason().unwrap_or("Unknown");
    line(&[b"HTTP/1.1 ", parts.status.as_str().as_bytes(), b" ", reason.as_bytes()]);
    let own = parts.headers.iter().map(|(name, value)| (name.as_str(), value));
    for (name, value) in common.iter().map(|(name, value)| (*name, value)).chain(own) {
        line(&[spelled(name).as_bytes(), b": ", value.as_bytes()]);
    }
    line(&[]);
    line(&[&bytes_at_hand(body)]);
}

/// A header's name in the case of the vendor's examples.
fn spelled(name: &str) -> String {
    match name {
        header::ETAG => return "ETag".to_owned(),
        header::CONTENT_ID => return "Content-ID".to_owned(),
        header::WWW_AUTHENTICATE => return "WWW-Authenticate".to_owned(),
        header::DATA_SERVICE_ID => return "DataServiceId".to_owned(),
        header::DATA_SERVICE_VERSION => return "DataServiceVersion".to_owned(),
        name if name.starts_with(header::X_MS) => return name.to_owned(),
        _ => {}
    }
    let mut first = true;
    let titled = name.chars().map(|c| {
        let c = if first { c.to_ascii_uppercase() } else { c };
        first = c == '-';
        c
    });
    titled.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply;
    use proptest::prelude::*;

    const TYPE: &str = "multipart/mixed; boundary=batch_1";
    const BATCH: &str = "preamble\n--batch_1\nContent-Type: multipart/mixed; boundary=\"changeset_1\"\n\n\
        --changeset_1\nContent-Type: application/http\nContent-Transfer-Encoding: binary\nContent-ID: 7\n\n\
        POST http://h/acc/tab HTTP/1.1\nContent-Type: application/json\nIf-Match: *\n\n{\"A\":\n1}\n\
        --changeset_1\nContent-Type: application/http\n\nDELETE /tab(a b) HTTP/1.1\nContent-ID: 8\n\n\
        --changeset_1--\n--batch_1--\nepilogue";

    fn changes(body: &str) -> Vec<SubRequest> {
        let Batch::Changes(parts) = parse(TYPE, &Bytes::from(body.to_owned())).unwrap() else {
            panic!("a change set");
        };
        parts.iter().map(|part| read_request(part).unwrap()).collect()
    }

    #[test]
    fn change_sets_are_read_with_either_end_of_line() {
        for body in [BATCH.to_owned(), BATCH.replace('\n', "\r\n")] {
            let requests = changes(&body);
            let [insert, delete] = requests.as_slice() else { panic!("two changes") };
            assert_eq!((insert.method.as_str(), insert.url.as_str()), ("POST", "http://h/acc/tab"));
            assert_eq!(insert.content_id.as_ref().unwrap(), "7");
            assert_eq!(insert.headers.get(header::IF_MATCH).unwrap(), "*");
            assert_eq!(String::from_utf8_lossy(&insert.body).replace('\r', ""), "{\"A\":\n1}");
            assert_eq!((delete.method.as_str(), delete.url.as_str()), ("DELETE", "/tab(a b)"));
            assert_eq!(delete.content_id.as_ref().unwrap(), "8");
            assert!(delete.body.is_empty());
        }
    }

    #[test]
    fn one_query_may_stand_alone() {
        let body =
            "--batch_1\r\nContent-Type: application/http\r\n\r\nGET http://h/t() HTTP/1.1\r\n\r\n--batch_1--";
        let Batch::Query(query) = parse(TYPE, &Bytes::from_static(body.as_bytes())).unwrap() else {
            panic!("a query");
        };
        assert_eq!(query.url, "http://h/t()");
    }

    #[test]
    fn malformed_batches_are_refused() {
        let part = "--batch_1\n\nGET / HTTP/1.1\n\n";
        for (kind, body) in [
            ("multipart/mixed", BATCH.to_owned()),
            ("application/json; boundary=batch_1", BATCH.to_owned()),
            ("multipart/mixed; boundary=other", BATCH.to_owned()),
            (TYPE, String::new()),
            (TYPE, "--batch_1--".to_owned()),
            (TYPE, part.to_owned()),
            (TYPE, format!("{part}{part}--batch_1--")),
            (TYPE, "--batch_1\n\nGET /\n\n--batch_1--".to_owned()),
            (TYPE, "--batch_1\nno header\n\nGET / HTTP/1.1\n\n--batch_1--".to_owned()),
            (TYPE, BATCH.replace("--changeset_1--", "")),
            (TYPE, format!("--batch_1\n\nGET / HTTP/1.1\n{}\n--batch_1--", "a: b\n".repeat(65))),
        ] {
            assert!(parse(kind, &Bytes::from(body.clone())).is_err(), "{kind}: {body}");
        }
    }

    #[test]
    fn answers_nest_as_requests_do_and_spell_headers_as_clients_look_for_them() {
        let mut done = reply::status(http::StatusCode::NO_CONTENT);
        reply::set(&mut done, header::ETAG, "W/\"x\"");
        reply::set(&mut done, header::PREFERENCE_APPLIED, "return-no-content");
        let made = reply::document("application/json", "{}");
        let id = Some(HeaderValue::from_static("7"));
        let responses = vec![
            SubResponse { content_id: id, response: done },
            SubResponse { content_id: None, response: made },
        ];
        let (kind, body) = write_changes("1", responses);
        let expected = concat!(
            "--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_1\r\n\r\n",
            "--changesetresponse_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n",
            "HTTP/1.1 204 No Content\r\nContent-ID: 7\r\nX-Content-Type-Options: nosniff\r\n",
            "Cache-Control: no-cache\r\nETag: W/\"x\"\r\nPreference-Applied: return-no-content\r\n\r\n\r\n",
            "--changesetresponse_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-cache\r\n",
            "Content-Type: application/json\r\n\r\n{}\r\n",
            "--changesetresponse_1--\r\n--batchresponse_1--\r\n",
        );
        assert_eq!(String::from_utf8(body).unwrap(), expected);
        let outer = split(&Bytes::from_static(expected.as_bytes()), boundary(&kind).unwrap()).unwrap();
        assert_eq!(outer.len(), 1);
        let (_, query) = write_query("1", SubResponse { content_id: None, response: reply::empty() });
        assert!(query.starts_with(b"--batchresponse_1\r\nContent-Type: application/http\r\n"));
    }

    #[test]
    fn requests_that_stand_for_themselves_are_answered_each_under_its_name() {
        let part =
            |id: u8| format!("--b\r\nContent-ID: {id}\r\n\r\nDELETE /con/{id} HTTP/1.1\r\nA: b\r\n\r\n");
        let body = Bytes::from(format!("{}{}--b--\r\n", part(0), part(1)));
        let requests = parse_flat("multipart/mixed; boundary=b", &body).unwrap();
        let urls: Vec<_> = requests.iter().map(|request| request.url.as_str()).collect();
        assert_eq!(urls, ["/con/0", "/con/1"]);
        let answer = |request: SubRequest| SubResponse {
            content_id: request.content_id,
            response: reply::status(http::StatusCode::ACCEPTED),
        };
        let (kind, body) = write_flat("1", requests.into_iter().map(answer).collect());
        assert_eq!(kind, "multipart/mixed; boundary=batchresponse_1");
        let one = |id| {
            let head =
                format!("--batchresponse_1\r\nContent-Type: application/http\r\nContent-ID: {id}\r\n\r\n");
            format!("{head}HTTP/1.1 202 Accepted\r\n\r\n\r\n")
        };
        assert_eq!(String::from_utf8(body).unwrap(), format!("{}{}--batchresponse_1--\r\n", one(0), one(1)));
        assert!(parse_flat("multipart/mixed; boundary=b", &Bytes::from(part(0))).is_err(), "cut off");
    }

    proptest! {
        #[test]
        fn nothing_is_too_odd_to_be_refused(
            body in "(--b\n|--c\n|--b--|--c--|\r\n|\n|Content-Type: multipart/mixed; boundary=c\n|GET / HTTP/1.1|.){0,20}",
            bytes: Vec<u8>,
        ) {
            for body in [body.into_bytes(), bytes] {
                let body = Bytes::from(body);
                let _ = read_request(&body);
                if let Ok(Batch::Changes(parts)) = parse("multipart/mixed; boundary=b", &body) {
                    for part in &parts {
                        let _ = read_request(part);
                    }
                }
            }
        }
    }
}
