//! How many input tokens a request has: a rough count, the same for admission, usage and `countTokens`.

use serde_json::{Value, json};

/// Tokens of one image or other attached file; Google's price of a small image.
const MEDIA_TOKENS: u64 = 258;

/// Tokens of a text: four ASCII characters make one, any other character is one by itself.
pub(crate) fn text_tokens(text: &str) -> u64 {
    quarters(text).div_ceil(4)
}

fn quarters(text: &str) -> u64 {
    text.chars().map(|c| if c.is_ascii() { 1 } else { 4 }).sum()
}

/// The input tokens of a request, by modality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct InputTokens {
    text: u64,
    image: u64,
    audio: u64,
    video: u64,
    document: u64,
}

impl InputTokens {
    /// Counts a `GenerateContentRequest`, or the bare `contents` of a `CountTokensRequest`.
    pub(crate) fn of(request: &Value) -> Self {
        let mut count = Self::default();
        let mut text = 0;
        let system = field(request, "systemInstruction", "system_instruction").into_iter();
        let contents = request.get("contents").and_then(Value::as_array).into_iter().flatten();
        for content in system.chain(contents) {
            for part in content.get("parts").and_then(Value::as_array).into_iter().flatten() {
                text += part.get("text").and_then(Value::as_str).map_or(0, quarters);
                text += ["functionCall", "functionResponse", "executableCode", "codeExecutionResult"]
                    .iter()
                    .filter_map(|kind| part.get(kind))
                    .map(|value| quarters(&value.to_string()))
                    .sum::<u64>();
                for (camel, snake) in [("inlineData", "inline_data"), ("fileData", "file_data")] {
                    if let Some(media) = field(part, camel, snake) {
                        let mime =
                            field(media, "mimeType", "mime_type").and_then(Value::as_str).unwrap_or_default();
                        *count.media(mime) += MEDIA_TOKENS;
                    }
                }
            }
        }
        text += request.get("tools").map_or(0, |tools| quarters(&tools.to_string()));
        count.text = text.div_ceil(4);
        count
    }

    /// The same request, counted by somebody who knows only the total.
    pub(crate) const fn with_total(self, total: u64) -> Self {
        let media = self.image + self.audio + self.video + self.document;
        if total >= media {
            Self { text: total - media, ..self }
        } else {
            Self { text: total, image: 0, audio: 0, video: 0, document: 0 }
        }
    }

    pub(crate) const fn total(self) -> u64 {
        self.text + self.image + self.audio + self.video + self.document
    }

    /// The `promptTokensDetails` array.
    pub(crate) fn details(self) -> Value {
        [
            ("TEXT", self.text),
            ("IMAGE", self.image),
            ("AUDIO", self.audio),
            ("VIDEO", self.video),
            ("DOCUMENT", self.document),
        ]
        .into_iter()
        .filter(|(_, tokens)| *tokens > 0)
        .map(|(modality, tokens)| json!({"modality": modality, "tokenCount": tokens}))
        .collect()
    }

    fn media(&mut self, mime: &str) -> &mut u64 {
        match mime.split('/').next() {
            Some("image") => &mut self.image,
            Some("audio") => &mut self.audio,
            Some("video") => &mut self.video,
            _ => &mut self.document,
        }
    }
}

/// A field under either of the spellings protobuf JSON accepts.
pub(crate) fn field<'a>(object: &'a Value, camel: &str, snake: &str) -> Option<&'a Value> {
    object.get(camel).or_else(|| object.get(snake))
}
