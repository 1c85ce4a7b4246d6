//! From drafts to findings, and what of them is new.

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};

use super::feed::Feed;
use super::{Analysis, Subject};
use crate::storage::{Place, Recorded, Store, StoreError};
use pagewarden_core::engine::{Draft, Reported};
use pagewarden_core::model::id::digest16;
use pagewarden_core::model::{
    Account, AccountId, EventKey, Evidence, Finding, FindingId, Observed, PageId, PageRead, Signal,
    SpaceKey, Status, WordId,
};
use pagewarden_core::session::Tally;
use pagewarden_core::time::moment;

/// What is known in memory of a recorded finding.
#[derive(Debug, Clone)]
struct Known {
    is_final: bool,
    account: Option<Account>,
    /// Of the finding as recorded.
    digest: [u8; 16],
}

impl Known {
    fn of(recorded: &Recorded) -> Result<Self, StoreError> {
        let body = serde_json::to_vec(&recorded.finding)
            .map_err(|error| StoreError::Unreadable(error.to_string()))?;
        Ok(Self {
            is_final: recorded.settled,
            account: recorded.finding.account.clone(),
            digest: digest16(&[&body]),
        })
    }
}

/// The recorded findings of a tenant, so that nothing unchanged is read back from the store.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    known: BTreeMap<FindingId, Known>,
    /// The drafts of the last cycle that may still grow, each with its finding.
    drafts: FxHashMap<(Option<WordId>, &'static str, i64), (Draft, Finding)>,
    /// Whether the findings were compared with what accounts are called since they were read.
    is_named: bool,
}

impl Memory {
    /// Reads every recorded finding of a tenant once.
    pub(super) async fn load(lookup: &Lookup<'_>) -> Result<Self, StoreError> {
        let mut known = BTreeMap::new();
        let mut after = None;
        loop {
            let tenant = lookup.subject.tenant;
            let chunk = lookup.store.recorded_after(tenant, after.as_ref()).await?;
            for recorded in &chunk.findings {
                known.insert(recorded.finding.id.clone(), Known::of(recorded)?);
            }
            after = chunk.next;
            if after.is_none() {
                break;
            }
        }
        Ok(Self {
            known,
            drafts: FxHashMap::default(),
            is_named: false,
        })
    }

    /// The finding of a draft, from the last cycle where the draft has not changed since, nor what accounts are called.
    async fn finding(
        &mut self,
        lookup: &Lookup<'_>,
        draft: &Draft,
        renamed: bool,
    ) -> Result<Finding, StoreError> {
        let key = (draft.account, draft.family.as_str(), draft.period);
        if let Some((same, finding)) = self.drafts.get(&key)
            && same == draft
            && !renamed
        {
            return Ok(finding.clone());
        }
        let finding = lookup.finding(draft).await?;
        self.drafts.insert(key, (draft.clone(), finding.clone()));
        Ok(finding)
    }

    /// What is new against what is recorded: each draft with whether it is final, whether these are all drafts there ever
    /// were, and whether an account may be called differently by now.
    pub(super) async fn compare<'d>(
        &mut self,
        lookup: &Lookup<'_>,
        drafts: impl Iterator<Item = (&'d Draft, bool)> + Send,
        anew: bool,
        renamed: bool,
    ) -> Result<Analysis, StoreError> {
        let mut analysis = Analysis::default();
        let mut reported = FxHashSet::default();
        let mut standing = FxHashSet::default();
        for (draft, is_final) in drafts {
            let finding = self.finding(lookup, draft, renamed).await?;
            let key = (draft.account, draft.family.as_str(), draft.period);
            if is_final {
                self.drafts.remove(&key);
            } else {
                standing.insert(key);
            }
            reported.insert(finding.id.clone());
            let now = Recorded {
                finding,
                settled: is_final,
            };
            self.note(lookup, now, &mut analysis).await?;
        }
        self.drafts.retain(|key, _| standing.contains(key));
        self.known.retain(|id, known| {
            let stays = reported.contains(id) || (known.is_final && !anew);
            if !stays {
                analysis.retracted.push(id.clone());
            }
            stays
        });
        if renamed || !self.is_named {
            self.rename(lookup, &reported, &mut analysis).await?;
            self.is_named = true;
        }
        Ok(analysis)
    }

