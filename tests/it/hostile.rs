//! What others wrote, at its worst: every parser gets mangled copies of real shapes, and the built program a file of tricks.

use crate::support::kit::{Desk, Ran};

#[path = "../../fuzz/parsers.rs"]
mod parsers;

use parsers::{Feed, PARSERS};

/// How many mangled copies a parser gets. A long run asks for more by `PAGEWARDEN_MANGLED`.
const MANGLED: u32 = 1_500;

/// What JSON, TOML and headers are made of, and what upsets who reads them.
const TOKENS: [&[u8]; 30] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b",",
    b":",
    b"\n",
    b"null",
    b"true",
    b"-",
    b"1e999",
    b"99999999999999999999",
    b"-9223372036854775808",
    b"\\ud83d",
    b"\\udc00",
    b"\\u0000",
    b"\xff",
    b"\xe2\x80\xae",
    b"\x1b[2J",
    b"\0",
    b"=",
    b"#",
    b"0",
    b"Z",
    b"+",
    b"{\"a\":",
    b"[[",
    b"\"\":",
];

/// The seeds of a parser, in the order of their names.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = format!("{}/fuzz/seeds/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{folder}: {error}"))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let seeds: Vec<Vec<u8>> = paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    assert!(!seeds.is_empty(), "{folder} is empty");
    seeds
}

/// A copy of one seed, spoilt in a few places, sometimes with a piece of another.
fn mangled(seeds: &[Vec<u8>], dice: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = dice.choice(seeds).unwrap().clone();
    for _ in 0..=dice.usize(..6) {
        let at = dice.usize(..=bytes.len());
        let to = dice.usize(at..=bytes.len()).min(at + dice.usize(..40));
        let piece: Vec<u8> = match dice.u8(..6) {
            0 => vec![],
            1 => dice.choice(TOKENS).unwrap().to_vec(),
            2 => dice.choice(TOKENS).unwrap().repeat(dice.usize(1..300)),
            3 => bytes[at..to].repeat(2),
            4 => {
                let other = dice.choice(seeds).unwrap();
                let from = dice.usize(..=other.len());
                other[from..]
                    .iter()
                    .copied()
                    .take(dice.usize(..200))
                    .collect()
            }
            _ => vec![dice.u8(..)],
        };
        let to = if dice.bool() { at } else { to };
        bytes.splice(at..to, piece);
    }
    bytes
}

/// Feeds a parser, and shows the input where it fails.
fn feed(name: &str, parser: Feed, bytes: &[u8]) {
    let fed = std::panic::catch_unwind(|| parser(bytes));
    assert!(
        fed.is_ok(),
        "{name} fails at {:?}",
        String::from_utf8_lossy(bytes)
    );
}

#[test]
fn no_parser_fails_at_what_it_is_fed_with() {
    let mangled_copies = crate::support::desk::asked_for("PAGEWARDEN_MANGLED").unwrap_or(MANGLED);
    for (name, parser) in PARSERS {
        let seeds = seeds(name);
        for seed in &seeds {
            feed(name, parser, seed);
        }
        let mut dice = fastrand::Rng::with_seed(0x7067_7764);
        for _ in 0..mangled_copies {
            feed(name, parser, &mangled(&seeds, &mut dice));
        }
    }
}

#[test]
fn every_target_has_its_seeds_and_is_run() {
    let root = env!("CARGO_MANIFEST_DIR");
    let manifest = std::fs::read_to_string(format!("{root}/fuzz/Cargo.toml")).unwrap();
    for (name, _) in PARSERS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        assert!(!seeds(name).is_empty());
    }
    assert_eq!(manifest.matches("[[bin]]").count(), PARSERS.len());
}

