//! Replays `fixtures/wire/<service>/<operation>/<case>.http` against the real process.
//!
//! A fixture is a conversation in plain text; [`fixture`] reads it and documents the format, [`pattern`] compares
//! answers with placeholders. Every case gets resource names of its own, so all cases of a service run on one
//! server, one after the other, and a failure names its file and exchange. The requests are signed here, by the
//! test's own code, unless the fixture says otherwise.
//!
//! `LINARITE_OVERWRITE=1` writes what the server answered into the fixtures instead of failing; the difference is
//! then for `git diff` and a human to judge. `LINARITE_WIRE=put_blob` runs only cases whose path contains the text.

pub(crate) mod fixture;
pub(crate) mod pattern;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::client::{Client, Credentials, Request, Response, Service};
use crate::node::Node;
use crate::sign::iso_date;
use crate::token;
use fixture::{Exchange, Expectation, Fixture};
use pattern::{Variables, matches, substitute};

/// How often, and how long after one another, an exchange is repeated that waits for something.
const POLLS_MAX: u32 = 600;
const POLL: Duration = Duration::from_millis(50);

/// The folder of the fixtures of all services.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/wire")
}

/// The folders of the operations of a service, by name.
pub(crate) fn operations(service: Service) -> Vec<PathBuf> {
    sorted_entries(&root().join(service.name()))
}

/// The cases of one operation.
pub(crate) fn cases(operation: &Path) -> Vec<PathBuf> {
    let is_case = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "http");
    sorted_entries(operation).into_iter().filter(is_case).collect()
}

fn sorted_entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    paths
}

#[test]
fn blob_answers_are_those_of_the_fixtures() {
    replay(Service::Blob);
}

#[test]
fn queue_answers_are_those_of_the_fixtures() {
    replay(Service::Queue);
}

#[test]
fn table_answers_are_those_of_the_fixtures() {
    replay(Service::Table);
}

fn replay(service: Service) {
    let node = token::node();
    let wanted = std::env::var("LINARITE_WIRE").unwrap_or_default();
    let overwrite = std::env::var("LINARITE_OVERWRITE").is_ok_and(|value| value == "1");
    let mut failures = Vec::new();
    let mut count = 0;
    for path in operations(service).iter().flat_map(|operation| cases(operation)) {
        if !path.to_string_lossy().contains(&wanted) {
            continue;
        }
        count += 1;
        let mut run = Run::new(&node, service, count);
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut fixture = Fixture::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let found = run.all(&mut fixture, overwrite);
        if overwrite && !found.is_empty() {
            std::fs::write(&path, fixture.print()).expect("a writable fixture");
        }
        let name = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        failures.extend(found.iter().map(|failure| format!("{name}: {failure}")));
    }
    eprintln!("wire: {count} cases of {}", service.name());
    if overwrite {
        eprintln!("rewritten:\n{}", failures.join("\n"));
        return;
    }
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
}

/// One conversation and what it has learnt so far.
pub(crate) struct Run {
    client: Client,
    variables: Variables,
    /// The data folder, where roles are given.
    folder: String,
}

impl Run {
    pub(crate) fn new(node: &Node, service: Service, number: usize) -> Self {
        let endpoint = node.endpoint(service.name());
        let mut variables: Variables = HashMap::new();
        let (host, path) = endpoint.split_once('/').unwrap_or((endpoint, ""));
        variables.insert("host".to_owned(), host.to_owned());
        variables.insert("account".to_owned(), path.to_owned());
        let now = crate::random::now().as_secs();
        variables.insert("tomorrow".to_owned(), iso_date(now + 86_400));
        variables.insert("inaweek".to_owned(), iso_date(now + 7 * 86_400 + 60));
        // Letters and digits only, so that it is a name in every service; padded, so that none is another's prefix.
        variables.insert("name".to_owned(), format!("case{number:04}"));
        Self { client: Client::new(node, service), variables, folder: token::folder_of(node).to_owned() }
    }

    fn all(&mut self, fixture: &mut Fixture, overwrite: bool) -> Vec<String> {
        let mut failures = Vec::new();
        for (number, exchange) in fixture.exchanges.iter_mut().enumerate() {
            let answer = match self.send(exchange, None) {
                Ok(answer) => answer,
                Err(error) => {
                    failures.push(format!("exchange {}: no answer: {error}", number + 1));
                    break;
                }
            };
            let found = self.compare(exchange, &answer);
            if overwrite && !found.is_empty() {
                exchange.expectation.rewrite(&answer);
            }
            let line = format!("exchange {} ({} {})", number + 1, exchange.method, exchange.target);
            failures.extend(found.into_iter().map(|difference| format!("{line}: {difference}")));
        }
        failures
    }

