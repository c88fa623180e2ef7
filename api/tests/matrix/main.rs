//! Every operation with every kind of credentials, right and wrong in every way: who gets in and who does not, and in which words.
//!
//! A request is made of the row's own columns, so a new row is tried by itself. What it is to be answered says the table of
//! rights (`fixtures/auth/matrix/rights.txt`), typed from the vendor's pages; a row of which it knows nothing fails. *Let in*
//! means that whatever is answered is no refusal: most of the requests ask for what is not there.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

mod requests;
mod rights;
mod sign;
mod world;

use api::ServiceKind;
use api::operation::Access;
use api::target::Level;
use requests::{Fact, MOMENT, Unsigned, facts};
use rights::{
    ADDRESS, FAILED, LETTERS, MALFORMED, NOBODY, NOT_PUBLIC, PERMISSION, PROTOCOL, Refusal, Right, Rights,
    SERVICE, Sets, TOKEN, TYPE,
};
use serde_json::json;
use sign::{Shape, Terms};
use world::{ACCOUNT, CLOSED, DATE, KEYS, NOW, ROLES, World};

/// What was tried and what came out wrong.
struct Matrix {
    world: World,
    rights: Rights,
    tried: usize,
    wrong: Vec<String>,
}

/// Holds from an hour ago until in an hour.
fn terms(letters: &str) -> Terms {
    Terms {
        letters: letters.to_owned(),
        start: "2026-11-22T11:00:00Z",
        expiry: "2026-11-22T13:00:00Z",
        ..Terms::default()
    }
}

/// What can be wrong with the terms of any signature in an address, and what is then answered.
fn wrong_terms(letters: &str) -> [(&'static str, Terms, Refusal); 6] {
    let right = || terms(letters);
    [
        ("expired", Terms { expiry: "2026-11-22T11:59:59Z", ..right() }, FAILED),
        ("not yet valid", Terms { start: "2026-11-22T12:00:01Z", ..right() }, FAILED),
        ("wrong address", Terms { addresses: "10.0.0.6", ..right() }, ADDRESS),
        ("right addresses", Terms { addresses: "10.0.0.1-10.0.0.5", ..right() }, None),
        ("wrong protocol", Terms { protocol: "https", ..right() }, PROTOCOL),
        ("right protocol", Terms { protocol: "https,http", ..right() }, None),
    ]
}

/// The first refusal, of what is judged in this order.
fn first(refusals: &[Refusal]) -> Refusal {
    refusals.iter().copied().flatten().next()
}

impl Matrix {
    fn new() -> Self {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/auth/matrix/rights.txt");
        let rights = Rights::read(&std::fs::read_to_string(file).unwrap());
        Self { world: World::new(), rights, tried: 0, wrong: Vec::new() }
    }

    fn right(&self, fact: &Fact) -> Right {
        self.rights.of(fact.service, &format!("{:?}", fact.level), &format!("{:?}", fact.access)).clone()
    }

    /// Sends a request and compares. What is open is open whatever is sent along.
    fn expect(
        &mut self,
        fact: &Fact,
        with: &str,
        request: http::Request<()>,
        secure: bool,
        expected: Refusal,
    ) {
        let expected = if fact.access == Access::Open { None } else { expected };
        let shown = format!("{} {}", request.method(), request.uri());
        let answer = self.world.send(fact.service, request, "", secure);
        self.tried += 1;
        if (answer.operation, answer.refusal()) != (fact.name, expected) {
            let (operation, status, code) = (answer.operation, answer.status, &answer.code);
            self.wrong.push(format!(
                "{} ({}), {with}: {operation} {status} {code}, not {expected:?}; {shown}",
                fact.name, fact.method
            ));
        }
    }

    /// Sends a request with a signature in its address.
    fn expect_signed(
        &mut self,
        fact: &Fact,
        with: &str,
        unsigned: &Unsigned,
        signature: &str,
        expected: Refusal,
    ) {
        self.expect(fact, with, unsigned.build(signature), false, expected);
    }

    /// Fails if anything came out wrong, or if nothing was tried.
    fn end(self, least: usize) {
        let shown = self.wrong.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
        assert!(self.wrong.is_empty(), "{} of {}:\n{shown}", self.wrong.len(), self.tried);
        assert!(self.tried >= least, "only {} were tried", self.tried);
    }
}

/// Every row that can be asked for with credentials, and what it takes.
fn guarded(matrix: &Matrix) -> Vec<(Fact, Right)> {
    let guarded = facts().into_iter().filter(|fact| fact.access != Access::Open);
    guarded.map(|fact| (fact, matrix.right(&fact))).collect()
}

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

fn with_key(fact: &Fact, lite: bool, date: &str, account: &str, key: &[u8]) -> http::Request<()> {
    let mut unsigned = fact.request(ACCOUNT, "con", None);
    unsigned.headers.push(("x-ms-date", date.to_owned()));
    let mut request = unsigned.build("");
    let table = fact.service == ServiceKind::Table;
    let signature = sign::mac(key, &sign::string_to_sign(table, lite, &request, ACCOUNT, date));
    let scheme = if lite { "SharedKeyLite" } else { "SharedKey" };
    let value = format!("{scheme} {account}:{signature}").parse().unwrap();
    request.headers_mut().insert("authorization", value);
    request
}

#[test]
fn keys_of_the_account_open_everything_and_others_nothing() {
    let mut matrix = Matrix::new();
    for (fact, _) in guarded(&matrix) {
        // It is for whoever a token names.
        let right = if fact.access == Access::DelegationKey { FAILED } else { None };
        for lite in [false, true] {
            let sent = |date: &str, account: &str, key: &[u8]| with_key(&fact, lite, date, account, key);
            for (with, request, expected) in [
                ("key 1", sent(DATE, ACCOUNT, &KEYS[0]), right),
                ("key 2", sent(DATE, ACCOUNT, &KEYS[1]), right),
                ("another key", sent(DATE, ACCOUNT, &[3; 32]), FAILED),
                ("an old date", sent("Sun, 22 Nov 2026 11:44:59 GMT", ACCOUNT, &KEYS[0]), FAILED),
                ("a date to come", sent("Sun, 22 Nov 2026 12:15:01 GMT", ACCOUNT, &KEYS[0]), FAILED),
                ("another account", sent(DATE, CLOSED, &KEYS[0]), FAILED),
            ] {
                matrix.expect(&fact, &format!("{with}, lite: {lite}"), request, false, expected);
            }
            let mut changed = sent(DATE, ACCOUNT, &KEYS[0]);
            let (part, other) = if fact.service == ServiceKind::Table {
                ("x-ms-date", "Sun, 22 Nov 2026 12:00:01 GMT")
            } else {
                ("x-ms-version", "2026-04-06")
            };
            changed.headers_mut().insert(part, other.parse().unwrap());
            matrix.expect(&fact, &format!("a changed header, lite: {lite}"), changed, false, FAILED);
            let mut malformed = sent(DATE, ACCOUNT, &KEYS[0]);
            malformed.headers_mut().insert("authorization", "SharedKey devaccount".parse().unwrap());
            matrix.expect(&fact, "no signature", malformed, false, MALFORMED);
        }
    }
    matrix.end(1_000);
}

fn letter(service: ServiceKind) -> &'static str {
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

/// The shapes of a service's signatures on `place`.
fn shapes(service: ServiceKind, place: &str) -> Vec<Shape> {
    let shape = |kind, path: &str, at| Shape {
        kind,
        canonical: format!("/{}/{ACCOUNT}/{path}", service.label()),
        at,
        table: place.to_owned(),
        keys: [""; 4],
    };
    let blob = format!("{place}/dir/blob");
    match service {
        ServiceKind::Blob => vec![
            shape("c", place, ""),
            shape("b", &blob, ""),
            shape("d", &format!("{place}/dir"), ""),
            shape("bs", &blob, MOMENT),
            shape("bv", &blob, MOMENT),
        ],
        ServiceKind::Queue => vec![shape("q", place, "")],
        ServiceKind::Table => {
            let whole = shape("t", place, "");
            vec![whole.clone(), Shape { keys: ["a", "b", "q", "s"], ..whole }]
        }
    }
}

/// The parameter that a shape needs in the address.
fn past(shape: &Shape) -> Option<&'static str> {
    match shape.kind {
        "bs" => Some("snapshot"),
        "bv" => Some("versionid"),
        _ => None,
    }
}

