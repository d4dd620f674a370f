//! Tokens (XPath 1.0, 3.7).

use super::SyntaxError;

/// A token. Names are as they were written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'a> {
    /// `( ) [ ] . .. @ , :: / //` and operators: `and or mod div * | + - = != < <= > >=`.
    Symbol(&'static str),
    Literal(&'a str),
    Number(f64),
    /// `prefix:name` or `name` of a node.
    Name {
        prefix: Option<&'a str>,
        local: &'a str,
    },
    /// `*` or `prefix:*`.
    Wildcard(Option<&'a str>),
    /// A name before `(`: a function or a node type.
    Function(&'a str),
    /// A name before `::`.
    Axis(&'a str),
    End,
}

/// Symbols that are not names; longer ones first.
const SYMBOLS: [&str; 21] = [
    "::", "..", "//", "!=", "<=", ">=", "(", ")", "[", "]", ".", "@", ",", "/", "|", "+", "-", "=",
    "<", ">", "*",
];

/// Names that are operators where an operand has come before.
const OPERATOR_NAMES: [&str; 4] = ["and", "or", "mod", "div"];

/// Reads tokens from left to right.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// An operand has come before, so that `*` and names can be operators only.
    after_operand: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, after_operand: false }
    }

    /// The next token and its position; `Token::End` at the end.
    pub(super) fn next(&mut self) -> Result<(usize, Token<'a>), SyntaxError> {
        self.skip_space();
        let start = self.at;
        let token = self.token()?;
        self.after_operand = match token {
            Token::Symbol(symbol) => matches!(symbol, ")" | "]" | "." | ".."),
            Token::Literal(_) | Token::Number(_) | Token::Name { .. } | Token::Wildcard(_) => true,
            Token::Function(_) | Token::Axis(_) | Token::End => false,
        };
        Ok((start, token))
    }

    fn token(&mut self) -> Result<Token<'a>, SyntaxError> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(Token::End) };
        let second_is_digit = rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        if first.is_ascii_digit() || (first == '.' && second_is_digit) {
            return Ok(self.number());
        }
        if matches!(first, '"' | '\'') {
            return self.literal(first);
        }
        if name_len(rest) > 0 {
            return self.name();
        }
        let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) else {
            let message = format!("{first:?} is not expected");
            return Err(SyntaxError { position: self.at, message });
        };
        self.at += symbol.len();
        if symbol == "*" && !self.after_operand {
            return Ok(Token::Wildcard(None));
        }
        Ok(Token::Symbol(symbol))
    }

    fn number(&mut self) -> Token<'a> {
        let rest = self.rest();
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let whole = digits(rest);
        let fraction = rest.get(whole..).and_then(|rest| rest.strip_prefix('.')).map(digits);
        let length = whole + fraction.map_or(0, |fraction| fraction + 1);
        self.at += length;
        let text = rest.get(..length).unwrap_or_default();
        Token::Number(super::numbers::from_text(text))
    }

    fn literal(&mut self, quote: char) -> Result<Token<'a>, SyntaxError> {
        let inner = self.rest().get(1..).unwrap_or_default();
        let Some((literal, _)) = inner.split_once(quote) else {
            let message = format!("the literal has no closing {quote}");
            return Err(SyntaxError { position: self.at, message });
        };
        self.at += literal.len() + 2;
        Ok(Token::Literal(literal))
    }

    fn name(&mut self) -> Result<Token<'a>, SyntaxError> {
        let first = self.take_name();
        if self.after_operand {
            let operator = OPERATOR_NAMES.into_iter().find(|operator| *operator == first);
            return operator.map(Token::Symbol).ok_or_else(|| SyntaxError {
                position: self.at - first.len(),
                message: format!("an operator is expected, not {first:?}"),
            });
        }
        let behind = self.rest();
        let (prefix, local) = match behind.strip_prefix(':') {
            Some(local) if local.starts_with('*') => {
                self.at += 2;
                return Ok(Token::Wildcard(Some(first)));
            }
            Some(local) if name_len(local) > 0 => {
                self.at += 1;
                (Some(first), self.take_name())
            }
            Some(_) | None => (None, first),
        };
        let next = self.rest().trim_start_matches(is_space);
        Ok(match prefix {
            None if next.starts_with("::") => Token::Axis(local),
            None if next.starts_with('(') => Token::Function(local),
            Some(_) | None => Token::Name { prefix, local },
        })
    }

    fn take_name(&mut self) -> &'a str {
        let rest = self.rest();
        let name = rest.get(..name_len(rest)).unwrap_or_default();
        self.at += name.len();
        name
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(is_space).len();
    }
}

/// White space of XML.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// Bytes of the name without colon that the text begins with; 0 if it begins with none.
fn name_len(text: &str) -> usize {
    let is_start = |c: char| c.is_alphabetic() || c == '_';
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '\u{b7}');
    if !text.starts_with(is_start) {
        return 0;
    }
    text.find(|c| !is_part(c)).unwrap_or(text.len())
}
