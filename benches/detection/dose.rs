//! The smallest bulk collection that is found nine times in ten, in a session and day by day.

use std::collections::BTreeMap;

use crate::Done;
use crate::injector::Kind;
use crate::report::Report;
use crate::trial::{Bench, METHODS, OURS, Trial};

/// Which share is to be found.
const WANTED: (usize, usize) = (9, 10);

/// A bulk collection that is made larger and larger.
struct Curve {
    title: &'static str,
    name: &'static str,
    kind: fn(&str, usize) -> Kind,
    most: usize,
}

const CURVES: [Curve; 2] = [
    Curve {
        title: "pages in a session",
        name: "session",
        kind: Kind::session,
        most: 40,
    },
    Curve {
        title: "pages a day, 14 days",
        name: "fortnight",
        kind: Kind::slow,
        most: 30,
    },
];

/// The least dose of any curve.
const LEAST: usize = 2;

/// What was tried: by curve and dose, and whether with the product.
type Tried = BTreeMap<(usize, usize, bool), Vec<Trial>>;

/// Halves the doses until the smallest that is found enough is known for every method and budget.
pub(crate) fn tables(bench: &Bench<'_>, report: &Report<'_>) -> Done {
    let thresholds: Vec<[f64; 4]> = bench
        .asked
        .budgets
        .iter()
        .map(|budget| bench.thresholds(*budget))
        .collect();
    let mut tried = Tried::new();
    loop {
        let mut wanted: Vec<(usize, usize, bool)> = Vec::new();
        for (place, curve) in CURVES.iter().enumerate() {
            for lines in &thresholds {
                for (method, threshold) in lines.iter().enumerate() {
                    if let Search::Try(dose) = search(&tried, (place, curve), method, *threshold) {
                        wanted.push((place, dose, method == OURS));
                    }
                }
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.is_empty() {
            break;
        }
        for product in [true, false] {
            let mut doses = wanted.clone();
            doses.retain(|dose| dose.2 == product);
            let mut drawn = Vec::new();
            for (place, dose, _) in &doses {
                let curve = CURVES.get(*place).ok_or("no such curve")?;
                drawn.push(bench.draw(&(curve.kind)(curve.name, *dose))?);
            }
            if !drawn.is_empty() {
                tried.extend(doses.into_iter().zip(bench.try_all(drawn, product)));
            }
        }
    }
    print(bench, &thresholds, &tried, report)
}

/// How a search stands.
enum Search {
    /// This dose is to be tried next.
    Try(usize),
    /// The smallest dose that is found; none up to the most.
    Done(Option<usize>),
}

/// Halves between the largest dose that is not found enough and the smallest that is.
fn search(tried: &Tried, (place, curve): (usize, &Curve), method: usize, threshold: f64) -> Search {
    let (mut low, mut high) = (LEAST - 1, curve.most + 1);
    while high - low > 1 {
        let middle = usize::midpoint(low, high);
        let Some(trials) = tried.get(&(place, middle, method == OURS)) else {
            return Search::Try(middle);
        };
        if count(trials, method, threshold) * WANTED.1 >= trials.len() * WANTED.0 {
            high = middle;
        } else {
            low = middle;
        }
    }
    Search::Done((high <= curve.most).then_some(high))
}

fn count(trials: &[Trial], method: usize, threshold: f64) -> usize {
    trials
        .iter()
        .filter(|trial| trial.any(method, threshold))
        .count()
}

fn print(bench: &Bench<'_>, thresholds: &[[f64; 4]], tried: &Tried, report: &Report<'_>) -> Done {
    let widths = [22, 8, 6, 6, 6, 6];
    report.title("The smallest bulk collection found nine times in ten; > more than was tried")?;
    let heads: Vec<&str> = ["", "budget"].into_iter().chain(METHODS).collect();
    Report::row(&widths, &heads)?;
    for (place, curve) in CURVES.iter().enumerate() {
        for (budget, thresholds) in bench.asked.budgets.iter().zip(thresholds) {
            let mut cells = vec![curve.title.to_owned(), budget.to_string()];
            for (method, threshold) in thresholds.iter().enumerate() {
                cells.push(match search(tried, (place, curve), method, *threshold) {
                    Search::Done(Some(dose)) => dose.to_string(),
                    Search::Done(None) | Search::Try(_) => format!(">{}", curve.most),
                });
            }
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            Report::row(&widths, &cells)?;
        }
    }
    for ((place, dose, product), trials) in tried {
        let Some(curve) = CURVES.get(*place) else {
            continue;
        };
        for (budget, thresholds) in bench.asked.budgets.iter().zip(thresholds) {
            for (method, (name, threshold)) in METHODS.iter().zip(thresholds).enumerate() {
                if (method == OURS) == *product {
                    let kind = format!("{}-{dose}", curve.name);
                    let found = count(trials, method, *threshold);
                    report.figure((&kind, name), *budget, found, trials.len())?;
                }
            }
        }
    }
    Ok(())
}
