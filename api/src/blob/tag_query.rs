//! The parameter `where` of *Find Blobs by Tags*: its grammar. Page "Find Blobs by Tags".
//!
//! ```text
//! where      = comparison *( "AND" comparison )
//! comparison = name operator value | "@container" "=" value
//! name       = letters, digits, "_"  |  '"' any characters of a tag '"'
//! operator   = "=" | ">" | ">=" | "<" | "<="
//! value      = "'" any characters of a tag "'"
//! ```
//!
//! The grammar of the header `x-ms-if-tags` is another one: it has `OR`, `NOT`, `<>` and parentheses, and knows no
//! containers. A search refuses those, as the service does; a search that silently found more or less than was meant
//! would be worse than none.

use crate::error::StorageError;
use crate::tags::is_permitted;
use std::collections::BTreeSet;
use storage_engine::blob::{TagComparison, TagExpression};
use storage_engine::name::ContainerName;

/// What is to be found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TagQuery {
    /// Only in this container.
    pub(super) container: Option<ContainerName>,
    /// What the tags must be.
    pub(super) expression: TagExpression,
    /// The tags that the expression names.
    pub(super) names: BTreeSet<String>,
}

/// Most bytes of a query: as long as an address may be anyway.
const QUERY_BYTES_MAX: usize = 16 << 10;

/// Reads a query. `containers`: whether it may name a container.
///
/// # Errors
/// `InvalidQueryParameterValue`, with what is wrong.
pub(super) fn parse(text: &str, containers: bool) -> Result<TagQuery, StorageError> {
    let refuse = |reason: &str| StorageError::invalid_query("where", text, reason);
    if text.len() > QUERY_BYTES_MAX {
        return Err(refuse("The query is too long."));
    }
    let (mut container, mut expression, mut names) = (None, None, BTreeSet::new());
    let mut rest = text;
    loop {
        let comparison = Comparison::take(&mut rest).map_err(refuse)?;
        if comparison.name == "@container" && !comparison.quoted {
            if !containers || container.is_some() || comparison.operator != TagComparison::Equal {
                return Err(refuse("A container is named once, by '=', and not in a container."));
            }
            let name = ContainerName::parse(&comparison.value);
            container = Some(name.map_err(|_| refuse("The container's name is none."))?);
        } else {
            names.insert(comparison.name.clone());
            let Comparison { name: key, operator, value, .. } = comparison;
            let one = TagExpression::Compare { key, comparison: operator, value };
            expression = Some(match expression {
                None => one,
                Some(before) => TagExpression::And(Box::new(before), Box::new(one)),
            });
        }
        rest = rest.trim_start();
        if rest.is_empty() {
            break;
        }
        rest = after_and(rest).ok_or_else(|| refuse("Comparisons are joined by AND."))?;
    }
    let expression = expression.ok_or_else(|| refuse("The query names no tag."))?;
    Ok(TagQuery { container, expression, names })
}

struct Comparison {
    name: String,
    quoted: bool,
    operator: TagComparison,
    value: String,
}

impl Comparison {
    /// Takes a comparison off the front of the text.
    fn take(rest: &mut &str) -> Result<Self, &'static str> {
        *rest = rest.trim_start();
        let quoted = rest.starts_with('"');
        let name = if quoted { take_quoted(rest, '"')? } else { take_word(rest) };
        let tag = name.chars().all(is_permitted) && !name.is_empty();
        if !tag && (quoted || name != "@container") {
            return Err("The name of a tag is expected.");
        }
        *rest = rest.trim_start();
        let operator = take_operator(rest).ok_or("An operator is expected: =, >, >=, < or <=.")?;
        *rest = rest.trim_start();
        let value = take_quoted(rest, '\'')?;
        if !value.chars().all(is_permitted) {
            return Err("The value is none that a tag can have.");
        }
        Ok(Self { name, quoted, operator, value })
    }
}

