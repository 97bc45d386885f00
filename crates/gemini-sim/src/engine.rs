//! The server's mind: judges each request under one lock, then words the answer outside it.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::answer::{Answer, AnswerFn, Asked, CountTokensFn};
use crate::body::{Pace, Script};
use crate::catalogue::{Catalogue, ModelSpec};
use crate::clock::SimClock;
use crate::desk::Desk;
use crate::fault::{Effect, Spoil};
use crate::json;
use crate::judge::{Finding, Sentence, page_token};
use crate::log::OnRequestFn;
use crate::quota::Window;
use crate::reply::Generation;
use crate::request::{self, Call, Payload};
use crate::route::Route;
use crate::status::Status;
use crate::tokens::InputTokens;

/// What goes out on the connection.
#[derive(Debug)]
pub(crate) enum Reply {
    Send {
        status: u16,
        content_type: String,
        /// The model itself answered: with the served tier in a header.
        from_model: bool,
        /// How long the head takes.
        delay: Duration,
        retry_after: Option<String>,
        body: Script,
        seq: u64,
    },
    Stall,
    Reset,
}

/// Settings and state of one server.
pub(crate) struct Engine {
    pub(crate) clock: SimClock,
    pub(crate) window: Window,
    pub(crate) count_rejected: bool,
    pub(crate) answer: AnswerFn,
    pub(crate) count_tokens: Option<CountTokensFn>,
    pub(crate) on_request: Option<OnRequestFn>,
    pub(crate) pace: Pace,
    pub(crate) catalogue: Catalogue,
    /// Owner of each `files/…` and `cachedContents/…`.
    pub(crate) owners: HashMap<String, String>,
    pub(crate) desk: Mutex<Desk>,
}

const JSON: &str = "application/json; charset=UTF-8";
const EVENTS: &str = "text/event-stream";

impl Engine {
    /// Decides, charges, logs, and words the answer to one request.
    pub(crate) fn reply(&self, call: &Call) -> Reply {
        let route = Route::parse(&call.method, &call.path, &call.query);
        let request = if route.is_model_method() {
            request::read(&route, &call.payload)
        } else if matches!(call.payload, Payload::TooLarge) {
            Err(request::too_large())
        } else {
            Ok(Value::Null)
        };
        let input = request.as_ref().map(|request| self.count(request)).unwrap_or_default();
        let sentence = self.judge(call, &route, request.as_ref(), input);
        let case = Case {
            engine: self,
            route: &route,
            model: self.catalogue.find(route.model()),
            request: request.as_ref().unwrap_or(&Value::Null),
            input,
            seq: sentence.seq,
        };
        let seq = sentence.seq;
        let reply = case.reply(call, sentence);
        if let Some(told) = &self.on_request {
            let entry = self.desk.lock().log.iter().rev().find(|entry| entry.seq == seq).cloned();
            entry.iter().for_each(|entry| told(entry));
        }
        reply
    }

    fn count(&self, request: &Value) -> InputTokens {
        let estimate = InputTokens::of(request);
        self.count_tokens.as_ref().map_or(estimate, |count| estimate.with_total(count(request)))
    }

    /// The charge follows the count the answer reports.
    fn correct(&self, project: &str, bucket: &str, seq: u64, tokens: u64) {
        let mut desk = self.desk.lock();
        if let Some(project) = desk.project_mut(project) {
            project.bucket(bucket).0.correct(seq, tokens);
        }
        if let Some(entry) = desk.log.iter_mut().rev().find(|entry| entry.seq == seq) {
            entry.input_tokens = tokens;
        }
    }
}

/// A judged request whose answer is being worded.
#[derive(Clone, Copy)]
struct Case<'a> {
    engine: &'a Engine,
    route: &'a Route,
    model: Option<&'a ModelSpec>,
    request: &'a Value,
    input: InputTokens,
    seq: u64,
}

