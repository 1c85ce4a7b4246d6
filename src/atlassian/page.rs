//! Reading whole pages: typed and borrowed in one go, and record by record where that fails.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use url::Url;

use super::map::{Memo, is_unresolved, unusable};
use super::{AuditRecord, Mapper, wire};
use crate::http::Malformed;
use pagewarden_core::model::{Event, Unusable};

/// What a page of organisation events holds.
#[derive(Debug, Default)]
pub struct Events {
    /// The events that can be used.
    pub usable: Vec<Event>,
    /// The records that cannot.
    pub unusable: Vec<Unusable>,
    /// How many records came.
    pub received: usize,
    /// How many events are of reading and name nothing that was read.
    pub unresolved: usize,
    /// The cursor of the next page.
    pub next: Option<String>,
}

/// What a page of site audit records holds.
#[derive(Debug, Default)]
pub struct Records {
    /// The records that can be used.
    pub usable: Vec<AuditRecord>,
    /// The records that cannot.
    pub unusable: Vec<Unusable>,
    /// How many came.
    pub received: usize,
    /// How it goes on.
    pub end: End,
}

/// What a page of the Confluence API says about going on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    /// The limit that the server says it kept to.
    pub limit: Option<usize>,
    /// The link to more.
    pub next: Option<String>,
    /// How many results there are, as far as the server says; some count those of the page, some all of them.
    pub announced: usize,
}

impl End {
    /// What a page says.
    pub(super) fn of<T>(page: &wire::ResultsPage<'_, T>) -> Self {
        Self {
            limit: page.limit.get().and_then(|limit| limit.parse().ok()),
            next: page.links.0.next.get().map(Into::into),
            announced: [&page.size, &page.total]
                .into_iter()
                .filter_map(|text| text.get()?.parse().ok())
                .max()
                .unwrap_or_default(),
        }
    }

    /// From which number on the next page begins, where the link to it says.
    pub(super) fn next_start(&self) -> Option<usize> {
        let anywhere = Url::parse("https://localhost").ok()?;
        let next = anywhere.join(self.next.as_deref()?).ok()?;
        let (_, start) = next.query_pairs().find(|(name, _)| name == "start")?;
        start.parse().ok()
    }

    /// Whether so many results were the last: none, or fewer than the limit that the server names and no link to more.
    pub fn is_last(&self, received: usize) -> bool {
        received == 0 || (self.next.is_none() && self.limit.is_some_and(|limit| received < limit))
    }
}

/// The text of a body; what is not UTF-8 is replaced, so that one bad byte costs no page.
pub(super) fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Reads a page of organisation events.
pub fn events(bytes: &[u8], base: &Url, mapper: &Mapper) -> Result<Events, Malformed> {
    let text = text(bytes);
    let mut sink = Sink {
        mapper,
        memo: Memo::default(),
        usable: Vec::new(),
        received: 0,
    };
    let typed = sink.page(&text);
    let whole = sink.usable.len() == sink.received;
    let mut read = Events {
        usable: sink.usable,
        received: sink.received,
        ..Events::default()
    };
    if let (Ok(page), true) = (&typed, whole) {
        read.next = page.next(base)?;
    } else {
        // Something is wrong with a record, or with all of it: one by one, then.
        let page: wire::DataPage<'_, &RawValue> =
            serde_json::from_str(&text).map_err(|error| Malformed::from(&error))?;
        let rows = page
            .data
            .0
            .as_ref()
            .ok_or(Malformed::Missing("an array of data"))?;
        read.usable.clear();
        for row in rows {
            match mapper.event_with(row.get(), &mut sink.memo) {
                Ok(event) => read.usable.push(event),
                Err(record) => read.unusable.push(record),
            }
        }
        read.received = rows.len();
        read.next = next_cursor(page.meta.0.next.get(), page.links.0.next.get(), base)?;
    }
    read.unresolved = read
        .usable
        .iter()
        .filter(|event| is_unresolved(event))
        .count();
    Ok(read)
}

/// Maps events while they are parsed: a page of them never lies in memory in Atlassian's shape.
struct Sink<'m> {
    mapper: &'m Mapper,
    memo: Memo,
    usable: Vec<Event>,
    received: usize,
}

/// What a page of events says about going on.
#[derive(Default)]
struct Rest<'a> {
    /// Whether there was an array of data at all.
    has_data: bool,
    meta: wire::Part<wire::Next<'a>>,
    links: wire::Part<wire::Next<'a>>,
}

impl Rest<'_> {
    /// The cursor of the next page.
    fn next(&self, base: &Url) -> Result<Option<String>, Malformed> {
        if !self.has_data {
            return Err(Malformed::Missing("an array of data"));
        }
        next_cursor(self.meta.0.next.get(), self.links.0.next.get(), base)
    }
}

impl Sink<'_> {
    /// Maps a whole page, and says how it goes on.
    fn page<'de>(&mut self, text: &'de str) -> serde_json::Result<Rest<'de>> {
        let mut from = serde_json::Deserializer::from_str(text);
        let rest = from.deserialize_map(PageVisitor(self))?;
        from.end()?;
        Ok(rest)
    }
}

/// Takes a page.
struct PageVisitor<'s, 'm>(&'s mut Sink<'m>);

