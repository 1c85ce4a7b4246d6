//! Rules over single events of any class, beside the detectors of an account's day of reading.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use super::blind_spot::{Blindness, period};
use super::{EVENT_RULES, Meta};
use crate::model::settings::Detect;
use crate::model::{ActorKind, Class, EventId, Family, Severity};
use crate::text::count;

/// How many reasons and events one finding names.
const REASONS: usize = 50;

/// What a rule may look at of one stored event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Single<'a> {
    /// Event time, seconds.
    pub at: i64,
    /// What was done, in our word.
    pub class: Class,
    /// What was done, in Atlassian's word: an action id, or the summary of a site audit record. Untrusted.
    pub action: &'a str,
    /// By what sort of actor.
    pub actor: ActorKind,
    /// By whom: a name, or an id; none where it is not known, or not needed. Untrusted.
    pub who: Option<&'a str>,
    /// Whether the event names a page.
    pub on_page: bool,
    /// Whether the event names a space.
    pub in_space: bool,
}

/// How a sign is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It joins the reading and export findings of the same account within a day, and is nothing on its own.
    Joins,
    /// The event is a finding by itself, of this severity.
    Finding(Severity),
}

/// What a rule says of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    /// The signal's name, kebab-case.
    pub signal: &'static str,
    /// Why, in a sentence for a person.
    pub reason: String,
    /// How it is used.
    pub effect: Effect,
}

/// A rule over single events: pure, and a function of the event alone.
pub trait EventRule: Sync {
    /// What it is.
    fn meta(&self) -> &'static Meta;

    /// Whether it looks at all.
    fn enabled(&self, settings: &Detect) -> bool;

    /// The classes of the events that it looks at; it is asked of no other.
    fn classes(&self) -> &'static [Class];

    /// What an event says; none where it says nothing.
    fn inspect(&self, event: &Single<'_>) -> Option<Sign>;
}

/// Whether the engine looks at events of a class one by one. Rules whose events are findings by themselves stand outside
/// of the engine, and reading goes another way.
pub fn watched(class: Class) -> bool {
    !class.is_reading()
        && EVENT_RULES
            .into_iter()
            .any(|rule| !is_alone(rule) && rule.classes().contains(&class))
}

/// What an event says that joins a finding, rule by rule, by these settings; by all rules where there are none.
pub fn joining(event: &Single<'_>, settings: Option<&Detect>) -> Vec<Sign> {
    EVENT_RULES
        .into_iter()
        .filter(|rule| !is_alone(*rule) && rule.classes().contains(&event.class))
        .filter(|rule| settings.is_none_or(|settings| rule.enabled(settings)))
        .filter_map(|rule| rule.inspect(event))
        .filter(|sign| sign.effect == Effect::Joins)
        .collect()
}

/// Whether the events of a rule are findings by themselves: about the logs, and about no account.
fn is_alone(rule: &dyn EventRule) -> bool {
    rule.meta().family == Family::Blind
}

/// An event that is a finding by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// When.
    pub at: DateTime<Utc>,
    /// By whom: a name, or an id. Untrusted.
    pub who: Option<String>,
    /// What Atlassian calls the event.
    pub event: EventId,
    /// The rule that reports it.
    pub detector: &'static str,
    /// What the rule says.
    pub sign: Sign,
}

/// What an event is by itself, rule by rule.
pub fn alone(event: &Single<'_>, settings: &Detect) -> Vec<(&'static str, Sign)> {
    EVENT_RULES
        .into_iter()
        .filter(|rule| is_alone(*rule) && rule.classes().contains(&event.class))
        .filter(|rule| rule.enabled(settings))
        .filter_map(|rule| Some((rule.meta().id, rule.inspect(event)?)))
        .collect()
}

/// What is to be reported of events, oldest first: one for each signal and week, with one reason for each person and day.
pub fn grouped(deeds: &[Deed]) -> Vec<Blindness> {
    let mut weeks: BTreeMap<(&str, i64), Vec<&Deed>> = BTreeMap::new();
    for deed in deeds {
        let week = period(deed.at);
        weeks
            .entry((deed.sign.signal, week))
            .or_default()
            .push(deed);
    }
    weeks
        .into_iter()
        .filter_map(|((signal, _), deeds)| {
            let (first, last) = (deeds.first()?, deeds.last()?);
            let severities = deeds.iter().filter_map(|deed| match deed.sign.effect {
                Effect::Finding(severity) => Some(severity),
                Effect::Joins => None,
            });
            Some(Blindness {
                detector: first.detector,
                kind: signal.to_owned(),
                severity: severities.max()?,
                since: first.at,
                seen: last.at,
                over: true,
                reasons: reasons(&deeds),
                events: deeds
                    .iter()
                    .take(REASONS)
                    .map(|deed| deed.event.clone())
                    .collect(),
            })
        })
        .collect()
}

