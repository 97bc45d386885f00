//! What a strategy file may and may not contain, judged on flat facts.
//!
//! A linter that helps to repair code, not a wall: hostile code can get around it, and only the sandbox stops it.

use super::diagnostic::{Code, Diagnostic};
use super::lists::{
    BASES, COLUMNS, CONVERSIONS, IO, MODULES, NAMES, ORDER_KEYWORDS, PRIVATE, STATISTICS, USUAL_IMPORTS,
};
use super::syntax::{Call, Class, Facts, Import, Position, Value};

const ALLOWED: &str = "use backtesting, numpy, pandas and the calculating parts of the standard library";
const NO_IO: &str = "the prices are in `self.data`; a strategy reads and writes nothing else";

/// Everything wrong with the facts, and the names of the strategies.
pub(super) fn judge(facts: &Facts) -> (Vec<Diagnostic>, Vec<String>) {
    let mut found = Vec::new();
    for (position, message) in &facts.errors {
        let message = lower_first(message);
        found.push(Diagnostic::new(Code::Syntax, *position, message, ""));
    }
    for (position, message) in &facts.unsupported {
        found.push(Diagnostic::new(
            Code::UnsupportedSyntax,
            *position,
            lower_first(message),
            "write Python 3.10",
        ));
    }
    if let Some(position) = facts.too_deep {
        let message = "brackets, blocks or expressions are nested too deeply";
        found.push(Diagnostic::new(Code::TooDeep, position, message, "split it into several statements"));
    }
    let strategies = structure(facts, &mut found);
    unimported(facts, &mut found);
    for import in &facts.imports {
        imports(import, &mut found);
    }
    for (name, position) in &facts.names {
        names(name, *position, &mut found);
    }
    for (attribute, position) in &facts.attributes {
        attributes(attribute, *position, &mut found);
    }
    for (function, position) in &facts.functions {
        if is_dunder(function) && function != "__init__" {
            found.push(Diagnostic::new(
                Code::Dunder,
                *position,
                format!("`{function}` is defined"),
                "drop it",
            ));
        }
    }
    for call in &facts.calls {
        calls(call, &mut found);
        whole_sample(call, &strategies, &mut found);
    }
    for position in &facts.rows_ahead {
        found.push(Diagnostic::new(
            Code::LookAhead,
            *position,
            "a row behind the current one is read",
            "read the current row or an earlier one",
        ));
    }
    for position in &facts.bare_excepts {
        found.push(Diagnostic::new(
            Code::BareExcept,
            *position,
            "a bare `except` hides every error",
            "find the cause; name the exception if you must catch one",
        ));
    }
    if let Some(position) = facts.non_ascii {
        found.push(Diagnostic::new(
            Code::NonAscii,
            position,
            "a character is not ASCII",
            "write plain ASCII",
        ));
    }
    found.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
    (found, strategies.iter().map(|class| class.name.clone()).collect())
}

/// The strategies of the file and what they lack.
fn structure<'f>(facts: &'f Facts, found: &mut Vec<Diagnostic>) -> Vec<&'f Class> {
    let mut names: Vec<&str> = Vec::new();
    // A base may stand below or above; repeat until nothing new is found.
    loop {
        let before = names.len();
        for class in &facts.classes {
            let derives =
                class.bases.iter().any(|base| names.contains(&base.as_str()) || is_strategy(base, facts));
            if derives && !names.contains(&class.name.as_str()) {
                names.push(&class.name);
            }
        }
        if names.len() == before {
            break;
        }
    }
    let strategies: Vec<&Class> =
        facts.classes.iter().filter(|class| names.contains(&class.name.as_str())).collect();
    match strategies.as_slice() {
        // A class that the parser could not read is not missing.
        [] if facts.errors.is_empty() => found.push(Diagnostic::new(
            Code::NoStrategy,
            Position { line: 1, column: 1 },
            "no class derives from `Strategy`",
            "write `from backtesting import Strategy` and one `class Name(Strategy):`",
        )),
        [] => {}
        [_] => {}
        [_, second, ..] => found.push(Diagnostic::new(
            Code::ManyStrategies,
            second.position,
            format!("`{}` is a second strategy", second.name),
            "keep one class that derives from `Strategy`",
        )),
    }
    for class in &strategies {
        lacks(class, facts, found);
    }
    strategies
}

