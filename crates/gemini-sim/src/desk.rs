//! What changes while the server runs: keys, projects with their consumption, fault rules, the log.

use std::collections::HashMap;

use crate::log::LogEntry;
use crate::project::{KeySpec, KeyState, ProjectSpec, Quota};
use crate::quota::Bucket;
use crate::rule::Rules;

/// A project, its number, and what it has consumed per base model.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) spec: ProjectSpec,
    pub(crate) number: String,
    buckets: HashMap<String, Bucket>,
}

impl Project {
    /// The bucket of a base model, with its limits.
    pub(crate) fn bucket(&mut self, name: &str) -> (&mut Bucket, Quota) {
        let quota = self.spec.quotas.get(name).copied().unwrap_or(self.spec.default_quota);
        (self.buckets.entry(name.to_owned()).or_default(), quota)
    }
}

#[derive(Debug)]
struct Key {
    label: String,
    spec: KeySpec,
}

/// All mutable state of the server, behind one lock.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    projects: HashMap<String, Project>,
    keys: HashMap<String, Key>,
    keys_ever: u64,
    pub(crate) rules: Rules,
    pub(crate) log: Vec<LogEntry>,
    /// Number of the next request.
    pub(crate) seq: u64,
    /// How many generations were answered.
    pub(crate) generations: u64,
}

impl Desk {
    /// Registers a project; the error is a sentence for the operator.
    pub(crate) fn add_project(&mut self, spec: ProjectSpec) -> Result<(), String> {
        let number = spec.number.clone().unwrap_or_else(|| {
            // Twelve digits, as Google's are.
            (100_000_000_001 + self.projects.len()).to_string()
        });
        let id = spec.id.clone();
        match self.projects.insert(id.clone(), Project { spec, number, buckets: HashMap::new() }) {
            None => Ok(()),
            Some(_) => Err(format!("project `{id}` is declared twice")),
        }
    }

    /// Registers a key; the error is a sentence for the operator and does not show the secret.
    pub(crate) fn add_key(&mut self, spec: KeySpec) -> Result<(), String> {
        self.keys_ever += 1;
        let label = format!("key#{}", self.keys_ever);
        if !self.projects.contains_key(&spec.project) {
            return Err(format!("{label} belongs to project `{}`, which is not declared", spec.project));
        }
        if let Some(known) = self.keys.get(&spec.secret) {
            return Err(format!("{label} has the same secret as {}", known.label));
        }
        self.keys.insert(spec.secret.clone(), Key { label, spec });
        Ok(())
    }

    /// Label, state and project of a registered secret.
    pub(crate) fn key(&self, secret: &str) -> Option<(&str, &KeyState, &str)> {
        self.keys.get(secret).map(|key| (key.label.as_str(), &key.spec.state, key.spec.project.as_str()))
    }

    pub(crate) fn key_state_mut(&mut self, secret: &str) -> Option<&mut KeyState> {
        self.keys.get_mut(secret).map(|key| &mut key.spec.state)
    }

    /// Gives a key's place to a new, valid secret of the same project; the old one becomes unknown.
    pub(crate) fn replace_key(&mut self, old: &str, new: &str) -> bool {
        let Some(project) = self.keys.get(old).map(|key| key.spec.project.clone()) else {
            return false;
        };
        if old != new && self.keys.contains_key(new) {
            return false;
        }
        self.keys.remove(old);
        self.add_key(KeySpec::new(new, project)).is_ok()
    }

    pub(crate) fn project(&self, id: &str) -> Option<&Project> {
        self.projects.get(id)
    }

    pub(crate) fn project_mut(&mut self, id: &str) -> Option<&mut Project> {
        self.projects.get_mut(id)
    }
}
