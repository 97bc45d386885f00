//! Which credentials may go where. A folder that somebody was given brings a file of settings and a keys.json: they may
//! configure what they bring themselves, and neither send what belongs to the user elsewhere nor reach for more of it.

use std::path::{Component, Path};

use keyrot_core::keys::{Key, SecretRef, StoreKind};
use keyrot_core::{EnvMap, Origin};

use crate::settings::{Role, Settings, VARIABLES, Variable, boolean};
use crate::setup::SetupError;

/// Says that files are trusted.
pub(crate) const TRUST: &str = "KEYROT_TRUST_ENV";
const ONE_PLACE: &str =
    "set both in one place; if you trust the file, `--trust-env`, or `KEYROT_TRUST_ENV=1` in the environment";
const MOVE_IT: &str = "leave `secret` out, or move it there; if you trust the file, `--trust-env`, or `KEYROT_TRUST_ENV=1` in the environment";
const NAME_IT: &str = "set it in the environment; if you trust the file, `--trust-env`, or `KEYROT_TRUST_ENV=1` in the environment";
const GOOGLE: &str = "generativelanguage.googleapis.com";
const OPENAI: &str = "api.openai.com";
/// Where only Microsoft listens: a login that is sent there goes to nobody else.
const MICROSOFT: [&str; 4] = [
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.chinacloudapi.cn",
    "login.partner.microsoftonline.cn",
];
const AZURE_VAULTS: [&str; 3] = [".vault.azure.net", ".vault.azure.cn", ".vault.usgovcloudapi.net"];

/// Whether `env` says that files are trusted. A file cannot say so of itself.
fn is_trusted(env: &EnvMap) -> bool {
    env.of_process(TRUST).and_then(boolean).unwrap_or(false)
}

/// The host of an `https` address that has nothing unusual about it.
fn host(address: &str) -> Option<String> {
    let rest = address.strip_prefix("https://")?;
    let host = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let plain = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    plain.then(|| host.to_ascii_lowercase())
}

/// Whether a value says no more than what holds without it.
fn is_usual(Variable { name, default, role, .. }: &Variable, value: &str) -> bool {
    let leads = |fine: fn(&str) -> bool| host(value).is_some_and(|host| fine(&host));
    value == *default
        || match *name {
            "GEMINI_BASE_URL" | "GOOGLE_GEMINI_BASE_URL" => leads(|host| host == GOOGLE),
            "OPENAI_BASE_URL" => leads(|host| host == OPENAI),
            "AZURE_AUTHORITY_HOST" => leads(|host| MICROSOFT.contains(&host)),
            "AZURE_VAULT_URL" => leads(|host| AZURE_VAULTS.iter().any(|vaults| host.ends_with(vaults))),
            "VAULT_ALLOW_HTTP" => boolean(value) == Some(false),
            // A part of it.
            _ => *role == Role::Scope && value.starts_with(&format!("{}/", default.trim_end_matches('/'))),
        }
}

/// The origin of `name`, where a file set it to what may be anybody's server, or widens what is read.
fn foreign<'a>(env: &'a EnvMap, name: &str) -> Option<&'a Origin> {
    let variable = Variable::named(name)?;
    let value = match variable.role {
        // Set and empty may mean: everything.
        Role::Scope => env.get(name).map(str::trim),
        _ => env.filled(name),
    };
    value.filter(|value| !is_usual(variable, value))?;
    env.origin(name).filter(|origin| origin.is_file())
}

/// Where the server that `name` names is, if that is another than the provider's own and a file says so.
#[must_use]
pub fn chosen_by_file(env: &EnvMap, name: &str) -> Option<String> {
    foreign(env, name).map(|origin| format!("`{name}` from {origin}"))
}

/// Why the credential in one variable must not go to the server that another names, and the way out.
#[must_use]
pub fn kept_apart(env: &EnvMap, destination: &str, credential: &str) -> Option<(String, &'static str)> {
    let at = foreign(env, destination).filter(|_| !is_trusted(env))?;
    let origin = env.filled(credential).and(env.origin(credential)).filter(|origin| !origin.is_file())?;
    Some(apart(destination, at, &format!("`{credential}` is from {origin}")))
}

fn apart(destination: &str, at: &Origin, credential: &str) -> (String, &'static str) {
    let why = format!(
        "`{destination}` is from {at}, and {credential}: a server that a file names gets no credential from elsewhere"
    );
    (why, ONE_PLACE)
}

