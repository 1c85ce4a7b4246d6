use super::super::kit::contents;
use super::*;
use crate::output::samples::collection;

#[test]
fn every_content_comes_back_as_it_was_stored() {
    let mut all = contents();
    all.push(Content::Rendered("{\"schema\":\"x\"}\u{202e}".into()));
    for content in all {
        let stored = content.to_stored().unwrap();
        assert_eq!(Content::from_stored(&stored).unwrap(), content);
        assert_eq!(content.to_stored().unwrap(), stored);
    }
}

#[test]
fn a_threshold_that_is_infinite_comes_back() {
    let content = Content::Finding(Finding {
        threshold: f64::INFINITY,
        ..collection()
    });
    let stored = content.to_stored().unwrap();
    assert_eq!(Content::from_stored(&stored).unwrap(), content);
}

/// Each content in form 1, one a line. Messages wait while the program is upgraded, so this file is never changed.
const FORM_1: &str = include_str!("content_1.ndjson");

#[test]
fn form_1_is_written_as_ever_and_can_be_read() {
    let mut finding = collection();
    finding.evidence.pages.truncate(2);
    let retraction = Content::Retraction {
        finding: finding.clone(),
        revision: 3,
        severity: Severity::High,
    };
    let span = Window {
        from: finding.first_seen,
        until: finding.last_seen,
    };
    let summary = Summary::new("acme", History::Scan, span, &[finding.clone()]);
    let all = [
        Content::Finding(finding),
        retraction,
        Content::Summary(summary),
        Content::Rendered("{}".into()),
    ];
    assert_eq!(FORM_1.lines().count(), all.len());
    for (content, frozen) in all.into_iter().zip(FORM_1.lines()) {
        let stored = String::from_utf8(content.to_stored().unwrap()).unwrap();
        assert_eq!(stored, frozen);
        assert_eq!(Content::from_stored(frozen.as_bytes()).unwrap(), content);
    }
}

#[test]
fn what_cannot_be_read_says_why_and_nothing_of_what_it_holds() {
    let read = |text: &str| Content::from_stored(text.as_bytes()).unwrap_err();
    assert_eq!(
        read("{\"version\":2,\"anything\":[]}"),
        ContentError::Version(2)
    );
    for broken in [
        "",
        "{",
        "{\"schema\":\"pagewarden.finding.v1\"}",
        "{\"version\":1}",
        "{\"version\":1,\"content\":{\"SECRET\":1}}",
        "{\"version\":1,\"content\":{\"rendered\":[\"SECRET\"]}}",
    ] {
        let error = read(broken);
        assert!(matches!(error, ContentError::Broken { .. }), "{broken}");
        assert!(!format!("{error} {error:?}").contains("SECRET"), "{error}");
    }
}
