//! What the state file promises beyond what every backend does.

use super::events::LOGGING_EVENTS;
use super::terms::position;
use super::*;
use crate::storage::conformance::conformance;
use pagewarden_core::model::Class;

fn new() -> (tempfile::TempDir, Sqlite) {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("state.db")).unwrap();
    (folder, store)
}

conformance!(new());

#[test]
fn a_file_of_another_program_and_one_of_a_newer_version_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("create table t (a)").unwrap();
    drop(other);
    assert!(matches!(Sqlite::open(&path), Err(StoreError::Foreign(_))));
    let path = folder.path().join("newer.db");
    drop(Sqlite::open(&path).unwrap());
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    assert!(matches!(
        Sqlite::open(&path),
        Err(StoreError::Newer { found: 99, .. })
    ));
    assert!(matches!(
        Sqlite::open_to_read(&folder.path().join("none.db")),
        Err(StoreError::Missing(_))
    ));
}

#[test]
fn the_state_file_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, _store) = new();
    let mode = std::fs::metadata(folder.path().join("state.db"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn what_fails_for_one_fails_for_no_other_of_the_same_commit() {
    let (_folder, store) = new();
    store
        .write(|transaction, _| transaction.execute_batch("create table t (a integer primary key)"))
        .await
        .unwrap();
    let insert = |numbers: Vec<i64>| {
        store.write(move |transaction, _| {
            for number in numbers {
                transaction.execute("insert into t values (?1)", [number])?;
            }
            Ok(())
        })
    };
    // The connection is held, so that all of them wait and are carried out together.
    let file = Arc::clone(&store.file);
    let (held, release) = std::sync::mpsc::channel::<()>();
    let (holding, holds) = std::sync::mpsc::channel();
    let holder = std::thread::spawn(move || {
        file.writer.with_connection(|_| {
            holding.send(()).unwrap();
            // Ends when the other side is dropped.
            assert!(release.recv().is_err());
            Ok(())
        })
    });
    holds.recv().unwrap();
    let all = async {
        tokio::join!(
            insert(vec![1, 2]),
            insert(vec![3, 3]),
            insert(vec![4]),
            async {
                while store.file.writer.waiting() < 3 {
                    tokio::task::yield_now().await;
                }
                drop(held);
            }
        )
    };
    let (first, second, third, ()) = all.await;
    holder.join().unwrap().unwrap();
    assert!(first.is_ok() && third.is_ok(), "{first:?} {third:?}");
    assert!(matches!(second, Err(StoreError::Database(_))), "{second:?}");
    let kept = store.read(|database| {
        let mut list = database.prepare("select a from t order by a")?;
        let rows = list.query_map([], |row| row.get(0))?;
        rows.collect::<rusqlite::Result<Vec<i64>>>()
    });
    assert_eq!(kept.await.unwrap(), [1, 2, 4]);
}

#[tokio::test]
async fn what_is_done_to_logs_is_found_by_its_index() {
    let (_folder, store) = new();
    let plan = store
        .read(|database| {
            let mut plan = database.prepare(&format!("explain query plan {LOGGING_EVENTS}"))?;
            let rows = plan.query_map([1, 0], |row| row.get::<_, String>("detail"))?;
            rows.collect::<rusqlite::Result<Vec<String>>>()
        })
        .await
        .unwrap();
    assert!(
        plan.iter().any(|step| step.contains("logging_event")),
        "{plan:?}"
    );
    // The index and the query name the class by its number.
    assert_eq!(position(&Class::ALL, &Class::Logging), 10);
}
