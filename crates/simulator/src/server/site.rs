//! The interface of one Confluence site, on its own host or through the gateway: the audit log, groups and members.

use std::cmp::Reverse;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, NaiveDate, NaiveTime};
use serde_json::{Value, json};

use super::answer::Answer;
use super::directory::is_known;
use super::faults::Fault;
use super::options::{NextLink, Options, SiteState};
use super::organization::ELSEWHERE;
use super::{Asked, Shared};
use crate::render::{Pen, integration_account, put};
use crate::world::audit::Record;
use crate::world::dice::{count, index};
use crate::world::log::Act;
use crate::world::people::Group;

/// By which way a request came to the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// On the site's own host.
    Site,
    /// Through the gateway, with a scoped token.
    Gateway,
}

/// A record of the audit log as it is served.
enum Item<'a> {
    /// One of the world.
    Known(&'a Record),
    /// One that was added while the simulator ran.
    Added(&'a [u8]),
}

/// A place in a list of the site's.
struct Span {
    /// How many to leave out.
    start: u32,
    /// How many to give at most.
    limit: u32,
}

impl Shared {
    /// Checks the credentials for one of the two doors.
    fn site_user(&self, asked: &Asked, door: Door, options: &Options) -> Result<(), Answer> {
        let sent = asked.header("authorization").unwrap_or_default();
        let is = |token: &str| {
            let pair = BASE64_STANDARD.encode(format!("{}:{token}", self.secrets.email));
            sent == format!("Basic {pair}")
        };
        let good = match door {
            Door::Site => is(&self.secrets.api_token),
            Door::Gateway => is(&self.secrets.scoped_token),
        };
        if !good || options.site == SiteState::Refused {
            let answer = match door {
                Door::Site => {
                    Answer::site(401, "Client must be authenticated to access this resource.")
                        .with("www-authenticate", "OAuth realm=\"acme\"")
                }
                Door::Gateway if is(&self.secrets.api_token) => {
                    Answer::proxy(401, "Unauthorized; scope does not match")
                }
                Door::Gateway => Answer::proxy(401, "Unauthorized"),
            };
            return Err(answer.unauthorised());
        }
        if options.site == SiteState::Forbidden {
            return Err(
                Answer::site(403, "Current user not permitted to use Confluence").unauthorised(),
            );
        }
        Ok(())
    }

    /// Everything below `/wiki/rest/api/`.
    pub(crate) fn site(
        &self,
        asked: &Asked,
        door: Door,
        rest: &[&str],
        options: &Options,
        fault: Option<Fault>,
    ) -> Result<Answer, Answer> {
        self.site_user(asked, door, options)?;
        match (asked.method.as_str(), rest) {
            (_, ["audit"]) if options.site == SiteState::NoAudit => Err(Answer::site(
                403,
                "User does not have permission to view the audit log",
            )
            .unauthorised()),
            ("GET", ["audit"]) => self.audit(asked, options, fault),
            ("POST", ["audit"]) => self.forge(asked),
            ("GET", ["group"]) => self.groups(asked, fault),
            ("GET", ["group", "by-id"]) => {
                let group = asked.query("id").and_then(|id| self.group(id));
                group
                    .map(|group| Answer::json(200, &self.group_json(group)))
                    .ok_or_else(|| Answer::site(404, "There is no group with this id."))
            }
            ("GET", ["analytics", "content", id, "views"]) => self.page_views(id, options),
            ("GET", ["group", id, "membersByGroupId"]) => self.members(asked, id, fault),
            _ => Err(Answer::site(404, "No such resource.")),
        }
    }

    /// A page of the audit log: newest first, both ends inclusive.
    fn audit(
        &self,
        asked: &Asked,
        options: &Options,
        fault: Option<Fault>,
    ) -> Result<Answer, Answer> {
        let bound = |name: &str, otherwise: i64| match asked.query(name) {
            None => Ok(otherwise),
            Some(word) => epoch(word).ok_or_else(|| Answer::site(400, "Cannot parse the date.")),
        };
        let (from, to) = (bound("startDate", i64::MIN)?, bound("endDate", i64::MAX)?);
        if from > to {
            return Err(Answer::site(400, "The start date is after the end date."));
        }
        let mut span = span(asked, 1_000)?;
        if span.start > options.audit_farthest {
            return Err(Answer::site(400, "BadRequestException: start is too large"));
        }
        span.limit = span.limit.min(options.audit_limit);
        let added = self.added();
        let items = self.items(from, to, &added);
        let page = items.iter().skip(index(span.start)).take(index(span.limit));
        let pen = Pen::new(
            &self.world,
            options.site_origin.as_deref().unwrap_or(&self.origin),
        );
        let mut out = Vec::new();
        put(&mut out, &[r#"{"results":["#]);
        let mut size = 0;
        for (_, item) in page {
            if size > 0 {
                out.push(b',');
            }
            size += 1;
            match item {
                Item::Known(record) => pen.record(record, &mut out),
                Item::Added(bytes) => out.extend_from_slice(bytes),
            }
        }
        let end = span.start.saturating_add(size);
        let next = (end < count(items.len()) && size > 0)
            .then(|| self.next_link(asked, end, span.limit, options, fault));
        let sent = if options.audit_size_is_total {
            count(items.len())
        } else {
            size
        };
        let mut links = json!({
            "base": format!("{}/wiki", self.origin),
            "context": "/wiki",
            "self": format!("{}/wiki/rest/api/audit", self.origin),
        });
        if let (Some(map), Some(Some(next))) = (links.as_object_mut(), next) {
            map.insert("next".to_owned(), Value::String(next));
        }
        let Span { start, limit } = span;
        put(
            &mut out,
            &[&format!(
                r#"],"start":{start},"limit":{limit},"size":{sent},"_links":{links}}}"#
            )],
        );
        Ok(Answer::written(out))
    }

    /// The records of a window, newest first.
    fn items<'a>(
        &'a self,
        from: i64,
        to: i64,
        added: &'a [(i64, Vec<u8>)],
    ) -> Vec<(i64, Item<'a>)> {
        let (_, shown) = self.world.shown(self.now());
        let first = shown.partition_point(|record| record.at < from);
        let last = shown.partition_point(|record| record.at <= to).max(first);
        let known = shown.get(first..last).unwrap_or_default().iter().rev();
        let mut items: Vec<_> = known
            .map(|record| (record.at, Item::Known(record)))
            .collect();
        let inside = |(at, _): &&(i64, Vec<u8>)| (from..=to).contains(at);
        items.extend(
            added
                .iter()
                .filter(inside)
                .map(|(at, bytes)| (*at, Item::Added(bytes.as_slice()))),
        );
        items.sort_by_key(|(at, _)| Reverse(*at));
        items
    }

    /// The link to the next page, in one of the shapes that it has been seen in.
    fn next_link(
        &self,
        asked: &Asked,
        start: u32,
        limit: u32,
        options: &Options,
        fault: Option<Fault>,
    ) -> Option<String> {
        let before = match options.audit_next {
            _ if fault == Some(Fault::ForeignNext) => format!("{ELSEWHERE}/wiki"),
            NextLink::Rest => String::new(),
            NextLink::Wiki => "/wiki".to_owned(),
            NextLink::Absolute => format!("{}/wiki", self.origin),
            NextLink::None => return None,
        };
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for name in ["startDate", "endDate", "searchString"] {
            if let Some(word) = asked.query(name) {
                query.append_pair(name, word);
            }
        }
        query
            .append_pair("start", &start.to_string())
            .append_pair("limit", &limit.to_string());
        Some(format!("{before}/rest/api/audit?{}", query.finish()))
    }

    /// Adds a record as an administrator may: whatever it says, with nobody's account.
    fn forge(&self, asked: &Asked) -> Result<Answer, Answer> {
        let sent: Value =
            serde_json::from_slice(&asked.body).map_err(|_| Answer::site(400, "Invalid body."))?;
        let address = sent.get("remoteAddress").and_then(Value::as_str);
        let address = address.ok_or_else(|| Answer::site(400, "remoteAddress is required."))?;
        let text = |path: &str| {
            sent.pointer(path)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let record = json!({
            "author": { "type": "user", "displayName": text("/author/displayName"), "operations": null },
            "remoteAddress": address,
            "creationDate": sent.get("creationDate").and_then(Value::as_i64).unwrap_or_else(|| self.now()),
            "summary": text("/summary"),
            "description": text("/description"),
            "category": text("/category"),
            "sysAdmin": sent.get("sysAdmin").and_then(Value::as_bool).unwrap_or_default(),
            "affectedObject": sent.get("affectedObject").cloned().unwrap_or(json!({ "name": "", "objectType": "" })),
            "changedValues": sent.get("changedValues").cloned().unwrap_or(json!([])),
            "associatedObjects": sent.get("associatedObjects").cloned().unwrap_or(json!([])),
        });
        self.add_record(&record);
        Ok(Answer::json(200, &record))
    }

    /// A page of groups by name, of one permission level where one is asked for.
    fn groups(&self, asked: &Asked, fault: Option<Fault>) -> Result<Answer, Answer> {
        let span = span(asked, 200)?;
        let level = asked.query("accessType");
        if level.is_some_and(|level| !["user", "admin", "site-admin"].contains(&level)) {
            return Err(Answer::site(400, "Unknown accessType."));
        }
        let mut groups: Vec<&Group> = self.world.people.groups.iter().collect();
        groups.retain(|group| level.is_none_or(|level| group.access.contains(&level)));
        groups.sort_by_key(|group| group.name);
        if fault == Some(Fault::EmptyRoster) {
            groups.clear();
        }
        Ok(self.list(
            groups
                .into_iter()
                .map(|group| self.group_json(group))
                .collect(),
            &span,
            "/rest/api/group",
        ))
    }

    /// A page of the members of a group; nobody where there is no such group.
    fn members(&self, asked: &Asked, id: &str, fault: Option<Fault>) -> Result<Answer, Answer> {
        let span = span(asked, 200)?;
        if span.limit > 200 {
            return Err(Answer::site(400, "limit must not be greater than 200."));
        }
        let group = (0_u32..)
            .zip(&self.world.people.groups)
            .find(|(_, group)| group.id == id);
        let now = self.now();
        let mut members = Vec::new();
        if let Some((number, group)) = group.filter(|_| fault != Some(Fault::EmptyRoster)) {
            for (person, of) in (0_u32..).zip(&self.world.people.all) {
                if is_known(&self.world, person, now)
                    && self.world.people.is_member(person, number, now)
                {
                    members.push(member(
                        of.account.as_str(),
                        "atlassian",
                        &of.name,
                        &of.email,
                    ));
                }
            }
            if group.name == "atlassian-addons" {
                members.push(member(
                    &integration_account(&self.world),
                    "app",
                    "Search Indexer",
                    "",
                ));
            }
        }
        Ok(self.list(
            members,
            &span,
            &format!("/rest/api/group/{id}/membersByGroupId"),
        ))
    }

    /// How often a page was viewed up to now, whatever the plan logs.
    fn page_views(&self, id: &str, options: &Options) -> Result<Answer, Answer> {
        if options.site == SiteState::NoAnalytics {
            let body = json!({ "message": "Not permitted to view analytics.", "reason": "ViewAnalyticsRestricted" });
            return Err(Answer::json(403, &body).unauthorised());
        }
        let known = (0_u32..)
            .zip(&self.world.wiki.pages)
            .find(|(_, page)| page.id == id);
        let (number, _) = known.ok_or_else(|| Answer::site(404, "No content with this id."))?;
        let (shown, _) = self.world.shown(self.now());
        let views = shown
            .iter()
            .filter(|entry| !entry.repeat && entry.deed.act == Act::Viewed(number));
        let id: Value = id.parse::<u64>().map_or_else(|_| id.into(), Value::from);
        Ok(Answer::json(
            200,
            &json!({ "id": id, "count": views.count() }),
        ))
    }

    /// A group by its id.
    fn group(&self, id: &str) -> Option<&Group> {
        self.world.people.groups.iter().find(|group| group.id == id)
    }

    /// A group as the site writes it.
    fn group_json(&self, group: &Group) -> Value {
        json!({
            "type": "group",
            "name": group.name,
            "id": group.id,
            "usageType": "USERBASE_GROUP",
            "managedBy": "ADMINS",
            "resourceAri": format!("ari:cloud:identity::group/{}", group.id),
            "_links": { "self": format!("{}/wiki/rest/api/group/by-id?id={}", self.origin, group.id) },
        })
    }

    /// A page of a list.
    fn list(&self, all: Vec<Value>, span: &Span, path: &str) -> Answer {
        let total = count(all.len());
        let page: Vec<Value> = all
            .into_iter()
            .skip(index(span.start))
            .take(index(span.limit))
            .collect();
        let end = span.start.saturating_add(count(page.len()));
        let mut links = json!({
            "base": format!("{}/wiki", self.origin),
            "context": "/wiki",
            "self": format!("{}/wiki{path}", self.origin),
        });
        if let Some(map) = links
            .as_object_mut()
            .filter(|_| end < total && !page.is_empty())
        {
            map.insert(
                "next".to_owned(),
                format!("{path}?start={end}&limit={}", span.limit).into(),
            );
        }
        let (size, Span { start, limit }) = (page.len(), span);
        Answer::json(
            200,
            &json!({ "results": page, "start": start, "limit": limit, "size": size, "_links": links }),
        )
    }
}

/// A member as the site writes it.
fn member(account: &str, kind: &str, name: &str, email: &str) -> Value {
    json!({
        "type": "known",
        "accountId": account,
        "accountType": kind,
        "email": email,
        "publicName": name,
        "displayName": name,
        "isGuest": false,
        "isExternalCollaborator": false,
        "profilePicture": { "path": "/wiki/aa-avatar/0", "width": 48, "height": 48, "isDefault": false },
        "_expandable": { "operations": "", "personalSpace": "" },
    })
}

/// The start and the limit that a request asks for.
fn span(asked: &Asked, limit: u32) -> Result<Span, Answer> {
    let number = |name: &str, otherwise: u32| match asked.query(name) {
        None => Ok(otherwise),
        Some(word) => word
            .parse()
            .map_err(|_| Answer::site(400, "Not a number of this kind.")),
    };
    Ok(Span {
        start: number("start", 0)?,
        limit: number("limit", limit)?,
    })
}

/// A date in milliseconds since 1970: written so, as RFC 3339, or as a day.
fn epoch(word: &str) -> Option<i64> {
    let number = word.parse().ok();
    let moment = || {
        DateTime::parse_from_rfc3339(word)
            .ok()
            .map(|at| at.timestamp_millis())
    };
    let day = || {
        Some(
            word.parse::<NaiveDate>()
                .ok()?
                .and_time(NaiveTime::MIN)
                .and_utc()
                .timestamp_millis(),
        )
    };
    number.or_else(moment).or_else(day)
}
