//! The config: what is refused and in which words, what the example says, what `config show` and `check --offline` print.
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::CommandFactory as _;
use pagewarden::cli::Cli;
use pagewarden::commands::{check::offline, config as show, init::EXAMPLE};
use pagewarden::config::{self, Admins, Config, Detect, LoadError, Retry, Schedule, State};
use pagewarden::exit::Exit;
use pagewarden::notify;
use pagewarden::output::check::write_text;
use pagewarden_core::time::moment;
use proptest::prelude::*;

/// A small config that is as it should be.
const GOOD: &str = r#"
[[tenant]]
name = "acme"
[tenant.organization]
id = "org-1"
api_key = { file = "org.key" }
expires = 2027-05-01
[[tenant.site]]
url = "http://127.0.0.1:8090"
email = "auditor@acme.example"
api_token = { file = "site.token" }
via = "gateway"
[tenant.actions]
"zebra_viewed" = "view"
"confluence_*" = "other"
[detect]
canary_pages = [123, "456"]
[[detect.suppress]]
network = "2001:db8::/32"
reason = 'says "hello" \ bye'
until = "2027-01-31"
[[notifier]]
name = "soc"
type = "webhook"
url = { file = "soc.url" }
include_titles = false
"#;

fn parse(text: &str, source_name: &str) -> Result<Config, config::Problems> {
    config::parse(text, source_name, &notify::kinds())
}

fn load(path: &Path) -> Result<Config, LoadError> {
    config::load(path, &notify::kinds())
}

fn broken() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    all.sort();
    all
}

/// The example with every setting that is left at its default taken in.
fn example_in_full() -> String {
    let mut full = String::new();
    for line in EXAMPLE.lines() {
        let setting = line
            .strip_prefix('#')
            .filter(|rest| rest.starts_with(|first: char| !first.is_whitespace()));
        writeln!(full, "{}", setting.unwrap_or(line)).unwrap();
    }
    full
}

fn today() -> DateTime<Utc> {
    "2027-03-01T12:00:00Z".parse().unwrap()
}

fn words(config: &Config) -> String {
    show::show(config)
}

#[test]
fn every_problem_of_a_broken_config_is_reported_at_once_with_its_line() {
    let files = broken();
    assert!(files.len() >= 25, "{}", files.len());
    let mut all = String::new();
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let problems = parse(&text, name).expect_err(name);
        assert!(problems.list.len() >= 2, "{name}: {problems}");
        for problem in &problems.list {
            assert!(
                (1..=text.lines().count()).contains(&problem.line),
                "{name}: {problem}"
            );
        }
        assert!(
            !format!("{problems} {problems:?}").contains("SECRET"),
            "{name}: {problems}"
        );
        writeln!(all, "{problems}\n").unwrap();
    }
    insta::assert_snapshot!("broken_configs", all);
}

#[test]
fn the_example_can_be_used_as_it_is() {
    let config =
        parse(EXAMPLE, "config.example.toml").unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.tenants.len(), 1);
    assert!(config.notifiers.is_empty());
}

#[test]
fn what_the_example_calls_a_default_is_one() {
    let config = parse(&example_in_full(), "config.example.toml")
        .unwrap_or_else(|problems| panic!("{problems}"));
    let tenant = &config.tenants[0];
    assert_eq!(
        (tenant.schedule, tenant.admins.clone()),
        (Schedule::default(), Admins::default())
    );
    assert_eq!(
        (config.state.clone(), config.retry),
        (State::default(), Retry::default())
    );
    assert_eq!(config.detect.suppress.len(), 4);
    assert_eq!(
        Detect {
            suppress: Vec::new(),
            ..config.detect.clone()
        },
        Detect::default()
    );
    let plain = parse(EXAMPLE, "config.example.toml").unwrap();
    assert_eq!(plain.tenants[0].sites[0].via, tenant.sites[0].via);
    let (plain, full) = (
        plain.tenants[0].organization.clone().unwrap(),
        tenant.organization.clone().unwrap(),
    );
    assert_eq!(
        (plain.url, plain.requests_per_minute),
        (full.url, full.requests_per_minute)
    );
    assert_eq!(config.notifiers.len(), 1);
}

