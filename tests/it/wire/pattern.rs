//! Placeholders: what may differ from run to run, and how it must look.
//!
//! | placeholder | stands for |
//! |---|---|
//! | `{any}` | any text, also none |
//! | `{date}` | a date of an HTTP header, `Sun, 06 Nov 1994 08:49:37 GMT` |
//! | `{iso}` | `2026-01-02T03:04:05.1234567Z`, up to seven digits of fraction |
//! | `{guid}` | five groups of hexadecimal digits |
//! | `{quoted}` | text in double quotes without white space: an entity tag |
//! | `{word}` | text without white space, quotes, `<` and `>` |
//! | `{weak}` | an entity tag of the table service |
//! | `{number}` | decimal digits |
//! | `{base64}` | Base64 text |
//! | `{x=word}` | as `{word}`; the text is from then on the value of `{x}` |
//! | `{x}` | the value of `x`, literally |
//! | `{x:url}` | the value of `x`, percent-encoded (in requests) |
//! | `{repeat:c:n}` | the character `c`, `n` times (in requests) |
//!
//! Braces around anything else are themselves, so JSON needs no escaping. In an expected body a line `...` is
//! `{any}` including the line breaks around it.

use std::collections::HashMap;

use crate::sign::percent_encoded;

pub(crate) type Variables = HashMap<String, String>;

const KINDS: [&str; 9] = ["any", "date", "iso", "guid", "quoted", "word", "weak", "number", "base64"];

enum Part {
    Literal(String),
    Kind { kind: &'static str, capture: Option<String> },
}

/// Replaces variables in a request.
pub(crate) fn substitute(text: &str, variables: &Variables) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, name, after)) = next_brace(rest) {
        result.push_str(before);
        result.push_str(&replacement(name, variables).unwrap_or_else(|| format!("{{{name}}}")));
        rest = after;
    }
    result.push_str(rest);
    result
}

fn replacement(name: &str, variables: &Variables) -> Option<String> {
    if let Some(repeat) = name.strip_prefix("repeat:") {
        let (text, count) = repeat.split_once(':')?;
        return Some(text.repeat(count.parse().ok()?));
    }
    if let Some(name) = name.strip_suffix(":url") {
        return variables.get(name).map(|value| percent_encoded(value));
    }
    variables.get(name).cloned()
}

/// The next `{...}` of simple characters: text before it, its content, text after it.
fn next_brace(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(open) = text[from..].find('{').map(|at| from + at) {
        let inner = &text[open + 1..];
        let length = inner.find(|c: char| !(c.is_ascii_alphanumeric() || "=:_-".contains(c)));
        if let Some(length) = length.filter(|&length| length > 0 && inner[length..].starts_with('}')) {
            return Some((&text[..open], &inner[..length], &inner[length + 1..]));
        }
        from = open + 1;
    }
    None
}

/// Whether the text has the form of the pattern; captures enter the variables if it has.
pub(crate) fn matches(pattern: &str, text: &str, variables: &mut Variables) -> bool {
    let parts = parse(pattern, variables);
    let mut captured = Vec::new();
    if !match_parts(&parts, text, &mut captured) {
        return false;
    }
    variables.extend(captured);
    true
}

fn parse(pattern: &str, variables: &Variables) -> Vec<Part> {
    let pattern = dots(pattern);
    let mut parts = Vec::new();
    let mut rest = pattern.as_str();
    while let Some((before, name, after)) = next_brace(rest) {
        push_literal(&mut parts, before);
        let (capture, kind) = name.split_once('=').map_or((None, name), |(name, kind)| (Some(name), kind));
        match KINDS.iter().find(|known| **known == kind) {
            Some(kind) => parts.push(Part::Kind { kind, capture: capture.map(str::to_owned) }),
            None => push_literal(
                &mut parts,
                &replacement(name, variables).unwrap_or_else(|| format!("{{{name}}}")),
            ),
        }
        rest = after;
    }
    push_literal(&mut parts, rest);
    parts
}

/// Lines of three dots, as `{any}` without the line breaks at its sides.
fn dots(pattern: &str) -> String {
    let mut result = String::new();
    let mut glue = true;
    for line in pattern.split('\n') {
        if line == "..." {
            result.push_str("{any}");
            glue = true;
            continue;
        }
        if !glue {
            result.push('\n');
        }
        result.push_str(line);
        glue = false;
    }
    result
}

fn push_literal(parts: &mut Vec<Part>, text: &str) {
    if text.is_empty() {
        return;
    }
    match parts.last_mut() {
        Some(Part::Literal(literal)) => literal.push_str(text),
        _ => parts.push(Part::Literal(text.to_owned())),
    }
}

