//! Single values of the file, each turned into what the program works with or into words that say what is wrong.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

use chrono::NaiveDate;
use toml::de::DeValue;
use url::{Host, Url};

use super::network;
use super::problem::{nearest, shown};
use super::raw::{kind, list};
use pagewarden_core::model::settings::Placed;
use pagewarden_core::model::{Class, PageId, Severity};

/// A second.
pub(super) const SECOND: Duration = Duration::from_secs(1);
/// A minute.
pub(super) const MINUTE: Duration = Duration::from_mins(1);
/// A day.
pub(super) const DAY: Duration = Duration::from_hours(24);
/// The longest time that any setting may take: ten years.
pub(super) const LONGEST: Duration = Duration::from_hours(3_650 * 24);

/// Text in quotes, as it is.
pub(super) fn text<'d>(value: &'d DeValue<'_>) -> Result<&'d str, String> {
    match value {
        DeValue::String(text) => Ok(text),
        other => Err(format!("must be text in quotes, not {}", kind(other))),
    }
}

/// Text in quotes that says something and has no control characters.
pub(super) fn words(value: &DeValue<'_>) -> Result<String, String> {
    let text = text(value)?;
    if text.trim().is_empty() {
        return Err("must not be empty".into());
    }
    if text.chars().any(char::is_control) {
        return Err("must be one line without control characters".into());
    }
    Ok(text.to_owned())
}

/// One of a few words.
pub(super) fn one_of<T: Copy>(
    value: &DeValue<'_>,
    choices: &[(&'static str, T)],
) -> Result<T, String> {
    let text = text(value)?;
    if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text) {
        return Ok(*choice);
    }
    let known: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
    Err(match nearest(text, known.iter().copied()) {
        Some(meant) => format!(
            "`{}` is not a valid value; did you mean `{meant}`? Valid values: {}",
            shown(text),
            list(&known)
        ),
        None => format!(
            "`{}` is not a valid value; valid values: {}",
            shown(text),
            list(&known)
        ),
    })
}

/// A severity.
pub(super) fn severity(value: &DeValue<'_>) -> Result<Severity, String> {
    one_of(
        value,
        &Severity::ALL.map(|severity| (severity.as_str(), severity)),
    )
}

/// A class of events.
pub(super) fn class(value: &DeValue<'_>) -> Result<Class, String> {
    one_of(value, &Class::ALL.map(|class| (class.as_str(), class)))
}

/// True or false.
pub(super) fn switch(value: &DeValue<'_>) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| format!("must be true or false without quotes, not {}", kind(value)))
}

/// A whole number within bounds.
pub(super) fn whole(value: &DeValue<'_>, bounds: RangeInclusive<u32>) -> Result<u32, String> {
    let DeValue::Integer(number) = value else {
        return Err(format!(
            "must be a whole number without quotes, not {}",
            kind(value)
        ));
    };
    i128::from_str_radix(number.as_str(), number.radix())
        .ok()
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| bounds.contains(number))
        .ok_or_else(|| {
            if *bounds.end() == u32::MAX {
                format!("must be at least {}", bounds.start())
            } else {
                format!("must be from {} to {}", bounds.start(), bounds.end())
            }
        })
}

/// A number above zero and up to a bound, with or without a point.
pub(super) fn positive(value: &DeValue<'_>, most: f64) -> Result<f64, String> {
    let number = match value {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .and_then(|n| i32::try_from(n).ok())
            .map(f64::from),
        DeValue::Float(number) => number.as_str().parse().ok(),
        other => {
            return Err(format!(
                "must be a number without quotes, not {}",
                kind(other)
            ));
        }
    };
    number
        .filter(|number: &f64| number.is_finite() && *number > 0.0 && *number <= most)
        .ok_or_else(|| format!("must be greater than 0 and at most {most}"))
}

