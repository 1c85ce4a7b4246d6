//! Moments in every spelling that the logs have been seen to use.

use std::fmt;

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Days from the first of January of the year 1 to that of 1970, as chrono counts them.
const UNIX_DAY: i64 = 719_163;

/// A moment, where there is one that can be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stamp(pub(crate) Option<DateTime<Utc>>);

/// Reads a moment: RFC 3339 with any number of decimals, with or without seconds, colon or zone, or digits (see `of_number`).
pub fn of_text(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return of_number(text.parse().ok()?);
    }
    Scan(text.as_bytes()).moment()
}

/// Reads a number: seconds, milliseconds, microseconds or nanoseconds since 1970, distinguished by size.
pub(crate) fn of_number(number: i64) -> Option<DateTime<Utc>> {
    match number.unsigned_abs() {
        0..100_000_000_000 => DateTime::from_timestamp(number, 0),
        100_000_000_000..100_000_000_000_000 => DateTime::from_timestamp_millis(number),
        100_000_000_000_000..100_000_000_000_000_000 => DateTime::from_timestamp_micros(number),
        _ => Some(DateTime::from_timestamp_nanos(number)),
    }
}

/// What is left to read.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    /// The moment, if nothing is left behind it.
    fn moment(mut self) -> Option<DateTime<Utc>> {
        let year = self.digits(4)?;
        self.eat(b"-")?;
        let month = self.digits(2)?;
        self.eat(b"-")?;
        let day = self.digits(2)?;
        let date =
            NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)?;
        let (mut seconds, mut nanos, mut offset) = (0, 0, 0);
        if !self.0.is_empty() {
            self.eat(b"Tt ")?;
            let hour = self.digits(2)?;
            self.eat(b":")?;
            let minute = self.digits(2)?;
            let second = if self.eat(b":").is_some() {
                self.digits(2)?
            } else {
                0
            };
            if hour > 23 || minute > 59 || second > 60 {
                return None;
            }
            seconds = hour * 3600 + minute * 60 + second;
            nanos = self.decimals()?;
            offset = self.zone()?;
        }
        let days = i64::from(date.num_days_from_ce()) - UNIX_DAY;
        DateTime::from_timestamp(days * 86_400 + i64::from(seconds - offset), nanos)
    }

    /// Exactly so many digits.
    fn digits(&mut self, count: usize) -> Option<i32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        digits.iter().try_fold(0, |number, byte| {
            byte.is_ascii_digit()
                .then(|| number * 10 + i32::from(byte - b'0'))
        })
    }

    /// One of these bytes.
    fn eat(&mut self, any: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        if !any.contains(first) {
            return None;
        }
        self.0 = rest;
        Some(*first)
    }

    /// The nanoseconds after a point or comma; further digits are dropped.
    fn decimals(&mut self) -> Option<u32> {
        if self.eat(b".,").is_none() {
            return Some(0);
        }
        let (mut nanos, mut place) = (0, 100_000_000);
        let before = self.0.len();
        while let Some(digit) = self.eat(b"0123456789") {
            nanos += u32::from(digit - b'0') * place;
            place /= 10;
        }
        (self.0.len() < before).then_some(nanos)
    }

    /// The seconds that a zone is ahead of UTC; no zone at all is UTC.
    fn zone(&mut self) -> Option<i32> {
        let sign = match self.eat(b"Zz+-") {
            Some(b'+') => 1,
            Some(b'-') => -1,
            Some(_) | None => return self.0.is_empty().then_some(0),
        };
        let hours = self.digits(2)?;
        self.eat(b":");
        let minutes = if self.0.is_empty() {
            0
        } else {
            self.digits(2)?
        };
        (self.0.is_empty() && hours < 24 && minutes < 60)
            .then_some(sign * (hours * 3600 + minutes * 60))
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StampVisitor)
    }
}

/// Takes a moment in any spelling.
struct StampVisitor;

impl<'de> Visitor<'de> for StampVisitor {
    type Value = Stamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a moment")
    }

    fn visit_str<E>(self, text: &str) -> Result<Stamp, E> {
        Ok(Stamp(of_text(text)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Stamp, E> {
        Ok(Stamp(of_number(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Stamp, E> {
        Ok(Stamp(i64::try_from(number).ok().and_then(of_number)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Stamp, E> {
        // Seconds with decimals, or a large number in a float's spelling.
        let number = if number.abs() < 1e11 {
            number * 1000.0
        } else {
            number
        };
        let millis: Option<i64> = format!("{number:.0}").parse().ok();
        Ok(Stamp(millis.and_then(DateTime::from_timestamp_millis)))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Stamp, E> {
        Ok(Stamp(None))
    }

    fn visit_unit<E>(self) -> Result<Stamp, E> {
        Ok(Stamp(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Stamp, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Stamp(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Stamp, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Stamp(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_moment_is_the_same_moment() {
        for text in [
            "\"2026-05-12T19:00:00Z\"",
            "\"2026-05-12T19:00:00.000Z\"",
            "\"2026-05-12T19:00:00.000000000+00:00\"",
            "\"2026-05-12T21:00:00+0200\"",
            "\"2026-05-12T21:00:00.0+02:00\"",
            "\"2026-05-12T14:30:00-04:30\"",
            "\"2026-05-12T21:00+02\"",
            "\"2026-05-12 19:00:00z\"",
            "\"2026-05-12T19:00:00\"",
            "\"1778612400\"",
            "\"1778612400000\"",
            "1778612400",
            "1778612400000",
            "1778612400000000",
            "1778612400000000000",
            "1778612400.0",
            "1.7786124e12",
        ] {
            let stamp: Stamp = serde_json::from_str(text).unwrap();
            assert_eq!(
                stamp.0,
                Some(pagewarden_core::time::moment(1_778_612_400)),
                "{text}"
            );
        }
    }

    #[test]
    fn fractions_are_kept() {
        for (text, nanos) in [
            ("2026-05-12T19:00:00.343Z", 343_000_000),
            ("2026-05-12T19:00:00.929936941226Z", 929_936_941),
        ] {
            assert_eq!(of_text(text).unwrap().timestamp_subsec_nanos(), nanos);
        }
    }

    #[test]
    fn agrees_with_chrono_over_many_days() {
        for day in 0..40_000 {
            let text = pagewarden_core::time::rfc3339(pagewarden_core::time::moment(day * 86_399));
            assert_eq!(
                of_text(&text),
                Some(pagewarden_core::time::moment(day * 86_399))
            );
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "\"\"",
            "\"soon\"",
            "\"2026-13-01T00:00:00Z\"",
            "\"2026-05-12T25:00:00Z\"",
            "\"2026-05-12T19:00:00Zz\"",
            "\"2026-05-12T19:00:00.Z\"",
            "null",
            "true",
            "[1]",
            "{\"a\":1}",
            "\"-\"",
            "\"2026-05-1é\"",
        ] {
            assert_eq!(
                serde_json::from_str::<Stamp>(text).unwrap(),
                Stamp(None),
                "{text}"
            );
        }
    }
}
