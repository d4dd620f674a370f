//! The grammar (XPath 1.0, 2 and 3), with names resolved and types checked.

use super::ast::{
    Arithmetic, Axis, Comparison, Compiled, Expr, Function, Literal, Path, Predicate, Start, Step,
    Test, ValueType,
};
use super::lexer::{Lexer, Token};
use super::{Names, SyntaxError, Unprefixed};
use crate::base::limits::{XPATH_BYTES_MAX, XPATH_DEPTH_MAX};
use crate::yang::schema::{ModuleId, Schema};
use crate::yang::xsd_regex;

impl Compiled {
    /// Parses an expression.
    ///
    /// # Errors
    /// The first place where it is none, where a name has an unknown prefix, where something else than a node-set
    /// stands in the place of one, or where a limit is reached.
    pub(crate) fn parse(
        schema: &Schema,
        text: &str,
        names: Names<'_>,
    ) -> Result<Self, SyntaxError> {
        if text.len() > XPATH_BYTES_MAX {
            let message = format!("there are more than {XPATH_BYTES_MAX} bytes");
            return Err(SyntaxError { position: XPATH_BYTES_MAX, message });
        }
        let mut lexer = Lexer::new(text);
        let (position, token) = lexer.next()?;
        let mut parser = Parser { schema, names, lexer, token, position, steps: 0, nesting: 0 };
        let (root, _) = parser.expr(0)?;
        if parser.token != Token::End {
            return Err(parser.expected("an operator or the end"));
        }
        let module = match names.unprefixed {
            Unprefixed::Of(module) => Some(module),
            Unprefixed::OfAny => None,
        };
        Ok(Self { root, steps: parser.steps, module })
    }
}

/// An expression, and how deep it is nested.
type Parsed = (Expr, usize);

struct Parser<'a> {
    schema: &'a Schema,
    names: Names<'a>,
    lexer: Lexer<'a>,
    /// The next token, and where it begins.
    token: Token<'a>,
    position: usize,
    steps: usize,
    nesting: usize,
}

/// A binary operator.
#[derive(Clone, Copy)]
enum Operator {
    Or,
    And,
    Compare(Comparison),
    Arithmetic(Arithmetic),
    Union,
}

impl Operator {
    /// The operator and how strongly it binds.
    fn of(token: Token<'_>) -> Option<(Self, u8)> {
        let Token::Symbol(symbol) = token else { return None };
        Some(match symbol {
            "or" => (Self::Or, 1),
            "and" => (Self::And, 2),
            "=" => (Self::Compare(Comparison::Equal), 3),
            "!=" => (Self::Compare(Comparison::NotEqual), 3),
            "<" => (Self::Compare(Comparison::Less), 4),
            "<=" => (Self::Compare(Comparison::LessOrEqual), 4),
            ">" => (Self::Compare(Comparison::Greater), 4),
            ">=" => (Self::Compare(Comparison::GreaterOrEqual), 4),
            "+" => (Self::Arithmetic(Arithmetic::Add), 5),
            "-" => (Self::Arithmetic(Arithmetic::Subtract), 5),
            "*" => (Self::Arithmetic(Arithmetic::Multiply), 6),
            "div" => (Self::Arithmetic(Arithmetic::Divide), 6),
            "mod" => (Self::Arithmetic(Arithmetic::Modulo), 6),
            "|" => (Self::Union, UNION),
            _ => return None,
        })
    }
}

/// How strongly a union binds: more than a minus sign.
const UNION: u8 = 7;

impl<'a> Parser<'a> {
    /// Operators that bind as strongly as `least` or more, and what is between them.
    fn expr(&mut self, least: u8) -> Result<Parsed, SyntaxError> {
        self.nesting += 1;
        self.check_depth(self.nesting)?;
        let mut left = self.operand()?;
        while let Some((operator, binding)) = Operator::of(self.token)
            && binding >= least
        {
            let position = self.position;
            self.advance()?;
            let right = self.expr(binding + 1)?;
            left = self.combine(operator, position, left, right)?;
        }
        self.nesting -= 1;
        Ok(left)
    }

