//! `wardline`: the operator's command line.
//!
//! What the commands do is in the libraries; here are their arguments, their output and their exit
//! codes. Errors say what to do next. Output is for people; scripts go by the exit code.

mod exit;
mod org;
mod relay;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand, error::ErrorKind};

/// Wardline: end-to-end-encrypted clinical messaging.
#[derive(Parser)]
#[command(name = "wardline", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a relay: store and forward what it cannot read.
    #[command(after_long_help = relay::EXAMPLES)]
    Relay(relay::Arguments),
    /// Found an organization and keep its keys.
    #[command(subcommand)]
    Org(org::Command),
    /// Verify offline who wrote a message.
    #[command(after_long_help = verify::EXAMPLES)]
    Verify(verify::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Relay(arguments) => relay::run(arguments),
        Command::Org(command) => org::run(command),
        Command::Verify(arguments) => verify::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // clap colors it on a terminal, and only there.
            let shown = Arguments::command().error(ErrorKind::Io, &failure.message);
            let _ = shown.print();
            ExitCode::from(failure.code)
        }
    }
}
