//! What a request asks of the pool.

use std::collections::BTreeMap;
use std::time::Duration;

use keyrot_core::bucket::model_id;
use keyrot_core::{Cost, Method, ModelId, Project};

use crate::lane::LaneKey;
use crate::request_id::RequestId;

/// What a request asks of the pool: which model, how large, how long it may wait.
///
/// ```
/// use std::time::Duration;
/// let profile = keyrot::Profile::new("gemini-2.5-flash").tokens(1_200).max_wait(Duration::from_secs(30));
/// ```
#[derive(Debug, Clone)]
pub struct Profile {
    pub(crate) model: ModelId,
    pub(crate) method: Method,
    pub(crate) cost: Cost,
    /// The input tokens by a rule of thumb, where the cost is one.
    pub(crate) estimate: Option<u64>,
    pub(crate) workload: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) affinity: Option<Project>,
    pub(crate) max_wait: Option<Duration>,
    pub(crate) lease: Duration,
    pub(crate) request_id: Option<RequestId>,
}

/// Google bounds a unary call by 10 minutes and a stream by 20 (gemini-wire §6); a lease outlives
/// both.
const LEASE: Duration = Duration::from_secs(21 * 60);

impl Profile {
    /// A generation by `model` of unknown size.
    #[must_use]
    pub fn new(model: &str) -> Self {
        Self {
            model: model_id(model),
            method: Method::Generate,
            cost: Cost { requests: 1, tokens: 0 },
            estimate: None,
            workload: None,
            tags: BTreeMap::new(),
            affinity: None,
            max_wait: None,
            lease: LEASE,
            request_id: None,
        }
    }

    /// A call that Google does not count against generations: countTokens or models.
    #[must_use]
    pub fn uncounted(model: &str, method: Method) -> Self {
        Self { method, cost: Cost { requests: 0, tokens: 0 }, ..Self::new(model) }
    }

    /// How many requests Google counts it as: one for each item of a batch. The default is 1.
    #[must_use]
    pub fn requests(mut self, requests: u32) -> Self {
        self.cost.requests = requests;
        self
    }

    /// What the call does, where it is counted and no generation.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// How long the call may take at most: after that its place in flight and its probe come back by
    /// themselves. The default outlives every call that Google allows.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// The name of the request in events and log lines. The default is a new one for each request.
    #[must_use]
    pub fn request_id(mut self, id: RequestId) -> Self {
        self.request_id = Some(id);
        self
    }

    /// The input tokens, as good as they are known. They are charged as they are.
    #[must_use]
    pub fn tokens(mut self, tokens: u64) -> Self {
        (self.cost.tokens, self.estimate) = (tokens, None);
        self
    }

    /// The input tokens by a rule of thumb that is the same for all requests. What is charged is
    /// corrected by how far off the rule was for this model before.
    #[must_use]
    pub fn estimated(mut self, tokens: u64) -> Self {
        (self.cost.tokens, self.estimate) = (tokens, Some(tokens));
        self
    }

    /// Only keys of this `workload_type`.
    #[must_use]
    pub fn workload(mut self, workload: &str) -> Self {
        self.workload = Some(workload.to_owned());
        self
    }

    /// Only keys with this tag.
    #[must_use]
    pub fn tag(mut self, name: &str, value: &str) -> Self {
        self.tags.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Only keys of this project: the request names a file or cached content that lives there.
    #[must_use]
    pub fn project(mut self, project: &str) -> Self {
        self.affinity = Some(Project::new(project));
        self
    }

    /// The longest the request may spend waiting for capacity and between retries, in all. The
    /// default is the pool's `max_wait_ms`.
    #[must_use]
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = Some(wait);
        self
    }

    /// The lane of such requests, for `model`.
    pub(crate) fn lane_key(&self, model: ModelId) -> LaneKey {
        LaneKey {
            model,
            method: self.method,
            workload: self.workload.clone(),
            tags: self.tags.clone(),
            affinity: self.affinity.clone(),
            last_resort: false,
        }
    }
}
