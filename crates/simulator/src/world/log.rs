//! What happened, as compact facts; and in which order the organisation's log delivers it.

use super::dice::{Dice, millis};
use super::settings::WorldSettings;

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doer {
    /// Somebody, by number.
    Person(u32),
    /// The search indexer.
    Integration,
    /// The site itself.
    System,
}

/// How the doer proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// A browser: the event says nothing.
    Browser,
    /// A personal API token.
    Token,
    /// An app's own token.
    App,
}

/// What was done. Pages, spaces, people and changes are numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// A page was opened.
    Viewed(u32),
    /// A blog post was opened.
    PostViewed(u32),
    /// A page was made.
    Created(u32),
    /// A page was edited.
    Updated(u32),
    /// An issue was opened.
    IssueViewed(u32),
    /// An issue was edited.
    IssueUpdated(u32),
    /// Somebody signed in.
    SignedIn,
    /// Somebody gave a wrong password.
    SignInFailed,
    /// Somebody signed out.
    SignedOut,
    /// An API token was made.
    TokenCreated,
    /// A permission on a space was given.
    PermissionAdded(u32),
    /// A restriction of a page was lifted.
    RestrictionRemoved(u32),
    /// Somebody was added to a group.
    Joined(u32),
    /// Somebody was removed from a group.
    Left(u32),
    /// The export of a space was ready.
    SpaceExported(u32),
    /// The export of a space was downloaded.
    SpaceExportDownloaded(u32),
    /// The export of a page was downloaded.
    PageExportDownloaded(u32),
    /// Somebody was invited.
    Invited(u32),
    /// A setting of the organisation was changed.
    SettingsChanged,
    /// The list of people was looked at.
    UsersListed,
    /// The index of a space was rebuilt, by the site itself.
    Rebuilt(u32),
    /// Something that has no word anywhere.
    Strange(u32),
    /// A record that no reader can use: without an id, without a time, with an action that is no text.
    Unusable(u32),
}

