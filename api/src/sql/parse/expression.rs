//! Expressions, from the weakest operator to the strongest: each level reads its sides with the next.

use super::words::shown;
use super::{DEPTH_MAX, Parser};
use crate::sql::Value;
use crate::sql::expression::{Expression, Function, Operator, Side, Step};
use crate::sql::moment::Part;
use crate::sql::token::Token;

/// Most operators of a statement. Each is evaluated inside the next one of its chain, so chains make expressions
/// deep as parentheses do; together with [`DEPTH_MAX`] this bounds the stack.
const OPERATORS_MAX: usize = 256;

impl Parser {
    pub(super) fn expression(&mut self) -> Result<Expression, String> {
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
            Token::Text(text) => Ok(self.literal(Value::Text(text))),
            Token::Int(number) => Ok(self.literal(Value::Int(number))),
            Token::Float(number) => Ok(self.literal(Value::Float(number))),
            Token::Sign("(") => {
                self.at += 1;
                let inner = self.expression()?;
                self.expect_sign(")")?;
                Ok(inner)
            }
            Token::Word(word) if self.is_sign(1, "(") => self.call(&word),
            Token::Word(word) if word.eq_ignore_ascii_case("TRUE") => Ok(self.literal(Value::Boolean(true))),
            Token::Word(word) if word.eq_ignore_ascii_case("FALSE") => {
                Ok(self.literal(Value::Boolean(false)))
            }
            Token::Word(word) if word.eq_ignore_ascii_case("NULL") => Ok(self.literal(Value::Null)),
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

    fn literal(&mut self, value: Value) -> Expression {
        self.at += 1;
        Expression::Literal(value)
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

    pub(super) fn steps(&mut self) -> Result<Vec<Step>, String> {
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
}

fn negate_if(negated: bool, expression: Expression) -> Expression {
    if negated { Expression::Not(Box::new(expression)) } else { expression }
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
