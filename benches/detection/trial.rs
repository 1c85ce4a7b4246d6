//! Puts bulk collections into a log, and shows by which method each was found.

use pagewarden_core::engine::Rules;

use crate::Done;
use crate::asked::Asked;
use crate::baselines::{Baselines, NAMES};
use crate::clean::Clean;
use crate::injector::{Injection, Kind, draw};
use crate::log::Log;
use crate::product::{collections, threshold};
use crate::span::Span;
use crate::statistics::float;

/// The methods: the product, then the simple rules.
pub(crate) const METHODS: [&str; 4] = ["ours", NAMES[0], NAMES[1], NAMES[2]];

/// The product among the methods.
pub(crate) const OURS: usize = 0;

/// Everything that a trial needs.
pub(crate) struct Bench<'a> {
    /// What was asked for.
    pub(crate) asked: &'a Asked,
    /// The product's rules.
    pub(crate) rules: &'a Rules,
    /// The log.
    pub(crate) log: &'a Log,
    /// Its counted weeks.
    pub(crate) span: &'a Span,
    /// What the product makes of the log as it is.
    pub(crate) clean: &'a Clean,
    /// The simple rules.
    pub(crate) baselines: Baselines,
}

/// The scores of one part of a bulk collection: for each method, day and score.
type Scored = [Vec<(i64, f64)>; 4];

/// A bulk collection that was put into the log.
pub(crate) struct Trial {
    first: i64,
    /// By part.
    parts: Vec<Scored>,
    /// How far the same days of the accounts rise above the threshold without the bulk collection.
    without: f64,
}

impl Trial {
    /// Whether a method finds any part.
    pub(crate) fn any(&self, method: usize, threshold: f64) -> bool {
        self.parts
            .iter()
            .any(|part| found_on(part, method, threshold).is_some())
    }

    /// Whether a method finds all parts.
    pub(crate) fn all(&self, method: usize, threshold: f64) -> bool {
        self.parts
            .iter()
            .all(|part| found_on(part, method, threshold).is_some())
    }

    /// On which day of the bulk collection, from 1, a method finds it.
    pub(crate) fn days(&self, method: usize, threshold: f64) -> Option<i64> {
        let days = self.parts.iter();
        days.filter_map(|part| found_on(part, method, threshold))
            .min()
            .map(|day| (day - self.first + 1).max(1))
    }

    /// Whether the product reports the same accounts and days without the bulk collection.
    pub(crate) fn without(&self, threshold: f64) -> bool {
        self.without >= threshold
    }
}

fn found_on(part: &Scored, method: usize, threshold: f64) -> Option<i64> {
    part.get(method)?
        .iter()
        .filter(|(_, score)| *score >= threshold)
        .map(|(day, _)| *day)
        .min()
}

impl Bench<'_> {
    /// The least scores that are alarms, by method.
    pub(crate) fn thresholds(&self, budget: f64) -> [f64; 4] {
        let allowed = budget / 1_000.0 * float(self.span.person_weeks);
        let [hour, own, global] = self.baselines.thresholds(self.log, allowed);
        [threshold(budget), hour, own, global]
    }

    /// Draws bulk collections of a kind.
    pub(crate) fn draw(&self, kind: &Kind) -> Done<Vec<Injection>> {
        draw(
            kind,
            (self.log, self.span),
            &self.asked.seeds,
            self.asked.injections,
        )
    }

    /// Tries bulk collections of several kinds in one replay; without the product, only the simple rules.
    pub(crate) fn try_all(&self, drawn: Vec<Vec<Injection>>, product: bool) -> Vec<Vec<Trial>> {
        let lengths: Vec<usize> = drawn.iter().map(Vec::len).collect();
        let flat: Vec<Injection> = drawn.into_iter().flatten().collect();
        let ours = if product {
            collections(
                self.rules,
                (self.log, &self.span.active),
                &flat,
                self.asked.threads,
            )
        } else {
            Vec::new()
        };
        let mut ours = ours.into_iter();
        let mut trials = flat
            .iter()
            .map(|injection| self.trial(injection, ours.next().unwrap_or_default()));
        lengths
            .iter()
            .map(|length| trials.by_ref().take(*length).collect())
            .collect()
    }

    fn trial(&self, injection: &Injection, ours: Vec<Vec<(i64, f64)>>) -> Trial {
        let mut ours = ours.into_iter();
        let mut without = f64::NEG_INFINITY;
        let parts = injection
            .parts
            .iter()
            .map(|part| {
                let last = part.last_day().unwrap_or(injection.last);
                without = without.max(self.clean.highest(part.user, injection.first, last));
                let days = self.baselines.collection(self.log, injection, part);
                let rule = |score: &dyn Fn(&[f64; 3]) -> f64| {
                    days.iter()
                        .map(|(day, scores)| (*day, score(scores)))
                        .collect()
                };
                [
                    ours.next().unwrap_or_default(),
                    rule(&|scores| scores[0]),
                    rule(&|scores| scores[1]),
                    rule(&|scores| scores[2]),
                ]
            })
            .collect();
        Trial {
            first: injection.first,
            parts,
            without,
        }
    }
}
