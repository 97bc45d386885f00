//! The figures of the table, and the properties that hold for any request.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::wire::GenerationConfig;

fn request(value: Value) -> GenerateRequest {
    serde_json::from_value(value).expect("a request")
}

fn parts(parts: impl Into<Value>) -> Estimate {
    of(&request(json!({"contents": [{"parts": parts.into()}]})))
}

fn text(text: &str) -> u64 {
    of(&GenerateRequest::text(text)).tokens
}

fn inline(mime: &str, base64: &str) -> u64 {
    parts(json!([{"inlineData": {"mimeType": mime, "data": base64}}])).tokens
}

/// The start of a PNG of this size, in Base64.
fn png(width: u32, height: u32) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes
        .chunks(3)
        .flat_map(|three| {
            let at = |i| three.get(i).copied().map_or(0, usize::from);
            let bits = at(0) << 16 | at(1) << 8 | at(2);
            [bits >> 18, bits >> 12 & 63, bits >> 6 & 63, bits & 63].map(|six| char::from(DIGITS[six]))
        })
        .collect()
}

#[test]
fn prose_is_a_quarter_of_its_characters_and_the_rest_is_denser() {
    assert_eq!(text(&"word ".repeat(800)), 1_000);
    let code = "fn main() { let x = y.iter().map(|z| z + a).sum::<u64>(); }\n".repeat(50);
    let plain = code.len() as u64 / 4;
    assert!((plain * 11 / 10..plain * 15 / 10).contains(&text(&code)), "{} {plain}", text(&code));
    assert_eq!(text("12345678"), 8, "a digit is a token");
    assert_eq!(text("什么是移动平均线"), 8, "so is an ideograph");
    assert_eq!(text("이동 평균"), 5);
    assert_eq!(text("скользящее"), 8, "10 characters of 2 bytes");
    assert_eq!(text("😀😀😀😀"), 5);
}

#[test]
fn pictures_cost_their_tiles() {
    for (width, height, tiles) in [
        (1, 1, 1),
        (384, 384, 1),
        (385, 1, 1),
        (768, 768, 1),
        (769, 768, 2),
        (1920, 1080, 6),
        (4032, 3024, 24),
    ] {
        assert_eq!(inline("image/png", &png(width, height)), 258 * tiles, "{width} x {height}");
    }
    assert_eq!(inline("image/heic", &"A".repeat(1_000_000)), 258, "of unknown size");
    let mut low = request(json!({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png",
        "data": png(4032, 3024)}}]}], "generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_LOW"}}));
    assert_eq!(of(&low).tokens, 64);
    let level = json!({"level": "MEDIA_RESOLUTION_MEDIUM"});
    low.contents[0].parts[0].extra.insert("mediaResolution".to_owned(), level);
    assert_eq!(of(&low).tokens, 256, "the part's own word comes first");
}

#[test]
fn media_cost_their_length() {
    // Base64 has four characters for three bytes.
    let bytes = |count: usize| "A".repeat(count / 3 * 4);
    assert_eq!(inline("audio/mp3", &bytes(480_000)), 60 * 32);
    assert_eq!(inline("video/mp4", &bytes(3_750_000)), 60 * 263);
    assert_eq!(inline("application/pdf", &bytes(98_304)), 3 * 258);
    assert_eq!(inline("text/csv", &bytes(35_000 / 3 * 3)), 10_000);
    assert_eq!(inline("application/json", &bytes(30)), 9);
}

#[test]
fn what_is_elsewhere_is_guessed_and_said_to_be() {
    for (mime, tokens) in
        [("image/png", 258), ("video/mp4", 15_780), ("audio/mp3", 1_920), ("application/pdf", 2_580)]
    {
        let guess = parts(json!([{"fileData": {"mimeType": mime, "fileUri": "https://x/files/1"}}]));
        assert_eq!(guess, Estimate { tokens, complete: false });
    }
    let cached = of(&request(json!({"contents": [{"parts": [{"text": "four"}]}], "cachedContent": "c/1"})));
    assert_eq!(cached, Estimate { tokens: 1_025, complete: false });
    assert_eq!(of(&GenerateRequest::text("four")), Estimate { tokens: 1, complete: true });
}

