//! How long a server asks to wait, in every form that has been seen.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// What the server's clock says, where the answer has it.
pub fn server_time(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    http_date(text(headers, DATE.as_str())?)
}

/// The longest wait that any of the headers asks for.
///
/// The reset of a rate limit counts only where the limit was hit: a server that merely fails sends it too.
pub fn wait_hint(status: u16, headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let after = text(headers, RETRY_AFTER.as_str()).and_then(|text| seconds_or_date(text, now));
    let own = text(headers, "x-retry-after").and_then(|text| seconds_or_date(text, now));
    let spent = text(headers, "x-ratelimit-remaining").is_some_and(|left| left.trim() == "0");
    let reset = text(headers, "x-ratelimit-reset")
        .filter(|_| status == 429 || spent)
        .and_then(|text| reset(text, now));
    [after, own, reset].into_iter().flatten().max()
}

/// A header, if it is text.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A number of seconds, or a moment.
fn seconds_or_date(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    Some(left(http_date(text).or_else(|| iso(text))?, now))
}

/// A moment in ISO 8601, or a number: seconds (or milliseconds) since 1970, or, where too small for that, from now on.
fn reset(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let text = text.trim();
    let Ok(number) = text.parse::<i64>() else {
        return Some(left(iso(text).or_else(|| http_date(text))?, now));
    };
    if number >= 100_000_000_000 {
        Some(left(DateTime::from_timestamp_millis(number)?, now))
    } else if number >= 100_000_000 {
        Some(left(DateTime::from_timestamp(number, 0)?, now))
    } else {
        u64::try_from(number).ok().map(Duration::from_secs)
    }
}

/// What is left until then; nothing where it has passed.
fn left(until: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (until - now)
        .max(TimeDelta::zero())
        .to_std()
        .unwrap_or_default()
}

/// The date format of HTTP.
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text)
        .ok()
        .map(|at| at.to_utc())
}

/// ISO 8601, also without seconds, as Confluence has been seen to send it.
fn iso(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%#z"))
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%#z"))
        .ok()
        .map(|at| at.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pagewarden_core::time::moment;
    use reqwest::header::{HeaderName, HeaderValue};

    /// 2026-05-12T19:00:00Z.
    const NOW: i64 = 1_778_612_400;

    fn hint(status: u16, headers: &[(&'static str, &str)]) -> Option<u64> {
        let map = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect();
        wait_hint(status, &map, moment(NOW)).map(|wait| wait.as_secs())
    }

    #[test]
    fn every_form_of_hint_is_understood() {
        for (name, value, wait) in [
            ("retry-after", "17", 17),
            ("retry-after", "Tue, 12 May 2026 19:00:30 GMT", 30),
            ("x-retry-after", "21", 21),
            ("x-ratelimit-reset", "2026-05-12T19:01Z", 60),
            ("x-ratelimit-reset", "2026-05-12T19:01:05Z", 65),
            ("x-ratelimit-reset", "2026-05-12T19:01:05.250+00:00", 65),
            ("x-ratelimit-reset", "2026-05-12T21:01:05+0200", 65),
            ("x-ratelimit-reset", "1778612490", 90),
            ("x-ratelimit-reset", "1778612490000", 90),
            ("x-ratelimit-reset", "40", 40),
            ("retry-after", "Tue, 12 May 2026 18:00:00 GMT", 0),
        ] {
            assert_eq!(hint(429, &[(name, value)]), Some(wait), "{name}: {value}");
        }
    }

    #[test]
    fn the_longest_of_several_hints_wins() {
        let headers = [
            ("retry-after", "5"),
            ("x-retry-after", "7"),
            ("x-ratelimit-reset", "2026-05-12T19:01Z"),
        ];
        assert_eq!(hint(429, &headers), Some(60));
    }

    #[test]
    fn a_reset_is_a_hint_only_where_the_limit_was_hit() {
        let reset = ("x-ratelimit-reset", "2026-05-12T19:01Z");
        assert_eq!(hint(500, &[reset]), None);
        assert_eq!(hint(500, &[reset, ("x-ratelimit-remaining", "12")]), None);
        assert_eq!(
            hint(503, &[reset, ("x-ratelimit-remaining", "0")]),
            Some(60)
        );
    }

    #[test]
    fn nonsense_is_no_hint() {
        for value in ["soon", "", "-3", "NaN", "1e400"] {
            assert_eq!(hint(429, &[("retry-after", value)]), None, "{value}");
        }
        assert_eq!(hint(429, &[("x-ratelimit-reset", "tomorrow")]), None);
    }
}
