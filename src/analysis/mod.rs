//! From stored events to findings: the fold over the store.
//!
//! Everything before the settle line is folded in for good and its state kept; the tail behind it is folded anew each
//! time, so whatever comes up to `settle` late gives the same findings. What comes later still makes the fold begin anew.

mod feed;
pub mod suppression;

use chrono::{DateTime, Utc};
use rustc_hash::{FxHashMap, FxHashSet};

use self::feed::Feed;
use crate::config::{Admins, Detect, Ignored as IgnoredWhat};
use crate::storage::{EngineState, Place, Recorded, Store, StoreError, TenantId};
use pagewarden_core::engine::{Draft, Fold, Ignored, Judged, Rules, Told, Verdicts};
use pagewarden_core::model::id::digest16;
use pagewarden_core::model::{
    Account, AccountId, Actor, EventKey, Evidence, Finding, FindingId, Matter, Observed, PageId,
    PageRead, RosterHistory, Signal, SpaceKey, Status, Verdict, WordId,
};
use pagewarden_core::session::Tally;
use pagewarden_core::text;
use pagewarden_core::time::{DAY_SECONDS, moment};

/// Changes when the same events may give another state or other findings.
const VERSION: &[u8] = b"fold 3";

/// How many characters of a name are shown within a sentence.
const LONGEST_NAME: usize = 60;

/// Of which tenant, and by which rules.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its number.
    pub tenant: TenantId,
    /// Its name.
    pub name: &'a str,
    /// What makes privileged.
    pub admins: &'a Admins,
    /// The host names of the sites that are scored; empty where all are.
    pub sites: &'a [String],
    /// What is looked for.
    pub detect: &'a Detect,
}

/// What an analysis came to, before it is recorded.
#[derive(Debug, Default)]
pub struct Analysis {
    /// Findings that are new or have changed, with what was recorded before.
    pub changed: Vec<(Recorded, Option<Finding>)>,
    /// Findings that are no more.
    pub gone: Vec<FindingId>,
    /// The working state at its line, and whether it was made anew; to be kept together with the findings.
    pub state: Option<(EngineState, bool)>,
}

/// Folds everything that is stored and says what is new. Records nothing: findings that are told for good here are handed
/// out once, so they and the working state behind them must be kept in one transaction.
pub fn analyse(store: &Store, subject: &Subject<'_>) -> Result<Analysis, StoreError> {
    let feed = Feed::of(store, subject.tenant)?;
    let Some((newest, stored)) = feed.extent(store)? else {
        return Ok(Analysis::default());
    };
    // Storing and analysing take turns, and each wants memory for every account.
    store.forget_terms();
    let roster = roster(store, subject)?;
    let verdicts = verdicts(store, subject)?;
    let rules = rules(store, subject, &roster, &verdicts)?;
    let basis = |line| basis(subject, &roster, &verdicts, line);
    let resumed = resume(store, subject, &rules, &basis)?;
    let anew = resumed.is_none();
    let (mut fold, from) = resumed.unwrap_or_else(|| (Fold::new(&rules), i64::MIN));
    let settle = i64::try_from(subject.detect.settle.as_secs()).unwrap_or(i64::MAX);
    let line = newest.saturating_sub(settle).max(from);
    feed.read(store, (from, line), |read| fold.take(read))?;
    let folded = fold
        .state()
        .ok_or_else(|| StoreError::Unreadable("the working state cannot be written".to_owned()))?;
    let state = EngineState {
        basis: basis(line),
        line,
        stored,
        state: folded,
    };
    let settled = fold.finished();
    feed.read(store, (line, i64::MAX), |read| fold.take(read))?;
    let mut standing = fold.finished();
    standing.extend(fold.standing());
    store.keep_ignored(subject.tenant, fold.ignored())?;
    let drafts = settled
        .iter()
        .map(|draft| (draft, true))
        .chain(standing.iter().map(|draft| (draft, false)));
    let lookup = Lookup {
        store,
        subject,
        feed,
    };
    let mut analysis = compare(&lookup, drafts, anew)?;
    analysis.state = Some((state, anew));
    Ok(analysis)
}

/// Folds everything that is stored from the first event on, and gives every finding as it would be recorded; changes nothing.
pub fn from_scratch(store: &Store, subject: &Subject<'_>) -> Result<Vec<Finding>, StoreError> {
    let feed = Feed::of(store, subject.tenant)?;
    let roster = roster(store, subject)?;
    let verdicts = verdicts(store, subject)?;
    let rules = rules(store, subject, &roster, &verdicts)?;
    let mut fold = Fold::new(&rules);
    feed.read(store, (i64::MIN, i64::MAX), |read| fold.take(read))?;
    let mut drafts = fold.finished();
    drafts.extend(fold.standing());
    let lookup = Lookup {
        store,
        subject,
        feed,
    };
    drafts.iter().map(|draft| lookup.finding(draft)).collect()
}