/// One reason for each person and day, with how often.
fn reasons(deeds: &[&Deed]) -> Vec<String> {
    let mut by: BTreeMap<(NaiveDate, Option<&str>), (&str, u64)> = BTreeMap::new();
    for deed in deeds {
        let key = (deed.at.date_naive(), deed.who.as_deref());
        by.entry(key).or_insert((&deed.sign.reason, 0)).1 += 1;
    }
    by.into_values()
        .take(REASONS)
        .map(|(reason, times)| match times {
            1 => reason.to_owned(),
            _ => format!("{reason} It was done {} that day.", count(times, "time")),
        })
        .collect()
}

#[cfg(test)]
pub(super) mod kit {
    //! An event to try rules on.

    use super::*;

    /// A person's event.
    pub(in super::super) const fn single(class: Class, action: &str) -> Single<'_> {
        Single {
            at: 1_767_621_900,
            class,
            action,
            actor: ActorKind::Person,
            who: None,
            on_page: false,
            in_space: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_classes_of_rules_are_watched_and_reading_never() {
        let watched: Vec<Class> = Class::ALL
            .into_iter()
            .filter(|class| watched(*class))
            .collect();
        assert_eq!(watched, [Class::Permission, Class::Token]);
    }

    #[test]
    fn a_rule_that_is_switched_off_says_nothing() {
        let event = kit::single(Class::Token, "api_token_created");
        let mut settings = Detect::default();
        assert_eq!(joining(&event, Some(&settings)).len(), 1);
        settings.token_created.enabled = false;
        assert_eq!(joining(&event, Some(&settings)).len(), 0);
        assert_eq!(joining(&event, None).len(), 1);
    }

    #[test]
    fn an_event_of_another_class_is_not_asked_about() {
        let event = kit::single(Class::Other, "api_token_created");
        assert_eq!(joining(&event, None).len(), 0);
    }

    #[test]
    fn what_was_done_is_grouped_by_signal_and_week_and_its_reasons_by_person_and_day() {
        let deed = |action: &str, who: Option<&str>, when: &str| {
            let at: DateTime<Utc> = when.parse().unwrap();
            let event = Single {
                at: at.timestamp(),
                who,
                ..kit::single(Class::Logging, action)
            };
            let (detector, sign) = alone(&event, &Detect::default()).pop().unwrap();
            Deed {
                at,
                who: who.map(str::to_owned),
                event: EventId::new(when),
                detector,
                sign,
            }
        };
        let ada = Some("Ada Example");
        let export = |when: &str| deed("Audit log exported", ada, when);
        let all = grouped(&[
            export("2026-06-04T09:00:00Z"),
            export("2026-06-04T10:00:00Z"),
            deed("Audit log retention changed", None, "2026-06-05T10:00:00Z"),
            export("2026-06-06T10:00:00Z"),
            deed("Updated event exclusions", ada, "2026-06-06T12:00:00Z"),
            // The next week begins on Thursday.
            export("2026-06-11T00:00:00Z"),
        ]);
        let reported: Vec<String> = all
            .iter()
            .map(|one| {
                let (kind, severity, events) = (&one.kind, one.severity, one.events.len());
                let reasons = one.reasons.join("\n");
                format!(
                    "{} {kind} {} {events}\n{reasons}",
                    one.detector,
                    severity.as_str()
                )
            })
            .collect();
        insta::assert_snapshot!(reported.join("\n\n"));
    }

    #[test]
    fn a_rule_that_is_switched_off_reports_nothing_alone() {
        let event = kit::single(Class::Logging, "Audit log exported");
        let mut settings = Detect::default();
        assert_eq!(alone(&event, &settings).len(), 1);
        assert_eq!(joining(&event, None).len(), 0);
        settings.log_tampering.enabled = false;
        assert_eq!(alone(&event, &settings).len(), 0);
    }
}
