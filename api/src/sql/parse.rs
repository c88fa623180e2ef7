//! From words to a statement, by recursive descent with one function per level of binding.

use super::Value;
use super::expression::{
    Aggregate, AggregateKind, Expression, Function, Item, Operator, Selection, Side, Statement, Step, Type,
};
use super::moment::Part;
use super::token::{Token, tokens};

/// Most levels of parentheses and calls, and most steps of a path.
pub(crate) const DEPTH_MAX: usize = 64;
/// Most operators of a statement. Each is evaluated inside the next one of its chain, so chains make expressions
/// deep as parentheses do; together with [`DEPTH_MAX`] this bounds the stack.
const OPERATORS_MAX: usize = 256;
/// Most columns that a statement may ask for by name (page "Query acceleration SQL language reference").
const ITEMS_MAX: usize = 49;
/// Words that end an expression and cannot be names without quotes.
const RESERVED: [&str; 13] =
    ["SELECT", "FROM", "WHERE", "LIMIT", "AND", "OR", "NOT", "AS", "IN", "IS", "LIKE", "BETWEEN", "ESCAPE"];

/// Reads a statement.
///
/// # Errors
/// A sentence about what is wrong.
pub(crate) fn parse(text: &str) -> Result<Statement, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0, operators: 0 };
    let statement = parser.statement()?;
    match parser.peek() {
        None => Ok(statement),
        Some(token) => Err(format!("{} comes behind the end.", shown(token))),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    operators: usize,
}

impl Parser {
    fn statement(&mut self) -> Result<Statement, String> {
        self.expect("SELECT")?;
        let selection = self.selection()?;
        self.expect("FROM")?;
        self.expect("BlobStorage")?;
        let mut from = self.steps()?;
        // `BlobStorage` and `BlobStorage[*]` are the same: each value of the blob.
        if from.first() == Some(&Step::Every) {
            from.remove(0);
        } else if !from.is_empty() {
            return Err("A path behind BlobStorage begins with [*].".to_owned());
        }
        let condition = if self.take("WHERE") { Some(self.expression()?) } else { None };
        let limit = if self.take("LIMIT") { Some(self.count()?) } else { None };
        Ok(Statement { selection, from, condition, limit })
    }

    fn selection(&mut self) -> Result<Selection, String> {
        if self.sign("*") {
            return Ok(Selection::All);
        }
        if let Some(bytes) = self.split()? {
            return Ok(Selection::Split(bytes));
        }
        let (mut items, mut aggregates) = (Vec::new(), Vec::new());
        loop {
            let place = items.len() + aggregates.len() + 1;
            if let Some(aggregate) = self.aggregate()? {
                aggregates.push((aggregate, self.alias()?.unwrap_or_else(|| format!("_{place}"))));
            } else {
                let expression = self.expression()?;
                let name = self.alias()?.unwrap_or_else(|| natural_name(&expression, place));
                items.push(Item { expression, name });
            }
            if place > ITEMS_MAX {
                return Err(format!("No more than {ITEMS_MAX} columns can be selected by name."));
            }
            if !self.sign(",") {
                break;
            }
        }
        match (items.is_empty(), aggregates.is_empty()) {
            (false, false) => Err("Columns and aggregates cannot be selected together.".to_owned()),
            (true, _) => Ok(Selection::Aggregates(aggregates)),
            (false, true) => Ok(Selection::Items(items)),
        }
    }

    /// `sys.split(bytes)`.
    fn split(&mut self) -> Result<Option<u64>, String> {
        if !(self.is_word(0, "sys") && self.is_sign(1, ".") && self.is_word(2, "split")) {
            return Ok(None);
        }
        self.at += 3;
        self.expect_sign("(")?;
        let bytes = self.count()?;
        self.expect_sign(")")?;
        if bytes == 0 { Err("A part has at least one byte.".to_owned()) } else { Ok(Some(bytes)) }
    }

    fn aggregate(&mut self) -> Result<Option<Aggregate>, String> {
        let named = [
            ("COUNT", AggregateKind::Count),
            ("AVERAGE", AggregateKind::Average),
            ("AVG", AggregateKind::Average),
            ("MIN", AggregateKind::Min),
            ("MAX", AggregateKind::Max),
            ("SUM", AggregateKind::Sum),
        ];
        let kind = named.into_iter().find(|(name, _)| self.is_word(0, name) && self.is_sign(1, "("));
        let Some((_, kind)) = kind else { return Ok(None) };
        self.at += 2;
        let of = if kind == AggregateKind::Count && self.sign("*") { None } else { Some(self.expression()?) };
        self.expect_sign(")")?;
        Ok(Some(Aggregate { kind, of }))
    }

