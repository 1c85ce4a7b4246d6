//! Exports of spaces and of the site, and many exports and downloads of pages and files.

use serde::{Deserialize, Serialize};

use super::{DayDetector, DayUnderTest, Expectation, Meta, Score};
use crate::baseline::bits;
use crate::model::settings::Detect;
use crate::model::{Family, Severity, Signal};
use crate::text;

/// How much higher the threshold lies for pages and files, in bits: an eighth of the false alarms beside those of reading.
const SHARE: f64 = 3.0;
/// The least number of different spaces in a day that makes an export of high severity.
const MANY_SPACES: u32 = 3;
/// How many exports of spaces in four weeks are nothing special among peers.
const COMMON: u32 = 20;

/// What an account's day has exported, and how usual that is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Exported {
    /// Backups of the site made or downloaded.
    pub backups: u32,
    /// On how many earlier days of the last half year the account did that.
    pub backup_days: u32,
    /// Whether it always does.
    pub backups_routine: bool,
    /// Different spaces.
    pub spaces: u32,
    /// Those among them that the account had not read in, where enough of its reading is known to say so.
    pub foreign_spaces: u32,
    /// On how many earlier days of the last half year the account exported spaces.
    pub space_days: u32,
    /// Whether it always does.
    pub spaces_routine: bool,
    /// On how many person-days of the last four weeks anybody exported a space.
    pub peers_space_days: u32,
    /// Pages and files.
    pub pieces: u32,
    /// How surprising their number is, in bits.
    pub bits: f64,
    /// How many the account takes on a usual day.
    pub usual_pieces: f64,
    /// The share of the peers' days that have as many.
    pub peers_share: f64,
}

/// The detector.
pub(super) struct BulkExport;

const META: Meta = Meta {
    id: "bulk-export",
    family: Family::Export,
    summary: "An account exported the site or a space, or took many pages and files.",
    looks_for: "A backup of the site made or downloaded by anybody: high. A space that is exported: medium; high where the account \
                never exported one in half a year and had not read in that space either, or where it is three spaces in a day; low \
                where peers exported spaces on 20 person-days or more of the last four weeks. What an account always does is \
                not reported again: the same on three earlier days, after at least half the shortest earlier interval, and at most twice as \
                many spaces. Exports of pages and downloads of files are counted by day and held against the account's own past \
                and its peers' days, like reading, with a threshold that is 3 bits higher, so that they add an eighth to \
                `alerts_per_week`.",
    needs: "The site audit log for backups and exports of spaces, which needs no expensive plan; the organisation's audit log for \
            downloads and exports of pages. Where both record an export (same account, as large, within five minutes), it counts \
            once.",
    cannot_see: "Downloads of attachments, as far as Atlassian does not log them. A backup stolen by whoever makes it every week, \
                 on the usual day.",
    settings: &[
        (
            "detect.min_pages",
            "the least number of pages and files in a day that is reported",
        ),
        ("detect.bulk-export.enabled", "false switches it off"),
    ],
};

impl DayDetector for BulkExport {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn enabled(&self, settings: &Detect) -> bool {
        settings.bulk_export.enabled
    }

    fn inspect(&self, tested: &DayUnderTest<'_>, settings: &Detect) -> Option<Score> {
        let threshold = tested.threshold + SHARE;
        let bits = tested.exported.bits;
        let severity = [
            backup(&tested.exported),
            space(&tested.exported),
            pieces(tested, settings),
        ]
        .into_iter()
        .flatten()
        .max()?;
        Some(Score {
            bits,
            threshold,
            severity,
        })
    }

    fn signals(
        &self,
        tested: &DayUnderTest<'_>,
        _: &Expectation,
        settings: &Detect,
    ) -> Vec<Signal> {
        said(tested, settings)
            .into_iter()
            .map(|(name, reason)| Signal {
                name: name.to_owned(),
                bits: if name == "export-volume" {
                    tested.exported.bits
                } else {
                    0.0
                },
                reason,
            })
            .collect()
    }

    fn reason(&self, tested: &DayUnderTest<'_>, _: &Expectation, settings: &Detect) -> String {
        let said: Vec<String> = said(tested, settings)
            .into_iter()
            .map(|(_, reason)| reason)
            .collect();
        said.join(" ")
    }
}

fn backup(exported: &Exported) -> Option<Severity> {
    (exported.backups > 0 && !exported.backups_routine).then_some(Severity::High)
}

fn space(exported: &Exported) -> Option<Severity> {
    if exported.spaces == 0 || exported.spaces_routine {
        return None;
    }
    let strange = exported.space_days == 0 && exported.foreign_spaces > 0;
    Some(if strange || exported.spaces >= MANY_SPACES {
        Severity::High
    } else if exported.peers_space_days >= COMMON {
        Severity::Low
    } else {
        Severity::Medium
    })
}

fn pieces(tested: &DayUnderTest<'_>, settings: &Detect) -> Option<Severity> {
    let excess = tested.exported.bits - tested.threshold - SHARE;
    (tested.exported.pieces >= settings.min_pages && excess >= 0.0)
        .then(|| Severity::of_excess(excess))
}

