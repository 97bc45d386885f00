//! `keyrot check` and `keyrot rotate` with secrets in a real vault.
#![cfg(test)]

use std::io::Write as _;
use std::process::{Command, Stdio};

use gemini_sim::{KeySpec, ProjectSpec, Sim, SimServer};
use keyrot_testkit::live::bao::{Bao, ROOT};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const OLD: &str = "AIzaCANARY-old";
const NEW: &str = "AIzaCANARY-new";

struct World {
    bao: Bao,
    folder: TempDir,
    server: SimServer,
    _runtime: Runtime,
}

impl World {
    /// One key in a vault, and a Gemini that knows its old secret and its new one.
    fn new() -> Self {
        let bao = Bao::dev();
        let kept = bao.ask(
            "POST",
            "secret/data/keyrot/flash_01",
            ROOT,
            &format!(r#"{{"data": {{"value": "{OLD}"}}}}"#),
            None,
        );
        assert_eq!(kept.0, 200);
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("keys.json"), r#"[{"key_id": "flash_01", "project": "p"}]"#)
            .expect("room");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let sim = Sim::builder()
            .project(ProjectSpec::new("p"))
            .key(KeySpec::new(OLD, "p"))
            .key(KeySpec::new(NEW, "p"));
        let server = runtime.block_on(sim.start()).expect("started");
        Self { bao, folder, server, _runtime: runtime }
    }

    /// The program's exit code and what it said in all; none of it holds a secret.
    fn run(&self, args: &[&str], given: &str) -> (Option<i32>, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_keyrot"))
            .args(args)
            .env_clear()
            .envs([("ENABLE_KEY_ROTATION", "true"), ("SECRET_STORE_TYPE", "vault"), ("VAULT_TOKEN", ROOT)])
            .envs([("VAULT_ADDR", self.bao.url()), ("GEMINI_BASE_URL", self.server.base_url())])
            .envs([("KEYROT_STATE", ":memory:"), ("KEYROT_LOG", "trace")])
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        child.stdin.take().expect("piped").write_all(given.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("ended");
        let said =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8")).concat();
        assert!(!said.contains("CANARY"), "a secret was shown:\n{said}");
        (output.status.code(), said)
    }

    fn kept(&self) -> (Value, Value) {
        let (_, text) = self.bao.ask("GET", "secret/data/keyrot/flash_01", ROOT, "", None);
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        (answer["data"]["data"]["value"].clone(), answer["data"]["metadata"]["version"].clone())
    }
}

#[test]
fn a_key_is_checked_and_rotated_where_it_is_kept() {
    let world = World::new();
    let (code, said) = world.run(&["check", "--probe"], "");
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("vault:secret/keyrot/flash_01, version 1, written ") && said.contains("accepted"),
        "{said}"
    );
    let (code, said) = world.run(&["rotate", "flash_01"], NEW);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("new secret stored in vault:secret/keyrot/flash_01, version 2"), "{said}");
    assert!(said.contains("revoke the old key in AI Studio after "), "{said}");
    assert_eq!(world.kept(), (NEW.into(), 2.into()));
    let (code, said) = world.run(&["check"], "");
    assert!(code == Some(0) && said.contains("version 2, written "), "{said}");
}

#[test]
fn a_new_key_that_google_does_not_know_changes_nothing() {
    let world = World::new();
    let (code, said) = world.run(&["rotate", "flash_01"], "AIzaCANARY-unknown");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the new key is not accepted") && said.contains("nothing was changed"), "{said}");
    assert_eq!(world.kept(), (OLD.into(), 1.into()));
}

/// Names in Key Vault have no `_` and no letter case: keys that would share one are noticed before a vault is asked.
#[test]
fn keys_that_would_share_a_secret_are_refused_with_the_way_out() {
    let check = |keys: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("keys.json"), keys).expect("room");
        let output = Command::new(env!("CARGO_BIN_EXE_keyrot"))
            .arg("check")
            .env_clear()
            .envs([
                ("ENABLE_KEY_ROTATION", "true"),
                ("SECRET_STORE_TYPE", "azure"),
                ("KEYROT_STATE", ":memory:"),
            ])
            // Nobody is there: who is asked does not answer.
            .envs([
                ("AZURE_VAULT_URL", "https://localhost:1"),
                ("AZURE_TENANT_ID", "t"),
                ("AZURE_CLIENT_ID", "c"),
            ])
            .env("AZURE_CLIENT_SECRET", "CANARY")
            .current_dir(folder.path())
            .output()
            .expect("started");
        let said =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8")).concat();
        assert!(!said.contains("CANARY"), "{said}");
        (output.status.code(), said)
    };
    let (code, said) = check(r#"[{"key_id": "flash_01"}, {"key_id": "Flash-01"}]"#);
    assert_eq!(code, Some(2), "{said}");
    for part in ["`flash_01`", "`Flash-01`", "hint: ", "give it a `secret`"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (_, said) = check(r#"[{"key_id": "flash_01"}, {"key_id": "Flash-01", "secret": "azure:other"}]"#);
    assert!(!said.contains("shares") && said.contains("azure"), "{said}");
}
