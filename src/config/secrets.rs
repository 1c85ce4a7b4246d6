//! Where a secret is, and the one way to get it. Nothing here ever repeats one: not in an error, not in a log.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::{Config, SecretSource};

/// The most bytes that a secret may have.
const MOST_BYTES: usize = 64 * 1024;

/// The variable in which systemd gives the folder of a unit's credentials.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Why a secret could not be had. The words say what to do, and never hold what was read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("the file `{}` cannot be read: {}; put the secret there, readable by the user that runs pagewarden", path.display(), reason(source))]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The variable is not set.
    #[error("the environment variable `{0}` is not set; set it where pagewarden is started")]
    Unset(String),
    /// The folder of credentials is not set.
    #[error(
        "`$CREDENTIALS_DIRECTORY` is not set; run under systemd with `LoadCredential={0}:PATH` in the unit, or name a `file` instead"
    )]
    NoCredentials(String),
    /// systemd did not provide the credential.
    #[error(
        "the credential `{name}` cannot be read: {}; add `LoadCredential={name}:PATH` to the unit",
        reason(source)
    )]
    Credential {
        /// Its name.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("{0} is empty; put the secret there")]
    Empty(SecretSource),
    /// It is too long to be one.
    #[error("{0} holds more than 64 KiB; a key or token is one short line")]
    TooLong(SecretSource),
    /// It is not one line of text.
    #[error(
        "{0} holds control characters or is not text; a key or token is one line, without anything before or behind it"
    )]
    NotOneLine(SecretSource),
    /// There is white space around it.
    #[error("{0} begins or ends with white space; remove it")]
    Padded(SecretSource),
}

/// Why a file could not be read, in words that do not change with the platform where possible.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::IsADirectory => "it is a folder".into(),
        _ => error.to_string(),
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file `{}`", path.display()),
            Self::Env(name) => write!(f, "the environment variable `{name}`"),
            Self::Credential(name) => write!(f, "the credential `{name}`"),
        }
    }
}

impl SecretSource {
    /// Gets the secret from where it is.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        self.read_with(&variable)
    }

    /// The same, with the environment as a value.
    fn read_with(
        &self,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<SecretString, SecretError> {
        let bytes = match self {
            Self::File(path) => read_file(path).map_err(|source| SecretError::File {
                path: path.clone(),
                source,
            })?,
            Self::Env(name) => variable(name)
                .ok_or_else(|| SecretError::Unset(name.clone()))?
                .into_encoded_bytes(),
            Self::Credential(name) => {
                let folder = variable(CREDENTIALS)
                    .filter(|folder| !folder.is_empty())
                    .ok_or_else(|| SecretError::NoCredentials(name.clone()))?;
                read_file(&Path::new(&folder).join(name)).map_err(|source| {
                    SecretError::Credential {
                        name: name.clone(),
                        source,
                    }
                })?
            }
        };
        self.one_line(bytes)
    }

    /// Takes bytes for a secret, less one line end behind it.
    fn one_line(&self, bytes: Vec<u8>) -> Result<SecretString, SecretError> {
        if bytes.len() > MOST_BYTES {
            return Err(SecretError::TooLong(self.clone()));
        }
        let text = String::from_utf8(bytes).map_err(|_| SecretError::NotOneLine(self.clone()))?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line
            .strip_suffix('\r')
            .filter(|_| text.ends_with('\n'))
            .unwrap_or(line);
        if line.is_empty() {
            return Err(SecretError::Empty(self.clone()));
        }
        if line
            .chars()
            .any(|letter| letter.is_control() || letter == '\u{feff}')
        {
            return Err(SecretError::NotOneLine(self.clone()));
        }
        if line.trim().len() != line.len() {
            return Err(SecretError::Padded(self.clone()));
        }
        Ok(SecretString::from(line))
    }

    /// What is unsafe about the place, though the secret can be read from it.
    pub fn warning(&self) -> Option<String> {
        match self {
            Self::File(path) => open_to_others(path).map(|words| format!("{self} {words}")),
            Self::Env(_) | Self::Credential(_) => None,
        }
    }
}

/// That a file can be read by others than its owner, in words that go on behind its name.
pub fn open_to_others(path: &Path) -> Option<String> {
    let mode = mode(path)?;
    (mode & 0o077 != 0).then(|| {
        let path = path.display();
        format!("can be read by more than its owner (mode {mode:04o}); `chmod 600 {path}`")
    })
}

/// The permission bits of a file; a folder in its place is another mistake, reported where it is opened.
#[cfg(unix)]
fn mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let file = std::fs::metadata(path)
        .ok()
        .filter(std::fs::Metadata::is_file)?;
    Some(file.permissions().mode() & 0o7777)
}

/// The permission bits of a file: unknown on this platform.
#[cfg(not(unix))]
fn mode(_: &Path) -> Option<u32> {
    None
}

/// Reads a file, one byte further than a secret may be long.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(MOST_BYTES)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A variable of the process's environment.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// A secret that cannot be had, and which setting named it.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {error}")]
pub struct SecretProblem {
    /// The setting, with the name of its tenant or notifier.
    pub key: String,
    /// Why not.
    pub error: SecretError,
}

impl Config {
    /// Every secret that the config names, with the setting that names it.
    pub fn secret_sources(&self) -> Vec<(String, &SecretSource)> {
        let mut all = Vec::new();
        for tenant in &self.tenants {
            let name = &tenant.name;
            if let Some(organization) = &tenant.organization {
                all.push((
                    format!("tenant `{name}`, organization.api_key"),
                    &organization.api_key,
                ));
            }
            for site in &tenant.sites {
                let host = site.url.host_str().unwrap_or_default();
                all.push((
                    format!("tenant `{name}`, site `{host}`, api_token"),
                    &site.api_token,
                ));
            }
        }
        for notifier in &self.notifiers {
            let name = &notifier.name;
            let named = notifier.secrets();
            all.extend(named.map(|(key, source)| (format!("notifier `{name}`, {key}"), source)));
        }
        all
    }

