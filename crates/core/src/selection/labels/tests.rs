//! Label selectors: what parses, what it means, and that it never panics.

use super::*;
use proptest::prelude::*;

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

#[test]
fn every_form_of_kubectl_means_what_it_means_there() {
    let prod = labels(&[("env", "prod"), ("tier", "db"), ("n", "7")]);
    let table: &[(&str, bool)] = &[
        ("", true),
        ("env=prod", true),
        ("env==prod", true),
        (" env = prod ", true),
        ("env=dev", false),
        ("env!=prod", false),
        ("env!=dev", true),
        ("absent!=x", true),
        ("absent=", false),
        ("env", true),
        ("absent", false),
        ("!absent", true),
        ("! absent", true),
        ("!env", false),
        ("env in (prod,dev)", true),
        ("env in (dev)", false),
        ("env in ( prod )", true),
        ("env notin (dev)", true),
        ("absent notin (dev)", true),
        ("env notin (prod)", false),
        ("n>6", true),
        ("n > 7", false),
        ("n<8", true),
        ("env>1", false),
        ("env=prod,tier!=web", true),
        ("env=prod;tier!=web", true),
        ("env=prod;tier=web", false),
        ("env=prod; tier in (db, web),!absent", true),
        ("env=prod;", true),
        ("in in (x)", false),
        ("app.kubernetes.io/name!=x", true),
    ];
    for (text, matches) in table {
        let selector: LabelSelector = text.parse().unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(selector.matches(&prod), *matches, "{text}");
    }
}

#[test]
fn an_empty_value_asks_for_the_empty_string() {
    let selector: LabelSelector = "flag=".parse().unwrap();
    assert!(selector.matches(&labels(&[("flag", "")])));
    assert!(!selector.matches(&labels(&[("flag", "x")])));
}

