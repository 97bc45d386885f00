//! Prints the JSON Schema of keys.json, as keys.schema.json at the root of the repository holds it.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    writeln!(io::stdout(), "{:#}", keyrot_core::keys::schema())
}
