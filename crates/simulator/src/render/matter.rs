//! What an event was done to, and where: its context and its container.

use super::form::Form;
use super::{Pen, put, say};
use crate::world::dice::index;
use crate::world::log::Act;
use crate::world::person::Person;
use crate::world::wiki::{Page, Space};

impl Pen<'_> {
    /// Writes `context` and `container`, with a comma before each.
    pub(super) fn matter(&self, act: Act, form: Form, out: &mut Vec<u8>) {
        let wiki = &self.world.wiki;
        match act {
            Act::Viewed(number)
            | Act::PostViewed(number)
            | Act::Created(number)
            | Act::Updated(number)
            | Act::PageExportDownloaded(number)
            | Act::RestrictionRemoved(number) => {
                if let (Some(page), Some(space)) =
                    (wiki.pages.get(index(number)), wiki.space_of(number))
                {
                    let kind = if matches!(act, Act::PostViewed(_)) {
                        "blog"
                    } else {
                        "page"
                    };
                    self.page(page, space, kind, form, out);
                }
            }
            Act::IssueViewed(issue) | Act::IssueUpdated(issue) => self.issue(issue, out),
            Act::PermissionAdded(number)
            | Act::SpaceExported(number)
            | Act::SpaceExportDownloaded(number)
            | Act::Rebuilt(number) => {
                if let Some(space) = wiki.spaces.get(index(number)) {
                    self.space(space, out);
                }
            }
            Act::Joined(change) | Act::Left(change) => self.membership(change, out),
            Act::Invited(person) => {
                if let Some(person) = self.world.people.get(person) {
                    put(out, &[r#","context":["#]);
                    user(person, "invited-user", out);
                    put(out, &["]"]);
                    self.container(out);
                }
            }
            Act::SignedIn | Act::SignInFailed | Act::SignedOut | Act::TokenCreated => {
                put(out, &[r#","context":[],"container":[]"#]);
            }
            Act::SettingsChanged | Act::UsersListed => {
                let org = self.world.org_id();
                say!(
                    out,
                    r#","context":[],"container":[{{"id":"{org}","type":"orgs","attributes":{{"name":"Acme"}}}}]"#
                );
            }
            // Nothing but what every event has.
            Act::Strange(_) | Act::Unusable(_) => {}
        }
    }

    /// The site as the container, and nothing else.
    fn container(&self, out: &mut Vec<u8>) {
        let (here, site) = (&self.here, &self.site);
        put(
            out,
            &[
                r#","container":["#,
                here,
                r#"},"links":{"alt":""#,
                site,
                r#""}}]"#,
            ],
        );
    }

    /// A page in one of the three shapes: as an object, by ids in the attributes of the site, by its link alone.
    fn page(&self, page: &Page, space: &Space, kind: &str, form: Form, out: &mut Vec<u8>) {
        let (id, title, key, number, here) =
            (&page.id, &page.title, &space.key, &space.id, &self.here);
        let alt = form.has_alt().then(|| self.link(page, space, form));
        let links = alt
            .map(|link| format!(r#","links":{{"alt":"{link}"}}"#))
            .unwrap_or_default();
        match form.shape() {
            0 => {
                say!(
                    out,
                    r#","context":[{{"id":"{id}","type":"{kind}","attributes":{{"title":"{title}","spaceKey":"{key}","spaceId":"{number}"}}{links}}}]"#
                );
                self.container(out);
            }
            1 => {
                let name = if form.says_content() {
                    "contentId"
                } else {
                    "pageId"
                };
                say!(
                    out,
                    r#","context":[],"container":[{here},"product":"confluence","{name}":"{id}","spaceKey":"{key}"}}{links}}}]"#
                );
            }
            _ => {
                if !form.lacks_context() {
                    put(out, &[r#","context":[]"#]);
                }
                let link = self.link(page, space, form);
                say!(
                    out,
                    r#","container":[{here}}},"links":{{"alt":"{link}"}}}}]"#
                );
            }
        }
    }

    /// The link of a page, with or without its space.
    fn link(&self, page: &Page, space: &Space, form: Form) -> String {
        let (site, id) = (&self.site, &page.id);
        if form.has_old_link() {
            format!("{site}/wiki/pages/viewpage.action?pageId={id}")
        } else {
            format!("{site}/wiki/spaces/{}/pages/{id}/{}", space.key, page.slug)
        }
    }

    /// An issue: no context, everything in the container.
    fn issue(&self, issue: u32, out: &mut Vec<u8>) {
        let (here, site, id) = (&self.here, &self.site, 280_000 + issue);
        say!(
            out,
            r#","context":[],"container":[{here},"product":"software","issueId":"{id}","issueKeyOrId":"WEB-{issue}"}},"links":{{"alt":"{site}/browse/WEB-{issue}"}}}}]"#
        );
    }

    /// A space as an object.
    fn space(&self, space: &Space, out: &mut Vec<u8>) {
        let (id, key, name, site) = (&space.id, &space.key, &space.name, &self.site);
        say!(
            out,
            r#","context":[{{"id":"{id}","type":"space","attributes":{{"spaceKey":"{key}","name":"{name}"}},"links":{{"alt":"{site}/wiki/spaces/{key}"}}}}]"#
        );
        self.container(out);
    }

    /// Who joined or left which group.
    fn membership(&self, change: u32, out: &mut Vec<u8>) {
        let people = &self.world.people;
        let Some((change, group)) = people.change(change) else {
            return;
        };
        let Some(person) = people.get(change.person) else {
            return;
        };
        let (id, name) = (&group.id, group.name);
        say!(
            out,
            r#","context":[{{"id":"{id}","type":"groups","attributes":{{"name":"{name}","groupName":"{name}"}},"links":{{"alt":"https://admin.atlassian.com/groups/{id}"}}}},"#
        );
        user(person, "users", out);
        put(out, &["]"]);
        self.container(out);
    }
}

/// A person as an object of a context.
fn user(person: &Person, kind: &str, out: &mut Vec<u8>) {
    let Person {
        account,
        name,
        email,
        ..
    } = person;
    say!(
        out,
        r#"{{"id":"{account}","type":"{kind}","attributes":{{"name":"{name}","email":"{email}","accountType":"atlassian"}}}}"#
    );
}
