//! What can go wrong between here and Atlassian, on demand.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::world::dice::Dice;

/// In which form a 429 says how long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hint {
    /// `Retry-After` in seconds.
    Seconds,
    /// `Retry-After` as a date, by the clock of the `Date` header.
    HttpDate,
    /// `X-Retry-After` in seconds.
    XRetryAfter,
    /// `X-RateLimit-Reset` as ISO 8601 without seconds.
    Reset,
    /// Not at all.
    None,
}

/// One thing that can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// 429.
    Throttled(Hint),
    /// A status of the server's own making, 500 to 599, with JSON.
    ServerError(u16),
    /// The same with an HTML page.
    ServerErrorHtml(u16),
    /// The connection is reset before an answer.
    Reset,
    /// The connection is reset, and for a while connections are refused.
    Refused,
    /// The JSON ends in the middle, with a length that says so.
    Truncated,
    /// The connection ends in the middle of the body.
    CutBody,
    /// No answer ever comes.
    Stall,
    /// The answer stops in the middle of its body, and the connection stays open.
    StalledBody,
    /// 200 with an HTML page.
    HtmlOk,
    /// 200 with plain text.
    PlainText,
    /// 200 with plain text that claims to be JSON.
    PlainAsJson,
    /// The right answer, under a type that is not JSON.
    OddType,
    /// 302 to a sign-in page at another origin.
    Redirect,
    /// The right page, with a next link to another origin and no cursor.
    ForeignNext,
    /// The right page, with a cursor that leads to itself.
    RepeatingCursor,
    /// An empty page with a new cursor.
    EndlessCursors,
    /// `ADMIN-400-1`, where a cursor was sent.
    RefusedCursor,
    /// A body far beyond any sensible size.
    Oversized,
    /// A small body that unpacks to one far beyond any sensible size.
    GzipBomb,
    /// 200 without anybody, where people or groups were asked for.
    EmptyRoster,
    /// The right page of events, each of them twice.
    Doubled,
}

impl Fault {
    /// Every fault that passes by itself and needs no patience: all but those that stall or are
    /// huge, and those that leave something out while saying that all is well.
    pub const PASSING: [Self; 17] = [
        Self::Throttled(Hint::Seconds),
        Self::Throttled(Hint::HttpDate),
        Self::Throttled(Hint::XRetryAfter),
        Self::Throttled(Hint::Reset),
        Self::Throttled(Hint::None),
        Self::ServerError(500),
        Self::ServerError(502),
        Self::ServerErrorHtml(503),
        Self::Reset,
        Self::Truncated,
        Self::CutBody,
        Self::HtmlOk,
        Self::PlainText,
        Self::PlainAsJson,
        Self::Redirect,
        Self::RepeatingCursor,
        Self::RefusedCursor,
    ];

    /// Everything that can go wrong at all.
    pub const ALL: [Self; 29] = [
        Self::Throttled(Hint::Seconds),
        Self::Throttled(Hint::HttpDate),
        Self::Throttled(Hint::XRetryAfter),
        Self::Throttled(Hint::Reset),
        Self::Throttled(Hint::None),
        Self::ServerError(500),
        Self::ServerError(502),
        Self::ServerError(504),
        Self::ServerErrorHtml(500),
        Self::ServerErrorHtml(503),
        Self::Reset,
        Self::Refused,
        Self::Truncated,
        Self::CutBody,
        Self::Stall,
        Self::StalledBody,
        Self::HtmlOk,
        Self::PlainText,
        Self::PlainAsJson,
        Self::OddType,
        Self::Redirect,
        Self::ForeignNext,
        Self::RepeatingCursor,
        Self::EndlessCursors,
        Self::RefusedCursor,
        Self::Oversized,
        Self::GzipBomb,
        Self::EmptyRoster,
        Self::Doubled,
    ];

    /// Whether it can happen to such a request at all.
    pub(crate) fn fits(self, path: &str, has_cursor: bool) -> bool {
        let events = path.contains("/events");
        let roster = path.contains("/users/search") || path.contains("/rest/api/group");
        match self {
            Self::RefusedCursor => events && has_cursor,
            Self::RepeatingCursor | Self::EndlessCursors | Self::Doubled => {
                path.contains("/events-stream")
            }
            Self::ForeignNext => events || path.ends_with("/rest/api/audit"),
            Self::EmptyRoster => roster,
            Self::Throttled(_)
            | Self::ServerError(_)
            | Self::ServerErrorHtml(_)
            | Self::Reset
            | Self::Refused
            | Self::Truncated
            | Self::CutBody
            | Self::Stall
            | Self::StalledBody
            | Self::HtmlOk
            | Self::PlainText
            | Self::PlainAsJson
            | Self::OddType
            | Self::Redirect
            | Self::Oversized
            | Self::GzipBomb => true,
        }
    }
}

