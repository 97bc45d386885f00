//! `.env` in the directory the program is started in.

use gemini_sim::{Answer, KeySpec, ProjectSpec};

use crate::gemini::{Gemini, SECRET, STRATEGY, block};
use crate::rig::{Place, RSI};

#[test]
fn the_file_is_read_and_the_process_environment_wins() {
    let place = Place::new();
    let gemini = Gemini::start(vec![Answer::text(block(STRATEGY))], |sim| {
        let sim = sim.project(ProjectSpec::new("file")).project(ProjectSpec::new("process"));
        sim.key(KeySpec::new(SECRET, "file")).key(KeySpec::new("AIzaCANARY-2", "process"))
    });
    place.file(".env", format!("# a comment\nGEMINI_API_KEY=\"{SECRET}\"\nGEMINI_MODEL=gemini-2.5-pro\n"));
    gemini.reached_by(place.program([RSI])).run().code(0);
    gemini.reached_by(place.program([RSI])).env("GEMINI_API_KEY", "AIzaCANARY-2").run().code(0);
    let projects: Vec<_> = gemini.asked().into_iter().map(|asked| (asked.project, asked.model)).collect();
    let pro = "gemini-2.5-pro".to_owned();
    assert_eq!(projects, [("file".to_owned(), pro.clone()), ("process".to_owned(), pro)]);
    // Set and empty is set.
    let none = gemini.reached_by(place.program([RSI])).env("GEMINI_API_KEY", "").run();
    none.fails(3, &["No API keys available", "hint: "]);
}

#[test]
fn a_line_that_is_none_is_told_without_its_content() {
    let place = Place::new();
    let gemini = Gemini::good();
    for text in
        ["AIzaCANARY and more\n", "GEMINI_API_KEY='AIzaCANARY\n", "A=1\n=AIzaCANARY\n", "KEY AIzaCANARY"]
    {
        place.file(".env", text);
        let ended = gemini.program(&place, [RSI, "-o", "-"]).run();
        ended.code(0).says(&["warning: `.env`", "not `NAME=value`"]);
    }
    place.file(".env", b"GEMINI_API_KEY=AIzaCANARY\xff\n");
    gemini.program(&place, [RSI, "-o", "-"]).run().code(0).says(&["warning: ", "`.env`"]);
}
