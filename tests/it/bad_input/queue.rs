//! Bad queues, messages, receipts and times.

use super::{Case, case, coded, get, post, put};
use crate::client::{Request, request};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = names();
    cases.extend(message_bodies());
    cases.extend(parameters());
    cases
}

fn names() -> Vec<Case> {
    vec![
        case("a queue in capitals", put("/UPPER"), &[400]),
        case("a queue of two letters", put("/ab"), &[400]),
        case("a queue of 64 letters", put(&format!("/{}", "a".repeat(64))), &[400]),
        case("a queue with a zero byte", put("/abc%00"), &[400]),
        case("a queue with two dashes", put("/a--b"), &[400]),
        case("half an escape", put("/abc%2"), &[400]),
        case("a path that is too deep", get("/bad/messages/a/b/c"), &[400, 404, 405]),
        case("something else than messages", get("/bad/letters"), &[400, 404, 405]),
        case("an unknown verb", Request::new("BREW", "/bad/messages"), &[400, 405]),
    ]
}

fn message_bodies() -> Vec<Case> {
    let message = |text: &str| {
        post("/bad/messages", format!("<QueueMessage><MessageText>{text}</MessageText></QueueMessage>"))
    };
    vec![
        case("no message", post("/bad/messages", ""), &[400, 411]),
        case("text", post("/bad/messages", "hello"), &[400]),
        case("JSON", post("/bad/messages", "{\"MessageText\":\"x\"}"), &[400]),
        case("another root", post("/bad/messages", "<Message/>"), &[400]),
        case("a message without text", post("/bad/messages", "<QueueMessage></QueueMessage>"), &[201, 400]),
        case("a message without an end", post("/bad/messages", "<QueueMessage><MessageText>x"), &[400]),
        case(
            "bytes that are no UTF-8",
            post("/bad/messages", b"<QueueMessage><MessageText>\xff</MessageText></QueueMessage>".to_vec()),
            &[400],
        ),
        case("a reference to no character", message("&#x0;"), &[201, 400]),
        case("an unknown entity", message("&nothing;"), &[400]),
        case("elements in the text", message("<a><b/></a>"), &[400]),
        case("64 KiB and one", message(&"x".repeat(65_537)), &[400, 413]),
        case("a megabyte", message(&"x".repeat(1 << 20)), &[400, 413]),
        case("ten megabytes", message(&"x".repeat(10 << 20)), &[400, 413]),
        case("a hundred thousand elements deep", post("/bad/messages", "<a>".repeat(100_000)), &[400, 413]),
    ]
}

fn parameters() -> Vec<Case> {
    let messages = |query: &str| get(&format!("/bad/messages?{query}"));
    let sent = |query: &str| {
        post(&format!("/bad/messages?{query}"), "<QueueMessage><MessageText>x</MessageText></QueueMessage>")
    };
    let id = "c9da6455-213d-42c9-9a79-3e9149a57833";
    let update = |query: &str| put(&format!("/bad/messages/{id}?{query}"));
    vec![
        coded("33 messages", messages("numofmessages=33"), &[400], "OutOfRangeQueryParameterValue"),
        case("minus one messages", messages("numofmessages=-1"), &[400]),
        case("messages beyond all numbers", messages("numofmessages=99999999999999999999"), &[400]),
        case("some messages", messages("numofmessages=some"), &[400]),
        case("half a peek", messages("peekonly=maybe"), &[200, 400]),
        case("hidden for less than nothing", messages("visibilitytimeout=-1"), &[400]),
        case("hidden beyond all numbers", messages("visibilitytimeout=99999999999999999999"), &[400]),
        case("sent for less than nothing", sent("messagettl=-2"), &[400]),
        case("sent for no time", sent("messagettl=0"), &[400]),
        case("sent beyond all numbers", sent("messagettl=99999999999999999999"), &[400]),
        case("hidden for longer than alive", sent("messagettl=5&visibilitytimeout=10"), &[400]),
        case("hidden for a year", sent("visibilitytimeout=31536000"), &[400]),
        case("no receipt", Request::new("DELETE", &format!("/bad/messages/{id}")), &[400]),
        case("a receipt of nothing", request::delete_message("bad", id, "AAAA"), &[400, 404]),
        case("a receipt of garbage", request::delete_message("bad", id, "\u{0}\u{1}ü%/?"), &[400, 404]),
        case("a very long receipt", request::delete_message("bad", id, &"A".repeat(4_000)), &[400, 404]),
        case("an id that is none", request::delete_message("bad", "not-a-guid", "AAAA"), &[400, 404]),
        case("an update without a time", update("popreceipt=AAAA"), &[400]),
        case("an update without a receipt", update("visibilitytimeout=0"), &[400]),
        case(
            "an update of garbage",
            update("popreceipt=AAAA&visibilitytimeout=0").body("<Queue"),
            &[400, 404],
        ),
        case("a marker that is none", get("/?comp=list&marker=%00%01"), &[200, 400]),
        case("a page of nothing", get("/?comp=list&maxresults=0"), &[400]),
        case("an unknown comp", get("/bad?comp=everything"), &[400]),
    ]
}
