//! The table of environment variables: the only place that names them all.

/// One environment variable: the table below is the only place that names it.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name; `{key_id}` stands for a key's label.
    pub name: &'static str,
    /// What holds when it is unset, in words.
    pub default: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Who acts on it.
    pub acts: Acts,
    /// Whether a file of settings may set it.
    pub file: FromFile,
    /// What it means for credentials.
    pub role: Role,
}

/// Whether a file of settings may set a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FromFile {
    /// It may.
    Allowed,
    /// It may not, for the variable chooses where programs keep their files, the way into the network or whom to
    /// trust: a folder that somebody was given must not decide that.
    Never,
}

/// What a variable means for credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Nothing.
    Plain,
    /// It says where credentials are sent, or how well they are protected on the way.
    Destination,
    /// It says which of a store's secrets are read.
    Scope,
    /// It is a credential, or half of one.
    Credential,
    /// It names a file that holds a credential.
    CredentialFile,
    /// It is an address with its own credential inside.
    Address,
}

/// Who acts on a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acts {
    /// This build.
    Now,
    /// A part that is not in this build: setting it gets a warning that says what happens instead.
    NotInThisBuild(&'static str),
    /// A library underneath reads it by itself.
    Underneath,
}

const REDIS: Acts = if cfg!(feature = "redis") {
    Acts::Now
} else {
    Acts::NotInThisBuild("limits are not shared with other machines")
};
const SQLITE: Acts = if cfg!(feature = "sqlite") {
    Acts::Now
} else {
    Acts::NotInThisBuild("limits and cooldowns end with the process")
};
const AWS: Acts = if cfg!(feature = "aws") {
    Acts::Now
} else {
    Acts::NotInThisBuild("secrets do not come from AWS Secrets Manager")
};
const AZURE: Acts = if cfg!(feature = "azure") {
    Acts::Now
} else {
    Acts::NotInThisBuild("secrets do not come from Azure Key Vault")
};
const VAULT: Acts =
    if cfg!(feature = "vault") { Acts::Now } else { Acts::NotInThisBuild("secrets do not come from Vault") };

const fn var(name: &'static str, default: &'static str, about: &'static str, acts: Acts) -> Variable {
    Variable { name, default, about, acts, file: FromFile::Allowed, role: Role::Plain }
}

impl Variable {
    const fn role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    const fn never_from_file(self) -> Self {
        Self { file: FromFile::Never, ..self }
    }

    /// Whether it is the variable called `name`.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        match self.name.split_once('{') {
            Some((prefix, _)) => name.len() > prefix.len() && name.starts_with(prefix),
            None => self.name == name,
        }
    }

    /// The one called `name`, where there is one.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        VARIABLES.iter().find(|variable| variable.is_named(name))
    }
}

