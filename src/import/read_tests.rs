use super::*;
use std::io::Write as _;

fn event(id: usize) -> String {
    format!(
        r#"{{"id":"e-{id}","attributes":{{"time":"2026-05-12T19:00:00Z","action":"confluence_page_viewed","actor":{{"id":"712020:ada"}}}}}}"#
    )
}

fn audit(id: usize) -> String {
    format!(
        r#"{{"creationDate":{},"summary":"Space exported","author":{{"accountId":"712020:ada"}}}}"#,
        1_778_612_400_000_usize + id
    )
}

/// Everything that came out of these bytes, put together, the sizes of the batches, and how it ended.
fn import(
    bytes: &[u8],
    format: Format,
) -> (
    ImportBatch,
    Vec<usize>,
    Result<ImportSummary, ImportError<()>>,
) {
    let (mut all, mut sizes) = (ImportBatch::default(), Vec::new());
    let from = input::unpacked(io::Cursor::new(bytes.to_vec())).unwrap();
    let ended = read_from(
        from,
        Path::new("log.ndjson"),
        format,
        &Mapper::default(),
        &mut |batch| {
            sizes.push(batch.len());
            all.events.extend(batch.events);
            all.audit.extend(batch.audit);
            all.unusable_access.extend(batch.unusable_access);
            all.unusable_audit.extend(batch.unusable_audit);
            Ok(())
        },
    );
    (all, sizes, ended)
}

fn packed(text: &str) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn the_same_records_come_out_of_every_arrangement() {
    let rows: Vec<String> = (0..3).map(event).chain((0..2).map(audit)).collect();
    let list = rows.join(",");
    let lines = rows.join("\n");
    let pages = format!(
        "{{\"data\":[{},{}],\"meta\":{{\"next\":\"c\"}}}}\n{{\"data\":[{}],\"links\":{{}}}}\n{{\"results\":[{},{}],\"size\":2}}",
        rows[0], rows[1], rows[2], rows[3], rows[4]
    );
    let pretty = serde_json::to_string_pretty(
        &serde_json::from_str::<serde_json::Value>(&format!("[{list}]")).unwrap(),
    )
    .unwrap();
    for text in [
        lines.clone(),
        format!("{lines}\n"),
        format!("[{list}]"),
        format!("[{pages}]").replace("}\n{", "},\n{"),
        pages.clone(),
        pretty,
    ] {
        for bytes in [text.clone().into_bytes(), packed(&text)] {
            let (all, _, ended) = import(&bytes, Format::Auto);
            assert_eq!(
                ended.unwrap(),
                ImportSummary {
                    events: 3,
                    audit: 2,
                    unusable: 0,
                    unresolved: 3
                },
                "{text}"
            );
            let ids: Vec<&str> = all.events.iter().map(|event| event.id.as_str()).collect();
            assert_eq!(ids, ["e-0", "e-1", "e-2"]);
            assert_eq!(all.audit.len(), 2);
        }
    }
}

#[test]
fn two_gzip_streams_one_behind_the_other_are_one_file() {
    let bytes = [packed(&(event(1) + "\n")), packed(&(event(2) + "\n"))].concat();
    assert_eq!(import(&bytes, Format::Auto).2.unwrap().events, 2);
}

#[test]
fn one_bad_line_costs_that_line() {
    let text = format!(
        "{}\n{{\"id\":\"cut\n{}\n{{\"id\":\"x\",\"attributes\":{{}}}}\n{{\"creationDate\":1}}\n{{\"foo\":1}}\n{}\n",
        event(1),
        event(2),
        audit(3)
    );
    let (all, _, ended) = import(text.as_bytes(), Format::Auto);
    assert_eq!(
        ended.unwrap(),
        ImportSummary {
            events: 2,
            audit: 1,
            unusable: 4,
            unresolved: 2
        }
    );
    let reasons = |records: &[Unusable]| {
        records
            .iter()
            .map(|record| record.reason)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        reasons(&all.unusable_access),
        ["not JSON", "no time that can be read"]
    );
    assert_eq!(
        reasons(&all.unusable_audit),
        ["no summary", "no time that can be read"]
    );
    assert_eq!(all.unusable_access[0].sample, "{\"id\":\"cut");
}

