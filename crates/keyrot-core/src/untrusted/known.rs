//! The secrets this process knows, as far as it takes to recognize them.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use foldhash::fast::RandomState;
use parking_lot::RwLock;
use secrecy::{ExposeSecret, SecretString};

use super::decode;
use super::spot::{Spot, spots};
use super::visible::is_hidden;

/// How many characters of a secret in a row give it away. Servers name keys by their ends.
pub(super) const WINDOW: usize = 8;

static KNOWN: LazyLock<RwLock<Known>> = LazyLock::new(RwLock::default);

pub(super) fn remember(secret: &SecretString) {
    let new = Known::of(secret);
    // Every request comes by; only the first one with a secret has to write.
    if !KNOWN.read().includes(&new) {
        KNOWN.write().add(new);
    }
}

pub(super) fn with<T>(look: impl FnOnce(&Known) -> T) -> T {
    look(&KNOWN.read())
}

/// Secrets, cut into all their windows of eight characters: each fits a number, so looking at a text costs two
/// look-ups for each of its characters, however many secrets there are.
#[derive(Default)]
pub(super) struct Known {
    windows: HashSet<u64, RandomState>,
    /// Secrets of fewer characters than a window.
    words: HashSet<u64, RandomState>,
}

/// Which characters of a text count.
#[derive(Clone, Copy)]
enum Reading {
    /// Letters and digits: nothing that separates them hides a secret.
    Letters,
    /// All that can be seen: a secret's punctuation is part of what gives it away.
    Seen,
}

const READINGS: [Reading; 2] = [Reading::Letters, Reading::Seen];

impl Reading {
    /// What `c` counts as; `None` where it does not count.
    fn of(self, c: char) -> Option<u8> {
        match c {
            c if c.is_ascii_alphanumeric() => u8::try_from(c.to_ascii_lowercase()).ok(),
            c if c.is_ascii_graphic() => matches!(self, Self::Seen).then_some(u8::try_from(c).ok()?),
            c if c.is_alphanumeric() && !is_hidden(c) => Some(low_byte(c) | 0x80),
            _ => None,
        }
    }

    /// Calls `each` with every window and the part of the original text that it covers.
    fn windows(self, spots: &[Spot], mut each: impl FnMut(u64, Range<usize>)) {
        let (mut window, mut count, mut starts) = (0, 0, [0; WINDOW]);
        for spot in spots {
            let Some(byte) = self.of(spot.c) else { continue };
            window = (window << 8) | u64::from(byte);
            starts[count % WINDOW] = spot.from;
            count += 1;
            if count >= WINDOW {
                each(window, starts[count % WINDOW]..spot.to);
            }
        }
    }
}

impl Known {
    pub(super) fn of(secret: &SecretString) -> Self {
        let mut known = Self::default();
        let spots = spots(secret.expose_secret().trim());
        // A password in a URL is known with its escapes, and used without.
        let read = decode::escapes(&spots);
        for spots in [Some(&spots), read.as_ref()].into_iter().flatten() {
            for reading in READINGS {
                reading.windows(spots, |window, _| {
                    known.windows.insert(window);
                });
            }
        }
        if known.windows.is_empty()
            && let Some(word) = word(&spots)
        {
            known.words.insert(word);
        }
        known
    }

    pub(super) fn has_windows(&self) -> bool {
        !self.windows.is_empty()
    }

    fn includes(&self, other: &Self) -> bool {
        self.windows.is_superset(&other.windows) && self.words.is_superset(&other.words)
    }

    pub(super) fn add(&mut self, other: Self) {
        self.windows.extend(other.windows);
        self.words.extend(other.words);
    }

    /// Where the original text spells a part of a secret.
    pub(super) fn find(&self, spots: &[Spot], hits: &mut Vec<Range<usize>>) {
        if !self.windows.is_empty() {
            for reading in READINGS {
                reading.windows(spots, |window, range| {
                    if self.windows.contains(&window) {
                        hits.push(range);
                    }
                });
            }
        }
        if !self.words.is_empty() {
            self.find_words(spots, hits);
        }
    }

    /// A secret that could be a word of a language, or a number, counts only where it stands alone.
    fn find_words(&self, spots: &[Spot], hits: &mut Vec<Range<usize>>) {
        let in_word = |at: usize| spots.get(at).is_some_and(|spot| spot.c.is_alphanumeric());
        for start in 0..spots.len() {
            for end in start + 1..=spots.len().min(start + WINDOW - 1) {
                let part = &spots[start..end];
                let every = |is: fn(char) -> bool| part.iter().all(|spot| is(spot.c));
                let ordinary = every(char::is_alphabetic) || every(char::is_numeric);
                let cut = ordinary && (in_word(end) || (start > 0 && in_word(start - 1)));
                if !cut && word(part).is_some_and(|word| self.words.contains(&word)) {
                    hits.push(part[0].from..part[part.len() - 1].to);
                }
            }
        }
    }
}

/// Fewer characters than a window as a number.
fn word(spots: &[Spot]) -> Option<u64> {
    let fits = !spots.is_empty() && spots.len() < WINDOW;
    fits.then(|| spots.iter().fold(1, |word, spot| (word << 8) | u64::from(low_byte(spot.c))))
}

/// Enough of a character to recognize it.
fn low_byte(c: char) -> u8 {
    u32::from(c).to_le_bytes()[0]
}