impl<'de> Visitor<'de> for PageVisitor<'_, '_> {
    type Value = Rest<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Rest<'de>, A::Error> {
        let mut rest = Rest::default();
        while let Some(key) = map.next_key::<wire::Text<'de>>()? {
            match key.or_empty() {
                "data" if !rest.has_data => {
                    rest.has_data = map.next_value_seed(RowsSeed(self.0))?;
                }
                "meta" => rest.meta = map.next_value()?,
                "links" => rest.links = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(rest)
    }
}

/// Maps the elements of an array. Anything but an array is an error, and read again more slowly.
struct RowsSeed<'s, 'm>(&'s mut Sink<'m>);

impl<'de> DeserializeSeed<'de> for RowsSeed<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RowsSeed<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        let sink = self.0;
        while let Some(wire::Part(event)) = seq.next_element::<wire::Part<wire::Event<'de>>>()? {
            sink.received += 1;
            if let Ok(event) = sink.mapper.map(&event, &mut sink.memo) {
                sink.usable.push(event);
            }
        }
        Ok(true)
    }
}

/// Reads a page of site audit records.
pub fn records(bytes: &[u8], mapper: &Mapper) -> Result<Records, Malformed> {
    let mut read = Records::default();
    let typed = serde_json::from_slice::<wire::ResultsPage<'_, wire::Part<wire::Audit<'_>>>>(bytes);
    let mut whole = false;
    if let Ok(page) = &typed {
        let rows = page
            .results
            .0
            .as_ref()
            .ok_or(Malformed::Missing("an array of results"))?;
        whole = rows
            .iter()
            .all(|wire::Part(row)| match mapper.map_audit(row) {
                Ok(record) => {
                    read.usable.push(record);
                    true
                }
                Err(_) => false,
            });
        read.received = rows.len();
        read.end = End::of(page);
    }
    if !whole {
        let text = text(bytes);
        let page: wire::ResultsPage<'_, &RawValue> =
            serde_json::from_str(&text).map_err(|error| Malformed::from(&error))?;
        let rows = page
            .results
            .0
            .as_ref()
            .ok_or(Malformed::Missing("an array of results"))?;
        read.usable.clear();
        for row in rows {
            match mapper.audit(row.get()) {
                Ok(record) => read.usable.push(record),
                Err(record) => read.unusable.push(record),
            }
        }
        read.received = rows.len();
        read.end = End::of(&page);
    }
    Ok(read)
}

/// The cursor of the next page: as it stands, or out of a link, which must stay on the origin.
pub fn next_cursor(
    cursor: Option<&str>,
    link: Option<&str>,
    base: &Url,
) -> Result<Option<String>, Malformed> {
    match (cursor, link) {
        (Some(cursor), _) => Ok(Some(cursor.into())),
        (None, Some(link)) => cursor_of_link(link, base).map(Some),
        (None, None) => Ok(None),
    }
}

/// The cursor in a next link.
pub fn cursor_of_link(link: &str, base: &Url) -> Result<String, Malformed> {
    let url = same_origin(link, base)?;
    let cursor = url
        .query_pairs()
        .find(|(name, _)| name == "cursor")
        .map(|(_, value)| value.into_owned());
    cursor
        .filter(|cursor| !cursor.is_empty())
        .ok_or(Malformed::Missing("a cursor in its next link"))
}

/// A link, if it stays on the origin.
pub(super) fn same_origin(link: &str, base: &Url) -> Result<Url, Malformed> {
    let url = base.join(link).map_err(|_| Malformed::ForeignLink)?;
    if url.origin() == base.origin() {
        Ok(url)
    } else {
        Err(Malformed::ForeignLink)
    }
}

/// The rows that can be used, those that cannot, and how it goes on.
pub type Rows<T, N> = (Vec<T>, Vec<Unusable>, N);

/// The rows of a page of the admin API, each through a reader; the ones it cannot use are counted.
pub fn data_rows<T>(
    bytes: &[u8],
    read: impl Fn(&str) -> Option<T>,
) -> Result<Rows<T, Option<String>>, Malformed> {
    let text = text(bytes);
    let page: wire::DataPage<'_, &RawValue> =
        serde_json::from_str(&text).map_err(|error| Malformed::from(&error))?;
    let rows = page
        .data
        .0
        .as_ref()
        .ok_or(Malformed::Missing("an array of data"))?;
    let (good, bad) = sorted(rows, read);
    let next = page.meta.0.next.get().or_else(|| page.links.0.next.get());
    Ok((good, bad, next.map(Into::into)))
}

/// The rows of a page of the Confluence API, each through a reader; the ones it cannot use are counted.
pub fn result_rows<T>(
    bytes: &[u8],
    read: impl Fn(&str) -> Option<T>,
) -> Result<Rows<T, End>, Malformed> {
    let text = text(bytes);
    let page: wire::ResultsPage<'_, &RawValue> =
        serde_json::from_str(&text).map_err(|error| Malformed::from(&error))?;
    let rows = page
        .results
        .0
        .as_ref()
        .ok_or(Malformed::Missing("an array of results"))?;
    let (good, bad) = sorted(rows, read);
    Ok((good, bad, End::of(&page)))
}

/// Parts the rows that can be used from those that cannot.
fn sorted<T>(rows: &[&RawValue], read: impl Fn(&str) -> Option<T>) -> (Vec<T>, Vec<Unusable>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for row in rows {
        match read(row.get()) {
            Some(value) => good.push(value),
            None => bad.push(unusable("no id", row.get())),
        }
    }
    (good, bad)
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
