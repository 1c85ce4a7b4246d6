//! What the stories share: a desk with a program to run, and a kit of simulated tenants.

pub(crate) mod desk;
pub(crate) mod kit;
