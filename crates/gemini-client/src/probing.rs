//! Questions that cost nothing, for the rotator: [`Probing`].

use std::time::Duration;

use async_trait::async_trait;
use keyrot_core::call::{Prober, Proof};
use keyrot_core::{ModelId, Outcome};
use secrecy::SecretString;
use tokio::time::timeout;

use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::model;
use crate::wire::Model;

/// The longest that one question takes, all its pages included.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Models of one page: the most the API gives.
const PAGE: u32 = 1000;
/// Most pages of one list. Google's is one page long; a server that never ends its list has none.
const PAGES: usize = 10;

/// Answers the rotator's free questions with a [`Client`]: `models.get` and `models.list`, which no
/// quota counts.
#[derive(Debug, Clone)]
pub struct Probing {
    client: Client,
}

impl Probing {
    /// Asks by `client`.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self { client }
    }

    async fn list(&self, key: &SecretString) -> Option<Vec<ModelId>> {
        let mut models = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..PAGES {
            let page = self.client.list_models(key, Some(PAGE), token.as_deref()).await.ok()?;
            models.extend(page.models.iter().filter_map(id_of));
            token = page.next_page_token.filter(|token| !token.is_empty());
            if token.is_none() {
                // A list without any model is no list of models.
                return Some(models).filter(|models| !models.is_empty());
            }
        }
        None
    }
}

#[async_trait]
impl Prober for Probing {
    async fn probe(&self, key: &SecretString, model: &ModelId) -> Proof {
        match timeout(TIMEOUT, self.client.get_model(key, model.as_str())).await {
            // Not necessarily `model`'s: an alias has the card of what it stands for.
            Ok(Ok(card)) if id_of(&card).is_some() => Proof::Works,
            Ok(Err(error)) => proof(&error),
            // Too late, or an answer to another question.
            Ok(Ok(_)) | Err(_) => Proof::Unknown,
        }
    }

    async fn models(&self, key: &SecretString) -> Option<Vec<ModelId>> {
        timeout(TIMEOUT, self.list(key)).await.ok()?
    }
}

/// The id of a card, if it is a model's at all.
fn id_of(card: &Model) -> Option<ModelId> {
    let id = card.name.as_str().strip_prefix("models/")?;
    model::resource(id).ok().map(|_| ModelId::from(id))
}

/// What a failed question proves. Only an answer that speaks of the key, its project or the model
/// does: quota, load and the server's own failures prove nothing, nor does a server that does not
/// know the method.
fn proof(error: &Error) -> Proof {
    let outcome = error.outcome();
    let told = matches!(error.kind(), ErrorKind::Refused | ErrorKind::InvalidKey);
    match outcome {
        Outcome::KeyRejected { .. }
        | Outcome::KeyRestricted { .. }
        | Outcome::OperationDenied
        | Outcome::ProjectRejected { .. }
        | Outcome::ModelNotFound
        | Outcome::ModelGated
        | Outcome::LocationBlocked
            if told =>
        {
            Proof::Refused(outcome)
        }
        _ => Proof::Unknown,
    }
}