fn take_word(rest: &mut &str) -> String {
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '@').unwrap_or(rest.len());
    let (word, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
    *rest = behind;
    word.to_owned()
}

fn take_quoted(rest: &mut &str, quote: char) -> Result<String, &'static str> {
    let unquoted = "A text in quotes is expected: names in double ones, values in single ones.";
    let inside = rest.strip_prefix(quote).ok_or(unquoted)?;
    let (text, behind) = inside.split_once(quote).ok_or("A quote is not closed.")?;
    *rest = behind;
    Ok(text.to_owned())
}

fn take_operator(rest: &mut &str) -> Option<TagComparison> {
    let operators = [
        (">=", TagComparison::GreaterOrEqual),
        ("<=", TagComparison::LessOrEqual),
        ("=", TagComparison::Equal),
        (">", TagComparison::Greater),
        ("<", TagComparison::Less),
    ];
    operators.into_iter().find_map(|(text, comparison)| {
        *rest = rest.strip_prefix(text)?;
        Some(comparison)
    })
}

/// What is behind an `AND`, which is a word by itself.
fn after_and(text: &str) -> Option<&str> {
    let (word, behind) = text.split_at_checked(3)?;
    let ends = behind.starts_with(|c: char| c.is_whitespace() || c == '"' || c == '@');
    (word.eq_ignore_ascii_case("AND") && ends).then_some(behind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use proptest::prelude::*;

    fn compare(key: &str, comparison: TagComparison, value: &str) -> TagExpression {
        TagExpression::Compare { key: key.to_owned(), comparison, value: value.to_owned() }
    }

    #[test]
    fn the_examples_of_the_page_are_understood() {
        let text =
            "@container = 'logs' AND \"Status x\" = 'ok' and Date>='2026-01-01' AND\"Date\" <'2026-02-01'";
        let query = parse(text, true).unwrap();
        assert_eq!(query.container.unwrap().as_str(), "logs");
        assert_eq!(query.names.iter().collect::<Vec<_>>(), ["Date", "Status x"]);
        let and = |one, other| TagExpression::And(Box::new(one), Box::new(other));
        let status = compare("Status x", TagComparison::Equal, "ok");
        let from = compare("Date", TagComparison::GreaterOrEqual, "2026-01-01");
        let to = compare("Date", TagComparison::Less, "2026-02-01");
        assert_eq!(query.expression, and(and(status, from), to));
        for (text, comparison) in [("a>'1'", TagComparison::Greater), ("a<='1'", TagComparison::LessOrEqual)]
        {
            assert_eq!(parse(text, false).unwrap().expression, compare("a", comparison, "1"));
        }
    }

    #[test]
    fn what_the_grammar_has_not_is_refused() {
        for text in [
            "",
            " ",
            "a",
            "a=",
            "a='1",
            "'a'='1'",
            "a=1",
            "a=\"1\"",
            "a<>'1'",
            "a!='1'",
            "a='1' OR b='2'",
            "NOT a='1'",
            "(a='1')",
            "a='1' AND",
            "a='1' b='2'",
            "a='1' ANDb='2'",
            "a b='1'",
            "\"\"='1'",
            "a='é'",
            "\"é\"='1'",
            "@container='c'",
            "@container>'con' AND a='1'",
            "@container='NO' AND a='1'",
            "@container='con' AND @container='con' AND a='1'",
            "@other='con'",
        ] {
            let code = parse(text, true).err().map(|error| error.code);
            assert_eq!(code, Some(ErrorCode::InvalidQueryParameterValue), "{text}");
        }
        assert!(parse("@container='con' AND a='1'", false).is_err(), "in a container");
    }

    proptest! {
        #[test]
        fn nothing_is_too_odd_to_be_refused(text in "[a@é'\"<>= AND(]{0,20}|.{0,30}", containers: bool) {
            let _ = parse(&text, containers);
        }
    }
}
