//! Heads that are read, and heads that are refused, whole and in two pieces at every place.

use super::*;

/// What is read of these bytes: the head, and what is left behind it.
fn read(bytes: &[u8]) -> Result<Option<(Head, Vec<u8>)>, Refusal> {
    let mut input = BytesMut::from(bytes);
    let head = HeadReader::default().read(&mut input)?;
    Ok(head.map(|head| (head, input.to_vec())))
}

fn whole(lines: &str) -> Head {
    let text = format!("{}\r\n\r\nnext", lines.replace('\n', "\r\n"));
    let (head, rest) = read(text.as_bytes()).unwrap().unwrap();
    assert_eq!(rest, b"next");
    head
}

fn refused(bytes: &[u8]) -> u16 {
    let Refusal(status) = read(bytes).unwrap_err();
    status.as_u16()
}

/// The refusal of a head with these lines behind its first two.
fn refused_for(lines: &str) -> u16 {
    refused(format!("PUT / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n").as_bytes())
}

#[test]
fn a_head_is_its_line_and_its_headers() {
    let head = whole("PUT /a/b?c=d%20e HTTP/1.1\nHost: h\nX-Two:  a b \t\nx-two:c\nOdd: caf\u{e9}\nEmpty:");
    let request = &head.request;
    assert_eq!(
        (request.method(), request.uri().path(), request.uri().query()),
        (&Method::PUT, "/a/b", Some("c=d%20e"))
    );
    let two: Vec<_> = request.headers().get_all("x-two").iter().map(HeaderValue::as_bytes).collect();
    assert_eq!(two, [b"a b", &b"c"[..]]);
    assert_eq!(request.headers()["odd"].as_bytes(), "caf\u{e9}".as_bytes());
    assert_eq!(request.headers()["empty"], "");
    assert_eq!((head.coming, head.keeps, head.awaits_word), (Length::Bytes(0), true, false));
}

#[test]
fn targets_are_taken_in_all_their_forms() {
    for (line, path, host) in [
        ("GET http://other:81/a/b HTTP/1.1", "/a/b", Some("other")),
        ("OPTIONS * HTTP/1.1", "*", None),
        ("GET /../a//b HTTP/1.1", "/../a//b", None),
        ("CONNECT host:443 HTTP/1.1", "", Some("host")),
    ] {
        let uri = whole(line).request.into_parts().0.uri;
        assert_eq!((uri.path(), uri.host()), (path, host), "{line}");
    }
}

#[test]
fn only_the_names_of_metadata_keep_their_capitals() {
    let head = whole("PUT / HTTP/1.1\nX-Ms-Meta-CategoryName: a\nx-ms-meta-plain: b\nX-Ms-Version: c");
    let spelling = head.request.extensions().get::<Spelling>().unwrap();
    assert_eq!(spelling.of("x-ms-meta-categoryname"), Some("x-ms-meta-CategoryName"));
    assert!(spelling.of("x-ms-meta-plain").is_none() && spelling.of("x-ms-version").is_none());
    assert_eq!(head.request.headers()["x-ms-meta-categoryname"], "a");
    assert!(whole("PUT / HTTP/1.1\nX-Ms-Version: c").request.extensions().is_empty());
}

#[test]
fn the_body_is_told_by_a_length_or_by_chunks() {
    for (lines, coming, awaits_word) in [
        ("Content-Length: 12", Length::Bytes(12), false),
        ("Content-Length: 012", Length::Bytes(12), false),
        ("Content-Length: 12\nContent-Length: 12", Length::Bytes(12), false),
        ("Content-Length: 18446744073709551615", Length::Bytes(u64::MAX), false),
        ("Transfer-Encoding: Chunked", Length::Chunked, false),
        ("Content-Length: 12\nExpect: 100-Continue", Length::Bytes(12), true),
        ("Content-Length: 0\nExpect: 100-continue", Length::Bytes(0), false),
        ("Content-Length: 12\nExpect: something", Length::Bytes(12), false),
    ] {
        let head = whole(&format!("PUT / HTTP/1.1\n{lines}"));
        assert_eq!((head.coming, head.awaits_word), (coming, awaits_word), "{lines}");
    }
    let twice = whole("PUT / HTTP/1.1\nContent-Length: 7\nContent-Length: 7");
    assert_eq!(twice.request.headers().get_all("content-length").iter().count(), 1);
}

