//! What the product makes of a log as it is: whether the knob holds what it promises, and how large the state is.

use std::collections::{HashMap, HashSet};

use pagewarden_core::engine::Rules;

use crate::Done;
use crate::asked::Asked;
use crate::log::Log;
use crate::product::{self, Scored, Settings, Size, different, period, threshold};
use crate::report::{Report, say};
use crate::span::{Active, Span, WEEK};
use crate::statistics::{float, poisson_mean, poisson_range};

/// For how many days a tenant is new.
const NEW_TENANT: i64 = 14;

/// A new tenant is made of each stretch of a log that begins so many days after the one before.
const NEW_TENANT_EVERY: i64 = 4 * WEEK;

/// For how many active days a person is new.
const NEW_PERSON: usize = 3;

/// A log as it is.
#[derive(Debug)]
pub(crate) struct Clean {
    /// Every day's score, by day and account.
    days: Vec<Scored>,
    /// How many active days each account had before, in the same order.
    earlier: Vec<usize>,
    /// For each account, day and how far it lies above the threshold for a budget of 1.
    by_user: HashMap<u32, Vec<(i64, f64)>>,
    size: Size,
}

impl Clean {
    /// Replays a log.
    pub(crate) fn new(rules: &Rules, log: &Log, active: &Active) -> Done<Self> {
        let (days, size) = product::clean(rules, log, active)?;
        let mut by_user: HashMap<u32, Vec<(i64, f64)>> = HashMap::new();
        let mut earlier = Vec::with_capacity(days.len());
        for scored in &days {
            let own = by_user.entry(scored.user).or_default();
            earlier.push(own.len());
            own.push((scored.day, scored.excess));
        }
        Ok(Self {
            days,
            earlier,
            by_user,
            size,
        })
    }

    /// How far an account rises above the threshold on some days.
    pub(crate) fn highest(&self, user: u32, first: i64, last: i64) -> f64 {
        self.by_user
            .get(&user)
            .into_iter()
            .flatten()
            .filter(|(day, _)| (first..=last).contains(day))
            .map(|(_, excess)| *excess)
            .fold(f64::NEG_INFINITY, f64::max)
    }

    /// The days of interest: how many, and how many alarms, one for each account and week of its own.
    fn alarms(
        &self,
        log: &Log,
        budget: f64,
        of: impl Fn(&Scored, usize) -> bool,
    ) -> (usize, usize) {
        let mut reported = HashSet::new();
        let (mut days, mut alarms) = (0, 0);
        for (scored, earlier) in self.days.iter().zip(&self.earlier) {
            let counts = of(scored, *earlier);
            days += usize::from(counts);
            if scored.excess >= threshold(budget)
                && reported.insert((scored.user, period(log, scored.user, scored.day)))
                && counts
            {
                alarms += 1;
            }
        }
        (days, alarms)
    }
}

/// Writes all tables of a clean log.
pub(crate) fn tables(
    clean: &Clean,
    (log, span): (&Log, &Span),
    asked: &Asked,
    report: &Report<'_>,
) -> Done {
    promise(clean, (log, span), asked, report)?;
    tail(clean, span, report)?;
    newness(clean, (log, span), asked, report)?;
    size(clean, log, report)
}

/// Whether as many alarms come as were asked for.
fn promise(clean: &Clean, (log, span): (&Log, &Span), asked: &Asked, report: &Report<'_>) -> Done {
    let widths = [12, 8, 8, 8, 12, 4, 8, 4];
    report.title("Alarms, with the threshold set by the knob alone")?;
    Report::row(
        &widths,
        &[
            "",
            "budget",
            "asked",
            "counted",
            "0.5x..1.5x",
            "",
            "below 2x",
            "",
        ],
    )?;
    let halves = [
        ("all", span.from, span.person_weeks),
        ("second half", span.middle, span.later_person_weeks),
    ];
    for budget in &asked.budgets {
        for (name, from, person_weeks) in halves {
            let wanted = budget / 1_000.0 * float(person_weeks);
            let within = |scored: &Scored, _| (from..span.until).contains(&scored.day);
            let (_, alarms) = clean.alarms(log, *budget, within);
            let (low, high) = poisson_range(wanted * 0.5, wanted * 1.5);
            let (_, most) = poisson_range(wanted * 2.0, wanted * 2.0);
            let word = |fits: bool| if fits { "ok" } else { "NO" };
            Report::row(
                &widths,
                &[
                    name,
                    &budget.to_string(),
                    &format!("{wanted:.1}"),
                    &alarms.to_string(),
                    &format!("{low}..{high}"),
                    word((low..=high).contains(&alarms)),
                    &most.to_string(),
                    word(alarms <= most),
                ],
            )?;
            report.figure((name, "alarms"), *budget, alarms, person_weeks)?;
        }
    }
    Ok(())
}

