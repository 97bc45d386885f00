//! How questions and answers are written: numbers as little-endian doubles, which are exact up to 2^53
//! and know a never; texts behind their lengths.

use std::fmt::{self, Display};
use std::io::Write;
use std::time::Duration;

use keyrot_core::{
    Bucket, Candidate, Domain, Fingerprint, KeyFault, KeyId, LimitError, LimitKind, Limits, Method, PermitId,
    Project, ProjectFault, Reason, Refusal, Scope, ScopeKind, Timestamp, Why,
};

use super::link::senseless;

/// The largest number that is told apart from the next.
const MOST: u64 = 1 << 53;

/// What stands for a number that there is none of.
pub(super) const NONE: f64 = -1.0;

/// Bytes to be sent.
#[derive(Debug, Default)]
pub(super) struct Blob(Vec<u8>);

impl Blob {
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(128))
    }

    fn candidate(self, c: &Candidate<'_>) -> Self {
        self.numbers(limits(&c.limits, c.concurrency))
            .display(&DomainName(&c.domain.project, &c.domain.bucket))
            .text(c.domain.bucket.as_str())
            .text(c.domain.project.as_str())
            .text(c.key.as_str())
            .display(&c.fingerprint)
    }

    /// What is displayed, behind its length.
    fn display(mut self, what: &impl Display) -> Self {
        let start = self.0.len();
        // Writing to memory cannot fail.
        let _ = write!(self.0, "0000{what}");
        self.close(start);
        self
    }

    /// Writes the length of what began at `start` into the four bytes there.
    fn close(&mut self, start: usize) {
        let length = u32::try_from(self.0.len() - start - 4).unwrap_or(u32::MAX);
        self.0[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }

    pub(super) fn number(mut self, number: f64) -> Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    pub(super) fn numbers<const N: usize>(mut self, numbers: [f64; N]) -> Self {
        for number in numbers {
            self = self.number(number);
        }
        self
    }

    /// A text behind its length.
    pub(super) fn text(mut self, text: &str) -> Self {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    pub(super) fn done(self) -> Vec<u8> {
        self.0
    }
}

/// A count.
pub(super) fn count(n: u64) -> f64 {
    n.min(MOST) as f64
}

/// A limit, if there is one.
fn limit(limit: Option<u64>) -> f64 {
    limit.map_or(NONE, count)
}

/// Milliseconds, rounded up: a wait must never end early. What is longer than a number can say never
/// ends.
pub(super) fn millis(d: Duration) -> f64 {
    let ms = d.as_nanos().div_ceil(1_000_000);
    if ms >= u128::from(MOST) { f64::INFINITY } else { ms as f64 }
}

/// An instant.
pub(super) fn instant(at: Timestamp) -> f64 {
    if at.as_millis() >= MOST { f64::INFINITY } else { at.as_millis() as f64 }
}

/// What every script is told first: the time, if it is not the server's; a name for a memory that is
/// found empty.
pub(super) fn common(now: Option<Timestamp>, fresh: f64) -> Vec<u8> {
    // By a clock that is not the server's nothing may end by the server's.
    let slack = if now.is_some() { 86_400_000.0 } else { 0.0 };
    Blob::new().numbers([now.map_or(NONE, instant), slack, fresh]).done()
}

/// Appends numbers.
pub(super) fn append<const N: usize>(to: &mut Vec<u8>, numbers: [f64; N]) {
    for number in numbers {
        to.extend_from_slice(&number.to_le_bytes());
    }
}

/// A candidate's limits.
pub(super) fn limits(limits: &Limits, concurrency: Option<u32>) -> [f64; 5] {
    let Limits { rpm, tpm, rpd, burst } = *limits;
    [limit(rpm), limit(tpm), limit(rpd), limit(burst), limit(concurrency.map(u64::from))]
}

/// A permit's name, as the scripts have it: 32 hexadecimal digits.
pub(super) fn permit(id: PermitId) -> [u8; 32] {
    hex(&id.0.to_be_bytes())
}

/// `N` hexadecimal digits.
fn hex<const N: usize>(bytes: &[u8]) -> [u8; N] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; N];
    for (byte, pair) in bytes.iter().zip(digits.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    digits
}

