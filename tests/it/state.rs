//! The state file: checked, copied beside a running service, restored; full disks, files of others, torn ones.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use pagewarden_simulator::Options;
use rusqlite::Connection;

use crate::support::desk::{Desk, Done, Setup, Tenant, small_world, table, until};

/// Everything that reads or writes the state file.
const COMMANDS: [&str; 8] = [
    "scan",
    "run",
    "backfill --from 2024-01-01",
    "import pagewarden.toml",
    "status",
    "findings list",
    "state check",
    "state backup copy.db",
];

/// A desk that has seen everything there is.
fn full() -> (Tenant, Desk) {
    let tenant = Tenant::small();
    let desk = Desk::set_up(&Setup::of(&tenant));
    desk.run("-q scan").done();
    (tenant, desk)
}

/// Changes a state file behind the program's back.
fn meddle(desk: &Desk, sql: &str) {
    let state = Connection::open(desk.path("state.db")).unwrap();
    state
        .execute_batch(&format!("pragma foreign_keys = off; {sql}"))
        .unwrap();
}

/// Puts a copy in the place of the state file.
fn restore(desk: &Desk, copy: &str) {
    for suffix in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(
            desk.path(&format!("state.db{suffix}")),
        ));
    }
    std::fs::copy(desk.path(copy), desk.path("state.db")).unwrap();
}

#[test]
fn a_whole_file_is_called_whole() {
    let (_tenant, desk) = full();
    let done = desk.run("state check").ends(0);
    let events = u64::from(small_world().counts().events + small_world().counts().audit);
    let thousands = format!("{},{:03} events", events / 1_000, events % 1_000);
    assert!(done.out.contains("is whole"), "{}", done.out);
    assert!(
        done.out.contains(&thousands) || done.out.contains(&format!("{events} events")),
        "{}",
        done.out
    );
}

#[test]
fn what_does_not_add_up_is_reported() {
    for (sql, words) in [
        (
            "delete from event where (stream, at, key) in (select stream, at, key from event limit 3)",
            "expected",
        ),
        ("update stream set newest = newest + 1", "the newest event"),
        ("delete from unusable", "unusable records"),
        (
            "delete from account where no in (select account from event limit 1)",
            "events of no account",
        ),
        (
            "delete from page where no in (select page from event where page is not null limit 1)",
            "terms, pages or spaces that are not there",
        ),
        (
            "update finding set body = substr(body, 3)",
            "cannot be read back",
        ),
        (
            "update engine set stored = stored + 1000000",
            "analysed events",
        ),
        ("delete from tenant", "names a tenant that is not there"),
    ] {
        let (_tenant, desk) = full();
        meddle(&desk, sql);
        let done = desk.run("state check").ends(1);
        assert!(done.out.contains(words), "{sql}: {} {}", done.out, done.err);
        assert!(done.err.contains("is not whole"), "{}", done.err);
    }
}

#[test]
fn a_copy_is_complete_its_owners_only_and_never_over_another_file() {
    let (_tenant, desk) = full();
    let done = desk.run("state backup copy.db").ends(0);
    assert!(done.out.contains("copy.db is a copy of"), "{}", done.out);
    let mode = std::fs::metadata(desk.path("copy.db"))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    desk.run("--state copy.db state check").ends(0);
    let export = desk.export();
    let copied = desk.run("--state copy.db findings export").ends(0).out;
    assert!(export == copied && export.len() > 500);
    desk.write("other", "mine");
    for there in ["copy.db", "state.db", "other"] {
        let done = desk.run(&format!("state backup {there}")).ends(1);
        assert!(done.err.contains("is not overwritten"), "{}", done.err);
    }
    assert_eq!(desk.read("other"), "mine");
    let done = desk.run("state backup no/such/folder").ends(1);
    assert!(done.err.contains("cannot be written"), "{}", done.err);
    let names = std::fs::read_dir(desk.path("")).unwrap();
    let names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("part") || name.contains("copy.db-"))
        .collect();
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn a_copy_beside_a_service_that_writes_is_one_moment_and_the_service_goes_on() {
    let tenant = Tenant::with(Options {
        stream_limit: 20,
        ..Options::default()
    });
    let desk = Desk::set_up(&Setup::of(&tenant));
    let mut running = desk.start("run");
    running.says("Service started.");
    let counts = small_world().counts();
    let mut copies = 0;
    until("everything while it is copied", || {
        let copy = format!("copy-{copies}.db");
        desk.run(&format!("state backup {copy}")).ends(0);
        desk.run(&format!("--state {copy} state check")).ends(0);
        desk.run("state check").ends(0);
        copies += 1;
        let stored = desk.tenant()["streams"][0]["stored"].clone();
        (stored == u64::from(counts.events)).then_some(())
    });
    running.signal("TERM");
    running.wait().ends(0);
    // Each goes on from its moment to the same end.
    desk.run("-q scan").done();
    let whole = desk.export();
    for copy in [0, copies / 2, copies - 1] {
        restore(&desk, &format!("copy-{copy}.db"));
        let running = desk.start("-q run");
        until("the rest", || {
            let of = desk.tenant();
            (of["streams"][0]["stored"] == u64::from(counts.events)
                && of["streams"][1]["stored"] == u64::from(counts.audit)
                && desk.export() == whole)
                .then_some(())
        });
        running.signal("TERM");
        running.wait().ends(0);
    }
}

