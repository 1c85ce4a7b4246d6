//! From the outbox to the notifiers: at least once, each message with a key that stays the same. Each notifier has its
//! own lane, so that one that is slow or gone holds up no other.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::http::Transport;
use crate::notify::{self, Content, Message, Notifier, SendError};
use crate::pulse::Pulse;
use crate::storage::{Delivery, Outbox, StoreError};
use crate::telemetry::events::{
    DeliveriesRevived, DeliveryFailed, DeliveryGivenUp, MessageDelivered,
};
use pagewarden_core::time::{Clock, after};

/// How many messages are claimed at a time.
const AT_A_TIME: usize = 50;
/// The longest pause before a message is tried again.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// How long a message is tried before it is given up.
const PATIENCE: TimeDelta = TimeDelta::days(3);
/// How old a message may be that is tried again at another destination.
const REVIVED: TimeDelta = TimeDelta::days(30);
/// How long one attempt to deliver may take.
const LONGEST_STEP: Duration = Duration::from_mins(5);
/// How long messages are claimed.
const HOLD: Duration = Duration::from_mins(10);

/// The notifiers of the config, ready to send.
#[derive(Debug, Default)]
pub struct Notifiers {
    named: Vec<(String, Arc<dyn Notifier>)>,
}

/// Why a notifier cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("notifier `{name}`: {why}")]
pub struct NotifierProblem {
    name: String,
    why: String,
}

impl Notifiers {
    /// Sets up every notifier, reading its secrets.
    pub fn build(settings: &[config::Notifier]) -> Result<Self, NotifierProblem> {
        Self::build_over(&Transport::default(), settings)
    }

    /// The same, with requests carried otherwise than over the network.
    pub fn build_over(
        transport: &Transport,
        settings: &[config::Notifier],
    ) -> Result<Self, NotifierProblem> {
        let mut named = Vec::with_capacity(settings.len());
        for notifier in settings {
            let problem = |why: String| NotifierProblem {
                name: notifier.name.clone(),
                why,
            };
            let built =
                notify::build(transport, notifier).map_err(|error| problem(error.to_string()))?;
            named.push((notifier.name.clone(), Arc::from(built)));
        }
        Ok(Self { named })
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.named.len()
    }

    /// Whether no notifier is configured.
    pub const fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// A lane for each notifier, and for each that the config no longer names but to which messages wait.
    pub async fn lanes(&self, store: &dyn Outbox) -> Result<Vec<Lane>, StoreError> {
        let lane = |name: &str, notifier: Option<Arc<dyn Notifier>>| Lane {
            name: name.to_owned(),
            notifier,
            pulse: Pulse::new(LONGEST_STEP),
        };
        let mut lanes: Vec<Lane> = self
            .named
            .iter()
            .map(|(name, notifier)| lane(name, Some(Arc::clone(notifier))))
            .collect();
        for name in store.addressees().await? {
            if self.named.iter().all(|(own, _)| *own != name) {
                lanes.push(lane(&name, None));
            }
        }
        Ok(lanes)
    }
}

/// The way to one notifier.
#[derive(Debug, Clone)]
pub struct Lane {
    name: String,
    /// None where the config no longer names it.
    notifier: Option<Arc<dyn Notifier>>,
    pulse: Pulse,
}

/// What became of the messages that were due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Taken by their receivers.
    pub sent: u32,
    /// To be tried again.
    pub waiting: u32,
    /// Not to be tried again.
    pub given_up: u32,
}

impl Delivered {
    const fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.waiting += other.waiting;
        self.given_up += other.given_up;
    }
}