impl Case<'_> {
    fn reply(self, call: &Call, sentence: Sentence) -> Reply {
        match sentence.finding {
            Finding::Effect { effect, in_array } => match effect {
                Effect::Stall => Reply::Stall,
                Effect::Reset => Reply::Reset,
                Effect::Page { status, content_type, body } => self.send(status, &content_type, body),
                Effect::Error(status) => self.refuse(&status, in_array, Duration::ZERO, None),
                Effect::ComeBack { retry_after } => {
                    self.refuse(&Status::canonical(429), in_array, Duration::ZERO, Some(retry_after))
                }
                Effect::Blocked => self.generation(&Answer::blocked("SAFETY"), false, None),
                Effect::Empty => {
                    let answer = Answer {
                        finish_reason: "MAX_TOKENS".to_owned(),
                        thoughts: Some("Thinking.".to_owned()),
                        ..Answer::default()
                    };
                    self.generation(&answer, false, None)
                }
                Effect::MidStream { after_chunks, spoil } => {
                    self.ask(call, sentence.project, sentence.nth, Some((after_chunks, spoil)))
                }
            },
            Finding::Late { after } => self.refuse(&Status::canonical(504), false, after, None),
            Finding::Generate => self.ask(call, sentence.project, sentence.nth, None),
            Finding::CountTokens => self.send(
                200,
                JSON,
                json::pretty(&json!({
                    "totalTokens": self.input.total(),
                    "promptTokensDetails": self.input.details(),
                })),
            ),
            Finding::Card => {
                let card = self.model.map_or(Value::Null, ModelSpec::card);
                self.send(200, JSON, json::pretty(&card))
            }
            Finding::Listing { from, to } => {
                let all = self.engine.catalogue.all();
                let cards: Vec<Value> = all.iter().take(to).skip(from).map(ModelSpec::card).collect();
                let mut body = json!({"models": cards});
                if to < all.len() {
                    body["nextPageToken"] = json!(page_token(to));
                }
                self.send(200, JSON, json::pretty(&body))
            }
        }
    }

    /// Lets the model speak.
    fn ask(mut self, call: &Call, project: String, nth: u64, spoil: Option<(usize, Spoil)>) -> Reply {
        let (prompt_text, system_text) = request::texts(self.request);
        let asked = Asked {
            model: self.route.model().to_owned(),
            prompt_text,
            system_text,
            body: self.request.clone(),
            key: call.api_key.clone().unwrap_or_default(),
            project,
            nth,
        };
        let answer = (self.engine.answer)(&asked);
        if let (Some(tokens), Some(model)) = (answer.prompt_tokens, self.model) {
            self.input = self.input.with_total(tokens);
            self.engine.correct(&asked.project, &model.bucket, self.seq, tokens);
        }
        self.generation(&answer, request::wants_thoughts(self.request), spoil)
    }

    fn generation(self, answer: &Answer, thoughts_wanted: bool, spoil: Option<(usize, Spoil)>) -> Reply {
        let Some(model) = self.model else {
            // Nothing is generated for a model that was not found; the judge has refused it.
            return self.send(500, JSON, Status::canonical(500).body(false));
        };
        let pace = &self.engine.pace;
        let generation = Generation { model, answer, input: self.input, thoughts_wanted, seq: self.seq };
        let (content_type, body) = if self.route.streams() {
            let in_array = self.route.in_array();
            let chunks = generation.chunks(pace.text_chunk_chars);
            (if in_array { JSON } else { EVENTS }, Script::stream(&chunks, in_array, spoil, pace))
        } else {
            (JSON, Script::whole(json::pretty(&generation.whole()), pace))
        };
        Reply::Send {
            status: 200,
            content_type: content_type.to_owned(),
            from_model: true,
            delay: pace.time_to_first_byte,
            retry_after: None,
            body,
            seq: self.seq,
        }
    }

    fn refuse(self, status: &Status, in_array: bool, delay: Duration, retry_after: Option<String>) -> Reply {
        let body = status.body(in_array || self.route.in_array());
        Reply::Send {
            status: status.code,
            content_type: JSON.to_owned(),
            from_model: false,
            delay,
            retry_after,
            body: Script::whole(body, &self.engine.pace),
            seq: self.seq,
        }
    }

    fn send(self, status: u16, content_type: &str, body: String) -> Reply {
        Reply::Send {
            status,
            content_type: content_type.to_owned(),
            from_model: false,
            delay: Duration::ZERO,
            retry_after: None,
            body: Script::whole(body, &self.engine.pace),
            seq: self.seq,
        }
    }
}
