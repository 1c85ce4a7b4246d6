//! The pauses between page views: people's are very uneven, a program's are even.
//!
//! Dwell times of people are widely dispersed (Liu, White and Dumais, SIGIR 2010: Weibull with negative ageing). In the
//! logs of an intranet, of mail and of a course that the method was tried on, the standard deviation of the logarithm of
//! the pause was 1.0 to 1.4; among 1,039 sessions with more than 8 pauses it was below 0.3 twice and below 0.2 never. A
//! crawler that waits 20 s give or take a tenth has 0.06, one that waits give or take a half 0.29.

use serde::{Deserialize, Serialize};

/// How many pauses in a row are looked at together.
const WINDOW: usize = 24;
/// A deviation of the logarithm below this is not a person's. Somebody who is in a hurry to be even (0.4) gets under it by
/// chance once in 250 windows.
const STEADY: f64 = 0.25;
/// Pauses shorter than this on average are no evidence of steadiness: a browser that restores its tabs makes them too.
const SHORTEST: f64 = 1.5;
/// From how many pauses in a session on its pace is measured: hardly anybody restores as many tabs at once.
const HASTE: u32 = 100;
/// An average pause (in seconds) that nobody keeps over so many pages: the median pause in the log of an intranet was 71, and
/// this lies three deviations (of 0.83, of the logarithm) under it.
const HASTY: f64 = 6.0;
/// Times that are all multiples of so many seconds are rounded, and say nothing of pauses.
const COARSE: u64 = 10;

/// Evidence of a program.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// How many pauses.
    pub pauses: u32,
    /// How long each was on average, in seconds.
    pub seconds: f64,
    /// The standard deviation of their logarithm; nothing where it is not asked.
    pub deviation: f64,
}

/// The pauses of one session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cadence {
    first: i64,
    last: Option<i64>,
    /// The greatest common divisor of all times.
    grain: u64,
    pauses: u32,
    /// The last pauses, oldest first.
    window: Vec<u16>,
    steady: Option<Pace>,
    hasty: Option<Pace>,
}

impl Cadence {
    /// Takes the first view of a page in the session.
    pub fn open(&mut self, at: i64) {
        self.grain = divisor(self.grain, at.unsigned_abs());
        let Some(last) = self.last.replace(at) else {
            self.first = at;
            return;
        };
        let pause = u16::try_from(at - last).unwrap_or(u16::MAX);
        self.pauses += 1;
        if self.window.len() == WINDOW {
            self.window.remove(0);
        }
        self.window.push(pause);
        if self.grain < COARSE {
            self.measure(at);
        }
    }

    /// So many pauses in a row that were as even as no person's; the last of them where there are several such rows.
    pub const fn steady(&self) -> Option<Pace> {
        self.steady
    }

    /// A session of many pages that were opened faster than anybody reads.
    pub const fn hasty(&self) -> Option<Pace> {
        self.hasty
    }

    fn measure(&mut self, at: i64) {
        if self.pauses >= HASTE {
            let took = u32::try_from(at - self.first).unwrap_or(u32::MAX);
            let seconds = f64::from(took) / f64::from(self.pauses);
            if seconds <= HASTY {
                self.hasty = Some(Pace {
                    pauses: self.pauses,
                    seconds,
                    deviation: 0.0,
                });
            }
        }
        if self.window.len() < WINDOW {
            return;
        }
        let (mut sum, mut squares) = (0.0, 0.0);
        for pause in &self.window {
            sum += logarithm(*pause);
            squares += logarithm(*pause) * logarithm(*pause);
        }
        let now = pace(u32::try_from(WINDOW).unwrap_or(0), sum, squares);
        if now.deviation < STEADY && now.seconds >= SHORTEST {
            let pauses = self
                .steady
                .map_or(now.pauses, |before| before.pauses.saturating_add(1));
            self.steady = Some(Pace { pauses, ..now });
        }
    }
}

/// Sums in words; never none of them.
fn pace(pauses: u32, sum: f64, squares: f64) -> Pace {
    let count = f64::from(pauses.max(1));
    let mean = sum / count;
    Pace {
        pauses,
        seconds: mean.exp(),
        deviation: (squares / count - mean * mean).max(0.0).sqrt(),
    }
}

/// A pause of less than a second is half a one.
fn logarithm(pause: u16) -> f64 {
    f64::from(pause).max(0.5).ln()
}

/// The greatest common divisor.
const fn divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pauses: impl IntoIterator<Item = i64>) -> Cadence {
        let mut cadence = Cadence::default();
        let mut at = 1_000_003;
        cadence.open(at);
        for pause in pauses {
            at += pause;
            cadence.open(at);
        }
        cadence
    }

    /// Pauses of a person: log-normal around a minute, by a row of quantiles in a fixed disorder.
    fn person(number: i64) -> impl Iterator<Item = i64> {
        [
            4, 170, 33, 600, 12, 61, 95, 2, 240, 47, 21, 130, 75, 8, 380, 55,
        ]
        .into_iter()
        .cycle()
        .take(usize::try_from(number).unwrap())
    }

    #[test]
    fn a_crawler_that_waits_give_or_take_a_tenth_is_steady_and_a_person_is_not() {
        let crawler = of((0..40).map(|n| 18 + n * 7 % 5)).steady().unwrap();
        assert!(
            crawler.deviation < 0.1 && (19.0..21.0).contains(&crawler.seconds),
            "{crawler:?}"
        );
        assert_eq!(crawler.pauses, 40);
        let person = of(person(300));
        assert_eq!((person.steady(), person.hasty()), (None, None));
    }

    #[test]
    fn a_crawler_among_a_persons_own_reading_is_steady_all_the_same() {
        let mixed = of(person(30)
            .chain((0..30).map(|n| 18 + n * 7 % 5))
            .chain(person(30)));
        let pauses = mixed.steady().unwrap().pauses;
        assert!((30..33).contains(&pauses), "{pauses}");
    }

    #[test]
    fn too_few_pauses_say_nothing() {
        assert_eq!(of([20; 23]).steady(), None);
        assert!(of([20; 24].map(|pause| pause + 1)).steady().is_some());
    }

    #[test]
    fn tabs_that_a_browser_restores_are_a_persons_and_three_hundred_pages_in_ten_minutes_are_not() {
        let tabs = of((0..90).map(|n| i64::from(n % 3 == 0)).chain(person(20)));
        assert_eq!((tabs.steady(), tabs.hasty()), (None, None));
        let script = of((0..300).map(|n| 1 + n % 3)).hasty().unwrap();
        assert!(
            script.pauses == 300 && (script.seconds - 2.0).abs() < 0.01,
            "{script:?}"
        );
    }

    #[test]
    fn a_log_without_seconds_says_nothing_of_pauses() {
        let mut cadence = Cadence::default();
        for minute in (0..400).map(|n| n / 2) {
            cadence.open(1_704_067_200 + minute * 60);
        }
        assert_eq!((cadence.steady(), cadence.hasty()), (None, None));
        let mut cadence = Cadence::default();
        for minute in 0..100 {
            cadence.open(1_704_067_200 + minute * 60);
        }
        assert_eq!(cadence.steady(), None);
    }
}
