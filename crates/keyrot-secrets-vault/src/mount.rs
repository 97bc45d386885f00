//! Which part of a name is the mount, and how that mount keeps its secrets.

use keyrot_core::SecretError;
use parking_lot::RwLock;
use serde::Deserialize;

use crate::connection::{Server, quietly};
use crate::failure::Failure;
use crate::session::Token;
use crate::settings::wrong;

/// A mount of the key-value engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Its path, without slashes around it.
    pub(crate) path: String,
    pub(crate) engine: Engine,
    /// The server did not tell: this is how most have it.
    pub(crate) is_guess: bool,
}

/// How secrets are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// One value each.
    V1,
    /// With versions.
    V2,
}

/// The mounts that were asked about.
#[derive(Debug, Default)]
pub(crate) struct Mounts(RwLock<Vec<Mount>>);

#[derive(Deserialize)]
struct Answer {
    data: About,
}

#[derive(Deserialize)]
struct About {
    path: String,
    #[serde(rename = "type")]
    kind: String,
    options: Option<Options>,
}

#[derive(Deserialize)]
struct Options {
    version: Option<String>,
}

impl Mounts {
    /// The mount that `name` lies in, and the rest of the name.
    pub(crate) async fn of<'n>(
        &self,
        name: &'n str,
        server: &Server,
        token: &Token,
    ) -> Result<(Mount, &'n str), Failure> {
        if let Some(known) = self.known(name) {
            return Ok(known);
        }
        let mount = match ask(name, server, token).await? {
            Some(mount) => mount,
            // It may not be asked, or is too old to answer: what most have.
            None => {
                let path = name.split('/').next().unwrap_or(name).to_owned();
                Mount { path, engine: Engine::V2, is_guess: true }
            }
        };
        // A guess is not kept until it has served: a token that has expired is told nothing, either.
        if !mount.is_guess {
            self.learn(&mount);
        }
        let rest = mount.rest(name);
        let rest =
            rest.ok_or_else(|| Failure::nonsense(server, "it names a mount that the secret is not in"))?;
        Ok((mount, rest))
    }

    /// Keeps what was told, or what a guess that served has shown.
    pub(crate) fn learn(&self, mount: &Mount) {
        let mut known = self.0.write();
        if known.iter().all(|other| other.path != mount.path) {
            known.push(Mount { is_guess: false, ..mount.clone() });
        }
    }

    /// Asks again next time: a mount where nothing is found may have been made anew, with or without versions.
    pub(crate) fn forget(&self, mount: &Mount) {
        self.0.write().retain(|known| known.path != mount.path);
    }

    fn known<'n>(&self, name: &'n str) -> Option<(Mount, &'n str)> {
        self.0.read().iter().find_map(|mount| Some((mount.clone(), mount.rest(name)?)))
    }
}

impl Mount {
    fn rest<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(&self.path)?.strip_prefix('/').filter(|rest| !rest.is_empty())
    }
}

/// Asks as the `vault` program does. `None` where the server does not tell.
async fn ask(name: &str, server: &Server, token: &Token) -> Result<Option<Mount>, Failure> {
    let answer = quietly(server.get(&format!("sys/internal/ui/mounts/{name}"), &token.value).send()).await;
    let answer = answer.map_err(|error| Failure::network(&error, server))?;
    let status = answer.status().as_u16();
    let body = answer.bytes().await.map_err(|error| Failure::network(&error, server))?;
    match status {
        200 => {}
        403 | 404 => return Ok(None),
        _ => return Err(Failure::answer(status, &body)),
    }
    let Ok(Answer { data: About { path, kind, options } }) = serde_json::from_slice(&body) else {
        return Err(Failure::nonsense(server, "what it says of the mount makes no sense"));
    };
    let path = path.trim_matches('/').to_owned();
    match kind.as_str() {
        "kv" | "generic" => {}
        _ => return Err(Failure::Broken(not_kv(&path, &kind))),
    }
    let version = options.and_then(|options| options.version);
    let engine = if version.as_deref() == Some("2") { Engine::V2 } else { Engine::V1 };
    Ok(Some(Mount { path, engine, is_guess: false }))
}

fn not_kv(path: &str, kind: &str) -> SecretError {
    wrong(
        &format!("the mount `{path}` keeps no keys: it is of type `{kind}`"),
        "set `VAULT_SECRET_PATH`, or `secret` of the key in keys.json, to a path in a mount of type `kv`",
    )
}
