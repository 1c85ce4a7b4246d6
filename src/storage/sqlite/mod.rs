//! The state in one SQLite file. The only place that knows SQL of SQLite.
//!
//! One process may poll and analyse into a file at a time, and holds the [`Lease`]; readers are never blocked (WAL). One
//! connection writes, see `writer`; others read beside it. All of them are used on threads that may block.

mod analysis;
mod arrivals;
mod canary;
mod care;
mod claims;
mod commit;
mod events;
mod findings;
mod lease;
mod migrations;
mod outbox;
mod registry;
mod roster;
mod status;
mod terms;
#[cfg(test)]
mod tests;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction};
use tokio::sync::Semaphore;

use self::migrations::VERSION;
use self::writer::Writer;
use super::StoreError;

pub use care::Holdings;
pub use lease::Lease;

/// How many connections read at a time; whoever comes then waits for one of them.
const READERS: usize = 4;
/// Marks the file as ours (`application_id`): "pgwd".
const APPLICATION: i64 = 0x7067_7764;

/// An open state file.
#[derive(Debug, Clone)]
pub struct Sqlite {
    file: Arc<File>,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    writer: Writer,
    /// Connections that nobody reads from at the moment.
    readers: Mutex<Vec<Connection>>,
    /// How many more may read.
    places: Arc<Semaphore>,
    /// Whether only the first connection can be opened: of a file that nobody may write.
    alone: bool,
    arrivals: arrivals::Arrivals,
    claims: claims::Claims,
}

impl Sqlite {
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
                Err(StoreError::Held(path)) => Err(StoreError::Older {
                    path,
                    found,
                    known: VERSION,
                }),
                Err(error) => Err(error),
            },
        }
    }

    fn of(path: &Path, database: Connection, alone: bool) -> Self {
        let file = File {
            path: path.to_owned(),
            writer: Writer::new(path, database),
            readers: Mutex::new(Vec::new()),
            places: Arc::new(Semaphore::new(READERS)),
            alone,
            arrivals: arrivals::Arrivals::default(),
            claims: claims::Claims::default(),
        };
        Self {
            file: Arc::new(file),
        }
    }

    /// Runs one question, beside whoever writes.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let file = Arc::clone(&self.file);
        // Closed never, so there is always one.
        let place = Arc::clone(&file.places).acquire_owned().await.ok();
        on_thread(move || {
            let answer = file.read(work);
            drop(place);
            answer
        })
        .await
    }

    /// Runs one transaction that writes.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>, &mut terms::Cache) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_then(work, |_| {}).await
    }

    /// Runs one transaction that writes, and once it has happened, something more.
    async fn write_then<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>, &mut terms::Cache) -> rusqlite::Result<T> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = self.file.writer.turn().await;
        let file = Arc::clone(&self.file);
        on_thread(move || {
            let done = file.writer.run(work, then);
            drop(turn);
            done
        })
        .await
    }
}

impl File {
    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        if self.alone {
            return self.writer.with_connection(work);
        }
        let idle = self.idle().pop();
        let database = idle.map_or_else(|| connect(&self.path), Ok)?;
        let answer = work(&database).map_err(|error| explain(&self.path, &error));
        self.idle().push(database);
        answer
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs work that may block on a thread for such, and waits for it.
async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(StoreError::Database("the program is stopping".to_owned())),
        },
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
            known: VERSION,
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
