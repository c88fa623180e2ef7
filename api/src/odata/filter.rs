//! `$filter` expressions: from text to the engine's tree. Page "Querying tables and entities".
//!
//! ```text
//! filter  := and ('or' and)*
//! and     := unary ('and' unary)*
//! unary   := 'not' unary | term (operator operand)?
//! term    := '(' filter ')' | operand
//! operand := property | literal
//! ```
//!
//! The page allows 15 comparisons and the service looks away for some more; here a filter may have
//! [`TERMS_MAX`] terms, so that nothing which works there fails here. Both limits keep the tree, and with it
//! every walk over it, shallow: chains of `and` make it as deep as they are long.

use super::{address, invalid, parse_double};
use crate::error::{ErrorCode, StorageError};
use crate::{guid, time};
use storage_engine::table::{Comparison, Filter, Operand, Value};

/// Most operands that stand alone, and comparisons.
const TERMS_MAX: usize = 200;
/// Most parentheses and `not`s inside each other.
const DEPTH_MAX: usize = 50;

/// Reads a filter; none if there is nothing but white space.
///
/// # Errors
/// `InvalidInput` with the place at which it is none; `NotImplemented` for functions.
pub(crate) fn parse(text: &str) -> Result<Option<Filter>, StorageError> {
    let mut parser = Parser { text, rest: text, terms: 0, depth: 0 };
    if parser.at_end() {
        return Ok(None);
    }
    let filter = parser.or()?;
    let filter = parser.condition(filter)?;
    if parser.at_end() { Ok(Some(filter)) } else { Err(parser.error("an operator or the end")) }
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
    terms: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn or(&mut self) -> Result<Filter, StorageError> {
        let mut left = self.and()?;
        while self.word("or") {
            let right = self.and()?;
            left = Filter::Or(Box::new(self.condition(left)?), Box::new(self.condition(right)?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Filter, StorageError> {
        let mut left = self.unary()?;
        while self.word("and") {
            let right = self.unary()?;
            left = Filter::And(Box::new(self.condition(left)?), Box::new(self.condition(right)?));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Filter, StorageError> {
        if self.word("not") {
            let inner = self.nested(Self::unary)?;
            return Ok(Filter::Not(Box::new(self.condition(inner)?)));
        }
        let term = if self.symbol('(') {
            let inner = self.nested(Self::or)?;
            self.close()?;
            inner
        } else {
            Filter::Bare(self.operand()?)
        };
        let Filter::Bare(left) = term else { return Ok(term) };
        let Some(comparison) = self.comparison() else { return Ok(Filter::Bare(left)) };
        self.terms += 1;
        let parentheses = self.opened();
        let right = self.operand()?;
        for _ in 0..parentheses {
            self.close()?;
        }
        Ok(Filter::Compare(left, comparison, right))
    }

    /// What must be true or false must be of a kind that can be.
    fn condition(&mut self, filter: Filter) -> Result<Filter, StorageError> {
        if let Filter::Bare(operand) = &filter {
            self.terms += 1;
            if !matches!(operand, Operand::Property(_) | Operand::Literal(Value::Boolean(_))) {
                return Err(self.error("a comparison"));
            }
        }
        if self.terms > TERMS_MAX {
            return Err(invalid(format_args!("The filter has more than {TERMS_MAX} terms.")));
        }
        Ok(filter)
    }

    fn nested(
        &mut self,
        inner: fn(&mut Self) -> Result<Filter, StorageError>,
    ) -> Result<Filter, StorageError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(invalid(format_args!("The filter is nested deeper than {DEPTH_MAX} levels.")));
        }
        let filter = inner(self);
        self.depth -= 1;
        filter
    }

    fn operand(&mut self) -> Result<Operand, StorageError> {
        self.skip_space();
        match self.rest.chars().next() {
            Some('\'') => Ok(Operand::Literal(Value::String(self.quoted()?))),
            Some('0'..='9' | '+' | '-' | '.') => self.number().map(Operand::Literal),
            Some(c) if is_word(c) => self.property_or_literal(),
            _ => Err(self.error("a property or a literal")),
        }
    }

    fn property_or_literal(&mut self) -> Result<Operand, StorageError> {
        let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        let (name, behind) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        if behind.starts_with('\'') {
            return self.typed(name, behind).map(Operand::Literal);
        }
        if behind.starts_with('(') {
            return Err(StorageError::new(ErrorCode::NotImplemented));
        }
        let operand = match name {
            "true" => Operand::Literal(Value::Boolean(true)),
            "false" => Operand::Literal(Value::Boolean(false)),
            "NaN" => Operand::Literal(Value::Double(f64::NAN)),
            "INF" => Operand::Literal(Value::Double(f64::INFINITY)),
            "null" | "and" | "or" | "eq" | "ne" | "gt" | "ge" | "lt" | "le" => {
                return Err(self.error("a property or a literal"));
            }
            _ => Operand::Property(name.to_owned()),
        };
        self.rest = behind;
        Ok(operand)
    }

    /// A literal of the form `kind'text'`.
    fn typed(&mut self, kind: &str, behind: &'a str) -> Result<Value, StorageError> {
        let start = self.rest;
        self.rest = behind;
        let text = self.quoted()?;
        let value = match kind.to_ascii_lowercase().as_str() {
            "datetime" => time::parse_iso8601(&text).map(Value::DateTime),
            "guid" => guid::parse(&text).map(Value::Guid),
            "x" | "binary" => bytes_of_hex(&text).map(|bytes| Value::Binary(bytes.into())),
            _ => None,
        };
        value.ok_or_else(|| {
            self.rest = start;
            self.error("a literal of a known type")
        })
    }

    fn quoted(&mut self) -> Result<String, StorageError> {
        let (text, behind) = address::quoted(self.rest).ok_or_else(|| self.error("a closed string"))?;
        self.rest = behind;
        Ok(text)
    }

    fn number(&mut self) -> Result<Value, StorageError> {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '+' | '-'));
        let (text, behind) = self.rest.split_at_checked(end.unwrap_or(self.rest.len())).unwrap_or_default();
        let value = number(text).ok_or_else(|| self.error("a number"))?;
        self.rest = behind;
        Ok(value)
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let found = [
            ("eq", Comparison::Equal),
            ("ne", Comparison::NotEqual),
            ("gt", Comparison::Greater),
            ("ge", Comparison::GreaterOrEqual),
            ("lt", Comparison::Less),
            ("le", Comparison::LessOrEqual),
        ];
        found.into_iter().find(|(name, _)| self.word(name)).map(|(_, comparison)| comparison)
    }

    /// Passes opening parentheses and counts them.
    fn opened(&mut self) -> usize {
        std::iter::from_fn(|| self.symbol('(').then_some(())).count()
    }

    fn close(&mut self) -> Result<(), StorageError> {
        if self.symbol(')') { Ok(()) } else { Err(self.error("a closing parenthesis")) }
    }

    /// Passes `symbol` if it is next.
    fn symbol(&mut self, symbol: char) -> bool {
        self.skip_space();
        let behind = self.rest.strip_prefix(symbol);
        self.rest = behind.unwrap_or(self.rest);
        behind.is_some()
    }

    /// Passes `word` if it is next, whole.
    fn word(&mut self, word: &str) -> bool {
        self.skip_space();
        let behind = self.rest.strip_prefix(word).filter(|behind| !behind.starts_with(is_word));
        self.rest = behind.unwrap_or(self.rest);
        behind.is_some()
    }

    fn at_end(&mut self) -> bool {
        self.skip_space();
        self.rest.is_empty()
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn error(&self, expected: &str) -> StorageError {
        let at = self.text.len() - self.rest.len();
        invalid(format_args!("The filter must have {expected} at position {at}."))
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// `5` is 32 bits wide if it fits, `5L` is 64, and everything with a point, an exponent or a suffix a double.
fn number(text: &str) -> Option<Value> {
    if text == "-INF" {
        return Some(Value::Double(f64::NEG_INFINITY));
    }
    if let Some(digits) = text.strip_suffix(['L', 'l']) {
        return digits.parse().ok().map(Value::Int64);
    }
    if text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-')) {
        let narrow = text.parse().ok().map(Value::Int32);
        return narrow.or_else(|| text.parse().ok().map(Value::Int64));
    }
    let digits = text.strip_suffix(['d', 'D', 'f', 'F', 'm', 'M']).unwrap_or(text);
    parse_double(digits).map(Value::Double)
}

fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    digits
        .chunks_exact(2)
        .map(|pair| pair.iter().try_fold(0_u32, |byte, digit| Some(byte << 4 | digit)))
        .map(|byte| byte.and_then(|byte| u8::try_from(byte).ok()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use storage_engine::clock::Timestamp;

    fn property(name: &str) -> Operand {
        Operand::Property(name.into())
    }

    fn equal(name: &str, value: Value) -> Filter {
        Filter::Compare(property(name), Comparison::Equal, Operand::Literal(value))
    }

    fn one(text: &str) -> Filter {
        parse(text).unwrap().unwrap()
    }

    #[test]
    fn every_kind_of_literal_is_known() {
        let time = time::parse_iso8601("2008-07-10T00:00:00Z").unwrap();
        for (literal, value) in [
            ("'it''s'", Value::String("it's".into())),
            ("''", Value::String(String::new())),
            ("-5", Value::Int32(-5)),
            ("2147483648", Value::Int64(1 << 31)),
            ("5L", Value::Int64(5)),
            ("1.5", Value::Double(1.5)),
            ("1e3", Value::Double(1000.0)),
            ("2d", Value::Double(2.0)),
            ("-INF", Value::Double(f64::NEG_INFINITY)),
            ("true", Value::Boolean(true)),
            ("datetime'2008-07-10T00:00:00Z'", Value::DateTime(time)),
            ("datetime'2008-07-10T00:00:00'", Value::DateTime(time)),
            ("guid'00000000-0000-0000-0000-0000000000ff'", Value::Guid(255)),
            ("X'0aFF'", Value::Binary(vec![10, 255].into())),
            ("binary''", Value::Binary(Vec::new().into())),
        ] {
            assert_eq!(one(&format!("A eq {literal}")), equal("A", value), "{literal}");
        }
        let Filter::Compare(_, _, Operand::Literal(Value::Double(number))) = one("A lt NaN") else {
            panic!("NaN is a literal");
        };
        assert!(number.is_nan());
    }

    #[test]
    fn and_binds_tighter_than_or_and_not_tighter_than_both() {
        let (a, b, c) = (|| equal("A", Value::Int32(1)), property("B"), property("C"));
        let (b, c) = (Filter::Bare(b), Filter::Bare(c));
        let both = Filter::And(Box::new(b.clone()), Box::new(c.clone()));
        assert_eq!(one("A eq 1 or B and C"), Filter::Or(Box::new(a()), Box::new(both)));
        let either = Filter::Or(Box::new(a()), Box::new(b));
        assert_eq!(one("(A eq 1 or B)and C"), Filter::And(Box::new(either), Box::new(c.clone())));
        let not = Filter::Not(Box::new(a()));
        assert_eq!(one("not A eq 1 and C"), Filter::And(Box::new(not.clone()), Box::new(c)));
        assert_eq!(one(" not(A eq 1) "), not);
    }

    #[test]
    fn either_side_may_be_the_property_and_stand_in_parentheses() {
        let literal = Operand::Literal(Value::String("x".into()));
        let expected = Filter::Compare(literal, Comparison::GreaterOrEqual, property("Ä_1"));
        assert_eq!(one("'x' ge Ä_1"), expected);
        assert_eq!(one("(('x')) ge ((Ä_1))"), expected);
        assert_eq!(one("android eq'x'"), equal("android", Value::String("x".into())));
        assert_eq!(parse("  ").unwrap(), None);
        assert_eq!(one("true"), Filter::Bare(Operand::Literal(Value::Boolean(true))));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for bad in [
            "A eq",
            "eq 1",
            "A 1",
            "A eq 1 B",
            "(A eq 1",
            "A eq 1)",
            "A eq 'x",
            "A = 1",
            "A eq 1 and",
            "and",
            "not",
            "'x'",
            "5",
            "A and 5",
            "A EQ 1",
            "A eq null",
            "A eq datetime'x'",
            "A eq guid'1'",
            "A eq X'0'",
            "A eq X'0é'",
            "A eq other'1'",
            "A eq 99999999999999999999",
            "A eq 1e999",
            "A eq 0x10",
            "A eq 1-2",
            "A eq 1 eq 2",
            "()",
            "A/B eq 1",
            "A eq -",
            "(A eq 1) eq true",
        ] {
            let error = parse(bad).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidInput, "{bad}");
        }
        assert_eq!(parse("startswith(A,'b')").unwrap_err().code, ErrorCode::NotImplemented);
    }

    #[test]
    fn filters_are_bounded_in_depth_and_length() {
        let nested = |depth| format!("{}A{}", "(".repeat(depth), ")".repeat(depth));
        assert!(parse(&nested(DEPTH_MAX)).is_ok());
        assert!(parse(&nested(DEPTH_MAX + 1)).is_err());
        assert!(parse(&"not ".repeat(100_000)).is_err());
        assert!(parse(&"(".repeat(100_000)).is_err());
        let chain = |terms| vec!["A eq 1"; terms].join(" and ");
        assert!(parse(&chain(TERMS_MAX)).is_ok());
        assert!(parse(&chain(TERMS_MAX + 1)).is_err());
    }

    fn values() -> impl Strategy<Value = Value> {
        prop_oneof![
            "[ -~é']{0,8}".prop_map(Value::String),
            any::<i32>().prop_map(Value::Int32),
            any::<i64>().prop_map(Value::Int64),
            prop::num::f64::NORMAL.prop_map(Value::Double),
            any::<bool>().prop_map(Value::Boolean),
            (0..=Timestamp::MAX.ticks()).prop_map(|ticks| Value::DateTime(Timestamp::from_ticks(ticks))),
            any::<u128>().prop_map(Value::Guid),
            prop::collection::vec(any::<u8>(), 0..5).prop_map(|bytes| Value::Binary(bytes.into())),
        ]
    }

    fn filters() -> impl Strategy<Value = Filter> {
        let names = || "[A-Zé_][a-z0-9_]{0,5}".prop_map(Operand::Property);
        let comparisons = prop::sample::select(vec![
            (Comparison::Equal, "eq"),
            (Comparison::NotEqual, "ne"),
            (Comparison::Less, "lt"),
            (Comparison::GreaterOrEqual, "ge"),
        ]);
        let operand = prop_oneof![names(), values().prop_map(Operand::Literal)];
        let leaf = prop_oneof![
            names().prop_map(Filter::Bare),
            (names(), comparisons, operand).prop_map(|(a, (by, _), b)| Filter::Compare(a, by, b)),
        ];
        leaf.prop_recursive(5, 40, 2, |inner| {
            prop_oneof![
                inner.clone().prop_map(|f| Filter::Not(Box::new(f))),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| Filter::And(Box::new(a), Box::new(b))),
                (inner.clone(), inner).prop_map(|(a, b)| Filter::Or(Box::new(a), Box::new(b))),
            ]
        })
    }

    fn print(filter: &Filter) -> String {
        match filter {
            Filter::And(a, b) => format!("({}) and ({})", print(a), print(b)),
            Filter::Or(a, b) => format!("({})or({})", print(a), print(b)),
            Filter::Not(a) => format!("not ({})", print(a)),
            Filter::Bare(operand) => print_operand(operand),
            Filter::Compare(a, comparison, b) => {
                let word = match comparison {
                    Comparison::Equal => "eq",
                    Comparison::NotEqual => "ne",
                    Comparison::Greater => "gt",
                    Comparison::GreaterOrEqual => "ge",
                    Comparison::Less => "lt",
                    Comparison::LessOrEqual => "le",
                };
                format!("{} {word} {}", print_operand(a), print_operand(b))
            }
        }
    }

    fn print_operand(operand: &Operand) -> String {
        match operand {
            Operand::Property(name) => name.clone(),
            Operand::Literal(Value::String(text)) => format!("'{}'", text.replace('\'', "''")),
            Operand::Literal(Value::Int32(number)) => number.to_string(),
            Operand::Literal(Value::Int64(number)) => format!("{number}L"),
            Operand::Literal(Value::Double(number)) => format!("{number:?}"),
            Operand::Literal(Value::Boolean(truth)) => truth.to_string(),
            Operand::Literal(Value::DateTime(time)) => format!("datetime'{}'", time::iso8601(*time)),
            Operand::Literal(Value::Guid(bits)) => format!("guid'{}'", guid::print(*bits)),
            Operand::Literal(Value::Binary(bytes)) => {
                let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("X'{}'", digits.concat())
            }
        }
    }

    proptest! {
        #[test]
        fn a_printed_filter_reads_back(filter in filters()) {
            prop_assert_eq!(parse(&print(&filter)).unwrap(), Some(filter));
        }

        #[test]
        fn nothing_is_too_odd_to_be_refused(
            text in "(not|and|or|eq|A|'|\\(|\\)|X'|guid'|datetime'|[0-9.eL+-]| |.){0,30}",
        ) {
            let _ = parse(&text);
        }
    }
}
