//! What looks like an API key, whoever it belongs to.

use std::ops::Range;

use super::spot::Spot;
use super::visible::is_hidden;

/// How a kind of key begins.
struct Shape {
    prefix: &'static str,
    /// `AQ.` and `IQ.` also end ordinary words (`see the FAQ.`), so they must begin one unless what follows is
    /// certain.
    begins_a_word: bool,
    /// How many key characters follow at least before it may be a key.
    possible: usize,
    /// How many follow at least before it is no ordinary text.
    certain: usize,
}

const SHAPES: [Shape; 3] = [
    Shape { prefix: "AIza", begins_a_word: false, possible: 4, certain: 35 },
    Shape { prefix: "AQ.", begins_a_word: true, possible: 8, certain: 20 },
    Shape { prefix: "IQ.", begins_a_word: true, possible: 8, certain: 20 },
];

/// How sure one has to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Likeness {
    /// Enough to take it out of a text. Servers shorten keys.
    Possible,
    /// Enough to refuse what a user wrote.
    Certain,
}

fn in_key(c: char, likeness: Likeness) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-') || (c == '.' && likeness == Likeness::Possible)
}

/// Where the original text spells something that looks like a key. A character that cannot be seen does not end it.
pub(crate) fn find(spots: &[Spot], likeness: Likeness, hits: &mut Vec<Range<usize>>) {
    let seen: Vec<Spot> =
        spots.iter().filter(|spot| spot.c.is_whitespace() || !is_hidden(spot.c)).copied().collect();
    let mut next = 0;
    while next < seen.len() {
        let start = next;
        next += 1;
        if !matches!(seen[start].c, 'A' | 'I') {
            continue;
        }
        for shape in &SHAPES {
            let prefix = shape.prefix.len();
            let begins = seen.len() - start >= prefix
                && shape.prefix.chars().zip(&seen[start..]).all(|(c, spot)| c == spot.c);
            if !begins {
                continue;
            }
            let glued = shape.begins_a_word && start > 0 && in_key(seen[start - 1].c, likeness);
            let body = &seen[start + prefix..];
            let length = body.iter().take_while(|spot| in_key(spot.c, likeness)).count();
            let sure = glued || likeness == Likeness::Certain;
            let least = if sure { shape.certain } else { shape.possible };
            if length >= least {
                next = start + prefix + length;
                hits.push(seen[start].from..seen[next - 1].to);
                break;
            }
        }
    }
}
