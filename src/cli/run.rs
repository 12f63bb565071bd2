//! `run`: a node until it is told to end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use windrose_config::{Listeners, Loaded, Reader};

use super::args::{Output, Run};
use super::failure::{Exit, Failure};
use super::{check, print};
use crate::node::certificates::{CODE as CERTIFICATES_CODE, LOOK_EVERY, warn_of_ends};
use crate::node::data::Loader;
use crate::node::data_dir::DataDirError;
use crate::node::{Node, StartError};
use crate::reload::{Reloader, Running, Watch};
use crate::signals::Signals;

pub(super) fn run(args: &Run, output: Output) -> Result<(), Failure> {
    // Before the file is read, so that a change in between is seen.
    let watch = Watch::new(&args.config);
    let mut reader = Reader::default();
    let loaded = check::load_to_go_on(&mut reader, &args.config, output)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::No, "no-runtime", e))?;
    let ended = runtime.block_on(live(args, loaded, reader, watch, output));
    // Dropped, it would wait for the threads that a second signal gave up.
    runtime.shutdown_background();
    ended
}

async fn live(
    args: &Run,
    loaded: Loaded,
    reader: Reader,
    watch: notify::Result<Watch>,
    output: Output,
) -> Result<(), Failure> {
    let began = Instant::now();
    let no_signals = |e| Failure::new(Exit::No, "no-signals", e);
    let mut signals = Signals::new().map_err(no_signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(no_signals)?;
    let mut loader = Loader::default();
    let data = check::data(&mut loader, &loaded, output)?;
    let mut config = loaded.node.clone();
    config.listeners = listeners(args, config.listeners);
    if let Some(data_dir) = &args.data_dir {
        config.data_dir.clone_from(data_dir);
    }
    let mut node = {
        let (model, counted) = (loaded.model.clone(), &loaded.counted);
        Node::prepare(&config, model, counted, Arc::clone(&data), args.grace).map_err(|error| {
            match error {
                StartError::Certificates(error) => check::unusable(&loaded, &error, output),
                error => start_failure(error),
            }
        })?
    };
    say_listeners(&node.bound, output);
    let running = Running {
        model: Arc::clone(&node.model),
        serials: std::mem::take(&mut node.serials),
        data,
        reader,
        loader,
        handle: node.handle.clone(),
        dns_manners: node.dns_manners.clone(),
        certificates: node.certificates.clone(),
    };
    let (named, to_watch) = tokio::sync::watch::channel(loaded.sources.named().to_vec());
    let mut reloader = Reloader::new(args.config.clone(), &loaded, running, named);
    // The texts, above all: nobody is told of them any more.
    drop(loaded);
    let mut changes = changes(watch, &args.config, to_watch);
    tokio::select! {
        served = node.serve() => served.map_err(start_failure)?,
        () = signals.end() => {
            node.stop(args.grace);
            return Ok(());
        }
    }
    tracing::info!(
        node = %config.name,
        dns = %list(&node.bound.dns),
        http = %list(&node.bound.http),
        https = %list(&node.bound.https),
        after_s = began.elapsed().as_secs_f64(),
        "ready"
    );
    let mut ends = tokio::time::interval(LOOK_EVERY);
    // The first tick is now, and these were told already.
    ends.tick().await;
    loop {
        tokio::select! {
            () = signals.end() => break,
            _ = ends.tick() => warn_of_ends(&node.certificates),
            _ = hangup.recv() => reloader.reload("SIGHUP"),
            Some(()) = changes.recv() => reloader.reload("file changed"),
            () = reloader.due_again() => reloader.reload("again"),
        }
    }
    tracing::info!(grace_s = args.grace.as_secs_f64(), "stopping");
    // Joining threads blocks; a second signal must still end the process at once.
    let stopping = tokio::task::spawn_blocking({
        let grace = args.grace;
        move || node.stop(grace)
    });
    tokio::select! {
        _ = stopping => tracing::info!("stopped"),
        () = signals.end() => tracing::warn!("stopped at once by a second signal"),
    }
    Ok(())
}

/// A message for each settled change. Without a watch there is still SIGHUP.
fn changes(
    watch: notify::Result<Watch>,
    path: &Path,
    mut named: tokio::sync::watch::Receiver<Vec<PathBuf>>,
) -> mpsc::Receiver<()> {
    let (send, changes) = mpsc::channel(1);
    match watch {
        Ok(mut watch) => {
            tokio::spawn(async move {
                named.mark_changed();
                loop {
                    tokio::select! {
                        told = named.changed() => match told {
                            Ok(()) => watch.also(named.borrow_and_update().clone()),
                            Err(_) => return,
                        },
                        () = watch.changed() => if send.send(()).await.is_err() {
                            return;
                        },
                    }
                }
            });
        }
        Err(e) => tracing::warn!(
            file = %path.display(),
            "cannot watch the configuration, only SIGHUP reloads it: {e}"
        ),
    }
    changes
}

/// Flags win over the file, each for its own listener.
fn listeners(args: &Run, file: Listeners) -> Listeners {
    let or = |flags: &Vec<_>, file| {
        if flags.is_empty() {
            file
        } else {
            flags.clone()
        }
    };
    Listeners {
        dns: or(&args.listen_dns, file.dns),
        http: or(&args.listen_http, file.http),
        https: or(&args.listen_https, file.https),
        tcp: file.tcp,
        admin: args.listen_admin.or(file.admin),
    }
}

fn say_listeners(bound: &Listeners, output: Output) {
    match output {
        Output::Text => {
            for (name, addresses) in [
                ("dns", &bound.dns),
                ("http", &bound.http),
                ("https", &bound.https),
            ] {
                for address in addresses {
                    print::line(format!("listening {name} {address}"));
                }
            }
            for (name, addresses) in &bound.tcp {
                for address in addresses {
                    print::line(format!("listening tcp {address} as {name}"));
                }
            }
            if let Some(address) = bound.admin {
                print::line(format!("listening admin {address}"));
            }
        }
        Output::Json => print::json(&json!({
            "schema": 1,
            "listeners": {"dns": bound.dns, "http": bound.http, "https": bound.https, "tcp": tcp_json(bound), "admin": bound.admin},
        })),
    }
}

fn tcp_json(bound: &Listeners) -> serde_json::Value {
    let by_name = bound.tcp.iter();
    by_name
        .map(|(name, addresses)| (name.to_string(), json!(addresses)))
        .collect()
}

fn list(addresses: &[std::net::SocketAddr]) -> String {
    let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    texts.join(",")
}

pub(super) fn start_failure(error: StartError) -> Failure {
    let message = error.to_string();
    match error {
        StartError::Listener(e) => Failure::new(Exit::Usage, e.code(), message).help(e.help()),
        StartError::DataDir(DataDirError::Locked { .. }) => {
            Failure::new(Exit::Usage, "data-dir-locked", message).help(
                "stop the other one, or give this one a `node.data_dir` or `--data-dir` of its own",
            )
        }
        StartError::DataDir(DataDirError::Io { .. }) => {
            Failure::new(Exit::Usage, "data-dir-unusable", message)
                .help("set `node.data_dir` or `--data-dir` to a folder that this user may write and that has room")
        }
        StartError::CookieSecrets(_) => {
            Failure::new(Exit::Usage, "cookie-secrets-unusable", message)
                .help("one secret: openssl rand -hex 16")
        }
        StartError::Certificates(_) => Failure::new(Exit::Usage, CERTIFICATES_CODE, message),
        StartError::Serials(_) => Failure::new(Exit::Usage, "serials-unreadable", message).help(
            "mend the file, or move it away if zones are meant to count from 1 again",
        ),
        StartError::Thread { .. } => Failure::new(Exit::No, "cannot-start", message),
    }
}