#[test]
fn the_connection_is_kept_as_the_version_and_the_client_want_it() {
    for (version, lines, keeps) in [
        ("1.1", "", true),
        ("1.1", "\nConnection: close", false),
        ("1.1", "\nConnection: x, Close", false),
        ("1.1", "\nConnection: keep-alive\nConnection: close", false),
        ("1.0", "", false),
        ("1.0", "\nConnection: Keep-Alive", true),
        ("1.0", "\nConnection: keep-alive, close", false),
    ] {
        assert_eq!(whole(&format!("GET / HTTP/{version}{lines}")).keeps, keeps, "{version}{lines}");
    }
    let old = whole("PUT / HTTP/1.0\nContent-Length: 1\nExpect: 100-continue");
    assert!(!old.awaits_word, "a client of HTTP/1.0 knows no such word");
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    for (lines, status) in [
        ("Content-Length: 1\r\nTransfer-Encoding: chunked", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 1", 400),
        ("Content-Length: 1\r\nContent-Length: 2", 400),
        ("Content-Length: 1, 1", 400),
        ("Content-Length: +1", 400),
        ("Content-Length: -1", 400),
        ("Content-Length: 0x1", 400),
        ("Content-Length: 1 1", 400),
        ("Content-Length: ten", 400),
        ("Content-Length:", 400),
        ("Content-Length: 18446744073709551616", 400),
        ("Transfer-Encoding: gzip", 501),
        ("Transfer-Encoding: gzip, chunked", 501),
        ("Transfer-Encoding: chunked, chunked", 501),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 501),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", 501),
        ("Transfer-Encoding: xchunked", 501),
        ("Transfer-Encoding:", 501),
        ("Host: b", 400),
        ("A: b\r\n c", 400),
        ("A : b", 400),
        (" A: b", 400),
        ("A b: c", 400),
        (": c", 400),
        ("A", 400),
        ("A: b\nC: d", 400),
        ("A: b \t\nC: d", 400),
        ("A:\nC: d", 400),
        ("A: b\r\nC: d\n", 400),
        ("A: b\n", 400),
        ("A: b\rC: d", 400),
        ("A: b\r\r", 400),
        ("A: \0", 400),
        ("A\u{e9}: b", 400),
    ] {
        assert_eq!(refused_for(lines), status, "{lines:?}");
    }
    assert_eq!(refused(b"PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
}

#[test]
fn what_is_no_request_of_http_1_is_refused() {
    for (bytes, status) in [
        (&b"GET / HTTP/2.0\r\n\r\n"[..], 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/1.10\r\n\r\n", 400),
        (b"GET / HTTPS/1.1\r\n\r\n", 400),
        (b"GET / http/1.1\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET  HTTP/1.1\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\n\r\n", 400),
        (b"GET /a b HTTP/1.1\r\n\r\n", 400),
        (b"GET a HTTP/1.1 \r\n\r\n", 400),
        (b"G@T / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\n\n", 400),
        (b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
        (b"\nGET / HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"EHLO example.org\r\n\r\n", 400),
        (&[0; 100], 400),
    ] {
        assert_eq!(refused(bytes), status, "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn heads_have_limits() {
    let many = |count: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(count));
    let (head, _) = read(many(HEADERS_MAX).as_bytes()).unwrap().unwrap();
    assert_eq!(head.request.headers().len(), HEADERS_MAX);
    assert_eq!(refused(many(HEADERS_MAX + 1).as_bytes()), 431);
    let long = |bytes: usize| format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "x".repeat(bytes));
    assert!(read(long(HEAD_BYTES_MAX - 100).as_bytes()).unwrap().is_some());
    for (what, status) in [
        (long(HEAD_BYTES_MAX), 431),
        (long(200 << 10), 431),
        (format!("GET / HTTP/1.1\r\na: {}", "x".repeat(HEAD_BYTES_MAX)), 431),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(HEAD_BYTES_MAX)), 414),
        (format!("GET /{}", "x".repeat(HEAD_BYTES_MAX)), 414),
        (format!("GET / {}", "x".repeat(HEAD_BYTES_MAX)), 400),
    ] {
        assert_eq!(refused(what.as_bytes()), status);
    }
}

#[test]
fn empty_lines_before_a_request_are_passed_over() {
    assert_eq!(whole("\n\nGET /a HTTP/1.1").request.uri().path(), "/a");
}

#[test]
fn a_head_that_comes_in_pieces_is_the_same_head() {
    let text = b"\r\nPUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nX-Ms-Meta-A: \xe9\r\n\r\nbody";
    let (expected, rest) = read(text).unwrap().unwrap();
    for first in 0..text.len() {
        let (mut reader, mut input, mut heads) = (HeadReader::default(), BytesMut::new(), Vec::new());
        for part in [&text[..first], &text[first..]] {
            input.extend_from_slice(part);
            if heads.is_empty() {
                heads.extend(reader.read(&mut input).unwrap());
            }
        }
        assert_eq!(format!("{heads:?}"), format!("{:?}", [&expected]), "behind {first}");
        assert_eq!(input, rest);
    }
    let (mut reader, mut input, mut heads) = (HeadReader::default(), BytesMut::new(), 0);
    for byte in text.strip_suffix(b"body").unwrap().repeat(2) {
        input.extend_from_slice(&[byte]);
        heads += usize::from(reader.read(&mut input).unwrap().is_some());
    }
    assert_eq!(heads, 2, "one behind the other, byte by byte");
}
