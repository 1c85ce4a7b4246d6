//! What is looked for. One file per detector, pure, registered here by hand, described by data.

mod admin_grant;
pub mod blind_spot;
mod bulk_export;
pub mod canary_page;
mod event_rule;
mod log_tampering;
mod privileged_reading;
mod public_link;
mod scripted_reading;
mod token_created;
mod volume_anomaly;

pub use self::admin_grant::Granted;
pub use self::bulk_export::Exported;
pub use self::event_rule::{
    Deed, Effect, EventRule, Sign, Single, alone, grouped, joining, watched,
};
pub use self::log_tampering::LogChange;
pub use self::privileged_reading::ID as PRIVILEGED_READING;
pub use self::scripted_reading::Scripted;
use crate::baseline::{Calibrated, Signals};
use crate::model::settings::Detect;
use crate::model::{Family, Severity, Signal};
use crate::session::Tally;

/// What `explain` prints of a detector.
#[derive(Debug, Clone, Copy)]
pub struct Meta {
    /// Its name for ever, kebab-case.
    pub id: &'static str,
    /// What sort of matter it finds.
    pub family: Family,
    /// One sentence.
    pub summary: &'static str,
    /// What it looks for, in a paragraph.
    pub looks_for: &'static str,
    /// What it needs to see.
    pub needs: &'static str,
    /// What it cannot see.
    pub cannot_see: &'static str,
    /// Its settings: key, and what it does.
    pub settings: &'static [(&'static str, &'static str)],
}

/// Which stretch of reading is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// One session.
    Session,
    /// The sessions that began in one UTC day.
    Day,
}

/// The day under test: one account's day of reading as it stands.
#[derive(Debug, Clone, Copy)]
pub struct DayUnderTest<'a> {
    /// What was done in the session that runs, or ran last.
    pub session: &'a Tally,
    /// What was done in all sessions of the day.
    pub day: &'a Tally,
    /// The signals of the day.
    pub signals: Signals,
    /// The signals in calibrated bits.
    pub calibrated: Calibrated,
    /// The threshold that spends `alerts_per_week`, in bits.
    pub threshold: f64,
    /// Different pages of the day that the account never opened on an earlier day.
    pub new_pages: u32,
    /// Those among them that nobody had opened in four weeks, though they were there.
    pub stale_pages: u32,
    /// Whether the account is privileged at that time.
    pub privileged: bool,
    /// Different pages of the day that it opened while it was privileged.
    pub privileged_pages: u32,
    /// How often a canary page was opened in it.
    pub canaries: u32,
    /// What was exported in it, and how usual that is.
    pub exported: Exported,
    /// Evidence of a program in the day.
    pub scripted: Scripted,
    /// What it read since it became privileged, where that was lately.
    pub granted: Option<&'a Granted>,
}

impl DayUnderTest<'_> {
    /// Whether excess that adds up over days has more bits than the day itself.
    pub fn slow_leads(&self) -> bool {
        self.calibrated.each.slow > self.calibrated.each.peers.max(self.calibrated.each.new)
    }
}

/// What was usual for the day under test, for the sentence. It costs more than a score, so it is computed only for what is reported.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expectation {
    /// What is reported: the session, or the day where the day is clearly rarer among peers.
    pub unit: Unit,
    /// Different pages in a session on average, for this account: of those before that day, each weighing half as much after
    /// 60 days, 20 at most. None for an account that has not read before.
    pub mean: Option<f64>,
    /// Different pages that 99 of 100 of its own sessions stay at or under.
    pub p99: u32,
    /// Different pages in a session on average that the model expects.
    pub newcomer: f64,
    /// Pages new to it that it opens on average on a day of reading, likewise; a day counts for 30 at most.
    pub new_pages: Option<f64>,
    /// The share of the peers' sessions, or days, that are as large.
    pub peers: f64,
    /// Since which UTC day small excess adds up, on how many days, and to how many pages new to it; the day that runs
    /// not counted.
    pub slow: Option<(i64, u32, u32)>,
}

/// A detector's score of a day under test that is to be reported.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// How surprising, in bits.
    pub bits: f64,
    /// The threshold in force for it, in bits.
    pub threshold: f64,
    /// Severity.
    pub severity: Severity,
}

/// A rule or a measure over one account's day of reading.
pub trait DayDetector: Sync {
    /// What it is.
    fn meta(&self) -> &'static Meta;

    /// Whether it looks at all.
    fn enabled(&self, settings: &Detect) -> bool;

    /// Scores a day under test; none where there is nothing to report. Called at every event: cheap, and never falling
    /// while the day grows.
    fn inspect(&self, tested: &DayUnderTest<'_>, settings: &Detect) -> Option<Score>;

    /// The signals, strongest first.
    fn signals(
        &self,
        tested: &DayUnderTest<'_>,
        expectation: &Expectation,
        settings: &Detect,
    ) -> Vec<Signal>;

    /// Why, in a sentence for a person.
    fn reason(
        &self,
        tested: &DayUnderTest<'_>,
        expectation: &Expectation,
        settings: &Detect,
    ) -> String;
}

/// Every detector of an account's day, in the order in which `explain` lists them.
pub static REGISTRY: [&dyn DayDetector; 6] = [
    &volume_anomaly::VolumeAnomaly,
    &scripted_reading::ScriptedReading,
    &privileged_reading::PrivilegedReading,
    &bulk_export::BulkExport,
    &admin_grant::AdminGrant,
    &canary_page::CanaryPage,
];

/// Every rule over single events, in the order in which `explain` lists them.
pub static EVENT_RULES: [&dyn EventRule; 3] = [
    &token_created::TokenCreated,
    &public_link::PublicLink,
    &log_tampering::LogTampering,
];

/// What `explain` lists: the registries, and the detector of log health.
pub fn metas() -> impl Iterator<Item = &'static Meta> {
    let days = REGISTRY.into_iter().map(DayDetector::meta);
    let singles = EVENT_RULES.into_iter().map(EventRule::meta);
    days.chain(singles).chain([&blind_spot::META])
}

#[cfg(test)]
pub(crate) mod kit {
    //! A day under test to try detectors on.

    use super::{Calibrated, DayUnderTest, Expectation, Exported, Scripted, Signals, Tally, Unit};

    /// The expectation for that day's account.
    pub(crate) const EXPECTATION: Expectation = Expectation {
        unit: Unit::Session,
        mean: Some(4.1),
        newcomer: 4.0,
        p99: 31,
        new_pages: Some(1.2),
        peers: 1.0 / 9_000.0,
        slow: None,
    };

    /// A stretch of so many pages in so many minutes.
    pub(crate) fn tally(pages: u32, minutes: i64) -> Tally {
        Tally {
            first: 0,
            last: minutes * 60,
            pages,
            views: pages,
            ..Tally::default()
        }
    }

    /// A day under test of so many bits, with a threshold of 10.
    pub(crate) fn tested(tally: &Tally, bits: f64) -> DayUnderTest<'_> {
        DayUnderTest {
            session: tally,
            day: tally,
            signals: Signals::default(),
            calibrated: Calibrated {
                score: bits,
                ..Calibrated::default()
            },
            threshold: 10.0,
            new_pages: tally.pages,
            stale_pages: 0,
            privileged: false,
            privileged_pages: 0,
            canaries: 0,
            exported: Exported::default(),
            scripted: Scripted::default(),
            granted: None,
        }
    }
}
