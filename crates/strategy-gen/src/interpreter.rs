//! The Python that runs strategies: the user's own, or one that was made for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use keyrot::{EnvMap, leak};
use serde::{Deserialize, Serialize};

use crate::environment::{EnvironmentFault, PACKAGE};
use crate::outside;
use crate::sandbox::{Cancel, Caps, Ended, run};

/// Prints what there is, without an import of the library: that takes a second. Not all of `sys.path` is told: an editable
/// install puts the root of a project there, with all its files.
const PROBE: &str = "\
import importlib.util, json, os, site, sys, sysconfig
def folder(name):
    spec = importlib.util.find_spec(name)
    return os.path.dirname(spec.origin) if spec and spec.origin else None
paths = sysconfig.get_paths()
packages = [p for p in sys.path + site.getsitepackages() if os.path.basename(p) in ('site-packages', 'dist-packages')]
print(json.dumps({
    'executable': os.path.realpath(sys.executable), 'started_as': sys.executable,
    'version': list(sys.version_info[:3]), 'prefix': sys.prefix, 'base_prefix': sys.base_prefix,
    'modules': [paths[name] for name in ('stdlib', 'platstdlib', 'purelib', 'platlib')] + packages
        + [p for p in map(folder, ('numpy', 'pandas', 'bokeh')) if p],
    'library': folder('backtesting')}))";

/// What installers get besides their own settings, in any case.
const FOR_INSTALLERS: [&str; 18] = [
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LANGUAGE",
    "TMPDIR",
    "TEMP",
    "TMP",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NETRC",
    "PYENV_ROOT",
];

/// What is installed, as it was built: the sources of a package would run a program of their own.
const WHEELS: [&str; 3] = ["--only-binary", ":all:", PACKAGE];

/// Longest that a Python may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(20);

/// An interpreter that can run strategies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Python {
    /// What is started, inside a virtual environment where there is one.
    pub program: PathBuf,
    /// Its version.
    pub version: String,
    /// The version of backtesting.py.
    pub library: String,
    /// The file behind `program`, links followed.
    #[serde(skip)]
    pub(crate) executable: PathBuf,
    /// What it reads when it starts and imports.
    #[serde(skip)]
    pub(crate) modules: Vec<PathBuf>,
    /// The folder of backtesting.py.
    #[serde(skip)]
    pub(crate) package: PathBuf,
}

#[derive(Deserialize)]
struct Probed {
    executable: PathBuf,
    started_as: PathBuf,
    version: Vec<u32>,
    prefix: PathBuf,
    base_prefix: PathBuf,
    modules: Vec<PathBuf>,
    library: Option<PathBuf>,
}

impl Python {
    /// The Python that was `named`; else the first that serves of the active virtual environment, the one made by
    /// [`install`](Self::install), and `python3` on the path.
    ///
    /// # Errors
    /// [`EnvironmentFault::Python`] for one that was named, else [`EnvironmentFault::NoPython`].
    pub fn find(named: Option<&Path>, env: &EnvMap) -> Result<Self, EnvironmentFault> {
        if let Some(named) = named {
            return Self::probe(named, env)
                .map_err(|why| EnvironmentFault::Python { python: named.to_owned(), why });
        }
        let mut looked = Vec::new();
        let active = env.of_process("VIRTUAL_ENV").filter(|folder| !folder.is_empty());
        let active = active.map(|folder| in_environment(Path::new(folder)));
        let made = managed(env).map(|folder| in_environment(&folder)).filter(|python| python.exists());
        for python in [active, made, Some(PathBuf::from("python3"))].into_iter().flatten() {
            match Self::probe(&python, env) {
                Ok(found) => return Ok(found),
                Err(why) => looked.push(format!("`{}`: {why}", keyrot::untrusted::path(&python))),
            }
        }
        Err(EnvironmentFault::NoPython { looked })
    }

    /// The folder of backtesting.py.
    #[must_use]
    pub fn library_folder(&self) -> &Path {
        &self.package
    }

    /// Makes an environment of our own in the cache folder, from a package index: the one that the user's variables and
    /// settings name. The current folder has no say in it.
    ///
    /// # Errors
    /// [`EnvironmentFault::Install`].
    pub fn install(env: &EnvMap) -> Result<Self, EnvironmentFault> {
        let failed = |why: String| EnvironmentFault::Install { why };
        let folder =
            managed(env).ok_or_else(|| failed("no folder for caches is known: `HOME` is not set".into()))?;
        let python = in_environment(&folder);
        let path = folder.display().to_string();
        let interpreter = python.display().to_string();
        let with_uv = || {
            step(env, "uv", &["venv", "--quiet", "--clear", &path])?;
            let pip = ["pip", "install", "--quiet", "--python", &interpreter];
            step(env, "uv", &[&pip[..], &WHEELS].concat())
        };
        let with_pip = || {
            step(env, "python3", &["-I", "-m", "venv", "--clear", &path])?;
            let pip = ["-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
            step(env, &interpreter, &[&pip[..], &WHEELS].concat())
        };
        with_uv().or_else(|_| with_pip()).map_err(failed)?;
        Self::probe(&python, env).map_err(failed)
    }

    fn probe(python: &Path, env: &EnvMap) -> Result<Self, String> {
        let mut command = outside::command(outside::absolute(python));
        command.args(["-I", "-B", "-X", "utf8", "-c", PROBE]);
        // A bare name is looked up by us, and wrappers look for more.
        for name in ["PATH", "HOME", "PYENV_ROOT"] {
            command.envs(env.of_process(name).map(|value| (name, value)));
        }
        let output = run(command, None, &Caps::new(PATIENCE), &Cancel::new());
        let output = output.map_err(|error| format!("cannot be started: {error}"))?;
        if !matches!(output.ended, Ended::Itself { code: Some(0), .. }) {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("does not answer: {}", said.lines().last().unwrap_or("no word from it")));
        }
        let probed: Probed =
            serde_json::from_slice(&output.stdout).map_err(|_| "its answer is not understood".to_owned())?;
        Self::judged(probed)
    }

