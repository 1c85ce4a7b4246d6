//! The command line, as clap types.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use url::Url;

use crate::config;
use crate::telemetry::{Format, Settings};
use pagewarden_core::model::{Severity, Status};
use pagewarden_core::text::Color;

/// Where the config is looked for, in this order, when nobody says.
pub const CONFIG_PLACES: [&str; 2] = ["pagewarden.toml", "/etc/pagewarden/config.toml"];

/// What stands under `--help`.
const AFTER_HELP: &str = "\
Examples:
  pagewarden demo                         see what it finds, without an account
  pagewarden init                         write pagewarden.toml to start from
  pagewarden check                        try the config, the keys and what they open
  pagewarden scan --fail-on high          one cycle, for a scheduled job
  pagewarden findings list                findings without a verdict

Exit codes:
  0    done; for scan, backfill and import: nothing new at or above --fail-on
  1    incomplete (takes precedence over 10 to 13)
  2    usage or config error, or a named secret that cannot be read; nothing was started
  10   done, and the most severe new finding at or above --fail-on is low
  11   ... is medium
  12   ... is high
  13   ... is critical
  130  interrupted before it was done; the same command goes on from there";

/// Watches who is reading your Confluence, and how much.
#[derive(Debug, Parser)]
#[command(name = "pagewarden", version, after_help = AFTER_HELP, arg_required_else_help = true)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// The config [default: pagewarden.toml, then /etc/pagewarden/config.toml].
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "PAGEWARDEN_CONFIG",
        hide_env_values = true
    )]
    pub config: Option<PathBuf>,
    /// The state file; takes precedence over the config.
    #[arg(long, global = true, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// One tenant of the config only.
    #[arg(long, global = true, value_name = "NAME")]
    pub tenant: Option<String>,
    /// How log lines look; they go to standard error.
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        default_value_t
    )]
    pub log_format: LogFormat,
    /// Logs more; twice for everything. `RUST_LOG` takes precedence.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Says less; twice for errors only.
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "verbose")]
    pub quiet: u8,
    /// Whether to colour; `NO_COLOR` is obeyed.
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub color: ColorWhen,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Shows it at work on a simulated tenant: no account, no token, no config.
    #[cfg(feature = "demo")]
    Demo {
        /// Which simulated tenant: the same number gives the same people.
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
    },
    /// Writes a commented config to start from; never overwrites one.
    Init {
        /// Where to.
        #[arg(default_value = "pagewarden.toml")]
        path: PathBuf,
    },
    /// Runs the service: polls every tenant on its schedule until stopped.
    Run,
    /// Polls every stream once until caught up, analyses, sends messages, exits.
    Scan {
        /// When to exit with 10 to 13.
        #[command(flatten)]
        fail_on: FailOn,
    },
    /// Reads and analyses the history of every stream; goes on where it stopped.
    Backfill {
        /// Where it begins, inclusive: YYYY-MM-DD (midnight UTC) or RFC 3339.
        #[arg(long, value_name = "DATE", value_parser = date)]
        from: DateTime<Utc>,
        /// Where it ends, exclusive [default: where live polling began].
        #[arg(long, value_name = "DATE", value_parser = date)]
        to: Option<DateTime<Utc>>,
        /// When to exit with 10 to 13.
        #[command(flatten)]
        fail_on: FailOn,
    },
    /// Reads and analyses files of events; asks nobody on the network.
    Import {
        /// Files of organisation events or site audit records (NDJSON, a JSON array, or API answers; gzip too), `-` for standard input.
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// What the files hold.
        #[arg(long, value_enum, default_value_t)]
        format: ImportFormat,
        /// Who is privileged; else the state's roster is used.
        #[arg(long, value_name = "FILE")]
        roster: Option<PathBuf>,
        /// Which site the audit records are of, where the tenant has several.
        #[arg(long, value_name = "URL", value_parser = config::parse_origin)]
        site: Option<Url>,
        /// When to exit with 10 to 13.
        #[command(flatten)]
        fail_on: FailOn,
    },
    /// Looks at what was found.
    #[command(subcommand)]
    Findings(Findings),
    /// Scores the stored events again and says what would have been found, and what not; changes nothing.
    Replay {
        /// The config to score by [default: the one in force].
        #[arg(long, value_name = "CONFIG")]
        with: Option<PathBuf>,
        /// How to write it.
        #[arg(long, value_enum, default_value_t)]
        format: StatusFormat,
    },
    /// Tells what a detector looks for, needs, and cannot see.
    Explain {
        /// Which detector; all of them in short, if none is named.
        detector: Option<String>,
    },
    /// Checks the config, the secrets and everything that they open; every line says what to do. Sends no message.
    Check {
        /// Looks at the config and the secrets only; asks nobody on the network.
        #[arg(long)]
        offline: bool,
        /// How to write it.
        #[arg(long, value_enum, default_value_t)]
        format: StatusFormat,
    },
    /// Looks at the config.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Takes care of the state file.
    #[command(subcommand)]
    State(State),
    /// Tells how far every stream was read, and what cannot be seen.
    Status {
        /// How to write it.
        #[arg(long, value_enum, default_value_t)]
        format: StatusFormat,
        /// Tells only what somebody has to see to, a line each, and ends with 1 where there is anything: for monitoring.
        #[arg(long)]
        check: bool,
    },
}

