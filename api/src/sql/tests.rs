//! Statements on records: what they give, and what they are refused for.

use super::evaluate::Scene;
use super::{Fault, Record, Selection, Value, moment, parse};
use std::sync::Arc;

fn json(text: &str) -> Record {
    Record::Tree(serde_json::from_str(text).unwrap())
}

fn delimited(names: &[&str], fields: &[&str]) -> Record {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Record::Delimited(
        csv::ByteRecord::from(fields.to_vec()),
        Some(Arc::new(super::record::Names::new(names))),
    )
}

fn value(expression: &str, record: &Record) -> Result<Value, Fault> {
    let statement = parse(&format!("SELECT {expression} FROM BlobStorage"))
        .unwrap_or_else(|error| panic!("{expression}: {error}"));
    let Selection::Items(items) = statement.selection else { panic!("{expression} is one item") };
    let now = moment::parse("2026-11-22T10:00Z").unwrap();
    Scene { record, now }.value(&items[0].expression)
}

fn shows(expression: &str, record: &Record, expected: &str) {
    assert_eq!(value(expression, record).unwrap().text(), expected, "{expression}");
}

#[test]
fn functions_do_what_their_page_says() {
    let row = delimited(&["a", "B c"], &["1", "two"]);
    for (expression, expected) in [
        ("CHARACTER_LENGTH('abcdefg')", "7"),
        ("CHAR_LENGTH(_1)", "1"),
        ("LOWER('AbCdEfG')", "abcdefg"),
        ("UPPER('AbCdEfG')", "ABCDEFG"),
        ("SUBSTRING('123456789', 1, 5)", "23456"),
        ("TRIM(BOTH '123' FROM '1112211Microsoft22211122')", "Microsoft"),
        ("TRIM('  x ')", "x"),
        ("TRIM(LEADING FROM '  x ')", "x "),
        ("TRIM(TRAILING 'x' FROM 'axx')", "a"),
        ("DATE_ADD('minute', 1, CAST('2017-01-02T03:04:05.006Z' AS TIMESTAMP))", "2017-01-02T03:05:05.006Z"),
        ("DATE_DIFF('hour','2018-11-09T00:00+05:30','2018-11-09T01:00:23-08:00')", "14"),
        ("EXTRACT(YEAR FROM '2010-01-01T')", "2010"),
        ("TO_STRING(CAST('1969-07-20T20:18Z' AS TIMESTAMP), 'MMMM d, y')", "July 20, 1969"),
        ("TO_TIMESTAMP('2007T')", "2007-01-01T00:00:00Z"),
        ("UTCNOW()", "2026-11-22T10:00:00Z"),
        ("COALESCE(NULLIF(a, 1), \"B c\")", "two"),
        ("CAST('2020-01-01' AS TIMESTAMP) + 31", "2020-02-01T00:00:00Z"),
    ] {
        shows(expression, &row, expected);
    }
}

#[test]
fn operators_bind_as_everywhere() {
    let row = delimited(&["n"], &["7"]);
    for (expression, expected) in [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("10 - 3 - 2", "5"),
        ("-n % 4", "-3"),
        ("7 / 2", "3"),
        ("7 / 2.0", "3.5"),
        ("n = 7 AND NOT n > 7 OR n IS NULL", "true"),
        ("n BETWEEN 7 AND 8", "true"),
        ("n NOT IN (1, 2, '7')", "false"),
        ("'a_c%' LIKE 'a!_%!%' ESCAPE '!'", "true"),
        ("'abc' LIKE '%b_'", "true"),
        ("'abc' NOT LIKE 'b%'", "true"),
        ("n <> 7", "false"),
    ] {
        shows(expression, &row, expected);
    }
}

