//! Python source to flat facts. The only file that knows the parser, so that a new version touches one place.

use std::io;
use std::thread;

use ruff_python_ast::token::{Token, TokenKind};
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Alias, ExceptHandler, Expr, ExprCall, Number, Operator, Parameter, PythonVersion, Stmt, StmtClassDef,
    UnaryOp,
};
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};
use ruff_source_file::LineIndex;
use ruff_text_size::{Ranged, TextRange, TextSize};

/// Deeply nested source needs a deep stack: 128 KiB of `-` overflow the usual 8 MiB.
const STACK: usize = 256 * 1024 * 1024;

/// CPython takes 99 blocks within each other; of brackets 200, but no strategy has a hundred.
const DEEPEST: usize = 100;

/// CPython's compiler gives up somewhat later.
const DEEPEST_EXPRESSION: usize = 500;

/// A place in the source, both counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// One imported name.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) position: Position,
    /// Module, without the name; empty for `from . import x`.
    pub(super) module: String,
    /// The name taken from the module, if any; `*` for all.
    pub(super) name: Option<String>,
    /// What the file calls it.
    pub(super) bound: String,
    pub(super) relative: bool,
}

/// A class anywhere in the file.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) position: Position,
    pub(super) name: String,
    /// Base classes as dotted names; others are left out.
    pub(super) bases: Vec<String>,
    pub(super) methods: Vec<(String, Position)>,
    /// Attributes of the class that are literals, with their text.
    pub(super) attributes: Vec<(String, String)>,
}

/// An argument, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    Number(f64),
    True,
    Other,
}

/// A call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) position: Position,
    /// Dotted name; `.shift` where the receiver is no name.
    pub(super) target: String,
    pub(super) arguments: Vec<Value>,
    pub(super) keywords: Vec<(String, Value, Position)>,
}

/// What the checks look at.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) errors: Vec<(Position, String)>,
    pub(super) unsupported: Vec<(Position, String)>,
    pub(super) imports: Vec<Import>,
    pub(super) classes: Vec<Class>,
    /// Every name that is read, set or deleted.
    pub(super) names: Vec<(String, Position)>,
    /// Every attribute, without its receiver.
    pub(super) attributes: Vec<(String, Position)>,
    /// Functions outside classes and methods inside.
    pub(super) functions: Vec<(String, Position)>,
    pub(super) calls: Vec<Call>,
    pub(super) bare_excepts: Vec<Position>,
    /// `x.iloc[i + 1]`: a row behind the current one.
    pub(super) rows_ahead: Vec<Position>,
    /// Every number literal.
    pub(super) numbers: Vec<f64>,
    /// Every name that is given a value: variables, arguments, loop variables.
    pub(super) bound: Vec<String>,
    /// Where brackets, blocks or expressions are first nested deeper than Python takes.
    pub(super) too_deep: Option<Position>,
    /// The first character outside comments that is not ASCII.
    pub(super) non_ascii: Option<Position>,
}

/// Parses on a thread of its own, because only there the stack can be made large enough.
pub(super) fn facts(source: &str) -> io::Result<Facts> {
    thread::scope(|scope| {
        let worker = thread::Builder::new().name("python-parser".to_owned()).stack_size(STACK);
        let worker = worker.spawn_scoped(scope, || collect(source))?;
        worker.join().map_err(|_| io::Error::other("the python parser failed"))
    })
}

