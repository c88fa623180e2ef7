//! Index tags: what they are, and the expressions that conditions and searches compare them with.
//!
//! Pages "Set Blob Tags", "Find Blobs by Tags" and "Specifying conditional headers" (the grammar of `x-ms-if-tags`).
//! Texts are read elsewhere; here an expression is what was understood. Values compare as strings, byte by byte,
//! which for the characters that tags may have is the vendor's ordinal order. A tag that is not there compares
//! with nothing: every comparison of it is false, also that it should differ.

use std::cmp::Ordering;

/// Names and values, sorted by name, each name once. Made by [`Tags::new`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Tags(Vec<(String, String)>);

impl Tags {
    /// These tags; none if a name is there twice.
    pub fn new(mut tags: Vec<(String, String)>) -> Option<Self> {
        tags.sort();
        let distinct = tags.windows(2).all(|pair| match pair {
            [(one, _), (other, _)] => one != other,
            _ => true,
        });
        distinct.then_some(Self(tags))
    }

    /// The tags, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of the tag of this name.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(other, _)| *other == key).map(|(_, value)| value)
    }
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagComparison {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl TagComparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// What tags are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagExpression {
    /// How a tag's value compares.
    Compare {
        /// The tag's name.
        key: String,
        /// How.
        comparison: TagComparison,
        /// With what.
        value: String,
    },
    /// Both hold.
    And(Box<Self>, Box<Self>),
    /// One holds, or both.
    Or(Box<Self>, Box<Self>),
    /// It does not hold.
    Not(Box<Self>),
}

impl TagExpression {
    /// Whether it is true of these tags.
    pub fn holds(&self, tags: &Tags) -> bool {
        match self {
            Self::Compare { key, comparison, value } => {
                tags.get(key).is_some_and(|found| comparison.holds(found.cmp(value.as_str())))
            }
            Self::And(one, other) => one.holds(tags) && other.holds(tags),
            Self::Or(one, other) => one.holds(tags) || other.holds(tags),
            Self::Not(inner) => !inner.holds(tags),
        }
    }

    /// The comparisons that must hold whenever the whole does.
    pub(in crate::blob) fn necessary(&self) -> Vec<(&str, TagComparison, &str)> {
        match self {
            Self::Compare { key, comparison, value } => vec![(key, *comparison, value)],
            Self::And(one, other) => [one.necessary(), other.necessary()].concat(),
            Self::Or(..) | Self::Not(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        Tags::new(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
            .unwrap()
    }

    fn compare(key: &str, comparison: TagComparison, value: &str) -> TagExpression {
        TagExpression::Compare { key: key.to_owned(), comparison, value: value.to_owned() }
    }

    #[test]
    fn a_name_is_there_once() {
        let pair = |value: &str| ("key".to_owned(), value.to_owned());
        assert!(Tags::new(vec![pair("1"), pair("2")]).is_none());
        assert_eq!(tags(&[("b", "2"), ("a", "1")]).iter().collect::<Vec<_>>(), [("a", "1"), ("b", "2")]);
    }

    #[test]
    fn comparisons_are_those_of_strings_and_false_where_there_is_no_tag() {
        let tags = tags(&[("n", "10")]);
        for (comparison, nine, ten) in [
            (TagComparison::Equal, false, true),
            (TagComparison::NotEqual, true, false),
            (TagComparison::Less, true, false),
            (TagComparison::LessOrEqual, true, true),
            (TagComparison::Greater, false, false),
            (TagComparison::GreaterOrEqual, false, true),
        ] {
            assert_eq!(compare("n", comparison, "9").holds(&tags), nine, "{comparison:?}");
            assert_eq!(compare("n", comparison, "10").holds(&tags), ten, "{comparison:?}");
            assert!(!compare("m", comparison, "10").holds(&tags));
        }
    }

    #[test]
    fn expressions_combine_as_logic_has_it() {
        let tags = tags(&[("a", "1"), ("b", "2")]);
        let yes = || Box::new(compare("a", TagComparison::Equal, "1"));
        let no = || Box::new(compare("b", TagComparison::Equal, "1"));
        assert!(!TagExpression::And(yes(), no()).holds(&tags));
        assert!(TagExpression::Or(no(), yes()).holds(&tags));
        assert!(TagExpression::Not(no()).holds(&tags));
        assert_eq!(TagExpression::And(yes(), Box::new(TagExpression::Or(yes(), no()))).necessary().len(), 1);
    }
}
