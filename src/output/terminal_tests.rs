use super::super::samples::{blindness, collection, hostile};
use super::*;

const PROGRAM: &str = "pagewarden";

fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_finding_of_a_day_without_a_line_is_read_back_and_shown() {
    let first = Finding {
        threshold: f64::INFINITY,
        ..collection()
    };
    let kept = serde_json::to_string(&first).unwrap();
    assert_eq!(serde_json::from_str::<Finding>(&kept).unwrap(), first);
    let shown = text(|out| show(&first, &[], PROGRAM, Look::default(), out));
    assert!(shown.contains("there was no threshold yet"), "{shown}");
}

#[test]
fn what_people_said_is_shown_with_its_note_as_text() {
    let said = |status, note: &str, at: &str| Verdict {
        finding: collection().id,
        status,
        note: (!note.is_empty()).then(|| note.to_owned()),
        at: at.parse().unwrap(),
        revision: 1,
        matter: (&collection()).into(),
    };
    let verdicts = [
        said(
            Status::Expected,
            "an audit\u{1b}[2J by an outside firm, which reads everything there is from Monday on",
            "2026-11-21T09:00:00Z",
        ),
        said(Status::Confirmed, "", "2026-11-22T10:30:00Z"),
    ];
    let text = text(|out| show(&collection(), &verdicts, PROGRAM, Look::default(), out));
    let part = text.split_once("Verdicts").unwrap().1;
    insta::assert_snapshot!(part.split_once("What to do").unwrap().0);
}

#[test]
fn a_list_shows_who_when_and_why_most_severe_first() {
    let findings = [blindness(), collection(), hostile()];
    insta::assert_snapshot!(text(|out| list(&findings, PROGRAM, Look::default(), out)));
}

#[test]
fn one_finding_in_full_says_what_to_do_next() {
    insta::assert_snapshot!(text(|out| show(
        &collection(),
        &[],
        PROGRAM,
        Look::default(),
        out
    )));
}

#[test]
fn a_finding_about_no_account_has_no_empty_facts() {
    insta::assert_snapshot!(text(|out| show(
        &blindness(),
        &[],
        PROGRAM,
        Look::default(),
        out
    )));
}

#[test]
fn a_narrow_terminal_gets_narrow_lines() {
    let look = Look {
        color: false,
        width: 60,
    };
    insta::assert_snapshot!(text(|out| list(&[collection()], PROGRAM, look, out)));
}

#[test]
fn colours_are_few_and_always_ended() {
    let look = Look {
        color: true,
        width: 100,
    };
    let shown = text(|out| list(&[collection()], PROGRAM, look, out));
    insta::assert_snapshot!(shown.replace('\u{1b}', "ESC"));
    assert_eq!(
        shown.matches("\u{1b}[").count(),
        2 * shown.matches("\u{1b}[0m").count()
    );
}

#[test]
fn hostile_words_do_not_reach_the_terminal() {
    for shown in [
        text(|out| list(&[hostile()], PROGRAM, Look::default(), out)),
        text(|out| show(&hostile(), &[], PROGRAM, Look::default(), out)),
    ] {
        assert!(
            !shown.contains(|char: char| char.is_control() && char != '\n'),
            "{shown:?}"
        );
        assert!(!shown.contains('\u{202e}'));
        assert!(shown.contains("Eve\u{fffd}nimda"));
    }
}

#[test]
fn the_tenant_is_named_where_there_are_several() {
    let other = Finding {
        tenant: "other".into(),
        ..hostile()
    };
    let shown = text(|out| list(&[collection(), other], PROGRAM, Look::default(), out));
    assert!(
        shown.contains("· tenant acme") && shown.contains("· tenant other"),
        "{shown}"
    );
}

#[test]
fn nothing_found_is_said() {
    assert_eq!(
        text(|out| list(&[], PROGRAM, Look::default(), out)),
        "No findings.\n"
    );
}
