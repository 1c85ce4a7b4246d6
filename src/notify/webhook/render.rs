//! The body of a webhook's request: the JSON formats of version 1, on one line.

use crate::notify::Content;
use crate::output::{json, retraction};

/// The body for a content: the same bytes at every attempt.
pub fn body(content: &Content) -> Vec<u8> {
    match content {
        Content::Finding(finding) => json::one(finding),
        Content::Retraction {
            finding,
            revision,
            severity,
        } => retraction::body(finding, *revision, *severity),
        Content::Summary(summary) => summary.body(),
        Content::Rendered(text) => text.clone().into_bytes(),
    }
}
