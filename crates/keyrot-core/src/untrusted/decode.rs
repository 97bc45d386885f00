//! The ways in which a text spells characters: escapes, Base64, hexadecimal digits.

use super::spot::Spot;
use super::visible::is_hidden;

/// Fewer decoded characters than this in a row are chance.
const SHORTEST: usize = 8;

/// The text with its escapes read once; `None` where it has none.
pub(super) fn escapes(spots: &[Spot]) -> Option<Vec<Spot>> {
    if !spots.iter().any(|spot| matches!(spot.c, '\\' | '%' | '&')) {
        return None;
    }
    let mut read = Vec::with_capacity(spots.len());
    let mut at = 0;
    let mut changed = false;
    while let Some(spot) = spots.get(at) {
        let rest = &spots[at..];
        if spot.c == '%' {
            let length = percent(rest, &mut read);
            if length > 0 {
                changed = true;
                at += length;
                continue;
            }
        }
        let escape = match spot.c {
            '\\' => backslash(rest),
            '&' => entity(rest),
            '%' => digits(rest, 2, 4, 4, 16).filter(|_| is(rest, 1, 'u')).map(|(c, n)| (c, 2 + n)),
            _ => None,
        };
        let (c, length) = escape.unwrap_or((spot.c, 1));
        changed |= escape.is_some();
        read.push(Spot::new(c, spot.from, rest[length - 1].to));
        at += length;
    }
    changed.then_some(read)
}

fn is(spots: &[Spot], at: usize, c: char) -> bool {
    spots.get(at).is_some_and(|spot| spot.c == c)
}

/// The character whose number stands `from` on, in `least` to `most` digits, and how many they are.
fn digits(spots: &[Spot], from: usize, least: usize, most: usize, radix: u32) -> Option<(char, usize)> {
    let digits = spots.get(from..)?.iter().take(most).map_while(|spot| spot.c.to_digit(radix));
    let (mut number, mut count) = (0_u32, 0);
    for digit in digits {
        number = number.saturating_mul(radix).saturating_add(digit);
        count += 1;
    }
    // Half a surrogate pair is no character, and separates others.
    (count >= least).then(|| (char::from_u32(number).unwrap_or('\u{fffd}'), count))
}

/// `\n`, `\"`, `\x41`, `\u0041`, `\u{41}`, `\U00000041`.
fn backslash(spots: &[Spot]) -> Option<(char, usize)> {
    let number = |least, most| digits(spots, 2, least, most, 16).map(|(c, n)| (c, 2 + n));
    match spots.get(1)?.c {
        'u' if is(spots, 2, '{') => {
            let (c, length) = digits(spots, 3, 1, 6, 16)?;
            is(spots, 3 + length, '}').then_some((c, 4 + length))
        }
        'u' => number(4, 4),
        'U' => number(8, 8),
        'x' => number(2, 2),
        'n' | 'r' | 't' | 'b' | 'f' | 'v' | 'a' => Some((' ', 2)),
        c if c.is_ascii_punctuation() => Some((c, 2)),
        _ => None,
    }
}

/// `&#65;`, `&#x41;`, `&amp;`. All names of letters and digits are their own; another name is a separator.
fn entity(spots: &[Spot]) -> Option<(char, usize)> {
    let closed = |(c, length)| (c, if is(spots, length, ';') { length + 1 } else { length });
    if is(spots, 1, '#') {
        let number = if is(spots, 2, 'x') || is(spots, 2, 'X') {
            digits(spots, 3, 1, 8, 16).map(|(c, n)| (c, 3 + n))
        } else {
            digits(spots, 2, 1, 8, 10).map(|(c, n)| (c, 2 + n))
        };
        return number.map(closed);
    }
    let name: String =
        spots.get(1..)?.iter().map(|spot| spot.c).take_while(char::is_ascii_alphanumeric).take(32).collect();
    if name.is_empty() || !is(spots, 1 + name.len(), ';') {
        return None;
    }
    let c = match name.as_str() {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "lowbar" => '_',
        "hyphen" | "dash" => '-',
        "period" => '.',
        "percnt" => '%',
        "bsol" => '\\',
        "plus" => '+',
        "equals" => '=',
        "sol" => '/',
        "num" => '#',
        "commat" => '@',
        "colon" => ':',
        "excl" => '!',
        "dollar" => '$',
        "ast" => '*',
        _ => ' ',
    };
    Some((c, name.len() + 2))
}

