//! To come.

pub mod post;
