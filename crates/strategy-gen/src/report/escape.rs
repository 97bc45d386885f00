//! Text from outside inside HTML.

use std::fmt;

use keyrot::untrusted;

/// A text as it stands, whatever is in it, but without secrets and with what cannot be seen as an escape.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in untrusted::for_terminal(self.0).chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => fmt::Write::write_char(f, c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_gets_out(text in "\\PC*|[<>&\"'a-z \u{202e}]*") {
            let html = Text(&text).to_string();
            let out = html.contains(['<', '>', '"', '\'', '\u{202e}']);
            prop_assert!(!out, "{}", html);
        }
    }
}
