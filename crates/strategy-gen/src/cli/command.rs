//! The command that does it again, to be pasted into a shell.

use strategy_gen::python::quoted;

/// What was typed; `stdin` is what came from there, where anything did.
pub(crate) fn typed(stdin: Option<&str>) -> String {
    let args = std::env::args_os().skip(1).map(|arg| word(&arg.to_string_lossy()));
    let command = ["strategy-gen".to_owned()].into_iter().chain(args).collect::<Vec<_>>().join(" ");
    match stdin {
        Some(text) => format!("printf %s {} | {command}", quoted(text)),
        None => command,
    }
}

/// One word of a POSIX shell, quoted where it must be.
pub(crate) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { quoted(text) }
}
