//! From a model's reply to the code in it.
//!
//! Wanted is one fenced block. Accepted are several (the longest that holds a whole strategy wins, then the longest
//! that holds code), other tags, CRLF, a byte-order mark, indented fences, a missing last fence, and bare code.
//!
//! ```
//! use strategy_gen::extract::{ExtractError, extract};
//! assert_eq!(extract("Here it is:\n```python\nx = 1\n```\nEnjoy!").unwrap().code, "x = 1\n");
//! assert_eq!(extract("I cannot help with that."), Err(ExtractError::NoCode));
//! ```

use serde::Serialize;

use crate::check::{Code, check};

/// Code from a reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Extracted {
    /// The code, with LF line ends and one at the end.
    pub code: String,
    /// The block was not closed, yet holds a whole strategy; whether the reply was cut is for the caller to know.
    pub unclosed: bool,
    /// How many blocks of code the reply had; 0 when it was code without a fence.
    pub blocks: usize,
}

/// Why a reply gives no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// Nothing but white space.
    #[error("the reply is empty")]
    Empty,
    /// Prose only.
    #[error("the reply holds no code")]
    NoCode,
    /// The last block was not closed and its code stops in the middle. Ask again with a larger budget.
    #[error("the reply stops in the middle of the code")]
    Truncated {
        /// What there is of it; never to be saved as a strategy.
        partial: String,
    },
}

/// Tags of blocks that are not the strategy.
const OTHER_TAGS: [&str; 17] = [
    "bash",
    "console",
    "csv",
    "diff",
    "html",
    "ini",
    "js",
    "json",
    "markdown",
    "md",
    "output",
    "plaintext",
    "sh",
    "shell",
    "text",
    "toml",
    "yaml",
];

/// How far a block got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// Does not parse or says nothing of a strategy.
    Text,
    /// Parses and defines or imports something.
    Python,
    /// Parses and holds a strategy.
    Strategy,
}

#[derive(Debug)]
struct Block {
    code: String,
    closed: bool,
    tag: String,
}

/// Takes the code out of a reply.
///
/// # Errors
/// [`ExtractError`] when there is none, or when the only code is visibly cut off.
pub fn extract(reply: &str) -> Result<Extracted, ExtractError> {
    let reply = reply.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    if reply.trim().is_empty() {
        return Err(ExtractError::Empty);
    }
    let blocks: Vec<Block> = fenced(&reply)
        .into_iter()
        .filter(|block| !OTHER_TAGS.contains(&block.tag.as_str()) && !block.code.trim().is_empty())
        .collect();
    let count = blocks.len();
    let judged = blocks.into_iter().map(|block| (worth(&block.code), block));
    // On a tie the later block wins: a model that corrects itself does so at the end.
    let Some((worth_of, block)) =
        judged.max_by_key(|(worth, block)| (*worth, block.closed, block.code.len()))
    else {
        return bare(&reply);
    };
    if !block.closed && worth_of != Worth::Strategy {
        return Err(ExtractError::Truncated { partial: block.code });
    }
    Ok(Extracted { code: block.code, unclosed: !block.closed, blocks: count })
}

/// A reply without any fence: code if it is a whole strategy, else prose.
fn bare(reply: &str) -> Result<Extracted, ExtractError> {
    let code = tidy(reply.trim_matches('\n'));
    match worth(&code) {
        Worth::Strategy => Ok(Extracted { code, unclosed: true, blocks: 0 }),
        Worth::Python | Worth::Text if code.lines().any(is_import) && code.contains("(Strategy)") => {
            Err(ExtractError::Truncated { partial: code })
        }
        Worth::Python | Worth::Text => Err(ExtractError::NoCode),
    }
}

fn is_import(line: &str) -> bool {
    line.starts_with("import ") || (line.starts_with("from ") && line.contains(" import "))
}

/// Fenced blocks in the order of the text.
fn fenced(reply: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = reply.lines();
    while let Some(line) = lines.next() {
        let Some(fence) = Fence::opening(line) else { continue };
        let mut code = String::new();
        let mut closed = false;
        for line in lines.by_ref() {
            if fence.closed_by(line) {
                closed = true;
                break;
            }
            code.push_str(fence.content(line));
            code.push('\n');
        }
        blocks.push(Block { code: tidy(&code), closed, tag: fence.tag });
    }
    blocks
}

struct Fence {
    mark: char,
    length: usize,
    indent: usize,
    tag: String,
}

impl Fence {
    fn opening(line: &str) -> Option<Self> {
        let text = line.trim_start();
        let mark = text.chars().next().filter(|c| ['`', '~'].contains(c))?;
        let length = text.chars().take_while(|c| *c == mark).count();
        let info = text[length..].trim();
        // "```code``` in one line" is prose.
        let opens = length >= 3 && !info.contains(mark);
        let tag = info.split(|c: char| c.is_whitespace() || "{},:".contains(c)).find(|word| !word.is_empty());
        let tag = tag.unwrap_or_default().to_ascii_lowercase();
        opens.then(|| Self { mark, length, indent: line.len() - text.len(), tag })
    }

    fn closed_by(&self, line: &str) -> bool {
        let text = line.trim();
        // Deeper than the opening it belongs to the code, such as a fence inside a docstring.
        let indent = line.len() - line.trim_start().len();
        text.len() >= self.length && text.chars().all(|c| c == self.mark) && indent <= self.indent + 3
    }

    /// A line without the indent that the whole block has.
    fn content<'l>(&self, line: &'l str) -> &'l str {
        let spaces = line.len() - line.trim_start_matches([' ', '\t']).len();
        &line[spaces.min(self.indent)..]
    }
}

/// No white space at line ends, no empty lines around, one line end at the end, and nothing a terminal would obey.
fn tidy(code: &str) -> String {
    let code: String = code.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect();
    let lines: Vec<&str> = code.lines().map(str::trim_end).collect();
    let first = lines.iter().position(|line| !line.is_empty()).unwrap_or(0);
    let last = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    let mut code = lines.get(first..last).unwrap_or_default().join("\n");
    code.push('\n');
    code
}

fn worth(code: &str) -> Worth {
    // A check that cannot run says nothing about the code; the caller's own check will tell.
    let Ok(report) = check(code) else { return Worth::Text };
    if report.has(Code::Syntax) || report.has(Code::TooLarge) {
        return Worth::Text;
    }
    let whole = !report.has(Code::MissingInit) && !report.has(Code::MissingNext);
    match (report.strategies.is_empty(), whole) {
        (false, true) => Worth::Strategy,
        _ => Worth::Python,
    }
}

#[cfg(test)]
mod tests;
