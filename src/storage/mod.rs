//! The local state file: one SQLite database. The only place that knows SQL.
//!
//! Methods are use cases, not get and put: each transaction begins and ends in one of them. One process may write at a
//! time for polling and scoring and holds the [`Lease`]; readers are never blocked (WAL).

mod arrivals;
mod canary;
mod care;
mod commit;
mod delivery;
mod engine;
mod finding;
mod lease;
mod log_health;
mod migrations;
mod roster;
mod status;
mod tenant;
mod terms;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use self::migrations::VERSION;

pub use arrivals::Numbers;
pub use canary::CanaryView;
pub use care::Holdings;
pub use commit::{AHEAD, Batch, Committed};
pub use delivery::{Delivery, NewDelivery, Posted};
pub use engine::{EngineState, EventPlace, Stretch, TWINS_WITHIN};
pub use finding::{Changes, Recorded};
pub use lease::Lease;
pub use log_health::LoggingEvent;
pub use status::{DeliveryCounts, StreamStatus, TenantRow};
pub use tenant::{BackfillState, StreamId, TenantId};
pub use terms::Place;

/// How many connections that read are kept open while nobody reads.
const READERS: usize = 4;
/// Marks the file as ours (`application_id`): "pgwd".
const APPLICATION: i64 = 0x7067_7764;

/// What can go wrong with the state file, by what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing there.
    #[error("there is no state file at {}; it is made by the first `scan`, `run`, `backfill` or `import`", .0.display())]
    Missing(PathBuf),
    /// Not ours to write.
    #[error("the state file {} cannot be written; check the permissions of the file and of its folder", .0.display())]
    ReadOnly(PathBuf),
    /// No room.
    #[error("no space is left for the state file {}; free some and start again, nothing that was committed is lost", .0.display())]
    Full(PathBuf),
    /// Somebody else's.
    #[error("{} is not a state file of pagewarden; name another with --state", .0.display())]
    Foreign(PathBuf),
    /// From the future.
    #[error("the state file {} has schema version {found}, this program knows {VERSION}; use the newer program that made it", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// From the past, and not ours to change now.
    #[error("the state file {} has schema version {found}, this program knows {VERSION}, and another process holds the file; it is brought up to date by the first command of this program after that process has ended", path.display())]
    Older {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// Damaged.
    #[error("the state file {} is damaged; move it away and restore a copy, or start anew and run `backfill`", .0.display())]
    Damaged(PathBuf),
    /// Held by another process.
    #[error("another process holds the state file {}; stop it first, or ask it to do the work (a running service takes up `backfill` requests)", .0.display())]
    Held(PathBuf),
    /// The process that was asked has ended.
    #[error(
        "the service has ended before it had read everything; the same command goes on from there"
    )]
    Abandoned,
    /// A copy was to be written where something is.
    #[error("{} is there already and is not overwritten; name another file for the copy", .0.display())]
    CopyThere(PathBuf),
    /// A copy could not be written.
    #[error("the copy {} cannot be written: {cause}", path.display())]
    Uncopied {
        /// The copy.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// The folder cannot be made or opened.
    #[error("the state file {} cannot be opened: {cause}", path.display())]
    Unopenable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// Stored by another version of the analysis, or not by us.
    #[error("the state file holds something that cannot be read back: {0}")]
    Unreadable(String),
    /// Anything else that SQLite says.
    #[error("the state file failed: {0}")]
    Database(String),
}

/// The open state file: one connection that writes, and others that read beside it, so that a long analysis holds up
/// neither a poll nor a delivery.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    writer: Mutex<Writer>,
    /// Connections that nobody reads from at the moment.
    readers: Mutex<Vec<Connection>>,
    /// Whether only the first connection can be opened: of a file that nobody may write.
    alone: bool,
    arrivals: arrivals::Arrivals,
}

#[derive(Debug)]
struct Writer {
    path: PathBuf,
    database: Connection,
    terms: terms::Cache,
}

