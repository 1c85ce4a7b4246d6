//! `import`: files of events, whoever wrote them.

use std::fmt::Write as _;

use crate::support::desk::{Desk, Setup, Tenant, held, small_world};

/// The small world as files: events, audit records, and who is privileged.
fn write_files(desk: &Desk) {
    let world = small_world();
    let mut bytes = Vec::new();
    world.write_access_ndjson(&mut bytes).unwrap();
    desk.write("access.ndjson", &bytes);
    let mut bytes = Vec::new();
    world.write_audit_ndjson(&mut bytes).unwrap();
    desk.write("audit.ndjson", &bytes);
    desk.write("roster.json", world.roster_json(world.until()).to_string());
}

#[test]
fn import_needs_neither_config_nor_network() {
    let desk = Desk::new();
    write_files(&desk);
    let done = desk.run("--state state.db import access.ndjson audit.ndjson --roster roster.json");
    assert!((10..=13).contains(&done.code()), "{done:?}");
    assert!(done.err.contains("stored"), "{}", done.err);
    assert!(!done.err.contains("no roster"), "{}", done.err);
    let status = desk.run("--state state.db status --format json").json();
    assert_eq!(status["tenants"][0]["name"], "imported");
    let again = desk
        .run("--state state.db import access.ndjson audit.ndjson")
        .ends(0);
    assert!(again.err.starts_with("0 events stored"), "{}", again.err);
    let bare = Desk::new();
    write_files(&bare);
    let done = bare.run("--state state.db import access.ndjson --fail-on critical");
    assert!(
        done.err.contains("nobody counts as privileged"),
        "{}",
        done.err
    );
}

#[test]
fn import_reads_standard_input_and_belongs_to_the_config_s_tenant() {
    let tenant = Tenant::small();
    let desk = Desk::set_up(&Setup::of(&tenant));
    let mut bytes = Vec::new();
    tenant.simulator.write_access_ndjson(&mut bytes).unwrap();
    let done = desk.feed("import -", &bytes);
    assert!((10..=13).contains(&done.code()), "{done:?}");
    assert_eq!(desk.counts().0, held().0);
    assert_eq!(desk.status()["tenants"][0]["name"], "acme");
    assert!(tenant.simulator.requests().is_empty());
}

#[test]
fn a_file_that_cannot_be_read_to_its_end_is_reported_and_the_rest_counts() {
    let desk = Desk::new();
    write_files(&desk);
    let mut shown = String::new();
    let whole = desk.read("access.ndjson");
    let lines: Vec<&str> = whole.lines().take(50).collect();
    desk.write("good.ndjson", lines.join("\n"));
    desk.write("cut.json", format!("[{}", lines.join(",")));
    desk.write(
        "odd.ndjson",
        format!("{}\nthis is no JSON\n{}\n", lines[0], lines[1]),
    );
    desk.write("words.txt", "Dear diary\n");
    let depth = lines[0].replace("\"actor\":{", "\"actor\":\"@{id=x}\",\"was\":{");
    desk.write("depth.ndjson", format!("{depth}\n"));
    desk.write(
        "depth-audit.ndjson",
        "{\"creationDate\":1704800000000,\"summary\":\"Space exported\",\"author\":\"@{type=user}\"}\n",
    );
    let summary = |words| {
        format!(
            "{{\"creationDate\":1704800000000,\"summary\":\"{words}\",\"author\":{{\"accountId\":\"712020:ada\"}}}}\n"
        )
    };
    let foreign = [
        "\u{7a7a}\u{95f4}\u{5df2}\u{5bfc}\u{51fa}",
        "Espace supprim\u{e9}",
    ]
    .map(summary);
    desk.write("foreign.ndjson", foreign.concat());
    desk.write("log.zip", b"PK\x03\x04\x14\x00\x08\x00");
    desk.write("cut.gz", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2]);
    for (file, code) in [
        ("nowhere.ndjson", 1),
        (".", 1),
        ("cut.json", 1),
        ("words.txt", 1),
        ("cut.gz", 1),
        ("odd.ndjson", 0),
        ("depth.ndjson", 1),
        ("depth-audit.ndjson", 1),
        ("foreign.ndjson", 0),
        ("log.zip", 1),
        ("nowhere.ndjson good.ndjson", 1),
    ] {
        let done = desk.run(&format!("--state state.db import {file}"));
        assert_eq!(done.code(), code, "{file}: {done:?}");
        writeln!(shown, "# {file}\n{}", desk.redacted(&done.err)).unwrap();
    }
    insta::assert_snapshot!("files_that_cannot_be_read", shown);
}

#[test]
fn audit_records_of_a_tenant_with_several_sites_need_to_know_whose_they_are() {
    let tenant = Tenant::small();
    let setup = Setup {
        more: "[[tenant.site]]\nurl = \"https://other.atlassian.net\"\nemail = \"auditor@acme.example\"\n\
               api_token = { file = \"site.token\" }\n",
        ..Setup::of(&tenant)
    };
    let desk = Desk::set_up(&setup);
    // Tables of a tenant stand together.
    let config = desk.read("pagewarden.toml");
    let (head, tail) = config.split_once("[retry]").unwrap();
    let (retry, more) = tail.split_once("[[tenant.site]]").unwrap();
    desk.write(
        "pagewarden.toml",
        format!("{head}[[tenant.site]]{more}[retry]{retry}"),
    );
    write_files(&desk);
    let done = desk.run("import audit.ndjson").ends(2);
    assert!(done.err.contains("--site URL"), "{}", done.err);
    let done = desk
        .run("import audit.ndjson --site https://other.atlassian.net --fail-on critical")
        .ends(0);
    assert!(done.err.contains("events stored"), "{}", done.err);
    let status = desk.status();
    let streams = status["tenants"][0]["streams"].as_array().unwrap();
    let other = streams
        .iter()
        .find(|stream| stream["site"] == "other.atlassian.net");
    assert_eq!(other.unwrap()["stored"].as_u64().unwrap(), held().1);
}
