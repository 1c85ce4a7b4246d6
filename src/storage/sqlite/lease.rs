//! The right to write the state, held by one process: an operating-system file lock that ends with its process.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::storage::StoreError;

/// The right to poll and score into one state file, until dropped.
#[derive(Debug)]
pub struct Lease {
    _file: File,
}

impl Lease {
    /// Takes the lease, or says that another process holds it.
    pub fn take(state: &Path) -> Result<Self, StoreError> {
        let path = lock_path(state);
        let unopenable = |error: &std::io::Error| match error.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                StoreError::ReadOnly(state.to_owned())
            }
            std::io::ErrorKind::StorageFull => StoreError::Full(state.to_owned()),
            _ => StoreError::Unopenable {
                path: path.clone(),
                cause: error.to_string(),
            },
        };
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            std::fs::create_dir_all(folder).map_err(|error| match unopenable(&error) {
                StoreError::Unopenable { .. } => StoreError::Unopenable {
                    path: state.to_owned(),
                    cause: format!("its folder {} cannot be made: {error}", folder.display()),
                },
                known => known,
            })?;
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| unopenable(&error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Held(state.to_owned())),
            Err(TryLockError::Error(error)) => Err(unopenable(&error)),
        }
    }
}

fn lock_path(state: &Path) -> PathBuf {
    let mut name = state.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_told_and_a_dropped_lease_is_free_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state.db");
        let lease = Lease::take(&state).unwrap();
        assert!(matches!(Lease::take(&state), Err(StoreError::Held(_))));
        drop(lease);
        assert!(Lease::take(&state).is_ok());
    }
}