    fn alias(&mut self) -> Result<Option<String>, String> {
        if self.take("AS") { self.name().map(|(name, _)| Some(name)) } else { Ok(None) }
    }

    fn expression(&mut self) -> Result<Expression, String> {
        self.deeper(|parser| parser.chain(Self::conjunction, &[("OR", Operator::Or)]))
    }

    fn conjunction(&mut self) -> Result<Expression, String> {
        self.chain(Self::negation, &[("AND", Operator::And)])
    }

    fn negation(&mut self) -> Result<Expression, String> {
        if self.take("NOT") {
            self.operator()?;
            return Ok(Expression::Not(Box::new(self.negation()?)));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Expression, String> {
        let left = self.sum()?;
        let signs = [
            ("=", Operator::Equal),
            ("!=", Operator::NotEqual),
            ("<>", Operator::NotEqual),
            ("<=", Operator::LessOrEqual),
            ("<", Operator::Less),
            (">=", Operator::GreaterOrEqual),
            (">", Operator::Greater),
        ];
        for (sign, operator) in signs {
            if self.sign(sign) {
                return Ok(Expression::Two(operator, Box::new((left, self.sum()?))));
            }
        }
        if self.take("IS") {
            let negated = self.take("NOT");
            let asked = Box::new(left);
            let is = if self.take("MISSING") {
                Expression::IsMissing(asked)
            } else {
                self.expect("NULL")?;
                Expression::IsNull(asked)
            };
            return Ok(negate_if(negated, is));
        }
        let negated = self.take("NOT");
        let found = if self.take("BETWEEN") {
            let low = self.sum()?;
            self.expect("AND")?;
            Expression::Between(Box::new((left, low, self.sum()?)))
        } else if self.take("IN") {
            self.expect_sign("(")?;
            Expression::In(Box::new(left), self.list()?)
        } else if self.take("LIKE") {
            let pattern = self.sum()?;
            let escape = if self.take("ESCAPE") { Some(self.character()?) } else { None };
            Expression::Like(Box::new((left, pattern)), escape)
        } else if negated {
            return Err("Behind NOT comes BETWEEN, IN or LIKE.".to_owned());
        } else {
            return Ok(left);
        };
        Ok(negate_if(negated, found))
    }

    fn sum(&mut self) -> Result<Expression, String> {
        self.chain(Self::product, &[("+", Operator::Add), ("-", Operator::Subtract)])
    }

    fn product(&mut self) -> Result<Expression, String> {
        let operators = [("*", Operator::Multiply), ("/", Operator::Divide), ("%", Operator::Remainder)];
        self.chain(Self::signed, &operators)
    }

    fn signed(&mut self) -> Result<Expression, String> {
        if self.sign("-") {
            self.operator()?;
            return Ok(Expression::Negated(Box::new(self.signed()?)));
        }
        if self.sign("+") {
            self.operator()?;
            return self.signed();
        }
        self.primary()
    }

    fn primary(&mut self) -> Result<Expression, String> {
        let token = self.peek().cloned().ok_or("The statement ends too early.")?;
        match token {
            Token::Text(text) => self.literal(Value::Text(text)),
            Token::Int(number) => self.literal(Value::Int(number)),
            Token::Float(number) => self.literal(Value::Float(number)),
            Token::Sign("(") => {
                self.at += 1;
                let inner = self.expression()?;
                self.expect_sign(")")?;
                Ok(inner)
            }
            Token::Word(word) if self.is_sign(1, "(") => self.call(&word),
            Token::Word(word) if word.eq_ignore_ascii_case("TRUE") => self.literal(Value::Boolean(true)),
            Token::Word(word) if word.eq_ignore_ascii_case("FALSE") => self.literal(Value::Boolean(false)),
            Token::Word(word) if word.eq_ignore_ascii_case("NULL") => self.literal(Value::Null),
            Token::Word(_) | Token::Quoted(_) => {
                let (name, exact) = self.name()?;
                let mut path = vec![Step::Member { name, exact }];
                path.extend(self.steps()?);
                if path.contains(&Step::Every) {
                    return Err("[*] can stand only behind FROM.".to_owned());
                }
                Ok(Expression::Path(path))
            }
            Token::Sign(_) => Err(format!("{} cannot stand here.", shown(&token))),
        }
    }

    fn literal(&mut self, value: Value) -> Result<Expression, String> {
        self.at += 1;
        Ok(Expression::Literal(value))
    }

    fn call(&mut self, name: &str) -> Result<Expression, String> {
        self.at += 2;
        match name.to_ascii_uppercase().as_str() {
            "CAST" => {
                let inner = Box::new(self.expression()?);
                self.expect("AS")?;
                let to = self.cast_type()?;
                self.expect_sign(")")?;
                Ok(Expression::Cast(inner, to))
            }
            "EXTRACT" => {
                let part = self.part()?;
                self.expect("FROM")?;
                let inner = Box::new(self.expression()?);
                self.expect_sign(")")?;
                Ok(Expression::Extract(part, inner))
            }
            "TRIM" => self.trim(),
            "DATE_ADD" => self.dated(Function::DateAdd),
            "DATE_DIFF" => self.dated(Function::DateDiff),
            upper => {
                let (function, arguments) =
                    named_function(upper).ok_or_else(|| format!("There is no function {name}."))?;
                let given = self.list()?;
                if !arguments.contains(&given.len()) {
                    return Err(format!("{name} does not take {} arguments.", given.len()));
                }
                Ok(Expression::Call(function, given))
            }
        }
    }

    fn dated(&mut self, function: fn(Part) -> Function) -> Result<Expression, String> {
        let part = self.part()?;
        if matches!(part, Part::TimezoneHour | Part::TimezoneMinute) {
            return Err("An offset cannot be counted with.".to_owned());
        }
        self.expect_sign(",")?;
        let given = self.list()?;
        if given.len() == 2 {
            Ok(Expression::Call(function(part), given))
        } else {
            Err("DATE_ADD and DATE_DIFF take three arguments.".to_owned())
        }
    }

    fn trim(&mut self) -> Result<Expression, String> {
        let sides = [("BOTH", Side::Both), ("LEADING", Side::Leading), ("TRAILING", Side::Trailing)];
        let side = sides.into_iter().find(|(name, _)| self.take(name)).map(|(_, side)| side);
        let mut characters = None;
        if side.is_none() || !self.take("FROM") {
            let first = self.expression()?;
            if !self.take("FROM") {
                self.expect_sign(")")?;
                return Ok(Expression::Trim(side.unwrap_or(Side::Both), None, Box::new(first)));
            }
            characters = Some(Box::new(first));
        }
        let of = Box::new(self.expression()?);
        self.expect_sign(")")?;
        Ok(Expression::Trim(side.unwrap_or(Side::Both), characters, of))
    }

    /// Expressions up to the closing parenthesis.
    fn list(&mut self) -> Result<Vec<Expression>, String> {
        let mut found = Vec::new();
        if self.sign(")") {
            return Ok(found);
        }
        loop {
            found.push(self.expression()?);
            if self.sign(")") {
                return Ok(found);
            }
            self.expect_sign(",")?;
        }
    }

    fn steps(&mut self) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        loop {
            if self.sign(".") {
                let (name, exact) = self.name()?;
                steps.push(Step::Member { name, exact });
            } else if self.sign("[") {
                steps.push(if self.sign("*") {
                    Step::Every
                } else {
                    Step::Element(usize::try_from(self.count()?).unwrap_or(usize::MAX))
                });
                self.expect_sign("]")?;
            } else {
                return Ok(steps);
            }
            if steps.len() > DEPTH_MAX {
                return Err("A path has too many steps.".to_owned());
            }
        }
    }

    fn name(&mut self) -> Result<(String, bool), String> {
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

    fn part(&mut self) -> Result<Part, String> {
        let part = match self.peek() {
            Some(Token::Text(name) | Token::Word(name)) => Part::named(name),
            _ => None,
        };
        self.at += 1;
        part.ok_or_else(|| "A part of a time is year, month, day, hour, minute or second.".to_owned())
    }

    fn cast_type(&mut self) -> Result<Type, String> {
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

    fn count(&mut self) -> Result<u64, String> {
        let count = match self.peek() {
            Some(Token::Int(number)) => u64::try_from(*number).ok(),
            _ => None,
        };
        self.at += 1;
        count.ok_or_else(|| "A whole number should stand here.".to_owned())
    }

    fn character(&mut self) -> Result<char, String> {
        let single = match self.peek() {
            Some(Token::Text(text)) => text.chars().next().filter(|only| text.len() == only.len_utf8()),
            _ => None,
        };
        self.at += 1;
        single.ok_or_else(|| "Behind ESCAPE comes one character in quotes.".to_owned())
    }

    /// Sides with operators of one level between them, bound from the left.
    fn chain(
        &mut self,
        side: fn(&mut Self) -> Result<Expression, String>,
        operators: &[(&'static str, Operator)],
    ) -> Result<Expression, String> {
        let mut left = side(self)?;
        while let Some((_, operator)) = operators.iter().find(|(word, _)| self.sign(word) || self.take(word))
        {
            self.operator()?;
            left = Expression::Two(*operator, Box::new((left, side(self)?)));
        }
        Ok(left)
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("The statement is nested too deeply.".to_owned());
        }
        let found = inner(self)?;
        self.depth -= 1;
        Ok(found)
    }

    fn operator(&mut self) -> Result<(), String> {
        self.operators += 1;
        if self.operators > OPERATORS_MAX {
            Err("The statement has too many operators.".to_owned())
        } else {
            Ok(())
        }
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn is_word(&self, ahead: usize, keyword: &str) -> bool {
        matches!(self.tokens.get(self.at + ahead), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword))
    }

    fn is_sign(&self, ahead: usize, sign: &str) -> bool {
        matches!(self.tokens.get(self.at + ahead), Some(Token::Sign(found)) if *found == sign)
    }

    /// Goes on behind the keyword if it is next.
    fn take(&mut self, keyword: &str) -> bool {
        let there = self.is_word(0, keyword);
        self.at += usize::from(there);
        there
    }

    fn sign(&mut self, sign: &str) -> bool {
        let there = self.is_sign(0, sign);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, keyword: &str) -> Result<(), String> {
        if self.take(keyword) { Ok(()) } else { Err(self.instead_of(keyword)) }
    }

    fn expect_sign(&mut self, sign: &str) -> Result<(), String> {
        if self.sign(sign) { Ok(()) } else { Err(self.instead_of(sign)) }
    }

    fn instead_of(&self, wanted: &str) -> String {
        match self.peek() {
            Some(token) => format!("{} stands where {wanted} should.", shown(token)),
            None => format!("The statement ends where {wanted} should stand."),
        }
    }
}

fn negate_if(negated: bool, expression: Expression) -> Expression {
    if negated { Expression::Not(Box::new(expression)) } else { expression }
}

/// The name of a column that was given none: a path's last member, or its place.
fn natural_name(expression: &Expression, place: usize) -> String {
    let last = match expression {
        Expression::Path(path) => path.iter().rev().find_map(|step| match step {
            Step::Member { name, .. } => Some(name.clone()),
            _ => None,
        }),
        _ => None,
    };
    last.unwrap_or_else(|| format!("_{place}"))
}

fn named_function(name: &str) -> Option<(Function, std::ops::RangeInclusive<usize>)> {
    Some(match name {
        "CHAR_LENGTH" | "CHARACTER_LENGTH" => (Function::CharLength, 1..=1),
        "LOWER" => (Function::Lower, 1..=1),
        "UPPER" => (Function::Upper, 1..=1),
        "SUBSTRING" => (Function::Substring, 2..=3),
        "NULLIF" => (Function::NullIf, 2..=2),
        "COALESCE" => (Function::Coalesce, 1..=usize::MAX),
        "TO_STRING" => (Function::ToString, 2..=2),
        "TO_TIMESTAMP" => (Function::ToTimestamp, 1..=1),
        "UTCNOW" => (Function::UtcNow, 0..=0),
        _ => return None,
    })
}

fn shown(token: &Token) -> String {
    match token {
        Token::Word(text) => text.clone(),
        Token::Quoted(text) => format!("\"{text}\""),
        Token::Text(text) => format!("'{text}'"),
        Token::Int(number) => number.to_string(),
        Token::Float(number) => number.to_string(),
        Token::Sign(sign) => (*sign).to_owned(),
    }
}
