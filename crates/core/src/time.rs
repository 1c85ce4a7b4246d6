//! The clock as a value, and arithmetic on windows and days. Nothing here reads a clock but [`SystemClock`].

use chrono::{DateTime, TimeDelta, Utc};

/// Seconds in a UTC day.
pub const DAY_SECONDS: i64 = 86_400;

/// Where "now" comes from: the system in the program, a constant in tests.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present moment.
    fn now(&self) -> DateTime<Utc>;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// A clock that stands still, for tests and for simulated time.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub DateTime<Utc>);

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// A half-open stretch of event time, `[from, until)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first moment inside.
    pub from: DateTime<Utc>,
    /// The first moment after it.
    pub until: DateTime<Utc>,
}

impl Window {
    /// Whether a moment lies inside.
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && at < self.until
    }
}

/// The number of the UTC day, counted from 1970-01-01.
pub const fn day_of(seconds: i64) -> i64 {
    seconds.div_euclid(DAY_SECONDS)
}

/// The date of a UTC day, as people write it: 2026-03-02.
pub fn date(day: i64) -> String {
    moment(day.saturating_mul(DAY_SECONDS))
        .format("%Y-%m-%d")
        .to_string()
}

/// The minute of a moment (seconds since 1970), as people write it: 2026-03-02 14:05.
pub fn minute(seconds: i64) -> String {
    moment(seconds).format("%Y-%m-%d %H:%M").to_string()
}

/// A moment from whole seconds since 1970; the far past where the number has no date.
pub fn moment(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// A moment earlier by a duration; the far past where there is none.
pub fn before(at: DateTime<Utc>, by: std::time::Duration) -> DateTime<Utc> {
    TimeDelta::from_std(by)
        .ok()
        .and_then(|by| at.checked_sub_signed(by))
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// A moment later by a duration; the far future where there is none.
pub fn after(at: DateTime<Utc>, by: std::time::Duration) -> DateTime<Utc> {
    TimeDelta::from_std(by)
        .ok()
        .and_then(|by| at.checked_add_signed(by))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// A moment as people and machines read it: RFC 3339, UTC, whole seconds.
pub fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
