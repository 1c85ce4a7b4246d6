use super::*;

const BASE: &str = "https://api.atlassian.com/";

fn base() -> Url {
    BASE.parse().unwrap()
}

fn read(json: &str) -> Result<Events, Malformed> {
    events(json.as_bytes(), &base(), &Mapper::default())
}

fn event(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","attributes":{{"time":"2026-05-12T19:00:00Z","action":"user_login"}}}}"#
    )
}

fn ids(read: &Events) -> Vec<&str> {
    read.usable.iter().map(|event| event.id.as_str()).collect()
}

#[test]
fn the_next_cursor_comes_from_meta_then_from_the_link() {
    for (page, next) in [
        (
            r#"{"data":[],"meta":{"next":"c-1"},"links":{}}"#,
            Some("c-1"),
        ),
        (
            r#"{"data":[],"meta":{"next":"c-1"},"links":{"next":"https://elsewhere.example/?cursor=x"}}"#,
            Some("c-1"),
        ),
        (
            r#"{"data":[],"links":{"next":"https://api.atlassian.com/admin/v1/orgs/o/events-stream?limit=5&cursor=c%2B2"}}"#,
            Some("c+2"),
        ),
        (
            r#"{"data":[],"meta":{"next":null},"links":{"next":"/admin/v1/orgs/o/events-stream?cursor=c-3"}}"#,
            Some("c-3"),
        ),
        (r#"{"data":[],"meta":{"next":null},"links":{}}"#, None),
        (r#"{"data":[],"meta":null,"links":null}"#, None),
        (r#"{"data":[]}"#, None),
    ] {
        assert_eq!(read(page).unwrap().next.as_deref(), next, "{page}");
    }
}

#[test]
fn a_link_elsewhere_is_refused() {
    for link in [
        "https://elsewhere.example/x?cursor=c",
        "http://api.atlassian.com/x?cursor=c",
        "//elsewhere.example/x?cursor=c",
        "https://api.atlassian.com:8443/x?cursor=c",
        "/\\\\elsewhere.example/?cursor=c",
        "file:///x?cursor=c",
    ] {
        let page = format!(r#"{{"data":[],"links":{{"next":"{link}"}}}}"#);
        assert_eq!(read(&page).unwrap_err(), Malformed::ForeignLink, "{link}");
    }
    assert!(matches!(
        read(r#"{"data":[],"links":{"next":"/x"}}"#),
        Err(Malformed::Missing(_))
    ));
}

#[test]
fn a_page_without_an_array_of_data_is_not_an_empty_page() {
    for page in [
        "{}",
        r#"{"data":null}"#,
        r#"{"data":{"id":"x"}}"#,
        r#"{"errors":[]}"#,
        r#"{"data":"x"}"#,
    ] {
        assert!(matches!(read(page), Err(Malformed::Missing(_))), "{page}");
    }
    assert_eq!(
        read("[1]").unwrap_err(),
        Malformed::Missing("an array of data")
    );
    assert_eq!(
        read(r#"{"data":[{"id":"#).unwrap_err(),
        Malformed::Truncated
    );
    assert_eq!(read(r#"{"data":[]} x"#).unwrap_err(), Malformed::Syntax);
}

#[test]
fn one_bad_record_costs_one_record() {
    let page = format!(
        r#"{{"data":[{},null,{{"id":"x"}},{},{{"id":"a","id":"twice","attributes":{{"time":1,"action":"b"}}}}],"meta":{{"next":"c"}}}}"#,
        event("1"),
        event("2")
    );
    let read = read(&page).unwrap();
    assert_eq!(
        (ids(&read), read.received, read.next.as_deref()),
        (vec!["1", "2", "twice"], 5, Some("c"))
    );
    let reasons: Vec<(&str, &str)> = read
        .unusable
        .iter()
        .map(|record| (record.reason, record.sample.as_str()))
        .collect();
    assert_eq!(
        reasons,
        [
            ("no id", "null"),
            ("no time that can be read", r#"{"id":"x"}"#)
        ]
    );
}

#[test]
fn bytes_that_are_no_text_cost_no_page() {
    let mut page = format!(r#"{{"data":[{},{{"id":"2","attributes":{{"time":1,"action":"b","actor":{{"id":"i","name":"?"#, event("1")).into_bytes();
    page.extend(b"\xff\xfe");
    page.extend(br#""}}}]}"#);
    let read = events(&page, &base(), &Mapper::default()).unwrap();
    assert_eq!(ids(&read), ["1", "2"]);
}

#[test]
fn views_that_name_no_page_are_counted() {
    let view = event("1").replace("user_login", "confluence_page_viewed");
    assert_eq!(
        read(&format!(r#"{{"data":[{view},{}]}}"#, event("2")))
            .unwrap()
            .unresolved,
        1
    );
}

#[test]
fn the_end_of_a_list_is_known_by_what_came() {
    let end = |limit: Option<usize>, next: Option<&str>| End {
        limit,
        next: next.map(Into::into),
        announced: 0,
    };
    assert!(end(None, Some("/x")).is_last(0));
    assert!(end(Some(1000), None).is_last(999));
    assert!(!end(Some(200), None).is_last(200));
    assert!(!end(Some(1000), Some("/x")).is_last(37));
    assert!(!end(None, None).is_last(37));
}

#[test]
fn audit_pages_are_read_with_their_end() {
    let page = r#"{"results":[{"creationDate":1,"summary":"x"},{"creationDate":2}],"start":0,"limit":"25","size":37,"_links":{"base":"b","next":"/rest/api/audit?start=25"}}"#;
    let read = records(page.as_bytes(), &Mapper::default()).unwrap();
    assert_eq!(
        (read.usable.len(), read.unusable.len(), read.received),
        (1, 1, 2)
    );
    assert_eq!(
        read.end,
        End {
            limit: Some(25),
            next: Some("/rest/api/audit?start=25".into()),
            announced: 37,
        }
    );
    assert!(matches!(
        records(b"{\"data\":[]}", &Mapper::default()),
        Err(Malformed::Missing(_))
    ));
}
