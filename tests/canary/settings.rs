//! Secrets in the environment: in their own variables, in others by mistake, mended, refused, equal.

use std::sync::Arc;

use gemini_client::{Client, Config};
use keyrot::{Assembly, EnvMap, Gemini, Mode, Settings};
use keyrot_testkit::canary::{ALL, INNER, ODD, OTHER, PLAIN, SHORT, STANDARD, TELLTALE};

use crate::ear;

/// Makes a pool of this environment and says all there is to say of it.
async fn make(env: &[(&str, &str)]) -> bool {
    let env = EnvMap::from_iter(env.iter().copied());
    ear::debug("environment", &env);
    match Settings::read(&env) {
        Ok(settings) => ear::debug("settings", &settings),
        Err(error) => ear::error("settings", &error),
    }
    let mut could = false;
    for mode in [Mode::Auto, Mode::Single, Mode::Multi] {
        let assembly = Assembly::new(env.clone()).mode(mode).observer(Arc::new(|_: &keyrot::Event| {}));
        ear::debug("assembly", &assembly);
        match assembly.make().await {
            Ok(made) => {
                could = true;
                ear::debug("made", &made);
                made.warnings.iter().for_each(|warning| ear::say(warning));
                let status = made.rotator.status(&made.settings.model).await;
                ear::say(&serde_json::to_string(&status).expect("JSON"));
                if let Ok(lease) = made.rotator.lease(&keyrot::Profile::new("m")).await {
                    ear::debug("lease", &lease);
                }
                let Some(base) = &made.settings.base_url else { continue };
                match Client::new(&Config::at(base)) {
                    Ok(client) => ear::debug("gemini", &Gemini::new(made.rotator, client)),
                    Err(error) => ear::error("client", &error),
                }
            }
            Err(error) => ear::error("setup", &error),
        }
    }
    could
}

#[tokio::test]
async fn a_secret_in_its_own_variable_is_not_shown() {
    let heard = ear::listen();
    for key in ALL {
        for written in [key.to_owned(), format!(" {key}\t"), format!("\"{key}\""), format!("'{key}'\n")] {
            for name in ["GEMINI_API_KEY", "GOOGLE_API_KEY"] {
                assert!(make(&[(name, &written)]).await, "{name}={written}");
            }
            make(&[("GEMINI_API_KEY", OTHER), ("GOOGLE_API_KEY", &written)]).await;
        }
        for refused in
            [format!("{key} {key}"), format!("{key}\n{key}"), format!("{key}ü"), format!("\u{feff}{key}")]
        {
            make(&[("GEMINI_API_KEY", &refused)]).await;
            make(&[("GEMINI_API_KEYS", &refused)]).await;
        }
    }
    heard.assert_clean();
}

#[tokio::test]
async fn a_list_of_secrets_is_not_shown() {
    let heard = ear::listen();
    for key in [STANDARD, INNER, PLAIN, SHORT] {
        for list in [
            "@",
            "@,@",
            "a=@,b=@",
            "@,,x",
            ",@,",
            " @ , \"@\" ",
            "@ @",
            "@\n@",
            "a b=@",
            "=@",
            "a==@",
            "@,ü@",
            "@;@",
            "'@,@'",
            "a=@ @,b=@",
        ] {
            make(&[("GEMINI_API_KEYS", &list.replace('@', key))]).await;
        }
    }
    // A project's name is shown. That nothing else can stand before the sign is all one can do
    // about a key of unknown shape.
    for key in TELLTALE {
        for list in ["@=team-a", "@=", "@=@", "team-@=x", "x,@=y", "team-a=x,@", "@=x=y"] {
            make(&[("GEMINI_API_KEYS", &list.replace('@', key))]).await;
        }
    }
    heard.assert_clean();
}

#[tokio::test]
async fn a_secret_in_the_wrong_variable_is_not_shown() {
    let heard = ear::listen();
    let variables = [
        "ENABLE_KEY_ROTATION",
        "KEYS_FILE",
        "SECRET_STORE_TYPE",
        "GEMINI_BASE_URL",
        "GOOGLE_GEMINI_BASE_URL",
        "GEMINI_MODEL",
        "KEYROT_LOG",
        "RUST_LOG",
    ];
    for key in TELLTALE {
        for name in variables {
            for written in [
                "~",
                "https://user:~@localhost",
                "https://~:x@localhost",
                "https://localhost/~/v",
                "https://localhost?key=~",
                "https://localhost/#~",
                "https://~.invalid",
                "/etc/~/keys.json",
                "models/~",
            ] {
                make(&[(name, &written.replace('~', key)), ("GEMINI_API_KEY", STANDARD)]).await;
            }
        }
    }
    // What no one can take for a key, where a password belongs or where nothing is ever shown.
    for key in ALL {
        for url in ["https://user:~@localhost", "https://localhost?key=~", "~"] {
            make(&[("GEMINI_BASE_URL", &url.replace('~', key)), ("GEMINI_API_KEY", STANDARD)]).await;
        }
        for name in
            ["SECRET_STORE_TYPE", "VAULT_TOKEN", "VAULT_SECRET_ID", "REDIS_URL", "HTTPS_PROXY", "KEYROT_POOL"]
        {
            make(&[(name, key), ("GEMINI_API_KEY", STANDARD)]).await;
        }
    }
    heard.assert_clean();
}

#[tokio::test]
async fn equal_and_missing_secrets_are_told_by_their_labels() {
    let heard = ear::listen();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("keys.json");
    let text = r#"{"keys": [{"key_id": "a"}, {"key_id": "b"}, {"key_id": "c", "secret": "vault:c"}, {"key_id": "d"}]}"#;
    std::fs::write(&file, text).expect("written");
    let file = file.to_str().expect("a plain path");
    for key in ALL {
        let blank = format!("{key} {key}");
        let quoted = format!("\"{key}\"");
        // `vault:c` is outside the store of the rest.
        let settings = [("ENABLE_KEY_ROTATION", "true"), ("KEYS_FILE", file), ("KEYROT_TRUST_ENV", "true")];
        for keys in [
            [("GEMINI_KEY_a", key), ("GEMINI_KEY_b", key)],
            [("GEMINI_KEY_a", &quoted), ("GEMINI_KEY_b", key)],
            [("GEMINI_KEY_a", &blank), ("GEMINI_KEY_b", "")],
            [("GEMINI_KEY_A", ODD), ("GEMINI_API_KEY", key)],
            [("GEMINI_KEY_x", key), ("GEMINI_API_KEYS", key)],
        ] {
            make(&[&settings[..], &keys].concat()).await;
        }
    }
    heard.assert_clean();
}
