//! The organisation's interface: its events, the words for them, its directory.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::answer::Answer;
use super::cursor::Cursor;
use super::directory::Search;
use super::faults::Fault;
use super::options::{KeyState, LastPage, Options, StreamTime, UserManagement};
use super::{Asked, Shared};
use crate::render::{Pen, put};
use crate::words::WORDS;
use crate::world::dice::count;
use crate::world::log::Entry;

/// Where a next link to another origin leads.
pub(crate) const ELSEWHERE: &str = "https://elsewhere.example";

/// The entries of one page, and what comes after it.
struct Page<'w> {
    /// The entries.
    entries: Vec<&'w Entry>,
    /// Where the next page begins.
    place: usize,
}

impl Shared {
    /// Checks the key of the organisation, and that it is this one.
    fn organization(&self, asked: &Asked, org: &str, options: &Options) -> Result<(), Answer> {
        let sent = asked.header("authorization").unwrap_or_default();
        if options.key == KeyState::Refused || sent != format!("Bearer {}", self.secrets.org_key) {
            return Err(Answer::proxy(401, "Unauthorized").unauthorised());
        }
        match options.key {
            KeyState::NoScope => {
                Err(Answer::proxy(401, "Unauthorized; scope does not match").unauthorised())
            }
            KeyState::Forbidden => Err(Answer::not_permitted(&asked.path, &self.now_text())),
            KeyState::Good | KeyState::Refused if org == self.world.org_id() => Ok(()),
            KeyState::Good | KeyState::Refused => {
                Err(Answer::admin(404, "ADMIN-404-2", "Organization not found"))
            }
        }
    }

    /// `events-stream`, and `events`: the same entries, from old to new and with processing times, or from new to old.
    pub(crate) fn events(
        &self,
        asked: &Asked,
        org: &str,
        stream: bool,
        options: &Options,
        fault: Option<Fault>,
    ) -> Result<Answer, Answer> {
        self.organization(asked, org, options)?;
        if fault == Some(Fault::RefusedCursor) {
            return Err(Answer::admin(400, "ADMIN-400-1", "Invalid page cursor"));
        }
        let asked_for = match asked.query("limit") {
            None => Some(if stream { 200 } else { 30 }),
            Some(word) => word.parse().ok().filter(|limit| (1..=500).contains(limit)),
        };
        let asked_for =
            asked_for.ok_or_else(|| Answer::admin(400, "ADMIN-400-19", "Invalid limit"))?;
        let limit = crate::world::dice::index(options.stream_limit.clamp(1, asked_for));
        let cursor = self.cursor(asked, stream)?;
        let page = self.page(asked, &cursor, limit, options);
        let full = page.entries.len() == limit;
        let next = match fault {
            Some(Fault::RepeatingCursor) => Some(cursor.clone()),
            Some(Fault::EndlessCursors) => Some(Cursor {
                nonce: self.count(),
                ..cursor.clone()
            }),
            _ if full || (stream && !cursor.backwards && options.last_page == LastPage::Cursor) => {
                Some(Cursor {
                    place: page.place,
                    nonce: 0,
                    ..cursor.clone()
                })
            }
            _ => None,
        };
        let entries = if fault == Some(Fault::EndlessCursors) {
            &[]
        } else {
            page.entries.as_slice()
        };
        let foreign = fault == Some(Fault::ForeignNext);
        let twice: Vec<&Entry>;
        let entries = if fault == Some(Fault::Doubled) {
            twice = entries.iter().flat_map(|entry| [*entry; 2]).collect();
            twice.as_slice()
        } else {
            entries
        };
        Ok(Answer::written(self.write_events(
            asked, entries, next, stream, foreign, options,
        )))
    }

    /// Where a page begins: at the cursor that was sent, or where the times that were asked for say.
    fn cursor(&self, asked: &Asked, stream: bool) -> Result<Cursor, Answer> {
        let org = self.world.org_id();
        if let Some(word) = asked.query("cursor") {
            return Cursor::decode(word, org)
                .ok_or_else(|| Answer::admin(400, "ADMIN-400-1", "Invalid page cursor"));
        }
        let moment = |name: &str, otherwise: i64| match asked.query(name) {
            None => Ok(otherwise),
            Some(word) => word
                .parse()
                .map_err(|_| Answer::admin(400, "ADMIN-400-3", "Invalid date")),
        };
        let backwards = match asked.query("sortOrder") {
            _ if !stream => true,
            None | Some("asc") => false,
            Some("desc") => true,
            Some(_) => return Err(Answer::admin(400, "ADMIN-400-19", "Invalid sortOrder")),
        };
        let (from, to) = (moment("from", i64::MIN)?, moment("to", i64::MAX)?);
        let place = if backwards {
            self.world.shown(self.now()).0.len()
        } else {
            0
        };
        Ok(Cursor {
            org: org.to_owned(),
            place,
            backwards,
            from,
            to,
            nonce: 0,
        })
    }

