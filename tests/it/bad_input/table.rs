//! Bad tables, entities, filters, addresses and batches.

use std::cell::Cell;

use super::{Case, case, coded, get, post};
use crate::client::Request;
use crate::sign::percent_encoded;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = tables();
    cases.extend(entities());
    cases.extend(addresses());
    cases.extend(filters());
    cases.extend(batches());
    cases
}

fn tables() -> Vec<Case> {
    let create = |body: &str| post("/Tables", body);
    vec![
        case("a name of digits", create("{\"TableName\":\"123\"}"), &[400]),
        case("a name of two letters", create("{\"TableName\":\"ab\"}"), &[400]),
        case("a name of 64 letters", create(&format!("{{\"TableName\":\"{}\"}}", "a".repeat(64))), &[400]),
        case("a name that leads out", create("{\"TableName\":\"../../x\"}"), &[400]),
        case("the reserved name", create("{\"TableName\":\"tables\"}"), &[400]),
        case("a name that is a number", create("{\"TableName\":7}"), &[400]),
        case("no name", create("{\"TableName\":null}"), &[400]),
        case("an empty object", create("{}"), &[400]),
        case("a list", create("[]"), &[400]),
        case("text", create("hello"), &[400]),
        case("half an object", create("{\"TableName\":"), &[400]),
        case("something after the object", create("{\"TableName\":\"abc\"} {}"), &[400]),
        case("an unknown verb", Request::new("BREW", "/Tables"), &[400, 405]),
        case("a wide answer", get("/Tables?$top=1001"), &[400]),
        case("a page of letters", get("/Tables?$top=some"), &[400]),
        case("a continuation of garbage", get("/Tables?NextTableName=%00%FF"), &[200, 400]),
    ]
}

fn entities() -> Vec<Case> {
    // Each entity has keys of its own, so that one that is stored by mistake does not hide the next.
    let row = Cell::new(0);
    let insert = |properties: &str| {
        row.set(row.get() + 1);
        post("/bad", format!("{{\"PartitionKey\":\"x\",\"RowKey\":\"{}\",{properties}}}", row.get()))
    };
    let many: Vec<String> = (0..253).map(|number| format!("\"P{number}\":1")).collect();
    let large: Vec<String> =
        (0..20).map(|number| format!("\"P{number}\":\"{}\"", "x".repeat(30_000))).collect();
    vec![
        case("nothing", post("/bad", ""), &[400, 411]),
        case("a list", post("/bad", "[]"), &[400]),
        case("no keys", post("/bad", "{\"A\":1}"), &[400]),
        case("a key that is a number", post("/bad", "{\"PartitionKey\":1,\"RowKey\":\"x\"}"), &[400]),
        case("a key that is null", post("/bad", "{\"PartitionKey\":null,\"RowKey\":\"x\"}"), &[400]),
        case("a slash in a key", post("/bad", "{\"PartitionKey\":\"x\",\"RowKey\":\"a/b\"}"), &[400]),
        case(
            "a control character in a key",
            post("/bad", "{\"PartitionKey\":\"x\",\"RowKey\":\"\\u0001\"}"),
            &[400],
        ),
        case(
            "a key of 2 KiB",
            post("/bad", format!("{{\"PartitionKey\":\"x\",\"RowKey\":\"{}\"}}", "k".repeat(2_048))),
            &[400],
        ),
        case("a property within a property", insert("\"A\":{\"B\":1}"), &[400]),
        case("a list of values", insert("\"A\":[1,2]"), &[400]),
        case("a hundred thousand lists", insert(&format!("\"A\":{}", "[".repeat(100_000))), &[400, 413]),
        case("half a surrogate", insert("\"A\":\"\\ud800\""), &[201, 400]),
        case(
            "bytes that are no UTF-8",
            post("/bad", b"{\"PartitionKey\":\"x\",\"RowKey\":\"\xff\"}".to_vec()),
            &[400],
        ),
        case("a number beyond all numbers", insert("\"A\":1e999"), &[400]),
        case("a number that is none", insert("\"A\":NaN"), &[400]),
        case("an Int64 of letters", insert("\"A\":\"many\",\"A@odata.type\":\"Edm.Int64\""), &[400]),
        case(
            "an Int64 beyond 64 bits",
            insert("\"A\":\"9223372036854775808\",\"A@odata.type\":\"Edm.Int64\""),
            &[400],
        ),
        case("a Guid of letters", insert("\"A\":\"guid\",\"A@odata.type\":\"Edm.Guid\""), &[400]),
        case("a date of letters", insert("\"A\":\"soon\",\"A@odata.type\":\"Edm.DateTime\""), &[400]),
        case(
            "the 32nd of a month",
            insert("\"A\":\"2026-01-32T00:00:00Z\",\"A@odata.type\":\"Edm.DateTime\""),
            &[400],
        ),
        case("Binary that is not Base64", insert("\"A\":\"%%%\",\"A@odata.type\":\"Edm.Binary\""), &[400]),
        case("a Boolean of letters", insert("\"A\":\"perhaps\",\"A@odata.type\":\"Edm.Boolean\""), &[400]),
        case("an unknown type", insert("\"A\":\"x\",\"A@odata.type\":\"Edm.Colour\""), &[400]),
        coded("253 properties", insert(&many.join(",")), &[400], "TooManyProperties"),
        case("an entity beyond 1 MiB", insert(&large.join(",")), &[400, 413]),
        case("a property name with a space", insert("\"a b\":1"), &[400]),
        case("a property name of 256 letters", insert(&format!("\"{}\":1", "n".repeat(256))), &[400]),
        case("text that is too long", insert(&format!("\"A\":\"{}\"", "x".repeat(40_000))), &[400]),
        case(
            "another format",
            post("/bad", "<entry/>").header("content-type", "application/atom+xml"),
            &[400, 415],
        ),
        case("a body of 10 MB", post("/bad", vec![b' '; 10 << 20]), &[400, 413]),
    ]
}

