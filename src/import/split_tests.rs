use super::*;
use proptest::prelude::*;

/// Every piece (an object as it is, a broken one with `!`) with its line, and how it ended.
fn pieces(text: &[u8], cap: usize) -> (Vec<String>, Option<u64>) {
    let mut found = Vec::new();
    let ended = split(text, cap, |line, piece| -> Result<(), ()> {
        found.push(match piece {
            Piece::Object(json) => format!("{line} {json}"),
            Piece::Broken(_, head) => format!("{line} !{head}"),
        });
        Ok(())
    });
    match ended {
        Ok(()) => (found, None),
        Err(SplitError::Truncated(line)) => (found, Some(line)),
        Err(other) => panic!("{other:?}"),
    }
}

fn whole(text: &str) -> Vec<String> {
    let (found, truncated) = pieces(text.as_bytes(), 1000);
    assert_eq!(truncated, None, "{text}");
    found
}

#[test]
fn every_arrangement_of_objects_is_parted() {
    for text in [
        "{\"a\":1}\n{\"b\":[2]}\n",
        "{\"a\":1}\r\n{\"b\":[2]}",
        "\u{feff}{\"a\":1}\n\n\n{\"b\":[2]}",
        "[{\"a\":1},{\"b\":[2]}]",
        "[\n{\"a\":1},\n{\"b\":[2]}\n]\n",
        "[[{\"a\":1}],[{\"b\":[2]}]]",
        "{\"a\":1}{\"b\":[2]}",
        "{\"a\":1} {\"b\":[2]} []",
        "\u{1e}{\"a\":1}\n\u{1e}{\"b\":[2]}\n",
    ] {
        let found: Vec<String> = whole(text)
            .iter()
            .map(|piece| piece.split_once(' ').unwrap().1.to_owned())
            .collect();
        assert_eq!(found, ["{\"a\":1}", "{\"b\":[2]}"], "{text:?}");
    }
}

#[test]
fn objects_over_many_lines_stay_whole() {
    let pretty = "{\n  \"data\": [\n    {\n      \"a\": \"}\\\"{\"\n    }\n  ]\n}";
    assert_eq!(
        whole(&format!("{pretty}\n{pretty}")),
        [format!("7 {pretty}"), format!("14 {pretty}")]
    );
    let flat = "{\"data\":[\n{\"a\":1},\n{\"a\":2}\n],\n\"meta\":\n{\"x\":{}}\n}";
    assert_eq!(whole(flat), [format!("7 {flat}")]);
}

#[test]
fn a_broken_line_costs_that_line() {
    for broken in [
        "{\"a\":\"x",
        "{\"a\":1",
        "{\"a\":{\"b\":1}",
        "{\"a\":[1",
        "nonsense",
        "{\"a\":1}}",
        "{\"a\":1}x",
        "{\"a\"",
        "\"text\"",
        "7",
        "{",
    ] {
        let found = whole(&format!(
            "{{\"n\":1}}\n{broken}\n{{\"n\":2}}\n{{\"n\":3}}\n"
        ));
        for good in ["1 {\"n\":1}", "3 {\"n\":2}", "4 {\"n\":3}"] {
            assert!(found.contains(&good.to_owned()), "{broken}: {found:?}");
        }
    }
}

#[test]
fn what_ends_too_early_is_reported_with_its_line_after_what_came_before() {
    for text in [
        "{\"a\":1}\n{\"b\":",
        "{\"a\":1}\n{\"b\":\"x",
        "[{\"a\":1},\n",
    ] {
        let (found, truncated) = pieces(text.as_bytes(), 1000);
        assert_eq!(
            (found, truncated),
            (vec!["1 {\"a\":1}".to_owned()], Some(2)),
            "{text}"
        );
    }
}

#[test]
fn what_is_too_long_is_dropped_and_the_rest_goes_on() {
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(5000));
    let (found, truncated) = pieces(
        format!("{{\"n\":1}}\n{long}\n{{\"n\":2}}\n").as_bytes(),
        1000,
    );
    assert_eq!((found.len(), truncated), (3, None));
    assert!(found[1].starts_with("2 !{\"a\":\"xxx") && found[1].len() < 500);
    assert_eq!(found[2], "3 {\"n\":2}");
}

#[test]
fn a_very_long_line_of_objects_is_parted_too() {
    let one = format!("{{\"a\":\"{}\"}}", "x".repeat(990));
    let many = format!("[{}]", vec![one; 3000].join(","));
    assert!(many.len() > 2 << 20);
    assert_eq!(pieces(many.as_bytes(), 1000).0.len(), 3000);
}

proptest! {
    #[test]
    fn whatever_the_bytes_nothing_breaks(bytes in proptest::collection::vec(prop_oneof![Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'"'), Just(b'\\'), Just(b'\n'), Just(b','), any::<u8>()], 0..300)) {
        pieces(&bytes, 50);
    }

    #[test]
    fn good_lines_come_out_as_they_went_in(texts in proptest::collection::vec(".{0,20}", 1..20)) {
        let lines: Vec<String> = texts.iter().map(|text| serde_json::json!({ "t": text }).to_string()).collect();
        let found: Vec<String> = whole(&lines.join("\n")).iter().map(|piece| piece.split_once(' ').unwrap().1.to_owned()).collect();
        prop_assert_eq!(found, lines);
    }
}
