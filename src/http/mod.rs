//! HTTP to one origin, believing only what was asked for. The only place that knows reqwest.
//!
//! A credential goes to the origin it was given for and nowhere else: no redirect is followed, no address from an
//! answer is ever asked. What an answer means is not known here.

mod auth;
mod client;
mod error;
pub mod hint;
mod pace;
pub mod post;
mod proxy;
mod retry;
#[cfg(test)]
pub(crate) mod testing;
mod transport;

pub use auth::Authorization;
pub use client::{Answer, Client, words_of_refusal};
pub use error::{Error, Malformed, Reaction, SetupError, Unreached};
pub use pace::Pace;
pub use retry::PATIENCE;
pub use transport::{Broken, Carrier, Transport};
