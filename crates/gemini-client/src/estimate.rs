//! How many input tokens a request will be charged, roughly, before it is sent.
//!
//! Google's rule is a token for four characters. What is known to be denser is counted denser, for what
//! is charged too little becomes debt, and what is charged too much only waits a little:
//!
//! | what | tokens | because |
//! |---|---|---|
//! | ASCII letters and white space | 1/4 each | Google's rule |
//! | ASCII punctuation | 1/2 each | mostly a token by itself; so code comes out 10 to 30 % above prose |
//! | digits | 1 each | the tokenizer of Gemma and Gemini splits numbers into digits |
//! | a character of 2, 3, 4 bytes in UTF-8 | 3/4, 1, 5/4 | 3.5 bytes to a token: 1 for CJK |
//! | a picture up to 384 × 384, or of unknown size | 258 | Google's figure |
//! | a larger picture | 258 for each tile of 768 × 768 | Google's figure |
//! | a picture at `MEDIA_RESOLUTION_LOW`, `_MEDIUM` | 64, 256 | the fixed budgets of newer models |
//! | sound | 32 a second | Google's figure; a WAV says how long it is, else 64 kbit/s are assumed |
//! | film | 263 a second | Google's figure, for a frame a second and its sound; 500 kbit/s are assumed |
//! | a PDF, or what else there may be | 258 a page | Google's figure; 32 KiB to a page are assumed |
//! | text as bytes | 1 for 3.5 bytes | as above |
//! | tools, schemas, calls and their answers | their names, keys and values as text, and 1 for each | punctuation |
//! | an uploaded file | a picture, a minute of film or sound, ten pages | its size is not in the request |
//! | cached content | 1,024 | the least Google caches; its size is not in the request |
//!
//! Only input counts: what an answer may grow to (`maxOutputTokens`) is in no limit of tokens per minute.
//! How far a model's count is from this is for the caller to learn from `promptTokenCount`.

use serde_json::Value;

use crate::wire::{Blob, Content, FileData, GenerateRequest, Part};

mod picture;

/// An estimate of input tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Input tokens, at least 1 for a request that holds anything.
    pub tokens: u64,
    /// Whether everything that counts was in the request itself. Of uploaded files and cached content
    /// it holds only the names, so that how far off such an estimate was says nothing of the next.
    pub complete: bool,
}

/// What `request` will be charged.
///
/// ```
/// use gemini_client::{estimate, wire::GenerateRequest};
/// let request = GenerateRequest::text("What is a moving average");
/// assert_eq!(estimate::of(&request).tokens, 6);
/// ```
#[must_use]
pub fn of(request: &GenerateRequest) -> Estimate {
    let GenerateRequest { contents, system_instruction, generation_config, tools, cached_content, .. } =
        request;
    let resolution = generation_config.as_ref().and_then(|config| config.extra.get("mediaResolution"));
    let mut sum = Sum { quarters: 0, complete: true, picture: flat_picture(resolution) };
    contents.iter().chain(system_instruction).for_each(|content| sum.content(content));
    tools.iter().for_each(|tool| sum.value(tool));
    if let Some(config) = generation_config {
        [&config.response_schema, &config.response_json_schema]
            .into_iter()
            .flatten()
            .for_each(|schema| sum.value(schema));
    }
    if cached_content.is_some() {
        sum.tokens(LEAST_CACHED);
        sum.complete = false;
    }
    Estimate { tokens: sum.quarters.div_ceil(QUARTERS), complete: sum.complete }
}

/// Everything is added up in quarters of a token, so that many short pieces count as one long one.
const QUARTERS: u64 = 4;
/// A small picture, a tile of a large one, a page.
const TILE: u64 = 258;
const AUDIO_PER_SECOND: u64 = 32;
const VIDEO_PER_SECOND: u64 = 263;
/// Bytes a second of speech at 64 kbit/s.
const AUDIO_BYTES: u64 = 8_000;
/// Bytes a second of film at 500 kbit/s.
const VIDEO_BYTES: u64 = 62_500;
const PAGE_BYTES: u64 = 32 * 1024;
const LEAST_CACHED: u64 = 1_024;
/// What an uploaded film or sound is taken to last, in seconds.
const UNSEEN_SECONDS: u64 = 60;
/// What an uploaded document is taken to have.
const UNSEEN_PAGES: u64 = 10;

/// Quarters of a token for a byte of UTF-8: a character is paid for with its first byte.
const WEIGHTS: [u8; 256] = {
    let mut weights = [0; 256];
    let mut byte = 0_u8;
    loop {
        weights[byte as usize] = match byte {
            b'0'..=b'9' => 4,
            0x00..=0x7f if byte.is_ascii_punctuation() => 2,
            0x00..=0x7f => 1,
            0x80..=0xbf => 0,
            0xc0..=0xdf => 3,
            0xe0..=0xef => 4,
            0xf0..=0xff => 5,
        };
        if byte == u8::MAX {
            break weights;
        }
        byte += 1;
    }
};

/// What a picture costs at a resolution that was asked for; `None` where that goes by its size.
fn flat_picture(resolution: Option<&Value>) -> Option<u64> {
    // A part wraps it in an object, the settings do not.
    let resolution = resolution.map(|given| given.get("level").unwrap_or(given));
    match resolution.and_then(Value::as_str) {
        Some("MEDIA_RESOLUTION_LOW") => Some(64),
        Some("MEDIA_RESOLUTION_MEDIUM") => Some(256),
        _ => None,
    }
}

