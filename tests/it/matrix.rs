//! Every operation with every kind of credentials, sent over sockets to the real process; tokens over TLS.
//!
//! `api/tests/matrix` tries all that can be wrong, in process and at a moment that does not pass. What it cannot see is
//! what lies before and around that: sockets, TLS, the peer's address, the real clock, accounts and roles as commands
//! make them. So here each row is tried again, with some right and some wrong of each kind. Requests, the table of
//! rights, shapes and signatures are the other matrix's own files; that is the one place where this crate reads the
//! server's tables, and it takes nothing from them but what to ask for. What is to be answered stands in
//! `fixtures/auth/matrix/rights.txt`.
//!
//! *Let in* means that whatever is answered is no refusal, as there.

#[path = "../../api/tests/matrix/requests.rs"]
#[expect(clippy::unwrap_used, reason = "made for the other matrix")]
mod requests;
#[path = "../../api/tests/matrix/rights.rs"]
#[expect(dead_code, reason = "made for the other matrix, of which this one is a sample")]
mod rights;
#[path = "../../api/tests/matrix/shapes.rs"]
#[expect(clippy::unwrap_used, reason = "made for the other matrix")]
mod shapes;
#[path = "../../api/tests/matrix/sign.rs"]
#[expect(clippy::unwrap_used, reason = "made for the other matrix")]
mod sign;
mod world;

use crate::client::Response;
use crate::random;
use crate::sign::http_date;
use crate::token;
use api::ServiceKind;
use api::operation::Access;
use requests::{Fact, Unsigned, facts};
use rights::{
    ADDRESS, FAILED, LETTERS, MALFORMED, NOBODY, PERMISSION, PROTOCOL, ROLES, Refusal, Right, Rights,
    SERVICE, TOKEN, TYPE, first,
};
use serde_json::json;
use shapes::{judged, reaches, request_for, shapes};
use sign::Terms;
use world::{ACCOUNT, OTHER, Way, World, refusal};

/// What was tried and what came out wrong.
struct Matrix {
    world: World,
    rights: Rights,
    tried: usize,
    wrong: Vec<String>,
}

/// Holds for all of a test's time.
fn terms(letters: &str) -> Terms {
    Terms {
        letters: letters.to_owned(),
        start: "2020-01-01T00:00:00Z",
        expiry: "2999-01-01T00:00:00Z",
        ..Terms::default()
    }
}