    fn combine(
        &self,
        operator: Operator,
        position: usize,
        (left, left_depth): Parsed,
        (right, right_depth): Parsed,
    ) -> Result<Parsed, SyntaxError> {
        // Long rows of alternatives are not deep.
        let in_row = left_depth.max(right_depth + 1);
        let depth = left_depth.max(right_depth) + 1;
        let expr = match (operator, left) {
            (Operator::Or, Expr::Or(parts)) => return Ok((Expr::Or(with(parts, right)), in_row)),
            (Operator::And, Expr::And(parts)) => {
                return Ok((Expr::And(with(parts, right)), in_row));
            }
            (Operator::Union, Expr::Union(parts)) if is_nodes(&right) => {
                return Ok((Expr::Union(with(parts, right)), in_row));
            }
            (Operator::Or, left) => Expr::Or(vec![left, right]),
            (Operator::And, left) => Expr::And(vec![left, right]),
            (Operator::Union, left) if is_nodes(&left) && is_nodes(&right) => {
                Expr::Union(vec![left, right])
            }
            (Operator::Union, _) => {
                return Err(error(position, "only node-sets have a union".to_owned()));
            }
            (Operator::Compare(how), left) => Expr::Compare(how, Box::new((left, right))),
            (Operator::Arithmetic(how), left) => Expr::Arithmetic(how, Box::new((left, right))),
        };
        self.check_depth(depth)?;
        Ok((expr, depth))
    }

    /// Minus signs and what they stand before, or a path.
    fn operand(&mut self) -> Result<Parsed, SyntaxError> {
        let mut signs = 0_usize;
        while self.token == Token::Symbol("-") {
            self.advance()?;
            signs += 1;
        }
        if signs == 0 {
            return self.path();
        }
        let (inner, depth) = self.expr(UNION)?;
        let negated = Expr::Negate(Box::new(inner));
        // Two signs make a number of what was none.
        Ok(match signs % 2 {
            0 => (Expr::Negate(Box::new(negated)), depth + 2),
            _ => (negated, depth + 1),
        })
    }

    fn path(&mut self) -> Result<Parsed, SyntaxError> {
        let mut path = Path { start: Start::Context, steps: Vec::new() };
        let mut depth = 1;
        match self.token {
            Token::Symbol("/") => {
                path.start = Start::Root;
                self.advance()?;
                if !self.is_step() {
                    return Ok((Expr::Path(path), depth));
                }
            }
            Token::Symbol("//") => {
                path.start = Start::Root;
                self.descend(&mut path.steps)?;
            }
            Token::Name { .. }
            | Token::Wildcard(_)
            | Token::Axis(_)
            | Token::Symbol("." | ".." | "@") => {}
            Token::Function(name) if Test::is_type(name) => {}
            Token::Function(_) | Token::Literal(_) | Token::Number(_) | Token::Symbol("(") => {
                let position = self.position;
                let (primary, inner) = self.primary()?;
                depth = inner;
                let predicates = self.predicates(&mut depth)?;
                let goes_on = matches!(self.token, Token::Symbol("/" | "//"));
                if predicates.is_empty() && !goes_on {
                    return Ok((primary, depth));
                }
                if !is_nodes(&primary) {
                    let message = "what a path or predicate follows must be a node-set";
                    return Err(error(position, message.to_owned()));
                }
                depth += 1;
                path.start = Start::Expr(Box::new(primary), predicates);
                if !goes_on {
                    return Ok((Expr::Path(path), depth));
                }
                self.separator(&mut path.steps)?;
            }
            Token::Symbol(_) | Token::End => return Err(self.expected("an expression")),
        }
        self.relative_path(&mut path.steps, &mut depth)?;
        self.check_depth(depth)?;
        Ok((Expr::Path(path), depth))
    }

    fn relative_path(
        &mut self,
        steps: &mut Vec<Step>,
        depth: &mut usize,
    ) -> Result<(), SyntaxError> {
        loop {
            let step = self.step(depth)?;
            steps.push(step);
            if !matches!(self.token, Token::Symbol("/" | "//")) {
                return Ok(());
            }
            self.separator(steps)?;
        }
    }

