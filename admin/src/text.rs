//! A node's status for people: one line per app and cluster.

use std::fmt::Write;

use jiff::Timestamp;

use crate::status::{BreakerState, ClusterStatus, Decision, Moved, NodeStatus, Shift};

/// Decisions shown; the JSON has them all.
const DECISIONS: usize = 10;
/// Clusters that left or came back, likewise.
const SHIFTS: usize = 5;

/// The text of `windrose status` and of `/status?format=text`.
pub fn render(status: &NodeStatus) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = head(&mut text, status);
    clusters(&mut text, status);
    exceptions(&mut text, status);
    lifetimes(&mut text, status);
    aliases(&mut text, status);
    round_trips(&mut text, status);
    faults(&mut text, status);
    ejected(&mut text, status);
    breakers(&mut text, status);
    overload(&mut text, status);
    shifts(&mut text, status);
    decisions(&mut text, status);
    text
}

fn head(text: &mut String, status: &NodeStatus) -> std::fmt::Result {
    let stamp = status.stamp;
    writeln!(
        text,
        "node {}  windrose {} ({})  up {}",
        status.node,
        status.version,
        status.commit,
        age(status.uptime_s)
    )?;
    writeln!(
        text,
        "table {}.{}.{}  digest {}",
        stamp.term, stamp.epoch, stamp.revision, status.digest
    )?;
    if !status.ready {
        let missing = status.missing.join(", ");
        writeln!(text, "not ready, waiting for the first probe of: {missing}")?;
    }
    if !status.reload.ok {
        let ago = ago(status.at, status.reload.at);
        let why = status.reload.error.as_deref().unwrap_or("no reason given");
        writeln!(
            text,
            "configuration refused {ago} ago, the old one serves: {why}"
        )?;
    }
    if status.journal_lines_lost > 0 {
        let lost = status.journal_lines_lost;
        writeln!(text, "journal: {lost} lines could not be written")?;
    }
    Ok(())
}

