//! Gemini over a pool of keys: the typed calls of [`gemini_client`], with a [`Rotator`] underneath.

use std::sync::Arc;

use gemini_client::estimate::{self, Estimate};
use gemini_client::wire::{CountTokensRequest, GenerateRequest, GenerateResponse};
use gemini_client::{Chunk, ChunkStream, Client, Error, Probing};
use keyrot_core::{KeyId, Method, Outcome, Usage};

use crate::profile::Profile;
use crate::rotator::{Rotator, RunError};
use crate::stream::LeasedStream;

/// Gemini over a pool of keys. Cloning is cheap.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use gemini_client::wire::GenerateRequest;
/// use gemini_client::{Client, Config};
/// use keyrot::{Assembly, Gemini, Profile};
///
/// let made = Assembly::new(keyrot::process_env()).make().await?;
/// let gemini = Gemini::new(made.rotator, Client::new(&Config::default())?);
/// let request = GenerateRequest::text("Say OK.");
/// let answer = gemini.generate(&Profile::new("gemini-2.5-flash"), &request).await?;
/// println!("{}", answer.text());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Gemini {
    rotator: Rotator,
    client: Arc<Client>,
}

impl Gemini {
    /// `client`'s calls with `rotator`'s keys. `client` answers the rotator's free questions as well, unless
    /// it has somebody who does ([`Rotator::prove_with`]).
    #[must_use]
    pub fn new(rotator: Rotator, client: Client) -> Self {
        rotator.prove_with(Arc::new(Probing::new(client.clone())));
        Self { rotator, client: Arc::new(client) }
    }

    /// The rotator underneath.
    #[must_use]
    pub fn rotator(&self) -> &Rotator {
        &self.rotator
    }

    /// generateContent. The profile's tokens are [estimated](gemini_client::estimate) from the
    /// request unless given, and corrected by what such estimates turned out to be for the model. An answer
    /// that the safety filter emptied is an answer: see its `block_reason` and `finish_reason`.
    ///
    /// # Errors
    /// [`RunError`]: no key in the time allowed, or a failure that trying again does not mend.
    pub async fn generate(
        &self,
        profile: &Profile,
        request: &GenerateRequest,
    ) -> Result<GenerateResponse, RunError<Error>> {
        Ok(self.generate_with_key(profile, request).await?.1)
    }

    /// As [`generate`](Self::generate), with the key that got the answer.
    ///
    /// # Errors
    /// As [`generate`](Self::generate).
    pub async fn generate_with_key(
        &self,
        profile: &Profile,
        request: &GenerateRequest,
    ) -> Result<(KeyId, GenerateResponse), RunError<Error>> {
        let profile = estimated(profile, request);
        let request = Arc::new(request.clone());
        self.rotator
            .run(&profile, |lease| {
                let (client, request) = (Arc::clone(&self.client), Arc::clone(&request));
                let (secret, model) = (lease.secret().clone(), lease.model().clone());
                let key = lease.key_id().clone();
                async move {
                    let answer = client.generate(&secret, model.as_str(), &request).await?;
                    let outcome = answer.outcome();
                    Ok(((key, answer), outcome))
                }
            })
            .await
    }

    /// streamGenerateContent: failures before the first part with content move on to another key.
    ///
    /// # Errors
    /// As [`generate`](Self::generate).
    pub async fn stream(
        &self,
        profile: &Profile,
        request: &GenerateRequest,
    ) -> Result<LeasedStream<ChunkStream, Chunk>, RunError<Error>> {
        let profile = estimated(profile, request);
        let request = Arc::new(request.clone());
        self.rotator
            .stream(&profile, |lease| {
                let (client, request) = (Arc::clone(&self.client), Arc::clone(&request));
                let (secret, model) = (lease.secret().clone(), lease.model().clone());
                async move { client.stream(&secret, model.as_str(), &request).await }
            })
            .await
    }

    /// countTokens: input tokens of `request`. Not counted against the generations' quota.
    ///
    /// # Errors
    /// As [`generate`](Self::generate).
    pub async fn count_tokens(
        &self,
        model: &str,
        request: &CountTokensRequest,
    ) -> Result<u64, RunError<Error>> {
        let profile = Profile::uncounted(model, Method::CountTokens);
        let request = Arc::new(request.clone());
        self.rotator
            .run(&profile, |lease| {
                let (client, request) = (Arc::clone(&self.client), Arc::clone(&request));
                let (secret, model) = (lease.secret().clone(), lease.model().clone());
                async move {
                    let answer = client.count_tokens(&secret, model.as_str(), &request).await?;
                    Ok((answer.total_tokens, Outcome::Success { usage: Usage::default() }))
                }
            })
            .await
    }
}

/// The profile with what the request is estimated at, unless its tokens were given.
fn estimated(profile: &Profile, request: &GenerateRequest) -> Profile {
    if profile.cost.tokens > 0 || profile.cost.requests == 0 {
        return profile.clone();
    }
    let Estimate { tokens, complete } = estimate::of(request);
    let profile = profile.clone();
    // What is not in the request teaches nothing about what is.
    if complete { profile.estimated(tokens) } else { profile.tokens(tokens) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_estimated_unless_they_were_given() {
        let (any, mut request) = (Profile::new("model-1"), GenerateRequest::text("four and four"));
        let of = |profile: &Profile, request: &GenerateRequest| {
            let Profile { cost, estimate, .. } = estimated(profile, request);
            (cost.tokens, estimate)
        };
        assert_eq!(of(&any, &request), (4, Some(4)));
        assert_eq!(of(&any.clone().tokens(9), &request), (9, None));
        assert_eq!(of(&Profile::uncounted("model-1", Method::CountTokens), &request), (0, None));
        request.cached_content = Some("cachedContents/1".to_owned());
        assert_eq!(of(&any, &request), (1_028, None));
    }
}
