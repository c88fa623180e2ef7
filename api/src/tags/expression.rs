//! `x-ms-if-tags`: a comparison of tags, or several with AND, OR and brackets. Page "Specifying conditional headers
//! for Blob service operations".
//!
//! Read by recursive descent; AND binds tighter. At most ten comparisons and words are taken, as on the service, and
//! brackets nest no deeper than that, so the depth of the recursion is bounded.

use crate::error::StorageError;
use crate::head::Head;
use crate::header;
use storage_engine::blob::{TagComparison, TagExpression};

/// Most comparisons, ANDs and ORs; and most brackets open at a time.
const OPERATORS_MAX: usize = 10;

/// The condition on tags, if there is one.
///
/// # Errors
/// `InvalidHeaderValue` if it is not understood.
pub(crate) fn of_header(head: &Head) -> Result<Option<TagExpression>, StorageError> {
    let parsed = |text| parse(text).ok_or_else(|| StorageError::invalid_header(header::X_MS_IF_TAGS, text));
    head.text(header::X_MS_IF_TAGS)?.map(parsed).transpose()
}

fn parse(text: &str) -> Option<TagExpression> {
    let mut parser = Parser { rest: text, operators: 0, depth: 0 };
    let expression = parser.any_of()?;
    parser.rest.trim_start().is_empty().then_some(expression)
}

struct Parser<'a> {
    rest: &'a str,
    operators: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn any_of(&mut self) -> Option<TagExpression> {
        let mut one = self.all_of()?;
        while self.word("OR") {
            self.count()?;
            one = TagExpression::Or(Box::new(one), Box::new(self.all_of()?));
        }
        Some(one)
    }

    fn all_of(&mut self) -> Option<TagExpression> {
        let mut one = self.single()?;
        while self.word("AND") {
            self.count()?;
            one = TagExpression::And(Box::new(one), Box::new(self.single()?));
        }
        Some(one)
    }

    fn single(&mut self) -> Option<TagExpression> {
        if !self.sign("(") {
            return self.comparison();
        }
        self.depth += 1;
        if self.depth > OPERATORS_MAX {
            return None;
        }
        let inner = self.any_of()?;
        self.depth -= 1;
        self.sign(")").then_some(inner)
    }

    fn comparison(&mut self) -> Option<TagExpression> {
        let key = self.key()?.to_owned();
        let comparison = self.operator()?;
        self.count()?;
        Some(TagExpression::Compare { key, comparison, value: self.quoted('\'')?.to_owned() })
    }

    fn operator(&mut self) -> Option<TagComparison> {
        // The longer before their beginnings.
        let signs = [
            ("<>", TagComparison::NotEqual),
            ("<=", TagComparison::LessOrEqual),
            (">=", TagComparison::GreaterOrEqual),
            ("<", TagComparison::Less),
            (">", TagComparison::Greater),
            ("=", TagComparison::Equal),
        ];
        signs.into_iter().find(|(sign, _)| self.sign(sign)).map(|(_, comparison)| comparison)
    }

    fn key(&mut self) -> Option<&'a str> {
        if self.rest.trim_start().starts_with('"') {
            return self.quoted('"').filter(|key| !key.is_empty());
        }
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (key, behind) = rest.split_at_checked(end)?;
        self.rest = behind;
        let is_word = ["and", "or"].iter().any(|word| key.eq_ignore_ascii_case(word));
        (!key.is_empty() && !is_word).then_some(key)
    }

    /// What stands in quotes. No tag has any, so none is escaped.
    fn quoted(&mut self, quote: char) -> Option<&'a str> {
        let (inner, behind) = self.rest.trim_start().strip_prefix(quote)?.split_once(quote)?;
        self.rest = behind;
        Some(inner)
    }

    fn sign(&mut self, sign: &str) -> bool {
        let behind = self.rest.trim_start().strip_prefix(sign);
        self.rest = behind.unwrap_or(self.rest);
        behind.is_some()
    }

    /// A word, in any case, with no letter behind it.
    fn word(&mut self, word: &str) -> bool {
        let Some((found, behind)) = self.rest.trim_start().split_at_checked(word.len()) else { return false };
        let ends = !behind.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let is = found.eq_ignore_ascii_case(word) && ends;
        if is {
            self.rest = behind;
        }
        is
    }

    fn count(&mut self) -> Option<()> {
        self.operators += 1;
        (self.operators <= OPERATORS_MAX).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage_engine::blob::Tags;

    fn holds(text: &str) -> Option<bool> {
        let pairs = [("a", "1"), ("b", "2"), ("c d", "x")];
        let tags = Tags::new(pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec()).unwrap();
        parse(text).map(|expression| expression.holds(&tags))
    }

    #[test]
    fn every_comparison_is_read() {
        for (text, expected) in [
            ("a = '1'", true),
            ("\"a\"='2'", false),
            ("\"c d\" = 'x'", true),
            ("a <> '2'", true),
            ("a<'2'", true),
            ("a <= '1'", true),
            ("a > '1'", false),
            ("a >= '1'", true),
            ("missing <> '1'", false),
        ] {
            assert_eq!(holds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn and_binds_tighter_than_or_unless_brackets_say_otherwise() {
        assert_eq!(holds("a = '1' OR a = '0' AND b = '0'"), Some(true));
        assert_eq!(holds("(a = '1' or a = '0') and b = '0'"), Some(false));
        assert_eq!(holds("((b='2')AND(a='1'))"), Some(true));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let long = vec!["a = '1'"; 6].join(" AND ");
        let deep = format!("{}a = '1'{}", "(".repeat(11), ")".repeat(11));
        for bad in [
            "",
            "a",
            "a =",
            "a = 1",
            "a = '1",
            "a == '1'",
            "(a = '1'",
            "a = '1')",
            "a = '1' b = '2'",
            "AND = '1'",
        ]
        .into_iter()
        .chain([long.as_str(), deep.as_str(), "a = '1' ANDb = '2'", "NOT a = '1'", "\"\" = '1'"])
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert!(parse(&vec!["a = '1'"; 5].join(" AND ")).is_some());
    }
}
