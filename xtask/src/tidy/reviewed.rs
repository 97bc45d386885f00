//! What somebody looked at and found safe: text that is read as it comes, files that write to the terminal, and files
//! that start programs.

use super::foreign::{Outlets, RawFields, RawPaths, Reviewed, Starters};

pub(super) const REVIEWED: Reviewed =
    Reviewed { raw_fields: RAW_FIELDS, outlets: OUTLETS, raw_paths: RAW_PATHS, starters: STARTERS };

/// A request is read only where somebody else's request is passed on, and shown nowhere.
const REQUEST: &str = "a caller's own request, which is sent and not shown";
/// Unknown fields are kept for callers who know them.
const EXTRA: &str = "unknown fields, passed on and not shown";
/// The parts of an answer are what a caller asked for.
const ANSWER: &str = "the answer itself, which is the caller's; strategy-gen makes it an `UntrustedText`";
/// Whoever writes a plan is this program, to itself.
const PLAN: &str = "this program's own plan for its sandbox";
const SECRET: &str = "a secret on its way into its wrapper, or a field beside it that is compared";
const COMPARED: &str = "compared, and shown only through a function that redacts it and keeps one line";
const LOG_LINE: &str = "compared, stored without secrets, and shown in tables that keep one line";
const DIGEST: &str = "compared with a digest";

const RAW_FIELDS: RawFields = &[
    ("crates/gemini-client/src/wire/content.rs", "Content", ANSWER),
    ("crates/gemini-client/src/wire/content.rs", "Part", ANSWER),
    ("crates/gemini-client/src/wire/content.rs", "Blob", ANSWER),
    ("crates/gemini-client/src/wire/content.rs", "FileData", ANSWER),
    ("crates/gemini-client/src/wire/content.rs", "FunctionCall", ANSWER),
    ("crates/gemini-client/src/wire/content.rs", "FunctionResponse", ANSWER),
    ("crates/gemini-client/src/wire/content.rs", "ExecutableCode", ANSWER),
    ("crates/gemini-client/src/wire/content.rs", "CodeExecutionResult", ANSWER),
    ("crates/gemini-client/src/wire/models.rs", "CountTokensRequest", REQUEST),
    ("crates/gemini-client/src/wire/models.rs", "CountTokensResponse.extra", EXTRA),
    ("crates/gemini-client/src/wire/models.rs", "Model.extra", EXTRA),
    ("crates/gemini-client/src/wire/models.rs", "ModelPage.extra", EXTRA),
    (
        "crates/gemini-client/src/wire/models.rs",
        "ModelPage.next_page_token",
        "sent back as it came, and not shown",
    ),
    ("crates/gemini-client/src/wire/request.rs", "GenerateRequest", REQUEST),
    ("crates/gemini-client/src/wire/request.rs", "GenerationConfig", REQUEST),
    ("crates/gemini-client/src/wire/request.rs", "ThinkingConfig", REQUEST),
    ("crates/gemini-client/src/wire/request.rs", "SafetySetting", REQUEST),
    ("crates/gemini-client/src/wire/response.rs", "GenerateResponse.extra", EXTRA),
    ("crates/gemini-client/src/wire/response.rs", "Candidate.extra", EXTRA),
    ("crates/gemini-client/src/wire/response.rs", "FinishReason.0", "made from an `UntrustedText`"),
    ("crates/gemini-client/src/wire/response.rs", "PromptFeedback.extra", EXTRA),
    ("crates/gemini-client/src/wire/response.rs", "UsageMetadata.extra", EXTRA),
    ("crates/gemini-client/src/wire/response.rs", "ModalityTokens.extra", EXTRA),
    ("crates/keyrot-core/src/id.rs", "KeyId.0", "checked: letters, digits, `_` and `-`"),
    ("crates/keyrot-core/src/id.rs", "$.0", "a name, which its `Display` keeps on one line"),
    ("crates/keyrot-core/src/limit.rs", "Fact.value", "parsed; what does not parse is left out"),
    ("crates/keyrot-core/src/outcome.rs", "Learned.bucket", "redacted where it is read; becomes a `Bucket`"),
    ("crates/keyrot-core/src/outcome.rs", "Outcome::KeyRestricted.number", "digits alone"),
    ("crates/keyrot-core/src/outcome.rs", "Outcome::ProjectRejected.number", "digits alone"),
    ("crates/keyrot-secrets-azure/src/answer.rs", "Held", SECRET),
    ("crates/keyrot-secrets-azure/src/login.rs", "Said.error_description", COMPARED),
    ("crates/keyrot-secrets-azure/src/refusal.rs", "Words", COMPARED),
    ("crates/keyrot-secrets-azure/src/refusal.rs", "Inner.code", COMPARED),
    ("crates/keyrot-secrets-azure/src/text.rs", "Fields.0", SECRET),
    ("crates/keyrot-secrets-vault/src/failure.rs", "Errors.errors", COMPARED),
    ("crates/keyrot-secrets-vault/src/mount.rs", "About", COMPARED),
    ("crates/keyrot-secrets-vault/src/mount.rs", "Options.version", COMPARED),
    ("crates/strategy-gen/src/backtest/report.rs", "Trade.entry_time", "overwritten from the prices"),
    ("crates/strategy-gen/src/backtest/report.rs", "Trade.exit_time", "overwritten from the prices"),
    ("crates/strategy-gen/src/batch/ideas.rs", "Written", "a description, like one that is typed"),
    ("crates/strategy-gen/src/batch/log.rs", "Line", LOG_LINE),
    (
        "crates/strategy-gen/src/backtest/draw.rs",
        "Message::Part.text",
        "Bokeh's script and document, from a process that never sees the strategy",
    ),
    (
        "crates/strategy-gen/src/harness/message.rs",
        "Message::Loaded.parameters",
        "names and texts in it lose their secrets as they are read",
    ),
    (
        "crates/strategy-gen/src/harness/message.rs",
        "Told.stats",
        "names and texts in it lose their secrets as they are read",
    ),
    (
        "crates/strategy-gen/src/interpreter.rs",
        "Probed",
        "paths to start and to allow; messages show them on one line",
    ),
    (
        "crates/strategy-gen/src/model/openai.rs",
        "Message.content",
        "becomes an `UntrustedText` with the rest of the answer",
    ),
    ("crates/strategy-gen/src/sandbox/plan.rs", "Paths", PLAN),
    ("crates/strategy-gen/src/sandbox/plan.rs", "Plan", PLAN),
    ("crates/strategy-gen/src/shelf/headline.rs", "LastRun.sha256", DIGEST),
    ("crates/strategy-gen/src/shelf/sidecar.rs", "Sidecar.sha256", DIGEST),
    (
        "crates/strategy-gen/src/shelf/sidecar.rs",
        "Sidecar.parameters",
        "JSON; the table that shows it keeps one line",
    ),
    (
        "crates/strategy-gen/src/shelf/sidecar.rs",
        "Sidecar.rounds",
        "JSON; the table that shows it keeps one line",
    ),
];

