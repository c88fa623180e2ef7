//! What a signature can be for: a resource of a service, in each of the forms that the pages know.

use super::requests::{Fact, MOMENT, Unsigned};
use super::rights::{FAILED, Refusal, Sets};
use super::sign::Shape;
use super::world::ACCOUNT;
use api::ServiceKind;
use api::target::Level;

/// The shapes of a service's signatures on `place`.
pub(crate) fn shapes(service: ServiceKind, place: &str) -> Vec<Shape> {
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
pub(crate) fn reaches(fact: &Fact, shape: &Shape) -> bool {
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
pub(crate) fn judged(fact: &Fact, shape: &Shape, sets: &Sets, letters: &str) -> Refusal {
    if reaches(fact, shape) { sets.judge(letters) } else { FAILED }
}

/// A request for what a signature of this shape could open, at `place`.
pub(crate) fn request_for(fact: &Fact, shape: &Shape, place: &str) -> Unsigned {
    fact.request(ACCOUNT, place, past(shape).filter(|past| fact.may_name(past)))
}
