//! No text panics, and every diagnostic points into the text.

use proptest::prelude::*;
use windrose_config::load_text;
use windrose_model::Revision;

const QUICKSTART: &str = include_str!("../../../examples/quickstart.yaml");
const FULL: &str = include_str!("../full.yaml");

/// Reads a text and shows whatever is said about it.
fn read(text: &str) {
    let lines = text.matches('\n').count() + 1;
    let report = match load_text("text", text, Revision(1), None) {
        Ok(loaded) => loaded.warning_report(),
        Err(report) => {
            assert!(!report.diagnostics.is_empty());
            report
        }
    };
    assert!(report.diagnostics.len() <= 100);
    for diagnostic in &report.diagnostics {
        assert!((1..=lines).contains(&diagnostic.line), "{diagnostic:?}");
        assert!(
            diagnostic.column >= 1 && diagnostic.span.end <= text.len(),
            "{diagnostic:?}"
        );
    }
    let _ = (report.to_string(), report.to_json());
}

#[derive(Debug, Clone)]
enum Change {
    Cut(usize, usize),
    Insert(usize, &'static str),
    Move(usize, usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let bits = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ": ",
        "- ",
        "\n",
        "  ",
        "\t",
        "\"",
        "'",
        "#",
        "&a ",
        "*a",
        "<<: ",
        "!!str ",
        "!x ",
        "|\n",
        ">",
        "? ",
        "~",
        "null",
        "\u{0}",
        "\u{feff}",
        "é",
        "日本",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "0",
        "-1",
        "99999999999999999999",
        "1e400",
        ".inf",
        "100%",
        "*",
        "@",
        "..",
        "\r\n",
        "\u{85}",
        "\u{2028}",
        "apps:\n",
        "x: {y: z}\n",
    ]);
    prop_oneof![
        (any::<usize>(), 1_usize..40).prop_map(|(at, n)| Change::Cut(at, n)),
        (any::<usize>(), bits).prop_map(|(at, bit)| Change::Insert(at, bit)),
        (any::<usize>(), any::<usize>(), 1_usize..40).prop_map(|(a, b, n)| Change::Move(a, b, n)),
    ]
}

fn apply(text: &str, changes: &[Change]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for change in changes {
        let length = chars.len().max(1);
        match *change {
            Change::Cut(at, n) => {
                let at = at % length;
                chars.drain(at.min(chars.len())..(at + n).min(chars.len()));
            }
            Change::Insert(at, bit) => {
                let at = (at % length).min(chars.len());
                chars.splice(at..at, bit.chars());
            }
            Change::Move(from, to, n) => {
                let from = (from % length).min(chars.len());
                let part: Vec<_> = chars.drain(from..(from + n).min(chars.len())).collect();
                let to = to % (chars.len() + 1);
                chars.splice(to..to, part);
            }
        }
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn changed_documents_never_panic(changes in prop::collection::vec(change(), 1..6), full: bool) {
        read(&apply(if full { FULL } else { QUICKSTART }, &changes));
    }

    #[test]
    fn noise_never_panics(text in "\\PC{0,200}") {
        read(&text);
        read(&format!("schema: 1\n{text}"));
    }
}

#[test]
fn deep_nesting_is_refused() {
    for text in [
        format!(
            "schema: 1\napps: {}{}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        ),
        format!("schema: 1\napps: {}", "{a: ".repeat(100_000)),
        format!("schema: 1\napps:\n  {}x", "- ".repeat(100_000)),
        (1..100_000).fold("schema: 1\na0: &a0 [x]\n".to_owned(), |mut text, i| {
            text.push_str(&format!("a{i}: &a{i} [*a{}]\n", i - 1));
            text
        }),
    ] {
        let report = load_text("text", &text, Revision(1), None).unwrap_err();
        assert_eq!(report.diagnostics.len(), 1);
        let code = report.diagnostics[0].code;
        assert!(code == "document-too-deep" || code == "syntax", "{code}");
    }
}

#[test]
fn a_hundred_diagnostics_are_shown_and_the_rest_is_counted() {
    let text = (0..250).fold("schema: 1\n".to_owned(), |text, i| {
        text + &format!("bad{i}: 1\n")
    });
    let report = load_text("text", &text, Revision(1), None).unwrap_err();
    assert_eq!((report.diagnostics.len(), report.more), (100, 150));
    assert!(report.to_string().ends_with("\nand 150 more\n"));
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let text = "schema: 1\nnode: {name: \"a\\e[31m\"}\n\"\\e]0;x\": 1\n";
    let shown = load_text("te\u{1b}xt", text, Revision(1), None)
        .unwrap_err()
        .to_string();
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}

/// Whatever cannot be kept is refused; nothing is left out in silence.
#[test]
fn a_text_that_no_record_holds_is_refused_where_it_stands() {
    let soa = "soa: {mname: ns1, rname: hostmaster@example.com}";
    let long = "x".repeat(65_300);
    for value in [format!("value: {long}"), format!("values: [{long}, small]")] {
        let text = format!(
            "schema: 1\nzones:\n  example.com:\n    {soa}\n    records:\n      - {{name: t, type: TXT, {value}}}\n"
        );
        let report = load_text("text", &text, Revision(1), None).unwrap_err();
        let told = report.to_string();
        assert!(
            told.contains(
                "error[bad-record-value]: the data has 65557 octets, at most 65535 are allowed"
            ),
            "{}",
            &told[..told.len().min(2_000)]
        );
        assert_eq!(report.diagnostics[0].line, 6);
    }
}
