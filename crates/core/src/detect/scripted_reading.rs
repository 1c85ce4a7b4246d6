//! Reading that no person does: at a machine's pace, or with a token or an app where that is new (MITRE DET0358,
//! `AgentFilter`).

use serde::{Deserialize, Serialize};

use super::{DayDetector, DayUnderTest, Expectation, Meta, Score};
use crate::baseline::Pace;
use crate::model::settings::Detect;
use crate::model::{Auth, Family, Severity, Signal};
use crate::text;

/// From how many pages on it is more than a trial.
const SOME: u32 = 20;
/// The least number of different pages of a bulk collection.
const MANY: u32 = 100;

/// Evidence of a program in an account's day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Scripted {
    /// Pauses as even as no person's.
    pub steady: Option<Pace>,
    /// Many pages faster than anybody reads.
    pub hasty: Option<Pace>,
    /// A way of proving who it is that the account did not read with before, and different pages that it read with it.
    pub way: Option<(Auth, u32)>,
    /// On how many days it had read before, where the way is new.
    pub days_before: f64,
    /// Different pages that an app read that was not seen reading before.
    pub new_app_pages: u32,
}

/// The detector.
pub(super) struct ScriptedReading;

const META: Meta = Meta {
    id: "scripted-reading",
    family: Family::Reading,
    summary: "A person's account read as only a program does, or a new token or app read.",
    looks_for: "Three things. A pace that no person has: 24 pauses in a row between views of different pages whose logarithms \
                deviate by less than 0.25 (people's by 1.0 to 1.4, a crawler's with random waits by 0.03 to 0.3), or a session with \
                100 pauses or more of 6 seconds or less on average. At least `min_pages` different pages in a day read \
                with an API token, OAuth or another token by an account that read on five days or more without it. An app that was \
                not seen reading before: reported once, and compared with its own past from then on. Severity: low below 20 pages, high \
                from 100 on, medium between; a pace is never low.",
    needs: "Page views in the organisation's audit log, with times to the second, and how the actor proved who it is.",
    cannot_see: "User agents, which Atlassian does not log. A program that waits as people do. Tokens of accounts that always use \
                 tokens, and reading through the API as far as Atlassian does not log it as views.",
    settings: &[
        (
            "detect.scripted-reading.integrations",
            "the ids of accounts that are known programs: compared with their own past alone, and not reported here",
        ),
        (
            "detect.min_pages",
            "the least number of pages that is reported of a new token or app",
        ),
        ("detect.scripted-reading.enabled", "false switches it off"),
    ],
};

impl DayDetector for ScriptedReading {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn enabled(&self, settings: &Detect) -> bool {
        settings.scripted_reading.enabled
    }

    fn inspect(&self, tested: &DayUnderTest<'_>, settings: &Detect) -> Option<Score> {
        let severity = said(&tested.scripted, settings)
            .into_iter()
            .map(|(_, severity, _)| severity)
            .max()?;
        Some(Score {
            bits: tested.calibrated.score,
            threshold: tested.threshold,
            severity,
        })
    }

    fn signals(
        &self,
        tested: &DayUnderTest<'_>,
        _: &Expectation,
        settings: &Detect,
    ) -> Vec<Signal> {
        said(&tested.scripted, settings)
            .into_iter()
            .map(|(name, _, reason)| Signal {
                name: name.to_owned(),
                bits: 0.0,
                reason,
            })
            .collect()
    }

    fn reason(&self, tested: &DayUnderTest<'_>, _: &Expectation, settings: &Detect) -> String {
        let said: Vec<String> = said(&tested.scripted, settings)
            .into_iter()
            .map(|(_, _, reason)| reason)
            .collect();
        said.join(" ")
    }
}