/// The fold as it was kept at its line; none where it has to begin anew.
fn resume<'a>(
    store: &Store,
    subject: &Subject<'_>,
    rules: &'a Rules<'a>,
    basis: &impl Fn(i64) -> [u8; 16],
) -> Result<Option<(Fold<'a>, i64)>, StoreError> {
    let kept = store.load_engine(subject.tenant)?;
    Ok(kept
        .filter(|kept| kept.basis == basis(kept.line))
        .and_then(|kept| Fold::resume(rules, &kept.state).map(|fold| (fold, kept.line))))
}

/// Who was privileged when, as far as the store knows.
pub fn roster(store: &Store, subject: &Subject<'_>) -> Result<RosterHistory, StoreError> {
    let snapshots = store.rosters(subject.tenant)?;
    let changes = store.changes(subject.tenant)?;
    let privileging = crate::roster::Privileging::new(subject.admins);
    Ok(
        RosterHistory::new(&snapshots, &changes, |via| privileging.makes(via))
            .listing(&subject.admins.accounts),
    )
}

/// A digest of everything but events that the state at a line depends on.
fn basis(
    subject: &Subject<'_>,
    roster: &RosterHistory,
    verdicts: &[Verdict],
    line: i64,
) -> [u8; 16] {
    let settings = format!("{:?} {:?}", subject.detect, subject.sites);
    // What was confirmed reaches back; everything else holds for what comes after it.
    let said: Vec<_> = verdicts
        .iter()
        .filter(|verdict| verdict.status == Status::Confirmed || verdict.at.timestamp() < line)
        .map(|verdict| (verdict.status, verdict.at, &verdict.matter))
        .collect();
    digest16(&[
        VERSION,
        settings.as_bytes(),
        &roster.before(line),
        format!("{said:?}").as_bytes(),
    ])
}

/// What people said of the tenant's findings, oldest first.
fn verdicts(store: &Store, subject: &Subject<'_>) -> Result<Vec<Verdict>, StoreError> {
    let mut verdicts = store.verdicts(None)?;
    verdicts.retain(|verdict| verdict.matter.tenant == subject.name);
    Ok(verdicts)
}

/// The last word on each finding, as the fold knows it.
fn judged(verdicts: &[Verdict], accounts: &[(WordId, AccountId)]) -> Verdicts {
    let numbers: FxHashMap<&AccountId, WordId> = accounts
        .iter()
        .map(|(number, account)| (account, *number))
        .collect();
    let mut judged = Verdicts::default();
    let mut known = FxHashSet::default();
    for verdict in verdicts
        .iter()
        .rev()
        .filter(|verdict| known.insert(&verdict.finding))
    {
        let Matter {
            account,
            family,
            from,
            until,
            bits,
            severity,
            ..
        } = &verdict.matter;
        if let Some(account) = account.as_ref().and_then(|account| numbers.get(account)) {
            judged.add(
                *account,
                Judged {
                    status: verdict.status,
                    at: verdict.at.timestamp(),
                    family: *family,
                    span: (from.timestamp(), until.timestamp()),
                    bits: *bits,
                    severity: *severity,
                },
            );
        }
    }
    judged
}

fn rules<'a>(
    store: &Store,
    subject: &Subject<'a>,
    roster: &'a RosterHistory,
    verdicts: &[Verdict],
) -> Result<Rules<'a>, StoreError> {
    let accounts = store.accounts(subject.tenant)?;
    let rostered: FxHashSet<&AccountId> = roster.accounts().collect();
    let sites = subject
        .sites
        .iter()
        .map(|site| store.term_no(subject.tenant, site))
        .collect::<Result<Vec<_>, _>>()?;
    let canaries = subject
        .detect
        .canary_pages
        .iter()
        .map(|page| store.place_nos(subject.tenant, (Place::Page, page.as_str()), None));
    let rostered: FxHashMap<WordId, AccountId> = accounts
        .iter()
        .filter(|(_, account)| rostered.contains(account))
        .cloned()
        .collect();
    Ok(Rules {
        detect: subject.detect,
        roster,
        names: names(store, subject.tenant, rostered.keys())?,
        rostered,
        stable: accounts
            .iter()
            .map(|(id, account)| (*id, stable(account)))
            .collect(),
        sites: (!subject.sites.is_empty()).then(|| sites.into_iter().flatten().collect()),
        canaries: canaries
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .collect(),
        integrations: accounts
            .iter()
            .filter(|(_, account)| {
                subject
                    .detect
                    .scripted_reading
                    .integrations
                    .contains(account)
            })
            .map(|(id, _)| *id)
            .collect(),
        ignored: ignored(store, subject, &accounts)?,
        verdicts: judged(verdicts, &accounts),
    })
}

