//! The message that takes back an earlier one: `pagewarden.retraction.v1`.

use serde::Serialize;

use super::json::{V1Account, line};
use pagewarden_core::model::{Family, Finding, Severity};

/// Why a finding is taken back, in a sentence for a person.
const REASON: &str = "This finding no longer holds: an event that came in late, \
                      history that was not read yet, or a changed setting explains the activity. No action is needed.";

/// The body of the message that takes back a finding: JSON on one line.
///
/// `revision` and `severity` are those of the last message about the finding.
pub fn body(finding: &Finding, revision: u32, severity: Severity) -> Vec<u8> {
    line(&V1Retraction {
        schema: "pagewarden.retraction.v1",
        id: finding.id.as_str(),
        revision,
        tenant: &finding.tenant,
        family: finding.family,
        severity,
        account: finding.account.as_ref().map(V1Account::from),
        reason: REASON,
    })
}

/// A retraction, as version 1 has it.
#[derive(Serialize)]
struct V1Retraction<'a> {
    schema: &'static str,
    id: &'a str,
    revision: u32,
    tenant: &'a str,
    family: Family,
    severity: Severity,
    account: Option<V1Account<'a>>,
    reason: &'static str,
}

#[cfg(test)]
mod tests {
    use super::super::samples::collection;
    use super::*;

    #[test]
    fn a_retraction_has_every_field_of_version_1() {
        let body = String::from_utf8(body(&collection(), 3, Severity::High)).unwrap();
        insta::assert_snapshot!(body);
    }
}
