//! Every request of every fixture, without a signature, with a wrong one, and with a token of somebody without a role.
//!
//! Before an exchange of a fixture is sent as it is, it is sent without the right to it. That must be refused
//! the way the service refuses, and may do nothing: the exchange itself, sent right after, still has to be
//! answered as the fixture says. Because [`crate::coverage`] demands a fixture for every operation, no operation
//! escapes this test.

use crate::client::{Credentials, Response, Service};
use crate::token;
use crate::wire::fixture::{Exchange, Fixture};
use crate::wire::{Run, cases, operations, root};

/// From this version on a request without credentials is told how to get some.
const CHALLENGE_SINCE: &str = "2019-12-12";
/// From this version on there are tokens.
const TOKENS_SINCE: &str = "2017-11-09";

#[test]
fn no_blob_operation_works_without_a_valid_signature() {
    refuse_all(Service::Blob);
}

#[test]
fn no_queue_operation_works_without_a_valid_signature() {
    refuse_all(Service::Queue);
}

#[test]
fn no_table_operation_works_without_a_valid_signature() {
    refuse_all(Service::Table);
}

fn refuse_all(service: Service) {
    let node = token::node();
    let mut failures = Vec::new();
    for (number, path) in operations(service).iter().flat_map(|operation| cases(operation)).enumerate() {
        let text = std::fs::read_to_string(&path).expect("a readable fixture");
        let fixture = Fixture::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut run = Run::new(&node, service, number);
        for exchange in &fixture.exchanges {
            let name = path.strip_prefix(root()).unwrap_or(&path).display();
            let line = format!("{name}: {} {}", exchange.method, exchange.target);
            let found = refuse(&mut run, service, exchange);
            failures.extend(found.into_iter().map(|failure| format!("{line}: {failure}")));
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

fn refuse(run: &mut Run, service: Service, exchange: &Exchange) -> Vec<String> {
    let mut failures = Vec::new();
    if exchange.headers.iter().all(|(name, _)| name != "authorization") {
        let answer = run.send(exchange, Some(Credentials::None)).expect("an answer");
        if !is_refusal_of_nobody(&answer, service, exchange) && !is_malformed_anyway(&answer, exchange) {
            failures.push(describe("without a signature", &answer));
        }
        let answer = run.send(exchange, Some(Credentials::WrongKey)).expect("an answer");
        let refused = answer.status == 403 && answer.code() == "AuthenticationFailed";
        if !refused && !is_malformed_anyway(&answer, exchange) {
            failures.push(describe("with a wrong signature", &answer));
        }
        let answer = run.send(exchange, Some(Credentials::Stranger)).expect("an answer");
        let refused = is_refusal_of_a_stranger(&answer, exchange);
        if !refused && !is_old(service, exchange) && !is_malformed_anyway(&answer, exchange) {
            failures.push(describe("with a token of somebody without a role", &answer));
        }
    }
    // Sent as it should be, it finds everything as it was. Only the status counts: the rest is for the wire tests.
    let answer = run.send(exchange, None).expect("an answer");
    let _ = run.compare(exchange, &answer);
    if answer.status != exchange.expectation.status {
        failures.push(describe("and afterwards, as it should be,", &answer));
    }
    failures
}

/// The version that an exchange asks for.
fn version(service: Service, exchange: &Exchange) -> &str {
    let version = exchange.headers.iter().find(|(name, _)| name == "x-ms-version");
    // One that names none is of its service's own default, which may be any.
    version.map_or(service.version(), |(_, value)| if value == "{absent}" { "" } else { value })
}

/// Whether who holds no role was told so. Whoever they are, the account's kind may be known to them; the secondary
/// address refuses all writes alike; and a batch of entities is answered with what its parts are refused with.
fn is_refusal_of_a_stranger(answer: &Response, exchange: &Exchange) -> bool {
    match answer.code().as_str() {
        "AuthorizationPermissionMismatch" => answer.status == 403 || exchange.target.ends_with("/$batch"),
        "InsufficientAccountPermissions" => {
            answer.status == 403 && exchange.target.starts_with("-secondary/")
        }
        // The parts of a batch of blobs prove by themselves who sends them.
        _ if exchange.target.contains("comp=batch") => answer.status == exchange.expectation.status,
        _ => answer.status == 200 && exchange.target.contains("restype=account"),
    }
}

/// Whether the exchange is of a version without tokens.
fn is_old(service: Service, exchange: &Exchange) -> bool {
    version(service, exchange) < TOKENS_SINCE
}

fn is_refusal_of_nobody(answer: &Response, service: Service, exchange: &Exchange) -> bool {
    let version = version(service, exchange);
    let challenged = answer.status == 401
        && answer.code() == "NoAuthenticationInformation"
        && answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer"));
    let hidden = answer.status == 404 && answer.code() == "ResourceNotFound";
    challenged || (version < CHALLENGE_SINCE && (hidden || answer.status == 403))
}

/// What cannot be understood may be refused before anybody asks who sent it, and for what is no operation there is
/// no right.
fn is_malformed_anyway(answer: &Response, exchange: &Exchange) -> bool {
    matches!(answer.status, 400 | 405) && exchange.expectation.status == answer.status
}

fn describe(what: &str, answer: &Response) -> String {
    format!("{what} the answer is {} {}", answer.status, answer.code())
}
