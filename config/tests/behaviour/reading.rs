//! What is written means what people mean, and what is not written has its default.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use windrose_config::{
    GeoSource, Listeners, Loaded, NodeConfig, Report, load, load_text, schema, summary,
};
use windrose_model::{
    DnsName, Name, Percent, RData, RDataRef, RecordType, Revision, Step, WhenAllDown,
};

const APP: &str = "
schema: 1
regions: {eu: {lat: 50.1, lon: 8.7}}
clusters: {a: {region: eu, addresses: [192.0.2.1]}, b: {region: eu, addresses: [192.0.2.2]}}
zones: {example.com: {soa: {mname: ns1, rname: me}, records: [{name: '@', type: NS, value: ns1}]}}
apps:
  shop:
    hosts: [shop.example.com]
    versions: {v1: {endpoints: {a: ['192.0.2.1:80'], b: ['192.0.2.2:80']}}}
";

fn read(text: &str) -> Loaded {
    load_text("text", text, Revision(1), None).unwrap_or_else(|report| panic!("{report}"))
}

/// The app above with more keys.
fn app(keys: &str) -> windrose_model::App {
    let loaded = read(&format!("{APP}    {}\n", keys.replace('\n', "\n    ")));
    (*loaded.model.apps()[0].1).clone()
}

fn codes(report: &Report) -> Vec<&'static str> {
    report.diagnostics.iter().map(|d| d.code).collect()
}

#[test]
fn a_document_of_its_number_alone_is_a_node_with_defaults() {
    let loaded = read("schema: 1");
    assert_eq!(loaded.node, NodeConfig::new(Name::new("n1").unwrap()));
    assert_eq!(
        loaded.node.listeners.dns,
        ["127.0.0.1:5353".parse().unwrap()]
    );
    assert_eq!(
        loaded.node.listeners.admin,
        Some("127.0.0.1:9900".parse().unwrap())
    );
    assert_eq!(loaded.data.geo, GeoSource::Builtin);
    assert_eq!(summary(&loaded), "ok: 0 apps, 0 clusters, 0 zones");
}

#[test]
fn an_empty_text_lacks_its_number() {
    for text in ["", "\n# nothing\n", "{}", "---\n...\n"] {
        let report = load_text("text", text, Revision(1), None).unwrap_err();
        assert_eq!(codes(&report), ["missing-schema"], "{text:?}");
    }
}

#[test]
fn listeners_are_exactly_what_is_written() {
    let listeners = read("{schema: 1, listeners: {dns: ['[::1]:53']}}")
        .node
        .listeners;
    let expected = Listeners {
        dns: vec!["[::1]:53".parse().unwrap()],
        http: vec![],
        https: vec![],
        tcp: [].into(),
        admin: None,
    };
    assert_eq!(listeners, expected);
}

#[test]
fn a_key_without_a_value_is_an_empty_collection() {
    let loaded = read("schema: 1\napps:\nzones:\nclusters:\nnode:\nlisteners:\nsafety:\n");
    assert_eq!(loaded.node.listeners, Listeners::default());
    assert!(app("steering:\nroutes:\nhealth:").steering.is_empty());
}

#[test]
fn country_keys_and_names_keep_the_text_they_were_written_with() {
    let app = app("steering: [{geo: {countries: {NO: [a]}}}]");
    let Step::Geo(rules) = &app.steering[0] else {
        panic!()
    };
    assert_eq!(
        rules
            .countries
            .keys()
            .map(|c| c.as_str())
            .collect::<Vec<_>>(),
        ["NO"]
    );
    let loaded = read(&APP.replace("v1:", "1.10:").replace("{a:", "{on:"));
    assert!(loaded.model.cluster_id("on").is_some());
    assert_eq!(
        loaded.model.apps()[0]
            .1
            .versions
            .keys()
            .next()
            .unwrap()
            .as_str(),
        "1.10"
    );
}

#[test]
fn one_ttl_holds_for_both_bounds() {
    let ttl = app("ttl: 5s").ttl;
    assert_eq!((ttl.min.seconds(), ttl.max.seconds()), (5, 5));
    let ttl = app("ttl: {max: 2m}").ttl;
    assert_eq!((ttl.min.seconds(), ttl.max.seconds()), (30, 120));
}

#[test]
fn one_version_needs_no_split() {
    let app = app("answers: 2");
    assert_eq!(app.split.0.len(), 1);
    assert_eq!(app.answers, 2);
}

#[test]
fn a_preference_holds_clusters_and_lists_of_equals() {
    let names = |groups: &[Vec<Name>]| groups.iter().map(Vec::len).collect::<Vec<_>>();
    let app =
        app("steering: [{failover: [[a, b]]}, {failover: [b, a]}, {nearest: {bias: {b: -99}}}]");
    let [
        Step::Failover(equals),
        Step::Failover(order),
        Step::Nearest(bias),
    ] = &app.steering[..]
    else {
        panic!("{:?}", app.steering)
    };
    assert_eq!((names(equals), names(order)), (vec![2], vec![1, 1]));
    let bent: Vec<_> = bias.values().map(|bias| bias.points()).collect();
    assert_eq!(bent, [-99]);
}

