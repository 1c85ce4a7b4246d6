//! What the answer to an HTTP request means for a message, the same for every notifier that posts.

use super::SendError;
use crate::http::post::{Answer, NoAnswer};

/// Whether a request was taken, and otherwise what to do next.
pub(super) fn taken(result: Result<Answer, NoAnswer>) -> Result<(), SendError> {
    match result {
        Ok(answer) => meaning(answer),
        Err(error @ (NoAnswer::TimedOut(_) | NoAnswer::Unreachable(_))) => {
            Err(SendError::TryAgain {
                wait: None,
                why: error.to_string(),
            })
        }
        Err(error @ NoAnswer::BadHeader(_)) => Err(SendError::GiveUp {
            why: error.to_string(),
        }),
    }
}

/// Whether anybody is there: what is asked without a message may be refused, and was answered all the same.
pub(super) fn reached(result: Result<Answer, NoAnswer>) -> Result<(), SendError> {
    match result {
        Ok(_) => Ok(()),
        Err(error) => taken(Err(error)),
    }
}

/// What an answer means for the message.
fn meaning(answer: Answer) -> Result<(), SendError> {
    let Answer {
        status,
        retry_after,
    } = answer;
    let meaning = match status {
        200..=299 => return Ok(()),
        300 | 301 | 308 => "the address has moved, and redirects are not followed: set the new one",
        400 | 422 => {
            "the receiver does not understand the message: is this the right kind of address?"
        }
        401 => "the receiver does not know us: check the address and the signing secret",
        403 => {
            "the receiver forbids it: check the address, the signing secret and its network rules"
        }
        404 => "there is nothing at this address: check it",
        405 | 415 => "the receiver takes no JSON by POST: is this the right kind of address?",
        410 => "the receiver is gone for good: set a new address or remove the notifier",
        413 => "the message is too large for the receiver",
        408 | 425 | 429 | 302 | 303 | 307 | 500..=599 => {
            let why = match status {
                429 => "the receiver asks to wait",
                302 | 303 | 307 => {
                    "the receiver sends us elsewhere for now, and redirects are not followed"
                }
                _ => "the receiver has trouble",
            };
            let why = format!("{why} (HTTP {status})");
            return Err(SendError::TryAgain {
                wait: retry_after,
                why,
            });
        }
        _ => "the receiver refuses the message: check its address and its logs",
    };
    Err(SendError::GiveUp {
        why: format!("{meaning} (HTTP {status})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_reaction() {
        let reaction = |status| match meaning(Answer {
            status,
            retry_after: None,
        }) {
            Ok(()) => "taken",
            Err(SendError::TryAgain { .. }) => "again",
            Err(SendError::GiveUp { .. }) => "give up",
        };
        for status in [200, 201, 202, 204] {
            assert_eq!(reaction(status), "taken", "{status}");
        }
        for status in [302, 307, 408, 425, 429, 500, 502, 503, 504, 529] {
            assert_eq!(reaction(status), "again", "{status}");
        }
        for status in [301, 308, 400, 401, 403, 404, 405, 410, 413, 415, 418, 422] {
            assert_eq!(reaction(status), "give up", "{status}");
        }
    }
}