/// Appends a place: whose key it is, where it is counted, and what the call does.
pub(super) fn place(
    to: &mut Vec<u8>,
    (key, fingerprint, domain, method): (&KeyId, Fingerprint, &Domain, Method),
) {
    let mut blob = Blob(std::mem::take(to));
    let (project, bucket) = (domain.project.as_str(), domain.bucket.as_str());
    blob.0.push(method_no(method));
    let start = blob.0.len();
    blob.0.extend_from_slice(&[0; 4]);
    // As it is displayed, which is itself where all of it is visible.
    if project.bytes().chain(bucket.bytes()).all(|byte| byte.is_ascii_graphic()) {
        // Writing to memory cannot fail.
        let _ = write!(blob.0, "{}:", project.len());
        blob.0.extend_from_slice(project.as_bytes());
        blob.0.push(b'/');
        blob.0.extend_from_slice(bucket.as_bytes());
    } else {
        let _ = write!(blob.0, "{}", DomainName(&domain.project, &domain.bucket));
    }
    blob.close(start);
    blob = blob.text(bucket).text(project).text(key.as_str());
    blob.0.extend_from_slice(&16_u32.to_le_bytes());
    blob.0.extend_from_slice(&hex::<16>(&fingerprint.to_u64().to_be_bytes()));
    *to = blob.0;
}

/// A candidate's part of a question.
pub(super) fn candidate(c: &Candidate<'_>) -> Vec<u8> {
    Blob::new().candidate(c).done()
}

/// A domain's name in a key: no two have the same.
pub(super) fn domain(project: &Project, bucket: &Bucket) -> String {
    DomainName(project, bucket).to_string()
}

struct DomainName<'a>(&'a Project, &'a Bucket);

impl Display for DomainName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(project, bucket) = self;
        write!(f, "{}:{project}/{bucket}", project.as_str().len())
    }
}

/// A scope's name in a key, as the scripts make it.
pub(super) fn scope(scope: &Scope) -> String {
    match scope {
        Scope::Pool => "pool".to_owned(),
        Scope::Model(bucket) => format!("m:{bucket}"),
        Scope::Project(project) => format!("p:{project}"),
        Scope::Domain(d) => format!("d:{}", domain(&d.project, &d.bucket)),
        Scope::Key(key, fingerprint) => format!("k:{key}:{fingerprint}"),
        Scope::Permission(key, fingerprint, method, bucket) => {
            format!("k:{key}:{fingerprint}:{}:{bucket}", method_no(*method))
        }
    }
}

/// The scope of a name in a key; `None` where another build knows what it means.
pub(super) fn scope_of(name: &str) -> Option<Scope> {
    if name == "pool" {
        return Some(Scope::Pool);
    }
    let (kind, rest) = name.split_once(':')?;
    match kind {
        "m" => Some(Scope::Model(rest.into())),
        "p" => Some(Scope::Project(rest.into())),
        "d" => {
            let (length, rest) = rest.split_once(':')?;
            let (project, bucket) = rest.split_at_checked(length.parse().ok()?)?;
            Some(Scope::Domain(Domain::new(project, bucket.strip_prefix('/')?)))
        }
        "k" => {
            let (key, rest) = rest.split_once(':')?;
            let (fingerprint, only) = rest.split_at_checked(16)?;
            let key = KeyId::new(key).ok()?;
            let fingerprint = Fingerprint::from_u64(u64::from_str_radix(fingerprint, 16).ok()?);
            let Some(only) = only.strip_prefix(':') else {
                return only.is_empty().then_some(Scope::Key(key, fingerprint));
            };
            let (method, bucket) = only.split_once(':')?;
            let method = METHODS.iter().find(|known| method_no(**known).to_string() == method)?;
            Some(Scope::Permission(key, fingerprint, *method, bucket.into()))
        }
        _ => None,
    }
}

const METHODS: [Method; 3] = [Method::Generate, Method::CountTokens, Method::Models];

pub(super) fn method_no(method: Method) -> u8 {
    match method {
        Method::Generate => 0,
        Method::CountTokens => 1,
        Method::Models => 2,
    }
}

