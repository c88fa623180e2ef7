//! `linarite operations`: what is served, and what it takes to be let in.
//!
//! Nothing is written down here: the rows are those by which requests are answered, the letters and roles those by
//! which they are judged. So what is printed cannot differ from what is done.

use api::auth::permit::requirement;
use api::auth::role::{ROLES, Role, actions};
use api::operation::Asked;
use std::fmt::Write as _;

/// The names of the columns.
const HEADER: &str = "SERVICE\tOPERATION\tVERB\tRIGHT\tACCOUNT SAS\tOTHER SAS\tROLES\n";

/// Every operation that is built, one line each behind a header, with tabs between columns: what tests of coverage and
/// the curious read.
pub(super) fn operations() -> String {
    let mut lines = HEADER.to_owned();
    for (name, asked) in api::operations() {
        let Asked { service, method, level, access, .. } = asked;
        let (account, other) = match requirement(service, level, access) {
            Some(needed) if needed.account.is_empty() => (None, letters(needed.resource)),
            Some(needed) => {
                let on = |letters| format!("{letters} ({})", needed.types);
                (letters(needed.account).map(on), letters(needed.resource))
            }
            None => (None, None),
        };
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        // Writing into a string cannot fail.
        let _ = writeln!(
            lines,
            "{}\t{name}\t{method}\t{access:?}\t{}\t{}\t{}",
            service.label(),
            or_none(account),
            or_none(other),
            or_none(roles(asked))
        );
    }
    lines
}

/// Sets of letters, one of which suffices; none: no signature does.
fn letters(sets: &[&str]) -> Option<String> {
    let sets: Vec<&str> = sets.iter().map(|set| if set.is_empty() { "any" } else { *set }).collect();
    (!sets.is_empty()).then(|| sets.join(" or "))
}

/// The roles each of which suffices by itself; none: no role does.
fn roles(asked: Asked) -> Option<String> {
    let ways = actions(asked)?;
    if ways.iter().any(|way| way.is_empty()) {
        return Some("any".to_owned());
    }
    let suffices = |role: &&Role| ways.iter().any(|way| way.iter().all(|action| role.allows(*action)));
    let names: Vec<&str> = ROLES.iter().filter(suffices).map(|role| role.name).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_all_columns_and_says_what_suffices() {
        let text = operations();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
        assert!(lines.iter().all(|line| line.len() == lines[0].len()));
        let of = |name: &str| lines.iter().find(|line| line[1] == name).unwrap().clone();
        let get = of("GetBlob");
        assert_eq!(get[..6], ["blob", "GetBlob", "GET", "Read", "r (o)", "r"]);
        assert!(get[6].contains("Storage Blob Data Reader") && !get[6].contains("Queue"), "{get:?}");
        let put = of("PutMessage");
        assert_eq!(put[4..6], ["a (o)", "a"]);
        assert!(
            put[6].contains("Storage Queue Data Message Sender") && !put[6].contains("Reader"),
            "{put:?}"
        );
    }
}
