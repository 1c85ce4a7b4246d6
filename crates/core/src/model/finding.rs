//! Something a person should look at. Its serde form is the state file's, not the one for users (`output`).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use super::{AccountId, Actor, ActorKind, EventId, FindingId, PageId, SpaceKey};

/// Severity of a finding: by bits over the threshold, or stated by a policy detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// On the threshold, up to two bits over it.
    Low,
    /// From 2 bits over the threshold.
    Medium,
    /// From 4 bits over the threshold.
    High,
    /// From 7 bits over the threshold.
    Critical,
}

impl Severity {
    /// Every severity, lowest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The severity that goes with so many bits over the threshold.
    pub fn of_excess(bits: f64) -> Self {
        if bits >= 7.0 {
            Self::Critical
        } else if bits >= 4.0 {
            Self::High
        } else if bits >= 2.0 {
            Self::Medium
        } else {
            Self::Low
        }
    }

    /// The word used in config and output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What sort of matter a finding is about; one finding per family, account and period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Pages read.
    Reading,
    /// Content exported or downloaded.
    Export,
    /// Privileges granted and used.
    Admin,
    /// A canary page was opened.
    Canary,
    /// About the health of the logs.
    Blind,
}

impl Family {
    /// The word used in output and in the finding's id.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Export => "export",
            Self::Admin => "admin",
            Self::Canary => "canary",
            Self::Blind => "blind",
        }
    }
}

/// What became of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// No verdict yet, or the finding has grown since its last one.
    Open,
    /// A person knew of it and it is all right.
    Expected,
    /// It was what it looked like.
    Confirmed,
    /// Dealt with.
    Resolved,
}

impl Status {
    /// The word used in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Expected => "expected",
            Self::Confirmed => "confirmed",
            Self::Resolved => "resolved",
        }
    }
}

/// What a person said of a finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Of which.
    pub finding: FindingId,
    /// What.
    pub status: Status,
    /// Why. Untrusted.
    pub note: Option<String>,
    /// When it was said.
    pub at: DateTime<Utc>,
    /// The revision that the verdict is about: a later one reopens the finding.
    pub revision: u32,
    /// What the finding was at that time, so that what is learnt from the verdict does not change with it.
    pub matter: Matter,
}

/// What a finding was when its verdict was given.
#[derive(Debug, Clone, PartialEq)]
pub struct Matter {
    /// The tenant's name.
    pub tenant: String,
    /// Whom it was about, if anybody.
    pub account: Option<AccountId>,
    /// What sort of matter.
    pub family: Family,
    /// Its first event.
    pub from: DateTime<Utc>,
    /// Its last event.
    pub until: DateTime<Utc>,
    /// How surprising it was, in bits.
    pub bits: f64,
    /// Severity.
    pub severity: Severity,
}

impl From<&Finding> for Matter {
    fn from(finding: &Finding) -> Self {
        let (from, until) = finding
            .window
            .unwrap_or((finding.first_seen, finding.last_seen));
        Self {
            tenant: finding.tenant.clone(),
            account: finding.account.as_ref().map(|account| account.id.clone()),
            family: finding.family,
            from: from.min(finding.first_seen),
            until: until.max(finding.last_seen),
            bits: finding.bits,
            severity: finding.severity,
        }
    }
}

/// What was seen in the window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Different pages.
    pub pages: u32,
    /// Different spaces.
    pub spaces: u32,
    /// Different pages this account had not opened before, where that is known.
    pub new_pages: Option<u32>,
    /// Page views, repeats included.
    pub views: u32,
    /// Exports and downloads.
    pub exports: u32,
    /// Different network addresses.
    pub addresses: u32,
    /// Ways the account proved who it is, sorted.
    pub auth: Vec<String>,
}

/// What is usual for the account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// Different pages, on average.
    pub pages: f64,
    /// Different pages that 99 of 100 stay at or under.
    pub pages_p99: u32,
}

