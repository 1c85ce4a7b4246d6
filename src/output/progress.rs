//! How far a walk through history has come: a bar on a terminal, plain lines now and then elsewhere.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use pagewarden_core::text;
use pagewarden_core::time::Window;

/// How far apart plain lines are.
const LINE_EVERY: Duration = Duration::from_mins(1);

/// The progress of one walk after another, on standard error.
#[derive(Debug)]
pub struct Progress {
    what: String,
    began: Instant,
    spoke: Instant,
    bar: Option<ProgressBar>,
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress {
    /// Nothing yet.
    pub fn new() -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar =
                ProgressBar::with_draw_target(Some(1_000), ProgressDrawTarget::stderr_with_hz(4));
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}") {
                bar.set_style(style);
            }
            bar
        });
        let now = Instant::now();
        Self {
            what: String::new(),
            began: now,
            spoke: now,
            bar,
        }
    }

    /// Shows how many records of a span have come in, and up to when.
    pub fn show(
        &mut self,
        what: &str,
        span: Window,
        received: u64,
        reached: Option<DateTime<Utc>>,
    ) {
        if self.what != what {
            what.clone_into(&mut self.what);
            self.began = Instant::now();
            // What is over at once needs no line.
            self.spoke = self.began;
        }
        let share = share(span, reached);
        let words = words(what, share, received, self.began.elapsed());
        match &self.bar {
            Some(bar) => {
                bar.set_position(share);
                bar.set_message(words);
            }
            None if self.spoke.elapsed() >= LINE_EVERY => {
                self.spoke = Instant::now();
                drop(writeln!(io::stderr().lock(), "{} %: {words}", share / 10));
            }
            None => {}
        }
    }

    /// Leaves the last line standing.
    pub fn done(&mut self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}

/// Thousandths of a span that are done.
fn share(span: Window, reached: Option<DateTime<Utc>>) -> u64 {
    let whole = (span.until - span.from).num_seconds().max(1);
    let done = reached
        .map_or(0, |reached| (reached - span.from).num_seconds())
        .clamp(0, whole);
    u64::try_from(i128::from(done) * 1_000 / i128::from(whole)).unwrap_or_default()
}

/// Done, rate, time left.
fn words(what: &str, share: u64, received: u64, took: Duration) -> String {
    let records = text::count(received, "record");
    // The first answer does not show how fast the others come.
    if took < Duration::from_secs(1) && share < 1_000 {
        return format!("{what}: {records}");
    }
    let rate = received * 1_000 / u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    let left = match share {
        0 => String::new(),
        1_000 => ", done".to_owned(),
        share => {
            let left = took.saturating_mul(u32::try_from(1_000 - share).unwrap_or(1_000))
                / u32::try_from(share).unwrap_or(1);
            format!(", {} left", text::duration(left))
        }
    };
    format!("{what}: {records}, {} a second{left}", text::number(rate))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pagewarden_core::time::moment;

    #[test]
    fn it_says_done_rate_and_time_left() {
        let span = Window {
            from: moment(0),
            until: moment(1_000),
        };
        assert_eq!(share(span, None), 0);
        assert_eq!(share(span, Some(moment(250))), 250);
        assert_eq!(share(span, Some(moment(9_000))), 1_000);
        assert_eq!(
            words(
                "the organisation's events",
                250,
                5_000,
                Duration::from_mins(1)
            ),
            "the organisation's events: 5,000 records, 83 a second, 3 minutes left"
        );
    }

    #[test]
    fn the_first_answer_makes_no_promise() {
        assert_eq!(
            words(
                "the organisation's events",
                1,
                500,
                Duration::from_millis(2)
            ),
            "the organisation's events: 500 records"
        );
    }
}
