//! Bad containers, blobs, ranges, headers and block lists.

use super::{Case, case, coded, get, put};
use crate::client::{Request, request};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = names();
    cases.extend(headers());
    cases.extend(block_lists());
    cases.extend(lists());
    cases
}

fn blob(target: &str) -> Request {
    put(target).header("x-ms-blob-type", "BlockBlob").body("x")
}

fn names() -> Vec<Case> {
    let segments = "a/".repeat(255);
    vec![
        case("a container in capitals", put("/UPPER?restype=container"), &[400]),
        case("a container of two letters", put("/ab?restype=container"), &[400]),
        case("a container of 64 letters", put(&format!("/{}?restype=container", "a".repeat(64))), &[400]),
        case("a container of dots", put("/...?restype=container"), &[400]),
        case("a container that leads up", put("/..?restype=container"), &[400]),
        case("an escaped way up", put("/%2e%2e?restype=container"), &[400]),
        case("a container with a zero byte", put("/abc%00def?restype=container"), &[400]),
        case("a name that leads out of the container", get("/bad/../../etc/passwd"), &[400, 404]),
        case("an escaped name that leads out", get("/bad/%2e%2e/%2e%2e/etc/passwd"), &[400, 404]),
        case("a name of 1025 characters", blob(&format!("/bad/{}", "n".repeat(1_025))), &[400]),
        case("a name of 255 segments", blob(&format!("/bad/{segments}a")), &[400]),
        case("a zero byte in a name", blob("/bad/a%00b"), &[400]),
        case("a control character in a name", blob("/bad/a%01b"), &[400]),
        case("bytes that are no UTF-8", blob("/bad/%FF%FE"), &[400]),
        case("half an escape", blob("/bad/a%2"), &[400]),
        case("an escape that is none", blob("/bad/a%zz"), &[400]),
        case("a percent sign at the end", blob("/bad/a%"), &[400]),
        case("a surrogate in UTF-8", blob("/bad/%ED%A0%80"), &[400]),
        case("an unknown account", Request::new("GET", "x/bad/b"), &[400, 403, 404]),
    ]
}

fn headers() -> Vec<Case> {
    let read = |name: &str, value: &str| get("/bad/b").header(name, value);
    let ranged = |value: &str| read("x-ms-range", value);
    vec![
        case("a range backwards", ranged("bytes=5-2"), &[200, 400, 416]),
        case("a range of letters", ranged("bytes=a-b"), &[200, 400, 416]),
        case("a range of the last bytes", ranged("bytes=-5"), &[200, 400, 416]),
        case("a range of nothing", ranged("bytes="), &[200, 400, 416]),
        case("a range in another unit", ranged("lines=0-1"), &[200, 400, 416]),
        case("two ranges", ranged("bytes=0-1,3-4"), &[200, 206, 400, 416]),
        case(
            "a range beyond all numbers",
            ranged("bytes=0-99999999999999999999999999"),
            &[200, 206, 400, 416],
        ),
        case("a start beyond all numbers", ranged("bytes=99999999999999999999999999-"), &[200, 400, 416]),
        coded("a range beyond the end", ranged("bytes=10-11"), &[416], "InvalidRange"),
        case("a date that is none", read("if-modified-since", "soon"), &[200, 400]),
        case(
            "a date before all time",
            read("if-modified-since", "Mon, 01 Jan 0001 00:00:00 GMT"),
            &[200, 400],
        ),
        case("an entity tag without an end", read("if-match", "\"half"), &[400, 412]),
        case("an empty entity tag", read("if-match", ""), &[200, 400, 412]),
        case("a hundred entity tags", read("if-none-match", &["\"x\""; 100].join(", ")), &[200, 400]),
        case("a version that is no date", read("x-ms-version", "2026-13"), &[400]),
        case("a version of letters", read("x-ms-version", "abcd-ef-gh"), &[400]),
        case(
            "a very long client request id",
            read("x-ms-client-request-id", &"i".repeat(2_000)),
            &[200, 400],
        ),
        case("a header of 100 kB", read("x-ms-meta-long", &"x".repeat(100_000)), &[200, 400, 431]),
        case("an MD5 that is not Base64", blob("/bad/c").header("content-md5", "!!!"), &[400]),
        case("a CRC that is too short", blob("/bad/c").header("x-ms-content-crc64", "AAAA"), &[400]),
        case("an unknown kind of blob", put("/bad/c").header("x-ms-blob-type", "Round").body("x"), &[400]),
        case("metadata without a name", blob("/bad/c").header("x-ms-meta-", "x"), &[400]),
        case("metadata beyond 8 KiB", blob("/bad/c").header("x-ms-meta-a", &"x".repeat(9_000)), &[400, 431]),
        case(
            "metadata twice",
            blob("/bad/c").header("x-ms-meta-a", "1").header("X-MS-Meta-A", "2"),
            &[400, 403],
        ),
        case("an unknown verb", Request::new("BREW", "/bad/b"), &[400, 405]),
        case("POST to a blob", Request::new("POST", "/bad/b").body("x"), &[400, 405]),
        case("an unknown comp", put("/bad/b?comp=everything").body("x"), &[400]),
        case("comp twice", put("/bad/b?comp=metadata&comp=properties").body("x"), &[200, 400, 403]),
        case("an unknown restype", get("/bad?restype=bucket"), &[400, 404]),
    ]
}

