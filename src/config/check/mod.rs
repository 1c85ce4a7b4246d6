//! From tables to values: every setting is read, every problem noted, and only a config without problems comes out.

mod detect;
mod notifier;
mod places;
pub(super) mod secret;
mod tenant;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;

use super::notifier::NotifierKind;
use super::problem::{Problems, Report};
use super::raw::{self, Section};
use super::values::{self, DAY, LONGEST};
use super::{Config, Detect, Retry, State};

/// Reads a config; relative secret files begin in `folder`.
pub(super) fn config(
    text: &str,
    source_name: &str,
    folder: &Path,
    kinds: &[&'static dyn NotifierKind],
) -> Result<Config, Problems> {
    let mut report = Report::new(text, kinds);
    let (root, usable) = raw::parse(text, &mut report);
    let syntax = report.take();
    let config = if usable {
        read(root.get_ref(), folder, &mut report)
    } else {
        None
    };
    raw::merge(syntax, &mut report);
    match config {
        Some(config) if report.is_empty() => Ok(config),
        _ => Err(report.finish(source_name)),
    }
}

/// Reads every table; nothing comes out where there is no tenant that could be watched.
fn read(root: &DeTable<'_>, folder: &Path, report: &mut Report<'_>) -> Option<Config> {
    let root = Section::open("", 0, root, report);
    let state = root
        .table("state", "state", report)
        .map(|section| state(&section, report))
        .unwrap_or_default();
    let retry = root
        .table("retry", "retry", report)
        .map(|section| retry(&section, report))
        .unwrap_or_default();
    let detect = root
        .table("detect", "detect", report)
        .map(|section| detect::read(&section, &Detect::default(), report))
        .unwrap_or_default();
    let tenants = tenant::all(&root, &detect, folder, report);
    let notifiers = notifier::all(&root, folder, report);
    let settles = tenants.iter().flatten().map(|tenant| tenant.detect.settle);
    let longest = settles.max().filter(|of_tenant| *of_tenant > detect.settle);
    let (settle, whose) = longest.map_or((detect.settle, "detect"), |of_tenant| {
        (of_tenant, "tenant.detect")
    });
    if state.retention <= settle {
        let at = root
            .get("state")
            .and_then(|state| state.get_ref().get("retention"))
            .map_or(0, |at| at.span().start);
        let what = format!(
            "must be longer than `{whose}.settle`, which is {}",
            values::spelt(settle)
        );
        report.push(at, "state.retention", what);
    }
    Some(Config {
        state,
        tenants: tenants?,
        retry,
        detect,
        notifiers,
    })
}

/// `[state]`.
fn state(section: &Section<'_>, report: &mut Report<'_>) -> State {
    let default = State::default();
    State {
        path: section
            .take("path", report, values::words)
            .map_or(default.path, PathBuf::from),
        retention: section
            .take("retention", report, |value| {
                values::duration(value, DAY..=LONGEST)
            })
            .unwrap_or(default.retention),
        cache_mib: section
            .take("cache_mib", report, |value| {
                values::whole(value, 16..=1 << 20)
            })
            .unwrap_or(default.cache_mib),
    }
}

/// `[retry]`.
fn retry(section: &Section<'_>, report: &mut Report<'_>) -> Retry {
    let default = Retry::default();
    let waits = Duration::from_millis(1)..=Duration::from_mins(10);
    let answers = Duration::from_millis(100)..=Duration::from_mins(10);
    Retry {
        base: section
            .take("base", report, |value| values::duration(value, waits))
            .unwrap_or(default.base),
        attempts: section
            .take("attempts", report, |value| values::whole(value, 1..=20))
            .unwrap_or(default.attempts),
        timeout: section
            .take("timeout", report, |value| values::duration(value, answers))
            .unwrap_or(default.timeout),
    }
}

/// What may be named only once, and where it was first.
#[derive(Default)]
struct Once(HashMap<String, usize>);

impl Once {
    /// Notes a problem where the same was named before.
    fn note(
        &mut self,
        what: &str,
        name: &str,
        section: &Section<'_>,
        key: &str,
        report: &mut Report<'_>,
    ) {
        let at = section.place(key);
        if let Some(first) = self.0.insert(name.to_lowercase(), at) {
            let (line, _) = report.position(first);
            report.push(
                at,
                section.key(key),
                format!("{what} is already used on line {line} (case is ignored)"),
            );
        }
    }
}
