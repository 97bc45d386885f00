//! Findings, for people and for machines.

use std::fmt::{self, Write as _};

use keyrot::UntrustedText;
use serde::Serialize;

use super::syntax::Position;

/// What kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Code {
    /// The source is larger than is read.
    TooLarge,
    /// Nested deeper than Python takes.
    TooDeep,
    /// Not Python.
    Syntax,
    /// Python, but newer than 3.10.
    UnsupportedSyntax,
    /// No `Strategy` subclass.
    NoStrategy,
    /// More than one `Strategy` subclass.
    ManyStrategies,
    /// `Strategy`, `crossover`, `np` or `pd` is used but not imported.
    MissingImport,
    /// The strategy has no `init`.
    MissingInit,
    /// The strategy has no `next`.
    MissingNext,
    /// The strategy overrides `__init__`.
    InitOverride,
    /// An import that is not on the list.
    Import,
    /// A built-in that a strategy has no use for.
    DeniedName,
    /// A name with two underscores at both ends.
    Dunder,
    /// A private part of backtesting.py.
    Private,
    /// Reading or writing files.
    Io,
    /// An `except` that hides every error.
    BareExcept,
    /// An argument that the method does not have.
    UnknownKeyword,
    /// A value from the future.
    LookAhead,
    /// Code that runs a backtest itself.
    Runner,
    /// Printing.
    Print,
    /// A character outside comments that is not ASCII.
    NonAscii,
    /// A number of the description that the code does not hold.
    LostNumber,
    /// An indicator of the description that the code does not compute.
    LostIndicator,
}

impl Code {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 23] = [
        Self::TooLarge,
        Self::TooDeep,
        Self::Syntax,
        Self::UnsupportedSyntax,
        Self::NoStrategy,
        Self::ManyStrategies,
        Self::MissingImport,
        Self::MissingInit,
        Self::MissingNext,
        Self::InitOverride,
        Self::Import,
        Self::DeniedName,
        Self::Dunder,
        Self::Private,
        Self::Io,
        Self::BareExcept,
        Self::UnknownKeyword,
        Self::LookAhead,
        Self::Runner,
        Self::Print,
        Self::NonAscii,
        Self::LostNumber,
        Self::LostIndicator,
    ];

    /// How bad it is.
    pub const fn severity(self) -> Severity {
        match self {
            Self::Runner | Self::Print | Self::NonAscii | Self::LostNumber | Self::LostIndicator => {
                Severity::Warning
            }
            Self::TooLarge
            | Self::TooDeep
            | Self::Syntax
            | Self::UnsupportedSyntax
            | Self::NoStrategy
            | Self::ManyStrategies
            | Self::MissingImport
            | Self::MissingInit
            | Self::MissingNext
            | Self::InitOverride
            | Self::Import
            | Self::DeniedName
            | Self::Dunder
            | Self::Private
            | Self::Io
            | Self::BareExcept
            | Self::UnknownKeyword
            | Self::LookAhead => Severity::Error,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file works, but look at it.
    Warning,
    /// The file must not be run.
    Error,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// What kind.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    pub(super) fn new(code: Code, position: Position, message: impl Into<String>, hint: &str) -> Self {
        Self {
            code,
            severity: code.severity(),
            line: position.line,
            column: position.column,
            // Both may quote the file.
            message: UntrustedText::from(message.into()).to_string(),
            hint: (!hint.is_empty()).then(|| UntrustedText::from(hint).to_string()),
        }
    }
}

impl fmt::Display for Diagnostic {
    /// `line:column code message`, then the hint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, severity: _, line, column, message, hint } = self;
        write!(f, "{line}:{column} {code} {message}")?;
        match hint {
            Some(hint) => write!(f, "; hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Everything found in one file, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The names of the `Strategy` subclasses.
    pub strategies: Vec<String>,
    /// The findings.
    pub diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// Whether anything must be repaired before the file may run.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Whether it was found.
    pub fn has(&self, code: Code) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.code == code)
    }

    /// One line per finding: `file:line:column code message; hint: ...`.
    pub fn text(&self, file: &str) -> String {
        self.diagnostics.iter().fold(String::new(), |mut text, diagnostic| {
            let _ = writeln!(text, "{file}:{diagnostic}");
            text
        })
    }
}
