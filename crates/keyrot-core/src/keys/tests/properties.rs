//! What holds for every set and every text.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::good;
use crate::clock::Timestamp;
use crate::id::{KeyId, ModelId, Project};
use crate::keys::field::LARGEST;
use crate::keys::{Key, KeySet, ModelFilter, PoolConfig, SecretRef, StoreKind};
use crate::quota::Limits;

/// Models of different buckets.
const MODELS: [&str; 4] = ["gemini-2.5-flash", "gemini-2.5-pro", "m", "n.1"];

fn models() -> impl Strategy<Value = Vec<ModelId>> {
    proptest::sample::subsequence(MODELS.to_vec(), 1..=MODELS.len())
        .prop_map(|models| models.into_iter().map(ModelId::new).collect())
}

fn limits() -> impl Strategy<Value = Limits> {
    let number = || of(1..=LARGEST);
    (number(), number(), number(), number()).prop_map(|(rpm, tpm, rpd, burst)| Limits {
        rpm,
        tpm,
        rpd,
        burst,
    })
}

fn date() -> impl Strategy<Value = Option<Timestamp>> {
    of((0..4_000_000_000_000_u64).prop_map(Timestamp::from_millis))
}

fn text() -> impl Strategy<Value = String> {
    "[a-zA-Zäöü\"\\\\/#*,:. -]{0,20}".prop_map(|text| format!("x{}x", text))
}

fn secret() -> impl Strategy<Value = Option<SecretRef>> {
    of((select(StoreKind::ALL.to_vec()), text()).prop_map(|(store, name)| SecretRef { store, name }))
}

prop_compose! {
    fn key()(
        models in of(models()),
        concurrency in of(1..=u32::MAX),
        priority in any::<u32>(),
        weight in 1e-9..1e9_f64,
        workload in of(text()),
        active in any::<bool>(),
        tags in btree_map(text(), text(), 0..3),
        secret in secret(),
        (created, updated_at, lasts) in (date(), date(), date()),
    ) -> Key {
        let expires_at = match (created, lasts) {
            (Some(created), Some(lasts)) => Some(created + Duration::from_millis(lasts.as_millis())),
            (_, lasts) => lasts,
        };
        Key {
            models: models.map_or(ModelFilter::Any, ModelFilter::Listed),
            created_at: created,
            concurrency, priority, weight, workload, active, tags, secret, updated_at, expires_at,
            ..Key::new(KeyId::new("replaced").expect("legal"))
        }
    }
}

prop_compose! {
    fn config()(
        fallback in btree_map(Just(ModelId::new("p")), models(), 0..2),
        max_retries in any::<u32>(),
        base in 1..=LARGEST,
        more in 0..=1_000_u64,
        wait in 0..=LARGEST,
        enable_fallback in any::<bool>(),
        rotate_after_days in 1..=u32::MAX,
    ) -> PoolConfig {
        PoolConfig {
            model_fallback: fallback,
            max_retries,
            base_backoff: Duration::from_millis(base),
            max_backoff: Duration::from_millis((base + more).min(LARGEST)),
            max_wait: Duration::from_millis(wait),
            enable_fallback,
            rotate_after_days,
        }
    }
}

/// Keys of one project have the same limits: that is what a legal set is.
fn set() -> impl Strategy<Value = KeySet> {
    let projects =
        vec((limits(), btree_map(select(MODELS.to_vec()).prop_map(ModelId::new), limits(), 0..3)), 3);
    (projects, vec((key(), 0..4_usize), 1..8), config()).prop_map(|(projects, keys, config)| {
        let keys = keys.into_iter().enumerate().map(|(i, (key, project))| {
            let id = KeyId::new(&format!("key-{i}")).expect("legal");
            // The last number is a key without a project.
            let given = projects.get(project).cloned();
            let (limits, model_limits) = given.clone().unwrap_or((Limits::default(), BTreeMap::new()));
            let name = given.map(|_| Project::new(&format!("project {project}")));
            Key {
                project_given: name.is_some(),
                project: name.unwrap_or(Project::new(id.as_str())),
                id,
                limits,
                model_limits,
                ..key
            }
        });
        KeySet { keys: keys.collect(), config }
    })
}

