//! What must not be said: values that open doors, in texts for clients and for the log.
//!
//! Errors repeat what was sent, because that helps: the string that was to be signed, the header that is wrong. Some of
//! what is sent is a secret, which then stands in logs of clients, tickets and screenshots. It is taken out in one
//! place, where texts leave, and not where errors are made: there are hundreds of those, and each could forget it.

use crate::header;
use std::fmt::Write as _;

/// Stands for what is not said.
pub(crate) const HIDDEN: &str = "...";

/// What begins a signature in an address.
const SIGNATURE: &str = "sig=";

/// Whether the header's value opens doors: credentials, and keys of content.
pub(crate) fn is_header(name: &str) -> bool {
    name == header::AUTHORIZATION
        || (name.starts_with(header::X_MS) && (name.ends_with("-key") || name.ends_with("-authorization")))
}

/// Whether the query parameter's value opens doors.
pub(crate) fn is_parameter(name: &str) -> bool {
    name.eq_ignore_ascii_case("sig")
}

/// The text without secrets: `name:value` lines of secret headers and parameters, and signatures in addresses.
pub(crate) fn hidden(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match line.split_once(':') {
            Some((name, _)) if is_header(name) || is_parameter(name) => {
                let end = if line.ends_with('\n') { "\n" } else { "" };
                // Writing to a string cannot fail.
                let _ = write!(shown, "{name}:{HIDDEN}{end}");
            }
            _ => push_without_signatures(line, &mut shown),
        }
    }
    shown
}

fn push_without_signatures(line: &str, shown: &mut String) {
    let mut rest = line;
    let lower = line.to_ascii_lowercase();
    // Lower case has the same bytes at the same places.
    while let Some(at) = lower.get(lower.len() - rest.len()..).and_then(|rest| rest.find(SIGNATURE)) {
        let (before, value) = rest.split_at_checked(at + SIGNATURE.len()).unwrap_or((rest, ""));
        shown.push_str(before);
        shown.push_str(HIDDEN);
        let end = value.find(|c: char| c.is_whitespace() || "&'\"<>;,".contains(c));
        rest = end.and_then(|end| value.get(end..)).unwrap_or_default();
    }
    shown.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_out_and_nothing_else_is() {
        for (text, shown) in [
            ("", ""),
            ("PUT\n\nx-ms-date:now\n", "PUT\n\nx-ms-date:now\n"),
            (
                "x-ms-encryption-key:AAAA\nx-ms-encryption-key-sha256:BB",
                "x-ms-encryption-key:...\nx-ms-encryption-key-sha256:BB",
            ),
            ("x-ms-copy-source-authorization:Bearer abc\n/acc", "x-ms-copy-source-authorization:...\n/acc"),
            ("a\nsig:AAAA'.", "a\nsig:..."),
            (
                "x-ms-copy-source:http://h/c/b?sv=1&sig=A%2B%3D&se=2\nüber sig=x",
                "x-ms-copy-source:http://h/c/b?sv=1&sig=...&se=2\nüber sig=...",
            ),
            ("'http://h?SIG=A' and sig=", "'http://h?SIG=...' and sig=..."),
            ("authorization:SharedKey a:b", "authorization:..."),
        ] {
            assert_eq!(hidden(text), shown, "{text}");
        }
    }
}