fn round_trips(text: &mut String, status: &NodeStatus) {
    if status.round_trips.is_empty() {
        return;
    }
    text.push_str("\nround trips measured here\n");
    for trip in &status.round_trips {
        let (region, cluster, latest) = (&trip.region, &trip.cluster, trip.latest_ms);
        let used = match trip.rtt_ms {
            Some(rtt) if trip.held => format!("steering uses {rtt:.1} ms, held: {}", trip.cause),
            Some(rtt) => format!("steering uses {rtt:.1} ms: {}", trip.cause),
            None => trip.cause.clone(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {region} -> {cluster}  {latest:.1} ms  {used}");
    }
}

/// What goes wrong because somebody wants to see what happens.
fn faults(text: &mut String, status: &NodeStatus) {
    let active: Vec<_> = status.faults.iter().filter(|fault| fault.active).collect();
    if active.is_empty() {
        return;
    }
    text.push_str("\nfaults injected on purpose\n");
    for fault in active {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} route {}  {}", fault.app, fault.route, fault.what);
    }
}

/// Endpoints that live traffic spoke against.
fn ejected(text: &mut String, status: &NodeStatus) {
    if status.ejected.is_empty() {
        return;
    }
    text.push_str("\nejected here\n");
    let rows = status.ejected.iter().map(|out| {
        let left = out.trial_at.as_second() - status.at.as_second();
        [
            format!("{}/{}/{}", out.app, out.version, out.cluster),
            out.endpoint.clone(),
            format!("since {}", ago(status.at, out.since)),
            match u64::try_from(left) {
                Ok(left) if left > 0 => format!("tried in {}", age(left)),
                _ => "tried by the next request".to_owned(),
            },
            match out.times {
                1 => out.cause.clone(),
                times => format!("{} ({times} times)", out.cause),
            },
        ]
    });
    table(text, &rows.collect::<Vec<_>>());
}

/// How near the node is to its bounds.
fn overload(text: &mut String, status: &NodeStatus) {
    let Some(overload) = &status.overload else {
        return;
    };
    let actions = match overload.actions.as_slice() {
        [] => "none".to_owned(),
        actions => actions.join(", "),
    };
    text.push_str(&format!(
        "\noverload  memory {} %  connections {} %  lag {} %  actions: {actions}\n",
        overload.memory_percent, overload.connections_percent, overload.lag_percent
    ));
}

/// What clusters hold of what they may hold.
fn breakers(text: &mut String, status: &NodeStatus) {
    if status.breakers.is_empty() {
        return;
    }
    text.push_str("\nbreakers here\n");
    let rows = status.breakers.iter().map(|breaker| {
        let counts = [
            ("connections", breaker.connections),
            ("pending", breaker.pending),
            ("requests", breaker.requests),
            ("retries", breaker.retries),
        ];
        let [connections, pending, requests, retries] =
            counts.map(|(what, count)| match count.limit {
                0 => format!("{what} {}", count.now),
                limit => format!("{what} {}/{limit}", count.now),
            });
        let state = match breaker.state {
            BreakerState::Closed => "closed",
            BreakerState::HalfOpen => "half open",
            BreakerState::Open => "open",
        };
        let why = breaker.cause.clone().zip(breaker.since);
        [
            format!("{}/{}", breaker.app, breaker.cluster),
            state.to_owned(),
            connections,
            pending,
            requests,
            retries,
            why.map_or_else(String::new, |(cause, since)| {
                format!("{cause}, since {}", ago(status.at, since))
            }),
        ]
    });
    table(text, &rows.collect::<Vec<_>>());
}

fn clusters(text: &mut String, status: &NodeStatus) {
    let mut rows = vec![
        [
            "APP", "CLUSTER", "VERDICT", "USABLE", "SHARE", "UP", "TTL", "SINCE", "CAUSE",
        ]
        .map(str::to_owned),
    ];
    for app in &status.apps {
        for cluster in &app.clusters {
            rows.push([
                app.name.clone(),
                cluster.name.clone(),
                cluster.verdict.clone(),
                if cluster.usable { "yes" } else { "no" }.to_owned(),
                format!("{} %", cluster.share_percent),
                up(cluster),
                format!("{} s", app.ttl_s),
                ago(status.at, cluster.since),
                cause(cluster),
            ]);
        }
    }
    text.push('\n');
    table(text, &rows);
}

/// Why; and of a drain, how far it has come.
fn cause(cluster: &ClusterStatus) -> String {
    match &cluster.drain {
        None => cluster.cause.clone(),
        Some(drain) => format!(
            "{}: {}, {}/s still arriving",
            cluster.cause, drain.state, drain.arriving_per_s
        ),
    }
}

/// Where the names lead that we do not know ourselves.
fn aliases(text: &mut String, status: &NodeStatus) {
    if status.aliases.is_empty() {
        return;
    }
    text.push_str("\nALIAS targets\n");
    let rows = status.aliases.iter().map(|alias| {
        let confirmed = alias.confirmed;
        [
            alias.target.clone(),
            format!("{} addresses", alias.addresses.len()),
            format!("{} s", alias.ttl_s),
            confirmed.map_or_else(
                || "never".to_owned(),
                |at| format!("{} ago", ago(status.at, at)),
            ),
            alias.cause.clone(),
        ]
    });
    table(text, &rows.collect::<Vec<_>>());
}

/// How traffic follows the answers.
fn shifts(text: &mut String, status: &NodeStatus) {
    if status.shifts.is_empty() {
        return;
    }
    text.push_str("\nlatest moves, as seen here\n");
    let from = status.shifts.len().saturating_sub(SHIFTS);
    let mut rows = vec![
        [
            "WHEN", "CLUSTER", "", "SIDE", "BEFORE", "NOW", "LEFT", "95 %", "99 %", "STILL",
        ]
        .map(str::to_owned),
    ];
    for shift in &status.shifts[from..] {
        rows.push(shift_row(status.at, shift, "dns", &shift.dns));
        rows.push(shift_row(status.at, shift, "http", &shift.http));
    }
    table(text, &rows);
}

fn shift_row(now: Timestamp, shift: &Shift, side: &str, moved: &Moved) -> [String; 10] {
    let after =
        |seconds: Option<f64>| seconds.map_or_else(|| "-".to_owned(), |s| format!("{s:.0}s"));
    let still = moved.still.iter().take(3);
    let still: Vec<_> = still.map(|still| still.prefix.as_str()).collect();
    [
        format!("{} ago", ago(now, shift.at)),
        format!("{}/{}", shift.app, shift.cluster),
        shift.kind.clone(),
        side.to_owned(),
        format!("{}/s", moved.former_per_s),
        format!("{}/s", moved.now_per_s),
        format!("{} %", moved.remaining_percent),
        after(moved.moved_95_after_s),
        after(moved.moved_99_after_s),
        still.join(" "),
    ]
}

/// Why answers live as long as they do.
/// Apps of which DNS answers more, or less, than what is usable.
fn exceptions(text: &mut String, status: &NodeStatus) {
    let rows = status.apps.iter().filter_map(|app| {
        let exception = app.exception.clone()?;
        Some([app.name.clone(), exception])
    });
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        text.push_str("\nanswered otherwise\n");
        table(text, &rows);
    }
}