/// One detector's measure of surprise, with its reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Which measure, kebab-case.
    pub name: String,
    /// How surprising, in bits; what a policy detector counted is in the sentence instead.
    pub bits: f64,
    /// Why, in a sentence.
    #[serde(alias = "because")]
    pub reason: String,
}

/// One page that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRead {
    /// Which page.
    pub id: PageId,
    /// In which space, where known.
    pub space: Option<SpaceKey>,
    /// When it was first read in the window.
    pub at: DateTime<Utc>,
}

/// What a finding rests on, capped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Events, oldest first.
    pub event_ids: Vec<EventId>,
    /// Pages, oldest first.
    pub pages: Vec<PageRead>,
    /// How many pages were left out.
    pub omitted: u32,
}

/// Whom a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The account.
    pub id: AccountId,
    /// Its name, as the log had it last. Untrusted.
    pub name: Option<String>,
    /// Its e-mail address, as the log had it last. Untrusted.
    pub email: Option<String>,
    /// What sort of account.
    pub kind: ActorKind,
}

/// Something a person should look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What makes two findings the same.
    pub id: FindingId,
    /// How many times the finding has become new, from 1.
    pub revision: u32,
    /// The tenant's name.
    pub tenant: String,
    /// What sort of matter.
    pub family: Family,
    /// The strongest detector.
    pub detector: String,
    /// Severity.
    pub severity: Severity,
    /// The strongest detector's bits.
    pub bits: f64,
    /// The threshold in force for it, in bits; infinite on the first day of a tenant, on which only policy detectors report.
    #[serde(deserialize_with = "or_infinite")]
    #[serde(alias = "line")]
    pub threshold: f64,
    /// What became of it.
    pub status: Status,
    /// Whom it is about, if anybody.
    pub account: Option<Account>,
    /// Why the account was privileged at that time; empty where it was not.
    pub privileged_via: Vec<String>,
    /// First and last event of the activity that is reported.
    pub window: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// What was seen.
    pub observed: Observed,
    /// What is usual, where a measure says.
    pub expected: Option<Expected>,
    /// Why, in a sentence.
    #[serde(alias = "because")]
    pub reason: String,
    /// Every signal, strongest first.
    pub signals: Vec<Signal>,
    /// What it rests on.
    pub evidence: Evidence,
    /// The finding of the period before, if there is one.
    pub continues: Option<FindingId>,
    /// Event time of the first crossing.
    pub first_seen: DateTime<Utc>,
    /// Event time of the last event in it.
    pub last_seen: DateTime<Utc>,
}

impl Finding {
    /// A finding about no account, which no score led to, as of a moment: low, and without a reason yet.
    pub fn about_nobody(
        id: FindingId,
        tenant: &str,
        family: Family,
        detector: &str,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            revision: 1,
            tenant: tenant.to_owned(),
            family,
            detector: detector.to_owned(),
            severity: Severity::Low,
            bits: 0.0,
            threshold: 0.0,
            status: Status::Open,
            account: None,
            privileged_via: Vec::new(),
            window: None,
            observed: Observed::default(),
            expected: None,
            reason: String::new(),
            signals: Vec::new(),
            evidence: Evidence::default(),
            continues: None,
            first_seen: at,
            last_seen: at,
        }
    }

    /// Whether the finding follows from the stored events alone: true of all but findings about log health and about view
    /// counts, which name nobody.
    pub fn is_folded(&self) -> bool {
        match self.family {
            Family::Blind => false,
            Family::Canary => self.account.is_some(),
            Family::Reading | Family::Export | Family::Admin => true,
        }
    }
}

/// A number that JSON writes as null where it is infinite.
fn or_infinite<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::INFINITY))
}

impl From<Actor> for Account {
    fn from(actor: Actor) -> Self {
        let Actor {
            kind,
            id,
            name,
            email,
        } = actor;
        Self {
            id,
            name,
            email,
            kind,
        }
    }
}
