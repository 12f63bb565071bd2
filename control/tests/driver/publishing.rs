//! Tables, snapshots, journal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::{Instant, timeout};
use windrose_model::Verdict::{Down, Draining, Up};
use windrose_model::{AppId, EndpointId, Fact, PassiveKind, Percent, Probe, Report, Revision};

use crate::backend::{OK, answers, switched};
use crate::node::{Node, data, draft, entry, http, model, name};

#[tokio::test]
async fn a_cluster_that_dies_and_returns_is_published_and_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let on = Arc::new(AtomicBool::new(true));
    let backends = [switched(&on), answers(OK)];
    let model = model(draft(&[("web", http(), &backends)]), 1, None);
    let node = Node::start(model, Some(dir.path()));
    node.handle.first_round().await;
    let first = node.source.load().stamp();

    on.store(false, Relaxed);
    let snapshot = node.until(|s| entry(s, "web", 0).verdict == Down).await;
    let table = node.source.load();
    assert!(table.stamp() > first);
    assert!(!table.app(AppId(0)).endpoint_up(0));
    assert_eq!(snapshot.decisions.last().unwrap().to, Down);

    on.store(true, Relaxed);
    node.until(|s| entry(s, "web", 0).usable && entry(s, "web", 0).verdict == Up)
        .await;
    assert!(node.source.load().app(AppId(0)).endpoint_up(0));
    node.handle.stop();

    let journal = std::fs::read_to_string(dir.path().join("journal.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = journal
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let to: Vec<_> = lines
        .iter()
        .filter(|line| line["cluster"] == "c0")
        .map(|line| line["to"].as_str().unwrap())
        .collect();
    assert_eq!(to, ["up", "down", "up"]);
    let down = lines.iter().find(|line| line["to"] == "down").unwrap();
    assert_eq!(down["usable"], false);
    assert_eq!(
        down["cause"],
        "0 of 1 endpoints up, last failure: connection reset"
    );
    assert_eq!(
        down["stamp"],
        snapshot.decisions.last().unwrap().stamp.to_string()
    );
}

#[tokio::test]
async fn a_new_model_comes_into_force_and_keeps_what_is_known() {
    let backends = [answers(OK), answers(OK)];
    let mut wanted = draft(&[("web", http(), &backends)]);
    let first = model(wanted.clone(), 1, None);
    let node = Node::start(Arc::clone(&first), None);
    node.handle.first_round().await;
    wanted.clusters.get_mut("c0").unwrap().drain = true;
    for revision in 2..=5 {
        let dial = Percent::from_hundredths(u16::try_from(revision * 1_000).unwrap()).unwrap();
        wanted.clusters.get_mut("c1").unwrap().dial = dial;
        node.handle
            .apply(model(wanted.clone(), revision, Some(&first)), data());
    }
    node.handle.applied(Revision(5)).await;
    let snapshot = node.handle.snapshot();
    assert_eq!(entry(&snapshot, "web", 0).verdict, Draining);
    assert_eq!(entry(&snapshot, "web", 1).verdict, Up);
    assert_eq!(entry(&snapshot, "web", 1).share.hundredths(), 5_000);
    assert_eq!(node.source.load().stamp().revision, Revision(5));
    assert_eq!(snapshot.table.digest(), node.source.load().digest());
    assert!(snapshot.reload.ok);

    node.handle.reload_failed(String::from("line 7"));
    let snapshot = node.until(|s| !s.reload.ok).await;
    assert_eq!(snapshot.reload.error.as_deref(), Some("line 7"));
    assert_eq!(node.source.load().stamp().revision, Revision(5));
}

#[tokio::test]
async fn a_table_lives_as_long_as_somebody_holds_it() {
    let backends = [answers(OK), answers(OK)];
    let mut wanted = draft(&[("web", http(), &backends)]);
    let first = model(wanted.clone(), 1, None);
    let node = Node::start(Arc::clone(&first), None);
    node.handle.first_round().await;
    let held = node.source.load();
    wanted.clusters.get_mut("c0").unwrap().drain = true;
    node.handle.apply(model(wanted, 2, Some(&first)), data());
    node.handle.applied(Revision(2)).await;
    assert!(node.metrics.scalars.tables_alive.get() >= 2);
    drop(held);
    eventually(|| node.metrics.scalars.tables_alive.get() == 1).await;
}

#[tokio::test]
async fn reports_of_live_traffic_pull_probes_forward() {
    let on = Arc::new(AtomicBool::new(true));
    let mut wanted = draft(&[("web", http(), &[switched(&on), answers(OK)])]);
    let health = &mut wanted.apps.get_mut("web").unwrap().health;
    health.interval = Duration::from_secs(3_600);
    let node = Node::start(model(wanted, 1, None), None);
    node.handle.first_round().await;
    on.store(false, Relaxed);
    let index = 0;
    let report = Report {
        stamp: node.source.load().stamp(),
        fact: Fact::Passive(
            EndpointId {
                app: AppId(0),
                index,
            },
            PassiveKind::Reset,
        ),
    };
    node.handle.reports().try_send(report).unwrap();
    node.until(|s| entry(s, "web", 0).verdict == Down).await;
}

#[tokio::test]
async fn identical_apps_share_probes_and_handles_may_come_and_go() {
    let backend = answers(OK);
    let mut wanted = draft(&[("one", Probe::Tcp, &[backend])]);
    let mut two = wanted.apps["one"].clone();
    two.hosts = vec![windrose_model::DnsName::parse("two.example.com").unwrap()];
    wanted.apps.insert(name("two"), two);
    let node = Node::start(model(wanted, 1, None), None);
    drop(node.handle.clone());
    node.handle.first_round().await;
    let snapshot = node.handle.snapshot();
    assert_eq!(entry(&snapshot, "two", 0).verdict, Up);
    node.handle.stop();
    node.handle.stop();
    assert_eq!(node.source.load().apps().count(), 2, "the last Table stays");
}

/// Looks again and again, within bounds.
async fn eventually(wanted: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    let wait = async {
        while !wanted() {
            tick.tick().await;
        }
    };
    timeout(end - Instant::now(), wait).await.expect("in time");
}
