//! How a record is written: ids, times, and the chance that decides what is missing.

use crate::world::World;
use crate::world::dice::Dice;

/// The chance of one event for how it is written, a few bits for each question.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form(pub(super) u32);

impl Form {
    /// Some of the bits as a number, from a place on.
    const fn bits(self, from: u32, many: u32) -> u32 {
        (self.0 >> from) % (1 << many)
    }

    /// In which of the three shapes a page is written.
    pub(super) const fn shape(self) -> u32 {
        self.bits(0, 8) % 3
    }

    /// Whether the time has milliseconds.
    pub(super) const fn is_exact(self) -> bool {
        self.bits(8, 3) != 0
    }

    /// Location: 0 missing, 1 without an address, 2 of empty texts, else whole.
    pub(super) const fn location(self) -> u32 {
        self.bits(11, 5)
    }

    /// Whether the event lacks its links.
    pub(super) const fn lacks_links(self) -> bool {
        self.bits(18, 4) == 0
    }

    /// Whether an attribute says `contentId` for `pageId`.
    pub(super) const fn says_content(self) -> bool {
        self.bits(22, 1) == 0
    }

    /// Whether the link is the old one, without a space.
    pub(super) const fn has_old_link(self) -> bool {
        self.bits(23, 2) == 0
    }

    /// Whether there is no context at all, not even an empty one.
    pub(super) const fn lacks_context(self) -> bool {
        self.bits(25, 2) == 0
    }

    /// Whether there is a link beside the ids.
    pub(super) const fn has_alt(self) -> bool {
        self.bits(27, 1) == 0
    }

    /// Whether a browser session is named as such.
    pub(super) const fn names_session(self) -> bool {
        self.bits(28, 4) == 0
    }
}

/// The id of an event.
pub(super) fn event_id(world: &World, serial: u32) -> String {
    let mut dice = Dice::of(world.settings().seed, &[93, u64::from(serial)]);
    let mut bytes = [0; 16];
    let (high, low) = (dice.word().to_be_bytes(), dice.word().to_be_bytes());
    for (to, from) in bytes.iter_mut().zip(high.into_iter().chain(low)) {
        *to = from;
    }
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = *version % 16 + 0x40;
    *variant = *variant % 64 + 0x80;
    let mut id = String::with_capacity(36);
    for (byte, place) in bytes.into_iter().zip(0..) {
        if matches!(place, 4 | 6 | 8 | 10) {
            id.push('-');
        }
        for digit in [byte >> 4, byte % 16] {
            id.push(char::from_digit(digit.into(), 16).unwrap_or_default());
        }
    }
    id
}

/// Writes a moment as RFC 3339, with or without its milliseconds.
pub(super) fn time(at: i64, exact: bool, out: &mut Vec<u8>) {
    let (seconds, millis) = (at.div_euclid(1_000), at.rem_euclid(1_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days to a date, by Howard Hinnant's algorithm: chrono's own writing takes as long as all the rest of an event.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let leaps = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leaps) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    digits(year, 1_000, out);
    for (before, number) in [
        (b'-', month),
        (b'-', day),
        (b'T', second / 3_600),
        (b':', second / 60 % 60),
        (b':', second % 60),
    ] {
        out.push(before);
        digits(number, 10, out);
    }
    if exact {
        out.push(b'.');
        digits(millis, 100, out);
    }
    out.push(b'Z');
}

/// Writes the digits of a number, from the place of a power of ten on.
fn digits(number: i64, highest: i64, out: &mut Vec<u8>) {
    let mut place = highest;
    while place > 0 {
        out.push(b'0' + u8::try_from(number / place % 10).unwrap_or_default());
        place /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::WorldSettings;

    #[test]
    fn a_moment_is_written_as_chrono_writes_it() {
        for at in [
            0,
            951_782_399_999,
            951_868_800_000,
            1_785_715_200_123,
            4_102_444_799_001,
        ] {
            let moment = chrono::DateTime::from_timestamp_millis(at).unwrap();
            for (exact, form) in [
                (true, chrono::SecondsFormat::Millis),
                (false, chrono::SecondsFormat::Secs),
            ] {
                let mut out = Vec::new();
                time(at, exact, &mut out);
                assert_eq!(
                    String::from_utf8(out).unwrap(),
                    moment.to_rfc3339_opts(form, true)
                );
            }
        }
    }

    #[test]
    fn the_id_of_an_event_is_a_canonical_uuid() {
        let world = World::new(WorldSettings::small(1));
        let id = event_id(&world, 77);
        assert_eq!(pagewarden_core::model::EventKey::of_id(&id).uuid(), id);
        assert_ne!(id, event_id(&world, 78));
    }
}