fn collect(source: &str) -> Facts {
    let options = ParseOptions::from(Mode::Module).with_target_version(PythonVersion::PY310);
    let parsed = parse_unchecked(source, options);
    let mut collector =
        Collector { source, lines: LineIndex::from_source_text(source), facts: Facts::default(), depth: 0 };
    for error in parsed.errors() {
        let position = collector.position(error.location.start());
        collector.facts.errors.push((position, error.error.to_string()));
    }
    for error in parsed.unsupported_syntax_errors() {
        let position = collector.position(error.range.start());
        collector.facts.unsupported.push((position, error.to_string()));
    }
    collector.facts.too_deep = too_deep(parsed.tokens()).map(|at| collector.position(at));
    let comments: Vec<TextRange> = parsed
        .tokens()
        .iter()
        .filter(|token| token.kind() == TokenKind::Comment)
        .map(Ranged::range)
        .collect();
    let foreign = source.char_indices().find_map(|(at, c)| {
        let at = TextSize::try_from(at).ok()?;
        let outside = !c.is_ascii() && c != '\u{feff}' && !comments.iter().any(|range| range.contains(at));
        outside.then_some(at)
    });
    collector.facts.non_ascii = foreign.map(|at| collector.position(at));
    if let ruff_python_ast::Mod::Module(module) = parsed.syntax() {
        collector.visit_body(&module.body);
    }
    collector.facts
}

/// The first bracket or indent that lies deeper than [`DEEPEST`].
fn too_deep(tokens: &[Token]) -> Option<TextSize> {
    let (mut brackets, mut indents) = (0_usize, 0_usize);
    for token in tokens {
        match token.kind() {
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => brackets += 1,
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => brackets = brackets.saturating_sub(1),
            TokenKind::Indent => indents += 1,
            TokenKind::Dedent => indents = indents.saturating_sub(1),
            _ => continue,
        }
        if brackets > DEEPEST || indents >= DEEPEST {
            return Some(token.range().start());
        }
    }
    None
}

struct Collector<'s> {
    source: &'s str,
    lines: LineIndex,
    facts: Facts,
    /// How many expressions lie around.
    depth: usize,
}

impl Collector<'_> {
    fn position(&self, at: TextSize) -> Position {
        let place = self.lines.line_column(at, self.source);
        Position { line: place.line.get(), column: place.column.get() }
    }

    fn import(&mut self, alias: &Alias, from: Option<(&str, bool)>) {
        let name = alias.name.id.to_string();
        let position = self.position(alias.range.start());
        let first = name.split('.').next().unwrap_or_default().to_owned();
        let bound = alias.asname.as_ref().map_or(first, |asname| asname.id.to_string());
        let (module, name, relative) = match from {
            Some((module, relative)) => (module.to_owned(), Some(name), relative),
            None => (name, None, false),
        };
        self.facts.imports.push(Import { position, module, name, bound, relative });
    }

    fn class(&mut self, class: &StmtClassDef) {
        let bases = class.arguments.iter().flat_map(|arguments| &arguments.args).filter_map(dotted).collect();
        let methods = class
            .body
            .iter()
            .filter_map(|statement| match statement {
                Stmt::FunctionDef(method) => {
                    Some((method.name.id.to_string(), self.position(method.name.range.start())))
                }
                _ => None,
            })
            .collect();
        let attributes = class.body.iter().filter_map(|statement| self.attribute(statement)).collect();
        let position = self.position(class.name.range.start());
        let name = class.name.id.to_string();
        self.facts.classes.push(Class { position, name, bases, methods, attributes });
    }

    /// `name = literal`, with or without a type.
    fn attribute(&self, statement: &Stmt) -> Option<(String, String)> {
        let (target, value) = match statement {
            Stmt::Assign(assign) => (assign.targets.first()?, &assign.value),
            Stmt::AnnAssign(assign) => (&*assign.target, assign.value.as_ref()?),
            _ => return None,
        };
        let Expr::Name(name) = target else { return None };
        let number = match &**value {
            Expr::UnaryOp(unary) => &*unary.operand,
            plain => plain,
        };
        matches!(number, Expr::NumberLiteral(_) | Expr::BooleanLiteral(_) | Expr::StringLiteral(_))
            .then(|| (name.id.to_string(), self.source[value.range()].to_owned()))
    }

    fn call(&mut self, call: &ExprCall) {
        let target = match (&*call.func, dotted(&call.func)) {
            (_, Some(name)) => name,
            (Expr::Attribute(attribute), None) => format!(".{}", attribute.attr.id),
            _ => return,
        };
        let keywords = call
            .arguments
            .keywords
            .iter()
            .filter_map(|keyword| {
                let name = keyword.arg.as_ref()?.id.to_string();
                Some((name, value(&keyword.value), self.position(keyword.range.start())))
            })
            .collect();
        let arguments = call.arguments.args.iter().map(value).collect();
        let position = self.position(call.func.end());
        let position =
            Position { column: position.column.saturating_sub(last_name(&target)).max(1), ..position };
        self.facts.calls.push(Call { position, target, arguments, keywords });
    }
}

