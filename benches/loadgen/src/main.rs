//! Load for the bench suite. One process, one thread per direction of work, one JSON line at the end.
//!
//! It measures what it sent and what came back; the CPU of the server under test is
//! the runner's business.

mod arguments;
mod backend;
mod batch;
mod dns;
mod dns_tcp;
mod draw;
mod echo;
mod flight;
mod http;
mod latency;
mod load;
mod queries;
mod tally;
mod websocket;

use std::process::ExitCode;

use arguments::{Arguments, Refusal};
use load::Load;

const USAGE: &str = "\
usage: loadgen dns     --server IP:PORT --name TEMPLATE [--ecs | --edns] [--queries N] [--seconds S]
                       [--sockets N] [--window N] [--pool N] [--seed N] [--timeout-ms N]
                       [--expect IP,IP]
       loadgen dns-tcp --server IP:PORT --name TEMPLATE [--ecs | --edns] [--queries N] [--seconds S]
                       [--connections N] [--window N] [--pool N] [--seed N] [--timeout-ms N]
                       [--expect IP,IP]
       loadgen echo    --listen IP:PORT
       loadgen http    --server IP:PORT --host NAME [--path P] [--rate PER_SECOND] [--seconds S]
                       [--connections N] [--timeout-ms N]
       loadgen backend --listen IP:PORT [--body-bytes N]
       loadgen websocket --server IP:PORT --host NAME [--path P] [--seconds S] [--connections N]
                       [--message-bytes N]
       loadgen websocket-echo --listen IP:PORT

In a TEMPLATE each # becomes a random digit: host0###.example.com.
DNS ends after N queries or S seconds, whichever comes first. With --expect every answer must be
NOERROR with one of these addresses; what is not counts as wrong.";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    match run(&command, words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Refusal::Usage(text)) => {
            eprintln!("loadgen: {text}\n{USAGE}");
            ExitCode::from(2)
        }
        Err(Refusal::Io(error)) => {
            eprintln!("loadgen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &str, words: impl Iterator<Item = String>) -> Result<(), Refusal> {
    let mut arguments = Arguments::parse(words)?;
    let line = match command {
        "dns" => dns::run(&Load::over_udp(&mut arguments)?)?,
        "dns-tcp" => dns_tcp::run(&Load::over_tcp(&mut arguments)?)?,
        "http" => http::run(&http::Load::from_arguments(&mut arguments)?)?,
        "echo" => return Ok(echo::run(&echo::Echo::from_arguments(&mut arguments)?)?),
        "websocket" => websocket::run(&websocket::Load::from_arguments(&mut arguments)?)?,
        "websocket-echo" => {
            return Ok(websocket::echo(&websocket::Echo::from_arguments(
                &mut arguments,
            )?)?);
        }
        "backend" => {
            return Ok(backend::run(&backend::Backend::from_arguments(
                &mut arguments,
            )?)?);
        }
        _ => return Err(Refusal::Usage(format!("no command named '{command}'"))),
    };
    println!("{line}");
    Ok(())
}
