//! A generation's answer in Gemini's shape: one object, or the chunks of a stream with running usage.

use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::catalogue::ModelSpec;
use crate::exhausted::mix;
use crate::tokens::{InputTokens, text_tokens};

/// Everything an answer's body is made of.
#[derive(Debug)]
pub(crate) struct Generation<'a> {
    pub(crate) model: &'a ModelSpec,
    pub(crate) answer: &'a Answer,
    pub(crate) input: InputTokens,
    pub(crate) thoughts_wanted: bool,
    pub(crate) seq: u64,
}

impl Generation<'_> {
    /// The body of `generateContent`.
    pub(crate) fn whole(&self) -> Value {
        if let Some(feedback) = self.feedback() {
            return self.envelope("promptFeedback", feedback, self.usage(0, 0));
        }
        let mut parts: Vec<Value> = self.thought_part().into_iter().chain(self.said(usize::MAX)).collect();
        if let Some(text) = parts.last_mut().and_then(Value::as_object_mut)
            && self.signs()
        {
            text.insert("thoughtSignature".to_owned(), json!(self.signature()));
        }
        let candidates = candidate(&parts, Some(self.finish_reason()));
        self.envelope("candidates", candidates, self.usage(self.output_tokens(), self.thought_tokens()))
    }

    /// The chunks of `streamGenerateContent`; only the last has a `finishReason`.
    pub(crate) fn chunks(&self, text_chunk_chars: usize) -> Vec<Value> {
        if self.feedback().is_some() {
            return vec![self.whole()];
        }
        let mut parts: Vec<Option<Value>> =
            self.thought_part().into_iter().chain(self.said(text_chunk_chars)).map(Some).collect();
        if self.signs() {
            parts.push(Some(json!({"text": "", "thoughtSignature": self.signature()})));
        }
        if parts.is_empty() {
            parts.push(None);
        }
        let count = parts.len();
        let tokens = self.output_tokens();
        parts
            .into_iter()
            .enumerate()
            .map(|(index, part)| {
                let last = index + 1 == count;
                let candidates = candidate(part.as_slice(), last.then(|| self.finish_reason()));
                let so_far = if last { tokens } else { share(tokens, index + 1, count) };
                self.envelope("candidates", candidates, self.usage(so_far, self.thought_tokens()))
            })
            .collect()
    }

    fn envelope(&self, name: &str, content: Value, usage: Value) -> Value {
        let mut body = Map::new();
        body.insert(name.to_owned(), content);
        body.insert("usageMetadata".to_owned(), usage);
        body.insert("modelVersion".to_owned(), json!(self.model.id));
        body.insert("responseId".to_owned(), json!(opaque(self.seq, 23)));
        Value::Object(body)
    }

    fn feedback(&self) -> Option<Value> {
        self.answer.block_reason.as_ref().map(|reason| json!({"blockReason": reason}))
    }

    fn finish_reason(&self) -> &str {
        if self.answer.finish_reason.is_empty() { "STOP" } else { &self.answer.finish_reason }
    }

    fn thought_part(&self) -> Option<Value> {
        let thoughts = self.answer.thoughts.as_ref().filter(|_| self.thoughts_wanted)?;
        Some(json!({"text": thoughts, "thought": true}))
    }

    /// The raw parts, or the text in pieces. Nothing at all for an answer cut off before its first word.
    fn said(&self, piece_chars: usize) -> Vec<Value> {
        if let Some(parts) = &self.answer.parts {
            return parts.clone();
        }
        if self.answer.text.is_empty() && self.finish_reason() != "STOP" {
            return Vec::new();
        }
        pieces(&self.answer.text, piece_chars).into_iter().map(|text| json!({"text": text})).collect()
    }

    /// Whether a thought signature goes with the text.
    fn signs(&self) -> bool {
        self.model.signs_thoughts()
            && self.answer.parts.is_none()
            && !(self.answer.text.is_empty() && self.finish_reason() != "STOP")
    }

    fn signature(&self) -> String {
        opaque(!self.seq, 40)
    }

    fn output_tokens(&self) -> u64 {
        self.answer.output_tokens.unwrap_or_else(|| match &self.answer.parts {
            Some(parts) => parts.iter().map(|part| text_tokens(&part.to_string())).sum(),
            None => text_tokens(&self.answer.text),
        })
    }

    fn thought_tokens(&self) -> u64 {
        self.answer.thoughts.as_deref().map_or(0, text_tokens)
    }

    /// `usageMetadata` after this much output; zero counts are left out, as protobuf does.
    fn usage(&self, output: u64, thoughts: u64) -> Value {
        let mut usage = json!({"promptTokenCount": self.input.total()});
        if output > 0 {
            usage["candidatesTokenCount"] = json!(output);
        }
        usage["totalTokenCount"] = json!(self.input.total().saturating_add(output).saturating_add(thoughts));
        usage["promptTokensDetails"] = self.input.details();
        if thoughts > 0 {
            usage["thoughtsTokenCount"] = json!(thoughts);
        }
        usage["serviceTier"] = json!("standard");
        usage
    }
}

fn candidate(parts: &[Value], finish_reason: Option<&str>) -> Value {
    let content = if parts.is_empty() { json!({}) } else { json!({"parts": parts, "role": "model"}) };
    let mut candidate = json!({"content": content});
    if let Some(reason) = finish_reason {
        candidate["finishReason"] = json!(reason);
    }
    candidate["index"] = json!(0);
    json!([candidate])
}

/// Splits after every `chars` characters; an empty text is one empty piece.
fn pieces(text: &str, chars: usize) -> Vec<String> {
    let all: Vec<char> = text.chars().collect();
    if all.is_empty() {
        return vec![String::new()];
    }
    all.chunks(chars.max(1)).map(|piece| piece.iter().collect()).collect()
}

fn share(total: u64, part: usize, whole: usize) -> u64 {
    let (part, whole) = (u128::try_from(part).unwrap_or(1), u128::try_from(whole).unwrap_or(1).max(1));
    u64::try_from(u128::from(total) * part / whole).unwrap_or(u64::MAX)
}

/// An identifier that looks random and is the same on every run.
fn opaque(seed: u64, length: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = seed;
    (0..length)
        .map(|_| {
            state = mix(state);
            let index = usize::try_from(state % 64).unwrap_or_default();
            char::from(ALPHABET.get(index).copied().unwrap_or(b'A'))
        })
        .collect()
}
