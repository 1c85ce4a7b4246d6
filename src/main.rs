//! The pagewarden binary: parse, logging, run, exit code; nothing else.

use std::process::ExitCode;

use pagewarden::cli::Cli;
use pagewarden::exit::Exit;
use pagewarden::{commands, telemetry};

fn main() -> ExitCode {
    commands::keep_to_itself();
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // Where not even that can be written, the exit code says it.
            drop(error.print());
            return ExitCode::from(if error.use_stderr() {
                Exit::Usage.code()
            } else {
                Exit::Done.code()
            });
        }
    };
    if let Err(error) = telemetry::init(cli.logging()) {
        return ExitCode::from(commands::refuse(&error.to_string()).code());
    }
    ExitCode::from(commands::run(cli).code())
}
