//! Looks through a text and everything it spells, and takes out what gives a secret away.

use std::ops::Range;

use super::decode;
use super::known::Known;
use super::shape::{self, Likeness};
use super::spot::{Spot, spots};

/// What stands where a secret stood.
pub const REDACTED: &str = "[REDACTED]";

/// How many encodings inside each other are read.
const DEPTH: u32 = 3;

/// How often a text is looked through: what is left around a hit may spell something else than it did before.
const PASSES: usize = 4;

pub(super) fn redact(text: &str, known: &Known) -> String {
    let mut clean = text.to_owned();
    for _ in 0..PASSES {
        let hits = hits(&clean, known);
        if hits.is_empty() {
            return clean;
        }
        clean = without(&clean, &hits);
    }
    // Somebody took pains to have it reappear.
    if hits(&clean, known).is_empty() { clean } else { REDACTED.to_owned() }
}

pub(super) fn reveals(text: &str, known: &Known) -> bool {
    let mut hits = Vec::new();
    look(&spots(text), DEPTH, &mut |spots| known.find(spots, &mut hits));
    !hits.is_empty()
}

/// Where `text` gives something away, in order and apart from each other.
fn hits(text: &str, known: &Known) -> Vec<Range<usize>> {
    let mut hits = Vec::new();
    look(&spots(text), DEPTH, &mut |spots| {
        known.find(spots, &mut hits);
        shape::find(spots, Likeness::Possible, &mut hits);
    });
    hits.sort_unstable_by_key(|hit| hit.start);
    let mut apart: Vec<Range<usize>> = Vec::new();
    for hit in hits {
        match apart.last_mut() {
            Some(last) if hit.start <= last.end => last.end = last.end.max(hit.end),
            _ => apart.push(hit),
        }
    }
    // What has been replaced may look like a secret itself.
    apart.retain(|hit| text.get(hit.clone()).is_none_or(|part| !REDACTED.contains(part)));
    apart
}

fn look(spots: &[Spot], depth: u32, find: &mut impl FnMut(&[Spot])) {
    find(spots);
    if depth == 0 {
        return;
    }
    if let Some(read) = decode::escapes(spots) {
        look(&read, depth - 1, find);
    }
    for text in decode::base64(spots).into_iter().chain(decode::hex(spots)) {
        look(&text, depth - 1, find);
    }
}

fn without(text: &str, hits: &[Range<usize>]) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut done = 0;
    for hit in hits {
        clean.push_str(text.get(done..hit.start).unwrap_or_default());
        clean.push_str(REDACTED);
        done = hit.end;
    }
    clean.push_str(text.get(done..).unwrap_or_default());
    clean
}
