//! The characters of a text, and where each stands.

/// One character, and the bytes of the original text that spell it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot {
    pub(crate) c: char,
    pub(crate) from: usize,
    pub(crate) to: usize,
}

impl Spot {
    /// Fullwidth forms count as the ASCII characters that they look like.
    pub(super) fn new(c: char, from: usize, to: usize) -> Self {
        let c = match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
            c => c,
        };
        Self { c, from, to }
    }
}

pub(crate) fn spots(text: &str) -> Vec<Spot> {
    text.char_indices().map(|(at, c)| Spot::new(c, at, at + c.len_utf8())).collect()
}