const OUTLETS: Outlets = &[
    ("crates/keyrot-cli/src/cli/outlet.rs", "the outlets of keyrot"),
    ("crates/strategy-gen/src/cli/outlet.rs", "the outlets of strategy-gen"),
    ("crates/strategy-gen/src/cli/progress.rs", "a spinner, whose messages are for a terminal"),
    ("crates/strategy-gen/src/cli/batch/bars.rs", "bars, whose messages are for a terminal"),
];

/// JSON escapes what a terminal would obey.
const JSON: &str = "a value of JSON, printed by the outlet for it";

const RAW_PATHS: RawPaths = &[
    (
        "crates/keyrot-cli/src/cli/args.rs",
        "the value of a flag among the settings, which are shown as untrusted text",
    ),
    ("crates/keyrot-limiter/src/sqlite/time.rs", "an identity that is compared"),
    ("crates/strategy-gen/src/backtest/runner.rs", "arguments of a program"),
    (
        "crates/strategy-gen/src/cli/args.rs",
        "the value of a flag among the settings, which are shown as untrusted text",
    ),
    ("crates/strategy-gen/src/cli/batch.rs", JSON),
    ("crates/strategy-gen/src/cli/history.rs", JSON),
    ("crates/strategy-gen/src/cli/keep.rs", "stored; shown as untrusted text"),
    ("crates/strategy-gen/src/cli/new.rs", JSON),
    ("crates/strategy-gen/src/interpreter.rs", "arguments of a program"),
    ("crates/strategy-gen/src/sandbox/plan.rs", "a rule of the sandbox"),
    ("crates/strategy-gen/src/sandbox/stage.rs", "a message of the channel, which is read as untrusted text"),
    ("crates/strategy-gen/src/shelf/folder.rs", JSON),
];

const STARTERS: Starters = &[
    ("crates/strategy-gen/src/backtest/runner.rs", "this program itself, in the folder of the run"),
    (
        "crates/strategy-gen/src/outside.rs",
        "the one place that starts programs of the system, never in the current folder",
    ),
    (
        "crates/strategy-gen/src/sandbox/stage.rs",
        "Python, in the folder of the run, where the runner has started the stage",
    ),
];
