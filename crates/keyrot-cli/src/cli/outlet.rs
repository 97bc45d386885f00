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

/// A result for people, with colours of ours: stdout. What is foreign in `text` must be visible already.
pub(crate) fn print_coloured(text: &str) -> Result<(), Failure> {
    write(&untrusted::for_terminal_in_colour(text))
}

/// Puts what is printed next in the place of everything on the screen.
pub(crate) fn clear_screen() {
    // Upper left corner, and clear from there. A reader that left shows at the next line.
    let _ = write!(io::stdout(), "\x1b[H\x1b[2J");
}

/// [`print_json`] on one line, where many results follow each other.
pub(crate) fn print_json_line(value: Value) -> Result<(), Failure> {
    write(&untrusted::json_line(value))
}