    /// `/` or `//` between steps.
    fn separator(&mut self, steps: &mut Vec<Step>) -> Result<(), SyntaxError> {
        if self.token == Token::Symbol("//") {
            return self.descend(steps);
        }
        self.advance()
    }

    /// `//` is `/descendant-or-self::node()/`.
    fn descend(&mut self, steps: &mut Vec<Step>) -> Result<(), SyntaxError> {
        self.advance()?;
        steps.push(self.new_step(Axis::DescendantOrSelf, Test::Node));
        Ok(())
    }

    fn new_step(&mut self, axis: Axis, test: Test) -> Step {
        let number = self.steps;
        self.steps += 1;
        Step { axis, test, predicates: Vec::new(), number }
    }

    fn is_step(&self) -> bool {
        match self.token {
            Token::Name { .. } | Token::Wildcard(_) | Token::Axis(_) => true,
            Token::Function(name) => Test::is_type(name),
            Token::Symbol(symbol) => matches!(symbol, "." | ".." | "@"),
            Token::Literal(_) | Token::Number(_) | Token::End => false,
        }
    }

    fn step(&mut self, depth: &mut usize) -> Result<Step, SyntaxError> {
        let mut axis = Axis::Child;
        if let Token::Symbol(dots @ ("." | "..")) = self.token {
            self.advance()?;
            let axis = if dots == "." { Axis::Itself } else { Axis::Parent };
            return Ok(self.new_step(axis, Test::Node));
        }
        if self.token == Token::Symbol("@") {
            self.advance()?;
            axis = Axis::None;
        } else if let Token::Axis(name) = self.token {
            let named = Axis::named(name);
            axis = named.ok_or_else(|| error(self.position, format!("there is no axis {name}")))?;
            self.advance()?;
            self.take("::")?;
        }
        let test = self.test()?;
        let mut step = self.new_step(axis, test);
        step.predicates = self.predicates(depth)?;
        Ok(step)
    }

    fn test(&mut self) -> Result<Test, SyntaxError> {
        let position = self.position;
        let test = match self.token {
            Token::Wildcard(None) => Test::Any,
            Token::Wildcard(Some(prefix)) => match self.module(position, prefix)? {
                Some(module) => Test::AnyOf(module),
                None => Test::Nothing,
            },
            Token::Name { prefix: Some(prefix), local } => match self.module(position, prefix)? {
                Some(module) => Test::Name(module, local.into()),
                None => Test::Nothing,
            },
            Token::Name { prefix: None, local } => match self.names.unprefixed {
                Unprefixed::Of(module) => Test::Name(module, local.into()),
                Unprefixed::OfAny => Test::NameOfAny(local.into()),
            },
            Token::Function(name) if Test::is_type(name) => return self.type_test(name),
            Token::Function(_)
            | Token::Axis(_)
            | Token::Symbol(_)
            | Token::Literal(_)
            | Token::Number(_)
            | Token::End => return Err(self.expected("a step")),
        };
        self.advance()?;
        Ok(test)
    }

    /// `node()` and its like.
    fn type_test(&mut self, name: &str) -> Result<Test, SyntaxError> {
        self.advance()?;
        self.take("(")?;
        if name == "processing-instruction" && matches!(self.token, Token::Literal(_)) {
            self.advance()?;
        }
        self.take(")")?;
        Ok(match name {
            "node" => Test::Node,
            "text" => Test::Text,
            _ => Test::Nothing,
        })
    }

    fn predicates(&mut self, depth: &mut usize) -> Result<Vec<Predicate>, SyntaxError> {
        let mut predicates = Vec::new();
        while self.token == Token::Symbol("[") {
            self.advance()?;
            let (expr, inner) = self.expr(0)?;
            self.take("]")?;
            *depth = (*depth).max(inner + 1);
            predicates.push(Predicate::new(expr));
        }
        Ok(predicates)
    }

