//! Care of the state file: whether it is whole, and a copy of it.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::{File, Sqlite, explain, on_thread};
use crate::storage::StoreError;
use pagewarden_core::model::Finding;

/// How many problems of one kind are told.
const AT_MOST: u32 = 20;

/// How long the copy waits where somebody holds the file for a moment.
const PAUSE: Duration = Duration::from_millis(100);

/// What the file keeps as numbers, and how many rows there really are: each row names what differs.
const COUNTS: [(&str, &str); 7] = [
    (
        "events",
        "select name || ' ' || site, stored, (select count(*) from event where stream = stream.id) from stream",
    ),
    (
        "unusable records",
        "select name || ' ' || site, unusable, (select count(*) from unusable where stream = stream.id) from stream",
    ),
    (
        "the newest event",
        "select name || ' ' || site, newest, (select max(at) from event where stream = stream.id) from stream",
    ),
    (
        "events of no stream",
        "select '', 0, count(*) from event where stream not in (select id from stream)",
    ),
    (
        "events of no account",
        "select '', 0, count(*) from event join stream on stream.id = stream
         left join account on account.tenant = stream.tenant and account.no = event.account where account.no is null",
    ),
    (
        "events with terms, pages or spaces that are not there",
        "select '', 0, count(*) from event join stream on stream.id = stream
         left join term as action on action.tenant = stream.tenant and action.no = event.action
         left join term as address on address.tenant = stream.tenant and address.no = event.address
         left join term as site on site.tenant = stream.tenant and site.no = event.site
         left join page on page.tenant = stream.tenant and page.no = event.page
         left join space on space.tenant = stream.tenant and space.no = event.space
         where action.no is null or (event.page is not null and page.no is null)
         or (event.space is not null and space.no is null) or (event.address is not null and address.no is null)
         or (event.site is not null and site.no is null)",
    ),
    (
        "analysed events that are not there",
        "select '', 0, count(*) from engine where stored > (select coalesce(sum(stored), 0) from stream where tenant = engine.tenant)",
    ),
];

/// What a state file holds, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holdings {
    /// Events, of all streams.
    pub events: u64,
    /// Findings.
    pub findings: u64,
}

impl Sqlite {
    /// What is wrong with the file, in words; nothing where it is whole. Sees one moment of a file that others write to.
    pub async fn problems(&self) -> Result<Vec<String>, StoreError> {
        self.read(|database| {
            let moment = database.unchecked_transaction()?;
            let mut problems = integrity(&moment)?;
            if problems.is_empty() {
                // Counting in a file that is torn would only repeat it.
                counts(&moment, &mut problems)?;
                findings(&moment, &mut problems)?;
            }
            Ok(problems)
        })
        .await
    }

    /// How much the file holds.
    pub async fn holdings(&self) -> Result<Holdings, StoreError> {
        self.read(|database| {
            let number = |query: &str| database.query_row(query, [], |row| row.get(0));
            Ok(Holdings {
                events: number("select coalesce(sum(stored), 0) from stream")?,
                findings: number("select count(*) from finding")?,
            })
        })
        .await
    }

    /// Copies the file as it is at one moment, for its owner only, also while another process writes to it. The copy
    /// appears under its name when it is complete; what is there already is not touched.
    pub async fn back_up(&self, to: &Path) -> Result<(), StoreError> {
        let (file, to) = (Arc::clone(&self.file), to.to_owned());
        on_thread(move || file.back_up(&to)).await
    }
}

impl File {
    fn back_up(&self, to: &Path) -> Result<(), StoreError> {
        if fs::symlink_metadata(to).is_ok() {
            return Err(StoreError::CopyThere(to.to_owned()));
        }
        let part = beside(to);
        let copied = self.copy(&part).and_then(|()| publish(&part, to));
        // Gone already where all went well.
        for suffix in ["", "-wal", "-shm", "-journal"] {
            fs::remove_file(with(&part, suffix)).unwrap_or_default();
        }
        copied
    }

