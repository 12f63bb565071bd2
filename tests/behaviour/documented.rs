//! The worked examples of docs/steering.md, executed: what the page says is answered, is answered.
//!
//! A table whose first column is `client` and that has a column `answer` belongs to the YAML block, or
//! to the example file, that the page names last. A block has keys of one app, which lives in the
//! clusters that the block names. An answer lists clusters in the order in which they are answered
//! while those before them are down; "or" joins equals. A scope that is no number is not compared.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::{self, verb};
use serde_json::Value;

const PAGE: &str = include_str!("../../docs/steering.md");

/// Region and place of the clusters that examples speak of.
const CLUSTERS: [(&str, &str); 7] = [
    ("frankfurt", "{lat: 50.1, lon: 8.7, country: DE}"),
    ("virginia", "{lat: 38.9, lon: -77.4, country: US}"),
    ("oregon", "{lat: 45.8, lon: -119.7, country: US}"),
    ("singapore", "{lat: 1.35, lon: 103.8, country: SG}"),
    ("a", "{lat: 50.1, lon: 8.7, country: DE}"),
    ("b", "{lat: 50.1, lon: 8.7, country: DE}"),
    ("c", "{lat: 50.1, lon: 8.7, country: DE}"),
];

/// One line of a table, and where it is asked.
struct Claim {
    line: usize,
    config: PathBuf,
    client: String,
    /// Equals, then those behind them.
    answer: Vec<BTreeSet<String>>,
    scope: Option<u64>,
}

/// A configuration around the keys of an app.
fn around(keys: &str) -> String {
    let words: BTreeSet<&str> = keys.split(|c: char| !c.is_alphanumeric()).collect();
    let named = || CLUSTERS.iter().filter(|(name, _)| words.contains(name));
    let regions = named().map(|(name, place)| format!("  at-{name}: {place}\n"));
    let regions: String = regions.collect();
    let clusters = named().enumerate().map(|(at, (name, _))| {
        format!("  {name}: {{region: at-{name}, addresses: [192.0.2.{at}]}}\n")
    });
    let clusters: String = clusters.collect();
    let endpoints =
        (named().enumerate()).map(|(at, (name, _))| format!("{name}: [\"192.0.2.{at}:80\"], "));
    let endpoints: String = endpoints.collect();
    // Reading the database is most of what an answer costs here.
    let by_place = ["countries", "continents", "nearest"];
    let geo = match by_place.iter().any(|word| words.contains(word)) {
        true => "builtin",
        false => "none",
    };
    let keys: String = keys.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "schema: 1
data: {{geo: {geo}}}
regions:\n{regions}clusters:\n{clusters}apps:
  shop:
    hosts: [shop.example.com]
    versions: {{v1: {{endpoints: {{{endpoints}}}}}}}
{keys}zones:
  example.com:
    soa: {{mname: ns1, rname: hostmaster}}
    records: [{{name: \"@\", type: NS, value: ns1}}, {{name: ns1, type: A, value: 192.0.2.53}}]
"
    )
}

fn cells(line: &str) -> Vec<&str> {
    let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
    inner.split('|').map(str::trim).collect()
}

fn claims(folder: &Path) -> Vec<Claim> {
    let (mut claims, mut config) = (Vec::new(), None);
    let mut lines = (1..).zip(PAGE.lines()).peekable();
    while let Some((number, line)) = lines.next() {
        if line == "```yaml" {
            let block: Vec<&str> = (lines.by_ref().map(|(_, line)| line))
                .take_while(|line| *line != "```")
                .collect();
            let block = block.join("\n");
            if block.contains("steering:") && !block.starts_with('-') {
                let file = folder.join(format!("line-{number}.yaml"));
                std::fs::write(&file, around(&block)).unwrap();
                config = Some(file);
            }
            continue;
        }
        if let Some((_, link)) = line.rsplit_once("](../examples/")
            && let Some((name, _)) = link.split_once(')')
        {
            let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
            config = Some(examples.join(name));
        }
        let head = cells(line);
        let column = |name: &str| head.iter().position(|cell| *cell == name);
        let Some(answer) = column("answer").filter(|_| line.starts_with("| client")) else {
            continue;
        };
        let scope = column("scope");
        lines.next();
        while let Some((line, row)) = lines.next_if(|(_, line)| line.starts_with('|')) {
            let row = cells(row);
            let equals = |text: &str| {
                text.split(" or ")
                    .map(|name| name.trim().to_owned())
                    .collect()
            };
            claims.push(Claim {
                line,
                config: config.clone().expect("an example before the table"),
                client: row[0].split(' ').next().unwrap().to_owned(),
                answer: row[answer].split(", then ").map(equals).collect(),
                scope: scope.and_then(|at| row[at].strip_prefix('/')?.parse().ok()),
            });
        }
    }
    claims
}

/// Who leads the answer, and its scope, while these are down.
fn ask(claim: &Claim, down: &[String]) -> (Option<String>, u64) {
    let config = claim.config.to_str().unwrap();
    let mut args = vec!["explain", "dns", "shop.example.com", "-o", "json"];
    args.extend(["--client", &claim.client, "-c", config]);
    args.extend(down.iter().flat_map(|name| ["--down", name]));
    let output = verb(&args);
    let said = support::stdout(&output);
    let told = support::stderr(&output);
    assert!(output.status.success(), "line {}: {told}", claim.line);
    let trace: Value = serde_json::from_str(&said).unwrap();
    let lead = trace["clusters"][0].as_str().map(str::to_owned);
    (lead, trace["scope_prefix"].as_u64().unwrap())
}

#[test]
fn the_worked_examples_of_steering_answer_what_the_page_says() {
    let folder = tempfile::tempdir().unwrap();
    let claims = claims(folder.path());
    assert!(claims.len() >= 20, "only {} lines were found", claims.len());
    for claim in claims {
        let at = format!("docs/steering.md line {}, {}", claim.line, claim.client);
        let mut down = Vec::new();
        for equals in &claim.answer {
            let mut left = equals.clone();
            while !left.is_empty() {
                let (lead, scope) = ask(&claim, &down);
                let lead = lead.expect("an answer");
                assert!(left.remove(&lead), "{at}: {lead} instead of {left:?}");
                if let Some(wanted) = claim.scope {
                    assert_eq!(scope, wanted, "{at}: the scope, whatever is down");
                }
                down.push(lead);
            }
        }
    }
}
