//! Gemini over a pool of keys: the typed calls of [`gemini_client`], with a [`Rotator`] underneath.

use std::sync::Arc;

use gemini_client::wire::{CountTokensRequest, GenerateRequest, GenerateResponse};
use gemini_client::{Chunk, ChunkStream, Client, Error};
use keyrot_core::{Method, Outcome, Usage};

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
    /// `client`'s calls with `rotator`'s keys.
    #[must_use]
    pub fn new(rotator: Rotator, client: Client) -> Self {
        Self { rotator, client: Arc::new(client) }
    }

    /// The rotator underneath.
    #[must_use]
    pub fn rotator(&self) -> &Rotator {
        &self.rotator
    }

    /// generateContent. The profile's tokens are estimated from the request unless given. An answer
    /// that the safety filter emptied is an answer: see its `block_reason` and `finish_reason`.
    ///
    /// # Errors
    /// [`RunError`]: no key in the time allowed, or a failure that trying again does not mend.
    pub async fn generate(
        &self,
        profile: &Profile,
        request: &GenerateRequest,
    ) -> Result<GenerateResponse, RunError<Error>> {
        let profile = estimated(profile, request);
        let request = Arc::new(request.clone());
        self.rotator
            .run(&profile, |lease| {
                let (client, request) = (Arc::clone(&self.client), Arc::clone(&request));
                let (secret, model) = (lease.secret().clone(), lease.model().clone());
                async move {
                    let answer = client.generate(&secret, model.as_str(), &request).await?;
                    let outcome = answer.outcome();
                    Ok((answer, outcome))
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

/// Base64 of pictures, sound and film to a token, roughly: 258 tokens are a picture's tile, 8 seconds
/// of sound or one of film. As text they would seem larger than a minute's limit, and never go.
const MEDIA_PER_TOKEN: usize = 128;
/// What the smallest picture costs.
const TILE: usize = 258;

/// About four bytes of text to a token (gemini-wire §8); what is neither text nor media counts by its
/// JSON, which errs on the safe side.
fn estimated(profile: &Profile, request: &GenerateRequest) -> Profile {
    if profile.cost.tokens > 0 || profile.cost.requests == 0 {
        return profile.clone();
    }
    let bytes = serde_json::to_vec(request).map_or(0, |json| json.len());
    let turns = request.contents.iter().chain(&request.system_instruction);
    let blobs = turns.flat_map(|turn| &turn.parts).filter_map(|part| part.inline_data.as_ref());
    let media = blobs.filter(|blob| !blob.mime_type.as_ref().is_some_and(|mime| mime.starts_with("text/")));
    let sizes = media.filter_map(|blob| blob.data.as_ref()).map(String::len);
    let (text, media) = sizes.fold((bytes, 0), |(text, media), size| {
        (text.saturating_sub(size), media + TILE.max(size / MEDIA_PER_TOKEN))
    });
    profile.clone().tokens(u64::try_from(text.div_ceil(4) + media).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gemini_client::wire::{Blob, Content, Part};

    fn tokens(mime: &str, size: usize) -> u64 {
        let mut blob = Blob::default();
        (blob.mime_type, blob.data) = (Some(mime.to_owned()), Some("A".repeat(size)));
        let mut part = Part::default();
        part.inline_data = Some(blob);
        let request = GenerateRequest::contents(vec![Content::of("user", vec![part])]);
        estimated(&Profile::new("model-1"), &request).cost.tokens
    }

    #[test]
    fn a_picture_is_no_text() {
        assert!((258..400).contains(&tokens("image/png", 20_000)));
        assert!(tokens("image/jpeg", 5_000_000) < 50_000, "it fits a minute of 250,000");
        assert!(tokens("text/plain", 20_000) >= 5_000);
    }
}
