//! Every setting of the file: the one table that the check for unknown keys goes by, and that the documents repeat.

/// A table of the file.
#[derive(Debug)]
pub(super) struct Table {
    /// Its name, from the outermost table on.
    pub(super) path: &'static str,
    /// Its name within a tenant, where a tenant may override it.
    pub(super) of_tenant: Option<&'static str>,
    /// Whether it may come several times, each under a header with two brackets.
    pub(super) repeats: bool,
    /// The keys that it may hold, tables within it aside.
    pub(super) keys: &'static [Key],
}

/// A key of a table.
#[derive(Debug)]
pub(super) struct Key {
    /// Its name.
    pub(super) name: &'static str,
    /// What holds where it is not set, as the documents write it; empty where it must be set.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the documents"))]
    pub(super) default: &'static str,
    /// What it means, as the documents write it.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the documents"))]
    pub(super) meaning: &'static str,
}

const fn key(name: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key {
        name,
        default,
        meaning,
    }
}

const fn once(path: &'static str, keys: &'static [Key]) -> Table {
    Table {
        path,
        of_tenant: None,
        repeats: false,
        keys,
    }
}

const fn several(path: &'static str, keys: &'static [Key]) -> Table {
    Table {
        path,
        of_tenant: None,
        repeats: true,
        keys,
    }
}

/// A table of `[detect]`, which a tenant may override.
macro_rules! detect {
    ($name:literal, $keys:expr $(,)?) => {
        Table {
            of_tenant: Some(concat!("tenant.detect", $name)),
            ..once(concat!("detect", $name), $keys)
        }
    };
}

/// Whether a detector is on.
const SWITCH: &[Key] = &[ENABLED];
const ENABLED: Key = key("enabled", "`true`", "");

/// The tables outside `[detect]`.
const TABLES: &[Table] = &[
    several(
        "tenant",
        &[
            key(
                "name",
                "",
                "what you call it: letters, digits, `_`, `.`, `-`",
            ),
            key(
                "actions",
                "none",
                "a table: the class of an action, by its id or a pattern with `*`",
            ),
        ],
    ),
    once(
        "tenant.organization",
        &[
            key("id", "", "the organisation's id"),
            key("api_key", "", "place of the organisation key"),
            key(
                "expires",
                "none",
                "last day on which the key works; a warning begins 30 days before",
            ),
            key(
                "url",
                "`https://api.atlassian.com`",
                "Atlassian's admin API and gateway",
            ),
            key(
                "requests_per_minute",
                "10",
                "the most requests for events in a minute, live polling and backfill together",
            ),
        ],
    ),
    several(
        "tenant.site",
        &[
            key(
                "url",
                "",
                "the site's address, without `/wiki`; one table for each site",
            ),
            key("email", "", "the token's account"),
            key("api_token", "", "place of the token"),
            key("expires", "none", "as above"),
            key("via", "`\"site\"`", "`\"gateway\"` for a token with scopes"),
        ],
    ),
    once(
        "tenant.schedule",
        &[
            key(
                "access",
                "`60s`",
                "how often the organisation's events are polled",
            ),
            key("audit", "`5m`", "how often the site audit log is polled"),
            key(
                "admins",
                "`1h`",
                "how often roles, groups and the view counts of canary pages are asked for",
            ),
            key("lookback", "`30d`", "where the very first poll begins"),
        ],
    ),
    once(
        "tenant.admins",
        &[
            key(
                "roles",
                "`org-admin`, `site-admin`, `user-access-admin`",
                "roles that make an account privileged",
            ),
            key(
                "groups",
                "`site-admins`, `org-admins`, `administrators`, `confluence-admins-*`, `Domain Admins`, `Enterprise Admins`, `Schema Admins`",
                "groups that do; `*` stands for anything",
            ),
            key(
                "accounts",
                "none",
                "account ids that are privileged whatever roles and groups say",
            ),
        ],
    ),
    several(
        "notifier",
        &[
            key("name", "", "what you call it"),
            key("type", "", "`\"webhook\"`"),
            key(
                "min_severity",
                "`\"medium\"`",
                "the least severity that is sent: `low`, `medium`, `high`, `critical`",
            ),
            key(
                "include_titles",
                "`false`",
                "only `false` is accepted: page titles are not stored, so none is sent",
            ),
        ],
    ),
    once(
        "state",
        &[
            key(
                "path",
                "`pagewarden.db`",
                "the state file; a relative path begins in the current directory",
            ),
            key(
                "retention",
                "`180d`",
                "how long events are to be kept. Checked, but **not applied yet**: this version removes nothing",
            ),
            key(
                "cache_mib",
                "1024",
                "how much memory the service keeps of all tenants between polls, in MiB, about 10 KiB for an account; what does not fit is read from the state file again at the next poll",
            ),
        ],
    ),
    once(
        "retry",
        &[
            key(
                "base",
                "`5s`",
                "the first wait after a failed request; it doubles each time",
            ),
            key("attempts", "4", "tries in all, 1 to 20"),
            key(
                "timeout",
                "`1m`",
                "how long one try may take, its answer included",
            ),
        ],
    ),
];

