//! What the workers of a batch leave in its folder.

use std::fs;
use std::path::{Path, PathBuf};

use super::board;
use super::ideas::Idea;
use super::log::{Line, LogError};
use super::outcome::{Item, State, Step};
use super::work::Shared;
use crate::backtest::{Report, Trial};
use crate::failure::GenerateError;
use crate::generator::{Round, Strategy};
use crate::output::{Existing, WriteError, draft_name, file_name, free_names, write, write_free};
use crate::python::ClassName;
use crate::report::{Run, Subject, page, save};
use crate::shelf::{LastRun, Made, Sidecar, digest};

impl Shared {
    pub(super) fn save(&self, n: usize, strategy: &Strategy) -> Result<(), LogError> {
        let path = match self.written(n, strategy)? {
            Ok(path) => path,
            Err(error) => return self.failed(n, &error.to_string(), 2, None),
        };
        self.set(n, |item| {
            (item.name, item.file) = (Some(strategy.name.clone()), Some(file_in(&path)));
            (item.state, item.error) = (State::Done, None);
        });
        let run = match &strategy.run {
            Some(report) => Some(self.ran(n, &path, &strategy.code, report)?),
            None => None,
        };
        self.tell(Some(n), &Step::Made { strategy, path, run: run.as_ref() });
        match &strategy.not_run {
            // The strategy is there and a run was wanted; the next batch runs it.
            Some(why) => self.failed(n, why, 5, None),
            None => Ok(()),
        }
    }

    /// Writes the strategy under the first free name.
    fn written(&self, n: usize, strategy: &Strategy) -> Result<Result<PathBuf, WriteError>, LogError> {
        let _naming = self.naming.lock();
        let python = self.generator.trial().map(Trial::python);
        let wanted = self.folder.join(file_name(&ClassName::new(&strategy.name), &self.folder, python));
        let is_free = |path: &PathBuf| fs::symlink_metadata(path).is_err();
        for path in free_names(&wanted).filter(is_free) {
            // The log first, the file last: only a file that is there makes a line count.
            self.log.write(&Line::Made {
                key: self.keys[n].clone(),
                description: strategy.description.clone(),
                name: strategy.name.clone(),
                file: file_in(&path),
                sha256: digest(&strategy.code),
                at: self.now(),
            })?;
            let made = Made { path: &path, date: self.now(), command: (self.command)(&self.ideas[n]) };
            let kept =
                Sidecar::of(strategy, made).and_then(|sidecar| sidecar.write(&path, self.key.as_ref()));
            match write(&path, &strategy.code, Existing::Keep) {
                Err(WriteError::Exists { .. } | WriteError::IsDirectory { .. }) => {}
                written => {
                    if let Err(error) = kept {
                        self.tell(Some(n), &Step::Noted { warning: error.to_string() });
                    }
                    return Ok(written.map(|()| path));
                }
            }
        }
        Ok(Err(WriteError::Exists { path: wanted }))
    }

    /// There is no strategy; the best answer is kept for a look at it.
    pub(super) fn given_up(
        &self,
        n: usize,
        error: &GenerateError,
        best: Option<Round>,
    ) -> Result<(), LogError> {
        let draft = best.and_then(|best| self.drafted(n, &best));
        self.failed(n, &error.to_string(), error.exit_code(), draft)
    }

    /// Saves an answer that is not good; gives its file.
    pub(super) fn drafted(&self, n: usize, best: &Round) -> Option<PathBuf> {
        let name = draft_name(self.ideas[n].name.as_deref(), &best.draft);
        let _naming = self.naming.lock();
        write_free(&self.folder.join(name), &best.draft, Existing::Keep).ok()
    }

    pub(super) fn failed(
        &self,
        n: usize,
        error: &str,
        exit_code: u8,
        draft: Option<PathBuf>,
    ) -> Result<(), LogError> {
        self.log.write(&Line::Failed {
            key: self.keys[n].clone(),
            description: self.ideas[n].description.clone(),
            error: error.to_owned(),
            exit_code,
            at: self.now(),
        })?;
        self.set(n, |item| {
            item.fail(error.to_owned(), exit_code);
            item.draft = draft.as_deref().map(file_in);
        });
        self.tell(Some(n), &Step::Failed { error, exit_code, draft });
        Ok(())
    }

    /// Keeps what a run gave: in the log, beside the file, and as a page.
    pub(super) fn ran(
        &self,
        n: usize,
        path: &Path,
        code: &str,
        report: &Report,
    ) -> Result<LastRun, LogError> {
        let data = || self.generator.trial().into_iter().flat_map(|trial| trial.data_of(report));
        let run = LastRun::of(report, code, self.now());
        let drawn = report.results.iter().zip(data()).find_map(|(r, data)| Run::of(r, data));
        let curve = drawn.map(|run| board::thinned(&run.equity)).unwrap_or_default();
        let noted = |warning: String| self.tell(Some(n), &Step::Noted { warning });
        Sidecar::ran(path, &run, self.key.as_ref()).map_err(|error| error.to_string()).unwrap_or_else(noted);
        let subject = Subject::of(report, data(), code, true, (self.command)(&self.ideas[n]));
        let place = path.with_extension("html");
        let page = match save(&place, &page(&subject)) {
            Ok(()) => Some(file_in(&place)),
            Err(error) => {
                noted(error.to_string());
                None
            }
        };
        self.log.write(&Line::Ran {
            key: self.keys[n].clone(),
            with: self.with.clone(),
            run: run.clone(),
            curve: curve.clone(),
            page: page.clone(),
        })?;
        self.set(n, |item| item.ran(run.clone(), curve, page));
        Ok(run)
    }
}

fn file_in(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl Item {
    pub(super) fn of(idea: &Idea) -> Self {
        Self {
            line: idea.line,
            description: idea.description.clone(),
            state: State::Failed,
            name: None,
            file: None,
            draft: None,
            page: None,
            error: Some("not reached".to_owned()),
            exit_code: 0,
            run: None,
            curve: Vec::new(),
        }
    }

    /// Has been run, now or by an earlier batch.
    pub(super) fn ran(&mut self, run: LastRun, curve: Vec<f64>, page: Option<String>) {
        if run.exit_code != 0 {
            let why = run.failed().map_or("the result is not confirmed".to_owned(), ToString::to_string);
            self.fail(why, run.exit_code);
        }
        (self.run, self.curve, self.page) = (Some(run), curve, page);
    }

    fn fail(&mut self, why: String, exit_code: u8) {
        (self.state, self.error, self.exit_code) = (State::Failed, Some(why), exit_code);
    }
}
