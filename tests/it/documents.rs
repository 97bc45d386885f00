//! What is written for people agrees with the code: README.md, `.env.example`, `keys_example.json`.

use std::collections::BTreeSet;

use keyrot::settings::{Acts, FromFile, VARIABLES, Variable};
use keyrot_core::KeySet;
use serde_json::Value;

const README: &str = include_str!("../../README.md");
const ENV_EXAMPLE: &str = include_str!("../../.env.example");
const KEYS_EXAMPLE: &str = include_str!("../../keys_example.json");
const KEYS_SCHEMA: &str = include_str!("../../keys.schema.json");
const MANIFEST: &str = include_str!("../../Cargo.toml");
const GENERATOR: &str = include_str!("../../crates/strategy-gen/src/generator.rs");

/// The README from the heading `title` to the next one of its level or above.
fn section(title: &str) -> &'static str {
    let start = README.find(&format!("\n{title}\n")).expect(title);
    let body = &README[start + 1 + title.len()..];
    let level = title.chars().take_while(|c| *c == '#').count();
    let end = (1..=level).filter_map(|n| body.find(&format!("\n{} ", "#".repeat(n)))).min();
    &body[..end.unwrap_or(body.len())]
}

/// The rows of the tables in `text`, without head and rule, cell by cell.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = text.lines().collect();
    let is_row = |line: &str| line.starts_with('|') && !line.starts_with("|-");
    let is_head = |at: usize| lines.get(at + 1).is_some_and(|next| next.starts_with("|-"));
    (0..lines.len())
        .filter(|at| is_row(lines[*at]) && !is_head(*at))
        .map(|at| lines[at].trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn names_in_first_cells(section: &str) -> BTreeSet<&str> {
    rows(section).iter().flat_map(|row| quoted(row[0]).collect::<Vec<_>>()).collect()
}

/// The features that no build has unless it is asked for, each with how its variables begin.
const OPTIONAL: [(&str, &str); 3] =
    [("AWS_", "with `aws`"), ("AZURE_", "with `azure`"), ("VAULT_", "with `vault`")];

/// Every variable as the README's table has to show it.
fn variable_row(variable: &Variable) -> Vec<String> {
    let optional = OPTIONAL.into_iter().find(|(prefix, _)| variable.name.starts_with(prefix));
    let acts = match (optional, variable.acts) {
        (Some((_, with)), _) => with,
        (None, Acts::Now) => "yes",
        (None, Acts::Underneath) => "yes, by a library",
        (None, Acts::NotInThisBuild(_)) => "**not yet**",
    };
    let file = match variable.file {
        FromFile::Allowed => "yes",
        FromFile::Never => "no",
    };
    let name = format!("`{}`", variable.name);
    vec![name, variable.default.into(), variable.about.into(), acts.into(), file.into()]
}

#[test]
fn the_readme_shows_every_variable_as_the_code_declares_it() {
    let declared: Vec<Vec<String>> = VARIABLES.iter().map(variable_row).collect();
    assert_eq!(rows(section("### Environment variables")), declared);
}

#[test]
fn the_env_example_lists_every_variable_and_no_other() {
    let assigned = |line: &'static str| {
        let (name, _) = line.trim_start_matches(['#', ' ']).split_once('=')?;
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty();
        is_name.then_some(if name.starts_with("GEMINI_KEY_") { "GEMINI_KEY_{key_id}" } else { name })
    };
    let listed: BTreeSet<&str> = ENV_EXAMPLE.lines().filter_map(assigned).collect();
    // What no file may set is out of comment nowhere.
    let set =
        ENV_EXAMPLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    for (name, _) in set {
        assert!(Variable::named(name).is_some_and(|v| v.file == FromFile::Allowed), "`{name}`");
    }
    let declared: BTreeSet<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
    assert_eq!(listed, declared);
}

