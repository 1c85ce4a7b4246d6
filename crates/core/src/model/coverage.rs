//! What the configured APIs and the plan let us see.

/// One kind of event that the organisation's log can hold (`GET event-actions`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventAction {
    /// The action id, as events carry it.
    pub id: String,
    /// Its English name.
    pub display_name: String,
}
