//! Shared access signatures under a key that was delegated to the holder of a token.

use crate::rights::{FAILED, LETTERS, PERMISSION, first};
use crate::shapes::{judged, reaches, request_for, shapes};
use crate::sign::{self, Terms};
use crate::terms::{terms, wrong_terms};
use crate::world::ACCOUNT;
use crate::{Matrix, guarded};
use api::ServiceKind;

#[test]
fn delegated_signatures_open_what_they_say_and_their_user_may() {
    let mut matrix = Matrix::new();
    let users = |service| match service {
        ServiceKind::Blob => ["BO", "BR", "BD"].as_slice(),
        ServiceKind::Queue => &["all", "QD"],
        ServiceKind::Table => &[],
    };
    for (fact, right) in guarded(&matrix) {
        if fact.service == ServiceKind::Table {
            let by = matrix.world.delegation(ServiceKind::Blob, "all");
            let signature = sign::delegated(&terms(LETTERS), &shapes(fact.service, "con")[0], &by);
            let unsigned = fact.request(ACCOUNT, "con", None);
            matrix.expect_signed(&fact, "of a table", &unsigned, &signature, FAILED);
        }
        for user in users(fact.service) {
            let by = matrix.world.delegation(fact.service, user);
            let may = *user == "all" || right.is_role(user);
            for shape in shapes(fact.service, "con") {
                let unsigned = request_for(&fact, &shape, "con");
                let signed = |terms: &Terms| sign::delegated(terms, &shape, &by);
                let with = |what: &str| format!("{} by {user}, {what}", shape.kind);
                let refused = if may { None } else { PERMISSION };
                let judged =
                    |letters: &str| first(&[judged(&fact, &shape, &right.resource, letters), refused]);
                for letters in right.resource.trials() {
                    let signature = signed(&terms(&letters));
                    matrix.expect_signed(&fact, &with(&letters), &unsigned, &signature, judged(&letters));
                }
                for (what, terms, refusal) in wrong_terms(LETTERS) {
                    let expected =
                        if reaches(&fact, &shape) { first(&[refusal, judged(LETTERS)]) } else { FAILED };
                    matrix.expect_signed(&fact, &with(what), &unsigned, &signed(&terms), expected);
                }
                let mut other = by.clone();
                other.object = "someone".to_owned();
                let stolen = sign::delegated(&terms(LETTERS), &shape, &other);
                matrix.expect_signed(&fact, &with("as another user"), &unsigned, &stolen, FAILED);
                let mut longer = by.clone();
                longer.expiry = "2026-11-24T11:00:00Z".to_owned();
                let longer = sign::delegated(&terms(LETTERS), &shape, &longer);
                matrix.expect_signed(&fact, &with("a longer key"), &unsigned, &longer, FAILED);
                let mut foreign = by.clone();
                foreign.service = if foreign.service == "b" { "q".into() } else { "b".into() };
                let foreign = sign::delegated(&terms(LETTERS), &shape, &foreign);
                matrix.expect_signed(&fact, &with("a key of another service"), &unsigned, &foreign, FAILED);
            }
        }
    }
    matrix.end(1_000);
}
