//! Limits belong to a project's model bucket: its keys may not contradict each other about them.

use std::collections::{BTreeMap, BTreeSet};

use crate::bucket::bucket_of;
use crate::id::{Bucket, ModelId};
use crate::keys::key::{Key, ModelFilter};
use crate::keys::read::Entry;
use crate::keys::report::{Report, Spot};
use crate::quota::Limits;

/// One of the four limits.
type Pick = fn(&mut Limits) -> &mut Option<u64>;

/// The limits by their names in the file.
const LIMITS: [(&str, Pick); 4] = [
    ("rpm", |limits| &mut limits.rpm),
    ("tpm", |limits| &mut limits.tpm),
    ("rpd", |limits| &mut limits.rpd),
    ("burst_capacity", |limits| &mut limits.burst),
];

/// One key's word about one limit of one bucket.
struct Word {
    entry: usize,
    field: String,
    value: Option<u64>,
}

/// Reports contradictions; a limit that only some keys of a project state is given to the others.
pub(super) fn agree(report: &mut Report<'_>, entries: &mut [Entry]) {
    let mut projects: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        projects.entry(entry.key.project.clone()).or_default().push(index);
    }
    for members in projects.values() {
        let mut told = BTreeSet::new();
        // Models no key of the project names come last: a limit given for all of them must not be
        // taken for a key's own word about a named one.
        for bucket in buckets(entries, members).into_iter().map(Some).chain([None]) {
            for (name, limit) in LIMITS {
                let words = words(entries, members, bucket.as_ref(), name, limit);
                let Some(first) = words.iter().find(|word| word.value.is_some()) else { continue };
                for word in &words {
                    match word.value {
                        None => give(&mut entries[word.entry].key, bucket.as_ref(), limit, first.value),
                        same if same == first.value => {}
                        Some(value) => contradict(report, entries, first, word, value, &mut told),
                    }
                }
            }
        }
    }
}

/// The buckets any key of the project names.
fn buckets(entries: &[Entry], members: &[usize]) -> BTreeSet<Bucket> {
    let keys = members.iter().map(|index| &entries[*index].key);
    keys.flat_map(|key| {
        let listed = match &key.models {
            ModelFilter::Any => &[][..],
            ModelFilter::Listed(models) => models,
        };
        listed.iter().chain(key.model_limits.keys()).map(bucket_of).collect::<Vec<_>>()
    })
    .collect()
}

/// What each key that serves `bucket` says about one of its limits; `None` is any bucket that no
/// key names.
fn words(
    entries: &mut [Entry],
    members: &[usize],
    bucket: Option<&Bucket>,
    name: &str,
    limit: Pick,
) -> Vec<Word> {
    let mut words = Vec::new();
    for &entry in members {
        let key = &mut entries[entry].key;
        let serves = match &key.models {
            ModelFilter::Any => true,
            ModelFilter::Listed(models) => models.iter().any(|model| Some(&bucket_of(model)) == bucket),
        };
        let before = words.len();
        for (model, own) in &mut key.model_limits {
            let value = *limit(own);
            if Some(&bucket_of(model)) == bucket && value.is_some() {
                words.push(Word { entry, field: format!("limits.{model}.{name}"), value });
            }
        }
        if serves && words.len() == before {
            words.push(Word { entry, field: name.to_owned(), value: *limit(&mut key.limits) });
        }
    }
    words
}

fn give(key: &mut Key, bucket: Option<&Bucket>, limit: Pick, value: Option<u64>) {
    let Some(bucket) = bucket else {
        *limit(&mut key.limits) = value;
        return;
    };
    let mut named: Vec<ModelId> =
        key.model_limits.keys().filter(|m| bucket_of(m) == *bucket).cloned().collect();
    if named.is_empty() {
        let listed = match &key.models {
            ModelFilter::Any => None,
            ModelFilter::Listed(models) => models.iter().find(|model| bucket_of(model) == *bucket).cloned(),
        };
        named.push(listed.unwrap_or_else(|| ModelId::new(bucket.as_str())));
    }
    for model in named {
        *limit(key.model_limits.entry(model).or_default()) = value;
    }
}

fn contradict(
    report: &mut Report<'_>,
    entries: &[Entry],
    first: &Word,
    word: &Word,
    value: u64,
    told: &mut BTreeSet<(usize, String)>,
) {
    let (one, other) = (&entries[first.entry], &entries[word.entry]);
    let place = |report: &Report<'_>, word: &Word, entry: &Entry| {
        report.find(Some(entry.key.id.as_str()), &word.field).unwrap_or(entry.at)
    };
    // One value is compared once per bucket; once is enough to say.
    if !told.insert((word.entry, word.field.clone())) {
        return;
    }
    let line = report.line(place(report, first, one));
    let message = format!(
        "is {value}, but key `{}` of the same project `{}` says {} on line {line}",
        one.key.id,
        one.key.project,
        first.value.unwrap_or_default(),
    );
    let spot = Spot {
        offset: place(report, word, other),
        key: Some(other.key.id.to_string()),
        field: Some(word.field.clone()),
    };
    report.error(
        &spot,
        message,
        "limits belong to the project: write the same in both keys, or in one alone",
    );
}