fn lacks(class: &Class, facts: &Facts, found: &mut Vec<Diagnostic>) {
    let direct = class.bases.iter().any(|base| {
        let full = resolved(base, facts);
        full == "Strategy" || BASES[..2].contains(&full.as_str())
    });
    let mut lack = |code, method: &str, hint: &str| {
        if direct && !class.methods.iter().any(|(name, _)| name == method) {
            let message = format!("`{}` has no `{method}`", class.name);
            found.push(Diagnostic::new(code, class.position, message, hint));
        }
    };
    // A file that stops in the middle lacks what comes after.
    if facts.errors.is_empty() {
        lack(
            Code::MissingInit,
            "init",
            "add `def init(self):` and compute the indicators there with `self.I`",
        );
        lack(Code::MissingNext, "next", "add `def next(self):` and decide there");
    }
    for (method, position) in &class.methods {
        if method == "__init__" {
            found.push(Diagnostic::new(
                Code::InitOverride,
                *position,
                "a strategy must not override `__init__`",
                "backtesting.py builds the object; prepare everything in `init`",
            ));
        }
    }
}

/// Names that every strategy's author has in mind and some forget to import; once each.
fn unimported(facts: &Facts, found: &mut Vec<Diagnostic>) {
    let bases = facts.classes.iter().flat_map(|class| class.bases.iter().map(|base| (base, class.position)));
    let calls = facts.calls.iter().map(|call| (&call.target, call.position));
    let used: Vec<(&String, Position)> = bases.chain(calls).collect();
    let is_known = |name: &str| {
        facts.imports.iter().any(|import| import.bound == name || import.bound == "*")
            || facts.bound.iter().any(|bound| bound == name)
            || facts.functions.iter().any(|(function, _)| function == name)
            || facts.classes.iter().any(|class| class.name == name)
    };
    for (name, import) in USUAL_IMPORTS {
        let first_use = used.iter().find(|(used, _)| used.split('.').next() == Some(name));
        if let Some((_, position)) = first_use.filter(|_| !is_known(name)) {
            let message = format!("`{name}` is not imported");
            found.push(Diagnostic::new(Code::MissingImport, *position, message, &format!("add `{import}`")));
        }
    }
}

/// Whether a base class, by the name the file gives it, is a strategy of the library.
fn is_strategy(base: &str, facts: &Facts) -> bool {
    let full = resolved(base, facts);
    full == "Strategy" || BASES.contains(&full.as_str())
}

/// The full name behind a name of the file.
fn resolved(name: &str, facts: &Facts) -> String {
    let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
    let Some(import) = facts.imports.iter().find(|import| import.bound == first && !import.relative) else {
        return name.to_owned();
    };
    let full = match &import.name {
        Some(name) => format!("{}.{name}", import.module),
        // `import a.b` binds `a`; `import a.b as c` binds `a.b`.
        None if import.module.split('.').next() == Some(first) => first.to_owned(),
        None => import.module.clone(),
    };
    match rest {
        Some(rest) => format!("{full}.{rest}"),
        None => full,
    }
}

fn imports(import: &Import, found: &mut Vec<Diagnostic>) {
    let mut push = |code, message: String, hint: &str| {
        found.push(Diagnostic::new(code, import.position, message, hint));
    };
    let Import { module, name, relative, .. } = import;
    if *relative {
        return push(Code::Import, "a relative import".to_owned(), ALLOWED);
    }
    if !MODULES.contains(&module.as_str()) {
        let hint = if module == "backtesting.test" { NO_IO } else { ALLOWED };
        return push(Code::Import, format!("`{module}` may not be imported"), hint);
    }
    match name.as_deref() {
        Some("*") => {
            push(Code::Import, format!("everything is imported from `{module}`"), "name what you need")
        }
        Some("Backtest") => {
            push(Code::Runner, "`Backtest` is imported".to_owned(), "the strategy is run for you")
        }
        Some(name) if is_io(name) => push(Code::Io, format!("`{name}` is imported from `{module}`"), NO_IO),
        Some("test") if module == "backtesting" => {
            push(Code::Import, "`backtesting.test` may not be imported".to_owned(), NO_IO)
        }
        Some(name) if name.starts_with('_') && module != "__future__" => {
            push(Code::Import, format!("`{name}` of `{module}` is private"), ALLOWED);
        }
        _ => {}
    }
}

fn names(name: &str, position: Position, found: &mut Vec<Diagnostic>) {
    if NAMES.contains(&name) {
        found.push(Diagnostic::new(
            Code::DeniedName,
            position,
            format!("`{name}` is not allowed"),
            "drop it",
        ));
    } else if name == "__name__" {
        found.push(Diagnostic::new(
            Code::Runner,
            position,
            "code for running the file",
            "the strategy is run for you",
        ));
    } else if is_dunder(name) {
        found.push(Diagnostic::new(Code::Dunder, position, format!("`{name}` is not allowed"), "drop it"));
    } else if name == "print" {
        found.push(Diagnostic::new(
            Code::Print,
            position,
            "`print` in a strategy",
            "results are reported for you",
        ));
    }
}