#[test]
fn the_keys_example_has_no_mistakes_and_the_readme_uses_its_keys() {
    let parsed = KeySet::parse("keys_example.json", KEYS_EXAMPLE).expect("no errors");
    assert_eq!(parsed.warnings, []);
    let (readme, variables) = (section("### Many keys"), ENV_EXAMPLE);
    for key in &parsed.set {
        assert!(readme.contains(&format!("GEMINI_KEY_{}=", key.id)), "README lacks `{}`", key.id);
        assert!(readme.contains(&format!("`{}` of project `{}`", key.id, key.project)), "`{}`", key.id);
        assert!(variables.contains(&format!("GEMINI_KEY_{}=", key.id)), ".env.example lacks `{}`", key.id);
    }
}

#[test]
fn the_readme_explains_every_field_of_keys_json_and_no_other() {
    let schema: Value = serde_json::from_str(KEYS_SCHEMA).expect("JSON");
    let fields = |of: &str| -> BTreeSet<String> {
        let properties = schema["$defs"][of]["properties"].as_object().expect("an object");
        properties.keys().cloned().collect()
    };
    let section = section("### keys.json");
    let tables: Vec<BTreeSet<String>> = section
        .split("| field of ")
        .skip(1)
        .map(|table| names_in_first_cells(&format!("| {table}")).into_iter().map(str::to_owned).collect())
        .collect();
    assert_eq!(tables, [fields("key"), fields("config")]);
    let limits = rows(section).into_iter().find(|row| row[0] == "`limits`").expect("a row");
    let limits: BTreeSet<String> = quoted(limits[2]).map(str::to_owned).collect();
    assert_eq!(limits, fields("limits"));
}

#[test]
fn the_readme_gives_a_reason_for_every_dependency_and_no_other() {
    let (_, table) = MANIFEST.split_once("\n[workspace.dependencies]\n").expect("the table");
    let table = table.split("\n[").next().unwrap_or_default();
    let entries = table.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()));
    let third_party =
        entries.filter(|line| !line.contains("path = \"")).filter_map(|line| line.split_once('='));
    let needed: BTreeSet<&str> = third_party.map(|(name, _)| name.trim()).collect();
    assert!(needed.contains("serde_json"), "the table was not read: {needed:?}");
    let section = section("## Dependencies");
    assert_eq!(names_in_first_cells(section), needed);
    for row in rows(section) {
        assert!(row.len() == 2 && row[1].len() > 2, "no reason for {}", row[0]);
    }
}

/// The block itself cannot be compiled from here; the example it repeats is.
#[test]
fn the_readme_shows_the_generators_own_example() {
    let example: Vec<&str> =
        GENERATOR.lines().filter_map(|line| line.strip_prefix("///")).map(str::trim_start).collect();
    let section = section("### The library");
    let (_, block) = section.split_once("```text\n").expect("a block");
    let block = block.split("```").next().unwrap_or_default();
    assert!(block.contains("StrategyGenerator::from_env()"));
    for line in block.lines().map(str::trim).filter(|line| !line.is_empty()) {
        assert!(example.contains(&line), "strategy-gen's own docs lack `{line}`");
    }
}

/// The rights the README tells operators to grant are the commands that the scripts call, and what it takes
/// to run scripts at all.
#[test]
fn the_readme_grants_redis_what_the_scripts_call_and_no_more() {
    let grant = README.split("ACL SETUSER").nth(1).and_then(|rest| rest.split("```").next());
    let granted: BTreeSet<&str> =
        grant.expect("an example").split_whitespace().filter_map(|word| word.strip_prefix('+')).collect();
    let mut called: BTreeSet<String> =
        ["eval", "evalsha", "script|load"].into_iter().map(str::to_owned).collect();
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/keyrot-limiter/src/redis");
    for file in std::fs::read_dir(scripts).expect("the scripts") {
        let path = file.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "lua") {
            let text = std::fs::read_to_string(path).expect("a script");
            let calls = text.split("call('").skip(1).filter_map(|rest| rest.split('\'').next());
            called.extend(calls.map(str::to_lowercase));
        }
    }
    assert_eq!(granted.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>(), called);
}
