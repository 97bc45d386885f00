//! Where a mount ends in a name, and which version of KV it is.

use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::Mutex;

use crate::desk::Desk;
use crate::fault::Fault;
use crate::request::WhichMount;

/// A version of the secrets engine `kv`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kv {
    /// One value, which is overwritten.
    One,
    /// Versions.
    Two,
}

#[derive(Debug, Clone)]
pub(crate) struct Mount {
    /// Without a slash at its end.
    pub(crate) path: String,
    /// `None`: the server does not tell.
    pub(crate) kv: Option<Kv>,
    /// Another engine than `kv`, by its name.
    pub(crate) other: Option<String>,
}

#[derive(Deserialize)]
struct Told {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    path: String,
    #[serde(rename = "type")]
    engine: String,
    options: Option<Options>,
}

#[derive(Deserialize)]
struct Options {
    version: Option<String>,
}

/// The mounts met so far.
#[derive(Default)]
pub(crate) struct Mounts(Mutex<Vec<Mount>>);

impl Mounts {
    /// The mount of `name`, and the path in it. Asked of the server once for all who wait.
    pub(crate) async fn of<'a>(&self, desk: &Arc<Desk>, name: &'a str) -> Result<(Mount, &'a str), Fault> {
        let mut known = self.0.lock().await;
        if let Some(found) = known.iter().find_map(|mount| Some((mount.clone(), mount.rest(name)?))) {
            return Ok(found);
        }
        let mount = match desk.ask(&WhichMount(name)).await {
            Ok(answer) => Mount::told(answer.parse::<Told>()?.data),
            // Not told to everybody, and not by every server: then the first part is the mount.
            Err(Fault::Refused { status: 400 | 403 | 404 | 405, .. }) => Mount::guessed(name),
            Err(fault) => return Err(fault),
        };
        let rest = mount.rest(name).ok_or(Fault::Garbled)?;
        // A guess is made anew each time: rights may be granted, and a mount may be made.
        if mount.kv.is_some() {
            known.push(mount.clone());
        }
        Ok((mount, rest))
    }

    /// Forgets a mount: it may have been moved, or made anew with another version.
    pub(crate) async fn forget(&self, mount: &Mount) {
        self.0.lock().await.retain(|known| known.path != mount.path);
    }

    /// Keeps what a read taught.
    pub(crate) async fn learn(&self, mount: &Mount, kv: Kv) {
        let mut known = self.0.lock().await;
        if known.iter().all(|other| other.path != mount.path) {
            known.push(Mount { kv: Some(kv), ..mount.clone() });
        }
    }
}

impl Mount {
    fn told(data: Data) -> Self {
        let path = data.path.trim_matches('/').to_owned();
        let version = data.options.and_then(|options| options.version);
        let is_kv = matches!(data.engine.as_str(), "kv" | "generic");
        let kv = if version.as_deref() == Some("2") { Kv::Two } else { Kv::One };
        let other = (!is_kv).then(|| data.engine.chars().take(40).collect());
        Self { path, kv: is_kv.then_some(kv), other }
    }

    fn guessed(name: &str) -> Self {
        let path = name.split('/').next().unwrap_or_default().to_owned();
        Self { path, kv: None, other: None }
    }

    /// What is behind the mount in `name`, if it is in it.
    pub(crate) fn rest<'a>(&self, name: &'a str) -> Option<&'a str> {
        name.strip_prefix(self.path.as_str())?.strip_prefix('/')
    }
}