impl Act {
    /// Whether the plan must include the activity of people to see it.
    pub(crate) const fn is_activity(self) -> bool {
        match self {
            Self::Viewed(_)
            | Self::PostViewed(_)
            | Self::Created(_)
            | Self::Updated(_)
            | Self::IssueViewed(_)
            | Self::IssueUpdated(_)
            | Self::SpaceExported(_)
            | Self::SpaceExportDownloaded(_)
            | Self::PageExportDownloaded(_)
            | Self::Rebuilt(_)
            | Self::Strange(_) => true,
            Self::SignedIn
            | Self::SignInFailed
            | Self::SignedOut
            | Self::TokenCreated
            | Self::PermissionAdded(_)
            | Self::RestrictionRemoved(_)
            | Self::Joined(_)
            | Self::Left(_)
            | Self::Invited(_)
            | Self::SettingsChanged
            | Self::UsersListed
            | Self::Unusable(_) => false,
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deed {
    /// When, in milliseconds since 1970.
    pub(crate) at: i64,
    /// Who did it.
    pub(crate) doer: Doer,
    /// What.
    pub(crate) act: Act,
    /// How the doer proved who it is.
    pub(crate) way: Way,
}

impl Deed {
    /// Something that somebody did in a browser.
    pub(crate) const fn by(person: u32, at: i64, act: Act) -> Self {
        Self {
            at,
            doer: Doer::Person(person),
            act,
            way: Way::Browser,
        }
    }
}

/// One delivery of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What happened.
    pub(crate) deed: Deed,
    /// When it was processed, in milliseconds since 1970.
    pub(crate) processed: i64,
    /// The number of the event: its id is made of it, and two deliveries of one event share it.
    pub(crate) serial: u32,
    /// Chance for how it is written: which optional things are missing, in which shape.
    pub(crate) form: u32,
    /// Whether it was delivered before.
    pub(crate) repeat: bool,
}

impl Entry {
    /// Whether it took longer than ten minutes to be processed.
    pub(crate) const fn is_late(&self) -> bool {
        self.processed - self.deed.at > LATE
    }
}

/// From how much delay on (in milliseconds) an event is late.
const LATE: i64 = 600_000;

/// How many records no reader can use: two of each of the three kinds.
pub(crate) const UNUSABLE: u32 = 6;

/// Puts what happened into the order in which the log delivers it: by processing time.
///
/// A few are late by up to two hours, a few are delivered twice, and six are unusable.
pub(crate) fn deliver(mut deeds: Vec<Deed>, settings: &WorldSettings) -> Vec<Entry> {
    let mut dice = Dice::of(settings.seed, &[6]);
    let span =
        u32::try_from(settings.end().timestamp() - settings.start.timestamp()).unwrap_or(u32::MAX);
    for kind in 0..UNUSABLE {
        let at = settings.start_ms() + i64::from(dice.below(span)) * 1_000;
        deeds.push(Deed {
            at,
            doer: Doer::Person(0),
            act: Act::Unusable(kind % 3),
            way: Way::Browser,
        });
    }
    // Stable: what happened in the same millisecond stays in the order in which it was written.
    deeds.sort_by_key(|deed| deed.at);
    let mut entries = Vec::with_capacity(deeds.len() + deeds.len() / 64);
    for (deed, serial) in deeds.into_iter().zip(0_u32..) {
        let delay = if dice.chance(settings.late) {
            // Evenly over the orders of magnitude from ten minutes to two hours.
            600.0 * 12.0_f64.powf(dice.unit())
        } else {
            (4.0 + dice.exponential(45.0)).min(590.0)
        };
        let entry = Entry {
            deed,
            processed: deed.at + millis(delay),
            serial,
            form: dice.half(),
            repeat: false,
        };
        entries.push(entry);
        if dice.chance(settings.repeats) && !matches!(deed.act, Act::Unusable(_)) {
            let processed = entry.processed + 1_000 + i64::from(dice.below(3_600_000));
            entries.push(Entry {
                processed,
                repeat: true,
                ..entry
            });
        }
    }
    entries.sort_by_key(|entry| (entry.processed, entry.serial, entry.repeat));
    entries
}

/// How many of what the log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Events of the access stream, each once, without the unusable ones.
    pub events: u32,
    /// How many times an event was delivered again.
    pub repeats: u32,
    /// Events that were processed more than ten minutes after they happened.
    pub late: u32,
    /// Records of the access stream that no reader can use.
    pub unusable: u32,
    /// Records of the site audit log, each twin counted.
    pub audit: u32,
    /// How many of these equal another one in every byte.
    pub twins: u32,
    /// Views of pages and blog posts among the events.
    pub views: u32,
}

impl Counts {
    /// Counts deliveries; those of the audit log are left at nothing.
    pub(crate) fn of<'a>(entries: impl Iterator<Item = &'a Entry>) -> Self {
        let mut counts = Self::default();
        for entry in entries {
            if matches!(entry.deed.act, Act::Unusable(_)) {
                counts.unusable += 1;
            } else if entry.repeat {
                counts.repeats += 1;
            } else {
                counts.events += 1;
                counts.late += u32::from(entry.is_late());
                counts.views += u32::from(matches!(
                    entry.deed.act,
                    Act::Viewed(_) | Act::PostViewed(_)
                ));
            }
        }
        counts
    }

    /// The number of records that the access stream delivers, repeats and unusable ones included.
    pub const fn delivered(&self) -> u32 {
        self.events + self.repeats + self.unusable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(settings: &WorldSettings) -> Vec<Entry> {
        let start = settings.start_ms();
        deliver(
            (0..10_000)
                .map(|n| Deed::by(1, start + n * 1_000, Act::SignedIn))
                .collect(),
            settings,
        )
    }

    #[test]
    fn the_log_is_in_the_order_of_processing_and_a_few_are_late() {
        let entries = entries(&WorldSettings::default());
        assert!(entries.is_sorted_by_key(|entry| entry.processed));
        let counts = Counts::of(entries.iter());
        assert_eq!((counts.events, counts.unusable), (10_000, UNUSABLE));
        assert!((200..400).contains(&counts.late), "{}", counts.late);
        let longest = entries
            .iter()
            .filter(|entry| !entry.repeat)
            .map(|entry| entry.processed - entry.deed.at)
            .max();
        assert!((3_600_000..=7_200_000).contains(&longest.unwrap()));
    }

    #[test]
    fn a_repeat_comes_after_what_it_repeats() {
        let entries = entries(&WorldSettings::default());
        let mut seen = std::collections::HashSet::new();
        let mut repeats = 0;
        for entry in &entries {
            assert_eq!(seen.insert(entry.serial), !entry.repeat);
            repeats += u32::from(entry.repeat);
        }
        assert_eq!(repeats, Counts::of(entries.iter()).repeats);
        assert!((20..90).contains(&repeats), "{repeats}");
    }
}
