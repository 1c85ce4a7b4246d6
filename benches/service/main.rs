//! What the service costs beside a living tenant: how soon it asks its first question, CPU time and memory of each poll, and
//! of a thousand tenants at once.
//!
//! `cargo bench --bench service [-- --only NAME --people N --polls N --starts N --tenants N --program FILE]`, on Linux: it
//! reads `/proc`. The simulated tenants are in this process, the program in one of its own. With `--program` another build
//! is measured, so that two can be compared.

mod busy;
mod live;
mod many;
mod presence;
mod process;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// An error is reported and ends the program.
type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// What was asked for on the command line.
struct Asked {
    /// Only measurements whose name holds this.
    only: String,
    people: u32,
    polls: u32,
    starts: usize,
    tenants: u32,
    program: PathBuf,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` only sees whether it starts.
    if !words.iter().any(|word| word == "--bench") {
        return ExitCode::SUCCESS;
    }
    match asked(&words).and_then(|asked| measure(&asked)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(say(&format!("service: {error}")));
            ExitCode::FAILURE
        }
    }
}

fn asked(words: &[String]) -> Done<Asked> {
    let mut asked = Asked {
        only: String::new(),
        people: 5_000,
        polls: 12,
        starts: 21,
        tenants: 1_000,
        program: env!("CARGO_BIN_EXE_pagewarden").into(),
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--only" => asked.only.clone_from(value()?),
            "--people" => asked.people = value()?.parse()?,
            "--polls" => asked.polls = value()?.parse()?,
            "--starts" => asked.starts = value()?.parse()?,
            "--tenants" => asked.tenants = value()?.parse()?,
            "--program" => asked.program = value()?.into(),
            _ => {}
        }
    }
    Ok(asked)
}

fn measure(asked: &Asked) -> Done {
    let wanted = |name: &str| name.contains(&asked.only);
    if wanted("start") {
        presence::first_requests(&asked.program, asked.starts)?;
    }
    if wanted("live") {
        live::measure(&asked.program, asked.people, asked.polls)?;
    }
    // Takes a quarter of an hour: only where it is asked for.
    if asked.only == "busy" {
        busy::measure(&asked.program, asked.people)?;
    }
    if wanted("many") {
        many::measure(&asked.program, asked.tenants)?;
    }
    Ok(())
}

/// Writes a line.
fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}
