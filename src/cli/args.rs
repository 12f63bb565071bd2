//! The command line as types: one enum of verbs, one struct of arguments each. Nothing is done here.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::values::{self, At, Client, Header, Load};

/// A global traffic manager: authoritative DNS, HTTP at the edge, health and failover with one
/// decision maker.
#[derive(Debug, Parser)]
#[command(name = "windrose", version = super::version::SHORT, long_version = super::version::LONG)]
#[command(max_term_width = 100, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done; 1 it ran and the answer is no; 2 usage, port, data folder \
                        or configuration; 3 the node is unreachable"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
    /// What stdout carries: text for people, or exactly one JSON object
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
    /// How log lines on stderr look
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// error, warn, info, debug, trace, or directives such as `info,windrose_control=debug`
    /// [default: info for run, error for the others]
    #[arg(long, global = true, value_name = "LEVEL", verbatim_doc_comment)]
    pub(crate) log_level: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Three clusters, a node and load on this machine: see a failover in half a minute
    Demo(Demo),
    /// Run a node
    Run(Run),
    /// Write a commented configuration to begin with
    Init(Init),
    /// Say everything that is wrong with a configuration
    Check(Check),
    /// About the configuration language
    #[command(subcommand)]
    Config(Config),
    /// What a running node sees and concludes
    Status(Status),
    /// Why an answer or a choice is as it is
    #[command(subcommand)]
    Explain(Explain),
    /// A cluster of the demo; started by `demo`
    #[command(hide = true)]
    DemoBackend(DemoBackend),
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// A file, or a directory whose `*.yaml` are merged
    #[arg(short, long, value_name = "FILE|DIR", env = "WINDROSE_CONFIG")]
    pub(crate) config: PathBuf,
    /// Instead of `listeners.dns`; port 0 chooses a free one; may repeat
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) listen_dns: Vec<SocketAddr>,
    /// Instead of `listeners.http`; may repeat
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) listen_http: Vec<SocketAddr>,
    /// Instead of `listeners.https`; may repeat
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) listen_https: Vec<SocketAddr>,
    /// Instead of `listeners.admin`
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) listen_admin: Option<SocketAddr>,
    /// Instead of `node.data_dir`
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// How long SIGTERM waits for exchanges to finish
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = values::duration)]
    pub(crate) grace: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Where to
    #[arg(default_value = "windrose.yaml")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// A file, or a directory whose `*.yaml` are merged
    #[arg(short, long, value_name = "FILE|DIR", env = "WINDROSE_CONFIG")]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// The language as a JSON Schema, for editors
    Schema,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The node's admin address
    #[arg(
        long,
        value_name = "URL",
        env = "WINDROSE_ADMIN",
        default_value = "http://127.0.0.1:9900"
    )]
    pub(crate) admin: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Explain {
    /// A DNS answer, step by step
    Dns(ExplainDns),
    /// The choice for an HTTP request, step by step
    Http(ExplainHttp),
    /// The choice for a connection of a TCP listener, step by step
    Tcp(ExplainTcp),
}

#[derive(Debug, Args)]
pub(crate) struct ExplainDns {
    /// The name asked for
    pub(crate) name: String,
    /// The type asked for: A, AAAA, MX, HTTPS, any other, TYPE65280 too
    #[arg(default_value = "A")]
    pub(crate) rtype: String,
    #[command(flatten)]
    pub(crate) world: World,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainHttp {
    /// The request's URL
    pub(crate) url: String,
    /// The request's method
    #[arg(short = 'X', long, value_name = "METHOD", default_value = "GET")]
    pub(crate) method: String,
    /// A header field of the request, cookies included; may repeat
    #[arg(short = 'H', long, value_name = "NAME: VALUE", value_parser = values::header)]
    pub(crate) header: Vec<Header>,
    /// A query parameter besides those of the URL; may repeat
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) query: Vec<String>,
    #[command(flatten)]
    pub(crate) world: World,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainTcp {
    /// The listener's name
    pub(crate) listener: String,
    /// The name that the client's TLS ClientHello asks for
    #[arg(long, value_name = "NAME")]
    pub(crate) sni: Option<String>,
    #[command(flatten)]
    pub(crate) world: World,
}

/// The imagined world of an explanation.
#[derive(Debug, Args)]
pub(crate) struct World {
    /// The client: an address, or a prefix as in a client-subnet option
    #[arg(long, value_name = "IP[/PREFIX]", value_parser = values::client)]
    pub(crate) client: Client,
    /// A file, or a directory whose `*.yaml` are merged
    #[arg(short, long, value_name = "FILE|DIR", env = "WINDROSE_CONFIG")]
    pub(crate) config: PathBuf,
    /// As if this cluster were down; may repeat. Every other one counts as usable
    #[arg(long, value_name = "CLUSTER")]
    pub(crate) down: Vec<String>,
    /// The number drawn by chance, to repeat an explanation exactly
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) draw: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Ends by itself after so long; without it, `q` or ctrl-c ends it
    ///
    /// With none of --for, --fail and --recover, frankfurt fails after 10 s and recovers after 20 s;
    /// elsewhere than on a terminal the demo then ends after 30 s.
    #[arg(long = "for", value_name = "DURATION", value_parser = values::duration)]
    pub(crate) length: Option<Duration>,
    /// Fails a cluster at a time, e.g. frankfurt@10s; may repeat
    #[arg(long, value_name = "CLUSTER@TIME", value_parser = values::at)]
    pub(crate) fail: Vec<At>,
    /// Recovers a cluster at a time; may repeat
    #[arg(long, value_name = "CLUSTER@TIME", value_parser = values::at)]
    pub(crate) recover: Vec<At>,
    /// How a cluster fails: its process killed; stopped (connects, never answers); or black-holed
    /// (connections time out)
    #[arg(long, value_enum, default_value_t = FailMode::Kill)]
    pub(crate) fail_mode: FailMode,
    /// HTTP requests a second; as many DNS queries are sent
    #[arg(long, value_name = "PER_SECOND", default_value_t = Load::DEFAULT, value_parser = values::load)]
    pub(crate) rate: Load,
    /// `default`: 5353, 8080, 9900 and those of the embedded configuration; `auto`: free ones
    #[arg(long, value_enum, default_value_t = Ports::Default)]
    pub(crate) ports: Ports,
    /// Plain lines even on a terminal
    #[arg(long)]
    pub(crate) plain: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailMode {
    Kill,
    Stop,
    Blackhole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ports {
    Default,
    Auto,
}

#[derive(Debug, Args)]
pub(crate) struct DemoBackend {
    /// Its name
    #[arg(long)]
    pub(crate) cluster: String,
    /// What it listens on: VERSION=IP:PORT
    #[arg(value_parser = values::listen)]
    pub(crate) listen: Vec<(String, SocketAddr)>,
}

impl FailMode {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Blackhole => "blackhole",
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