#[test]
fn what_does_not_parse_is_refused_with_the_place() {
    let bad = [
        "env=prod;tier!",
        "=x",
        "env=a b",
        "env in prod",
        "env in (prod",
        "env within (a)",
        "!env=x",
        "-a=b",
        "a/b/c=d",
        "/a=b",
        "Prefix/x=y",
        "a=b,,c=d",
        "a=-b",
        "a>x",
        "a=b)",
        "ключ=1",
        &format!("{}=x", "k".repeat(64)),
        &format!("k={}", "v".repeat(64)),
    ];
    let lines: Vec<String> = bad
        .iter()
        .map(|text| text.parse::<LabelSelector>().expect_err(text).to_string())
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

/// The cases of `TestSelectorParse`, `TestSetSelectorParser` and `TestParserLookahead` in
/// `k8s.io/apimachinery/pkg/labels/selector_test.go` at v0.36.
#[test]
fn what_the_api_servers_own_parser_accepts_is_accepted_and_what_it_refuses_is_refused() {
    let good = [
        "x=a,y=b,z=c",
        "",
        "x!=a,y=b",
        "x=",
        "x= ",
        "x=,z= ",
        "x= ,z= ",
        "!x",
        "x>1",
        "x>1,z<5",
        "\rx",
        "this-is-a-dns.domain.com/key-with-dash",
        "notin=in",
        "this-is-another-dns.domain.com/key-with-dash in (so,what)",
        "0.1.2.domain/99 notin (10.10.100.1, tick.tack.clock)",
        "foo  in\t (abc)",
        "x notin\n (abc)",
        "x  notin\t\t(abc,def)",
        "x in (abc,)",
        "x in (abc,abc)",
        "x in ()",
        "x in (a,,)",
        "x in (a,,,,,,)",
        "x in (a,,a,,a,,a,,)",
        "x notin (abc,,def),bar,z in (),w",
        "x,y in (a)",
        "x=a,y!=b,z in (h,i,j)",
        "x notin ( )",
        "x notin (, a)",
        "a ",
        "a in (x,y,notin, z,in)",
        "key in ( value1, value2 )",
    ];
    for text in good {
        assert!(text.parse::<LabelSelector>().is_ok(), "{text:?}");
    }
    let bad = [
        "x=a||y=b",
        "x==a==b",
        "!x=a",
        "x<a",
        "x,,y",
        ",x,y",
        "x nott in (y)",
        "a in (xyz),",
        "a in (xyz)b notin ()",
        "a in (xyz abc)",
        "a notin(",
        "a (",
        "(",
        "()",
        "== != (), = notin",
        "x>-1",
        "x>+1",
        "a..b/x=y",
        "a.-b/x",
        "x exists",
        "x = = a",
        "~",
        "x;,y",
    ];
    for text in bad {
        assert!(text.parse::<LabelSelector>().is_err(), "{text:?}");
    }
}

/// The cases of `TestSelectorMatches` and `TestSetSelector` in the same file.
#[test]
fn a_selector_matches_what_it_matches_in_the_api_server() {
    type Case = (&'static str, &'static [(&'static str, &'static str)], bool);
    let table: &[Case] = &[
        ("x!=y,z!=w", &[("x", "z"), ("z", "a")], true),
        ("x!=y,z!=w", &[("x", "z"), ("z", "w")], false),
        ("x=y,z=w", &[("x", "w"), ("z", "w")], false),
        ("notin=in", &[("notin", "in")], true),
        (
            "foo=bar,foobar=bar,baz=blah",
            &[("foo", "bar"), ("baz", "blah")],
            false,
        ),
        ("x in (a,)", &[("x", "")], true),
        ("x in ()", &[("y", "baz")], false),
        ("x notin (),y", &[("y", "")], true),
        ("x notin (),!y", &[("y", "")], false),
        ("z>1", &[("z", "2")], true),
        ("z>1", &[("z", "v2")], false),
        ("z<1", &[], false),
    ];
    for (text, have, matches) in table {
        let selector: LabelSelector = text.parse().unwrap();
        assert_eq!(selector.matches(&labels(have)), *matches, "{text}");
    }
}

#[test]
fn keys_and_values_at_their_limits_are_accepted() {
    let text = format!(
        "{}.x/{}={}",
        "p".repeat(251),
        "k".repeat(63),
        "v".repeat(63)
    );
    assert!(text.parse::<LabelSelector>().is_ok());
}

fn requirement() -> impl Strategy<Value = Requirement> {
    let key = "[a-z][a-z0-9]{0,8}";
    let values = prop::collection::btree_set("[a-z0-9]{1,6}", 1..4);
    prop_oneof![
        key.prop_map(Requirement::Exists),
        key.prop_map(Requirement::Absent),
        (key, values.clone()).prop_map(|(k, v)| Requirement::In(k, v)),
        (key, values).prop_map(|(k, v)| Requirement::NotIn(k, v)),
        (key, 0..=i64::MAX).prop_map(|(k, n)| Requirement::GreaterThan(k, n)),
        (key, 0..=i64::MAX).prop_map(|(k, n)| Requirement::LessThan(k, n)),
    ]
}

proptest! {
    #[test]
    fn parsing_never_panics(text in "[a-z!=<>(),; /.-]{0,40}|\\PC{0,40}") {
        let _ = text.parse::<LabelSelector>();
    }

    #[test]
    fn a_selector_reads_back_from_its_canonical_form(requirements in prop::collection::vec(requirement(), 0..5)) {
        let selector = LabelSelector { requirements };
        prop_assert_eq!(selector.to_string().parse::<LabelSelector>().unwrap(), selector);
    }

    #[test]
    fn a_list_matches_exactly_when_every_part_of_it_does(
        parts in prop::collection::vec(requirement(), 0..4),
        have in prop::collection::btree_map("[a-z][a-z0-9]{0,2}", "[a-z0-9]{1,2}", 0..6),
    ) {
        let each = parts.iter().all(|part| part.matches(&have));
        prop_assert_eq!(LabelSelector { requirements: parts }.matches(&have), each);
    }

    #[test]
    fn a_requirement_and_its_opposite_never_agree(key in "[a-c]", value in "[xy]", have in prop::collection::btree_map("[a-c]", "[xy]", 0..3)) {
        let is: LabelSelector = format!("{key}={value}").parse().unwrap();
        let is_not: LabelSelector = format!("{key}!={value}").parse().unwrap();
        prop_assert_ne!(is.matches(&have), is_not.matches(&have));
    }
}
