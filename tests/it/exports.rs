//! Exports are found from the organisation's events, and from the site audit log alone; what both record counts once.

use pagewarden_simulator::{Options, Planted};
use serde_json::Value;

use crate::support::kit::{Kit, world};

/// A tenant whose logs are at hand as files.
fn kit() -> Kit {
    let kit = Kit::new(world(2, 60, 5), Options::default());
    let (mut access, mut audit) = (Vec::new(), Vec::new());
    kit.simulator.write_access_ndjson(&mut access).unwrap();
    kit.world().write_audit_ndjson(&mut audit).unwrap();
    let roster = kit.world().roster_json(kit.world().until()).to_string();
    kit.desk.keep("access.ndjson", &access);
    kit.desk.keep("audit.ndjson", &audit);
    kit.desk.keep("roster.json", roster.as_bytes());
    kit
}

/// What is found in files.
fn found(kit: &Kit, files: &[&str]) -> Vec<Value> {
    kit.desk.clear();
    let mut args = vec!["import", "--roster", "roster.json"];
    args.extend(files);
    kit.desk.run(&args).done();
    let mut all: Value = serde_json::from_str(&kit.desk.findings()).unwrap();
    match all["findings"].take() {
        Value::Array(findings) => findings,
        other => panic!("{other}"),
    }
}

fn of_exports(findings: &[Value]) -> Vec<&Value> {
    findings
        .iter()
        .filter(|finding| finding["family"] == "export")
        .collect()
}

fn planted(kit: &Kit) -> &Planted {
    let mut truth = kit.world().truth().iter();
    truth
        .find(|planted| planted.name == "space-export")
        .unwrap()
}

#[test]
fn the_site_audit_log_alone_shows_the_export_of_a_space() {
    let kit = kit();
    let findings = found(&kit, &["audit.ndjson"]);
    let exports = of_exports(&findings);
    let [export] = exports.as_slice() else {
        panic!("{exports:#?}")
    };
    assert_eq!(export["detector"], "bulk-export");
    assert_eq!(export["account"]["id"], planted(&kit).account.as_str());
    let events = export["evidence"]["event_ids"].as_array().unwrap();
    assert_eq!(export["observed"]["exports"], events.len());
    assert!(
        export["reason"]
            .as_str()
            .unwrap()
            .starts_with("Exported 1 whole space"),
        "{export}"
    );
}

#[test]
fn what_both_logs_record_counts_once() {
    let kit = kit();
    let alone = found(&kit, &["access.ndjson"]);
    let both = found(&kit, &["access.ndjson", "audit.ndjson"]);
    let (alone, both) = (of_exports(&alone), of_exports(&both));
    assert_eq!(alone.len(), 1, "{alone:#?}");
    assert_eq!(alone[0]["account"]["id"], planted(&kit).account.as_str());
    // Made, and downloaded three minutes later.
    assert_eq!(alone[0]["observed"]["exports"], 2);
    assert_eq!(alone, both);
}

#[test]
fn what_privileged_accounts_read_is_summed_up_week_by_week() {
    let kit = kit();
    let findings = found(&kit, &["access.ndjson", "audit.ndjson"]);
    let mut weeks: Vec<&Value> = findings
        .iter()
        .filter(|finding| finding["account"].is_null())
        .collect();
    weeks.sort_by_key(|week| week["first_seen"].as_str());
    // The fifth is not over.
    assert_eq!(weeks.len(), 4, "{weeks:#?}");
    for (week, before) in weeks.iter().skip(1).zip(&weeks) {
        assert_eq!(week["continues"], before["id"]);
    }
    for week in weeks {
        let known = ["family", "detector", "severity"].map(|key| week[key].as_str().unwrap());
        assert_eq!(known, ["admin", "privileged-reading", "low"]);
        let reason = week["reason"].as_str().unwrap();
        let pages = week["observed"]["pages"].as_u64().unwrap();
        assert!(
            reason.contains(&format!(" opened {pages} different pages in ")),
            "{reason}"
        );
    }
}
