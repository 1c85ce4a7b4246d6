//! To come.

pub mod check;
pub mod config;
pub mod init;