/// Characters of the last part of a dotted name.
fn last_name(target: &str) -> usize {
    target.rsplit('.').next().unwrap_or_default().chars().count()
}

impl<'a> Visitor<'a> for Collector<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => import.names.iter().for_each(|alias| self.import(alias, None)),
            Stmt::ImportFrom(import) => {
                let module = import.module.as_ref().map_or("", |module| module.id.as_str());
                for alias in &import.names {
                    self.import(alias, Some((module, import.level > 0)));
                }
            }
            Stmt::ClassDef(class) => self.class(class),
            Stmt::FunctionDef(function) => {
                let position = self.position(function.name.range.start());
                self.facts.functions.push((function.name.id.to_string(), position));
            }
            _ => {}
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(name) => {
                if name.ctx.is_store() {
                    self.facts.bound.push(name.id.to_string());
                }
                let position = self.position(name.range.start());
                self.facts.names.push((name.id.to_string(), position));
            }
            Expr::Attribute(attribute) => {
                let position = self.position(attribute.attr.range.start());
                self.facts.attributes.push((attribute.attr.id.to_string(), position));
            }
            Expr::Call(call) => self.call(call),
            Expr::Subscript(subscript) => {
                let by_row = dotted(&subscript.value)
                    .is_some_and(|name| name.ends_with(".iloc") || name.ends_with(".iat"));
                let ahead = matches!(&*subscript.slice, Expr::BinOp(sum) if sum.op == Operator::Add
                    && matches!(&*sum.left, Expr::Name(_))
                    && matches!(value(&sum.right), Value::Number(number) if number > 0.0));
                if by_row && ahead {
                    let position = self.position(subscript.range.start());
                    self.facts.rows_ahead.push(position);
                }
            }
            Expr::NumberLiteral(_) => {
                if let Value::Number(number) = value(expression) {
                    self.facts.numbers.push(number);
                }
            }
            _ => {}
        }
        self.depth += 1;
        if self.depth > DEEPEST_EXPRESSION && self.facts.too_deep.is_none() {
            self.facts.too_deep = Some(self.position(expression.range().start()));
        }
        visitor::walk_expr(self, expression);
        self.depth -= 1;
    }

    fn visit_parameter(&mut self, parameter: &'a Parameter) {
        self.facts.bound.push(parameter.name.id.to_string());
        visitor::walk_parameter(self, parameter);
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(handler_of) = handler;
        if handler_of.type_.is_none() {
            let position = self.position(handler_of.range.start());
            self.facts.bare_excepts.push(position);
        }
        visitor::walk_except_handler(self, handler);
    }
}

/// The name of `a.b.c`; `None` for anything else.
fn dotted(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Name(name) => Some(name.id.to_string()),
        Expr::Attribute(attribute) => Some(format!("{}.{}", dotted(&attribute.value)?, attribute.attr.id)),
        _ => None,
    }
}

fn value(expression: &Expr) -> Value {
    match expression {
        Expr::NumberLiteral(literal) => match &literal.value {
            Number::Int(int) => int.to_string().parse().map_or(Value::Other, Value::Number),
            Number::Float(float) => Value::Number(*float),
            Number::Complex { .. } => Value::Other,
        },
        Expr::UnaryOp(unary) if unary.op == UnaryOp::USub => match value(&unary.operand) {
            Value::Number(number) => Value::Number(-number),
            other => other,
        },
        Expr::BooleanLiteral(literal) if literal.value => Value::True,
        _ => Value::Other,
    }
}
