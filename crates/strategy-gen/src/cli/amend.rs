//! `strategy-gen fix FILE` and `strategy-gen improve FILE "..."`: a file is changed after its user has seen how.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use keyrot::leak;
use keyrot::settings::SHUTDOWN;
use serde_json::json;
use similar::TextDiff;
use strategy_gen::history::Kind;
use strategy_gen::output::{Existing, can_write, write};
use strategy_gen::python::{Header, description_in};
use strategy_gen::{GenerateError, Strategy};

use super::args::{Amend, Fix, Improve, Keep};
use super::conditions::{Ready, answered_yes, ready};
use super::draft::Draft;
use super::progress::Progress;
use super::{Failure, apart, checked, holds_a_key, new, print, say};

/// Repairs a file; 0 when nothing is left to repair.
pub(crate) async fn fix(args: Fix) -> Result<u8, Failure> {
    change(args.file, args.amend, None).await
}

/// Changes a file as its user says.
pub(crate) async fn improve(args: Improve) -> Result<u8, Failure> {
    let request = match args.request.as_str() {
        "-" => apart(new::from_stdin).await?,
        given => given.to_owned(),
    };
    change(args.file, args.amend, Some(request)).await
}

async fn change(file: PathBuf, args: Amend, request: Option<String>) -> Result<u8, Failure> {
    let kind = if request.is_some() { Kind::Improve } else { Kind::Fix };
    let path = file.clone();
    let before = apart(move || {
        // Before a call is paid for.
        let text = checked::read(&path, &keyrot::untrusted::path(&path))?;
        can_write(&path, Existing::Replace).map_err(GenerateError::from)?;
        if leak::looks_like_a_key(&text) {
            return Err(holds_a_key(
                &format!("`{}`", keyrot::untrusted::path(&path)),
                "a model would be sent it",
            ));
        }
        Ok(text)
    });
    let before = before.await?;
    let progress = Progress::start("reading the file");
    let ready = ready(&args.tried, args.tried.on.insists()).await?;
    let draft = Draft::beside(Some(&file), None);
    let generator = new::watched(new::asking(&args.asked, false, &ready)?, &progress, &draft);
    let description = args.description.as_deref();
    let made = match &request {
        None => generator.fix(&before, description).await,
        Some(request) => generator.improve(&before, description, request).await,
    };
    progress.finish();
    progress.warn(generator.warnings_so_far());
    generator.shutdown(SHUTDOWN).await;
    let strategy = match made {
        Ok(strategy) => strategy,
        Err(error) => {
            let described = description.unwrap_or_else(|| description_in(&before).unwrap_or_default());
            progress.warn(args.keep.failed(kind, described, &error).await);
            return new::given_up(error, draft, args.json, &progress);
        }
    };
    if !strategy.mended.is_empty() {
        progress.line(&format!("mended: {}", strategy.mended.join(", ")));
    }
    new::found(&strategy, &ready, &progress);
    let (asked, path) = (args.yes, file.clone());
    let change = Change { file, kind, before, strategy };
    if change.is_none() {
        say(&format!("`{}` is fine: nothing was changed", keyrot::untrusted::path(&path)));
    }
    let change = apart(move || {
        let written = !change.is_none() && change.agreed(asked, args.json)? && change.write()?;
        Ok((change, written, args))
    });
    let (change, written, args) = change.await?;
    draft.done();
    if written {
        progress.warn(change.kept(&args.keep).await);
    }
    change.told(written, &args, &ready, &progress)?;
    new::ended(&change.strategy, args.tried.on.insists())
}

/// A file before and after.
struct Change {
    file: PathBuf,
    kind: Kind,
    before: String,
    strategy: Strategy,
}

impl Change {
    fn is_none(&self) -> bool {
        self.before == self.strategy.code
    }

    fn diff(&self) -> String {
        let name = keyrot::untrusted::path(&self.file);
        let diff = TextDiff::from_lines(&self.before, &self.strategy.code);
        diff.unified_diff().header(&format!("a/{name}"), &format!("b/{name}")).to_string()
    }

    /// Whether it is to be written: by the flag, or by a yes on a terminal to the change that was shown there.
    fn agreed(&self, yes: bool, json: bool) -> Result<bool, Failure> {
        if yes {
            say(self.diff().trim_end());
            return Ok(true);
        }
        let asks = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        if asks {
            say(self.diff().trim_end());
            say(&format!("write this to `{}`? [y/N]", keyrot::untrusted::path(&self.file)));
            return Ok(answered_yes());
        }
        if !json {
            print(self.diff().trim_end())?;
        }
        Ok(false)
    }

    fn write(&self) -> Result<bool, Failure> {
        // Calls and the question take minutes.
        if checked::read(&self.file, &keyrot::untrusted::path(&self.file))? != self.before {
            return Err(Failure::usage(format!(
                "`{}` was changed meanwhile and was left as it is\nhint: try again with the file as it is now",
                keyrot::untrusted::path(&self.file)
            )));
        }
        write(&self.file, &self.strategy.code, Existing::Replace).map_err(GenerateError::from)?;
        Ok(true)
    }

    /// A file that says nothing of itself is not ours to put anything beside.
    async fn kept(&self, keep: &Keep) -> Vec<String> {
        let header = Header::read(&self.strategy.code);
        let path = header.as_ref().map(|_| self.file.as_path());
        // What the header says repeats it may be anybody's words; a record of our own knows better.
        keep.made(self.kind, &self.strategy, path, String::new()).await
    }

    fn told(&self, written: bool, args: &Amend, ready: &Ready, progress: &Progress) -> Result<(), Failure> {
        let path: &Path = &self.file;
        if !written && !self.is_none() {
            say("nothing was written\nhint: `--yes` writes the change");
        }
        if args.json {
            let more = json!({ "changed": !self.is_none(), "written": written, "diff": self.diff() });
            return new::print_document(&self.strategy, Some(path), ready, progress, more);
        }
        if written { print(&keyrot::untrusted::path(&path)) } else { Ok(()) }
    }
}
