//! `SCOPE`: a key's id, `project:NAME`, `model:NAME`, `PROJECT/MODEL`.

use keyrot::{KeyId, Rotator};
use keyrot_core::bucket::{bucket_of, model_id};
use keyrot_core::{Domain, ModelFilter, Scope, UntrustedText, leak};

use super::Failure;
use super::args::key_id;

/// The scope that `text` names.
pub(crate) fn read(rotator: &Rotator, text: &str) -> Result<Scope, Failure> {
    if let Some(name) = text.strip_prefix("project:") {
        return Ok(Scope::Project(project(rotator, name)?));
    }
    if let Some(name) = text.strip_prefix("model:") {
        return Ok(Scope::Model(bucket_of(&model(rotator, name)?)));
    }
    if let Some((name, of)) = text.rsplit_once('/') {
        let project = project(rotator, name)?;
        return Ok(Scope::Domain(Domain { project, bucket: bucket_of(&model(rotator, of)?) }));
    }
    let key = key(rotator, text)?;
    Ok(rotator.key_scope(&key)?)
}

/// The key that `text` names.
pub(crate) fn key(rotator: &Rotator, text: &str) -> Result<KeyId, Failure> {
    let key = key_id(text)?;
    if rotator.keys().iter().any(|known| known.id == key) {
        return Ok(key);
    }
    Err(unknown("key", text, rotator.keys().iter().map(|known| known.id.as_str())))
}

fn project(rotator: &Rotator, text: &str) -> Result<keyrot::Project, Failure> {
    let keys = rotator.keys();
    let found = keys.iter().map(|key| &key.project).find(|project| project.as_str() == text);
    found.cloned().ok_or_else(|| unknown("project", text, keys.iter().map(|key| key.project.as_str())))
}

/// A model that some key serves.
pub(crate) fn model(rotator: &Rotator, text: &str) -> Result<keyrot::ModelId, Failure> {
    let model = model_id(text);
    let legal =
        !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic()) && !leak::looks_like_a_key(text);
    if legal && rotator.keys().iter().any(|key| key.models.serves(&model)) {
        return Ok(model);
    }
    let keys = rotator.keys();
    let listed = keys.iter().flat_map(|key| match &key.models {
        ModelFilter::Any => &[],
        ModelFilter::Listed(models) => models.as_slice(),
    });
    Err(unknown("model", text, listed.map(keyrot::ModelId::as_str)))
}

/// The error for a name nobody has, with the nearest one.
pub(crate) fn unknown<'a>(what: &str, text: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let mut known: Vec<&str> = known.collect();
    known.sort_unstable();
    known.dedup();
    let nearest = known.iter().max_by(|a, b| {
        let likeness = |known: &str| strsim::jaro_winkler(&text.to_lowercase(), &known.to_lowercase());
        likeness(a).total_cmp(&likeness(b))
    });
    let near = |known: &&&str| strsim::jaro_winkler(&text.to_lowercase(), &known.to_lowercase()) > 0.8;
    let hint = match nearest.filter(near) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None if known.is_empty() => "no key names one".to_owned(),
        None => {
            let some: Vec<String> = known.iter().take(8).map(|name| format!("`{name}`")).collect();
            let more = if known.len() > 8 { ", …" } else { "" };
            format!("known are {}{more}", some.join(", "))
        }
    };
    Failure::usage(format!("there is no {what} `{}`\nhint: {hint}", UntrustedText::from(text)))
}