/// `[detect]` and what lies within it, by the names there; `[tenant.detect]` takes the same.
const DETECT: &[Table] = &[
    detect!(
        "",
        &[
            key(
                "alerts_per_week",
                "3",
                "false alarms that you accept in a week, per tenant, of all statistical detectors together",
            ),
            key("session_gap", "`30m`", "the longest pause within a session"),
            key(
                "lateness",
                "`10m`",
                "how long a message waits for events that come late",
            ),
            key(
                "settle",
                "`24h`",
                "how old a session is before it teaches the baselines; an event that comes up to this late gives the result it would have given on time",
            ),
            key(
                "min_pages",
                "5",
                "the least number of different pages that is reported by itself",
            ),
            key(
                "canary_pages",
                "none",
                "page ids that nobody has a reason to open, as in `.../pages/123456/...`; where a tenant has several sites, addresses of pages",
            ),
        ],
    ),
    detect!(".volume-anomaly", SWITCH),
    detect!(
        ".scripted-reading",
        &[
            ENABLED,
            key(
                "integrations",
                "none",
                "account ids of known programs; this detector does not report them",
            ),
        ],
    ),
    detect!(
        ".privileged-reading",
        &[
            ENABLED,
            key(
                "mode",
                "`\"unusual\"`",
                "`\"strict\"` reports an administrator who opens more than `pages_per_day` different pages in a UTC day",
            ),
            key("pages_per_day", "25", "the limit of `strict`"),
            key(
                "weekly",
                "`true`",
                "one finding a week that sums up what administrators read",
            ),
        ],
    ),
    detect!(".bulk-export", SWITCH),
    detect!(
        ".admin-grant",
        &[
            ENABLED,
            key(
                "within",
                "`14d`",
                "for how long after the grant the account is watched",
            ),
            key(
                "pages",
                "20",
                "the least number of new pages that is reported"
            ),
        ],
    ),
    detect!(".canary-page", SWITCH),
    detect!(".token-created", SWITCH),
    detect!(".public-link", SWITCH),
    detect!(".log-tampering", SWITCH),
    detect!(".blind-spot", SWITCH),
    Table {
        of_tenant: Some("tenant.detect.suppress"),
        ..several(
            "detect.suppress",
            &[
                key("account", "", "an account id"),
                key("group", "", "accounts that are privileged by this group"),
                key(
                    "space",
                    "",
                    "a space key; where a tenant has several sites, the address of a space",
                ),
                key(
                    "network",
                    "",
                    "addresses, in CIDR notation; of a list, as proxies write it, every public address has to lie in it",
                ),
                key("reason", "", "why; required"),
                key("until", "", "the last day (UTC); required"),
            ],
        )
    },
];

/// Every table with each path under which it is written.
pub(super) fn tables() -> impl Iterator<Item = (&'static str, &'static Table)> {
    let all = || TABLES.iter().chain(DETECT);
    let of_tenants = all().filter_map(|table| Some((table.of_tenant?, table)));
    all().map(|table| (table.path, table)).chain(of_tenants)
}