#[test]
fn nothing_is_neither_true_nor_false() {
    let record = json(r#"{"null": null, "one": 1}"#);
    for (expression, expected) in [
        ("gone IS MISSING", Value::Boolean(true)),
        ("\"null\" IS MISSING", Value::Boolean(false)),
        ("\"null\" IS NULL", Value::Boolean(true)),
        ("gone = 1", Value::Null),
        ("gone = 1 OR one = 1", Value::Boolean(true)),
        ("gone = 1 AND one = 2", Value::Boolean(false)),
        ("one IN (2, gone)", Value::Null),
        ("gone + 1", Value::Null),
    ] {
        assert_eq!(value(expression, &record).unwrap(), expected, "{expression}");
    }
}

#[test]
fn paths_lead_into_json() {
    let record = json(r#"{"id": 1, "Tags": ["a", "b"], "warehouses": [{"latitude": 41.8}], "x y": true}"#);
    shows("warehouses[0].latitude", &record, "41.8");
    shows("tags[1]", &record, "b");
    shows("\"x y\"", &record, "true");
    assert_eq!(value("\"tags\"", &record).unwrap(), Value::Missing);
    assert_eq!(value("id.inner", &record).unwrap(), Value::Missing);
}

#[test]
fn a_path_behind_from_takes_arrays_apart() {
    let statement = parse("SELECT latitude FROM BlobStorage[*].warehouses[*]").unwrap();
    let tree = serde_json::json!({"warehouses": [{"latitude": 1}, {"latitude": 2}]});
    let mut found = Vec::new();
    super::record::unfold(tree, &statement.from, &mut |value| {
        found.push(value["latitude"].as_i64().unwrap());
        Ok(())
    })
    .unwrap();
    assert_eq!(found, [1, 2]);
}

#[test]
fn what_a_record_cannot_answer_is_a_fault_of_it() {
    let row = delimited(&["a"], &["x"]);
    for (expression, name) in [
        ("_2", "InvalidColumnOrdinal"),
        ("a > 250", "InvalidTypeConversion"),
        ("1 / 0", "ArithmeticOverflow"),
        ("9223372036854775807 + 1", "ArithmeticOverflow"),
        ("CAST(a AS TIMESTAMP)", "InvalidTypeConversion"),
        ("TO_STRING('2007', 'Q')", "InvalidFormat"),
    ] {
        let fault = value(expression, &row).unwrap_err();
        assert_eq!((fault.name, fault.fatal), (name, false), "{expression}");
    }
}

#[test]
fn statements_that_cannot_be_are_refused() {
    for bad in [
        "",
        "DELETE FROM BlobStorage",
        "SELECT FROM BlobStorage",
        "SELECT * FROM Other",
        "SELECT * FROM BlobStorage.a",
        "SELECT a, COUNT(*) FROM BlobStorage",
        "SELECT a[*] FROM BlobStorage",
        "SELECT * FROM BlobStorage WHERE",
        "SELECT * FROM BlobStorage LIMIT x",
        "SELECT * FROM BlobStorage LIMIT 1 2",
        "SELECT NOSUCH(1) FROM BlobStorage",
        "SELECT SUBSTRING(1) FROM BlobStorage",
        "SELECT sys.split(0) FROM BlobStorage",
        "SELECT DATE_ADD('timezone_hour', 1, a) FROM BlobStorage",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn depth_is_bounded_however_it_comes_about() {
    let wide = |part: &str, count: usize| format!("SELECT {}a FROM BlobStorage", part.repeat(count));
    for part in ["(", "NOT ", "-", "a + ", "a OR ", "a AND ", "LOWER(", "a = a OR NOT "] {
        assert!(parse(&wide(part, 100_000)).is_err(), "{part}");
    }
    let deepest = format!("{}{}1{}", "1 + ".repeat(250), "(".repeat(60), ")".repeat(60));
    shows(&deepest, &json("{}"), "251");
    let many = vec!["1"; 10_000].join(",");
    assert!(parse(&format!("SELECT * FROM BlobStorage WHERE a IN ({many})")).is_ok());
}
