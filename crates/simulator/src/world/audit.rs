//! What the administrators do, in both logs.

use super::dice::{Dice, count, index};
use super::habits::{DAY, MINUTE, Stage};
use super::log::{Act, Deed};
use super::people::{CONFLUENCE_ADMINS, Group, MemberChange, ORDINARY_GROUPS, People};

/// The content of a record of the site audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Note {
    /// A space was made.
    SpaceCreated(u32),
    /// A space's settings were changed.
    SpaceConfigured(u32),
    /// A space was given a logo.
    LogoUploaded(u32),
    /// Somebody was given a permission on a space.
    PermissionAdded {
        /// On which space.
        space: u32,
        /// To whom.
        person: u32,
    },
    /// Somebody lost a permission on a space.
    PermissionRemoved {
        /// On which space.
        space: u32,
        /// Who.
        person: u32,
    },
    /// A page was put away.
    PageArchived(u32),
    /// Somebody joined or left a group, by the number of the change.
    Membership(u32),
    /// Somebody got an account.
    UserCreated(u32),
    /// Somebody's profile changed.
    UserUpdated(u32),
    /// A space was exported.
    SpaceExported(u32),
    /// Old records were removed.
    Purged,
}

/// One record of the site audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// When, in milliseconds since 1970.
    pub(crate) at: i64,
    /// Whose doing it was; none for the site itself.
    pub(crate) author: Option<u32>,
    /// What.
    pub(crate) note: Note,
}

/// The records of the site audit log, as they are gathered.
#[derive(Debug)]
pub(crate) struct Notes {
    /// The records so far, in no order.
    records: Vec<Record>,
    /// Decides over twins.
    dice: Dice,
    /// The share of records that have a twin.
    twins: f64,
    /// How many are twins of another.
    pub(crate) twinned: u32,
}

impl Notes {
    /// None yet.
    pub(crate) fn new(seed: u64, twins: f64) -> Self {
        Self {
            records: Vec::new(),
            dice: Dice::of(seed, &[20]),
            twins,
            twinned: 0,
        }
    }

    /// Adds a record; sometimes also one or two that equal it in every byte, as bulk changes leave them.
    pub(crate) fn add(&mut self, record: Record) {
        self.records.push(record);
        if self.dice.chance(self.twins) {
            let copies = 1 + self.dice.below(2);
            for _ in 0..copies {
                self.records.push(record);
            }
            self.twinned += copies;
        }
    }

    /// All of them, oldest first.
    pub(crate) fn in_order(mut self) -> Vec<Record> {
        self.records.sort_by_key(|record| record.at);
        self.records
    }
}