    /// Sends a request of a fixture; with other credentials than it asks for, if some are given.
    pub(crate) fn send(
        &mut self,
        exchange: &Exchange,
        credentials: Option<Credentials>,
    ) -> std::io::Result<Response> {
        let mut request = Request::new(&exchange.method, &substitute(&exchange.target, &self.variables));
        let mut until = None;
        for (name, value) in &exchange.headers {
            match (name.as_str(), value.as_str()) {
                ("authorization", "none") => request.credentials = Credentials::None,
                ("auth", bearer) => {
                    let role = bearer.strip_prefix("bearer ").expect("auth: bearer, and a role");
                    token::assign(&self.folder, role);
                    request
                        .headers
                        .push(("authorization".to_owned(), format!("Bearer {}", token::of_role(role))));
                }
                ("until", wanted) => until = wanted.split_once(' '),
                ("authorization", "wrong") => request.credentials = Credentials::WrongKey,
                _ => request.headers.push((name.clone(), substitute(value, &self.variables))),
            }
        }
        let mut body = substitute(&exchange.body, &self.variables);
        if exchange.is_multipart() {
            body = body.replace('\n', "\r\n");
        }
        request.body = body.into_bytes();
        if let Some(credentials) = credentials {
            request.credentials = credentials;
            request.headers.retain(|(name, _)| name != "authorization");
        }
        let mut answer = self.client.send(&request);
        let mut left = POLLS_MAX;
        while let (Ok(found), Some((name, value)), None) = (&answer, until, credentials)
            && found.header(name) != Some(value)
            && left > 0
        {
            left -= 1;
            std::thread::sleep(POLL);
            answer = self.client.send(&request);
        }
        if credentials.is_some() {
            // Who refuses a request need not read its body, and may then close without a word.
            self.client.disconnect();
        }
        answer
    }

    /// What is wrong with an answer; captures of the expectation enter the variables.
    pub(crate) fn compare(&mut self, exchange: &Exchange, answer: &Response) -> Vec<String> {
        let expectation = &exchange.expectation;
        let mut failures = Vec::new();
        if answer.status != expectation.status {
            failures.push(format!(
                "status {} instead of {}\n{}",
                answer.status,
                expectation.status,
                answer.text()
            ));
            return failures;
        }
        failures.extend(common_headers(exchange, answer));
        if let Some(code) = &expectation.code {
            failures.extend(wrong_code(code, exchange, answer));
        }
        for (name, wanted) in &expectation.headers {
            if name == "body-count" {
                failures.extend(wrong_count(&substitute(wanted, &self.variables), answer));
                continue;
            }
            let found = answer.header(name);
            let right = match (wanted.as_str(), found) {
                ("{absent}", found) => found.is_none(),
                (_, None) => false,
                (wanted, Some(found)) => matches(wanted, found, &mut self.variables),
            };
            if !right {
                failures.push(format!("header {name}: {found:?} instead of {wanted:?}"));
            }
        }
        failures.extend(self.wrong_body(expectation, answer));
        failures
    }

    fn wrong_body(&mut self, expectation: &Expectation, answer: &Response) -> Option<String> {
        let wanted = expectation.body.as_ref()?;
        let found = answer.text().replace("\r\n", "\n");
        let found = found.trim_start_matches('\u{feff}');
        if matches(wanted, found, &mut self.variables) {
            return None;
        }
        Some(format!("the body is\n{found}\ninstead of\n{wanted}"))
    }
}

/// The headers that every answer has.
fn common_headers(exchange: &Exchange, answer: &Response) -> Vec<String> {
    let mut failures = Vec::new();
    let mut scratch = Variables::new();
    for (name, wanted) in [("x-ms-request-id", "{guid}"), ("date", "{date}"), ("x-ms-version", "{any}")] {
        let found = answer.header(name).unwrap_or_default();
        if !matches(wanted, found, &mut scratch) {
            failures.push(format!("header {name} of every answer: {found:?} is not {wanted}"));
        }
    }
    let sent = exchange.headers.iter().find(|(name, _)| name == "x-ms-client-request-id");
    if let Some((_, id)) = sent
        && answer.header("x-ms-client-request-id") != Some(id)
    {
        failures.push("the client request id does not come back".to_owned());
    }
    failures
}

fn is_json(answer: &Response) -> bool {
    answer.header("content-type").is_some_and(|value| value.starts_with("application/json"))
}

/// `2 <Blob>`: how often a text stands in the body.
fn wrong_count(wanted: &str, answer: &Response) -> Option<String> {
    let (count, text) = wanted.split_once(' ').unwrap_or((wanted, ""));
    let body = answer.text();
    let found = body.matches(text).count();
    (count.parse() != Ok(found)).then(|| format!("{found} times {text:?} instead of {count}\n{body}"))
}

/// The code of an error stands in the header, and in the body where the answer may have one.
fn wrong_code(code: &str, exchange: &Exchange, answer: &Response) -> Option<String> {
    let header = answer.header("x-ms-error-code");
    // The table service answers JSON and, in old versions, no such header.
    if header.is_some_and(|found| found != code) || (header.is_none() && !is_json(answer)) {
        return Some(format!("x-ms-error-code is {header:?} instead of {code:?}\n{}", answer.text()));
    }
    if exchange.method == "HEAD" || answer.status == 304 {
        return None;
    }
    let body = answer.text();
    let xml = format!("<Code>{code}</Code>");
    let json = format!("\"code\":\"{code}\"");
    // What tables say to clients that take nothing but XML.
    let atom = format!("<code>{code}</code>");
    (![xml, json, atom].iter().any(|form| body.contains(form)))
        .then(|| format!("no {code} in the body\n{body}"))
}
