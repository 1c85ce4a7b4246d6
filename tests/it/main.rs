//! The stories, one module each.