impl Store {
    /// Opens the state file for writing; makes it, with mode 0600, where there is none. A file of an older schema is
    /// brought up to date.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        create_private(path)?;
        let mut database = connect(path)?;
        let version = inspect(path, &database)?;
        prepare_to_write(path, &database)?;
        if version < VERSION {
            migrations::run(&mut database).map_err(|error| explain(path, &error))?;
        }
        Ok(Self::of(path, database, false))
    }

    /// Opens an existing state file for looking only. One of an older schema is brought up to date first, unless another
    /// process holds it.
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::Missing(path.to_owned()));
        }
        // Read-write where possible: a reader of a WAL file needs its shared-memory file.
        let opened = connect(path)
            .or_else(|_| connect_with(path, OpenFlags::SQLITE_OPEN_READ_ONLY))
            .and_then(|database| Ok((inspect(path, &database)?, database)));
        match opened {
            Err(StoreError::Unopenable { .. }) if is_at_rest(path) => {
                // On a file system that nobody may write: as it stands, since nobody can be changing it.
                let database = open_unchanging(path)?;
                match inspect(path, &database)? {
                    VERSION => Ok(Self::of(path, database, true)),
                    _ => Err(StoreError::ReadOnly(path.to_owned())),
                }
            }
            Err(error) => Err(error),
            Ok((0, _)) => Err(StoreError::Missing(path.to_owned())),
            Ok((VERSION, database)) => Ok(Self::of(path, database, false)),
            Ok((found, _)) => match Lease::take(path) {
                Ok(_lease) => Self::open(path),
                Err(StoreError::Held(path)) => Err(StoreError::Older { path, found }),
                Err(error) => Err(error),
            },
        }
    }

    fn of(path: &Path, database: Connection, alone: bool) -> Self {
        Self {
            path: path.to_owned(),
            writer: Mutex::new(Writer {
                path: path.to_owned(),
                database,
                terms: terms::Cache::default(),
            }),
            readers: Mutex::new(Vec::new()),
            alone,
            arrivals: arrivals::Arrivals::default(),
        }
    }

    /// The connection that writes; a poisoned lock is taken over, since every change is a transaction of its own.
    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one transaction that writes.
    fn change<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>, &mut terms::Cache) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.lock().change(work)
    }

    /// Runs one question, beside whoever writes.
    fn ask<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        if self.alone {
            return work(&self.lock().database).map_err(|error| explain(&self.path, &error));
        }
        let idle = self.idle().pop();
        let database = idle.map_or_else(|| connect(&self.path), Ok)?;
        let answer = work(&database).map_err(|error| explain(&self.path, &error));
        let mut idle = self.idle();
        if idle.len() < READERS {
            idle.push(database);
        }
        answer
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    fn change<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>, &mut terms::Cache) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let Self {
            path,
            database,
            terms,
        } = self;
        let result = database
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|transaction| {
                let value = work(&transaction, terms)?;
                transaction.commit()?;
                Ok(value)
            });
        result.map_err(|error| {
            // What was interned in a transaction that did not happen must not be remembered.
            terms.forget();
            explain(path, &error)
        })
    }
}

/// Opens a connection that may write.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    connect_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

fn connect_with(path: &Path, access: OpenFlags) -> Result<Connection, StoreError> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags).and_then(|database| {
        database.busy_timeout(Duration::from_secs(10))?;
        database.set_prepared_statement_cache_capacity(64);
        Ok(database)
    });
    opened.map_err(|error| explain(path, &error))
}

/// The version of the schema of a state file; 0 where there is nothing in it. Refuses what is not ours, and what is newer.
fn inspect(path: &Path, database: &Connection) -> Result<i64, StoreError> {
    let run = || -> rusqlite::Result<(i64, i64, i64)> {
        let number =
            |name: &str| database.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let tables =
            database.query_row("select count(*) from sqlite_schema", [], |row| row.get(0))?;
        Ok((number("application_id")?, number("user_version")?, tables))
    };
    let (application, version, tables) = run().map_err(|error| explain(path, &error))?;
    if application != APPLICATION && tables > 0 {
        return Err(StoreError::Foreign(path.to_owned()));
    }
    if version > VERSION {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found: version,
        });
    }
    Ok(if tables == 0 { 0 } else { version })
}

/// Sets up the connection that writes.
fn prepare_to_write(path: &Path, database: &Connection) -> Result<(), StoreError> {
    let set = || -> rusqlite::Result<()> {
        database.pragma_update(None, "journal_mode", "wal")?;
        database.pragma_update(None, "synchronous", "full")?;
        database.pragma_update(None, "foreign_keys", true)?;
        // 8 MiB at most, whatever the length of history.
        database.pragma_update(None, "cache_size", -8_192)?;
        Ok(())
    };
    set().map_err(|error| explain(path, &error))
}

/// The path of the file that holds what is not in the database file yet.
fn wal(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// Whether everything that was committed is in the database file itself.
fn is_at_rest(path: &Path) -> bool {
    std::fs::metadata(wal(path)).map_or(true, |file| file.len() == 0)
}

/// Opens a database that cannot change while we look.
fn open_unchanging(path: &Path) -> Result<Connection, StoreError> {
    let unopenable = |cause: String| StoreError::Unopenable {
        path: path.to_owned(),
        cause,
    };
    let absolute = std::path::absolute(path).map_err(|error| unopenable(error.to_string()))?;
    let mut address = url::Url::from_file_path(absolute)
        .map_err(|()| unopenable("its path cannot be written as an address".to_owned()))?;
    address.set_query(Some("immutable=1"));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(address.as_str(), flags).map_err(|error| explain(path, &error))
}

/// Makes the file, for its owner only, unless it is there.
fn create_private(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let unopenable = |error: &std::io::Error| match error.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            StoreError::ReadOnly(path.to_owned())
        }
        std::io::ErrorKind::StorageFull => StoreError::Full(path.to_owned()),
        _ => StoreError::Unopenable {
            path: path.to_owned(),
            cause: error.to_string(),
        },
    };
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(|error| unopenable(&error))?;
    }
    std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|error| unopenable(&error))
}

/// Says what an error of SQLite means for whoever runs the program.
fn explain(path: &Path, error: &rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full(path.to_owned()),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            StoreError::ReadOnly(path.to_owned())
        }
        Some(ErrorCode::DatabaseCorrupt) => StoreError::Damaged(path.to_owned()),
        Some(ErrorCode::NotADatabase) => StoreError::Foreign(path.to_owned()),
        Some(ErrorCode::CannotOpen) => StoreError::Unopenable {
            path: path.to_owned(),
            cause: error.to_string(),
        },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::Held(path.to_owned())
        }
        _ => StoreError::Database(error.to_string()),
    }
}
