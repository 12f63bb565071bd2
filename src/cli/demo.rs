//! `demo` and its hidden `demo-backend`.

use std::io::IsTerminal;
use std::time::Duration;

use super::args::{Demo, DemoBackend, FailMode, Output, Ports};
use super::failure::{Exit, Failure};
use super::{explain, print, run as node_run};
use crate::demo::{self, Action, ClusterError, Show, StageError, Wanted, What};
use crate::node::StartError;

pub(super) fn run(args: &Demo, output: Output) -> Result<(), Failure> {
    let wanted = wanted(args, output)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::No, "no-runtime", e))?;
    let report = runtime.block_on(demo::run(wanted)).map_err(failure);
    // Dropped, it would wait for a load that was told to end at once.
    runtime.shutdown_background();
    let report = report?;
    match output {
        Output::Text => report.lines().into_iter().for_each(print::line),
        Output::Json => print::json(&report),
    }
    match report.requests.failed_idempotent {
        0 => Ok(()),
        n => Err(Failure::new(
            Exit::No,
            "idempotent-request-failed",
            format!("{n} idempotent requests failed"),
        )),
    }
}

pub(super) fn backend(args: &DemoBackend) -> Result<(), Failure> {
    demo::backend::run(&args.cluster, &args.listen).map_err(|e| {
        Failure::new(
            Exit::Usage,
            "demo-backend",
            format!("{}: {e}", args.cluster),
        )
    })
}

/// Whether the live view takes the terminal; logs would spoil it.
pub(super) fn is_live(args: &Demo, output: Output) -> bool {
    let terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    output == Output::Text && !args.plain && terminal
}

/// Of a demo that was asked for nothing and has no terminal to be ended from.
const USUAL_LENGTH: Duration = Duration::from_secs(30);

/// What happens when nobody says what should.
fn usual_story(mode: FailMode) -> Vec<Action> {
    [(10, What::Fail(mode)), (20, What::Recover)]
        .map(|(seconds, what)| Action {
            at: Duration::from_secs(seconds),
            cluster: "frankfurt".to_owned(),
            what,
        })
        .into()
}

fn wanted(args: &Demo, output: Output) -> Result<Wanted, Failure> {
    let names = demo::cluster_names();
    let fails = args.fail.iter().map(|at| (at, What::Fail(args.fail_mode)));
    let recovers = args.recover.iter().map(|at| (at, What::Recover));
    let mut script = Vec::new();
    for (at, what) in fails.chain(recovers) {
        if !names.contains(&at.cluster) {
            let names = names.iter().map(String::as_str);
            return Err(explain::unknown_cluster(&at.cluster, names));
        }
        if args.length.is_some_and(|length| at.time >= length) {
            return Err(Failure::new(
                Exit::Usage,
                "too-late",
                format!(
                    "{}@{}s lies after the end of the demo",
                    at.cluster,
                    at.time.as_secs_f64()
                ),
            )
            .help("make `--for` longer"));
        }
        script.push(Action {
            at: at.time,
            cluster: at.cluster.clone(),
            what,
        });
    }
    // Stable: what has the same time happens in the order failures, recoveries.
    script.sort_by_key(|action| action.at);
    let live = is_live(args, output);
    let mut length = args.length;
    if script.is_empty() && length.is_none() {
        script = usual_story(args.fail_mode);
        length = (!live).then_some(USUAL_LENGTH);
    }
    Ok(Wanted {
        length,
        script,
        rate: args.rate.0,
        auto_ports: args.ports == Ports::Auto,
        show: match output {
            Output::Text if live => Show::Live,
            Output::Text => Show::Lines,
            Output::Json => Show::Aside,
        },
    })
}

fn failure(error: StageError) -> Failure {
    const AUTO: &str = "let the demo choose free ports: windrose demo --ports auto";
    match error {
        StageError::Node(StartError::Listener(e)) => {
            Failure::new(Exit::Usage, e.code(), e).help(AUTO)
        }
        StageError::Node(e) => node_run::start_failure(e),
        StageError::Cluster(e @ ClusterError::Ports { .. }) => {
            Failure::new(Exit::Usage, "port-in-use", e).help(AUTO)
        }
        StageError::Cluster(e) => Failure::new(Exit::No, "demo-cluster", e),
        e => Failure::new(Exit::No, "demo", e),
    }
}
