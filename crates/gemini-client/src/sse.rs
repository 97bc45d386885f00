//! Bytes of a stream to events, as a pure state machine: [`Decoder`].
//!
//! Besides server-sent events it knows how Gemini really ends a failing stream: with a bare,
//! pretty-printed JSON object outside any SSE framing. Chunks may be cut anywhere, also inside a
//! character or between CR and LF. Only CR, LF and CRLF end a line: U+2028, U+2029 and U+0085
//! stand unescaped in JSON strings.

use std::collections::VecDeque;
use std::fmt;

/// One thing a stream said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The data of one server-sent event.
    Data(Vec<u8>),
    /// A JSON value outside SSE framing: an error, for all that is known.
    Bare(Vec<u8>),
}

/// An event outgrew the decoder's bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is larger than {limit} bytes")]
pub struct TooLarge {
    /// The bound.
    pub limit: usize,
}

/// The state of one stream.
///
/// ```
/// use gemini_client::sse::{Decoder, Event};
/// let mut decoder = Decoder::new(1024);
/// decoder.push(b"data: {\"a\"").unwrap();
/// assert_eq!(decoder.next(), None);
/// decoder.push(b":1}\r\n\r\n").unwrap();
/// assert_eq!(decoder.next(), Some(Event::Data(b"{\"a\":1}".to_vec())));
/// ```
pub struct Decoder {
    limit: usize,
    /// The line being read.
    line: Vec<u8>,
    /// The data of the event being read; `None` until its first data line.
    data: Option<Vec<u8>>,
    /// The bare JSON being read.
    bare: Option<Bare>,
    /// The last byte was a CR that ended a line: an LF after it belongs to it.
    after_cr: bool,
    /// No line has ended yet: a byte order mark may stand here.
    first_line: bool,
    events: VecDeque<Event>,
}

impl Decoder {
    /// A decoder that holds at most `limit` bytes of an event.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            data: None,
            bare: None,
            after_cr: false,
            first_line: true,
            events: VecDeque::new(),
        }
    }

    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    /// [`TooLarge`]; events that were whole before it can still be read, the rest is lost.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), TooLarge> {
        while let Some((&byte, after)) = bytes.split_first() {
            if let Some(bare) = &mut self.bare {
                let taken = bare.take(bytes);
                let (_, left) = bytes.split_at(taken);
                bytes = left;
                if bare.depth == 0 {
                    self.events.extend(self.bare.take().map(|bare| Event::Bare(bare.text)));
                }
            } else if byte == b'\n' && self.after_cr {
                self.after_cr = false;
                bytes = after;
            } else if byte == b'\n' || byte == b'\r' {
                self.after_cr = byte == b'\r';
                bytes = after;
                self.end_line();
            } else if self.line.is_empty() && (byte == b'{' || byte == b'[') {
                // No SSE field begins so. What was read before is an event cut short by the error.
                self.after_cr = false;
                self.dispatch();
                self.bare = Some(Bare::default());
            } else {
                self.after_cr = false;
                let end = bytes.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(bytes.len());
                let (text, left) = bytes.split_at(end);
                self.line.extend_from_slice(text);
                bytes = left;
            }
            if self.held() > self.limit {
                return Err(TooLarge { limit: self.limit });
            }
        }
        Ok(())
    }

    /// The next whole event.
    #[expect(clippy::should_implement_trait, reason = "`None` means more bytes are wanted, not the end")]
    pub fn next(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Ends the stream: what it left unfinished. Some servers omit the last blank line, so an
    /// unfinished event may be whole all the same; whether its JSON parses tells.
    #[must_use]
    pub fn finish(mut self) -> Option<Event> {
        if let Some(bare) = self.bare {
            return Some(Event::Bare(bare.text));
        }
        if !self.line.is_empty() {
            self.end_line();
        }
        self.data.map(Event::Data)
    }

    fn held(&self) -> usize {
        self.line.len()
            + self.data.as_ref().map_or(0, Vec::len)
            + self.bare.as_ref().map_or(0, |bare| bare.text.len())
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let mut text = line.as_slice();
        if std::mem::take(&mut self.first_line) {
            text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        }
        if text.is_empty() {
            self.dispatch();
        } else if let Some(value) = text.strip_prefix(b"data:") {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match &mut self.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                none => *none = Some(value.to_vec()),
            }
        }
        // Every other field (event, id, retry) and comments mean nothing here.
    }

    fn dispatch(&mut self) {
        self.events.extend(self.data.take().map(Event::Data));
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the bytes: what comes in may quote a key.
        f.debug_struct("Decoder")
            .field("limit", &self.limit)
            .field("held", &self.held())
            .field("events", &self.events.len())
            .finish_non_exhaustive()
    }
}

/// Bare JSON being read: just enough of a scanner to know where the value ends.
#[derive(Default)]
struct Bare {
    text: Vec<u8>,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Bare {
    /// Takes bytes up to the end of the value; how many it took.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        for byte in bytes {
            taken += 1;
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            if self.depth == 0 {
                break;
            }
        }
        self.text.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        taken
    }
}

#[cfg(test)]
mod tests;
