//! Scoring what is stored again: it says what other settings would have found, and changes nothing.

use serde_json::{Value, json};

use crate::support::desk::{Desk, Setup, Tenant};

/// The small world, scanned once.
fn scanned() -> (Tenant, Desk) {
    let tenant = Tenant::small();
    let desk = Desk::set_up(&Setup::of(&tenant));
    let done = desk.run("-q scan");
    assert!(matches!(done.code(), 0 | 10..=13), "{done:?}");
    (tenant, desk)
}

/// What a replay says of the only tenant.
fn replay(desk: &Desk, words: &str) -> Value {
    let mut replayed = desk
        .run(&format!("replay --format json {words}"))
        .ends(0)
        .json();
    assert_eq!(replayed["schema"], "pagewarden.replay.v1");
    replayed["tenants"][0].take()
}

fn length(list: &Value) -> usize {
    list.as_array().unwrap().len()
}

#[test]
fn the_same_settings_find_the_same_and_nothing_is_changed() {
    let (_tenant, desk) = scanned();
    let (findings, status) = (desk.findings(), desk.run("status").ends(0).out);
    let replayed = replay(&desk, "");
    assert_eq!(
        (
            &replayed["appears"],
            &replayed["disappears"],
            &replayed["changes"]
        ),
        (&json!([]), &json!([]), &json!([]))
    );
    assert_eq!(replayed["same"], findings.len());
    assert!(replayed["events"].as_u64().unwrap() > 1_000);
    assert_eq!(desk.findings(), findings);
    // The time since the last poll aside.
    let without_lag = |text: &str| text.replace(|letter: char| letter.is_ascii_digit(), "");
    let now = desk.run("status").ends(0).out;
    assert_eq!(without_lag(&now).len(), without_lag(&status).len());
}

#[test]
fn other_settings_are_held_against_what_is_recorded() {
    let (_tenant, desk) = scanned();
    let before = desk.findings();
    let by = |name: &str, detect: &str| {
        let config = desk.read("pagewarden.toml") + detect;
        desk.write(name, config);
        replay(&desk, &format!("--with {name}"))
    };
    let none = by(
        "none.toml",
        "[detect.volume-anomaly]\nenabled = false\n[detect.scripted-reading]\nenabled = false\n",
    );
    assert!(length(&none["disappears"]) > 0, "{none}");
    let left = length(&none["disappears"]) + length(&none["changes"]);
    assert_eq!(none["same"], before.len() - left);
    // Every page is one that nobody has a reason to open: a family of its own.
    let mut pages = before
        .iter()
        .filter_map(|finding| finding["evidence"]["pages"][0]["id"].as_str());
    let page = pages.next().unwrap();
    let canary = by(
        "canary.toml",
        &format!("[detect]\ncanary_pages = [\"{page}\"]\n"),
    );
    assert!(length(&canary["appears"]) > 0, "{canary}");
    assert_eq!(canary["appears"][0]["family"], "canary");
    assert_eq!(length(&canary["disappears"]), 0);
    // A threshold that is higher changes how far over it a finding is, or whether it is reported at all.
    let few = by("few.toml", "[detect]\nalerts_per_week = 0.01\n");
    let moved = length(&few["changes"]) + length(&few["disappears"]);
    assert!(moved > 0 && length(&few["appears"]) == 0, "{few}");
    for change in few["changes"].as_array().unwrap() {
        let line = |form: &str| change[form]["threshold"].as_f64().unwrap();
        assert!(line("after") > line("before"), "{change}");
    }
    // Nothing of it is kept.
    assert_eq!(desk.findings(), before);
}

#[test]
fn people_read_it_and_mistakes_are_reported() {
    let (_tenant, desk) = scanned();
    let shown = desk.run("replay").ends(0).out;
    assert!(shown.contains("Nothing was changed."), "{shown}");
    assert!(
        shown.contains("Would be found besides: 0 findings."),
        "{shown}"
    );
    desk.run("replay --with none.toml").ends(2);
    desk.run("--tenant nobody replay --with pagewarden.toml")
        .ends(2);
    desk.run("--state none.db replay").ends(1);
}
