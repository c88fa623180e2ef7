//! What can be asked of the words in front: whether one is there, to go on behind it, and what one word means.

use super::Parser;
use crate::sql::expression::Type;
use crate::sql::moment::Part;
use crate::sql::token::Token;

/// Words that end an expression and cannot be names without quotes.
const RESERVED: [&str; 13] =
    ["SELECT", "FROM", "WHERE", "LIMIT", "AND", "OR", "NOT", "AS", "IN", "IS", "LIKE", "BETWEEN", "ESCAPE"];

impl Parser {
    /// A name, and whether it was quoted, which makes it exact.
    pub(super) fn name(&mut self) -> Result<(String, bool), String> {
        let name = match self.peek() {
            Some(Token::Quoted(name)) => (name.clone(), true),
            Some(Token::Word(name)) if !RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name)) => {
                (name.clone(), false)
            }
            Some(token) => return Err(format!("{} stands where a name should.", shown(token))),
            None => return Err("The statement ends where a name should stand.".to_owned()),
        };
        self.at += 1;
        Ok(name)
    }

    pub(super) fn part(&mut self) -> Result<Part, String> {
        let part = match self.peek() {
            Some(Token::Text(name) | Token::Word(name)) => Part::named(name),
            _ => None,
        };
        self.at += 1;
        part.ok_or_else(|| "A part of a time is year, month, day, hour, minute or second.".to_owned())
    }

    pub(super) fn cast_type(&mut self) -> Result<Type, String> {
        let named = [
            ("INT", Type::Int),
            ("INTEGER", Type::Int),
            ("BIGINT", Type::Int),
            ("FLOAT", Type::Float),
            ("DOUBLE", Type::Float),
            ("STRING", Type::Text),
            ("TIMESTAMP", Type::Timestamp),
            ("BOOLEAN", Type::Boolean),
            ("BOOL", Type::Boolean),
        ];
        let found = named.into_iter().find(|(name, _)| self.take(name));
        found
            .map(|(_, to)| to)
            .ok_or_else(|| "A type is INT, FLOAT, STRING, TIMESTAMP or BOOLEAN.".to_owned())
    }

    pub(super) fn count(&mut self) -> Result<u64, String> {
        let count = match self.peek() {
            Some(Token::Int(number)) => u64::try_from(*number).ok(),
            _ => None,
        };
        self.at += 1;
        count.ok_or_else(|| "A whole number should stand here.".to_owned())
    }

    pub(super) fn character(&mut self) -> Result<char, String> {
        let single = match self.peek() {
            Some(Token::Text(text)) => text.chars().next().filter(|only| text.len() == only.len_utf8()),
            _ => None,
        };
        self.at += 1;
        single.ok_or_else(|| "Behind ESCAPE comes one character in quotes.".to_owned())
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    pub(super) fn is_word(&self, ahead: usize, keyword: &str) -> bool {
        matches!(self.tokens.get(self.at + ahead), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword))
    }

    pub(super) fn is_sign(&self, ahead: usize, sign: &str) -> bool {
        matches!(self.tokens.get(self.at + ahead), Some(Token::Sign(found)) if *found == sign)
    }

    /// Goes on behind the keyword if it is next.
    pub(super) fn take(&mut self, keyword: &str) -> bool {
        let there = self.is_word(0, keyword);
        self.at += usize::from(there);
        there
    }

    /// As [`Parser::take`], of a sign.
    pub(super) fn sign(&mut self, sign: &str) -> bool {
        let there = self.is_sign(0, sign);
        self.at += usize::from(there);
        there
    }

    pub(super) fn expect(&mut self, keyword: &str) -> Result<(), String> {
        if self.take(keyword) { Ok(()) } else { Err(self.instead_of(keyword)) }
    }

    pub(super) fn expect_sign(&mut self, sign: &str) -> Result<(), String> {
        if self.sign(sign) { Ok(()) } else { Err(self.instead_of(sign)) }
    }

    fn instead_of(&self, wanted: &str) -> String {
        match self.peek() {
            Some(token) => format!("{} stands where {wanted} should.", shown(token)),
            None => format!("The statement ends where {wanted} should stand."),
        }
    }
}

/// A word as it was written.
pub(super) fn shown(token: &Token) -> String {
    match token {
        Token::Word(text) => text.clone(),
        Token::Quoted(text) => format!("\"{text}\""),
        Token::Text(text) => format!("'{text}'"),
        Token::Int(number) => number.to_string(),
        Token::Float(number) => number.to_string(),
        Token::Sign(sign) => (*sign).to_owned(),
    }
}
