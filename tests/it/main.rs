//! The stories, one module each.

mod architecture;
mod config;
