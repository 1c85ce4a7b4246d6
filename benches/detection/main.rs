//! How well the detector finds bulk collections, and whether the knob holds what it promises: on any log of who opened what.
//!
//! `cargo bench --bench detection -- LOG.. [--kind KIND].. [--injections N] [--seeds A,B..C] [--budgets A,B] [--burn-in WEEKS]
//! [--only recall,dose,clean] [--threads N] [--tsv] [--self-check] [--help]`; [`asked::HELP`] explains them. Logs, kinds
//! and seeds are arguments, so that anybody can try what nobody has tuned for.
//!
//! A log is replayed once, forward, through the product's own engine. For each bulk collection the engine is copied at the midnight before,
//! takes the events of the log with those of the bulk collection among them, and shows what the bulk collector's days came to. An
//! alarm is a day whose bits reach a threshold that follows from the budget alone and from what was known before the day;
//! one for each account and week of its own. Nothing is learnt from the counted weeks but the thresholds of the three simple
//! rules ([`baselines`]), to their advantage. The injector and those rules are fixed files.
//!
//! `cargo test --benches` only sees whether it starts.

mod asked;
mod baselines;
mod clean;
mod dose;
mod injector;
mod log;
mod product;
mod recall;
mod report;
mod span;
mod statistics;
mod trial;

use std::path::Path;
use std::process::ExitCode;

use crate::asked::{Asked, HELP};
use crate::baselines::Baselines;
use crate::clean::Clean;
use crate::log::Log;
use crate::product::Settings;
use crate::report::{Report, say};
use crate::span::Span;
use crate::trial::Bench;

/// An error is reported and ends the program.
type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = if words.iter().any(|word| word == "--bench") {
        Asked::parse(&words).and_then(|asked| run(&asked))
    } else {
        Ok(())
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(say(&format!("detection: {error}")));
            ExitCode::FAILURE
        }
    }
}

fn run(asked: &Asked) -> Done {
    if asked.self_check {
        statistics::self_check()?;
        return Ok(say("the statistics agree with the tables")?);
    }
    if asked.help || asked.logs.is_empty() {
        return Ok(say(HELP)?);
    }
    for path in &asked.logs {
        evaluate(asked, path)?;
    }
    Ok(())
}

/// All tables of one log.
fn evaluate(asked: &Asked, path: &Path) -> Done {
    let log = Log::read(path)?;
    let span = Span::of(&log, asked.burn_in)?;
    let settings = Settings::default();
    let rules = product::rules(&settings, &log);
    let report = Report::new(&log.name, asked.tsv);
    report.log(&log, &span)?;
    let clean = Clean::new(&rules, &log, &span.active)?;
    if asked.wants("clean") {
        clean::tables(&clean, (&log, &span), asked, &report)?;
    }
    if !(asked.wants("recall") || asked.wants("dose")) {
        return Ok(());
    }
    let bench = Bench {
        asked,
        rules: &rules,
        log: &log,
        span: &span,
        clean: &clean,
        baselines: Baselines::new(&log, &span),
    };
    if asked.wants("recall") {
        recall::tables(&bench, &report)?;
    }
    if asked.wants("dose") {
        dose::tables(&bench, &report)?;
    }
    Ok(())
}
