//! What the program says of itself: logs on standard error, and internal events as structs.
//!
//! Which level means what: `error` is data lost or a person needed, `warn` is odd but we recover, `info` is the life
//! cycle, `debug` is per batch, `trace` is for whoever writes this program; never one line per event.

pub mod events;

use std::io::{self, IsTerminal as _};

use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt as _;

use pagewarden_core::text::Color;

/// The variable that overrules every other setting of what is logged.
const VARIABLE: &str = "RUST_LOG";

/// Libraries that log addresses or bytes below `info`: they stay there unless `RUST_LOG` names them.
const CHATTY: [&str; 6] = [
    "reqwest",
    "hyper",
    "hyper_util",
    "rustls",
    "h2",
    "rustls_platform_verifier",
];

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// What is logged, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// How lines look.
    pub format: Format,
    /// How many `-v` were given, less how many `-q`.
    pub verbosity: i8,
    /// Whether lines for people are coloured.
    pub color: Color,
}

/// Why logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// `RUST_LOG` is not a valid filter.
    #[error("the variable RUST_LOG is not a valid filter: {0}")]
    Filter(String),
    /// Something in this process logs already.
    #[error("logs have been set up before")]
    Twice,
}

/// Sends logs to standard error from now on, for the whole process; called once, by `main`.
pub fn init(settings: Settings) -> Result<(), InitError> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let asked = variable(VARIABLE).map(|value| value.to_string_lossy().into_owned());
    let ansi = settings
        .color
        .enabled(io::stderr().is_terminal(), no_color());
    let subscriber = subscriber(settings, asked.as_deref(), ansi, io::stderr)?;
    subscriber.try_init().map_err(|_| InitError::Twice)
}

/// Whether the user wants no colour anywhere (`NO_COLOR`).
pub fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// What `init` installs, with everything from outside as an argument.
fn subscriber<W>(
    settings: Settings,
    asked: Option<&str>,
    ansi: bool,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, InitError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let spec = asked.map_or_else(|| default_filter(settings.verbosity), str::to_owned);
    let filter = EnvFilter::builder()
        .parse(&spec)
        .map_err(|error| InitError::Filter(error.to_string()))?;
    let named: Vec<&'static str> = CHATTY
        .into_iter()
        .filter(|chatty| asked.is_some_and(|asked| names(asked, chatty)))
        .collect();
    let filter = filter.and(filter_fn(move |metadata| is_quiet(metadata, &named)));
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    let layer = match settings.format {
        Format::Text => layer.with_ansi(ansi).with_target(false).boxed(),
        Format::Json => layer
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed(),
    };
    Ok(Box::new(
        Registry::default().with(layer.with_filter(filter)),
    ))
}

/// What is logged where `RUST_LOG` says nothing.
fn default_filter(verbosity: i8) -> String {
    let (others, ours) = match verbosity {
        ..=-2 => ("error", "error"),
        -1 => ("error", "warn"),
        0 => ("warn", "info"),
        1 => ("warn", "debug"),
        2.. => ("info", "trace"),
    };
    format!("{others},pagewarden={ours}")
}

/// Whether a filter names a library itself.
fn names(filter: &str, library: &str) -> bool {
    filter
        .split([',', '=', '[', ' '])
        .any(|word| is_of(word.trim(), library))
}