/// What a file of settings says of places outside the current folder that this program reads, writes or connects to.
pub(crate) fn places(env: &EnvMap) -> Vec<String> {
    let by_file = |name: &str| {
        let origin = env.origin(name).filter(|origin| origin.is_file())?;
        Some((env.filled(name)?, origin))
    };
    let mut problems = Vec::new();
    if is_trusted(env) {
        return problems;
    }
    if let Some((file, origin)) = by_file("KEYS_FILE").filter(|(file, _)| !is_inside(Path::new(file))) {
        problems.push(format!(
            "`KEYS_FILE` is from {origin}, and `{}` is not inside the current folder\nhint: {NAME_IT}",
            keyrot_core::untrusted::path(file)
        ));
    }
    let is_socket =
        |url: &str| url.split(':').next().is_some_and(|scheme| scheme.to_ascii_lowercase().ends_with("unix"));
    if let Some((_, origin)) = by_file("REDIS_URL").filter(|(url, _)| is_socket(url)) {
        problems.push(format!(
            "`REDIS_URL` is from {origin}, and names a socket of this machine\nhint: {NAME_IT}"
        ));
    }
    problems
}

/// Whether `path` leads to a place inside the current folder, links followed. A link to nothing could lead anywhere.
fn is_inside(path: &Path) -> bool {
    let plain = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let found = path.ancestors().find(|part| part.symlink_metadata().is_ok());
    let stays =
        |found: &Path| Some(found.canonicalize().ok()?.starts_with(Path::new(".").canonicalize().ok()?));
    plain && found.is_none_or(|found| stays(found).unwrap_or(false))
}