    /// The entries of one page: as many as fit, of those that are shown by now.
    fn page(&self, asked: &Asked, cursor: &Cursor, limit: usize, options: &Options) -> Page<'_> {
        let (shown, _) = self.world.shown(self.now());
        let actions = asked.query("action");
        let fits = |entry: &Entry| {
            let at = match options.stream_time {
                StreamTime::Processing => entry.processed,
                StreamTime::Event => entry.deed.at,
            };
            (cursor.from..=cursor.to).contains(&at)
                && !(options.plan_without_views && entry.deed.act.is_activity())
                && actions.is_none_or(|action| crate::words::word_of(entry.deed.act).id == action)
        };
        let mut entries = Vec::with_capacity(limit);
        let place = if cursor.backwards {
            let mut place = cursor.place.min(shown.len());
            for entry in shown.get(..place).unwrap_or_default().iter().rev() {
                if entries.len() == limit {
                    break;
                }
                place -= 1;
                if fits(entry) {
                    entries.push(entry);
                }
            }
            place
        } else {
            // What was processed before is skipped at once; only event times need a look at each.
            let first = match options.stream_time {
                StreamTime::Processing => {
                    shown.partition_point(|entry| entry.processed < cursor.from)
                }
                StreamTime::Event => 0,
            };
            let mut place = cursor.place.max(first).min(shown.len());
            for entry in shown.get(place..).unwrap_or_default() {
                if entries.len() == limit
                    || (options.stream_time == StreamTime::Processing
                        && entry.processed > cursor.to)
                {
                    break;
                }
                place += 1;
                if fits(entry) {
                    entries.push(entry);
                }
            }
            place
        };
        Page { entries, place }
    }

    /// Writes a page of events.
    fn write_events(
        &self,
        asked: &Asked,
        entries: &[&Entry],
        next: Option<Cursor>,
        stream: bool,
        foreign: bool,
        options: &Options,
    ) -> Vec<u8> {
        let site = options.site_origin.as_deref().unwrap_or(&self.origin);
        let pen = Pen::new(&self.world, site);
        let mut out = Vec::with_capacity(entries.len() * 1_100 + 512);
        put(&mut out, &[r#"{"data":["#]);
        for (entry, place) in entries.iter().zip(0_u32..) {
            if place > 0 {
                out.push(b',');
            }
            pen.event(entry, stream, &mut out);
        }
        put(&mut out, &[r#"],"links":{"#]);
        let word = next.map(|cursor| cursor.encode());
        if let Some(word) = &word {
            let origin = if foreign { ELSEWHERE } else { &self.origin };
            put(
                &mut out,
                &[r#""next":""#, origin, &asked.path, "?cursor=", word, r#"""#],
            );
        }
        let sent = match &word {
            Some(word) if !foreign => format!("\"{word}\""),
            _ => "null".to_owned(),
        };
        let mut meta = format!(r#"}},"meta":{{"next":{sent},"page_size":{}"#, entries.len());
        if !stream {
            let prev = if asked.query("cursor").is_some() {
                "\"earlier\""
            } else {
                "null"
            };
            write!(meta, r#","attributes":null,"prev":{prev},"start_index":null,"end_index":null,"total":{}"#, entries.len())
                .unwrap_or_default();
        }
        put(&mut out, &[&meta, "}}"]);
        out
    }

    /// `event-actions`: the words for what the plan includes.
    pub(crate) fn event_actions(
        &self,
        asked: &Asked,
        org: &str,
        options: &Options,
    ) -> Result<Answer, Answer> {
        self.organization(asked, org, options)?;
        let words: Vec<Value> = WORDS
            .iter()
            .filter(|word| !(options.plan_without_views && word.activity))
            .map(|word| {
                let attributes =
                    json!({ "displayName": word.name, "groupDisplayName": word.group });
                json!({ "id": word.id, "type": "event-actions", "attributes": attributes })
            })
            .collect();
        Ok(Answer::json(200, &json!({ "data": words })))
    }

    /// `users/search`: who is in the directory, page by page.
    pub(crate) fn users_search(
        &self,
        asked: &Asked,
        org: &str,
        options: &Options,
        fault: Option<Fault>,
    ) -> Result<Answer, Answer> {
        self.organization(asked, org, options)?;
        if options.users == UserManagement::Old {
            let words =
                format!("Organization: {org} is not with the new user management experience");
            return Err(Answer::admin(400, "ADMIN-400-4", &words));
        }
        if fault == Some(Fault::EmptyRoster) {
            return Ok(Answer::json(200, &json!({ "data": [], "links": {} })));
        }
        let refused = |what: &str| Answer::admin(400, "ADMIN-400-19", what);
        let mut body: Value = if asked.body.is_empty() {
            json!({})
        } else {
            serde_json::from_slice(&asked.body).map_err(|_| refused("Invalid request body"))?
        };
        let mut from = 0;
        if let Some(word) = body.get("cursor").and_then(Value::as_str) {
            // With a cursor everything else that was sent is ignored.
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(word).unwrap_or_default();
            let (place, first): (u32, Value) = serde_json::from_slice(&bytes)
                .map_err(|_| Answer::admin(400, "ADMIN-400-1", "Invalid page cursor"))?;
            (from, body) = (place, first);
        }
        let limit = match body.get("limit") {
            None => Some(50),
            Some(limit) => limit
                .as_u64()
                .and_then(|limit| u32::try_from(limit).ok())
                .filter(|n| (1..=100).contains(n)),
        };
        let limit = limit.ok_or_else(|| refused("Invalid limit"))?;
        let search = Search::parse(&body).map_err(refused)?;
        let now = self.now();
        let hits = search.hits(&self.world, now);
        let (skip, take) = (
            crate::world::dice::index(from),
            crate::world::dice::index(limit),
        );
        let page = hits.iter().skip(skip).take(take);
        let data: Vec<Value> = page
            .filter_map(|number| search.user(&self.world, *number, now))
            .collect();
        let end = from.saturating_add(limit);
        let links = if end < count(hits.len()) {
            json!({ "next": BASE64_URL_SAFE_NO_PAD.encode(json!([end, body]).to_string()) })
        } else {
            json!({})
        };
        Ok(Answer::json(200, &json!({ "data": data, "links": links })))
    }
}