fn addresses() -> Vec<Case> {
    let names = [
        ("a parenthesis that stays open", "/bad(PartitionKey='p',RowKey='r'"),
        ("a quote that stays open", "/bad(PartitionKey='p,RowKey='r')"),
        ("a key without a value", "/bad(PartitionKey='p',RowKey=)"),
        ("one key", "/bad(PartitionKey='p')"),
        ("unknown keys", "/bad(Foo='p',Bar='r')"),
        ("the same key twice", "/bad(PartitionKey='p',PartitionKey='r')"),
        ("keys without quotes", "/bad(PartitionKey=p,RowKey=r)"),
        ("a key that is no UTF-8", "/bad(PartitionKey='%FF',RowKey='r')"),
        ("something after the parenthesis", "/bad(PartitionKey='p',RowKey='r')x"),
        ("a path below an entity", "/bad(PartitionKey='p',RowKey='r')/more"),
        ("half an escape", "/bad(PartitionKey='%2',RowKey='r')"),
        ("a table name that is none", "/1!(PartitionKey='p',RowKey='r')"),
    ];
    let mut cases: Vec<Case> =
        names.into_iter().map(|(what, target)| case(what, get(target), &[400, 404])).collect();
    let entity = "/bad(PartitionKey='p',RowKey='r')";
    let delete = |etag: &str| Request::new("DELETE", entity).header("if-match", etag);
    let tunnel = |method: &str| post(entity, "{}").header("x-http-method", method);
    cases.extend([
        case("a deletion without an entity tag", Request::new("DELETE", entity), &[400]),
        case("an entity tag that is none", delete("garbage"), &[400, 412]),
        case("an entity tag of garbage", delete("W/\"datetime'garbage'\""), &[400, 412]),
        case("an unknown tunnelled verb", tunnel("BREW"), &[400]),
        case("a tunnel from another verb", get(entity).header("x-http-method", "DELETE"), &[200, 400]),
        case("an unknown format", get("/bad()?$format=text/csv"), &[200, 400, 415]),
        case("an Accept nobody can meet", get("/bad()").header("accept", "image/png"), &[200, 400, 406, 415]),
    ]);
    cases
}