fn block_list(xml: impl Into<Vec<u8>>) -> Request {
    put("/bad/c?comp=blocklist").body(xml)
}

fn block_lists() -> Vec<Case> {
    let entry = format!("<Latest>{}</Latest>", request::block_id(1));
    let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbbbbbbbb\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;\">]>\
                <BlockList><Latest>&c;&c;&c;</Latest></BlockList>";
    vec![
        case("no list", block_list(""), &[400, 411]),
        case("text", block_list("hello"), &[400]),
        case("another root", block_list("<List/>"), &[400]),
        case("a list without an end", block_list("<BlockList><Latest>AAAA</Latest>"), &[400]),
        case("an unknown entry", block_list("<BlockList><Newest>AAAA</Newest></BlockList>"), &[400]),
        case("two roots", block_list("<BlockList></BlockList><BlockList></BlockList>"), &[400]),
        case("an entity bomb", block_list(bomb), &[400]),
        case(
            "an entity from a file",
            block_list(
                "<!DOCTYPE a [<!ENTITY f SYSTEM \"file:///etc/passwd\">]><BlockList><Latest>&f;</Latest></BlockList>",
            ),
            &[400],
        ),
        case(
            "bytes that are no UTF-8",
            block_list(b"<BlockList><Latest>\xff\xfe</Latest></BlockList>".to_vec()),
            &[400],
        ),
        case("an id that is not Base64", block_list("<BlockList><Latest>???</Latest></BlockList>"), &[400]),
        case("a hundred thousand elements deep", block_list("<a>".repeat(100_000)), &[400, 413]),
        case(
            "50,001 entries",
            block_list(format!("<BlockList>{}</BlockList>", entry.repeat(50_001))),
            &[400, 413],
        ),
        case("comments without an end", block_list("<BlockList><!-- ".repeat(1_000)), &[400]),
        coded(
            "a block nobody staged",
            block_list(format!("<BlockList>{entry}</BlockList>")),
            &[400],
            "InvalidBlockList",
        ),
        case("a block id that is not Base64", put("/bad/c?comp=block&blockid=%3F%3F%3F").body("x"), &[400]),
        case("an empty block id", put("/bad/c?comp=block&blockid=").body("x"), &[400]),
        case(
            "a block id of 66 bytes",
            put(&format!("/bad/c?comp=block&blockid={}", "AAAA".repeat(22))).body("x"),
            &[400],
        ),
        case("an unknown kind of list", get("/bad/b?comp=blocklist&blocklisttype=some"), &[400]),
    ]
}

fn lists() -> Vec<Case> {
    let list = |query: &str| get(&format!("/bad?restype=container&comp=list&{query}"));
    vec![
        coded("a page of nothing", list("maxresults=0"), &[400], "OutOfRangeQueryParameterValue"),
        case("a page of less than nothing", list("maxresults=-1"), &[400]),
        case("a page beyond all numbers", list("maxresults=99999999999999999999"), &[200, 400]),
        case("a page of letters", list("maxresults=ten"), &[400]),
        case("a marker that is none", list("marker=%FF%00garbage"), &[200, 400]),
        case("an unknown include", list("include=everything"), &[400]),
        case("a prefix that is no UTF-8", list("prefix=%FF"), &[200, 400]),
        case("a long delimiter", list(&format!("delimiter={}", "d".repeat(5_000))), &[200, 400]),
    ]
}