/// Reasons by their numbers. What a number means never changes, for a store outlives a build.
pub(super) const REASONS: [Reason; 18] = [
    Reason::QuotaMinute,
    Reason::QuotaDay,
    Reason::QuotaZero,
    Reason::Throttled,
    Reason::KeyRestricted,
    Reason::OperationDenied,
    Reason::Overloaded,
    Reason::ModelNotFound,
    Reason::Flaky,
    Reason::Operator,
    Reason::KeyRejected(KeyFault::Invalid),
    Reason::KeyRejected(KeyFault::Expired),
    Reason::KeyRejected(KeyFault::Leaked),
    Reason::KeyRejected(KeyFault::Unauthenticated),
    Reason::ProjectRejected(ProjectFault::ServiceDisabled),
    Reason::ProjectRejected(ProjectFault::Denied),
    Reason::ProjectRejected(ProjectFault::Suspended),
    Reason::ProjectRejected(ProjectFault::Billing),
];

const SCOPES: [ScopeKind; 6] = [
    ScopeKind::Pool,
    ScopeKind::Model,
    ScopeKind::Project,
    ScopeKind::Domain,
    ScopeKind::Key,
    ScopeKind::Permission,
];

const LIMITS: [LimitKind; 5] =
    [LimitKind::Rpm, LimitKind::Tpm, LimitKind::Rpd, LimitKind::Burst, LimitKind::Concurrency];

pub(super) fn reason_no(reason: Reason) -> u8 {
    match reason {
        Reason::QuotaMinute => 0,
        Reason::QuotaDay => 1,
        Reason::QuotaZero => 2,
        Reason::Throttled => 3,
        Reason::KeyRestricted => 4,
        Reason::OperationDenied => 5,
        Reason::Overloaded => 6,
        Reason::ModelNotFound => 7,
        Reason::Flaky => 8,
        Reason::Operator => 9,
        Reason::KeyRejected(KeyFault::Invalid) => 10,
        Reason::KeyRejected(KeyFault::Expired) => 11,
        Reason::KeyRejected(KeyFault::Leaked) => 12,
        Reason::KeyRejected(KeyFault::Unauthenticated) => 13,
        Reason::ProjectRejected(ProjectFault::ServiceDisabled) => 14,
        Reason::ProjectRejected(ProjectFault::Denied) => 15,
        Reason::ProjectRejected(ProjectFault::Suspended) => 16,
        Reason::ProjectRejected(ProjectFault::Billing) => 17,
    }
}

/// Bytes that came.
#[derive(Debug)]
pub(super) struct Answer<'a>(&'a [u8]);

impl<'a> Answer<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rest, as it came.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(super) fn number(&mut self) -> Result<f64, LimitError> {
        let (number, rest) = self.0.split_first_chunk::<8>().ok_or_else(senseless)?;
        self.0 = rest;
        Ok(f64::from_le_bytes(*number))
    }

    pub(super) fn count(&mut self) -> Result<u64, LimitError> {
        let number = self.number()?;
        // Saturates where it is no count.
        Ok(number as u64)
    }

    pub(super) fn instant(&mut self) -> Result<Timestamp, LimitError> {
        self.count().map(Timestamp::from_millis)
    }

    /// A duration, if there is one; an infinite one is [`Duration::MAX`].
    pub(super) fn lasts(&mut self) -> Result<Option<Duration>, LimitError> {
        Ok(match self.number()? {
            none if none < 0.0 => None,
            never if never.is_infinite() => Some(Duration::MAX),
            ms => Some(Duration::from_millis(ms as u64)),
        })
    }

    /// A refusal: how long, what sort of why, and the why; `None` where there is none.
    pub(super) fn refusal(&mut self) -> Result<Option<Refusal>, LimitError> {
        let (wait, sort, what, more) = (self.lasts()?, self.count()?, self.count()?, self.count()?);
        let Some(retry_after) = wait else { return Ok(None) };
        let limit = || nth(&LIMITS, what);
        let why = match sort {
            0 => Why::Limit(limit()?),
            1 => Why::TooLarge(limit()?),
            // A newer build knows more reasons; the wait is true whatever the reason is.
            2 => Why::Cooling {
                scope: nth(&SCOPES, what)?,
                reason: nth(&REASONS, more).unwrap_or(Reason::Flaky),
            },
            3 => Why::Caller(limit()?),
            _ => return Err(senseless()),
        };
        Ok(Some(Refusal { retry_after, why }))
    }
}

