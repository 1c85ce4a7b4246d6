//! The stories, one module each.
//!
//! Each is marked `cfg(test)`, so that clippy knows its helpers for tests too.

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod canary;
#[cfg(test)]
mod check;
#[cfg(test)]
mod clocks;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod config;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod exactly_once;
#[cfg(test)]
mod exports;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod import;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod live_walk;
#[cfg(test)]
mod log_health;
#[cfg(test)]
mod migration;
#[cfg(test)]
mod privacy;
#[cfg(test)]
mod promises;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod roster;
#[cfg(test)]
mod same_findings;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod service;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod state;
#[cfg(test)]
mod storm;
#[cfg(test)]
mod support;
#[cfg(test)]
mod suppressions;
#[cfg(test)]
mod tenant_settings;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod webhook;
