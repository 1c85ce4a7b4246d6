//! The demo: what it holds, what it admits, and that it is the same each time.

use super::desk::Desk;

/// What the demo of a seed says, without what differs from run to run.
fn demo(seed: u32) -> String {
    let desk = Desk::new();
    let done = desk.run(&format!("-q demo --seed {seed}")).ends(0);
    assert!(!done.out.contains('\u{1b}'));
    let state = desk.path(&format!("pagewarden-demo-{seed}/state.db"));
    assert!(state.exists());
    // The command that it names works.
    let list = desk
        .run_with("findings list --state", &[state.to_str().unwrap()])
        .ends(0);
    assert!(done.out.contains(list.out.lines().next().unwrap()));
    let mut told = String::new();
    for line in desk.redacted(&done.out).lines() {
        let line = line.split(" and judged in ").next().unwrap();
        told.push_str(line);
        told.push('\n');
    }
    told
}

#[test]
fn it_finds_what_was_hidden_says_so_and_is_the_same_each_time() {
    let told = demo(3);
    let verdict = |name: &str| {
        let line = told
            .lines()
            .find(|line| line.trim_start().starts_with(&format!("{name} ")))
            .unwrap_or_else(|| panic!("{name}: {told}"));
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    for name in ["script", "patient-harvest", "admin-browsing"] {
        assert_ne!(verdict(name), "not", "{told}");
    }
    assert!(
        told.contains("Alarms: at most 18 false ones were asked for"),
        "{told}"
    );
    // What privileged accounts read is summed up by name, not by id.
    let (_, sum) = told.split_once(" privileged accounts opened ").unwrap();
    let (sum, _) = sum.split_once(" · privileged-reading").unwrap();
    let called = |letters: &str| sum.contains(letters);
    assert!(!called("557058:") && !called("712020:"), "{sum}");
    assert_eq!(demo(3), told);
}