/// A duration within bounds, as `"90s"`, `"15m"`, `"24h"` or `"180d"`.
pub(super) fn duration(
    value: &DeValue<'_>,
    bounds: RangeInclusive<Duration>,
) -> Result<Duration, String> {
    const FORM: &str =
        "a time in quotes with its unit, such as \"90s\", \"15m\", \"24h\" or \"180d\"";
    let DeValue::String(text) = value else {
        return Err(format!("must be {FORM}, not {}", kind(value)));
    };
    let read = humantime::parse_duration(text.trim()).map_err(|_| format!("must be {FORM}"))?;
    if bounds.contains(&read) {
        return Ok(read);
    }
    Err(format!(
        "must be from {} to {}",
        spelt(*bounds.start()),
        spelt(*bounds.end())
    ))
}

/// A duration as people write it in the config: `"1h 30m"`, `"180d"`.
pub fn spelt(duration: Duration) -> String {
    let mut left = duration.as_secs();
    let mut parts = Vec::new();
    for (unit, seconds) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        if left >= seconds {
            parts.push(format!("{}{unit}", left / seconds));
            left %= seconds;
        }
    }
    let nanos = duration.subsec_nanos();
    if nanos > 0 {
        let whole = nanos.is_multiple_of(1_000_000);
        parts.push(if whole {
            format!("{}ms", nanos / 1_000_000)
        } else {
            format!("{nanos}ns")
        });
    }
    if parts.is_empty() {
        "0s".into()
    } else {
        parts.join(" ")
    }
}

/// A day, as text or as TOML's own date.
pub(super) fn date(value: &DeValue<'_>) -> Result<NaiveDate, String> {
    const FORM: &str = "must be a day of the calendar, written YYYY-MM-DD";
    let text: Cow<'_, str> = match value {
        DeValue::String(text) => Cow::Borrowed(text),
        DeValue::Datetime(at) if at.time.is_none() && at.offset.is_none() => {
            Cow::Owned(at.to_string())
        }
        DeValue::Datetime(_) => return Err(format!("{FORM}, without a time")),
        other => return Err(format!("{FORM}, not {}", kind(other))),
    };
    let shape = text.len() == 10
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-');
    let read = if shape {
        NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()
    } else {
        None
    };
    read.ok_or_else(|| FORM.to_owned())
}

/// A word of letters, digits and a few signs.
pub(super) fn name(value: &DeValue<'_>, signs: &str) -> Result<String, String> {
    let text = text(value)?;
    let fits = |letter: char| letter.is_ascii_alphanumeric() || signs.contains(letter);
    if text.is_empty() || text.len() > 100 || !text.chars().all(fits) {
        let signs: Vec<String> = signs.chars().map(|sign| format!("`{sign}`")).collect();
        return Err(format!(
            "must be 1 to 100 letters (a to z), digits and {}, without spaces",
            signs.join(", ")
        ));
    }
    Ok(text.to_owned())
}

/// The e-mail address that a token belongs to.
pub(super) fn email(value: &DeValue<'_>) -> Result<String, String> {
    let text = text(value)?;
    let fits = text
        .split_once('@')
        .is_some_and(|(who, host)| !who.is_empty() && !host.is_empty() && !host.contains('@'));
    let clean = !text
        .chars()
        .any(|letter| letter.is_whitespace() || letter.is_control() || letter == ':');
    if fits && clean {
        Ok(text.to_owned())
    } else {
        Err("must be the e-mail address of the account that made the token, such as \"auditor@acme.example\"".into())
    }
}

/// The origin of a server: `https://`, or `http://` on this machine, and nothing behind the host.
pub(super) fn origin(value: &DeValue<'_>) -> Result<Url, String> {
    parse_origin(text(value)?)
}

/// The same for text that comes from somewhere else, such as the command line. The message never repeats the text.
pub fn parse_origin(text: &str) -> Result<Url, String> {
    let form = "must be an address such as \"https://acme.atlassian.net\"";
    let url = Url::parse(text.trim()).map_err(|_| form.to_owned())?;
    let Some(host) = url.host() else {
        return Err(form.into());
    };
    let mut wrong = Vec::new();
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&host) => {}
        "http" => {
            wrong
                .push("must begin with `https://`; `http://` is for this machine (127.0.0.1) only");
        }
        _ => wrong.push("must begin with `https://`"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        wrong.push("must not hold a user name or password");
    }
    if url.path() != "/" && !url.path().is_empty() {
        wrong.push("must end after the host, without a path");
    }
    if url.query().is_some() || url.fragment().is_some() {
        wrong.push("must not have a `?` or `#` part");
    }
    if wrong.is_empty() {
        Ok(url)
    } else {
        Err(wrong.join("; "))
    }
}