/// The offsets of a JSON text that are outside strings, and whether an element or member ends there.
fn gaps(json: &str) -> Vec<(usize, bool)> {
    let mut gaps = vec![(0, false)];
    let (mut in_string, mut escaped) = (false, false);
    let bytes = json.as_bytes();
    for (i, &b) in bytes.iter().enumerate() {
        match (in_string, b) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            _ => {}
        }
        if in_string {
            continue;
        }
        let next = json[i + 1..].trim_start().bytes().next();
        let punctuation = |b: u8| b"{}[],:\n ".contains(&b);
        if !in_string
            && (punctuation(b)
                || next.is_none_or(punctuation) && bytes.get(i + 1).is_none_or(|b| punctuation(*b)))
        {
            let ends = matches!(next, Some(b'}' | b']')) && !b"{[,: \n".contains(&b);
            gaps.push((i + 1, ends));
        }
    }
    gaps
}

const COMMENTS: [&str; 6] = ["// \" [ {\n", "# it's # \" ]\n", "/* \" } \n # */", " \t", "#\r\n", "/**/"];

proptest! {
    #[test]
    fn writing_and_reading_gives_the_same_set(set in set()) {
        prop_assert_eq!(good(&set.to_json()).set, set);
    }

    #[test]
    fn comments_and_trailing_commas_change_nothing(
        set in set(),
        places in vec((any::<prop::sample::Index>(), 0..=COMMENTS.len()), 0..20),
    ) {
        let mut json = set.to_json();
        let gaps = gaps(&json);
        let ends: Vec<usize> = gaps.iter().filter(|gap| gap.1).map(|gap| gap.0).collect();
        // A set: there is no such thing as two trailing commas.
        let insertions: BTreeSet<(usize, &str)> = places
            .iter()
            .map(|(place, what)| match COMMENTS.get(*what) {
                Some(comment) => (place.get(&gaps).0, *comment),
                None => (*place.get(&ends), ","),
            })
            .collect();
        for (at, text) in insertions.into_iter().rev() {
            json.insert_str(at, text);
        }
        prop_assert_eq!(good(&json).set, set);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let _ = KeySet::parse("keys.json", &text);
    }

    #[test]
    fn no_text_of_json_parts_makes_the_reader_panic(
        parts in vec(select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "'", "\\", "#", "//", "/*", "*/", "\n", "\r", " ", "ä", "\u{feff}",
            "\"keys\"", "\"config\"", "\"key_id\"", "\"a\"", "\"rpm\"", "\"limits\"", "\"tags\"", "\"secret\"",
            "\"created_at\"", "\"weight\"", "\"model_fallback\"", "\"2026-01-01\"", "null", "true", "1", "-1e999", "0x1",
        ]), 0..60),
    ) {
        let _ = KeySet::parse("keys.json", &parts.concat());
    }

    #[test]
    fn a_damaged_file_makes_no_panic(set in set(), at in any::<prop::sample::Index>(), with in "\\PC{0,3}") {
        let json = set.to_json();
        let starts: Vec<usize> = json.char_indices().map(|(i, _)| i).collect();
        let at = *at.get(&starts);
        let _ = KeySet::parse("keys.json", &json[..at]);
        let _ = KeySet::parse("keys.json", &format!("{}{with}{}", &json[..at], &json[at..]));
    }
}

#[test]
fn deep_nesting_is_an_error() {
    for open in ["[", "{\"a\":", "[{\"a\":"] {
        assert!(KeySet::parse("keys.json", &open.repeat(100_000)).is_err());
    }
}