#[test]
fn a_site_of_another_cloud_has_the_gateway_of_that_cloud() {
    let gateway = |host: &str, more: &str| {
        let good = GOOD.replace("http://127.0.0.1:8090", host);
        let config = parse(&good.replace("expires = 2027-05-01", more), "x.toml");
        config.map(|config| config.tenants[0].sites[0].gateway.to_string())
    };
    assert_eq!(
        gateway("https://acme.atlassian-us-gov-mod.net", "").unwrap(),
        "https://api.atlassian-us-gov-mod.com/"
    );
    let named = "url = \"https://gateway.acme.example\"";
    assert_eq!(
        gateway("https://acme.atlassian-us-gov-mod.net", named).unwrap(),
        "https://gateway.acme.example/"
    );
    let isolated = "https://acme.acme.atlassian-isolated.net";
    let problems = gateway(isolated, "").unwrap_err().to_string();
    assert!(problems.contains("isolated cloud"), "{problems}");
    assert_eq!(
        gateway(isolated, named).unwrap(),
        "https://gateway.acme.example/"
    );
}

#[test]
fn what_is_shown_can_be_used_as_a_config_and_means_the_same() {
    for text in [GOOD.to_owned(), EXAMPLE.to_owned(), example_in_full()] {
        let shown = words(&parse(&text, "a.toml").unwrap());
        let again = words(
            &parse(&shown, "b.toml").unwrap_or_else(|problems| panic!("{problems}\n{shown}")),
        );
        assert_eq!(shown, again);
    }
}

#[test]
fn what_is_in_force_is_shown_with_secrets_as_their_places() {
    insta::assert_snapshot!(
        "config_show",
        words(&parse(GOOD, "pagewarden.toml").unwrap())
    );
}

#[test]
fn actions_keep_the_order_of_the_file() {
    let config = parse(GOOD, "pagewarden.toml").unwrap();
    let actions: Vec<&str> = config.tenants[0]
        .actions
        .iter()
        .map(|(action, _)| action.as_str())
        .collect();
    assert_eq!(actions, ["zebra_viewed", "confluence_*"]);
}

#[test]
fn secret_files_begin_in_the_folder_of_the_config() {
    let config = parse(GOOD, "/etc/pagewarden/config.toml").unwrap();
    let sources: Vec<String> = config
        .secret_sources()
        .iter()
        .map(|(_, source)| source.to_string())
        .collect();
    assert!(
        sources.contains(&"the file `/etc/pagewarden/org.key`".to_owned()),
        "{sources:?}"
    );
}

#[test]
fn a_missing_config_is_reported_with_the_way_to_one() {
    let folder = tempfile::tempdir().unwrap();
    let error = load(&folder.path().join("none.toml")).unwrap_err();
    assert!(matches!(error, LoadError::Missing(_)));
    assert!(error.to_string().contains("pagewarden init"), "{error}");
}

#[test]
fn a_config_that_is_not_text_is_reported_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latin1.toml");
    std::fs::write(&path, b"[state]\n# caf\xe9\n").unwrap();
    let LoadError::Invalid(problems) = load(&path).unwrap_err() else {
        panic!("not a problem of the text")
    };
    assert_eq!(problems.list[0].line, 2);
}

#[test]
fn line_ends_of_windows_and_a_byte_order_mark_are_no_problem() {
    let text = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
    parse(&text, "a.toml").unwrap();
}

#[test]
fn one_tenant_can_be_kept() {
    let mut config = parse(GOOD, "a.toml").unwrap();
    assert!(config.keep_tenant("beta").unwrap_err().contains("`acme`"));
    config.keep_tenant("acme").unwrap();
}