/// What accounts are called, where the logs told it: cut and in quotes, so that no name can pass for more than one; an id
/// goes with a name that two of them have.
fn names<'a>(
    store: &Store,
    tenant: TenantId,
    accounts: impl Iterator<Item = &'a WordId>,
) -> Result<FxHashMap<WordId, String>, StoreError> {
    let mut named = Vec::new();
    for number in accounts {
        let Actor { id, name, .. } = store.account(tenant, *number)?;
        let name = name.filter(|name| !name.trim().is_empty());
        named.extend(name.map(|name| (*number, name, id)));
    }
    let mut bearers: FxHashMap<&str, u32> = FxHashMap::default();
    for (_, name, _) in &named {
        *bearers.entry(name).or_default() += 1;
    }
    Ok(named
        .iter()
        .map(|(number, name, id)| {
            let shown = text::plain(name, LONGEST_NAME).replace('"', "'");
            let words = match bearers.get(name.as_str()) {
                Some(1) => format!("\"{shown}\""),
                _ => format!("\"{shown}\" ({})", id.as_str()),
            };
            (*number, words)
        })
        .collect())
}

/// A number of an account that is the same in every state file.
fn stable(account: &AccountId) -> u64 {
    digest16(&[b"account", account.as_str().as_bytes()])
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn ignored(
    store: &Store,
    subject: &Subject<'_>,
    accounts: &[(WordId, AccountId)],
) -> Result<Ignored, StoreError> {
    let mut ignored = Ignored::default();
    for rule in &subject.detect.ignore {
        let last = rule
            .until
            .signed_duration_since(chrono::NaiveDate::default())
            .num_days();
        let until = (last + 1).saturating_mul(DAY_SECONDS);
        match &rule.what {
            IgnoredWhat::Account(named) => {
                let ids = accounts
                    .iter()
                    .filter(|(_, account)| account == named)
                    .map(|(id, _)| (*id, until));
                keep_latest(&mut ignored.accounts, ids);
            }
            IgnoredWhat::Group(group) => ignored.groups.push((group.clone(), until)),
            IgnoredWhat::Space(space) => keep_latest(
                &mut ignored.spaces,
                store
                    .place_nos(subject.tenant, (Place::Space, space), None)?
                    .into_iter()
                    .map(|id| (id, until)),
            ),
            IgnoredWhat::Network(network) => {
                let ids = store.term_nos(subject.tenant, |text| {
                    crate::config::network_holds(network, text)
                })?;
                keep_latest(
                    &mut ignored.addresses,
                    ids.into_iter().map(|id| (id, until)),
                );
            }
        }
    }
    Ok(ignored)
}

fn keep_latest(kept: &mut FxHashMap<WordId, i64>, found: impl IntoIterator<Item = (WordId, i64)>) {
    for (id, until) in found {
        let entry = kept.entry(id).or_insert(until);
        *entry = until.max(*entry);
    }
}

/// What stands in the store, beside what the fold says.
fn compare<'d>(
    lookup: &Lookup<'_>,
    drafts: impl Iterator<Item = (&'d Draft, bool)>,
    anew: bool,
) -> Result<Analysis, StoreError> {
    let mut recorded = lookup.store.recorded(lookup.subject.tenant)?;
    let mut analysis = Analysis::default();
    for (draft, settled) in drafts {
        let finding = lookup.finding(draft)?;
        let before = match recorded.remove(&finding.id) {
            Some(_) => lookup.store.recorded_finding(&finding.id)?,
            None => None,
        };
        let now = Recorded { finding, settled };
        if before.as_ref() != Some(&now) {
            analysis
                .changed
                .push((now, before.map(|before| before.finding)));
        }
    }
    for (id, settled) in recorded {
        if anew || !settled {
            analysis.gone.push(id);
        } else if let Some(kept) = lookup.store.recorded_finding(&id)?
            && let Some(now) = lookup.renamed(&kept)?
        {
            analysis.changed.push((now, Some(kept.finding)));
        }
    }
    Ok(analysis)
}

/// Turns drafts into findings: names and ids instead of numbers.
struct Lookup<'a> {
    store: &'a Store,
    subject: &'a Subject<'a>,
    feed: Feed,
}