/// What goes wrong, how often, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Faults {
    /// Where chance comes from.
    pub seed: u64,
    /// The share of requests to which something happens.
    pub share: f64,
    /// What; each as likely as any other.
    pub kinds: Vec<Fault>,
    /// Beginnings of the paths to which it happens.
    pub paths: Vec<String>,
    /// After so many faults in a row on a path comes a good answer.
    pub in_a_row: u32,
    /// The seconds that a 429 asks to wait.
    pub wait: u32,
    /// The bytes of an oversized body.
    pub oversized: usize,
    /// The bytes that a gzip bomb unpacks to.
    pub bomb: usize,
    /// For how long connections are refused.
    pub away: Duration,
}

impl Default for Faults {
    fn default() -> Self {
        Self::none()
    }
}

impl Faults {
    /// Nothing goes wrong.
    pub fn none() -> Self {
        Self {
            seed: 1,
            share: 0.0,
            kinds: Vec::new(),
            paths: ["/admin/", "/wiki/", "/ex/"].map(str::to_owned).to_vec(),
            in_a_row: 2,
            wait: 0,
            oversized: 80 * 1_024 * 1_024,
            bomb: 256 * 1_024 * 1_024,
            away: Duration::from_millis(30),
        }
    }

    /// A share of the requests goes wrong in all the ways that pass by themselves.
    pub fn passing(seed: u64, share: f64) -> Self {
        Self {
            seed,
            share,
            kinds: Fault::PASSING.to_vec(),
            ..Self::none()
        }
    }

    /// A share of the requests goes wrong in these ways.
    pub fn of(seed: u64, share: f64, kinds: &[Fault]) -> Self {
        Self {
            seed,
            share,
            kinds: kinds.to_vec(),
            ..Self::none()
        }
    }
}

/// A fault that is to happen to the next requests of a path.
#[derive(Debug, Clone)]
struct Ordered {
    /// What the path must contain.
    path: String,
    /// What happens.
    fault: Fault,
    /// How many times yet.
    times: u32,
}

/// Decides what happens to each request.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// What was ordered, first come, first served.
    ordered: Vec<Ordered>,
    /// How many requests were decided on.
    decided: u64,
    /// The paths with the number of faults in a row there.
    rows: BTreeMap<String, u32>,
}

impl Plan {
    /// Orders a fault for the next requests of a path.
    pub(crate) fn order(&mut self, path: &str, fault: Fault, times: u32) {
        self.ordered.push(Ordered {
            path: path.to_owned(),
            fault,
            times,
        });
    }

    /// What happens to the next request of a path.
    pub(crate) fn next(&mut self, faults: &Faults, path: &str, has_cursor: bool) -> Option<Fault> {
        let fits = |ordered: &&mut Ordered| {
            ordered.times > 0
                && path.contains(&ordered.path)
                && ordered.fault.fits(path, has_cursor)
        };
        if let Some(ordered) = self.ordered.iter_mut().find(fits) {
            ordered.times -= 1;
            return Some(ordered.fault);
        }
        if faults.share <= 0.0 || !faults.paths.iter().any(|prefix| path.starts_with(prefix)) {
            return None;
        }
        let mut dice = Dice::of(faults.seed, &[40, self.decided]);
        self.decided += 1;
        let row = self.rows.entry(path.to_owned()).or_default();
        let kinds: Vec<Fault> = faults
            .kinds
            .iter()
            .copied()
            .filter(|kind| kind.fits(path, has_cursor))
            .collect();
        let fault = (dice.chance(faults.share) && *row < faults.in_a_row)
            .then(|| dice.pick(&kinds).copied())
            .flatten();
        *row = if fault.is_some() { *row + 1 } else { 0 };
        fault
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_ordered_happens_so_many_times_and_only_there() {
        let mut plan = Plan::default();
        plan.order("/audit", Fault::Reset, 2);
        let faults = Faults::none();
        let mut next = |path| plan.next(&faults, path, false);
        assert_eq!(next("/wiki/rest/api/group"), None);
        assert_eq!(next("/wiki/rest/api/audit"), Some(Fault::Reset));
        assert_eq!(next("/wiki/rest/api/audit"), Some(Fault::Reset));
        assert_eq!(next("/wiki/rest/api/audit"), None);
    }

    #[test]
    fn chance_is_the_same_from_the_same_seed_and_never_too_many_in_a_row() {
        let faults = Faults::passing(9, 0.7);
        let throw = || {
            let mut plan = Plan::default();
            (0..200)
                .map(|_| plan.next(&faults, "/admin/v1/orgs/o/events-stream", true))
                .collect::<Vec<_>>()
        };
        let thrown = throw();
        assert_eq!(thrown, throw());
        assert!(
            thrown
                .windows(3)
                .all(|three| three.iter().any(Option::is_none))
        );
        assert!(thrown.iter().flatten().count() > 80);
    }

    #[test]
    fn a_fault_happens_only_where_it_can() {
        assert!(!Fault::RefusedCursor.fits("/admin/v1/orgs/o/events-stream", false));
        assert!(Fault::RefusedCursor.fits("/admin/v1/orgs/o/events-stream", true));
        assert!(!Fault::EmptyRoster.fits("/wiki/rest/api/audit", false));
    }
}
