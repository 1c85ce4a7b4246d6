//! Everything but events that the engine needs of the store, kept up to date from cycle to cycle.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Subject, roster};
use crate::config::{Suppressed, network_holds};
use crate::storage::{Numbers, Place, Store, StoreError, TenantId};
use pagewarden_core::engine::{Marked, Rules, STATE_VERSION, Suppressions, Verdicts};
use pagewarden_core::model::id::digest16;
use pagewarden_core::model::{AccountId, Actor, Matter, RosterHistory, Status, Verdict, WordId};
use pagewarden_core::text;
use pagewarden_core::time::DAY_SECONDS;

/// How many characters of a name are shown within a sentence.
const LONGEST_NAME: usize = 60;

/// The rules, with what they were made of.
#[derive(Debug)]
pub(super) struct Context {
    /// What the engine goes by.
    pub(super) rules: Rules,
    verdicts: Vec<Verdict>,
    accounts: Vec<(WordId, AccountId)>,
    numbers: Numbers,
    /// A digest of what decides over any event; more accounts and strings do not, for no earlier event has them.
    pub(super) digest: [u8; 16],
}

impl Context {
    /// Loads everything.
    pub(super) async fn load(store: &dyn Store, subject: &Subject<'_>) -> Result<Self, StoreError> {
        let verdicts = verdicts(store, subject).await?;
        let accounts = store.accounts_after(subject.tenant, 0).await?;
        let roster = roster(store, subject).await?;
        let numbers = store.numbers(subject.tenant).await?;
        let stable = FxHashMap::default();
        let rules = rules(store, subject, (roster, &verdicts), &accounts, stable).await?;
        Ok(Self {
            numbers,
            digest: digest(subject, &rules, &verdicts),
            rules,
            verdicts,
            accounts,
        })
    }

    /// Loads what has changed; accounts may be called differently only where they were renamed.
    pub(super) async fn refresh(
        &mut self,
        store: &dyn Store,
        subject: &Subject<'_>,
        renamed: bool,
    ) -> Result<(), StoreError> {
        let verdicts = verdicts(store, subject).await?;
        let roster = roster(store, subject).await?;
        let numbers = store.numbers(subject.tenant).await?;
        let last = self.accounts.last().map_or(0, |(number, _)| *number);
        self.accounts
            .extend(store.accounts_after(subject.tenant, last).await?);
        let same = self.numbers == numbers
            && self.accounts.last().map_or(0, |(number, _)| *number) == last
            && self.verdicts == verdicts
            && self.rules.roster == roster
            && self.rules.detect == *subject.detect
            && !renamed;
        if same {
            return Ok(());
        }
        let stable = std::mem::take(&mut self.rules.stable);
        let rules = rules(store, subject, (roster, &verdicts), &self.accounts, stable).await?;
        self.numbers = numbers;
        self.digest = digest(subject, &rules, &verdicts);
        self.rules = rules;
        self.verdicts = verdicts;
        Ok(())
    }

    /// A digest of everything but events that the state at a line depends on.
    pub(super) fn basis(&self, subject: &Subject<'_>, line: i64) -> [u8; 16] {
        basis(subject, &self.rules.roster, &self.verdicts, line)
    }
}

/// A digest of everything but events that any draft depends on, what accounts are called included.
fn digest(subject: &Subject<'_>, rules: &Rules, verdicts: &[Verdict]) -> [u8; 16] {
    let mut names: Vec<_> = rules.names.iter().collect();
    names.sort_unstable();
    let basis = basis(subject, &rules.roster, verdicts, i64::MAX);
    digest16(&[&basis, format!("{names:?}").as_bytes()])
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
        &STATE_VERSION.to_le_bytes(),
        settings.as_bytes(),
        &roster.before(line),
        format!("{said:?}").as_bytes(),
    ])
}

/// What people said of the tenant's findings, oldest first.
async fn verdicts(store: &dyn Store, subject: &Subject<'_>) -> Result<Vec<Verdict>, StoreError> {
    let mut verdicts = store.verdicts(None).await?;
    verdicts.retain(|verdict| verdict.matter.tenant == subject.name);
    Ok(verdicts)
}

