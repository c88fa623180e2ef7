//! Shared access signatures of an account: for services, types of resources and rights.

use crate::rights::{FAILED, LETTERS, SERVICE, TYPE, first};
use crate::sign::{self, Terms};
use crate::terms::{terms, wrong_terms};
use crate::world::{ACCOUNT, CLOSED, KEYS};
use crate::{Matrix, guarded};
use api::ServiceKind;

/// The service as an account's signature spells it.
pub(crate) fn letter(service: ServiceKind) -> &'static str {
    &service.label()[..1]
}

#[test]
fn account_signatures_open_what_they_say() {
    let mut matrix = Matrix::new();
    for (fact, right) in guarded(&matrix) {
        let unsigned = fact.request(ACCOUNT, "con", None);
        let own = letter(fact.service);
        let others: String = "bqtf".chars().filter(|service| !own.contains(*service)).collect();
        let foreign: String = "sco".chars().filter(|kind| !right.types.contains(*kind)).collect();
        let signed = |terms: &Terms, services: &str, types: &str| {
            sign::account(terms, services, types, ACCOUNT, &KEYS[0])
        };
        let whole = right.account.judge(LETTERS);
        for letters in right.account.trials() {
            let expected = right.account.judge(&letters);
            let signature = signed(&terms(&letters), own, &right.types);
            matrix.expect_signed(&fact, &format!("letters {letters}"), &unsigned, &signature, expected);
        }
        for kind in right.types.chars() {
            let signature = signed(&terms(LETTERS), "bqtf", &kind.to_string());
            matrix.expect_signed(&fact, &format!("type {kind}"), &unsigned, &signature, whole);
        }
        let signature = signed(&terms(LETTERS), &others, "sco");
        matrix.expect_signed(&fact, "wrong services", &unsigned, &signature, SERVICE);
        if !foreign.is_empty() {
            let signature = signed(&terms(LETTERS), own, &foreign);
            matrix.expect_signed(&fact, "wrong types", &unsigned, &signature, first(&[TYPE]));
        }
        for (with, terms, refusal) in wrong_terms(LETTERS) {
            let expected = first(&[refusal, whole]);
            matrix.expect_signed(&fact, with, &unsigned, &signed(&terms, own, "sco"), expected);
        }
        let second = sign::account(&terms(LETTERS), own, "sco", ACCOUNT, &KEYS[1]);
        matrix.expect_signed(&fact, "key 2", &unsigned, &second, whole);
        let forged = sign::account(&terms(LETTERS), own, "sco", ACCOUNT, &[3; 32]);
        matrix.expect_signed(&fact, "another key", &unsigned, &forged, FAILED);
        let moved = sign::account(&terms(LETTERS), own, "sco", CLOSED, &KEYS[0]);
        matrix.expect_signed(&fact, "another account", &unsigned, &moved, FAILED);
        let widened = signed(&terms("l"), own, "sco").replace("sp=l", "sp=rwdl");
        matrix.expect_signed(&fact, "widened", &unsigned, &widened, FAILED);
    }
    matrix.end(1_000);
}