fn filters() -> Vec<Case> {
    let filter = |text: &str| get(&format!("/bad()?$filter={}", percent_encoded(text)));
    let wrong = [
        ("half a comparison", "A eq"),
        ("an operator alone", "eq"),
        ("an unknown operator", "A like 'x'"),
        ("text without an end", "A eq 'x"),
        ("a parenthesis that stays open", "(A eq 1"),
        ("a parenthesis too many", "A eq 1)"),
        ("a Guid of letters", "A eq guid'letters'"),
        ("a date of letters", "A eq datetime'letters'"),
        ("half a byte", "A eq X'0'"),
        ("a number beyond all numbers", "A eq 99999999999999999999999999L"),
        ("two comparisons without a word between", "A eq 1 B eq 2"),
        ("not alone", "not"),
        ("arithmetic", "A add 1 eq 2"),
    ];
    let mut cases: Vec<Case> =
        wrong.into_iter().map(|(what, text)| case(what, filter(text), &[400])).collect();
    let deep = format!("{}A eq 1{}", "(".repeat(3_000), ")".repeat(3_000));
    let long = vec!["A eq 1"; 500].join(" or ");
    cases.extend([
        case("a function", filter("startswith(A,'x')"), &[400, 501]),
        case("three thousand parentheses", filter(&deep), &[200, 400, 414, 431]),
        case(
            "a thousand times not",
            filter(&format!("{}A eq 1", "not ".repeat(1_000))),
            &[200, 400, 414, 431],
        ),
        case("five hundred comparisons", filter(&long), &[200, 400, 414, 431]),
        case("bytes that are no UTF-8", get("/bad()?$filter=%FF%FE"), &[400]),
        case("a page of nothing", get("/bad()?$top=-1"), &[400]),
        case("a page that is too long", get("/bad()?$top=1001"), &[400]),
        case(
            "a continuation of garbage",
            get("/bad()?NextPartitionKey=garbage&NextRowKey=%FF%00"),
            &[200, 400],
        ),
        case("half a continuation", get("/bad()?NextRowKey=1!4!cg--"), &[200, 400]),
        case("a selection of nothing", get("/bad()?$select=,,,"), &[200, 400]),
    ]);
    cases
}

fn batch(body: impl Into<Vec<u8>>) -> Request {
    post("/$batch", body).header("content-type", "multipart/mixed; boundary=batch_1")
}

/// A batch whose changeset holds these requests.
fn changeset(requests: &[String]) -> String {
    let mut text = String::from("--batch_1\r\nContent-Type: multipart/mixed; boundary=changeset_1\r\n\r\n");
    for request in requests {
        text.push_str(
            "--changeset_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n",
        );
        text.push_str(request);
        text.push_str("\r\n");
    }
    text + "--changeset_1--\r\n--batch_1--\r\n"
}

fn insert(row: usize) -> String {
    let json = format!("{{\"PartitionKey\":\"x\",\"RowKey\":\"{row}\"}}");
    format!(
        "POST http://127.0.0.1/devstoreaccount1/bad HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{json}\r\n"
    )
}

fn batches() -> Vec<Case> {
    let line = |line: &str| changeset(&[format!("{line}\r\n\r\n{{}}\r\n")]);
    let mut cases = vec![
        case("nothing", batch(""), &[400, 411]),
        case("text", batch("hello"), &[400]),
        case("a boundary and nothing else", batch("--batch_1\r\n"), &[400]),
        case("no boundary", post("/$batch", "x").header("content-type", "multipart/mixed"), &[400]),
        case(
            "an empty boundary",
            post("/$batch", "x").header("content-type", "multipart/mixed; boundary="),
            &[400],
        ),
        case("JSON", post("/$batch", "{}"), &[400, 415]),
        case("bytes", batch(vec![0xff; 1_000]), &[400]),
        case("five megabytes", batch(vec![b'x'; 5 << 20]), &[400, 413]),
    ];
    // The next ones are batches by form; their refusal may be inside.
    cases.extend([
        case("an empty changeset", batch(changeset(&[])), &[202, 400]),
        case("a line that is none", batch(line("hello")), &[202, 400]),
        case(
            "another table",
            batch(line("POST http://127.0.0.1/devstoreaccount1/other HTTP/1.1")),
            &[202, 400, 404],
        ),
        case(
            "another account",
            batch(line("POST http://127.0.0.1/other/bad HTTP/1.1")),
            &[202, 400, 403, 404],
        ),
        case(
            "an unknown verb",
            batch(line("BREW http://127.0.0.1/devstoreaccount1/bad HTTP/1.1")),
            &[202, 400],
        ),
        case(
            "a batch in a batch",
            batch(line("POST http://127.0.0.1/devstoreaccount1/$batch HTTP/1.1")),
            &[202, 400],
        ),
        case(
            "a read among writes",
            batch(changeset(&[
                insert(1),
                "GET http://127.0.0.1/devstoreaccount1/bad() HTTP/1.1\r\n\r\n".to_owned(),
            ])),
            &[202, 400],
        ),
        case("101 operations", batch(changeset(&(0..101).map(insert).collect::<Vec<_>>())), &[202, 400]),
        case(
            "ten thousand operations",
            batch(changeset(&(0..10_000).map(insert).collect::<Vec<_>>())),
            &[202, 400, 413],
        ),
    ]);
    cases
}