#[test]
fn tools_schemas_calls_and_the_system_count_and_the_answer_does_not() {
    let plain = json!({"contents": [{"parts": [{"text": "a word to begin with"}]}]});
    let with = |name: &str, value: Value| {
        let mut plain = plain.clone();
        plain[name] = value;
        of(&request(plain)).tokens
    };
    let plain = of(&request(plain.clone())).tokens;
    assert_eq!(with("systemInstruction", json!({"parts": [{"text": "be brief"}]})), plain + 2);
    let tools = json!([{"functionDeclarations": [{"name": "f", "description": "finds what is asked for"}]}]);
    assert!(with("tools", tools) > plain + 10);
    let schema = json!({"type": "OBJECT", "properties": {"answer": {"type": "STRING"}}});
    assert!(with("generationConfig", json!({"responseSchema": schema})) > plain + 5);
    assert_eq!(with("generationConfig", json!({"maxOutputTokens": 65_536})), plain);
    let call =
        json!([{"functionCall": {"name": "find", "args": {"what": "the moving average", "count": 12}}}]);
    assert!((8..20).contains(&parts(call).tokens));
    let answer = json!([{"functionResponse": {"name": "find", "response": {"found": "one"},
        "parts": [{"inlineData": {"mimeType": "image/png", "data": "A".repeat(100_000)}}]}}]);
    assert!((258..300).contains(&parts(answer).tokens), "a picture in an answer is no text");
}

#[test]
fn no_size_overflows() {
    assert_eq!(tiles(u32::MAX, u32::MAX), 5_592_406_u64.pow(2) * 258);
    let mut sum = Sum { quarters: u64::MAX - 1, complete: true, picture: None };
    sum.tokens(u64::MAX);
    sum.text("and more");
    assert_eq!(sum.quarters, u64::MAX);
    assert!(sum.quarters.div_ceil(QUARTERS) > 0);
}

/// Parts of every kind.
fn any_part() -> impl Strategy<Value = Value> {
    let mime = prop_oneof![
        Just("image/png"),
        Just("audio/wav"),
        Just("video/mp4"),
        Just("text/plain"),
        Just("application/pdf"),
        Just(""),
    ];
    prop_oneof![
        "\\PC{1,80}".prop_map(|text| json!({"text": text})),
        (mime.clone(), "[A-Za-z0-9+/]{0,200}")
            .prop_map(|(mime, data)| json!({"inlineData": {"mimeType": mime, "data": data}})),
        mime.prop_map(|mime| json!({"fileData": {"mimeType": mime, "fileUri": "files/x"}})),
        ("[a-z]{1,9}", "\\PC{0,40}")
            .prop_map(|(name, arg)| json!({"functionCall": {"name": name, "args": {"a": [arg, 1.5, null]}}})),
        ("[a-z]{1,9}", "\\PC{0,40}").prop_map(|(kind, text)| json!({kind: {"some": text}})),
    ]
}

proptest! {
    #[test]
    fn a_longer_text_costs_no_less_and_two_texts_cost_their_sum(a in "\\PC{0,200}", b in "\\PC{0,200}") {
        let (first, second, both) = (text(&a), text(&b), text(&format!("{a}{b}")));
        prop_assert!(both >= first.max(second));
        prop_assert!(both <= first + second && both + 1 >= first + second, "rounded up once, not twice");
        prop_assert_eq!(first == 0, a.is_empty());
        prop_assert!(first >= a.chars().count().div_ceil(4) as u64, "never under Google's rule");
    }

    #[test]
    fn parts_add_up_however_they_are_dealt_out_to_turns(
        all in prop::collection::vec(any_part(), 1..8),
        cut in 0_usize..8,
    ) {
        let together = parts(json!(all));
        let (first, second) = all.split_at(cut.min(all.len()));
        let apart = of(&request(json!({"contents": [{"parts": first}, {"parts": second}]})));
        prop_assert_eq!(together, apart);
        let sum: u64 = all.iter().map(|part| parts(json!([part])).tokens).sum();
        prop_assert!(together.tokens <= sum && together.tokens + all.len() as u64 > sum);
        for part in &all {
            prop_assert!(parts(json!([part])).tokens > 0, "{part}");
        }
        let mut system = GenerateRequest::contents(vec![]);
        system.system_instruction = Some(serde_json::from_value(json!({"parts": all})).expect("a turn"));
        system.generation_config = Some(GenerationConfig::default());
        prop_assert_eq!(of(&system), together);
    }
}