#[test]
fn batches_are_bounded_in_every_arrangement() {
    let rows: Vec<String> = (0..1234).map(event).collect();
    for text in [
        rows.join("\n"),
        format!("[{}]", rows.join(",")),
        format!("{{\"data\":[{}]}}", rows.join(",")),
    ] {
        let (all, sizes, ended) = import(text.as_bytes(), Format::Auto);
        assert_eq!((all.events.len(), sizes), (1234, vec![500, 500, 234]));
        assert_eq!(ended.unwrap().events, 1234);
    }
}

#[test]
fn a_format_that_is_given_is_not_guessed() {
    let text = format!("{}\n{}\n", event(1), audit(2));
    let (all, _, _) = import(text.as_bytes(), Format::OrgEvents);
    assert_eq!(
        (all.events.len(), all.unusable_access.len(), all.audit.len()),
        (1, 1, 0)
    );
    let (all, _, _) = import(text.as_bytes(), Format::SiteAudit);
    assert_eq!(
        (all.audit.len(), all.unusable_audit.len(), all.events.len()),
        (1, 1, 0)
    );
}

#[test]
fn what_was_readable_of_a_truncated_file_is_delivered_and_the_place_named() {
    let lines: String = (0..2000).map(|id| event(id) + "\n").collect();
    let cut = &lines.as_bytes()[..lines.len() - 30];
    let (all, _, ended) = import(cut, Format::Auto);
    assert_eq!(all.events.len(), 1999);
    assert_eq!(
        ended.unwrap_err().to_string(),
        "log.ndjson ends too early, at line 2000"
    );
    let packed = packed(&lines);
    let (all, _, ended) = import(&packed[..packed.len() / 2], Format::Auto);
    assert!(!all.events.is_empty() && all.events.len() < 2000);
    assert!(matches!(ended, Err(ImportError::Truncated { line, .. }) if line > 1));
}

#[test]
fn text_in_utf_16_is_read_as_well() {
    let lines: String = (0..300).map(|id| event(id) + "\r\n").collect();
    let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let marked = format!("\u{feff}{lines}");
    let texts: [Vec<u8>; 4] = [little(&marked), big(&marked), little(&lines), big(&lines)];
    for text in texts {
        let (all, _, ended) = import(&text, Format::Auto);
        assert!(ended.is_ok() && all.events.len() == 300, "{ended:?}");
    }
}

#[test]
fn what_is_packed_otherwise_is_named() {
    for (bytes, says) in [
        (&b"PK\x03\x04\x14\x00"[..], "a zip archive"),
        (b"\x28\xb5\x2f\xfd\x00", "zstd"),
        (b"%PDF-1.7", "a PDF"),
    ] {
        let Err(error) = input::unpacked(io::Cursor::new(bytes)) else {
            panic!("{says} was opened")
        };
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn whoever_takes_the_batches_can_end_it() {
    let lines: String = (0..2000).map(|id| event(id) + "\n").collect();
    let mut calls = 0;
    let ended = read_from(
        lines.as_bytes(),
        Path::new("x"),
        Format::Auto,
        &Mapper::default(),
        &mut |_| {
            calls += 1;
            Err("full")
        },
    );
    assert!(matches!(ended, Err(ImportError::Sink("full"))));
    assert_eq!(calls, 1);
}

#[test]
fn files_are_read_and_a_missing_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.json.gz");
    std::fs::write(&path, packed(&event(1))).unwrap();
    let mapper = Mapper::default();
    assert_eq!(
        read::<()>(&path, Format::Auto, &mapper, &mut |_| Ok(()))
            .unwrap()
            .events,
        1
    );
    let missing = folder.path().join("missing.json");
    let error = read::<()>(&missing, Format::Auto, &mapper, &mut |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("missing.json"));
    std::fs::write(&path, "").unwrap();
    assert_eq!(
        read::<()>(&path, Format::Auto, &mapper, &mut |_| Ok(())).unwrap(),
        ImportSummary::default()
    );
}
