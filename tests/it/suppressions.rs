//! What suppressions leave out is counted, one by one, so that none is forgotten.

use serde_json::{Value, json};

use crate::support::desk::{Desk, Setup, Tenant, planted};

/// The tenant's part of the status after a scan with these rules.
fn status(rules: &str) -> (Desk, Value) {
    let tenant = Tenant::small();
    let desk = Desk::set_up(&Setup::of(&tenant));
    desk.write("pagewarden.toml", desk.read("pagewarden.toml") + rules);
    let done = desk.run("-q scan");
    assert!(matches!(done.code(), 0 | 10..=13), "{done:?}");
    let mut status = desk.status();
    let tenant = status["tenants"][0].take();
    (desk, tenant)
}

fn rule(what: &str, until: &str) -> String {
    format!("[[detect.suppress]]\n{what}\nreason = \"known\"\nuntil = \"{until}\"\n")
}

#[test]
fn each_rule_counts_what_the_analysis_leaves_out_by_it() {
    let account = planted("script").account;
    let mut suppressed = Vec::new();
    for what in [
        format!("account = \"{account}\""),
        "group = \"site-admins\"".to_owned(),
        "network = \"0.0.0.0/0\"".to_owned(),
        "space = \"NOSUCH\"".to_owned(),
    ] {
        let (_desk, status) = status(&rule(&what, "2099-01-31"));
        let rules = status["suppressions"].as_array().unwrap();
        assert_eq!(rules.len(), 1);
        assert_eq!(rules[0]["ended"], false);
        assert_eq!(rules[0]["events"], status["suppressed"], "{what}");
        suppressed.push(status["suppressed"].as_u64().unwrap());
    }
    assert!(
        suppressed[0] > 0 && suppressed[2] > suppressed[0] && suppressed[3] == 0,
        "{suppressed:?}"
    );
}

#[test]
fn a_rule_that_has_ended_is_said_to_have_and_counts_up_to_its_end() {
    let script = planted("script");
    let account = format!("account = \"{}\"", script.account);
    let day_before = script.from.date_naive().pred_opt().unwrap().to_string();
    let rules = rule(&account, &day_before) + &rule(&account, "2099-01-31");
    let (desk, status) = status(&rules);
    let [ended, holds] = status["suppressions"].as_array().unwrap().as_slice() else {
        panic!("{status}")
    };
    assert_eq!(
        (&ended["ended"], &holds["ended"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        (
            &ended["kind"],
            &ended["value"],
            &ended["reason"],
            &ended["until"]
        ),
        (
            &json!("account"),
            &json!(script.account.as_str()),
            &json!("known"),
            &json!(day_before)
        )
    );
    assert!(ended["events"].as_u64() < holds["events"].as_u64());
    // One that two rules leave out is left out once.
    assert_eq!(holds["events"], status["suppressed"]);
    let shown = desk.run("status").ends(0).out;
    assert!(shown.contains(&format!("ended on {day_before}")), "{shown}");
}
