//! The catalogue is complete: every code has a whole page, every page has a code.

use super::*;
use std::collections::BTreeSet;

#[test]
fn every_code_has_a_page_with_all_four_sections() {
    for code in Code::ALL {
        let page = code.page();
        for (name, text) in [
            ("Meaning", page.meaning),
            ("Cause", page.cause),
            ("What to do", page.what_to_do),
            ("Example", page.example),
        ] {
            assert!(
                text.len() > 10,
                "{code}: section {name} is missing or empty"
            );
        }
        assert!(
            code.source().starts_with(&format!("# {code}\n")),
            "{code}: the page must open with its code as heading"
        );
    }
}

#[test]
fn every_page_in_the_folder_belongs_to_a_code() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/error/codes");
    let pages: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let codes: BTreeSet<String> = Code::ALL.iter().map(|code| format!("{code}.md")).collect();
    assert_eq!(pages, codes);
}

#[test]
fn a_code_is_read_back_from_its_name_in_any_case() {
    for code in Code::ALL {
        assert_eq!(Code::parse(code.as_str()), Some(*code));
        assert_eq!(Code::parse(&code.as_str().to_lowercase()), Some(*code));
        assert!(
            code.as_str().chars().all(|c| c.is_ascii_alphanumeric()),
            "{code} is PascalCase"
        );
    }
    assert_eq!(
        "NoSuchCode".parse::<Code>(),
        Err(UnknownCode("NoSuchCode".to_owned()))
    );
}

#[test]
fn codes_are_listed_once_and_in_alphabetical_order() {
    let names: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(names, sorted);
}

#[test]
fn a_problem_survives_json_and_an_unknown_code_does_not_break_reading() {
    let problem = Problem::new(Code::ResourceNotFound, "vault v1 is not there")
        .at("vaultName")
        .with_details(vec![Problem::new(Code::InvalidRequestContent, "x")]);
    let text = serde_json::to_string(&problem).unwrap();
    assert_eq!(serde_json::from_str::<Problem>(&text).unwrap(), problem);
    let newer: Problem = serde_json::from_str(r#"{"code":"FromTheFuture","message":"m"}"#).unwrap();
    assert_eq!(newer.code, Code::InternalServerError);
}

#[test]
fn the_catalogue_by_class_is_what_people_have_read() {
    let mut lines: Vec<String> = Code::ALL
        .iter()
        .map(|code| format!("{:<9} {code}", code.class().to_string()))
        .collect();
    lines.sort();
    insta::assert_snapshot!(lines.join("\n"));
}