fn untrusted((why, hint): (String, &'static str)) -> SetupError {
    SetupError::Untrusted { why, hint }
}

/// What the settings of a process allow its keys.
#[derive(Debug, Clone)]
pub struct Trust {
    env: EnvMap,
    trusted: bool,
    store: StoreKind,
    base_url: &'static str,
    /// Stores of the embedder's own.
    own: Vec<StoreKind>,
}

impl Trust {
    pub(crate) fn new(env: &EnvMap, settings: &Settings, own: Vec<StoreKind>) -> Self {
        Self {
            env: env.clone(),
            trusted: is_trusted(env),
            store: settings.secret_store,
            base_url: settings.base_url_from,
            own,
        }
    }

    /// Refuses references of keys.json that leave the configured store, or what is configured of it.
    pub(crate) fn references(&self, keys: &[Key]) -> Result<(), SetupError> {
        if self.trusted {
            return Ok(());
        }
        let named = keys.iter().filter_map(|key| Some((&key.id, key.secret.as_ref()?)));
        let outside: Vec<String> = named
            .filter_map(|(id, place)| {
                Some(format!("key `{id}`: its secret `{place}` is outside {}", self.outside(place)?))
            })
            .collect();
        if outside.is_empty() {
            return Ok(());
        }
        Err(untrusted((outside.join("\n"), MOVE_IT)))
    }

    /// What a reference is outside of.
    fn outside(&self, place: &SecretRef) -> Option<String> {
        if place.store != self.store {
            return Some(format!("the store of `SECRET_STORE_TYPE`, which is `{}`", self.store));
        }
        if self.own.contains(&place.store) {
            return None;
        }
        let (variable, inside) = match place.store {
            // What the environment holds is looked for under the names of keys alone.
            StoreKind::Env | StoreKind::Azure => return None,
            StoreKind::Aws => {
                // Set and empty means: every name.
                let prefix = self.env.get("AWS_SECRET_PREFIX").map_or("keyrot/", str::trim);
                let name = place.name.split_once(":secret:").map_or(place.name.as_str(), |(_, name)| name);
                ("AWS_SECRET_PREFIX", name.starts_with(prefix))
            }
            StoreKind::Vault => {
                let path = self.env.filled("VAULT_SECRET_PATH").unwrap_or("secret/keyrot").trim_matches('/');
                let behind = place.name.strip_prefix(path);
                ("VAULT_SECRET_PATH", behind.is_some_and(|behind| behind.starts_with('/')))
            }
        };
        (!inside).then(|| format!("`{variable}`"))
    }

    /// Refuses to send credentials from elsewhere where a file says.
    pub(crate) fn credentials<'a>(&self, keys: impl Iterator<Item = &'a Key>) -> Result<(), SetupError> {
        if self.trusted {
            return Ok(());
        }
        let at = foreign(&self.env, self.base_url);
        for key in keys {
            let place = key.secret.as_ref();
            let kind = place.map_or(self.store, |place| place.store);
            let elsewhere = if self.own.contains(&kind) {
                Some("is of the program's own store".to_owned())
            } else if kind == StoreKind::Env {
                variable(&self.env, place.map_or(key.id.as_str(), |place| &place.name))
            } else {
                self.store_allows(kind)?;
                self.login(kind).map(|login| format!("is read from `{kind}` with {login}"))
            };
            if let (Some(at), Some(elsewhere)) = (at, elsewhere) {
                let credential = match elsewhere.starts_with('`') {
                    true => elsewhere,
                    false => format!("the secret of key `{}` {elsewhere}", key.id),
                };
                return Err(untrusted(apart(self.base_url, at, &credential)));
            }
        }
        Ok(())
    }

    /// Refuses to send a key that was typed or piped in where a file says: to the server that is asked about it, if one
    /// is, and to the store.
    ///
    /// # Errors
    /// [`SetupError::Untrusted`].
    pub fn typed(&self, key: &Key, probed: bool) -> Result<(), SetupError> {
        if self.trusted {
            return Ok(());
        }
        let kind = key.secret.as_ref().map_or(self.store, |place| place.store);
        let base_url = probed.then_some(self.base_url);
        let destinations = base_url.into_iter().chain(variables_of(kind, Role::Destination));
        let found = destinations.into_iter().find_map(|name| Some((name, foreign(&self.env, name)?)));
        found.map_or(Ok(()), |(name, at)| Err(untrusted(apart(name, at, "the new key is yours"))))
    }

    /// Refuses a store that a file leads to, or into, with a login from elsewhere.
    fn store_allows(&self, kind: StoreKind) -> Result<(), SetupError> {
        let Some(login) = self.login(kind) else { return Ok(()) };
        let destinations = variables_of(kind, Role::Destination);
        if let Some((name, at)) =
            destinations.into_iter().find_map(|name| Some((name, foreign(&self.env, name)?)))
        {
            return Err(untrusted(apart(name, at, &format!("the login to `{kind}` is {login}"))));
        }
        for name in variables_of(kind, Role::Scope) {
            if let Some(at) = foreign(&self.env, name) {
                let why = format!(
                    "`{name}` is from {at}, and the login to `{kind}` is {login}: a file does not choose which secrets \
                     are read with it"
                );
                return Err(untrusted((why, ONE_PLACE)));
            }
        }
        Ok(())
    }

    /// What a store is logged in to with; `None` where all of it is in the file of settings. A file that holds a
    /// credential is elsewhere, whoever names it.
    fn login(&self, kind: StoreKind) -> Option<String> {
        let credentials =
            variables_of(kind, Role::Credential).chain(variables_of(kind, Role::CredentialFile));
        for name in credentials.filter(|name| self.env.filled(name).is_some()) {
            match self.env.origin(name) {
                Some(Origin::File { .. }) if is_role(name, Role::Credential) => {}
                Some(Origin::File { .. }) => return Some(format!("what `{name}` leads to")),
                _ => return Some(format!("`{name}` from the environment")),
            }
        }
        let (whole, else_) = match kind {
            StoreKind::Env => return None,
            StoreKind::Vault => (["VAULT_TOKEN", "VAULT_SECRET_ID"].as_slice(), "what `vault login` left"),
            StoreKind::Aws => (["AWS_SECRET_ACCESS_KEY"].as_slice(), "that of your profile or this machine"),
            StoreKind::Azure => (["AZURE_CLIENT_SECRET"].as_slice(), "yours or that of this machine"),
        };
        whole.iter().all(|name| self.env.filled(name).is_none()).then(|| else_.to_owned())
    }
}

/// Where the variable with a secret of the environment is from, unless that is a file or there is none.
#[cfg(feature = "env")]
fn variable(env: &EnvMap, secret: &str) -> Option<String> {
    let name = keyrot_secrets::env::variable(env, secret)?;
    let origin = env.origin(&name).filter(|origin| !origin.is_file())?;
    Some(format!("`{name}` is from {origin}"))
}

/// Without the env store, variables hold no secrets.
#[cfg(not(feature = "env"))]
fn variable(_env: &EnvMap, _secret: &str) -> Option<String> {
    None
}

fn variables_of(kind: StoreKind, role: Role) -> impl Iterator<Item = &'static str> {
    let prefix = match kind {
        // Its secrets are keys; see `variable`.
        StoreKind::Env => None,
        StoreKind::Vault => Some("VAULT_"),
        StoreKind::Aws => Some("AWS_"),
        StoreKind::Azure => Some("AZURE_"),
    };
    let of_kind = move |name: &str| prefix.is_some_and(|prefix| name.starts_with(prefix));
    VARIABLES.iter().filter(move |v| v.role == role && of_kind(v.name)).map(|v| v.name)
}

fn is_role(name: &str, role: Role) -> bool {
    VARIABLES.iter().any(|variable| variable.name == name && variable.role == role)
}

#[cfg(test)]
mod tests;
