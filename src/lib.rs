//! pagewarden reads what Atlassian records about a Confluence Cloud tenant, learns how much each person usually reads,
//! and alerts a human, with reasons, when somebody collects the wiki in bulk.
//!
//! Pure values and the engine are in [`pagewarden_core`]. Floors of this crate; imports only point down, and adapters
//! never import each other (`tests/it/architecture/` checks it):
//!
//! 1. ground: [`exit`]: values.
//! 2. the outside world, one neighbour each: [`config`], [`http`], [`atlassian`], [`import`], [`storage`], [`notify`],
//!    [`output`], [`telemetry`].
//! 3. use cases: [`outcome`], [`pulse`], [`ingest`], [`roster`], [`analysis`], [`findings`], [`coverage`], [`log_health`],
//!    [`deliver`], [`tenant`].
//! 4. top: [`service`], [`commands`], [`cli`].
//!
//! The life of an event: polled or imported, mapped to an event, stored once together with the checkpoint,
//! taken in event-time order into sessions and baselines, inspected by detectors, recorded as a finding with its
//! deliveries in one transaction, and delivered.

pub mod analysis;
pub mod atlassian;
pub mod cli;
pub mod commands;
pub mod config;
pub mod coverage;
pub mod deliver;
pub mod exit;
pub mod findings;
pub mod http;
pub mod import;
pub mod ingest;
pub mod log_health;
pub mod notify;
pub mod outcome;
pub mod output;
pub mod pulse;
pub mod roster;
pub mod service;
pub mod storage;
pub mod telemetry;
pub mod tenant;