/// Sends what is due to every notifier, all at once; what is not taken is due again later, farther apart each time.
pub async fn send_due(
    store: &Arc<dyn Outbox>,
    notifiers: &Notifiers,
    base: Duration,
    clock: &Arc<dyn Clock>,
    stop: &CancellationToken,
) -> Result<Delivered, StoreError> {
    let mut sending = JoinSet::new();
    for lane in notifiers.lanes(store.as_ref()).await? {
        let (store, clock, stop) = (Arc::clone(store), Arc::clone(clock), stop.clone());
        sending.spawn(async move {
            lane.revive(store.as_ref(), clock.now()).await?;
            lane.send_due(store.as_ref(), base, clock.as_ref(), &stop)
                .await
        });
    }
    let mut delivered = Delivered::default();
    while let Some(done) = sending.join_next().await {
        match done {
            Ok(done) => delivered.add(done?),
            Err(error) => {
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }
    Ok(delivered)
}

impl Lane {
    /// What the notifier is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The signs of life of whoever sends.
    pub const fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// Lets messages wait again that were given up at another destination than the notifier has now.
    pub async fn revive(&self, store: &dyn Outbox, now: DateTime<Utc>) -> Result<(), StoreError> {
        let Some(notifier) = &self.notifier else {
            return Ok(());
        };
        let destination = notifier.destination();
        let count = store
            .revive(&self.name, destination, now - REVIVED, now)
            .await?;
        if count > 0 {
            let notifier = &self.name;
            DeliveriesRevived { notifier, count }.emit();
        }
        Ok(())
    }

    /// Sends what is due, each message once; what is not taken is due again later, farther apart each time.
    pub async fn send_due(
        &self,
        store: &dyn Outbox,
        base: Duration,
        clock: &dyn Clock,
        stop: &CancellationToken,
    ) -> Result<Delivered, StoreError> {
        let mut delivered = Delivered::default();
        loop {
            let claimed = clock.now();
            let due = store.claim(&self.name, claimed, HOLD, AT_A_TIME).await?;
            if due.is_empty() {
                return Ok(delivered);
            }
            for delivery in due {
                // What cannot be tried before the claim runs out is claimed anew.
                if clock.now() > after(claimed, HOLD.saturating_sub(LONGEST_STEP)) {
                    break;
                }
                self.pulse.beat();
                let result = tokio::select! {
                    () = stop.cancelled() => {
                        store.release(&self.name).await?;
                        return Ok(delivered);
                    }
                    result = self.send(&delivery, clock.now()) => result,
                };
                let outcome = self.note(store, &delivery, result, base, clock.now());
                delivered.add(outcome.await?);
            }
            store.release(&self.name).await?;
        }
    }

    async fn send(&self, delivery: &Delivery, now: DateTime<Utc>) -> Result<(), SendError> {
        let Some(notifier) = &self.notifier else {
            return Err(SendError::GiveUp {
                why: "the config no longer names this notifier".to_owned(),
            });
        };
        let content = Content::from_stored(&delivery.body);
        let content = content.map_err(|error| SendError::GiveUp {
            why: error.to_string(),
        })?;
        let message = Message {
            id: delivery.id.clone(),
            at: now,
            content,
            severity: delivery.severity,
        };
        notifier.send(&message).await
    }

    /// Notes what became of a message.
    async fn note(
        &self,
        store: &dyn Outbox,
        delivery: &Delivery,
        result: Result<(), SendError>,
        base: Duration,
        now: DateTime<Utc>,
    ) -> Result<Delivered, StoreError> {
        let mut delivered = Delivered::default();
        let Err(error) = result else {
            store.delivered(delivery).await?;
            MessageDelivered {
                notifier: &delivery.notifier,
                message: &delivery.id,
                attempt: delivery.attempts + 1,
            }
            .emit();
            delivered.sent = 1;
            return Ok(delivered);
        };
        let again = again(&error, delivery, base, now);
        let why = error.to_string();
        if let Some(again) = again {
            store.not_delivered(delivery, &why, again).await?;
            delivered.waiting = 1;
        } else {
            let destination = self
                .notifier
                .as_ref()
                .map(|notifier| notifier.destination());
            store.given_up(delivery, &why, destination).await?;
            delivered.given_up = 1;
        }
        say(delivery, &error, again, now);
        Ok(delivered)
    }
}

/// Logs that a message was not taken.
fn say(delivery: &Delivery, error: &SendError, again: Option<DateTime<Utc>>, now: DateTime<Utc>) {
    let (notifier, message) = (delivery.notifier.as_str(), delivery.id.as_str());
    let (attempts, why) = (delivery.attempts + 1, error.to_string());
    let why = why.as_str();
    match again {
        Some(again) => {
            let wait = (again - now).to_std().unwrap_or_default();
            DeliveryFailed {
                notifier,
                message,
                attempt: attempts,
                wait,
                why,
            }
            .emit();
        }
        None => DeliveryGivenUp {
            notifier,
            message,
            attempts,
            why,
        }
        .emit(),
    }
}

/// When to try again: never where the receiver will not take it, or where it was tried for days.
fn again(
    error: &SendError,
    delivery: &Delivery,
    base: Duration,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let SendError::TryAgain { wait, .. } = error else {
        return None;
    };
    let doubled = base.saturating_mul(2_u32.saturating_pow(delivery.attempts.min(16)));
    let pause = doubled.max(wait.unwrap_or_default()).min(LONGEST_PAUSE);
    (now - delivery.created < PATIENCE).then(|| after(now, pause))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pagewarden_core::model::Severity;
    use pagewarden_core::time::moment;

    fn delivery(attempts: u32) -> Delivery {
        Delivery {
            id: "f:1".into(),
            notifier: "soc".into(),
            severity: Severity::High,
            body: Vec::new(),
            created: moment(0),
            attempts,
        }
    }

    #[test]
    fn pauses_double_obey_the_receiver_and_end() {
        let base = Duration::from_secs(5);
        let passing = |wait| SendError::TryAgain {
            wait,
            why: String::new(),
        };
        let again =
            |attempts, wait, now| again(&passing(wait), &delivery(attempts), base, moment(now));
        assert_eq!(again(0, None, 100), Some(moment(105)));
        assert_eq!(again(3, None, 100), Some(moment(140)));
        assert_eq!(
            again(0, Some(Duration::from_mins(1)), 100),
            Some(moment(160))
        );
        assert_eq!(again(40, None, 100), Some(moment(3_700)));
        assert_eq!(again(40, None, 4 * 86_400), None);
    }

    #[test]
    fn what_will_never_work_is_not_tried_again() {
        let error = SendError::GiveUp { why: String::new() };
        assert_eq!(
            again(&error, &delivery(0), Duration::from_secs(5), moment(1)),
            None
        );
    }
}
