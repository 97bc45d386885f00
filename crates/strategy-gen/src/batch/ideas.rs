//! The descriptions of a batch: one a line.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::Deserialize;

use crate::generator::MAX_DESCRIPTION;

/// One description.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Idea {
    /// Its line, from 1.
    pub line: usize,
    /// The name of the class, where one is given.
    pub name: Option<String>,
    /// The strategy in plain words.
    pub description: String,
}

/// Lines that are no descriptions.
#[derive(Debug, thiserror::Error)]
#[error(
    "the ideas cannot be used:\n  {}\nhint: write one description a line, or {{\"name\": …, \"description\": …}}",
    problems.join("\n  ")
)]
pub struct IdeasError {
    /// Each with its line.
    problems: Vec<String>,
}

/// A line that is JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Option<String>,
    description: String,
}

/// Reads one description a line. Blank lines and those that begin with `#` are skipped; a line that begins with `{` is
/// JSON with a `description` and perhaps a `name`.
///
/// # Errors
/// [`IdeasError`] with every line that cannot be used, or when there is none that can.
pub fn ideas(text: &str) -> Result<Vec<Idea>, IdeasError> {
    let mut ideas: Vec<Idea> = Vec::new();
    let mut seen = HashMap::new();
    let mut problems = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match idea(line, text) {
            Ok(idea) => match seen.entry((idea.name.clone(), idea.description.clone())) {
                Entry::Occupied(first) => {
                    problems.push(format!("line {line}: the same as line {}", first.get()));
                }
                Entry::Vacant(place) => {
                    place.insert(line);
                    ideas.push(idea);
                }
            },
            Err(why) => problems.push(format!("line {line}: {why}")),
        }
    }
    if ideas.is_empty() && problems.is_empty() {
        problems.push("there is none".to_owned());
    }
    if problems.is_empty() { Ok(ideas) } else { Err(IdeasError { problems }) }
}

fn idea(line: usize, text: &str) -> Result<Idea, String> {
    let Written { name, description } = if text.starts_with('{') {
        // The error names a column of a text of one line.
        serde_json::from_str(text).map_err(|error| error.to_string().replace("line 1 ", ""))?
    } else {
        Written { name: None, description: text.to_owned() }
    };
    let description = description.trim().to_owned();
    if description.is_empty() {
        return Err("the description is empty".to_owned());
    }
    if description.len() > MAX_DESCRIPTION {
        return Err(format!("the description has more than {MAX_DESCRIPTION} bytes"));
    }
    Ok(Idea { line, name, description })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_cannot_be_used_is_named() {
        let text = "Buy low\n{\"description\": 7}\n{\"descripton\": \"x\"}\n{\"description\": \" \"}\n{\n Buy low \n";
        let error = ideas(text).expect_err("five").to_string();
        for line in ["line 2: ", "line 3: unknown field", "line 4: the description is empty", "line 5: "] {
            assert!(error.contains(line), "{line}: {error}");
        }
        assert!(error.contains("line 6: the same as line 1"), "{error}");
        assert!(ideas("# nothing\n\n").expect_err("none").to_string().contains("there is none"));
        let long = "x".repeat(MAX_DESCRIPTION + 1);
        assert!(ideas(&long).expect_err("long").to_string().contains("more than"));
    }

    #[test]
    fn marks_and_line_ends_of_other_systems_are_no_part_of_an_idea() {
        let ideas = ideas("\u{feff}# from a spreadsheet\r\nBuy low\r\n").expect("one");
        assert_eq!(ideas, [Idea { line: 2, name: None, description: "Buy low".to_owned() }]);
    }
}