/// What is reported, by name, most severe first.
fn said(tested: &DayUnderTest<'_>, settings: &Detect) -> Vec<(&'static str, String)> {
    let exported = &tested.exported;
    let mut said = Vec::new();
    if backup(exported).is_some() {
        said.push((
            "site-backup",
            format!(
                "Made or downloaded a backup of the whole site {}; {}.",
                text::count(u64::from(exported.backups), "time"),
                earlier(exported.backup_days),
            ),
        ));
    }
    if space(exported).is_some() {
        let foreign = match (exported.spaces, exported.foreign_spaces) {
            (_, 0) => String::new(),
            (1, _) => ", in which it had read nothing before".to_owned(),
            (_, foreign) => format!(", in {foreign} of which it had read nothing before"),
        };
        let peers = match exported.peers_space_days {
            0 => "nobody exported a space in the last four weeks".to_owned(),
            days => format!(
                "in the last four weeks spaces were exported on {}",
                text::count(u64::from(days), "person-day")
            ),
        };
        said.push((
            "space-export",
            format!(
                "Exported {}{foreign}; {}, and {peers}.",
                text::count(u64::from(exported.spaces), "whole space"),
                earlier(exported.space_days),
            ),
        ));
    }
    if pieces(tested, settings).is_some() {
        said.push((
            "export-volume",
            format!(
                "Exported or downloaded pages and files {} in one day; this account usually does so {:.1} times a day, and of its \
                 peers' days, {} has as many.",
                text::count(u64::from(exported.pieces), "time"),
                exported.usual_pieces,
                text::one_in(bits(exported.peers_share)),
            ),
        ));
    }
    said
}

/// On how many earlier days.
fn earlier(days: u32) -> String {
    if days == 0 {
        "its first in half a year".to_owned()
    } else {
        format!(
            "it had done so on {} of the last half year",
            text::count(u64::from(days), "day")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::kit::{EXPECTATION, tally, tested};
    use super::*;

    fn severity(exported: Exported) -> Option<Severity> {
        let tally = tally(0, 0);
        let tested = DayUnderTest {
            exported,
            ..tested(&tally, 0.0)
        };
        BulkExport
            .inspect(&tested, &Detect::default())
            .map(|score| score.severity)
    }

    #[test]
    fn a_backup_of_the_site_is_reported_unless_it_is_the_accounts_routine() {
        let backup = Exported {
            backups: 1,
            ..Exported::default()
        };
        assert_eq!(severity(backup), Some(Severity::High));
        let routine = Exported {
            backups_routine: true,
            ..backup
        };
        assert_eq!(severity(routine), None);
    }

    #[test]
    fn a_space_is_more_severe_where_it_was_never_read_in_and_less_where_everybody_exports() {
        let space = Exported {
            spaces: 1,
            ..Exported::default()
        };
        assert_eq!(severity(space), Some(Severity::Medium));
        let foreign = Exported {
            foreign_spaces: 1,
            ..space
        };
        assert_eq!(severity(foreign), Some(Severity::High));
        let practised = Exported {
            space_days: 1,
            ..foreign
        };
        assert_eq!(severity(practised), Some(Severity::Medium));
        let common = Exported {
            peers_space_days: 20,
            ..space
        };
        assert_eq!(severity(common), Some(Severity::Low));
        let broad = Exported {
            spaces: 3,
            ..common
        };
        assert_eq!(severity(broad), Some(Severity::High));
        let routine = Exported {
            spaces_routine: true,
            ..broad
        };
        assert_eq!(severity(routine), None);
    }

    #[test]
    fn pages_and_files_are_reported_by_their_surprise_and_not_below_the_least_number() {
        let many = Exported {
            pieces: 40,
            bits: 13.0,
            ..Exported::default()
        };
        assert_eq!(severity(many), Some(Severity::Low));
        assert_eq!(severity(Exported { bits: 12.9, ..many }), None);
        assert_eq!(severity(Exported { pieces: 4, ..many }), None);
        assert_eq!(
            severity(Exported { bits: 17.5, ..many }),
            Some(Severity::High)
        );
    }

    #[test]
    fn the_sentence_has_every_number() {
        let tally = tally(0, 0);
        let tested = DayUnderTest {
            exported: Exported {
                backups: 2,
                backup_days: 1,
                spaces: 3,
                foreign_spaces: 2,
                peers_space_days: 4,
                pieces: 40,
                bits: 20.0,
                usual_pieces: 0.26,
                peers_share: 1.0 / 9_000.0,
                ..Exported::default()
            },
            ..tested(&tally, 0.0)
        };
        assert_eq!(
            BulkExport.reason(&tested, &EXPECTATION, &Detect::default()),
            "Made or downloaded a backup of the whole site 2 times; it had done so on 1 day of the last half year. Exported 3 \
             whole spaces, in 2 of which it had read nothing before; its first in half a year, and in the last four weeks \
             spaces were exported on 4 person-days. Exported or downloaded pages and files 40 times in one day; this account \
             usually does so 0.3 times a day, and of its peers' days, 1 in 9,000 has as many."
        );
    }
}
