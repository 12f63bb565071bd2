//! Windrose: one binary, many verbs. What they do lies in `cli`; how a node is put together in
//! `node`.

mod cli;
mod demo;
mod node;
mod reload;
mod signals;
mod sockets;
mod what_if;

/// Many small objects are replaced at once when a cluster flips, by whichever thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    windrose_tls::install();
    cli::main()
}
