//! What the first bytes of a medium tell of its size: PNG, JPEG, WebP, GIF and WAV.

/// Base64 read at most: a JPEG's size stands behind whatever its camera had to say.
const HEAD: usize = 256 * 1024;

/// Width and height of a picture in Base64, where its header is one we read.
pub(super) fn size(base64: &str) -> Option<(u32, u32)> {
    let start = decode(base64, 64);
    if start.starts_with(&[0xff, 0xd8]) {
        return jpeg(&decode(base64, HEAD));
    }
    if start.starts_with(b"\x89PNG\r\n\x1a\n") && start.get(12..16) == Some(b"IHDR") {
        return Some((big(&start, 16, 4)?, big(&start, 20, 4)?));
    }
    if start.starts_with(b"GIF8") {
        return Some((little(&start, 6, 2)?, little(&start, 8, 2)?));
    }
    let riff = start.starts_with(b"RIFF") && start.get(8..12) == Some(b"WEBP");
    match start.get(12..16).filter(|_| riff)? {
        b"VP8 " => Some((little(&start, 26, 2)? & 0x3fff, little(&start, 28, 2)? & 0x3fff)),
        b"VP8L" => {
            let bits = little(&start, 21, 4)?;
            Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
        }
        b"VP8X" => Some((little(&start, 24, 3)? + 1, little(&start, 27, 3)? + 1)),
        _ => None,
    }
}

/// Bytes a second of a WAV in Base64.
pub(super) fn wav_byte_rate(base64: &str) -> Option<u64> {
    let start = decode(base64, 64);
    let wav = start.starts_with(b"RIFF") && start.get(8..16) == Some(b"WAVEfmt ");
    let rate = little(&start, 28, 4).filter(|rate| wav && *rate > 0)?;
    Some(u64::from(rate))
}

/// The size in the first frame header.
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        if *bytes.get(at)? != 0xff {
            return None;
        }
        match *bytes.get(at + 1)? {
            // Padding.
            0xff => at += 1,
            // Start of frame: all but the tables that share its numbers.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                return Some((big(bytes, at + 7, 2)?, big(bytes, at + 5, 2)?));
            }
            _ => at += 2 + usize::try_from(big(bytes, at + 2, 2)?).ok()?,
        }
    }
}

fn big(bytes: &[u8], at: usize, count: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + count)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

fn little(bytes: &[u8], at: usize, count: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + count)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// The first bytes of Base64 of either alphabet, up to what is none.
fn decode(base64: &str, most: usize) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    };
    let digits: Vec<u8> = base64.bytes().take(most).map_while(digit).collect();
    digits
        .chunks(4)
        .flat_map(|four| {
            let at = |i| u32::from(four.get(i).copied().unwrap_or(0));
            let [_, bytes @ ..] = (at(0) << 18 | at(1) << 12 | at(2) << 6 | at(3)).to_be_bytes();
            bytes.into_iter().take(four.len().saturating_sub(1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Base64, written the plain way.
    fn encode(bytes: &[u8]) -> String {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |i| byte >> i & 1)).collect();
        let text: String = bits
            .chunks(6)
            .map(|six| {
                let value = six.iter().fold(0, |n, bit| n << 1 | usize::from(*bit)) << (6 - six.len());
                char::from(DIGITS[value])
            })
            .collect();
        format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4))
    }

    fn png(width: u32, height: u32) -> Vec<u8> {
        [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &width.to_be_bytes(), &height.to_be_bytes()].concat()
    }

    #[test]
    fn a_known_text_is_decoded() {
        assert_eq!(decode("TWFu", 64), b"Man");
        assert_eq!(decode("TWE=", 64), b"Ma");
        assert_eq!(decode("__8", 64), decode("//8=", 64));
    }

    #[test]
    fn every_header_tells_its_size() {
        let mut jpeg = vec![0xff, 0xd8, 0xff, 0xe1, 0x40, 0x02];
        jpeg.resize(jpeg.len() + 0x4000, 0xff);
        jpeg.extend([0xff, 0xff, 0xc2, 0, 17, 8, 0x0b, 0xd0, 0x0f, 0xc0]);
        let gif = [b"GIF89a".as_slice(), &[0x40, 1, 0xf0, 0]].concat();
        let webp = |rest: &[u8]| [b"RIFF\0\0\0\0WEBP".as_slice(), rest].concat();
        let lossy = webp(b"VP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x58\x02\x90\x01");
        let lossless = webp(&[b"VP8L\0\0\0\0\x2f".as_slice(), &(599_u32 | 399 << 14).to_le_bytes()].concat());
        let extended = webp(b"VP8X\0\0\0\0\0\0\0\0\x57\x02\0\x8f\x01\0");
        for (bytes, expected) in [
            (png(1920, 1080), (1920, 1080)),
            (jpeg, (4032, 3024)),
            (gif, (320, 240)),
            (lossy, (600, 400)),
            (lossless, (600, 400)),
            (extended, (600, 400)),
        ] {
            assert_eq!(size(&encode(&bytes)), Some(expected));
            // Cut short anywhere, it tells the same or nothing.
            for end in (0..bytes.len()).rev().take(64) {
                assert!(size(&encode(&bytes[..end])).is_none_or(|size| size == expected), "{end}");
            }
        }
    }

    #[test]
    fn what_is_no_picture_has_no_size() {
        for text in ["", "AAAA", "not base64 at all!", "/9j/", "/9g=", "R0lG", "UklGRg=="] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn a_wav_says_how_fast_it_runs() {
        let mut wav = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
        wav.extend(16_000_u32.to_le_bytes());
        wav.extend(32_000_u32.to_le_bytes());
        assert_eq!(wav_byte_rate(&encode(&wav)), Some(32_000));
        assert_eq!(wav_byte_rate(&encode(&wav[..30])), None);
    }
}