    fn judged(probed: Probed) -> Result<Self, String> {
        let version = probed.version.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
        if probed.version.as_slice() < [3, 9].as_slice() {
            return Err(format!("it is Python {version}"));
        }
        let package = probed.library.ok_or_else(|| "it lacks backtesting.py".to_owned())?;
        let library = installed(&package).ok_or_else(|| "its backtesting.py has no version".to_owned())?;
        if !fits(&library) {
            return Err(format!("its backtesting.py is {library}"));
        }
        let mut modules = probed.modules;
        modules.push(package.clone());
        // What the interpreter itself is linked with; of a virtual environment, where its base is.
        modules.push(probed.base_prefix.join("lib"));
        modules.push(probed.prefix.join("pyvenv.cfg"));
        // The rules of the sandbox are about real paths.
        let mut modules: Vec<_> =
            modules.iter().filter_map(|path| std::fs::canonicalize(path).ok()).collect();
        modules.sort();
        modules.dedup();
        Ok(Self {
            program: probed.started_as,
            version,
            library,
            executable: probed.executable,
            modules,
            package,
        })
    }
}

/// The version in the name of the folder that pip leaves beside a package.
fn installed(package: &Path) -> Option<String> {
    let entries = std::fs::read_dir(package.parent()?).ok()?;
    entries.flatten().find_map(|entry| {
        let name = entry.file_name().into_string().ok()?.to_ascii_lowercase();
        Some(name.strip_prefix("backtesting-")?.strip_suffix(".dist-info")?.to_owned())
    })
}

fn fits(version: &str) -> bool {
    let parts: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    matches!(parts.as_slice(), [0, 6, patch, ..] if *patch >= 5)
}

/// Whether pip, venv or uv act on a variable: the user's own index, proxy, certificates and folders are meant to count.
/// What they install runs code, so they get nothing else.
fn is_for_installers(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| upper.starts_with(prefix));
    FOR_INSTALLERS.contains(&upper.as_str())
        || (begins(&["PIP_", "UV_", "XDG_", "LC_"]) && !begins(&["UV_PUBLISH_", "XDG_SESSION_"]))
}

fn step(env: &EnvMap, program: &str, args: &[&str]) -> Result<(), String> {
    let mut command = outside::command(program);
    let settings = env.names().filter(|name| is_for_installers(name));
    let settings = settings.filter_map(|name| Some((name, env.of_process(name)?)));
    command.args(args).envs(settings.filter(|(_, value)| !leak::looks_like_a_key(value)));
    let output = run(command, None, &Caps::new(Duration::from_secs(600)), &Cancel::new());
    let output = output.map_err(|error| format!("`{program}`: {error}"))?;
    match output.ended {
        Ended::Itself { code: Some(0), .. } => Ok(()),
        _ => {
            Err(format!("`{program} {}`: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
        }
    }
}

/// The environment of our own, whether or not it exists.
pub fn managed(env: &EnvMap) -> Option<PathBuf> {
    let absolute = |name| env.of_process(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = if cfg!(target_os = "macos") {
        absolute("HOME")?.join("Library/Caches")
    } else {
        absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?
    };
    Some(cache.join("keyrot/python"))
}

fn in_environment(folder: &Path) -> PathBuf {
    folder.join("bin/python")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_fit() {
        for (version, fine) in [
            ("0.6.5", true),
            ("0.6.6", true),
            ("0.6.10", true),
            ("0.6.4", false),
            ("0.7.0", false),
            ("1.0", false),
        ] {
            assert_eq!(fits(version), fine, "{version}");
        }
    }

    #[test]
    fn the_environment_of_our_own_is_in_the_cache() {
        let env = |values: &[(&str, &str)]| {
            values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        assert_eq!(managed(&env(&[])), None);
        let home: EnvMap = env(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/c")]);
        assert!(managed(&home).is_some_and(|path| path.ends_with("keyrot/python")));
    }

    #[test]
    fn a_python_that_is_none_is_named_with_its_fault() {
        let fault = Python::find(Some(Path::new("/no/python")), &EnvMap::default()).expect_err("none");
        assert!(fault.to_string().contains("`/no/python` cannot run strategies"), "{fault}");
        let fault = Python::find(None, &EnvMap::default()).expect_err("no path, no home");
        assert!(fault.to_string().contains("doctor --install"), "{fault}");
    }
}
