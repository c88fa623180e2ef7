//! Requests without credentials: what is open to everybody, and what is public.

use crate::keys::signed_by_key;
use crate::requests::facts;
use crate::rights::{NOBODY, NOT_PUBLIC};
use crate::world::{ACCOUNT, CLOSED};
use crate::{Matrix, guarded, sign};
use api::ServiceKind;
use api::operation::Access;

#[test]
fn every_row_has_a_line_and_open_ones_are_open_to_everybody() {
    let mut matrix = Matrix::new();
    assert!(guarded(&matrix).len() > 50);
    for fact in facts().into_iter().filter(|fact| fact.access == Access::Open) {
        let mut unsigned = fact.request(ACCOUNT, "con", None);
        matrix.expect(&fact, "nothing", unsigned.build(""), false, None);
        matrix.expect(&fact, "a wrong signature", unsigned.build("sv=2026-02-06&ss=b&sig=AAAA"), false, None);
        unsigned.headers.push(("authorization", "Bearer x.y.z".to_owned()));
        matrix.expect(&fact, "a wrong token", unsigned.build(""), true, None);
    }
    matrix.end(20);
}

#[test]
fn anybody_may_read_what_is_public() {
    let mut matrix = Matrix::new();
    let levels = [("private", ""), ("blobs", "blob"), ("containers", "container")];
    for (name, level) in levels {
        let mut request = http::Request::put(format!("/{ACCOUNT}/{name}?restype=container"))
            .header("x-ms-version", sign::VERSION)
            .header("content-length", "0");
        if !level.is_empty() {
            request = request.header("x-ms-blob-public-access", level);
        }
        let answer =
            matrix.world.send(ServiceKind::Blob, signed_by_key(ServiceKind::Blob, request, ""), "", false);
        assert_eq!(answer.status, 201, "{}", answer.body);
    }
    for (fact, right) in guarded(&matrix) {
        let may_be_public = right.public != "-" && fact.reads();
        for (name, level) in levels {
            let enough =
                may_be_public && (level == "container" || (level == "blob" && right.public == "blob"));
            let request = fact.request(ACCOUNT, name, None).build("");
            matrix.expect(&fact, name, request, false, if enough { None } else { NOBODY });
        }
        let missing = fact.request(ACCOUNT, "missing", None).build("");
        matrix.expect(&fact, "missing", missing, false, NOBODY);
        let closed = if may_be_public { NOT_PUBLIC } else { NOBODY };
        let request = fact.request(CLOSED, "containers", None).build("");
        matrix.expect(&fact, "a closed account", request, false, closed);
    }
    matrix.end(300);
}
