//! What holds where nothing is set; also for the commands that work without a config.

use std::path::PathBuf;
use std::time::Duration;

use super::{Admins, Retry, Schedule, State};

impl Default for State {
    /// `pagewarden.db` in the current directory, events for as long as Atlassian keeps them.
    fn default() -> Self {
        Self {
            path: PathBuf::from("pagewarden.db"),
            retention: Duration::from_hours(180 * 24),
            cache_mib: 1_024,
        }
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            access: Duration::from_mins(1),
            audit: Duration::from_mins(5),
            admins: Duration::from_hours(1),
            lookback: Duration::from_hours(30 * 24),
        }
    }
}

impl Default for Admins {
    /// Atlassian's own roles, and the groups that have made administrators over the years.
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            roles: words(&["org-admin", "site-admin", "user-access-admin"]),
            groups: words(&[
                "site-admins",
                "org-admins",
                "administrators",
                "confluence-admins-*",
                "Domain Admins",
                "Enterprise Admins",
                "Schema Admins",
            ]),
            accounts: Vec::new(),
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(5),
            attempts: 4,
            timeout: Duration::from_mins(1),
        }
    }
}