fn lifetimes(text: &mut String, status: &NodeStatus) {
    let known = status.apps.iter().filter(|app| !app.ttl_cause.is_empty());
    let rows: Vec<_> = known
        .map(|app| {
            let ttl = format!("{} s", app.ttl_s);
            [app.name.clone(), ttl, app.ttl_cause.clone()]
        })
        .collect();
    if !rows.is_empty() {
        text.push_str("\nTTL\n");
        table(text, &rows);
    }
}

fn up(cluster: &ClusterStatus) -> String {
    let endpoints = cluster.endpoints;
    let all = endpoints.up + endpoints.down + endpoints.unknown;
    match endpoints.drained {
        0 => format!("{}/{all}", endpoints.up),
        drained => format!("{}/{all}, {drained} drained", endpoints.up),
    }
}

fn decisions(text: &mut String, status: &NodeStatus) {
    if status.decisions.is_empty() {
        return;
    }
    text.push_str("\nlatest decisions\n");
    let from = status.decisions.len().saturating_sub(DECISIONS);
    let rows: Vec<_> = status.decisions[from..]
        .iter()
        .map(|decision| decision_row(status.at, decision))
        .collect();
    table(text, &rows);
}

fn decision_row(now: Timestamp, decision: &Decision) -> [String; 5] {
    let about = match &decision.cluster {
        Some(cluster) => format!("{}/{cluster}", decision.app),
        None => decision.app.clone(),
    };
    let usable = if decision.usable {
        "usable"
    } else {
        "not usable"
    };
    [
        format!("{} ago", ago(now, decision.at)),
        about,
        format!("{} -> {}", decision.from, decision.to),
        format!("{usable}, {} %", decision.share_percent),
        decision.cause.clone(),
    ]
}

/// Columns as wide as their widest cell, two blanks between.
fn table<const N: usize>(text: &mut String, rows: &[[String; N]]) {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

fn ago(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second());
    age(u64::try_from(seconds).unwrap_or(0))
}

