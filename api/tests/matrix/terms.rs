//! Terms that hold, and all that can be wrong with the terms of a signature, of whatever kind it is.

use crate::rights::{ADDRESS, FAILED, PROTOCOL, Refusal};
use crate::sign::Terms;

/// Holds from an hour ago until in an hour.
pub(crate) fn terms(letters: &str) -> Terms {
    Terms {
        letters: letters.to_owned(),
        start: "2026-11-22T11:00:00Z",
        expiry: "2026-11-22T13:00:00Z",
        ..Terms::default()
    }
}

/// What can be wrong with the terms of any signature in an address, and what is then answered.
pub(crate) fn wrong_terms(letters: &str) -> [(&'static str, Terms, Refusal); 6] {
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