/// Writes a config and its secrets into a folder, which is replaced in what is shown.
fn checked(text: &str, secrets: &[(&str, &str)], now: DateTime<Utc>) -> (String, Exit) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("secrets")).unwrap();
    for (name, secret) in secrets {
        let path = folder.path().join(name);
        std::fs::write(&path, secret).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
    let path = folder.path().join("pagewarden.toml");
    std::fs::write(&path, text).unwrap();
    let looked = offline::look(&path, None, now);
    let mut shown = Vec::new();
    write_text(&looked.report, &mut shown).unwrap();
    let shown = String::from_utf8(shown).unwrap();
    (
        shown.replace(folder.path().to_str().unwrap(), "/folder"),
        looked.exit(),
    )
}

#[test]
fn the_example_passes_the_check_when_its_secrets_are_there() {
    let secrets = [
        ("secrets/acme-organization.key", "k-hidden\n"),
        ("secrets/acme-site.token", "t-hidden\n"),
    ];
    let (shown, exit) = checked(EXAMPLE, &secrets, moment(0));
    assert_eq!(exit, Exit::Done, "{shown}");
    assert!(!shown.contains("hidden"), "{shown}");
    insta::assert_snapshot!("check_example", shown);
    let more = [
        ("secrets/soc.url", "https://hooks.acme.example/x\n"),
        ("secrets/soc.secret", "whsec_eA==\n"),
    ];
    let (shown, exit) = checked(
        &example_in_full(),
        &[&secrets[..], &more[..]].concat(),
        today(),
    );
    assert_eq!(exit, Exit::Done, "{shown}");
}

#[test]
fn every_secret_that_cannot_be_had_is_reported_and_ends_with_two() {
    let (shown, exit) = checked(EXAMPLE, &[], moment(0));
    assert_eq!(exit.code(), 2);
    insta::assert_snapshot!("check_without_secrets", shown);
}

#[test]
fn keys_and_rules_that_end_are_warned_of_from_thirty_days_before() {
    let secrets = [("org.key", "a"), ("site.token", "b"), ("soc.url", "c")];
    let shown = |now: &str| checked(GOOD, &secrets, now.parse().unwrap()).0;
    let key = "organization.api_key: ";
    assert!(shown("2027-03-31T23:59:59Z").contains(&format!("{key}works until")));
    assert!(shown("2027-04-01T00:00:00Z").contains("30 days left"));
    assert!(shown("2027-05-01T23:59:59Z").contains("0 days left"));
    assert!(shown("2027-05-02T00:00:00Z").contains(&format!("{key}expired on 2027-05-01")));
    assert!(!shown("2027-01-31T23:00:00Z").contains("detect.suppress"));
    insta::assert_snapshot!("check_endings", shown("2027-04-30T00:00:00Z"));
}

#[test]
fn a_broken_config_is_reported_whole_by_the_check() {
    let (shown, exit) = checked("[[tenant]]\nname = 5\n", &[], moment(0));
    assert_eq!(exit.code(), 2);
    insta::assert_snapshot!("check_broken", shown);
}

#[test]
fn the_help_names_every_command_with_examples_and_exit_codes() {
    let mut command = Cli::command().term_width(100);
    let mut help = command.render_long_help().to_string();
    for each in ["backfill", "import", "check"] {
        let sub = command.find_subcommand_mut(each).unwrap();
        write!(help, "\n--- {each}\n{}", sub.render_help()).unwrap();
    }
    insta::assert_snapshot!("help", help);
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,300}") {
        if let Err(problems) = parse(&text, "a.toml") {
            prop_assert!(!problems.to_string().is_empty());
        }
    }

    #[test]
    fn no_change_to_a_config_makes_the_parser_panic(at in 0..GOOD.len(), length in 0_usize..40, put in "[\\[\\]{}\"'=.,#\n a-z0-9é-]{0,12}") {
        let until = (at + length).min(GOOD.len());
        let text = format!("{}{put}{}", GOOD.get(..at).unwrap(), GOOD.get(until..).unwrap());
        if let Err(problems) = parse(&text, "a.toml") {
            prop_assert!(!problems.list.is_empty());
        }
    }
}