/// The two largest units.
fn age(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest}s"),
        (0, 0, _) => format!("{minutes}m{rest:02}s"),
        (0, _, _) => format!("{hours}h{minutes:02}m"),
        _ => format!("{days}d{hours:02}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{AppStatus, Endpoints, Reload, Stamp};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn cluster(name: &str, verdict: &str, usable: bool, share: f64, cause: &str) -> ClusterStatus {
        ClusterStatus {
            name: name.to_owned(),
            verdict: verdict.to_owned(),
            usable,
            share_percent: share,
            cause: cause.to_owned(),
            since: at(-75),
            drain: None,
            endpoints: Endpoints {
                up: u32::from(usable) * 2,
                down: 0,
                unknown: 0,
                drained: 0,
            },
        }
    }

    fn sample() -> NodeStatus {
        let stamp = Stamp {
            term: 1,
            epoch: 7,
            revision: 2,
        };
        NodeStatus {
            schema: 1,
            at: at(0),
            node: "n1".to_owned(),
            version: "0.1.0".to_owned(),
            commit: "abc".to_owned(),
            uptime_s: 7_500,
            ready: true,
            missing: Vec::new(),
            stamp,
            digest: "00ff".to_owned(),
            reload: Reload {
                ok: true,
                at: at(-100),
                error: None,
            },
            journal_lines_lost: 0,
            apps: vec![AppStatus {
                name: "shop".to_owned(),
                ttl_s: 5,
                ttl_cause: "singapore takes its next ramp step".to_owned(),
                exception: None,
                clusters: vec![
                    cluster("frankfurt", "up", true, 100.0, "2 of 2 endpoints up"),
                    cluster("singapore", "up", false, 12.5, "ramping up, at 12.5 %"),
                ],
            }],
            decisions: vec![Decision {
                at: at(-75),
                stamp,
                app: "shop".to_owned(),
                cluster: Some("singapore".to_owned()),
                from: "down".to_owned(),
                to: "up".to_owned(),
                usable: false,
                share_percent: 0.0,
                cause: "up again".to_owned(),
            }],
            aliases: Vec::new(),
            shifts: Vec::new(),
            round_trips: Vec::new(),
            ejected: Vec::new(),
            breakers: Vec::new(),
            overload: None,
            faults: Vec::new(),
        }
    }

    #[test]
    fn a_status_is_an_aligned_table() {
        insta::assert_snapshot!(render(&sample()), @r"
        node n1  windrose 0.1.0 (abc)  up 2h05m
        table 1.7.2  digest 00ff

        APP   CLUSTER    VERDICT  USABLE  SHARE   UP   TTL  SINCE  CAUSE
        shop  frankfurt  up       yes     100 %   2/2  5 s  1m15s  2 of 2 endpoints up
        shop  singapore  up       no      12.5 %  0/0  5 s  1m15s  ramping up, at 12.5 %

        TTL
        shop  5 s  singapore takes its next ramp step

        latest decisions
        1m15s ago  shop/singapore  down -> up  not usable, 0 %  up again
        ");
    }

    #[test]
    fn what_is_missing_and_what_was_refused_stands_on_top() {
        let mut status = sample();
        status.ready = false;
        status.missing = vec!["shop/frankfurt".to_owned()];
        status.journal_lines_lost = 2;
        status.reload.ok = false;
        status.reload.error = Some("unknown key hostz".to_owned());
        status.apps[0].exception = Some("all down: servfail".to_owned());
        status.ejected = vec![crate::status::Ejected {
            app: "shop".to_owned(),
            version: "v1".to_owned(),
            cluster: "frankfurt".to_owned(),
            endpoint: "192.0.2.1:80".to_owned(),
            cause: "5 failures in a row".to_owned(),
            since: at(-70),
            trial_at: at(20),
            times: 2,
        }];
        let fault = |route: &str, active| crate::status::Fault {
            app: "shop".to_owned(),
            route: route.to_owned(),
            active,
            what: "5 % wait 2 s".to_owned(),
            until: at(60),
        };
        status.faults = vec![fault("api", true), fault("2", false)];
        let count = |now, limit| crate::status::BreakerCount { now, limit };
        status.breakers = vec![crate::status::Breaker {
            app: "shop".to_owned(),
            cluster: "frankfurt".to_owned(),
            state: BreakerState::Open,
            cause: Some("5 failures in a row".to_owned()),
            since: Some(at(-4)),
            trial_at: Some(at(6)),
            connections: count(3, 1_024),
            pending: count(0, 1_024),
            requests: count(2, 10),
            retries: count(1, 0),
        }];
        let text = render(&status);
        assert!(
            text.contains("faults injected on purpose\nshop route api  5 % wait 2 s\n\n"),
            "{text}"
        );
        let breaker = "shop/frankfurt  open  connections 3/1024  pending 0/1024  requests 2/10  retries 1  5 failures in a row, since 4s\n";
        assert!(
            text.contains(&format!("breakers here\n{breaker}")),
            "{text}"
        );
        assert!(text.contains("answered otherwise\nshop  all down: servfail\n"));
        let ejected = "shop/v1/frankfurt  192.0.2.1:80  since 1m10s  tried in 20s  5 failures in a row (2 times)\n";
        assert!(text.contains(&format!("ejected here\n{ejected}")), "{text}");
        assert!(text.contains("journal: 2 lines could not be written\n"));
        assert!(text.contains("not ready, waiting for the first probe of: shop/frankfurt\n"));
        assert!(
            text.contains(
                "configuration refused 1m40s ago, the old one serves: unknown key hostz\n"
            )
        );
    }

    #[test]
    fn ages_have_two_units() {
        let ages = [0, 59, 60, 3_599, 3_600, 86_399, 86_400, 200_000].map(age);
        assert_eq!(
            ages,
            [
                "0s", "59s", "1m00s", "59m59s", "1h00m", "23h59m", "1d00h", "2d07h"
            ]
        );
    }
}