    /// Brings findings that nothing else changes up to date with what their accounts are called.
    async fn rename(
        &mut self,
        lookup: &Lookup<'_>,
        reported: &FxHashSet<FindingId>,
        analysis: &mut Analysis,
    ) -> Result<(), StoreError> {
        let (ids, accounts): (Vec<FindingId>, Vec<AccountId>) = self
            .known
            .iter()
            .filter(|(id, _)| !reported.contains(*id))
            .filter_map(|(id, known)| Some((id.clone(), known.account.as_ref()?.id.clone())))
            .unzip();
        let (store, tenant) = (lookup.store, lookup.subject.tenant);
        let actors = store.actors_named(tenant, &accounts).await?;
        let called: FxHashMap<AccountId, Account> = actors
            .into_iter()
            .map(|actor| (actor.id.clone(), Account::from(actor)))
            .collect();
        for (id, account) in ids.into_iter().zip(accounts) {
            let Some(now) = called.get(&account) else {
                continue;
            };
            let known = self.known.get(&id).and_then(|known| known.account.as_ref());
            if known == Some(now) {
                continue;
            }
            if let Some(kept) = store.recorded_finding(&id).await? {
                let mut renamed = kept.clone();
                renamed.finding.account = Some(now.clone());
                self.known.insert(id, Known::of(&renamed)?);
                analysis.changed.push((renamed, Some(kept.finding)));
            }
        }
        Ok(())
    }

    /// Keeps a finding as it is now, and notes it where it differs from what is recorded.
    async fn note(
        &mut self,
        lookup: &Lookup<'_>,
        now: Recorded,
        analysis: &mut Analysis,
    ) -> Result<(), StoreError> {
        let known = Known::of(&now)?;
        let id = now.finding.id.clone();
        let before = match self.known.get(&id) {
            Some(before) if before.digest == known.digest && before.is_final == known.is_final => {
                return Ok(());
            }
            Some(_) => lookup.store.recorded_finding(&id).await?,
            None => None,
        };
        self.known.insert(id, known);
        let before = before.map(|before| before.finding);
        analysis.changed.push((now, before));
        Ok(())
    }
}

/// Turns drafts into findings: names and ids instead of numbers.
pub(super) struct Lookup<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) subject: &'a Subject<'a>,
    pub(super) feed: &'a Feed,
}

impl Lookup<'_> {
    /// The finding of a draft.
    pub(super) async fn finding(&self, draft: &Draft) -> Result<Finding, StoreError> {
        let (store, tenant) = (self.store, self.subject.tenant);
        let account: Vec<WordId> = draft.account.into_iter().collect();
        let actor = store.actors(tenant, &account).await?.pop();
        let whose = actor.as_ref().map(|actor| &actor.id);
        let id = |period| finding_id(self.subject.name, draft, whose, period);
        let [strongest, ..] = draft.reported.as_slice() else {
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
            threshold: strongest.threshold,
            status: Status::Open,
            privileged_via: strongest.grant_sources.clone(),
            window: Some((moment(strongest.tally.first), moment(strongest.tally.last))),
            observed: Observed {
                // A sum over accounts does not count what was new to each.
                new_pages: actor.is_some().then_some(strongest.new_pages),
                ..observed(&strongest.tally)
            },
            expected: actor.is_some().then_some(strongest.expected),
            reason: strongest.reason.clone(),
            signals: signals(draft),
            evidence: self.evidence(strongest).await?,
            continues: draft.continues.then(|| id(draft.period - 1)),
            first_seen: moment(draft.first_seen),
            last_seen: moment(draft.last_seen),
            account: actor.map(Account::from),
        })
    }

    async fn evidence(&self, reported: &Reported) -> Result<Evidence, StoreError> {
        let (store, tenant) = (self.store, self.subject.tenant);
        let seen = &reported.tally.evidence;
        let events: Vec<(i64, [u8; 16])> = seen.iter().map(|seen| (seen.at, seen.key)).collect();
        let reads = || seen.iter().filter(|seen| seen.page.is_some());
        let pages: Vec<WordId> = reads().filter_map(|seen| seen.page).collect();
        let spaces: Vec<WordId> = reads().filter_map(|seen| seen.space).collect();
        let pages = store.places(tenant, Place::Page, &pages).await?;
        let spaces = store.places(tenant, Place::Space, &spaces).await?;
        let mut spaces = spaces.into_iter();
        let pages = reads()
            .zip(pages)
            .map(|(seen, page)| PageRead {
                id: PageId::new(page),
                space: seen.space.and_then(|_| spaces.next()).map(SpaceKey::new),
                at: moment(seen.at),
            })
            .collect();
        Ok(Evidence {
            event_ids: self.feed.event_ids(store, &events).await?,
            pages,
            omitted: reported.tally.omitted,
        })
    }
}

/// Every signal once, with its bits, strongest detector first.
fn signals(draft: &Draft) -> Vec<Signal> {
    let mut signals: Vec<Signal> = Vec::new();
    for signal in draft.reported.iter().flat_map(|reported| &reported.signals) {
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
