//! What is looked for, as values: the rules that the detectors and the engine follow.

use std::time::Duration;

use super::{AccountId, PageId};

/// What is looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Detect {
    /// The expected number of false alarms of all statistical detectors together, per tenant and week.
    pub alerts_per_week: f64,
    /// The longest pause within a session.
    pub session_gap: Duration,
    /// How long to wait before a session is reported.
    pub lateness: Duration,
    /// How long to wait before a session teaches the baselines.
    pub settle: Duration,
    /// The least number of different pages in a session or day for a finding of its own.
    pub min_pages: u32,
    /// The canary pages: pages that nobody has a reason to open.
    pub canary_pages: Vec<Placed<PageId>>,
    /// The `volume-anomaly` detector.
    pub volume_anomaly: VolumeAnomaly,
    /// The `privileged-reading` detector.
    pub privileged_reading: PrivilegedReading,
    /// The `scripted-reading` detector.
    pub scripted_reading: ScriptedReading,
    /// The `bulk-export` detector.
    pub bulk_export: BulkExport,
    /// The `admin-grant` detector.
    pub admin_grant: AdminGrant,
    /// The `canary-page` detector.
    pub canary_page: CanaryPage,
    /// The `token-created` rule.
    pub token_created: TokenCreated,
    /// The `public-link` rule.
    pub public_link: PublicLink,
    /// The `log-tampering` rule.
    pub log_tampering: LogTampering,
    /// The `blind-spot` detector.
    pub blind_spot: BlindSpot,
    /// The suppressions: activity that is not reported.
    pub suppress: Vec<Suppression>,
}

/// The `volume-anomaly` detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VolumeAnomaly {
    /// Whether it looks at all.
    pub enabled: bool,
}

/// The `privileged-reading` detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrivilegedReading {
    /// Whether it looks at all.
    pub enabled: bool,
    /// How the account's reading is scored.
    pub mode: PrivilegedMode,
    /// Strict: more different pages a day than this are reported.
    pub pages_per_day: u32,
    /// Whether what privileged accounts read is summed up every week.
    pub weekly: bool,
}

/// The `scripted-reading` detector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptedReading {
    /// Whether it looks at all.
    pub enabled: bool,
    /// Accounts that are known to be programs.
    pub integrations: Vec<AccountId>,
}

/// The `bulk-export` detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkExport {
    /// Whether it looks at all.
    pub enabled: bool,
}

/// The `admin-grant` detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdminGrant {
    /// Whether it looks at all.
    pub enabled: bool,
    /// For how long after it became privileged an account is watched.
    pub within: Duration,
    /// The least number of new pages that is reported.
    pub pages: u32,
}

/// The `canary-page` detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CanaryPage {
    /// Whether it looks at all.
    pub enabled: bool,
}

/// The `token-created` rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenCreated {
    /// Whether it looks at all.
    pub enabled: bool,
}

/// The `public-link` rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicLink {
    /// Whether it looks at all.
    pub enabled: bool,
}

/// The `log-tampering` rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogTampering {
    /// Whether it looks at all.
    pub enabled: bool,
}

/// The `blind-spot` detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlindSpot {
    /// Whether it looks at all.
    pub enabled: bool,
}

/// How privileged reading is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivilegedMode {
    /// Like everybody's reading, with a threshold that is 2 bits lower.
    Unusual,
    /// By a fixed number of pages a day.
    Strict,
}

/// One suppression: activity that is not reported, with reason and end date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// What.
    pub what: Suppressed,
    /// Why. Shown to people.
    pub reason: String,
    /// The last day (UTC) on which it holds.
    pub until: chrono::NaiveDate,
}

/// A page or a space as a setting names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placed<T> {
    /// Its id or key.
    pub id: T,
    /// The host name of its site; none for every site that has one of this id.
    pub site: Option<String>,
}

impl<T> Placed<T> {
    /// One of every site.
    pub const fn anywhere(id: T) -> Self {
        Self { id, site: None }
    }
}

/// What a suppression names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suppressed {
    /// An account.
    Account(AccountId),
    /// The members of a group, as far as the roster knows it.
    Group(String),
    /// A space.
    Space(Placed<String>),
    /// A network address, or a network in CIDR notation.
    Network(String),
}

impl Detect {
    /// The same settings with only the detectors enabled that apply a fixed rule to what one account did in one day, so that
    /// history which is not read yet cannot change what they find; none where no such detector is enabled.
    pub fn policies(&self) -> Option<Self> {
        let strict = self.privileged_reading.mode == PrivilegedMode::Strict;
        let privileged_reading = PrivilegedReading {
            enabled: self.privileged_reading.enabled && strict,
            weekly: false,
            ..self.privileged_reading
        };
        let canaries = self.canary_page.enabled && !self.canary_pages.is_empty();
        // An `admin-grant` finding counts pages that the account never opened before, which only history shows.
        (canaries || privileged_reading.enabled).then(|| Self {
            volume_anomaly: VolumeAnomaly { enabled: false },
            scripted_reading: ScriptedReading {
                enabled: false,
                ..self.scripted_reading.clone()
            },
            bulk_export: BulkExport { enabled: false },
            admin_grant: AdminGrant {
                enabled: false,
                ..self.admin_grant
            },
            privileged_reading,
            ..self.clone()
        })
    }
}

impl Default for Detect {
    fn default() -> Self {
        Self {
            alerts_per_week: 3.0,
            session_gap: Duration::from_mins(30),
            lateness: Duration::from_mins(10),
            settle: Duration::from_hours(24),
            min_pages: 5,
            canary_pages: Vec::new(),
            volume_anomaly: VolumeAnomaly::default(),
            privileged_reading: PrivilegedReading::default(),
            scripted_reading: ScriptedReading::default(),
            bulk_export: BulkExport::default(),
            admin_grant: AdminGrant::default(),
            canary_page: CanaryPage::default(),
            token_created: TokenCreated::default(),
            public_link: PublicLink::default(),
            log_tampering: LogTampering::default(),
            blind_spot: BlindSpot::default(),
            suppress: Vec::new(),
        }
    }
}

impl Default for VolumeAnomaly {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Default for PrivilegedReading {
    fn default() -> Self {
        Self {
            enabled: true,
            mode: PrivilegedMode::Unusual,
            pages_per_day: 25,
            weekly: true,
        }
    }
}

impl Default for ScriptedReading {
    fn default() -> Self {
        Self {
            enabled: true,
            integrations: Vec::new(),
        }
    }
}

impl Default for BulkExport {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Default for AdminGrant {
    fn default() -> Self {
        Self {
            enabled: true,
            within: Duration::from_hours(14 * 24),
            pages: 20,
        }
    }
}

impl Default for CanaryPage {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Default for TokenCreated {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Default for PublicLink {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Default for LogTampering {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Default for BlindSpot {
    fn default() -> Self {
        Self { enabled: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fixed_rules_are_policies() {
        assert_eq!(Detect::default().policies(), None);
        let canaries = Detect {
            canary_pages: vec![Placed::anywhere(PageId::new("7"))],
            ..Detect::default()
        };
        let policies = canaries.policies().unwrap();
        assert!(policies.canary_page.enabled && !policies.privileged_reading.enabled);
        let mut strict = Detect::default();
        strict.privileged_reading.mode = PrivilegedMode::Strict;
        let policies = strict.policies().unwrap();
        assert!(policies.privileged_reading.enabled && !policies.privileged_reading.weekly);
        assert!(!policies.volume_anomaly.enabled && !policies.scripted_reading.enabled);
        assert!(!policies.bulk_export.enabled && !policies.admin_grant.enabled);
    }
}