/// Every variable keyrot knows.
pub const VARIABLES: &[Variable] = &[
    var(
        "GEMINI_API_KEY",
        "unset",
        "the single key; the last resort when rotation has no usable key",
        Acts::Now,
    )
    .role(Role::Credential),
    var("GOOGLE_API_KEY", "unset", "another name for `GEMINI_API_KEY`, which wins", Acts::Now)
        .role(Role::Credential),
    var(
        "GEMINI_API_KEYS",
        "unset",
        "comma-separated keys without a keys.json, also `project=KEY`",
        Acts::Now,
    )
    .role(Role::Credential),
    var(
        "ENABLE_KEY_ROTATION",
        "false; true with two or more `GEMINI_API_KEYS`",
        "rotation on or off",
        Acts::Now,
    ),
    var("KEYS_FILE", "keys.json", "where the key metadata is", Acts::Now),
    var("SECRET_STORE_TYPE", "env", "where secrets are: `env`, `vault`, `aws` or `azure`", Acts::Now),
    var("GEMINI_KEY_{key_id}", "unset", "the secret of one key of keys.json", Acts::Now)
        .role(Role::Credential),
    var("GEMINI_BASE_URL", "Google's", "endpoint of the Gemini API", Acts::Now).role(Role::Destination),
    var("GOOGLE_GEMINI_BASE_URL", "Google's", "another name for `GEMINI_BASE_URL`, which wins", Acts::Now)
        .role(Role::Destination),
    var("GEMINI_MODEL", "gemini-2.5-flash", "the default model", Acts::Now),
    var("OPENAI_API_KEY", "unset", "the key for `strategy-gen --provider openai`", Acts::Now)
        .role(Role::Credential),
    var("OPENAI_BASE_URL", "OpenAI's", "endpoint for `strategy-gen --provider openai`", Acts::Now)
        .role(Role::Destination),
    var("REDIS_URL", "unset", "shared limiter; empty disables it", REDIS).role(Role::Address),
    var("REDIS_TIMEOUT", "1 s", "longest wait for Redis", REDIS),
    var("KEYROT_POOL", "default", "name of the pool in a shared store", REDIS),
    var("KEYROT_INSTANCES", "1", "instances to assume when none were ever seen", REDIS),
    var("KEYROT_FAIL_CLOSED", "false", "refuse instead of degrading", REDIS),
    var("KEYROT_STATE", "the platform's state directory", "embedded ledger", SQLITE).never_from_file(),
    var("STRATEGY_GEN_HISTORY", "on", "`off`: `strategy-gen` keeps no history", Acts::Now),
    var("KEYROT_SECRET_TTL", "300 s", "how long a secret is used before it is read again", Acts::Now),
    var("VAULT_ADDR", "unset", "Vault or OpenBao", VAULT).role(Role::Destination),
    var("VAULT_TOKEN", "unset", "Vault token", VAULT).role(Role::Credential),
    var("VAULT_TOKEN_FILE", "unset", "file with the Vault token", VAULT).role(Role::CredentialFile),
    var("VAULT_NAMESPACE", "unset", "Vault namespace", VAULT),
    var("VAULT_SECRET_PATH", "secret/keyrot", "mount and path of the secrets", VAULT).role(Role::Scope),
    var("VAULT_ROLE_ID", "unset", "AppRole role", VAULT).role(Role::Credential),
    var("VAULT_SECRET_ID", "unset", "AppRole secret", VAULT).role(Role::Credential),
    var("VAULT_SECRET_ID_FILE", "unset", "file with the AppRole secret, read at each login", VAULT)
        .role(Role::CredentialFile),
    var("VAULT_K8S_ROLE", "unset", "Kubernetes auth role", VAULT).role(Role::CredentialFile),
    var("VAULT_K8S_MOUNT", "kubernetes", "Kubernetes auth mount", VAULT),
    var("VAULT_K8S_TOKEN_FILE", "the pod's", "file with the service account's token", VAULT)
        .role(Role::CredentialFile),
    var("VAULT_CACERT", "unset", "CA file for Vault", VAULT).never_from_file(),
    var("VAULT_ALLOW_HTTP", "false", "allow plain http to Vault", VAULT).role(Role::Destination),
    var("AWS_REGION", "the profile's", "AWS Secrets Manager region", AWS),
    var("AWS_ENDPOINT_URL", "Amazon's", "AWS endpoint", AWS).role(Role::Destination),
    var("AWS_ENDPOINT_URL_SECRETS_MANAGER", "`AWS_ENDPOINT_URL`", "the same for this service alone", AWS)
        .role(Role::Destination),
    var("AWS_SECRET_PREFIX", "keyrot/", "prefix of the secrets' names", AWS).role(Role::Scope),
    var("AWS_PROFILE", "default", "profile in ~/.aws", AWS),
    var("AWS_ACCESS_KEY_ID", "the profile's", "AWS login", AWS).role(Role::Credential),
    var("AWS_SECRET_ACCESS_KEY", "the profile's", "AWS login", AWS).role(Role::Credential),
    var("AWS_SESSION_TOKEN", "unset", "AWS login, of temporary keys", AWS).role(Role::Credential),
    var("AZURE_VAULT_URL", "unset", "the vault's address, `https://NAME.vault.azure.net`", AZURE)
        .role(Role::Destination),
    var("AZURE_TENANT_ID", "unset", "tenant to log in to", AZURE),
    var("AZURE_CLIENT_ID", "unset", "application to log in as, or which managed identity", AZURE),
    var("AZURE_CLIENT_SECRET", "unset", "the application's client secret", AZURE).role(Role::Credential),
    var("AZURE_FEDERATED_TOKEN_FILE", "unset", "file with the token of a workload identity", AZURE)
        .role(Role::CredentialFile),
    var("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com", "where logins to Azure happen", AZURE)
        .role(Role::Destination),
    var("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://169.254.169.254", "where managed identities are", AZURE)
        .role(Role::Destination),
    var(
        "KEYROT_TRUST_ENV",
        "false",
        "what a file of settings or keys.json says is trusted like the environment",
        Acts::Now,
    )
    .never_from_file(),
    var("KEYROT_LOG", "warn", "log filter, like `RUST_LOG`, over which it wins", Acts::Now),
    var("RUST_LOG", "warn", "log filter", Acts::Now),
    var("NO_COLOR", "unset", "no colour in the output", Acts::Now),
    var("HTTPS_PROXY", "unset", "proxy for HTTPS", Acts::Underneath).role(Role::Address).never_from_file(),
    var("SSL_CERT_FILE", "the system's", "CA certificates", Acts::Underneath).never_from_file(),
];