/// What is reported: name, severity, and reason.
fn said(scripted: &Scripted, settings: &Detect) -> Vec<(&'static str, Severity, String)> {
    let mut said = Vec::new();
    if let Some(pace) = scripted.steady {
        said.push((
            "steady-pace",
            of_pages(pace.pauses).max(Severity::Medium),
            format!(
                "Paused {} between pages, {:.1} seconds each, give or take {:.0} %; people's pauses vary by 100 % or more.",
                text::count(u64::from(pace.pauses), "time"),
                pace.seconds,
                100.0 * pace.deviation,
            ),
        ));
    }
    if let Some(pace) = scripted.hasty {
        said.push((
            "hasty-pace",
            of_pages(pace.pauses).max(Severity::Medium),
            format!(
                "Opened {} in one session, one every {:.1} seconds; nobody reads that fast.",
                text::count(u64::from(pace.pauses) + 1, "different page"),
                pace.seconds,
            ),
        ));
    }
    if let Some((auth, pages)) = scripted
        .way
        .filter(|(_, pages)| *pages >= settings.min_pages)
    {
        said.push((
            "new-token",
            of_pages(pages),
            format!(
                "Read {} with {}; it had not done so on any of its {:.0} earlier days of reading.",
                text::count(u64::from(pages), "different page"),
                match auth {
                    Auth::ApiToken => "an API token",
                    Auth::Oauth => "OAuth, as apps do",
                    Auth::Session | Auth::Other => "a token of another kind",
                },
                scripted.days_before,
            ),
        ));
    }
    if scripted.new_app_pages >= settings.min_pages {
        said.push((
            "new-app",
            of_pages(scripted.new_app_pages),
            format!(
                "An app that had not been seen reading before read {}.",
                text::count(u64::from(scripted.new_app_pages), "different page"),
            ),
        ));
    }
    said
}

const fn of_pages(pages: u32) -> Severity {
    if pages >= MANY {
        Severity::High
    } else if pages >= SOME {
        Severity::Medium
    } else {
        Severity::Low
    }
}

#[cfg(test)]
mod tests {
    use super::super::kit::{EXPECTATION, tally, tested};
    use super::*;

    fn severity(scripted: Scripted) -> Option<Severity> {
        let tally = tally(0, 0);
        let tested = DayUnderTest {
            scripted,
            ..tested(&tally, 0.0)
        };
        ScriptedReading
            .inspect(&tested, &Detect::default())
            .map(|score| score.severity)
    }

    const PACE: Pace = Pace {
        pauses: 24,
        seconds: 20.04,
        deviation: 0.062,
    };

    #[test]
    fn a_machines_pace_is_reported_and_a_persons_is_not() {
        let steady = |pauses| Scripted {
            steady: Some(Pace { pauses, ..PACE }),
            ..Scripted::default()
        };
        assert_eq!(severity(steady(24)), Some(Severity::Medium));
        assert_eq!(severity(steady(100)), Some(Severity::High));
        assert_eq!(severity(Scripted::default()), None);
    }

    #[test]
    fn a_new_token_is_reported_from_the_least_number_of_pages_on() {
        let way = |pages| Scripted {
            way: Some((Auth::ApiToken, pages)),
            ..Scripted::default()
        };
        assert_eq!(severity(way(4)), None);
        assert_eq!(severity(way(5)), Some(Severity::Low));
        assert_eq!(severity(way(20)), Some(Severity::Medium));
        assert_eq!(severity(way(100)), Some(Severity::High));
    }

    #[test]
    fn a_new_app_is_reported_from_the_least_number_of_pages_on() {
        let app = |new_app_pages| Scripted {
            new_app_pages,
            ..Scripted::default()
        };
        assert_eq!(severity(app(4)), None);
        assert_eq!(severity(app(300)), Some(Severity::High));
    }

    #[test]
    fn the_sentence_has_every_number() {
        let tally = tally(0, 0);
        let tested = DayUnderTest {
            scripted: Scripted {
                steady: Some(PACE),
                hasty: Some(Pace {
                    pauses: 299,
                    seconds: 1.97,
                    deviation: 0.5,
                }),
                way: Some((Auth::ApiToken, 300)),
                days_before: 31.0,
                new_app_pages: 0,
            },
            ..tested(&tally, 0.0)
        };
        assert_eq!(
            ScriptedReading.reason(&tested, &EXPECTATION, &Detect::default()),
            "Paused 24 times between pages, 20.0 seconds each, give or take 6 %; people's pauses vary by 100 % or more. Opened 300 \
             different pages in one session, one every 2.0 seconds; nobody reads that fast. Read 300 different pages with an API token; it had \
             not done so on any of its 31 earlier days of reading."
        );
    }
}
