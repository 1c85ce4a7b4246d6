//! Records of the site audit log.

use super::{Pen, put, say};
use crate::world::audit::{Note, Record};
use crate::world::dice::index;

/// The end of a record about one thing of which nothing else is written.
const NOTHING_ELSE: &str = r#""changedValues":[],"associatedObjects":[]"#;

impl Pen<'_> {
    /// Writes one record of the site audit log.
    pub(crate) fn record(&self, record: &Record, out: &mut Vec<u8>) {
        let people = &self.world.people;
        let author = record
            .author
            .and_then(|number| Some((number, people.get(number)?)));
        put(out, &[r#"{"author":{"type":"user","displayName":""#]);
        match author {
            Some((_, person)) => {
                let (name, account) = (&person.name, &person.account);
                say!(
                    out,
                    r#"{name}","operations":null,"username":"","userKey":"","accountId":"{account}","accountType":"","externalCollaborator":false,"isExternalCollaborator":false,"isGuest":false,"publicName":"Unknown user"}}"#
                );
            }
            None => {
                put(
                    out,
                    &[r#"System","operations":null,"isExternalCollaborator":false}"#],
                );
            }
        }
        let address = author.map_or("", |(_, person)| person.place.office);
        let sys_admin = author.is_some_and(|(number, _)| people.admins.include(number));
        let (summary, category) = summary(record.note, people.change_is_join(record.note));
        let at = record.at;
        say!(
            out,
            r#","remoteAddress":"{address}","creationDate":{at},"summary":"{summary}","description":"","category":"{category}","sysAdmin":{sys_admin},"superAdmin":false,"#
        );
        self.affected(record.note, out);
        out.push(b'}');
    }

    /// What a record is about: the affected object, the changed values, the associated objects.
    fn affected(&self, note: Note, out: &mut Vec<u8>) {
        match note {
            Note::SpaceCreated(space) | Note::LogoUploaded(space) | Note::SpaceExported(space) => {
                plain(self.space_name(space), "Space", out);
            }
            Note::SpaceConfigured(space) => {
                let name = self.space_name(space);
                say!(
                    out,
                    r#""affectedObject":{{"name":"{name}","objectType":"Space"}},"changedValues":[{{"name":"Description","oldValue":"","newValue":"revised","hiddenOldValue":"","hiddenNewValue":""}}],"associatedObjects":[]"#
                );
            }
            Note::PermissionAdded { space, person } => {
                self.permission(space, person, ["", "View"], out);
            }
            Note::PermissionRemoved { space, person } => {
                self.permission(space, person, ["View", ""], out);
            }
            Note::PageArchived(page) => {
                let page = self.world.wiki.pages.get(index(page));
                plain(page.map_or("", |page| &page.title), "Page", out);
            }
            Note::Membership(number) => self.member(number, out),
            Note::UserCreated(person) | Note::UserUpdated(person) => {
                plain(self.account(person), "User", out);
            }
            Note::Purged => plain("", "", out),
        }
    }

    /// A permission on a space, given to somebody or taken away.
    fn permission(&self, space: u32, person: u32, [old, new]: [&str; 2], out: &mut Vec<u8>) {
        let (name, account) = (self.space_name(space), self.account(person));
        say!(
            out,
            r#""affectedObject":{{"name":"{name}","objectType":"Space"}},"changedValues":[{{"name":"Type","oldValue":"{old}","newValue":"{new}"}}],"associatedObjects":[{{"name":"{account}","objectType":"User"}}]"#
        );
    }

    /// A change of membership, in one of two shapes: joined as they were in 2022, left as they are in 2026.
    fn member(&self, number: u32, out: &mut Vec<u8>) {
        let Some((change, group)) = self.world.people.change(number) else {
            return;
        };
        let (name, id, account) = (group.name, &group.id, self.account(change.person));
        if change.joined {
            say!(
                out,
                r#""affectedObject":{{"name":"{name}:{id}","objectType":"Group"}},"changedValues":[],"associatedObjects":[{{"name":"{account}","objectType":"User"}}]"#
            );
        } else {
            plain(&format!("{id}; User: {account}"), "Group", out);
        }
    }

    /// The name of a space.
    fn space_name(&self, space: u32) -> &str {
        self.world
            .wiki
            .spaces
            .get(index(space))
            .map_or("", |space| &space.name)
    }

    /// The account of somebody.
    fn account(&self, person: u32) -> &str {
        self.world
            .people
            .get(person)
            .map_or("", |person| person.account.as_str())
    }
}

/// One thing, of which nothing else is written.
fn plain(name: &str, kind: &str, out: &mut Vec<u8>) {
    say!(
        out,
        r#""affectedObject":{{"name":"{name}","objectType":"{kind}"}},{NOTHING_ELSE}"#
    );
}

/// The summary and the category of a record.
const fn summary(note: Note, joined: bool) -> (&'static str, &'static str) {
    match note {
        Note::SpaceCreated(_) => ("Space created", "Spaces"),
        Note::SpaceConfigured(_) => ("Space configuration updated", "Spaces"),
        Note::LogoUploaded(_) => ("Space logo uploaded", "Spaces"),
        Note::SpaceExported(_) => ("Space exported", "Import/Export"),
        Note::PermissionAdded { .. } => ("Space permission added", "Permissions"),
        Note::PermissionRemoved { .. } => ("Space permission removed", "Permissions"),
        Note::PageArchived(_) => ("Page archived", "Page"),
        Note::Membership(_) if joined => ("User added to group", "Users and groups"),
        Note::Membership(_) => ("User removed from group", "Users and groups"),
        Note::UserCreated(_) => ("User created", "Users and groups"),
        Note::UserUpdated(_) => ("User details updated", "Users and groups"),
        Note::Purged => ("Audit log purged", "Auditing"),
    }
}