/// Names and words of somebody who knows that they will be shown.
const TRICKS: [&str; 8] = [
    "\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[31m",
    "gpj\u{202e}exe.\u{2066}x\u{200b}",
    "=HYPERLINK(\"http://elsewhere.example\",\"x\")",
    "<script>alert(1)</script><img src=x onerror=y>",
    "one\r\ntwo\nERROR forged line\u{2028}three\u{85}four",
    "'; drop table event; --",
    "\u{fdfd}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
    "\u{e0041}\u{fffe}\u{0}`$(reboot)`%s%n{}",
];

/// The day on which it all happened.
const DAY: &str = "2024-01-09";

/// A page view, by somebody with such a name, at so many minutes into a day.
fn view(number: u32, day: &str, name: &str, id: &str) -> String {
    let (hour, minute) = (8 + number / 60, number % 60);
    serde_json::json!({
        "id": format!("{id}-{number}"),
        "attributes": {
            "time": format!("{day}T{hour:02}:{minute:02}:00Z"),
            "processedAt": format!("{day}T{hour:02}:{minute:02}:30Z"),
            "action": "confluence_page_viewed",
            "actor": { "id": format!("712020:{id}"), "name": name, "email": name },
            "context": [{ "id": number.to_string(), "type": "page", "attributes": { "spaceKey": name } }],
            "container": [{ "attributes": { "siteHostName": "127.0.0.1" } }],
            "location": { "ip": name },
        },
        "message": { "content": name },
    })
    .to_string()
}

/// What is written in place of something in a record.
fn with(from: &str, to: &str) -> Vec<u8> {
    let whole = view(300, DAY, "Ada", "ada");
    assert!(whole.contains(from), "{from}");
    whole.replacen(from, to, 1).into_bytes()
}

/// Administrators with every trick in their names who read far too much, and the roster that names them.
fn tricksters() -> (Vec<Vec<u8>>, String) {
    let (mut lines, mut roster) = (Vec::new(), String::new());
    for (number, trick) in TRICKS.iter().enumerate() {
        let id = format!("admin-{number}");
        lines.extend((0..120).map(|minute| view(minute, DAY, trick, &id).into_bytes()));
        let account = serde_json::json!({
            "id": format!("712020:{id}"), "name": trick, "roles": ["org-admin"], "groups": [trick] });
        roster += &account.to_string();
        roster.push('\n');
    }
    (lines, roster)
}

/// Openings at the ends of time, and at no time at all.
fn odd_moments() -> impl Iterator<Item = Vec<u8>> {
    [
        "-9223372036854775808",
        "9223372036854775807",
        "99999999999",
        "-99999999999",
        "1e308",
        "-1e308",
        "0",
        "\"9999-12-31T23:59:60Z\"",
        "\"0000-01-01T00:00:00Z\"",
        "184467440737095516150",
    ]
    .iter()
    .enumerate()
    .map(|(number, time)| {
        format!(
            r#"{{"id":"odd-{number}","attributes":{{"time":{time},"action":"confluence_page_viewed",
            "actor":{{"id":"712020:odd"}},"context":[{{"id":"1","type":"page"}}]}}}}"#
        )
        .replace('\n', " ")
        .into_bytes()
    })
}

/// Records that are deep, wide, long, or no text.
fn monsters() -> Vec<Vec<u8>> {
    let deep = 200_000;
    let content = |value: String| with("\"content\":\"Ada\"", &format!("\"content\":{value}"));
    let name = |value: &str| with("\"name\":\"Ada\"", &format!("\"name\":{value}"));
    let pair = "{\"type\":\"user\",\"id\":\"u\"},{\"type\":\"group\",\"id\":\"g\"},";
    let group = String::from_utf8(with("confluence_page_viewed", "user_added_to_group")).unwrap();
    let crowd = format!("\"context\":[{}", pair.repeat(100_000));
    vec![
        name("\"cut \\ud83d\""),
        name("1e400"),
        name(&format!("\"{}\"", "A\u{202e}".repeat(2_500_000))),
        content("[".repeat(deep) + &"]".repeat(deep)),
        content("{\"a\":".repeat(deep) + "1" + &"}".repeat(deep)),
        with("confluence_page_viewed", &"page_viewed_".repeat(900_000)),
        with("712020:ada", &"7".repeat(10_000_000)),
        group.replacen("\"context\":[", &crowd, 1).into_bytes(),
        b"{\"id\":\"\xff\xfe\x00".repeat(50),
        // Nothing behind this is read: its end never comes.
        "]".repeat(deep).into_bytes(),
        "[".repeat(deep).into_bytes(),
    ]
}

