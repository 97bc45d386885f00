//! `strategy-gen doctor`: what would happen, and what is missing.

use gemini_client::{Client, Config};
use keyrot::untrusted::UntrustedText;
use keyrot::{Assembly, Limits, Made, Mode, Setting, SetupError, Truth, settings_in_force};
use serde_json::json;
use strategy_gen::interpreter::Python;
use strategy_gen::sandbox::{Layers, Level};

use super::{Failure, apart, env, print, print_json, say, table};

/// Shows keys, projects, limits and secrets; 1 when something is amiss, 2 when the configuration is
/// wrong, 3 without any usable key.
pub(crate) async fn run(json: bool, install: bool, flags: Vec<Setting>) -> Result<u8, Failure> {
    let runs = apart(move || runs(install)).await?;
    let made = Assembly::new(env().clone()).make().await.map_err(setup)?;
    let model = made.settings.model.clone();
    let status = made.rotator.status(&model).await;
    let config = made.settings.base_url.as_deref().map_or_else(Config::default, Config::at);
    let client = Client::new(&config)
        .map_err(|error| Failure::usage(format!("`{}`: {error}", made.settings.base_url_from)))?;
    let mut warnings = made.warnings.clone();
    warnings.extend(client.warnings().iter().cloned());
    warnings.extend(status.keys.iter().filter(|k| k.rotate).map(|k| {
        let days = k.age.map_or(0, |age| age.as_secs() / 86_400);
        format!("the secret of key `{}` is {days} days old: rotate it", k.key_id)
    }));
    // That memory serves instead of the file was told when the pool was made.
    if let Some(away) = status.truth.suspended.as_ref().filter(|_| status.truth.shared) {
        let bounds = away.bounds.as_ref().map_or_else(String::new, |bounds| format!("; {bounds}"));
        warnings.push(format!("the limits in {} are away: {}{bounds}", place(&status.truth), away.why));
    }
    warnings.extend(status.truth.warning.clone());
    let ready = status.keys.iter().filter(|k| k.ready).count();
    let settings: Vec<Setting> = flags.into_iter().chain(settings_in_force(env())).collect();
    if json {
        let result = json!({
            "schema": 1,
            "status": if ready == 0 { "error" } else if warnings.is_empty() { "ok" } else { "findings" },
            "mode": mode(&made),
            "base_url": config.base_url,
            "settings": settings,
            "keys_file": made.keys_file,
            "health": status,
            "runs": runs.json(),
            "warnings": warnings,
        });
        print_json(result)?;
    } else {
        print(&format!("mode: {}", mode(&made)))?;
        print(&format!("model: {}", UntrustedText::from(model)))?;
        print(&format!("endpoint: {}", UntrustedText::from(config.base_url.as_str())))?;
        print(&format!("settings: {} set", settings.len()))?;
        for setting in &settings {
            print(&format!("  {setting}"))?;
        }
        if let Some(file) = &made.keys_file {
            print(&format!("keys from: {}", keyrot::untrusted::path(file)))?;
        }
        print(&format!("counts and cooldowns: {}", place(&status.truth)))?;
        print(&format!("keys: {ready} of {} ready", status.keys.len()))?;
        print(&table::health(&status))?;
        let mut shown = Vec::new();
        for key in &status.keys {
            if !shown.contains(&&key.project) {
                shown.push(&key.project);
                print(&format!("limits of project {}: {}", key.project, limits(&key.limits)))?;
            }
        }
        print(&runs.text())?;
        for warning in &warnings {
            say(&format!("warning: {warning}"));
        }
        if ready == 0 {
            say(
                "error: No API keys available: no key is ready\nhint: mend what the last column of the table says",
            );
        }
    }
    Ok(match (ready, warnings.is_empty()) {
        (0, _) => 3,
        (_, false) => 1,
        (_, true) => 0,
    })
}

/// What there is to run strategies with.
struct Runs {
    python: Result<Python, String>,
    layers: Layers,
    /// Why strategies are not run without a word about the sandbox.
    refused: Option<String>,
}

fn runs(install: bool) -> Result<Runs, Failure> {
    let env = env();
    if install {
        Python::install(env)?;
    }
    let layers = Layers::here();
    let refused = layers.for_level(Level::Auto).err().map(|fault| fault.to_string());
    Ok(Runs { python: Python::find(None, env).map_err(|fault| fault.to_string()), layers, refused })
}

impl Runs {
    fn text(&self) -> String {
        let python = match &self.python {
            Ok(python) => {
                format!(
                    "{}, version {}, backtesting.py {}",
                    keyrot::untrusted::path(&python.program),
                    python.version,
                    python.library
                )
            }
            Err(fault) => fault.clone(),
        };
        let sandbox = self.refused.clone().unwrap_or_else(|| self.layers.names().join(", "));
        format!("python: {python}\nsandbox: {sandbox}")
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "python": self.python.as_ref().ok(), "python_fault": self.python.as_ref().err(),
            "sandbox": self.layers.names(), "sandbox_fault": self.refused,
        })
    }
}

fn setup(error: SetupError) -> Failure {
    strategy_gen::GenerateError::from(error).into()
}

fn place(truth: &Truth) -> String {
    truth.place.as_ref().map_or_else(|| truth.store.to_owned(), |place| format!("{} ({place})", truth.store))
}

fn mode(made: &Made) -> &'static str {
    match made.mode {
        Mode::Multi => "many keys",
        Mode::Single | Mode::Auto => "single key",
    }
}

fn limits(limits: &Limits) -> String {
    let one = |name: &str, value: Option<u64>| value.map(|value| format!("{value} {name}"));
    let known: Vec<String> = [one("rpm", limits.rpm), one("tpm", limits.tpm), one("rpd", limits.rpd)]
        .into_iter()
        .flatten()
        .collect();
    if known.is_empty() { "unknown until Google names one".to_owned() } else { known.join(", ") }
}
