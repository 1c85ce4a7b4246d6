//! pagewarden reads what Atlassian records about a Confluence Cloud tenant, learns how much each person usually reads,
//! and tells a human, with reasons, when somebody is carrying the wiki away.
//!
//! Floors; imports only point down, and adapters never import each other (`tests/it/architecture.rs` checks it):
//!
//! 1. ground: [`model`], [`time`], [`text`], [`exit`]: values and arithmetic; no tokio, no files, no clock.
//! 2. logic: [`sessionize`], [`baseline`], [`detect`], [`fold`]: pure, over the ground floor.
//! 3. the outside world, one neighbour each: [`config`], [`http`], [`atlassian`], [`import`], [`store`], [`notify`],
//!    [`output`], [`telemetry`].
//! 4. use cases: [`ingest`], [`admins`], [`analyse`], [`judge`], [`coverage`], [`sight`], [`ignored`],
//!    [`deliver`], [`cycle`].
//! 5. top: [`service`], [`simulator`], [`commands`], [`cli`].
//!
//! The life of an event: polled or imported, mapped to an [`model::Event`], stored once together with the checkpoint,
//! folded in event-time order into sessions and baselines, inspected by detectors, recorded as a finding with its
//! deliveries in one transaction, and told.

pub mod atlassian;
pub mod baseline;
pub mod cli;
pub mod commands;
pub mod config;
pub mod detect;
pub mod exit;
pub mod fold;
pub mod http;
pub mod import;
pub mod model;
pub mod notify;
pub mod output;
pub mod service;
pub mod sessionize;
pub mod simulator;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod time;

pub mod admins;
pub mod analyse;
pub mod coverage;
pub mod cycle;
pub mod deliver;
pub mod ignored;
pub mod ingest;
pub mod judge;
pub mod sight;
