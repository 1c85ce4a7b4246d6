//! How many bulk collections of each kind are found, beside the simple rules, and how soon.

use crate::Done;
use crate::injector::Kind;
use crate::report::{Report, interval};
use crate::statistics::{float, paired, share};
use crate::trial::{Bench, METHODS, OURS, Trial};

const WIDTHS: [usize; 10] = [18, 5, 20, 6, 6, 6, 7, 7, 24, 4];

/// Tries every kind, and writes a table for each budget.
pub(crate) fn tables(bench: &Bench<'_>, report: &Report<'_>) -> Done {
    let kinds = &bench.asked.kinds;
    let mut drawn = Vec::new();
    for kind in kinds {
        drawn.push(match bench.draw(kind) {
            Ok(drawn) => drawn,
            Err(error) => {
                report.title(&format!("left out: {error}"))?;
                Vec::new()
            }
        });
    }
    let trials = bench.try_all(drawn, true);
    for budget in &bench.asked.budgets {
        let thresholds = bench.thresholds(*budget);
        report.title(&format!(
            "Found at {budget} per 1,000 and week; {:.1} alarms asked for; lines of the rules {}",
            budget / 1_000.0 * float(bench.span.person_weeks),
            rules(&thresholds),
        ))?;
        Report::row(
            &WIDTHS,
            &[
                "",
                "n",
                "ours",
                "hour",
                "own",
                "global",
                "without",
                "best",
                "ours - best",
                "day",
            ],
        )?;
        for (kind, trials) in kinds.iter().zip(&trials) {
            if !trials.is_empty() {
                row((kind, trials), *budget, &thresholds, report)?;
            }
        }
    }
    Ok(())
}

/// The thresholds of the simple rules, in words.
fn rules(thresholds: &[f64; 4]) -> String {
    METHODS
        .iter()
        .zip(thresholds)
        .skip(1)
        .map(|(name, threshold)| format!("{name} {threshold:.1}"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn row(
    (kind, trials): (&Kind, &[Trial]),
    budget: f64,
    thresholds: &[f64; 4],
    report: &Report<'_>,
) -> Done {
    let tried = trials.len();
    let threshold = thresholds.get(OURS).copied().unwrap_or(f64::INFINITY);
    let by_method = |all: bool| -> Vec<Vec<bool>> {
        (0..)
            .zip(thresholds)
            .map(|(method, threshold)| {
                let found = |trial: &Trial| {
                    if all {
                        trial.all(method, *threshold)
                    } else {
                        trial.any(method, *threshold)
                    }
                };
                trials.iter().map(found).collect()
            })
            .collect()
    };
    let without = trials
        .iter()
        .filter(|trial| trial.without(threshold))
        .count();
    let mut days: Vec<i64> = trials
        .iter()
        .filter_map(|trial| trial.days(OURS, threshold))
        .collect();
    days.sort_unstable();
    let day = days.get(days.len() / 2).filter(|_| kind.days > 1);
    let day = day.map_or_else(String::new, i64::to_string);
    cells(
        &kind.name,
        &by_method(false),
        &[&decimals(without, tried), &day],
        budget,
        report,
    )?;
    if kind.share > 1 {
        let name = format!("{} (all)", kind.name);
        cells(&name, &by_method(true), &["", ""], budget, report)?;
    }
    Ok(())
}

/// A share with three decimals.
fn decimals(found: usize, tried: usize) -> String {
    format!("{:.3}", share(found, tried))
}

fn cells(
    name: &str,
    found: &[Vec<bool>],
    [without, day]: &[&str; 2],
    budget: f64,
    report: &Report<'_>,
) -> Done {
    let counts: Vec<usize> = found
        .iter()
        .map(|found| found.iter().filter(|found| **found).count())
        .collect();
    let tried = found.first().map_or(0, Vec::len);
    let count = |method: usize| counts.get(method).copied().unwrap_or_default();
    // Of equal rules the first is named.
    let best = (1..counts.len())
        .rev()
        .max_by_key(|method| count(*method))
        .unwrap_or(1);
    let alone = |one: usize, other: usize| {
        let both = found
            .get(one)
            .into_iter()
            .flatten()
            .zip(found.get(other).into_iter().flatten());
        both.filter(|(one, other)| **one && !**other).count()
    };
    let (difference, low, high) = paired(alone(OURS, best), alone(best, OURS), tried);
    Report::row(
        &WIDTHS,
        &[
            name,
            &tried.to_string(),
            &interval(count(OURS), tried),
            &decimals(count(1), tried),
            &decimals(count(2), tried),
            &decimals(count(3), tried),
            without,
            METHODS.get(best).copied().unwrap_or_default(),
            &format!("{difference:+.3} [{low:+.3}, {high:+.3}]"),
            day,
        ],
    )?;
    for (method, count) in METHODS.iter().zip(&counts) {
        report.figure((name, method), budget, *count, tried)?;
    }
    Ok(())
}
