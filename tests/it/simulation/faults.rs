//! What goes wrong in a simulation, and when: drawn from the seed before it begins.

use chrono::{DateTime, TimeDelta, Utc};
use pagewarden_simulator::{Fault, Hint};

/// Chance from a seed, the same on every machine (`SplitMix64`).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice for one purpose.
    pub(crate) fn of(seed: u64, labels: &[u64]) -> Self {
        let mut dice = Self(seed);
        for label in labels {
            dice.0 = dice.next() ^ label.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
        dice
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below a number.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Within a range, its end excluded.
    pub(crate) fn within(&mut self, from: u64, end: u64) -> u64 {
        from + self.below(end - from)
    }

    pub(crate) fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        let place = self.below(number(of.len()));
        of[usize::try_from(place).unwrap()]
    }
}

/// A count as dice have it.
pub(crate) fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap()
}

/// What is wrong for a while. Tenants and receivers by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// No connection to the tenant.
    Down,
    /// Nearly every request fails with a status of the server's.
    Errors,
    /// A share of the requests fails in all the ways that pass.
    Noise,
    /// A share of the requests is never answered.
    Stalls,
    /// Answers take seconds.
    Slow,
    /// A share of the cursors is refused.
    RefusedCursors,
    /// 429, with a rest of up to two minutes.
    Throttled,
    /// The organisation's key is another; its file says so at the end only.
    KeyRotated,
    /// No connection to the receiver.
    ReceiverDown,
    /// The receiver takes messages and answers too late.
    ReceiverLate,
    /// The receiver answers 500 to most.
    ReceiverFails,
}

impl Trouble {
    const OF_TENANTS: [Self; 8] = [
        Self::Down,
        Self::Errors,
        Self::Noise,
        Self::Stalls,
        Self::Slow,
        Self::RefusedCursors,
        Self::Throttled,
        Self::KeyRotated,
    ];

    const OF_RECEIVERS: [Self; 3] = [Self::ReceiverDown, Self::ReceiverLate, Self::ReceiverFails];

    /// Whether it befalls a receiver, not a tenant.
    pub(crate) fn is_of_receiver(self) -> bool {
        Self::OF_RECEIVERS.contains(&self)
    }

    /// How the table calls it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Down => "tenant down",
            Self::Errors => "5xx burst",
            Self::Noise => "passing faults",
            Self::Stalls => "no answer",
            Self::Slow => "slow answers",
            Self::RefusedCursors => "refused cursors",
            Self::Throttled => "429",
            Self::KeyRotated => "key rotated",
            Self::ReceiverDown => "receiver down",
            Self::ReceiverLate => "receiver late",
            Self::ReceiverFails => "receiver fails",
        }
    }

    /// What happens to a request while this lasts.
    pub(crate) fn fault(self, dice: &mut Dice, has_cursor: bool) -> Option<Fault> {
        match self {
            Self::Errors if dice.percent(90) => Some(dice.pick(&[
                Fault::ServerError(500),
                Fault::ServerError(502),
                Fault::ServerErrorHtml(503),
            ])),
            Self::Noise if dice.percent(20) => {
                let fault = dice.pick(&Fault::PASSING);
                (has_cursor || fault != Fault::RefusedCursor).then_some(fault)
            }
            Self::Stalls if dice.percent(20) => Some(Fault::Stall),
            Self::RefusedCursors if has_cursor && dice.percent(40) => Some(Fault::RefusedCursor),
            Self::Throttled if dice.percent(30) => Some(Fault::Throttled(dice.pick(&[
                Hint::Seconds,
                Hint::HttpDate,
                Hint::XRetryAfter,
                Hint::None,
            ]))),
            _ => None,
        }
    }
}

/// A stretch of time in which something is wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Episode {
    pub(crate) from: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
    pub(crate) trouble: Trouble,
    /// Which tenant or receiver.
    pub(crate) whose: usize,
}

/// How the service is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Blow {
    /// Ended at once, wherever it is.
    Kill,
    /// Ended at once when the next message is on its way to a receiver.
    KillBeforeMessage,
    /// Ended at once when the next message was taken, and before that is known.
    KillAfterMessage,
    /// Ended at once when the next page of events is on its way.
    KillAtPage,
    /// Asked to stop.
    Stop,
    /// Asked to reload.
    Reload,
}

impl Blow {
    const ALL: [Self; 6] = [
        Self::Kill,
        Self::KillBeforeMessage,
        Self::KillAfterMessage,
        Self::KillAtPage,
        Self::Stop,
        Self::Reload,
    ];

    /// How the table calls it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Kill => "killed",
            Self::KillBeforeMessage => "killed before a message",
            Self::KillAfterMessage => "killed after a message",
            Self::KillAtPage => "killed at a page",
            Self::Stop => "stopped",
            Self::Reload => "reloaded",
        }
    }
}

/// When and how the service is interrupted, and for how long it is away then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interruption {
    pub(crate) at: DateTime<Utc>,
    pub(crate) blow: Blow,
    pub(crate) away: TimeDelta,
}

/// Everything that goes wrong.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub(crate) episodes: Vec<Episode>,
    pub(crate) interruptions: Vec<Interruption>,
}

impl Plan {
    /// The plan of a seed between two moments.
    pub(crate) fn of(
        seed: u64,
        (from, until): (DateTime<Utc>, DateTime<Utc>),
        (tenants, receivers): (usize, usize),
    ) -> Self {
        let mut dice = Dice::of(seed, &[1]);
        let minutes = u64::try_from((until - from).num_minutes()).unwrap();
        let days = minutes / 1_440 + 1;
        let mut episodes = Vec::new();
        for _ in 0..dice.within(days, 2 * days) {
            let of_receiver = dice.percent(25);
            let trouble = if of_receiver {
                dice.pick(&Trouble::OF_RECEIVERS)
            } else {
                dice.pick(&Trouble::OF_TENANTS)
            };
            let most = match trouble {
                Trouble::Down => 480,
                _ if of_receiver => 720,
                _ => 180,
            };
            let begins = from + minutes_of(dice.below(minutes));
            let whose = dice.below(number(if of_receiver { receivers } else { tenants }));
            episodes.push(Episode {
                from: begins,
                until: (begins + minutes_of(dice.within(5, most))).min(until),
                trouble,
                whose: usize::try_from(whose).unwrap(),
            });
        }
        let mut interruptions: Vec<Interruption> = (0..dice.within(days / 2 + 1, days + 2))
            .map(|_| Interruption {
                at: from + TimeDelta::milliseconds(dice.below(minutes * 60_000).cast_signed()),
                blow: dice.pick(&Blow::ALL),
                away: TimeDelta::seconds(if dice.percent(70) {
                    dice.within(1, 60).cast_signed()
                } else {
                    dice.within(60, 10_000).cast_signed()
                }),
            })
            .collect();
        interruptions.sort_by_key(|interruption| interruption.at);
        Self {
            episodes,
            interruptions,
        }
    }

    /// What is wrong with a tenant or a receiver at a moment.
    pub(crate) fn at(
        &self,
        now: DateTime<Utc>,
        of_receiver: bool,
        whose: usize,
    ) -> impl Iterator<Item = Trouble> {
        self.episodes
            .iter()
            .filter(move |episode| {
                episode.trouble.is_of_receiver() == of_receiver
                    && episode.whose == whose
                    && episode.from <= now
                    && now < episode.until
            })
            .map(|episode| episode.trouble)
    }
}

fn minutes_of(minutes: u64) -> TimeDelta {
    TimeDelta::minutes(minutes.cast_signed())
}
