//! Replies as models give them.

use proptest::prelude::*;

use super::{ExtractError, extract};

const CODE: &str = "\
from backtesting import Strategy


class A(Strategy):
    def init(self):
        pass

    def next(self):
        pass
";

#[test]
fn one_block_of_any_tag_is_the_code() {
    for tag in ["python", "py", "Python3", "", " python", "python title=\"a.py\"", "{.python}", "pycon"] {
        let extracted = extract(&format!("Sure!\n\n```{tag}\n{CODE}```\nGood luck.")).unwrap();
        assert_eq!(
            (extracted.code.as_str(), extracted.unclosed, extracted.blocks),
            (CODE, false, 1),
            "{tag}"
        );
    }
    assert_eq!(extract(&format!("~~~python\n{CODE}~~~")).unwrap().code, CODE);
    assert_eq!(extract(&format!("````python\n{CODE}````")).unwrap().code, CODE);
}

#[test]
fn line_ends_marks_and_indents_are_mended() {
    assert_eq!(extract(&format!("\u{feff}```python\n{CODE}```").replace('\n', "\r\n")).unwrap().code, CODE);
    assert_eq!(
        extract(&format!("```python\n\n{}  \n\n```", CODE.replace("pass", "pass   "))).unwrap().code,
        CODE
    );
    let indented: String =
        format!("```python\n{CODE}```\n").lines().map(|line| format!("   {line}\n")).collect();
    assert_eq!(extract(&format!("1. The code:\n{indented}")).unwrap().code, CODE);
}

#[test]
fn of_several_blocks_the_one_with_a_whole_strategy_wins() {
    let long = "# much longer\n".repeat(50);
    let reply = format!(
        "```python\nx = (\n{long}```\n```bash\npip install backtesting\n{long}```\n```python\n{CODE}```\n```py\ny = 1\n{long}```"
    );
    let extracted = extract(&reply).unwrap();
    assert_eq!((extracted.code.as_str(), extracted.blocks), (CODE, 3));
    // Of two strategies the longer one.
    let longer = CODE.replace("pass\n\n", "self.n = 1\n\n");
    assert_eq!(extract(&format!("```\n{CODE}```\n```\n{longer}```\n```\n{CODE}```")).unwrap().code, longer);
    // A broken strategy is better than nothing: its diagnostics can be repaired.
    assert_eq!(extract("```python\nclass A(:\n```").unwrap().code, "class A(:\n");
}

#[test]
fn prose_only_is_no_code() {
    for reply in [
        "I cannot help with that.",
        "Use `RSI` below 30.\n\n- buy\n- sell",
        "```python x = 1 ```",
        "```bash\nls\n```",
        "```\n\n```",
    ] {
        assert_eq!(extract(reply), Err(ExtractError::NoCode), "{reply}");
    }
    for reply in ["", " \r\n\t", "\u{feff}"] {
        assert_eq!(extract(reply), Err(ExtractError::Empty));
    }
}

#[test]
fn bare_code_is_code() {
    let extracted = extract(&format!("\n{CODE}\n")).unwrap();
    assert_eq!((extracted.code.as_str(), extracted.blocks, extracted.unclosed), (CODE, 0, true));
    assert!(matches!(extract(&CODE[..CODE.len() - 30]), Err(ExtractError::Truncated { .. })));
}

#[test]
fn an_unclosed_block_is_taken_only_when_whole() {
    let extracted = extract(&format!("```python\n{CODE}")).unwrap();
    assert_eq!((extracted.code.as_str(), extracted.unclosed), (CODE, true));
    let next = CODE.find("    def next").unwrap();
    for cut in [next, next + 10, CODE.len() - 16, 10, 40] {
        match extract(&format!("```python\n{}", &CODE[..cut])) {
            Err(ExtractError::Truncated { partial }) => {
                assert!(CODE.starts_with(partial.trim_end()), "{partial}")
            }
            other => panic!("cut at {cut}: {other:?}"),
        }
    }
    // A whole block before a cut one is taken.
    assert_eq!(extract(&format!("```python\n{CODE}```\n```python\nclass B(St")).unwrap().code, CODE);
}

#[test]
fn a_fence_inside_a_docstring_does_not_end_the_block() {
    let code = CODE.replace(
        "        pass\n\n",
        "        \"\"\"Use:\n        ```\n        x\n        ```\n        \"\"\"\n\n",
    );
    assert_eq!(extract(&format!("```python\n{code}```")).unwrap().code, code);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn any_reply_is_answered(reply in "(```|~~~|python|\n|    |class A\\(Strategy\\):|x = 1|\u{feff}|\r|é| ){0,40}") {
        if let Ok(extracted) = extract(&reply) {
            prop_assert!(extracted.code.ends_with('\n') && !extracted.code.contains('\r'));
            prop_assert!(!extracted.code.trim().is_empty());
        }
    }
}