fn nth<T: Copy>(all: &[T], i: u64) -> Result<T, LimitError> {
    usize::try_from(i).ok().and_then(|i| all.get(i)).copied().ok_or_else(senseless)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_number_and_throttled_is_the_one_the_scripts_know() {
        for (i, reason) in REASONS.iter().enumerate() {
            assert_eq!(usize::from(reason_no(*reason)), i);
        }
        assert_eq!(reason_no(Reason::Throttled), 3);
        assert!(include_str!("cooldown.lua").contains("local THROTTLED = 3\n"));
        assert_eq!((reason_no(Reason::Overloaded), SCOPES[1]), (6, ScopeKind::Model));
        assert!(include_str!("breaker.lua").contains("local OVERLOADED, MODEL_SCOPE = 6, 1\n"));
    }

    #[test]
    fn a_scope_is_known_by_its_name() {
        let key = KeyId::new("key-1").unwrap();
        let fingerprint = Fingerprint::of(&key, "secret");
        let odd = Bucket::new("a:b/c");
        let mut all = vec![
            Scope::Pool,
            Scope::Model(odd.clone()),
            Scope::Project("p:/q".into()),
            Scope::Domain(Domain::new("1:a/b", odd.clone())),
            Scope::Domain(Domain::new("", "")),
            Scope::Key(key.clone(), fingerprint),
        ];
        all.extend(METHODS.map(|method| Scope::Permission(key.clone(), fingerprint, method, odd.clone())));
        for known in all {
            assert_eq!(scope_of(&scope(&known)), Some(known));
        }
        for name in [
            "",
            "x",
            "x:y",
            "d:9:a/b",
            "d:a/b",
            "k:a",
            "k:a:1",
            "k:a:0123456789abcdef9",
            "k:a b:0123456789abcdef",
        ] {
            assert_eq!(scope_of(name), None, "{name}");
        }
    }

    #[test]
    fn no_two_domains_have_one_name() {
        let names = [("a", "b/c"), ("a/b", "c"), ("1:a", "b/c")].map(|(p, b)| domain(&p.into(), &b.into()));
        assert!(names[0] != names[1] && names[0] != names[2] && names[1] != names[2]);
    }

    #[test]
    fn a_place_is_written_as_its_parts_are_displayed() {
        let key = KeyId::new("key-1").unwrap();
        let fingerprint = Fingerprint::of(&key, "secret");
        for (project, bucket) in
            [("p-1", "gemini/2.5:flash\\"), ("ein Projekt", "m"), ("p\u{7}", "m\n"), ("é", "")]
        {
            let domain = Domain::new(project, bucket);
            let mut written = Vec::new();
            place(&mut written, (&key, fingerprint, &domain, Method::Models));
            let displayed = Blob(vec![2])
                .display(&DomainName(&domain.project, &domain.bucket))
                .text(bucket)
                .text(project)
                .text("key-1")
                .display(&fingerprint);
            assert_eq!(written, displayed.done());
        }
        assert_eq!(permit(PermitId(0xab << 120)), *b"ab000000000000000000000000000000");
    }

    #[test]
    fn what_is_too_long_to_say_never_ends() {
        assert_eq!(millis(Duration::MAX), f64::INFINITY);
        assert_eq!(millis(Duration::from_micros(1)), 1.0);
        assert_eq!(instant(Timestamp::NEVER), f64::INFINITY);
        assert_eq!(count(u64::MAX), 9_007_199_254_740_992.0);
        let bytes = Blob::new().number(f64::INFINITY).done();
        assert_eq!(Answer::new(&bytes).lasts().unwrap(), Some(Duration::MAX));
        assert!(Answer::new(&[1, 2, 3]).number().is_err());
    }
}