/// The last word on each finding, as the engine knows it.
fn marked(verdicts: &[Verdict], accounts: &[(WordId, AccountId)]) -> Verdicts {
    let numbers: FxHashMap<&AccountId, WordId> = accounts
        .iter()
        .map(|(number, account)| (account, *number))
        .collect();
    let mut marked = Verdicts::default();
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
            marked.add(
                *account,
                Marked {
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
    marked
}

/// The rules for these accounts; `stable` holds the stable numbers known so far.
async fn rules(
    store: &dyn Store,
    subject: &Subject<'_>,
    (roster, verdicts): (RosterHistory, &[Verdict]),
    accounts: &[(WordId, AccountId)],
    mut stable: FxHashMap<WordId, u64>,
) -> Result<Rules, StoreError> {
    for (number, account) in accounts {
        stable
            .entry(*number)
            .or_insert_with(|| stable_number(account));
    }
    let rostered: FxHashSet<&AccountId> = roster.accounts().collect();
    let mut sites = FxHashSet::default();
    for site in subject.sites {
        sites.extend(store.term_no(subject.tenant, site).await?);
    }
    let mut canaries = FxHashSet::default();
    for page in &subject.detect.canary_pages {
        let (site, page) = (page.site.as_deref(), (Place::Page, page.id.as_str()));
        canaries.extend(store.place_nos(subject.tenant, page, site).await?);
    }
    let rostered: FxHashMap<WordId, AccountId> = accounts
        .iter()
        .filter(|(_, account)| rostered.contains(account))
        .cloned()
        .collect();
    Ok(Rules {
        detect: subject.detect.clone(),
        names: names(store, subject.tenant, rostered.keys()).await?,
        rostered,
        stable,
        sites: (!subject.sites.is_empty()).then_some(sites),
        canaries,
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
        suppressions: suppressions(store, subject, accounts).await?,
        verdicts: marked(verdicts, accounts),
        roster,
    })
}

/// The names of accounts, where the logs have them: cut and in quotes, so that no name can pass for more than one; an id
/// goes with a name that two of them have.
async fn names<'a>(
    store: &dyn Store,
    tenant: TenantId,
    accounts: impl Iterator<Item = &'a WordId> + Send,
) -> Result<FxHashMap<WordId, String>, StoreError> {
    let numbers: Vec<WordId> = accounts.copied().collect();
    let actors = store.actors(tenant, &numbers).await?;
    let mut named = Vec::new();
    for (number, Actor { id, name, .. }) in numbers.into_iter().zip(actors) {
        let name = name.filter(|name| !name.trim().is_empty());
        named.extend(name.map(|name| (number, name, id)));
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
fn stable_number(account: &AccountId) -> u64 {
    digest16(&[b"account", account.as_str().as_bytes()])
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

async fn suppressions(
    store: &dyn Store,
    subject: &Subject<'_>,
    accounts: &[(WordId, AccountId)],
) -> Result<Suppressions, StoreError> {
    let mut suppressions = Suppressions::default();
    for rule in &subject.detect.suppress {
        let last = rule
            .until
            .signed_duration_since(chrono::NaiveDate::default())
            .num_days();
        let until = (last + 1).saturating_mul(DAY_SECONDS);
        match &rule.what {
            Suppressed::Account(named) => {
                let ids = accounts
                    .iter()
                    .filter(|(_, account)| account == named)
                    .map(|(id, _)| (*id, until));
                keep_latest(&mut suppressions.accounts, ids);
            }
            Suppressed::Group(group) => suppressions.groups.push((group.clone(), until)),
            Suppressed::Space(space) => {
                let (place, site) = ((Place::Space, space.id.as_str()), space.site.as_deref());
                let ids = store.place_nos(subject.tenant, place, site).await?;
                keep_latest(
                    &mut suppressions.spaces,
                    ids.into_iter().map(|id| (id, until)),
                );
            }
            Suppressed::Network(network) => {
                let ids = terms_in(store, subject.tenant, network).await?;
                keep_latest(
                    &mut suppressions.addresses,
                    ids.into_iter().map(|id| (id, until)),
                );
            }
        }
    }
    Ok(suppressions)
}

/// The numbers of the addresses in a network.
pub(super) async fn terms_in(
    store: &dyn Store,
    tenant: TenantId,
    network: &str,
) -> Result<Vec<WordId>, StoreError> {
    let (mut ids, mut last) = (Vec::new(), 0);
    loop {
        let terms = store.terms_after(tenant, last).await?;
        let Some((number, _)) = terms.last() else {
            return Ok(ids);
        };
        last = *number;
        let inside = terms
            .iter()
            .filter(|(_, text)| network_holds(network, text));
        ids.extend(inside.map(|(id, _)| *id));
    }
}

fn keep_latest(kept: &mut FxHashMap<WordId, i64>, found: impl IntoIterator<Item = (WordId, i64)>) {
    for (id, until) in found {
        let entry = kept.entry(id).or_insert(until);
        *entry = until.max(*entry);
    }
}