struct Sum {
    quarters: u64,
    complete: bool,
    /// What a picture costs, whatever its size.
    picture: Option<u64>,
}

impl Sum {
    fn add(&mut self, quarters: u64) {
        self.quarters = self.quarters.saturating_add(quarters);
    }

    fn tokens(&mut self, tokens: u64) {
        self.add(tokens.saturating_mul(QUARTERS));
    }

    fn text(&mut self, text: &str) {
        self.add(text.bytes().map(|byte| u64::from(WEIGHTS[usize::from(byte)])).sum());
    }

    fn content(&mut self, content: &Content) {
        content.parts.iter().for_each(|part| self.part(part));
    }

    fn part(&mut self, part: &Part) {
        let Part {
            text,
            inline_data,
            file_data,
            function_call,
            function_response,
            executable_code,
            code_execution_result,
            thought: _,
            thought_signature,
            extra,
        } = part;
        let code = executable_code.as_ref().and_then(|code| code.code.as_ref());
        let output = code_execution_result.as_ref().and_then(|result| result.output.as_ref());
        for text in [text.as_ref(), thought_signature.as_ref(), code, output].into_iter().flatten() {
            self.text(text);
        }
        if let Some(Blob { mime_type, data, .. }) = inline_data {
            let flat = flat_picture(extra.get("mediaResolution"));
            self.blob(mime_type.as_deref(), data.as_deref().unwrap_or_default(), flat);
        }
        if let Some(FileData { mime_type, .. }) = file_data {
            self.file(mime_type.as_deref());
        }
        if let Some(call) = function_call {
            self.named(call.name.as_deref(), call.args.as_ref());
        }
        if let Some(response) = function_response {
            self.named(response.name.as_deref(), response.response.as_ref());
            self.entries(&response.extra);
        }
        self.entries(extra);
    }

    fn named(&mut self, name: Option<&str>, value: Option<&Value>) {
        self.text(name.unwrap_or_default());
        self.tokens(1);
        value.into_iter().for_each(|value| self.value(value));
    }

    fn value(&mut self, value: &Value) {
        self.tokens(1);
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => self.text(&number.to_string()),
            Value::String(text) => self.text(text),
            Value::Array(values) => values.iter().for_each(|value| self.value(value)),
            Value::Object(entries) => self.entries(entries),
        }
    }

    fn entries(&mut self, entries: &serde_json::Map<String, Value>) {
        for (key, value) in entries {
            let field = |camel, snake| value.get(camel).or_else(|| value.get(snake)).and_then(Value::as_str);
            let mime = || field("mimeType", "mime_type");
            match key.as_str() {
                // The answers of functions hold parts as well.
                "inlineData" | "inline_data" => {
                    self.blob(mime(), field("data", "data").unwrap_or_default(), None);
                }
                "fileData" | "file_data" => self.file(mime()),
                // Words to the server, not to the model.
                "mediaResolution" | "videoMetadata" | "partMetadata" => {}
                _ => {
                    self.text(key);
                    self.value(value);
                }
            }
        }
    }

    /// `data` is Base64, `picture` what a picture costs by the part's own word.
    fn blob(&mut self, mime: Option<&str>, data: &str, picture: Option<u64>) {
        let bytes = length(data).div_ceil(4).saturating_mul(3);
        match kind(mime) {
            Kind::Picture => {
                let by_size = || picture::size(data).map_or(TILE, |(width, height)| tiles(width, height));
                self.tokens(picture.or(self.picture).unwrap_or_else(by_size));
            }
            Kind::Audio => {
                let rate = picture::wav_byte_rate(data).unwrap_or(AUDIO_BYTES);
                self.tokens(bytes.div_ceil(rate).saturating_mul(AUDIO_PER_SECOND).max(1));
            }
            Kind::Video => {
                self.tokens(bytes.div_ceil(VIDEO_BYTES).saturating_mul(VIDEO_PER_SECOND).max(1));
            }
            // 3.5 bytes to a token.
            Kind::Text => self.tokens(bytes.saturating_mul(2).div_ceil(7).max(1)),
            Kind::Document => self.tokens(bytes.div_ceil(PAGE_BYTES).max(1).saturating_mul(TILE)),
        }
    }

    fn file(&mut self, mime: Option<&str>) {
        self.complete = false;
        self.tokens(match kind(mime) {
            Kind::Picture => self.picture.unwrap_or(TILE),
            Kind::Audio => UNSEEN_SECONDS * AUDIO_PER_SECOND,
            Kind::Video => UNSEEN_SECONDS * VIDEO_PER_SECOND,
            Kind::Text | Kind::Document => UNSEEN_PAGES * TILE,
        });
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Picture,
    Audio,
    Video,
    Text,
    Document,
}

fn kind(mime: Option<&str>) -> Kind {
    let mime = mime.unwrap_or_default();
    match mime.split('/').next() {
        Some("image") => Kind::Picture,
        Some("audio") => Kind::Audio,
        Some("video") => Kind::Video,
        Some("text") => Kind::Text,
        _ if mime.ends_with("json") || mime.ends_with("xml") || mime.ends_with("javascript") => Kind::Text,
        _ => Kind::Document,
    }
}

fn tiles(width: u32, height: u32) -> u64 {
    if width <= 384 && height <= 384 {
        return TILE;
    }
    let along = |side: u32| u64::from(side.div_ceil(768).max(1));
    along(width).saturating_mul(along(height)).saturating_mul(TILE)
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
