//! The models the server knows, and the quota bucket each of their names is counted in.

use serde_json::{Value, json};

/// One name a client may ask for.
#[derive(Debug, Clone)]
pub struct ModelSpec {
    pub(crate) id: String,
    pub(crate) bucket: String,
    pub(crate) input_limit: u64,
    pub(crate) output_limit: u64,
    pub(crate) generates: bool,
}

/// Most input tokens of one request unless a model says otherwise.
const INPUT_LIMIT: u64 = 1_048_576;
const OUTPUT_LIMIT: u64 = 65_536;

impl ModelSpec {
    /// A generating model that is its own bucket and takes 1,048,576 input tokens.
    pub fn new(id: impl Into<String>) -> Self {
        let id = id.into();
        Self { bucket: id.clone(), id, input_limit: INPUT_LIMIT, output_limit: OUTPUT_LIMIT, generates: true }
    }

    /// Sets the base model whose quota this name draws on.
    #[must_use]
    pub fn bucket(mut self, bucket: impl Into<String>) -> Self {
        self.bucket = bucket.into();
        self
    }

    /// Sets the most input tokens of one request; more is a 400 that still consumes quota.
    #[must_use]
    pub const fn input_limit(mut self, tokens: u64) -> Self {
        self.input_limit = tokens;
        self
    }

    /// Whether answers carry a `thoughtSignature` (the 3.x and 4.x families).
    pub(crate) fn signs_thoughts(&self) -> bool {
        self.bucket.starts_with("gemini-3") || self.bucket.starts_with("gemini-4")
    }

    /// The body of `models.get`, and one element of `models.list`.
    pub(crate) fn card(&self) -> Value {
        let methods: &[&str] = if self.generates {
            &["generateContent", "countTokens", "createCachedContent", "batchGenerateContent"]
        } else {
            &["embedContent", "countTextTokens", "countTokens", "asyncBatchEmbedContent"]
        };
        let mut card = json!({
            "name": format!("models/{}", self.id),
            "version": "001",
            "displayName": display_name(&self.id),
            "inputTokenLimit": self.input_limit,
            "outputTokenLimit": self.output_limit,
            "supportedGenerationMethods": methods,
        });
        if self.generates {
            card["temperature"] = json!(1);
            card["topP"] = json!(0.95);
            card["topK"] = json!(64);
            card["maxTemperature"] = json!(2);
            card["thinking"] = json!(true);
        }
        card
    }
}

fn display_name(id: &str) -> String {
    id.split('-')
        .map(|word| {
            let mut chars = word.chars();
            chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
        })
        .collect::<Vec<String>>()
        .join(" ")
}

/// Names whose bucket differs from the name itself: a 429 names the base model, never the requested id.
/// What the `-latest` names point at is not recorded anywhere; these are the newest stable models.
const ALIASES: &[(&str, &str)] = &[
    ("gemini-3.1-pro-preview", "gemini-3.1-pro"),
    ("gemini-3.1-pro-preview-customtools", "gemini-3.1-pro"),
    ("gemini-3-pro-preview", "gemini-3-pro"),
    ("gemini-2.5-flash-image-preview", "gemini-2.5-flash-preview-image"),
    ("gemini-3.1-flash-tts-preview", "gemini-3.1-flash-tts"),
    ("gemini-flash-latest", "gemini-3.8-flash"),
    ("gemini-flash-lite-latest", "gemini-3.5-flash-lite"),
    ("gemini-pro-latest", "gemini-3.1-pro"),
];

const GENERATING: &[&str] = &[
    "gemini-2.5-pro",
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
    "gemini-3-pro",
    "gemini-3.1-pro",
    "gemini-3.1-flash-lite",
    "gemini-3.1-flash-tts",
    "gemini-3.5-flash",
    "gemini-3.5-flash-lite",
    "gemini-3.6-flash",
    "gemini-3.7-flash",
    "gemini-3.8-flash",
    "gemini-4-argon",
    "gemini-4-carbon",
    "gemini-4-hydrogen",
];

/// Every model of the server, in listing order.
#[derive(Debug, Clone)]
pub(crate) struct Catalogue {
    models: Vec<ModelSpec>,
}

impl Default for Catalogue {
    fn default() -> Self {
        let mut models: Vec<ModelSpec> = GENERATING.iter().map(|id| ModelSpec::new(*id)).collect();
        models.extend(ALIASES.iter().map(|(id, bucket)| ModelSpec::new(*id).bucket(*bucket)));
        models.push(ModelSpec {
            input_limit: 2048,
            output_limit: 1,
            generates: false,
            ..ModelSpec::new("gemini-embedding-001")
        });
        Self { models }
    }
}

impl Catalogue {
    /// Adds a model, or replaces the one of the same name.
    pub(crate) fn put(&mut self, model: ModelSpec) {
        match self.models.iter_mut().find(|known| known.id == model.id) {
            Some(known) => *known = model,
            None => self.models.push(model),
        }
    }

    pub(crate) fn find(&self, id: &str) -> Option<&ModelSpec> {
        self.models.iter().find(|model| model.id == id)
    }

    pub(crate) fn all(&self) -> &[ModelSpec] {
        &self.models
    }
}