#[test]
fn units_are_read() {
    let app = app(
        "min_up_fraction: 0.25\ntrickle: 2.5\nretry: {budget: 12.5}\nfailback: {hold_down: 1m30s}\nwhen_all_down: {fallback: b}",
    );
    assert_eq!(app.min_up_fraction, Percent::new(25.0).unwrap());
    assert_eq!(app.trickle, Percent::new(2.5).unwrap());
    assert_eq!(app.retry_budget.share, Percent::new(12.5).unwrap());
    assert_eq!(app.failback.hold_down, Duration::from_secs(90));
    assert_eq!(
        app.when_all_down,
        WhenAllDown::Fallback(Name::new("b").unwrap())
    );
}

#[test]
fn records_of_one_name_and_type_are_one_set() {
    let long = "x".repeat(300);
    let text = format!(
        "schema: 1
zones:
  example.com:
    soa: {{mname: ns1, rname: hostmaster@example.net, serial: 7}}
    records:
      - {{name: '@', type: NS, values: [ns1, ns2.example.net.]}}
      - {{name: www, type: A, value: 192.0.2.1}}
      - {{name: www, type: A, value: 192.0.2.2}}
      - {{name: '*.w', type: MX, value: 10 mail}}
      - {{name: '@', type: TXT, value: {long}}}
"
    );
    let loaded = read(&text);
    let (apex, zone) = &loaded.model.zones()[0];
    assert_eq!(apex.to_string(), "example.com");
    assert_eq!(zone.soa.rname.to_string(), "hostmaster.example.net");
    let data = |name: &str, rtype| {
        let set = zone.records.get(&name.parse().unwrap(), rtype).unwrap();
        assert_eq!(set.ttl().seconds(), 300);
        set.data().map(RDataRef::to_owned).collect::<Vec<_>>()
    };
    let name = |text: &str| text.parse::<DnsName>().unwrap();
    assert_eq!(
        data("example.com", RecordType::NS),
        [
            RData::ns(&name("ns1.example.com")),
            RData::ns(&name("ns2.example.net"))
        ]
    );
    assert_eq!(data("www.example.com", RecordType::A).len(), 2);
    assert_eq!(
        data("*.w.example.com", RecordType::MX),
        [RData::mx(10, &name("mail.example.com"))]
    );
    let strings = ["x".repeat(255), "x".repeat(45)];
    assert_eq!(
        data("example.com", RecordType::TXT),
        [RData::txt(&strings).unwrap()]
    );
}

#[test]
fn an_alias_stands_for_a_whole_value() {
    let text = "schema: 1\nregions:\n  eu: &eu {lat: 1, lon: 2}\n  us: *eu\n";
    assert_eq!(read(text).model.regions().len(), 2);
}

#[test]
fn unchanged_objects_are_kept_from_the_model_before() {
    let before = read(APP);
    let changed = APP.replace(
        "region: eu, addresses: [192.0.2.2]",
        "region: eu, addresses: [192.0.2.3]",
    );
    let after = load_text("text", &changed, Revision(2), Some(&before.model)).unwrap();
    let (old, new) = (&before.model, &after.model);
    assert!(Arc::ptr_eq(&old.apps()[0].1, &new.apps()[0].1));
    assert!(Arc::ptr_eq(&old.clusters()[0].1, &new.clusters()[0].1));
    assert_eq!(
        new.clusters()[1].1.addresses,
        ["192.0.2.3".parse::<IpAddr>().unwrap()]
    );
    assert_eq!(new.revision(), Revision(2));
}

#[test]
fn a_directory_is_read_in_byte_order_and_merged() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let parts: Vec<_> = APP.split("zones:").collect();
    write("20.yaml", &format!("schema: 1\nzones:{}", parts[1]));
    write("10.yaml", parts[0]);
    write("30.yml", "not read: [");
    write(".hidden.yaml", "not read: [");
    write(
        "40.yaml",
        "schema: 1\nnode: {data_dir: ./here}\ndata: {geo: ./10.yaml}\napps:\n",
    );
    let loaded = load(folder.path(), Revision(1), None).unwrap_or_else(|r| panic!("{r}"));
    assert_eq!(summary(&loaded), "ok: 1 app, 2 clusters, 1 zone");
    assert_eq!(
        loaded.data.geo,
        GeoSource::File(folder.path().join("10.yaml"))
    );
    assert_eq!(loaded.node.data_dir, Path::new("./here"));
    let files: Vec<_> = loaded
        .sources
        .names()
        .map(|n| n.rsplit('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(files, ["10.yaml", "20.yaml", "40.yaml"]);
}

#[test]
fn what_cannot_be_read_is_told_about_the_file_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: &Path| load(path, Revision(1), None).unwrap_err();
    assert_eq!(codes(&refused(folder.path())), ["no-files"]);
    let report = refused(&folder.path().join("missing.yaml"));
    assert_eq!(codes(&report), ["unreadable-file"]);
    assert_eq!(
        report.to_json()["diagnostics"][0]["line"],
        serde_json::Value::Null
    );
    let octets = folder.path().join("octets.yaml");
    std::fs::write(&octets, b"schema: 1\nx: \xff\n").unwrap();
    let report = refused(&octets);
    assert_eq!(codes(&report), ["not-utf8"]);
    assert_eq!(
        (report.diagnostics[0].line, report.diagnostics[0].column),
        (2, 4)
    );
}

