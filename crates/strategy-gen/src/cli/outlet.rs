//! The outlets of the program. Nothing else writes to stdout or stderr, and nothing leaves here that carries a secret
//! or steers a terminal.

use std::io::{self, Write};

use keyrot::untrusted;
use serde_json::Value;

use super::Failure;

/// A line for people: stderr.
pub(crate) fn say(line: &str) {
    // A closed stderr is no reason to fail.
    let _ = writeln!(io::stderr(), "{}", untrusted::for_terminal(line));
}

/// A result for people: stdout.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    write(&untrusted::for_terminal(text))
}

/// A result for programs, as JSON over several lines.
pub(crate) fn print_json(value: Value) -> Result<(), Failure> {
    write(&untrusted::json(value))
}

/// Writes to stdout. A reader that has seen enough and left is no failure.
fn write(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::usage(format!("cannot write to stdout: {error}\nhint: see where it is sent to")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The log: stderr. Its writer hands over a whole line at a time.
#[derive(Debug)]
pub(crate) struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = untrusted::for_terminal_in_colour(&String::from_utf8_lossy(line));
        io::stderr().write_all(text.as_bytes()).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// [`print_json`] on one line: for what is too long to read, or where many results follow each other.
pub(crate) fn print_json_line(value: Value) -> Result<(), Failure> {
    write(&untrusted::json_line(value))
}

/// A strategy's code: stdout. It is for Python and not for people, so nothing in it changes; secrets were taken out
/// of it when it was made.
pub(crate) fn print_code(code: &str) -> Result<(), Failure> {
    write(code)
}

/// What the parser of the arguments has to say, coloured where stderr takes it.
pub(crate) fn say_usage(error: &clap::Error) {
    let text = error.render();
    let shown = if io::IsTerminal::is_terminal(&io::stderr()) {
        untrusted::for_terminal_in_colour(&text.ansi().to_string())
    } else {
        untrusted::for_terminal(&text.to_string())
    };
    let _ = write!(io::stderr(), "{shown}");
}
