//! What is usual: the count model of one person, its peers, and what turns surprise into bits.
//!
//! Pure arithmetic: no files, no clock, no randomness; sums run in a fixed order, so the same input gives the same
//! bits on one machine. It knows neither accounts nor events: the caller keeps one [`History`] per person and
//! [`Scale`], one [`Peers`] per peer group, and hands in day and week numbers.
//!
//! **Pages and x.** A unit (a session, or a person's day) is counted by `x`, its different pages *minus one*, because
//! a unit exists only once a page was read. Everything here takes and returns `x`; a sentence for people says `x + 1`.
//!
//! The path of one event is [`Tail::advance`] (only for a page that is new to the unit) and [`surprise`]. When a unit
//! has settled: [`cap`], [`History::learn`], [`Person::add`], [`Peers::record`]. At a refit: [`Peers::window`], [`fit()`],
//! [`Survival::fitted`], [`Scores::calibration`].

pub mod cadence;
pub mod calibration;
pub mod count;
pub mod fit;
pub mod histogram;
pub mod mixture;
pub mod peers;
pub mod readers;
pub mod scoring;
pub mod seen;
pub mod session_sizes;
pub mod slow;
pub mod threshold;
pub mod weekly;

mod gamma;
mod number;

pub use cadence::{Cadence, Pace};
pub use calibration::{Calibration, Measure, Scores};
pub use count::{History, Predictive, Scale, Shape, Tail};
pub use fit::{Person, fit};
pub use histogram::Histogram;
pub use mixture::{EPS, bits, blend, cap, surprise};
pub use peers::{PeerWindow, Peers, Survival};
pub use readers::{FirstViews, Rarity, Readers};
pub use scoring::{Calibrated, Experience, Pooled, Scoring, Signals};
pub use seen::Seen;
pub use session_sizes::{SessionSizes, Spread};
pub use slow::{Slow, SlowDay};
pub use threshold::{threshold, threshold_in_force};
pub use weekly::{Weekly, week_of};