#[test]
fn a_torn_file_is_reported_by_every_command_and_a_copy_takes_its_place() {
    let (_tenant, desk) = full();
    let whole = desk.export();
    desk.run("state backup copy.db").ends(0);
    let path = desk.path("state.db");
    let length = std::fs::metadata(&path).unwrap().len();
    // All but the first page, which says what it is.
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(4_096)).unwrap();
    file.write_all(&vec![0x5a; usize::try_from(length - 4_096).unwrap()])
        .unwrap();
    drop(file);
    for words in COMMANDS {
        let done = desk.run(words).ends(1);
        let said = format!("{}{}", done.out, done.err);
        assert!(
            said.contains("is damaged")
                || said.contains("is not whole")
                || said.contains("is not overwritten"),
            "{words}: {said}"
        );
        assert!(!said.contains("panic"), "{said}");
    }
    restore(&desk, "copy.db");
    desk.run("state check").ends(0);
    desk.run("-q scan").ends(0);
    assert!(desk.export() == whole);
}

#[test]
fn a_single_torn_page_is_found() {
    let (_tenant, desk) = full();
    let path = desk.path("state.db");
    let pages = std::fs::metadata(&path).unwrap().len() / 4_096;
    for page in [pages / 4, pages / 2, pages - 2] {
        let whole = std::fs::read(&path).unwrap();
        let mut torn = whole.clone();
        let at = usize::try_from(page * 4_096).unwrap();
        torn[at..at + 4_096].fill(0);
        std::fs::write(&path, torn).unwrap();
        let done = desk.run("state check").ends(1);
        assert!(
            done.err.contains("is not whole") || done.err.contains("is damaged"),
            "{done:?}"
        );
        std::fs::write(&path, whole).unwrap();
    }
    desk.run("state check").ends(0);
}

#[test]
fn files_of_a_newer_version_and_of_others_are_left_alone() {
    let (_tenant, desk) = full();
    meddle(&desk, "pragma user_version = 99");
    let before = std::fs::read(desk.path("state.db")).unwrap();
    for words in COMMANDS {
        let done = desk.run(words).ends(1);
        assert!(
            done.err.contains("has schema version 99"),
            "{words}: {}",
            done.err
        );
    }
    assert!(std::fs::read(desk.path("state.db")).unwrap() == before);
    meddle(&desk, "pragma user_version = 1; pragma application_id = 7");
    for (what, bytes) in [
        ("another program's", None),
        (
            "no database",
            Some("not a database, but long enough to be one".repeat(40)),
        ),
    ] {
        if let Some(bytes) = &bytes {
            desk.write("state.db", bytes);
        }
        for words in COMMANDS {
            let done = desk.run(words).ends(1);
            assert!(
                done.err.contains("is not a state file of pagewarden"),
                "{what}, {words}: {}",
                done.err
            );
        }
        assert!(bytes.is_none_or(|bytes| desk.read("state.db") == bytes));
    }
}

#[test]
fn without_a_file_there_is_nothing_to_check_or_copy() {
    let desk = Desk::new();
    for words in ["state check", "state backup copy.db"] {
        let done = desk.run(&format!("{words} --state none.db")).ends(1);
        assert!(done.err.contains("there is no state file"), "{}", done.err);
        assert!(!desk.path("none.db").exists() && !desk.path("copy.db").exists());
    }
}