/// Whether a log line's target belongs to a library.
fn is_of(target: &str, library: &str) -> bool {
    target
        .strip_prefix(library)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Whether a line gives nothing away: it is not of a chatty library, or is `info` or above, or was asked for by name.
fn is_quiet(metadata: &Metadata<'_>, named: &[&str]) -> bool {
    *metadata.level() <= LevelFilter::INFO
        || CHATTY
            .iter()
            .filter(|chatty| !named.contains(chatty))
            .all(|chatty| !is_of(metadata.target(), chatty))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Collects what is written.
    #[derive(Clone, Default)]
    pub(super) struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Lines {
        pub(super) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// What is written while something happens.
    pub(super) fn logged(
        settings: Settings,
        asked: Option<&str>,
        ansi: bool,
        happens: impl FnOnce(),
    ) -> String {
        let lines = Lines::default();
        let subscriber = subscriber(settings, asked, ansi, lines.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, happens);
        lines.text()
    }

    fn something_everywhere() {
        tracing::trace!(target: "pagewarden::storage", "ours trace.");
        tracing::debug!(target: "pagewarden::storage", "ours debug.");
        tracing::info!(target: "pagewarden::storage", "ours info.");
        tracing::warn!(target: "pagewarden::storage", "ours warn.");
        tracing::info!(target: "axum", "theirs info.");
        tracing::warn!(target: "axum", "theirs warn.");
        tracing::trace!(target: "axum::serve", "theirs trace.");
        tracing::debug!(target: "reqwest::connect", "starting new connection to a secret.");
        tracing::trace!(target: "hyper_util::client", "secret bytes.");
        tracing::info!(target: "reqwest", "chatty info.");
    }

    fn said(verbosity: i8, asked: Option<&str>) -> Vec<String> {
        let settings = Settings {
            verbosity,
            ..Settings::default()
        };
        let text = logged(settings, asked, false, something_everywhere);
        let words = ["ours", "theirs", "chatty", "starting", "secret bytes"];
        let said = |line: &str| {
            let from = words
                .iter()
                .filter_map(|word| line.find(word))
                .min()
                .unwrap();
            line.split_at(from).1.to_owned()
        };
        text.lines().map(said).collect()
    }

    #[test]
    fn by_default_we_are_heard_from_info_and_others_from_warn() {
        assert_eq!(said(0, None), ["ours info.", "ours warn.", "theirs warn."]);
        assert_eq!(said(-1, None), ["ours warn."]);
        assert_eq!(said(-5, None), Vec::<String>::new());
        assert_eq!(
            said(1, None),
            ["ours debug.", "ours info.", "ours warn.", "theirs warn."]
        );
    }

    #[test]
    fn no_verbosity_lets_libraries_log_addresses() {
        let all = [
            said(2, None),
            said(100, None),
            said(0, Some("trace")),
            said(0, Some("debug")),
        ];
        for said in all {
            assert!(said.contains(&"chatty info.".to_owned()), "{said:?}");
            assert!(!said.iter().any(|line| line.contains("secret")), "{said:?}");
        }
        assert!(said(0, Some("trace")).contains(&"theirs trace.".to_owned()));
    }

    #[test]
    fn a_library_that_is_asked_for_by_name_is_heard() {
        assert_eq!(
            said(0, Some("error,reqwest=debug")),
            ["starting new connection to a secret.", "chatty info."]
        );
        assert_eq!(
            said(0, Some("off,hyper_util::client=trace")),
            ["secret bytes."]
        );
    }

    #[test]
    fn the_variable_wins_over_the_switches() {
        assert_eq!(said(5, Some("pagewarden=warn")), ["ours warn."]);
        let wrong = subscriber(
            Settings::default(),
            Some("pagewarden=loud"),
            false,
            io::sink,
        );
        assert!(matches!(wrong, Err(InitError::Filter(_))));
    }

    #[test]
    fn colours_are_only_there_where_they_were_asked_for() {
        let colored = |ansi| logged(Settings::default(), None, ansi, something_everywhere);
        assert!(!colored(false).contains('\u{1b}') && colored(true).contains('\u{1b}'));
    }

    #[test]
    fn machines_get_one_object_per_line() {
        let settings = Settings {
            format: Format::Json,
            ..Settings::default()
        };
        let text = logged(settings, None, true, || {
            tracing::info!(target: "pagewarden", stored = 3, "Walk ended.");
        });
        let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(
            (&line["message"], &line["stored"]),
            (&"Walk ended.".into(), &3.into())
        );
        assert_eq!(line["level"], "INFO");
    }
}
