//! What a file keeps when a key is added to it.

use proptest::prelude::*;

use super::*;
use crate::id::{ModelId, Project};
use crate::keys::ModelFilter;

fn key(id: &str) -> Key {
    Key::new(KeyId::new(id).expect(id))
}

fn added(text: &str, key: &Key) -> String {
    add("keys.json", text, key).expect(text).text
}

#[test]
fn a_key_takes_the_form_of_the_one_before_it() {
    let new = Key {
        limits: crate::Limits { rpm: Some(60), ..Default::default() },
        tags: [("team".to_owned(), "a".to_owned())].into(),
        ..key("b")
    };
    for (before, after) in [
        (
            "[{\"key_id\": \"a\"}]",
            "[{\"key_id\": \"a\"}, {\"key_id\": \"b\", \"rpm\": 60, \"tags\": {\"team\": \"a\"}}]",
        ),
        (
            "[ { \"key_id\": \"a\" }, ]\n",
            "[ { \"key_id\": \"a\" }, { \"key_id\": \"b\", \"rpm\": 60, \"tags\": { \"team\": \"a\" } }, ]\n",
        ),
        (
            "{\n  \"keys\": [\n    {\"key_id\": \"a\"} // mine\n    // the end, ]\n  ],\n  # config\n}",
            "{\n  \"keys\": [\n    {\"key_id\": \"a\"}, // mine\n    // the end, ]\n    {\"key_id\": \"b\", \"rpm\": 60, \
             \"tags\": {\"team\": \"a\"}}\n  ],\n  # config\n}",
        ),
        (
            "[\r\n\t{\r\n\t\t\"key_id\": \"a\"\r\n\t} /* , */ ,\r\n]\r\n",
            "[\r\n\t{\r\n\t\t\"key_id\": \"a\"\r\n\t} /* , */ ,\r\n\t{\r\n\t\t\"key_id\": \"b\",\r\n\t\t\"rpm\": 60,\r\n\
             \t\t\"tags\": {\"team\": \"a\"}\r\n\t},\r\n]\r\n",
        ),
        ("{\"keys\": []}", "{\"keys\": [{\"key_id\": \"b\", \"rpm\": 60, \"tags\": {\"team\": \"a\"}}]}"),
        (
            "",
            "{\n  \"keys\": [\n    {\n      \"key_id\": \"b\",\n      \"rpm\": 60,\n      \"tags\": {\"team\": \"a\"}\n    \
             }\n  ]\n}\n",
        ),
    ] {
        assert_eq!(added(before, &new), after);
    }
}

#[test]
fn what_has_errors_before_or_after_is_refused() {
    let refused = |text: &str, key: &Key| add("keys.json", text, key).expect_err(text);
    assert_eq!(refused("[{\"key_id\": \"a\"}]", &key("a")), AddError::Taken(KeyId::new("a").expect("legal")));
    assert!(matches!(refused("[{\"key_id\": \"a\", \"rpm\": -1}]", &key("b")), AddError::Before(_)));
    assert!(matches!(refused("{\"config\": {}}", &key("b")), AddError::Before(_)));
    assert!(matches!(refused("[", &key("b")), AddError::Before(_)));
    // One project, two opinions.
    let new = Key {
        project: Project::new("p"),
        project_given: true,
        limits: crate::Limits { rpm: Some(5), ..Default::default() },
        ..key("b")
    };
    let error = refused("[{\"key_id\": \"a\", \"project\": \"p\", \"rpm\": 6}]", &new);
    assert!(matches!(&error, AddError::After(findings) if findings.to_string().contains("rpm")), "{error}");
}

/// A comment, or nothing; `end` ends a line.
fn gap(end: &'static str) -> impl Strategy<Value = String> {
    let line = move |sign: &'static str| {
        "[ a-z,\\[\\]{}\"]{0,12}".prop_map(move |text| format!(" {sign}{text}{end}"))
    };
    prop_oneof![
        3 => Just(String::new()),
        1 => Just(format!(" {end}\t")),
        1 => line("//"),
        1 => line("#"),
        1 => "[ a-z,\\[\\]{}\"]{0,12}".prop_map(|text| format!("/*{text}*/")),
    ]
}

/// A legal keys.json with keys `k0` … and comments wherever they may stand.
fn file() -> impl Strategy<Value = (String, usize)> {
    (any::<bool>(), any::<bool>(), any::<bool>(), 1_usize..5).prop_flat_map(|(crlf, bare, trailing, n)| {
        let end = if crlf { "\r\n" } else { "\n" };
        prop::collection::vec(gap(end), 6 + n * 4).prop_map(move |gaps| {
            let mut gaps = gaps.into_iter();
            let mut gap = || gaps.next().unwrap_or_default();
            let mut text = gap();
            if !bare {
                text += &format!("{{{}\"keys\":", gap());
            }
            text.push('[');
            for i in 0..n {
                text += &format!("{}{{{}\"key_id\": \"k{i}\"{}}}{}", gap(), gap(), gap(), gap());
                if i + 1 < n || trailing {
                    text.push(',');
                }
            }
            text += &gap();
            text.push(']');
            if !bare {
                text += &format!("{}}}", gap());
            }
            text += &gap();
            (text, n)
        })
    })
}

fn new_key() -> impl Strategy<Value = Key> {
    let models = prop_oneof![
        Just(ModelFilter::Any),
        prop::collection::vec("[a-z0-9.-]{1,12}".prop_map(|m| ModelId::new(&m)), 1..3)
            .prop_map(ModelFilter::Listed),
    ];
    let tags = prop::collection::btree_map("[a-zü\"\\\\]{1,4}", "[a-z \"\\\\\n]{0,4}", 0..3);
    let limit = || prop::option::of(1_u64..1_000_000);
    (models, tags, limit(), limit(), 0_u32..1000, any::<bool>()).prop_map(
        |(models, tags, rpm, rpd, priority, project)| Key {
            models,
            tags,
            limits: crate::Limits { rpm, rpd, ..Default::default() },
            priority,
            project: Project::new(if project { "a \"project\"" } else { "new" }),
            project_given: project,
            ..key("new")
        },
    )
}

/// Whether `old` is `new` with parts left out.
fn is_kept(old: &str, new: &str) -> bool {
    let mut left = new.bytes();
    old.bytes().all(|byte| left.any(|other| other == byte))
}

proptest! {
    #[test]
    fn nothing_changes_but_for_the_new_key((text, n) in file(), new in new_key()) {
        let old = KeySet::parse("keys.json", &text);
        prop_assume!(old.is_ok());
        let old = old.expect("assumed").set;
        let Added { text: after, parsed } = add("keys.json", &text, &new).expect("added");
        prop_assert_eq!(&parsed.set.keys[..n], &old.keys[..]);
        prop_assert_eq!(&parsed.set.keys[n..], std::slice::from_ref(&new));
        prop_assert_eq!(&parsed.set.config, &old.config);
        prop_assert!(is_kept(&text, &after), "{}", after);
        // One key and at most one comma: everything before and behind stays as it stands.
        let head = text.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
        let tail = text.bytes().rev().zip(after.bytes().rev()).take_while(|(a, b)| a == b).count();
        let middle = &text[head..(text.len() - tail.min(text.len() - head))];
        prop_assert!(!middle.contains("key_id"), "{:?} in {:?}", middle, text);
    }
}
