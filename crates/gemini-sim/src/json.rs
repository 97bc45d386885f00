//! The two spellings of JSON on Google's wire: pretty-printed with a final newline, and one spaced line.

use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::Formatter;

/// Two-space indentation and a final newline: unary answers, every error, and chunks of an array stream.
pub(crate) fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// The spelling inside SSE frames: a blank after each colon, none after a comma.
pub(crate) fn spaced(value: &Value) -> String {
    let mut out = Vec::new();
    let mut writer = serde_json::Serializer::with_formatter(&mut out, Spaced);
    // Writing a `Value` into memory has no way to fail.
    let _written = value.serialize(&mut writer);
    String::from_utf8_lossy(&out).into_owned()
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sse_json_has_a_blank_after_the_colon_only() {
        let value = serde_json::json!({"a": [{"b": 1}, {"c": "x: y, z"}], "d": {}});
        assert_eq!(spaced(&value), r#"{"a": [{"b": 1},{"c": "x: y, z"}],"d": {}}"#);
    }

    #[test]
    fn pretty_json_ends_with_a_newline() {
        assert_eq!(pretty(&serde_json::json!({"a": [1]})), "{\n  \"a\": [\n    1\n  ]\n}\n");
    }
}
