//! The worked examples of docs/proxy.md, executed on examples/routes.yaml: each line of the table is
//! a request, the route that it takes, and the version.

use std::path::Path;

use crate::support::{self, verb};
use serde_json::Value;

const PAGE: &str = include_str!("../../docs/proxy.md");

/// The texts between back quotes.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_worked_examples_of_routes_take_the_routes_that_the_page_says() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/routes.yaml");
    let mut asked = 0;
    for (number, line) in (1..).zip(PAGE.lines()) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [request, route, version, _] = cells[..] else {
            continue;
        };
        let request = request.trim_start_matches("| ");
        let Some((method, target)) = quoted(request).first().and_then(|r| r.split_once(' ')) else {
            continue;
        };
        asked += 1;
        let client = request
            .split_once(" from ")
            .map_or("198.51.100.1", |(_, ip)| ip);
        let config = example.to_str().unwrap();
        let mut args = vec!["explain", "http", target, "-X", method, "-o", "json"];
        args.extend(["--client", client, "-c", config]);
        args.extend(quoted(request)[1..].iter().flat_map(|field| ["-H", field]));
        let output = verb(&args);
        assert!(
            output.status.success(),
            "line {number}: {}",
            support::stderr(&output)
        );
        let trace: Value = serde_json::from_str(&support::stdout(&output)).unwrap();
        assert_eq!(
            trace["route"].as_str(),
            quoted(route).first().copied(),
            "line {number}"
        );
        match version {
            "by the app's split" => assert!(trace["version"].is_string(), "line {number}"),
            version => {
                let wanted = quoted(version).first().copied();
                assert_eq!(trace["version"].as_str(), wanted, "line {number}");
            }
        }
    }
    assert!(asked >= 14, "only {asked} lines were found");
}
