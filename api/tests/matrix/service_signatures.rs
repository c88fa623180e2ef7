//! Shared access signatures of a resource, which say what is allowed in it or name a stored policy that does.

use crate::account_signatures::letter;
use crate::keys::signed_by_key;
use crate::rights::{FAILED, LETTERS, first};
use crate::shapes::{judged, reaches, request_for, shapes};
use crate::sign::{self, Shape, Terms};
use crate::terms::{terms, wrong_terms};
use crate::world::{ACCOUNT, CLOSED, KEYS};
use crate::{Matrix, guarded};
use api::ServiceKind;
use api::target::Level;

#[test]
fn service_signatures_open_their_resource_and_what_they_say_in_it() {
    let mut matrix = Matrix::new();
    for (fact, right) in guarded(&matrix) {
        for shape in shapes(fact.service, "con") {
            let unsigned = request_for(&fact, &shape, "con");
            let sets = &right.resource;
            let signed = |terms: &Terms| sign::service(terms, &shape, &KEYS[0]);
            let kind = shape.kind;
            for letters in sets.trials() {
                let expected = judged(&fact, &shape, sets, &letters);
                let with = format!("{kind} {letters}");
                matrix.expect_signed(&fact, &with, &unsigned, &signed(&terms(&letters)), expected);
            }
            let whole = judged(&fact, &shape, sets, LETTERS);
            for (with, terms, refusal) in wrong_terms(LETTERS) {
                // Whose signature is not for the resource is told nothing else.
                let expected = if reaches(&fact, &shape) { first(&[refusal, whole]) } else { FAILED };
                matrix.expect_signed(&fact, &format!("{kind} {with}"), &unsigned, &signed(&terms), expected);
            }
            let forged = sign::service(&terms(LETTERS), &shape, &[3; 32]);
            matrix.expect_signed(&fact, &format!("{kind} another key"), &unsigned, &forged, FAILED);
            // What is signed is the resource of the shape, what is asked for another one.
            let beside = request_for(&fact, &shape, "other");
            // No table's signature opens the table as an item, so that is what is told.
            let beyond = beside.path != unsigned.path && fact.level != Level::TableItem;
            let expected = if beyond { FAILED } else { whole };
            matrix.expect_signed(
                &fact,
                &format!("{kind} beside"),
                &beside,
                &signed(&terms(LETTERS)),
                expected,
            );
            let elsewhere =
                Shape { canonical: format!("/{}/{CLOSED}/con", fact.service.label()), ..shape.clone() };
            let moved = sign::service(&terms(LETTERS), &elsewhere, &KEYS[0]);
            matrix.expect_signed(&fact, &format!("{kind} of another account"), &unsigned, &moved, FAILED);
        }
    }
    matrix.end(1_000);
}

/// All letters that a policy of the service may have, and one that allows little.
fn all_and_narrow(service: ServiceKind) -> (&'static str, &'static str) {
    match service {
        ServiceKind::Blob => ("racwdxyltmeopif", "l"),
        ServiceKind::Queue => ("raup", "r"),
        ServiceKind::Table => ("raud", "r"),
    }
}

/// Makes a container, queue or table `policies` with policies of all kinds.
fn keep_policies(matrix: &mut Matrix) {
    for (service, create, acl) in [
        (ServiceKind::Blob, "/policies?restype=container", "/policies?restype=container&comp=acl"),
        (ServiceKind::Queue, "/policies", "/policies?comp=acl"),
        (ServiceKind::Table, "/Tables", "/policies?comp=acl"),
    ] {
        let (letters, narrow) = all_and_narrow(service);
        let policy = |id: &str, start: &str, expiry: &str, letters: &str| {
            format!(
                "<SignedIdentifier><Id>{id}</Id><AccessPolicy><Start>{start}</Start><Expiry>{expiry}</Expiry>\
                 <Permission>{letters}</Permission></AccessPolicy></SignedIdentifier>"
            )
        };
        let (past, future) = ("2026-11-22T11:00:00Z", "2026-11-22T13:00:00Z");
        let document = format!(
            "<SignedIdentifiers>{}{}{}{}</SignedIdentifiers>",
            policy("all", past, future, letters),
            policy("narrow", past, future, narrow),
            policy("over", "2026-11-22T10:00:00Z", past, letters),
            policy("later", future, "2026-11-22T14:00:00Z", letters),
        );
        let table = service == ServiceKind::Table;
        let made = if table { "{\"TableName\":\"policies\"}" } else { "" };
        for (method, url, body) in
            [(if table { "POST" } else { "PUT" }, create, made), ("PUT", acl, document.as_str())]
        {
            let signature = sign::account(&terms(LETTERS), letter(service), "sco", ACCOUNT, &KEYS[0]);
            let token_less = url == create;
            let mut request = http::Request::builder().method(method).header("x-ms-version", sign::VERSION);
            request = request.header("content-length", body.len().to_string());
            let request = if token_less {
                let between = if url.contains('?') { '&' } else { '?' };
                let request = request.header("content-type", "application/json");
                request.uri(format!("/{ACCOUNT}{url}{between}{signature}")).body(()).unwrap()
            } else {
                signed_by_key(service, request.uri(format!("/{ACCOUNT}{url}")), body)
            };
            let answer = matrix.world.send(service, request, body, false);
            assert!((200..300).contains(&answer.status), "{method} {url}: {}", answer.body);
        }
    }
}

#[test]
fn signatures_that_name_a_policy_open_what_the_policy_says() {
    let mut matrix = Matrix::new();
    keep_policies(&mut matrix);
    for (fact, right) in guarded(&matrix) {
        let (all, narrow) = all_and_narrow(fact.service);
        for shape in shapes(fact.service, "policies") {
            let unsigned = request_for(&fact, &shape, "policies");
            let by = |policy: &'static str, letters: &str, expiry: &'static str| {
                let terms = Terms { policy, letters: letters.to_owned(), expiry, ..Terms::default() };
                sign::service(&terms, &shape, &KEYS[0])
            };
            let judged = |letters| judged(&fact, &shape, &right.resource, letters);
            for (with, signature, expected) in [
                ("a policy", by("all", "", ""), judged(all)),
                ("a narrow policy", by("narrow", "", ""), judged(narrow)),
                ("a policy that is over", by("over", "", ""), FAILED),
                ("a policy to come", by("later", "", ""), FAILED),
                ("no such policy", by("missing", "", ""), FAILED),
                ("letters twice", by("all", "r", ""), FAILED),
                ("an expiry twice", by("all", "", "2026-11-22T13:00:00Z"), FAILED),
            ] {
                matrix.expect_signed(
                    &fact,
                    &format!("{} {with}", shape.kind),
                    &unsigned,
                    &signature,
                    expected,
                );
            }
        }
    }
    matrix.end(500);
}
