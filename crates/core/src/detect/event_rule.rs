//! Rules over single events of any class, beside the detectors of an account's day of reading.

use super::{EVENT_RULES, Meta};
use crate::model::settings::Detect;
use crate::model::{ActorKind, Class, Severity};

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

/// Whether the engine looks at events of a class one by one. The detector of log health stands outside of the engine, and
/// reading goes another way.
pub fn watched(class: Class) -> bool {
    !class.is_reading()
        && EVENT_RULES
            .into_iter()
            .any(|rule| !is_outside(rule) && rule.classes().contains(&class))
}

/// What an event says that joins a finding, rule by rule, by these settings; by all rules where there are none.
pub fn joining(event: &Single<'_>, settings: Option<&Detect>) -> Vec<Sign> {
    EVENT_RULES
        .into_iter()
        .filter(|rule| !is_outside(*rule) && rule.classes().contains(&event.class))
        .filter(|rule| settings.is_none_or(|settings| rule.enabled(settings)))
        .filter_map(|rule| rule.inspect(event))
        .filter(|sign| sign.effect == Effect::Joins)
        .collect()
}

/// Whether a rule is about log health.
fn is_outside(rule: &dyn EventRule) -> bool {
    rule.meta().family == crate::model::Family::Blind
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
}
