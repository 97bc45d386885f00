//! Every pair of a destination and a credential, by where each came from.

use keyrot_core::KeyId;

use super::*;

const VAULT: (&str, &str) = ("SECRET_STORE_TYPE", "vault");
const AWS: (&str, &str) = ("SECRET_STORE_TYPE", "aws");
const AZURE: (&str, &str) = ("SECRET_STORE_TYPE", "azure");
const EVIL: (&str, &str) = ("GEMINI_BASE_URL", "http://evil.example");

/// An environment with what the shell holds, then what the file does.
fn env(shell: &[(&str, &str)], file: &[(&str, &str)]) -> EnvMap {
    let mut env: EnvMap = shell.iter().copied().collect();
    for (line, (name, value)) in (1..).zip(file) {
        env.add(*name, *value, Origin::File { path: ".env".into(), line });
    }
    env
}

fn trust(env: &EnvMap) -> Trust {
    Trust::new(env, &Settings::read(env).expect("settings"), Vec::new())
}

fn key(secret: Option<(StoreKind, &str)>) -> Key {
    let mut key = Key::new(KeyId::new("a").expect("legal"));
    key.secret = secret.map(|(store, name)| SecretRef { store, name: name.to_owned() });
    key
}

/// Why the key `a` of the default store is refused.
fn refused(shell: &[(&str, &str)], file: &[(&str, &str)]) -> Option<String> {
    trust(&env(shell, file)).credentials([key(None)].iter()).err().map(|error| error.to_string())
}

#[test]
fn a_base_url_of_a_file_gets_no_key_from_elsewhere() {
    const KEY: (&str, &str) = ("GEMINI_KEY_a", "x");
    let why = refused(&[KEY], &[EVIL]).expect("refused");
    for part in [
        "`GEMINI_BASE_URL` is from `.env` line 1",
        "`GEMINI_KEY_a` is from the environment",
        "hint: ",
        "--trust-env",
    ] {
        assert!(why.contains(part), "{why}");
    }
    assert_eq!(refused(&[], &[EVIL, KEY]), None);
    assert_eq!(refused(&[EVIL], &[KEY]), None);
    assert_eq!(refused(&[EVIL, KEY], &[]), None);
    assert_eq!(refused(&[KEY, ("KEYROT_TRUST_ENV", "1")], &[EVIL]), None);
    // A file cannot vouch for itself.
    assert!(refused(&[KEY], &[EVIL, ("KEYROT_TRUST_ENV", "1")]).is_some());
    let googles = |url| refused(&[KEY], &[("GEMINI_BASE_URL", url)]);
    assert_eq!(googles("https://generativelanguage.googleapis.com/"), None);
    for url in [
        "http://generativelanguage.googleapis.com",
        "https://generativelanguage.googleapis.com@evil.example",
        "https://generativelanguage.googleapis.com.evil.example",
        "https://evil.example\\generativelanguage.googleapis.com",
        "https://generativelanguage.googleapis.com:8443",
    ] {
        assert!(googles(url).is_some(), "{url}");
    }
    let listed = [("GEMINI_API_KEYS", "x,y")];
    let listed = trust(&env(&listed, &[EVIL])).credentials([key(Some((StoreKind::Env, "key_02")))].iter());
    assert!(listed.expect_err("refused").to_string().contains("`GEMINI_API_KEYS` is from the environment"));
}

#[test]
fn a_store_of_a_file_gets_no_login_from_elsewhere() {
    let addr = ("VAULT_ADDR", "https://evil.example");
    let token = ("VAULT_TOKEN", "t");
    assert_eq!(refused(&[], &[VAULT, addr, token]), None);
    assert_eq!(refused(&[VAULT, addr], &[token]), None);
    for (shell, file) in [
        (&[token][..], &[VAULT, addr][..]),
        (&[token], &[VAULT, addr, ("VAULT_TOKEN", "mine")]),
        (&[], &[VAULT, addr]),
        (&[], &[VAULT, addr, ("VAULT_TOKEN_FILE", "/f")]),
        (&[], &[VAULT, addr, ("VAULT_K8S_ROLE", "r")]),
        (&[], &[VAULT, addr, ("VAULT_ROLE_ID", "r"), ("VAULT_SECRET_ID_FILE", "/f")]),
        (&[("VAULT_SECRET_ID", "s")], &[VAULT, addr, ("VAULT_ROLE_ID", "r")]),
        (&[VAULT, ("VAULT_ADDR", "http://far"), token], &[("VAULT_ALLOW_HTTP", "true")]),
        (&[VAULT, addr, token], &[("VAULT_SECRET_PATH", "secret/prod")]),
        (&[], &[AWS, ("AWS_ENDPOINT_URL", "http://evil")]),
        (&[], &[AWS, ("AWS_ENDPOINT_URL", "http://evil"), ("AWS_SESSION_TOKEN", "s")]),
        (
            &[("AWS_SESSION_TOKEN", "s")],
            &[
                AWS,
                ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://evil"),
                ("AWS_ACCESS_KEY_ID", "i"),
                ("AWS_SECRET_ACCESS_KEY", "s"),
            ],
        ),
        (&[], &[AWS, ("AWS_SECRET_PREFIX", "")]),
        (&[], &[AWS, ("AWS_SECRET_PREFIX", "prod/")]),
        (&[], &[AZURE, ("AZURE_VAULT_URL", "https://evil.example")]),
        (&[], &[AZURE, ("AZURE_VAULT_URL", "https://evil.example/.vault.azure.net")]),
        (&[("AZURE_CLIENT_SECRET", "s")], &[AZURE, ("AZURE_AUTHORITY_HOST", "https://evil.example")]),
        (&[], &[AZURE, ("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://evil.example")]),
        // The store is reached as it should be; what it gives would go to the file's server.
        (&[VAULT, addr, token], &[EVIL]),
        (&[AWS], &[EVIL]),
    ] {
        let why = refused(shell, file).unwrap_or_else(|| panic!("allowed: {shell:?} {file:?}"));
        assert!(why.contains("is from `.env` line") && why.contains("hint: "), "{why}");
        let trusted: Vec<_> = shell.iter().copied().chain([("KEYROT_TRUST_ENV", "true")]).collect();
        assert_eq!(refused(&trusted, file), None);
    }
}

