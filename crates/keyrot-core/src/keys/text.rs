//! From text to a syntax tree: JSON plus comments and trailing commas, and nothing else.

use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::{ParseError, ParseErrorKind};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::report::{Report, Spot};

/// How a file that holds no keys is put right.
pub(super) const START_FROM_EXAMPLE: &str = "start from the example: cp keys_example.json keys.json";

const LENIENCE: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Replaces `#` comments and a leading byte order mark by spaces; every other byte keeps its place.
pub(super) fn blank_hash_comments(text: &str) -> String {
    enum Inside {
        Json,
        Str,
        Line,
        Block,
        Hash,
    }
    let mut inside = Inside::Json;
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let mut pair = None;
        inside = match (inside, c) {
            (Inside::Json, '"') => Inside::Str,
            (Inside::Json, '#') => Inside::Hash,
            (Inside::Json, '/') if chars.peek() == Some(&'/') => Inside::Line,
            (Inside::Json, '/') if chars.peek() == Some(&'*') => {
                // The star is taken here, so that `/*/` does not end what it began.
                pair = chars.next();
                Inside::Block
            }
            (Inside::Str, '"') => Inside::Json,
            (Inside::Str, '\\') => {
                pair = chars.next();
                Inside::Str
            }
            (Inside::Line | Inside::Hash, '\n' | '\r') => Inside::Json,
            (Inside::Block, '*') if chars.peek() == Some(&'/') => {
                pair = chars.next();
                Inside::Json
            }
            (same, _) => same,
        };
        let blank = matches!(inside, Inside::Hash) || (out.is_empty() && c == '\u{feff}');
        if blank {
            out.extend(std::iter::repeat_n(' ', c.len_utf8()));
        } else {
            out.push(c);
        }
        out.extend(pair);
    }
    out
}

/// Parses `text`, in which [`blank_hash_comments`] has been at work. Reports why there is no value.
pub(super) fn parse<'t>(text: &'t str, report: &mut Report<'_>) -> Option<Value<'t>> {
    match parse_to_ast(text, &CollectOptions::default(), &LENIENCE) {
        Ok(parsed) => {
            if parsed.value.is_none() {
                report.error(&Spot::default(), "the file is empty", START_FROM_EXAMPLE);
            }
            parsed.value
        }
        Err(error) => {
            let spot = Spot { offset: error.range().start(), ..Spot::default() };
            report.error(&spot, format!("not valid JSON: {}", message(&error)), remedy(&error));
            None
        }
    }
}

fn message(error: &ParseError) -> String {
    let text = error.kind().to_string();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn remedy(error: &ParseError) -> &'static str {
    match error.kind() {
        ParseErrorKind::SingleQuotedStringsNotAllowed => "use double quotes",
        ParseErrorKind::ExpectedStringObjectProperty => "put the name in double quotes",
        ParseErrorKind::ExpectedComma => "put a `,` between the two",
        ParseErrorKind::UnterminatedObject => "a `}` is missing for this `{`",
        ParseErrorKind::UnterminatedArray => "a `]` is missing for this `[`",
        ParseErrorKind::UnterminatedCommentBlock => "a `*/` is missing for this `/*`",
        _ => "keys_example.json shows the form",
    }
}
