//! Words of a statement.
//!
//! Keywords are not told from names here: `length` is a fine name of a column, and only the parser knows where
//! which is meant.

use std::iter::Peekable;
use std::str::CharIndices;

/// A word.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name without quotes, or a keyword.
    Word(String),
    /// A name in double quotes.
    Quoted(String),
    /// Text in single quotes.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// Anything else: `<=`, `(`, `[*]` as its three parts.
    Sign(&'static str),
}

/// All signs; longer ones first, so that `<=` is not taken for `<`.
const SIGNS: [&str; 18] =
    ["<=", ">=", "<>", "!=", "=", "<", ">", "+", "-", "*", "/", "%", "(", ")", "[", "]", ",", "."];

/// Takes a statement apart.
///
/// # Errors
/// A sentence about the first thing that is no word.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, bytes) = match first {
            '\'' => quoted(rest, '\'').map(|(text, bytes)| (Token::Text(text), bytes))?,
            '"' => quoted(rest, '"').map(|(text, bytes)| (Token::Quoted(text), bytes))?,
            digit if digit.is_ascii_digit() => number(rest)?,
            letter if letter == '_' || letter.is_alphabetic() => word(rest),
            ';' if rest.trim_end() == ";" => return Ok(found),
            other => SIGNS
                .iter()
                .find(|sign| rest.starts_with(**sign))
                .map(|sign| (Token::Sign(sign), sign.len()))
                .ok_or_else(|| format!("'{other}' means nothing here."))?,
        };
        found.push(token);
        rest = rest.get(bytes..).unwrap_or_default().trim_start();
    }
    Ok(found)
}

fn word(text: &str) -> (Token, usize) {
    let bytes = text.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(text.len());
    (Token::Word(text.get(..bytes).unwrap_or_default().to_owned()), bytes)
}

/// Text up to the closing quote, where a doubled one stands for itself, and its bytes with the quotes.
fn quoted(text: &str, quote: char) -> Result<(String, usize), String> {
    let mut inner = String::new();
    let mut characters: Peekable<CharIndices<'_>> = text.char_indices().peekable();
    characters.next();
    while let Some((at, character)) = characters.next() {
        if character != quote {
            inner.push(character);
        } else if characters.next_if(|(_, next)| *next == quote).is_some() {
            inner.push(quote);
        } else {
            return Ok((inner, at + quote.len_utf8()));
        }
    }
    Err(format!("A {quote} is not closed."))
}

fn number(text: &str) -> Result<(Token, usize), String> {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        from + rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())
    };
    let at = |place: usize| text.as_bytes().get(place).copied();
    let mut end = digits(0);
    let mut whole = true;
    if at(end) == Some(b'.') && at(end + 1).is_some_and(|next| next.is_ascii_digit()) {
        whole = false;
        end = digits(end + 1);
    }
    if matches!(at(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(at(end + 1), Some(b'+' | b'-')));
        if at(end + 1 + sign).is_some_and(|next| next.is_ascii_digit()) {
            whole = false;
            end = digits(end + 1 + sign);
        }
    }
    let literal = text.get(..end).unwrap_or_default();
    let token = if whole { literal.parse().ok().map(Token::Int) } else { None };
    let token = token.or_else(|| literal.parse().ok().map(Token::Float));
    token.map(|token| (token, end)).ok_or_else(|| format!("'{literal}' is no number."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_comes_apart_into_its_words() {
        assert_eq!(
            tokens("SELECT \"a \"\"b\", 'it''s',1.5e3 FROM x WHERE _1<=12 ;").unwrap(),
            [
                Token::Word("SELECT".into()),
                Token::Quoted("a \"b".into()),
                Token::Sign(","),
                Token::Text("it's".into()),
                Token::Sign(","),
                Token::Float(1500.0),
                Token::Word("FROM".into()),
                Token::Word("x".into()),
                Token::Word("WHERE".into()),
                Token::Word("_1".into()),
                Token::Sign("<="),
                Token::Int(12),
            ]
        );
    }

    #[test]
    fn an_index_is_a_number_between_brackets_and_a_path_has_dots() {
        assert_eq!(
            tokens("a[0].b").unwrap(),
            [
                Token::Word("a".into()),
                Token::Sign("["),
                Token::Int(0),
                Token::Sign("]"),
                Token::Sign("."),
                Token::Word("b".into()),
            ]
        );
    }

    #[test]
    fn what_is_no_word_is_said() {
        for bad in ["SELECT 'a", "SELECT \"a", "SELECT #", "; SELECT"] {
            assert!(tokens(bad).is_err(), "{bad}");
        }
    }
}
