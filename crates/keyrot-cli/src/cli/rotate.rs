//! `keyrot rotate`: a new secret for a key, asked about first, then stored where the old one is.

use std::io::{IsTerminal as _, Read as _};

use keyrot::{Key, Made, OperateError, in_words};
use keyrot_core::{Clock as _, secret, untrusted};
use secrecy::SecretString;
use serde_json::json;

use super::{Failure, check, pool, print, print_json, say, scope, time};

/// No key is longer: what is, is some other file.
const LONGEST: u64 = 4_096;

/// Replaces the secret of a key.
pub(crate) async fn run(text: &str, probe: bool, json: bool) -> Result<u8, Failure> {
    let made = pool::make().await?;
    pool::warn(&made);
    let id = scope::key(&made.rotator, text)?;
    let keys = made.rotator.keys();
    let key = keys.iter().find(|key| key.id == id).ok_or_else(|| OperateError::UnknownKey(id.clone()))?;
    made.trust.typed(key, probe)?;
    let owned = key.clone();
    let new = tokio::task::spawn_blocking(move || read(&owned)).await;
    let new = new.map_err(|error| Failure::usage(format!("cannot read the new key: {error}")))??;
    let place = made.rotator.check_new_secret(&id, &new)?;
    if probe {
        ask_about(&made, key, &new).await?;
    }
    let version = made.rotator.replace_secret(&id, &new).await?;
    let now = keyrot::SystemClock::start().now();
    let period = made.rotator.secret_period();
    let drained = now + period;
    if json {
        let result = json!({
            "schema": 1, "status": "ok", "rotated": id, "place": place, "version": version,
            "probed": probe, "old_in_use_until": drained,
        });
        print_json(result)?;
        return Ok(0);
    }
    let version = version.map_or_else(String::new, |version| format!(", version {version}"));
    print(&format!("key {id}: new secret stored in {place}{version}"))?;
    say(&format!(
        "programs that are running use it within {}, or as soon as the old one is refused\n\
         next: revoke the old key in AI Studio after {}, not before",
        in_words(period),
        time::local(drained, now),
    ));
    Ok(0)
}

/// The new secret: from a prompt on a terminal, else from stdin. Never from the arguments, which every user
/// of the machine can see.
fn read(key: &Key) -> Result<SecretString, Failure> {
    let failed = |error: std::io::Error| {
        Failure::usage(format!(
            "cannot read the new key: {error}\nhint: give it on stdin, as in `keyrot rotate {} < file`",
            key.id
        ))
    };
    let raw = if std::io::stdin().is_terminal() {
        say(&format!(
            "make a new key for project `{}` in AI Studio; leave the old one as it is for now",
            key.project
        ));
        rpassword::prompt_password(format!("new secret of key {} (it is not shown): ", key.id))
            .map_err(failed)?
    } else {
        let mut raw = String::new();
        std::io::stdin().take(LONGEST + 1).read_to_string(&mut raw).map_err(failed)?;
        raw
    };
    let new = match raw.len() as u64 {
        0..=LONGEST => secret::mend(&raw).map_err(str::to_owned),
        _ => Err("it is too long".to_owned()),
    };
    // Wipes it.
    drop(SecretString::from(raw));
    let (new, mended) = new.map_err(|why| {
        Failure::usage(format!("what was given cannot be a key: {why}\nhint: give the key and nothing else"))
    })?;
    untrusted::remember(&new);
    if let Some(mended) = mended {
        say(&format!("warning: the new key: {mended}"));
    }
    Ok(new)
}

/// Asks Google about the new secret, without using quota: what it refuses is not stored.
async fn ask_about(made: &Made, key: &Key, new: &SecretString) -> Result<(), Failure> {
    let client = check::client(made)?;
    let model = check::model_of(key, &made.settings.model);
    let probe = check::judged(client.get_model(new, model).await.map(|_| ()));
    if probe.fine {
        return Ok(());
    }
    let detail = probe.detail.as_deref().unwrap_or("no details");
    let (exit_code, what) = match probe.verdict {
        "no network" => (6, "nobody could be asked about the new key".to_owned()),
        verdict => (1, format!("the new key is not accepted ({verdict})")),
    };
    let hint = "nothing was changed; `--no-probe` stores it all the same";
    Err(Failure { exit_code, message: format!("{what}: {detail}\nhint: {hint}") })
}
