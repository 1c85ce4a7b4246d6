//! `pagewarden init`: a commented config to start from.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The config that is written.
pub const EXAMPLE: &str = include_str!("../../config.example.toml");

/// Why no config was written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is one already.
    #[error("`{}` already exists and is left as it is; name another: `pagewarden init PATH`", .0.display())]
    Exists(PathBuf),
    /// The file cannot be written.
    #[error("`{}` cannot be written: {source}", path.display())]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Writes the example config, which holds no secret, and nothing else; gives the next steps as text for people.
pub fn init(path: &Path) -> Result<String, InitError> {
    let unwritable = |source| InitError::Unwritable {
        path: path.to_owned(),
        source,
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => InitError::Exists(path.to_owned()),
            _ => unwritable(source),
        })?;
    if let Err(error) = file.write_all(EXAMPLE.as_bytes()) {
        // Half a config would stand in the way of the next try.
        std::fs::remove_file(path).unwrap_or_default();
        return Err(unwritable(error));
    }
    Ok(next_steps(path))
}

/// What to do now.
fn next_steps(path: &Path) -> String {
    let places = crate::cli::CONFIG_PLACES.map(Path::new);
    let option = if places.contains(&path) {
        String::new()
    } else {
        format!(" --config {}", path.display())
    };
    format!(
        "Wrote {}. Next:\n\
         1. Fill in the organisation and the site; the comments say where to click for the key and the token.\n\
         2. Put the key and the token where the config says they are; never into the config itself.\n\
         3. pagewarden check{option}\n\
         4. pagewarden scan{option}\n",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_is_written_once_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        let next = init(&path).unwrap();
        assert!(next.contains("check --config"), "{next}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), EXAMPLE);
        std::fs::write(&path, "mine").unwrap();
        assert!(matches!(init(&path), Err(InitError::Exists(_))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let error = init(&folder.path().join("no/where.toml")).unwrap_err();
        assert!(error.to_string().contains("cannot be written"), "{error}");
    }
}
