//! What pagewarden knows and computes, without I/O: no network, no files, no clock but the value that a caller hands in.
//!
//! Floors; imports only point down:
//!
//! 1. ground: [`model`], [`time`], [`text`], [`words`], [`pattern`]: values and arithmetic.
//! 2. [`session`] and [`baseline`]: sessions of one actor, and what is usual.
//! 3. [`detect`]: rules and measures that look at a day of an account, or at a single event.
//! 4. [`engine`]: the pure function from events to drafts of findings.

pub mod baseline;
pub mod detect;
pub mod engine;
pub mod model;
pub mod pattern;
pub mod session;
pub mod text;
pub mod time;
pub mod words;
