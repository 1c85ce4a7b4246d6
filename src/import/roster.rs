//! Reading who is who from a file.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::input;
use super::split::{Piece, SplitError, split};
use crate::atlassian::{UserRecord, moment_of_text};

/// The longest object: a whole roster of our own.
const CAP: usize = 64 << 20;

/// The schema of our own.
const SCHEMA: &str = "pagewarden.roster.v1";

/// When it was so, where the file says, and who was who.
pub type Roster = (Option<DateTime<Utc>>, Vec<UserRecord>);

/// Why a roster was not taken. Half a roster would make admins invisible, so it is whole or nothing.
#[derive(Debug, thiserror::Error)]
pub enum RosterError {
    /// It cannot be opened or read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something in it is no account.
    #[error("{} at line {line}: {problem}", path.display())]
    Broken {
        /// Which file.
        path: PathBuf,
        /// Where.
        line: u64,
        /// What is wrong, in constant words.
        problem: &'static str,
    },
    /// There is nobody in it.
    #[error("{} holds no account", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
    },
}

#[derive(Deserialize)]
struct Document<'a> {
    schema: Option<String>,
    as_of: Option<String>,
    #[serde(borrow)]
    accounts: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    data: Option<Vec<&'a RawValue>>,
}

/// Reads a roster (`-` for standard input): answers of the users search, accounts one per line, or our own
/// `pagewarden.roster.v1`. An account that comes twice holds what both say.
pub fn read_roster(path: &Path) -> Result<Roster, RosterError> {
    let from = input::open(path).map_err(|source| RosterError::Read {
        path: path.into(),
        source,
    })?;
    read_from(from, path)
}

/// Reads what a reader gives; `path` is its name.
pub fn read_from(from: impl BufRead, path: &Path) -> Result<Roster, RosterError> {
    let mut as_of = None;
    let mut users = BTreeMap::new();
    let broken = |line, problem| RosterError::Broken {
        path: path.into(),
        line,
        problem,
    };
    let ended = split(from, CAP, |line, piece| {
        let taken = match piece {
            Piece::Object(json) => document(json, &mut as_of, &mut users),
            Piece::Broken(reason, _) => Err(*reason),
        };
        taken.map_err(|problem| broken(line, problem))
    });
    match ended {
        Ok(()) => {}
        Err(SplitError::Sink(error)) => return Err(error),
        Err(SplitError::Truncated(line)) => return Err(broken(line, "it ends too early")),
        Err(SplitError::Read(_, source)) => {
            return Err(RosterError::Read {
                path: path.into(),
                source,
            });
        }
    }
    if users.is_empty() {
        return Err(RosterError::Empty { path: path.into() });
    }
    Ok((as_of, users.into_values().collect()))
}

/// Takes what an object of the file holds: accounts, or one account.
fn document(
    json: &str,
    as_of: &mut Option<DateTime<Utc>>,
    users: &mut BTreeMap<String, UserRecord>,
) -> Result<(), &'static str> {
    let Ok(document) = serde_json::from_str::<Document<'_>>(json) else {
        return Err("neither a roster nor an account");
    };
    if document
        .schema
        .as_deref()
        .is_some_and(|schema| schema != SCHEMA)
    {
        return Err("a schema other than pagewarden.roster.v1");
    }
    if let Some(text) = &document.as_of {
        *as_of = Some(moment_of_text(text).ok_or("`as_of` is no moment")?);
    }
    match document.accounts.or(document.data) {
        Some(rows) => rows.iter().try_for_each(|row| account(row.get(), users)),
        None => account(json, users),
    }
}

/// Takes one account, and adds to it where it is known already.
fn account(json: &str, users: &mut BTreeMap<String, UserRecord>) -> Result<(), &'static str> {
    let user = UserRecord::read(json).ok_or("an account without an id")?;
    let Some(known) = users.get_mut(user.id.as_str()) else {
        users.insert(user.id.as_str().into(), user);
        return Ok(());
    };
    known.roles.extend(user.roles);
    known.roles.sort_unstable();
    known.roles.dedup();
    known.groups.extend(user.groups);
    known.groups.sort_unstable();
    known.groups.dedup();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(text: &str) -> Result<Roster, RosterError> {
        read_from(io::Cursor::new(text.to_owned()), Path::new("roster.json"))
    }

    #[test]
    fn every_shape_of_roster_holds_the_same_people() {
        let ada = r#"{"accountId":"712020:ada","platformRoles":["atlassian/org-admin"],"groups":[{"name":"site-admins"}]}"#;
        let bob = r#"{"accountId":"712020:bob"}"#;
        let own = r#"{"schema":"pagewarden.roster.v1","as_of":"2026-05-12T19:00:00Z",
            "accounts":[{"id":"712020:ada","roles":["org-admin"],"groups":["site-admins"]},{"id":"712020:bob"}]}"#;
        let (as_of, people) = roster(own).unwrap();
        assert_eq!(as_of, Some(pagewarden_core::time::moment(1_778_612_400)));
        assert_eq!(people.len(), 2);
        for text in [
            format!("{{\"data\":[{ada},{bob}],\"links\":{{}}}}"),
            format!("[{{\"data\":[{ada}]}},\n{{\"data\":[{bob}]}}]"),
            format!("{ada}\n{bob}\n"),
            format!("[{bob},{ada},{bob}]"),
        ] {
            assert_eq!(roster(&text).unwrap(), (None, people.clone()), "{text}");
        }
    }

    #[test]
    fn half_a_roster_is_none() {
        let ada = r#"{"accountId":"712020:ada"}"#;
        for (text, says) in [
            (format!("{ada}\n{{\"name\":\"no id\"}}\n"), "line 2"),
            (format!("[{ada},"), "ends too early"),
            (format!("{ada}\nnonsense\n"), "line 2"),
            ("{\"data\":[]}".into(), "holds no account"),
            (String::new(), "holds no account"),
            (
                "{\"schema\":\"pagewarden.roster.v2\",\"accounts\":[]}".into(),
                "schema",
            ),
            ("{\"as_of\":\"soon\",\"accounts\":[]}".into(), "as_of"),
        ] {
            let error = roster(&text).unwrap_err().to_string();
            assert!(
                error.contains(says) && error.contains("roster.json"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_roster_that_is_not_there_is_named() {
        let error = read_roster(Path::new("/nonexistent/roster.json")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/roster.json"));
    }
}
