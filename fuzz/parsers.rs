//! Every parser of foreign bytes, and what must hold whatever the bytes are.
//!
//! The fuzz targets and `tests/it/hostile.rs` share this file. Nothing may panic, hang or grow without bound; beyond that,
//! each function states what it may rely on.

use std::convert::Infallible;
use std::io::Cursor;
use std::path::Path;

use http::{HeaderMap, HeaderValue};
use pagewarden::atlassian::page::{
    cursor_of_link, data_rows, events, next_cursor, records, result_rows,
};
use pagewarden::atlassian::{Mapper, UserRecord, moment_of_text};
use pagewarden::http::{Pace, hint, post, words_of_refusal};
use pagewarden::import::{Format, read_from, read_roster_from, unpacked};
use pagewarden_core::model::{Event, PageId, SpaceKey, Unusable};
use pagewarden_core::text;
use pagewarden_core::time::{after, moment, rfc3339};
use url::Url;

/// The longest text of a record that may reach the state file, in bytes.
const LONGEST: usize = 512;

/// A parser, fed with bytes.
pub(crate) type Feed = fn(&[u8]);

/// Every parser by its name, which is also that of its target and of its seeds.
pub(crate) const PARSERS: [(&str, Feed); 10] = [
    ("events_page", events_page),
    ("audit_page", audit_page),
    ("record", record),
    ("link", link),
    ("stamp", stamp),
    ("hint", waiting),
    ("people", people),
    ("config", config),
    ("import", import),
    ("refusal", refusal),
];

/// The origin that every link must stay on.
fn base() -> Url {
    Url::parse("https://api.acme.example/admin/").unwrap()
}

/// No text of an event is longer than a state file can bear.
fn is_bounded(event: &Event) {
    let actor = &event.actor;
    let texts = [
        Some(event.id.as_str()),
        Some(&event.action),
        Some(actor.id.as_str()),
        actor.name.as_deref(),
        actor.email.as_deref(),
        event.address.as_deref(),
        event.site.as_deref(),
        event.page.as_ref().map(PageId::as_str),
        event.space.as_ref().map(SpaceKey::as_str),
    ];
    for text in texts.into_iter().flatten() {
        assert!(text.len() <= LONGEST, "{} bytes", text.len());
    }
    for change in &event.changes {
        assert!(
            change.account.as_str().len() <= LONGEST
                && change.grant_source.label().len() <= LONGEST
        );
    }
    // Every moment can be shown.
    assert!(!rfc3339(event.at).is_empty());
}

/// A sample of what could not be used stays a sample.
fn are_samples(unusable: &[Unusable]) {
    assert!(unusable.iter().all(|record| record.sample.len() <= 200));
}

/// A page of organisation events: each record is either usable or not, and none is lost.
pub(crate) fn events_page(bytes: &[u8]) {
    if let Ok(page) = events(bytes, &base(), &Mapper::default()) {
        assert_eq!(page.received, page.usable.len() + page.unusable.len());
        page.usable.iter().for_each(is_bounded);
        are_samples(&page.unusable);
    }
}

/// A page of site audit records: likewise.
pub(crate) fn audit_page(bytes: &[u8]) {
    if let Ok(page) = records(bytes, &Mapper::default()) {
        assert_eq!(page.received, page.usable.len() + page.unusable.len());
        for record in &page.usable {
            is_bounded(&record.event);
            is_bounded(&record.event_for(1));
        }
        are_samples(&page.unusable);
        assert!(page.received > 0 || page.end.is_last(0));
    }
}

/// One record: alone, on a page and beside a broken one it is the same event.
pub(crate) fn record(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let mapper = Mapper::default();
    if let Ok(event) = mapper.event(text) {
        is_bounded(&event);
        for page in [
            format!("{{\"data\":[{text}]}}"),
            format!("{{\"data\":[7,{text}]}}"),
        ] {
            let page = events(page.as_bytes(), &base(), &mapper).unwrap();
            assert_eq!(page.usable, std::slice::from_ref(&event));
        }
    }
    if let Ok(record) = mapper.audit(text) {
        is_bounded(&record.event);
        for page in [
            format!("{{\"results\":[{text}]}}"),
            format!("{{\"results\":[7,{text}]}}"),
        ] {
            let page = records(page.as_bytes(), &mapper).unwrap();
            assert_eq!(page.usable, std::slice::from_ref(&record));
        }
    }
}

/// Where a page goes on: a cursor out of a link is never one of another origin's.
pub(crate) fn link(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let base = base();
    if let Ok(cursor) = cursor_of_link(text, &base) {
        let url = base.join(text).unwrap();
        assert_eq!((url.scheme(), url.host_str()), ("https", base.host_str()));
        assert_eq!(url.port_or_known_default(), Some(443));
        assert!(!cursor.is_empty());
        assert_eq!(next_cursor(None, Some(text), &base), Ok(Some(cursor)));
    }
    assert_eq!(next_cursor(Some(text), None, &base), Ok(Some(text.into())));
}