fn match_parts(parts: &[Part], text: &str, captured: &mut Vec<(String, String)>) -> bool {
    let Some((first, rest)) = parts.split_first() else { return text.is_empty() };
    match first {
        Part::Literal(literal) => {
            text.strip_prefix(literal.as_str()).is_some_and(|text| match_parts(rest, text, captured))
        }
        Part::Kind { kind, capture } => {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            for end in ends {
                let (taken, left) = text.split_at(end);
                if !may_follow(rest, left) || !is_kind(kind, taken) {
                    continue;
                }
                let depth = captured.len();
                if let Some(name) = capture {
                    captured.push((name.clone(), taken.to_owned()));
                }
                if match_parts(rest, left, captured) {
                    return true;
                }
                captured.truncate(depth);
            }
            false
        }
    }
}

/// A cheap test that spares most of the backtracking.
fn may_follow(parts: &[Part], text: &str) -> bool {
    match parts.first() {
        Some(Part::Literal(literal)) => text.starts_with(literal.as_str()),
        Some(Part::Kind { .. }) => true,
        None => text.is_empty(),
    }
}

fn is_kind(kind: &str, text: &str) -> bool {
    match kind {
        "any" => true,
        "number" => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()),
        "word" => !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || "\"<>".contains(c)),
        "quoted" => {
            text.len() > 2
                && text.starts_with('"')
                && text.ends_with('"')
                && is_kind("word", &text[1..text.len() - 1])
        }
        "base64" => is_base64(text),
        "guid" => has_form(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"),
        "date" => has_form(text, "aaa, 00 aaa 0000 00:00:00 GMT"),
        "iso" => is_iso(text),
        "weak" => weak_time(text).is_some_and(|time| is_iso(&time.replace("%3A", ":"))),
        other => panic!("no placeholder {other:?}"),
    }
}

fn weak_time(text: &str) -> Option<&str> {
    text.strip_prefix("W/\"datetime'")?.strip_suffix("'\"")
}

fn is_base64(text: &str) -> bool {
    text.len().is_multiple_of(4)
        && !text.is_empty()
        && text
            .trim_end_matches('=')
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
}

fn is_iso(text: &str) -> bool {
    let Some(text) = text.strip_suffix('Z') else { return false };
    let (time, fraction) = text.split_once('.').unwrap_or((text, "0"));
    has_form(time, "0000-00-00T00:00:00") && fraction.len() <= 7 && is_kind("number", fraction)
}

/// `0` is a digit, `x` a hexadecimal digit, `a` a letter, everything else itself.
fn has_form(text: &str, form: &str) -> bool {
    let fits = |(found, wanted): (u8, u8)| match wanted {
        b'0' => found.is_ascii_digit(),
        b'x' => found.is_ascii_hexdigit(),
        b'a' => found.is_ascii_alphabetic(),
        other => found == other,
    };
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str) -> Option<Variables> {
        let mut variables = Variables::from([("known".to_owned(), "a b".to_owned())]);
        matches(pattern, text, &mut variables).then_some(variables)
    }

    #[test]
    fn kinds_accept_their_form_and_nothing_else() {
        assert!(check("{date}", "Sun, 06 Nov 1994 08:49:37 GMT").is_some());
        assert!(check("{date}", "1994-11-06").is_none());
        assert!(check("{weak}", "W/\"datetime'2026-01-02T03%3A04%3A05.1234567Z'\"").is_some());
        assert!(check("{quoted}", "\"0x8D\"").is_some());
        assert!(check("{quoted}", "0x8D").is_none());
        assert!(check("{guid}", "c9da6455-213d-42c9-9a79-3e9149a57833").is_some());
        assert!(check("{iso}", "2026-01-02T03:04:05.12345678Z").is_none());
    }

    #[test]
    fn captures_are_known_afterwards() {
        let variables = check("<a>{x=word}</a><b>{known}</b>", "<a>1</a><b>a b</b>").expect("it matches");
        assert_eq!(variables["x"], "1");
        assert_eq!(
            substitute("{x}/{known:url}/{repeat:y:3}/{\"json\":{}}", &variables),
            "1/a%20b/yyy/{\"json\":{}}"
        );
    }

    #[test]
    fn three_dots_stand_for_whatever_is_between() {
        assert!(check("...\n<b/>\n...\n<c/>", "<a/><b/>xyz<c/>").is_some());
        assert!(check("...\n<c/>\n...\n<b/>", "<a/><b/>xyz<c/>").is_none());
        assert!(check("{\"a\":{number}}", "{\"a\":12}").is_some());
    }
}