/// What a table may hold, its keys first, then the tables within it; none where it is no table with keys of its own.
pub(super) fn keys_of(path: &str) -> Option<Vec<&'static str>> {
    let within = tables().filter_map(|(inner, _)| {
        let name = if path.is_empty() {
            inner
        } else {
            inner.strip_prefix(path)?.strip_prefix('.')?
        };
        (!name.contains('.')).then_some(name)
    });
    let own = tables().find(|(table, _)| *table == path);
    let own = own.map(|(_, table)| table.keys);
    if own.is_none() && !path.is_empty() {
        return None;
    }
    let own = own.unwrap_or_default().iter().map(|key| key.name);
    Some(own.chain(within).collect())
}

/// How the header of a table is written.
pub(super) fn header(path: &str) -> String {
    let repeats = tables().any(|(table, of)| table == path && of.repeats);
    if repeats {
        format!("[[{path}]]")
    } else {
        format!("[{path}]")
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    const DOCUMENT: &str = include_str!("../../docs/configuration.md");
    const EXAMPLE: &str = include_str!("../../config.example.toml");

    /// The rows of some tables, as the document has them.
    fn rows(tables: &[&Table], with_default: bool) -> String {
        let mut text = String::new();
        for table in tables {
            for (place, key) in table.keys.iter().enumerate() {
                let name = if place == 0 && tables.len() > 1 {
                    format!("{} {}", header(table.path), key.name)
                } else {
                    key.name.to_owned()
                };
                let default = if with_default {
                    format!(" {} |", key.default)
                } else {
                    String::new()
                };
                writeln!(text, "| `{name}` |{default} {} |", key.meaning).unwrap();
            }
        }
        text.replace("|  |", "| |")
    }

    #[test]
    fn the_document_has_every_setting() {
        let named = |names: &[&str]| -> Vec<&Table> {
            let is_named = |table: &&Table| names.iter().any(|name| table.path.starts_with(name));
            TABLES.iter().chain(DETECT).filter(is_named).collect()
        };
        let (suppress, detect): (Vec<&Table>, Vec<&Table>) = named(&["detect"])
            .into_iter()
            .partition(|table| table.path == "detect.suppress");
        for expected in [
            rows(&named(&["tenant"]), true),
            rows(&named(&["notifier"]), true),
            rows(&detect, true),
            rows(&suppress, false),
            rows(&named(&["state", "retry"]), true),
        ] {
            assert!(
                DOCUMENT.contains(&expected),
                "docs/configuration.md must have these rows, one after the other:\n{expected}"
            );
        }
    }

    /// The settings of the example, in force or left at their defaults: the header they are under, the key, the value.
    fn of_example() -> Vec<(String, String, String)> {
        let mut header = String::new();
        let mut found = Vec::new();
        for line in EXAMPLE.lines() {
            let line = line.strip_prefix('#').unwrap_or(line);
            if line.starts_with('[') {
                line.split(']').next().unwrap().clone_into(&mut header);
                let brackets = line.matches(']').count();
                header.push_str(&"]".repeat(brackets.min(2)));
            } else if let Some((key, value)) = line.split_once(" = ")
                && !key.contains([' ', '"'])
            {
                let value = value.split("  ").next().unwrap_or_default();
                found.push((header.clone(), key.to_owned(), value.to_owned()));
            }
        }
        found
    }

    #[test]
    fn the_example_has_every_setting_with_its_default() {
        let example = of_example();
        let mut wrong = Vec::new();
        for table in TABLES.iter().chain(DETECT) {
            let header = header(table.path);
            for key in table.keys {
                let here = |one: &&(String, String, String)| one.0 == header && one.1 == key.name;
                // `actions` is a table of its own.
                if EXAMPLE.contains(&format!("[{}.{}]", table.path, key.name)) {
                    continue;
                }
                let Some((_, _, value)) = example.iter().find(here) else {
                    wrong.push(format!("{header} {}: missing", key.name));
                    continue;
                };
                let default = key.default.trim_matches('`').trim_matches('"');
                let is_value =
                    !default.is_empty() && !default.contains([' ', ',']) && default != "none";
                if is_value && value.trim_matches('"') != default {
                    wrong.push(format!("{header} {} = {value}, not {default}", key.name));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
