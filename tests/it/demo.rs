//! The demo: what it holds, what it admits, and that it is the same each time.

use crate::support::desk::Desk;

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
    // What it says can be typed can be typed.
    let typed = |line: &str| {
        line.strip_prefix("One finding in full: pagewarden ")
            .map(str::to_owned)
    };
    let hint = done.out.lines().find_map(typed).unwrap();
    desk.run(&hint).ends(0);
    let mut shown = String::new();
    for line in desk.redacted(&done.out).lines() {
        let line = line.split(" and analysed in ").next().unwrap();
        shown.push_str(line);
        shown.push('\n');
    }
    shown
}

#[test]
fn it_takes_no_file_that_is_there_and_no_folder_that_is_not_its_own() {
    let desk = Desk::new();
    desk.write("mine.db", "mine");
    let done = desk.run("--state mine.db demo").ends(2);
    assert!(done.err.contains("mine.db already exists"), "{}", done.err);
    assert_eq!(desk.read("mine.db"), "mine");
    // Whoever can write to the folder of temporary files may lie in wait.
    std::fs::create_dir(desk.path("lair")).unwrap();
    std::os::unix::fs::symlink(desk.path("lair"), desk.path("pagewarden-demo-1")).unwrap();
    let done = desk.run("demo").ends(1);
    assert!(done.err.contains("only you can write to"), "{}", done.err);
    assert_eq!(std::fs::read_dir(desk.path("lair")).unwrap().count(), 0);
}

#[test]
fn it_finds_what_was_hidden_says_so_and_is_the_same_each_time() {
    let shown = demo(3);
    let verdict = |name: &str| {
        let line = shown
            .lines()
            .find(|line| line.trim_start().starts_with(&format!("{name} ")))
            .unwrap_or_else(|| panic!("{name}: {shown}"));
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    for name in ["script", "patient-collection", "admin-browsing"] {
        assert_ne!(verdict(name), "not", "{shown}");
    }
    assert!(
        shown.contains("Alerts: at most 18 false alarms were asked for"),
        "{shown}"
    );
    // What privileged accounts read is summed up by name, not by id.
    let (_, sum) = shown.split_once(" privileged accounts opened ").unwrap();
    let (sum, _) = sum.split_once(" · privileged-reading").unwrap();
    let called = |letters: &str| sum.contains(letters);
    assert!(!called("557058:") && !called("712020:"), "{sum}");
    assert_eq!(demo(3), shown);
}