impl Lookup<'_> {
    /// A settled finding whose account the log calls differently by now; none where nothing changed.
    fn renamed(&self, kept: &Recorded) -> Result<Option<Recorded>, StoreError> {
        let Some(account) = &kept.finding.account else {
            return Ok(None);
        };
        let Some(actor) = self.store.account_named(self.subject.tenant, &account.id)? else {
            return Ok(None);
        };
        let now = Account::from(actor);
        Ok((now != *account).then(|| {
            let mut renamed = kept.clone();
            renamed.finding.account = Some(now);
            renamed
        }))
    }

    fn finding(&self, draft: &Draft) -> Result<Finding, StoreError> {
        let actor = match draft.account {
            Some(account) => Some(self.store.account(self.subject.tenant, account)?),
            None => None,
        };
        let whose = actor.as_ref().map(|actor| &actor.id);
        let id = |period| finding_id(self.subject.name, draft, whose, period);
        let [strongest, ..] = draft.told.as_slice() else {
            return Err(StoreError::Unreadable(
                "a finding without a signal".to_owned(),
            ));
        };
        Ok(Finding {
            id: id(draft.period),
            revision: draft.revision,
            tenant: self.subject.name.to_owned(),
            family: draft.family,
            detector: strongest.detector.clone(),
            severity: draft.severity,
            bits: strongest.bits,
            line: strongest.line,
            status: Status::Open,
            privileged_via: strongest.via.clone(),
            window: Some((moment(strongest.tally.first), moment(strongest.tally.last))),
            observed: Observed {
                // A sum over accounts does not count what was new to each.
                new_pages: actor.is_some().then_some(strongest.new_pages),
                ..observed(&strongest.tally)
            },
            expected: actor.is_some().then_some(strongest.expected),
            because: strongest.because.clone(),
            signals: signals(draft),
            evidence: self.evidence(strongest)?,
            continues: draft.continues.then(|| id(draft.period - 1)),
            first_seen: moment(draft.first_seen),
            last_seen: moment(draft.last_seen),
            account: actor.map(Account::from),
        })
    }

    fn evidence(&self, told: &Told) -> Result<Evidence, StoreError> {
        let seen = &told.tally.evidence;
        let events: Vec<(i64, [u8; 16])> = seen.iter().map(|seen| (seen.at, seen.key)).collect();
        let mut pages = Vec::new();
        for seen in seen {
            let Some(page) = seen.page else { continue };
            let (store, tenant) = (self.store, self.subject.tenant);
            let page = store.place(tenant, Place::Page, page)?;
            let space = seen
                .space
                .map(|space| store.place(tenant, Place::Space, space));
            let space = space.transpose()?;
            pages.push(PageRead {
                id: PageId::new(page),
                space: space.map(SpaceKey::new),
                at: moment(seen.at),
            });
        }
        Ok(Evidence {
            event_ids: self.feed.event_ids(self.store, &events)?,
            pages,
            omitted: told.tally.omitted,
        })
    }
}

/// Every signal once, each as loud as it spoke, strongest detector first.
fn signals(draft: &Draft) -> Vec<Signal> {
    let mut signals: Vec<Signal> = Vec::new();
    for signal in draft.told.iter().flat_map(|told| &told.signals) {
        if signals.iter().all(|kept| kept.name != signal.name) {
            signals.push(signal.clone());
        }
    }
    signals
}

fn observed(tally: &Tally) -> Observed {
    let count = |set: &FxHashSet<WordId>| u32::try_from(set.len()).unwrap_or(u32::MAX);
    Observed {
        pages: tally.pages,
        spaces: count(&tally.spaces),
        new_pages: None,
        views: tally.views,
        exports: tally.exports,
        addresses: count(&tally.addresses),
        auth: tally.auth_words().into_iter().map(str::to_owned).collect(),
    }
}

/// One finding per tenant, family, account and period, and nothing else in its id.
fn finding_id(tenant: &str, draft: &Draft, account: Option<&AccountId>, period: i64) -> FindingId {
    let (family, period) = (draft.family.as_str(), period.to_le_bytes());
    let mut fields: Vec<&[u8]> = vec![b"finding", tenant.as_bytes(), family.as_bytes()];
    fields.extend(account.map(|account| account.as_str().as_bytes()));
    fields.push(&period);
    let digest = digest16(&fields);
    FindingId::new(EventKey(digest).hex())
}

/// How many accounts are privileged at a moment.
pub fn privileged_count(
    store: &Store,
    subject: &Subject<'_>,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let history = roster(store, subject)?;
    Ok(history.count(now.timestamp()))
}