/// A moment: what was read is read again when it is written down.
pub(crate) fn stamp(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    if let Some(at) = moment_of_text(text) {
        let written = rfc3339(at);
        if written.len() == 20 {
            assert_eq!(
                moment_of_text(&written).map(|at| at.timestamp()),
                Some(at.timestamp())
            );
        }
    }
}

/// How long to wait: the first line is the status, the others are headers.
pub(crate) fn waiting(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let status = lines
        .next()
        .and_then(|line| str::from_utf8(line).ok()?.parse().ok());
    let mut headers = HeaderMap::new();
    for (name, line) in [
        "retry-after",
        "x-ratelimit-reset",
        "x-ratelimit-remaining",
        "date",
        "x-retry-after",
    ]
    .into_iter()
    .zip(lines)
    {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.insert(name, value);
        }
    }
    let now = hint::server_time(&headers).unwrap_or_else(|| moment(1_778_612_400));
    let waits = [
        hint::wait_hint(status.unwrap_or(429), &headers, now),
        post::retry_after(&headers),
    ];
    for wait in waits.into_iter().flatten() {
        assert!(after(now, wait) >= now);
        Pace::unlimited().not_before(wait);
    }
}

/// Who is who: a page of the directory, of a group, and a roster file.
pub(crate) fn people(bytes: &[u8]) {
    let read = |users: &[UserRecord]| {
        for user in users {
            assert!(user.roles.is_sorted() && user.id.as_str().len() <= LONGEST);
        }
    };
    if let Ok((users, unusable, _)) = data_rows(bytes, UserRecord::read) {
        read(&users);
        are_samples(&unusable);
    }
    if let Ok((users, unusable, end)) = result_rows(bytes, UserRecord::read) {
        read(&users);
        are_samples(&unusable);
        assert!(end.is_last(0));
    }
    if let Ok((_, users)) = read_roster_from(Cursor::new(bytes), Path::new("roster.json")) {
        assert!(!users.is_empty());
        read(&users);
    }
}

/// A config: all that is wrong is reported, on lines that are there.
pub(crate) fn config(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    match pagewarden::config::parse(text, "pagewarden.toml", &pagewarden::notify::kinds()) {
        Ok(config) => assert!(!config.tenants.is_empty()),
        Err(problems) => {
            assert!(!problems.list.is_empty());
            let lines = text.split('\n').count();
            for problem in &problems.list {
                assert!((1..=lines).contains(&problem.line), "{problem} of {lines}");
                let shown = problem.to_string();
                assert!(
                    !shown.contains(|char: char| char.is_control() && char != '\n'),
                    "{shown:?}"
                );
            }
        }
    }
}

/// A file of events, packed or not, read as every format: what is counted is what is given out.
pub(crate) fn import(bytes: &[u8]) {
    for format in [Format::Auto, Format::OrgEvents, Format::SiteAudit] {
        let mut given = [0; 3];
        let mut each = |batch: pagewarden::import::ImportBatch| {
            batch.events.iter().for_each(is_bounded);
            batch
                .audit
                .iter()
                .for_each(|record| is_bounded(&record.event));
            are_samples(&batch.unusable_access);
            are_samples(&batch.unusable_audit);
            let unusable = batch.unusable_access.len() + batch.unusable_audit.len();
            given[0] += batch.events.len();
            given[1] += batch.audit.len();
            given[2] += unusable;
            Ok::<(), Infallible>(())
        };
        let Ok(from) = unpacked(Cursor::new(bytes.to_vec())) else {
            return;
        };
        let name = Path::new("events.ndjson");
        if let Ok(summary) = read_from(from, name, format, &Mapper::default(), &mut each) {
            let shown = [summary.events, summary.audit, summary.unusable];
            assert_eq!(shown.map(usize::try_from), given.map(Ok));
        }
    }
}

/// What a server says when it refuses: one short line that steers no terminal. Any text, too.
pub(crate) fn refusal(bytes: &[u8]) {
    let shown = words_of_refusal(bytes);
    assert!(shown.len() <= 300);
    assert_eq!(text::plain(&shown, 300), shown);
    let foreign = String::from_utf8_lossy(bytes);
    let shown = text::plain(&foreign, 60);
    assert!(shown.chars().count() <= 60 && !shown.contains(char::is_control));
    let written = serde_json::to_string(&foreign).unwrap();
    let read: String = serde_json::from_str(&text::json(&written)).unwrap();
    assert_eq!(read, foreign);
}