/// Whether a bit is worth a bit.
fn tail(clean: &Clean, span: &Span, report: &Report<'_>) -> Done {
    let widths = [8, 8, 10, 8, 16];
    let days = clean.days.iter().filter(|scored| span.holds(scored.day));
    let bits: Vec<f64> = days.map(|scored| scored.bits).collect();
    report.title(&format!(
        "Tail of {} person-days: observed(>= b) / 2^-b, 95 %",
        bits.len()
    ))?;
    Report::row(&widths, &["b", "seen", "expected", "ratio", ""])?;
    for b in 3..=12_u32 {
        let seen = bits.iter().filter(|bits| **bits >= f64::from(b)).count();
        let expected = float(bits.len()) * (-f64::from(b)).exp2();
        let (low, high) = poisson_mean(seen);
        Report::row(
            &widths,
            &[
                &b.to_string(),
                &seen.to_string(),
                &format!("{expected:.1}"),
                &format!("{:.2}", float(seen) / expected),
                &format!("[{:.2}, {:.2}]", low / expected, high / expected),
            ],
        )?;
        report.figure((&format!("tail-{b}"), "ours"), 0.0, seen, bits.len())?;
    }
    Ok(())
}

/// Whether what is new floods.
fn newness(clean: &Clean, (log, span): (&Log, &Span), asked: &Asked, report: &Report<'_>) -> Done {
    let widths = [34, 8, 8, 12, 18];
    report.title("Alarms per 1,000 person-days, 95 %")?;
    Report::row(&widths, &["", "budget", "alarms", "person-days", "rate"])?;
    let settled = log.first_day() + NEW_TENANT;
    let tenants = new_tenants(log)?;
    for budget in &asked.budgets {
        let row = |name: &str, (days, alarms): (usize, usize)| -> Done {
            let (low, high) = poisson_mean(alarms);
            let rate = |alarms: f64| alarms * 1_000.0 / float(days.max(1));
            Report::row(
                &widths,
                &[
                    name,
                    &budget.to_string(),
                    &alarms.to_string(),
                    &days.to_string(),
                    &format!(
                        "{:.2} [{:.2}, {:.2}]",
                        rate(float(alarms)),
                        rate(low),
                        rate(high)
                    ),
                ],
            )?;
            Ok(report.figure((name, "alarms"), *budget, alarms, days)?)
        };
        let alarms = |of: &dyn Fn(&Scored, usize) -> bool| clean.alarms(log, *budget, of);
        let new = tenants.iter().fold((0, 0), |sum, (log, clean)| {
            let (days, alarms) = clean.alarms(log, *budget, |_, _| true);
            (sum.0 + days, sum.1 + alarms)
        });
        row("tenant, first 14 days (cuts)", new)?;
        row("tenant, later", alarms(&|scored, _| scored.day >= settled))?;
        row(
            "person, first 3 days (counted)",
            alarms(&|scored, earlier| span.holds(scored.day) && earlier < NEW_PERSON),
        )?;
        row(
            "person, later (counted)",
            alarms(&|scored, earlier| span.holds(scored.day) && earlier >= NEW_PERSON),
        )?;
    }
    Ok(())
}

/// The first days of tenants that begin with the log, and every four weeks later: a log alone has one beginning, and often a
/// thin one.
fn new_tenants(log: &Log) -> Done<Vec<(Log, Clean)>> {
    let settings = Settings::default();
    let mut all = Vec::new();
    let mut from = log.first_day();
    while from + NEW_TENANT <= log.end_day() {
        if let Some(log) = log.cut(from, from + NEW_TENANT) {
            let rules = product::rules(&settings, &log);
            let clean = Clean::new(&rules, &log, &Active::of(&log))?;
            all.push((log, clean));
        }
        from += NEW_TENANT_EVERY;
    }
    Ok(all)
}

/// How large the state is.
fn size(clean: &Clean, log: &Log, report: &Report<'_>) -> Done {
    let users = 0..u32::try_from(log.users.len())?;
    let pages: usize = users.map(|user| different(log, user)).sum();
    report.title(&format!(
        "State at the end in bytes; different items of a person in the mean {:.1}",
        float(pages) / float(log.users.len().max(1)),
    ))?;
    let widths = [8, 8, 10, 8, 8, 8, 8];
    Report::row(
        &widths,
        &["", "parts", "all", "mean", "median", "p99", "most"],
    )?;
    let parts = [
        ("tenant", &vec![clean.size.tenant]),
        ("people", &clean.size.accounts),
        ("pages", &clean.size.pages),
        ("others", &clean.size.other_pages),
    ];
    for (name, sizes) in parts {
        let all: usize = sizes.iter().sum();
        let at = |percent: usize| {
            let place = sizes.len().saturating_sub(1) * percent / 100;
            sizes.get(place).copied().unwrap_or_default().to_string()
        };
        Report::row(
            &widths,
            &[
                name,
                &sizes.len().to_string(),
                &all.to_string(),
                &format!("{:.1}", float(all) / float(sizes.len().max(1))),
                &at(50),
                &at(99),
                &at(100),
            ],
        )?;
        report.figure(("state", name), 0.0, all, sizes.len())?;
    }
    say(&format!(
        "pages: opened in the last four weeks; others: not. People with more than 200 bytes and 4 for each different item: {}",
        clean.size.large_accounts
    ))?;
    Ok(())
}