/// Whether a host is this machine.
fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// A network address, or a network in CIDR notation.
pub(super) fn network(value: &DeValue<'_>) -> Result<String, String> {
    let text = text(value)?;
    if network::network(text).is_some() {
        Ok(text.to_owned())
    } else {
        Err("must be an address or a network, such as \"192.0.2.7\", \"192.0.2.0/24\" or \"2001:db8::/32\"".into())
    }
}

/// What follows a word in the address of something on a site, and the host of the site; none where it is no address.
fn on_site(text: &str, behind: &str) -> Option<Placed<String>> {
    let address = Url::parse(text).ok()?;
    let site = address.host_str()?.to_lowercase();
    let mut parts = address.path_segments()?;
    let id = parts
        .by_ref()
        .find(|part| *part == behind)
        .and(parts.next())?;
    Some(Placed {
        id: id.to_owned(),
        site: Some(site),
    })
}

/// The key of a space, or its address.
pub(super) fn space(value: &DeValue<'_>) -> Result<Placed<String>, String> {
    let text = words(value)?;
    if !text.contains("://") {
        return Ok(Placed::anywhere(text));
    }
    on_site(&text, "spaces")
        .filter(|space| !space.id.is_empty())
        .ok_or_else(|| {
            "must be the key of a space, or its address: https://…/wiki/spaces/KEY".into()
        })
}

/// The id of a page: the number in its address, as a number or as text; or its address.
pub(super) fn page(value: &DeValue<'_>) -> Result<Placed<PageId>, String> {
    let form = "must be the id of a page, as in its address: …/pages/123456/…";
    if let DeValue::String(text) = value
        && let Some(page) = on_site(text, "pages")
        && is_page(&page.id)
    {
        return Ok(Placed {
            id: PageId::new(page.id),
            site: page.site,
        });
    }
    let text = match value {
        DeValue::String(text) => text.as_ref(),
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        other => return Err(format!("{form}, not {}", kind(other))),
    };
    if is_page(text) {
        Ok(Placed::anywhere(PageId::new(text)))
    } else {
        Err(form.into())
    }
}

fn is_page(id: &str) -> bool {
    !id.is_empty() && id.len() <= 30 && id.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_is_for_this_machine_only() {
        for good in [
            "http://127.0.0.1:8080",
            "http://[::1]:1",
            "http://localhost/",
            "https://acme.atlassian.net",
        ] {
            assert!(parse_origin(good).is_ok(), "{good}");
        }
        for bad in [
            "http://acme.atlassian.net",
            "http://127.0.0.1.acme.example",
            "http://localhost.acme.example",
            "ftp://127.0.0.1",
        ] {
            assert!(parse_origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_ends_after_its_host_and_is_never_repeated() {
        for bad in [
            "https://u:hunter2@acme.example",
            "https://acme.example/wiki",
            "https://acme.example?k=hunter2",
            "hunter2",
        ] {
            let words = parse_origin(bad).unwrap_err();
            assert!(!words.contains("hunter2"), "{words}");
        }
    }

    #[test]
    fn a_duration_is_spelt_as_it_can_be_read() {
        for seconds in [0, 1, 59, 60, 90, 3_600, 5_400, 86_400, 180 * 86_400, 86_401] {
            let duration = Duration::from_secs(seconds);
            assert_eq!(
                humantime::parse_duration(&spelt(duration)).unwrap(),
                duration
            );
        }
        assert_eq!(spelt(Duration::from_hours(180 * 24)), "180d");
        assert_eq!(spelt(Duration::from_millis(1_500)), "1s 500ms");
    }
}