/// Runs a script where it may mount what it likes; none where this machine lets nobody.
fn mounting(desk: &Desk, script: &str) -> Option<Done> {
    let ways: [&[&str]; 2] = [&["--mount"], &["--map-root-user", "--mount"]];
    let may = |way: &&&[&str]| {
        let probe = "mkdir -p probe && mount -t tmpfs -o size=64k tmpfs probe";
        let probed = Command::new("unshare")
            .args(**way)
            .args(["sh", "-c", probe])
            .current_dir(desk.path(""))
            .output();
        probed.is_ok_and(|probed| probed.status.success())
    };
    let Some(way) = ways.iter().find(may) else {
        table("not shown: nothing can be mounted here");
        return None;
    };
    let mut command = Command::new("unshare");
    command
        .args(*way)
        .args(["sh", "-c", script])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("BIN", env!("CARGO_BIN_EXE_pagewarden"))
        .current_dir(desk.path(""));
    Some(desk.spawn(command).wait())
}

#[test]
fn a_full_disk_is_reported_and_everything_goes_on_when_there_is_room_again() {
    let (tenant, whole) = full();
    let desk = Desk::set_up(&Setup::of(&tenant));
    let script = "mkdir small && mount -t tmpfs -o size=600k tmpfs small &&
        $BIN -q --state small/state.db scan; echo \"scan $?\"
        $BIN -q --state small/state.db scan; echo \"again $?\"
        $BIN -q --state small/state.db state backup small/copy.db; echo \"copy $?\"
        ls small/*part* 2>/dev/null
        mount -o remount,size=64m small
        $BIN -q --state small/state.db state check; echo \"check $?\"
        $BIN -q --state small/state.db scan > found; echo \"room $?\"
        $BIN -q --state small/state.db findings export > export";
    let Some(done) = mounting(&desk, script) else {
        return;
    };
    let shown: Vec<&str> = done.out.lines().collect();
    assert_eq!(shown[..3], ["scan 1", "again 1", "copy 1"], "{done:?}");
    assert!(
        done.out.contains("check 0") && !done.out.contains("part"),
        "{done:?}"
    );
    assert!(done.out.contains("room 1"), "{done:?}");
    assert!(
        done.err
            .matches("no space is left for the state file")
            .count()
            >= 2,
        "{}",
        done.err
    );
    assert!(desk.read("export") == whole.export(), "{done:?}");
}

#[test]
fn a_limit_to_the_size_of_files_is_reported() {
    let tenant = Tenant::small();
    let desk = Desk::set_up(&Setup::of(&tenant));
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 200; exec \"$BIN\" -q scan"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("BIN", env!("CARGO_BIN_EXE_pagewarden"))
        .current_dir(desk.path(""));
    let done = desk.spawn(command).wait().ends(1);
    assert!(done.err.contains("the state file"), "{}", done.err);
    // What was written before is whole, and the rest comes when it may.
    desk.run("state check").ends(0);
    desk.run("-q scan").done();
    assert_eq!(
        desk.tenant()["streams"][0]["stored"],
        small_world().counts().events
    );
}

#[test]
fn where_nobody_may_write_it_is_reported_and_looking_goes_on() {
    let (_tenant, desk) = full();
    let script = "mkdir sealed && cp state.db sealed/ && mount --bind sealed sealed &&
        mount -o remount,ro,bind sealed &&
        for words in scan run 'import pagewarden.toml' 'backfill --from 2024-01-01'; do
            $BIN -q --state sealed/state.db $words; echo \"$words $?\"
        done
        for words in status 'findings list' 'state check' 'state backup copy.db'; do
            $BIN -q --state sealed/state.db $words > /dev/null; echo \"$words $?\"
        done";
    let Some(done) = mounting(&desk, script) else {
        return;
    };
    assert_eq!(
        done.out.lines().collect::<Vec<_>>(),
        [
            "scan 1",
            "run 1",
            "import pagewarden.toml 1",
            "backfill --from 2024-01-01 1",
            "status 0",
            "findings list 0",
            "state check 0",
            "state backup copy.db 0"
        ],
        "{done:?}"
    );
    assert_eq!(done.err.matches("cannot be written").count(), 4, "{done:?}");
}