#[test]
fn a_report_is_one_json_object() {
    let report = load_text("a.yaml", "schema: 1\napp: {}\n", Revision(1), None).unwrap_err();
    let expected = serde_json::json!({
        "schema": 1, "ok": false, "more": 0,
        "diagnostics": [{
            "severity": "error", "code": "unknown-key", "file": "a.yaml", "line": 2, "column": 1,
            "message": "a configuration has no key `app`", "help": "did you mean `apps`?",
        }],
    });
    assert_eq!(report.to_json(), expected);
    assert_eq!(schema()["properties"]["schema"]["type"], "integer");
}

#[test]
fn columns_count_characters_and_long_lines_are_shown_in_part() {
    let text = format!(
        "schema: 1\nnode: {{name: n1, x{}: é, ñandú: 1}}\n",
        "x".repeat(500)
    );
    let report = load_text("text", &text, Revision(1), None).unwrap_err();
    let last = report.diagnostics.last().unwrap();
    assert_eq!((last.line, last.column), (2, 524));
    let shown = report.to_string();
    let lines: Vec<_> = shown.lines().collect();
    let marked = lines.iter().rposition(|l| l.contains('^')).unwrap();
    let at = lines[marked].chars().position(|c| c == '^').unwrap();
    let under: String = lines[marked - 1].chars().skip(at).take(5).collect();
    assert_eq!(
        (under.as_str(), lines[marked].matches('^').count()),
        ("ñandú", 5)
    );
    assert!(
        lines
            .iter()
            // What is said is not the text that is shown.
            .all(|l| l.chars().count() < 130 || l.starts_with("error") || l.contains("= help"))
    );
}

#[test]
fn the_app_of_steered_hints_is_that_of_the_name_they_are_addresses_of() {
    let text = |hints: &str| {
        format!(
            "{{schema: 1, clusters: {{eu: {{region: r, addresses: [192.0.2.1]}}}},\
             regions: {{r: {{lat: 50, lon: 8}}}}, apps: {{\
             cdn: {{hosts: ['*.cdn.example.com'], versions: {{v: {{endpoints: {{eu: ['10.0.0.1:80']}}}}}}}},\
             shop: {{hosts: [shop.example.com], versions: {{v: {{endpoints: {{eu: ['10.0.0.2:80']}}}}}}}}}},\
             zones: {{example.com: {{soa: {{mname: ns, rname: me}}, records: [\
             {{name: '@', type: NS, value: ns.example.net.}}, {hints}]}}}}}}"
        )
    };
    for (hints, app) in [
        (
            "{name: shop, type: HTTPS, value: 1 ., hints: steered}",
            "shop",
        ),
        (
            "{name: shop, type: HTTPS, value: 1 a.cdn, hints: steered}",
            "cdn",
        ),
        (
            "{name: other, type: SVCB, value: 1 shop, hints: steered}",
            "shop",
        ),
    ] {
        let loaded = read(&text(hints));
        assert_eq!(loaded.model.steered()[0].1.app.as_str(), app, "{hints}");
    }
    let hints = "{name: shop, type: HTTPS, value: 1 x.example.net., hints: steered}";
    let report = load_text("text", &text(hints), Revision(1), None).unwrap_err();
    assert_eq!(codes(&report), ["steered-without-app"]);
}

#[test]
fn in_a_large_mapping_a_key_is_found_by_what_it_means() {
    let zones: String = (0..50)
        .map(|n| format!("  Z{n}.Example.: {{soa: {{mname: ns, rname: me}}}}\n"))
        .collect();
    let text = format!("schema: 1\nzones:\n{zones}");
    let report = load_text("text", &text, Revision(1), None).unwrap_err();
    let places: Vec<_> = report
        .diagnostics
        .iter()
        .map(|d| (d.code, d.line))
        .collect();
    let expected: Vec<_> = (3..53).map(|line| ("zone-without-ns", line)).collect();
    assert_eq!(places, expected);
}

#[test]
fn of_many_unknown_names_in_a_matrix_as_many_are_told_as_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let lines: String = (0..300).map(|n| format!("r{n},c{n},5\n")).collect();
    std::fs::write(
        folder.path().join("m.csv"),
        format!("from,to,rtt_ms\n{lines}"),
    )
    .unwrap();
    let yaml = folder.path().join("w.yaml");
    std::fs::write(&yaml, "{schema: 1, data: {latency: m.csv}}").unwrap();
    let loaded = load(&yaml, Revision(1), None).unwrap();
    assert_eq!(loaded.warnings.len(), 100);
    assert_eq!(loaded.latency.pairs().count(), 300, "all are read");
}
