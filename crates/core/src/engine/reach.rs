//! What an account reaches beside its own state.

use super::shared::Shared;
use super::tenant::TenantState;
use super::{Out, Rules};
use crate::baseline::Readers;

/// What an account reaches while it takes an event.
pub(super) struct Reach<'a> {
    pub(super) rules: &'a Rules,
    pub(super) tenant: &'a mut TenantState,
    pub(super) pages: &'a mut Shared<Readers>,
    pub(super) out: &'a mut Out,
}
