//! The text format of a fixture.
//!
//! ```text
//! # Comments: what the case shows and where that is written down.
//! PUT /{name}?restype=container
//! x-ms-meta-colour: blue
//!
//! body of the request, if any
//! <<<
//! 201
//! etag: {etag=quoted}
//!
//! expected body, if it is to be compared
//! ===
//! next exchange
//! ```
//!
//! - The target is below the account; the runner puts `/devstoreaccount1` before it. `{name}` is a name unique to the
//!   case, `{host}` and `{account}` are the server's, `{tomorrow}` and `{inaweek}` (and a minute) are moments; names
//!   that earlier expectations captured can be used in targets, headers and bodies.
//! - A target that begins with `-secondary/` is at the secondary address; with a `host` of its own, a request has no
//!   account in its path.
//! - `x-ms-version`, `x-ms-date`, `content-length`, `host` and the signature are added unless they are given.
//!   `auth: bearer storage-blob-data-reader` sends a token of one who holds this role in the account, and no other.
//!   With the value `{absent}` they are left out. `authorization: none` sends no signature, `authorization: wrong` one
//!   made with another key.
//! - `until: x-ms-copy-status success` is not sent: the request is repeated until the answer has this header.
//! - The last line break before `<<<` or `===` does not belong to the body. Bodies of `multipart/` types are sent
//!   with CR LF; CR LF in answers is compared as LF. `{repeat:x:100}` is one character a hundred times.
//! - `404 BlobNotFound` expects a status and an error code: in the header, and in the body if there can be one.
//! - A header `{absent}` must not be there. Headers that are not listed are not looked at.
//! - `body-count: 2 <Blob>` is not a header: the text must stand in the body that many times.
//! - Without a blank line after the headers the body is not compared; a line `...` in it stands for any text.
//! - The placeholders are listed in [`super::pattern`].

use crate::client::Response;

#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) exchanges: Vec<Exchange>,
}

#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) comments: Vec<String>,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) expectation: Expectation,
}

#[derive(Debug)]
pub(crate) struct Expectation {
    pub(crate) status: u16,
    pub(crate) code: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<String>,
}

impl Fixture {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let lines: Vec<&str> = text.lines().collect();
        let exchanges = lines.split(|line| *line == "===").map(Exchange::parse).collect::<Result<_, _>>()?;
        Ok(Self { exchanges })
    }

    pub(crate) fn print(&self) -> String {
        self.exchanges.iter().map(Exchange::print).collect::<Vec<_>>().join("===\n")
    }
}

impl Exchange {
    fn parse(lines: &[&str]) -> Result<Self, String> {
        let comments = lines.iter().take_while(|line| line.starts_with('#') || line.is_empty()).count();
        let (comments, lines) = lines.split_at(comments);
        let middle = lines.iter().position(|line| *line == "<<<").ok_or("an exchange without <<<")?;
        let (request, answer) = (&lines[..middle], &lines[middle + 1..]);
        let (first, rest) = request.split_first().ok_or("an exchange without a request line")?;
        let (method, target) =
            first.split_once(' ').ok_or_else(|| format!("not a request line: {first:?}"))?;
        let (headers, body) = headers_and_body(rest)?;
        Ok(Self {
            comments: comments.iter().map(ToString::to_string).collect(),
            method: method.to_owned(),
            target: target.to_owned(),
            headers,
            body: body.unwrap_or_default(),
            expectation: Expectation::parse(answer)?,
        })
    }

    fn print(&self) -> String {
        let mut text = String::new();
        for comment in &self.comments {
            text.push_str(comment);
            text.push('\n');
        }
        text.push_str(&format!("{} {}\n", self.method, self.target));
        print_headers(&self.headers, &mut text);
        if !self.body.is_empty() {
            text.push_str(&format!("\n{}\n", self.body));
        }
        text.push_str("<<<\n");
        self.expectation.print(&mut text);
        text
    }

    pub(crate) fn is_multipart(&self) -> bool {
        self.headers.iter().any(|(name, value)| name == "content-type" && value.starts_with("multipart/"))
    }
}

impl Expectation {
    fn parse(lines: &[&str]) -> Result<Self, String> {
        let (first, rest) = lines.split_first().ok_or("an expectation without a status")?;
        let (status, code) =
            first.split_once(' ').map_or((*first, None), |(status, code)| (status, Some(code)));
        let status = status.parse().map_err(|_| format!("not a status: {first:?}"))?;
        let (headers, body) = headers_and_body(rest)?;
        Ok(Self { status, code: code.map(str::to_owned), headers, body })
    }

    fn print(&self, text: &mut String) {
        match &self.code {
            Some(code) => text.push_str(&format!("{} {code}\n", self.status)),
            None => text.push_str(&format!("{}\n", self.status)),
        }
        print_headers(&self.headers, text);
        if let Some(body) = &self.body {
            text.push_str(&format!("\n{body}\n"));
        }
    }

    /// Expects exactly what was answered, where something was expected at all.
    pub(crate) fn rewrite(&mut self, answer: &Response) {
        self.status = answer.status;
        if self.code.is_some() || answer.status >= 300 {
            self.code = Some(answer.code()).filter(|code| !code.is_empty());
        }
        for (name, value) in &mut self.headers {
            let found = answer.header(name).unwrap_or("{absent}");
            if !value.starts_with('{') {
                found.clone_into(value);
            }
        }
        if self.body.is_some() {
            self.body = Some(answer.text().replace("\r\n", "\n"));
        }
    }
}

type Headers = Vec<(String, String)>;

fn headers_and_body(lines: &[&str]) -> Result<(Headers, Option<String>), String> {
    let blank = lines.iter().position(|line| line.is_empty());
    let (head, body) = match blank {
        Some(blank) => (&lines[..blank], Some(lines[blank + 1..].join("\n"))),
        None => (lines, None),
    };
    let mut headers = Vec::new();
    for line in head {
        let (name, value) = line.split_once(':').ok_or_else(|| format!("not a header: {line:?}"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok((headers, body))
}

fn print_headers(headers: &Headers, text: &mut String) {
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# why\nPUT /{name}?x=1\na: b\n\nbody\n<<<\n404 BlobNotFound\netag: {any}\n===\nGET /\n<<<\n200\n\nx\ny\n";

    #[test]
    fn a_fixture_prints_as_it_was_read() {
        assert_eq!(Fixture::parse(TEXT).expect("well-formed").print(), TEXT);
    }

    #[test]
    fn parts_are_what_they_say() {
        let fixture = Fixture::parse(TEXT).expect("well-formed");
        let [first, second] = &fixture.exchanges[..] else { panic!("two exchanges") };
        assert_eq!((first.body.as_str(), first.expectation.code.as_deref()), ("body", Some("BlobNotFound")));
        assert_eq!(first.expectation.body, None);
        assert_eq!(second.expectation.body.as_deref(), Some("x\ny"));
        assert!(Fixture::parse("GET /\n200").is_err());
    }
}
