use std::time::Duration;

use super::super::Settings;
use super::super::tests::logged;
use super::*;
use pagewarden_core::model::StreamName;

fn stream() -> Stream {
    Stream {
        tenant: "acme".into(),
        name: StreamName::Audit,
        site: Some("acme.atlassian.net".into()),
    }
}

fn said(happens: impl FnOnce()) -> String {
    let settings = Settings {
        verbosity: 1,
        ..Settings::default()
    };
    let text = logged(settings, None, false, happens);
    text.split_once("Z ").unwrap().1.trim().to_owned()
}

#[test]
fn an_internal_event_is_a_constant_sentence_and_fields() {
    let line = said(|| {
        PollFailed {
            stream: &stream(),
            why: "no answer within 30 s",
            needs_person: false,
        }
        .emit();
    });
    assert_eq!(
        line,
        "WARN Poll failed; it will be tried again. tenant=acme stream=\"audit\" \
         site=\"acme.atlassian.net\" why=no answer within 30 s"
    );
}

#[test]
fn words_from_outside_do_not_steer_the_log() {
    let line = said(|| {
        RosterKept {
            tenant: "acme",
            as_of: None,
            why: "a\u{1b}[2Jb\nERROR c\u{202e}",
        }
        .emit();
    });
    assert!(
        line.ends_with("why=a\u{fffd}[2Jb\u{fffd}ERROR c\u{fffd}"),
        "{line:?}"
    );
    assert!(!line.contains('\n'));
}

#[test]
fn a_live_walk_that_brought_nothing_is_not_news() {
    let walk = |walk, stored| {
        let stream = stream();
        said(|| {
            WalkEnded {
                stream: &stream,
                walk,
                stored,
                repeated: 2,
                took: Duration::from_secs(1),
            }
            .emit();
        })
    };
    assert!(walk("live", 0).starts_with("DEBUG Walk ended."));
    assert!(walk("live", 1).starts_with("INFO Walk ended."));
    assert!(walk("backfill", 0).starts_with("INFO Walk ended."));
}

#[test]
fn what_needs_a_person_is_an_error() {
    let stream = stream();
    let refused = PollFailed {
        stream: &stream,
        why: "401",
        needs_person: true,
    };
    let lost = DeliveryGivenUp {
        notifier: "soc",
        message: "f:1",
        attempts: 9,
        why: "gone",
    };
    let ended = CredentialEnding {
        tenant: "acme",
        name: "organization",
        days: -1,
    };
    let errors = [
        said(|| refused.emit()),
        said(|| lost.emit()),
        said(|| ended.emit()),
    ];
    for line in errors {
        assert!(line.starts_with("ERROR "), "{line}");
    }
}
