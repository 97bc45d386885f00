//! What files are called that the program names itself: never what Python loads in place of something else.

use std::process::Command;

use gemini_sim::Answer;

use crate::gemini::{Gemini, STRATEGY, block};
use crate::rig::{Place, RSI, test_python};

/// Classes whose own names, in small letters, Python or its tools give a meaning.
const CLASSES: [&str; 14] = [
    "Random",
    "Numpy",
    "Pandas",
    "Indicators",
    "Backtesting",
    "Json",
    "Typing",
    "Conftest",
    "Sitecustomize",
    "Usercustomize",
    "Test_x",
    "Setup",
    "Tasks",
    "Con",
];

/// What a Python that is started in the folder loads of it by itself.
fn loaded_here(place: &Place) -> String {
    let code = "import glob, importlib, os, sys\n\
        sys.path.insert(0, '')\n\
        for name in 'random numpy pandas backtesting json typing site'.split(): importlib.import_module(name)\n\
        for name in 'indicators conftest sitecustomize usercustomize setup tasks con'.split():\n\
        \x20   try: importlib.import_module(name)\n\
        \x20   except ImportError: pass\n\
        here = os.path.realpath('.')\n\
        files = [os.path.realpath(getattr(m, '__file__', None) or '/') for m in list(sys.modules.values())]\n\
        print(sorted([f for f in files if f.startswith(here)] + glob.glob('test*.py') + glob.glob('*_test.py')))\n";
    let python = Command::new(test_python())
        .args(["-B", "-c", code])
        .current_dir(place.path())
        .env("PYTHONPATH", place.path())
        .output()
        .expect("started");
    assert!(python.status.success(), "{python:?}");
    String::from_utf8_lossy(&python.stdout).trim().to_owned()
}

#[test]
fn a_model_cannot_name_a_file_that_python_loads_by_itself() {
    let place = Place::new();
    let answers = CLASSES.map(|class| Answer::text(block(&STRATEGY.replace("Bounce", class))));
    let gemini = Gemini::answering(answers.to_vec());
    for class in CLASSES {
        let ended = gemini.program(&place, [RSI, "--no-run"]).run();
        assert!(ended.code(0).stdout.ends_with("_strategy.py\n"), "{class}: {ended}");
    }
    assert_eq!(loaded_here(&place), "[]", "{:?}", place.names());
    assert!(place.names().contains(&"my_test_x_strategy.py".to_owned()), "{:?}", place.names());
    // Neither does a draft, nor a second one of the same name.
    let bad = STRATEGY.replace("Bounce", "Random").replace("self.buy()", "open('x')");
    let gemini = Gemini::answering(vec![Answer::text(block(&bad))]);
    gemini.program(&place, [RSI, "--no-run"]).run().code(1).says(&["`random_strategy.draft.py`"]);
    let gemini = Gemini::answering(vec![Answer::text(block(&STRATEGY.replace("Bounce", "Random")))]);
    assert_eq!(gemini.program(&place, [RSI, "--no-run"]).run().code(0).stdout, "random_strategy_2.py\n");
    assert_eq!(loaded_here(&place), "[]", "{:?}", place.names());
}

#[test]
fn neither_do_names_that_came_with_a_description() {
    let place = Place::new();
    let made = place.run([RSI, "--offline", "--no-run", "-n", "random"]);
    assert_eq!(made.code(0).stdout, "random_strategy.py\n");
    let ideas = ["numpy", "Conftest", "test_a", "../../escape", "RsiStrategy", "\u{416}"];
    let lines = ideas.map(|name| {
        format!(
            "{}\n",
            serde_json::json!({ "name": name, "description": format!("{RSI} or after {} days", name.len()) })
        )
    });
    place.file("ideas.txt", lines.concat());
    place.run(["batch", "ideas.txt", "-d", ".", "--offline", "--no-run"]).code(0);
    let files: Vec<_> = place.names().into_iter().filter(|name| name.ends_with(".py")).collect();
    let wanted = [
        "conftest_strategy.py",
        "escape_strategy.py",
        "generated_strategy.py",
        "my_test_a_strategy.py",
        "numpy_strategy.py",
        "random_strategy.py",
        "rsi_strategy.py",
    ];
    assert_eq!(files, wanted);
    assert_eq!(loaded_here(&place), "[]", "{:?}", place.names());
}

#[test]
fn a_name_of_the_users_own_is_taken_with_a_warning() {
    let place = Place::new();
    for (name, told) in [("random.py", "in place of the real module"), ("conftest.py", "without being asked")]
    {
        let ended = place.run([RSI, "--offline", "--no-run", "-o", name]);
        ended.code(0).says(&["warning: `", name, told, "hint: ", "_strategy.py"]);
        assert_eq!(ended.stderr.matches("warning: ").count(), 1, "{ended}");
        assert_eq!(ended.stdout, format!("{name}\n"));
    }
    place.run([RSI, "--offline", "--no-run", "-o", "rsi.py"]).code(0).is_silent_about("warning: ");
}
