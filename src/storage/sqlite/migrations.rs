//! The schema, as the steps that lead to it: forward only, each in one transaction, so that a step that was cut short is
//! taken again.

use rusqlite::{Connection, TransactionBehavior};

use super::APPLICATION;

/// Every step, in order; the version of a file is the number of those that were taken.
const STEPS: [&str; 2] = [
    include_str!("migrations/1.sql"),
    include_str!("migrations/2.sql"),
];

/// The version of the schema that this program knows, kept in `user_version`.
pub(super) const VERSION: i64 = 2;

/// Takes the steps that a file has not taken yet.
pub(super) fn run(database: &mut Connection) -> rusqlite::Result<()> {
    // Tables are renamed and dropped while others refer to them.
    database.pragma_update(None, "foreign_keys", false)?;
    for (version, step) in (1_i64..).zip(STEPS) {
        // Within the transaction: another process may have taken the step meanwhile.
        let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let taken: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if taken < version {
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", version)?;
            transaction.commit()?;
        }
    }
    database.pragma_update(None, "foreign_keys", true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_number_of_steps() {
        assert_eq!(usize::try_from(VERSION).unwrap(), STEPS.len());
    }
}
