//! What a strategy can read because it is installed.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::user::said;
use crate::rig::{CANARY, Place, test_python};

/// Reads the `.env` of every place that Python imports from, by functions that `check` allows, and tells it as an error.
const READER: &str = "\
import dataclasses
from backtesting import Strategy


class Quiet(Strategy):
    def init(self):
        m = dataclasses.inspect.importlib.import_module
        found = []
        for entry in m('sys').path:
            for name in ('.env', 'secret/.env'):
                try:
                    found.append(m('_io').FileIO(m('posixpath').join(entry, name)).readall().decode())
                except OSError as error:
                    print('stopped', entry, error)
        wrong = ValueError
        raise wrong('found ' + ' '.join(found))

    def next(self):
        pass
";

/// An environment whose path leads into a project, as an editable install makes it.
fn editable(place: &Place) -> std::path::PathBuf {
    let environment = place.path().join("python");
    said(Command::new(test_python()).args(["-m", "venv", "--without-pip"]).arg(&environment));
    let python = environment.join("bin/python");
    let purelib = ["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"];
    let packages = said(Command::new(test_python()).args(purelib));
    let site = said(Command::new(&python).args(purelib));
    let project = place.path().join("project");
    fs::create_dir_all(project.join("secret")).expect("made");
    fs::create_dir(project.join("mine")).expect("made");
    fs::write(project.join("mine/__init__.py"), "").expect("written");
    for file in [".env", "secret/.env"] {
        fs::write(project.join(file), format!("KEY=AIza{CANARY}")).expect("written");
    }
    let paths = format!("{}\n{}\n", packages.trim(), project.display());
    fs::write(Path::new(site.trim()).join("editable.pth"), paths).expect("written");
    python
}

#[test]
fn a_project_that_is_installed_for_its_developer_is_not_open_to_strategies() {
    let place = Place::new();
    let python = editable(&place).display().to_string();
    place.file("reader.py", READER);
    // It is a valid strategy as far as anybody can see.
    place.run(["check", "reader.py"]).code(0);
    let ended = place.run(["run", "reader.py", "--data", "synthetic", "--json", "--python", &python]);
    ended.code(1);
    let told = ended.json();
    let output = told["output"].as_str().unwrap_or_default();
    let project = place.path().join("project").display().to_string();
    assert!(output.contains(&format!("stopped {project} ")), "it was not tried\n{ended}");
}
