//! Findings and status, written for a reader: one file per format.
//!
//! A format is a frozen copy of the values it shows, written to a writer it is given. The same values make the same
//! bytes. Whoever calls decides where the bytes go, whether to colour them and what a broken pipe means.

pub mod check;
pub mod json;
pub mod progress;
pub mod replay;
pub mod retraction;
pub mod status;
pub mod summary;
pub mod terminal;

mod style;

#[cfg(test)]
pub(crate) mod samples;

pub use style::{Look, wrap};
