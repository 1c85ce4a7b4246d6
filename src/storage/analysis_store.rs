//! What an analysis reads beside events, and the working state that it keeps.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Changes, StoreError, TenantId};
use pagewarden_core::engine::State;
use pagewarden_core::model::{AccountId, Actor, WordId};

/// The working state at its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineState {
    /// A digest of everything but events that the state depends on.
    pub basis: [u8; 16],
    /// Everything before this second is folded in.
    pub line: i64,
    /// How many events the streams held when they were last analysed to their end.
    pub stored: u64,
    /// The state itself; none where what is stored already is still it.
    pub state: Option<State>,
    /// Whether it was made from the first event on: then nothing of the stored one stays.
    pub anew: bool,
}

/// How far a tenant's terms, pages and spaces are numbered: while it stays, none was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers(pub(in crate::storage) [i64; 3]);

/// What came in since this was last asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrived {
    /// From when on events were added that change what is analysed; none where none were.
    pub since: Option<i64>,
    /// Whether an account may be called differently by now.
    pub renamed: bool,
}

/// Something that belongs to a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A page.
    Page,
    /// A space.
    Space,
}

/// Dictionaries and the working state of the engine.
#[async_trait]
pub trait AnalysisStore: Send + Sync + std::fmt::Debug {
    /// The working state, unless there is none or something came in behind its line.
    async fn load_engine(&self, tenant: TenantId) -> Result<Option<EngineState>, StoreError>;

    /// Keeps the working state, and the findings with their messages: what is folded in for good is told for good, or
    /// neither.
    async fn record_analysis(
        &self,
        tenant: TenantId,
        state: EngineState,
        changes: Changes,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError>;

    /// Whether events are stored that have not been analysed.
    async fn has_unanalysed(&self, tenant: TenantId) -> Result<bool, StoreError>;

    /// What came in of a tenant since this was last asked, as far as this process stored it. Whoever begins from the
    /// stored state reads all of it anyway.
    fn take_arrived(&self, tenant: TenantId) -> Arrived;

    /// Lets go of what is remembered of dictionaries: storing and analysing take turns, and each wants memory.
    async fn forget_terms(&self) -> Result<(), StoreError>;

    /// Keeps how many events the suppressions left out.
    async fn keep_suppressed(&self, tenant: TenantId, suppressed: u64) -> Result<(), StoreError>;

    /// How many events the suppressions left out.
    async fn suppressed(&self, tenant: TenantId) -> Result<u64, StoreError>;

    /// The highest numbers of a tenant's terms and places.
    async fn numbers(&self, tenant: TenantId) -> Result<Numbers, StoreError>;

    /// Every account of a tenant with a higher number than `after`, in the order of the numbers.
    async fn accounts_after(
        &self,
        tenant: TenantId,
        after: WordId,
    ) -> Result<Vec<(WordId, AccountId)>, StoreError>;

    /// The accounts with these numbers as the logs had them last, in the order asked.
    async fn actors(&self, tenant: TenantId, numbers: &[WordId]) -> Result<Vec<Actor>, StoreError>;

    /// Those of the accounts that an event is of, as the logs had them last.
    async fn actors_named(
        &self,
        tenant: TenantId,
        accounts: &[AccountId],
    ) -> Result<Vec<Actor>, StoreError>;

    /// What the log calls pages or spaces, in the order asked; empty where there is none.
    async fn places(
        &self,
        tenant: TenantId,
        place: Place,
        numbers: &[WordId],
    ) -> Result<Vec<String>, StoreError>;

    /// The numbers of a page or space: of one site, or of every site that has one of that name.
    async fn place_nos(
        &self,
        tenant: TenantId,
        place: (Place, &str),
        site: Option<&str>,
    ) -> Result<Vec<WordId>, StoreError>;

    /// The number of a term of a tenant, if it was ever stored.
    async fn term_no(&self, tenant: TenantId, text: &str) -> Result<Option<WordId>, StoreError>;

    /// The terms of a tenant with higher numbers than `after`, in the order of the numbers; some thousands at a time.
    async fn terms_after(
        &self,
        tenant: TenantId,
        after: WordId,
    ) -> Result<Vec<(WordId, String)>, StoreError>;
}