impl Stage<'_> {
    /// Everything that changes who is in which group, in order of time: the two planted changes and ordinary ones.
    pub(crate) fn memberships(&self) -> Vec<MemberChange> {
        let mut dice = Dice::of(self.settings.seed, &[21]);
        let admins = self.people.admins;
        let [org, ..] = admins.first;
        let at = |day: u32, minutes: i64| {
            self.settings.start_ms() + i64::from(day) * DAY + minutes * MINUTE + 217
        };
        let (person, group) = (admins.joins, CONFLUENCE_ADMINS);
        let mut changes = vec![
            MemberChange {
                at: at(self.settings.week(3) + 1, 571),
                by: org,
                person,
                group,
                joined: true,
            },
            MemberChange {
                at: at(self.settings.week(4) + 2, 803),
                by: org,
                person: admins.leaves(),
                group,
                joined: false,
            },
        ];
        let mut now: Vec<(u32, u32)> = Vec::new();
        for day in 0..self.settings.days() {
            if day % 7 >= 5 {
                continue;
            }
            for _ in 0..dice.poisson(0.6 * self.size()) {
                let person = dice.below(count(self.people.all.len()));
                let group = dice.pick(&ORDINARY_GROUPS).copied().unwrap_or_default();
                // One change a person and group, so that no two contradict each other.
                let new = self
                    .people
                    .get(person)
                    .is_none_or(|person| person.started > day);
                if new || now.contains(&(person, group)) {
                    continue;
                }
                now.push((person, group));
                let joined = !self.people.is_member(person, group, i64::MIN);
                let minute = 420 + i64::from(dice.below(600));
                changes.push(MemberChange {
                    at: at(day, minute),
                    by: self.an_admin(&mut dice),
                    person,
                    group,
                    joined,
                });
            }
        }
        changes.sort_by_key(|change| change.at);
        changes
    }

    /// How large the organisation is, beside one of 300 people.
    fn size(&self) -> f64 {
        f64::from(count(self.people.all.len())) / 300.0
    }

    /// One who is an administrator from the first to the last day.
    fn an_admin(&self, dice: &mut Dice) -> u32 {
        let [lasting @ .., _] = self.people.admins.first;
        dice.pick(&lasting).copied().unwrap_or_default()
    }

    /// The administrators' own work, in both logs.
    pub(crate) fn administer(&self, deeds: &mut Vec<Deed>, notes: &mut Notes) {
        let mut dice = Dice::of(self.settings.seed, &[22]);
        for (change, number) in self.people.changes.iter().zip(0..) {
            let act = if change.joined {
                Act::Joined(number)
            } else {
                Act::Left(number)
            };
            deeds.push(Deed::by(change.by, change.at, act));
            let at = change.at + i64::from(dice.below(2_500));
            notes.add(Record {
                at,
                author: Some(change.by),
                note: Note::Membership(number),
            });
        }
        for (person, number) in self.people.all.iter().zip(0..) {
            if person.started > 0 {
                let at = self.moment(person, person.started, 6.5);
                let by = self.an_admin(&mut dice);
                deeds.push(Deed::by(by, at - DAY, Act::Invited(number)));
                notes.add(Record {
                    at,
                    author: None,
                    note: Note::UserCreated(number),
                });
            }
        }
        for day in 0..self.settings.days() {
            if day % 7 < 5 {
                self.admin_day(day, &mut dice, deeds, notes);
            }
            let at = self.settings.start_ms() + i64::from(day) * DAY + 11_400_000;
            if day % 7 == 6 {
                notes.add(Record {
                    at,
                    author: None,
                    note: Note::Purged,
                });
            }
        }
    }

    /// A working day of the administrators.
    fn admin_day(&self, day: u32, dice: &mut Dice, deeds: &mut Vec<Deed>, notes: &mut Notes) {
        let size = self.size();
        let base = self.settings.start_ms() + i64::from(day) * DAY;
        let everybody = count(self.people.all.len());
        let moment = |dice: &mut Dice| base + 6 * 3_600_000 + i64::from(dice.below(36_000_000));
        for _ in 0..dice.poisson(1.2 * size) {
            let (by, at, space) = (self.an_admin(dice), moment(dice), self.wiki.a_space(dice));
            deeds.push(Deed::by(by, at, Act::PermissionAdded(space)));
            // One click gives several people a permission in the same millisecond.
            for _ in 0..=dice.below(3) {
                let note = Note::PermissionAdded {
                    space,
                    person: dice.below(everybody),
                };
                notes.add(Record {
                    at,
                    author: Some(by),
                    note,
                });
            }
        }
        for _ in 0..dice.poisson(1.2 * size) {
            let (by, at) = (self.an_admin(dice), moment(dice));
            let act = match dice.below(6) {
                0 => Act::SettingsChanged,
                1 | 2 => Act::RestrictionRemoved(self.wiki.any_page(dice)),
                _ => Act::UsersListed,
            };
            deeds.push(Deed::by(by, at, act));
        }
        for _ in 0..dice.poisson(5.0 * size) {
            let (at, space) = (moment(dice), self.wiki.a_space(dice));
            let person = dice.below(everybody);
            let (author, note) = match dice.below(12) {
                0 => (Some(person), Note::SpaceCreated(space)),
                1 | 2 => (Some(person), Note::SpaceConfigured(space)),
                3 => (Some(person), Note::LogoUploaded(space)),
                4..=6 => (Some(person), Note::PageArchived(self.wiki.any_page(dice))),
                7 | 8 => (
                    Some(self.an_admin(dice)),
                    Note::PermissionRemoved { space, person },
                ),
                _ => (None, Note::UserUpdated(person)),
            };
            notes.add(Record { at, author, note });
        }
    }
}

impl People {
    /// A change of membership by number, with the group it is about.
    pub(crate) fn change(&self, number: u32) -> Option<(&MemberChange, &Group)> {
        let change = self.changes.get(index(number))?;
        Some((change, self.groups.get(index(change.group))?))
    }

    /// Whether a record says that somebody joined a group.
    pub(crate) fn change_is_join(&self, note: Note) -> bool {
        matches!(note, Note::Membership(number) if self.change(number).is_some_and(|(change, _)| change.joined))
    }
}