/// Asserts that what the program says neither steers a terminal nor fools an eye, and is short.
#[track_caller]
fn is_tame(ran: Ran) -> Ran {
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    for said in [&ran.out, &ran.err] {
        let tricky = |char: &char| {
            (char.is_control() && *char != '\n')
                || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
                || matches!(char, '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{10ffff}')
        };
        assert_eq!(said.chars().find(tricky), None, "{said}");
        assert!(
            !said
                .lines()
                .any(|line| line.trim_start().starts_with("ERROR forged")),
            "{said}"
        );
        assert!(said.len() < 400_000, "{} bytes", said.len());
    }
    ran
}

#[test]
fn the_worst_file_is_read_reported_and_sent_without_harm() {
    let notifier = "[[notifier]]\nname = \"soc\"\ntype = \"webhook\"\nurl = { file = \"{dir}/soc.url\" }\nmin_severity = \"low\"\n";
    let kit = crate::support::kit::Kit::with(
        crate::support::kit::small(3),
        pagewarden_simulator::Options::default(),
        notifier,
    );
    kit.desk
        .keep("soc.url", kit.simulator.webhook_url().as_str().as_bytes());
    let (mut lines, roster) = tricksters();
    lines.extend(odd_moments());
    lines.extend(monsters());
    kit.desk.keep("bad.ndjson", &lines.join(&b'\n'));
    kit.desk.keep("roster.ndjson", roster.as_bytes());
    let began = std::time::Instant::now();
    let run = |args: &[&str]| is_tame(kit.desk.run(args));
    let ran = run(&["import", "bad.ndjson", "--roster", "roster.ndjson"]);
    // It ends in the middle of an array, and says so.
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("ends too early"), "{}", ran.err);
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    run(&["state", "check"]).ended(0);
    run(&["status"]).ended(0);
    let listed = run(&["findings", "list", "--all"]).ended(0);
    assert!(
        listed.out.lines().all(|line| line.chars().count() <= 400),
        "{}",
        listed.out
    );
    for format in ["json", "ndjson"] {
        let exported = run(&["findings", "export", "--format", format])
            .ended(0)
            .out;
        for line in exported.lines().filter(|_| format == "ndjson") {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
        if format == "json" {
            shows_all(&kit.desk, &exported);
        }
    }
    run(&["status", "--format", "json"]).ended(0);
    run(&["replay"]);
    run(&["scan"]).done();
    let received = kit.simulator.received();
    assert!(!received.is_empty());
    for message in received {
        let body = String::from_utf8(message.body).unwrap();
        serde_json::from_str::<serde_json::Value>(&body).unwrap();
        assert!(body.len() < 256 << 10, "{} bytes", body.len());
        assert!(
            !body.contains(char::is_control) && !body.contains('\u{202e}'),
            "{body}"
        );
    }
}

/// Every administrator was found, by the very name in the file, and can be shown.
fn shows_all(desk: &Desk, exported: &str) {
    let findings: serde_json::Value = serde_json::from_str(exported).unwrap();
    let findings = findings["findings"].as_array().unwrap();
    for (number, trick) in TRICKS.iter().enumerate() {
        let account = format!("712020:admin-{number}");
        let found = findings
            .iter()
            .find(|finding| finding["account"]["id"] == account.as_str());
        let found = found.unwrap_or_else(|| panic!("nothing of {account}"));
        assert_eq!(
            found["account"]["name"], *trick,
            "what machines read is what was written"
        );
        let id = found["id"].as_str().unwrap();
        is_tame(desk.run(&["findings", "show", id])).ended(0);
    }
}