    fn copy(&self, part: &Path) -> Result<(), StoreError> {
        fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(part)
            .map_err(|error| uncopied(part, &error))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut copy = Connection::open_with_flags(part, flags)
            .map_err(|error| uncopied(part, &explain(part, &error)))?;
        let copied = self.writer.with_connection(|database| {
            // All of it in one step, so that nobody who writes meanwhile makes it begin again.
            Backup::new(database, &mut copy)?.run_to_completion(i32::MAX, PAUSE, None)
        });
        copied.map_err(|error| match error {
            StoreError::Damaged(path) => StoreError::Damaged(path),
            other => uncopied(part, &other),
        })
    }
}

/// A name beside another, for what is not complete.
fn beside(to: &Path) -> PathBuf {
    with(to, &format!(".{}.part", std::process::id()))
}

/// A path with something behind its name.
fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Gives a complete copy its name, unless that is taken.
fn publish(part: &Path, to: &Path) -> Result<(), StoreError> {
    let linked = fs::hard_link(part, to).or_else(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Err(error),
        // A file system without second names.
        _ => fs::rename(part, to),
    });
    linked.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => StoreError::CopyThere(to.to_owned()),
        _ => uncopied(to, &error),
    })?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = fs::File::open(folder.unwrap_or(Path::new(".")));
    folder
        .and_then(|folder| folder.sync_all())
        .map_err(|error| uncopied(to, &error))
}

fn uncopied(path: &Path, cause: &dyn std::fmt::Display) -> StoreError {
    StoreError::Uncopied {
        path: path.to_owned(),
        cause: cause.to_string(),
    }
}

/// What SQLite itself finds wrong.
fn integrity(database: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut check = database.prepare(&format!("pragma integrity_check({AT_MOST})"))?;
    let lines = check.query_map([], |row| row.get::<_, String>(0))?;
    let mut problems = Vec::new();
    for line in lines {
        let line = line?;
        problems.extend(line.lines().filter(|line| *line != "ok").map(str::to_owned));
    }
    if !problems.is_empty() {
        return Ok(problems);
    }
    let mut check = database.prepare("pragma foreign_key_check")?;
    let rows = check.query_map([], |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!(
            "a row of {table} names a {parent} that is not there"
        ))
    })?;
    rows.collect()
}

/// Where the numbers that are kept differ from what is there.
fn counts(database: &Connection, problems: &mut Vec<String>) -> rusqlite::Result<()> {
    for (what, query) in COUNTS {
        let mut count = database.prepare(query)?;
        let mut rows = count.query([])?;
        while let Some(row) = rows.next()? {
            let (of, kept): (String, Option<i64>) = (row.get(0)?, row.get(1)?);
            let there: Option<i64> = row.get(2)?;
            let number = |number: Option<i64>| number.map_or("none".to_owned(), |n| n.to_string());
            if kept != there {
                let of = of.trim();
                let of = if of.is_empty() {
                    String::new()
                } else {
                    format!("{of}: ")
                };
                let (there, kept) = (number(there), number(kept));
                problems.push(format!("{of}{what}: found {there}, expected {kept}"));
            }
        }
    }
    Ok(())
}

/// Findings that cannot be read, or are not what their row says.
fn findings(database: &Connection, problems: &mut Vec<String>) -> rusqlite::Result<()> {
    let mut list = database.prepare("select id, revision, body from finding order by id")?;
    let mut rows = list.query([])?;
    while let Some(row) = rows.next()? {
        let (id, revision): (String, u32) = (row.get(0)?, row.get(1)?);
        let body = serde_json::from_str::<Finding>(row.get_ref(2)?.as_str()?);
        if !body.is_ok_and(|body| body.id.as_str() == id && body.revision == revision) {
            problems.push(format!("finding {id}: cannot be read back"));
        }
    }
    Ok(())
}
