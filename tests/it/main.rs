//! The stories, one module each.

mod config;