fn attributes(attribute: &str, position: Position, found: &mut Vec<Diagnostic>) {
    // `super().__init__` comes with an override that is reported itself.
    if is_dunder(attribute) {
        found.push(Diagnostic::new(
            Code::Dunder,
            position,
            format!("`.{attribute}` is not allowed"),
            "drop it",
        ));
    } else if PRIVATE.contains(&attribute) {
        found.push(Diagnostic::new(
            Code::Private,
            position,
            format!("`.{attribute}` reaches behind the library"),
            "use `self.data`, `self.position` and `self.trades`",
        ));
    } else if is_io(attribute) {
        found.push(Diagnostic::new(Code::Io, position, format!("`.{attribute}` is not allowed"), NO_IO));
    }
}

fn is_io(name: &str) -> bool {
    IO.contains(&name)
        || name.starts_with("read_")
        || (name.starts_with("to_") && !CONVERSIONS.contains(&name))
}

fn is_dunder(name: &str) -> bool {
    name.len() > 4 && name.starts_with("__") && name.ends_with("__")
}

fn calls(call: &Call, found: &mut Vec<Diagnostic>) {
    let Call { position, target, arguments, keywords } = call;
    let keyword =
        |wanted: &str| keywords.iter().find(|(name, ..)| name == wanted).map(|(_, value, _)| *value);
    if matches!(target.as_str(), "self.buy" | "self.sell") {
        for (name, _, position) in keywords {
            if !ORDER_KEYWORDS.contains(&name.as_str()) {
                found.push(Diagnostic::new(
                    Code::UnknownKeyword,
                    *position,
                    format!("`{target}` has no argument `{name}`"),
                    "it takes size, limit, stop, sl, tp and tag",
                ));
            }
        }
    }
    if target == "self.position.close" {
        for (name, _, position) in keywords.iter().filter(|(name, ..)| name != "portion") {
            found.push(Diagnostic::new(
                Code::UnknownKeyword,
                *position,
                format!("`{target}` has no argument `{name}`"),
                "it takes portion",
            ));
        }
    }
    let negative = |value: Option<Value>| matches!(value, Some(Value::Number(number)) if number < 0.0);
    let first = arguments.first().copied();
    let last = target.rsplit('.').next().unwrap_or_default();
    let (ahead, hint) = match last {
        "shift" | "diff" | "pct_change" if target.contains('.') => {
            (negative(first.or_else(|| keyword("periods"))), "shift by a positive number of bars")
        }
        "roll" if target.contains('.') => (
            negative(arguments.get(1).copied().or_else(|| keyword("shift"))),
            "shift by a positive number of bars",
        ),
        "rolling" => (keyword("center") == Some(Value::True), "leave out `center`"),
        "bfill" | "backfill" => (true, "fill forward with `ffill`"),
        _ => (false, ""),
    };
    if ahead {
        found.push(Diagnostic::new(
            Code::LookAhead,
            *position,
            format!("`{last}` takes values from the future"),
            hint,
        ));
    }
}

/// A statistic over all prices in `init`, where all of them are there already.
fn whole_sample(call: &Call, strategies: &[&Class], found: &mut Vec<Diagnostic>) {
    let Some((column, statistic)) =
        call.target.strip_prefix("self.data.").and_then(|rest| rest.rsplit_once('.'))
    else {
        return;
    };
    // `self.data.df.Close` and `self.data.Close.s` are the same column by other ways.
    let is_column = column.split('.').any(|part| COLUMNS.contains(&part));
    if !is_column || column.contains('(') || !STATISTICS.contains(&statistic) {
        return;
    }
    let method = strategies
        .iter()
        .flat_map(|class| &class.methods)
        .filter(|(_, position)| *position <= call.position)
        .max_by_key(|(_, position)| *position);
    if method.is_some_and(|(name, _)| name == "init") {
        found.push(Diagnostic::new(
            Code::LookAhead,
            call.position,
            format!("`{statistic}` over the whole sample takes values from the future"),
            "compute it over the last bars, with `.rolling(n)` or an indicator",
        ));
    }
}

/// Our messages start in lower case.
fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    match (chars.next(), chars.clone().next()) {
        // "FStringError" and the like keep their case.
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().collect::<String>() + chars.as_str()
        }
        _ => message.to_owned(),
    }
}