    /// Which files can be read by others, the state file among them, in words.
    pub fn open_files(&self) -> Vec<String> {
        let secrets = self.secret_sources().into_iter();
        let state = open_to_others(&self.state.path)
            .map(|words| format!("the state file `{}` {words}", self.state.path.display()));
        secrets
            .filter_map(|(key, source)| Some(format!("{key}: {}", source.warning()?)))
            .chain(state)
            .collect()
    }

    /// Tries every secret, keeps none, and returns all that cannot be had.
    pub fn secrets(&self) -> Result<(), Vec<SecretProblem>> {
        let problems: Vec<SecretProblem> = self
            .secret_sources()
            .into_iter()
            .filter_map(|(key, source)| {
                source
                    .read()
                    .err()
                    .map(|error| SecretProblem { key, error })
            })
            .collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    const TOKEN: &str = "not-a-real-token-f00d";

    fn nothing(_: &str) -> Option<OsString> {
        None
    }

    fn file(bytes: &[u8]) -> (tempfile::TempDir, SecretSource) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, bytes).unwrap();
        (folder, SecretSource::File(path))
    }

    fn read(bytes: &[u8]) -> Result<String, SecretError> {
        let (_folder, source) = file(bytes);
        source
            .read_with(&nothing)
            .map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn one_line_end_behind_a_secret_is_not_part_of_it() {
        assert_eq!(read(b"not-a-real-token-f00d\n").unwrap(), TOKEN);
        assert_eq!(read(b"not-a-real-token-f00d\r\n").unwrap(), TOKEN);
        assert_eq!(read(b"not-a-real-token-f00d").unwrap(), TOKEN);
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused() {
        assert!(matches!(read(b""), Err(SecretError::Empty(_))));
        assert!(matches!(read(b"\n"), Err(SecretError::Empty(_))));
        assert!(matches!(read(b"a\nb\n"), Err(SecretError::NotOneLine(_))));
        assert!(matches!(read(b"a\r"), Err(SecretError::NotOneLine(_))));
        assert!(matches!(read(b"\xff\xfe"), Err(SecretError::NotOneLine(_))));
        assert!(matches!(read(b" a"), Err(SecretError::Padded(_))));
        assert!(matches!(
            read(&vec![b'a'; MOST_BYTES + 1]),
            Err(SecretError::TooLong(_))
        ));
        assert!(read(&vec![b'a'; MOST_BYTES]).is_ok());
    }

    #[test]
    fn a_variable_and_a_credential_are_found_by_name() {
        let (folder, _) = file(b"not-a-real-token-f00d\n");
        let at = folder.path().as_os_str().to_owned();
        let environment = move |name: &str| match name {
            "TOKEN" => Some(TOKEN.into()),
            CREDENTIALS => Some(at.clone()),
            _ => None,
        };
        let get = |source: SecretSource| {
            source
                .read_with(&environment)
                .map(|found| found.expose_secret().to_owned())
        };
        assert_eq!(get(SecretSource::Env("TOKEN".into())).unwrap(), TOKEN);
        assert_eq!(get(SecretSource::Credential("key".into())).unwrap(), TOKEN);
        assert!(matches!(
            get(SecretSource::Env("OTHER".into())),
            Err(SecretError::Unset(_))
        ));
        assert!(matches!(
            get(SecretSource::Credential("other".into())),
            Err(SecretError::Credential { .. })
        ));
    }

    #[test]
    fn the_words_of_a_failure_say_what_to_do() {
        let words = |source: &SecretSource| source.read_with(&nothing).unwrap_err().to_string();
        let credential = words(&SecretSource::Credential("acme".into()));
        assert!(
            credential.contains("LoadCredential=acme:PATH"),
            "{credential}"
        );
        let missing = words(&SecretSource::File("/nowhere/acme.key".into()));
        assert!(
            missing.contains("/nowhere/acme.key") && missing.contains("no such file"),
            "{missing}"
        );
    }

    /// Also shows that the guard can fail: a plain `String` would give the token away.
    #[test]
    fn neither_debug_nor_an_error_shows_what_was_read() {
        let (_folder, source) = file(TOKEN.as_bytes());
        let secret = source.read_with(&nothing).unwrap();
        assert!(!format!("{secret:?} {source:?}").contains(TOKEN));
        assert!(
            format!("{:?}", secret.expose_secret()).contains(TOKEN),
            "the control"
        );
        for spoilt in [
            format!("{TOKEN}\nx"),
            format!(" {TOKEN}"),
            TOKEN.repeat(10_000),
        ] {
            let (_folder, source) = file(spoilt.as_bytes());
            let error = source.read_with(&nothing).unwrap_err();
            assert!(!format!("{error} {error:?}").contains(TOKEN));
            let error = SecretSource::Env("X".into())
                .read_with(&|_| Some(spoilt.clone().into()))
                .unwrap_err();
            assert!(!format!("{error} {error:?}").contains(TOKEN));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_warned_of() {
        use std::os::unix::fs::PermissionsExt as _;
        let (folder, source) = file(b"x");
        let set = |mode| {
            let path = folder.path().join("key");
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(0o600);
        assert_eq!(source.warning(), None);
        set(0o640);
        assert!(source.warning().unwrap().contains("0640"));
    }
}