/// What can be wrong with the terms of a signature in an address that comes in the clear, and what is then answered.
fn wrong_terms(letters: &str) -> [(&'static str, Terms, Refusal); 5] {
    let right = || terms(letters);
    [
        ("expired", Terms { expiry: "2020-01-02T00:00:00Z", ..right() }, FAILED),
        ("not yet valid", Terms { start: "2998-01-01T00:00:00Z", ..right() }, FAILED),
        ("wrong address", Terms { addresses: "10.0.0.6", ..right() }, ADDRESS),
        ("right addresses", Terms { addresses: "127.0.0.1-127.0.0.9", ..right() }, None),
        ("wrong protocol", Terms { protocol: "https", ..right() }, PROTOCOL),
    ]
}

impl Matrix {
    fn new() -> Self {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/auth/matrix/rights.txt");
        let rights = Rights::read(&std::fs::read_to_string(file).expect("the table of rights"));
        Self { world: World::new(), rights, tried: 0, wrong: Vec::new() }
    }

    /// Every row that can be asked for with credentials, and what it takes.
    fn guarded(&self) -> Vec<(Fact, Right)> {
        let right = |fact: &Fact| {
            self.rights.of(fact.service, &format!("{:?}", fact.level), &format!("{:?}", fact.access)).clone()
        };
        let guarded = facts().into_iter().filter(|fact| fact.access != Access::Open);
        guarded.map(|fact| (fact, right(&fact))).collect()
    }

    /// Sends a request and compares. What is open is open whatever is sent along.
    fn expect(
        &mut self,
        fact: &Fact,
        with: &str,
        request: &http::Request<()>,
        way: Way,
        expected: Refusal,
    ) -> Response {
        let expected = if fact.access == Access::Open { None } else { expected };
        let answer = self.world.process(way).send(fact.service, request, "");
        self.tried += 1;
        if refusal(&answer) != expected || answer.status >= 500 {
            let (name, method, uri) = (fact.name, request.method(), request.uri());
            let (status, text) = (answer.status, answer.text());
            self.wrong.push(format!("{name}, {with}: {status}, not {expected:?}; {method} {uri}\n{text}"));
        }
        answer
    }

    /// Sends a request with a signature in its address, in the clear.
    fn expect_signed(
        &mut self,
        fact: &Fact,
        with: &str,
        unsigned: &Unsigned,
        signature: &str,
        expected: Refusal,
    ) {
        self.expect(fact, with, &unsigned.build(signature), Way::Clear, expected);
    }

    /// Fails if anything came out wrong, if too little was tried, or if a row was taken for another.
    fn end(mut self, least: usize, way: Way) {
        let shown = self.wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
        assert!(self.wrong.is_empty(), "{} of {}:\n{shown}", self.wrong.len(), self.tried);
        assert!(self.tried >= least, "only {} were tried", self.tried);
        let guarded = self.guarded();
        let process = self.world.process(way);
        process.stop();
        let missing: Vec<_> =
            guarded.into_iter().filter(|(fact, _)| process.logged(fact.name) == 0).collect();
        assert!(missing.is_empty(), "nobody asked for {missing:?}");
    }
}

#[test]
fn what_is_open_is_open_to_everybody_over_sockets() {
    let mut matrix = Matrix::new();
    let open: Vec<_> = facts().into_iter().filter(|fact| fact.access == Access::Open).collect();
    assert!(open.len() > 2);
    for fact in open {
        let mut unsigned = fact.request(ACCOUNT, "con", None);
        matrix.expect_signed(&fact, "nothing", &unsigned, "", None);
        matrix.expect_signed(&fact, "a wrong signature", &unsigned, "sv=2026-02-06&ss=b&sig=AAAA", None);
        unsigned.headers.push(("authorization", "Bearer x.y.z".to_owned()));
        matrix.expect(&fact, "a wrong token", &unsigned.build(""), Way::Tls, None);
    }
    assert!(matrix.wrong.is_empty(), "{:#?}", matrix.wrong);
}

#[test]
fn keys_open_every_operation_over_sockets() {
    let mut matrix = Matrix::new();
    let keys = matrix.world.plain.keys.clone();
    let now = random::now().as_secs();
    for (fact, _) in matrix.guarded() {
        // It is for whoever a token names.
        let right = if fact.access == Access::DelegationKey { FAILED } else { None };
        for lite in [false, true] {
            let sent = |date: u64, account: &str, key: &[u8]| {
                fact.with_key(ACCOUNT, lite, &http_date(date), (account, key))
            };
            for (with, request, expected) in [
                ("no signature", fact.request(ACCOUNT, "con", None).build(""), NOBODY),
                ("another key", sent(now, ACCOUNT, &[3; 32]), FAILED),
                ("an old date", sent(now - 3_600, ACCOUNT, &keys[0]), FAILED),
                ("a date to come", sent(now + 3_600, ACCOUNT, &keys[0]), FAILED),
                ("another account", sent(now, OTHER, &keys[0]), FAILED),
                ("key 1", sent(now, ACCOUNT, &keys[0]), right),
                ("key 2", sent(now, ACCOUNT, &keys[1]), right),
            ] {
                matrix.expect(&fact, &format!("{with}, lite: {lite}"), &request, Way::Clear, expected);
            }
            let mut malformed = sent(now, ACCOUNT, &keys[0]);
            malformed
                .headers_mut()
                .insert("authorization", http::HeaderValue::from_static("SharedKey devaccount"));
            matrix.expect(&fact, "a signature that is none", &malformed, Way::Clear, MALFORMED);
        }
    }
    matrix.end(1_000, Way::Clear);
}

#[test]
fn account_signatures_open_what_they_say_over_sockets() {
    let mut matrix = Matrix::new();
    let [first_key, second_key] = matrix.world.plain.keys.clone();
    let secure_key = matrix.world.secure.keys[0].clone();
    for (fact, right) in matrix.guarded() {
        let unsigned = fact.request(ACCOUNT, "con", None);
        let own = fact.service.label().get(..1).unwrap_or_default();
        let others: String = "bqtf".chars().filter(|service| !own.contains(*service)).collect();
        let foreign: String = "sco".chars().filter(|kind| !right.types.contains(*kind)).collect();
        let signed = |terms: &Terms, services: &str, types: &str| {
            sign::account(terms, services, types, ACCOUNT, &first_key)
        };
        let whole = right.account.judge(LETTERS);
        for letters in right.account.trials() {
            let expected = right.account.judge(&letters);
            let signature = signed(&terms(&letters), own, &right.types);
            matrix.expect_signed(&fact, &format!("letters {letters}"), &unsigned, &signature, expected);
        }
        let signature = signed(&terms(LETTERS), &others, "sco");
        matrix.expect_signed(&fact, "wrong services", &unsigned, &signature, SERVICE);
        if !foreign.is_empty() {
            let signature = signed(&terms(LETTERS), own, &foreign);
            matrix.expect_signed(&fact, "wrong types", &unsigned, &signature, TYPE);
        }
        for (with, terms, refusal) in wrong_terms(LETTERS) {
            let expected = first(&[refusal, whole]);
            matrix.expect_signed(&fact, with, &unsigned, &signed(&terms, own, "sco"), expected);
        }
        let second = sign::account(&terms(LETTERS), own, "sco", ACCOUNT, &second_key);
        matrix.expect_signed(&fact, "key 2", &unsigned, &second, whole);
        let forged = sign::account(&terms(LETTERS), own, "sco", ACCOUNT, &[3; 32]);
        matrix.expect_signed(&fact, "another key", &unsigned, &forged, FAILED);
        let widened = signed(&terms("l"), own, "sco").replace("sp=l", "sp=rwdl");
        matrix.expect_signed(&fact, "widened", &unsigned, &widened, FAILED);
        let safe = Terms { protocol: "https", ..terms(LETTERS) };
        let safe = sign::account(&safe, own, "sco", ACCOUNT, &secure_key);
        matrix.expect(&fact, "https over TLS", &unsigned.build(&safe), Way::Tls, whole);
    }
    matrix.end(1_000, Way::Clear);
}

#[test]
fn service_signatures_open_their_resource_over_sockets() {
    let mut matrix = Matrix::new();
    let key = matrix.world.plain.keys[0].clone();
    let secure_key = matrix.world.secure.keys[0].clone();
    for (fact, right) in matrix.guarded() {
        for shape in shapes(fact.service, "con") {
            let unsigned = request_for(&fact, &shape, "con");
            let with = |what: &str| format!("{} {what}", shape.kind);
            let signed = |terms: &Terms| sign::service(terms, &shape, &key);
            for letters in right.resource.trials() {
                let expected = judged(&fact, &shape, &right.resource, &letters);
                matrix.expect_signed(&fact, &with(&letters), &unsigned, &signed(&terms(&letters)), expected);
            }
            let whole = judged(&fact, &shape, &right.resource, LETTERS);
            for (what, terms, refusal) in wrong_terms(LETTERS) {
                // Whose signature is not for the resource is told nothing else.
                let expected = if reaches(&fact, &shape) { first(&[refusal, whole]) } else { FAILED };
                matrix.expect_signed(&fact, &with(what), &unsigned, &signed(&terms), expected);
            }
            let forged = sign::service(&terms(LETTERS), &shape, &[3; 32]);
            matrix.expect_signed(&fact, &with("another key"), &unsigned, &forged, FAILED);
            let beside = request_for(&fact, &shape, "other");
            if beside.path != unsigned.path && fact.level != api::target::Level::TableItem {
                matrix.expect_signed(&fact, &with("beside"), &beside, &signed(&terms(LETTERS)), FAILED);
            }
            let safe = Terms { protocol: "https", ..terms(LETTERS) };
            let safe = sign::service(&safe, &shape, &secure_key);
            matrix.expect(&fact, &with("https over TLS"), &unsigned.build(&safe), Way::Tls, whole);
        }
    }
    matrix.end(1_000, Way::Clear);
}

/// The address and the document of policies of `letters`, named `all`, and of one that is over.
fn policies(service: ServiceKind, letters: &str) -> (&'static str, String) {
    let policy = |id: &str, expiry: &str| {
        format!(
            "<SignedIdentifier><Id>{id}</Id><AccessPolicy><Start>2020-01-01</Start><Expiry>{expiry}</Expiry>\
             <Permission>{letters}</Permission></AccessPolicy></SignedIdentifier>"
        )
    };
    let document = policy("all", "2999-01-01") + &policy("over", "2020-01-02");
    let blob = service == ServiceKind::Blob;
    let target = if blob { "/policies?restype=container&comp=acl" } else { "/policies?comp=acl" };
    (target, format!("<SignedIdentifiers>{document}</SignedIdentifiers>"))
}

#[test]
fn a_policy_opens_what_it_says_until_it_is_removed() {
    let mut matrix = Matrix::new();
    let key = matrix.world.plain.keys[0].clone();
    for (service, method, create, made, letters) in [
        (ServiceKind::Blob, "PUT", "/policies?restype=container", "", "racwdxyltmeopif"),
        (ServiceKind::Queue, "PUT", "/policies", "", "raup"),
        (ServiceKind::Table, "POST", "/Tables", "{\"TableName\":\"policies\"}", "raud"),
    ] {
        matrix.world.plain.succeeds(service, method, create, made);
        let (target, document) = policies(service, letters);
        matrix.world.plain.succeeds(service, "PUT", target, &document);
        let rows: Vec<_> = matrix.guarded().into_iter().filter(|(fact, _)| fact.service == service).collect();
        for removed in [false, true] {
            if removed {
                matrix.world.plain.succeeds(service, "PUT", target, "<SignedIdentifiers/>");
            }
            for (fact, right) in &rows {
                for shape in shapes(service, "policies") {
                    let unsigned = request_for(fact, &shape, "policies");
                    let by = |policy| sign::service(&Terms { policy, ..Terms::default() }, &shape, &key);
                    let held = judged(fact, &shape, &right.resource, letters);
                    let expected = if removed { FAILED } else { held };
                    let with = format!("{} policy, removed: {removed}", shape.kind);
                    matrix.expect_signed(fact, &with, &unsigned, &by("all"), expected);
                    matrix.expect_signed(fact, "a policy that is over", &unsigned, &by("over"), FAILED);
                    matrix.expect_signed(fact, "no such policy", &unsigned, &by("missing"), FAILED);
                }
            }
        }
    }
    matrix.end(500, Way::Clear);
}

#[test]
fn delegated_signatures_open_what_their_user_may_over_tls() {
    let mut matrix = Matrix::new();
    let users = [
        (ServiceKind::Blob, "all"),
        (ServiceKind::Blob, "BR"),
        (ServiceKind::Blob, "BD"),
        (ServiceKind::Queue, "all"),
        (ServiceKind::Queue, "QD"),
    ];
    for (service, user) in users {
        let by = matrix.world.secure.delegation(service, user);
        let rows: Vec<_> = matrix.guarded().into_iter().filter(|(fact, _)| fact.service == service).collect();
        for (fact, right) in rows {
            let may = if user == "all" || right.is_role(user) { None } else { PERMISSION };
            for shape in shapes(service, "con") {
                let unsigned = request_for(&fact, &shape, "con");
                let with = |what: &str| format!("{} by {user}, {what}", shape.kind);
                let signed = |terms: &Terms| unsigned.build(&sign::delegated(terms, &shape, &by));
                for letters in right.resource.trials() {
                    let expected = first(&[judged(&fact, &shape, &right.resource, &letters), may]);
                    matrix.expect(&fact, &with(&letters), &signed(&terms(&letters)), Way::Tls, expected);
                }
                let over = Terms { expiry: "2020-01-02T00:00:00Z", ..terms(LETTERS) };
                matrix.expect(&fact, &with("expired"), &signed(&over), Way::Tls, FAILED);
                let mut other = by.clone();
                other.object = "someone".to_owned();
                let stolen = sign::delegated(&terms(LETTERS), &shape, &other);
                matrix.expect(&fact, &with("as another"), &unsigned.build(&stolen), Way::Tls, FAILED);
            }
        }
    }
    assert!(matrix.tried > 1_000, "only {} were tried", matrix.tried);
    assert!(
        matrix.wrong.is_empty(),
        "{} of {}: {:#?}",
        matrix.wrong.len(),
        matrix.tried,
        matrix.wrong.first()
    );
}

fn with_token(unsigned: &Unsigned, token: &str) -> http::Request<()> {
    let mut request = unsigned.build("");
    let value = format!("Bearer {token}").parse().expect("visible ASCII");
    request.headers_mut().insert("authorization", value);
    request
}

#[test]
fn tokens_open_what_roles_say_over_tls_and_nothing_in_the_clear() {
    let mut matrix = Matrix::new();
    let now = random::now().as_secs();
    let token = |object: &str, more| token::of_claims(object, &more);
    let roles: Vec<_> = ROLES.iter().map(|(role, _)| (*role, token(role, json!({})))).collect();
    let (good, nobodys) = (token("all", json!({})), token("nobody", json!({})));
    let elsewhere = format!("https://{OTHER}.blob.core.windows.net");
    let wrong = [
        ("no signature", good.rsplit_once('.').map_or("", |(start, _)| start).to_owned() + "."),
        ("nonsense", "nonsense".to_owned()),
        ("expired", token("all", json!({"exp": now - 600}))),
        ("not yet valid", token("all", json!({"nbf": now + 600}))),
        ("another service's", token("all", json!({"aud": "https://vault.azure.net"}))),
        ("another account's", token("all", json!({"aud": elsewhere}))),
        ("another issuer's", token("all", json!({"iss": "https://elsewhere.test/"}))),
        ("another tenant's", token("all", json!({"tid": "other"}))),
    ];
    for (fact, right) in matrix.guarded() {
        let unsigned = fact.request(ACCOUNT, "con", None);
        let refused_unless = |may: bool| if may { None } else { PERMISSION };
        for (with, token) in &wrong {
            matrix.expect(&fact, with, &with_token(&unsigned, token), Way::Tls, TOKEN);
        }
        let expected = refused_unless(right.any_token());
        matrix.expect(&fact, "no role", &with_token(&unsigned, &nobodys), Way::Tls, expected);
        for (role, token) in &roles {
            let expected = refused_unless(right.is_role(role));
            matrix.expect(&fact, role, &with_token(&unsigned, token), Way::Tls, expected);
        }
        matrix.expect(&fact, "in the clear", &with_token(&unsigned, &good), Way::Clear, FAILED);
    }
    matrix.end(1_000, Way::Tls);
}

#[test]
fn anybody_may_read_what_is_public_over_sockets() {
    let mut matrix = Matrix::new();
    let key = matrix.world.plain.keys[0].clone();
    let levels = [("private", ""), ("blobs", "blob"), ("containers", "container")];
    for (name, level) in levels {
        let mut unsigned = Unsigned {
            method: "PUT",
            path: format!("/{ACCOUNT}/{name}"),
            query: vec![("restype", "container".to_owned())],
            headers: vec![("host", "localhost".to_owned()), ("x-ms-version", sign::VERSION.to_owned())],
        };
        unsigned.headers.push(("content-length", "0".to_owned()));
        if !level.is_empty() {
            unsigned.headers.push(("x-ms-blob-public-access", level.to_owned()));
        }
        let signature = sign::account(&terms("c"), "b", "c", ACCOUNT, &key);
        let answer = matrix.world.plain.send(ServiceKind::Blob, &unsigned.build(&signature), "");
        answer.expect(201);
    }
    for (fact, right) in matrix.guarded() {
        let may_be_public = right.public != "-" && fact.reads();
        for (name, level) in levels {
            let enough =
                may_be_public && (level == "container" || (level == "blob" && right.public == "blob"));
            let request = fact.request(ACCOUNT, name, None).build("");
            matrix.expect(&fact, name, &request, Way::Clear, if enough { None } else { NOBODY });
        }
    }
    matrix.end(200, Way::Clear);
}