/// The lines of the seed's quick reference and of `.env.example`, whatever the shell holds besides.
#[test]
fn the_usual_files_need_no_word() {
    for file in [
        &[AWS, ("AWS_REGION", "us-east-1"), ("AWS_SECRET_PREFIX", "keyrot/")][..],
        &[AWS, ("AWS_SECRET_PREFIX", "keyrot/team/")],
        &[AZURE, ("AZURE_VAULT_URL", "https://your-vault.vault.azure.net/")],
        &[
            AZURE,
            ("AZURE_VAULT_URL", "https://v.vault.azure.net"),
            ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com"),
        ],
        &[AZURE, ("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://169.254.169.254")],
        &[VAULT, ("VAULT_ADDR", "https://vault.example.com"), ("VAULT_TOKEN", "s.xxx")],
        &[VAULT, ("VAULT_SECRET_PATH", "secret/keyrot"), ("VAULT_ALLOW_HTTP", "false")],
        &[("SECRET_STORE_TYPE", "env"), ("REDIS_URL", "redis://localhost:6379/0")],
    ] {
        assert_eq!(refused(&[("GEMINI_KEY_a", "x"), ("AZURE_TENANT_ID", "t")], file), None, "{file:?}");
    }
}

#[test]
fn a_reference_stays_in_the_configured_store_and_its_part() {
    use StoreKind::{Aws, Azure, Env, Vault};
    for (settings, place, inside) in [
        (&[][..], (Aws, "prod/db"), false),
        (&[], (Env, "AWS_SECRET_ACCESS_KEY"), true),
        (&[VAULT], (Env, "a"), false),
        (&[AWS], (Aws, "prod/db"), false),
        (&[AWS], (Aws, "keyrot/db"), true),
        (&[AWS], (Aws, "arn:aws:secretsmanager:eu-west-1:1:secret:keyrot/a-AbCdEf"), true),
        (&[AWS], (Aws, "arn:aws:secretsmanager:eu-west-1:1:secret:prod/db-AbCdEf"), false),
        (&[AWS, ("AWS_SECRET_PREFIX", "")], (Aws, "prod/db"), true),
        (&[VAULT], (Vault, "secret/keyrot/a"), true),
        (&[VAULT], (Vault, "secret/keyrot-2/a"), false),
        (&[VAULT, ("VAULT_SECRET_PATH", "/kv/team/")], (Vault, "kv/team/a"), true),
        (&[AZURE], (Azure, "any"), true),
        (&[("KEYROT_TRUST_ENV", "yes")], (Aws, "prod/db"), true),
    ] {
        let judged = trust(&env(settings, &[])).references(&[key(None), key(Some(place))]);
        assert_eq!(judged.is_ok(), inside, "{settings:?} {place:?}");
        if let Err(error) = judged {
            let why = error.to_string();
            assert!(why.contains("key `a`") && why.contains(place.1) && why.contains("--trust-env"), "{why}");
        }
    }
}

#[test]
fn a_new_key_that_was_typed_goes_to_no_server_of_a_file() {
    let typed = |shell: &[(&str, &str)], file: &[(&str, &str)], probed| {
        trust(&env(shell, file)).typed(&key(None), probed).is_ok()
    };
    assert!(!typed(&[], &[EVIL, ("GEMINI_KEY_a", "x")], true));
    assert!(typed(&[], &[EVIL], false));
    assert!(typed(&[EVIL], &[], true));
    assert!(!typed(&[], &[VAULT, ("VAULT_ADDR", "https://v"), ("VAULT_TOKEN", "t")], false));
}

#[test]
fn a_file_leads_to_no_place_outside_the_folder() {
    let read = |shell: &[(&str, &str)], file| {
        Settings::read(&env(shell, &[file])).map_err(|error| error.to_string())
    };
    for outside in [
        ("KEYS_FILE", "/etc/keys.json"),
        ("KEYS_FILE", "../keys.json"),
        ("KEYS_FILE", "a/../../keys.json"),
        ("REDIS_URL", "unix:///run/x.sock"),
        ("REDIS_URL", "UNIX:/run/x.sock"),
        ("REDIS_URL", "redis+unix:///run/x.sock"),
    ] {
        let why = read(&[], outside).expect_err(outside.1);
        let named = format!("`{}` is from `.env` line 1", outside.0);
        assert!(why.contains(&named) && why.contains("hint: ") && why.contains("--trust-env"), "{why}");
        assert!(read(&[("KEYROT_TRUST_ENV", "1")], outside).is_ok(), "{outside:?}");
        assert!(read(&[outside], ("KEYS_FILE", "a.json")).is_ok(), "{outside:?}");
    }
    for inside in
        [("KEYS_FILE", "keys.json"), ("KEYS_FILE", "./a/keys.json"), ("REDIS_URL", "redis://host/0")]
    {
        assert!(read(&[], inside).is_ok(), "{inside:?}");
    }
}