/// Whether what the row is about can lie within the shape at all.
fn reaches(fact: &Fact, shape: &Shape) -> bool {
    match shape.kind {
        "c" => [Level::Container, Level::Blob].contains(&fact.level),
        "b" | "d" => fact.level == Level::Blob,
        "bs" | "bv" => fact.may_name(past(shape).unwrap()),
        "q" => [Level::Queue, Level::Messages, Level::Message].contains(&fact.level),
        // Its table is named beside the address.
        _ => true,
    }
}

/// What a signature of this shape and these letters is answered.
fn judged(fact: &Fact, shape: &Shape, sets: &Sets, letters: &str) -> Refusal {
    if reaches(fact, shape) { sets.judge(letters) } else { FAILED }
}

fn request_for(fact: &Fact, shape: &Shape, place: &str) -> Unsigned {
    fact.request(ACCOUNT, place, past(shape).filter(|past| fact.may_name(past)))
}

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

/// Makes a container, queue or table `policies` with policies of all kinds.
fn keep_policies(matrix: &mut Matrix) {
    let all = |service| match service {
        ServiceKind::Blob => ("racwdxyltmeopif", "l"),
        ServiceKind::Queue => ("raup", "r"),
        ServiceKind::Table => ("raud", "r"),
    };
    for (service, create, acl) in [
        (ServiceKind::Blob, "/policies?restype=container", "/policies?restype=container&comp=acl"),
        (ServiceKind::Queue, "/policies", "/policies?comp=acl"),
        (ServiceKind::Table, "/Tables", "/policies?comp=acl"),
    ] {
        let (letters, narrow) = all(service);
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

fn signed_by_key(service: ServiceKind, request: http::request::Builder, body: &str) -> http::Request<()> {
    let mut request = request.header("x-ms-date", DATE).body(()).unwrap();
    let table = service == ServiceKind::Table;
    // The lite form does not have the length in it.
    let text = sign::string_to_sign(table, true, &request, ACCOUNT, DATE);
    let value = format!("SharedKeyLite {ACCOUNT}:{}", sign::mac(&KEYS[0], &text));
    request.headers_mut().insert("authorization", value.parse().unwrap());
    assert!(request.headers()["content-length"] == body.len().to_string());
    request
}

#[test]
fn signatures_that_name_a_policy_open_what_the_policy_says() {
    let mut matrix = Matrix::new();
    keep_policies(&mut matrix);
    for (fact, right) in guarded(&matrix) {
        let (all, narrow) = match fact.service {
            ServiceKind::Blob => ("racwdxyltmeopif", "l"),
            ServiceKind::Queue => ("raup", "r"),
            ServiceKind::Table => ("raud", "r"),
        };
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