/// A run of `%41`, which spells UTF-8. Gives how many characters of the text it took.
fn percent(spots: &[Spot], read: &mut Vec<Spot>) -> usize {
    let (mut bytes, mut at) = (Vec::new(), 0);
    while is(spots, at, '%')
        && let Some((c, 2)) = digits(spots, at + 1, 2, 2, 16)
    {
        bytes.push((u32::from(c).to_le_bytes()[0], spots[at].from, spots[at + 2].to));
        at += 3;
    }
    utf8(&bytes, |stretch| read.extend(stretch));
    at
}

/// The characters that bytes spell, each run of them that is UTF-8 on its own. What is not is a separator.
fn utf8(bytes: &[(u8, usize, usize)], mut each: impl FnMut(Vec<Spot>)) {
    let plain: Vec<u8> = bytes.iter().map(|(byte, ..)| *byte).collect();
    let mut at = 0;
    for chunk in plain.utf8_chunks() {
        let mut stretch = Vec::new();
        for c in chunk.valid().chars() {
            let end = at + c.len_utf8();
            stretch.push(Spot::new(c, bytes[at].1, bytes[end - 1].2));
            at = end;
        }
        if !chunk.invalid().is_empty() {
            let end = at + chunk.invalid().len();
            stretch.push(Spot::new('\u{fffd}', bytes[at].1, bytes[end - 1].2));
            at = end;
        }
        each(stretch);
    }
}

/// Parts of decoded bytes that could be text. Most text is no Base64 and decodes to noise, in which they are rare.
fn texts(bytes: &[(u8, usize, usize)], found: &mut Vec<Vec<Spot>>) {
    utf8(bytes, |stretch| {
        // NUL is every other byte of ASCII in UTF-16.
        let noise = |spot: &Spot| {
            spot.c == '\u{fffd}'
                || (is_hidden(spot.c) && spot.c < '\u{a0}' && !spot.c.is_whitespace() && spot.c != '\0')
        };
        let parts = stretch.split(noise).filter(|part| part.len() >= SHORTEST);
        found.extend(parts.map(<[Spot]>::to_vec));
    });
}

/// What the Base64 in the text spells, in both alphabets. It may begin anywhere, so all four alignments are tried,
/// and be cut into lines, so other characters do not count.
pub(super) fn base64(spots: &[Spot]) -> Vec<Vec<Spot>> {
    let sextet = |spot: &Spot| {
        let value = match u8::try_from(spot.c).ok()? {
            b @ b'A'..=b'Z' => b - b'A',
            b @ b'a'..=b'z' => b - b'a' + 26,
            b @ b'0'..=b'9' => b - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        Some((value, spot.from, spot.to))
    };
    let sextets: Vec<_> = spots.iter().filter_map(sextet).collect();
    let mut found = Vec::new();
    if sextets.len() * 3 / 4 < SHORTEST {
        return found;
    }
    for start in 0..4 {
        let pairs = sextets[start..].windows(2).enumerate();
        let bytes: Vec<_> = pairs
            .filter_map(|(index, pair)| {
                let (first, second) = (pair[0].0, pair[1].0);
                let byte = match index % 4 {
                    0 => (first << 2) | (second >> 4),
                    1 => (first << 4) | (second >> 2),
                    2 => (first << 6) | second,
                    _ => return None,
                };
                Some((byte, pair[0].1, pair[1].2))
            })
            .collect();
        texts(&bytes, &mut found);
    }
    found
}

/// What the hexadecimal digits in the text spell, whatever stands between them.
pub(super) fn hex(spots: &[Spot]) -> Vec<Vec<Spot>> {
    let prefix = |at: usize| is(spots, at, '0') && (is(spots, at + 1, 'x') || is(spots, at + 1, 'X'));
    let digits: Vec<_> = (0..spots.len())
        .filter(|at| !prefix(*at))
        .filter_map(|at| Some((u8::try_from(spots[at].c.to_digit(16)?).ok()?, spots[at].from, spots[at].to)))
        .collect();
    let mut found = Vec::new();
    if digits.len() / 2 < SHORTEST {
        return found;
    }
    for start in 0..2 {
        let pairs = digits[start..].chunks_exact(2);
        let bytes: Vec<_> = pairs.map(|pair| ((pair[0].0 << 4) | pair[1].0, pair[0].1, pair[1].2)).collect();
        texts(&bytes, &mut found);
    }
    found
}
