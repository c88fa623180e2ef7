//! Tokens: what their holders' roles open, and what no token opens.

use crate::requests::Unsigned;
use crate::rights::{FAILED, PERMISSION, ROLES, TOKEN};
use crate::world::{ACCOUNT, CLOSED, NOW, World};
use crate::{Matrix, guarded, sign};
use api::ServiceKind;
use api::target::Level;
use serde_json::json;

fn with_token(unsigned: &Unsigned, token: &str) -> http::Request<()> {
    let mut request = unsigned.build("");
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

#[test]
fn tokens_open_what_the_roles_of_their_holders_say() {
    let mut matrix = Matrix::new();
    let nobodys = matrix.world.token("nobody", &json!({}));
    let tokens: Vec<_> =
        ROLES.iter().map(|(role, _)| (*role, matrix.world.token(role, &json!({})))).collect();
    let here = ["owner-here", "table-here"].map(|holder| matrix.world.token(holder, &json!({})));
    for (fact, right) in guarded(&matrix) {
        let unsigned = fact.request(ACCOUNT, "con", None);
        let refused_unless = |may: bool| if may { None } else { PERMISSION };
        for (role, token) in &tokens {
            let expected = refused_unless(right.is_role(role));
            matrix.expect(&fact, role, with_token(&unsigned, token), true, expected);
        }
        let expected = refused_unless(right.any_token());
        matrix.expect(&fact, "no role", with_token(&unsigned, &nobodys), true, expected);
        for place in ["con", "other"] {
            let within = place == "con"
                && [Level::Container, Level::Blob].contains(&fact.level)
                && fact.service == ServiceKind::Blob;
            let expected = refused_unless(right.any_token() || (within && right.is_role("BO")));
            let request = with_token(&fact.request(ACCOUNT, place, None), &here[0]);
            matrix.expect(&fact, &format!("a role at con, asking for {place}"), request, true, expected);
            let within =
                place == "con" && [Level::TableItem, Level::Table, Level::Entity].contains(&fact.level);
            let expected = refused_unless(right.any_token() || (within && right.is_role("TC")));
            let request = with_token(&fact.request(ACCOUNT, place, None), &here[1]);
            matrix.expect(
                &fact,
                &format!("a role at table con, asking for {place}"),
                request,
                true,
                expected,
            );
        }
    }
    matrix.end(1_000);
}

#[test]
fn tokens_that_do_not_hold_open_nothing() {
    let mut matrix = Matrix::new();
    let token = |matrix: &Matrix, more| matrix.world.token("all", &more);
    let good = token(&matrix, json!({}));
    let other = World::new().token("all", &json!({}));
    let tokens = [
        ("another issuer's key", other),
        ("no signature", good.rsplit_once('.').unwrap().0.to_owned() + "."),
        ("nonsense", "nonsense".to_owned()),
        ("expired", token(&matrix, json!({"exp": NOW - 61}))),
        ("not yet valid", token(&matrix, json!({"nbf": NOW + 61}))),
        ("another service's", token(&matrix, json!({"aud": "https://vault.azure.net"}))),
        (
            "another account's",
            token(&matrix, json!({"aud": format!("https://{CLOSED}.blob.core.windows.net")})),
        ),
        ("another issuer's", token(&matrix, json!({"iss": "https://elsewhere.test/"}))),
    ];
    for (fact, _) in guarded(&matrix) {
        let unsigned = fact.request(ACCOUNT, "con", None);
        for (with, token) in &tokens {
            matrix.expect(&fact, with, with_token(&unsigned, token), true, TOKEN);
        }
        matrix.expect(&fact, "in the clear", with_token(&unsigned, &good), false, FAILED);
        let mut old = unsigned.clone();
        old.headers.retain(|(name, _)| *name != "x-ms-version");
        old.headers.push(("x-ms-version", "2017-07-29".to_owned()));
        matrix.expect(&fact, "an old version", with_token(&old, &good), true, FAILED);
    }
    matrix.end(500);
}

#[test]
fn parts_of_a_batch_are_judged_by_the_role_at_their_table() {
    let matrix = Matrix::new();
    let token = matrix.world.token("table-here", &json!({}));
    let sent = |table: &str| {
        let part = format!(
            "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r\n\r\n\
             PUT http://localhost/{ACCOUNT}/{table}(PartitionKey='p',RowKey='r') HTTP/1.1\r\n\
             Content-Type: application/json\r\n\r\n{{}}\r\n--c--\r\n--b--\r\n"
        );
        let request = http::Request::post(format!("/{ACCOUNT}/$batch"))
            .header("x-ms-version", sign::VERSION)
            .header("content-length", part.len().to_string())
            .header("content-type", "multipart/mixed; boundary=b")
            .header("authorization", format!("Bearer {token}"));
        matrix.world.send(ServiceKind::Table, request.body(()).unwrap(), &part, true)
    };
    let here = sent("con");
    assert!(here.status == 202 && here.body.contains("TableNotFound"), "{} {}", here.status, here.body);
    let elsewhere = sent("other");
    assert!(
        elsewhere.body.contains("AuthorizationPermissionMismatch"),
        "{} {}",
        elsewhere.status,
        elsewhere.body
    );
}