/// When a run that found something says so by its exit code.
#[derive(Debug, Clone, Copy, Args)]
pub struct FailOn {
    /// The least severity of a new finding that makes the exit code 10 to 13.
    #[arg(
        id = "fail-on",
        long = "fail-on",
        value_name = "SEVERITY",
        default_value = "medium",
        value_parser = PossibleValuesParser::new(Severity::ALL.map(Severity::as_str)).try_map(|word| severity(&word))
    )]
    pub severity: Severity,
}

/// Looks at what was found.
#[derive(Debug, Subcommand)]
pub enum Findings {
    /// Lists the open findings, the most severe first.
    List {
        /// Lists findings with a verdict too.
        #[arg(long)]
        all: bool,
    },
    /// Shows one finding with its evidence.
    Show {
        /// Its id, or the beginning of it.
        id: String,
    },
    /// Writes every finding for machines, to standard output.
    Export {
        /// How to write it.
        #[arg(long, value_enum, default_value_t)]
        format: ExportFormat,
    },
    /// Says what came of a finding.
    Mark {
        /// Its id, or the beginning of it.
        id: String,
        /// What came of it.
        #[arg(value_enum)]
        verdict: VerdictWord,
        /// Why, for whoever reads it later.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
}

/// Takes care of the state file.
#[derive(Debug, Subcommand)]
pub enum State {
    /// Checks that the state file is whole and its counters add up; also while a service runs.
    Check,
    /// Copies it to a new file, for its owner only; also while a service runs.
    Backup {
        /// Where to; what is there already is not overwritten.
        file: PathBuf,
    },
}

/// Looks at the config.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Shows what is in force, defaults included; secrets as the place where they are.
    Show,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Whether to colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Also into files and pipes.
    Always,
    /// Not at all.
    Never,
}

/// What files hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ImportFormat {
    /// Whatever they look like.
    #[default]
    Auto,
    /// Events of the organisation's audit log.
    OrgEvents,
    /// Records of a site's audit log.
    SiteAudit,
}

/// How the status is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum StatusFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: `pagewarden.status.v1`, `pagewarden.replay.v1` or `pagewarden.check.v1`.
    Json,
}

/// How findings are exported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// One `pagewarden.findings.v1` object.
    #[default]
    Json,
    /// One `pagewarden.finding.v1` a line.
    Ndjson,
}

/// What came of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VerdictWord {
    /// No verdict: earlier verdicts no longer count.
    Open,
    /// Known and legitimate.
    Expected,
    /// A real incident.
    Confirmed,
    /// Dealt with.
    Resolved,
}

impl From<ColorWhen> for Color {
    fn from(when: ColorWhen) -> Self {
        match when {
            ColorWhen::Auto => Self::Auto,
            ColorWhen::Always => Self::Always,
            ColorWhen::Never => Self::Never,
        }
    }
}

impl Global {
    /// What is logged, and how.
    pub fn logging(&self) -> Settings {
        let steps = |count: u8| i8::try_from(count).unwrap_or(i8::MAX);
        Settings {
            format: match self.log_format {
                LogFormat::Text => Format::Text,
                LogFormat::Json => Format::Json,
            },
            verbosity: steps(self.verbose) - steps(self.quiet),
            color: self.color.into(),
        }
    }
}

impl Cli {
    /// What is logged, and how: the demo shows its findings at the end, and does not log them as well.
    pub fn logging(&self) -> Settings {
        let settings = self.global.logging();
        #[cfg(feature = "demo")]
        if matches!(self.command, Command::Demo { .. }) {
            let verbosity = settings.verbosity.saturating_sub(1);
            return Settings {
                verbosity,
                ..settings
            };
        }
        settings
    }
}

impl From<VerdictWord> for Status {
    fn from(word: VerdictWord) -> Self {
        match word {
            VerdictWord::Open => Self::Open,
            VerdictWord::Expected => Self::Expected,
            VerdictWord::Confirmed => Self::Confirmed,
            VerdictWord::Resolved => Self::Resolved,
        }
    }
}

impl Cli {
    /// Reads the command line; help, version and mistakes come as the error, which knows its stream and exit code.
    pub fn read(
        words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let cli = Self::try_parse_from(words)?;
        let refuse = |kind, what: &str| Err(Self::command().error(kind, what));
        match &cli.command {
            Command::Backfill {
                from, to: Some(to), ..
            } if to <= from => refuse(
                ErrorKind::ValueValidation,
                "`--to` must be later than `--from`: it is exclusive",
            ),
            _ => Ok(cli),
        }
    }
}