    fn primary(&mut self) -> Result<Parsed, SyntaxError> {
        let expr = match self.token {
            Token::Literal(text) => Expr::Literal(self.literal(text)),
            Token::Number(number) => Expr::Number(number),
            Token::Symbol("(") => {
                self.advance()?;
                let inner = self.expr(0)?;
                self.take(")")?;
                return Ok(inner);
            }
            Token::Function(name) => return self.call(name),
            Token::Symbol(_)
            | Token::Name { .. }
            | Token::Wildcard(_)
            | Token::Axis(_)
            | Token::End => return Err(self.expected("an expression")),
        };
        self.advance()?;
        Ok((expr, 1))
    }

    fn literal(&self, text: &str) -> Literal {
        let with_modules = crate::yang::types::rename_prefixes(text, |prefix| {
            let module = self.names.prefixes.module(self.schema, prefix)??;
            Some(self.schema.module(module).name.to_string())
        });
        let with_modules = (with_modules != text).then(|| with_modules.into());
        Literal { text: text.into(), with_modules }
    }

    fn call(&mut self, name: &str) -> Result<Parsed, SyntaxError> {
        let position = self.position;
        let Some((function, signature)) = Function::named(name) else {
            return Err(error(position, format!("there is no function {name}")));
        };
        self.advance()?;
        self.take("(")?;
        let (mut arguments, mut depth) = (Vec::new(), 0);
        while self.token != Token::Symbol(")") {
            if !arguments.is_empty() {
                self.take(",")?;
            }
            let at = self.position;
            let (argument, inner) = self.expr(0)?;
            if signature.takes_nodes && arguments.is_empty() && !is_nodes(&argument) {
                return Err(error(at, format!("{name}() takes a node-set here")));
            }
            depth = depth.max(inner);
            arguments.push(argument);
        }
        self.advance()?;
        if !(signature.least..=signature.most).contains(&arguments.len()) {
            return Err(error(
                position,
                format!("{name}() does not take {} arguments", arguments.len()),
            ));
        }
        if signature.of_context && arguments.is_empty() {
            let step = self.new_step(Axis::Itself, Test::Node);
            arguments.push(Expr::Path(Path { start: Start::Context, steps: vec![step] }));
        }
        if let (Function::ReMatch, Some(Expr::Literal(pattern))) = (function, arguments.get(1))
            && xsd_regex::translate(&pattern.text).is_none()
        {
            return Err(error(
                position,
                format!("{:?} is no pattern that is supported", pattern.text),
            ));
        }
        self.check_depth(depth + 1)?;
        Ok((Expr::Call(function, arguments), depth + 1))
    }

    /// The module that a prefix means, if there is one with its namespace.
    fn module(&self, position: usize, prefix: &str) -> Result<Option<ModuleId>, SyntaxError> {
        self.names
            .prefixes
            .module(self.schema, prefix)
            .ok_or_else(|| error(position, format!("prefix {prefix:?} is not declared")))
    }

    fn advance(&mut self) -> Result<(), SyntaxError> {
        (self.position, self.token) = self.lexer.next()?;
        Ok(())
    }

    fn take(&mut self, symbol: &'static str) -> Result<(), SyntaxError> {
        if self.token != Token::Symbol(symbol) {
            return Err(self.expected(&format!("{symbol:?}")));
        }
        self.advance()
    }

    fn expected(&self, what: &str) -> SyntaxError {
        error(self.position, format!("{what} is expected"))
    }

    fn check_depth(&self, depth: usize) -> Result<(), SyntaxError> {
        if depth <= XPATH_DEPTH_MAX {
            return Ok(());
        }
        Err(error(self.position, format!("there are more than {XPATH_DEPTH_MAX} levels")))
    }
}

impl Test {
    /// The name of a node type.
    fn is_type(name: &str) -> bool {
        matches!(name, "node" | "text" | "comment" | "processing-instruction")
    }
}

fn is_nodes(expr: &Expr) -> bool {
    expr.value_type() == ValueType::Nodes
}

fn with(mut parts: Vec<Expr>, part: Expr) -> Vec<Expr> {
    parts.push(part);
    parts
}

fn error(position: usize, message: String) -> SyntaxError {
    SyntaxError { position, message }
}