/// The config to use: the one that was named, else the first of the usual places where there is one.
pub fn find_config(named: Option<&Path>) -> Result<PathBuf, NoConfig> {
    first_config(named, &CONFIG_PLACES.map(Path::new))
}

/// The same, with the places as a value.
fn first_config(named: Option<&Path>, places: &[&Path]) -> Result<PathBuf, NoConfig> {
    named
        .or_else(|| {
            places
                .iter()
                .copied()
                .find(|place| place.try_exists().unwrap_or(true))
        })
        .map(Path::to_owned)
        .ok_or(NoConfig)
}

/// No config was named and none is in the usual places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no config: neither `{}` nor `{}` is there, and `--config` names none; `pagewarden init` writes one to start \
     from, `pagewarden demo` needs none",
    CONFIG_PLACES[0],
    CONFIG_PLACES[1]
)]
pub struct NoConfig;

/// A day (midnight UTC) or a moment.
fn date(text: &str) -> Result<DateTime<Utc>, String> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .filter(|_| text.len() == 10);
    day.map(|day| day.and_time(NaiveTime::MIN).and_utc())
        .or_else(|| {
            DateTime::parse_from_rfc3339(text)
                .ok()
                .map(|moment| moment.to_utc())
        })
        .ok_or_else(|| {
            "write YYYY-MM-DD (midnight UTC) or RFC 3339, such as 2027-01-31T08:00:00Z".to_owned()
        })
}

/// A severity by its word.
fn severity(word: &str) -> Result<Severity, String> {
    Severity::ALL
        .into_iter()
        .find(|severity| severity.as_str() == word)
        .ok_or_else(|| "write low, medium, high or critical".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<Cli, clap::Error> {
        Cli::read(std::iter::once("pagewarden").chain(words.split_whitespace()))
    }

    #[test]
    fn the_types_are_what_clap_wants_them_to_be() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_may_stand_behind_the_command() {
        let cli = read(
            "scan --fail-on high --config x.toml --state s.db --tenant acme -vv --log-format json",
        )
        .unwrap();
        assert_eq!(cli.global.config.as_deref(), Some(Path::new("x.toml")));
        assert_eq!(
            (cli.global.verbose, cli.global.log_format),
            (2, LogFormat::Json)
        );
        assert!(
            matches!(cli.command, Command::Scan { fail_on } if fail_on.severity == Severity::High)
        );
    }

    #[test]
    fn what_is_not_said_is_medium() {
        let cli = read("import a.json -").unwrap();
        assert!(
            matches!(cli.command, Command::Import { fail_on, paths, format: ImportFormat::Auto, .. }
            if fail_on.severity == Severity::Medium && paths.len() == 2)
        );
    }

    #[test]
    fn a_date_is_midnight_and_a_moment_is_itself() {
        assert_eq!(
            date("2026-03-01").unwrap().to_rfc3339(),
            "2026-03-01T00:00:00+00:00"
        );
        assert_eq!(
            date("2026-03-01T10:00:00+02:00").unwrap().to_rfc3339(),
            "2026-03-01T08:00:00+00:00"
        );
        for bad in ["2026-3-1", "2026-02-30", "yesterday", "2026-03-01 10:00"] {
            assert!(date(bad).is_err(), "{bad}");
        }
        assert!(read("backfill --from 2026-03-02 --to 2026-03-02").is_err());
        assert!(read("backfill --from 2026-03-01 --to 2026-03-02").is_ok());
    }

    #[test]
    fn mistakes_end_with_two_and_help_with_zero() {
        for bad in [
            "check --format xml",
            "scan --fail-on dire",
            "backfill",
            "import",
            "findings mark x fine",
            "explode",
        ] {
            assert_eq!(read(bad).unwrap_err().exit_code(), 2, "{bad}");
        }
        assert_eq!(read("--help").unwrap_err().exit_code(), 0);
        assert!(read("check").is_ok() && read("check --offline").is_ok());
    }

    #[test]
    fn the_named_config_wins_and_the_first_place_comes_next() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a"), folder.path().join("b"));
        let places = [first.as_path(), second.as_path()];
        assert_eq!(first_config(None, &places), Err(NoConfig));
        std::fs::write(&second, "").unwrap();
        assert_eq!(first_config(None, &places), Ok(second.clone()));
        std::fs::write(&first, "").unwrap();
        assert_eq!(first_config(None, &places), Ok(first.clone()));
        assert_eq!(first_config(Some(Path::new("c")), &places), Ok("c".into()));
        assert!(NoConfig.to_string().contains("pagewarden init"));
    }
}
